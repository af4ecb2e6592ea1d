"""Layers that see the same numbers in another shape; they cost nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import _checks
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
        _checks.shape([size for size in sizes if size != -1], "target_shape")
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
