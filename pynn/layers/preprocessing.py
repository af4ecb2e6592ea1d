"""Layers that bring raw data into the range networks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _checks
from .base import Layer, Lowering


class Rescaling(Layer):
    """``y = x * scale + offset``. The shape stays as it is; bytes stay bytes until a batch is gathered.

    ``Rescaling(1/255)`` in front of a model takes images as uint8.

    Args:
        scale: A number, or a number for each element of the last axis.
        offset: As `scale`. Default ``0.0``.
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(self, scale: float | Sequence[float], offset: float | Sequence[float] = 0.0, **base: Any) -> None:
        self.scale = _numbers(scale, "scale")
        self.offset = _numbers(offset, "offset")
        super().__init__(**base)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        columns = shape[-1] if shape else 1
        for name, values in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(values, list) and len(values) != columns:
                raise self._shape_error(f"has {len(values)} numbers as {name}, but got samples of shape {shape}.")
        return shape

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        columns = max(np.size(self.scale), np.size(self.offset))
        scale, offset = (np.broadcast_to(values, columns).tolist() for values in (self.scale, self.offset))
        return net.network.add_rescaling(x, scale, offset)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


def _numbers(value: float | Sequence[float], name: str) -> float | list[float]:
    array = _checks.as_array(value, name, "float64")
    if array.ndim > 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must be a finite number or a sequence of them, but got {value!r}.")
    numbers: float | list[float] = array.tolist()
    return numbers
