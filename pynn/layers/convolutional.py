"""Layers that move a kernel over images or sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _checks, _windows, constraints, initializers, regularizers
from .base import KernelLayer, Lowering, WeightSpec


class _Convolution(KernelLayer):
    """What all convolutions have in common: a window, kernels, a bias, an activation."""

    rank: int

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int],
        padding: str,
        data_format: str | None,
        dilation_rate: int | Sequence[int],
        **base: Any,
    ) -> None:
        self.kernel_size = _windows.per_axis(kernel_size, "kernel_size", self.rank)
        self.strides = _windows.per_axis(strides, "strides", self.rank)
        self.padding = _windows.check_padding(padding, self.rank)
        _windows.check_data_format(data_format)
        self.dilation_rate = _windows.per_axis(dilation_rate, "dilation_rate", self.rank)
        super().__init__(**base)

    # ---- what a subclass writes

    def _convolution(self, shape: tuple[int, ...]) -> _windows.Convolution:
        """The convolution, the last one where there are several."""
        raise NotImplementedError

    def _kernel_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """That of the kernel, the first one where there are several."""
        raise NotImplementedError

    def _add(self, net: Lowering, x: int, kernels: list[int], bias: int, shape: tuple[int, ...]) -> int:
        """Add the ops without the activation."""
        return net.network.add_conv(x, kernels[0], bias, self._convolution(shape).numbers(), False)

    # ---- what the base does with it

    def _window(self, shape: tuple[int, ...], filters: int, groups: int) -> _windows.Convolution:
        """The convolution of this window; groups -1: one for each channel."""
        self._check_rank(shape, self.rank)
        try:
            return _windows.convolution(
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

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        output = self._convolution(shape).output_shape()
        self._check_activation(output)
        return output

    def weight_specs(self, shape: tuple[int, ...]) -> list[WeightSpec]:
        return self._specs(self._kernel_shape(shape), self.compute_output_shape(shape)[-1:])

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        kernels, bias = (net.parameters[:-1], net.parameters[-1]) if self.use_bias else (net.parameters, -1)
        y = self._add(net, x, kernels, bias, shape)
        return self.activation.lower(net.network, y, self.compute_output_shape(shape))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": _windows.DATA_FORMAT,
            "dilation_rate": self.dilation_rate,
        }


class _Conv(_Convolution):
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
        activation: object = None,
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: object = None,
        activity_regularizer: object = None,
        kernel_constraint: object = None,
        bias_constraint: object = None,
        **base: Any,
    ) -> None:
        self.filters = _checks.positive_int(filters, "filters")
        self.groups = _checks.positive_int(groups, "groups")
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
            **base,
        )

    def _convolution(self, shape: tuple[int, ...]) -> _windows.Convolution:
        return self._window(shape, self.filters, self.groups)

    def _kernel_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
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
        data_format: None or ``"channels_last"``, the only one there is.
        dilation_rate: Distance of the kernel's elements. Default 1.
        groups: Parts of the channels, each of which makes its own part of the filters. Default 1.
        activation: Name or `Activation`. Default ``None``: linear.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the bias and the output: a
            name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        base: name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, sequences shorter than the kernel, or channels
            that groups do not divide.
    """

    rank = 1


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
        data_format: None or ``"channels_last"``, the only one there is.
        dilation_rate: Distance of the kernel's elements, down and to the right, or a number for both. Default 1.
        groups: Parts of the channels, each of which makes its own part of the filters. Default 1.
        activation: Name or `Activation`. Default ``None``: linear.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the bias and the output: a
            name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        base: name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, images smaller than the kernel, or channels that
            groups do not divide.
    """

    rank = 2


class DepthwiseConv2D(_Convolution):
    """Convolution of each channel of an image by itself: ``y[n, i, j, c * depth_multiplier + m] = activation(sum over
    (ky, kx) of x[n, i * stride + ky * dilation, j * stride + kx * dilation, c] * kernel[ky, kx, c, m] + bias[...])``.

    Shapes: input ``(N, height, width, channels)``, output ``(N, out height, out width, channels * depth_multiplier)``,
    kernel ``(kernel height, kernel width, channels, depth_multiplier)``, bias ``(channels * depth_multiplier,)``.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer: see `Conv2D`.
        depth_multiplier: Channels that are made of each. Default 1.
        depthwise_initializer: Of the kernel. Default ``"glorot_uniform"``.
        base: name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv2D`.
    """

    rank = 2

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: object = None,
        use_bias: bool = True,
        depthwise_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        depthwise_regularizer: object = None,
        bias_regularizer: object = None,
        activity_regularizer: object = None,
        depthwise_constraint: object = None,
        bias_constraint: object = None,
        **base: Any,
    ) -> None:
        self.depth_multiplier = _checks.positive_int(depth_multiplier, "depth_multiplier")
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
            **base,
        )

    def _convolution(self, shape: tuple[int, ...]) -> _windows.Convolution:
        return self._window(shape, shape[-1] * self.depth_multiplier if shape else 1, groups=-1)

    def _kernel_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*self.kernel_size, shape[-1], self.depth_multiplier)

    def get_config(self) -> dict[str, Any]:
        return {**_depthwise_names(super().get_config()), "depth_multiplier": self.depth_multiplier}


def _depthwise_names(config: dict[str, Any]) -> dict[str, Any]:
    """What a configuration says of the kernel, under the names that it has where the kernel is a depthwise one."""
    names = {f"kernel_{what}": f"depthwise_{what}" for what in ("initializer", "regularizer", "constraint")}
    return {names.get(key, key): value for key, value in config.items()}


class SeparableConv2D(_Convolution):
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
        base: name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv2D`.
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        depth_multiplier: int = 1,
        activation: object = None,
        use_bias: bool = True,
        depthwise_initializer: object = "glorot_uniform",
        pointwise_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        depthwise_regularizer: object = None,
        pointwise_regularizer: object = None,
        bias_regularizer: object = None,
        activity_regularizer: object = None,
        depthwise_constraint: object = None,
        pointwise_constraint: object = None,
        bias_constraint: object = None,
        **base: Any,
    ) -> None:
        self.filters = _checks.positive_int(filters, "filters")
        self.depth_multiplier = _checks.positive_int(depth_multiplier, "depth_multiplier")
        self.pointwise_initializer = initializers.get(pointwise_initializer)
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
            **base,
        )

    def _depthwise(self, shape: tuple[int, ...]) -> _windows.Convolution:
        return self._window(shape, shape[-1] * self.depth_multiplier if shape else 1, groups=-1)

    def _convolution(self, shape: tuple[int, ...]) -> _windows.Convolution:
        between = self._depthwise(shape).output_shape()
        return _windows.convolution(between, (1, 1), self.filters, (1, 1), "valid", (1, 1), 1)

    def _kernel_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*self.kernel_size, shape[-1], self.depth_multiplier)

    def weight_specs(self, shape: tuple[int, ...]) -> list[WeightSpec]:
        depthwise, *bias = super().weight_specs(shape)
        pointwise = WeightSpec(
            "pointwise_kernel",
            (1, 1, shape[-1] * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            self.pointwise_regularizer,
            self.pointwise_constraint,
        )
        return [depthwise._replace(name="depthwise_kernel"), pointwise, *bias]

    def _add(self, net: Lowering, x: int, kernels: list[int], bias: int, shape: tuple[int, ...]) -> int:
        depthwise, pointwise = kernels
        between = net.network.add_conv(x, depthwise, -1, self._depthwise(shape).numbers(), False)
        return net.network.add_conv(between, pointwise, bias, self._convolution(shape).numbers(), False)

    def get_config(self) -> dict[str, Any]:
        return {
            **_depthwise_names(super().get_config()),
            "filters": self.filters,
            "depth_multiplier": self.depth_multiplier,
            "pointwise_initializer": initializers.serialize(self.pointwise_initializer),
            "pointwise_regularizer": regularizers.serialize(self.pointwise_regularizer),
            "pointwise_constraint": constraints.serialize(self.pointwise_constraint),
        }


class Conv2DTranspose(_Convolution):
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
        base: name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: as for `Conv2D`.
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        output_padding: int | Sequence[int] | None = None,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: object = None,
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: object = None,
        activity_regularizer: object = None,
        kernel_constraint: object = None,
        bias_constraint: object = None,
        **base: Any,
    ) -> None:
        self.filters = _checks.positive_int(filters, "filters")
        self.output_padding: tuple[int, ...] | None = None
        if output_padding is not None:
            given = output_padding if isinstance(output_padding, Sequence) else (output_padding,) * self.rank
            if len(given) != self.rank:
                raise ValueError(f"output_padding must be a whole number or two of them, but got {output_padding!r}.")
            self.output_padding = tuple(_checks.non_negative_int(number, "output_padding") for number in given)
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
            **base,
        )
        if self.output_padding and any(p >= s for p, s in zip(self.output_padding, self.strides, strict=True)):
            raise ValueError(f"output_padding must be less than strides={self.strides}, but is {self.output_padding}.")

    def _convolution(self, shape: tuple[int, ...]) -> _windows.Convolution:
        self._check_rank(shape, self.rank)
        axes = tuple(
            _windows.transposed(n, size, stride, dilation, self.padding, extra)
            for n, size, stride, dilation, extra in zip(
                shape[:-1],
                self.kernel_size,
                self.strides,
                self.dilation_rate,
                self.output_padding or (None,) * self.rank,
                strict=True,
            )
        )
        try:
            _windows.check_reach(axes, self.filters)
        except ValueError as error:
            raise self._shape_error(f"cannot take samples of shape {shape}: {error}") from None
        return _windows.Convolution(axes, self.filters, shape[-1], 1)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        output = (*(axis.n for axis in self._convolution(shape).axes), self.filters)
        self._check_activation(output)
        return output

    def _kernel_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*self.kernel_size, self.filters, shape[-1])

    def _add(self, net: Lowering, x: int, kernels: list[int], bias: int, shape: tuple[int, ...]) -> int:
        return net.network.add_conv(x, kernels[0], bias, self._convolution(shape).numbers(), True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "output_padding": self.output_padding}
