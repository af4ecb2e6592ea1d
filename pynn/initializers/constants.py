"""Initial values that are the same each time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..data import arrays
from ..foundation import checks
from .base import Array, Initializer

__all__ = ["Constant", "Identity", "Ones", "Zeros"]


class Zeros(Initializer):
    """All 0."""

    def _values(self, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape)


class Ones(Initializer):
    """All 1."""

    def _values(self, shape: tuple[int, ...]) -> Array:
        return np.ones(shape)


class Constant(Initializer):
    """The given value or values.

    Args:
        value: A number, or an array that broadcasts to the shape asked for. Default ``0.0``.
    """

    def __init__(self, value: ArrayLike = 0.0) -> None:
        self.value = arrays.as_array(value, "value", "float64").copy()

    def _values(self, shape: tuple[int, ...]) -> Array:
        try:
            return np.broadcast_to(self.value, shape)
        except ValueError:
            raise ValueError(
                f"Constant holds values of shape {self.value.shape}, which do not fit the shape {shape}."
            ) from None

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value.tolist()}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix and 0 elsewhere.

    Args:
        gain: Default ``1.0``.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = checks.finite(gain, "gain")

    def _values(self, shape: tuple[int, ...]) -> Array:
        if len(shape) != 2:
            raise ValueError(f"Identity makes matrices, but was asked for the shape {shape}.")
        return self.gain * np.eye(*shape)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}
