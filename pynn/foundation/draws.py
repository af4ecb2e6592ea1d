"""Random numbers for initial values: functions of a seed, a stream and a position, never of threads or call order."""

from __future__ import annotations

import itertools
import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .native import core

# The global seed, and the number of the next stream; streams of the global seed begin at 1, because an initializer
# with a seed of its own uses stream 0.
_state: tuple[int, itertools.count[int]] | None = None


def set_random_seed(seed: int) -> None:
    """`seed` is checked already (utils.py)."""
    global _state
    _state = seed, itertools.count(1)


def next_seed() -> tuple[int, int]:
    """A (seed, stream) that no earlier call returned; without `set_random_seed` the seed is the system's choice."""
    if _state is None:
        set_random_seed(int.from_bytes(os.urandom(8), "little"))
        return next_seed()
    seed, streams = _state
    return seed, next(streams)


def next_key() -> int:
    """A number of 53 bits that no earlier call returned, to be used as a seed of its own."""
    return int(uniform((1,), *next_seed())[0] * 2**53)


def uniform(shape: tuple[int, ...], seed: int, stream: int) -> NDArray[np.float64]:
    """Uniform numbers of [0, 1). Element i of the flattened array depends on (seed, stream, i) only."""
    out = np.empty(math.prod(shape), np.float64)
    if out.size:
        core.random_uniform(out, seed, stream)
    return out.reshape(shape)


def normal(shape: tuple[int, ...], seed: int, stream: int) -> NDArray[np.float64]:
    """Standard normal numbers by Box and Muller's transform; a longer draw begins with the shorter one."""
    size = math.prod(shape)
    pairs = uniform(((size + 1) // 2, 2), seed, stream)
    radius = np.sqrt(-2.0 * np.log1p(-pairs[:, 0]))
    angle = 2.0 * np.pi * pairs[:, 1]
    out = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return out.reshape(-1)[:size].reshape(shape)


def truncated_normal(shape: tuple[int, ...], seed: int, stream: int) -> NDArray[np.float64]:
    """Standard normal numbers within [-2, 2]: the others are passed over."""
    size = math.prod(shape)
    kept: NDArray[Any] = np.empty(0)
    drawn = size
    while kept.size < size:
        drawn = int(drawn * 1.06) + 16  # 95.4 % of the numbers are kept
        numbers = normal((drawn,), seed, stream)
        kept = numbers[np.abs(numbers) <= 2.0]
    return kept[:size].reshape(shape)
