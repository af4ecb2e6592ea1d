"""Poolings whose windows follow from the size of the output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from .. import config
from ..engine.lowering import Lowering
from ..geometry import maps, windows
from .channels import ChannelsLayer
from .types import Shape

__all__ = ["AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D"]


class _AdaptivePooling(ChannelsLayer):
    """What adaptive poolings have in common."""

    def __init__(
        self,
        output_size: int | Sequence[int],
        data_format: str | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.output_size = windows.per_axis(output_size, "output_size", self.rank)
        self.data_format = config.resolve_data_format(data_format)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def _output_shape(self, shape: Shape) -> Shape:
        return (*self.output_size, shape[-1])

    def _check_size(self, output: Shape) -> None:
        super()._check_size(output)
        if math.prod(self.output_size) > maps.MOST_POSITIONS:
            raise self._shape_error(f"would make {self.output_size} windows: more positions than memory can hold.")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": self.output_size, "data_format": self.data_format}


class _AdaptiveAveragePooling(_AdaptivePooling):
    """Means of the windows: a linear map."""

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        axes = [maps.averaged(n, out) for n, out in zip(shape[:-1], self.output_size, strict=True)]
        return net.resample(x, maps.product(axes, shape[-1]))


class _AdaptiveMaxPooling(_AdaptivePooling):
    """The engine's windows have one size. So each window is laid out in full, and then they are pooled side by side."""

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        found = [maps.unfolded(n, out) for n, out in zip(shape[:-1], self.output_size, strict=True)]
        axes, sizes = zip(*found, strict=True)
        laid_out = net.resample(x, maps.product(axes, shape[-1]))
        pooling = windows.pooling((*(axis.out for axis in axes), shape[-1]), sizes, sizes, "valid")
        return net.add("pool", laid_out, kind="max", shape=pooling.numbers())


class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """The means of `output_size` windows of a sequence of any length, channel by channel.

    Window i of n positions goes from ``floor(i n / output_size)`` up to, but without, ``ceil((i + 1) n /
    output_size)``. So windows may differ by one in size, and neighbours may have a position in common.

    Shapes: input ``(N, length, channels)``, output ``(N, output_size, channels)``.

    Args:
        output_size: Length of the output.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples that are no sequences.
    """

    rank = 1


class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """The means of ``output_size`` windows of an image of any size, channel by channel.

    Along each axis, the windows are those of `AdaptiveAveragePooling1D`.

    Shapes: input ``(N, height, width, channels)``, output ``(N, *output_size, channels)``.

    Args:
        output_size: Height and width of the output, or a number for both.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples that are no images.
    """

    rank = 2


class AdaptiveMaxPooling1D(_AdaptiveMaxPooling):
    """The largest elements of `output_size` windows of a sequence of any length, channel by channel; see
    `AdaptiveAveragePooling1D` for windows, shapes and arguments.

    NaN wins; the gradient goes to the first element that is the largest.
    """

    rank = 1


class AdaptiveMaxPooling2D(_AdaptiveMaxPooling):
    """The largest elements of `output_size` windows of an image of any size, channel by channel; see
    `AdaptiveAveragePooling2D` for windows, shapes and arguments.

    NaN wins; the gradient goes to the first element that is the largest, row by row.
    """

    rank = 2
