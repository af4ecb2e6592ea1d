"""Layers that make images and sequences larger or smaller, channel by channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import DTypeLike

from .. import config
from ..engine.lowering import Lowering
from ..foundation import checks
from ..geometry import maps, windows
from .channels import ChannelsLayer
from .types import Shape

__all__ = ["Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D"]

Edges: TypeAlias = tuple[tuple[int, int], ...]  # what to do (before, after) each axis
Ends: TypeAlias = int | Sequence[int] | Sequence[Sequence[int]]  # as the user writes them

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class _Resizing(ChannelsLayer):
    """What layers have in common that treat each axis but the channels for itself."""

    data_format = config.CHANNELS_LAST

    def _length(self, n: int, number: int) -> int:
        """What becomes of an axis of length `n`, the axis being that of this number."""
        raise NotImplementedError

    def _axis(self, n: int, number: int) -> maps.Axis:
        """How the positions of the axis are made."""
        raise NotImplementedError

    def _output_shape(self, shape: Shape) -> Shape:
        return (*(self._length(n, number) for number, n in enumerate(shape[:-1])), shape[-1])

    def _check_size(self, output: Shape) -> None:
        super()._check_size(output)
        if math.prod(output if self._channels_first else output[:-1]) > maps.MOST_POSITIONS:
            raise self._shape_error(f"would make samples of shape {output}: more positions than memory can hold.")

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        *lengths, channels = self._channels_last(shape)
        axes = [self._axis(n, number) for number, n in enumerate(lengths)]
        if self._channels_first:
            return net.resample(x, maps.product([maps.cropped(channels, 0, 0), *axes], 1))
        return net.resample(x, maps.product(axes, channels))


class _ZeroPadding(_Resizing):
    """Zeros around images or sequences."""

    _edges: Edges

    def _length(self, n: int, number: int) -> int:
        return n + sum(self._edges[number])

    def _axis(self, n: int, number: int) -> maps.Axis:
        return maps.padded(n, *self._edges[number])


class ZeroPadding1D(_ZeroPadding):
    """Zeros in front of a sequence and behind it.

    Shapes: input ``(N, length, channels)``, output ``(N, left + length + right, channels)``.

    Args:
        padding: How many zeros at each end, or ``(left, right)``. Default 1.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples that are no sequences.
    """

    rank = 1

    def __init__(
        self,
        padding: int | Sequence[int] = 1,
        data_format: str | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.padding = _both_ends(padding, "padding")
        self._edges = (self.padding,)
        self.data_format = config.resolve_data_format(data_format)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding2D(_ZeroPadding):
    """Zeros around an image.

    Shapes: input ``(N, height, width, channels)``, output ``(N, top + height + bottom, left + width + right,
    channels)``.

    Args:
        padding: How many rows and columns of zeros: a number for all four sides, ``(rows, columns)`` at each end, or
            ``((top, bottom), (left, right))``. Default ``(1, 1)``.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples that are no images.
    """

    rank = 2

    def __init__(
        self,
        padding: Ends = (1, 1),
        data_format: str | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.padding = self._edges = _four_sides(padding, "padding")
        self.data_format = config.resolve_data_format(data_format)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class _Cropping(_Resizing):
    """Less of images or sequences."""

    _edges: Edges

    def _output_shape(self, shape: Shape) -> Shape:
        if any(sum(ends) >= n for n, ends in zip(shape[:-1], self._edges, strict=True)):
            edges = self._edges if self.rank == 2 else self._edges[0]
            raise self._shape_error(f"with cropping={edges} leaves nothing of samples of shape {shape}.")
        return super()._output_shape(shape)

    def _length(self, n: int, number: int) -> int:
        return n - sum(self._edges[number])

    def _axis(self, n: int, number: int) -> maps.Axis:
        return maps.cropped(n, *self._edges[number])


class Cropping1D(_Cropping):
    """A sequence without its ends.

    Shapes: input ``(N, length, channels)``, output ``(N, length - left - right, channels)``.

    Args:
        cropping: How many positions to leave out at each end, or ``(left, right)``. Default ``(1, 1)``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, sequences of which nothing would be left.
    """

    rank = 1

    def __init__(
        self,
        cropping: int | Sequence[int] = (1, 1),
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.cropping = _both_ends(cropping, "cropping")
        self._edges = (self.cropping,)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}


class Cropping2D(_Cropping):
    """An image without its edges.

    Shapes: input ``(N, height, width, channels)``, output ``(N, height - top - bottom, width - left - right,
    channels)``.

    Args:
        cropping: How many rows and columns to leave out: a number for all four sides, ``(rows, columns)`` at each end,
            or ``((top, bottom), (left, right))``. Default ``((0, 0), (0, 0))``.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, images of which nothing would be left.
    """

    rank = 2

    def __init__(
        self,
        cropping: Ends = ((0, 0), (0, 0)),
        data_format: str | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.cropping = self._edges = _four_sides(cropping, "cropping")
        self.data_format = config.resolve_data_format(data_format)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


class UpSampling1D(_Resizing):
    """Each position of a sequence `size` times.

    Shapes: input ``(N, length, channels)``, output ``(N, length * size, channels)``.

    Args:
        size: How many times. Default 2.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples that are no sequences.
    """

    rank = 1

    def __init__(
        self,
        size: int = 2,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.size = checks.positive_int(size, "size", at_most=windows.MOST)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def _length(self, n: int, number: int) -> int:
        return n * self.size

    def _axis(self, n: int, number: int) -> maps.Axis:
        return maps.repeated(n, self.size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


class UpSampling2D(_Resizing):
    """An image of `size` times as many rows and columns.

    ``"nearest"`` repeats each pixel. ``"bilinear"`` interpolates between the two nearest rows and columns: row i of the
    output lies at ``(i + 0.5) / size - 0.5`` of the input, or at its first or last row where that is outside. The
    others weigh 4, 6 and 10 rows and columns by a kernel: that of Keys (1981), or a windowed sinc.

    Shapes: input ``(N, height, width, channels)``, output ``(N, height * size[0], width * size[1], channels)``.

    Args:
        size: How many times as many rows and columns, or a number for both. Default ``(2, 2)``.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        interpolation: ``"nearest"`` (default), ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples that are no images.
    """

    rank = 2

    def __init__(
        self,
        size: int | Sequence[int] = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.size = windows.per_axis(size, "size", self.rank)
        self.data_format = config.resolve_data_format(data_format)
        if not isinstance(interpolation, str) or interpolation.lower() not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, but got {interpolation!r}.")
        self.interpolation = interpolation.lower()
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def _length(self, n: int, number: int) -> int:
        return n * self.size[number]

    def _axis(self, n: int, number: int) -> maps.Axis:
        size = self.size[number]
        if self.interpolation == "nearest":
            return maps.repeated(n, size)
        return (
            maps.interpolated(n, size)
            if self.interpolation == "bilinear"
            else maps.weighted(n, size, self.interpolation)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "size": self.size,
            "data_format": self.data_format,
            "interpolation": self.interpolation,
        }


def _both_ends(value: object, name: str) -> tuple[int, int]:
    """A number, or one for each end, as (before, after)."""
    value = checks.listed(value)
    if not isinstance(value, Sequence) or isinstance(value, str):
        number = checks.non_negative_int(value, name, at_most=windows.MOST)
        return number, number
    if len(value) != 2:
        raise ValueError(f"{name} must be a whole number or two, before and after, but got {value!r}.")
    before, after = (checks.non_negative_int(end, name, at_most=windows.MOST) for end in value)
    return before, after


def _four_sides(value: object, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """A number, one for each axis, or (before, after) for each axis, as ((top, bottom), (left, right))."""
    value = checks.listed(value)
    if not isinstance(value, Sequence) or isinstance(value, str):
        ends = _both_ends(value, name)
        return ends, ends
    if len(value) != 2:
        raise ValueError(
            f"{name} must be a whole number, (rows, columns) or ((top, bottom), (left, right)), but got {value!r}."
        )
    return _both_ends(value[0], name), _both_ends(value[1], name)
