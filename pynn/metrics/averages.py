"""Sums and means of values, and of what a function makes of targets and predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import losses
from ..data import arrays
from ..foundation import checks, identifiers, registry
from ..foundation.names import to_snake_case
from .base import Array, Metric

__all__ = [
    "Accuracy",
    "ConcordanceCorrelation",
    "Mean",
    "MeanMetricWrapper",
    "PearsonCorrelation",
    "Sum",
    "concordance_correlation",
    "pearson_correlation",
]

Function = Callable[..., Any]


class _Reduction(Metric):
    """Base of what adds up one value for each sample."""

    state_names: ClassVar[tuple[str, ...]] = ("total", "count")

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(name, dtype)
        self.reset_state()

    def _add(self, values: ArrayLike, sample_weight: ArrayLike | None, name: str, reduce: Callable[..., Any]) -> None:
        """Take values in, (samples, ...), which `reduce` makes one number of for each sample."""
        numbers, weights = _of_samples(arrays.as_array(values, name, np.float64), sample_weight, reduce)
        self.total += float(numbers.sum())
        self.count += float(weights.sum()) if weights is not None else (len(numbers) if numbers.ndim else 1)

    def reset_state(self) -> None:
        """Begin anew."""
        self.total = 0.0
        self.count = 0.0

    def check_output(self, shape: tuple[int, ...]) -> None:
        if registry.is_own(type(self).update_state):  # a subclass says what it takes
            return
        raise ValueError(
            f"{type(self).__name__} is of values, and not of targets and predictions. Use MeanMetricWrapper with a "
            "function of both, or a function itself."
        )


def _of_samples(
    values: Array, sample_weight: ArrayLike | None, reduce: Callable[..., Any]
) -> tuple[Array, Array | None]:
    """One value for each sample, and its weight."""
    if sample_weight is None:
        return np.asarray(reduce(values, axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values), None
    weights = arrays.as_array(sample_weight, "sample_weight", np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must be finite and not negative.")
    given = weights.shape
    if values.ndim == weights.ndim + 1 and values.shape[-1] == 1:
        weights = weights[..., None]
    elif weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if values.ndim > weights.ndim:
        values = np.asarray(reduce(values, axis=tuple(range(weights.ndim, values.ndim))))
    try:
        weights = np.broadcast_to(weights, values.shape)
    except ValueError:
        raise ValueError(f"sample_weight must fit the values {values.shape}, but has the shape {given}.") from None
    values = values * weights
    if values.ndim > 1:
        inner = tuple(range(1, values.ndim))
        return np.asarray(reduce(values, axis=inner)), np.asarray(reduce(weights, axis=inner))
    return values, weights


class Sum(_Reduction):
    """The sum of all values: ``update_state(values, sample_weight=None)``.

    Args:
        name: Default ``"sum"``.
        dtype: Has no effect; sums are made in float64.
    """

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add values, each times its weight.

        Raises:
            TypeError, ValueError: no numbers; weights that do not fit.
        """
        self._add(values, sample_weight, "values", np.sum)

    def result(self) -> float:
        """The sum since the last `reset_state`."""
        return self.total


class Mean(_Reduction):
    """The mean of all values: ``update_state(values, sample_weight=None)``.

    The values of a sample count as their mean.

    Args:
        name: Default ``"mean"``.
        dtype: Has no effect; sums are made in float64.
    """

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take values in, each with its weight.

        Raises:
            TypeError, ValueError: no numbers; weights that do not fit.
        """
        self._add(values, sample_weight, "values", np.mean)

    def result(self) -> float:
        """The mean since the last `reset_state`; 0 before the first value."""
        return self.total / self.count if self.count else 0.0


class MeanMetricWrapper(_Reduction):
    """The mean over the samples of what a function makes of them.

    Args:
        fn: ``fn(y_true, y_pred, **kwargs)`` returns an array with an axis of samples, or one number for all of them. It
            gets NumPy arrays.
        name: Default ``"mean_metric_wrapper"``; where a function is given in place of a metric, the function's.
        dtype: Number type of predictions and targets. Default ``None``: as they come.
        kwargs: For the function.
    """

    def __init__(self, fn: Function, name: str | None = None, dtype: DTypeLike | None = None, **kwargs: Any) -> None:
        self._fn, self._kwargs = _function_of(fn), kwargs
        super().__init__(name, dtype)

    @classmethod
    def of(cls, fn: Function) -> MeanMetricWrapper:
        """The metric of a function, with its name."""
        name = str(getattr(fn, "name", getattr(fn, "__name__", type(fn).__name__)))
        return cls(fn, to_snake_case(name.strip("<>")))

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Take one more batch in.

        Raises:
            TypeError, ValueError: arrays that do not fit; a function that does not return numbers.
        """
        targets, predictions = arrays.as_numbers(y_true, "y_true"), arrays.as_numbers(y_pred, "y_pred")
        if self.dtype is not None:
            targets, predictions = targets.astype(self.dtype), predictions.astype(self.dtype)
        values = self._fn(targets, predictions, **self._kwargs)
        self._add(values, sample_weight, f"What the metric {self.name} returns", np.mean)

    def result(self) -> float:
        """The mean since the last `reset_state`; 0 before the first batch."""
        return self.total / self.count if self.count else 0.0

    def check_output(self, shape: tuple[int, ...]) -> None:
        pass

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": _name_of(self._fn), **self._kwargs}


