"""Optimizers: how a step changes the weights ``w``, given the gradients ``g``; from the simplest to the most complex.

The engine does the arithmetic, by Keras 3's formulas. In them ``lr`` is the learning rate and ``t`` the number of the
step, from 1 on. The settings that all optimizers have are described at `Optimizer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..foundation import identifiers, not_yet
from . import descent, moments, schedules
from .base import Optimizer
from .descent import *  # noqa: F403 - an optimizer is named in its family's file only
from .moments import *  # noqa: F403

__all__ = ["Optimizer", "OptimizerLike", "get", "schedules", "serialize"]
__all__ += descent.__all__
__all__ += moments.__all__

_FAMILIES = {**vars(descent), **vars(moments)}
_CLASSES: tuple[type[Optimizer], ...] = tuple(_FAMILIES[name] for name in [*descent.__all__, *moments.__all__])
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


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "optimizer")
