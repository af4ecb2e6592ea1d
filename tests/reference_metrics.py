"""Slow references of the metrics in NumPy: by their definitions, in float64, over all samples at once."""

import itertools

import numpy as np


def counts(y, p, w, threshold):
    """True positives, false positives, true negatives and false negatives."""
    found = [0.0, 0.0, 0.0, 0.0]
    for target, prediction, weight in zip(np.ravel(y), np.ravel(p), np.ravel(w), strict=True):
        positive = prediction > threshold
        found[(0 if target else 1) if positive else (3 if target else 2)] += weight
    return found


def share(a, b):
    return a / b if b else 0.0


def rate(name, y, p, w, threshold):
    """A rate by its name."""
    tp, fp, tn, fn = counts(y, p, w, threshold)
    return {
        "precision": share(tp, tp + fp),
        "recall": share(tp, tp + fn),
        "sensitivity": share(tp, tp + fn),
        "specificity": share(tn, tn + fp),
    }[name]


def area_of_pairs(y, p, w):
    """The exact area under the ROC curve: pairs of a target 1 and a target 0, of which equal ones count one half."""
    right = total = 0.0
    for i in np.flatnonzero(y):
        for j in np.flatnonzero(1 - y):
            pair = w[i] * w[j]
            total += pair
            right += pair * (p[i] > p[j]) + pair * (p[i] == p[j]) / 2
    return share(right, total)


def area_of_thresholds(y, p, w, thresholds):
    """The area under the ROC curve through the points of thresholds, with trapezoids."""
    points = []
    for threshold in sorted(thresholds):
        tp, fp, tn, fn = counts(y, p, w, threshold)
        points.append((share(fp, fp + tn), share(tp, tp + fn)))
    return sum((x1 - x0) * (y1 + y0) / 2 for (x1, y1), (x0, y0) in itertools.pairwise(points))


def precision_area(y, p, w, parts):
    """The exact area under the precision over the recall.

    Between two points true positives are linear in all positives; the integral is a sum of so many parts.
    """
    points = [counts(y, p, w, threshold)[:2] for threshold in (np.inf, *sorted(set(p.tolist()), reverse=True), -np.inf)]
    positives, area = (w * y).sum(), 0.0
    for (tp0, fp0), (tp1, fp1) in itertools.pairwise(points):
        steps = (np.arange(parts) + 0.5) / parts
        tp, fp = tp0 + steps * (tp1 - tp0), fp0 + steps * (fp1 - fp0)
        area += (tp / np.maximum(tp + fp, 1e-300)).mean() * (tp1 - tp0) / positives if tp1 > tp0 else 0.0
    return area


def f_beta(y, p, w, beta, threshold):
    """The score of each class."""
    found = []
    for c in range(p.shape[1]):
        positive = p[:, c] > threshold if threshold is not None else p[:, c] == p.max(1)
        tp, fp, fn = (
            w[mask].sum() for mask in (positive & (y[:, c] == 1), positive & (y[:, c] == 0), ~positive & (y[:, c] == 1))
        )
        found.append(share((1 + beta**2) * tp, (1 + beta**2) * tp + beta**2 * fn + fp))
    return np.array(found)


def confusion(y, p, w, classes):
    """Rows are the true classes."""
    matrix = np.zeros((classes, classes))
    for true, predicted, weight in zip(np.ravel(y), np.ravel(p), np.ravel(w), strict=True):
        if 0 <= true < classes and 0 <= predicted < classes:
            matrix[true, predicted] += weight
    return matrix
