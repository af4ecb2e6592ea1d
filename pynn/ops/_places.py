"""Elements in other places, under Keras's names (``keras.ops``): of arrays as NumPy's, and of symbolic tensors, whose
first axis is that of the samples and stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np

from .. import layers
from ..foundation import checks
from ..layers import symbolic
from ..layers.of_weights import WeightRows, for_each_sample
from ..layers.symbolic import SymbolicTensor
from ..layers.trial import is_calling
from ..layers.weight import Weight
from . import _elementwise
from ._shapes import reshape, transpose
from ._values import (
    along,
    as_array,
    behind,
    for_all,
    is_of_weights,
    is_symbolic,
    listed,
    operation,
    size_along,
    tensor_of_samples,
)

__all__ = [
    "broadcast_to",
    "moveaxis",
    "pad",
    "repeat",
    "roll",
    "take",
    "tile",
    "tril",
    "triu",
]


def _taken(x: SymbolicTensor, places: Any, axis: int) -> Any:
    index = (*(slice(None),) * axis, places)
    return x[index]


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements at places along an axis.

    Args:
        x: An array or a symbolic tensor.
        indices: Whole numbers, an array.
        axis: Which; of a symbolic tensor not the first one. Default ``None``: the array as one row.

    Raises:
        TypeError, ValueError, IndexError: no such places.
    """
    if not is_symbolic(x, indices):
        return np.take(as_array(x, "x"), as_array(indices, "indices"), axis=axis)
    if is_symbolic(indices):
        if isinstance(x, Weight) and isinstance(indices, SymbolicTensor) and axis in (0, -x.ndim):
            return _rows(x, indices)
        raise TypeError(
            "ops.take takes places that are an array. Rows of a table by ids are what an Embedding gives, and take of "
            "a weight with axis=0."
        )
    if is_of_weights(x):
        if axis is None:
            x, axis = reshape(x, [-1]), 0
        return for_all(lambda each: take(each, indices, behind(axis)), x)
    tensor, place = along(x, axis, "take")
    places = np.asarray(as_array(indices, "indices"))
    if places.dtype.kind not in "iu":
        raise TypeError(f"indices must be whole numbers, but got {checks.shown(indices)}.")
    return _taken(tensor, places if places.ndim else int(places), place)


def _rows(weight: Weight, ids: SymbolicTensor) -> Any:
    """The rows of a weight that ids name."""
    rows = WeightRows(weight)
    rows._check_ids(ids)
    return rows(ids)


def repeat(x: Any, repeats: int | Sequence[int] | None, axis: int | None = None) -> Any:
    """Each element several times, one behind the other: along an axis, which a symbolic tensor needs, not the first.

    In a `call`, an array or weight of one row may be repeated for each sample, as for `tile`:
    ``repeat(x, ops.shape(y)[0], axis=0)``.
    """
    if repeats is None and axis == 0 and is_calling():  # ops.shape(y)[0]
        return tile(x, [None, *(1,) * (np.ndim(x) - 1)])
    if not is_symbolic(x):
        return np.repeat(as_array(x, "x"), cast("Any", repeats), cast("Any", axis))
    if is_of_weights(x):
        return for_all(lambda each: repeat(each, repeats, behind(axis)), x)
    tensor, place = along(x, axis, "repeat")
    return _taken(tensor, np.repeat(np.arange(size_along(tensor, place, "repeat")), cast("Any", repeats)), place)


