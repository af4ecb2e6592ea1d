"""Losses: what training makes small.

A loss has one value for each row of the prediction, a row being its last axis; ``reduction`` says what becomes of the
rows' values. In the formulas ``y`` is the target, ``p`` the prediction, and mean and sum go over the last axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from ..foundation import identifiers, not_yet
from .base import Array, Loss
from .margins import (
    CategoricalHinge,
    Hinge,
    Perceptron,
    SquaredHinge,
    categorical_hinge,
    hinge,
    perceptron,
    squared_hinge,
)
from .probabilities import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from .regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    SumSquaredError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    sum_squared_error,
)

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossLike",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Perceptron",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "SumSquaredError",
    "binary_crossentropy",
    "categorical_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "perceptron",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "sum_squared_error",
]

_FUNCTIONS: dict[Callable[..., Array], type[Loss]] = {
    mean_squared_error: MeanSquaredError,
    mean_absolute_error: MeanAbsoluteError,
    mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError,
    sum_squared_error: SumSquaredError,
    huber: Huber,
    log_cosh: LogCosh,
    cosine_similarity: CosineSimilarity,
    poisson: Poisson,
    kl_divergence: KLDivergence,
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    hinge: Hinge,
    squared_hinge: SquaredHinge,
    categorical_hinge: CategoricalHinge,
    perceptron: Perceptron,
}
_ALIASES = {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
}
_TABLE: dict[str, type[Loss]] = {
    **{function.__name__: cls for function, cls in _FUNCTIONS.items()},
    **{cls.__name__: cls for cls in _FUNCTIONS.values()},
    **_ALIASES,
    **{alias.upper(): cls for alias, cls in _ALIASES.items()},
}


def is_function(identifier: object) -> TypeGuard[Callable[..., Array]]:
    """Whether `identifier` is one of this module's functions of rows."""
    return callable(identifier) and identifier in _FUNCTIONS


LossLike: TypeAlias = str | Loss | type[Loss] | Callable[..., Array] | dict[str, Any]


def get(identifier: LossLike) -> Loss:
    """Return the loss meant by a name (``"mse"``), function of this module, class, instance or configuration.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if is_function(identifier):
        return _FUNCTIONS[identifier]()
    return identifiers.resolve(identifier, Loss, _TABLE, "loss")


def serialize(loss: Loss) -> dict[str, Any]:
    """The configuration that `get` reads."""
    return identifiers.serialize(loss)


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "loss")
