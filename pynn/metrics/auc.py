"""The area under a curve over all thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import config
from ..data import arrays
from ..foundation import checks
from . import counts, curves
from .base import Array
from .confusion import MOST_THRESHOLDS, Counting
from .counts import Aligned, Counts, Thresholds, ratio
from .curves import Seen

__all__ = ["AUC"]


class AUC(Counting):
    """The area under the ROC curve, or another, of targets of 0 and 1.

    The curve is drawn through the points of `num_thresholds` thresholds, as in Keras. Or it is exact: with
    ``num_thresholds=None`` each prediction that occurs is a threshold. The metric keeps all predictions then, 5 bytes
    each, 13 with weights. Predictions that are equal make one point of the curve. So of the ROC curve with
    interpolation, the exact area is the share of the pairs, one target 1 and the other 0, where the prediction of the
    first is higher, and pairs of equal predictions count one half.

    Without a target of 1, or without one of 0, the area is 0, as in Keras.

    Args:
        num_thresholds: Thresholds, evenly from 0 to 1. Default ``200``. None (of pynn's own): the exact area.
        curve: ``"ROC"`` (default; true positive rate over false positive rate), ``"PR"`` (precision over recall) or
            ``"PRGAIN"`` (precision gain over recall gain).
        summation_method: ``"interpolation"`` (default; of the PR curve that of Davis and Goadrich), or the sums with
            the lower or the higher end of each piece, ``"minoring"`` or ``"majoring"``.
        name: Default ``"auc"``.
        dtype: Number type in which predictions and thresholds are compared. Default ``None``: ``config.floatx()``.
        thresholds: Thresholds in (0, 1) in place of even ones; two just outside of [0, 1] are added.
        multi_label: Whether each column of a batch (samples, labels) has an area of its own. The result is their mean.
        num_labels: With `multi_label`, the number of columns. Default ``None``: that of the first batch.
        label_weights: What each label counts for: its area with `multi_label`, its elements otherwise.
        from_logits: Whether predictions are logits. Otherwise those outside [0, 1] are taken as 0 or 1, as in Keras.
    """

    direction = "up"
    _labels: int | None  # of `multi_label`, where they are known
    _seen: Seen | None  # where the area is exact

    def __init__(
        self,
        num_thresholds: int | None = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: DTypeLike | None = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: ArrayLike | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        folded = curve.upper() if isinstance(curve, str) else curve
        self.curve = checks.choice(folded, "curve", curves.CURVES)
        folded = summation_method.lower() if isinstance(summation_method, str) else summation_method
        self.summation_method = checks.choice(folded, "summation_method", curves.METHODS)
        self.multi_label = checks.boolean(multi_label, "multi_label")
        self.num_labels = None if num_labels is None else checks.positive_int(num_labels, "num_labels")
        if self.num_labels is not None and not self.multi_label:
            raise ValueError("num_labels is for multi_label=True only.")
        self.label_weights = None if label_weights is None else _label_weights(label_weights)
        self.from_logits = checks.boolean(from_logits, "from_logits")
        self._own_thresholds = None if thresholds is None else sorted(counts.threshold_values(thresholds))
        self.num_thresholds = None
        if self._own_thresholds is not None:
            self.num_thresholds = len(self._own_thresholds) + 2
            self._counter = Thresholds([0.0, *self._own_thresholds, 1.0], margin=True)
        elif num_thresholds is not None:
            self.num_thresholds = checks.positive_int(num_thresholds, "num_thresholds", MOST_THRESHOLDS)
            if self.num_thresholds == 1:
                raise ValueError("num_thresholds must be at least 2, or None for the exact area, but got 1.")
            self._counter = Thresholds(counts.even_thresholds(self.num_thresholds), margin=True)
        self.reset_state()

    @property
    def thresholds(self) -> list[float]:
        """The thresholds; none where the area is exact."""
        return [] if self.num_thresholds is None else list(self._counter.values)

    # ---- what it has seen

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Count one more batch.

        Args:
            y_true: Targets, 0 or 1, of the shape of `y_pred`.
            y_pred: Predictions, (samples, ...); (samples, labels) with `multi_label`.
            sample_weight: What each sample, or each element, counts for. Default: 1.

        Raises:
            TypeError, ValueError: arrays that do not fit; other targets.
        """
        dtype = config.floatx() if self._seen is None else arrays.float_dtype_of(y_pred, config.floatx())
        batch = counts.aligned(y_true, y_pred, sample_weight, self.dtype or dtype)
        counts.check_binary(batch.y_true, self.name)
        self._check_labels(batch.y_pred.shape, self._labels)
        self._labels = batch.y_pred.shape[-1] if self.multi_label else 1
        if self.label_weights is not None and not self.multi_label:
            ones = np.ones(batch.y_pred.shape) if batch.weights is None else batch.weights
            batch = batch._replace(weights=ones * self.label_weights)
        if self._seen is not None:  # logits are in the same order as what a sigmoid makes of them
            self._seen = self._seen if self._seen.labels == self._labels else Seen(self._labels)
            self._seen.add(batch)
            return
        if self.from_logits:
            batch = batch._replace(y_pred=np.exp(-np.logaddexp(0, -batch.y_pred)))
        counted = self._counter.count(batch, self.multi_label)
        if self.true_positives.shape != counted.true_positives.shape:  # the first batch says how many labels there are
            self._set(Counts(*np.zeros_like(counted)))
        self._add(counted)

    def _check_labels(self, shape: tuple[int, ...], known: int | None) -> None:
        """Raise ValueError unless batches of this shape have the labels, perhaps `known`, that the metric is for."""
        labels = shape[-1]
        if self.multi_label and len(shape) != 2:
            raise ValueError(f"multi_label=True takes a batch (samples, labels), but y_pred has the shape {shape}.")
        if self.multi_label and labels != (known or labels):
            raise ValueError(f"The metric {self.name} is of {known} labels, but y_pred has {labels}.")
        if self.label_weights is not None and len(self.label_weights) != labels:
            raise ValueError(
                f"label_weights must have one number for each of {labels} labels, but has {len(self.label_weights)}."
            )

    def check_output(self, shape: tuple[int, ...]) -> None:
        self._check_labels((1, *shape), self.num_labels)

    def result(self) -> float:
        """The area of all batches; 0 before the first."""
        if self._seen is not None:
            areas = self._seen.areas(self.curve, self.summation_method)
        else:
            counted = Counts(*(getattr(self, name) for name in Counts._fields))
            areas = np.atleast_1d(curves.area(counted, self.curve, self.summation_method))
        if not self.multi_label or self.label_weights is None:
            return float(areas.mean())
        if len(areas) != len(self.label_weights):  # before the first batch
            return 0.0
        return float(ratio((areas * self.label_weights).sum(), self.label_weights.sum()))

    def reset_state(self) -> None:
        """Begin anew."""
        self._labels = self.num_labels
        self._seen = Seen(self.num_labels or 1) if self.num_thresholds is None else None
        if self.num_thresholds is not None:
            shape = (4, self.num_thresholds, self.num_labels) if self.num_labels else (4, self.num_thresholds)
            self._set(Counts(*np.zeros(shape)))

    def _set(self, counted: Counts) -> None:
        for name, values in zip(Counts._fields, counted, strict=True):
            setattr(self, name, values)

    def get_state(self) -> dict[str, Array]:
        """What the metric has seen so far: its counts, or with the exact area all predictions with their targets."""
        if self._seen is None:
            return super().get_state()
        seen = self._seen.all()
        return {} if seen is None else {name: np.array(x) for name, x in seen._asdict().items() if x is not None}

    def set_state(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `get_state` of an equal metric gave.

        Raises:
            ValueError: names or shapes that are not those of this metric's state; it is as before then.
        """
        values = {name: np.array(value) for name, value in state.items()}
        shapes = {value.shape for value in values.values()}
        shape = next(iter(shapes), ())
        if self._seen is None:
            fits = set(values) == set(Counts._fields) and shape[:1] == (self.num_thresholds,)
            fits &= len(shape) in (1, 1 + self.multi_label)
        else:
            fits = not values or ({"y_true", "y_pred"} <= set(values) <= set(Aligned._fields) and len(shape) == 2)
        labels = shape[1] if len(shape) == 2 else self.num_labels
        if not fits or len(shapes) > 1 or labels != (self.num_labels or labels):
            raise self._wrong_state(values)
        self.reset_state()
        self._labels = labels
        if self._seen is None:
            self._set(Counts(**values))
        elif values:
            self._seen = Seen(shape[1])
            self._seen.add(Aligned(values["y_true"], values["y_pred"], values.get("weights")))

    # ---- what it is

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
            "thresholds": self._own_thresholds,
        }
        return {**super().get_config(), **own}


def _label_weights(given: ArrayLike) -> Array:
    weights = arrays.as_array(given, "label_weights", np.float64)
    if weights.ndim != 1 or not len(weights) or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"label_weights must be a list of numbers of at least 0, but got {checks.shown(given)}.")
    return weights
