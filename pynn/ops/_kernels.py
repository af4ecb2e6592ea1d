"""Matrix products, dense layers, activations, rescaling, losses and metrics, forwards and backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import activations, losses, metrics
from ..activations import ActivationLike
from ..data import arrays
from ..engine import single
from ..foundation import checks, parallel
from ..foundation.native import core
from ..losses import LossLike
from ..metrics import MetricLike
from . import _buffers

__all__ = [
    "activation_backward",
    "activation_forward",
    "dense_backward",
    "dense_forward",
    "gemm",
    "loss_backward",
    "loss_forward",
    "metric_forward",
    "rescaling_forward",
]

Array = NDArray[Any]


def gemm(
    a: Array,
    b: Array,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    accumulate: bool = False,
    out: Array | None = None,
) -> Array:
    """Matrix product ``op(a) @ op(b)``, op being the transpose where asked for.

    Shapes: ``op(a) (m, k)``, ``op(b) (k, n)``, result ``(m, n)``.

    Args:
        transpose_a, transpose_b: Default ``False``.
        accumulate: Whether to add to `out`, which must be given then. Default ``False``.
        out: Where to put the result; it must not overlap the others.

    Raises:
        TypeError, ValueError: unfit arrays.
    """
    dtype = _buffers.check_inputs(a=a, b=b)
    _buffers.check_rank(a, "a", "(rows, columns)")
    _buffers.check_rank(b, "b", "(rows, columns)")
    m, k = a.shape[::-1] if transpose_a else a.shape
    k_b, n = b.shape[::-1] if transpose_b else b.shape
    if k != k_b:
        raise ValueError(f"op(a) has {k} columns and op(b) {k_b} rows, which must be equal.")
    if accumulate and out is None:
        raise ValueError("accumulate=True adds to out, so out must be given.")
    out = _buffers.output(out, "out", (m, n), dtype, (a, b))
    core.gemm(out, a, b, transpose_a, transpose_b, accumulate, parallel.get_num_threads())
    return out


def dense_forward(x: Array, kernel: Array, bias: Array | None = None, *, out: Array | None = None) -> Array:
    """``y = x @ kernel + bias``.

    Shapes: ``x (..., inputs)``, ``kernel (inputs, units)``, ``bias (units,)`` or None, ``y (..., units)``.

    Raises:
        TypeError, ValueError: unfit arrays.
    """
    dtype = _buffers.check_inputs(x=x, kernel=kernel, **({} if bias is None else {"bias": bias}))
    inputs, units = _check_dense(x, kernel)
    if bias is not None:
        _buffers.check_shape(bias, "bias", (units,))
    out = _buffers.output(out, "out", (*x.shape[:-1], units), dtype, (x, kernel, bias))
    single.forward("dense", out.reshape(-1, units), x.reshape(-1, inputs), (kernel, bias), units=units)
    return out


def dense_backward(
    dy: Array,
    x: Array,
    kernel: Array,
    *,
    dx: Array | None = None,
    dkernel: Array | None = None,
    dbias: Array | None = None,
    need_dx: bool = True,
    need_dkernel: bool = True,
    need_dbias: bool = True,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of `dense_forward`: ``dx = dy @ kernel.T``, ``dkernel = x.T @ dy``, ``dbias = sum of dy's rows``.

    Shapes: ``dy (..., units)``, the others as in `dense_forward`.

    Args:
        dx, dkernel, dbias: Where to put the results; they are overwritten, and must overlap nothing.
        need_dx, need_dkernel, need_dbias: Set to False for a gradient that is not wanted; None is returned for it.

    Raises:
        TypeError, ValueError: unfit arrays.
    """
    dtype = _buffers.check_inputs(dy=dy, x=x, kernel=kernel)
    inputs, units = _check_dense(x, kernel)
    _buffers.check_shape(dy, "dy", (*x.shape[:-1], units))
    apart: tuple[Array | None, ...] = (dy, x, kernel)
    dx = _buffers.output(dx, "dx", x.shape, dtype, apart) if need_dx else None
    dkernel = _buffers.output(dkernel, "dkernel", kernel.shape, dtype, (*apart, dx)) if need_dkernel else None
    dbias = _buffers.output(dbias, "dbias", (units,), dtype, (*apart, dx, dkernel)) if need_dbias else None
    rows, y = x.reshape(-1, inputs), dy.reshape(-1, units)  # the way back does not read what the layer gave
    in_rows = None if dx is None else dx.reshape(-1, inputs)
    single.backward("dense", in_rows, (dkernel, dbias), y, rows, y, (kernel, dbias), units=units)
    return dx, dkernel, dbias


