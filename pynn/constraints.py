"""Conditions on weights, which are made to hold after each step of training.

A layer takes them for its kernel and its bias: ``Dense(10, kernel_constraint=MaxNorm(3))``. Initial weights, and those
that are assigned, stay as they are until the first step; weights that are not trainable are left alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import config
from .data import arrays
from .foundation import checks, identifiers, not_yet, registry
from .foundation.identifiers import Described
from .foundation.names import to_snake_case

Array = NDArray[Any]
Axis = int | Sequence[int]
# What the engine is told: kind, (min_value, max_value, rate), (outer, axis, inner)
Native = tuple[str, tuple[float, float, float], tuple[int, int, int]]

# Keras's: it is added to norms, as none of 0 may divide.
_EPSILON = 1e-7


class Constraint(Described):
    """Base: ``constraint(w)`` returns what becomes of weights `w`. A subclass computes it in `_values`, in float64."""

    kind = "constraint"

    def __init__(self) -> None:
        if type(self) is Constraint:
            self._refuse()

    def __call__(self, w: ArrayLike) -> Array:
        """Return the array that fulfils the constraint, of the shape of `w`.

        Raises:
            TypeError, ValueError: no array of numbers, or one without the axis.
        """
        values = arrays.as_array(w, "w", "float64")
        return self._values(values).astype(arrays.float_dtype_of(w, config.floatx()))

    def _values(self, w: Array) -> Array:
        raise NotImplementedError

    def native(self, shape: tuple[int, ...]) -> Native:
        """What the engine is told for weights of `shape`; ValueError if they do not have the axis."""
        raise NotImplementedError


class NonNeg(Constraint):
    """Weights below 0 become 0."""

    def _values(self, w: Array) -> Array:
        return np.maximum(w, 0.0)

    def native(self, shape: tuple[int, ...]) -> Native:
        return "non_neg", (0.0, 0.0, 1.0), (1, math.prod(shape), 1)


class _Norm(Constraint):
    """Base of those for norms: ``w * desired / (1e-7 + norm)``, where ``desired = rate * clip(norm, min_value,
    max_value) + (1 - rate) * norm``."""

    min_value: float = 0.0
    max_value: float = math.inf
    rate: float = 1.0

    def __init__(self, axis: Axis) -> None:
        self.axis = checks.axis(axis)

    def _values(self, w: Array) -> Array:
        axes = tuple(checks.axes_of(self.axis, w.ndim))
        norm = np.sqrt(np.square(w).sum(axis=axes, keepdims=True))
        desired = self.rate * np.clip(norm, self.min_value, self.max_value)
        if self.rate < 1.0:
            desired = desired + (1.0 - self.rate) * norm
        scaled: Array = w * (desired / (_EPSILON + norm))
        return scaled

    def native(self, shape: tuple[int, ...]) -> Native:
        axes = checks.axes_of(self.axis, len(shape))
        # Axes of size 1 may be taken or left.
        inside = [axis for axis in axes if shape[axis] > 1] or axes[:1]
        first, end = inside[0], inside[-1] + 1
        if any(shape[axis] > 1 for axis in set(range(first, end)) - set(inside)):
            raise ValueError(f"axis={self.axis} must be one axis or several adjacent ones.")
        sizes = math.prod(shape[:first]), math.prod(shape[first:end]), math.prod(shape[end:])
        return "norm", (self.min_value, self.max_value, self.rate), sizes


class MaxNorm(_Norm):
    """Weights whose norm exceeds `max_value` are scaled down to it: ``w * clip(norm, 0, max_value) / (1e-7 + norm)``.

    Args:
        max_value: At least 0. Default ``2``.
        axis: Axis, or adjacent axes, along which norms are taken. Default ``0``: of a dense kernel, the weights of a
            unit. Those of a filter of a Conv2D are ``[0, 1, 2]``.

    Raises:
        TypeError, ValueError: a bad argument; an axis that the weights do not have, when the model is built.
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value = checks.number(max_value, "max_value", "[0, inf)")
        super().__init__(axis)

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class UnitNorm(_Norm):
    """Weights are scaled to norm 1: ``w / (1e-7 + norm)``.

    Args:
        axis: As for `MaxNorm`. Default ``0``.

    Raises:
        TypeError, ValueError: as for `MaxNorm`.
    """

    min_value = max_value = 1.0

    def __init__(self, axis: Axis = 0) -> None:
        super().__init__(axis)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(_Norm):
    """Weights are scaled towards a norm from `min_value` to `max_value`: ``w * desired / (1e-7 + norm)``, where
    ``desired = rate * clip(norm, min_value, max_value) + (1 - rate) * norm``.

    Args:
        min_value: At least 0. Default ``0.0``.
        max_value: At least `min_value`. Default ``1.0``.
        rate: How much of the way is gone in a step, in [0, 1]. Default ``1.0``: all of it.
        axis: As for `MaxNorm`. Default ``0``.

    Raises:
        TypeError, ValueError: as for `MaxNorm`.
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0) -> None:
        self.min_value = checks.number(min_value, "min_value", "[0, inf)")
        self.max_value = checks.number(max_value, "max_value", "[0, inf)")
        if self.min_value > self.max_value:
            raise ValueError(f"min_value must not exceed max_value, but got {min_value} and {max_value}.")
        self.rate = checks.number(rate, "rate", "[0, 1]")
        super().__init__(axis)

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


# Keras has each class under a second name.
max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

_CLASSES: tuple[type[Constraint], ...] = (MaxNorm, MinMaxNorm, NonNeg, UnitNorm)
_TABLE: dict[str, type[Constraint]] = {
    **{cls.__name__: cls for cls in _CLASSES},
    **{to_snake_case(cls.__name__): cls for cls in _CLASSES},
}


ConstraintLike: TypeAlias = str | Constraint | type[Constraint] | dict[str, Any] | None


def get(identifier: ConstraintLike, name: str = "constraint") -> Constraint | None:
    """Return the constraint meant by a name (``"max_norm"``, ``"MaxNorm"``), class, instance or config; None for None.

    Args:
        identifier: What is meant.
        name: What the error messages call it. Default ``"constraint"``.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if identifier is None:
        return None
    return identifiers.resolve(identifier, Constraint, _TABLE, name)


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """The configuration that `get` and `deserialize` read; None for None."""
    return None if constraint is None else identifiers.serialize(constraint)


def deserialize(config: ConstraintLike, custom_objects: Mapping[str, Any] | None = None) -> Constraint | None:
    """As `get`. There are no constraints of one's own; `custom_objects` is taken as in Keras.

    Raises:
        TypeError, ValueError: an unknown name, or another form of configuration.
    """
    return registry.knowing(custom_objects, lambda: get(config))


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "constraint")
