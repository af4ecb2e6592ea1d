"""What a function that builds a model draws its settings from."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any, Literal

from ..foundation import checks

Sampling = Literal["linear", "log"]

_PLAIN = bool | int | float | str  # what Optuna keeps as a choice, and None
# More values in a list of steps than anyone searches
_MOST_STEPS = 10_000


class BadDrawError(ValueError):
    """A draw that no trial can make: the search ends, as all trials would fail alike."""


class HyperParameters:
    """Settings of one trial. The same name drawn again gives the same value.

    Which settings are drawn may depend on values drawn before: ``if hp.boolean("dropout"): hp.float("rate", 0.1,
    0.5)``. KerasTuner's names (``hp.Int``, ``hp.Float``, ``hp.Choice``, ``hp.Boolean``, ``hp.Fixed``) do the same.

    Attributes:
        trial: Optuna's trial.
        values: What was drawn so far, by name.
    """

    def __init__(self, trial: Any, grid: bool = False) -> None:
        self.trial = trial
        self.values: dict[str, Any] = {}
        self.literals: list[str] = []  # names of choices that the storage has as texts
        self._grid = grid

    def int(
        self,
        name: str,
        low: builtins.int,
        high: builtins.int,
        step: builtins.int | None = None,
        log: builtins.bool = False,
    ) -> builtins.int:
        """A whole number from `low` to `high`, both included.

        Args:
            name: What the setting is called.
            low, high: The limits.
            step: Only ``low``, ``low + step`` and so on; with `log` only ``low``, ``low * step`` and so on. Default:
                every whole number.
            log: Whether to look for it on a logarithmic scale; `low` is at least 1 then. Default ``False``.

        Raises:
            ValueError: limits or a step that do not fit.
        """
        low, high = self._whole(low, f"low of {name!r}"), self._whole(high, f"high of {name!r}")
        log = checks.boolean(log, "log")
        step = None if step is None else checks.positive_int(step, f"step of {name!r}")
        self._check_limits(name, low, high, log)
        if log and step is not None:
            return builtins.int(self._one_of(name, self._powers(name, low, high, step)))
        step = step or 1
        found = self.trial.suggest_int(name, low, high - (high - low) % step, step=step, log=log)
        return builtins.int(self._drawn(name, found))

    def float(
        self,
        name: str,
        low: builtins.float,
        high: builtins.float,
        step: builtins.float | None = None,
        log: builtins.bool = False,
    ) -> builtins.float:
        """A number from `low` to `high`.

        Args:
            name: What the setting is called.
            low, high: The limits.
            step: Only ``low``, ``low + step`` and so on; with `log` only ``low``, ``low * step`` and so on. Default:
                any number. A grid needs a step.
            log: Whether to look for it on a logarithmic scale, as suits a learning rate; `low` is above 0 then. Default
                ``False``.

        Raises:
            ValueError: limits or a step that do not fit.
        """
        low, high = checks.finite(low, f"low of {name!r}"), checks.finite(high, f"high of {name!r}")
        log = checks.boolean(log, "log")
        step = checks.optional_number(step, f"step of {name!r}", "(0, inf)")
        self._check_limits(name, low, high, log)
        if step is None and self._grid and low < high:
            raise BadDrawError(
                f'method="grid" has a number of values, but {name!r} may be any number from {low} to {high}. Give '
                f"hp.float({name!r}, ...) a step, or use hp.choice({name!r}, [...])."
            )
        if log and step is not None:
            return builtins.float(self._one_of(name, self._powers(name, low, high, step)))
        if step is not None:
            high = low + math.floor((high - low) / step * (1 + 1e-12)) * step
        return builtins.float(self._drawn(name, self.trial.suggest_float(name, low, high, step=step, log=log)))

    def choice(self, name: str, values: Sequence[Any]) -> Any:
        """One of some values.

        Args:
            name: What the setting is called.
            values: Numbers, texts, booleans, None, or lists, tuples and dicts of these, such as ``[(64,), (64, 32)]``.

        Raises:
            ValueError: no values, or one twice. TypeError: values of another kind; choose among names, then.
        """
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise TypeError(f"The values of {name!r} must be a list, but are {checks.shown(values)}.")
        if not values:
            raise BadDrawError(f"{name!r} has no values to choose from.")
        return self._one_of(name, list(values))

    def boolean(self, name: str) -> builtins.bool:
        """True or False."""
        return builtins.bool(self._one_of(name, [False, True]))

    def fixed(self, name: str, value: Any) -> Any:
        """This value, as one of the settings."""
        return self._one_of(name, [value])

    def get(self, name: str) -> Any:
        """What was drawn under this name.

        Raises:
            KeyError: nothing was.
        """
        if name not in self.values:
            raise KeyError(f"Nothing called {name!r} was drawn yet, but: {', '.join(self.values) or 'nothing'}.")
        return self.values[name]

    __getitem__ = get

    def __contains__(self, name: object) -> builtins.bool:
        """Whether something was drawn under this name."""
        return name in self.values

    # ---- KerasTuner's names ------------------------------------------------------------------------------------------

    def Int(  # noqa: N802 - KerasTuner's
        self,
        name: str,
        min_value: builtins.int,
        max_value: builtins.int,
        step: builtins.int | None = None,
        sampling: Sampling = "linear",
        default: Any = None,
    ) -> builtins.int:
        """As `int`; ``sampling="log"`` is ``log=True``. `default` has no effect."""
        return self.int(name, min_value, max_value, step, self._is_log(sampling))

    def Float(  # noqa: N802
        self,
        name: str,
        min_value: builtins.float,
        max_value: builtins.float,
        step: builtins.float | None = None,
        sampling: Sampling = "linear",
        default: Any = None,
    ) -> builtins.float:
        """As `float`; ``sampling="log"`` is ``log=True``. `default` has no effect."""
        return self.float(name, min_value, max_value, step, self._is_log(sampling))

    def Choice(  # noqa: N802
        self, name: str, values: Sequence[Any], ordered: builtins.bool | None = None, default: Any = None
    ) -> Any:
        """As `choice`. `ordered` and `default` have no effect."""
        return self.choice(name, values)

    def Boolean(self, name: str, default: builtins.bool = False) -> builtins.bool:  # noqa: N802
        """As `boolean`. `default` has no effect."""
        return self.boolean(name)

    def Fixed(self, name: str, value: Any) -> Any:  # noqa: N802
        """As `fixed`."""
        return self.fixed(name, value)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _one_of(self, name: str, values: list[Any]) -> Any:
        """A choice. Optuna keeps numbers, texts and None, but takes 1, 1.0 and True for one value; what else there is,
        and these, as the text that Python writes for it."""
        if all(value is None or isinstance(value, _PLAIN) for value in values):
            self._check_once(name, values)
            if len(set(values)) == len(values):
                return self._drawn(name, self.trial.suggest_categorical(name, values))
        for value in values:
            if not checks.is_plain(value):
                raise TypeError(
                    f"The values of {name!r} must be numbers, texts, booleans, None, or lists, tuples and dicts of "
                    f'these, but one is {checks.shown(value)}. Choose among names, such as ["relu", "tanh"], and make '
                    "of the name what you need."
                )
        texts = [repr(value) for value in values]
        self._check_once(name, texts)
        self.literals.append(name)
        return self._drawn(name, values[texts.index(self.trial.suggest_categorical(name, texts))])

    def _drawn(self, name: str, value: Any) -> Any:
        self.values[name] = value
        return value

    @staticmethod
    def _check_once(name: str, values: list[Any]) -> None:
        for place, value in enumerate(values):
            if any(type(value) is type(other) and value == other for other in values[:place]):
                raise BadDrawError(f"The values of {name!r} must differ, but {checks.shown(value)} comes twice.")

    @staticmethod
    def _whole(value: Any, name: str) -> builtins.int:
        found = checks.index(value, name)
        if abs(found) > 2**53:
            raise BadDrawError(f"{name} must be at most 2^53, but is {checks.shown(value)}.")
        return found

    @staticmethod
    def _check_limits(name: str, low: builtins.float, high: builtins.float, log: builtins.bool) -> None:
        if low > high:
            raise BadDrawError(f"low of {name!r} must be at most high, but they are {low} and {high}.")
        if log and low <= 0:
            raise BadDrawError(f"low of {name!r} must be above 0 on a logarithmic scale, but is {low}.")

    @staticmethod
    def _powers(name: str, low: Any, high: Any, step: Any) -> list[Any]:
        """``low * step**k`` up to `high`."""
        if step <= 1:
            raise BadDrawError(f"step of {name!r} must be above 1 on a logarithmic scale, but is {step}.")
        count = math.floor(math.log(high / low) / math.log(step) + 1e-9) + 1
        if count > _MOST_STEPS:
            raise BadDrawError(f"{name!r} would have {count} values, more than {_MOST_STEPS}.")
        found = [low * step**k for k in range(count)]
        # Rounded, so that 1e-4 * 10 is 1e-3.
        return found if isinstance(low, builtins.int) else [builtins.float(f"{each:.15g}") for each in found]

    @staticmethod
    def _is_log(sampling: object) -> builtins.bool:
        if sampling is None:
            return False
        if sampling not in ("linear", "log"):
            raise BadDrawError(f'sampling must be "linear" or "log", but got {checks.shown(sampling)}.')
        return sampling == "log"
