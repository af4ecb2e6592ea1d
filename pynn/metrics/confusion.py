"""Metrics of true and false positives and negatives at thresholds."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import config
from ..foundation import checks
from . import counts
from .base import Array, Metric
from .counts import Aligned, Counts, Thresholds, ratio

__all__ = [
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "PrecisionAtRecall",
    "Recall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "TrueNegatives",
    "TruePositives",
]

# Memory is taken for each threshold.
MOST_THRESHOLDS = 1_000_000
# Below every threshold; what Keras gives predictions that are not among the highest.
_LOWEST = -1e10


class Counting(Metric):
    """Base of what counts at thresholds: keeps the four sums, one number for each threshold, as attributes.

    Args:
        name: Default: the class's name in snake case.
        dtype: Number type in which predictions and thresholds are compared. Default ``None``: ``config.floatx()``.
    """

    sparse = False
    additive = True
    state_names = Counts._fields
    true_positives: Array
    false_positives: Array
    true_negatives: Array
    false_negatives: Array
    top_k: int | None = None
    class_id: int | None = None

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)
        self._counter = Thresholds([0.5])

    def _count_at(self, thresholds: Thresholds) -> None:
        """Begin to count at these."""
        self._counter = thresholds
        self.reset_state()

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Count one more batch.

        Args:
            y_true: Targets, 0 or 1, of the shape of `y_pred`.
            y_pred: Predictions, (samples, ...).
            sample_weight: What each sample, or each element, counts for. Default: 1.

        Raises:
            TypeError, ValueError: arrays that do not fit; other targets.
        """
        batch = counts.aligned(y_true, y_pred, sample_weight, self.dtype or config.floatx())
        counts.check_binary(batch.y_true, self.name)
        self._add(self._counter.count(self._chosen(batch)))

    def _add(self, counted: Counts) -> None:
        for name, values in zip(Counts._fields, counted, strict=True):
            setattr(self, name, getattr(self, name) + values)

    def _chosen(self, batch: Aligned) -> Aligned:
        """What of the batch counts: of all classes the k best, or one class."""
        columns = batch.y_pred.shape[-1]
        if self.top_k is not None:
            self._check_columns("top_k", self.top_k, columns)
            best = np.argsort(-batch.y_pred, axis=-1, kind="stable")[..., : self.top_k]
            others = np.ones(batch.y_pred.shape, bool)
            np.put_along_axis(others, best, False, -1)
            batch = batch._replace(y_pred=np.where(others, batch.y_pred.dtype.type(_LOWEST), batch.y_pred))
        if self.class_id is not None:
            if batch.y_pred.ndim < 2:
                raise ValueError(f"y_pred must be (samples, classes) for class_id, but has {batch.y_pred.shape}.")
            self._check_columns("class_id", self.class_id + 1, columns)
            batch = batch.each(lambda x: x[..., self.class_id])
        return batch

    def _check_columns(self, argument: str, needed: int, columns: int) -> None:
        if needed > columns:
            raise ValueError(
                f"{argument}={getattr(self, argument)} of the metric {self.name} needs {needed} or more classes, but "
                f"there are {columns}."
            )

    def check_output(self, shape: tuple[int, ...]) -> None:
        super().check_output(shape)
        if self.top_k is not None:
            self._check_columns("top_k", self.top_k, shape[-1])
        if self.class_id is not None:
            self._check_columns("class_id", self.class_id + 1, shape[-1])

    def check_targets(self, targets: Array) -> None:
        counts.check_binary(targets, f"The metric {self.name}", "y")

    def reset_state(self) -> None:
        """Begin anew."""
        for name in Counts._fields:
            setattr(self, name, np.zeros(len(self._counter)))

    def _one_or_all(self, values: Array) -> float | Array:
        return float(values[0]) if len(values) == 1 else values.copy()


class _Condition(Counting):
    """Base of the four counts."""

    of: ClassVar[str]  # the attribute

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)
        self.init_thresholds = None if thresholds is None else _as_given(thresholds)
        self.thresholds = counts.threshold_values(0.5 if thresholds is None else thresholds)
        self._count_at(Thresholds(self.thresholds))

    def result(self) -> float | Array:
        """The sum of the weights, or the count where there are none; an array where there are several thresholds."""
        return self._one_or_all(getattr(self, self.of))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


def _as_given(thresholds: Any) -> float | list[float]:
    values = counts.threshold_values(thresholds)
    return values if isinstance(thresholds, list | tuple | np.ndarray) else values[0]


class TruePositives(_Condition):
    """Number of the predictions above a threshold whose target is 1, or the sum of their weights.

    Args:
        thresholds: One number or several, each in [0, 1]: a prediction above it is positive. Default ``None``: 0.5. Of
            several, the result is an array. Logits are compared with 0: give 0 where the loss is ``from_logits``.
        name: Default: the class's name in snake case.
        dtype: Number type in which predictions and thresholds are compared. Default ``None``: ``config.floatx()``.
    """

    of = "true_positives"


class FalsePositives(_Condition):
    """Number of the predictions above a threshold whose target is 0, or the sum of their weights.

    Args:
        thresholds, name, dtype: see `TruePositives`.
    """

    of = "false_positives"


