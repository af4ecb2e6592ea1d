"""Linear maps of samples, as the engine takes them: which elements of x, with which weights, make an element of y.

A map of images is a product of maps of their axes: `padded`, `cropped`, `repeated`, `interpolated` and others make
those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation import pieces

Indices = NDArray[np.int64]
Weights = NDArray[np.float64]

# The most positions of an output: the sources of each are listed, in 24 bytes or more. Beyond, memory would not do.
MOST_POSITIONS = 2**27


class Axis(NamedTuple):
    """How the positions of an axis are made of those of an axis of length n; terms of weight 0 do not count."""

    n: int
    source: Indices  # (out, terms)
    weight: Weights  # (out, terms)

    @property
    def out(self) -> int:
        """The length of the output."""
        return len(self.source)

    @property
    def is_identity(self) -> bool:
        """Whether the axis stays as it is."""
        same = self.out == self.n and (self.source[:, 0] == np.arange(self.n)).all()
        return bool(same and (self.weight[:, 0] == 1).all() and not self.weight[:, 1:].any())


class Map(NamedTuple):
    """A SparseMap (csrc/kernels/resample.h) of groups of `inner` contiguous elements."""

    inputs: int
    inner: int
    begin: Indices
    source: Indices
    weight: Weights


def padded(n: int, before: int, after: int) -> Axis:
    """Zeros in front and behind."""
    at = np.arange(-before, n + after, dtype=np.int64)[:, None]
    return Axis(n, at.clip(0, n - 1), ((at >= 0) & (at < n)).astype(np.float64))


def cropped(n: int, before: int, after: int) -> Axis:
    """Positions left out in front and behind; at least one must stay."""
    at = np.arange(before, n - after, dtype=np.int64)[:, None]
    return Axis(n, at, np.ones(at.shape))


def _windows(n: int, out: int) -> tuple[Indices, Indices]:
    """Begin and end of each of `out` windows that cover an axis as evenly as can be, neighbours with common ends."""
    at = np.arange(out, dtype=np.int64)
    return at * n // out, -(-(at + 1) * n // out)


def averaged(n: int, out: int) -> Axis:
    """The means of `out` windows, from ``i * n // out`` up to the ceiling of ``(i + 1) * n / out``."""
    begin, end = _windows(n, out)
    at = begin[:, None] + np.arange((end - begin).max())
    return Axis(n, at.clip(0, n - 1), (at < end[:, None]) / (end - begin)[:, None])


def unfolded(n: int, out: int) -> tuple[Axis, int]:
    """The windows of `averaged`, one after the other, and how long each is: short ones repeat their last position."""
    begin, end = _windows(n, out)
    size = int((end - begin).max())
    at = np.minimum(begin[:, None] + np.arange(size), end[:, None] - 1).reshape(-1, 1)
    return Axis(n, at, np.ones(at.shape)), size


def repeated(n: int, size: int) -> Axis:
    """Each position `size` times."""
    at = np.arange(n, dtype=np.int64).repeat(size)[:, None]
    return Axis(n, at, np.ones(at.shape))


def interpolated(n: int, size: int) -> Axis:
    """`size` times as many positions, linear between the old ones.

    Position i lies at ``(i + 0.5) / size - 0.5`` of the old ones, or at the first or the last where that is outside.
    """
    doubled = 2 * np.arange(n * size, dtype=np.int64) + 1 - size  # times 2 size: whole numbers lose no bit
    low, rest = np.divmod(doubled.clip(0, 2 * size * (n - 1)), 2 * size)
    share = rest / (2 * size)
    return Axis(n, np.stack([low, np.minimum(low + 1, n - 1)], 1), np.stack([1 - share, share], 1))


def _cubic(x: Weights) -> Weights:
    """The kernel of Keys (1981) with a = -0.5, of distances up to 2."""
    near, far = ((1.5 * x - 2.5) * x) * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, far)


