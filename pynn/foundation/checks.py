"""The checks of numbers, shapes and axes that users hand in; past these everything is taken on trust.

A ValueError is a bad value or shape, a TypeError a bad kind of thing. Messages name the argument, what was expected,
what came, and where it helps what to do.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

C = TypeVar("C", bound="str | None")

KERAS_WEIGHTS = ".weights.h5"  # how the names end of Keras's files of weights
LARGEST = 2**63 - 1  # the engine's sizes and counts have 64 bits


def shown(value: object) -> str:
    """`value` as a message shows it: its repr, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 100 else f"{text[:80]}... ({len(text)} characters)"


def cut(text: str) -> str:
    """A message that may be very long, as another one quotes it."""
    return text if len(text) <= 500 else f"{text[:400]}... ({len(text)} characters)"


def number(value: object, name: str, interval: str) -> float:
    """`value` as a float of `interval`, such as "[0, 1)" or "(0, inf)". Infinity itself and NaN are never in it."""
    value = value if isinstance(value, numbers.Real) else _element(value)
    if not isinstance(value, numbers.Real):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a number in {interval}, but got {shown(value)} of type {kind}.")
    low, high = map(float, interval[1:-1].split(","))
    try:
        x = float(value)
    except OverflowError:  # a whole number or a fraction beyond float64
        x = math.inf
    above = x >= low if interval[0] == "[" else x > low
    below = x <= high if interval[-1] == "]" else x < high
    if isinstance(value, bool) or not (math.isfinite(x) and above and below):
        raise ValueError(f"{name} must be a number in {interval}, but got {shown(value)}.")
    return x


def _element(value: object) -> object:
    """The number in an array of shape (), as libraries of arrays give one; `value` itself if it is something else."""
    try:
        array = np.asarray(value) if hasattr(value, "__array__") else None
    except TypeError:  # a symbolic tensor, which is named as such by who asked for a number
        return value
    return value if array is None or array.ndim or array.dtype.kind not in "biuf" else array.item()


def optional_number(value: object, name: str, interval: str) -> float | None:
    """As `number`, but None stays None."""
    return None if value is None else number(value, name, interval)


def finite(value: object, name: str) -> float:
    """`value` as a float that is neither NaN nor infinite."""
    return number(value, name, "(-inf, inf)")


def unit_interval(value: object, name: str) -> float:
    """`value` as a float of [0, 1), such as a share of the data."""
    if type(value) is float and 0.0 <= value < 1.0:
        return value  # the way of every small call
    return number(value, name, "[0, 1)")


def positive_int(value: object, name: str, at_most: int | None = None) -> int:
    """`value` as an int >= 1 (NumPy's integers too; no bool), and at most `at_most` or 2**63 - 1."""
    return _whole_number(value, name, 1, at_most)


def non_negative_int(value: object, name: str, at_most: int | None = None) -> int:
    """`value` as an int >= 0 (NumPy's integers too; no bool), and at most `at_most` or 2**63 - 1."""
    return _whole_number(value, name, 0, at_most)


def _whole_number(value: object, name: str, at_least: int, at_most: int | None) -> int:
    if type(value) is int and at_least <= value <= (LARGEST if at_most is None else at_most):
        return value  # the way of every small call
    limits = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
    value = value if isinstance(value, numbers.Real) else _element(value)
    if not isinstance(value, numbers.Real):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a whole number {limits}, but got {shown(value)} of type {kind}.")
    n = int(value) if isinstance(value, numbers.Integral) and not isinstance(value, bool) else -1
    if at_most is None and n > LARGEST:
        raise ValueError(f"{name} must be a whole number of 64 bits, at most {LARGEST}, but got {shown(value)}.")
    if n < at_least or (at_most is not None and n > at_most):
        raise ValueError(f"{name} must be a whole number {limits}, but got {shown(value)}.")
    return n


