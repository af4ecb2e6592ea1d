"""Arrays beside symbolic tensors, which are the same for all samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import arrays
from ..engine.lowering import Lowering
from ..foundation import checks
from ..foundation.native import core
from ..geometry import maps
from .base import Layer
from .elementwise import combined
from .trial import is_for_one_length, operation_name
from .types import Shape


class _Held:
    """A float array in the engine that nothing changes, and that is no weight."""

    def __init__(self, array: NDArray[Any], dtype: str) -> None:
        parameters = core.Parameters(dtype)
        self.native = (parameters, parameters.add(array.size, learned=False))
        parameters.array(self.native[1])[:] = array.ravel()
        parameters.frozen = True


def _held_as(dtype: str, array: NDArray[Any], held: dict[str, _Held]) -> _Held:
    """The array in a number type: one for all graphs, whose trainers take over from another."""
    if dtype not in held:
        held.setdefault(dtype, _Held(array, dtype))
    return held[dtype]


def _for_one_length(net: Lowering, x: int, shape: Shape, constant: NDArray[Any]) -> int:
    """The array beside tensor `x` of this shape, without an array in the engine.

    A trainer takes over from one of another length, and both must have the same arrays there.
    """
    first = tuple(0 for _ in shape)
    if net.holds_ids(x):
        one = net.numbers(net.select_ids(x, np.zeros(1, np.int64)))
    else:
        one = net.resample(x, maps.selected(shape, first))
    zero = combined(net, "less", [one, one], [(), ()])  # also of what is no number
    settings = {"constant": constant.ravel().tolist(), "constant_first": False}
    return combined(net, "add", [zero], [(), constant.shape], **settings)


class ConstantProduct(Layer):
    """``x @ constant`` or ``constant @ x``, the matrix product with an array that is the same for all samples.

    Shapes: ``(N, ..., k)`` and ``(k, n)`` or ``(k,)``, output ``(N, ..., n)`` or ``(N, ...)``; with the constant first
    ``(m, k)`` or ``(k,)`` and ``(N, ..., k, n)``, output ``(N, ..., m, n)`` or ``(N, ..., n)``.

    Args:
        constant: The array.
        constant_first: Whether it is the first operand. Default False.
        name: Default: ``"matmul"`` with a number.
    """

    is_operation = True

    def __init__(self, constant: Any, constant_first: bool = False, name: str | None = None) -> None:
        self.constant = arrays.as_array(constant, "The constant of an operator", "float64").copy()
        self.constant_first = checks.boolean(constant_first, "constant_first")
        self._held: dict[str, _Held] = {}  # by number type
        self._of_one_length = is_for_one_length()
        super().__init__(name=operation_name("matmul") if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        axis, size = self._axis(shape), self.constant.shape
        summed = size[-1:] if self.constant_first else size[:1]
        if axis < 0 or not 1 <= len(size) <= 2 or 0 in size or shape[axis] != summed[0]:
            order = f"constant of shape {size} by samples of shape {shape}"
            if not self.constant_first:
                order = f"samples of shape {shape} by a constant of shape {size}"
            raise self._shape_error(f"cannot multiply {order}. A constant goes without the axis of the batch.")
        made = size[:-1] if self.constant_first else size[1:]
        return (*shape[:axis], *made, *shape[axis + 1 :])

    def _axis(self, shape: Shape) -> int:
        """The axis of a sample that is summed over; negative where there is none."""
        return len(shape) - (2 if self.constant_first else 1)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        axis, last = self._axis(shape), len(shape) - 1
        units = self.constant.size // shape[axis]
        if axis == last:
            return self._product(net, x, shape, units)
        exchanged = [*range(axis), last, axis]
        x = net.permute(x, shape, exchanged)
        x = self._product(net, x, tuple(shape[each] for each in exchanged), units)
        return net.permute(x, (*shape[:axis], shape[last], units), exchanged)

    def _product(self, net: Lowering, x: int, shape: Shape, units: int) -> int:
        matrix = self.constant.T if self.constant_first else self.constant
        if not self._of_one_length:
            return net.add("dense", x, [_held_as(net.dtype, matrix, self._held), None], units=units)
        sizes = {"batch": 1, "m": math.prod(shape[:-1]), "k": shape[-1], "n": units}
        made = _for_one_length(net, x, shape, matrix)
        return net.add("matmul", [x, made], **sizes, transpose_a=False, transpose_b=False)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "constant": self.constant.tolist(), "constant_first": self.constant_first}


class ConstantTensor(Layer):
    """An array that is the same for all samples, beside a tensor that has them.

    Shapes: ``(N, ...)``, output ``(N, *constant.shape)``.

    Args:
        constant: The array, without the axis of the batch.
        name: Default: ``"constant"`` with a number.
    """

    is_operation = True

    def __init__(self, constant: Any, name: str | None = None) -> None:
        self.constant = arrays.as_array(constant, "The constant", "float64").copy()
        self._held: dict[str, _Held] = {}  # by number type
        self._of_one_length = is_for_one_length()
        super().__init__(name=operation_name("constant") if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        if not self.constant.size:
            raise self._shape_error(
                f"takes an array with at least one number, but has the shape {self.constant.shape}."
            )
        constant: Shape = self.constant.shape
        return constant

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        if self._of_one_length:
            return _for_one_length(net, x, shape, self.constant)
        return net.add("parameter", [], [_held_as(net.dtype, self.constant, self._held)], size=self.constant.size)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "constant": self.constant.tolist()}
