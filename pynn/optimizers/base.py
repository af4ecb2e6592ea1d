"""What all optimizers have in common."""

from __future__ import annotations

import inspect
import numbers
import re
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..foundation import atomic, checks, names
from ..foundation.arguments import did_you_mean
from ..foundation.native import core
from . import schedules
from .readings import Iterations, LearningRate
from .schedules.base import LearningRateSchedule, rates_of
from .stepping import NamedParameter, Stepping, TrainedParameter, weights_in

if TYPE_CHECKING:
    from .. import _core

Rate: TypeAlias = float | LearningRateSchedule | Callable[[], float]
_Optimizer = TypeVar("_Optimizer", bound="Optimizer")

# The settings that all have, beside the learning rate: those that the engine takes, and the one that it has no use for.
_COMMON = (
    *("weight_decay", "clipnorm", "clipvalue", "global_clipnorm"),
    *("use_ema", "ema_momentum", "ema_overwrite_frequency", "gradient_accumulation_steps"),
)
_UNUSED = "loss_scale_factor"

_MOST_STEPS = 2**31 - 1  # of an accumulation, or between two overwrites
_RATES_AT_ONCE = 2**16  # that a schedule is asked for ahead of the steps


class Optimizer(Stepping):
    """Base of the optimizers: the settings that all have, and the learning rate, which may change while training.

    The other settings stay what they were when the optimizer was made. A clip above 0, or an epsilon, that is smaller
    than the normal numbers of a weight's type counts as the smallest of these.

    Args:
        learning_rate: At least 0; or one of `pynn.optimizers.schedules`, or a function without arguments that is asked
            for it before each step.
        weight_decay: At least 0. If given, ``w -= lr * weight_decay * w`` before each step, but for the weights of
            `exclude_from_weight_decay`. Default ``None``.
        clipnorm: If above 0, the gradient of each weight array is scaled to at most this norm. Default ``None``: as 0.
        clipvalue: If above 0, each element of a gradient is limited to +- this. Default ``None``: as 0.
        global_clipnorm: If above 0, all gradients together are scaled to at most this norm. Default ``None``: as 0.
        use_ema: Whether to keep an average of each weight, ``a = ema_momentum * a + (1 - ema_momentum) * w`` after each
            step, beginning with ``a = w``. At the end of `fit` the weights become it. Default ``False``.
        ema_momentum: In [0, 1]. Default ``0.99``.
        ema_overwrite_frequency: After how many updates the weights become the average, each time. Default ``None``: at
            the end of `fit` only.
        loss_scale_factor: Above 0. Taken, and without effect: numbers of 32 bits and more need no scaling of the loss.
            Default ``None``.
        gradient_accumulation_steps: At least 2. If given, the weights are updated in every so many-th step only, with
            the mean of the gradients since the last update. `iterations` counts the updates. Default ``None``.
        name: Default: the class's name as Keras writes it, with a number from the second one on: ``adam``, ``adam_1``;
            ``adam_w``.

    Raises:
        ValueError: a setting out of range, or more than one of the three clips.
        TypeError: a setting that is no number.
    """

    kind = "optimizer"
    native_name: ClassVar[str]
    own_settings: ClassVar[tuple[str, ...]] = ()  # attributes that are both arguments and settings of the engine

    def __init__(
        self,
        learning_rate: Rate,
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
        if type(self) is Optimizer:
            self._refuse()
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        if sum(clip is not None for clip in clips.values()) > 1:
            given = ", ".join(f"{clip}={checks.shown(value)}" for clip, value in clips.items())
            raise ValueError(f"Only one of clipnorm, clipvalue and global_clipnorm may be given, but got {given}.")
        self._trainer: _core.Trainer | None = None
        self._owner: weakref.ref[Any] | None = None  # the model that was compiled with it
        self._weights: list[TrainedParameter] = []  # of no model: those that it makes steps for
        self._learning_rate = _rate(learning_rate)
        self._excluded: tuple[list[NamedParameter], re.Pattern[str] | None] = [], None  # from weight decay
        self.weight_decay = checks.optional_number(weight_decay, "weight_decay", "[0, inf)")
        self.clipnorm = checks.optional_number(clipnorm, "clipnorm", "[0, inf)")
        self.clipvalue = checks.optional_number(clipvalue, "clipvalue", "[0, inf)")
        self.global_clipnorm = checks.optional_number(global_clipnorm, "global_clipnorm", "[0, inf)")
        self.use_ema = checks.boolean(use_ema, "use_ema")
        self.ema_momentum = checks.number(ema_momentum, "ema_momentum", "[0, 1]")
        self.ema_overwrite_frequency = _optional_steps(ema_overwrite_frequency, "ema_overwrite_frequency", 1)
        self.loss_scale_factor = checks.optional_number(loss_scale_factor, "loss_scale_factor", "(0, inf)")
        self.gradient_accumulation_steps = _optional_steps(
            gradient_accumulation_steps, "gradient_accumulation_steps", 2
        )
        # Last, so that an optimizer that could not be made uses up no number.
        self.name = checks.text(name, "name") if name else names.auto_name(type(self).__name__)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what would do nothing: unknown attributes, and settings that were given to the engine already."""
        settings, owner = (*_COMMON, _UNUSED, *self.own_settings), type(self).__name__
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
        """The learning rate of the next step; may be written at any time, also while another thread trains, and to 0.

        Where it is a function, reading it asks the function. Where it is a schedule, reading it gives the schedule's
        rate after the steps so far, those that only accumulate gradients included, and writing a number raises
        TypeError.

        Unless it is a function, the number has the methods of Keras's variable, too: ``learning_rate.assign(0.1)``,
        ``learning_rate.numpy()``, ``learning_rate.value``.
        """
        rate = self._learning_rate
        if callable(rate) and not isinstance(rate, LearningRateSchedule):
            return self._rate_now()
        return LearningRate(self._rate_now(), self)

    @learning_rate.setter
    def learning_rate(self, value: Rate) -> None:
        rate = _rate(value)
        if isinstance(self._learning_rate, LearningRateSchedule) and not callable(rate):
            schedule = type(self._learning_rate).__name__
            raise TypeError(
                f"learning_rate of {self.name!r} is a schedule, it can't be set to {checks.shown(value)}. "
                f"Make the optimizer with a number in place of {schedule}(...), or set another schedule."
            )
        self._learning_rate = rate
        if self._trainer is not None and not callable(self._learning_rate):
            self._trainer.learning_rate = self._learning_rate

    def _rate_now(self) -> float:
        """The learning rate as a plain number."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            return float(rates_of(rate, self._steps_done, 1)[0])
        if callable(rate):
            return checks.number(rate(), "learning_rate", "[0, inf)")
        return rate if self._trainer is None else self._trainer.learning_rate

    @property
    def iterations(self) -> int:
        """How many updates were made. The number has the methods of Keras's variable, too, such as `assign`, by which
        a schedule, and what an optimizer does by this count, go on from there."""
        return Iterations(self._updates_done, self)

    def _set_iterations(self, value: object) -> None:
        """Go on as after so many updates.

        Raises:
            TypeError, ValueError: no whole number, or too many; the optimizer has not begun with weights.
            RuntimeError: another thread is training with it.
        """
        from .variables import MOST_STEPS

        steps = self.gradient_accumulation_steps or 1
        updates = checks.non_negative_int(value, "iterations", MOST_STEPS // steps)
        if self._trainer is None:
            raise ValueError(
                f"iterations of {self.name!r} cannot be set, as it has not begun with weights. Build the model, or "
                "call optimizer.build(weights) first."
            )
        with core.hold_to_read([], self._trainer):
            self._trainer.iterations = updates * steps

    @property
    def _updates_done(self) -> int:
        """`iterations` as a plain number."""
        return self._steps_done // (self.gradient_accumulation_steps or 1)

    @property
    def _steps_done(self) -> int:
        """How many steps were made, those that only accumulate gradients included."""
        return 0 if self._trainer is None else self._trainer.iterations

    def exclude_from_weight_decay(
        self, var_list: Sequence[NamedParameter] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Let weights go without weight decay: biases, for instance, and the scales of normalisations.

        It takes the place of an earlier call. Saved models have it; configurations and copies of the optimizer alone do
        not.

        Args:
            var_list: Weights, such as ``[layer.bias]``. Default ``None``: none.
            var_names: Regular expressions; each weight in whose name one is found is left out, ``["bias", "gamma"]``
                for instance. Default ``None``: none.

        Raises:
            ValueError: training has begun, or something that is no regular expression. TypeError: no list.
        """
        if self._trainer is not None and self._trainer.iterations > 0:
            raise ValueError("exclude_from_weight_decay must be called before training begins. Compile the model anew.")
        texts = [] if var_names is None else var_names
        if isinstance(texts, str) or not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
            raise TypeError(f'var_names must be a list of names such as ["bias"], but got {checks.shown(var_names)}.')
        try:
            pattern = re.compile("|".join(texts)) if texts else None
        except re.error as error:
            raise ValueError(
                f"var_names must be regular expressions, but got {checks.shown(var_names)}: {error}"
            ) from None
        self._excluded = weights_in(var_list), pattern
        model = None if self._owner is None else self._owner()
        if self._trainer is not None and model is not None:
            self._trainer.set_undecayed(self._undecayed(model.weights))

    def finalize_variable_values(self, var_list: Sequence[NamedParameter]) -> None:
        """Make the weights of a list their averages, with ``use_ema``; those without one stay. `fit` ends with it.

        Raises:
            TypeError: something else than weights.
        """
        weights = weights_in(var_list)
        if self.use_ema and self._trainer is not None:
            self._trainer.take_averages([weight.native for weight in weights])

    def _averages(self, weights: Sequence[TrainedParameter]) -> list[NDArray[Any] | None]:
        """The average of each weight; None where there is none yet."""
        if self._trainer is None:
            return [None] * len(weights)
        state = self._trainer.state([weight.native for weight in weights], [False] * len(weights))
        found = [each.get("average") for each in state]
        return [None if a is None else a.reshape(weight.shape) for a, weight in zip(found, weights, strict=True)]

    def _hand_on(self, trainer: _core.Trainer, weights: Sequence[NamedParameter]) -> None:
        """Give another trainer of its model's weights the state there is."""
        if self._trainer is not None:
            natives = [weight.native for weight in weights]
            kept = self._trainer.state(natives, [False] * len(natives))
            trainer.set_state(self._trainer.iterations, natives, kept)

    def settings(self) -> dict[str, float]:
        """The settings in the form the engine takes: 0 stands for none, and for a rate that changes by itself."""
        rate = 0.0 if callable(self._learning_rate) else self._rate_now()
        return {"learning_rate": rate} | {
            setting: float(getattr(self, setting) or 0.0) for setting in (*_COMMON, *self.own_settings)
        }

    def _undecayed(self, weights: Iterable[NamedParameter]) -> list[tuple[_core.Parameters, int]]:
        """Which of a model's weights have no decay."""
        listed, pattern = self._excluded
        return [
            weight.native
            for weight in weights
            if any(weight is each for each in listed) or (pattern is not None and pattern.search(weight.name))
        ]

    def _next_rates(self, steps: int) -> tuple[int, NDArray[np.float64] | None]:
        """How many of the next `steps` have rates that are known, and the rates; None: that of the engine holds."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            count = min(steps, _RATES_AT_ONCE)
            return count, rates_of(rate, self._steps_done, count)
        return (1, np.array([self._rate_now()])) if callable(rate) else (steps, None)

    def _becoming(self, owner: weakref.ref[Any] | None, trainer: _core.Trainer | None) -> list[atomic.Change]:
        """The changes by which it belongs to a model, or none, and has rate and iterations in a trainer, or itself."""
        now = self._learning_rate if callable(self._learning_rate) else self._rate_now()
        rate = atomic.setting(self, "_learning_rate", now)
        weights = atomic.setting(self, "_weights", [])
        return [rate, atomic.setting(self, "_trainer", trainer), atomic.setting(self, "_owner", owner), weights]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer; of a rate that is a function, what it says now."""
        rate = self._learning_rate
        described = schedules.serialize(rate) if isinstance(rate, LearningRateSchedule) else self._rate_now()
        return {**self._arguments(), "learning_rate": described}

    @classmethod
    def from_config(
        cls: type[_Optimizer], config: dict[str, Any], custom_objects: schedules.ByName | None = None
    ) -> _Optimizer:
        """The optimizer of these arguments; `custom_objects` has classes of your own schedules by their names."""
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": schedules.deserialize(rate, custom_objects)}
        return cls(**config)

    def _arguments(self) -> dict[str, Any]:
        rate = self._learning_rate if callable(self._learning_rate) else self._rate_now()
        known = (*_COMMON, _UNUSED, *self.own_settings)
        return {"name": self.name, "learning_rate": rate} | {setting: getattr(self, setting) for setting in known}

    def __reduce__(self) -> Any:
        """How copy and pickle take an optimizer apart: the copy has its settings, and no model or state."""
        return type(self).from_config, (self._arguments(),)

    def _shows(self, setting: str, value: Any, default: Any) -> bool:
        return setting == "learning_rate" or (setting != "name" and super()._shows(setting, value, default))


def _rate(value: object) -> Rate:
    """`value` as a learning rate: a number, a schedule, or a function without arguments."""
    if isinstance(value, LearningRateSchedule):
        return value
    if not callable(value):
        return checks.number(value, "learning_rate", "[0, inf)")
    try:
        inspect.signature(value).bind()
    except TypeError:
        raise TypeError(
            "learning_rate must be a number, a schedule, or a function without arguments, "
            f"but got {checks.shown(value)}."
        ) from None
    except ValueError:  # the signature of some built-in functions is not known
        pass
    return value


def _optional_steps(value: object, name: str, least: int) -> int | None:
    """`value` as a number of steps, at least `least`; None stays None."""
    if value is None:
        return None
    steps = checks.positive_int(value, name, _MOST_STEPS)
    if steps < least:
        raise ValueError(f"{name} must be at least {least} or None, but got {checks.shown(value)}.")
    return steps


def above_zero(value: float) -> float:
    """`value` as a number above 0."""
    if isinstance(value, numbers.Real) and value == 0:
        raise ValueError("epsilon must be above 0, but got 0: where a gradient is 0, a step would divide 0 by 0.")
    return checks.number(value, "epsilon", "(0, inf)")
