"""Long work of NumPy's, in pieces: Python looks for Ctrl-C between them, and a piece stays in the caches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]

# Elements; even, so that what belongs together in pairs stays together.
PIECE = 2**18


def ranges(n: int) -> Iterator[slice]:
    """0..n-1, in order."""
    return (slice(begin, min(begin + PIECE, n)) for begin in range(0, n, PIECE))


def apply(function: Callable[[Array], Array], x: Array) -> Array:
    """`x`, which is contiguous, with each element replaced by `function` of it."""
    flat = x.reshape(-1)
    for piece in ranges(flat.size):
        flat[piece] = function(flat[piece])
    return x


def assign(to: Array, values: Array) -> None:
    """``to[...] = values``."""
    if to.shape != values.shape or not to.flags.c_contiguous:
        to[...] = values
        return
    flat, flat_values = to.reshape(-1), values.reshape(-1)
    for piece in ranges(flat.size):
        flat[piece] = flat_values[piece]


def converted(x: Array, dtype: DTypeLike) -> Array:
    """A copy of another type."""
    out = np.empty(x.shape, dtype)
    assign(out, x)
    return out
