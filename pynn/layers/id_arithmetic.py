"""Arithmetic with ids: whole numbers that stay whole, so that an `Embedding` may read what comes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.lowering import Lowering
from .base import Layer
from .elementwise import combined
from .operations import Arithmetic, name_for
from .types import Shape

_INT32 = np.iinfo(np.int32)

_DIVISIONS = ("floor_divide", "remainder")
_FUNCTIONS = ("add", "subtract", "multiply", *_DIVISIONS)


def are_ids(function: str, constant: NDArray[Any] | None = None, constant_first: bool = False) -> bool:
    """Whether what the operator makes of ids, two tensors or one and the constant, are ids, whole numbers."""
    if function not in _FUNCTIONS:
        return False
    if constant is None:
        return True
    if function in _DIVISIONS and not constant_first and not np.all(constant):
        return False
    return np.array_equal(constant, np.rint(constant)) and bool(np.all(abs(constant) <= _INT32.max))


class Whole(Layer):
    """Numbers without what is behind the point; ids as they are.

    Args:
        name: Default: ``"cast"`` with a number.
    """

    is_operation = True
    keeps_ids = True

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name_for("cast") if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        if net.holds_ids(x):
            return x

        def of(function: str, tensor: int, constant: float) -> int:
            return combined(net, function, [tensor], [shape, ()], constant=[constant], constant_first=False)

        below = of("maximum", of("floor_divide", x, 1.0), 0.0)
        above = of("minimum", of("multiply", of("floor_divide", of("multiply", x, -1.0), 1.0), -1.0), 0.0)
        return combined(net, "add", [below, above], [shape, shape])

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class IdArithmetic(Arithmetic):
    """``function(a, b)`` of two tensors of ids, or of one and a constant, element by element; broadcast as in NumPy.

    It computes in 32 bits, and leaves higher ones out, as Keras does. What is divided by 0 is 0, but not where an
    `Embedding` reads what comes of it, which is refused. Where numbers come in place of ids, as they may into the
    `call` of a layer, it is `Arithmetic`.

    Args:
        function: ``"add"``, ``"subtract"``, ``"multiply"``, ``"floor_divide"`` or ``"remainder"``.
        constant: In place of one of the tensors: a whole number, or an array of them without the axis of the batch.
        constant_first: Whether the constant is the first operand.
        name: Default: the function's, with a number.
    """

    takes_part = True

    def __init__(
        self, function: str, constant: Any = None, constant_first: bool = False, name: str | None = None
    ) -> None:
        super().__init__(function, constant, constant_first, name)
        if not are_ids(self.function, self.constant, self.constant_first):
            raise ValueError(
                f"IdArithmetic takes the functions {', '.join(_FUNCTIONS)}, and whole constants of 32 bits that divide "
                f"by no 0, but got {self.function} and {self.constant}."
            )
        self._whole = None if self.constant is None else self.constant.astype(np.int32)

    def _part_of(self, *xs: NDArray[Any]) -> NDArray[Any]:
        shapes = [x.shape[1:] for x in xs]
        rank = len(self.sample_output_shape(shapes if self.takes_list else shapes[0]))
        operands = [x.reshape(len(x), *(1,) * (rank + 1 - x.ndim), *x.shape[1:]) for x in xs]
        if self._whole is not None:
            operands.insert(0 if self.constant_first else 1, self._whole)
        if self.function in _DIVISIONS and not operands[1].all():
            row = int(np.argwhere(operands[1] == 0)[0, 0])
            raise self._shape_error(f"divides ids by 0 at row {row}, for an Embedding. Give it no divisors of 0.")
        with np.errstate(over="ignore"):  # -2^31 // -1
            found: NDArray[Any] = getattr(np, self.function)(*operands)
        return found

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        xs, shapes = (x, shape) if self.takes_list else ([x], [shape])
        if not all(map(net.holds_ids, xs)):
            numbers = [net.numbers(each) for each in xs]
            return super().lower(net, numbers if self.takes_list else numbers[0], shape)
        output = self.sample_output_shape(shape)
        operands = [_spread(net, each, own, output) for each, own in zip(xs, shapes, strict=True)]
        if self._whole is None:
            return net.compute_ids(self.function, operands)
        constant = np.broadcast_to(self._whole, output).ravel().astype(np.int64)
        return net.compute_ids(self.function, operands, constant=constant, constant_first=self.constant_first)


def _spread(net: Lowering, x: int, own: Shape, shape: Shape) -> int:
    """Ids of the shape `own`, repeated along the axes of `shape` that it has not."""
    if own == shape:
        return x
    return net.select_ids(x, np.broadcast_to(np.arange(math.prod(own)).reshape(own), shape).ravel())
