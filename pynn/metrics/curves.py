"""Areas under curves through the counts at thresholds, from the lowest threshold to the highest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .counts import Aligned, Counts, ratio

Array = NDArray[Any]

CURVES = ("ROC", "PR", "PRGAIN")
METHODS = ("interpolation", "minoring", "majoring")


def area(counted: Counts, curve: str, method: str) -> Array:
    """The area; one for each label where the counts are (thresholds, labels)."""
    if curve == "PR" and method == "interpolation":
        return _interpolated_precision(counted)
    x, y = _points(counted, curve)
    ends = (y[:-1], y[1:])
    heights = {"interpolation": (ends[0] + ends[1]) / 2, "minoring": np.minimum(*ends), "majoring": np.maximum(*ends)}
    pieces: Array = (x[:-1] - x[1:]) * heights[method]
    return np.asarray(pieces.sum(axis=0))


def _points(counted: Counts, curve: str) -> tuple[Array, Array]:
    """Both coordinates at each threshold."""
    tp, fp, tn, fn = counted
    recall = ratio(tp, tp + fn)
    if curve == "ROC":
        return ratio(fp, fp + tn), recall
    if curve == "PR":
        return recall, ratio(tp, tp + fp)
    balance = ratio(tp + fn, tn + fp)
    recall_gain = np.where(tp == 0, 0.0, 1 - balance * ratio(fn, tp))
    precision_gain = np.where(tp == 0, 1.0, 1 - balance * ratio(fp, tp))
    return np.maximum(recall_gain, 0), precision_gain


def _interpolated_precision(counted: Counts) -> Array:
    """Between two thresholds, true positives are linear in all positives: Davis and Goadrich, ICML 2006.

    With tp = a + b p, the integral of the precision tp / p over the recall is b (p1 - p0 + a log(p1 / p0)) / positives.
    """
    tp, positive = counted.true_positives, counted.true_positives + counted.false_positives
    steps = tp[:-1] - tp[1:]
    slope = ratio(steps, np.maximum(positive[:-1] - positive[1:], 0))
    start = tp[1:] - slope * positive[1:]
    both = (positive[:-1] > 0) & (positive[1:] > 0)
    growth = np.where(both, ratio(positive[:-1], positive[1:]), 1.0)
    targets = counted.true_positives[1:] + counted.false_negatives[1:]
    pieces: Array = ratio(slope * (steps + start * np.log(growth)), targets)
    return np.asarray(pieces.sum(axis=0))


class Seen(list[Aligned]):
    """Batches that are kept as they came, for an exact area: (elements, labels)."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.labels = labels

    def add(self, batch: Aligned) -> None:
        """Keep a copy of a batch. NaN is below all predictions, as a comparison says."""
        y_true, y_pred, weights = batch.each(lambda x: x.reshape(-1, self.labels))
        self.append(Aligned(y_true != 0, np.fmax(y_pred, -np.inf), None if weights is None else weights.copy()))

    def all(self) -> Aligned | None:
        """All batches as one; None before the first."""
        if len(self) > 1:
            weights = None
            if any(batch.weights is not None for batch in self):
                every = [np.ones(batch.y_pred.shape) if batch.weights is None else batch.weights for batch in self]
                weights = np.concatenate(every)
            y_true, y_pred = [batch.y_true for batch in self], [batch.y_pred for batch in self]
            self[:] = [Aligned(np.concatenate(y_true), np.concatenate(y_pred), weights)]
        return self[0] if self else None

    def areas(self, curve: str, method: str) -> Array:
        """The area of each label; 0 of nothing."""
        seen = self.all()
        if seen is None:
            return np.zeros(self.labels)
        columns = [seen.each(lambda x, i=i: x[:, i]) for i in range(self.labels)]  # type: ignore[misc]
        return np.array([area(exact_counts(column), curve, method) for column in columns])


def exact_counts(batch: Aligned) -> Counts:
    """The counts where each prediction that occurs is a threshold, and below all of them; of one axis."""
    order = np.argsort(batch.y_pred, kind="stable")
    sorted_predictions = batch.y_pred[order]
    weights = np.ones(len(order)) if batch.weights is None else batch.weights[order]
    positive = np.where(batch.y_true[order] != 0, weights, 0.0)
    ends = np.append(sorted_predictions[1:] != sorted_predictions[:-1], True)  # of predictions that are equal
    last = ends[: len(order)]
    fn = np.append(0.0, positive.cumsum()[last])
    tn = np.append(0.0, (weights - positive).cumsum()[last])
    return Counts(fn[-1] - fn, tn[-1] - tn, tn, fn)
