"""Losses for values."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, DTypeLike

from ..foundation import checks
from .base import Array, Loss, function_of, row_function

__all__ = [
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "SumSquaredError",
    "cosine_similarity",
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "sum_squared_error",
]


class MeanSquaredError(Loss):
    """``mean((y - p)**2)``."""

    native_name = "mean_squared_error"


class MeanAbsoluteError(Loss):
    """``mean(abs(y - p))``."""

    native_name = "mean_absolute_error"


class MeanAbsolutePercentageError(Loss):
    """``100 * mean(abs(y - p) / max(abs(y), 1e-7))``."""

    native_name = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(Loss):
    """``mean((log(1 + max(y, 1e-7)) - log(1 + max(p, 1e-7)))**2)``."""

    native_name = "mean_squared_logarithmic_error"


class SumSquaredError(Loss):
    """``sum((y - p)**2) / 2``, summed over the samples too: the textbooks' E.

    Args:
        reduction: Default ``"sum"``, unlike the other losses; ``"mean"`` takes the mean over the samples.
        name, dtype: see `Loss`.
    """

    native_name = "sum_squared_error"

    def __init__(self, reduction: str | None = "sum", name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(reduction, name, dtype)


class Huber(Loss):
    """Mean of ``d**2 / 2`` where ``abs(d) <= delta``, else ``delta * abs(d) - delta**2 / 2``, with ``d = y - p``.

    Args:
        delta: Where the parabola turns into a line, above 0. Default ``1.0``.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "huber"
    default_name = "huber_loss"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.a = self.delta = checks.number(delta, "delta", "(0, inf)")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta}


class LogCosh(Loss):
    """``mean(log(cosh(p - y)))``."""

    native_name = "log_cosh"


class CosineSimilarity(Loss):
    """``-sum(y * p) / (norm(y) * norm(p))``: -1 for equal directions; 0 where either is 0.

    Args:
        axis: That of a row. Default ``-1``. Models take losses over the last axis only.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "cosine_similarity"

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = checks.one_axis(axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


# ---- the functions -------------------------------------------------------------------------------------------------

mean_squared_error = row_function(MeanSquaredError)
mean_absolute_error = row_function(MeanAbsoluteError)
mean_absolute_percentage_error = row_function(MeanAbsolutePercentageError)
mean_squared_logarithmic_error = row_function(MeanSquaredLogarithmicError)
sum_squared_error = row_function(SumSquaredError)
log_cosh = row_function(LogCosh)


@function_of(Huber)
def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> Array:
    """`Huber`'s value of each row."""
    return Huber(delta).row_values(y_true, y_pred)


@function_of(CosineSimilarity)
def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """`CosineSimilarity`'s value of each row."""
    return CosineSimilarity(axis).row_values(y_true, y_pred)
