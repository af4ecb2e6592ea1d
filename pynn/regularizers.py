"""Penalties for large weights and outputs, which become part of the loss.

A layer takes them for its kernel, its bias and its output: ``Dense(10, kernel_regularizer="l2")``. The penalties of the
trainable weights are added to the loss of a batch once, or divided by the number of its rows (``by_rows``, as
scikit-learn does); that of an output is divided by the number of samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .data import arrays
from .foundation import checks, identifiers, not_yet, registry
from .foundation.identifiers import Described
from .foundation.names import to_snake_case


class Regularizer(Described):
    """Base: ``regularizer(x)`` returns the penalty ``l1 * sum(|x|) + l2 * sum(x^2)``.

    Attributes:
        l1, l2: The factors, 0 where a subclass has none.
        by_rows: Whether the penalty of a weight is divided by the rows of a batch; see `L2`.
    """

    kind = "regularizer"
    l1: float = 0.0
    l2: float = 0.0
    by_rows: bool = False

    def __init__(self) -> None:
        self._refuse()

    def __call__(self, x: ArrayLike) -> float:
        """Return the penalty of an array of any shape."""
        values = arrays.as_array(x, "x", "float64")
        penalty = self.l1 * np.abs(values).sum() if self.l1 else 0.0  # 0 times infinity would be NaN
        return float(penalty + (self.l2 * np.square(values).sum() if self.l2 else 0.0))


class L1(Regularizer):
    """``l1 * sum(|x|)``; its gradient is ``l1 * sign(x)``, 0 at 0.

    Args:
        l1: At least 0. Default ``0.01``.

    Raises:
        TypeError, ValueError: a bad factor.
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = checks.number(l1, "l1", "[0, inf)")

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """``l2 * sum(x^2)``; its gradient is ``2 * l2 * x``.

    Args:
        l2: At least 0. Default ``0.01``.
        by_rows: Whether the penalty is divided by what the rows of the first loss count for in a batch: the sum of
            their weights, or their number. So it counts for the less the more samples there are, as in scikit-learn,
            whose ``alpha`` is ``L2(alpha / 2, by_rows=True)``. For weights only, not for outputs. Default ``False``.

    Raises:
        TypeError, ValueError: a bad factor.
    """

    def __init__(self, l2: float = 0.01, *, by_rows: bool = False) -> None:
        self.l2 = checks.number(l2, "l2", "[0, inf)")
        self.by_rows = checks.boolean(by_rows, "by_rows")

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2, "by_rows": True} if self.by_rows else {"l2": self.l2}


class L1L2(Regularizer):
    """``l1 * sum(|x|) + l2 * sum(x^2)``. By its name alone, without factors, it is no penalty, as in Keras.

    Args:
        l1: At least 0. Default ``0.0``.
        l2: At least 0. Default ``0.0``.

    Raises:
        TypeError, ValueError: a bad factor.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = checks.number(l1, "l1", "[0, inf)")
        self.l2 = checks.number(l2, "l2", "[0, inf)")

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


# Keras has each class under a second name.
l1 = L1
l2 = L2
l1_l2 = L1L2

_CLASSES: tuple[type[Regularizer], ...] = (L1, L2, L1L2)
_TABLE: dict[str, type[Regularizer]] = {
    **{cls.__name__: cls for cls in _CLASSES},
    **{to_snake_case(cls.__name__): cls for cls in _CLASSES},
}


RegularizerLike: TypeAlias = str | Regularizer | type[Regularizer] | dict[str, Any] | None


def get(identifier: RegularizerLike, name: str = "regularizer") -> Regularizer | None:
    """Return the regularizer meant by a name (``"l2"``, ``"L2"``), class, instance or config; None for None.

    Args:
        identifier: What is meant.
        name: What the error messages call it. Default ``"regularizer"``.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if identifier is None:
        return None
    return identifiers.resolve(identifier, Regularizer, _TABLE, name)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """The configuration that `get` and `deserialize` read; None for None."""
    return None if regularizer is None else identifiers.serialize(regularizer)


def deserialize(config: RegularizerLike, custom_objects: Mapping[str, Any] | None = None) -> Regularizer | None:
    """As `get`. There are no regularizers of one's own; `custom_objects` is taken as in Keras.

    Raises:
        TypeError, ValueError: an unknown name, or another form of configuration.
    """
    return registry.knowing(custom_objects, lambda: get(config))


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "regularizer")
