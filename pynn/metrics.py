"""Metrics: what is reported of a model beside its loss.

A metric is the mean of one value for each row of the prediction, a row being its last axis. During training the engine
computes the rows' values in the same pass as the loss; called directly, metrics keep a running mean, as in Keras.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import config, losses
from .data import arrays
from .foundation import checks, identifiers, parallel
from .foundation.names import to_snake_case
from .foundation.native import core

Array = NDArray[Any]


class Metric:
    """Base of the metrics; ``metric(y_true, y_pred)`` updates the running mean and returns it.

    Args:
        name: Default: the metric's own name.
        dtype: Number type of direct calls. Default ``None``: that of the prediction. A model computes in its own.

    Attributes:
        native_name, a: What the engine calls the rows' values, and its setting there.
        sparse: Whether the targets are class labels, one a row.
    """

    native_name: str = ""
    default_name: ClassVar[str] = ""  # where it is not native_name
    a: float = 0.0
    sparse: bool = False

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        self.name = name or self.default_name or self.native_name
        self.dtype = None if dtype is None else config.resolve_dtype(dtype)
        self.reset_state()

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

    def check_targets(self, targets: Array) -> None:
        """Raise ValueError unless the metric has a meaning for `targets`, which the model's loss has prepared."""

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        """The targets of a direct call as the engine takes them; see `Loss.prepare_targets`."""
        if self.sparse:
            return arrays.as_class_labels(y, name, output_shape[:-1], output_shape[-1])
        return arrays.as_targets(y, name, dtype, output_shape)

    def finish(self, mean: float) -> float:
        """The metric, from the mean of the rows' values."""
        return mean

    def forward(self, values: Array, y_pred: Array, y_true: Array) -> None:
        """Write the engine's value of every row of `y_pred` to `values` (float64); `y_true` is prepared."""
        core.metric_forward(values, y_pred, y_true, self.native_name, self.a, parallel.get_num_threads())

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike) -> None:
        """Take the rows of one more batch into the mean."""
        values = losses.row_values(self, y_true, y_pred)
        self._total += float(values.sum())
        self._count += values.size

    def result(self) -> float:
        """The metric over all batches since the last `reset_state`; 0 before the first."""
        return self.finish(self._total / self._count) if self._count else 0.0

    def reset_state(self) -> None:
        """Begin anew."""
        self._total = 0.0
        self._count = 0

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> float:
        self.update_state(y_true, y_pred)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """The metric of these arguments."""
        return cls(**config)


# ---- accuracy --------------------------------------------------------------------------------------------------------


class BinaryAccuracy(Metric):
    """Share of the elements where ``p > threshold`` says the same as the target, 0 or 1.

    Args:
        name, dtype: see `Metric`.
        threshold: Default ``0.5``.
    """

    native_name = "binary_accuracy"

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self.a = self.threshold = checks.finite(threshold, "threshold")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(Metric):
    """Share of the rows where the largest prediction is at the largest target (the first, where several are equal)."""

    native_name = "categorical_accuracy"


class SparseCategoricalAccuracy(Metric):
    """Share of the rows where the largest prediction (the first, where several are equal) is at the class label."""

    native_name = "sparse_categorical_accuracy"
    sparse = True


class TopKCategoricalAccuracy(Metric):
    """Share of the rows where fewer than k predictions are higher than that of the largest target.

    Args:
        k: Default ``5``.
        name, dtype: see `Metric`.
    """

    native_name = "top_k_categorical_accuracy"

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


# ---- losses as metrics -----------------------------------------------------------------------------------------------


