"""Layers that bring the length of their inputs to 1, or to the number of their elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from .. import initializers
from ..engine.lowering import Lowering
from ..foundation import checks
from .axes import AxesLayer
from .setting import number
from .types import Shape
from .weight import Weight, WeightSpec

__all__ = ["RMSNormalization", "UnitNormalization"]


class RMSNormalization(AxesLayer):
    """``y = scale * x / sqrt(mean(x^2) + epsilon)`` with the mean over the given axes of each sample (Zhang and
    Sennrich, 2019). Training and inference are the same. Large numbers do not overflow when they are squared.

    Shapes: input and output ``(N, ..., features)``; weight scale of the sizes of the axes, in the order of their
    numbers, as in Keras: with ``axis=(-1, 1)`` that of the last axis comes first.

    Args:
        axis: An axis, or several of them, any but 0. Default -1, the last.
        epsilon: Default 1e-6.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    epsilon = number("[0, inf)")

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-6,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.axis = checks.axis(axis)
        self.epsilon = epsilon
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        return [WeightSpec("scale", self._weight_sizes(shape), initializers.get("ones"))]

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.add("rms_norm", x, [self.scale], columns=self._columns(shape), epsilon=self.epsilon, unit=False)

    @property
    def scale(self) -> Weight | None:
        """The scale, once the layer is built."""
        return self._weight("scale")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(AxesLayer):
    """``y = x / max(sqrt(sum(x^2)), 1e-12)`` with the sum over the given axes of each sample, whose length becomes 1.
    Large numbers do not overflow when they are squared.

    Args:
        axis: An axis, or several of them, any but 0. Default -1, the last.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    built_at_once = True
    supports_masking = True

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.axis = checks.axis(axis)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.add("rms_norm", x, [None], columns=self._columns(shape), epsilon=1e-12, unit=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
