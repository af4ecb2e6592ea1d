"""F scores: harmonic means of precision and recall."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import config
from ..data import arrays
from ..foundation import checks
from . import counts
from .base import Array, Metric

__all__ = ["F1Score", "FBetaScore"]

_EPSILON = 1e-7
_AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(Metric):
    """``(1 + beta**2) * precision * recall / (beta**2 * precision + recall)``, of each class.

    Args:
        average: What becomes of the classes. None (default): an array, one number for each. ``"micro"``: all classes
            are counted together. ``"macro"``: their mean. ``"weighted"``: their mean, by the number of their targets.
        beta: How much more recall counts than precision. Default ``1.0``.
        threshold: A prediction above it is positive; in (0, 1]. Default ``None``: the highest of a row is.
        name: Default ``"fbeta_score"``.
        dtype: Number type in which predictions are compared. Default ``None``: ``config.floatx()``.
    """

    default_name = "fbeta_score"
    direction = "up"
    sparse = False
    additive = True
    state_names: ClassVar[tuple[str, ...]] = (
        "true_positives",
        "false_positives",
        "false_negatives",
        "intermediate_weights",
    )

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.average = checks.choice(average, "average", _AVERAGES)
        self.beta = checks.number(beta, "beta", "(0, inf)")
        self.threshold = checks.optional_number(threshold, "threshold", "(0, 1]")
        self.reset_state()

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Count one more batch.

        Args:
            y_true: Targets, 0 or 1: (samples, classes).
            y_pred: Predictions, (samples, classes).
            sample_weight: What each sample counts for. Default: 1.

        Raises:
            TypeError, ValueError: arrays that do not fit; other targets.
        """
        dtype = self.dtype or config.floatx()
        targets, predictions = (arrays.as_array(y, n, dtype) for y, n in ((y_true, "y_true"), (y_pred, "y_pred")))
        if predictions.ndim != 2 or predictions.shape != targets.shape or not predictions.shape[1]:
            raise ValueError(
                f"{type(self).__name__} takes y_true and y_pred of the shape (samples, classes), but they have the "
                f"shapes {targets.shape} and {predictions.shape}."
            )
        classes = predictions.shape[1]
        if self.average != "micro" and self.true_positives is not None and len(self.true_positives) != classes:
            raise ValueError(
                f"The metric {self.name} is of {len(self.true_positives)} classes, but y_pred has {classes}."
            )
        counts.check_binary(targets, self.name)
        if self.threshold is None:
            highest = predictions >= predictions.max(axis=-1, keepdims=True)
            positive = highest & (np.abs(predictions) > 1e-9)
        else:
            positive = predictions > predictions.dtype.type(self.threshold)
        weights = counts.weights_of(sample_weight, predictions.shape)
        wanted = targets != 0
        found = [positive & wanted, positive & ~wanted, ~positive & wanted, wanted]
        for name, each in zip(self.state_names, found, strict=True):
            value = (each if weights is None else each * weights).sum(None if self.average == "micro" else 0)
            before = getattr(self, name)
            setattr(self, name, value.astype(np.float64) if before is None else before + value)

    def result(self) -> float | Array:
        """The score of all batches; an array, one number for each class, without `average`."""
        if self.true_positives is None:
            return 0.0
        precision = self.true_positives / (self.true_positives + self.false_positives + _EPSILON)
        recall = self.true_positives / (self.true_positives + self.false_negatives + _EPSILON)
        scores: Array = precision * recall / (self.beta**2 * precision + recall + _EPSILON) * (1 + self.beta**2)
        if self.average is None:
            return scores
        if self.average == "weighted":
            scores = scores * (self.intermediate_weights / (self.intermediate_weights.sum() + _EPSILON))
            return float(scores.sum())
        return float(scores.mean())

    def reset_state(self) -> None:
        """Begin anew."""
        self.true_positives: Any = None
        self.false_positives: Any = None
        self.false_negatives: Any = None
        self.intermediate_weights: Any = None

    def check_output(self, shape: tuple[int, ...]) -> None:
        self.check_columns(shape, "classes")

    def check_targets(self, targets: Array) -> None:
        counts.check_binary(targets, f"The metric {self.name}", "y")

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """``2 * precision * recall / (precision + recall)``, of each class.

    Args:
        average, threshold, dtype: see `FBetaScore`.
        name: Default ``"f1_score"``.
    """

    default_name = "f1_score"

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
