"""Shares of the rows or elements that are right."""

from __future__ import annotations

from typing import Any

from numpy.typing import DTypeLike

from ..foundation import checks
from .rows import RowMetric

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
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
    """

    native_name = "sparse_top_k_categorical_accuracy"
    sparse = True
