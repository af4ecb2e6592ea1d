"""Arrays from nothing, under Keras's names (``keras.ops``), of type ``config.floatx()`` where no other is given."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import config
from ..foundation import checks
from ..layers.trial import is_calling
from . import _elementwise, _shapes
from ._values import as_array, is_symbolic, only_array

__all__ = [
    "arange",
    "array",
    "convert_to_numpy",
    "convert_to_tensor",
    "copy",
    "dtype",
    "eye",
    "full",
    "full_like",
    "identity",
    "is_tensor",
    "linspace",
    "meshgrid",
    "one_hot",
    "ones",
    "ones_like",
    "tri",
    "zeros",
    "zeros_like",
]


def _type(dtype: DTypeLike | None) -> Any:
    return np.dtype(config.floatx() if dtype is None else dtype)


def zeros(shape: int | Sequence[int], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """An array of zeros."""
    return np.zeros(shape, _type(dtype))


def ones(shape: int | Sequence[int], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """An array of ones."""
    return np.ones(shape, _type(dtype))


def full(shape: int | Sequence[int], fill_value: Any, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """An array of one number."""
    return np.full(shape, fill_value, _type(dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> NDArray[Any]:  # noqa: N803
    """An array (N, M) of ones on the diagonal `k`, and zeros elsewhere. Default of `M`: `N`."""
    return np.eye(N, M, k, _type(dtype))


def identity(n: int, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """An array (n, n) of ones on the diagonal, and zeros elsewhere."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> NDArray[Any]:  # noqa: N803
    """An array (N, M) of ones up to the diagonal `k`, and zeros above it. Default of `M`: `N`."""
    return np.tri(N, M, k, _type(dtype))


def meshgrid(*x: Any, indexing: Literal["xy", "ij"] = "xy") -> list[NDArray[Any]]:
    """The coordinates of a grid, as ``numpy.meshgrid`` has them."""
    return list(np.meshgrid(*(only_array(each, "meshgrid") for each in x), indexing=indexing))


def arange(
    start: float,
    stop: float | EllipsisType | None = ...,
    step: float | None = None,
    dtype: DTypeLike | None = None,
) -> NDArray[Any]:
    """Numbers from `start` (by default 0) to below `stop`; int32 where they are whole.

    Raises:
        ValueError: None, which stands for the length of an axis that may be any, or for the number of samples. A
            `call` knows the length.
    """
    # Where `stop` is left out, `start` is what it would be.
    if start is None or (stop is None and start == 0):
        if is_calling():
            raise ValueError(
                "arange is asked for as many numbers as there are samples (None), which a call does not know: it says "
                "what is computed for each of them."
            )
        raise ValueError(
            "arange is asked for as many numbers as an axis of any length has (None). Put it into the call of a layer "
            "or model of your own, which is run for each length, or give the Input its length."
        )
    begin, end = (0, start) if stop is None or isinstance(stop, EllipsisType) else (start, stop)
    array = np.arange(begin, end, 1 if step is None else step)
    return array.astype((np.int32 if array.dtype.kind == "i" else config.floatx()) if dtype is None else dtype)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Any:
    """`num` numbers at equal distances from `start` to `stop`.

    Args:
        start, stop: Numbers or arrays.
        num: How many. Default 50.
        endpoint: Whether `stop` is the last of them. Default ``True``.
        retstep: Whether to return the distance, too. Default ``False``.
        dtype: Default: ``config.floatx()``.
        axis: Where `start` and `stop` are arrays: the axis of the numbers. Default 0.
    """
    ends = only_array(start, "linspace", "start"), only_array(stop, "linspace", "stop")
    numbers, step = np.linspace(*ends, num, endpoint, retstep=True, dtype=_type(dtype), axis=axis)
    return (numbers, np.asarray(step, _type(dtype))[()]) if retstep else numbers


def zeros_like(x: Any, dtype: DTypeLike | None = None) -> Any:
    """Zeros in the shape of `x`; of a symbolic tensor a symbolic one."""
    return _elementwise.less(x, x) if is_symbolic(x) else np.zeros_like(as_array(x, "x"), dtype)


def ones_like(x: Any, dtype: DTypeLike | None = None) -> Any:
    """Ones in the shape of `x`; of a symbolic tensor a symbolic one."""
    return (
        _elementwise.logical_not(_elementwise.less(x, x)) if is_symbolic(x) else np.ones_like(as_array(x, "x"), dtype)
    )


def full_like(x: Any, fill_value: Any, dtype: DTypeLike | None = None) -> Any:
    """One number in the shape of `x`; of a symbolic tensor a symbolic one."""
    if is_symbolic(x):
        return _elementwise.add(zeros_like(x), fill_value)
    return np.full_like(as_array(x, "x"), as_array(fill_value, "fill_value"), dtype)


def convert_to_tensor(x: Any, dtype: DTypeLike | None = None) -> Any:
    """An array of `x`; a symbolic tensor as it is."""
    if is_symbolic(x):
        return x
    array = as_array([x], "x")[0] if isinstance(x, int | float) else as_array(x, "x")
    return np.asarray(array, dtype)


array = convert_to_tensor


def copy(x: Any) -> Any:
    """A copy of an array; a symbolic tensor as it is, as nothing changes it."""
    return x if is_symbolic(x) else np.array(as_array(x, "x"))


def is_tensor(x: Any) -> bool:
    """Whether `x` is an array or a symbolic tensor."""
    return isinstance(x, np.ndarray) or is_symbolic(x)


def dtype(x: Any) -> str:
    """The name of the number type, such as ``"float32"``."""
    return str(convert_to_tensor(x).dtype)


def convert_to_numpy(x: Any) -> NDArray[Any]:
    """An array of `x`, which is no symbolic tensor."""
    return np.asarray(as_array(x, "x"))


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: DTypeLike | None = None) -> Any:
    """1 at the place of each label along a new axis, and 0 elsewhere.

    Args:
        x: Labels: an array, or a symbolic tensor.
        num_classes: Length of the new axis.
        axis: The new axis. Default -1: the last.
        dtype: Of an array. Default: ``config.floatx()``.
    """
    num_classes = checks.positive_int(num_classes, "num_classes")
    places = np.arange(num_classes).reshape(num_classes, *(1,) * (-1 - axis if axis < 0 else _shapes.ndim(x) - axis))
    found = _elementwise.equal(_shapes.expand_dims(x, axis), places)
    return found if is_symbolic(x) else found.astype(_type(dtype))
