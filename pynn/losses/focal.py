"""The focal cross-entropies: what is right already counts less (Lin et al., 2018, Focal loss for dense detection)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..foundation import checks
from .base import Array, function_of
from .probabilities import Crossentropy, check_classes

__all__ = [
    "BinaryFocalCrossentropy",
    "CategoricalFocalCrossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
]


class BinaryFocalCrossentropy(Crossentropy):
    """``-mean(m**gamma * (y * log(p) + (1 - y) * log(1 - p)))``, with ``m = y * (1 - p) + (1 - y) * p``.

    In the logarithms p is clipped to [1e-7, 1 - 1e-7]; y within [0, 1].

    Args:
        apply_class_balancing: Whether to multiply by ``y * alpha + (1 - y) * (1 - alpha)``. Default ``False``.
        alpha: In [0, 1]. Default ``0.25``.
        gamma: At least 0; 0 gives `BinaryCrossentropy`. Default ``2.0``.
        from_logits: Whether the prediction is x rather than ``p = sigmoid(x)``; nothing is clipped then. Default
            ``False``; a model whose last activation is sigmoid computes from the logits anyway.
        label_smoothing: s replaces y by ``y * (1 - s) + s / 2``. Default ``0.0``.
        axis: That of a row. Default ``-1``. Models take losses over the last axis only.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "binary_focal_crossentropy"
    default_name = "binary_focal_crossentropy"
    fused_with = "sigmoid"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.apply_class_balancing = checks.boolean(apply_class_balancing, "apply_class_balancing")
        self.alpha = checks.number(alpha, "alpha", "[0, 1]")
        self.gamma = checks.number(gamma, "gamma", "[0, inf)")
        self.a = self.label_smoothing, self.gamma, self.alpha if self.apply_class_balancing else -1.0

    def get_config(self) -> dict[str, Any]:
        own = {"apply_class_balancing": self.apply_class_balancing, "alpha": self.alpha, "gamma": self.gamma}
        return {**super().get_config(), **own}


class CategoricalFocalCrossentropy(Crossentropy):
    """``-alpha * sum(y * (1 - q)**gamma * log(q))``; y one-hot or probabilities.

    q is p divided by its sum and clipped to [1e-7, 1 - 1e-7].

    Args:
        alpha: At least 0: one number for all classes, or a list or array of one for each. Default ``0.25``.
        gamma: At least 0. Default ``2.0``.
        from_logits: Whether the prediction is x rather than ``p = softmax(x)``; nothing is clipped then. Default
            ``False``; a model whose last activation is softmax computes from the logits anyway.
        label_smoothing: s replaces y by ``y * (1 - s) + s / classes``. Default ``0.0``.
        axis: That of a row. Default ``-1``. Models take losses over the last axis only.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "categorical_focal_crossentropy"
    default_name = "categorical_focal_crossentropy"
    fused_with = "softmax"
    labels_hint = "Make class labels one-hot: pynn.utils.to_categorical."

    def __init__(
        self,
        alpha: float | Sequence[float] | Array = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.alpha = _alpha(alpha)
        self.gamma = checks.number(gamma, "gamma", "[0, inf)")
        alphas = self.alpha if isinstance(self.alpha, list) else [self.alpha]
        self.a = self.label_smoothing, self.gamma, *alphas

    def check_values(self, targets: Array, name: str) -> None:
        classes = targets.shape[-1]
        if isinstance(self.alpha, list) and len(self.alpha) not in (1, classes):
            raise ValueError(
                f"alpha of {type(self).__name__} has {len(self.alpha)} numbers, but there are {classes} classes: give "
                "one for each."
            )
        super().check_values(targets, name)
        check_classes(self, targets)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "gamma": self.gamma}


def _alpha(alpha: object) -> float | list[float]:
    """One number, or one for each class."""
    if isinstance(alpha, np.ndarray) and alpha.ndim == 1:
        alpha = alpha.tolist()
    if not isinstance(alpha, list | tuple):
        return checks.number(alpha, "alpha", "[0, inf)")
    if not alpha:
        raise ValueError("alpha must be a number or a list of one for each class, but got an empty one.")
    return [checks.number(each, f"alpha[{number}]", "[0, inf)") for number, each in enumerate(alpha)]


# ---- the functions -------------------------------------------------------------------------------------------------


@function_of(BinaryFocalCrossentropy)
def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """`BinaryFocalCrossentropy`'s value of each row."""
    loss = BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis)
    return loss.row_values(y_true, y_pred)


@function_of(CategoricalFocalCrossentropy)
def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float | Sequence[float] | Array = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """`CategoricalFocalCrossentropy`'s value of each row."""
    loss = CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis)
    return loss.row_values(y_true, y_pred)
