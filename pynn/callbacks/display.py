"""What a run shows while it goes on: nothing, a line an epoch, or a progress bar."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from typing import Any

from ..foundation import screens
from ..foundation.text_bar import Report, Stopwatch, final, live

VERBOSE = (0, 1, 2, "auto")

# Seconds between two looks of a bar.
_INTERVAL = 0.1


def resolve_verbose(verbose: object) -> int:
    """0, 1 or 2; "auto" is a bar (1) in a terminal or notebook, and lines (2) elsewhere.

    Raises:
        ValueError: another value.
    """
    if isinstance(verbose, float) or verbose not in VERBOSE:
        raise ValueError(f'verbose must be 0 (nothing), 1 (a bar), 2 (lines) or "auto", but got {verbose!r}.')
    if verbose == "auto":
        return 1 if screens.in_notebook() or screens.in_terminal() else 2
    return int(verbose)


class Display:
    """Shows nothing; base of the others. A run calls `begin`, `update` now and then, and `end`, for each epoch."""

    # Whether it wants to hear of the batches within an epoch, and of the end of each epoch.
    wants_batches = False
    wants_epochs = False

    def run(self, epochs: int) -> None:
        """`epochs` runs will follow, which belong together. Optional: otherwise each is a run of its own."""

    def begin(self, title: str, steps: int | None) -> None:
        """A run of `steps` batches begins, None if nobody knows; `title` says which, such as "Epoch 1/5"."""

    def update(self, step: int, logs: Mapping[str, Any]) -> None:
        """`step` batches are done; `logs` are the values so far."""

    def end(self, logs: Mapping[str, Any]) -> None:
        """The run is over, with the batches of the last `update`, or all where there was none."""

    def close(self) -> None:
        """Nothing more will come, perhaps before the end."""

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Timed(Display):
    """Knows how far a run is, and how fast."""

    wants_epochs = True

    def begin(self, title: str, steps: int | None) -> None:
        self._title, self._total, self._watch = title, steps, Stopwatch()

    def update(self, step: int, logs: Mapping[str, Any]) -> None:
        self._watch.look(step)

    def _report(self, logs: Mapping[str, Any]) -> Report:
        watch = self._watch
        return Report(self._title, watch.step, self._total, time.perf_counter() - watch.begin, watch.pace, logs)

    def _final(self, logs: Mapping[str, Any], width: int | None = None) -> str:
        if not self._watch.step:
            self._watch.look(self._total or 0)
        return final(self._report(logs), width)


class Lines(_Timed):
    """A line for each epoch, when it is over."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def end(self, logs: Mapping[str, Any]) -> None:
        screens.write(self._stream, self._final(logs) + "\n")


class _Live(_Timed):
    """Shows how a run goes on, ten times a second at most."""

    wants_batches = True
    _drawn = -math.inf  # when

    def begin(self, title: str, steps: int | None) -> None:
        super().begin(title, steps)
        self._show({})

    def update(self, step: int, logs: Mapping[str, Any]) -> None:
        super().update(step, logs)
        self._show(logs)

    def _show(self, logs: Mapping[str, Any]) -> None:
        self._logs = logs
        now = time.perf_counter()
        if now - self._drawn >= _INTERVAL:
            self._drawn = now
            self._draw()

    def _draw(self) -> None:
        raise NotImplementedError


class Bar(_Live):
    """A bar for each epoch, in the last line of a terminal; what an epoch came to stays above it."""

    def __init__(self, line: screens.Line) -> None:
        self._line = line

    def end(self, logs: Mapping[str, Any]) -> None:
        self._line.finish(self._final(logs, self._line.width))

    def close(self) -> None:
        if self._line.is_there:
            self._draw()
            self._line.close()

    def _draw(self) -> None:
        self._line.draw(live(self._report(self._logs), self._line.width))


class Notebook(_Live):
    """A bar for all epochs, in one output of a notebook's cell, with what the last epoch came to below it."""

    def __init__(self, cell: screens.Cell) -> None:
        self._cell = cell
        self._epochs, self._ended = 1, 0
        self._before = 0  # steps of the epochs that are over
        self._goes_on = False  # whether an epoch has begun and not ended
        self._over: list[str] = []  # what the last epoch came to

    def run(self, epochs: int) -> None:
        self._epochs = epochs

    def begin(self, title: str, steps: int | None) -> None:
        if self._ended in (0, self._epochs):
            self._watch, self._ended = Stopwatch(), 0
        self._title, self._before, self._steps = title, self._watch.step, steps
        self._total = None if steps is None else self._before + steps * (self._epochs - self._ended)
        self._goes_on = True
        self._show({})

    def update(self, step: int, logs: Mapping[str, Any]) -> None:
        super().update(self._before + step, logs)

    def end(self, logs: Mapping[str, Any]) -> None:
        if self._watch.step == self._before:
            self._watch.look(self._before + (self._steps or 0))
        self._over, self._ended, self._goes_on = [self._final(logs, self._cell.width)], self._ended + 1, False
        self._show(logs)

    def close(self) -> None:
        self._draw()

    def _draw(self) -> None:
        current = [live(self._report(self._logs), self._cell.width)] if self._goes_on else []
        self._cell.draw("\n".join(current + self._over))


def display(level: int) -> Display:
    """The display for a level of `resolve_verbose`; none where there is nothing to write to.

    Without a terminal or a notebook there is no line to write anew, and a bar becomes lines.
    """
    screen = screens.screen() if level == 1 else None
    if isinstance(screen, screens.Cell):
        return Notebook(screen)
    if screen is not None:
        return Bar(screen)
    nowhere = sys.stdout is None or getattr(sys.stdout, "closed", False)
    return Display() if level == 0 or nowhere else Lines(sys.stdout)