def _lanczos(x: Weights, reach: int) -> Weights:
    """``sinc(x) sinc(x / reach)``, of distances up to `reach`; exactly 0 at whole numbers but 0."""
    return np.where(x == np.round(x), x == 0, np.sinc(x) * np.sinc(x / reach))


# How far each kernel reaches, and its values at distances up to there.
_KERNELS: dict[str, tuple[int, Callable[[Weights], Weights]]] = {
    "bicubic": (2, _cubic),
    "lanczos3": (3, lambda x: _lanczos(x, 3)),
    "lanczos5": (5, lambda x: _lanczos(x, 5)),
}


def weighted(n: int, size: int, kernel: str) -> Axis:
    """`size` times as many positions, each a sum of old ones, weighted by a kernel of their distance.

    Position i lies at ``(i + 0.5) / size - 0.5`` of the old ones. Weights of positions that are not there go to the
    others: the sum is 1.
    """
    if size == 1:
        return repeated(n, 1)
    reach, values = _KERNELS[kernel]
    low, rest = np.divmod(2 * np.arange(n * size, dtype=np.int64) + 1 - size, 2 * size)
    steps = np.arange(1 - reach, reach + 1)
    at = low[:, None] + steps
    weight = np.where((at >= 0) & (at < n), values(np.abs((rest / (2 * size))[:, None] - steps)), 0.0)
    return Axis(n, at.clip(0, n - 1), weight / weight.sum(1, keepdims=True))


def product(axes: Sequence[Axis], channels: int) -> Map | None:
    """The map of samples (*axes, channels); None where it changes nothing.

    Last axes that stay as they are make the groups longer.
    """
    inner = channels
    left = list(axes)
    while left and left[-1].is_identity:
        inner *= left.pop().n
    if not left:
        return None
    counts = [(axis.weight != 0).sum(1) for axis in left]  # without terms of weight 0: times infinity they make NaN
    rows, terms = math.prod(axis.out for axis in left), math.prod(int(each.sum()) for each in counts)
    begin = np.zeros(rows + 1, np.int64)
    source, weight = np.empty(terms, np.int64), np.empty(terms)
    done = 0
    for piece in pieces.ranges(rows):
        sources, weights = _rows(left, piece)
        used = weights != 0
        begin[piece.start + 1 : piece.stop + 1] = done + np.cumsum(used.sum(1))
        end = int(begin[piece.stop])
        source[done:end], weight[done:end] = sources[used], weights[used]
        done = end
    return Map(math.prod(axis.n for axis in left), inner, begin, source, weight)


def _rows(axes: Sequence[Axis], rows: slice) -> tuple[Indices, Weights]:
    """Sources and weights of some positions of the output, each (rows, terms)."""
    count = rows.stop - rows.start
    places = np.unravel_index(np.arange(rows.start, rows.stop), [axis.out for axis in axes])
    source, weight = np.zeros((count, 1), np.int64), np.ones((count, 1))
    for axis, place in zip(axes, places, strict=True):
        source = (source[:, :, None] * axis.n + axis.source[place][:, None, :]).reshape(count, -1)
        weight = (weight[:, :, None] * axis.weight[place][:, None, :]).reshape(count, -1)
    return source, weight


def nothing(inputs: int, outputs: int) -> Map:
    """Zeros, whatever the inputs are."""
    return Map(inputs, 1, np.zeros(outputs + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))


def selected(shape: Sequence[int], key: tuple[Any, ...]) -> Map | None:
    """The map that takes the part ``x[key]`` of samples of `shape`; None where that is all, in order."""
    plain = all(isinstance(each, int | slice) for each in key)
    kept = len(key) if plain else len(shape)  # last axes that the index does not name make the groups longer
    places = np.arange(math.prod(shape[:kept]), dtype=np.int64).reshape(shape[:kept])
    source = places[key].ravel()
    if len(source) == places.size and (source == np.arange(places.size)).all():
        return None
    begin = np.arange(len(source) + 1, dtype=np.int64)
    return Map(places.size, math.prod(shape[kept:]), begin, source, np.ones(len(source)))
