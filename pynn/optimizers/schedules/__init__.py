"""Learning rates that follow a plan: a schedule gives the rate of each step of an optimizer.

    optimizer = pynn.optimizers.SGD(pynn.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1000, decay_rate=0.9))

A step is an update of the weights, the number `Optimizer.iterations`, from 0 on. It goes on from one `fit` to the next.
Rates are computed in float64, many steps at once, before the engine makes these steps.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from ...foundation import checks, identifiers
from . import cosines, decays
from .base import LearningRateSchedule
from .cosines import *  # noqa: F403 - a schedule is named in its family's file only
from .decays import *  # noqa: F403

__all__ = ["LearningRateSchedule", "deserialize", "serialize"]
__all__ += decays.__all__
__all__ += cosines.__all__

ByName: TypeAlias = dict[str, type[LearningRateSchedule]]

_FAMILIES = {**vars(decays), **vars(cosines)}
_TABLE: ByName = {name: _FAMILIES[name] for name in [*decays.__all__, *cosines.__all__]}


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """The configuration that `deserialize` reads.

    Raises:
        TypeError: something else than a schedule. NotImplementedError: one of your own without ``get_config``.
    """
    if not isinstance(learning_rate_schedule, LearningRateSchedule):
        raise TypeError(
            f"learning_rate_schedule must be a LearningRateSchedule, but got {checks.shown(learning_rate_schedule)}."
        )
    return identifiers.serialize(learning_rate_schedule)


def deserialize(config: dict[str, Any], custom_objects: ByName | None = None) -> LearningRateSchedule:
    """The schedule of a configuration, ``{"class_name": ..., "config": {...}}``, also of one that Keras made.

    Args:
        config: What `serialize` returned.
        custom_objects: Classes of your own by their names. Default ``None``: none.

    Raises:
        ValueError, TypeError: an unknown name, or something else than a configuration.
    """
    if not isinstance(custom_objects, dict | None):
        raise TypeError(f"custom_objects must be a dict of classes by name, but got {checks.shown(custom_objects)}.")
    name, settings = identifiers.split_config(config, "learning_rate_schedule")
    known = {**_TABLE, **(custom_objects or {})}
    return identifiers.look_up(name, known, "learning_rate_schedule").from_config(settings)


def __dir__() -> list[str]:
    return __all__
