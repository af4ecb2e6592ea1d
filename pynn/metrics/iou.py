"""Metrics of the confusion matrix of classes: the matrix, and intersection over union."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..data import arrays
from ..foundation import checks
from . import counts
from .base import Array, Metric

__all__ = ["BinaryIoU", "ConfusionMatrix", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"]

_EPSILON = 1e-7
# The matrix has so many rows.
_MOST_CLASSES = 10_000


class ConfusionMatrix(Metric):
    """How often each class was taken for each: rows are the true classes, columns the predicted ones. Of pynn's own.

    Labels that are no class, below 0 or not below `num_classes`, are not counted.

    Args:
        num_classes: Number of classes.
        name: Default: the class's name in snake case.
        dtype: Has no effect; sums are made in float64.
        ignore_class: True label that is not counted. Default ``None``: none.
        sparse_y_true, sparse_y_pred: Whether `y_true` or `y_pred` are labels (default), or have a number for each
            class, of which the highest says the class, the first of equal ones.
        axis: Of the classes, where there is one. Default ``-1``.
    """

    state_names: ClassVar[tuple[str, ...]] = ("total_cm",)
    additive = True
    total_cm: Array

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.num_classes = checks.positive_int(num_classes, "num_classes", _MOST_CLASSES)
        self.ignore_class = None if ignore_class is None else checks.index(ignore_class, "ignore_class")
        self.sparse_y_true = checks.boolean(sparse_y_true, "sparse_y_true")
        self.sparse_y_pred = checks.boolean(sparse_y_pred, "sparse_y_pred")
        self.axis = checks.one_axis(axis)
        if self.sparse_y_true != self.sparse_y_pred or not self.sparse_y_true:
            self.sparse = self.sparse_y_true
        self.reset_state()

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Count one more batch.

        Args:
            y_true, y_pred: Labels, or numbers for each class, as the metric was told. The labels of both have one
                shape, but for axes of size 1 that one of them may lack.
            sample_weight: What each sample, or each label, counts for. Default: 1.

        Raises:
            TypeError, ValueError: arrays that do not fit; labels that are no whole numbers.
        """
        true = self._labels(y_true, "y_true", self.sparse_y_true)
        predicted = self._labels(y_pred, "y_pred", self.sparse_y_pred)
        if true.ndim != predicted.ndim and _without_ones(true.shape) == _without_ones(predicted.shape):
            shape = min(true.shape, predicted.shape, key=len)
            true, predicted = true.reshape(shape), predicted.reshape(shape)
        if true.shape != predicted.shape or true.ndim == 0:
            raise ValueError(
                f"y_true and y_pred must have labels of one shape, but have {true.shape} and {predicted.shape}. A "
                "y_pred with a number for each class needs sparse_y_pred=False."
            )
        self._count(true, predicted, counts.weights_of(sample_weight, true.shape))

    def _labels(self, y: ArrayLike, name: str, sparse: bool) -> Array:
        given = arrays.as_numbers(y, name)
        if not sparse:
            if given.ndim < 2 or not -given.ndim <= self.axis < given.ndim:
                raise ValueError(f"{name} must have an axis {self.axis} of classes, but has the shape {given.shape}.")
            if given.shape[self.axis] != self.num_classes:
                raise ValueError(f"{name} must have {self.num_classes} classes, but has the shape {given.shape}.")
            return np.asarray(given.argmax(self.axis))
        with np.errstate(invalid="ignore"):
            labels = given.astype(np.int64)
        if given.dtype.kind == "f" and (labels != given).any():
            place = np.unravel_index(int(np.argmax(labels != given)), given.shape)
            raise ValueError(
                f"{name} must be class labels, whole numbers, but has {given[place]}. Numbers for each class need "
                f"sparse_{name}=False."
            )
        return labels

    def _count(self, true: Array, predicted: Array, weights: Array | None) -> None:
        classes = self.num_classes
        counted = (true >= 0) & (true < classes) & (predicted >= 0) & (predicted < classes)
        if self.ignore_class is not None:
            counted &= true != self.ignore_class
        places = true[counted] * classes + predicted[counted]
        sums = np.bincount(places, None if weights is None else weights[counted], classes * classes)
        self.total_cm = self.total_cm + sums.reshape(classes, classes)

    def result(self) -> Any:
        """The matrix over all batches, in float64: ``[true, predicted]``."""
        return self.total_cm.copy()

    def reset_state(self) -> None:
        """Begin anew."""
        self.total_cm = np.zeros((self.num_classes, self.num_classes))

    def check_output(self, shape: tuple[int, ...]) -> None:
        whole = (None, *shape)
        has_axis = -len(whole) <= self.axis < len(whole)
        if not self.sparse_y_pred and (not has_axis or whole[self.axis] != self.num_classes):
            raise ValueError(
                f"The metric {self.name} is of {self.num_classes} classes along the axis {self.axis}, but the output "
                f"is {whole}."
            )

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_classes": self.num_classes,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }
        return {**super().get_config(), **own}


