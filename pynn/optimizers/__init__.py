"""Optimizers: how a step changes the weights ``w``, given the gradients ``g``; from the simplest to the most complex.

The engine does the arithmetic, by Keras 3's formulas. In them ``lr`` is the learning rate and ``t`` the number of the
step, from 1 on. The settings that all optimizers have are described at `Optimizer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..foundation import identifiers, lazy, registry
from .base import Optimizer

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from . import schedules
    from .descent import *  # noqa: F403
    from .moments import *  # noqa: F403

# The names of each family of optimizers: what its file has as ``__all__``.
_MODULES = {
    "descent": "SGD Adadelta Adagrad RMSprop",
    "moments": "Adam AdamW Adamax Lion Nadam",
    "schedules": "",
}

__all__ = ["Optimizer", "OptimizerLike", "deserialize", "get", "schedules", "serialize"]
__all__ += lazy.names(_MODULES)

_TABLE: lazy.Table[type[Optimizer]] = lazy.Table(
    {name.lower(): place for name, place in lazy.places(__name__, _MODULES).items()}
)


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


def deserialize(config: OptimizerLike, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """As `get`, also for schedules of one's own: ``{"Mine": Mine}``.

    Raises:
        TypeError, ValueError: an unknown name, or another form of configuration.
    """
    return registry.knowing(custom_objects, lambda: get(config))


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "optimizer")
