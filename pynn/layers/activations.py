"""Activation functions with settings, as layers."""

from __future__ import annotations

from typing import Any

from .. import _checks
from ..activations import Activation
from .core import ActivationLayer


class ReLU(ActivationLayer):
    """Rectified linear unit, ``max(x, 0)`` by default.

    ``min(x, max_value)`` where ``x > threshold``; ``negative_slope * (x - threshold)`` elsewhere: 0 at the threshold.

    Args:
        max_value: At least 0. Default ``None``: no limit.
        negative_slope: At least 0. Default ``0.0``.
        threshold: At least 0. Default ``0.0``.
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **base: Any
    ) -> None:
        activation = Activation(
            "relu",
            max_value=max_value,
            negative_slope=_checks.number(negative_slope, "negative_slope", "[0, inf)"),
            threshold=_checks.number(threshold, "threshold", "[0, inf)"),
        )
        super().__init__(activation, **base)


class LeakyReLU(ActivationLayer):
    """``x`` where ``x > 0``, else ``negative_slope * x``.

    Args:
        negative_slope: At least 0. Default ``0.3`` (the function's default is 0.2).
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`. `alpha` is the older name of the slope.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(self, negative_slope: float = 0.3, **base: Any) -> None:
        slope = _checks.number(base.pop("alpha", negative_slope), "negative_slope", "[0, inf)")
        super().__init__(Activation("leaky_relu", negative_slope=slope), **base)


class ELU(ActivationLayer):
    """``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)``.

    Args:
        alpha: Default ``1.0``.
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(self, alpha: float = 1.0, **base: Any) -> None:
        super().__init__(Activation("elu", alpha=alpha), **base)


class Softmax(ActivationLayer):
    """``exp(x) / sum(exp(x))`` over one axis, or several adjacent ones together.

    Args:
        axis: An axis or a tuple of axes; 0 is the batch axis, which must not be among them. Default ``-1``.
        base: name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(self, axis: int | tuple[int, ...] = -1, **base: Any) -> None:
        super().__init__(Activation("softmax", axis=axis), **base)
