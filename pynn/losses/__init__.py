"""Losses: what training makes small.

A loss has one value for each row of the prediction, a row being its last axis; ``reduction`` says what becomes of the
rows' values. In the formulas ``y`` is the target, ``p`` the prediction, and mean and sum go over the last axis.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from ..foundation import identifiers, lazy, registry
from ..foundation.names import to_snake_case
from .base import FUNCTIONS, Array, Loss

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .focal import *  # noqa: F403
    from .margins import *  # noqa: F403
    from .overlaps import *  # noqa: F403
    from .probabilities import *  # noqa: F403
    from .regression import *  # noqa: F403

# The names of each family of losses: what its file has as ``__all__``.
_MODULES = {
    "focal": """BinaryFocalCrossentropy CategoricalFocalCrossentropy binary_focal_crossentropy
        categorical_focal_crossentropy""",
    "margins": "CategoricalHinge Hinge Perceptron SquaredHinge categorical_hinge hinge perceptron squared_hinge",
    "overlaps": "Dice Tversky dice tversky",
    "probabilities": """BinaryCrossentropy CategoricalCrossentropy KLDivergence Poisson SparseCategoricalCrossentropy
        binary_crossentropy categorical_crossentropy kl_divergence poisson sparse_categorical_crossentropy""",
    "regression": """CosineSimilarity Huber LogCosh MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError
        MeanSquaredLogarithmicError SumSquaredError cosine_similarity huber log_cosh mean_absolute_error
        mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error sum_squared_error""",
}

__all__ = ["Loss", "LossLike", "deserialize", "get", "serialize"]
__all__ += lazy.names(_MODULES)

_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
}
# A loss is known by the name of its class and by that of its function.
_PLACES = {name: place for name, place in lazy.places(__name__, _MODULES).items() if name[0].isupper()}
_PLACES |= {to_snake_case(name): place for name, place in _PLACES.items()}
_PLACES |= {alias: _PLACES[name] for alias, name in _ALIASES.items()}
_PLACES |= {alias.upper(): _PLACES[name] for alias, name in _ALIASES.items()}
_TABLE: lazy.Table[type[Loss]] = lazy.Table(_PLACES)

LossLike: TypeAlias = str | Loss | type[Loss] | Callable[..., Array] | dict[str, Any]


def is_function(identifier: object) -> TypeGuard[Callable[..., Array]]:
    """Whether `identifier` is one of this module's functions of rows."""
    return isinstance(identifier, Hashable) and callable(identifier) and identifier in FUNCTIONS


def get(identifier: LossLike) -> Loss:
    """Return the loss meant by a name (``"mse"``), function, class, instance or configuration.

    A function of ``(y_true, y_pred)`` that is not of this module is a loss of one's own.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if is_function(identifier):
        return FUNCTIONS[identifier]()
    if isinstance(identifier, str):
        own = registry.own(identifier)
        identifier = own if callable(own) and not isinstance(own, type) else identifier
    if isinstance(identifier, dict) and identifier.get("class_name") == "function":
        from .own import made_of

        return made_of(identifier)
    if callable(identifier) and not isinstance(identifier, type | Loss):
        from .own import FunctionLoss

        return FunctionLoss(identifier)
    return identifiers.resolve(identifier, Loss, _TABLE, "loss")


def serialize(loss: LossLike) -> dict[str, Any]:
    """The configuration that `get` reads, of a loss or a function.

    Raises:
        ValueError: a function without a name. TypeError: not a loss.
    """
    loss = get(loss)
    if loss.is_own:
        from .own import FunctionLoss

        if isinstance(loss, FunctionLoss):
            return loss.described()
    return identifiers.serialize(loss)


def deserialize(config: LossLike, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """As `get`, also for what is one's own: ``{"Mine": Mine}``.

    Raises:
        TypeError, ValueError: an unknown name, or another form of configuration.
    """
    return registry.knowing(custom_objects, lambda: get(config))


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "loss")
