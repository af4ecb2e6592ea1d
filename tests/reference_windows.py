"""Slow, plain references for what moves windows over images: loops that follow the formulas."""

import itertools
import math

import numpy as np


def pads(n, size, stride, dilation, padding):
    """Output length, and zeros before and after."""
    span = (size - 1) * dilation + 1
    if padding == "valid":
        return (n - span) // stride + 1, 0, 0
    out = math.ceil(n / stride)
    total = max((out - 1) * stride + span - n, 0)
    if padding == "causal":
        return out, span - 1, max(total - span + 1, 0)
    return out, total // 2, total - total // 2


def padded(x, size, strides, dilation, padding):
    """x with its zeros, and the lengths of the output."""
    plans = [pads(*axis, padding) for axis in zip(x.shape[1:-1], size, strides, dilation, strict=True)]
    return np.pad(x, [(0, 0), *((before, after) for _, before, after in plans), (0, 0)]), [plan[0] for plan in plans]


def steps(out, kernel_index, strides, dilation):
    """The positions of padded x that meet one position of the kernel."""
    return tuple(
        slice(k * d, k * d + (o - 1) * s + 1, s)
        for o, k, s, d in zip(out, kernel_index, strides, dilation, strict=True)
    )


def conv_forward(x, kernel, bias, strides, padding, dilation, groups):
    size = kernel.shape[:-2]
    wide, out = padded(x, size, strides, dilation, padding)
    inner, outer = x.shape[-1] // groups, kernel.shape[-1] // groups
    y = np.zeros((len(x), *out, kernel.shape[-1]), np.result_type(x, kernel))
    for at in itertools.product(*map(range, size)):
        seen = wide[(slice(None), *steps(out, at, strides, dilation))]
        for g in range(groups):
            f = slice(g * outer, (g + 1) * outer)
            y[..., f] += seen[..., g * inner : (g + 1) * inner] @ kernel[at][:, f]
    return y if bias is None else y + bias


def conv_backward(dy, x, kernel, strides, padding, dilation, groups):
    """Gradients for x, kernel and bias."""
    size = kernel.shape[:-2]
    wide, out = padded(x, size, strides, dilation, padding)
    dwide, dkernel = np.zeros(wide.shape, dy.dtype), np.zeros(kernel.shape, dy.dtype)
    inner, outer = x.shape[-1] // groups, kernel.shape[-1] // groups
    axes = list(range(dy.ndim - 1))
    for at in itertools.product(*map(range, size)):
        where = (slice(None), *steps(out, at, strides, dilation))
        for g in range(groups):
            c, f = slice(g * inner, (g + 1) * inner), slice(g * outer, (g + 1) * outer)
            dwide[where][..., c] += dy[..., f] @ kernel[at][:, f].T
            dkernel[at][:, f] = np.tensordot(wide[where][..., c], dy[..., f], (axes, axes))
    plans = [pads(*axis, padding) for axis in zip(x.shape[1:-1], size, strides, dilation, strict=True)]
    inside = tuple(slice(before, before + n) for (_, before, _), n in zip(plans, x.shape[1:-1], strict=True))
    return dwide[(slice(None), *inside)], dkernel, dy.sum(axis=tuple(axes))
