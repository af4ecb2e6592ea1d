"""How predictions are counted by threshold: what all metrics of true and false positives and negatives stand on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..data import arrays
from ..foundation import checks

Array = NDArray[Any]


class Aligned(NamedTuple):
    """A batch whose arrays are all of one shape."""

    y_true: Array
    y_pred: Array
    weights: Array | None

    def each(self, change: Callable[[Array], Array]) -> Aligned:
        """The batch with each of its arrays changed in the same way."""
        weights = None if self.weights is None else change(self.weights)
        return Aligned(change(self.y_true), change(self.y_pred), weights)


def aligned(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None, dtype: DTypeLike) -> Aligned:
    """The arguments of a direct call, of one shape: targets or predictions may lack a last axis of size 1.

    Args:
        y_true, y_pred: Targets and predictions.
        sample_weight: One number; or for each sample, each row of a sample, or each element.
        dtype: Number type of targets and predictions.

    Raises:
        TypeError, ValueError: arrays that do not fit; weights that are negative or not finite.
    """
    predictions, targets = arrays.as_array(y_pred, "y_pred", dtype), arrays.as_array(y_true, "y_true", dtype)
    if targets.ndim + 1 == predictions.ndim and predictions.shape[-1] == 1:
        targets = targets[..., None]
    elif predictions.ndim + 1 == targets.ndim and targets.shape[-1] == 1:
        predictions = predictions[..., None]
    if predictions.ndim == 0 or predictions.shape != targets.shape or 0 in predictions.shape[1:]:
        raise ValueError(
            f"y_true and y_pred must have one shape, (samples, ...), but have the shapes {np.shape(y_true)} and "
            f"{np.shape(y_pred)}."
        )
    return Aligned(targets, predictions, weights_of(sample_weight, predictions.shape))


def weights_of(sample_weight: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    """The weights of all elements of a batch of this shape, in float64; None where all count alike.

    Raises:
        TypeError, ValueError: weights of another shape, negative ones, or such as are not finite.
    """
    if sample_weight is None:
        return None
    weights = given = arrays.as_array(sample_weight, "sample_weight", np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must be finite and not negative.")
    if weights.ndim == len(shape) + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if 0 < weights.ndim < len(shape):
        weights = weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))
    try:
        return np.broadcast_to(weights, shape)
    except ValueError:
        raise ValueError(
            f"sample_weight must have one number for each sample of the shape {shape}, or for each element, but has "
            f"the shape {given.shape}."
        ) from None


def check_binary(y_true: Array, who: str, name: str = "y_true") -> None:
    """Raise ValueError unless all targets are 0 or 1, which `who` asks for."""
    bad = (y_true != 0) & (y_true != 1)
    if bad.any():
        place = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise ValueError(f"{who} takes targets of 0 and 1, but {name} has {y_true[place]} in row {place[0]}.")


def threshold_values(given: object, name: str = "thresholds") -> list[float]:
    """One threshold or several, each in [0, 1].

    Raises:
        TypeError, ValueError: anything else.
    """
    values = given.tolist() if isinstance(given, np.ndarray) else given
    if not isinstance(values, list | tuple):
        return [checks.number(values, name, "[0, 1]")]
    if not values:
        raise ValueError(f"{name} must have at least one value, but got {checks.shown(given)}.")
    return [checks.number(value, f"every value of {name}", "[0, 1]") for value in values]


def even_thresholds(count: int) -> list[float]:
    """So many thresholds from 0 to 1, evenly."""
    return [i / (count - 1) for i in range(count)]


class Counts(NamedTuple):
    """What is counted at each threshold, or the sum of its weights; another axis is that of labels."""

    true_positives: Array
    false_positives: Array
    true_negatives: Array
    false_negatives: Array


class Thresholds:
    """Counts predictions above each of some thresholds, in one pass.

    Each prediction falls into the bucket of the thresholds that it is above; sums over the buckets give all counts.
    Thresholds that are evenly spread need no search: Keras finds the bucket with one product in the number type of the
    predictions, and so do we, to have its results where a prediction is as good as equal to a threshold.

    Args:
        values: The thresholds, in any order.
        margin: Whether the first and the last lie a little outside of [0, 1]: then 0 is above the first.
    """

    def __init__(self, values: Iterable[float], margin: bool = False) -> None:
        inner = list(values)
        self.evenly = len(inner) >= 3 and np.allclose(
            inner, np.arange(len(inner), dtype=np.float32) / (len(inner) - 1), atol=1e-7
        )
        self.margin = margin
        if margin:
            inner = [inner[0] - 1e-7, *inner[1:-1], inner[-1] + 1e-7]
        self.values = inner
        self._order = np.argsort(inner, kind="stable")

    def __len__(self) -> int:
        return len(self.values)

    def buckets(self, y_pred: Array) -> Array:
        """How many thresholds each prediction is above. NaN is below all that lie in [0, 1], as a comparison says."""
        if not self.evenly:
            known = np.array(self.values, y_pred.dtype)[self._order]
            return np.searchsorted(known, np.fmax(y_pred, -np.inf), side="left")
        last = y_pred.dtype.type(len(self) - 1)
        inside = np.minimum(np.fmax(y_pred, 0), 1)
        buckets: Array = np.ceil(inside * last).astype(np.intp)
        return np.maximum(buckets, 1) if self.margin else buckets

    def count(self, batch: Aligned, by_label: bool = False) -> Counts:
        """Count a batch of targets of 0 and 1. By label, its last axis is kept: the counts are (thresholds, labels)."""
        labels = batch.y_pred.shape[-1] if by_label else 1
        size = len(self) + 1
        places = self.buckets(batch.y_pred) + size * (batch.y_true != 0)
        if by_label:
            places = places + 2 * size * np.arange(labels)
        weights = None if batch.weights is None else batch.weights.ravel()
        sums = np.bincount(places.ravel(), weights, 2 * size * labels).astype(np.float64)
        # Above a threshold are the buckets from the next on.
        above = sums.reshape(labels, 2, size)[..., ::-1].cumsum(-1)[..., ::-1]
        totals = above[..., :1]
        counted = np.empty((labels, 2, len(self)))
        counted[..., self._order] = above[..., 1:]
        negatives, positives = counted[:, 0], counted[:, 1]
        found = (positives, negatives, totals[:, 0] - negatives, totals[:, 1] - positives)
        return Counts(*(each.T if by_label else each[0] for each in found))


def ratio(a: Array, b: Array) -> Array:
    """``a / b``, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=np.asarray(b) != 0)
