"""Convolutions turned round: a position gives to many what it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from ..activations import ActivationLike
from ..constraints import ConstraintLike
from ..engine.lowering import Lowering
from ..foundation import checks
from ..geometry import windows
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .convolutional import ConvolutionLayer
from .types import Shape

__all__ = ["Conv1DTranspose", "Conv2DTranspose", "Convolution1DTranspose", "Convolution2DTranspose"]


class _ConvTranspose(ConvolutionLayer):
    """What the transposed convolutions have in common."""

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        output_padding: int | Sequence[int] | None = None,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
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
        self.output_padding: tuple[int, ...] | None = None
        if output_padding is not None:
            listed = checks.listed(output_padding)
            given = listed if isinstance(listed, Sequence) else (listed,) * self.rank
            if len(given) != self.rank:
                raise ValueError(
                    f"output_padding must be a whole number or {self.rank} of them, but got {output_padding!r}."
                )
            self.output_padding = tuple(checks.non_negative_int(number, "output_padding") for number in given)
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
        if self.output_padding and any(p >= s for p, s in zip(self.output_padding, self.strides, strict=True)):
            raise ValueError(f"output_padding must be less than strides={self.strides}, but is {self.output_padding}.")

    def _convolution(self, shape: Shape) -> windows.Convolution:
        axes = tuple(
            windows.transposed(n, size, stride, dilation, self.padding, extra)
            for n, size, stride, dilation, extra in zip(
                shape[:-1],
                self.kernel_size,
                self.strides,
                self.dilation_rate,
                self.output_padding or (None,) * self.rank,
                strict=True,
            )
        )
        if any(axis.n < 1 for axis in axes):
            raise self._shape_error(
                f"makes nothing of samples of shape {shape}: outputs of {tuple(axis.n for axis in axes)} positions. "
                "Give a larger output_padding."
            )
        try:
            windows.check_reach(axes, self.filters)
        except ValueError as error:
            raise self._shape_error(f"cannot take samples of shape {shape}: {error}") from None
        return windows.Convolution(axes, self.filters, shape[-1], 1)

    def _output_shape(self, shape: Shape) -> Shape:
        return (*(axis.n for axis in self._convolution(shape).axes), self.filters)

    def _kernel_shape(self, shape: Shape) -> Shape:
        return (*self.kernel_size, self.filters, shape[-1])

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        numbers = self._convolution(shape).numbers()
        return net.add("conv", x, [self.kernel, self.bias], shape=numbers, transposed=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "output_padding": self.output_padding}


class Conv1DTranspose(_ConvTranspose):
    """Transposed convolution: what a position of a `Conv1D` saw, it gives to: ``y[n, i * stride + k * dilation - left,
    f] += x[n, i, c] * kernel[k, f, c]``, and then the bias and the activation.

    Shapes: input ``(N, length, channels)``, output ``(N, out length, filters)``, kernel ``(kernel_size, filters,
    channels)``, bias ``(filters,)``. The length of the output is that of an axis of `Conv2DTranspose`.

    Args:
        filters, kernel_size, strides, data_format, dilation_rate, activation, use_bias, kernel_initializer,
            bias_initializer: see `Conv1D`.
        padding: ``"valid"`` (default) or ``"same"``.
        output_padding: What the output is longer. Default ``None``: see `Conv2DTranspose`.
        *_regularizer, *_constraint: see `Conv1D`.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv1D`.
    """

    rank = 1


class Conv2DTranspose(_ConvTranspose):
    """Transposed convolution: what a pixel of a `Conv2D` saw, it gives to: ``y[n, i * stride + ky * dilation - top, j *
    stride + kx * dilation - left, f] += x[n, i, j, c] * kernel[ky, kx, f, c]``, and then the bias and the activation.

    Shapes: input ``(N, height, width, channels)``, output ``(N, out height, out width, filters)``, kernel
    ``(kernel height, kernel width, filters, channels)``, bias ``(filters,)``. With ``span = (kernel_size - 1) *
    dilation_rate + 1`` an axis of n pixels becomes

    - ``"valid"``: ``(n - 1) * stride + span + output_padding``, by default ``(n - 1) * stride + max(span, stride)``;
    - ``"same"``: ``(n - 1) * stride + span % 2 + output_padding``, by default ``n * stride``.

    Args:
        filters, kernel_size, strides, data_format, dilation_rate, activation, use_bias, kernel_initializer,
            bias_initializer: see `Conv2D`.
        padding: ``"valid"`` (default) or ``"same"``.
        output_padding: What the output is longer, down and to the right, or a number for both. Default ``None``: see
            above.
        *_regularizer, *_constraint: see `Conv2D`.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv2D`.
    """

    rank = 2


# Keras's second names.
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
