"""Windows that move over images and sequences: how far they reach, and what they give.

A window of `size` positions, `dilation` apart, moves over an axis of length n in steps of `stride`; it spans
``(size - 1) * dilation + 1``. Padding adds zeros around the axis (Keras's rules):

========  ================================  ================================================================
padding   length of the output              zeros in front
========  ================================  ================================================================
valid     ``(n - span) // stride + 1``      0
same      ``ceil(n / stride)``              half of ``max((out - 1) * stride + span - n, 0)``, rounded down
causal    ``ceil(n / stride)``              ``span - 1``: nothing is seen of what comes later
========  ================================  ================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..foundation import checks

PADDINGS = ("valid", "same", "causal")

# The largest number for an axis, and the most elements of a row that a window sees. Within these bounds the engine's
# arithmetic on 64 bits is exact; nothing beyond them fits into memory.
MOST, _MOST_ELEMENTS = 2**31 - 1, 2**40

# The most zeros beside the rows of a sample: each thread holds them in memory, 256 MiB of float32. Where the sample has
# more elements of its own, so many are allowed.
_MOST_ZEROS = 2**26


class Axis(NamedTuple):
    """How a window of `size` positions moves along an axis of length `n`: `out` times, with `before` zeros in front."""

    n: int
    size: int
    stride: int
    dilation: int
    out: int
    before: int


_SINGLE = Axis(1, 1, 1, 1, 1, 0)  # the height of a sequence


def span(size: int, dilation: int) -> int:
    """What a window reaches over."""
    return (size - 1) * dilation + 1


def axis(n: int, size: int, stride: int, dilation: int, padding: str) -> Axis:
    """The axis with one of the paddings; `out` is less than 1 if the window does not fit."""
    reach = span(size, dilation)
    if padding == "valid":
        return Axis(n, size, stride, dilation, (n - reach) // stride + 1, 0)
    out = -(-n // stride)
    total = max((out - 1) * stride + reach - n, 0)
    return Axis(n, size, stride, dilation, out, reach - 1 if padding == "causal" else total // 2)


def transposed(n: int, size: int, stride: int, dilation: int, padding: str, output_padding: int | None) -> Axis:
    """The axis of a convolution with `n` outputs, whose input a transposed convolution makes (Keras's rules)."""
    reach = span(size, dilation)
    if padding == "valid":
        extra = max(stride - reach, 0) if output_padding is None else output_padding
        return Axis((n - 1) * stride + reach + extra, size, stride, dilation, n, 0)
    if output_padding is None:
        length, total = n * stride, stride + reach - 2
    else:
        length, total = (n - 1) * stride + reach % 2 + output_padding, reach + reach % 2 - 2 + output_padding
    return Axis(length, size, stride, dilation, n, reach - 1 - min((total + 1) // 2, reach - 1))


class Convolution(NamedTuple):
    """The shape of a convolution, as the engine takes it; a sequence is an image of height 1."""

    axes: tuple[Axis, ...]
    channels: int
    filters: int
    groups: int

    def output_shape(self, *batch: int) -> tuple[int, ...]:
        """Of a sample, or of a batch."""
        return (*batch, *(a.out for a in self.axes), self.filters)

    def numbers(self) -> list[int]:
        """The numbers of a ConvShape (csrc/kernels/conv.h)."""
        y, x = self.axes if len(self.axes) == 2 else (_SINGLE, self.axes[0])
        input_and_output = [y.n, x.n, self.channels, y.out, x.out, self.filters]
        window = [y.size, x.size, y.stride, x.stride, y.dilation, x.dilation, y.before, x.before]
        return [*input_and_output, *window, self.groups]


def convolution(
    sample: Sequence[int],
    kernel_size: Sequence[int],
    filters: int,
    strides: Sequence[int],
    padding: str,
    dilation_rate: Sequence[int],
    groups: int,
    inner_channels: int | None = None,
) -> Convolution:
    """The convolution of samples (height, width, channels), or (length, channels).

    Args:
        inner_channels: The channels that the kernel has; None: what it takes.

    Raises:
        ValueError: channels or filters that the groups do not divide, or a sample smaller than the kernel.
    """
    channels = sample[-1]
    if channels % groups or filters % groups:
        raise ValueError(f"groups={groups} must divide the {channels} channels and the {filters} filters.")
    if inner_channels is not None and inner_channels * groups != channels:
        raise ValueError(
            f"the kernel has {inner_channels} channels, which must be {channels} / groups={groups} for the {channels} "
            "channels of x."
        )
    axes = tuple(
        axis(n, size, stride, dilation, padding)
        for n, size, stride, dilation in zip(sample[:-1], kernel_size, strides, dilation_rate, strict=True)
    )
    if any(a.out < 1 for a in axes):
        spans = tuple(span(a.size, a.dilation) for a in axes)
        raise ValueError(
            f"samples of shape {tuple(sample)} are smaller than the kernel, which spans {spans}. "
            'padding="same" would add zeros around them.'
        )
    check_reach(axes, channels)
    return Convolution(axes, channels, filters, groups)


def check_reach(axes: Sequence[Axis], channels: int) -> None:
    """Raise ValueError where a kernel reaches over more zeros than there is memory for.

    Zeros are held beside the rows that a kernel sees at a time; rows of zeros are not.
    """
    spans = tuple(span(a.size, a.dilation) for a in axes)
    rows = min(axes[0].n, spans[0]) if len(axes) == 2 else 1
    last = axes[-1]
    zeros = ((last.out - 1) * last.stride + spans[-1] - last.n) * rows * channels
    most = max(_MOST_ZEROS, math.prod(a.n for a in axes) * channels)
    if zeros > most or max(spans) * channels > _MOST_ELEMENTS:
        size, rate = tuple(a.size for a in axes), tuple(a.dilation for a in axes)
        raise ValueError(
            f"dilation_rate={rate} makes a kernel of kernel_size={size} span {spans} positions: more zeros around a "
            "sample than memory can hold."
        )


class Pooling(NamedTuple):
    """The shape of a pooling, as the engine takes it; a sequence is an image of height 1."""

    axes: tuple[Axis, ...]
    channels: int

    def output_shape(self, *batch: int) -> tuple[int, ...]:
        """Of a sample, or of a batch."""
        return (*batch, *(a.out for a in self.axes), self.channels)

    def numbers(self) -> list[int]:
        """The numbers of a PoolShape (csrc/kernels/pool.h)."""
        y, x = self.axes if len(self.axes) == 2 else (_SINGLE, self.axes[0])
        return [y.n, x.n, self.channels, y.out, x.out, y.size, x.size, y.stride, x.stride, y.before, x.before]


def pooling(sample: Sequence[int], pool_size: Sequence[int], strides: Sequence[int], padding: str) -> Pooling:
    """The pooling of samples (height, width, channels), or (length, channels).

    Raises:
        ValueError: a sample smaller than the window.
    """
    axes = tuple(
        axis(n, size, stride, 1, padding) for n, size, stride in zip(sample[:-1], pool_size, strides, strict=True)
    )
    if any(a.out < 1 for a in axes):
        raise ValueError(
            f"samples of shape {tuple(sample)} are smaller than the window {tuple(pool_size)}. "
            'padding="same" would let it reach over the edge.'
        )
    return Pooling(axes, sample[-1])


def per_axis(value: int | Sequence[int], name: str, rank: int) -> tuple[int, ...]:
    """`value` as one positive number for each of `rank` axes.

    Raises:
        TypeError, ValueError: anything else.
    """
    value = checks.listed(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != rank:
            raise ValueError(f"{name} must be a whole number or {rank} of them, but got {value!r}.")
        return tuple(checks.positive_int(number, name, at_most=MOST) for number in value)
    return (checks.positive_int(value, name, at_most=MOST),) * rank


def check_padding(value: object, causal: bool) -> str:
    """`value` as the name of a padding, which may be a causal one or not; ValueError for another."""
    names = PADDINGS if causal else PADDINGS[:2]
    if not isinstance(value, str) or value.lower() not in names:
        raise ValueError(f"padding must be one of {', '.join(names)}, but got {value!r}.")
    return value.lower()
