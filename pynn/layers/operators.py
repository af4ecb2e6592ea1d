"""What an operator makes of symbolic tensors, weights, numbers and arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..activations import Activation as ActivationFunction
from ..data import arrays
from .constants import ConstantProduct
from .id_arithmetic import IdArithmetic, are_ids
from .of_weights import WeightEinsum
from .operations import FUNCTIONS, Absolute, Activated, Arithmetic, Function, GetItem, MatMul, checked_index, name_for
from .reductions import Kept
from .symbolic import Operand, SymbolicTensor
from .trial import is_calling, operation_name
from .weight import Weight
from .weighted import Choose, TransposedWeight, WeightProduct, WeightSum, WeightTensor


def apply(function: str, a: Any, b: Any) -> Any:
    """What an operator makes of symbolic tensors, weights, numbers and arrays."""
    if not any(isinstance(x, SymbolicTensor) for x in (a, b)) and not is_calling():
        return _of_values(function, a, b)
    if function in _LOGIC:
        return _LOGIC[function](*(None if x is None else _truth(x) for x in (a, b)))
    for x in (a, b):
        if isinstance(x, Weight) and not is_calling():
            raise TypeError(
                f"The weight {x.path} goes together with symbolic tensors in the call of a layer or model only. "
                "Elsewhere, use its values: weight.numpy()."
            )
    if function == "matmul" and isinstance(a, SymbolicTensor) and a.per_sample and isinstance(b, Weight):
        return WeightProduct(b, operation_name("matmul"))(a)
    if function == "add" and isinstance(a, SymbolicTensor) and isinstance(b, Weight) and b.shape == a.sample[-1:]:
        return WeightSum(b, operation_name("add"))(a) if a.per_sample else apply("add", a, _tensor(b))
    a, b = _tensor(a), _tensor(b)
    if function in FUNCTIONS:
        return Function(function, operation_name(function))(a)
    if function in _ALONE:
        return _ALONE[function](a, b)
    if isinstance(a, SymbolicTensor) and isinstance(b, SymbolicTensor):
        return _of_two(function, a, b)
    first = not isinstance(a, SymbolicTensor)
    tensor, constant = (b, a) if first else (a, b)
    if function == "matmul":
        return ConstantProduct(_as_matrix(constant, tensor.ndim), first, operation_name("matmul"))(tensor)
    constant = constant_beside(constant, tensor.ndim if tensor.per_sample else -1)
    kind = IdArithmetic if tensor.may_hold_ids and are_ids(function, constant, first) else Arithmetic
    return kind(function, constant, first, name_for(function))(tensor)


def _of_two(function: str, a: SymbolicTensor, b: SymbolicTensor) -> Any:
    if function == "choose":
        return Choose(name="choose")([a, b])
    if function == "matmul":
        if a.per_sample and isinstance(b.node.layer, TransposedWeight):  # without a copy for each sample
            return WeightEinsum(b.node.layer.weight, "...x,yx->...y")(a)
        return MatMul((not a.per_sample, not b.per_sample), operation_name("matmul"))([a, b])
    if a.per_sample != b.per_sample:
        a, b = (_beside(a, b), b) if b.per_sample else (a, _beside(b, a))
    kind = IdArithmetic if a.may_hold_ids and b.may_hold_ids and are_ids(function) else Arithmetic
    return kind(function, name=name_for(function))([a, b])


def _beside(fixed: SymbolicTensor, tensor: SymbolicTensor) -> SymbolicTensor:
    """What is the same for all samples, as NumPy would broadcast it against `tensor`: without an axis of samples."""
    if fixed.ndim < tensor.ndim:
        return fixed
    if fixed.ndim > tensor.ndim or fixed.shape[0] != 1:
        raise ValueError(
            f"The tensor {tensor.name!r} of shape {tensor.shape} does not go together with {fixed.name!r} of shape "
            f"{fixed.shape}, which is the same for all samples: it must have fewer axes, or the size 1 along the first."
        )
    return GetItem((0,), operation_name("get_item"))(fixed)  # type: ignore[no-any-return]


def _get_item(a: SymbolicTensor, key: Any) -> Any:
    given = sample_key(a.name, a.ndim, key) if a.per_sample else tuple(key if isinstance(key, tuple) else (key,))
    return GetItem(given, operation_name("get_item"))(a)


def _activated(a: SymbolicTensor, function: Any) -> Any:
    if not a.per_sample and not function.elementwise:
        # An activation counts the axis of the samples.
        axis = function.config["axis"]
        moved = [n + 1 if n >= 0 else n for n in ([axis] if isinstance(axis, int) else axis)]
        function = ActivationFunction(function.name, **{**function.config, "axis": moved})
    return Activated(function, name=operation_name(function.name))(a)


_ALONE: dict[str, Callable[[SymbolicTensor, Any], Any]] = {
    "get_item": _get_item,
    "activation": _activated,
    "absolute": lambda a, _: Absolute(operation_name("absolute"))(a),
    "negative": lambda a, _: Arithmetic("multiply", -1.0, name=operation_name("negative"))(a),
}

# Logic of truth values, which are 1 and 0.
_LOGIC: dict[str, Callable[[Any, Any], Any]] = {
    "logical_and": lambda a, b: apply("multiply", a, b),
    "logical_or": lambda a, b: _truth(apply("add", a, b)),
    "logical_xor": lambda a, b: apply("not_equal", a, b),
    "logical_not": lambda a, _: apply("subtract", 1.0, a),
}


def _truth(x: Any) -> Any:
    """1 where it is not 0, 0 where it is."""
    if isinstance(x, Operand):
        return apply("not_equal", x, 0.0)
    return (arrays.as_array(x, "The constant of an operator", "float64") != 0).astype("float64")


# The operators of values.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "divide": np.true_divide,
    "power": np.power,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "less": np.less,
    "less_equal": np.less_equal,
    "not_equal": np.not_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "logical_not": lambda a, _: np.logical_not(a),
    "matmul": np.matmul,
    "get_item": lambda a, key: a[key],
    "activation": lambda a, function: function(a),
    "absolute": lambda a, _: np.abs(a),
    "negative": lambda a, _: -a,
}


def _of_values(function: str, a: Any, b: Any) -> Any:
    """What an operator makes of the values of weights, outside of a `call`."""
    return _FUNCTIONS[function](*(x.numpy() if isinstance(x, Weight) else x for x in (a, b)))


def _tensor(x: Any) -> Any:
    """A weight as a symbolic tensor; anything else as it is."""
    return WeightTensor(x, x.name).tensor() if isinstance(x, Weight) else x


def constant_beside(value: Any, axes: int) -> NDArray[Any]:
    """A constant beside a tensor of so many axes, without that of the batch; ValueError where it differs by sample."""
    array = arrays.as_array(value, "The constant of an operator", "float64")
    if array.ndim == axes:
        if len(array) != 1:
            raise ValueError(
                f"A constant is the same for all samples: it must have the size 1 along the first axis, or go without "
                f"that, but has the shape {array.shape}."
            )
        array = array[0]
    return array


def _as_matrix(value: Any, axes: int) -> NDArray[Any]:
    """A factor beside a tensor of so many axes: the only matrix in it, where that is broadcast along all axes."""
    array = arrays.as_array(value, "The constant of an operator", "float64")
    return array.reshape(array.shape[-2:]) if array.ndim <= axes and set(array.shape[:-2]) == {1} else array


def sample_key(name: str, axes: int, key: Any) -> tuple[Any, ...]:
    """An index of the tensor `name` of so many axes without that of the batch, which must be all of it."""
    given = tuple(checked_index(each) for each in (key if isinstance(key, tuple) else (key,)))
    if given and given[0] is Ellipsis:
        missing = axes - sum(1 for each in given if each is not None and each is not Ellipsis)
        if missing < 1:
            given = given[1:]
        else:
            return given if missing > 1 else given[1:]
    if not given or given[0] != slice(None):
        raise ValueError(f"The first index of the symbolic tensor {name!r} must be ':', all samples, but got {key!r}.")
    return given[1:]


def kept(x: Any, condition: Any) -> Any:
    """`x` where the condition is 1, and 0 where it is 0."""
    x, condition = _tensor(x), _tensor(condition)
    if (
        isinstance(x, SymbolicTensor)
        and isinstance(condition, SymbolicTensor)
        and x.per_sample
        and condition.per_sample
    ):
        return Kept()([x, condition])
    return apply("multiply", x, condition)
