"""Functions of arrays alone, under Keras's names (``keras.ops``): those that metrics of one's own are written with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..foundation import checks
from ._values import as_float, listed, only_array

__all__ = [
    "allclose",
    "arccos",
    "arcsin",
    "arctan",
    "arctan2",
    "argmax",
    "argmin",
    "argsort",
    "bincount",
    "digitize",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "median",
    "nan_to_num",
    "nonzero",
    "prod",
    "quantile",
    "searchsorted",
    "size",
    "sort",
    "take_along_axis",
    "top_k",
]

Axes = int | Sequence[int] | None


def isnan(x: Any) -> Any:
    """Whether each element is NaN."""
    return np.isnan(only_array(x, "isnan"))


def isinf(x: Any) -> Any:
    """Whether each element is infinite."""
    return np.isinf(only_array(x, "isinf"))


def isfinite(x: Any) -> Any:
    """Whether each element is neither NaN nor infinite."""
    return np.isfinite(only_array(x, "isfinite"))


def prod(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The product along axes. Default: all."""
    return np.prod(only_array(x, "prod"), axis=listed(axis), keepdims=keepdims)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place of the largest element along an axis, the first one, in int32. Default: in the array as one row."""
    return np.int32(np.argmax(only_array(x, "argmax"), axis=axis, keepdims=keepdims))


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place of the smallest element along an axis, the first one, in int32. Default: in the array as one row."""
    return np.int32(np.argmin(only_array(x, "argmin"), axis=axis, keepdims=keepdims))


def sort(x: Any, axis: int = -1) -> Any:
    """The elements along an axis, the smallest first."""
    return np.sort(only_array(x, "sort"), axis=axis)


def argsort(x: Any, axis: int = -1) -> Any:
    """The places of the elements along an axis, that of the smallest first, in int32; equal ones keep their order."""
    return np.argsort(only_array(x, "argsort"), axis=axis, kind="stable").astype(np.int32)


def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Any]:
    """The k largest elements of the last axis, the largest first, and their places, in int32.

    Args:
        x: An array.
        k: How many.
        sorted: Without effect: they always are.
    """
    array = np.asarray(only_array(x, "top_k"))
    k = checks.non_negative_int(k, "k")
    if k > (array.shape[-1] if array.ndim else 0):
        raise ValueError(f"k must be a whole number up to the size of the last axis of x, {array.shape}, but got {k}.")
    places = np.argsort(-array if array.dtype.kind == "f" else ~array, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(array, places, -1), places.astype(np.int32)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> NDArray[Any]:
    """How often each whole number from 0 on occurs, or the sum of its weights."""
    given = None if weights is None else only_array(weights, "bincount", "weights")
    counts = np.bincount(only_array(x, "bincount"), given, minlength)
    return counts.astype(np.int32) if given is None else counts


def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether ``|x1 - x2| <= atol + rtol * |x2|``, element by element."""
    return np.isclose(only_array(x1, "isclose", "x1"), only_array(x2, "isclose", "x2"), rtol, atol, equal_nan)


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds for all elements."""
    return bool(np.all(isclose(x1, x2, rtol, atol, equal_nan)))


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Numbers in place of NaN and infinity. Default: 0, and the largest and least numbers of the type."""
    return np.nan_to_num(only_array(x, "nan_to_num"), nan=nan, posinf=posinf, neginf=neginf)


def arccos(x: Any) -> Any:
    """The inverse of `cos`."""
    return np.arccos(as_float(only_array(x, "arccos")))


def arcsin(x: Any) -> Any:
    """The inverse of `sin`."""
    return np.arcsin(as_float(only_array(x, "arcsin")))


def arctan(x: Any) -> Any:
    """The inverse of `tan`."""
    return np.arctan(as_float(only_array(x, "arctan")))


def arctan2(x1: Any, x2: Any) -> Any:
    """The angle of the point (x2, x1), from -pi to pi."""
    return np.arctan2(as_float(only_array(x1, "arctan2", "x1")), as_float(only_array(x2, "arctan2", "x2")))


def median(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The median along axes. Default: of all elements."""
    return np.median(as_float(only_array(x, "median")), listed(axis), keepdims=keepdims)


def quantile(x: Any, q: Any, axis: Axes = None, method: Any = "linear", keepdims: bool = False) -> Any:
    """What a share `q` of the elements along axes is below, as ``numpy.quantile`` has it. Default: of all elements."""
    array = np.asarray(as_float(only_array(x, "quantile")))
    found = np.quantile(array, only_array(q, "quantile", "q"), listed(axis), method=method, keepdims=keepdims)
    return np.asarray(found, array.dtype)[()]


def size(x: Any) -> int:
    """Number of elements."""
    return int(np.size(only_array(x, "size")))


def nonzero(x: Any) -> tuple[Any, ...]:
    """The places of the elements that are not 0: for each axis an array, in int32."""
    return tuple(each.astype(np.int32) for each in np.nonzero(only_array(x, "nonzero")))


def searchsorted(sorted_sequence: Any, values: Any, side: Literal["left", "right"] = "left") -> Any:
    """Where in a sorted row values would be put, in int32."""
    row = only_array(sorted_sequence, "searchsorted", "sorted_sequence")
    return np.int32(np.searchsorted(row, only_array(values, "searchsorted", "values"), side))


def digitize(x: Any, bins: Any) -> Any:
    """How many of the sorted `bins` are not above each element, in int32."""
    return np.int32(np.digitize(only_array(x, "digitize"), only_array(bins, "digitize", "bins")))


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements at other places for each row along an axis, as ``numpy.take_along_axis`` has it."""
    return np.take_along_axis(only_array(x, "take_along_axis"), only_array(indices, "take_along_axis", "indices"), axis)