def index(value: object, name: str) -> int:
    """`value` as an int of either sign."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{name} must be a whole number, but got {shown(value)} of type {kind}.") from None


def boolean(value: object, name: str) -> bool:
    """`value` as a bool (NumPy's too). Programs for Keras write 0 and 1 for it, which are taken."""
    if not isinstance(value, bool | np.bool_ | int | np.integer) or value not in (0, 1):
        raise TypeError(f"{name} must be True or False, but got {shown(value)} of type {type(value).__name__}.")
    return bool(value)


def listed(value: object) -> Any:
    """`value`, as a list where it is an array of whole numbers with one axis: to be used like any sequence."""
    is_row = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu"
    return value.tolist() if is_row and isinstance(value, np.ndarray) else value


def text(value: object, name: str) -> str:
    """`value` as a string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, but got {shown(value)} of type {type(value).__name__}.")
    return value


def choice(value: C, name: str, known: Sequence[C]) -> C:
    """`value` if it is one of the strings, or None, that are `known`."""
    if (value is not None and not isinstance(value, str)) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, but got {shown(value)}.")
    return value


def shape(value: object, name: str) -> tuple[int, ...]:
    """`value` as the shape of one sample: a tuple of ints >= 1. A single int stands for one axis."""
    value = listed(value)
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        value = (value,)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise TypeError(
            f"{name} must be a tuple of whole numbers, but got {shown(value)} of type {type(value).__name__}."
        )
    if None in value:
        raise ValueError(
            f"{name} must have a known size on every axis, without the batch axis, but got {shown(value)}."
        )
    return tuple(positive_int(size, f"every size of {name}") for size in value)


def open_shape(value: object, name: str) -> tuple[int | None, ...]:
    """`value` as the shape of one sample, with None along axes of any length. A single int stands for one axis."""
    value = listed(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or None not in value:
        return shape(value, name)
    return tuple(None if size is None else positive_int(size, f"every size of {name}") for size in value)


def batch_shape(value: object, name: str) -> tuple[int | None, ...]:
    """`value`, the shape of a batch such as ``(None, 4)``, as the shape of one sample; it may have more None."""
    value = listed(value)
    form = f"{name} must be the shape of a batch, such as (None, 4), but got {shown(value)}"
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise TypeError(f"{form} of type {type(value).__name__}.")
    if not value:
        raise ValueError(f"{form}.")
    if value[0] is not None:
        non_negative_int(value[0], f"the batch axis of {name}")
    return open_shape(value[1:], f"{name}, after the batch axis,")


def is_plain(value: object) -> bool:
    """Whether JSON can hold `value`: a number, a string, None, or lists, tuples and dicts of these."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def is_whole(dtype: DTypeLike) -> bool:
    """Whether `dtype` is a type of whole numbers."""
    return _is_one_of(dtype, "iu")


def is_truth(dtype: DTypeLike) -> bool:
    """Whether `dtype` is the type of truth values."""
    return _is_one_of(dtype, "b")


def _is_one_of(dtype: DTypeLike, kinds: str) -> bool:
    try:
        return np.dtype(dtype).kind in kinds
    except TypeError:
        return False


def axis(value: object) -> int | tuple[int, ...]:
    """`value` as an axis or, for a list or tuple, some axes; they may count from the end."""
    axes: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if not axes or not all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in axes):
        raise TypeError(f"axis must be an int or a tuple of ints, but got {shown(value)}.")
    if any(abs(int(n)) > LARGEST for n in axes):
        raise ValueError(f"axis must be an int of 64 bits, but got {shown(value)}.")
    return tuple(map(int, axes)) if isinstance(value, list | tuple) else int(axes[0])


def one_axis(value: object) -> int:
    """`value` as an axis, also that of a list or tuple of one."""
    found = axis(value)
    if isinstance(found, int):
        return found
    if len(found) > 1:
        raise TypeError(f"axis must be one axis, a whole number, but got {shown(value)}.")
    return found[0]


def axes_of(axis: int | tuple[int, ...], rank: int) -> list[int]:
    """The axes from 0 on, in order; ValueError where an array of `rank` axes does not have them."""
    given = (axis,) if isinstance(axis, int) else axis
    axes = sorted(number + rank if number < 0 else number for number in given)
    if axes[0] < 0 or axes[-1] >= rank:
        raise ValueError(f"axis={axis} is not an axis of an array of rank {rank}.")
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis={axis} names an axis twice.")
    return axes


def float_dtype(value: DTypeLike, name: str) -> str:
    """`value` as "float32" or "float64"; it may be the configuration of a policy, too."""
    given: Any = value
    if isinstance(given, dict) and given.get("class_name") == "DTypePolicy" and isinstance(given.get("config"), dict):
        given = given["config"].get("name")
    try:
        found = str(np.dtype(given).name) if given is not None else "None"
    except (TypeError, ValueError):
        found = shown(given)
    if found not in ("float32", "float64"):
        raise ValueError(f'{name} must be "float32" or "float64", but got {found}.')
    return found


def path(value: object, name: str) -> str:
    """`value` as the path of a file or folder; TypeError for something else."""
    if not isinstance(value, str | bytes | os.PathLike):
        raise TypeError(f"{name} must be a path, but got {shown(value)}.")
    return os.fsdecode(value)


def model_file(value: object, weights_only: bool) -> str:
    """`value` as the path of a file that a model can be written to; TypeError or ValueError for something else."""
    file = path(value, "filepath")
    name = os.path.basename(file)
    if not name:
        raise ValueError(f"filepath must be the path of a file, but {shown(file)} is a folder's.")
    if name.lower().endswith((".h5", ".hdf5")) and not (weights_only and name.endswith(KERAS_WEIGHTS)):
        raise ValueError(
            f"pynn writes no such HDF5 files as the name {name!r} promises, but for Keras's of weights alone: "
            f"model.save_weights('model{KERAS_WEIGHTS}'). Take any other name, such as 'model.safetensors'."
        )
    return file
