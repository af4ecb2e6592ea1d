"""Functions of arrays alone, under Keras's names (``keras.ops``): those that metrics of one's own are written with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..foundation import checks
from ._values import as_array, is_symbolic

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "bincount",
    "count_nonzero",
    "cumsum",
    "dot",
    "isfinite",
    "isinf",
    "isnan",
    "prod",
    "round",
    "sort",
    "top_k",
]

Axes = int | Sequence[int] | None


def _array(x: Any, function: str, name: str = "x") -> Any:
    """An array or number; TypeError for a symbolic tensor."""
    if is_symbolic(x):
        raise TypeError(
            f"ops.{function} takes arrays, such as metrics and loops of one's own have, but {name} is a symbolic "
            "tensor, of which it is not there yet."
        )
    return as_array(x, name)


def _axes(axis: Axes) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def isnan(x: Any) -> Any:
    """Whether each element is NaN."""
    return np.isnan(_array(x, "isnan"))


def isinf(x: Any) -> Any:
    """Whether each element is infinite."""
    return np.isinf(_array(x, "isinf"))


def isfinite(x: Any) -> Any:
    """Whether each element is neither NaN nor infinite."""
    return np.isfinite(_array(x, "isfinite"))


def round(x: Any, decimals: int = 0) -> Any:
    """Each element with so many decimals; halves go to the even neighbour."""
    return np.round(_array(x, "round"), decimals)


def all(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether all elements along axes are not 0. Default: all axes."""
    return np.all(_array(x, "all"), axis=_axes(axis), keepdims=keepdims)


def any(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether any element along axes is not 0. Default: all axes."""
    return np.any(_array(x, "any"), axis=_axes(axis), keepdims=keepdims)


def prod(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The product along axes. Default: all."""
    return np.prod(_array(x, "prod"), axis=_axes(axis), keepdims=keepdims)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place of the largest element along an axis, the first one, in int32. Default: in the array as one row."""
    return np.int32(np.argmax(_array(x, "argmax"), axis=axis, keepdims=keepdims))


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place of the smallest element along an axis, the first one, in int32. Default: in the array as one row."""
    return np.int32(np.argmin(_array(x, "argmin"), axis=axis, keepdims=keepdims))


def sort(x: Any, axis: int = -1) -> Any:
    """The elements along an axis, the smallest first."""
    return np.sort(_array(x, "sort"), axis=axis)


def argsort(x: Any, axis: int = -1) -> Any:
    """The places of the elements along an axis, that of the smallest first, in int32; equal ones keep their order."""
    return np.argsort(_array(x, "argsort"), axis=axis, kind="stable").astype(np.int32)


def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Any]:
    """The k largest elements of the last axis, the largest first, and their places, in int32.

    Args:
        x: An array.
        k: How many.
        sorted: Without effect: they always are.
    """
    array = np.asarray(_array(x, "top_k"))
    k = checks.non_negative_int(k, "k")
    if k > (array.shape[-1] if array.ndim else 0):
        raise ValueError(f"k must be a whole number up to the size of the last axis of x, {array.shape}, but got {k}.")
    places = np.argsort(-array if array.dtype.kind == "f" else ~array, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(array, places, -1), places.astype(np.int32)


def cumsum(x: Any, axis: int | None = None) -> Any:
    """Sums of the elements up to each one, along an axis. Default: of the array as one row."""
    return np.cumsum(_array(x, "cumsum"), axis=axis)


def count_nonzero(x: Any, axis: Axes = None) -> Any:
    """How many elements along axes are not 0, in int32. Default: of all."""
    return np.int32(np.count_nonzero(_array(x, "count_nonzero"), axis=_axes(axis)))


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> NDArray[Any]:
    """How often each whole number from 0 on occurs, or the sum of its weights."""
    given = None if weights is None else _array(weights, "bincount", "weights")
    counts = np.bincount(_array(x, "bincount"), given, minlength)
    return counts.astype(np.int32) if given is None else counts


def dot(x1: Any, x2: Any) -> Any:
    """The product of matrices or vectors, as ``numpy.dot`` has it."""
    return np.dot(_array(x1, "dot", "x1"), _array(x2, "dot", "x2"))
