"""Pictures of a search, by matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..foundation import optional


def history(points: Sequence[tuple[int, float]], objective: str, up: bool, ax: Any) -> Any:
    """The value of each trial by its number, and the best so far."""
    ax = _axes("Study.plot_history") if ax is None else ax
    numbers, values = np.array(points).T
    best = np.maximum.accumulate(values) if up else np.minimum.accumulate(values)
    ax.plot(numbers, values, "o", label="trial", alpha=0.6)
    ax.plot(numbers, best, drawstyle="steps-post", label="best so far")
    ax.set(xlabel="trial", ylabel=objective)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend()
    return ax


def importance(found: Mapping[str, float], objective: str, ax: Any) -> Any:
    """A bar for each setting, the longest at the top."""
    ax = _axes("Study.plot_importance") if ax is None else ax
    ordered = sorted(found.items(), key=lambda item: item[1])
    bars = ax.barh([name for name, _ in ordered], [value for _, value in ordered])
    ax.bar_label(bars, fmt="%.2f", padding=3)
    ax.set(xlabel=f"importance for {objective}", xlim=(0, 1.12 * max([*found.values(), 1e-9])))
    return ax


def slices(
    trials: Sequence[tuple[int, float, Mapping[str, Any]]], names: Sequence[str], logarithmic: set[str], objective: str
) -> Any:
    """For each setting the values of the trials that have it; later trials are darker."""
    pyplot = optional.package("matplotlib.pyplot", "Study.plot_slices", "matplotlib")
    columns = min(len(names), 4) or 1
    rows = -(-len(names) // columns) or 1
    figure, axes = pyplot.subplots(rows, columns, figsize=(3.2 * columns, 2.8 * rows), squeeze=False, sharey=True)
    for ax, name in zip(axes.flat, names, strict=False):
        has = [(number, value, params[name]) for number, value, params in trials if name in params]
        places = _places(ax, [setting for _, _, setting in has], name in logarithmic)
        color = [number for number, _, _ in has]
        ax.scatter(places, [value for _, value, _ in has], c=color, cmap="Blues", edgecolors="grey", vmin=-5)
        ax.set(xlabel=name)
    for ax in list(axes.flat)[len(names) :]:
        ax.remove()
    for ax in axes[:, 0]:
        ax.set(ylabel=objective)
    figure.tight_layout()
    return axes


def _places(ax: Any, settings: list[Any], logarithmic: bool) -> list[Any]:
    """Where settings are on the axis, which is made ready for them."""
    from matplotlib import ticker

    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in settings):
        labels = sorted(set(map(str, settings)))
        ax.set_xticks(range(len(labels)), labels)
        ax.margins(x=0.2)
        return [labels.index(str(each)) for each in settings]
    whole = all(isinstance(each, int) for each in settings)
    if logarithmic:
        ax.set_xscale("log")
        if whole:
            ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter(ticker.ScalarFormatter())
            ax.xaxis.set_minor_formatter(ticker.NullFormatter())
    elif whole:
        ax.xaxis.get_major_locator().set_params(integer=True)
    return settings


def _axes(what: str) -> Any:
    return optional.package("matplotlib.pyplot", what, "matplotlib").subplots()[1]
