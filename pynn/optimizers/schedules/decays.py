"""Schedules that decay by a power or in pieces."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...foundation import checks
from .base import Floats, Formula, above_0, at_least_0, plain

__all__ = ["ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay", "PolynomialDecay"]


class ExponentialDecay(Formula):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: At least 0.
        decay_steps: Above 0.
        decay_rate: At least 0.
        staircase: Whether to round ``step / decay_steps`` down. Default ``False``.
        name: Default ``"ExponentialDecay"``.

    Raises:
        ValueError, TypeError: a setting out of range, or no number.
    """

    own_settings = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = "ExponentialDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = at_least_0(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = above_0(decay_steps, "decay_steps")
        self.decay_rate = at_least_0(decay_rate, "decay_rate")
        self.staircase = checks.boolean(staircase, "staircase")

    def _formula(self, steps: Floats) -> Floats:
        passed = steps / float(self.decay_steps)
        return self.initial_learning_rate * self.decay_rate ** (np.floor(passed) if self.staircase else passed)


class InverseTimeDecay(Formula):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: At least 0.
        decay_steps: Above 0.
        decay_rate: At least 0.
        staircase: Whether to round ``step / decay_steps`` down. Default ``False``.
        name: Default ``"InverseTimeDecay"``.

    Raises:
        ValueError, TypeError: a setting out of range, or no number.
    """

    own_settings = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = "InverseTimeDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = at_least_0(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = above_0(decay_steps, "decay_steps")
        self.decay_rate = at_least_0(decay_rate, "decay_rate")
        self.staircase = checks.boolean(staircase, "staircase")

    def _formula(self, steps: Floats) -> Floats:
        passed = steps / float(self.decay_steps)
        return self.initial_learning_rate / (1 + self.decay_rate * (np.floor(passed) if self.staircase else passed))


class PiecewiseConstantDecay(Formula):
    """``values[i]``, where ``i`` of the `boundaries` are below the step: a boundary belongs to what lies before it.

    Args:
        boundaries: Numbers, each above the one before it.
        values: Rates, each at least 0, one more than there are boundaries.
        name: Default ``"PiecewiseConstant"``.

    Raises:
        ValueError, TypeError: numbers out of range or order, another number of values, or no list of numbers.
    """

    own_settings = ("boundaries", "values")

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str | None = "PiecewiseConstant"
    ) -> None:
        super().__init__(name)
        self.boundaries = [plain(each, checks.finite(each, "boundaries")) for each in _list(boundaries, "boundaries")]
        self.values = [at_least_0(each, "values") for each in _list(values, "values")]
        if len(self.boundaries) != len(self.values) - 1:
            raise ValueError(
                f"values must have one more element than boundaries, but has {len(self.values)}, "
                f"and boundaries has {len(self.boundaries)}."
            )
        if any(after <= before for before, after in itertools.pairwise(self.boundaries)):
            raise ValueError(f"boundaries must increase, but got {checks.shown(boundaries)}.")

    def _formula(self, steps: Floats) -> Floats:
        pieces = np.searchsorted(np.array(self.boundaries, np.float64), steps, side="left")
        return np.array(self.values, np.float64)[pieces]


class PolynomialDecay(Formula):
    """``(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ** power + end_learning_rate``.

    From step `decay_steps` on it is `end_learning_rate`. With `cycle` it begins anew instead: `decay_steps` is
    replaced by its smallest multiple that is not below the step.

    Args:
        initial_learning_rate: At least 0.
        decay_steps: Above 0.
        end_learning_rate: At least 0. Default ``0.0001``.
        power: At least 0. Default ``1.0``.
        cycle: Default ``False``.
        name: Default ``"PolynomialDecay"``.

    Raises:
        ValueError, TypeError: a setting out of range, or no number.
    """

    own_settings = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str | None = "PolynomialDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = at_least_0(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = above_0(decay_steps, "decay_steps")
        self.end_learning_rate = at_least_0(end_learning_rate, "end_learning_rate")
        self.power = at_least_0(power, "power")
        self.cycle = checks.boolean(cycle, "cycle")

    def _formula(self, steps: Floats) -> Floats:
        period: Any = float(self.decay_steps)
        if self.cycle:
            period = period * np.maximum(np.ceil(steps / period), 1)
        left = 1 - np.minimum(steps / period, 1)
        rates: Floats = (self.initial_learning_rate - self.end_learning_rate) * left**self.power
        return rates + self.end_learning_rate


def _list(value: object, name: str) -> list[Any]:
    """`value` as a list; a list, tuple or array with one axis."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return list(value)
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list of numbers, but got {checks.shown(value)}.")
    return list(value)
