"""The progress bar, for loops of one's own."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable

import numpy as np

from ..foundation import checks, screens
from ..foundation.text_bar import Report, Stopwatch, final, live


def _names(given: Iterable[str], argument: str) -> set[str]:
    names = None if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    if names is None or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be names, such as ['loss'], but got {checks.shown(given)}.")
    return set(names)


class Progbar:
    """A progress bar for loops of one's own, as `fit` shows it: in a terminal or notebook a line that is written anew.

    Elsewhere only the end is shown. Values are averaged over the steps, unless they are named in `stateful_metrics` or
    not named in `stateless_metrics`. At the end they are shown as they come.

    Args:
        target: Number of steps, None if unknown.
        width: Columns of the bar at most. Default 20.
        verbose: 0 nothing, 1 a bar, 2 a line at the end. Default 1.
        interval: Seconds between two updates of the bar at least. Default 0.05.
        stateful_metrics: Names of values that are not averaged. Default: none.
        stateless_metrics: Names of the values that are averaged. Default: all.
        unit_name: What a step is called. Default ``"step"``.

    Raises:
        TypeError, ValueError: another value of an argument; both kinds of names.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("stateful_metrics and stateless_metrics say the same thing: pass one of them.")
        self.target = None if target is None else checks.non_negative_int(target, "target")
        self.width = checks.positive_int(width, "width")
        self.verbose = checks.non_negative_int(verbose, "verbose", at_most=2)
        self.interval = checks.number(interval, "interval", "[0, inf)")
        self.unit_name = checks.text(unit_name, "unit_name")
        self.stateful_metrics = _names(stateful_metrics or (), "stateful_metrics")
        self.stateless_metrics = None if stateless_metrics is None else _names(stateless_metrics, "stateless_metrics")
        self._sums: dict[str, tuple[float, int]] = {}  # of each value, and over how many steps
        self._watch, self._drawn = Stopwatch(), -math.inf
        self._screen = screens.screen() if self.verbose == 1 else None

    def update(
        self, current: int, values: Iterable[tuple[str, float]] | None = None, finalize: bool | None = None
    ) -> None:
        """`current` steps are done.

        Args:
            current: Steps that are done.
            values: Pairs of names and the values of the last steps.
            finalize: Whether this is the end. Default: whether `target` is reached.

        Raises:
            TypeError, ValueError: another value of an argument.
        """
        current = checks.non_negative_int(current, "current")
        try:
            pairs = [(str(name), float(np.mean(value))) for name, value in values or ()]
        except (TypeError, ValueError):
            raise TypeError(f"values must be pairs of a name and a number, but got {checks.shown(values)}.") from None
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in pairs:
            total, steps = self._sums.get(name, (0.0, 0))
            if finalize or not self._is_averaged(name):
                self._sums[name] = value, 1
            else:
                made = max(current - self._watch.step, 1)
                self._sums[name] = total + value * made, steps + made
        self._watch.look(current)
        if self.verbose:
            self._show(finalize)

    def add(self, n: int, values: Iterable[tuple[str, float]] | None = None) -> None:
        """`n` more steps are done; see `update`."""
        self.update(self._watch.step + n, values)

    def _is_averaged(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in self.stateful_metrics

    def _show(self, finalize: bool) -> None:
        now, watch = time.perf_counter(), self._watch
        means = {name: total / steps for name, (total, steps) in self._sums.items()}
        report = Report("", watch.step, self.target, now - watch.begin, watch.pace, means, self.unit_name, self.width)
        if finalize and self._screen is not None:
            self._screen.finish(final(report, self._screen.width))
        elif finalize:
            screens.write(sys.stdout, final(report) + "\n")
        elif self._screen is not None and now - self._drawn >= self.interval:
            self._drawn = now
            self._screen.draw(live(report, self._screen.width))
