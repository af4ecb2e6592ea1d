"""Learning rates that follow a plan: a schedule gives the rate of each step of an optimizer.

    optimizer = pynn.optimizers.SGD(pynn.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1000, decay_rate=0.9))

A step is an update of the weights, the number `Optimizer.iterations`, from 0 on. It goes on from one `fit` to the next.
Rates are computed in float64, many steps at once, before the engine makes these steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ...foundation import checks, identifiers, lazy, registry
from .base import LearningRateSchedule

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .cosines import *  # noqa: F403
    from .decays import *  # noqa: F403

# The names of each family of schedules: what its file has as ``__all__``.
_MODULES = {
    "cosines": "CosineDecay CosineDecayRestarts OneCycle",
    "decays": "ExponentialDecay InverseTimeDecay PiecewiseConstantDecay PolynomialDecay",
}

__all__ = ["LearningRateSchedule", "deserialize", "serialize"]
__all__ += lazy.names(_MODULES)

ByName: TypeAlias = dict[str, type[LearningRateSchedule]]

_TABLE: lazy.Table[type[LearningRateSchedule]] = lazy.Table(lazy.places(__name__, _MODULES))


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
    return registry.knowing(
        custom_objects, lambda: identifiers.made_of(config, LearningRateSchedule, _TABLE, "learning_rate_schedule")
    )


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "learning rate schedule")
