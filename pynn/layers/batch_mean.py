"""Means over the samples of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..foundation import checks
from .symbolic import SymbolicTensor


class BatchMean:
    """The mean over the samples of a tensor with one number a sample: a symbolic number of the whole batch.

    It goes together with numbers and others of its kind, by ``+ - * /`` with numbers, ``+`` and ``-`` with others. The
    mean of that is the mean again, so that each sample can still be computed for itself. `Layer.add_loss` and losses of
    one's own take it, and nothing else does.

    Attributes:
        values: The symbolic tensor of these numbers.
    """

    __slots__ = ("values",)
    __array_ufunc__ = None  # so that NumPy's numbers leave operators to it

    def __init__(self, values: SymbolicTensor) -> None:
        self.values = values

    def _with(self, other: object, operator: Callable[[Any, Any], Any], takes_means: bool) -> Any:
        if isinstance(other, BatchMean) and takes_means:
            return BatchMean(operator(self.values, other.values))
        if not isinstance(other, int | float | np.integer | np.floating):
            raise TypeError(
                f"{self!r} goes together with numbers and, by + and -, with other means over the samples, but not with "
                f"{checks.shown(other)} of type {type(other).__name__}: each sample is computed for itself."
            )
        return BatchMean(operator(self.values, float(other)))

    def __add__(self, other: object) -> Any:
        return self._with(other, lambda a, b: a + b, True)

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        return self._with(other, lambda a, b: a - b, True)

    def __rsub__(self, other: object) -> Any:
        return self._with(other, lambda a, b: b - a, True)

    def __mul__(self, other: object) -> Any:
        return self._with(other, lambda a, b: a * b, False)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Any:
        return self._with(other, lambda a, b: a / b, False)

    def __neg__(self) -> Any:
        return BatchMean(-self.values)

    def __repr__(self) -> str:
        return "<a mean over the samples of a batch>"