class IoU(ConfusionMatrix):
    """Intersection over union, ``tp / (tp + fp + fn)``: the mean over some classes, of those that occur.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes whose mean it is.
        name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: see `ConfusionMatrix`.
    """

    direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        ids = checks.listed(target_class_ids)
        if not isinstance(ids, list | tuple | range) or not ids:
            raise TypeError(f"target_class_ids must be a list of classes, but got {checks.shown(target_class_ids)}.")
        last = self.num_classes - 1
        self.target_class_ids = [checks.non_negative_int(each, "every value of target_class_ids", last) for each in ids]

    def result(self) -> float:
        """The mean over all batches; 0 where none of the classes occurs."""
        right = np.diag(self.total_cm)[self.target_class_ids]
        union = (self.total_cm.sum(0) + self.total_cm.sum(1))[self.target_class_ids] - right
        occurs = union > 1e-9
        return float((right[occurs] / (union[occurs] + _EPSILON)).sum() / (occurs.sum() + _EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_class_ids": list(self.target_class_ids)}


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]


def _without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in names}


class BinaryIoU(IoU):
    """Intersection over union of two classes, 0 and 1, which a threshold tells apart.

    Args:
        target_class_ids: The classes whose mean it is. Default ``(0, 1)``.
        threshold: A prediction of at least this is of class 1. Default ``0.5``.
        name, dtype: see `ConfusionMatrix`.
    """

    sparse = False

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = checks.finite(threshold, "threshold")

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Count one more batch.

        Args:
            y_true: Labels, 0 or 1.
            y_pred: Predictions, of the shape of `y_true`.
            sample_weight: What each sample, or each element, counts for. Default: 1.

        Raises:
            TypeError, ValueError: arrays that do not fit; labels that are no whole numbers.
        """
        predictions = arrays.as_array(y_pred, "y_pred", np.float32)
        super().update_state(y_true, predictions >= np.float32(self.threshold), sample_weight)

    def get_config(self) -> dict[str, Any]:
        matrix = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**_without(super().get_config(), *matrix), "threshold": self.threshold}


class MeanIoU(IoU):
    """Intersection over union: the mean over all classes that occur.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: see `ConfusionMatrix`.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        classes = range(checks.positive_int(num_classes, "num_classes", _MOST_CLASSES))
        super().__init__(num_classes, classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "target_class_ids")


class OneHotIoU(IoU):
    """`IoU` of one-hot targets.

    Args:
        num_classes, target_class_ids: see `IoU`.
        name, dtype, ignore_class, axis: see `ConfusionMatrix`.
        sparse_y_pred: Whether `y_pred` are labels. Default ``False``: they have a number for each class.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot targets.

    Args:
        num_classes, name, dtype, ignore_class, axis: see `ConfusionMatrix`.
        sparse_y_pred: Whether `y_pred` are labels. Default ``False``: they have a number for each class.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "sparse_y_true")
