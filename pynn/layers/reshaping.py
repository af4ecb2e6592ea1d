"""Layers that give the same numbers in another shape, which costs nothing, or with their axes in another order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..foundation import checks
from ..geometry import maps
from .base import Layer, Lowering


class Flatten(Layer):
    """All axes but the batch as one: ``(N, a, b, ...)`` becomes ``(N, a * b * ...)``.

    Args:
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.
    """

    def __init__(self, **base: Any) -> None:
        super().__init__(**base)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (math.prod(shape),)

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        return x


class Reshape(Layer):
    """The elements of each sample, in order, in the shape `target_shape`.

    Args:
        target_shape: Sizes without the batch axis; one may be -1 and follows from the others.
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(self, target_shape: Sequence[int], **base: Any) -> None:
        sizes = tuple(target_shape)
        if sizes.count(-1) > 1:
            raise ValueError(f"target_shape may have one -1 at most, but got {sizes}.")
        checks.shape([size for size in sizes if size != -1], "target_shape")
        self.target_shape = tuple(int(size) for size in sizes)
        super().__init__(**base)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        size = math.prod(shape)
        known = math.prod(size for size in self.target_shape if size != -1)
        fits = size % known == 0 if -1 in self.target_shape else size == known
        if not fits:
            raise self._shape_error(f"cannot make {self.target_shape} of samples of shape {shape}, {size} elements.")
        return tuple(size // known if target == -1 else target for target in self.target_shape)

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """The axes of each sample in another order: axis i of the output is axis ``dims[i - 1]`` of the input.

    ``Permute((2, 1))`` turns ``(N, length, channels)`` into ``(N, channels, length)``.

    Args:
        dims: The numbers of all axes but the batch, from 1 on, in their new order.
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples with another number of axes.
    """

    def __init__(self, dims: Sequence[int], **base: Any) -> None:
        self.dims = checks.shape(dims, "dims")
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"dims must hold each of the numbers from 1 to {len(self.dims)} once, but got {dims}.")
        super().__init__(**base)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) != len(self.dims):
            raise self._shape_error(
                f"takes samples of {len(self.dims)} axes, as dims={self.dims} has, but got the shape {shape}."
            )
        return tuple(shape[axis - 1] for axis in self.dims)

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        return maps.permute(net.network, x, shape, [axis - 1 for axis in self.dims])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}
