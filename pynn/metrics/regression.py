"""The coefficient of determination."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..data import arrays
from ..foundation import checks
from . import counts
from .base import Array, Metric

__all__ = ["R2Score"]

_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """``1 - sum((y - p)**2) / sum((y - mean(y))**2)`` of each column, over all samples.

    Of a column whose targets are all equal it is 0, or NaN where the predictions are right, as in Keras.

    Args:
        class_aggregation: What becomes of the columns. ``"uniform_average"`` (default): their mean.
            ``"variance_weighted_average"``: their mean, by the variance of their targets. None: an array.
        num_regressors: The number of independent variables for the adjusted score ``1 - (1 - r2) * (n - 1) /
            (n - num_regressors - 1)``, with n the number of elements seen. Default ``0``: not adjusted.
        name: Default ``"r2_score"``.
        dtype: Number type to which targets and predictions are rounded. Default ``None``: float64.
    """

    default_name = "r2_score"
    direction = "up"
    sparse = False
    state_names: ClassVar[tuple[str, ...]] = ("squared_sum", "sum", "total_mse", "count", "num_samples")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.class_aggregation = checks.choice(class_aggregation, "class_aggregation", _AGGREGATIONS)
        self.num_regressors = checks.non_negative_int(num_regressors, "num_regressors")
        self.reset_state()

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take one more batch in.

        Args:
            y_true, y_pred: Targets and predictions, (samples, columns).
            sample_weight: What each sample, or each element, counts for. Default: 1.

        Raises:
            TypeError, ValueError: arrays that do not fit.
        """
        y_true, y_pred = (arrays.as_array(y, "y", self.dtype or np.float64) for y in (y_true, y_pred))
        batch = counts.aligned(y_true, y_pred, sample_weight, np.float64)
        if batch.y_pred.ndim != 2:
            raise ValueError(f"R2Score takes batches (samples, columns), but y_pred has the shape {np.shape(y_pred)}.")
        weights = np.ones(batch.y_pred.shape) if batch.weights is None else batch.weights
        columns = batch.y_pred.shape[1]
        if self.sum is not None and len(self.sum) != columns:
            raise ValueError(f"The metric {self.name} is of {len(self.sum)} columns, but y_pred has {columns}.")
        terms = [
            batch.y_true**2 * weights,
            batch.y_true * weights,
            (batch.y_true - batch.y_pred) ** 2 * weights,
            weights,
        ]
        for name, each in zip(self.state_names, terms, strict=False):
            before = getattr(self, name)
            setattr(self, name, each.sum(0) if before is None else before + each.sum(0))
        self.num_samples += batch.y_pred.size

    def result(self) -> float | Array:
        """The score of all batches; 0 before the first."""
        if self.sum is None:
            return 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = self.squared_sum - self.sum * (self.sum / self.count)
            scores: Any = 1 - self.total_mse / variance
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "uniform_average":
                scores = scores.mean()
            elif self.class_aggregation == "variance_weighted_average":
                scores = (variance * scores).sum() / variance.sum()
        scores = self._adjusted(scores)
        return scores if self.class_aggregation is None else float(scores)

    def _adjusted(self, scores: Any) -> Any:
        """The score less what so many independent variables explain by chance."""
        left = self.num_samples - self.num_regressors - 1
        if not self.num_regressors:
            return scores
        if left <= 0:
            warnings.warn(
                f"num_regressors={self.num_regressors} is too many for {self.num_samples} elements: the R2 score is "
                "not adjusted.",
                stacklevel=3,
            )
            return scores
        return 1 - (1 - scores) * (self.num_samples - 1) / left

    def reset_state(self) -> None:
        """Begin anew."""
        self.squared_sum: Any = None
        self.sum: Any = None
        self.total_mse: Any = None
        self.count: Any = None
        self.num_samples = 0

    def check_output(self, shape: tuple[int, ...]) -> None:
        self.check_columns(shape, "columns")

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
