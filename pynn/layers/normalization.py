"""Layers that bring their inputs to mean 0 and variance 1, and then to a mean and a scale that are learned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from .. import constraints, initializers, regularizers
from ..constraints import ConstraintLike
from ..data.layout import OpenShape
from ..engine.lowering import Lowering, Mask
from ..foundation import checks
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .axes import AxesLayer
from .elementwise import widened
from .setting import number
from .types import LayerArguments, Shape
from .weight import Weight, WeightSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["BatchNormalization", "GroupNormalization", "LayerNormalization"]


class _Normalization(AxesLayer):
    """What normalisations with a learned scale gamma and offset beta have in common."""

    supports_masking = True
    epsilon = number("[0, inf)")

    def __init__(
        self,
        axis: int | tuple[int, ...],
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: InitializerLike,
        gamma_initializer: InitializerLike,
        beta_regularizer: RegularizerLike,
        gamma_regularizer: RegularizerLike,
        beta_constraint: ConstraintLike,
        gamma_constraint: ConstraintLike,
        **base: Unpack[LayerArguments],
    ) -> None:
        self.axis = axis
        self.epsilon = epsilon
        self.center = checks.boolean(center, "center")
        self.scale = checks.boolean(scale, "scale")
        self.beta_initializer = initializers.get(beta_initializer, "beta_initializer")
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")
        self.beta_regularizer = regularizers.get(beta_regularizer, "beta_regularizer")
        self.gamma_regularizer = regularizers.get(gamma_regularizer, "gamma_regularizer")
        self.beta_constraint = constraints.get(beta_constraint, "beta_constraint")
        self.gamma_constraint = constraints.get(gamma_constraint, "gamma_constraint")
        super().__init__(**base)

    def _scale_and_offset(self, shape: Shape) -> list[WeightSpec]:
        gamma = WeightSpec("gamma", shape, self.gamma_initializer, self.gamma_regularizer, self.gamma_constraint)
        beta = WeightSpec("beta", shape, self.beta_initializer, self.beta_regularizer, self.beta_constraint)
        return [gamma] * self.scale + [beta] * self.center

    def _add_groups(self, net: Lowering, x: int, samples: int, groups: int, columns: int) -> int:
        sizes = {"samples": samples, "groups": groups, "columns": columns}
        return net.add("group_norm", x, [self.gamma, self.beta], **sizes, epsilon=self.epsilon)

    @property
    def gamma(self) -> Weight | None:
        """The scale, once the layer is built; None without one."""
        return self._weight("gamma")

    @property
    def beta(self) -> Weight | None:
        """The offset, once the layer is built; None without one."""
        return self._weight("beta")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


class BatchNormalization(_Normalization):
    """``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``, channel by channel (Ioffe and Szegedy, 2015).

    In training (``fit``, ``train_on_batch``, ``model(x, training=True)``) mean and variance are those of the batch,
    over all axes but that of the channels, and the moving ones follow: ``moving = moving * momentum + (that of the
    batch) * (1 - momentum)``, with the variance of a population. Otherwise, and always with ``trainable=False``, the
    moving ones are used. A batch of any size goes through the network as a whole.

    Where the input has a mask (docs/masks.md), mean and variance are those of the real steps, and 0 where there are
    none. The padded steps are normalised with them, too.

    Shapes: input and output ``(N, ..., channels)`` or, with another `axis`, the channels there; weights gamma, beta,
    moving_mean, moving_variance ``(channels,)``.

    Args:
        axis: The axis of the channels, any but 0. Default -1, the last.
        momentum: Of the moving statistics, in [0, 1]. Default 0.99.
        epsilon: Default 0.001.
        center: Whether there is a beta. Default ``True``.
        scale: Whether there is a gamma. Default ``True``.
        beta_initializer, moving_mean_initializer: Default ``"zeros"``.
        gamma_initializer, moving_variance_initializer: Default ``"ones"``.
        beta_regularizer, gamma_regularizer: Penalty for the offset and the scale: a name or `Regularizer`. Default
            ``None``.
        beta_constraint, gamma_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        synchronized: Without effect, as one process has all of the batch. Default ``False``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    couples_samples = True
    momentum = number("[0, 1]")

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        *,
        synchronized: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        checks.boolean(synchronized, "synchronized")
        self.momentum = momentum
        self.moving_mean_initializer = initializers.get(moving_mean_initializer, "moving_mean_initializer")
        self.moving_variance_initializer = initializers.get(moving_variance_initializer, "moving_variance_initializer")
        super().__init__(
            checks.one_axis(axis),
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        channels = self._sizes(shape)
        return [
            *self._scale_and_offset(channels),
            WeightSpec("moving_mean", channels, self.moving_mean_initializer, trainable=False),
            WeightSpec("moving_variance", channels, self.moving_variance_initializer, trainable=False),
        ]

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        parameters = [self.gamma, self.beta, self.moving_mean, self.moving_variance]
        if net.mode:
            raise self._cannot_always_train()
        settings = {"momentum": self.momentum, "epsilon": self.epsilon, "inference": net.inference}
        inputs = [x] if net.mask is None else [x, widened(net, net.mask, shape[:-1]).tensor]
        return net.add("batch_norm", inputs, parameters, **settings)

    def lower_mask(self, net: Lowering, x: int, shape: Shape, masks: Sequence[Mask | None]) -> Mask | None:
        mask = masks[0]
        if mask is None or mask.shape == ():  # of whole samples, as a `TimeDistributed` has for each step: for any axis
            return mask
        if mask.shape != shape[:-1] or self._axes(shape) != [len(shape) - 1]:
            raise self._shape_error(
                f"with axis={self.axis} got samples of shape {shape} and a mask of shape {mask.shape}: a mask must "
                f"have the shape {shape[:-1]}, and the axis of the channels be the last."
            )
        return mask

    def _check_mask(self, shape: OpenShape, mask: OpenShape) -> None:
        if mask != ():  # that of whole samples, which goes with samples of any shape
            super()._check_mask(shape, mask)

    @property
    def moving_mean(self) -> Weight | None:
        """The moving mean, once the layer is built."""
        return self._weight("moving_mean")

    @property
    def moving_variance(self) -> Weight | None:
        """The moving variance, once the layer is built."""
        return self._weight("moving_variance")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
        }


