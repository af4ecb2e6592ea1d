"""Random initial values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..foundation import checks, draws, identifiers, pieces, seeds
from ..foundation.seeds import Seed
from .base import Array, Initializer

__all__ = ["Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal"]


class RandomInitializer(Initializer):
    """Base of the random ones: it keeps the seed."""

    def __init__(self, seed: Seed) -> None:
        self.seed = seeds.of_initializer(seed)

    def _key(self) -> tuple[int, int]:
        """Seed and stream of the next draw."""
        if self.seed is None:
            return draws.next_seed()
        return self.seed.next() if isinstance(self.seed, seeds.SeedGenerator) else self.seed, 0

    def get_config(self) -> dict[str, Any]:
        return {"seed": identifiers.plain(self.seed)}


class RandomUniform(RandomInitializer):
    """Uniform numbers of [minval, maxval).

    Args:
        minval: Default ``-0.05``.
        maxval: Default ``0.05``.
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.minval = checks.finite(minval, "minval")
        self.maxval = checks.finite(maxval, "maxval")
        if self.minval > self.maxval:
            raise ValueError(f"minval must not exceed maxval, but got minval={minval}, maxval={maxval}.")

    def _values(self, shape: tuple[int, ...]) -> Array:
        numbers = draws.uniform(shape, *self._key())
        return pieces.apply(lambda u: self.minval + (self.maxval - self.minval) * u, numbers)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class RandomNormal(RandomInitializer):
    """Normal numbers of the given mean and standard deviation.

    Args:
        mean: Default ``0.0``.
        stddev: Standard deviation, at least 0. Default ``0.05``.
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.mean = checks.finite(mean, "mean")
        self.stddev = checks.number(stddev, "stddev", "[0, inf)")

    def _values(self, shape: tuple[int, ...]) -> Array:
        return pieces.apply(lambda z: self.mean + self.stddev * z, draws.normal(shape, *self._key()))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal numbers, those further than ``2 * stddev`` from the mean drawn again.

    Args:
        mean: Default ``0.0``.
        stddev: Standard deviation before the truncation, at least 0. Default ``0.05``.
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
    """

    def _values(self, shape: tuple[int, ...]) -> Array:
        return pieces.apply(lambda z: self.mean + self.stddev * z, draws.truncated_normal(shape, *self._key()))


class Orthogonal(RandomInitializer):
    """`gain` times a random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014).

    All axes but the last are taken together as the rows.

    Args:
        gain: Default ``1.0``.
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
    """

    def __init__(self, gain: float = 1.0, seed: Seed = None) -> None:
        super().__init__(seed)
        self.gain = checks.finite(gain, "gain")

    def _values(self, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs a shape of at least 2 axes, but was asked for {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(draws.normal((max(rows, columns), min(rows, columns)), *self._key()))
        # With a positive diagonal of r the factorisation is unique, and q uniform among the orthogonal matrices.
        q *= np.where(np.diag(r) < 0.0, -1.0, 1.0)
        matrix = q if rows >= columns else q.T
        return self.gain * matrix.reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}
