"""Layers that bring raw data into the range networks like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import initializers
from ..data import arrays
from ..data.py_dataset import gives_batches
from ..engine.lowering import Lowering
from ..foundation import checks
from .axes import AxesLayer
from .base import Layer
from .types import Shape
from .weight import Array, Weight, WeightSpec, assign_all

__all__ = ["Normalization", "Rescaling"]

# A smaller standard deviation counts as this. csrc/engine/ops/norm.cpp has it for weights.
_LEAST_DEVIATION = 1e-7


class Rescaling(Layer):
    """``y = x * scale + offset``. The shape stays as it is; bytes stay bytes until a batch is gathered.

    ``Rescaling(1/255)`` in front of a model takes images as uint8.

    Args:
        scale: A number, or a number for each element of the last axis.
        offset: As `scale`. Default ``0.0``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    supports_masking = True

    def __init__(
        self,
        scale: float | Sequence[float],
        offset: float | Sequence[float] = 0.0,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.scale = _numbers(scale, "scale")
        self.offset = _numbers(offset, "offset")
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def sample_output_shape(self, shape: Shape) -> Shape:
        columns = shape[-1] if shape else 1
        for name, values in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(values, list) and len(values) != columns:
                raise self._shape_error(f"has {len(values)} numbers as {name}, but got samples of shape {shape}.")
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        columns = max(np.size(self.scale), np.size(self.offset))
        scale, offset = (np.broadcast_to(values, columns).tolist() for values in (self.scale, self.offset))
        return net.add("rescaling", x, scale=scale, offset=offset)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


def _numbers(value: float | Sequence[float], name: str) -> float | list[float]:
    numbers: float | list[float] = _array_of(value, name, 1).tolist()
    return numbers


def _array_of(value: Any, name: str, most_axes: int = 32) -> Array:
    array = arrays.as_array(value, name, "float64")
    if array.ndim > most_axes or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must be a finite number or a sequence of them, but got {value!r}.")
    return array


class _Moments(NamedTuple):
    """Mean and variance of so many numbers for each element, and the shape of the samples."""

    numbers: int
    mean: Array
    variance: Array
    shape: Shape

    def with_others(self, others: _Moments) -> _Moments:
        """Those of all together; ValueError unless they are of as many elements."""
        if self.mean.shape != others.mean.shape or len(self.shape) != len(others.shape):
            raise ValueError(
                f"data must have batches of one shape, but has samples of {self.shape} and {others.shape}."
            )
        numbers = self.numbers + others.numbers
        share, step = others.numbers / numbers, others.mean - self.mean
        variance = self.variance + share * (others.variance - self.variance + (1 - share) * step**2)
        return _Moments(numbers, self.mean + share * step, variance, self.shape)


def _batches(data: Any) -> Iterable[Any]:
    """The batches in what `adapt` is given: what is no batches is one."""
    first = data[0] if isinstance(data, list) and data else None
    is_batches = gives_batches(data) or getattr(_inputs_of(first), "ndim", 0) > 1
    return map(_inputs_of, data) if is_batches else [data]


def _inputs_of(batch: Any) -> Any:
    return batch[0] if isinstance(batch, tuple) and batch else batch


class Normalization(AxesLayer):
    """``y = (x - mean) / sqrt(variance)``, with mean and variance of the data that `adapt` saw; a deviation below
    1e-7 counts as that. The shape stays as it is.

    Where `mean` and `variance` are not given they are weights, as in Keras, which `adapt` sets and training leaves
    alone: mean and variance, of the sizes of the axes, and a count, which is not used. Before `adapt` they are 0 and 1.

    Args:
        axis: The axis, or several of them, that have a mean and a variance for each of their elements; None: one of
            each for all. Default -1, the last.
        mean, variance: In place of `adapt`: a number, or a number for each element of the axes. Give both or none.
        invert: Whether to go the other way: ``y = x * sqrt(variance) + mean``. Default ``False``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Attributes:
        mean, variance: Arrays: those given, or copies of the weights; None before the layer is built.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, too many numbers as mean and variance.
    """

    supports_masking = True

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: ArrayLike | None = None,
        variance: ArrayLike | None = None,
        invert: bool = False,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        if (mean is None) != (variance is None):
            raise ValueError(f"Give both of mean and variance or none, but got {mean!r} and {variance!r}.")
        self.axis = () if axis is None or not np.size(axis) else checks.axis(axis)
        self._fixed = None if mean is None else (_array_of(mean, "mean"), _array_of(variance, "variance"))
        if self._fixed is not None and np.min(self._fixed[1]) < 0:
            raise ValueError(f"variance must not be negative, but got {variance!r}.")
        self.invert = checks.boolean(invert, "invert")
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def adapt(self, data: ArrayLike | Iterable[Any]) -> None:
        """Take mean and variance (that of a population) from samples; in a built model all else stays as it is.

        Args:
            data: Samples, of shape ``(samples, ...)``; none of them NaN or infinite. Or what gives batches of them, as
                for `fit`, or a list of arrays, which are batches, too. Of a batch ``(x, y)`` x is taken.

        Raises:
            TypeError, ValueError: unfit data, or none, or a layer whose mean and variance were given; the layer is as
                before then.
        """
        if self._fixed is not None:
            raise ValueError(f"Layer {self.name!r} was given its mean and variance: adapt is for layers without them.")
        total: _Moments | None = None
        for batch in _batches(data):
            found = self._moments(batch)
            total = found if total is None else total.with_others(found)
        if total is None:
            raise ValueError("data has no batches.")
        of_data = {"mean": total.mean, "variance": total.variance}
        values = [arrays.as_array(value, f"the {name} of data", self._dtype) for name, value in of_data.items()]
        if self._built is None:
            self.build((None, *total.shape))
        weights = self._learned_of_data()
        if weights[0].shape != total.mean.shape:
            raise self._shape_error(f"has a mean of shape {weights[0].shape}, but data has samples of {total.shape}.")
        assign_all(weights, [*values, np.zeros(())], f"Layer {self.name!r}")

    def _moments(self, data: ArrayLike) -> _Moments:
        """Those of a batch."""
        x = arrays.as_array(data, "data", "float64")
        if x.ndim == 0 or x.size == 0:
            raise ValueError(f"data must be an array of samples, but has the shape {x.shape}.")
        if not np.isfinite(x).all():
            raise ValueError("data must be finite, but there is NaN or infinity in it.")
        kept = self._axes(x.shape[1:])
        others = tuple(number for number in range(x.ndim) if number - 1 not in kept)
        mean, variance = np.asarray(np.mean(x, axis=others)), np.asarray(np.var(x, axis=others))
        return _Moments(x.size // mean.size, mean, variance, x.shape[1:])

    @property
    def mean(self) -> Array | None:
        """The mean."""
        return self._value(0)

    @property
    def variance(self) -> Array | None:
        """The variance."""
        return self._value(1)

    def _value(self, number: int) -> Array | None:
        if self._fixed is not None:
            return np.array(self._fixed[number])
        return self._learned_of_data()[number].numpy() if self.built else None

    def _learned_of_data(self) -> list[Weight]:
        """Mean, variance and count; a subclass may have further weights."""
        found = [self._weight(name) for name in ("mean", "variance", "count")]
        return [weight for weight in found if weight is not None]

    def _axes(self, shape: Shape) -> list[int]:
        return super()._axes(shape) if self.axis != () else []

    def sample_output_shape(self, shape: Shape) -> Shape:
        sizes = self._sizes(shape)
        for name, values in zip(("mean", "variance"), self._fixed or (), strict=False):
            try:
                np.broadcast_to(values, sizes)
            except ValueError:
                text = f"has a {name} of shape {values.shape}, but got samples of shape {shape}."
                raise self._shape_error(text) from None
        return shape

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        if self._fixed is not None:
            return []
        sizes, zeros, ones = self._sizes(shape), initializers.Zeros(), initializers.Ones()
        return [
            WeightSpec("mean", sizes, zeros, trainable=False),
            WeightSpec("variance", sizes, ones, trainable=False),
            WeightSpec("count", (), zeros, trainable=False),
        ]

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        if self._fixed is None:
            return net.add("standardize", x, [self._weight("mean"), self._weight("variance")], invert=self.invert)
        axes = len(self.axis) if isinstance(self.axis, tuple) else 1
        sizes = shape[len(shape) - axes :]
        mean, variance = (np.broadcast_to(values, sizes).ravel() for values in self._fixed)
        deviation = np.maximum(np.sqrt(variance), _LEAST_DEVIATION)
        if self.invert:
            return net.add("rescaling", x, scale=deviation.tolist(), offset=mean.tolist())
        # x / deviation - mean / deviation would leave few digits where the mean is large
        return net.add("rescaling", x, mean=mean.tolist(), scale=(1 / deviation).tolist(), offset=[0.0] * mean.size)

    def get_config(self) -> dict[str, Any]:
        mean, variance = (None, None) if self._fixed is None else (values.tolist() for values in self._fixed)
        axis = None if self.axis == () else self.axis
        return {**super().get_config(), "axis": axis, "mean": mean, "variance": variance, "invert": self.invert}
