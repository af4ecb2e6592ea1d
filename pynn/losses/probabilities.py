"""Losses for counts, distributions and classes."""

from __future__ import annotations

import warnings
from typing import Any

from numpy.typing import ArrayLike, DTypeLike

from ..data import arrays
from ..foundation import checks
from .base import Array, Loss, function_of, row_function

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "KLDivergence",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "kl_divergence",
    "poisson",
    "sparse_categorical_crossentropy",
]


class Poisson(Loss):
    """``mean(p - y * log(p + 1e-7))``.

    Args:
        reduction, name, dtype: see `Loss`.
        from_logs: Whether the prediction is x rather than ``p = exp(x)``: ``mean(exp(x) - y * x)``, which needs no
            1e-7. Default ``False``.
    """

    native_name = "poisson"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
        *,
        from_logs: bool = False,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logs = checks.boolean(from_logs, "from_logs")
        if self.from_logs:
            self.native_name = "poisson_from_logs"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **({"from_logs": True} if self.from_logs else {})}


class KLDivergence(Loss):
    """``sum(y * log(y / p))``, both clipped to [1e-7, 1]."""

    native_name = "kl_divergence"


class Crossentropy(Loss):
    """Base of the cross-entropies: their arguments, and which last activation they are fused with."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = checks.one_axis(axis)
        self.from_logits = checks.boolean(from_logits, "from_logits")
        self.a = self.label_smoothing = checks.number(label_smoothing, "label_smoothing", "[0, 1]")
        if self.from_logits:
            self.native_name, self.fused_with = f"{self.native_name}_from_logits", ""

    def check_values(self, targets: Array, name: str) -> None:
        arrays.check_within(targets, name, 0.0, 1.0, self.name)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**super().get_config(), **own}


class BinaryCrossentropy(Crossentropy):
    """``-mean(y * log(p) + (1 - y) * log(1 - p))``, p clipped to [1e-7, 1 - 1e-7]; y within [0, 1].

    Args:
        from_logits: Whether the prediction is x rather than ``p = sigmoid(x)``; nothing is clipped then. Default
            ``False``; a model whose last activation is sigmoid computes from the logits anyway.
        label_smoothing: s replaces y by ``y * (1 - s) + s / 2``. Default ``0.0``.
        axis: That of a row. Default ``-1``. Models take losses over the last axis only.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "binary_crossentropy"
    fused_with = "sigmoid"


def check_classes(loss: Loss, targets: Array) -> None:
    """Warn of a loss over classes, where there is only one."""
    if targets.shape[-1] == 1:
        warnings.warn(f"{loss.name} of a single class is always 0: use binary_crossentropy.", stacklevel=3)


class CategoricalCrossentropy(Crossentropy):
    """``-sum(y * log(p))``, p divided by its sum and clipped to [1e-7, 1 - 1e-7]; y one-hot or probabilities.

    Args:
        from_logits: Whether the prediction is x rather than ``p = softmax(x)``; nothing is clipped then. Default
            ``False``; a model whose last activation is softmax computes from the logits anyway.
        label_smoothing: s replaces y by ``y * (1 - s) + s / classes``. Default ``0.0``.
        axis: That of a row. Default ``-1``. Models take losses over the last axis only.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "categorical_crossentropy"
    fused_with = "softmax"
    labels_hint = "For class labels use sparse_categorical_crossentropy, or pynn.utils.to_categorical."

    def check_values(self, targets: Array, name: str) -> None:
        super().check_values(targets, name)
        check_classes(self, targets)


class SparseCategoricalCrossentropy(Crossentropy):
    """``-log(p[label])``, p divided by its sum and clipped to [1e-7, 1 - 1e-7]; the targets are class labels.

    Shapes: prediction ``(N, ..., classes)``, labels ``(N, ...)`` or ``(N, ..., 1)``, in [0, classes).

    Args:
        from_logits: Whether the prediction is x rather than ``p = softmax(x)``; nothing is clipped then. Default
            ``False``; a model whose last activation is softmax computes from the logits anyway.
        label_smoothing: As in `CategoricalCrossentropy` with the labels one-hot. Default ``0.0``.
        ignore_class: A label, also one that is no class, such as -1: rows of it count for nothing, neither in the loss
            nor in metrics beside it. Default ``None``.
        axis: That of a row. Default ``-1``. Models take losses over the last axis only.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "sparse_categorical_crossentropy"
    fused_with = "softmax"
    sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        *,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.ignore_class = None if ignore_class is None else checks.index(ignore_class, "ignore_class")

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        """Return int32 labels (samples, *output_shape[:-1]), each checked to be a class; -1 for the ignored one."""
        if not output_shape:
            raise ValueError(f"{self.name} takes predictions with an axis of classes, but a sample is one number.")
        return arrays.as_class_labels(y, name, output_shape[:-1], output_shape[-1], self.ignore_class)

    def check_values(self, targets: Array, name: str) -> None:
        """Nothing is left to check: labels are classes."""

    def take_ignored(self, targets: Array) -> Array | None:
        ignored = targets < 0
        if self.ignore_class is None or not ignored.any():
            return None
        targets[ignored] = 0
        return ignored

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ignore_class": self.ignore_class}


# ---- the functions -------------------------------------------------------------------------------------------------

poisson = row_function(Poisson)
kl_divergence = row_function(KLDivergence)


@function_of(BinaryCrossentropy)
def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """`BinaryCrossentropy`'s value of each row."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).row_values(y_true, y_pred)


@function_of(CategoricalCrossentropy)
def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """`CategoricalCrossentropy`'s value of each row."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).row_values(y_true, y_pred)


@function_of(SparseCategoricalCrossentropy)
def sparse_categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
    *,
    label_smoothing: float = 0.0,
) -> Array:
    """`SparseCategoricalCrossentropy`'s value of each row; 0 where the label is `ignore_class`."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis, label_smoothing=label_smoothing)
    return loss.row_values(y_true, y_pred)
