"""Random numbers for initial values: functions of a seed, a stream and a position, never of threads or call order."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import pieces
from .native import core

Array = NDArray[Any]

# Calls in training mode are numbered from here on, far from the steps of training: each draws noise of its own.
FIRST_CALL = 2**63

# The global seed, and the number of the next stream; streams of the global seed begin at 1, because an initializer
# with a seed of its own uses stream 0.
_state: tuple[int, itertools.count[int]] | None = None

# A seed of this thread's own, in place of the global one.
_own: contextvars.ContextVar[tuple[int, itertools.count[int]] | None] = contextvars.ContextVar("seed", default=None)


def set_random_seed(seed: int) -> None:
    """`seed` is checked already (utils/seeds.py)."""
    global _state
    _state = seed, itertools.count(1)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """What this thread draws inside depends on this seed; the global one, and other threads, go on as if it were not
    there."""
    token = _own.set((seed, itertools.count(1)))
    try:
        yield
    finally:
        _own.reset(token)


def next_seed() -> tuple[int, int]:
    """A (seed, stream) that no earlier call returned; without `set_random_seed` the seed is the system's choice."""
    state = _own.get() or _state
    if state is None:
        set_random_seed(int.from_bytes(os.urandom(8), "little"))
        return next_seed()
    seed, streams = state
    return seed, next(streams)


def next_key() -> int:
    """A number of 53 bits that no earlier call returned, to be used as a seed of its own."""
    return int(uniform((1,), *next_seed())[0] * 2**53)


def uniform(shape: tuple[int, ...], seed: int, stream: int, first: int = 0) -> Array:
    """Uniform numbers of [0, 1). Element i of the flattened array depends on (seed, stream, first + i) only."""
    out = np.empty(math.prod(shape), np.float64)
    for piece in pieces.ranges(out.size):
        core.random_uniform(out[piece], seed, stream, first + piece.start)
    return out.reshape(shape)


def normal(shape: tuple[int, ...], seed: int, stream: int, first: int = 0) -> Array:
    """Standard normal numbers by Box and Muller's transform; a longer draw begins with the shorter one.

    `first`, which must be even, is as for `uniform`.
    """
    size = math.prod(shape)
    numbers = uniform((size + size % 2,), seed, stream, first)
    return pieces.apply(_box_muller, numbers)[:size].reshape(shape)


def _box_muller(numbers: Array) -> Array:
    pairs = numbers.reshape(-1, 2)
    radius = np.sqrt(-2.0 * np.log1p(-pairs[:, 0]))
    angle = 2.0 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)


def truncated_normal(shape: tuple[int, ...], seed: int, stream: int) -> Array:
    """Standard normal numbers within [-2, 2]: the others are passed over."""
    out = np.empty(math.prod(shape))
    filled = drawn = 0
    while filled < out.size:
        more = min(int((out.size - filled) * 1.06) // 2 * 2 + 16, pieces.PIECE)  # 95.4 % of the numbers are kept
        numbers = normal((more,), seed, stream, drawn)
        kept = numbers[np.abs(numbers) <= 2.0][: out.size - filled]
        out[filled : filled + kept.size] = kept
        filled += kept.size
        drawn += more
    return out.reshape(shape)
