"""What operators on symbolic tensors become: layers without a place in `Model.layers`, as in Keras."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import arrays
from ..engine.lowering import Lowering
from ..foundation import checks, names
from ..geometry import maps
from . import symbolic
from .base import Layer
from .core import Activation
from .merging import broadcast, combined
from .symbolic import SymbolicTensor
from .types import Shape

# Names of the operations, as in Keras.
_NAMES = {"divide": "true_divide"}


class Arithmetic(Layer):
    """``function(a, b)`` of two tensors, or of one and a constant, element by element; broadcast as in NumPy.

    Args:
        function: ``"add"``, ``"subtract"``, ``"multiply"``, ``"divide"`` or ``"power"``.
        constant: In place of one of the tensors: a number, or an array without the axis of the batch.
        constant_first: Whether the constant is the first operand.
        name: Default: the function's, with a number.
    """

    is_operation = True

    def __init__(
        self, function: str, constant: Any = None, constant_first: bool = False, name: str | None = None
    ) -> None:
        self.function = checks.choice(function, "function", ("add", "subtract", "multiply", "divide", "power"))
        self.constant: NDArray[Any] | None = None
        if constant is not None:
            self.constant = arrays.as_array(constant, "The constant of an operator", "float64")
        self.constant_first = checks.boolean(constant_first, "constant_first")
        self.takes_list = constant is None
        super().__init__(name=names.auto_name(_NAMES.get(function, function)) if name is None else name)

    def _shapes(self, shape: Any) -> list[Shape]:
        return shape if self.constant is None else [shape, self.constant.shape]

    def sample_output_shape(self, shape: Any) -> Shape:
        shapes = self._shapes(shape)
        if len(shapes) != 2:
            raise self._shape_error(f"takes exactly 2 inputs, but got {len(shapes)}.")
        try:
            output = broadcast(*shapes)
        except ValueError:
            raise self._shape_error(f"cannot put samples of the shapes {shapes[0]} and {shapes[1]} together.") from None
        if self.constant is not None and len(output) > len(shape):
            raise self._shape_error(
                f"cannot put samples of shape {shape} and a constant of shape {self.constant.shape} together: the "
                "constant has more axes. It goes without the axis of the batch."
            )
        return output

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        if self.constant is None:
            return combined(net, str(self.function), x, shape)
        settings = {"constant": self.constant.ravel().tolist(), "constant_first": self.constant_first}
        return combined(net, str(self.function), [x], self._shapes(shape), **settings)

    def get_config(self) -> dict[str, Any]:
        constant = None if self.constant is None else self.constant.tolist()
        return {
            "name": self.name,
            "function": self.function,
            "constant": constant,
            "constant_first": self.constant_first,
        }


class MatMul(Layer):
    """The matrix product of two tensors over their last two axes; the axes in front must be the same.

    Shapes: ``(N, ..., m, k)`` and ``(N, ..., k, n)``, output ``(N, ..., m, n)``.
    """

    takes_list = True
    is_operation = True

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=names.auto_name("matmul") if name is None else name)

    def sample_output_shape(self, shape: Any) -> Shape:
        if len(shape) != 2:
            raise self._shape_error(f"takes exactly 2 inputs, but got {len(shape)}.")
        a, b = shape
        if min(len(a), len(b)) < 2 or a[:-2] != b[:-2] or a[-1] != b[-2]:
            raise self._shape_error(f"cannot multiply matrices of samples of the shapes {a} and {b}.")
        return (*a[:-1], b[-1])

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        a, b = shape
        sizes = {"batch": math.prod(a[:-2]), "m": a[-2], "k": a[-1], "n": b[-1]}
        return net.add("matmul", x, **sizes, transpose_a=False, transpose_b=False)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class GetItem(Layer):
    """The part of each sample that an index names, as in NumPy: whole numbers, slices, ``None`` and ``...``.

    Args:
        key: The index, without that of the batch.
        name: Default: ``"get_item"`` with a number.
    """

    is_operation = True

    def __init__(self, key: tuple[Any, ...], name: str | None = None) -> None:
        if not isinstance(key, list | tuple):
            raise TypeError(f"key must be a tuple of indices, but got {checks.shown(key)}.")
        self.key = tuple(_checked_index(_read(each)) for each in key)
        super().__init__(name=names.auto_name("get_item") if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        try:
            output: Shape = np.broadcast_to(np.int8(0), shape)[self.key].shape
        except IndexError as error:
            raise self._shape_error(f"cannot take part {self.key} of samples of shape {shape}: {error}.") from None
        if 0 in output:
            raise self._shape_error(f"takes nothing of samples of shape {shape} by the index {self.key}.")
        return output

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.resample(x, maps.selected(shape, self.key))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "key": [_written(each) for each in self.key]}


def _written(index: Any) -> Any:
    """One index as a plain value."""
    if isinstance(index, slice):
        return {"slice": [index.start, index.stop, index.step]}
    return "..." if index is Ellipsis else index


def _read(value: Any) -> Any:
    """The index that `_written` made a plain value of."""
    if isinstance(value, dict) and isinstance(value.get("slice"), list | tuple) and len(value["slice"]) == 3:
        return slice(*value["slice"])
    return Ellipsis if isinstance(value, str) and value == "..." else value


def _checked_index(index: Any) -> Any:
    """One index with plain ints as its numbers; TypeError or ValueError where a symbolic tensor takes none such."""
    if index is None or index is Ellipsis:
        return index
    if isinstance(index, slice):
        start, stop, step = (
            None if each is None else _checked_index(each) for each in (index.start, index.stop, index.step)
        )
        if step == 0:
            raise ValueError("The step of a slice of a symbolic tensor must not be 0.")
        return slice(start, stop, step)
    if isinstance(index, bool) or not isinstance(index, int | np.integer):
        raise TypeError(
            f"A symbolic tensor takes whole numbers, slices, None and ... as an index, but got {type(index).__name__}."
        )
    return int(index)


class Absolute(Layer):
    """The absolute value of each element; its gradient is 0 at 0."""

    is_operation = True

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=names.auto_name("absolute") if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        negative = combined(net, "multiply", [x], [shape, ()], constant=[-1.0], constant_first=False)
        return combined(net, "maximum", [x, negative], [shape, shape])

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class Activated(Activation):
    """What a function of ``pynn.activations`` makes of a symbolic tensor."""

    is_operation = True


def _apply(function: str, a: Any, b: Any) -> SymbolicTensor:
    if function == "get_item":
        result: SymbolicTensor = GetItem(_sample_key(a, b))(a)
    elif function == "matmul":
        if not isinstance(b, SymbolicTensor):
            raise TypeError(f"The operator @ takes two symbolic tensors, but got {type(b).__name__}.")
        result = MatMul()([a, b])
    elif function == "activation":
        result = Activated(b, name=names.auto_name(b.name))(a)
    elif function == "absolute":
        result = Absolute()(a)
    elif function == "negative":
        result = Arithmetic("multiply", -1.0, name=names.auto_name("negative"))(a)
    elif isinstance(a, SymbolicTensor) and isinstance(b, SymbolicTensor):
        result = Arithmetic(function)([a, b])
    else:
        first = not isinstance(a, SymbolicTensor)
        tensor, constant = (b, a) if first else (a, b)
        result = Arithmetic(function, _constant(constant, tensor), first)(tensor)
    return result


def _constant(value: Any, tensor: SymbolicTensor) -> NDArray[Any]:
    """A constant without the axis of the batch."""
    array = arrays.as_array(value, "The constant of an operator", "float64")
    if array.ndim == tensor.ndim:
        if len(array) != 1:
            raise ValueError(
                f"A constant is the same for all samples: it must have the size 1 along the first axis, or go without "
                f"that, but has the shape {array.shape}."
            )
        array = array[0]
    return array


def _sample_key(tensor: SymbolicTensor, key: Any) -> tuple[Any, ...]:
    """The index without that of the batch, which must be all of it."""
    given = tuple(_checked_index(each) for each in (key if isinstance(key, tuple) else (key,)))
    if given and given[0] is Ellipsis:
        missing = tensor.ndim - sum(1 for each in given if each is not None and each is not Ellipsis)
        if missing < 1:
            given = given[1:]
        else:
            return given if missing > 1 else given[1:]
    if not given or given[0] != slice(None):
        raise ValueError(
            f"The first index of the symbolic tensor {tensor.name!r} must be ':', all samples, but got {key!r}."
        )
    return given[1:]


symbolic.arithmetic = _apply
