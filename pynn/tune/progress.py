"""What a search shows while it goes on."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from ..foundation import screens
from ..foundation.text_bar import Report, Stopwatch, duration, final, live


class Progress:
    """A bar with the best so far, or a line for each trial, or nothing.

    Args:
        level: 0, 1 or 2, as of `fit`.
        objective: The name of the value.
        total: The number of trials; None where nobody knows.
        before: Trials that are done already.
    """

    def __init__(self, level: int, objective: str, total: int | None, before: int) -> None:
        self._screen = screens.screen() if level == 1 else None
        self._lines = level > 0 and self._screen is None
        self._objective, self._total, self._before = objective, total, before
        self._done = self._bad = 0
        self._best = math.nan
        self._watch, self._lock = Stopwatch(), threading.Lock()
        self._draw()

    def tell(self, number: int, outcome: str, values: Mapping[str, Any], best: float, bad: bool) -> None:
        """A trial is over; `outcome` says what it came to."""
        with self._lock:
            self._done, self._bad, self._best = self._done + 1, self._bad + bad, best
            self._watch.look(self._done)
            if self._lines:
                settings = ", ".join(f"{name}={shown(value)}" for name, value in values.items())
                screens.write(sys.stdout, f"Trial {number}: {outcome}  best: {shown(best)}  {settings}\n")
            self._draw()

    def close(self) -> None:
        """The search is over."""
        if isinstance(self._screen, screens.Line):
            self._screen.finish(final(self._report(), self._screen.width))
        elif self._screen is not None:
            self._screen.draw(final(self._report(), self._screen.width))
        elif self._lines:
            seconds = duration(time.perf_counter() - self._watch.begin)
            best = f"best {self._objective}: {shown(self._best)}"
            screens.write(sys.stdout, f"{self._done} trials in {seconds}, {best}\n")

    def _draw(self) -> None:
        if self._screen is not None:
            self._screen.draw(live(self._report(), self._screen.width))

    def _report(self) -> Report:
        values = {f"best {self._objective}": self._best}
        if self._bad:
            values["bad"] = self._bad
        total = None if self._total is None else max(self._total - self._before, 0)
        seconds = time.perf_counter() - self._watch.begin
        return Report("Trials", self._done, total, seconds, self._watch.pace, values, "trial")


def shown(value: Any) -> str:
    """A value in a table or a line: numbers with 4 digits."""
    if isinstance(value, float):
        return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"
    return str(value)


def short(text: str) -> str:
    """The beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:97]}..."
