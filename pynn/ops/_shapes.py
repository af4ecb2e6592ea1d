"""Shapes and products, under Keras's names (``keras.ops``): of arrays as NumPy's, and of symbolic tensors, whose first
axis is that of the samples and stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import layers
from ..foundation import checks
from ..layers.id_arithmetic import Whole
from ..layers.operations import Arithmetic
from ..layers.symbolic import SymbolicTensor
from ..layers.trial import is_calling, operation_name
from ..layers.weight import Weight
from ..layers.weighted import TransposedWeight
from . import _elementwise
from ._functions import trunc
from ._values import (
    along,
    as_array,
    axes_of,
    axis_of,
    behind,
    for_all,
    is_of_weights,
    is_symbolic,
    listed,
    of_two,
    only_array,
    operation,
    size_along,
    tensor_of_samples,
)

__all__ = [
    "append",
    "cast",
    "concatenate",
    "expand_dims",
    "flip",
    "hstack",
    "matmul",
    "ndim",
    "ravel",
    "reshape",
    "shape",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "transpose",
    "unstack",
    "vstack",
]


def at(place: int, index: Any) -> tuple[Any, ...]:
    """The index along one axis, of all elements along those before it."""
    return (*(slice(None),) * place, index)


def shape(x: Any) -> tuple[int | None, ...]:
    """The shape of a batch, None along axes of any length: in a `call` that needs a number, the length."""
    found: tuple[int | None, ...] = x.shape if is_symbolic(x) else np.shape(as_array(x, "x"))
    return found


def ndim(x: Any) -> int:
    """Number of axes."""
    return len(shape(x))


def reshape(x: Any, newshape: Sequence[int | None]) -> Any:
    """The elements in another shape, one of whose sizes may be -1.

    Args:
        x: An array or a symbolic tensor.
        newshape: Of a symbolic tensor, -1 or its number of samples comes first: ``(-1, 4, 2)``.

    Raises:
        TypeError, ValueError: a shape that does not fit.
    """
    if not is_symbolic(x):
        return np.reshape(as_array(x, "x"), newshape)
    if is_of_weights(x):
        sizes = [newshape] if isinstance(newshape, int | np.integer) else newshape
        return for_all(lambda each: reshape(each, [-1, *sizes]), x)
    tensor = tensor_of_samples(x, "reshape")
    first, *sample = newshape if isinstance(newshape, Sequence | np.ndarray) and len(newshape) else [0]
    if first not in (-1, None, tensor.rows):
        raise ValueError(
            f"newshape must begin with -1, for the samples, where {tensor.name!r} is reshaped, but got {newshape}."
        )
    return operation(layers.Reshape, [-1 if size is None else size for size in sample])(tensor)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """The axes in another order.

    Args:
        x: An array or a symbolic tensor.
        axes: The new order. Of a symbolic tensor 0 comes first. Default ``None``: the reverse, of arrays and weights.

    Raises:
        TypeError, ValueError: no such order.
    """
    if not is_symbolic(x):
        return np.transpose(as_array(x, "x"), axes)
    if is_of_weights(x):
        order = list(range(x.ndim))[::-1] if axes is None else _order_of(axes, x.ndim)
        if isinstance(x, Weight) and order == [1, 0]:
            return TransposedWeight(x, operation_name("transpose")).tensor()
        return for_all(lambda each: transpose(each, [0, *behind(order)]), x)
    tensor = tensor_of_samples(x, "transpose")
    if axes is None or not len(axes) or axes[0] not in (0, -tensor.ndim):
        raise ValueError(
            f"axes must begin with 0, the axis of the samples, where {tensor.name!r} is transposed, but got {axes!r}."
        )
    return operation(layers.Permute, _order_of(axes, tensor.ndim)[1:])(tensor)


def _order_of(axes: Sequence[int], rank: int) -> list[int]:
    """The axes counted from the first one; ValueError unless each comes once."""
    order = [int(axis) + rank if axis < 0 else int(axis) for axis in axes]
    if sorted(order) != list(range(rank)):
        raise ValueError(f"axes must have each of {rank} axes once, but got {axes!r}.")
    return order


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged; of a symbolic tensor none of them the first."""
    if not is_symbolic(x):
        return np.swapaxes(as_array(x, "x"), axis1, axis2)
    if is_of_weights(x):
        return for_all(lambda each: swapaxes(each, behind(axis1), behind(axis2)), x)
    order = list(range(x.ndim))
    one, other = (axis_of(axis, x.ndim, "swapaxes") for axis in (axis1, axis2))
    order[one], order[other] = other, one
    return transpose(x, order)


