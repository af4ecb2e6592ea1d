"""Optimizers with running means of the gradient: Adam, its kin, and Lion."""

from __future__ import annotations

from typing import ClassVar

from ..foundation import checks
from .base import Optimizer, Rate, above_zero

__all__ = ["Adam", "AdamW", "Adamax", "Lion", "Nadam"]


class Moments(Optimizer):
    """Base of Adam and its kin: running means of the gradient and of its size."""

    own_settings: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
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
        self.beta_1 = checks.number(beta_1, "beta_1", "[0, 1)")
        self.beta_2 = checks.number(beta_2, "beta_2", "[0, 1)")
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


class Adam(Moments):
    """Adaptive moments (Kingma and Ba, 2015).

    ``m += (g - m) * (1 - beta_1)``, ``v += (g**2 - v) * (1 - beta_2)``,
    ``w -= lr * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)``: the paper's "epsilon hat".
    With amsgrad (Reddi et al., 2018) the largest v so far stands for v.

    Args:
        learning_rate: Default ``0.001``.
        beta_1: In [0, 1). Default ``0.9``.
        beta_2: In [0, 1). Default ``0.999``.
        epsilon: Above 0. Default ``1e-7``.
        amsgrad: Default ``False``.
        weight_decay and what follows it, name: see `Optimizer`.
    """

    native_name = "adam"
    own_settings = (*Moments.own_settings, "amsgrad")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        self.amsgrad = checks.boolean(amsgrad, "amsgrad")
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
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


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): ``w -= lr * weight_decay * w`` before each step.

    Args:
        learning_rate: Default ``0.001``.
        weight_decay: At least 0. Default ``0.004``.
        beta_1, beta_2, epsilon, amsgrad: see `Adam`.
        clipnorm and what follows it, name: see `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        weight_decay = checks.number(weight_decay, "weight_decay", "[0, inf)")
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
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


class Adamax(Moments):
    """Adam with the largest gradient instead of the mean square (Kingma and Ba, 2015).

    ``m += (g - m) * (1 - beta_1)``, ``u = max(beta_2 * u, abs(g))``,
    ``w -= lr / (1 - beta_1**t) * m / (u + epsilon)``.

    Args:
        learning_rate: Default ``0.001``.
        beta_1: In [0, 1). Default ``0.9``.
        beta_2: In [0, 1). Default ``0.999``.
        epsilon: Above 0. Default ``1e-7``.
        weight_decay and what follows it, name: see `Optimizer`.
    """

    native_name = "adamax"


class Nadam(Moments):
    """Adam with Nesterov's momentum (Dozat, 2016).

    m and v as in `Adam`; ``u_t = beta_1 * (1 - 0.96**t / 2)``, ``U_t`` the product of all u up to ``u_t``,
    ``m_hat = u_{t+1} * m / (1 - U_{t+1}) + (1 - u_t) * g / (1 - U_t)``, ``v_hat = v / (1 - beta_2**t)``,
    ``w -= lr * m_hat / (sqrt(v_hat) + epsilon)``.

    Args:
        learning_rate: Default ``0.001``.
        beta_1: In [0, 1). Default ``0.9``.
        beta_2: In [0, 1). Default ``0.999``.
        epsilon: Above 0. Default ``1e-7``.
        weight_decay and what follows it, name: see `Optimizer`.
    """

    native_name = "nadam"


class Lion(Optimizer):
    """Steps of one size in the direction of the sign of a mean gradient (Chen et al., 2023).

    ``w -= lr * sign(beta_1 * m + (1 - beta_1) * g)``, ``m = beta_2 * m + (1 - beta_2) * g``. A rate 3 to 10 times lower
    than for AdamW suits it, and as much more weight decay.

    Args:
        learning_rate: Default ``0.001``.
        beta_1: In (0, 1]. Default ``0.9``.
        beta_2: In [0, 1). Default ``0.99``.
        weight_decay and what follows it, name: see `Optimizer`.
    """

    native_name = "lion"
    own_settings = ("beta_1", "beta_2")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        self.beta_1 = checks.number(beta_1, "beta_1", "(0, 1]")
        self.beta_2 = checks.number(beta_2, "beta_2", "[0, 1)")
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