def activation_forward(x: Array, activation: ActivationLike = "relu", *, out: Array | None = None) -> Array:
    """``y = f(x)``; functions with an axis go over that of `x`, the last one by default.

    Args:
        activation: Name or `Activation`. Default ``"relu"``.
        out: Where to put the result; may be `x` itself, but for ``glu``, whose result has another shape.

    Raises:
        TypeError, ValueError: unfit arrays, or no such activation.
    """
    dtype = _buffers.check_inputs(x=x)
    function = activations.get(activation)
    shape = function.output_shape(x.shape)
    apart, in_place = ((), x) if shape == x.shape else ((x,), None)
    out = _buffers.output(out, "out", shape, dtype, apart, in_place=in_place)
    if x.size:
        function.forward(out, x)
    return out


def activation_backward(
    dy: Array, x: Array, y: Array, activation: ActivationLike, *, out: Array | None = None
) -> Array:
    """``dx = dy * f'(x)``, given ``y = f(x)`` too (softmax: ``dx = y * (dy - sum(dy * y))``).

    Args:
        activation: Name or `Activation`.
        out: Where to put the result; may be `dy` itself, but for ``glu``.

    Raises:
        TypeError, ValueError: unfit arrays, no such activation, or ``step``, which has no gradient.
    """
    dtype = _buffers.check_inputs(dy=dy, x=x, y=y)
    function = activations.get(activation)
    function.check_differentiable()
    shape = function.output_shape(x.shape)
    _buffers.check_shape(dy, "dy", shape)
    _buffers.check_shape(y, "y", shape)
    apart, in_place = ((x, y), dy) if shape == x.shape else ((x, y, dy), None)
    out = _buffers.output(out, "out", x.shape, dtype, apart, in_place=in_place)
    if x.size:
        function.backward(out, dy, x, y)
    return out


def rescaling_forward(
    x: Array,
    scale: float | Sequence[float] | Array,
    offset: float | Sequence[float] | Array = 0.0,
    *,
    out: Array | None = None,
) -> Array:
    """``y = x * scale + offset``.

    Args:
        scale: A number, or one for each element of the last axis of `x`.
        offset: As `scale`. Default ``0.0``.
        out: Where to put the result; it must not overlap `x`.

    Raises:
        TypeError, ValueError: unfit arrays.
    """
    dtype = _buffers.check_inputs(x=x)
    factor, term = _per_column(scale, "scale", x), _per_column(offset, "offset", x)
    columns = max(factor.size, term.size)
    factor, term = (np.ascontiguousarray(np.broadcast_to(values, columns)) for values in (factor, term))
    out = _buffers.output(out, "out", x.shape, dtype, (x,))
    if x.size:
        rows = (-1, columns)
        single.forward("rescaling", out.reshape(rows), x.reshape(rows), scale=factor, offset=term)
    return out


def loss_forward(y_true: Array, y_pred: Array, loss: LossLike, *, out: Array | None = None) -> NDArray[np.float64]:
    """The loss of every row of `y_pred`, a row being its last axis.

    Shapes: ``y_pred (..., columns)``, result ``(...)`` in float64.

    Args:
        y_true: Targets like `y_pred`, or int32 labels ``(...)`` for the sparse losses. For hinge, squared_hinge
            and perceptron 0 counts as -1.
        loss: Name or `Loss`.
        out: Where to put the result.

    Raises:
        TypeError, ValueError: unfit arrays, a label that is no class, or no such loss.
    """
    return _row_values(y_true, y_pred, losses.get(loss), out)


