"""What Keras's files have where operators and functions made tensors of tensors, as layers of pynn's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..activations import Activation as ActivationFunction
from ..foundation import checks
from ..foundation.names import to_snake_case
from ..layers import merging, reshaping
from ..layers.base import Layer
from ..layers.constants import ConstantProduct
from ..layers.core import Identity
from ..layers.id_arithmetic import IdArithmetic, are_ids
from ..layers.operations import Absolute, Activated, Arithmetic, Function, GetItem, MatMul
from ..layers.operators import constant_beside, sample_key
from ..layers.reductions import Reduction

ROOM = "keras.src.ops"

_BINARIES = {
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "Divide": "divide",
    "TrueDivide": "divide",
    "Power": "power",
    "FloorDivide": "floor_divide",
    "Mod": "remainder",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Less": "less",
    "LessEqual": "less_equal",
    "NotEqual": "not_equal",
}
_EXCHANGED = {"Greater": "less", "GreaterEqual": "less_equal"}
_POWERS = {"Square": 2.0, "Sqrt": 0.5, "Rsqrt": -0.5, "Reciprocal": -1.0}
# Functions of truth values, which are 1 and 0 here.
_LOGIC = {"LogicalAnd": "multiply", "LogicalOr": "maximum", "LogicalXor": "not_equal"}
# Activations whose names are others there.
_FUNCTIONS = {"Exp": "exponential", "HardSwish": "hard_silu", "Swish": "silu"}


class Tensor(NamedTuple):
    """A tensor that a function was called with."""

    history: list[Any]  # [layer, call, output]
    shape: tuple[int | None, ...]  # of a batch
    dtype: str

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Translated(NamedTuple):
    """The layer, and what it is called on."""

    layer: Layer
    inputs: list[list[Any]]


# A function that stands for a layer which looks at masks, where the function does not.
MASKED = ("Concatenate",)

Make: TypeAlias = Callable[[str, list[Any], dict[str, Any]], Translated]


def is_operation(described: Any) -> bool:
    """Whether an entry among a model's layers is such a function."""
    return isinstance(described, dict) and str(described.get("module")).startswith(ROOM)


def translated(described: dict[str, Any]) -> Translated:
    """The layer that does the same.

    Raises:
        ValueError, TypeError: a function that pynn does not have, or not with these arguments.
    """
    kind, config = str(described.get("class_name")), dict(described.get("config") or {})
    nodes = described.get("inbound_nodes")
    if not isinstance(nodes, list) or len(nodes) != 1:
        raise ValueError(f"the function {kind} is not called once")
    given = [_value(each) for each in nodes[0].get("args", [])]
    config |= {key: _value(each) for key, each in nodes[0].get("kwargs", {}).items() if each is not None}
    name = str(config.pop("name", described.get("name")))
    make = _MAKERS.get(kind, _activated)
    if make is _activated:
        config["function"] = _FUNCTIONS.get(kind, to_snake_case(kind))
    else:
        config["kind"] = kind
    return make(name, given, config)


def _value(given: Any) -> Any:
    """An argument: a tensor, an array, a number, an index, or a list of these."""
    if isinstance(given, list | tuple):
        return [_value(each) for each in given]
    if not isinstance(given, dict):
        return given
    kind, config = given.get("class_name"), given.get("config") or {}
    if kind == "__keras_tensor__":
        return Tensor(list(config["keras_history"]), tuple(config["shape"]), str(config["dtype"]))
    if kind in ("__numpy__", "__tensor__"):
        return np.asarray(config["value"], dtype="float64")
    if kind == "__slice__":
        return slice(config["start"], config["stop"], config["step"])
    if kind == "__ellipsis__":
        return ...
    if kind == "__tuple__":
        return [_value(each) for each in given.get("items") or config.get("items") or []]
    raise ValueError(f"a function is called with {checks.shown(given)}")


def _tensors(values: list[Any], count: int) -> list[Tensor]:
    if len(values) != count or not all(isinstance(each, Tensor) for each in values):
        raise ValueError(f"a function is called with {checks.shown(values)} in place of {count} tensors")
    return values


def _of_two(name: str, given: list[Any], function: str) -> Translated:
    if len(given) != 2:
        raise ValueError(f"the function {function} is called with {len(given)} operands")
    tensors = [each for each in given if isinstance(each, Tensor)]
    inputs, whole = [each.history for each in tensors], all(checks.is_whole(each.dtype) for each in tensors)
    if len(inputs) == 2:
        return Translated((IdArithmetic if whole and are_ids(function) else Arithmetic)(function, name=name), inputs)
    first = not isinstance(given[0], Tensor)
    tensor, constant = (given[1], given[0]) if first else (given[0], given[1])
    (tensor,) = _tensors([tensor], 1)
    array = constant_beside(constant, tensor.ndim)
    kind = IdArithmetic if whole and are_ids(function, array, first) else Arithmetic
    return Translated(kind(function, array, first, name), inputs)


