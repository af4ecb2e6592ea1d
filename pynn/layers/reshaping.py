"""Layers that give the same numbers in another shape, which costs nothing, in another order, or several times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from .. import config
from ..engine.lowering import Lowering
from ..foundation import checks
from ..geometry import maps
from .base import Layer
from .types import Shape

__all__ = ["Flatten", "Permute", "RepeatVector", "Reshape"]


class Flatten(Layer):
    """All axes but the batch as one: ``(N, a, b, ...)`` becomes ``(N, a * b * ...)``.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``: the first axis of a sample is that of the channels,
            and is made the last before, so that the order is the same for both. Default:
            ``config.image_data_format()``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.
    """

    def __init__(
        self,
        data_format: str | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.data_format = config.resolve_data_format(data_format)
        self.keeps_ids = self.data_format == config.CHANNELS_LAST  # the engine moves numbers only
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        if self.data_format == config.CHANNELS_LAST or not shape:
            return x
        return net.permute(x, shape, (*range(1, len(shape)), 0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """The elements of each sample, in order, in the shape `target_shape`.

    Args:
        target_shape: Sizes without the batch axis; one may be -1 and follows from the others.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    keeps_ids = True

    def __init__(
        self,
        target_shape: Sequence[int],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        sizes = tuple(checks.listed(target_shape))
        if sizes.count(-1) > 1:
            raise ValueError(f"target_shape may have one -1 at most, but got {sizes}.")
        checks.shape([size for size in sizes if size != -1], "target_shape")
        self.target_shape = tuple(int(size) for size in sizes)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def sample_output_shape(self, shape: Shape) -> Shape:
        size = math.prod(shape)
        known = math.prod(size for size in self.target_shape if size != -1)
        fits = size % known == 0 if -1 in self.target_shape else size == known
        if not fits:
            raise self._shape_error(f"cannot make {self.target_shape} of samples of shape {shape}, {size} elements.")
        return tuple(size // known if target == -1 else target for target in self.target_shape)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """The axes of each sample in another order: axis i of the output is axis ``dims[i - 1]`` of the input.

    ``Permute((2, 1))`` turns ``(N, length, channels)`` into ``(N, channels, length)``.

    Args:
        dims: The numbers of all axes but the batch, from 1 on, in their new order.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples with another number of axes.
    """

    def __init__(
        self,
        dims: Sequence[int],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.dims = checks.shape(dims, "dims")
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"dims must hold each of the numbers from 1 to {len(self.dims)} once, but got {dims}.")
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def sample_output_shape(self, shape: Shape) -> Shape:
        if len(shape) != len(self.dims):
            raise self._shape_error(
                f"takes samples of {len(self.dims)} axes, as dims={self.dims} has, but got the shape {shape}."
            )
        return tuple(shape[axis - 1] for axis in self.dims)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.permute(x, shape, [axis - 1 for axis in self.dims])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """A vector `n` times: ``(N, features)`` becomes ``(N, n, features)``.

    Args:
        n: How many times, at least 1.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples that are no vectors.
    """

    def __init__(
        self,
        n: int,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        checks.index(n, "n")  # 2.5 is a TypeError, as in Keras
        self.n = checks.positive_int(n, "n", at_most=maps.MOST_POSITIONS)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def sample_output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1 or shape[0] < 1:
            raise self._shape_error(f"takes samples of shape (features,), but got {shape}.")
        return (self.n, *shape)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.resample(x, maps.product([maps.repeated(1, self.n)], shape[0]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