def loss_backward(
    y_true: Array, y_pred: Array, loss: LossLike, *, scale: float | None = None, out: Array | None = None
) -> Array:
    """Gradient for `y_pred` of `scale` times the sum of the rows' losses.

    Args:
        y_true, y_pred, loss: as for `loss_forward`.
        scale: Default ``1 / rows``: the gradient of the mean loss.
        out: Where to put the result; it must overlap nothing.

    Raises:
        TypeError, ValueError: unfit arrays, a label that is no class, or no such loss.
    """
    function = losses.get(loss)
    dtype = _check_rows(y_true, y_pred, function)
    rows = y_pred.size // y_pred.shape[-1]
    scale = 1.0 / max(rows, 1) if scale is None else checks.finite(scale, "scale")
    out = _buffers.output(out, "out", y_pred.shape, dtype, (y_true, y_pred))
    if rows:
        function.backward(out, y_pred, y_true, scale)
    return out


def metric_forward(
    y_true: Array, y_pred: Array, metric: MetricLike, *, out: Array | None = None
) -> NDArray[np.float64]:
    """The metric's value of every row of `y_pred`; their mean is the metric (its square root for the root mean square).

    Shapes and arguments: as for `loss_forward`, with the name of a metric or a `Metric`.

    Raises:
        TypeError, ValueError: unfit arrays, a label that is no class, no such metric, or one without rows.
    """
    found = metrics.get(metric)
    if not isinstance(found, metrics.rows.RowMetric) or not found.of_engine:
        raise ValueError(f"The metric {found.name} has no value for each row. Call it: metric(y_true, y_pred).")
    return _row_values(y_true, y_pred, found, out)


def _check_dense(x: Array, kernel: Array) -> tuple[int, int]:
    """Inputs and units of a dense layer."""
    _buffers.check_rank(kernel, "kernel", "(inputs, units)")
    if x.ndim == 0 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(f"x must end in the {kernel.shape[0]} inputs of the kernel, but has the shape {x.shape}.")
    if 0 in kernel.shape:
        raise ValueError(f"kernel must have at least one input and one unit, but has the shape {kernel.shape}.")
    return kernel.shape[0], kernel.shape[1]


def _per_column(value: float | Sequence[float] | Array, name: str, x: Array) -> Array:
    numbers = arrays.as_array(value, name, "float64").reshape(-1)
    if numbers.size not in (1, x.shape[-1] if x.ndim else 1):
        raise ValueError(f"{name} must be one number or one for each column of x, {x.shape}, but has {numbers.size}.")
    return numbers


def _row_values(
    y_true: Array, y_pred: Array, function: losses.Loss | metrics.rows.RowMetric, out: Array | None
) -> NDArray[np.float64]:
    _check_rows(y_true, y_pred, function)
    out = _buffers.output(out, "out", y_pred.shape[:-1], np.dtype(np.float64), (y_true, y_pred))
    if out.size:
        function.forward(out, y_pred, y_true)
    return out


def _check_rows(y_true: Array, y_pred: Array, function: losses.Loss | metrics.rows.RowMetric) -> np.dtype[Any]:
    """Check predictions with their targets, and return the type of the predictions."""
    dtype = _buffers.check_inputs(y_pred=y_pred, **({} if function.sparse else {"y_true": y_true}))
    if y_pred.ndim == 0 or y_pred.shape[-1] == 0:
        raise ValueError(f"y_pred must have rows of at least one element, but has the shape {y_pred.shape}.")
    if isinstance(function, losses.Loss) and not function.of_rows:
        raise ValueError(function.without_rows())
    losses.base.check_last_axis(function, y_pred.ndim)
    if not function.sparse:
        _buffers.check_shape(y_true, "y_true", y_pred.shape)
        return dtype
    arrays.check_plain_array(y_true, "y_true")
    if y_true.dtype != np.int32:
        raise TypeError(f"y_true must be int32 class labels, but is {y_true.dtype}.")
    _buffers.check_layout(y_true, "y_true")
    _buffers.check_shape(y_true, "y_true", y_pred.shape[:-1])
    arrays.check_labels(y_true, "y_true", y_pred.shape[-1])  # the kernels index with them
    return dtype
