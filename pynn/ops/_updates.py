"""One step of each optimizer on one array of weights ``w`` with the gradients ``g``, in place.

`g`, `w` and the slots (what the optimizer remembers, all zero at first unless said otherwise) have one shape and type.
The formulas are those of ``pynn.optimizers``, and so are the settings with their defaults and errors.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .. import optimizers
from ..foundation import checks, parallel
from ..foundation.native import core
from . import _buffers

__all__ = [
    "adadelta_update",
    "adagrad_update",
    "adam_update",
    "adamax_update",
    "lion_update",
    "nadam_update",
    "rmsprop_update",
    "sgd_update",
]

Array = NDArray[Any]


def sgd_update(
    w: Array,
    g: Array,
    velocity: Array | None = None,
    *,
    learning_rate: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float | None = None,
    clipvalue: float | None = None,
) -> None:
    """A step of `optimizers.SGD`. `velocity` is the slot ``v``, for a momentum above 0."""
    optimizer = optimizers.SGD(learning_rate, momentum, nesterov, weight_decay, clipvalue=clipvalue, name="update")
    _update(optimizer, w, g, 1, velocity=velocity)


def adagrad_update(
    w: Array,
    g: Array,
    accumulator: Array,
    *,
    learning_rate: float = 0.001,
    epsilon: float = 1e-7,
    weight_decay: float | None = None,
    clipvalue: float | None = None,
) -> None:
    """A step of `optimizers.Adagrad`. `accumulator` is the slot ``a``; fill it with 0.1 at first, as Keras does."""
    optimizer = optimizers.Adagrad(learning_rate, 0.0, epsilon, weight_decay, clipvalue=clipvalue, name="update")
    _update(optimizer, w, g, 1, accumulator=accumulator)


def adadelta_update(
    w: Array,
    g: Array,
    accumulated_grad: Array,
    accumulated_delta_var: Array,
    *,
    learning_rate: float = 0.001,
    rho: float = 0.95,
    epsilon: float = 1e-7,
    weight_decay: float | None = None,
    clipvalue: float | None = None,
) -> None:
    """A step of `optimizers.Adadelta`. `accumulated_grad` is the slot ``a``, `accumulated_delta_var` ``u``."""
    optimizer = optimizers.Adadelta(learning_rate, rho, epsilon, weight_decay, clipvalue=clipvalue, name="update")
    slots = {"accumulated_grad": accumulated_grad, "accumulated_delta_var": accumulated_delta_var}
    _update(optimizer, w, g, 1, **slots)


def rmsprop_update(
    w: Array,
    g: Array,
    velocity: Array,
    momentum_sum: Array | None = None,
    average_gradient: Array | None = None,
    *,
    learning_rate: float = 0.001,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
    weight_decay: float | None = None,
    clipvalue: float | None = None,
) -> None:
    """A step of `optimizers.RMSprop`.

    `velocity` is the slot ``v``; `momentum_sum` ``m``, for a momentum above 0; `average_gradient` ``a``, if centered.
    """
    optimizer = optimizers.RMSprop(
        learning_rate, rho, momentum, epsilon, centered, weight_decay, clipvalue=clipvalue, name="update"
    )
    _update(optimizer, w, g, 1, velocity=velocity, momentum=momentum_sum, average_gradient=average_gradient)


def adam_update(
    w: Array,
    g: Array,
    momentum: Array,
    velocity: Array,
    velocity_hat: Array | None = None,
    *,
    iteration: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
    weight_decay: float | None = None,
    clipvalue: float | None = None,
) -> None:
    """Step number `iteration`, counted from 1, of `optimizers.Adam` (with `weight_decay`: of AdamW).

    `momentum` and `velocity` are the slots ``m`` and ``v``; `velocity_hat` the largest v so far, for amsgrad.
    """
    optimizer = optimizers.Adam(
        learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipvalue=clipvalue, name="update"
    )
    _update(optimizer, w, g, iteration, momentum=momentum, velocity=velocity, velocity_hat=velocity_hat)


def adamax_update(
    w: Array,
    g: Array,
    m: Array,
    u: Array,
    *,
    iteration: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    weight_decay: float | None = None,
    clipvalue: float | None = None,
) -> None:
    """Step number `iteration`, counted from 1, of `optimizers.Adamax`, with the slots ``m`` and ``u``."""
    optimizer = optimizers.Adamax(
        learning_rate, beta_1, beta_2, epsilon, weight_decay, clipvalue=clipvalue, name="update"
    )
    _update(optimizer, w, g, iteration, m=m, u=u)


def nadam_update(
    w: Array,
    g: Array,
    momentum: Array,
    velocity: Array,
    *,
    iteration: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    weight_decay: float | None = None,
    clipvalue: float | None = None,
) -> None:
    """Step number `iteration`, counted from 1, of `optimizers.Nadam`, with the slots ``m`` and ``v``."""
    optimizer = optimizers.Nadam(
        learning_rate, beta_1, beta_2, epsilon, weight_decay, clipvalue=clipvalue, name="update"
    )
    _update(optimizer, w, g, iteration, momentum=momentum, velocity=velocity)


def lion_update(
    w: Array,
    g: Array,
    momentum: Array,
    *,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
    weight_decay: float | None = None,
    clipvalue: float | None = None,
) -> None:
    """A step of `optimizers.Lion`. `momentum` is the slot ``m``."""
    optimizer = optimizers.Lion(learning_rate, beta_1, beta_2, weight_decay, clipvalue=clipvalue, name="update")
    _update(optimizer, w, g, 1, momentum=momentum)


def _update(optimizer: optimizers.Optimizer, w: Array, g: Array, iteration: int, **slots: Array | None) -> None:
    """One step; `slots` are by the engine's names, None for those that the caller left out."""
    iteration = checks.positive_int(iteration, "iteration")
    settings = optimizer.settings()
    names = core.slot_names(optimizer.native_name, settings)
    for name, slot in slots.items():
        if (slot is not None) != (name in names):
            needed = "is needed" if name in names else "has no use"
            raise ValueError(f"The slot {name} {needed} with these settings of {type(optimizer).__name__}.")
    written = {"w": w, **{name: slot for name in names if (slot := slots[name]) is not None}}
    _buffers.check_inputs(g=g, **written)
    _buffers.check_shape(g, "g", w.shape)
    seen: tuple[Array, ...] = (g,)
    for name, buffer in written.items():
        _buffers.check_shape(buffer, name, w.shape)
        _buffers.check_writeable(buffer, name)
        _buffers.check_apart(buffer, name, seen)
        seen = (*seen, buffer)
    if w.size:
        flat = [buffer.reshape(-1) for buffer in written.values()]
        threads = parallel.get_num_threads()
        core.optimizer_update(optimizer.native_name, settings, flat[0], g.reshape(-1), flat[1:], iteration, threads)