class MeanLoss(Metric):
    """The mean over the rows of any loss.

    Args:
        loss: The loss, or a name of it.
        name, dtype: see `Metric`. Default name: the loss's.
    """

    def __init__(self, loss: object, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        self.loss = losses.get(loss)
        self.native_name, self.a, self.sparse = self.loss.native_name, self.loss.a, self.loss.sparse
        super().__init__(name or self.default_name or self.loss.name, dtype)

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        return self.loss.prepare_targets(y, dtype=dtype, output_shape=output_shape, name=name)

    def check_targets(self, targets: Array) -> None:
        self.loss.check_values(targets, "y")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": losses.serialize(self.loss)}


class _LossMetric(MeanLoss):
    """A loss as the metric of the same name: a subclass names the loss."""

    loss_class: ClassVar[type[losses.Loss]]

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(self.loss_class(), name, dtype)

    def get_config(self) -> dict[str, Any]:
        return Metric.get_config(self)


class MeanSquaredError(_LossMetric):
    """Mean of ``(y - p)**2``."""

    loss_class = losses.MeanSquaredError


class RootMeanSquaredError(_LossMetric):
    """Square root of the mean of ``(y - p)**2``."""

    loss_class = losses.MeanSquaredError
    default_name = "root_mean_squared_error"

    def finish(self, mean: float) -> float:
        return math.sqrt(mean)


class MeanAbsoluteError(_LossMetric):
    """Mean of ``abs(y - p)``."""

    loss_class = losses.MeanAbsoluteError


class MeanAbsolutePercentageError(_LossMetric):
    """Mean of ``100 * abs(y - p) / max(abs(y), 1e-7)``."""

    loss_class = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(_LossMetric):
    """Mean of ``(log(1 + max(y, 1e-7)) - log(1 + max(p, 1e-7)))**2``."""

    loss_class = losses.MeanSquaredLogarithmicError


class LogCoshError(_LossMetric):
    """Mean of ``log(cosh(p - y))``."""

    loss_class = losses.LogCosh
    default_name = "logcosh"


class CosineSimilarity(_LossMetric):
    """Mean cosine of the angle between the rows of y and p: 1 for equal directions (the loss has the sign turned)."""

    loss_class = losses.CosineSimilarity

    def finish(self, mean: float) -> float:
        return -mean


class Poisson(_LossMetric):
    """Mean of ``p - y * log(p + 1e-7)``."""

    loss_class = losses.Poisson


class KLDivergence(_LossMetric):
    """Mean over the rows of ``sum(y * log(y / p))``, both clipped to [1e-7, 1]."""

    loss_class = losses.KLDivergence


class Hinge(_LossMetric):
    """Mean of ``max(1 - y * p, 0)``, y being -1 or 1."""

    loss_class = losses.Hinge


class SquaredHinge(_LossMetric):
    """Mean of ``max(1 - y * p, 0)**2``, y being -1 or 1."""

    loss_class = losses.SquaredHinge


class CategoricalHinge(_LossMetric):
    """Mean over the rows of ``max(max((1 - y) * p) - sum(y * p) + 1, 0)``, y being one-hot."""

    loss_class = losses.CategoricalHinge


class _CrossentropyMetric(MeanLoss):
    """Base of the cross-entropies: a subclass names the loss."""

    loss_class: ClassVar[type[losses.Crossentropy]]

    def __init__(
        self,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(self.loss_class(from_logits=from_logits, label_smoothing=label_smoothing), name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}
        return {**Metric.get_config(self), **own}


class BinaryCrossentropy(_CrossentropyMetric):
    """Mean of `losses.BinaryCrossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing: see the loss. Defaults ``False`` and ``0.0``.
    """

    loss_class = losses.BinaryCrossentropy


class CategoricalCrossentropy(_CrossentropyMetric):
    """Mean of `losses.CategoricalCrossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing: see the loss. Defaults ``False`` and ``0.0``.
    """

    loss_class = losses.CategoricalCrossentropy


class SparseCategoricalCrossentropy(_CrossentropyMetric):
    """Mean of `losses.SparseCategoricalCrossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing: see the loss. Defaults ``False`` and ``0.0``.
    """

    loss_class = losses.SparseCategoricalCrossentropy


# ---- identifiers -----------------------------------------------------------------------------------------------------

_CLASSES: tuple[type[Metric], ...] = (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    MeanSquaredError,
    RootMeanSquaredError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    LogCoshError,
    CosineSimilarity,
    Poisson,
    KLDivergence,
    Hinge,
    SquaredHinge,
    CategoricalHinge,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
_ALIASES: dict[str, type[Metric]] = {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "bce": BinaryCrossentropy,
}
_TABLE: dict[str, type[Metric]] = {
    "MeanLoss": MeanLoss,
    **{cls.__name__: cls for cls in _CLASSES},
    **{to_snake_case(cls.__name__): cls for cls in _CLASSES},
    **_ALIASES,
    **{alias.upper(): cls for alias, cls in _ALIASES.items()},
}
# Losses that Keras has no metric class for; their names work as metrics all the same.
_LOSS_NAMES = ("huber", "log_cosh", "sum_squared_error", "perceptron")


def get(identifier: object) -> Metric:
    """Return the metric meant by a name, class, instance, configuration, or by a loss or function of `losses`.

    A metric given as a name is called by it. ``"accuracy"`` depends on the model: see `resolve`.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if isinstance(identifier, str):
        if identifier in _LOSS_NAMES:
            return MeanLoss(identifier, name=identifier)
        metric = identifiers.look_up(identifier, _TABLE, "metric")()
        metric.name = identifier
        return metric
    if isinstance(identifier, losses.Loss) or losses.is_function(identifier):
        return MeanLoss(identifier)
    return identifiers.resolve(identifier, Metric, _TABLE, "metric")


def resolve(identifier: object, *, sparse: bool, output_columns: int) -> Metric:
    """As `get`, with ``"accuracy"`` and ``"acc"`` for the accuracy that fits the model.

    Args:
        sparse: Whether the loss takes class labels: then it is sparse categorical accuracy.
        output_columns: Size of the output's last axis: 1 means binary, more means categorical accuracy.
    """
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        if sparse:
            return SparseCategoricalAccuracy(identifier)
        return BinaryAccuracy(identifier) if output_columns == 1 else CategoricalAccuracy(identifier)
    return get(identifier)


def serialize(metric: Metric) -> dict[str, Any]:
    """The configuration that `get` reads."""
    return identifiers.serialize(metric)
