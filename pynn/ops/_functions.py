"""Further functions of each element, under Keras's names (``keras.ops``): of arrays as NumPy's, of symbolic tensors and
weights what is made of other functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _elementwise
from ._elementwise import absolute, add, cos, divide, equal, exp, expm1, floor, greater, multiply, negative, sin, where
from ._values import as_array, as_float, is_symbolic

__all__ = [
    "cbrt",
    "cosh",
    "exp2",
    "hypot",
    "logaddexp",
    "round",
    "select",
    "sinh",
    "tan",
    "trunc",
]


def _of_floats(function: str, **arrays: Any) -> Any:
    """NumPy's function of arrays; whole numbers are taken as floats of 32 bits, as in Keras."""
    return getattr(np, function)(*(as_float(as_array(each, name)) for name, each in arrays.items()))


def tan(x: Any) -> Any:
    """The tangent."""
    return divide(sin(x), cos(x)) if is_symbolic(x) else _of_floats("tan", x=x)


def sinh(x: Any) -> Any:
    """``(exp(x) - exp(-x)) / 2``, exact for small `x`, too."""
    return multiply(0.5, expm1(x) - expm1(negative(x))) if is_symbolic(x) else _of_floats("sinh", x=x)


def cosh(x: Any) -> Any:
    """``(exp(x) + exp(-x)) / 2``."""
    return multiply(0.5, exp(x) + exp(negative(x))) if is_symbolic(x) else _of_floats("cosh", x=x)


def exp2(x: Any) -> Any:
    """``2 ** x``."""
    return exp(multiply(x, math.log(2))) if is_symbolic(x) else _of_floats("exp2", x=x)


def cbrt(x: Any) -> Any:
    """The cube root, negative below 0. Its slope at 0 is infinite."""
    if not is_symbolic(x):
        return _of_floats("cbrt", x=x)
    below = _elementwise.less(x, 0.0)
    # The root that is not taken is that of 1, whose slope is finite.
    roots = [_elementwise.power(where(below, *pair), 1 / 3) for pair in ((negative(x), 1.0), (1.0, x))]
    return where(below, negative(roots[0]), roots[1])


def hypot(x1: Any, x2: Any) -> Any:
    """``sqrt(x1 * x1 + x2 * x2)``, without overflow. At (0, 0) both slopes are 0.5, as in Keras on JAX."""
    if not is_symbolic(x1, x2):
        return _of_floats("hypot", x1=x1, x2=x2)
    one, other = (where(_elementwise.less(x, 0.0), negative(x), x) for x in (x1, x2))
    larger = _elementwise.maximum(one, other)
    # Nothing is divided by 0 or infinity, the halves of which are not less.
    is_plain = _elementwise.less(multiply(larger, 0.5), larger)
    ratio = divide(_elementwise.minimum(one, other), where(is_plain, larger, 1.0))
    return multiply(larger, _elementwise.sqrt(add(1.0, _elementwise.square(ratio))))


def logaddexp(x1: Any, x2: Any) -> Any:
    """``log(exp(x1) + exp(x2))``, without overflow."""
    if not is_symbolic(x1, x2):
        return _of_floats("logaddexp", x1=x1, x2=x2)
    # Equal numbers are 0 apart, also where they are infinite.
    apart = where(_elementwise.not_equal(x1, x2), absolute(_elementwise.subtract(x1, x2)), 0.0)
    return add(_elementwise.maximum(x1, x2), _elementwise.log1p(exp(negative(apart))))


def trunc(x: Any) -> Any:
    """Each element without what is behind its point; without a gradient."""
    if not is_symbolic(x):
        return np.trunc(as_array(x, "x"))
    return where(_elementwise.less(x, 0.0), _elementwise.ceil(x), floor(x))


def round(x: Any, decimals: int = 0) -> Any:
    """Each element with so many decimals; halves go to the even neighbour. Without a gradient."""
    if not is_symbolic(x):
        return np.round(as_array(x, "x"), decimals)
    scaled = multiply(x, 10.0**decimals) if decimals else x
    below = floor(scaled)
    beyond = _elementwise.subtract(scaled, below)
    is_odd_half = _elementwise.logical_and(equal(beyond, 0.5), _elementwise.mod(below, 2.0))
    found = add(below, _elementwise.logical_or(greater(beyond, 0.5), is_odd_half))
    return multiply(found, 10.0**-decimals) if decimals else found


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Each element of the first choice whose condition is not 0 there, else of `default`.

    Raises:
        ValueError: not as many choices as conditions.
    """
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"choicelist must have an entry for each of the {len(condlist)} conditions, but has {len(choicelist)}."
        )
    found = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = where(condition, choice, found)
    return found