def _name_of(fn: Function) -> str:
    """The name that `_function_of` finds."""
    return registry.get_registered_name(fn) if hasattr(fn, "__name__") else type(fn).__name__


def _function_of(fn: object) -> Function:
    """`fn`, or the function that a name stands for: one of pynn, or of the `custom_objects` of who reads a file."""
    if isinstance(fn, str):
        functions = [*losses.base.FUNCTIONS, pearson_correlation, concordance_correlation]
        known: Any = {each.__name__: each for each in functions}
        own = registry.own(fn)
        found: Function | None = own if callable(own) else known.get(fn)
        if found is not None:
            return found
        raise identifiers.UnknownNameError(identifiers.unknown_name(fn, known, "function"), fn, "function")
    if not callable(fn):
        raise TypeError(f"fn must be a function, but got {checks.shown(fn)} of type {type(fn).__name__}.")
    return fn


class _Fixed(MeanMetricWrapper):
    """Base of those whose function is known."""

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), **self._kwargs}


class Accuracy(_Fixed):
    """Share of the predictions that equal their targets.

    The name ``"accuracy"`` means another: the accuracy that fits a model's loss.

    Args:
        name: Default ``"accuracy"``.
        dtype: Number type in which they are compared. Default ``None``: that of the predictions.
    """

    direction = "up"

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(_equal, name, dtype)


def _equal(y_true: Array, y_pred: Array) -> Array:
    y_true, y_pred = same_rank(y_true, y_pred)
    equal: Array = y_true.astype(y_pred.dtype) == y_pred
    return equal


def same_rank(y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    """Targets and predictions of one shape: one of them may lack a last axis of size 1.

    Raises:
        ValueError: other shapes.
    """
    shapes = y_true.shape, y_pred.shape
    if y_true.ndim + 1 == y_pred.ndim and y_pred.shape[-1] == 1:
        y_true = y_true[..., None]
    elif y_pred.ndim + 1 == y_true.ndim and y_true.shape[-1] == 1:
        y_pred = y_pred[..., None]
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true and y_pred must have one shape, but have the shapes {shapes[0]} and {shapes[1]}.")
    return y_true, y_pred


# ---- correlations ----------------------------------------------------------------------------------------------------


def _centred(y_true: ArrayLike, y_pred: ArrayLike, axis: int) -> tuple[Array, Array, Array]:
    """Both less their means, and the difference of the means."""
    floats = [arrays.as_array(y, name, np.float64) for y, name in ((y_true, "y_true"), (y_pred, "y_pred"))]
    targets, predictions = same_rank(*floats)
    means = [each.mean(axis=axis, keepdims=True) for each in (targets, predictions)]
    return targets - means[0], predictions - means[1], (means[0] - means[1]).squeeze(axis)


def pearson_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """Pearson's correlation along an axis; NaN where one of the two is constant."""
    y, p, _ = _centred(y_true, y_pred, axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (y * p).mean(axis=axis) / (y.std(axis=axis) * p.std(axis=axis))
    return found


def concordance_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """Lin's concordance along an axis: twice the covariance over both variances and the squared difference of means."""
    y, p, apart = _centred(y_true, y_pred, axis)
    found: Array = 2 * (y * p).mean(axis=axis) / (y.var(axis=axis) + p.var(axis=axis) + apart**2 + 1e-7)
    return found


class _Correlation(_Fixed):
    """Base of the two correlations."""

    direction = "up"

    function: ClassVar[Function]

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, axis: int = -1) -> None:
        self.axis = checks.one_axis(axis)
        super().__init__(type(self).function, name, dtype, axis=self.axis)

    def check_output(self, shape: tuple[int, ...]) -> None:
        if not -len(shape) - 1 <= self.axis <= len(shape):
            raise ValueError(f"axis={self.axis} of the metric {self.name} is none of the output, {(None, *shape)}.")


class PearsonCorrelation(_Correlation):
    """Mean over the samples of Pearson's correlation between targets and predictions.

    Of a sample whose targets or predictions are constant it is NaN, as in Keras.

    Args:
        name: Default ``"pearson_correlation"``.
        dtype: Number type of predictions and targets. Default ``None``: as they come.
        axis: Along which it is taken. Default ``-1``. With 0, each batch has correlations of its own, and the result is
            the mean over the batches.
    """

    function = staticmethod(pearson_correlation)


class ConcordanceCorrelation(_Correlation):
    """Mean over the samples of Lin's concordance correlation between targets and predictions.

    Args:
        name: Default ``"concordance_correlation"``.
        dtype, axis: see `PearsonCorrelation`.
    """

    function = staticmethod(concordance_correlation)
