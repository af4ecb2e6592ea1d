"""What layers with a kernel have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import activations, constraints, initializers, regularizers
from ..activations import Activation, ActivationLike
from ..constraints import ConstraintLike
from ..foundation import checks
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .base import Layer
from .setting import Setting
from .types import LayerArguments
from .weight import Weight, WeightSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack


class KernelLayer(Layer):
    """Base of the layers that have a kernel, perhaps a bias, and an activation at the end.

    Args:
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

    activation: Activation = Setting(lambda value, name: activations.get(value))  # type: ignore[assignment]

    def __init__(
        self,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **base: Unpack[LayerArguments],
    ) -> None:
        self.activation = activations.get(activation)
        self.use_bias = checks.boolean(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.activity_regularizer = regularizers.get(activity_regularizer, "activity_regularizer")
        self.kernel_constraint = constraints.get(kernel_constraint, "kernel_constraint")
        self.bias_constraint = constraints.get(bias_constraint, "bias_constraint")
        super().__init__(**base)

    def _specs(self, kernel: tuple[int, ...], bias: tuple[int, ...]) -> list[WeightSpec]:
        """The weights, given the shapes of both."""
        specs = [
            WeightSpec("kernel", kernel, self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint),
            WeightSpec("bias", bias, self.bias_initializer, self.bias_regularizer, self.bias_constraint),
        ]
        return specs if self.use_bias else specs[:1]

    @property
    def kernel(self) -> Weight | None:
        """The kernel, once the layer is built."""
        return self._weight("kernel")

    @property
    def bias(self) -> Weight | None:
        """The bias, once the layer is built; None without one."""
        return self._weight("bias")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": self.activation.serialize(),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
