"""Optimizers: how a step changes the weights ``w``, given the gradients ``g``; from the simplest to the most complex.

The engine does the arithmetic, by Keras 3's formulas. In them ``lr`` is the learning rate and ``t`` the number of the
step, from 1 on. The settings that all optimizers have are described at `Optimizer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..foundation import identifiers, not_yet
from .base import Optimizer
from .descent import SGD, Adadelta, Adagrad, RMSprop
from .moments import Adam, Adamax, AdamW, Lion, Nadam

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Nadam",
    "Optimizer",
    "OptimizerLike",
    "RMSprop",
    "get",
    "serialize",
]

_CLASSES: tuple[type[Optimizer], ...] = (SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, Adamax, Nadam, Lion)
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
