"""What all metrics have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import config
from ..data import arrays
from ..foundation import checks, parallel
from ..foundation.identifiers import Described
from ..foundation.native import core
from ..losses.base import Loss, row_values, with_weights

Array = NDArray[Any]


class Metric(Described):
    """Base of the metrics; ``metric(y_true, y_pred, sample_weight=None)`` updates the running mean and returns it.

    Args:
        name: Default: the metric's own name.
        dtype: Number type of direct calls. Default ``None``: that of the prediction. A model computes in its own.

    Attributes:
        native_name, a: What the engine calls the rows' values, and its setting there.
        sparse: Whether the targets are class labels, one a row.
    """

    kind = "metric"
    native_name: str = ""
    default_name: ClassVar[str] = ""  # where it is not native_name
    a: float | tuple[float, ...] = 0.0
    sparse: bool = False

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        if type(self) is Metric:
            self._refuse()
        self.name = checks.text(name, "name") if name else self.automatic_name()
        self.dtype = None if dtype is None else config.resolve_dtype(dtype)
        self.reset_state()

    def automatic_name(self) -> str:
        """The name of a metric that was given none."""
        return self.default_name or self.native_name

    def check_kind(self, labels: bool) -> None:
        """Raise ValueError unless the metric takes targets as the model's loss does: class `labels`, or values."""
        if labels and not self.sparse:
            like = "" if "categorical" not in self.native_name else f" Use sparse_{self.native_name} instead."
            raise ValueError(
                f"The metric {self.name} takes targets of the output's shape, but the loss takes class labels.{like}"
            )
        if self.sparse and not labels:
            like = self.native_name.removeprefix("sparse_")
            raise ValueError(
                f"The metric {self.name} takes class labels, but the loss takes targets of the output's shape. "
                f"Use {like} instead."
            )

    def check_beside(self, loss: Loss | None) -> None:
        """Raise ValueError unless the metric can be measured beside a model's `loss`, or None."""

    def check_targets(self, targets: Array) -> None:
        """Raise ValueError unless the metric has a meaning for `targets`, which the model's loss has prepared."""

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        """The targets of a direct call as the engine takes them; see `Loss.prepare_targets`."""
        if self.sparse:
            return arrays.as_class_labels(y, name, output_shape[:-1], output_shape[-1])
        return arrays.as_targets(y, name, dtype, output_shape)

    def take_ignored(self, targets: Array) -> Array | None:
        """As for a loss: see `Loss.take_ignored`."""
        return None

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
            sample_weight: What each sample, or each row of a sample, counts for. Default: all count alike.
        """
        values, kept = row_values(self, y_true, y_pred)
        weights = np.ones_like(values) if kept is None else kept.astype(values.dtype)
        if sample_weight is not None:
            given = np.asarray(sample_weight)
            missing = max(values.ndim - given.ndim, 0) if given.ndim else 0  # axes of a sample's rows
            of_rows = values.reshape(values.shape + (1,) * max(given.ndim - values.ndim, 0))
            _, given = with_weights(of_rows, given.reshape(given.shape + (1,) * missing) if missing else sample_weight)
            weights = weights * given.reshape(values.shape)
        rows = max(values.size // max(len(values), 1), 1) if values.ndim else 1  # of a sample
        self._total += float((values * weights).sum()) / rows
        self._count += float(weights.sum()) / rows

    def result(self) -> float:
        """The metric over all batches since the last `reset_state`; 0 before the first."""
        return self.finish(self._total / self._count) if self._count else 0.0

    def reset_state(self) -> None:
        """Begin anew."""
        self._total = 0.0
        self._count = 0.0

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    def _shows(self, setting: str, value: Any, default: Any) -> bool:
        return bool(value != (self.automatic_name() if setting == "name" else default))
