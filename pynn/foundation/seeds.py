"""Generators of seeds, under Keras's name."""

from __future__ import annotations

from typing import Any

from . import checks, draws
from .arguments import explained


class SeedGenerator:
    """Seeds for functions of `pynn.random`: another one for each call.

    Args:
        seed: The first one. Default ``None``: from `pynn.set_random_seed`.
        name: Without effect.

    Raises:
        ValueError, TypeError: another seed.
    """

    @explained
    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.seed = draws.next_key() if seed is None else checks.non_negative_int(seed, "seed", at_most=2**64 - 1)
        self._given = 0

    def next(self) -> int:
        """A seed that was not given before."""
        self._given += 1
        return self.numbered(self._given)

    def numbered(self, number: int) -> int:
        """A seed for each number, far from the others (Steele et al., 2014, SplitMix64)."""
        z = (self.seed + number * 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A new one with these arguments."""
        return cls(**config)
