"""Convolutions that keep the channels apart, and what mixes them afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from .. import constraints, initializers, regularizers
from ..activations import ActivationLike
from ..constraints import ConstraintLike
from ..engine.lowering import Lowering
from ..foundation import checks
from ..geometry import windows
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .convolutional import ConvolutionLayer
from .types import Shape
from .weight import Weight, WeightSpec

__all__ = [
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
]


class _DepthwiseConv(ConvolutionLayer):
    """What the convolutions that keep the channels apart have in common."""

    _takes_both = True

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.depth_multiplier = checks.positive_int(depth_multiplier, "depth_multiplier")
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
        )

    def _convolution(self, shape: Shape) -> windows.Convolution:
        return self._window(shape, shape[-1] * self.depth_multiplier, groups=-1)

    def _kernel_shape(self, shape: Shape) -> Shape:
        return (*self.kernel_size, shape[-1], self.depth_multiplier)

    def get_config(self) -> dict[str, Any]:
        return {**_depthwise_names(super().get_config()), "depth_multiplier": self.depth_multiplier}


class DepthwiseConv1D(_DepthwiseConv):
    """Convolution of each channel of a sequence by itself: ``y[n, i, c * depth_multiplier + m] = activation(sum over k
    of x[n, i * stride + k * dilation, c] * kernel[k, c, m] + bias[...])``.

    Shapes: input ``(N, length, channels)``, output ``(N, out length, channels * depth_multiplier)``, kernel
    ``(kernel_size, channels, depth_multiplier)``, bias ``(channels * depth_multiplier,)``.

    Args:
        kernel_size, strides, data_format, dilation_rate, activation, use_bias, bias_initializer: see `Conv1D`.
        padding: ``"valid"`` (default) or ``"same"``.
        depth_multiplier: Channels that are made of each. Default 1.
        depthwise_initializer: Of the kernel. Default ``"glorot_uniform"``.
        *_regularizer, *_constraint: see `Conv1D`.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv1D`.
    """

    rank = 1


class DepthwiseConv2D(_DepthwiseConv):
    """Convolution of each channel of an image by itself: ``y[n, i, j, c * depth_multiplier + m] = activation(sum over
    (ky, kx) of x[n, i * stride + ky * dilation, j * stride + kx * dilation, c] * kernel[ky, kx, c, m] + bias[...])``.

    Shapes: input ``(N, height, width, channels)``, output ``(N, out height, out width, channels * depth_multiplier)``,
    kernel ``(kernel height, kernel width, channels, depth_multiplier)``, bias ``(channels * depth_multiplier,)``.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer: see `Conv2D`.
        depth_multiplier: Channels that are made of each. Default 1.
        depthwise_initializer: Of the kernel. Default ``"glorot_uniform"``.
        *_regularizer, *_constraint: see `Conv2D`.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv2D`.
    """

    rank = 2


def _depthwise_names(config: dict[str, Any]) -> dict[str, Any]:
    """What a configuration says of the kernel, under the names that it has where the kernel is a depthwise one."""
    names = {f"kernel_{what}": f"depthwise_{what}" for what in ("initializer", "regularizer", "constraint")}
    return {names.get(key, key): value for key, value in config.items()}


class _SeparableConv(ConvolutionLayer):
    """What the convolutions in two steps have in common."""

    _takes_both = True

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        depth_multiplier: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.filters = checks.positive_int(filters, "filters")
        self.depth_multiplier = checks.positive_int(depth_multiplier, "depth_multiplier")
        self.pointwise_initializer = initializers.get(pointwise_initializer, "pointwise_initializer")
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer, "pointwise_regularizer")
        self.pointwise_constraint = constraints.get(pointwise_constraint, "pointwise_constraint")
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
        )

    def _depthwise(self, shape: Shape) -> windows.Convolution:
        return self._window(shape, shape[-1] * self.depth_multiplier, groups=-1)

    def _convolution(self, shape: Shape) -> windows.Convolution:
        between, ones = self._depthwise(shape).output_shape(), (1,) * self.rank
        return windows.convolution(between, ones, self.filters, ones, "valid", ones, 1)

    def _kernel_shape(self, shape: Shape) -> Shape:
        return (*self.kernel_size, shape[-1], self.depth_multiplier)

    def _weight_specs(self, shape: Shape) -> list[WeightSpec]:
        depthwise, *bias = super()._weight_specs(shape)
        pointwise = WeightSpec(
            "pointwise_kernel",
            (*(1,) * self.rank, shape[-1] * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            self.pointwise_regularizer,
            self.pointwise_constraint,
        )
        return [depthwise._replace(name="depthwise_kernel"), pointwise, *bias]

    @property
    def depthwise_kernel(self) -> Weight | None:
        """The kernel of the first convolution, once the layer is built."""
        return self._weight("depthwise_kernel")

    @property
    def pointwise_kernel(self) -> Weight | None:
        """The kernel of the second convolution, once the layer is built."""
        return self._weight("pointwise_kernel")

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        depthwise, pointwise = self._depthwise(shape).numbers(), self._convolution(shape).numbers()
        between = net.add("conv", x, [self.depthwise_kernel, None], shape=depthwise, transposed=False)
        return net.add("conv", between, [self.pointwise_kernel, self.bias], shape=pointwise, transposed=False)

    def get_config(self) -> dict[str, Any]:
        return {
            **_depthwise_names(super().get_config()),
            "filters": self.filters,
            "depth_multiplier": self.depth_multiplier,
            "pointwise_initializer": initializers.serialize(self.pointwise_initializer),
            "pointwise_regularizer": regularizers.serialize(self.pointwise_regularizer),
            "pointwise_constraint": constraints.serialize(self.pointwise_constraint),
        }


class SeparableConv1D(_SeparableConv):
    """A `DepthwiseConv1D` without bias, and then a `Conv1D` with a kernel of length 1: ``depth_multiplier`` channels
    are made of each, and the filters of all of these.

    Shapes: input ``(N, length, channels)``, output ``(N, out length, filters)``, depthwise_kernel ``(kernel_size,
    channels, depth_multiplier)``, pointwise_kernel ``(1, channels * depth_multiplier, filters)``, bias ``(filters,)``.

    Args:
        filters, kernel_size, strides, data_format, dilation_rate, activation, use_bias, bias_initializer: see `Conv1D`.
        padding: ``"valid"`` (default) or ``"same"``.
        depth_multiplier: Default 1.
        depthwise_initializer, pointwise_initializer: Of the two kernels. Default ``"glorot_uniform"``.
        *_regularizer, *_constraint: see `Conv1D`.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv1D`.
    """

    rank = 1


class SeparableConv2D(_SeparableConv):
    """A `DepthwiseConv2D` without bias, and then a `Conv2D` with a kernel of one pixel: ``depth_multiplier`` channels
    are made of each, and the filters of all of these.

    Shapes: input ``(N, height, width, channels)``, output ``(N, out height, out width, filters)``, depthwise_kernel
    ``(kernel height, kernel width, channels, depth_multiplier)``, pointwise_kernel ``(1, 1, channels *
    depth_multiplier, filters)``, bias ``(filters,)``.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer: see
            `Conv2D`.
        depth_multiplier: Default 1.
        depthwise_initializer, pointwise_initializer: Of the two kernels. Default ``"glorot_uniform"``.
        *_regularizer, *_constraint: see `Conv2D`.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv2D`.
    """

    rank = 2


# Keras's second names.
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
