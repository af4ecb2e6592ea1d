"""The curves of a training run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..callbacks import History
from ..foundation import checks
from . import canvas
from .canvas import SeveralAxes


def plot_history(history: Any, metrics: Sequence[str] | None = None, ax: Any = None) -> SeveralAxes:
    """The loss and each metric, epoch by epoch; those of the validation data beside those of training.

    A metric that gives an array has a line for each of its numbers.

    Args:
        history: What `fit` returned, a model that was trained, or a dict of lists, as ``history.history``.
        metrics: What to draw, without ``val_``: ``["loss", "accuracy"]``. Default: all that there is.
        ax: Axes to draw in, one for each of them. Default: those of a new figure.

    Returns:
        An array of the axes, one for each of `metrics`.

    Raises:
        TypeError, ValueError: no history, one without an epoch, or a name that it does not have.
        ImportError: matplotlib is not installed.

    Example:
        >>> pynn.plot_history(model.fit(x, y, validation_split=0.1, epochs=10))
    """
    values, first = _values(history)
    names = list(dict.fromkeys(name.removeprefix("val_") for name in values))
    if metrics is not None:
        chosen = [] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else list(metrics)
        if not chosen or not all(isinstance(name, str) for name in chosen):
            raise TypeError(f'metrics must be a list of names, such as ["loss"], but got {checks.shown(metrics)}.')
        for name in chosen:
            if name not in names:
                raise ValueError(f"metrics has {name!r}, but the history has {', '.join(names)}.")
        names = chosen
    columns = min(len(names), 3)
    axes = canvas.several(ax, "plot_history", len(names), columns, (4.2, 3.2))
    for name, each in zip(names, axes, strict=True):
        _draw(each, name, values, first)
    return axes


def _values(history: Any) -> tuple[Mapping[str, Sequence[Any]], int]:
    """The values by name, and the number of the first epoch, counted from 1."""
    if not isinstance(history, History):
        history = getattr(history, "history", history)  # of a model
    first = 1
    if isinstance(history, History):
        epochs, history = history.epoch, history.history
        if epochs and len(epochs) == max(map(len, history.values()), default=0):
            first = epochs[0] + 1
    if history is None or not isinstance(history, Mapping):
        raise TypeError(f"history must be what fit returned, or a dict of lists, but got {checks.shown(history)}.")
    if not any(len(values) for values in history.values()):
        raise ValueError("history has no epoch to draw. Train the model first, for one epoch or more.")
    return history, first


def _numbers(values: Sequence[Any]) -> NDArray[Any]:
    """The numbers of each epoch, in a row each; a number among arrays, as of an epoch without a sample, is for all."""
    each = np.broadcast_arrays(*values)
    return np.reshape(each, (len(values), -1))


def _draw(ax: canvas.Axes, name: str, values: Mapping[str, Sequence[Any]], first: int) -> None:
    from matplotlib.ticker import MaxNLocator

    curves = {
        "training": (values.get(name, ()), canvas.TRAINING),
        "validation": (values.get(f"val_{name}", ()), canvas.VALIDATION),
    }
    longest = max(len(of) for of, _ in curves.values())
    for label, (of, colour) in curves.items():
        if len(of):
            # Where not each epoch was validated, nobody knows which ones were: the last is.
            step = longest / len(of)
            epochs = [first - 1 + math.ceil(step * (number + 1)) for number in range(len(of))]
            lines = ax.plot(epochs, _numbers(of), color=colour, marker="o" if len(of) <= 20 else None, markersize=3.5)
            lines[0].set_label(label)
    ax.set(xlabel="epoch", ylabel=name.replace("_", " "))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(alpha=0.3)
    # Above the curves, which it would hide.
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
