"""Activation functions with settings, as layers."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import DTypeLike

from ..activations import Activation
from ..foundation import checks
from .core import ActivationLayer

__all__ = ["ELU", "LeakyReLU", "ReLU", "Softmax"]


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


class ELU(ActivationLayer):
    """``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)``.

    Args:
        alpha: Default ``1.0``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

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

    Args:
        axis: An axis or a tuple of axes; 0 is the batch axis, which must not be among them. Default ``-1``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

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