def expand_dims(x: Any, axis: int) -> Any:
    """A new axis of length 1; of a symbolic tensor not in front of the samples.

    Of ``ops.shape(x)[0]`` in a `call`, None where it may be any number of samples, it is a list of sizes for `tile`.
    """
    if x is None and is_calling() and axis in (0, -1):
        return np.array([None])
    if not is_symbolic(x):
        return np.expand_dims(as_array(x, "x"), axis)
    if is_of_weights(x):
        return for_all(lambda each: expand_dims(each, behind(axis)), x)
    place = axis_of(axis, x.ndim + 1, "expand_dims")
    return x[at(place, None)]


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Without axes of length 1.

    Args:
        x: An array or a symbolic tensor.
        axis: The axis, or several; of a symbolic tensor not the first. Default ``None``: all of length 1, of a symbolic
            tensor but the first.

    Raises:
        ValueError: no such axis, or one of another length.
    """
    if not is_symbolic(x):
        return np.squeeze(as_array(x, "x"), listed(axis))
    if is_of_weights(x):
        return for_all(lambda each: squeeze(each, behind(axis)), x)
    if axis is None:
        places = [place for place, size in enumerate(x.shape) if place > 0 and size == 1]
    else:
        places = axes_of(axis, x.ndim, "squeeze")
    if any(x.shape[place] != 1 for place in places):
        raise ValueError(f"squeeze leaves out an axis of length 1, but axis {axis} of the shape {x.shape} is another.")
    return x[tuple(0 if place in places else slice(None) for place in range(x.ndim))] if places else x


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """The elements in the reverse order along an axis or several; by default, of arrays only, along all of them. Of a
    symbolic tensor not along that of the samples."""
    if not is_symbolic(x):
        return np.flip(as_array(x, "x"), listed(axis))
    if is_of_weights(x):
        return for_all(lambda each: flip(each, list(range(1, each.ndim)) if axis is None else behind(axis)), x)
    if axis is None:
        raise ValueError(f"flip of the symbolic tensor {x.name!r} needs an axis.")
    places = axes_of(axis, x.ndim, "flip")
    return x[tuple(slice(None, None, -1 if place in places else None) for place in range(x.ndim))]


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> Any:
    """Parts along an axis: so many equal ones, or those between these places.

    Raises:
        TypeError, ValueError: equal parts that there are not, or no such axis; of a symbolic tensor the first one.
    """
    if not is_symbolic(x):
        return list(np.split(as_array(x, "x"), indices_or_sections, axis))
    if is_of_weights(x):
        return for_all(lambda each: split(each, indices_or_sections, behind(axis)), x)
    place = axis_of(axis, x.ndim, "split")
    size = x.shape[place]
    if size is None:
        raise ValueError(f"split needs an axis of known length, but axis {axis} of the shape {x.shape} has any.")
    parts = np.split(np.arange(size), indices_or_sections)
    if not all(part.size for part in parts):
        raise ValueError(
            f"split makes parts of at least one element, but indices_or_sections={indices_or_sections} makes an "
            f"empty one of {size} elements."
        )
    return [x[at(place, slice(int(part[0]), int(part[-1]) + 1))] for part in parts]


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Arrays, or symbolic tensors, one behind the other along an axis; of symbolic tensors not that of the samples."""
    if not is_symbolic(*xs):
        return np.concatenate([x if _has_samples(x) else as_array(x, "xs") for x in xs], axis)
    if all(map(is_of_weights, xs)):
        return for_all(lambda *each: concatenate(each, behind(axis)), *xs)
    place = axis_of(axis, next(x.ndim for x in xs if is_symbolic(x)), "concatenate")
    return operation(layers.Concatenate, place)(list(xs))


