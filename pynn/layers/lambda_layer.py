"""A function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from .. import activations
from ..foundation import checks, identifiers, registry
from .base import Layer

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Lambda"]


class Lambda(Layer):
    """``function(inputs, **arguments)``, as the `call` of a layer of one's own that has no weights.

    The function is run with symbolic tensors, not for each batch: see docs/own-layers.md for what it may do.

    Args:
        function: Of one tensor, or of a list of them. It is told `mask` and `training` where it has such arguments.
        output_shape: Taken as in Keras, without effect: it is that of what the function makes. Default ``None``.
        mask: The mask of the output: a function of the inputs and their mask. Default ``None``: none.
        arguments: Further arguments of the function, by name: plain values. Default: none.
        name, trainable, dtype, input_shape: see `Layer`.

    A function with a name that is registered, or given as one of `custom_objects`, may be saved with its model; others
    may not.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Sequence[int | None] | Callable[..., Any] | None = None,
        mask: Callable[..., Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"function must be one, such as lambda x: x**2, but got {checks.shown(function)}.")
        if mask is not None and not callable(mask):
            raise TypeError(f"mask must be a function of inputs and their mask, but got {checks.shown(mask)}.")
        if output_shape is not None and not callable(output_shape):
            checks.open_shape(output_shape, "output_shape")
        if arguments is not None and not isinstance(arguments, Mapping):
            raise TypeError(f"arguments must be a dict of names and values, but got {checks.shown(arguments)}.")
        self.function, self.mask = function, mask
        self.arguments = dict(arguments or {})
        told = inspect.signature(function).parameters
        self._told = tuple(each for each in ("mask", "training") if each in told)
        super().__init__(name, trainable, dtype, input_shape)
        self.supports_masking = mask is not None

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """What the function makes of the inputs."""
        told = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{each: told[each] for each in self._told})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the output."""
        return None if self.mask is None else self.mask(inputs, mask)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "function": self.function, "arguments": self.arguments}
        return config if self.mask is None else {**config, "mask": self.mask}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None, safe_mode: bool | None = None
    ) -> Self:
        """The layer of these arguments.

        Args:
            config: What `get_config` gave.
            custom_objects: Functions of one's own by name, ``{"double": double}``. Default: none.
            safe_mode: Without effect: there is no other mode. Default ``None``.

        Raises:
            ValueError: a function that is not known by its name.
        """
        if safe_mode is not None:
            checks.boolean(safe_mode, "safe_mode")

        def make() -> Any:
            functions = {key: _function(config[key]) for key in ("function", "mask") if config.get(key) is not None}
            return cls(**{**config, **functions})

        made: Self = registry.knowing(custom_objects, make)
        return made


def _function(described: Any) -> Any:
    """A function, from what a configuration has for it."""
    if not isinstance(described, dict):
        return described
    if described.get("class_name") != "function":
        return activations.get(described)
    found = identifiers.function_of(described)
    if found is None:
        raise identifiers.no_function(described)
    return found
