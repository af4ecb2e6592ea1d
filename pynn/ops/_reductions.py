"""Sums over axes, under Keras's names (``keras.ops``): of arrays as NumPy's, of symbolic tensors along other axes than
that of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config
from ..foundation import checks
from ..layers.of_batch import REDUCTIONS, OfBatch
from ..layers.reductions import Reduction
from ..layers.symbolic import SymbolicTensor
from ..layers.trial import is_calling
from . import _elementwise
from ._values import (
    along,
    as_array,
    as_float,
    axes_of,
    behind,
    for_all,
    is_of_weights,
    is_symbolic,
    listed,
    tensor_of_samples,
)

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "average",
    "count_nonzero",
    "logsumexp",
    "max",
    "mean",
    "min",
    "moments",
    "norm",
    "normalize",
    "std",
    "sum",
    "var",
]


_LARGE = float(np.finfo(np.float32).max)


def _reduced(function: str, x: Any, axis: Any, keepdims: bool) -> Any:
    if isinstance(x, OfBatch) and function in REDUCTIONS and axis is None:
        return x
    if not is_symbolic(x):
        return getattr(np, function)(as_array(x, "x"), axis=listed(axis), keepdims=keepdims)
    if is_of_weights(x):
        axes = list(range(1, x.ndim + 1)) if axis is None else behind(axis)
        return for_all(lambda each: _reduced(function, each, axes, keepdims), x) if axes else x
    tensor = tensor_of_samples(x, function)
    if axis is None and function in REDUCTIONS and is_calling():
        return OfBatch({function: Reduction(function, range(tensor.ndim - 1))(tensor) if tensor.ndim > 1 else tensor})
    return Reduction(function, [each - 1 for each in _axes(tensor, axis, function)], keepdims)(tensor)


def _axes(x: SymbolicTensor, axis: Any, function: str) -> list[int]:
    """The axes of a symbolic tensor, counted from the first one."""
    if axis is None:
        raise ValueError(
            f"{function} of a symbolic tensor needs an axis: without one it would be that of all samples together. "
            f"Give axis={tuple(range(1, x.ndim))!r} for all of a sample; in the call of a layer, model or loss of "
            "one's own, ops.mean and ops.sum take all samples, for add_loss and losses."
        )
    return axes_of(axis, x.ndim, f"{function} of {x.name!r}")


def sum(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """The sum along axes.

    Args:
        x: An array, or a symbolic tensor, which needs axes other than the first one. In the call of a layer, a model or
            a loss, it has a sum without an axis, too: one over all samples, which `Layer.add_loss` and losses of one's
            own take.
        axis: The axis, or several. Default ``None``: all, of arrays only.
        keepdims: Whether the axes stay, of length 1. Default ``False``.

    Raises:
        TypeError, ValueError: no such axis.
    """
    return _reduced("sum", x, axis, keepdims)


def mean(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """The mean along axes; arguments as for `sum`."""
    return _reduced("mean", x, axis, keepdims)


def max(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The largest element along axes, of which the first gets the gradient; at least `initial`, where that is given.
    Other arguments as for `sum`."""
    return _extreme("max", x, axis, keepdims, initial)


