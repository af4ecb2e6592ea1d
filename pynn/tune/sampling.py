"""Optuna's samplers, made so that what a trial draws depends on the seed, its number and the trials before it only."""

from __future__ import annotations

import threading
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from ..foundation import optional

_one_at_a_time = threading.Lock()  # Python's filters of warnings are those of the process


def seed_of(seed: int, *parts: int | str) -> int:
    """A seed of 32 bits that depends on all of these."""
    numbers = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in parts]
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])


def sampler_of(method: str, seed: int) -> BaseSampler:
    """The sampler of a method, whoever runs the trials and however often they are taken up again.

    Raises:
        ImportError: what it needs is not installed.
    """
    if method == "gp":
        for name in ("scipy", "torch"):
            optional.package(name, 'method="gp" of pynn.tune.search, Optuna\'s Gaussian process,')
    makes: dict[str, Callable[[int], BaseSampler]] = {
        "bayesian": lambda seed: optuna.samplers.TPESampler(seed=seed),
        "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
        "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
        "grid": lambda seed: optuna.samplers.BruteForceSampler(seed=seed),
    }
    return Seeded(makes[method], seed)


class Seeded(BaseSampler):
    """Takes a new sampler for each trial, and another for each setting that is drawn by itself.

    So a search that is taken up again, even in the middle of a trial, goes on as if it had never stopped, and processes
    that share a storage do not draw the same.

    Attributes:
        is_exhausted: Whether the sampler has said that there is nothing left to try.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._inner = self._new(0)
        self.is_exhausted = False

    def _new(self, *parts: int | str) -> BaseSampler:
        with _one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return self._make(seed_of(self._seed, *parts))

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Begin a trial."""
        self._inner = self._new(trial.number)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The settings that are drawn together."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw them."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one by itself."""
        sampler = self._new(trial.number, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """End a trial."""
        try:
            self._inner.after_trial(study, trial, state, values)
        except RuntimeError:  # from Study.stop, which is not for those who ask and tell
            if not isinstance(self._inner, optuna.samplers.BruteForceSampler):
                raise
            self.is_exhausted = True