def _has_samples(sizes: Any) -> bool:
    """Whether it is a list of sizes as `expand_dims` makes it of the number of samples."""
    return isinstance(sizes, np.ndarray) and sizes.dtype == object and is_calling()


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Arrays, or symbolic tensors, of one shape side by side along a new axis; of symbolic ones not the first axis."""
    if not is_symbolic(*x):
        return np.stack([as_array(each, "x") for each in x], axis)
    if all(map(is_of_weights, x)):
        return for_all(lambda *each: stack(each, behind(axis)), *x)
    rank = next(each.ndim for each in x if is_symbolic(each)) + 1
    place = axis_of(axis, rank, "stack")
    return concatenate([expand_dims(each, place) for each in x], place)


def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """`concatenate` of two; without an axis, of arrays only, both as one row."""
    if is_symbolic(x1, x2) and axis is not None:
        return concatenate([x1, x2], axis)
    return np.append(only_array(x1, "append", "x1"), only_array(x2, "append", "x2"), axis)


def hstack(xs: Sequence[Any]) -> Any:
    """`concatenate` along the second axis, or the only one."""
    return concatenate(xs, 1) if is_symbolic(*xs) else np.hstack([as_array(x, "xs") for x in xs])


def vstack(xs: Sequence[Any]) -> Any:
    """Arrays, rows as matrices of one row, one behind the other along the first axis."""
    return np.vstack([only_array(x, "vstack", "xs") for x in xs])


def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """The parts along an axis, which they do not have; of a symbolic tensor not the first one.

    Args:
        x: An array or a symbolic tensor.
        num: How many there are. Default ``None``: as many as the axis is long.
        axis: Default 0.

    Raises:
        ValueError: another number; no such axis.
    """
    if is_of_weights(x):
        return for_all(lambda each: unstack(each, num, behind(axis)), x)
    if is_symbolic(x):
        x, place = along(x, axis, "unstack")
        size = size_along(x, place, "unstack")
    else:
        x = np.asarray(as_array(x, "x"))
        (place,) = checks.axes_of(checks.one_axis(axis), x.ndim)
        size = x.shape[place]
    if num not in (None, size):
        raise ValueError(f"num must be the length of axis {axis}, {size}, or None, but got {num}.")
    return [x[at(place, number)] for number in range(size)]


def ravel(x: Any) -> Any:
    """An array as one row."""
    return np.ravel(only_array(x, "ravel"))


def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product ``x1 @ x2``."""
    return of_two("matmul", x1, x2)


def cast(x: Any, dtype: Any) -> Any:
    """The elements as numbers of another type.

    A symbolic tensor keeps the one that its model computes in: truth values are 1 and 0 there anyway, and numbers lose
    what is behind the point where `dtype` is of whole numbers. One of ids stays one then.
    """
    if not is_symbolic(x):
        return np.asarray(as_array(x, "x")).astype(np.dtype(dtype))
    kind = np.dtype(dtype).kind
    if isinstance(x, SymbolicTensor) and x.holds_ids and kind in "iuf":
        return Arithmetic("multiply", 1.0)(x) if kind == "f" else x
    if kind == "f":
        return x
    if kind == "b":
        return _elementwise.not_equal(x, 0.0)
    if kind not in "iu":
        raise TypeError(f"cast of a symbolic tensor to {dtype} is not there: a model computes in float32 or float64.")
    if isinstance(x, SymbolicTensor):
        return Whole()(x)
    return trunc(x)
