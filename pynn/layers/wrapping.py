"""Layers that are put around another layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from ..foundation import atomic, checks, registry
from .base import Layer
from .by_name import deserialize, serialize

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Wrapper"]


def check_layer(layer: object, name: str) -> Layer:
    """The argument `name`, which must be a layer."""
    if isinstance(layer, Layer):
        return layer
    raise TypeError(
        f"{name} must be a layer such as pynn.layers.Dense(10), but got {checks.shown(layer)} of type "
        f"{type(layer).__name__}."
    )


def settle(layer: Layer, held: Sequence[Layer]) -> None:
    """What a layer that holds others has in common with them: a number type that one was given, and frozen weights."""
    given = [layer, *(each for each in held if each.dtype_given)][-1]
    if not layer.dtype_given:
        layer.dtype_given, layer._dtype = given.dtype_given, given._dtype
    if not layer._trainable:
        atomic.apply_together(layer._freezing(False))


class Wrapper(Layer):
    """Base of the layers that are put around another one, which is their `layer`; see docs/own-layers.md.

    The weights are those of the layer. A wrapper of one's own writes ``call(self, inputs)``.

    Args:
        layer: The layer.
        name, trainable, dtype, input_shape, input_dim: see `Layer`. ``trainable=False`` holds for the layer, too.
            `dtype` is by default that of the layer.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    holds_layers = True

    def __init__(
        self,
        layer: Layer,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.layer = check_layer(layer, "layer")
        super().__init__(name, trainable, dtype, input_shape, input_dim)
        settle(self, [self.layer])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """The layer of these arguments.

        Args:
            config: What `get_config` gave.
            custom_objects: Classes of one's own by name, ``{"Linear": Linear}``. Default: none.
        """
        return registry.knowing(custom_objects, lambda: cls(**{**config, "layer": deserialize(config["layer"])}))
