"""Convolutions, forwards and backwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..engine import single
from ..foundation import checks
from ..geometry import windows
from . import _buffers

__all__ = [
    "conv_backward",
    "conv_forward",
]

Array = NDArray[Any]


def conv_forward(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    *,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    dilation_rate: int | Sequence[int] = 1,
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Convolution of images or sequences (a cross-correlation, as in all libraries), and a bias.

    ``y[n, i, j, f] = sum over (ky, kx, c) of x[n, i * stride + ky * dilation, j * stride + kx * dilation, c] *
    kernel[ky, kx, c, f] + bias[f]``, where x is 0 outside the image and begins earlier by what `padding` adds.

    Shapes: ``x (n, height, width, channels)``, ``kernel (kernel height, kernel width, channels / groups, filters)``,
    ``bias (filters,)`` or None, ``y (n, out height, out width, filters)``; for sequences the same without the width.

    Args:
        strides, dilation_rate: A number for all axes or one for each. Default 1.
        padding: ``"valid"`` (default), ``"same"`` or ``"causal"``; see `Conv2D` and `Conv1D`.
        groups: Parts of the channels, each of which makes its own part of the filters. Default 1.
        out: Where to put the result; it must not overlap the others.

    Raises:
        TypeError, ValueError: unfit arrays, or an image smaller than the kernel.
    """
    dtype = _buffers.check_inputs(x=x, kernel=kernel, **({} if bias is None else {"bias": bias}))
    shape = _conv_shape(x, kernel, strides, padding, dilation_rate, groups)
    if bias is not None:
        _buffers.check_shape(bias, "bias", kernel.shape[-1:])
    out = _buffers.output(out, "out", shape.output_shape(len(x)), dtype, (x, kernel, bias))
    single.forward("conv", out, x, (kernel, bias), shape=shape.numbers(), transposed=False)
    return out


def conv_backward(
    dy: Array,
    x: Array,
    kernel: Array,
    *,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    dilation_rate: int | Sequence[int] = 1,
    groups: int = 1,
    dx: Array | None = None,
    dkernel: Array | None = None,
    dbias: Array | None = None,
    need_dx: bool = True,
    need_dkernel: bool = True,
    need_dbias: bool = True,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of `conv_forward` for x, kernel and bias, given `dy`, the gradient of its result.

    Args:
        strides, padding, dilation_rate, groups: As in `conv_forward`.
        dx, dkernel, dbias: Where to put the results; they are overwritten, and must overlap nothing.
        need_dx, need_dkernel, need_dbias: Set to False for a gradient that is not wanted; None is returned for it.

    Raises:
        TypeError, ValueError: unfit arrays, or an image smaller than the kernel.
    """
    dtype = _buffers.check_inputs(dy=dy, x=x, kernel=kernel)
    shape = _conv_shape(x, kernel, strides, padding, dilation_rate, groups)
    _buffers.check_shape(dy, "dy", shape.output_shape(len(x)))
    apart: tuple[Array | None, ...] = (dy, x, kernel)
    dx = _buffers.output(dx, "dx", x.shape, dtype, apart) if need_dx else None
    dkernel = _buffers.output(dkernel, "dkernel", kernel.shape, dtype, (*apart, dx)) if need_dkernel else None
    dbias = _buffers.output(dbias, "dbias", kernel.shape[-1:], dtype, (*apart, dx, dkernel)) if need_dbias else None
    settings = {"shape": shape.numbers(), "transposed": False}
    single.backward("conv", dx, (dkernel, dbias), dy, x, dy, (kernel, dbias), **settings)
    return dx, dkernel, dbias


def _conv_shape(
    x: Array,
    kernel: Array,
    strides: int | Sequence[int],
    padding: str,
    dilation_rate: int | Sequence[int],
    groups: int,
) -> windows.Convolution:
    rank = kernel.ndim - 2
    if rank not in (1, 2):
        raise ValueError(f"kernel must have 3 axes (sequences) or 4 (images), but has the shape {kernel.shape}.")
    _buffers.check_rank(x, "x", "(n, length, channels)" if rank == 1 else "(n, height, width, channels)")
    if math.prod(kernel.shape) == 0 or math.prod(x.shape[1:]) == 0:
        raise ValueError(f"x and kernel must not be empty, but have the shapes {x.shape} and {kernel.shape}.")
    return windows.convolution(
        x.shape[1:],
        kernel.shape[:-2],
        kernel.shape[-1],
        windows.per_axis(strides, "strides", rank),
        windows.check_padding(padding, causal=rank == 1),
        windows.per_axis(dilation_rate, "dilation_rate", rank),
        checks.positive_int(groups, "groups"),
        kernel.shape[-2],
    )
