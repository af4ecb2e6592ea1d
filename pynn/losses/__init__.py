"""Losses: what training makes small.

A loss has one value for each row of the prediction, a row being its last axis; ``reduction`` says what becomes of the
rows' values. In the formulas ``y`` is the target, ``p`` the prediction, and mean and sum go over the last axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from ..foundation import identifiers, not_yet
from . import focal, margins, overlaps, probabilities, regression
from .base import FUNCTIONS, Array, Loss
from .focal import *  # noqa: F403 - a loss is named in its family's file only
from .margins import *  # noqa: F403
from .overlaps import *  # noqa: F403
from .probabilities import *  # noqa: F403
from .regression import *  # noqa: F403

__all__ = ["Loss", "LossLike", "get", "serialize"]
__all__ += focal.__all__
__all__ += margins.__all__
__all__ += overlaps.__all__
__all__ += probabilities.__all__
__all__ += regression.__all__

_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
}
_TABLE: dict[str, type[Loss]] = {
    **{function.__name__: cls for function, cls in FUNCTIONS.items()},
    **{cls.__name__: cls for cls in FUNCTIONS.values()},
}
_TABLE |= {alias: _TABLE[name] for alias, name in _ALIASES.items()}
_TABLE |= {alias.upper(): _TABLE[name] for alias, name in _ALIASES.items()}

LossLike: TypeAlias = str | Loss | type[Loss] | Callable[..., Array] | dict[str, Any]


def is_function(identifier: object) -> TypeGuard[Callable[..., Array]]:
    """Whether `identifier` is one of this module's functions of rows."""
    return callable(identifier) and identifier in FUNCTIONS


def get(identifier: LossLike) -> Loss:
    """Return the loss meant by a name (``"mse"``), function of this module, class, instance or configuration.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if is_function(identifier):
        return FUNCTIONS[identifier]()
    return identifiers.resolve(identifier, Loss, _TABLE, "loss")


def serialize(loss: Loss) -> dict[str, Any]:
    """The configuration that `get` reads."""
    return identifiers.serialize(loss)


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "loss")
