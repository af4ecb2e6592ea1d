"""What a call of a layer of one's own says beside its tensors: the form in which these come, and plain values.

That is a tuple of pairs, an argument's name and a nest. A nest is a tuple that begins with what it stands for:
``("tensor",)``, ``("list", *nests)``, ``("tuple", *nests)``, ``("dict", *pairs)`` in the order of the keys, or a type
and a value such as ``("float", 0.5)``. So it can be a key, and 1, 1.0 and True are told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..foundation import atomic, checks
from . import calling
from .building import Draft, building

if TYPE_CHECKING:
    from .types import Masks, OpenShapes

Nest: TypeAlias = tuple[Any, ...]
Said: TypeAlias = tuple[tuple[str, Nest], ...]

_TENSOR: Nest = ("tensor",)
_PLAIN = {kind.__name__: kind for kind in (type(None), bool, int, float, str)}


def is_tensor(value: object) -> bool:
    """Whether a call takes it for a tensor."""
    return hasattr(value, "shape") and not isinstance(value, np.generic)


def nest_of(value: Any, tensors: list[Any], what: str) -> Nest:
    """The nest of an argument that messages call `what`; its tensors go into the list.

    Raises:
        TypeError: what is neither a tensor nor a plain value.
    """
    if isinstance(value, np.ndarray) and not value.ndim:
        value = value[()]
    if is_tensor(value):
        tensors.append(value)
        return _TENSOR
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return ("dict", *((key, nest_of(value[key], tensors, f"{what}[{key!r}]")) for key in sorted(value)))
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return (kind, *(nest_of(each, tensors, f"{what}[{place}]") for place, each in enumerate(value)))
    value = value.item() if isinstance(value, np.generic) else value
    if type(value) not in _PLAIN.values():
        raise TypeError(
            f"{what} must be a tensor or array, a number, a string or None, or lists and dicts of these, but got "
            f"{checks.shown(value)} of type {type(value).__name__}."
        )
    return type(value).__name__, value


def count_in(nest: Nest) -> int:
    """How many tensors a nest has."""
    kind, *rest = nest
    if kind == "dict":
        return sum(count_in(each) for _, each in rest)
    return sum(map(count_in, rest)) if kind in ("list", "tuple") else int(kind == "tensor")


def filled(nest: Nest, tensors: Iterator[Any], with_values: bool = True) -> Any:
    """The argument, with the next of these in place of its tensors; without values, None in place of these."""
    kind, *rest = nest
    if kind == "tensor":
        return next(tensors)
    if kind == "dict":
        return {key: filled(each, tensors, with_values) for key, each in rest}
    if kind in ("list", "tuple"):
        found = [filled(each, tensors, with_values) for each in rest]
        return tuple(found) if kind == "tuple" else found
    return rest[0] if with_values else None


def read(value: Any) -> Said:
    """What a configuration says was said; ValueError where that has another form."""
    try:
        return tuple((_text(name), _nest_read(nest)) for name, nest in value)
    except (TypeError, ValueError, LookupError, RecursionError):
        raise ValueError(f"config has a call with the arguments {checks.shown(value)}.") from None


def _nest_read(value: Any) -> Nest:
    kind, *rest = value
    if kind == "dict":
        return ("dict", *((_text(key), _nest_read(each)) for key, each in rest))
    if kind in ("list", "tuple"):
        return (kind, *map(_nest_read, rest))
    if kind == "tensor" and not rest:
        return _TENSOR
    (plain,) = rest
    if type(plain) is not _PLAIN[kind]:
        raise TypeError
    return kind, plain


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


class CallOf:
    """A layer of one's own as a call has it that said something beside its tensors."""

    def __init__(self, layer: Any, said: Said) -> None:
        self._layer, self._said = layer, said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    @property
    def _calls(self) -> dict[Any, Any]:
        """What is kept of calls on arrays: beside that of other calls, so that it goes with it."""
        key = "said", self._said
        found: dict[Any, Any] | None = self._layer._calls.get(key)
        if found is None:
            atomic.keep(self._layer._calls, key, found := {}, calling.MOST_KEPT)
        return found

    def draft(self, shape: OpenShapes, dtype: str, masks: Masks = ()) -> Draft:
        """What the layer would be for samples of `shape`; ValueError if it cannot take them."""
        draft: Draft = self._layer._draft_of_call(shape, dtype, masks, self._said)
        return draft

    def sample_output_shape(self, shape: Any) -> Any:
        """Shape of a sample of the output, or a list of them."""
        return self._layer._draft_of_call(shape, self._layer.dtype, None, self._said).output

    def lower_with_masks(self, net: Any, x: Any, shape: Any, masks: Sequence[Any]) -> Any:
        """Add the layer's ops; the outputs and their masks."""
        return self._layer._lower_call(net, x, shape, masks, self._said)

    def _build_for(self, shape: OpenShapes, masks: Masks = ()) -> None:
        draft = self.draft(shape, self._layer.dtype, masks)
        if not self._layer.built:
            atomic.apply_together(building([draft]))

    def _limits_for(self, inputs: list[Any], masks: Sequence[Any] = ()) -> Any:
        return self._layer._limits_of_call(inputs, masks, self._said)

    def _compute(self, inputs: list[Any], training: bool, masks: Sequence[Any] = ()) -> Any:
        whole: Any = self  # `_calls` is one of the layer's
        return calling.compute(whole, inputs, training, masks)

    def _arrange(self, outputs: list[Any]) -> Any:
        return self._layer._trace_with(outputs=len(outputs), said=self._said).outputs.arrange(outputs)

    def _input_limits(self) -> Any:
        return self._layer._trace_with(said=self._said).limits

    def _wiring_at(self, shapes: Any, dtype: str) -> Any:
        return self._layer._trace_at(shapes, dtype, None, self._said).wiring
