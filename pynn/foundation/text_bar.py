"""How far work has come, in a line of text: counts, times, values, and as much of them as fits."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

# Columns of a bar.
_LEAST_BAR, _MOST_BAR = 8, 30
# Columns of a name, where names in full do not fit; and the most values that a line shows then.
_SHORT_NAME = 12
_MOST_VALUES = 40
_GAP = "  "
_BAR = "[" + " " * (_LEAST_BAR - 2) + "]"  # where the bar goes


class Stopwatch:
    """How long steps take."""

    def __init__(self) -> None:
        self.begin = time.perf_counter()
        self._first = self._last = (0, self.begin)

    def look(self, step: int) -> None:
        """`step` steps are done by now."""
        self._last = step, time.perf_counter()
        if not self._first[0]:
            self._first = self._last

    @property
    def step(self) -> int:
        """Steps at the last look."""
        return self._last[0]

    @property
    def pace(self) -> float:
        """Seconds a step takes: without those before the first look, which have set-up in them or an earlier run's."""
        (before, start), (step, now) = self._first, self._last
        if step == before:
            before, start = 0, self.begin
        return (now - start) / max(step - before, 1)


class Report(NamedTuple):
    """How far work has come."""

    title: str
    done: int
    total: int | None  # None: nobody knows
    seconds: float  # since the beginning
    pace: float  # seconds a step
    values: Mapping[str, Any]
    unit: str = "step"
    bar: int = _MOST_BAR  # columns at most


def live(report: Report, width: int) -> str:
    """One line of at most `width` columns about work that goes on: the richest of `_layouts` that fits.

    What room is left goes to the count of steps, and then to the bar.
    """
    parts = next((parts for parts in _layouts(report) if columns(_GAP.join(parts)) <= width), [])
    count = _count(report)
    if count not in parts and columns(_GAP.join([*parts, count])) <= width:
        parts.insert(1 if report.title and report.title in parts else 0, count)
    if _BAR in parts:
        room = width - columns(_GAP.join(parts)) + _LEAST_BAR
        parts[parts.index(_BAR)] = _bar(report, max(min(room, report.bar), _LEAST_BAR))
    return _GAP.join(parts)


def final(report: Report, width: int | None = None) -> str:
    """What work came to, with all values; in lines of at most `width` columns where there is one.

    A part that is longer has a line of its own.
    """
    parts = [report.title, _count(report), duration(report.seconds), _rate(report), *_items(report.values)]
    parts = [part for part in parts if part]
    if width is None:
        return _GAP.join(parts)
    title = columns(report.title)
    indent = len(_GAP) + (title if title < width // 4 else 0)
    lines = parts[:1]
    for part in parts[1:]:
        longer = lines[-1] + _GAP + part
        if columns(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(" " * indent + part)
    return "\n".join(lines)


def amount(seconds: float) -> str:
    """Such as ``"21 us"``, ``"3 ms"``, ``"1.2 s"``: two digits or more."""
    size, unit = (1e-6, "us") if 0 < seconds < 999.5e-6 else (1e-3, "ms") if 0 < seconds < 0.9995 else (1.0, "s")
    number = max(seconds, 0.0) / size
    return f"{number:.2g} {unit}" if number < 9.95 else f"{number:.0f} {unit}"


def duration(seconds: float) -> str:
    """As `amount` below a minute, then ``"2:05"``, and ``"1:02:05"`` from an hour on."""
    if seconds < 59.5:
        return amount(seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _layouts(report: Report) -> Iterator[list[str]]:
    """Ways to say it, the richest first. None has the same part twice."""
    bar, left, rate = _count(report), duration(report.seconds), _rate(report)
    if report.total is not None:
        bar = _BAR
        # Whole seconds, as counts are of one width: what changes its length would shake the line.
        left = f"{duration(math.ceil(report.pace * (report.total - report.done)))} left" if report.done else ""
    title, full, short = report.title, _items(report.values), _items(report.values, _SHORT_NAME)
    some = [[*short[:n], "..."] for n in range(min(len(short) - 1, _MOST_VALUES), 0, -1)]
    heads = [[title, bar, left, rate], [title, left, rate], [title, left], [left], [title], []]
    ways = [
        *(head + full for head in heads[:2]),
        *(head + short for head in heads[:3]),
        *(head + values for head in (heads[0], heads[2]) for values in some),
        *(head + short[:1] for head in heads),
    ]
    return ([part for part in way if part] for way in ways)


def _bar(report: Report, width: int) -> str:
    total, inside = max(report.total or 1, 1), width - 2
    full = min(max(inside * report.done // total, 0), inside)
    head = ">" if full < inside else ""
    return "[" + ("=" * full + head).ljust(inside) + "]"


def _count(report: Report) -> str:
    if report.total is not None:
        return f"{report.done:>{len(str(report.total))}}/{report.total}"
    return f"{report.done} {report.unit}s"


def _rate(report: Report) -> str:
    return f"{amount(report.pace)}/{report.unit}" if report.done else ""


def _items(values: Mapping[str, Any], longest: int | None = None) -> list[str]:
    """Such as ``"loss: 0.1234"``; names longer than `longest` lose their middle."""
    items = []
    for name, value in values.items():
        name = str(name)
        if longest is not None and len(name) > longest:
            name = name[: longest - 6] + ".." + name[-4:]
        items.append("".join(c if c.isprintable() else "?" for c in f"{name}: {_number(value)}"))
    return items


def _number(value: Any) -> str:
    """A value as it is shown; of an array the mean."""
    try:
        number = float(value.mean() if isinstance(value, np.ndarray) and value.size else value)
    except (TypeError, ValueError, OverflowError):  # whatever a callback has put into the logs
        return " ".join(str(value).split())
    return f"{number:.4f}" if 1e-3 <= abs(number) < 1e6 else f"{number:.4g}"


def columns(text: str) -> int:
    """Columns that text takes in a terminal: two for wide characters, none for marks above others."""
    if text.isascii():
        return len(text)
    import unicodedata  # rarely needed

    return sum((unicodedata.east_asian_width(c) in "WF") + (not unicodedata.combining(c)) for c in text)
