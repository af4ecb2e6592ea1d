"""Layers that bring raw data into the range networks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..data import arrays
from ..engine.lowering import Lowering
from ..foundation import atomic, checks
from .base import Layer
from .types import Shape

__all__ = ["Normalization", "Rescaling"]


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
    array = arrays.as_array(value, name, "float64")
    if array.ndim > 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must be a finite number or a sequence of them, but got {value!r}.")
    numbers: float | list[float] = array.tolist()
    return numbers


class Normalization(Layer):
    """``y = (x - mean) / sqrt(variance)``, with mean and variance of the data that `adapt` saw; a deviation below
    1e-7 counts as that. The shape stays as it is.

    Args:
        axis: The axis that has a mean and a variance for each of its elements, which must be the last; None: one of
            each for all. Default -1.
        mean, variance: In place of `adapt`: a number, or a number for each element of the axis. Give both or none.
        invert: Whether to go the other way: ``y = x * sqrt(variance) + mean``. Default ``False``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, no mean and variance, or too many.
    """

    supports_masking = True

    def __init__(
        self,
        axis: int | None = -1,
        mean: float | Sequence[float] | None = None,
        variance: float | Sequence[float] | None = None,
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
        self.axis = None if axis is None else checks.one_axis(axis)
        self.mean = None if mean is None else _numbers(mean, "mean")
        self.variance = None if variance is None else _numbers(variance, "variance")
        if self.variance is not None and np.min(self.variance) < 0:
            raise ValueError(f"variance must not be negative, but got {variance!r}.")
        self.invert = checks.boolean(invert, "invert")
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def adapt(self, data: ArrayLike) -> None:
        """Take mean and variance (that of a population) from samples.

        In a built model the other layers keep their weights; the optimizer starts anew.

        Args:
            data: Samples, of shape ``(samples, ...)``; none of them NaN or infinite.

        Raises:
            TypeError, ValueError: unfit data, or none; the layer is as before then.
        """
        x = arrays.as_array(data, "data", "float64")
        if x.ndim == 0 or x.size == 0:
            raise ValueError(f"data must be an array of samples, but has the shape {x.shape}.")
        if not np.isfinite(x).all():
            raise ValueError("data must be finite, but there is NaN or infinity in it.")
        shape = x.shape[1:]
        self._check_axis(shape)
        axes = None if self.axis is None else tuple(range(x.ndim - 1))
        mean, variance = np.mean(x, axis=axes).tolist(), np.var(x, axis=axes).tolist()
        if self._built is not None:
            self._check_numbers(self._built.shape, mean, variance)  # type: ignore[arg-type]
        changed = [self] if self._extended is None else [self, self._extended]
        found = {"mean": mean, "variance": variance}
        self._restructure([atomic.setting(each, name, value) for each in changed for name, value in found.items()])
        if self._built is None:
            self.build((None, *shape))

    def _check_axis(self, shape: Shape) -> None:
        if self.axis is not None and (not shape or self.axis not in (-1, len(shape))):
            raise self._shape_error(f"has axis={self.axis}, but it must be the last one of samples of shape {shape}.")

    def sample_output_shape(self, shape: Shape) -> Shape:
        self._check_axis(shape)
        if self.mean is None:
            raise self._shape_error("has no mean and variance: call adapt(data) before the model is built.")
        self._check_numbers(shape, self.mean, self.variance)
        return shape

    def _check_numbers(self, shape: Shape, mean: object, variance: object) -> None:
        """Raise ValueError if there are too many or too few for samples of `shape`."""
        columns = 1 if self.axis is None else shape[-1]
        for name, values in (("mean", mean), ("variance", variance)):
            if isinstance(values, list) and len(values) != columns:
                raise self._shape_error(f"has {len(values)} numbers as {name}, but got samples of shape {shape}.")

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        self.sample_output_shape(shape)
        deviation = np.maximum(np.sqrt(np.atleast_1d(np.array(self.variance))), 1e-7)
        mean = np.atleast_1d(np.array(self.mean))
        columns = max(deviation.size, mean.size)
        deviation, mean = np.broadcast_to(deviation, columns), np.broadcast_to(mean, columns)
        if self.invert:
            return net.add("rescaling", x, scale=deviation.tolist(), offset=mean.tolist())
        # x / deviation - mean / deviation would leave few digits where the mean is large
        scale, offset = (1 / deviation).tolist(), [0.0] * columns
        return net.add("rescaling", x, mean=mean.tolist(), scale=scale, offset=offset)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "mean": self.mean,
            "variance": self.variance,
            "invert": self.invert,
        }