def tile(x: Any, repeats: int | Sequence[int | None]) -> Any:
    """The whole several times along each axis; of a symbolic tensor once along the first one.

    In a `call`, an array or weight of one row may be repeated for each sample, ``tile(x, (ops.shape(y)[0], 1, 1))``: an
    array stays one row where the number of samples is not known, as that is the same for all samples.
    """
    if not is_symbolic(x):
        if _begins_with_samples(repeats):
            times = list(cast("Sequence[Any]", repeats))
            return np.tile(_for_all(x, len(times), "tile"), [1, *times[1:]])
        return np.tile(as_array(x, "x"), cast("int", repeats))
    if is_of_weights(x):
        if _begins_with_samples(repeats):
            times = list(cast("Sequence[Any]", repeats))
            return tile(_one_row(x, len(times), "tile"), [1, *times[1:]])
        return for_all(lambda each: tile(each, repeats), x)
    tensor = tensor_of_samples(x, "tile")
    given: list[Any] = [repeats] if isinstance(repeats, int | np.integer) else list(repeats)
    times = [1] * (tensor.ndim - len(given)) + given
    if len(times) > tensor.ndim or times[0] != 1:
        raise ValueError(f"repeats must have at most {tensor.ndim} numbers, 1 for the samples, but got {repeats}.")
    for axis, count in enumerate(times):
        if count != 1:
            tensor = _taken(tensor, np.tile(np.arange(size_along(tensor, axis, "tile")), count), axis)
    return tensor


def _begins_with_samples(sizes: Any) -> bool:
    """Whether the first size is that of the samples, ``ops.shape(x)[0]`` where it is not known."""
    return isinstance(sizes, list | tuple | np.ndarray) and len(sizes) > 0 and sizes[0] is None and is_calling()


def _for_all(x: Any, axes: int, function: str) -> Any:
    """An array of so many axes that is the same for all samples; ValueError where it has several rows."""
    array = np.asarray(as_array(x, "x"))
    if array.ndim < axes:
        array = array.reshape((1,) * (axes - array.ndim) + array.shape)
    if array.ndim != axes or len(array) != 1:
        raise ValueError(
            f"{function} for each sample takes an array of one row, which is the same for all, but x has the shape "
            f"{np.shape(x)}."
        )
    return array


def _one_row(x: Any, axes: int, function: str) -> SymbolicTensor:
    """A weight of so many axes, or fewer, as what each sample has; ValueError where it has several rows."""
    if x.ndim > axes or (x.ndim == axes and x.shape[0] != 1):
        raise ValueError(
            f"{function} for each sample takes a weight of one row, which is the same for all, but x has the shape "
            f"{tuple(x.shape)}."
        )
    row = x[0] if x.ndim == axes else x
    return cast("SymbolicTensor", reshape(for_each_sample(row), [-1, *(1,) * (axes - 1 - row.ndim), *row.shape]))


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Any:
    """The elements moved along an axis or several, the last ones come first. A symbolic tensor needs an axis, not the
    first."""
    if not is_symbolic(x):
        return np.roll(as_array(x, "x"), shift, listed(axis))
    if is_of_weights(x):
        return for_all(lambda each: roll(each, shift, behind(axis)), x)
    tensor = tensor_of_samples(x, "roll")
    for count, each in np.broadcast(shift, cast("Any", axis)):
        tensor, place = along(tensor, each, "roll")
        tensor = _taken(tensor, np.roll(np.arange(size_along(tensor, place, "roll")), int(count)), place)
    return tensor


