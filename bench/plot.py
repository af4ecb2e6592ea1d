"""The figure of `compare.py --plot`; it takes matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from measure import Series, best_of_peers

TITLES = {"train": "{} s an epoch", "latency": "{} µs a row, one at a time", "predict": "{} ms for 10,000 rows"}
WIDE = 30  # times the shortest bar: more takes a logarithmic axis
UNITS = {"train": 1.0, "latency": 1e6, "predict": 1e3}


def draw(series: list[Series], path: Path) -> None:
    """Bars of the medians: a row of panels for each section, a panel for each network."""
    from matplotlib.figure import Figure

    panels = {section: list(dict.fromkeys(s.network for s in series if s.section == section)) for section in TITLES}
    panels = {section: networks for section, networks in panels.items() if networks}
    columns = max(map(len, panels.values()), default=1)
    figure = Figure(figsize=(4 * columns, 3 * max(len(panels), 1)), layout="constrained")
    axes = figure.subplots(max(len(panels), 1), columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, (section, networks) in enumerate(panels.items()):
        for column, network in enumerate(networks):
            chosen = best_of_peers([s for s in series if (s.section, s.network) == (section, network)])
            panel(axes[row, column], chosen, UNITS[section])
            axes[row, column].set_title(TITLES[section].format(f"{network}:"), fontsize=9)
    figure.savefig(path, dpi=150)


def panel(axis: Any, series: list[Series], unit: float) -> None:
    """A bar for each side, the first at the top; pynn's in another colour."""
    labels = [f"{s.side} {s.threads}" + (f" {s.way}" if s.way else "") for s in series]
    values = [s.median * unit for s in series]
    colours = ["tab:orange" if s.side == "pynn" else "tab:blue" for s in series]
    errors = [s.spread * s.median * unit for s in series]
    bars = axis.barh(range(len(series)), values, xerr=errors, color=colours)
    axis.bar_label(bars, [f"{value:.3g}" for value in values], padding=2, fontsize=7)
    axis.set_axis_on()
    axis.set_yticks(range(len(series)), labels, fontsize=7)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    if max(values) > WIDE * min(values):
        axis.set_xscale("log")
    axis.tick_params(axis="x", labelsize=7)
