"""Shares of the rows or elements that are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..data import arrays
from ..foundation import checks
from ..losses.base import row_values
from .base import Array, Metric
from .rows import RowMetric

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


class BinaryAccuracy(RowMetric):
    """Share of the elements where ``p > threshold`` says the same as the target, 0 or 1.

    Args:
        name, dtype: see `Metric`.
        threshold: Default ``0.5``, for probabilities. Logits are compared with 0: where the loss is ``from_logits``,
            give ``threshold=0``. (The name ``"accuracy"`` always means 0.5, as in Keras.)
    """

    native_name = "binary_accuracy"
    direction = "up"
    of_elements = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self.a = self.threshold = checks.finite(threshold, "threshold")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(RowMetric):
    """Share of the rows where the largest prediction is at the largest target (the first, where several are equal)."""

    native_name = "categorical_accuracy"
    direction = "up"


class SparseCategoricalAccuracy(RowMetric):
    """Share of the rows where the largest prediction (the first, where several are equal) is at the class label."""

    native_name = "sparse_categorical_accuracy"
    direction = "up"
    sparse = True


class TopKCategoricalAccuracy(RowMetric):
    """Share of the rows where fewer than k predictions are higher than that of the largest target.

    Args:
        k: Default ``5``.
        name, dtype: see `Metric`.
    """

    native_name = "top_k_categorical_accuracy"
    direction = "up"

    def __init__(self, k: int = 5, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)
        self.k = checks.positive_int(k, "k")
        self.a = float(self.k)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """Share of the rows where fewer than k predictions are higher than that of the class label.

    Args:
        k: Default ``5``.
        name, dtype: see `Metric`.
        from_sorted_ids: Whether `y_pred` are not numbers for each class, but the ids of classes, the likeliest first:
            then it is the share of the rows whose first k ids have that of the target. For direct calls only. Default
            ``False``.
    """

    native_name = "sparse_top_k_categorical_accuracy"
    sparse = True

    def __init__(
        self, k: int = 5, name: str | None = None, dtype: DTypeLike | None = None, from_sorted_ids: bool = False
    ) -> None:
        super().__init__(k, name, dtype)
        self.from_sorted_ids = checks.boolean(from_sorted_ids, "from_sorted_ids")

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        if not self.from_sorted_ids:
            return super().prepare_targets(y, dtype=dtype, output_shape=output_shape, name=name)
        return arrays.as_targets(y, name, dtype, (*output_shape[:-1], 1))

    def forward(self, values: Array, y_pred: Array, y_true: Array) -> None:
        if self.from_sorted_ids:
            values[...] = (y_pred[..., : self.k] == y_true).any(-1)
        else:
            super().forward(values, y_pred, y_true)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        if self.from_sorted_ids:  # float32 does not have all ids
            y_pred = arrays.as_array(y_pred, "y_pred", np.float64)
        super().update_state(y_true, y_pred, sample_weight)

    def check_output(self, shape: tuple[int, ...]) -> None:
        super().check_output(shape)
        if self.from_sorted_ids:
            raise ValueError(
                f"The metric {self.name} has from_sorted_ids=True, which is for direct calls: a model gives numbers "
                "for each class."
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_sorted_ids": self.from_sorted_ids}


# ---- the functions -------------------------------------------------------------------------------------------------
# Each gives float64: 1 for what is right, else 0.


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Array:
    """`BinaryAccuracy`'s value of each element of `y_pred`."""
    metric = BinaryAccuracy(threshold=threshold)
    return row_values(metric, np.expand_dims(y_true, -1), np.expand_dims(y_pred, -1))[0]


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`CategoricalAccuracy`'s value of each row."""
    return row_values(CategoricalAccuracy(), y_true, y_pred)[0]


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """`SparseCategoricalAccuracy`'s value of each row."""
    return row_values(SparseCategoricalAccuracy(), y_true, y_pred)[0]


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Array:
    """`TopKCategoricalAccuracy`'s value of each row."""
    return row_values(TopKCategoricalAccuracy(k), y_true, y_pred)[0]


def sparse_top_k_categorical_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> Array:
    """`SparseTopKCategoricalAccuracy`'s value of each row."""
    dtype = np.float64 if from_sorted_ids else None  # float32 does not have all ids
    return row_values(SparseTopKCategoricalAccuracy(k, None, dtype, from_sorted_ids), y_true, y_pred)[0]


# The metrics that the functions belong to.
FUNCTIONS: dict[Callable[..., Array], type[Metric]] = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
}
