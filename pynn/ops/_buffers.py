"""The checks of `pynn.ops`: buffers are used where they lie or refused, never copied or converted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import arrays

Array = NDArray[Any]

_FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


def check_inputs(**buffers: Array) -> np.dtype[Any]:
    """Check that the named buffers are of one float type, and return it.

    Raises:
        TypeError: no NumPy array, or another type than float32 and float64, or two types.
        ValueError: not C-contiguous or not aligned.
    """
    for name, buffer in buffers.items():
        arrays.check_plain_array(buffer, name)
        if buffer.dtype not in _FLOATS:
            raise TypeError(f"{name} must be float32 or float64, but is {buffer.dtype}. Convert it with astype.")
        check_layout(buffer, name)
    dtype = next(iter(buffers.values())).dtype
    if any(buffer.dtype != dtype for buffer in buffers.values()):
        types = ", ".join(f"{name} is {buffer.dtype}" for name, buffer in buffers.items())
        raise TypeError(f"The arrays must be of one type, but {types}.")
    return dtype


def check_layout(buffer: Array, name: str) -> None:
    """Raise ValueError unless the buffer is C-contiguous and aligned."""
    flags = buffer.flags  # made anew each time it is asked for
    if not (flags.c_contiguous and flags.aligned):
        raise ValueError(f"{name} must be C-contiguous and aligned. Copy it with numpy.ascontiguousarray or .copy().")


def check_shape(buffer: Array, name: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless the buffer has this shape."""
    if buffer.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, but has {buffer.shape}.")


def check_rank(buffer: Array, name: str, axes: str) -> None:
    """Raise ValueError unless the buffer has the axes that a text like "(rows, columns)" names."""
    if buffer.ndim != axes.count(",") + 1:
        raise ValueError(f"{name} must have the axes {axes}, but has the shape {buffer.shape}.")


def output(
    out: Array | None,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    apart_from: tuple[Array | None, ...],
    in_place: Array | None = None,
) -> Array:
    """Return `out` if it can take a result of this shape and type, or a new array for None.

    Args:
        apart_from: buffers that it must not overlap.
        in_place: a buffer that it may be identical to, but not overlap otherwise.

    Raises:
        TypeError, ValueError: a buffer of another type or shape, read-only, or overlapping.
    """
    if out is None:
        return np.empty(shape, dtype)
    check_inputs(**{name: out})
    if out.dtype != dtype:
        raise TypeError(f"{name} must be {dtype} like the other arrays, but is {out.dtype}.")
    check_shape(out, name, shape)
    check_writeable(out, name)
    others = apart_from if in_place is None or same_buffer(out, in_place) else (*apart_from, in_place)
    check_apart(out, name, others)
    return out


def check_writeable(buffer: Array, name: str) -> None:
    """Raise ValueError if the buffer is read-only."""
    if not buffer.flags.writeable:
        raise ValueError(f"{name} is read-only, but is written to.")


def check_apart(buffer: Array, name: str, others: tuple[Array | None, ...]) -> None:
    """Raise ValueError if the buffer overlaps one of the others."""
    # Exact, because all of them are contiguous.
    if any(other is not None and np.may_share_memory(buffer, other) for other in others):
        raise ValueError(f"{name} overlaps another argument in memory. Pass an array of its own.")


def same_buffer(a: Array, b: Array) -> bool:
    """Whether two contiguous arrays are the same memory under the same type."""
    start_a, start_b = (x.__array_interface__["data"][0] for x in (a, b))
    return bool(start_a == start_b and a.dtype == b.dtype and a.size == b.size)
