"""What models are made of and called on: the symbolic tensors, layers and shapes in lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data import dataset, nests
from ..data.layout import OpenShape
from ..foundation import checks
from ..layers.core import InputLayer
from ..layers.symbolic import Made, SymbolicTensor


def is_symbolic(x: Any) -> bool:
    if isinstance(x, dict):
        return any(is_symbolic(each) for each in x.values())
    if isinstance(x, list | tuple):
        if x and isinstance(x[0], int | float):  # a sample as a list of numbers, which may be long
            return False
        return any(is_symbolic(each) for each in x)
    return isinstance(x, SymbolicTensor)


def made_of(x: Any) -> Any:
    """What is known of each symbolic tensor in `x`, in the form of `x`; TypeError if there is anything else."""
    if nests.is_nested(x):
        raise TypeError(
            "x has lists or dicts within one another, which the call of a subclass cannot take: give it one list, or a "
            "dict with a key for each tensor."
        )
    found = [Made(tensor.sample, tensor.dtype, rows=tensor.rows) for tensor in tensors_in(x, "x")]
    if isinstance(x, dict):
        return dict(zip(sorted(x), found, strict=True))
    return found if isinstance(x, list | tuple) else found[0]


def source(given: Made | OpenShape, name: str) -> SymbolicTensor:
    """A symbolic input, like what a node says of a tensor, or of this shape and the usual type."""
    if isinstance(given, Made):
        return InputLayer(given.shape, given.rows, given.dtype, name=name).tensor()
    return InputLayer(given, name=name).tensor()


def sample_shapes(x: Any, name: str) -> Any:
    """The shape of a sample of each input in the data `x`, in the form of `x`."""
    if isinstance(x, dict):
        return {key: dataset.sample_shape(each, f"{name}[{key!r}]") for key, each in x.items()}
    if isinstance(x, list | tuple) and x and all(hasattr(each, "shape") for each in x):
        return [dataset.sample_shape(each, f"{name}[{number}]") for number, each in enumerate(x)]
    return dataset.sample_shape(x, name)


def tensors_in(value: Any, name: str) -> list[SymbolicTensor]:
    """The symbolic tensors in `value`: one, or a list, tuple or dict of them, which may have further ones within.

    Those of a dict come in the order of its keys, as in Keras.

    Raises:
        TypeError: there is anything else. ValueError: there is none.
    """
    _check_keys(value, name)
    found: list[SymbolicTensor] = list(nests.ends(value))
    for each in found:
        if not isinstance(each, SymbolicTensor):
            raise TypeError(
                f"{name} must be a symbolic tensor, as Input and calls of layers on it give, or a list, tuple or dict "
                f"of them, but got {checks.shown(each)} of type {type(each).__name__}."
            )
    if not found:
        raise ValueError(f"{name} must hold at least one symbolic tensor.")
    return found


def _check_keys(value: Any, name: str) -> None:
    """Raise TypeError unless all keys of dicts are names."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{name} must have names as keys, but has {key!r} of type {type(key).__name__}.")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _check_keys(each, name)


def twice(tensors: Sequence[SymbolicTensor]) -> str:
    return next(x.name for number, x in enumerate(tensors) if x in tensors[:number])
