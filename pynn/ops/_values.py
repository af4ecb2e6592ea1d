"""What functions of arrays and of symbolic tensors have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import config
from ..foundation import checks
from ..layers import symbolic
from ..layers.base import Layer
from ..layers.of_weights import for_each_sample, same_for_all
from ..layers.symbolic import SymbolicTensor
from ..layers.trial import is_calling, operation_name
from ..layers.weight import Weight


def is_symbolic(*values: Any) -> bool:
    """Whether any of them is a symbolic tensor, or a weight in a `call`, whose values are not known there."""
    return any(isinstance(each, SymbolicTensor) or (isinstance(each, Weight) and is_calling()) for each in values)


def tensor_of_samples(x: Any, function: str) -> SymbolicTensor:
    """`x`, if each sample has its own; TypeError for a weight."""
    if isinstance(x, SymbolicTensor) and x.per_sample:
        return x
    raise TypeError(
        f"{function} takes no weight in a call, and nothing that is made of weights alone: use operators, or compute "
        "with its values outside of the call."
    )


def is_of_weights(x: Any) -> bool:
    """Whether it is a weight in a `call`, or made of weights alone, and so the same for all samples."""
    return not x.per_sample if isinstance(x, SymbolicTensor) else isinstance(x, Weight) and is_calling()


def for_all(function: Callable[..., Any], *xs: Any) -> Any:
    """What a function of tensors of samples makes of weights: their axes have numbers higher by 1 in it."""
    made = function(*map(for_each_sample, xs))
    return list(map(same_for_all, made)) if isinstance(made, list) else same_for_all(made)


def behind(axis: Any) -> Any:
    """One axis or several, counted from the first, where there is one more in front."""
    if isinstance(axis, list | tuple):
        return [behind(each) for each in axis]
    return axis + 1 if isinstance(axis, int | np.integer) and axis >= 0 else axis


def only_array(x: Any, function: str, name: str = "x") -> Any:
    """An array or number; TypeError for a symbolic tensor."""
    if is_symbolic(x):
        raise TypeError(
            f"ops.{function} takes arrays, such as metrics and loops of one's own have, but {name} is a symbolic "
            "tensor, of which it is not there yet."
        )
    return as_array(x, name)


def as_array(value: Any, name: str) -> Any:
    """An array or a number as it is, which has no say in the type of a result; lists of numbers in the types that Keras
    gives them: ``config.floatx()`` and int32.

    Raises:
        TypeError: anything else.
    """
    if isinstance(value, int | float):
        return value
    array: NDArray[Any] = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be numbers, or a symbolic tensor in the call of a layer or model, but got "
            f"{checks.shown(value)} of type {type(value).__name__}."
        )
    if isinstance(value, np.ndarray | np.generic):
        return value
    if hasattr(value, "dtype"):  # the variable of a metric, for instance
        return array
    if array.dtype == np.float64:
        return array.astype(config.floatx())
    return array.astype(np.int32) if array.dtype == np.int64 else array


def as_float(array: Any) -> Any:
    """Whole numbers as floats of 32 bits, as in Keras; others as they are."""
    return np.float32(array) if np.asarray(array).dtype.kind in "biu" else array


_EXCHANGED = {"greater": "less", "greater_equal": "less_equal"}


def of_two(function: str, x1: Any, x2: Any) -> Any:
    """What an operator makes of both; arrays come as they are in NumPy."""
    if is_symbolic(x1, x2):
        name, exchanged = _EXCHANGED.get(function, function), function in _EXCHANGED
        return symbolic.arithmetic(name, *((x2, x1) if exchanged else (x1, x2)))
    return getattr(np, function)(as_array(x1, "x1"), as_array(x2, "x2"))


def axis_of(axis: int, axes: int, name: str) -> int:
    """The axis counted from the first one; ValueError where it is none, or that of the samples."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not -axes <= axis < axes:
        raise ValueError(f"axis must be a whole number in [{-axes}, {axes}) for {name}, but got {axis!r}.")
    found = int(axis) % axes
    if found == 0:
        raise ValueError(
            f"axis={axis} is the axis of the samples of {name}, each of which is computed for itself. Give another one."
        )
    return found


def axes_of(axis: int | Sequence[int], axes: int, name: str) -> list[int]:
    """One axis or several, as `axis_of` counts them, each once."""
    given: list[Any] = list(axis) if isinstance(axis, list | tuple) else [axis]
    found = [axis_of(each, axes, name) for each in given]
    if len(set(found)) < len(found):
        raise ValueError(f"axis must have each axis once for {name}, but got {axis!r}.")
    return found


def listed(axis: Any) -> Any:
    """One axis or several in the form that NumPy takes."""
    return tuple(axis) if isinstance(axis, list) else axis


def along(x: Any, axis: int | None, function: str) -> tuple[SymbolicTensor, int]:
    """A symbolic tensor and the number of an axis of it, which a function of the symbolic tensor `x` needs."""
    tensor = tensor_of_samples(x, function)
    if axis is None:
        raise ValueError(f"{function} of the symbolic tensor {tensor.name!r} needs an axis.")
    return tensor, axis_of(axis, tensor.ndim, function)


def size_along(x: SymbolicTensor, axis: int, function: str) -> int:
    """The size of an axis; ValueError where it may have any length."""
    size = x.shape[axis]
    if size is None:
        raise ValueError(f"{function} of {x.name!r} of shape {x.shape} needs to know the length of axis {axis}.")
    return size


def operation(kind: Callable[..., Layer], *arguments: Any) -> Layer:
    """A layer that a function makes: in a `call` an operation, which is none of the model's layers and counts for no
    name."""
    if not is_calling():
        return kind(*arguments)
    made = kind(*arguments, name=operation_name(kind.__name__.lower()))
    made.is_operation = True
    return made
