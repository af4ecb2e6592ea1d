"""Optimizers that follow the gradient, scaled by what was seen of its size."""

from __future__ import annotations

from ..foundation import checks
from .base import Optimizer, Rate, above_zero

__all__ = ["SGD", "Adadelta", "Adagrad", "RMSprop"]


class SGD(Optimizer):
    """Gradient descent: ``w -= lr * g``; with momentum ``v = momentum * v - lr * g``, ``w += v``.

    With nesterov ``w += momentum * v - lr * g`` instead (Sutskever et al., 2013).

    Args:
        learning_rate: Default ``0.01``.
        momentum: In [0, 1). Default ``0.0``.
        nesterov: Default ``False``.
        weight_decay and what follows it, name: see `Optimizer`.
    """

    native_name = "sgd"
    own_settings = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        self.momentum = checks.number(momentum, "momentum", "[0, 1)")
        self.nesterov = checks.boolean(nesterov, "nesterov")
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
        )


class Adagrad(Optimizer):
    """Adaptive gradients (Duchi et al., 2011): ``a += g**2``, ``w -= lr * g / sqrt(a + epsilon)``.

    Args:
        learning_rate: Default ``0.001``.
        initial_accumulator_value: The first a, at least 0. Default ``0.1``.
        epsilon: Above 0. Default ``1e-7``.
        weight_decay and what follows it, name: see `Optimizer`.
    """

    native_name = "adagrad"
    own_settings = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        self.initial_accumulator_value = checks.number(
            initial_accumulator_value, "initial_accumulator_value", "[0, inf)"
        )
        self.epsilon = above_zero(epsilon)
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
        )


class Adadelta(Optimizer):
    """Adagrad with a fading memory and steps in the units of w (Zeiler, 2012).

    ``a = rho * a + (1 - rho) * g**2``, ``d = -g * sqrt(u + epsilon) / sqrt(a + epsilon)``,
    ``u = rho * u + (1 - rho) * d**2``, ``w += lr * d``.

    Args:
        learning_rate: Default ``0.001``; 1.0 gives the method of the paper.
        rho: In [0, 1). Default ``0.95``.
        epsilon: Above 0. Default ``1e-7``.
        weight_decay and what follows it, name: see `Optimizer`.
    """

    native_name = "adadelta"
    own_settings = ("rho", "epsilon")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        self.rho = checks.number(rho, "rho", "[0, 1)")
        self.epsilon = above_zero(epsilon)
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
        )


class RMSprop(Optimizer):
    """Gradients divided by their root mean square (Hinton, 2012).

    ``v = rho * v + (1 - rho) * g**2``, ``w -= lr * g / sqrt(v + epsilon)``. With momentum, the step is added up in
    ``m = momentum * m + lr * g / sqrt(v + epsilon)``, ``w -= m``. Centered, ``v - a**2`` stands for ``v`` under the
    root, with the mean gradient ``a = rho * a + (1 - rho) * g``.

    Args:
        learning_rate: Default ``0.001``.
        rho: In [0, 1). Default ``0.9``.
        momentum: In [0, 1). Default ``0.0``.
        epsilon: Above 0. Default ``1e-7``.
        centered: Default ``False``.
        weight_decay and what follows it, name: see `Optimizer`.
    """

    native_name = "rmsprop"
    own_settings = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        self.rho = checks.number(rho, "rho", "[0, 1)")
        self.momentum = checks.number(momentum, "momentum", "[0, 1)")
        self.epsilon = above_zero(epsilon)
        self.centered = checks.boolean(centered, "centered")
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
        )