def broadcast_to(x: Any, shape: Sequence[int | None]) -> Any:
    """The elements repeated along axes of size 1. Of a symbolic tensor the first size is that of the samples, or -1."""
    if not is_symbolic(x):
        if _begins_with_samples(shape):
            x, shape = _for_all(x, len(shape), "broadcast_to"), (1, *shape[1:])
        return np.broadcast_to(as_array(x, "x"), cast("Sequence[int]", shape))
    if is_of_weights(x):
        if _begins_with_samples(shape):
            return broadcast_to(_one_row(x, len(shape), "broadcast_to"), shape)
        more = [1] * (len(shape) - x.ndim)
        return for_all(lambda each: broadcast_to(reshape(each, [-1, *more, *x.shape]), [-1, *shape]), x)
    tensor, wanted = tensor_of_samples(x, "broadcast_to"), tuple(shape)
    fits = len(wanted) == tensor.ndim and wanted[0] in (-1, None, tensor.shape[0])
    if not fits or any(own not in (1, size) for own, size in zip(tensor.shape[1:], wanted[1:], strict=True)):
        raise ValueError(f"The symbolic tensor {tensor.name!r} of shape {tensor.shape} does not fit the shape {shape}.")
    for axis, (own, size) in enumerate(zip(tensor.shape[1:], wanted[1:], strict=True), 1):
        if own == 1 and size not in (1, None):
            tensor = _taken(tensor, np.zeros(size, int), axis)
    return tensor


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Axes at other places; of a symbolic tensor the first one stays."""
    if not is_symbolic(x):
        return np.moveaxis(as_array(x, "x"), source, destination)
    if is_of_weights(x):
        return for_all(lambda each: moveaxis(each, behind(source), behind(destination)), x)
    tensor = tensor_of_samples(x, "moveaxis")
    places = np.empty(tuple(range(tensor.ndim)))
    return transpose(tensor, list(np.moveaxis(places, source, destination).shape))


def pad(
    x: Any,
    pad_width: Any,
    mode: Literal["constant", "edge", "reflect", "symmetric", "wrap"] = "constant",
    constant_values: float | None = None,
) -> Any:
    """Elements in front of an array and behind it, along its axes.

    Args:
        x: An array or a symbolic tensor.
        pad_width: How many: ``((before, after), ...)``, a pair for each axis, or one for all; of a symbolic tensor
            ``(0, 0)`` for the samples.
        mode: ``"constant"``, or what NumPy has: ``"edge"``, ``"reflect"``, ``"symmetric"``, ``"wrap"``.
        constant_values: The number. Default 0.

    Raises:
        ValueError: others.
    """
    number = 0.0 if constant_values is None else float(constant_values)
    if not is_symbolic(x):
        array = as_array(x, "x")
        if mode == "constant":
            return np.pad(array, pad_width, constant_values=number)
        return np.pad(array, pad_width, mode)
    if is_of_weights(x):
        widths = [(0, 0), *np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()]
        return for_all(lambda each: pad(each, widths, mode, constant_values), x)
    tensor = tensor_of_samples(x, "pad")
    pairs = np.broadcast_to(np.asarray(pad_width), (tensor.ndim, 2)).tolist()
    if pairs[0] != [0, 0]:
        raise ValueError(f"pad_width must have (0, 0) for the samples of {tensor.name!r}, but got {pad_width}.")
    for axis, (before, after) in enumerate(pairs):
        if before == after == 0:
            continue
        if mode != "constant":
            size = size_along(tensor, axis, "pad")
            tensor = _taken(tensor, np.pad(np.arange(size), (before, after), mode), axis)
            continue
        parts = [_filled(tensor, axis, count, number) if count else None for count in (before, after)]
        tensor = operation(layers.Concatenate, axis)(
            [each for each in (parts[0], tensor, parts[1]) if each is not None]
        )
    return tensor


def _filled(x: SymbolicTensor, axis: int, count: int, number: float) -> Any:
    """`count` times one number along an axis, beside a tensor whose other axes may be of any length."""
    sizes: list[Any] = [*x.shape[1:axis], count, *x.shape[axis + 1 :]]
    if None not in sizes:
        return symbolic.constant(np.full(sizes, number), x)
    some = _taken(x, np.zeros(count, int), axis)
    return _elementwise.add(_elementwise.less(some, some), number)


def tril(x: Any, k: int = 0) -> Any:
    """The matrices of the last two axes with zeros above the diagonal `k`."""
    return _triangle(np.tril, x, k)


def triu(x: Any, k: int = 0) -> Any:
    """The matrices of the last two axes with zeros below the diagonal `k`."""
    return _triangle(np.triu, x, k)


def _triangle(function: Any, x: Any, k: int) -> Any:
    if not is_symbolic(x):
        return function(as_array(x, "x"), k)
    if is_of_weights(x):
        return for_all(lambda each: _triangle(function, each, k), x)
    tensor, name = tensor_of_samples(x, function.__name__), function.__name__
    sizes = [size_along(tensor, axis, name) for axis in (tensor.ndim - 2, tensor.ndim - 1)]
    return _elementwise.where(function(np.ones(sizes), k), tensor, 0.0)
