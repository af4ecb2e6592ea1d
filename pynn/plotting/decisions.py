"""What a model decides: over a plane, and class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data import arrays
from ..foundation import checks
from ..models import Model
from . import canvas
from .canvas import Axes
from .classes import classes_of

Array = NDArray[Any]


def plot_decision_boundary(
    model: Any,
    x: ArrayLike,
    y: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    threshold: float | None = None,
    resolution: int = 200,
    ax: Any = None,
) -> Axes:
    """What a model says over the plane of its two inputs, and the samples on it.

    A model of one output is drawn as a map of its output, with a line where it is `threshold`; one of several outputs
    as an area for each class, the paler the less sure it is.

    Shapes: `x` ``(samples, 2)``; `y` ``(samples,)``, ``(samples, 1)`` or one-hot ``(samples, classes)``.

    Args:
        model: A model, or what has `predict_proba` or `predict` as scikit-learn's classifiers.
        x: The samples, which say what part of the plane is drawn.
        y: Their classes. Default: none; the samples are not drawn then.
        class_names: What the legend calls the classes. Default: their labels.
        threshold: Where a model of one output changes its mind. Default: in the middle between the smallest and the
            largest of `y`, 0.5 where there is no `y`. Where the output is logits, it is 0.
        resolution: Points along each axis at which the model is asked, 2 or more. Default 200.
        ax: Axes to draw in. Default: those of a new figure.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: samples of more or less than two numbers, classes that are not as many, or a class that
            the model does not know.
        ImportError: matplotlib is not installed.
    """
    points = arrays.as_samples(x, "x", "float64", (2,))
    if len(points) == 0:
        raise ValueError("x has no samples, which say what part of the plane to draw.")
    labels = None if y is None else classes_of(y, "y", len(points), "samples")
    size = checks.positive_int(resolution, "resolution", 5000)
    if size == 1:
        raise ValueError("resolution must be 2 or more: one point along an axis shows no plane.")
    if threshold is not None:
        threshold = checks.finite(threshold, "threshold")
    low, high = points.min(0), points.max(0)
    room = np.where(high > low, 0.08 * (high - low), 0.5)
    across, up = (np.linspace(low[axis] - room[axis], high[axis] + room[axis], size) for axis in (0, 1))
    grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    said, known = _said(model, grid)
    classes = known if known is not None else np.unique(labels) if labels is not None else np.arange(said.shape[1])
    if known is None and said.shape[1] > 1:
        classes = np.arange(said.shape[1])
    if labels is not None:
        _check_known(labels, classes)
    ax = canvas.one(ax, "plot_decision_boundary", (5.4, 4.4))
    colours = _colours(max(len(classes), 2))
    if said.shape[1] == 1:
        if threshold is None:
            threshold = 0.5
            if labels is not None and labels.dtype.kind in "biuf":
                threshold = (float(labels.min()) + float(labels.max())) / 2
        _draw_map(ax, across, up, said.reshape(size, size), threshold)
        colours = _ENDS if len(classes) <= 2 else colours
    else:
        _draw_areas(ax, across, up, said.reshape(size, size, -1), colours)
    if labels is not None:
        _draw_samples(ax, points, labels, classes, colours, class_names)
    ax.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]), xlabel="$x_0$", ylabel="$x_1$")
    return ax


_ENDS = ("tab:blue", "tab:red")


def _said(model: Any, grid: Array) -> tuple[Array, Array | None]:
    """What the model says of points, (points, outputs), and the classes that it names, if it does."""
    known = getattr(model, "classes_", None)
    if isinstance(model, Model):
        out, known = np.asarray(model.predict(grid, verbose=0)), None
    elif hasattr(model, "predict_proba"):
        out = np.asarray(model.predict_proba(grid))
    elif hasattr(model, "predict"):
        out = np.asarray(model.predict(grid))
        if known is not None:
            out = (out[:, None] == np.asarray(known)).astype(float)
    else:
        raise TypeError(f"model must be a model or a classifier, but got {checks.shown(model)}.")
    if out.ndim == 1:
        out = out[:, None]
    if out.ndim != 2:
        raise ValueError(f"model must give a number or some numbers for each sample, but gives the shape {out.shape}.")
    return out, None if known is None else np.asarray(known)


def _check_known(labels: Array, classes: Array) -> None:
    known = set(classes.tolist())
    for label in labels.tolist():
        if label not in known:
            raise ValueError(f"y has the class {label!r}, but the model's are {checks.shown(classes.tolist())}.")


def _colours(count: int) -> Sequence[Any]:
    colours = canvas.matplotlib("plot_decision_boundary").colormaps["tab10" if count <= 10 else "tab20"].colors
    return [colours[number % len(colours)] for number in range(count)]


def _draw_map(ax: Axes, across: Array, up: Array, values: Array, threshold: float) -> None:
    reach = max(float(np.abs(values - threshold).max()), 1e-12)
    levels = np.linspace(threshold - reach, threshold + reach, 21)
    shades = canvas.matplotlib("plot_decision_boundary").colormaps["RdBu_r"](np.linspace(0, 1, len(levels) - 1))
    filled = ax.contourf(across, up, values, levels, colors=1 - 0.6 * (1 - shades))  # paler than the samples
    if values.min() < threshold < values.max():
        ax.contour(across, up, values, [threshold], colors="black", linewidths=1.5)
    bar = ax.figure.colorbar(filled, ax=ax, label="output of the model")
    bar.set_ticks(np.linspace(threshold - reach, threshold + reach, 5))


def _draw_areas(ax: Axes, across: Array, up: Array, values: Array, colours: Sequence[Any]) -> None:
    from matplotlib.colors import to_rgb

    chosen = values.argmax(-1)
    ordered = np.sort(values, -1)
    lead = ordered[..., -1] - ordered[..., -2]
    strength = 0.15 + 0.45 * np.clip(lead / max(float(lead.max()), 1e-12), 0, 1)[..., None]
    image = 1 - strength + strength * np.array([to_rgb(each) for each in colours])[chosen]
    box = (across[0], across[-1], up[0], up[-1])
    ax.imshow(np.clip(image, 0, 1), origin="lower", extent=box, aspect="auto", interpolation="bilinear")
    edges = np.unique(chosen)
    for each in edges[1:] if len(edges) == 2 else edges * (len(edges) > 1):
        best = np.where(np.arange(values.shape[-1]) == each, -np.inf, values).max(-1)
        ax.contour(across, up, values[..., each] - best, [0], colors="black", linewidths=0.8)


def _draw_samples(
    ax: Axes, points: Array, labels: Array, classes: Array, colours: Sequence[Any], names: Sequence[str] | None
) -> None:
    if names is not None and len(names) != len(classes):
        raise ValueError(f"class_names must have a name for each of {len(classes)} classes, but has {len(names)}.")
    for number, each in enumerate(classes.tolist()):
        mine = points[labels == each]
        name = str(each) if names is None else names[number]
        ax.scatter(*mine.T, color=colours[number], edgecolor="white", linewidth=0.7, s=28, label=name)
    ax.legend(loc="upper right", framealpha=0.9)


def plot_confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    class_names: Sequence[str] | None = None,
    normalize: bool = False,
    ax: Any = None,
) -> Axes:
    """How often samples of each class (rows) were taken for each class (columns).

    Args:
        y_true: The classes: labels ``(samples,)``, or one-hot rows.
        y_pred: What a model says: classes ``(samples,)``, a probability for each of the classes from 0 on,
            ``(samples, classes)``, or one probability, of class 1.
        class_names: What to write for the classes, in order. Default: their labels.
        normalize: Whether to show the share of each class, in place of counts. Default ``False``.
        ax: Axes to draw in. Default: those of a new figure.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: no samples, predictions that are not as many, or texts and numbers of classes together.
        ImportError: matplotlib is not installed.
    """
    normalize = checks.boolean(normalize, "normalize")
    truth = classes_of(y_true, "y_true", len(np.asarray(y_true)) if np.ndim(y_true) else 0, "samples")
    guess = classes_of(y_pred, "y_pred", len(truth), "samples")
    if len(truth) == 0:
        raise ValueError("y_true has no samples.")
    labels = [*truth.tolist(), *guess.tolist()]
    text, other = (next((each for each in labels if isinstance(each, str) == wanted), None) for wanted in (True, False))
    if text is not None and other is not None:
        raise ValueError(
            f"y_true and y_pred must both have texts as classes, or neither, but have {text!r} and {other!r}. "
            "Of probabilities give the texts of the largest."
        )
    outputs = np.shape(y_pred)[1] if np.ndim(y_pred) == 2 else 1
    classes = np.unique(np.concatenate([truth, guess]))
    if outputs > 1:
        classes = np.union1d(classes, np.arange(outputs))
    if class_names is not None and len(class_names) != len(classes):
        raise ValueError(
            f"class_names must have a name for each of {len(classes)} classes, but has {len(class_names)}."
        )
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (np.searchsorted(classes, truth), np.searchsorted(classes, guess)), 1)
    size = min(max(3.6, 1.6 + 0.5 * len(classes)), 14)
    ax = canvas.one(ax, "plot_confusion_matrix", (size + 0.8, size))
    names = [str(each) for each in (classes.tolist() if class_names is None else class_names)]
    _draw_matrix(ax, counts, names, normalize)
    return ax


_MOST_NUMBERS = 25  # classes: with more of them numbers could not be read


def _draw_matrix(ax: Axes, counts: Array, names: Sequence[str], normalize: bool) -> None:
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ax.figure.colorbar(image, ax=ax, label="share of the class", shrink=0.85)
    places = np.arange(len(names))
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 3 else {}
    font = 9 if len(names) <= _MOST_NUMBERS else 6
    digits = 4 if normalize else len(str(counts.max()))
    ax.set_xticks(places, names, fontsize=font, **turned)
    ax.set_yticks(places, names, fontsize=font)
    ax.set(xlabel="predicted", ylabel="true")
    if len(names) > _MOST_NUMBERS:
        return
    for row, column in np.ndindex(*counts.shape):
        text = f"{shares[row, column]:.2f}" if normalize else f"{counts[row, column]}"
        colour = "white" if shares[row, column] > 0.5 else "black" if counts[row, column] else "0.7"
        ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=min(9, 48 / digits))
