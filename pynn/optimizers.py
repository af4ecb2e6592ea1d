"""Optimizers: how a step changes the weights ``w``, given the gradients ``g``; from the simplest to the most complex.

The engine does the arithmetic, by Keras 3's formulas. In them ``lr`` is the learning rate and ``t`` the number of the
step, from 1 on. The settings that all optimizers have are described at `Optimizer`.
"""

from __future__ import annotations

import numbers
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from .foundation import atomic, checks, identifiers, names, not_yet
from .foundation.arguments import did_you_mean
from .foundation.identifiers import Described

if TYPE_CHECKING:
    from . import _core


# The settings that all have, beside the learning rate.
_COMMON = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")


class Optimizer(Described):
    """Base of the optimizers: the settings that all have, and the learning rate, which may change while training.

    The other settings stay what they were when the optimizer was made. A clip or an epsilon that is smaller than the
    normal numbers of a weight's type counts as the smallest of these.

    Args:
        learning_rate: At least 0.
        weight_decay: At least 0. If given, ``w -= lr * weight_decay * w`` before each step. Default ``None``.
        clipnorm: Above 0. If given, the gradient of each weight array is scaled to at most this norm. Default ``None``.
        clipvalue: Above 0. If given, each element of a gradient is limited to +- this. Default ``None``.
        global_clipnorm: Above 0. If given, all gradients together are scaled to at most this norm. Default ``None``.
        name: Default: the class's name in lower case, with a number from the second one on: ``adam``, ``adam_1``.

    Raises:
        ValueError: a setting out of range, or more than one of the three clips.
        TypeError: a setting that is no number.
    """

    kind = "optimizer"
    native_name: ClassVar[str]
    own_settings: ClassVar[tuple[str, ...]] = ()  # attributes that are both arguments and settings of the engine

    def __init__(
        self,
        learning_rate: float,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        if type(self) is Optimizer:
            self._refuse()
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        if sum(clip is not None for clip in clips.values()) > 1:
            given = ", ".join(f"{clip}={checks.shown(value)}" for clip, value in clips.items())
            raise ValueError(f"Only one of clipnorm, clipvalue and global_clipnorm may be given, but got {given}.")
        self._trainer: _core.Trainer | None = None
        self._owner: weakref.ref[Any] | None = None  # the model that was compiled with it
        self._learning_rate = checks.number(learning_rate, "learning_rate", "[0, inf)")
        self.weight_decay = checks.optional_number(weight_decay, "weight_decay", "[0, inf)")
        self.clipnorm = checks.optional_number(clipnorm, "clipnorm", "(0, inf)")
        self.clipvalue = checks.optional_number(clipvalue, "clipvalue", "(0, inf)")
        self.global_clipnorm = checks.optional_number(global_clipnorm, "global_clipnorm", "(0, inf)")
        # Last, so that an optimizer that could not be made uses up no number.
        self.name = checks.text(name, "name") if name else names.auto_name(type(self).__name__.lower())

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what would do nothing: unknown attributes, and settings that were given to the engine already."""
        settings, owner = (*_COMMON, *self.own_settings), type(self).__name__
        first = name in settings and name not in vars(self)
        if not (first or name in ("learning_rate", "name") or name.startswith("_")):
            if name in settings or hasattr(type(self), name):
                raise AttributeError(
                    f"{name} of {owner} cannot be changed, only learning_rate can. "
                    "Make another optimizer, and compile the model with it."
                )
            raise AttributeError(
                f"{owner} has no attribute {name!r}.{did_you_mean(name, ['learning_rate', *settings])}"
            )
        super().__setattr__(name, value)

    @property
    def learning_rate(self) -> float:
        """The learning rate; may be written at any time, also while another thread trains, and to 0."""
        return self._learning_rate if self._trainer is None else self._trainer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = checks.number(value, "learning_rate", "[0, inf)")
        if self._trainer is not None:
            self._trainer.learning_rate = self._learning_rate

    @property
    def iterations(self) -> int:
        """How many steps were made."""
        return 0 if self._trainer is None else self._trainer.iterations

    def settings(self) -> dict[str, float]:
        """The settings in the form the engine takes: 0 stands for none."""
        known = ("learning_rate", *_COMMON, *self.own_settings)
        return {setting: float(getattr(self, setting) or 0.0) for setting in known}

    def _becoming(self, owner: weakref.ref[Any] | None, trainer: _core.Trainer | None) -> list[atomic.Change]:
        """The changes by which it belongs to a model, or none, and has rate and iterations in a trainer, or itself."""
        rate = atomic.setting(self, "_learning_rate", self.learning_rate)
        return [rate, atomic.setting(self, "_trainer", trainer), atomic.setting(self, "_owner", owner)]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        known = ("name", "learning_rate", *_COMMON, *self.own_settings)
        return {setting: getattr(self, setting) for setting in known}

    def __reduce__(self) -> Any:
        """How copy and pickle take an optimizer apart: the copy has its settings, and no model or state."""
        return type(self).from_config, (self.get_config(),)

    def _shows(self, setting: str, value: Any, default: Any) -> bool:
        return setting == "learning_rate" or (setting != "name" and super()._shows(setting, value, default))


class SGD(Optimizer):
    """Gradient descent: ``w -= lr * g``; with momentum ``v = momentum * v - lr * g``, ``w += v``.

    With nesterov ``w += momentum * v - lr * g`` instead (Sutskever et al., 2013).

    Args:
        learning_rate: Default ``0.01``.
        momentum: In [0, 1). Default ``0.0``.
        nesterov: Default ``False``.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.
    """

    native_name = "sgd"
    own_settings = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        self.momentum = checks.number(momentum, "momentum", "[0, 1)")
        self.nesterov = checks.boolean(nesterov, "nesterov")
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)


class Adagrad(Optimizer):
    """Adaptive gradients (Duchi et al., 2011): ``a += g**2``, ``w -= lr * g / sqrt(a + epsilon)``.

    Args:
        learning_rate: Default ``0.001``.
        initial_accumulator_value: The first a, at least 0. Default ``0.1``.
        epsilon: Above 0. Default ``1e-7``.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.
    """

    native_name = "adagrad"
    own_settings = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: float = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        self.initial_accumulator_value = checks.number(
            initial_accumulator_value, "initial_accumulator_value", "[0, inf)"
        )
        self.epsilon = _epsilon(epsilon)
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)


class Adadelta(Optimizer):
    """Adagrad with a fading memory and steps in the units of w (Zeiler, 2012).

    ``a = rho * a + (1 - rho) * g**2``, ``d = -g * sqrt(u + epsilon) / sqrt(a + epsilon)``,
    ``u = rho * u + (1 - rho) * d**2``, ``w += lr * d``.

    Args:
        learning_rate: Default ``0.001``; 1.0 gives the method of the paper.
        rho: In [0, 1). Default ``0.95``.
        epsilon: Above 0. Default ``1e-7``.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.
    """

    native_name = "adadelta"
    own_settings = ("rho", "epsilon")

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        self.rho = checks.number(rho, "rho", "[0, 1)")
        self.epsilon = _epsilon(epsilon)
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)


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
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.
    """

    native_name = "rmsprop"
    own_settings = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        self.rho = checks.number(rho, "rho", "[0, 1)")
        self.momentum = checks.number(momentum, "momentum", "[0, 1)")
        self.epsilon = _epsilon(epsilon)
        self.centered = checks.boolean(centered, "centered")
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)


