"""Losses as metrics."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from numpy.typing import ArrayLike, DTypeLike

from .. import losses
from ..losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from ..losses.probabilities import Crossentropy
from .base import Array, Metric
from .rows import RowMetric

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanLoss",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]


class MeanLoss(RowMetric):
    """The mean over the rows of any loss.

    Args:
        loss: The loss, or a name of it.
        name, dtype: see `Metric`. Default name: the loss's.
    """

    direction = "down"

    def __init__(self, loss: losses.LossLike, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        self.loss = losses.get(loss)
        if not self.loss.of_rows:
            raise ValueError(self.loss.without_rows())
        self.native_name, self.a, self.sparse = self.loss.native_name, self.loss.a, self.loss.sparse
        self.axis = self.loss.axis
        super().__init__(name, dtype)

    def automatic_name(self) -> str:
        return self.default_name or self.loss.name

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        return self.loss.prepare_targets(y, dtype=dtype, output_shape=output_shape, name=name)

    def check_beside(self, loss: losses.Loss | None) -> None:
        ignored = self.loss.ignore_class
        if ignored is not None and (loss is None or loss.ignore_class != ignored):
            raise ValueError(
                f"The metric {self.name} has ignore_class={ignored}, but the loss ignores other rows. Give it "
                "the same ignore_class: metrics leave out what the loss ignores."
            )

    def take_ignored(self, targets: Array) -> Array | None:
        return self.loss.take_ignored(targets)

    def check_targets(self, targets: Array) -> None:
        self.loss.check_values(targets, "y")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": losses.serialize(self.loss)}

    def _shows(self, setting: str, value: Any, default: Any) -> bool:
        return setting != "loss" and super()._shows(setting, value, default)

    def __repr__(self) -> str:
        shown = super().__repr__()
        if type(self) is not MeanLoss:
            return shown
        others = shown[len("MeanLoss(") : -1]
        return f"MeanLoss({self.loss!r}{', ' if others else ''}{others})"


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
    of_elements = True

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


class CosineSimilarity(MeanLoss):
    """Mean cosine of the angle between the rows of y and p: 1 for equal directions (the loss has the sign turned).

    Args:
        name, dtype: see `Metric`.
        axis: see the loss. Default ``-1``.
    """

    direction = "up"

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, axis: int = -1) -> None:
        super().__init__(losses.CosineSimilarity(axis), name, dtype)

    def finish(self, mean: float) -> float:
        return -mean

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), "axis": self.axis}


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
    """Base of the cross-entropies."""

    loss: Crossentropy

    def __init__(self, loss: Crossentropy, name: str | None, dtype: DTypeLike | None) -> None:
        super().__init__(loss, name, dtype)
        self.from_logits, self.label_smoothing = loss.from_logits, loss.label_smoothing

    def get_config(self) -> dict[str, Any]:
        own = self.loss.get_config()
        return {**Metric.get_config(self), **{name: own[name] for name in own if name not in ("name", "reduction")}}


class BinaryCrossentropy(_CrossentropyMetric):
    """Mean of `losses.BinaryCrossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing: see the loss. Defaults ``False`` and ``0.0``.
    """

    def __init__(
        self,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(losses.BinaryCrossentropy(from_logits, label_smoothing), name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "axis"}


class CategoricalCrossentropy(_CrossentropyMetric):
    """Mean of `losses.CategoricalCrossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, label_smoothing, axis: see the loss. Defaults ``False``, ``0.0`` and ``-1``.
    """

    def __init__(
        self,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(losses.CategoricalCrossentropy(from_logits, label_smoothing, axis), name, dtype)


class SparseCategoricalCrossentropy(_CrossentropyMetric):
    """Mean of `losses.SparseCategoricalCrossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits, ignore_class, axis, label_smoothing: see the loss. Defaults ``False``, ``None``, ``-1`` and
            ``0.0``. Beside a loss, a model takes the loss's own `ignore_class` only.
    """

    def __init__(
        self,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        *,
        label_smoothing: float = 0.0,
    ) -> None:
        loss = losses.SparseCategoricalCrossentropy(
            from_logits, ignore_class, axis=axis, label_smoothing=label_smoothing
        )
        super().__init__(loss, name, dtype)
