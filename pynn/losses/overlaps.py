"""Losses for the overlap of what is predicted with what is there, such as the pixels of an object.

They are quotients of sums over some axes, or over the whole batch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import config
from ..data import arrays
from ..foundation import checks
from .base import Array, Loss, function_of

__all__ = ["Dice", "Tversky", "dice", "tversky"]

_EPSILON = 1e-7  # Keras's backend epsilon

Axis = int | tuple[int, ...] | None


class Overlap(Loss):
    """Base of the losses of overlaps: arrays of one shape, and the axes to sum over."""

    native_name = "tversky"
    of_rows = False

    def __init__(self, axis: Axis, reduction: str | None, name: str | None, dtype: DTypeLike | None) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = None if axis is None else checks.axis(axis)

    @classmethod
    def automatic_name(cls) -> str:
        return cls.default_name

    def summed_axes(self, shape: tuple[int, ...]) -> tuple[bool, list[tuple[int, bool]]]:
        if self.axis is None:
            return True, [(size, True) for size in shape]
        axes = checks.axes_of(self.axis, len(shape) + 1)
        return 0 in axes, [(size, number in axes) for number, size in enumerate(shape, 1)]

    def weights_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        of_batch, axes = self.summed_axes(shape)
        kept = [size for size, summed in axes if not summed and size > 1]
        if of_batch and kept:
            raise ValueError(
                f"sample_weight is not for {type(self).__name__} with axis={self.axis}: it has {math.prod(kept)} "
                "values of all samples together. Leave the axis of the samples, 0, out of axis, or sum over all axes."
            )
        return shape[:-1] if self._has_rows(shape) else ()

    def _has_rows(self, shape: tuple[int, ...]) -> bool:
        """Whether there is a value for each row of a sample of this shape."""
        of_batch, axes = self.summed_axes(shape)
        return not of_batch and [summed for _, summed in axes] == [False] * (len(axes) - 1) + [True]

    def check_mask(self, shape: tuple[int, ...]) -> None:
        if not self._has_rows(shape):
            raise ValueError(
                f"{type(self).__name__} with axis={self.axis} is of an output with a mask, and sums over its steps, so "
                "that padded ones would count. With axis=-1 there is a value for each step, of which the mask leaves "
                "out the padded ones. Or take the mask off, as an operator does: Model(inputs, outputs * 1.0)."
            )

    def _values(self, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array | None]:
        """The losses in float64: one for each element of the axes that are not summed over, as in Keras."""
        dtype = self.dtype or arrays.float_dtype_of(y_pred, config.floatx())
        predictions, targets = arrays.as_array(y_pred, "y_pred", dtype), arrays.as_array(y_true, "y_true", dtype)
        if predictions.shape != targets.shape:
            raise ValueError(f"y_true has the shape {targets.shape}, but y_pred {predictions.shape}: give equal ones.")
        axes = None if self.axis is None else tuple(checks.axes_of(self.axis, predictions.ndim))
        return np.asarray(self._loss(targets.astype(np.float64), predictions.astype(np.float64), axes)), None

    def _loss(self, y: Array, p: Array, axes: tuple[int, ...] | None) -> Array:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Dice(Overlap):
    """``1 - 2 * sum(y * p) / (sum(y) + sum(p) + 1e-7)`` (Dice, 1945).

    Args:
        reduction: see `Loss`.
        name: see `Loss`.
        axis: The axes to sum over, one or several; 0 is that of the samples. Default ``None``: all. There is a value
            for each element of the other axes. Sums over samples are those of a batch, so that the loss of samples
            depends on how they are cut into batches, as in Keras.
        dtype: see `Loss`.
    """

    default_name = "dice"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Axis = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(axis, reduction, name, dtype)
        self.a = 0.5, 0.5, _EPSILON / 2  # 2 both / (sum(y) + sum(p) + epsilon) as Tversky's quotient

    def _loss(self, y: Array, p: Array, axes: tuple[int, ...] | None) -> Array:
        both: Array = 2 * np.sum(y * p, axis=axes) / (np.sum(y, axis=axes) + np.sum(p, axis=axes) + _EPSILON)
        return 1 - both


class Tversky(Overlap):
    """``1 - both / (both + alpha * sum(y * (1 - p)) + beta * sum((1 - y) * p) + 1e-7)``, with ``both = sum(y * p)``.

    With 0.5 and 0.5 it is `Dice` (Salehi et al., 2017).

    Args:
        alpha: Weight of what is there and was not predicted, at least 0. Default ``0.5``.
        beta: Weight of what was predicted and is not there, at least 0. Default ``0.5``.
        reduction, name: see `Loss`.
        axis: The axes to sum over, one or several; 0 is that of the samples. Default ``None``: all. There is a value
            for each element of the other axes. Sums over samples are those of a batch, so that the loss of samples
            depends on how they are cut into batches, as in Keras.
        dtype: see `Loss`.
    """

    default_name = "tversky"

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Axis = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(axis, reduction, name, dtype)
        self.alpha = checks.number(alpha, "alpha", "[0, inf)")
        self.beta = checks.number(beta, "beta", "[0, inf)")
        self.a = self.alpha, self.beta, _EPSILON

    def _loss(self, y: Array, p: Array, axes: tuple[int, ...] | None) -> Array:
        both = np.sum(y * p, axis=axes)
        missed, wrong = np.sum(y * (1 - p), axis=axes), np.sum((1 - y) * p, axis=axes)
        share: Array = both / (both + self.alpha * missed + self.beta * wrong + _EPSILON)
        return 1 - share

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}


# ---- the functions -------------------------------------------------------------------------------------------------


@function_of(Dice)
def dice(y_true: ArrayLike, y_pred: ArrayLike, axis: Axis = None) -> Array:
    """`Dice`'s values: one, or one for each element of the axes that are not summed over."""
    return Dice(axis=axis).row_values(y_true, y_pred)


@function_of(Tversky)
def tversky(y_true: ArrayLike, y_pred: ArrayLike, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None) -> Array:
    """`Tversky`'s values: one, or one for each element of the axes that are not summed over."""
    return Tversky(alpha, beta, axis=axis).row_values(y_true, y_pred)