class _Moments(Optimizer):
    """Base of Adam and its kin: running means of the gradient and of its size."""

    own_settings: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        self.beta_1 = checks.number(beta_1, "beta_1", "[0, 1)")
        self.beta_2 = checks.number(beta_2, "beta_2", "[0, 1)")
        self.epsilon = _epsilon(epsilon)
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)


class Adam(_Moments):
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
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.
    """

    native_name = "adam"
    own_settings = (*_Moments.own_settings, "amsgrad")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        clips = (clipnorm, clipvalue, global_clipnorm)
        self.amsgrad = checks.boolean(amsgrad, "amsgrad")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, *clips, name)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): ``w -= lr * weight_decay * w`` before each step.

    Args:
        learning_rate: Default ``0.001``.
        weight_decay: At least 0. Default ``0.004``.
        beta_1, beta_2, epsilon, amsgrad: see `Adam`.
        clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        weight_decay = checks.number(weight_decay, "weight_decay", "[0, inf)")
        clips = (clipnorm, clipvalue, global_clipnorm)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, *clips, name)


class Adamax(_Moments):
    """Adam with the largest gradient instead of the mean square (Kingma and Ba, 2015).

    ``m += (g - m) * (1 - beta_1)``, ``u = max(beta_2 * u, abs(g))``,
    ``w -= lr / (1 - beta_1**t) * m / (u + epsilon)``.

    Args:
        learning_rate: Default ``0.001``.
        beta_1: In [0, 1). Default ``0.9``.
        beta_2: In [0, 1). Default ``0.999``.
        epsilon: Above 0. Default ``1e-7``.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.
    """

    native_name = "adamax"


class Nadam(_Moments):
    """Adam with Nesterov's momentum (Dozat, 2016).

    m and v as in `Adam`; ``u_t = beta_1 * (1 - 0.96**t / 2)``, ``U_t`` the product of all u up to ``u_t``,
    ``m_hat = u_{t+1} * m / (1 - U_{t+1}) + (1 - u_t) * g / (1 - U_t)``, ``v_hat = v / (1 - beta_2**t)``,
    ``w -= lr * m_hat / (sqrt(v_hat) + epsilon)``.

    Args:
        learning_rate: Default ``0.001``.
        beta_1: In [0, 1). Default ``0.9``.
        beta_2: In [0, 1). Default ``0.999``.
        epsilon: Above 0. Default ``1e-7``.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: see `Optimizer`.
    """

    native_name = "nadam"


def _epsilon(value: float) -> float:
    """`value` as a number above 0."""
    if isinstance(value, numbers.Real) and value == 0:
        raise ValueError("epsilon must be above 0, but got 0: where a gradient is 0, a step would divide 0 by 0.")
    return checks.number(value, "epsilon", "(0, inf)")


_CLASSES: tuple[type[Optimizer], ...] = (SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, Adamax, Nadam)
_TABLE = {cls.__name__.lower(): cls for cls in _CLASSES}


OptimizerLike: TypeAlias = str | Optimizer | type[Optimizer] | dict[str, Any]


def get(identifier: OptimizerLike) -> Optimizer:
    """Return the optimizer meant by a name (``"adam"``, in any case), class, instance or configuration.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    return identifiers.resolve(identifier, Optimizer, _TABLE, "optimizer", ignore_case=True)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The configuration that `get` reads."""
    return identifiers.serialize(optimizer)


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "optimizer")
