"""Initial values of weights.

Random ones come from the counter-based generator: with a ``seed`` of its own an initializer gives the same values at
every call, as in Keras 3; with a ``SeedGenerator`` new values at each call, and without a seed, too, which
``pynn.set_random_seed`` makes repeatable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..foundation import identifiers, not_yet, registry
from ..foundation.names import to_snake_case
from .base import Array, Function, FunctionInitializer, Initializer
from .constants import Constant, Identity, Ones, Zeros
from .random import Orthogonal, RandomNormal, RandomUniform, TruncatedNormal
from .scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

__all__ = [
    "Constant",
    "FunctionInitializer",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "InitializerLike",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

# Keras has each class under a second name.
zeros = Zeros
ones = Ones
constant = Constant
identity = Identity
random_uniform = RandomUniform
random_normal = RandomNormal
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_uniform = HeUniform
he_normal = HeNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal
orthogonal = Orthogonal
IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal

_CLASSES: tuple[type[Initializer], ...] = (
    Zeros,
    Ones,
    Constant,
    Identity,
    RandomUniform,
    RandomNormal,
    TruncatedNormal,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
    Orthogonal,
)
_TABLE: dict[str, type[Initializer]] = {
    **{cls.__name__: cls for cls in _CLASSES},
    **{to_snake_case(cls.__name__): cls for cls in _CLASSES},
    "FunctionInitializer": FunctionInitializer,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
}


InitializerLike: TypeAlias = str | Initializer | type[Initializer] | Array | dict[str, Any] | Function


def get(identifier: InitializerLike, name: str = "initializer") -> Initializer:
    """Return the initializer that is meant.

    Args:
        identifier: A name (``"he_normal"``, ``"HeNormal"``), class, instance, configuration, array or function.
        name: What the error messages call it. Default ``"initializer"``.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if isinstance(identifier, np.ndarray):
        return Constant(identifier)
    if callable(identifier) and not isinstance(identifier, type | Initializer):
        return FunctionInitializer(identifier)
    return identifiers.resolve(identifier, Initializer, _TABLE, name)


def serialize(initializer: Initializer) -> dict[str, Any]:
    """The configuration that `get` reads."""
    return identifiers.serialize(initializer)


def deserialize(config: InitializerLike, custom_objects: Mapping[str, Any] | None = None) -> Initializer:
    """As `get`, also for classes of one's own: ``{"Mine": Mine}``.

    Raises:
        TypeError, ValueError: an unknown name, or another form of configuration.
    """
    return registry.knowing(custom_objects, lambda: get(config))


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "initializer")
