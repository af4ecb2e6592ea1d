"""Layers that move a kernel over images or sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from .. import config
from ..activations import ActivationLike
from ..constraints import ConstraintLike
from ..engine.lowering import Lowering
from ..foundation import checks
from ..geometry import windows
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .channels import ChannelsLayer
from .kernel import KernelLayer
from .types import KernelArguments, Shape
from .weight import WeightSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Conv1D", "Conv2D", "Convolution1D", "Convolution2D"]


class ConvolutionLayer(ChannelsLayer, KernelLayer):
    """What all convolutions have in common: a window, kernels, a bias, an activation."""

    _may_be_causal = False
    _takes_both = False  # whether strides and dilation_rate may both be more than 1

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int],
        padding: str,
        data_format: str | None,
        dilation_rate: int | Sequence[int],
        **base: Unpack[KernelArguments],
    ) -> None:
        self.kernel_size = windows.per_axis(kernel_size, "kernel_size", self.rank)
        self.strides = windows.per_axis(strides, "strides", self.rank)
        self.padding = windows.check_padding(padding, causal=self._may_be_causal)
        self.data_format = config.resolve_data_format(data_format)
        self.dilation_rate = windows.per_axis(dilation_rate, "dilation_rate", self.rank)
        if not self._takes_both and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"strides={self.strides} and dilation_rate={self.dilation_rate}: only one of them may be more than 1."
            )
        super().__init__(**base)

    # ---- what a subclass writes

    def _convolution(self, shape: Shape) -> windows.Convolution:
        """The convolution, the last one where there are several."""
        raise NotImplementedError

    def _kernel_shape(self, shape: Shape) -> Shape:
        """That of the kernel, the first one where there are several."""
        raise NotImplementedError

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        numbers = self._convolution(shape).numbers()
        return net.add("conv", x, [self.kernel, self.bias], shape=numbers, transposed=False)

    # ---- what the base does with it

    def _window(self, shape: Shape, filters: int, groups: int) -> windows.Convolution:
        """The convolution of this window; groups -1: one for each channel."""
        try:
            return windows.convolution(
                shape,
                self.kernel_size,
                filters,
                self.strides,
                self.padding,
                self.dilation_rate,
                shape[-1] if groups == -1 else groups,
            )
        except ValueError as error:
            raise self._shape_error(f"cannot take samples of shape {shape}: {error}") from None

    def _output_shape(self, shape: Shape) -> Shape:
        return self._convolution(shape).output_shape()

    def _weight_specs(self, shape: Shape) -> list[WeightSpec]:
        return self._specs(self._kernel_shape(shape), self._output_shape(shape)[-1:])

    def sample_output_shape(self, shape: Shape) -> Shape:
        return self._check_activation(super().sample_output_shape(shape))

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        y = super().lower(net, x, shape)
        return self.activation.lower(net, y, super().sample_output_shape(shape))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
        }


class _Conv(ConvolutionLayer):
    """What the plain convolutions have in common."""

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        groups: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.filters = checks.positive_int(filters, "filters")
        self.groups = checks.positive_int(groups, "groups")
        if self.filters % self.groups:
            raise ValueError(f"groups must divide filters={self.filters}, but is {self.groups}.")
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
        )

    def _convolution(self, shape: Shape) -> windows.Convolution:
        return self._window(shape, self.filters, self.groups)

    def _kernel_shape(self, shape: Shape) -> Shape:
        return (*self.kernel_size, shape[-1] // self.groups, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}


class Conv1D(_Conv):
    """Convolution over sequences: ``y[n, i, f] = activation(sum over (k, c) of x[n, i * stride + k * dilation, c] *
    kernel[k, c, f] + bias[f])``, where x is 0 outside the sequence and begins earlier by what the padding adds.

    Shapes: input ``(N, length, channels)``, output ``(N, out length, filters)``, kernel
    ``(kernel_size, channels / groups, filters)``, bias ``(filters,)``.

    Args:
        filters: Channels of the output.
        kernel_size: Length of the kernel.
        strides: Steps from one output to the next. Default 1.
        padding: ``"valid"``: none (default). ``"same"``: zeros at both ends so that the output has
            ``ceil(length / strides)`` elements. ``"causal"``: as many, with all zeros in front, so that an output
            depends on no later input.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``. Weights are the same.
        dilation_rate: Distance of the kernel's elements. Default 1.
        groups: Parts of the channels, each of which makes its own part of the filters. Default 1.
        activation: Name or `Activation`. Default ``None``: linear.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the bias and the output: a
            name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, sequences shorter than the kernel, or channels
            that groups do not divide.
    """

    rank, _may_be_causal = 1, True


class Conv2D(_Conv):
    """Convolution over images: ``y[n, i, j, f] = activation(sum over (ky, kx, c) of x[n, i * stride + ky * dilation,
    j * stride + kx * dilation, c] * kernel[ky, kx, c, f] + bias[f])``, where x is 0 outside the image and begins
    earlier by what the padding adds.

    Shapes: input ``(N, height, width, channels)``, output ``(N, out height, out width, filters)``, kernel
    ``(kernel height, kernel width, channels / groups, filters)``, bias ``(filters,)``.

    Args:
        filters: Channels of the output.
        kernel_size: Height and width of the kernel, or a number for both.
        strides: Steps from one output to the next, down and to the right, or a number for both. Default 1.
        padding: ``"valid"``: none (default). ``"same"``: zeros around the image so that the output has
            ``ceil(size / strides)`` elements along each axis; the odd one at the end.
        data_format: ``"channels_last"`` or ``"channels_first"``: the axis of the channels is the first of a sample, in
            the output, too. Default: ``config.image_data_format()``. Weights are the same.
        dilation_rate: Distance of the kernel's elements, down and to the right, or a number for both. Default 1.
        groups: Parts of the channels, each of which makes its own part of the filters. Default 1.
        activation: Name or `Activation`. Default ``None``: linear.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the bias and the output: a
            name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, images smaller than the kernel, or channels that
            groups do not divide.
    """

    rank = 2


# Keras's second names.
Convolution1D = Conv1D
Convolution2D = Conv2D
