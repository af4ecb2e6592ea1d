"""Layers that bring their inputs to mean 0 and variance 1, and then to a mean and a scale that are learned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import _checks, initializers
from .base import Layer, Lowering, Weight, WeightSpec


class _Normalization(Layer):
    """What normalisations with a learned scale gamma and offset beta have in common."""

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: object,
        gamma_initializer: object,
        **base: Any,
    ) -> None:
        self.epsilon = _checks.number(epsilon, "epsilon", "[0, inf)")
        self.center = _checks.boolean(center, "center")
        self.scale = _checks.boolean(scale, "scale")
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        super().__init__(**base)

    def _scale_and_offset(self, shape: tuple[int, ...]) -> list[WeightSpec]:
        gamma = [WeightSpec("gamma", shape, self.gamma_initializer)] if self.scale else []
        return gamma + ([WeightSpec("beta", shape, self.beta_initializer)] if self.center else [])

    def _numbers(self, net: Lowering) -> tuple[int, int]:
        """The parameters' numbers of gamma and beta, -1 for none."""
        numbers = iter(net.parameters)
        return next(numbers) if self.scale else -1, next(numbers) if self.center else -1

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
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
        }


class BatchNormalization(_Normalization):
    """``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``, channel by channel (Ioffe and Szegedy, 2015).

    In training (``fit``, ``train_on_batch``, ``model(x, training=True)``) mean and variance are those of the batch,
    over all axes but the last, and the moving ones follow: ``moving = moving * momentum + (that of the batch) * (1 -
    momentum)``, with the variance of a population. Otherwise, and always with ``trainable=False``, the moving ones are
    used. A batch of any size goes through the network as a whole.

    Shapes: input and output ``(N, ..., channels)``; weights gamma, beta, moving_mean, moving_variance ``(channels,)``.

    Args:
        axis: The axis of the channels, which must be the last. Default -1.
        momentum: Of the moving statistics, in [0, 1]. Default 0.99.
        epsilon: Default 0.001.
        center: Whether there is a beta. Default ``True``.
        scale: Whether there is a gamma. Default ``True``.
        beta_initializer, moving_mean_initializer: Default ``"zeros"``.
        gamma_initializer, moving_variance_initializer: Default ``"ones"``.
        base: name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: object = "zeros",
        gamma_initializer: object = "ones",
        moving_mean_initializer: object = "zeros",
        moving_variance_initializer: object = "ones",
        **base: Any,
    ) -> None:
        self.axis = _whole(axis, "axis")
        self.momentum = _checks.number(momentum, "momentum", "[0, 1]")
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, **base)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        _last_axes(self, shape, (self.axis,))
        return shape

    def weight_specs(self, shape: tuple[int, ...]) -> list[WeightSpec]:
        channels = shape[-1:]
        return [
            *self._scale_and_offset(channels),
            WeightSpec("moving_mean", channels, self.moving_mean_initializer, trainable=False),
            WeightSpec("moving_variance", channels, self.moving_variance_initializer, trainable=False),
        ]

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        gamma, beta = self._numbers(net)
        mean, variance = net.parameters[-2:]
        return net.network.add_batch_norm(x, gamma, beta, mean, variance, shape[-1], self.momentum, self.epsilon)

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
            "axis": self.axis,
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
        }


class LayerNormalization(_Normalization):
    """``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with mean and variance over the given axes of each
    sample (Ba, Kiros and Hinton, 2016); the variance is that of a population. Training and inference are the same.

    Shapes: input and output ``(N, ..., features)``; weights gamma and beta of the shape of the axes.

    Args:
        axis: The last axis, or several that are the last ones. Default -1.
        epsilon: Default 0.001.
        center: Whether there is a beta. Default ``True``.
        scale: Whether there is a gamma. Default ``True``.
        beta_initializer: Default ``"zeros"``.
        gamma_initializer: Default ``"ones"``.
        base: name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: object = "zeros",
        gamma_initializer: object = "ones",
        **base: Any,
    ) -> None:
        self.axis = [_whole(a, "axis") for a in axis] if isinstance(axis, Sequence) else _whole(axis, "axis")
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, **base)

    def _normalized(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        axes = tuple(self.axis) if isinstance(self.axis, list) else (self.axis,)
        return shape[len(shape) - _last_axes(self, shape, axes) :]

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._normalized(shape)
        return shape

    def weight_specs(self, shape: tuple[int, ...]) -> list[WeightSpec]:
        return self._scale_and_offset(self._normalized(shape))

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        columns = math.prod(self._normalized(shape))
        return net.network.add_group_norm(x, *self._numbers(net), math.prod(shape) // columns, 1, columns, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class GroupNormalization(_Normalization):
    """``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with mean and variance over each group of channels
    of a sample, all its positions included (Wu and He, 2018); the variance is that of a population. Training and
    inference are the same.

    Shapes: input and output ``(N, ..., channels)``; weights gamma and beta ``(channels,)``.

    Args:
        groups: Number of groups, which must divide the channels; -1: a group for each channel (instance normalisation).
            Default 32.
        axis: The axis of the channels, which must be the last. Default -1.
        epsilon: Default 0.001.
        center: Whether there is a beta. Default ``True``.
        scale: Whether there is a gamma. Default ``True``.
        beta_initializer: Default ``"zeros"``.
        gamma_initializer: Default ``"ones"``.
        base: name, trainable, dtype, input_shape: see `Layer`.

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
        beta_initializer: object = "zeros",
        gamma_initializer: object = "ones",
        **base: Any,
    ) -> None:
        self.groups = -1 if groups == -1 else _checks.positive_int(groups, "groups")
        self.axis = _whole(axis, "axis")
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, **base)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        _last_axes(self, shape, (self.axis,))
        if shape[-1] % self.groups:
            raise self._shape_error(f"has groups={self.groups}, which do not divide the channels of samples {shape}.")
        return shape

    def weight_specs(self, shape: tuple[int, ...]) -> list[WeightSpec]:
        return self._scale_and_offset(shape[-1:])

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        groups = shape[-1] if self.groups == -1 else self.groups
        return net.network.add_group_norm(x, *self._numbers(net), 1, groups, shape[-1] // groups, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, but got {value!r}.")
    return value


def _last_axes(layer: Layer, shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """How many axes of a batch of samples are meant; ValueError unless they are the last ones, in any order."""
    rank = len(shape) + 1
    found = sorted(axis + rank if axis < 0 else axis for axis in axes)
    if not axes or found[0] < 1 or found != list(range(rank - len(found), rank)):
        raise layer._shape_error(
            f"has axis={layer.get_config()['axis']}, but must normalise the last axis of samples {shape} or several "
            "last ones."
        )
    return len(found)
