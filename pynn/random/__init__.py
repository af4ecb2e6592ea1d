"""The seed of pynn's own random numbers, and random numbers under Keras's names (``keras.random``).

`normal`, `uniform` and `dropout` may stand in the `call` of a layer or model of one's own; the others make arrays. With
an int as its seed a function makes the same numbers each time; with a `SeedGenerator`, or None, other ones.
"""

from __future__ import annotations

from ..foundation import checks, draws
from ..foundation.seeds import SeedGenerator
from ._distributions import beta, binomial, categorical, gamma, randint, shuffle, truncated_normal
from ._noise import dropout, normal, uniform

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "set_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]


def set_seed(seed: int) -> None:
    """Seed pynn's random numbers: initial values, shuffling and noise.

    `pynn.set_random_seed` seeds Python's ``random`` and ``numpy.random``, too.

    Args:
        seed: 0 to 2**32 - 1.

    Raises:
        ValueError, TypeError: another seed.
    """
    draws.set_random_seed(checks.non_negative_int(seed, "seed", at_most=2**32 - 1))
