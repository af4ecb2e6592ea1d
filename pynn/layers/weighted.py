"""Operators with weights: what they become in the `call` of a layer of one's own.

A weight is the same for all samples, and so is what is made of weights alone; its shape is all of its own.
"""

from __future__ import annotations

import math
from typing import Any

from ..engine.lowering import Lowering
from .base import Layer
from .symbolic import Made, Node, SymbolicTensor
from .types import Shape
from .weight import Weight


class WeightOperation(Layer):
    """Base of the operators that use a weight. They are part of the layer that has it, and know it by itself."""

    is_operation = True

    def __init__(self, weight: Weight, name: str) -> None:
        super().__init__(name=name)
        self.weight = weight

    @property
    def weights(self) -> list[Weight]:
        """The weight that is used."""
        return [self.weight]

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class WeightTensor(WeightOperation):
    """A weight as a tensor: every sample has it as it is."""

    takes_list = True

    def tensor(self) -> SymbolicTensor:
        """The symbolic tensor."""
        made = Made(self.sample_output_shape(()), self.weight.dtype, False)
        return SymbolicTensor(Node(self, (), (made,), None), 0)

    def sample_output_shape(self, shape: Any) -> Shape:
        return self.weight.shape

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        return net.add("parameter", [], [self.weight], size=math.prod(self.weight.shape))


class TransposedWeight(WeightTensor):
    """A matrix with its axes exchanged, which every sample has."""

    def sample_output_shape(self, shape: Any) -> Shape:
        return self.weight.shape[::-1]

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        return net.permute(super().lower(net, x, shape), self.weight.shape, [1, 0])


class WeightProduct(WeightOperation):
    """``x @ weight``, for a matrix or a vector.

    Shapes: input ``(N, ..., I)``, weight ``(I, O)`` or ``(I,)``, output ``(N, ..., O)`` or ``(N, ...)``.
    """

    def sample_output_shape(self, shape: Shape) -> Shape:
        weight = self.weight.shape
        if not shape or not 1 <= len(weight) <= 2 or shape[-1] != weight[0]:
            raise self._shape_error(
                f"cannot multiply samples of shape {shape} by the weight {self.weight.path} of shape {weight}."
            )
        return (*shape[:-1], *weight[1:])

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.add("dense", x, [self.weight, None], units=math.prod(self.weight.shape[1:]))


class WeightSum(WeightOperation):
    """``x + weight``, for a weight along the last axis.

    Shapes: input and output ``(N, ..., I)``, weight ``(I,)``.
    """

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.add("bias", x, [self.weight])


class Choose(Layer):
    """The first tensor in training, and the second one otherwise."""

    takes_list = True
    is_operation = True

    def sample_output_shape(self, shape: Any) -> Shape:
        return shape[0]  # type: ignore[no-any-return]

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        return int(x[0] if net.mode else x[1]) if net.mode is not None else net.add("choose", x)
