"""The seed of pynn's own random numbers, and random numbers under Keras's names (``keras.random``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from .foundation import checks, draws
from .foundation.arguments import explained

if TYPE_CHECKING:
    from .layers.trial import Trial


def set_seed(seed: int) -> None:
    """Seed pynn's random numbers: initial values, shuffling and noise.

    `pynn.set_random_seed` seeds Python's ``random`` and ``numpy.random``, too.

    Args:
        seed: 0 to 2**32 - 1.

    Raises:
        ValueError, TypeError: another seed.
    """
    draws.set_random_seed(checks.non_negative_int(seed, "seed", at_most=2**32 - 1))


class SeedGenerator:
    """Seeds for functions of this module: another one for each call.

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
        return _mixed(self.seed, self._given)

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A new one with these arguments."""
        return cls(**config)


def _mixed(seed: int, number: int) -> int:
    """A seed for each number, far from the others (Steele et al., 2014, SplitMix64)."""
    z = (seed + number * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


@explained
def normal(
    shape: Sequence[int | None],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: int | SeedGenerator | None = None,
) -> Any:
    """Random numbers of a normal distribution.

    In the `call` of a layer or model of one's own a symbolic tensor: new numbers for each sample in each step, in
    training and otherwise. Its first size is that of the samples, ``ops.shape(x)[0]``, which is None where a batch may
    have any number of them. A model predicts with the same numbers where it predicts with the same steps behind it.

    Args:
        shape: Their shape.
        mean: Their mean. Default 0.
        stddev: Their standard deviation, at least 0. Default 1.
        dtype: Of an array: the number type. Default ``config.floatx()``. A symbolic tensor has that of its model.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument; or, in a `call`, another first size.

    Example:
        >>> noise = pynn.random.normal(ops.shape(mean), seed=self.seed_generator)
        >>> return mean + ops.exp(0.5 * log_variance) * noise
    """
    from . import initializers
    from .layers.trial import current, is_calling

    trial = current() if is_calling() else None
    if isinstance(seed, SeedGenerator):
        if trial is None:
            seed = seed.next()
        else:  # the same in each run of the call
            trial.noises += 1
            seed = _mixed(seed.seed, trial.noises)
    mean = checks.number(mean, "mean", "(-inf, inf)")
    stddev = checks.number(stddev, "stddev", "[0, inf)")
    if trial is not None:
        return mean + _noise(tuple(shape), stddev, seed, trial)
    return initializers.RandomNormal(mean, stddev, seed)(checks.shape(tuple(shape), "shape"), dtype)


def _noise(shape: tuple[int | None, ...], stddev: float, seed: int | None, trial: Trial) -> Any:
    """A symbolic tensor of new numbers for each sample."""
    from .layers import GaussianNoise, symbolic

    beside = next(iter(trial.inputs), None)
    if beside is None or not shape or shape[0] != beside.rows:
        raise ValueError(
            f"In a call the first size of random numbers must be that of the samples, ops.shape(x)[0], which is "
            f"{None if beside is None else beside.rows}, but got the shape {shape}."
        )
    nothing = symbolic.constant(np.zeros(checks.shape(shape[1:], "shape, after the axis of the samples,")), beside)
    return GaussianNoise(stddev, seed)(nothing, training=True)