def min(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The smallest element along axes, of which the first gets the gradient; at most `initial`, where that is given.
    Other arguments as for `sum`."""
    return _extreme("min", x, axis, keepdims, initial)


def _extreme(function: str, x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    if not is_symbolic(x):
        array = as_array(x, "x")
        # As in Keras, `initial` becomes a number of the array's type.
        more = {} if initial is None else {"initial": np.asarray(initial).astype(np.asarray(array).dtype)}
        return getattr(np, function)(array, axis=listed(axis), keepdims=keepdims, **more)
    if function == "max":
        found = _reduced("max", x, axis, keepdims)
        return found if initial is None else _elementwise.maximum(found, initial)
    found = -_reduced("max", -x, axis, keepdims)
    return found if initial is None else _elementwise.minimum(found, initial)


amax, amin = max, min


def any(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """Whether any element along axes is not 0; arguments as for `sum`. Of a symbolic tensor 1 and 0."""
    if not is_symbolic(x):
        return np.any(as_array(x, "x"), axis=listed(axis), keepdims=keepdims)
    return max(_elementwise.not_equal(x, 0.0), axis, keepdims)


def all(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """Whether all elements along axes are not 0; arguments as for `sum`. Of a symbolic tensor 1 and 0."""
    if not is_symbolic(x):
        return np.all(as_array(x, "x"), axis=listed(axis), keepdims=keepdims)
    return min(_elementwise.not_equal(x, 0.0), axis, keepdims)


def count_nonzero(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """How many elements along axes are not 0, of an array in int32; arguments as for `sum`."""
    if not is_symbolic(x):
        return np.int32(np.count_nonzero(as_array(x, "x"), axis=listed(axis)))
    return sum(_elementwise.not_equal(x, 0.0), axis)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """The mean along axes, in which elements have weights.

    Args:
        x: An array, or a symbolic tensor, which needs axes other than the first one.
        axis: The axis, or several. Default ``None``: all, of arrays only.
        weights: Of the shape of `x`, or a row along the axis. Default ``None``: the same for all.

    Raises:
        TypeError, ValueError: no such axis; weights of another shape.
    """
    if weights is None:
        return mean(x if is_symbolic(x) else as_float(as_array(x, "x")), axis)
    if not is_symbolic(x, weights):
        return np.average(as_float(as_array(x, "x")), listed(axis), as_float(as_array(weights, "weights")))
    if is_symbolic(weights):
        return sum(x * weights, axis) / sum(weights, axis)
    row = np.asarray(as_array(weights, "weights"))
    tensor, place = along(x, axis, "average")
    if row.shape != (tensor.shape[place],):
        raise ValueError(
            f"weights of the symbolic tensor {tensor.name!r} of shape {tensor.shape} must be a tensor like it, or a "
            f"row as long as axis {axis}, but have the shape {row.shape}."
        )
    return sum(tensor * row.reshape(-1, *(1,) * (tensor.ndim - 1 - place)), place) / float(row.sum())


def moments(x: Any, axes: int | Sequence[int], keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """`mean` and `var` along axes; `synchronized` is without effect, as there is one process."""
    checks.boolean(synchronized, "synchronized")
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def normalize(x: Any, axis: int = -1, order: Any = 2, epsilon: float | None = None) -> Any:
    """``x / maximum(norm(x), epsilon)``, with the norm along an axis.

    Args:
        x: An array or a symbolic tensor.
        axis: Default -1.
        order: That of the norm, as for `norm`. Default 2.
        epsilon: Default: `config.epsilon`.

    Raises:
        TypeError, ValueError: no such axis or order.
    """
    least = config.epsilon() if epsilon is None else checks.number(epsilon, "epsilon", "[0, inf)")
    x = x if is_symbolic(x) else as_float(as_array(x, "x"))
    if order == 2:  # without the slope of a root at 0
        return x * _elementwise.rsqrt(_elementwise.maximum(sum(_elementwise.square(x), axis, True), least**2))
    return x / _elementwise.maximum(norm(x, order, axis, keepdims=True), least)


def var(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """The variance along axes, ``mean((x - mean(x))**2)``; arguments as for `sum`."""
    if not is_symbolic(x):
        return np.var(as_array(x, "x"), listed(axis), keepdims=keepdims)
    return mean(_elementwise.square(x - mean(x, axis, keepdims=True)), axis, keepdims)


def _root(x: Any) -> Any:
    """The square root of a symbolic tensor, with the slope 0 at 0."""
    is_zero = _elementwise.equal(x, 0.0)
    return _elementwise.sqrt(x + is_zero) - is_zero


def std(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """The square root of `var`; arguments as for `sum`. Equal elements have the gradient 0."""
    found = var(x, axis, keepdims)
    return _root(found) if is_symbolic(x) else _elementwise.sqrt(found)


def logsumexp(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))`` along axes, without overflow; arguments as for `sum`."""
    if not is_symbolic(x):
        x = as_float(as_array(x, "x"))
        highest = np.max(x, listed(axis), keepdims=True)
        highest = np.where(np.isfinite(highest), highest, np.zeros_like(highest))
        with np.errstate(divide="ignore"):  # of -inf alone
            found = _elementwise.log(np.sum(np.exp(x - highest), listed(axis), keepdims=keepdims))
        return found + (highest if keepdims else np.sum(highest, listed(axis)))
    # What is not finite stays what it is, in place of inf - inf.
    highest = _elementwise.clip(max(x, axis, keepdims=True), -_LARGE, _LARGE)
    found = _elementwise.log(sum(_elementwise.exp(x - highest), axis, keepdims))
    return found + (highest if keepdims else sum(highest, axis))


def norm(x: Any, ord: Any = None, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """The norm of vectors or matrices along axes, as ``numpy.linalg.norm`` has it.

    Of a symbolic tensor that of vectors, along an axis; `ord` is 2, which is the default, 1 or ``numpy.inf``. Of a
    matrix, ``ord=None`` is the square root of the sum of squares. Where all elements are 0, the gradient is 0.
    """
    if not is_symbolic(x):
        return np.linalg.norm(as_float(as_array(x, "x")), ord, listed(axis), keepdims)
    several = isinstance(axis, list | tuple) and len(axis) > 1
    if ord in (None, "fro") if several else ord in (None, 2):
        return _root(sum(_elementwise.square(x), axis, keepdims))
    if ord in (1, np.inf) and not several:
        return (sum if ord == 1 else max)(_elementwise.absolute(x), axis, keepdims)
    raise ValueError(
        f"norm of a symbolic tensor takes ord=None, 2, 1 or inf along one axis, but got {ord!r} and {axis}."
    )