class LayerNormalization(_Normalization):
    """``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with mean and variance over the given axes of each
    sample (Ba, Kiros and Hinton, 2016); the variance is that of a population. Training and inference are the same.

    Shapes: input and output ``(N, ..., features)``; weights gamma and beta of the sizes of the axes, in the order of
    their numbers, as in Keras: with ``axis=(-1, 1)`` that of the last axis comes first.

    Args:
        axis: An axis, or several of them, any but 0. Default -1, the last.
        epsilon: Default 0.001.
        center: Whether there is a beta. Default ``True``.
        scale: Whether there is a gamma. Default ``True``.
        beta_initializer: Default ``"zeros"``.
        gamma_initializer: Default ``"ones"``.
        beta_regularizer, gamma_regularizer: Penalty for the offset and the scale: a name or `Regularizer`. Default
            ``None``.
        beta_constraint, gamma_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__(
            checks.axis(axis),
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        return self._scale_and_offset(self._weight_sizes(shape))

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        columns = self._columns(shape)
        return self._add_groups(net, x, math.prod(shape) // columns, 1, columns)


class GroupNormalization(_Normalization):
    """``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with mean and variance over each group of channels
    of a sample, all its positions included (Wu and He, 2018); the variance is that of a population. Training and
    inference are the same.

    Shapes: input and output ``(N, ..., channels)`` or, with another `axis`, the channels there; weights gamma and beta
    ``(channels,)``.

    Args:
        groups: Number of groups, which must divide the channels; -1: a group for each channel (instance normalisation).
            Default 32.
        axis: The axis of the channels, any but 0. Default -1, the last.
        epsilon: Default 0.001.
        center: Whether there is a beta. Default ``True``.
        scale: Whether there is a gamma. Default ``True``.
        beta_initializer: Default ``"zeros"``.
        gamma_initializer: Default ``"ones"``.
        beta_regularizer, gamma_regularizer: Penalty for the offset and the scale: a name or `Regularizer`. Default
            ``None``.
        beta_constraint, gamma_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, groups that do not divide the channels.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.groups = -1 if groups == -1 else checks.positive_int(groups, "groups")
        super().__init__(
            checks.one_axis(axis),
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def sample_output_shape(self, shape: Shape) -> Shape:
        (channels,) = self._sizes(shape)
        if channels % self.groups:
            raise self._shape_error(
                f"has groups={self.groups}, which do not divide the {channels} channels of samples {shape}."
            )
        return shape

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        return self._scale_and_offset(self._sizes(shape))

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        groups = shape[-1] if self.groups == -1 else self.groups
        return self._add_groups(net, x, 1, groups, shape[-1] // groups)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups}
