"""Functions of two tensors, element by element, and what they make of masks: how layers write them into a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.lowering import Lowering, Mask
from .types import Shape


def broadcast(one: Shape, other: Shape) -> Shape:
    """The shape of both put together, as NumPy does it; ValueError where they do not fit."""
    return np.broadcast_shapes(one, other)


def combined(net: Lowering, function: str, xs: Sequence[int], shapes: Sequence[Shape], **settings: Any) -> int:
    """Add ``function(x, y)`` of two tensors, or of one and a constant, that are broadcast as NumPy does it."""
    rank = max(1, *(len(shape) for shape in shapes))
    a, b = ((1,) * (rank - len(shape)) + shape for shape in shapes)
    return net.add("binary", xs, function=function, shape_a=a, shape_b=b, **settings)


def either(net: Lowering, one: Mask, other: Mask) -> Mask:
    """The mask of the steps that are real in one of two masks."""
    tensor = combined(net, "maximum", [one.tensor, other.tensor], [one.shape, other.shape])
    return Mask(tensor, broadcast(one.shape, other.shape))


def widened(net: Lowering, mask: Mask, shape: Shape) -> Mask:
    """A mask of the first axes of `shape`, repeated along the others."""
    if mask.shape == shape:
        return mask
    own = mask.shape + (1,) * (len(shape) - len(mask.shape))
    zeros = [0.0] * math.prod(shape)
    constant = {"shape_b": shape, "constant": zeros, "constant_first": False}
    return Mask(net.add("binary", mask.tensor, function="maximum", shape_a=own, **constant), shape)


def spread(net: Lowering, x: int, own: Shape, shape: Shape) -> int:
    """Tensor `x` of the shape `own`, repeated along the axes of `shape` that it has not."""
    if own == shape:
        return x
    return combined(net, "add", [x], [own, shape], constant=[0.0] * math.prod(shape), constant_first=False)


def halves(net: Lowering, mask: Mask, shape: Shape) -> tuple[int, int]:
    """A mask along all axes of `shape`, and its opposite."""
    real = widened(net, mask, shape).tensor
    return real, combined(net, "subtract", [real], [shape, ()], constant=[1.0], constant_first=True)


def chosen(net: Lowering, mask: Mask, x: int, other: int, shape: Shape) -> int:
    """Tensor `x` where the mask is real, else `other`; both of `shape`."""
    real, padded = halves(net, mask, shape)
    return net.add("add", [net.add("keep_rows", [x, real]), net.add("keep_rows", [other, padded])])


def all_real(net: Lowering, x: int, shape: Shape) -> Mask:
    """A mask of tensor `x` all of whose steps are real: no number is NaN's equal."""
    rows = math.prod(shape[:-1])
    return Mask(net.add("any_not_equal", x, rows=rows, columns=shape[-1], value=math.nan), shape[:-1])
