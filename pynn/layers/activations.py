"""Activation functions with settings, or with a slope that is learned, as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import constraints, initializers, regularizers
from ..activations import Activation
from ..constraints import ConstraintLike
from ..data import arrays
from ..data.layout import OpenShape
from ..engine.lowering import Lowering, Mask
from ..foundation import checks
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .base import Layer
from .core import ActivationLayer
from .elementwise import combined, widened
from .symbolic import SymbolicTensor
from .types import Shape
from .weight import Weight, WeightSpec

__all__ = ["ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"]

# What is added to elements that a mask leaves out, with its sign changed; as in Keras.
_LARGE = 1e9


def _setting(name: str) -> Any:
    """A setting of the activation function, as an attribute that cannot be set."""
    return property(lambda layer: layer.activation.config[name])


class ReLU(ActivationLayer):
    """Rectified linear unit, ``max(x, 0)`` by default.

    ``min(x, max_value)`` where ``x > threshold``; ``negative_slope * (x - threshold)`` elsewhere: 0 at the threshold.

    Args:
        max_value: At least 0. Default ``None``: no limit.
        negative_slope: At least 0. Default ``0.0``.
        threshold: At least 0. Default ``0.0``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    max_value = _setting("max_value")
    negative_slope = _setting("negative_slope")
    threshold = _setting("threshold")

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        activation = Activation(
            "relu",
            max_value=max_value,
            negative_slope=checks.number(negative_slope, "negative_slope", "[0, inf)"),
            threshold=checks.number(threshold, "threshold", "[0, inf)"),
        )
        super().__init__(
            activation, name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim
        )


class LeakyReLU(ActivationLayer):
    """``x`` where ``x > 0``, else ``negative_slope * x``.

    Args:
        negative_slope: At least 0. Default ``0.3`` (the function's default is 0.2).
        name, trainable, dtype, input_shape, input_dim: see `Layer`.
        alpha: The older name of `negative_slope`. Default ``None``.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    negative_slope = _setting("negative_slope")

    def __init__(
        self,
        negative_slope: float = 0.3,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
        alpha: float | None = None,
    ) -> None:
        slope = checks.number(negative_slope if alpha is None else alpha, "negative_slope", "[0, inf)")
        super().__init__(
            Activation("leaky_relu", negative_slope=slope),
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )


class PReLU(Layer):
    """``x`` where ``x > 0``, else ``alpha * x`` with a slope alpha that is learned (He et al., 2015). The gradient is 0
    where x is 0.

    Shapes: input and output ``(N, ...)``; weight alpha of the shape of a sample, with 1 for the `shared_axes`.

    Args:
        alpha_initializer: Default ``"zeros"``.
        alpha_regularizer: Penalty for the slope: a name or `Regularizer`. Default ``None``.
        alpha_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        shared_axes: An axis or several, along which the slope is the same; ``[1, 2]`` for images: one slope for each
            channel. Default ``None``: a slope for each element.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, samples without such axes.
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: InitializerLike = "zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: int | Sequence[int] | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.alpha_initializer = initializers.get(alpha_initializer, "alpha_initializer")
        self.alpha_regularizer = regularizers.get(alpha_regularizer, "alpha_regularizer")
        self.alpha_constraint = constraints.get(alpha_constraint, "alpha_constraint")
        self.shared_axes: list[int] | None = None
        if shared_axes is not None:
            listed = checks.listed(shared_axes)
            given = listed if isinstance(listed, Sequence) and not isinstance(listed, str) else [listed]
            self.shared_axes = [checks.positive_int(axis, "every one of shared_axes") for axis in given]
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def sample_output_shape(self, shape: Shape) -> Shape:
        if any(axis > len(shape) for axis in self.shared_axes or ()):
            raise self._shape_error(
                f"has shared_axes={self.shared_axes}, but batches of samples of shape {shape} have axes up to "
                f"{len(shape)}."
            )
        return shape

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        slopes = tuple(1 if number in (self.shared_axes or ()) else n for number, n in enumerate(shape, 1))
        return [WeightSpec("alpha", slopes, self.alpha_initializer, self.alpha_regularizer, self.alpha_constraint)]

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        # The engine has the slopes along last axes.
        shared = [number - 1 for number in sorted(set(self.shared_axes or ()))]
        order = [*shared, *(number for number in range(len(shape)) if number not in shared)]
        y = net.add("prelu", net.permute(x, shape, order), [self.alpha])
        moved = tuple(shape[number] for number in order)
        return net.permute(y, moved, [order.index(number) for number in range(len(shape))])

    @property
    def alpha(self) -> Weight | None:
        """The slope, once the layer is built."""
        return self._weight("alpha")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class ELU(ActivationLayer):
    """``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)``.

    Args:
        alpha: Default ``1.0``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    alpha = _setting("alpha")

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__(
            Activation("elu", alpha=alpha),
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )


class Softmax(ActivationLayer):
    """``exp(x) / sum(exp(x))`` over one axis, or several adjacent ones together.

    A mask says which elements count: the others are 0, and no part of the sum. It has the shape of the inputs, or the
    size 1 along some axes, as in Keras; behind a sequence with a mask of its steps, use ``Activation("softmax")``.

    Args:
        axis: An axis or a tuple of axes; 0 is the batch axis, which must not be among them. Default ``-1``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    reads_steps = True

    axis = _setting("axis")

    def __init__(
        self,
        axis: int | tuple[int, ...] = -1,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__(
            Activation("softmax", axis=axis),
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def __call__(  # type: ignore[override]
        self, inputs: Any, mask: Any = None, training: bool | None = None
    ) -> Any:
        """As for `Layer`, but that the mask comes second, as in Keras, and may have fewer axes than the inputs, or one
        sample, where both are arrays."""
        return super().__call__(inputs, training, mask)

    def _masks_of(self, inputs: list[Any], mask: Any) -> list[Any]:
        given = super()._masks_of(inputs, mask)
        if any(isinstance(each, SymbolicTensor) for each in (*inputs, *given)):
            return given
        array, shape = arrays.as_numbers(given[0], f"mask of {self._input_name(0)}"), np.shape(inputs[0])
        array = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
        return [np.broadcast_to(array, (*shape[:1], *array.shape[1:])) if len(array) == 1 else array]

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        if net.mask is None:
            return super().lower(net, x, shape)
        kept = widened(net, net.mask, shape).tensor
        lowered = combined(net, "subtract", [kept], [shape, ()], constant=[1.0], constant_first=False)
        lowered = combined(net, "multiply", [lowered], [shape, ()], constant=[_LARGE], constant_first=False)
        masked = combined(net, "add", [net.add("keep_rows", [x, kept]), lowered], [shape, shape])
        return net.add("keep_rows", [super().lower(net, masked, shape), kept])

    def lower_mask(self, net: Lowering, x: int, shape: Shape, masks: Sequence[Mask | None]) -> Mask | None:
        if masks[0] is not None:
            self._check_mask(shape, masks[0].shape)
        return masks[0]

    def _check_mask(self, shape: OpenShape, mask: OpenShape) -> None:
        fits = len(mask) == len(shape) and all(
            own in (1, size) or None in (own, size) for own, size in zip(mask, shape, strict=True)
        )
        if not fits:
            raise self._shape_error(
                f"got a mask of shape {(None, *mask)} for inputs of shape {(None, *shape)}: it must have the same "
                'axes, of the same size or 1. Behind a sequence with a mask of its steps, use Activation("softmax").'
            )
