"""Means and sums over the samples of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..foundation import checks
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
        return self._plus(other.parts if isinstance(other, OfBatch) else {"mean": self._number(other)})

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
            raise TypeError(
                f"{self!r} goes together with numbers and, by + and -, with other means and sums over the samples, but "
                f"not with {checks.shown(other)} of type {type(other).__name__}: each sample is computed for itself."
            )
        return float(other)
