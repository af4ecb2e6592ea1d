"""The layers that everything begins with: the input, dense layers, and any activation function as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from .. import activations
from ..activations import Activation as ActivationFunction
from ..foundation import checks
from .base import KernelLayer, Layer, Lowering, WeightSpec


class InputLayer(Layer):
    """The shape of a sample, as the first item of a model; see `Input`."""

    def __init__(
        self,
        shape: int | Sequence[int] | None = None,
        *,
        dtype: DTypeLike | None = None,
        name: str | None = None,
        input_shape: int | Sequence[int] | None = None,
    ) -> None:
        if (shape is None) == (input_shape is None):
            raise ValueError(f"Give one of shape and input_shape, but got {shape} and {input_shape}.")
        super().__init__(name=name, dtype=dtype, input_shape=input_shape if shape is None else shape)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        return x

    def get_config(self) -> dict[str, Any]:
        return {"shape": self.batch_input_shape, "dtype": self.dtype, "name": self.name}


def Input(  # noqa: N802 - Keras's name
    shape: int | Sequence[int], *, dtype: DTypeLike | None = None, name: str | None = None
) -> InputLayer:
    """Tell a model the shape of its samples: ``Sequential([Input((784,)), Dense(10)])`` is built at once.

    Args:
        shape: Shape of a sample, without the batch axis.
        dtype: ``"float32"`` or ``"float64"``. Default: ``config.floatx()``.
        name: Default: ``"input_layer"`` with a number.

    Raises:
        TypeError, ValueError: a bad argument.
    """
    return InputLayer(shape, dtype=dtype, name=name)


class Dense(KernelLayer):
    """Fully connected layer: ``y = activation(x @ kernel + bias)``.

    Shapes: input ``(N, ..., I)``, output ``(N, ..., units)``, kernel ``(I, units)``, bias ``(units,)``.

    Args:
        units: Size of the output, at least 1.
        activation: Name or `Activation`. Default ``None``: linear.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the bias and the output: a
            name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(
        self,
        units: int,
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
        self.units = checks.positive_int(units, "units")
        super().__init__(
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **base,
        )

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if not shape or shape[-1] < 1:
            raise self._shape_error(f"needs samples with at least one feature, but got the shape {shape}.")
        output = (*shape[:-1], self.units)
        self._check_activation(output)
        return output

    def weight_specs(self, shape: tuple[int, ...]) -> list[WeightSpec]:
        return self._specs((shape[-1], self.units), (self.units,))

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        kernel, bias = net.parameters if self.use_bias else (net.parameters[0], -1)
        y = net.network.add_dense(x, kernel, bias, shape[-1], self.units)
        return self.activation.lower(net.network, y, self.compute_output_shape(shape))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
        }


class ActivationLayer(Layer):
    """Base of the layers that apply an activation function and nothing else. The shape stays as it is."""

    activation: ActivationFunction

    def __init__(self, activation: ActivationFunction, **base: Any) -> None:
        self.activation = activation
        super().__init__(**base)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check_activation(shape)
        return shape

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        return self.activation.lower(net.network, x, shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.activation.config}


class Activation(ActivationLayer):
    """Any activation function as a layer. The shape stays as it is.

    Args:
        activation: Name or `Activation` of ``pynn.activations``.
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(self, activation: object, **base: Any) -> None:
        super().__init__(activations.get(activation), **base)

    def get_config(self) -> dict[str, Any]:
        return {**Layer.get_config(self), "activation": self.activation.serialize()}
