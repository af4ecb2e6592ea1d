"""Random numbers and automatic names, from the begin on."""

from __future__ import annotations

import gc

import numpy as np

from ..foundation import checks, draws, names


def set_random_seed(seed: int) -> None:
    """Seed all random numbers: pynn's initial values and shuffling, Python's ``random`` and ``numpy.random``.

    What is made or trained afterwards in the same order comes out the same, bit for bit, for any number of threads.

    Args:
        seed: 0 to 2**32 - 1.

    Raises:
        ValueError, TypeError: another seed.
    """
    import random  # slow to import, and rarely needed

    seed = checks.non_negative_int(seed, "seed", at_most=2**32 - 1)
    draws.set_random_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def clear_session(free_memory: bool = True) -> None:
    """Begin the counting of automatic names anew: the next dense layer is called ``"dense"``.

    pynn has no other state that models leave behind. The global seed stays.

    Args:
        free_memory: Whether Python looks for objects that nobody needs any more. Default ``True``.

    Raises:
        TypeError: another value.
    """
    names.reset_names()
    if checks.boolean(free_memory, "free_memory"):
        gc.collect()
