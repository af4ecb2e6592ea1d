"""The seed of pynn's own random numbers."""

from __future__ import annotations

from .foundation import checks, draws


def set_seed(seed: int) -> None:
    """Seed pynn's random numbers: initial values, shuffling and noise.

    `pynn.set_random_seed` seeds Python's ``random`` and ``numpy.random``, too.

    Args:
        seed: 0 to 2**32 - 1.

    Raises:
        ValueError, TypeError: another seed.
    """
    draws.set_random_seed(checks.non_negative_int(seed, "seed", at_most=2**32 - 1))