class TrueNegatives(_Condition):
    """Number of the predictions not above a threshold whose target is 0, or the sum of their weights.

    Args:
        thresholds, name, dtype: see `TruePositives`.
    """

    of = "true_negatives"


class FalseNegatives(_Condition):
    """Number of the predictions not above a threshold whose target is 1, or the sum of their weights.

    Args:
        thresholds, name, dtype: see `TruePositives`.
    """

    of = "false_negatives"


class _Rate(Counting):
    """Base of precision and recall."""

    direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.init_thresholds = None if thresholds is None else _as_given(thresholds)
        self.top_k = None if top_k is None else checks.positive_int(top_k, "top_k")
        self.class_id = None if class_id is None else checks.non_negative_int(class_id, "class_id")
        if thresholds is None:
            self.thresholds = [0.5 if top_k is None else _LOWEST]
        else:
            self.thresholds = counts.threshold_values(thresholds)
        self._count_at(Thresholds(self.thresholds))

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


class Precision(_Rate):
    """Share of the positive predictions that are right: ``tp / (tp + fp)``, and 0 where none is positive.

    Args:
        thresholds: One number or several, each in [0, 1]: a prediction above it is positive. Default ``None``: 0.5, or
            with `top_k` none. Of several, the result is an array. Logits are compared with 0: give 0 where the loss is
            ``from_logits``.
        top_k: Only the k highest predictions of a row, the first of equal ones, can be positive. Default ``None``: all.
        class_id: The only class, a place of the last axis, that counts. Default ``None``: all.
        name, dtype: see `TruePositives`.
    """

    def result(self) -> float | Array:
        """The precision over all batches; an array where there are several thresholds."""
        return self._one_or_all(ratio(self.true_positives, self.true_positives + self.false_positives))


class Recall(_Rate):
    """Share of the positive targets that are found: ``tp / (tp + fn)``, and 0 where there are none.

    Args:
        thresholds, top_k, class_id, name, dtype: see `Precision`.
    """

    def result(self) -> float | Array:
        """The recall over all batches; an array where there are several thresholds."""
        return self._one_or_all(ratio(self.true_positives, self.true_positives + self.false_negatives))


class _BestUnder(Counting):
    """Base of the best of one rate where another is high enough: a subclass names the two rates."""

    direction = "up"
    demanded: ClassVar[str]  # the argument, and the rate that must be at least this
    other: ClassVar[str]

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.value = checks.number(value, self.demanded, "[0, 1]")
        self.num_thresholds = checks.positive_int(num_thresholds, "num_thresholds", MOST_THRESHOLDS)
        self.class_id = None if class_id is None else checks.non_negative_int(class_id, "class_id")
        self.thresholds = [0.5] if num_thresholds == 1 else counts.even_thresholds(self.num_thresholds)
        self._count_at(Thresholds(self.thresholds))

    def _rate(self, name: str) -> Array:
        right, wrong = {
            "precision": (self.true_positives, self.false_positives),
            "recall": (self.true_positives, self.false_negatives),
            "sensitivity": (self.true_positives, self.false_negatives),
            "specificity": (self.true_negatives, self.false_positives),
        }[name]
        return ratio(right, right + wrong)

    def result(self) -> float:
        """The best rate over all batches; 0 where no threshold gives enough of the other."""
        enough = self._rate(self.demanded) >= self.value
        return float(self._rate(self.other)[enough].max(initial=0.0))

    def get_config(self) -> dict[str, Any]:
        own = {self.demanded: self.value, "num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return {**super().get_config(), **own}


class SensitivityAtSpecificity(_BestUnder):
    """The highest ``tp / (tp + fn)`` of all thresholds where ``tn / (tn + fp)`` is at least `specificity`.

    Args:
        specificity: A number in [0, 1].
        num_thresholds: So many thresholds from 0 to 1, evenly; one is 0.5. Default ``200``.
        class_id: The only class, a place of the last axis, that counts. Default ``None``: all.
        name, dtype: see `TruePositives`.
    """

    demanded, other = "specificity", "sensitivity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = self.value


class SpecificityAtSensitivity(_BestUnder):
    """The highest ``tn / (tn + fp)`` of all thresholds where ``tp / (tp + fn)`` is at least `sensitivity`.

    Args:
        sensitivity: A number in [0, 1].
        num_thresholds, class_id, name, dtype: see `SensitivityAtSpecificity`.
    """

    demanded, other = "sensitivity", "specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = self.value


class PrecisionAtRecall(_BestUnder):
    """The highest precision of all thresholds where the recall is at least `recall`.

    Args:
        recall: A number in [0, 1].
        num_thresholds, class_id, name, dtype: see `SensitivityAtSpecificity`.
    """

    demanded, other = "recall", "precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = self.value


class RecallAtPrecision(_BestUnder):
    """The highest recall of all thresholds where the precision is at least `precision`.

    Args:
        precision: A number in [0, 1].
        num_thresholds, class_id, name, dtype: see `SensitivityAtSpecificity`.
    """

    demanded, other = "precision", "recall"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = self.value
