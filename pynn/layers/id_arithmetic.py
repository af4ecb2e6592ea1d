"""Arithmetic with ids: whole numbers that stay whole, so that an `Embedding` may read what comes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.lowering import Lowering
from .base import Layer
from .elementwise import combined
from .operations import Arithmetic, name_for
from .symbolic import SymbolicTensor
from .tracing import Source
from .types import Shape

_INT32 = np.iinfo(np.int32)


def are_ids(function: str, constant: NDArray[Any], constant_first: bool) -> bool:
    """Whether what the operator makes of ids and the constant are ids, whole numbers."""
    if not np.array_equal(constant, np.rint(constant)):
        return False
    if function in ("floor_divide", "remainder"):
        return not constant_first and bool(np.all((constant > 0) & (constant <= _INT32.max)))
    return function in ("add", "subtract", "multiply") and bool(np.all(abs(constant) <= _INT32.max))


def may_hold_ids(tensor: SymbolicTensor) -> bool:
    """Whether it holds ids, or whatever a `call` is given, which is ids or numbers as each call of the layer has it."""
    source = tensor.node
    while source.inputs and (source.layer.keeps_ids or source.layer.takes_part):
        source = source.inputs[0].node
    return tensor.holds_ids or isinstance(source.layer, Source)


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
    """``function(ids, constant)``, or of the constant and ids, element by element; broadcast as in NumPy.

    Results outside of 32 bits become the nearest number of 32 bits. Where numbers come in place of ids, as they may
    into the `call` of a layer, it is `Arithmetic`.

    Args:
        function: ``"add"``, ``"subtract"`` or ``"multiply"``, or, with the constant second and above 0,
            ``"floor_divide"`` or ``"remainder"``.
        constant: A whole number, or an array of them without the axis of the batch.
        constant_first: Whether the constant is the first operand.
        name: Default: the function's, with a number.
    """

    takes_part = True

    def __init__(self, function: str, constant: Any, constant_first: bool = False, name: str | None = None) -> None:
        super().__init__(function, constant, constant_first, name)
        self._whole: NDArray[np.int64] = np.asarray(self.constant).astype(np.int64)

    def _part_of(self, x: NDArray[Any]) -> NDArray[Any]:
        operands = x.astype(np.int64), self._whole
        found: NDArray[np.int64] = getattr(np, self.function)(*(operands[::-1] if self.constant_first else operands))
        return np.clip(found, _INT32.min, _INT32.max)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        if not net.holds_ids(x):
            return super().lower(net, x, shape)
        output = self.sample_output_shape(shape)
        if output != shape:  # the constant is longer along an axis of 1
            index = np.arange(int(np.prod(shape))).reshape(shape)
            x = net.select_ids(x, np.broadcast_to(index, output).ravel())
        constant = np.broadcast_to(self._whole, output).ravel()
        if self.function != "subtract":
            return net.compute_ids(x, self.function, constant)
        if self.constant_first:
            return net.compute_ids(net.compute_ids(x, "multiply", np.full_like(constant, -1)), "add", constant)
        return net.compute_ids(x, "add", -constant)
