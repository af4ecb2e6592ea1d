"""Layers that make one number of a window of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from .. import config
from ..data.layout import OpenShape
from ..engine.lowering import Lowering, Mask
from ..foundation import checks
from ..geometry import windows
from .channels import ChannelsLayer
from .types import Shape

__all__ = [
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
]


class _Pooling(ChannelsLayer):
    """What poolings with a moving window have in common."""

    built_at_once = True
    kind: str

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.pool_size = windows.per_axis(pool_size, "pool_size", self.rank)
        self.strides = self.pool_size if strides is None else windows.per_axis(strides, "strides", self.rank)
        self.padding = windows.check_padding(padding, causal=False)
        self.data_format = config.resolve_data_format(data_format)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def _pooling(self, shape: Shape) -> windows.Pooling:
        try:
            return windows.pooling(shape, self.pool_size, self.strides, self.padding)
        except ValueError as error:
            raise self._shape_error(f"cannot take samples of shape {shape}: {error}") from None

    def _output_shape(self, shape: Shape) -> Shape:
        return self._pooling(shape).output_shape()

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.add("pool", x, kind=self.kind, shape=self._pooling(shape).numbers())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
        }


class MaxPooling1D(_Pooling):
    """The largest element of each window of a sequence, channel by channel. NaN wins; the gradient goes to the first
    element that is the largest.

    Shapes: input ``(N, length, channels)``, output ``(N, out length, channels)``.

    Args:
        pool_size: Length of the window. Default 2.
        strides: Steps from one window to the next. Default: `pool_size`.
        padding: ``"valid"``: windows lie inside (default). ``"same"``: there are ``ceil(length / strides)`` of them,
            and what lies outside does not count.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, sequences shorter than the window.
    """

    rank, kind = 1, "max"


class MaxPooling2D(_Pooling):
    """The largest element of each window of an image, channel by channel. NaN wins; the gradient goes to the first
    element that is the largest, row by row.

    Shapes: input ``(N, height, width, channels)``, output ``(N, out height, out width, channels)``.

    Args:
        pool_size: Height and width of the window, or a number for both. Default 2.
        strides: Steps from one window to the next, down and to the right, or a number for both. Default: `pool_size`.
        padding: ``"valid"``: windows lie inside (default). ``"same"``: there are ``ceil(size / strides)`` of them along
            each axis, and what lies outside does not count.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, images smaller than the window.
    """

    rank, kind = 2, "max"


class AveragePooling1D(_Pooling):
    """The mean of each window of a sequence, channel by channel; see `MaxPooling1D` for shapes and arguments.

    What lies outside the sequence does not count, neither as an element nor in their number.
    """

    rank, kind = 1, "average"


class AveragePooling2D(_Pooling):
    """The mean of each window of an image, channel by channel; see `MaxPooling2D` for shapes and arguments.

    What lies outside the image does not count, neither as an element nor in their number.
    """

    rank, kind = 2, "average"


class _GlobalPooling(ChannelsLayer):
    """One window for all of the image or sequence."""

    built_at_once = True
    kind: str

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.data_format = config.resolve_data_format(data_format)
        self.keepdims = checks.boolean(keepdims, "keepdims")
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def _output_shape(self, shape: Shape) -> Shape:
        return ((1,) * self.rank if self.keepdims else ()) + shape[-1:]

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.add(
            "pool", x, kind=self.kind, shape=windows.pooling(shape, shape[:-1], shape[:-1], "valid").numbers()
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest element of each channel of a sequence; NaN wins.

    Shapes: input ``(N, length, channels)``, output ``(N, channels)``, or ``(N, 1, channels)`` with `keepdims`.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        keepdims: Whether the axes stay, of length 1. Default ``False``.
        name, trainable, dtype, input_shape: see `Layer`.
    """

    rank, kind = 1, "max"


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest element of each channel of an image; NaN wins.

    Shapes: input ``(N, height, width, channels)``, output ``(N, channels)``, or ``(N, 1, 1, channels)`` with
    `keepdims`.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``.
        keepdims: Whether the axes stay, of length 1. Default ``False``.
        name, trainable, dtype, input_shape: see `Layer`.
    """

    rank, kind = 2, "max"


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each channel of a sequence; see `GlobalMaxPooling1D` for shapes and arguments.

    Where the input has a mask (docs/masks.md), the mean is that of the real steps, 0 where there are none, and the
    output has no mask.
    """

    supports_masking = True
    reads_steps = True
    rank, kind = 1, "average"

    def __call__(  # type: ignore[override]
        self, inputs: Any, mask: Any = None, training: bool | None = None
    ) -> Any:
        """As for `Layer`, but that the mask comes second, as in Keras."""
        return super().__call__(inputs, training, mask)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        if net.mask is None:
            return super().lower(net, x, shape)
        steps, channels = (shape[1], shape[0]) if self.data_format == "channels_first" else shape
        if net.mask.shape != (steps,):
            raise self._shape_error(
                f"with data_format={self.data_format!r} takes samples of shape {shape}, which have {steps} steps, and "
                f"a mask of these, but got a mask of shape {net.mask.shape}. Masking and Embedding make masks of the "
                "first axis of a sample."
            )
        axes = (
            {"outer": channels, "inner": 1} if self.data_format == "channels_first" else {"outer": 1, "inner": channels}
        )
        return net.add("masked_mean", [x, net.mask.tensor], steps=steps, **axes)

    def lower_mask(self, net: Lowering, x: int, shape: Shape, masks: Sequence[Mask | None]) -> Mask | None:
        return None

    def _check_mask(self, shape: OpenShape, mask: OpenShape) -> None:
        super()._check_mask(shape[1:] if self._channels_first else shape, mask)


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel of an image; see `GlobalMaxPooling2D` for shapes and arguments."""

    rank, kind = 2, "average"


# Keras's second names.
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
