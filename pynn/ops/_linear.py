"""Products, sums up to each element, and parts of matrices, under Keras's names (``keras.ops``)."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..foundation import checks
from ..layers.symbolic import SymbolicTensor
from ._einsum import einsum
from ._shapes import at, matmul, reshape, swapaxes
from ._values import along, as_array, behind, for_all, is_of_weights, is_symbolic, only_array, size_along

__all__ = [
    "cumprod",
    "cumsum",
    "diag",
    "diagonal",
    "diff",
    "dot",
    "inner",
    "outer",
    "tensordot",
    "trace",
    "vdot",
]


def dot(x1: Any, x2: Any) -> Any:
    """The product of matrices or vectors, as ``numpy.dot`` has it.

    A symbolic tensor comes first, and is multiplied by a weight, or an array, of one or two axes.
    """
    if not is_symbolic(x1, x2):
        return np.dot(as_array(x1, "x1"), as_array(x2, "x2"))
    _check_second("dot", x2)
    if np.ndim(x2) > 2:
        raise ValueError(
            f"dot of a symbolic tensor takes a weight or an array of one or two axes, but got one of {np.ndim(x2)}. "
            "ops.tensordot and ops.einsum have other products."
        )
    return matmul(x1, x2)


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sums of products along axes, as ``numpy.tensordot`` has them.

    A symbolic tensor comes first, and is multiplied by a weight, or an array. Its axis of samples is none of those that
    are summed over. Weights are multiplied by one another, and by arrays, along any axes.

    Raises:
        TypeError, ValueError: others.
    """
    if not is_symbolic(x1, x2):
        return np.tensordot(as_array(x1, "x1"), as_array(x2, "x2"), axes)
    _check_second("tensordot", x2)
    ranks = np.ndim(x1), np.ndim(x2)
    of_both = (range(ranks[0] - axes, ranks[0]), range(axes)) if isinstance(axes, int | np.integer) else axes
    summed = [[int(each) + rank * (each < 0) for each in np.ravel(of)] for of, rank in zip(of_both, ranks, strict=True)]
    for of, rank in zip(summed, ranks, strict=True):
        if len(of) != len(summed[0]) or len(of) != len(set(of)) or not set(of) <= set(range(rank)):
            raise ValueError(
                f"tensordot sums over as many axes of both, each once, of {ranks[0]} axes of x1 and {ranks[1]} of x2, "
                f"but got axes={axes!r}."
            )
    if 0 in summed[0] and isinstance(x1, SymbolicTensor) and x1.per_sample:
        raise ValueError(
            f"tensordot of a symbolic tensor sums over other axes than the first, that of the samples, but got axes="
            f"{axes!r}: axes=1 is its last axis, and the first one of x2."
        )
    letters = string.ascii_letters[: sum(ranks)]
    first, second = letters[: ranks[0]], list(letters[ranks[0] :])
    for one, other in zip(*summed, strict=True):
        second[other] = first[one]
    kept = [each for each in (*first, *second) if (each in first) != (each in second)]
    return einsum(f"{first},{''.join(second)}->{''.join(kept)}", x1, x2)


def _check_second(function: str, x2: Any) -> None:
    """TypeError where it has samples."""
    if isinstance(x2, SymbolicTensor) and x2.per_sample:
        raise TypeError(
            f"{function} takes a weight or an array as its second argument, as it would multiply samples with one "
            "another, but got a symbolic tensor. ops.matmul and ops.einsum multiply each sample for itself."
        )


def inner(x1: Any, x2: Any) -> Any:
    """Sums of products along the last axis of both, as ``numpy.inner`` has them."""
    return np.inner(only_array(x1, "inner", "x1"), only_array(x2, "inner", "x2"))


def outer(x1: Any, x2: Any) -> Any:
    """The product of each element of one array with each of another, both taken as one row."""
    return np.outer(only_array(x1, "outer", "x1"), only_array(x2, "outer", "x2"))


def vdot(x1: Any, x2: Any) -> Any:
    """The sum of the products of two arrays, both taken as one row."""
    return np.vdot(only_array(x1, "vdot", "x1"), only_array(x2, "vdot", "x2"))


def cumsum(x: Any, axis: int | None = None, dtype: DTypeLike | None = None) -> Any:
    """Sums of the elements up to each one, along an axis.

    Args:
        x: An array or a symbolic tensor.
        axis: Which; of a symbolic tensor one of known length, and not the first. Default ``None``: the array as one
            row.
        dtype: The number type of an array. Default ``None``: as NumPy has it.

    Raises:
        ValueError: no such axis.
    """
    if not is_symbolic(x):
        return np.cumsum(as_array(x, "x"), axis, dtype)
    if is_of_weights(x):
        return for_all(
            lambda each: cumsum(each, 1 if axis is None else behind(axis)), reshape(x, [-1]) if axis is None else x
        )
    tensor, place = along(x, axis, "cumsum")
    last = tensor.ndim - 1
    triangle = np.triu(np.ones((size_along(tensor, place, "cumsum"),) * 2))
    if place == last:
        return matmul(tensor, triangle)
    return swapaxes(matmul(swapaxes(tensor, place, last), triangle), place, last)


def cumprod(x: Any, axis: int | None = None, dtype: DTypeLike | None = None) -> Any:
    """Products of the elements up to each one, along an axis. Default: of the array as one row."""
    return np.cumprod(only_array(x, "cumprod"), axis, dtype)


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Each element less the one before it along an axis, `n` times; of a symbolic tensor not along the first axis."""
    times = checks.non_negative_int(n, "n")
    if not is_symbolic(a):
        return np.diff(as_array(a, "a"), times, axis)
    if is_of_weights(a):
        return for_all(lambda each: diff(each, times, behind(axis)), a)
    found, place = along(a, axis, "diff")
    for _ in range(times):
        found = found[at(place, slice(1, None))] - found[at(place, slice(None, -1))]
    return found


def diag(x: Any, k: int = 0) -> Any:
    """The matrix that has a row on its diagonal `k`; of a matrix this diagonal."""
    return np.diag(only_array(x, "diag"), k)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """A diagonal of the matrices of two axes."""
    return np.diagonal(only_array(x, "diagonal"), offset, axis1, axis2)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal of the matrices of two axes."""
    return np.trace(only_array(x, "trace"), offset, axis1, axis2)
