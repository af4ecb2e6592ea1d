"""What models are made of and called on: the symbolic tensors, layers and shapes in lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..data import dataset, nests
from ..data.layout import OpenShape
from ..foundation import checks
from ..layers.core import InputLayer
from ..layers.of_batch import OfBatch
from ..layers.symbolic import Made, SymbolicTensor


def is_symbolic(x: Any) -> bool:
    if isinstance(x, dict):
        return any(is_symbolic(each) for each in x.values())
    if isinstance(x, list | tuple):
        if x and isinstance(x[0], int | float):  # a sample as a list of numbers, which may be long
            return False
        return any(is_symbolic(each) for each in x)
    return isinstance(x, SymbolicTensor)


class Given(NamedTuple):
    """What comes into a model that does not know its inputs yet.

    Attributes:
        nest: The form in which they come: a place, or lists, tuples and dicts of places (`nests.nest_of`).
        each: By place: what a node says of a tensor, or the shape of a sample of the usual type.
    """

    nest: Any
    each: Sequence[Made | OpenShape]


def given_list(shapes: Sequence[OpenShape]) -> Given:
    """One input of a shape, or a list of several."""
    return Given(0 if len(shapes) == 1 else list(range(len(shapes))), list(shapes))


def given_tensors(x: Any) -> Given:
    """What is known of each symbolic tensor in `x`; TypeError if there is anything else."""
    found = [Made(tensor.sample, tensor.dtype, rows=tensor.rows) for tensor in tensors_in(x, "x")]
    return Given(nests.nest_of(x), list(found))


def given_data(x: Any, name: str) -> Given:
    """The shape of a sample of each array in the data `x`. A list of numbers, or of such lists, is one array."""
    if not isinstance(x, dict | list | tuple) or not _holds_arrays(x):
        return Given(0, [dataset.sample_shape(x, name)])
    _check_keys(x, name)
    nest = nests.nest_of(x)
    arrays = list(nests.ends(x))
    if not arrays:
        raise ValueError(f"{name} must hold at least one array.")
    called = nests.paths(nest, name)
    shapes = [dataset.sample_shape(each, path) for each, path in zip(arrays, called, strict=True)]
    return Given(nest, [*shapes])


def _holds_arrays(x: Any) -> bool:
    if isinstance(x, dict):
        return True
    if isinstance(x, list | tuple):
        return bool(x) and all(map(_holds_arrays, x))
    return getattr(x, "ndim", len(getattr(x, "shape", ()))) > 0  # NumPy's numbers are parts of a sample


def given_shapes(input_shape: Any, name: str) -> Given:
    """The shape of a sample for each shape of a batch in lists, tuples and dicts."""
    if _is_shape(input_shape):
        return Given(0, [checks.batch_shape(input_shape, name)])
    _check_keys(input_shape, name)
    each: list[Made | OpenShape] = []

    def numbered(value: Any, path: str) -> Any:
        if _is_shape(value):
            each.append(checks.batch_shape(value, path))
            return len(each) - 1
        if isinstance(value, dict):
            return {key: numbered(value[key], f"{path}[{key!r}]") for key in sorted(value)}
        found = [numbered(one, f"{path}[{place}]") for place, one in enumerate(value)]
        return tuple(found) if isinstance(value, tuple) else found

    return Given(numbered(input_shape, name), each)


def _is_shape(value: Any) -> bool:
    """Whether it is to be a shape, right or wrong, and no list, tuple or dict of them."""
    if isinstance(value, dict):
        return not value
    return not (isinstance(value, list | tuple) and any(isinstance(each, list | tuple | dict) for each in value))


def sources(given: Given) -> Any:
    """Symbolic inputs like what is given, in its form."""
    if isinstance(given.nest, dict) and not nests.is_nested(given.nest):
        names = list(given.nest)
    elif isinstance(given.nest, int):
        names = ["input_layer"]
    else:
        names = [f"input_{place}" for place in range(len(given.each))]
    return nests.filled(given.nest, [_source(each, name) for each, name in zip(given.each, names, strict=True)])


def _source(given: Made | OpenShape, name: str) -> SymbolicTensor:
    if isinstance(given, Made):
        return InputLayer(given.shape, given.rows, given.dtype, name=name).tensor()
    return InputLayer(given, name=name).tensor()


def tensors_in(value: Any, name: str) -> list[SymbolicTensor]:
    """The symbolic tensors in `value`: one, or a list, tuple or dict of them, which may have further ones within.

    Those of a dict come in the order of its keys, as in Keras.

    Raises:
        TypeError: there is anything else. ValueError: there is none.
    """
    _check_keys(value, name)
    found: list[SymbolicTensor] = list(nests.ends(value))
    for each in found:
        if isinstance(each, OfBatch):
            raise each.misused()
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
