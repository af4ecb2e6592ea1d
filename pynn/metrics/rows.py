"""Metrics that are the mean of a value of each row, the last axis of the prediction: the engine has the formulas.

A model has them measured in the same pass as its loss.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..foundation import parallel, registry
from ..foundation.native import core
from ..losses.base import check_last_axis, row_values, with_weights
from .base import Array, Metric


class RowMetric(Metric):
    """Base of these metrics; called directly, they keep a running mean, as in Keras.

    Args:
        name: Default: the metric's own name.
        dtype: Number type of direct calls. Default ``None``: that of the prediction. A model computes in its own.

    Attributes:
        native_name, a: What the engine calls the rows' values, and its setting there.
        axis: As for a loss: see `Loss`.
        of_engine: Whether the engine measures it in a model. One of your own that has methods of its own is measured in
            Python, as other metrics are.
        of_elements: Whether a row is nothing but its elements, which may have weights of their own in direct calls.
    """

    native_name: str = ""
    a: float | tuple[float, ...] = 0.0
    sparse: bool = False
    axis: int = -1
    of_engine: ClassVar[bool] = True
    of_elements: ClassVar[bool] = False
    state_names: ClassVar[tuple[str, ...]] = ("_total", "_count")

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)
        self.reset_state()

    @classmethod
    def _refuse(cls) -> None:
        super()._refuse()
        methods = (cls.update_state, cls.result, cls.reset_state)
        cls.of_engine = not any(map(registry.is_own, methods))

    def automatic_name(self) -> str:
        return self.default_name or self.native_name

    def counterpart(self) -> str:
        if self.sparse:
            return self.native_name.removeprefix("sparse_")
        return f"sparse_{self.native_name}" if "categorical" in self.native_name else ""

    def take_ignored(self, targets: Array) -> Array | None:
        """As for a loss: see `Loss.take_ignored`."""
        return None

    def check_output(self, shape: tuple[int, ...]) -> None:
        check_last_axis(self, len(shape) + 1)

    def finish(self, mean: float) -> float:
        """The metric, from the mean of the rows' values."""
        return mean

    def forward(self, values: Array, y_pred: Array, y_true: Array) -> None:
        """Write the engine's value of every row of `y_pred` to `values` (float64); `y_true` is prepared."""
        core.metric_forward(values, y_pred, y_true, self.native_name, self.a, parallel.get_num_threads())

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take the rows of one more batch into the mean.

        Args:
            y_true, y_pred: Targets and predictions.
            sample_weight: What each sample, or each row of a sample, counts for. Default: all count alike. Accuracies
                of binary targets, and the root mean square, take one for each element, too.

        Raises:
            TypeError, ValueError: arrays that do not fit; weights that are negative or not finite.
        """
        if self.of_elements and 0 < np.ndim(y_pred) <= (1 if sample_weight is None else np.ndim(sample_weight) or 1):
            y_true, y_pred = np.expand_dims(y_true, -1), np.expand_dims(y_pred, -1)
        values, kept = row_values(self, y_true, y_pred)
        rows = max(values.size // max(len(values), 1), 1) if values.ndim else 1  # of a sample
        if kept is None and sample_weight is None:
            self._total += float(values.sum()) / rows
            self._count += values.size / rows
            return
        weights = np.ones_like(values) if kept is None else kept.astype(values.dtype)
        if sample_weight is not None:
            given = np.asarray(sample_weight)
            missing = max(values.ndim - given.ndim, 0) if given.ndim else 0  # axes of a sample's rows
            of_rows = values.reshape(values.shape + (1,) * max(given.ndim - values.ndim, 0))
            _, given = with_weights(of_rows, given.reshape(given.shape + (1,) * missing) if missing else sample_weight)
            weights = weights * given.reshape(values.shape)
        self._total += float((values * weights).sum()) / rows
        self._count += float(weights.sum()) / rows

    def take_totals(self, total: float, count: float) -> None:
        """Stand for rows that a model has measured: the sum of their values, and what to divide it by."""
        self._total, self._count = total, count

    def result(self) -> float:
        """The metric over all batches since the last `reset_state`; 0 before the first."""
        return self.finish(self._total / self._count) if self._count else 0.0

    def reset_state(self) -> None:
        """Begin anew."""
        self._total = 0.0
        self._count = 0.0
