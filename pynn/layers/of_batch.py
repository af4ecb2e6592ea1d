"""Means and sums over the samples of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import symbolic
from .symbolic import SymbolicTensor

REDUCTIONS = ("mean", "sum")


class OfBatch:
    """A mean over the samples, a sum over them, or both added up: a symbolic number of the whole batch.

    It goes together with numbers and others of its kind, by ``+ - * /`` with numbers, ``+`` and ``-`` with others. The
    mean or sum of that is such a number again, so that each sample can still be computed for itself. `Layer.add_loss`
    and losses of one's own take it, and nothing else does.

    Attributes:
        parts: By ``"mean"`` or ``"sum"``: the symbolic tensor, one number a sample, that it is the mean or sum of.
    """

    __slots__ = ("parts",)
    __array_ufunc__ = None  # so that NumPy's numbers leave operators to it

    def __init__(self, parts: Mapping[str, SymbolicTensor]) -> None:
        self.parts = {reduction: parts[reduction] for reduction in REDUCTIONS if reduction in parts}

    def __add__(self, other: object) -> Any:
        if isinstance(other, OfBatch):
            return self._plus(other.parts)
        number = self._number(other)
        return self._plus({"mean": number}) if number else self  # Python's `sum` begins with 0

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        return self + (-other if isinstance(other, OfBatch) else -self._number(other))

    def __rsub__(self, other: object) -> Any:
        return -self + other

    def __mul__(self, other: object) -> Any:
        number = self._number(other)
        return self._each(lambda values: values * number)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Any:
        number = self._number(other)
        return self._each(lambda values: values / number)

    def __neg__(self) -> Any:
        return self._each(lambda values: -values)

    def __repr__(self) -> str:
        return f"<a {' and a '.join(self.parts)} over the samples of a batch>"

    def _refuse(self, *others: object, **named: object) -> Any:
        raise self.misused()

    __pow__ = __rpow__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __matmul__ = __rmatmul__ = __abs__ = __getitem__ = _refuse
    __array__ = __bool__ = __float__ = __int__ = _refuse

    def misused(self) -> TypeError:
        """The error where it stands for numbers."""
        function = next(iter(self.parts))
        return TypeError(
            f"ops.{function} without an axis is a {function} over all samples, which is for losses alone: add_loss and "
            "losses of one's own take it. Each sample is computed for itself, so such means and sums go together with "
            "numbers, by + - * /, and with one another, by + and -, and with nothing else. Give an axis, such as "
            f"ops.{function}(x, axis=-1), for the {function} of each sample."
        )

    def _each(self, function: Callable[[Any], Any]) -> OfBatch:
        return OfBatch({reduction: function(values) for reduction, values in self.parts.items()})

    def _plus(self, others: Mapping[str, Any]) -> OfBatch:
        parts: dict[str, Any] = dict(self.parts)
        for reduction, other in others.items():
            if reduction in parts:
                parts[reduction] = parts[reduction] + other
            elif isinstance(other, SymbolicTensor):
                parts[reduction] = other
            else:
                parts[reduction] = symbolic.constant(np.array(other), next(iter(self.parts.values())))
        return OfBatch(parts)

    def _number(self, other: object) -> float:
        if not isinstance(other, int | float | np.integer | np.floating):
            raise self.misused()
        return float(other)
