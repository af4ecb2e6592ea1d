"""What all schedules have in common."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data import arrays
from ...foundation import checks
from ...foundation.identifiers import Described

Floats = NDArray[np.float64]


class LearningRateSchedule(Described):
    """Base: ``schedule(step)`` is the learning rate of step number `step`, from 0 on.

    One of your own defines ``__call__(self, step)``, which gets a whole number and returns a number of at least 0; and
    ``get_config`` if it is to be serialized. The rate must depend on the step alone: it is asked for ahead of training.
    """

    kind = "schedule"

    @classmethod
    def _refuse(cls) -> None:
        """Do nothing: schedules of one's own work."""

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step.

        Raises:
            NotImplementedError: a class that does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step), which returns the rate.")

    def rates(self, first: int, count: int) -> Floats:
        """Return the rates of `count` steps from step `first` on, an array ``(count,)``.

        It calls the schedule for each step. One of your own may define it, too, and compute all rates at once.
        """
        return np.array([_number(self(step), self, step) for step in range(first, first + count)], np.float64)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule.

        Raises:
            NotImplementedError: a class that does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define get_config() to be serialized.")

    def _arguments(self) -> dict[str, Any]:
        return {} if type(self).get_config is LearningRateSchedule.get_config else self.get_config()


class Formula(LearningRateSchedule):
    """Base of the schedules below, whose formulas take many steps at once. Their settings are attributes."""

    own_settings: ClassVar[tuple[str, ...]]

    def __init__(self, name: str | None) -> None:
        self.name = None if name is None else checks.text(name, "name")

    def __call__(self, step: ArrayLike) -> Any:
        """Return the rate of a step, a float; of an array of steps, an array of its shape.

        Raises:
            ValueError, TypeError: something else than numbers of at least 0.
        """
        steps = arrays.as_array(step, "step", "float64")
        if not (steps >= 0).all():
            raise ValueError(f"step must be at least 0, but got {checks.shown(step)}.")
        with np.errstate(all="ignore"):  # a rate that overflows is refused where it is used
            rates = self._formula(np.atleast_1d(steps))  # one axis at least, so that all calls have the same arithmetic
        return rates.reshape(steps.shape) if steps.ndim else float(rates[0])

    def rates(self, first: int, count: int) -> Floats:
        if type(self).__call__ is not Formula.__call__:  # a subclass has changed the formula
            return super().rates(first, count)
        rates: Floats = self(np.arange(first, first + count, dtype=np.float64))
        return rates

    def _formula(self, steps: Floats) -> Floats:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {setting: getattr(self, setting) for setting in (*self.own_settings, "name")}


def rates_of(schedule: LearningRateSchedule, first: int, count: int) -> Floats:
    """The rates of `count` steps from step `first` on, checked.

    Raises:
        ValueError, TypeError: the schedule, one of the user's own perhaps, gives something else than rates.
    """
    rates = np.asarray(schedule.rates(first, count))
    if rates.shape != (count,) or rates.dtype.kind not in "fiu":
        raise TypeError(
            f"{type(schedule).__name__}.rates({first}, {count}) must return an array of {count} numbers, "
            f"but got {checks.shown(rates)}."
        )
    wrong = ~((rates >= 0) & (rates < np.inf))
    if wrong.any():
        at = int(np.argmax(wrong))
        _number(float(rates[at]), schedule, first + at)
    return np.ascontiguousarray(rates, np.float64)


def _number(rate: object, schedule: LearningRateSchedule, step: int) -> float:
    """`rate`, which a schedule gave, as a float."""
    given = rate[()] if isinstance(rate, np.ndarray) and rate.ndim == 0 else rate
    return checks.number(given, f"learning_rate, which {type(schedule).__name__} gives for step {step},", "[0, inf)")


def at_least_0(value: object, name: str) -> float:
    return checks.number(value, name, "[0, inf)")


def above_0(value: object, name: str) -> float:
    return plain(value, checks.number(value, name, "(0, inf)"))


def plain(value: object, number: float) -> float:
    """`number`, as an int where `value` was a whole number: configurations show it as it was given."""
    return int(value) if isinstance(value, numbers.Integral) else number