def _binary(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    return _of_two(name, given, _BINARIES[config["kind"]])


def _exchanged(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    return _of_two(name, given[::-1], _EXCHANGED[config["kind"]])


def _power(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    return _of_two(name, [*given, _POWERS[config["kind"]]], "power")


def _negative(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    return _of_two(name, [*given, -1.0], "multiply")


def _logic(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    tensors = _tensors(given, 1 if config["kind"] == "LogicalNot" else 2)
    if any(each.dtype != "bool" for each in tensors):
        raise ValueError(f"{config['kind']} is called with numbers in place of truth values")
    if len(tensors) == 1:
        return _of_two(name, [1.0, *tensors], "subtract")
    return _of_two(name, list(tensors), _LOGIC[config["kind"]])


def _absolute(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    return Translated(Absolute(name), [tensor.history])


def _floor(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    return _of_two(name, [*given, 1.0], "floor_divide")


def _function(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    return Translated(Function(config["kind"].lower(), name), [tensor.history])


def _matmul(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    inputs = [each.history for each in given if isinstance(each, Tensor)]
    if len(given) == len(inputs) == 2:
        return Translated(MatMul(name=name), inputs)
    if len(given) != 2 or len(inputs) != 1:
        raise ValueError("a matrix product is not called with two operands")
    first = not isinstance(given[0], Tensor)
    return Translated(ConstantProduct(given[0 if first else 1], first, name), inputs)


def _get_item(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given[:1], 1)
    key = given[1] if len(given) == 2 else config.get("key")
    found = sample_key(repr(name), tensor.ndim, tuple(key) if isinstance(key, list) else key)
    return Translated(GetItem(found, name), [tensor.history])


def _concatenated(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    tensors = given[0] if len(given) == 1 and isinstance(given[0], list) else given
    inputs = [each.history for each in _tensors(tensors, len(tensors))]
    return Translated(merging.Concatenate(axis=config.get("axis", -1), name=name), inputs)


def _reshaped(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    batch, *sample = config["newshape"]
    if batch not in (-1, None):
        raise ValueError(f"a shape {checks.shown(config['newshape'])} fixes the number of samples")
    return Translated(reshaping.Reshape(sample, name=name), [tensor.history])


def _expanded(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    place = range(tensor.ndim + 1)[config["axis"]]
    return _get_item(name, [tensor, [slice(None)] * place + [None]], {})


def _squeezed(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    place = range(tensor.ndim)[config["axis"]]
    if tensor.shape[place] != 1:
        raise ValueError(f"an axis of size {tensor.shape[place]} is left out")
    return _get_item(name, [tensor, [slice(None)] * place + [0]], {})


def _permuted(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    batch, *axes = config.get("axes") or [None]
    if batch != 0:
        raise ValueError("a transposition moves the axis of the samples")
    return Translated(reshaping.Permute(axes, name=name), [tensor.history])


def _reduced(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    kind, axis = config["kind"], config.get("axis")
    axes = [0] if axis is None else [range(tensor.ndim)[each] for each in (axis if isinstance(axis, list) else [axis])]
    if 0 in axes:
        raise ValueError(f"{kind} with axis={axis} goes over the samples")
    layer = Reduction(kind.lower(), [each - 1 for each in axes], bool(config.get("keepdims", False)), name)
    return Translated(layer, [tensor.history])


def _cast(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    if config.get("dtype") not in ("float32", "float64", tensor.dtype):
        raise ValueError(f"numbers of type {tensor.dtype} become {config.get('dtype')}")
    return Translated(Identity(name=name), [tensor.history])


def _activated(name: str, given: list[Any], config: dict[str, Any]) -> Translated:
    (tensor,) = _tensors(given, 1)
    function = config.pop("function")
    return Translated(Activated(ActivationFunction(function, **config), name=name), [tensor.history])


_MAKERS: dict[str, Make] = {
    **dict.fromkeys(_BINARIES, _binary),
    **dict.fromkeys(_EXCHANGED, _exchanged),
    **dict.fromkeys(_POWERS, _power),
    **dict.fromkeys((*_LOGIC, "LogicalNot"), _logic),
    **dict.fromkeys(("Max", "Mean", "Sum"), _reduced),
    **dict.fromkeys(("Cos", "Log", "Log1p", "Sin"), _function),
    "Absolute": _absolute,
    "Cast": _cast,
    "Concatenate": _concatenated,
    "ExpandDims": _expanded,
    "Floor": _floor,
    "GetItem": _get_item,
    "Matmul": _matmul,
    "Negative": _negative,
    "Reshape": _reshaped,
    "Squeeze": _squeezed,
    "Transpose": _permuted,
}
