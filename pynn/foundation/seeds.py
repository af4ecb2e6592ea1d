"""Generators of seeds, under Keras's name."""

from __future__ import annotations

from typing import Any, TypeAlias

from . import checks, draws, identifiers
from .arguments import explained


class SeedGenerator:
    """Seeds for functions of `pynn.random` and initializers: another one for each call.

    Args:
        seed: The first one. Default ``None``: from `pynn.set_random_seed`.
        name: Without effect.

    Raises:
        ValueError, TypeError: another seed.
    """

    __module__ = "pynn.random"  # where users find it, as configurations say

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


Seed: TypeAlias = int | SeedGenerator | None


def of_initializer(seed: Any) -> Seed:
    """The seed of an initializer, which may be the configuration of a generator.

    Raises:
        TypeError, ValueError: another seed.
    """
    if isinstance(seed, dict):
        name, settings = identifiers.split_config(seed, "seed")
        if name != "SeedGenerator":
            raise ValueError(f"seed must be a whole number or a SeedGenerator, but got the configuration of {name!r}.")
        return SeedGenerator.from_config(settings)
    if seed is None or isinstance(seed, SeedGenerator):
        return seed
    return checks.non_negative_int(seed, "seed", at_most=2**64 - 1)
