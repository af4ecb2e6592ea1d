"""Functions of each element, under Keras's names (``keras.ops``): of arrays as NumPy's, of symbolic tensors and weights
as what operators make of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import activations
from ..layers import symbolic
from ..layers.operators import kept
from ._values import as_array, as_float, is_symbolic, of_two, only_array

__all__ = [
    "abs",
    "absolute",
    "add",
    "ceil",
    "clip",
    "cos",
    "divide",
    "divide_no_nan",
    "equal",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "reciprocal",
    "rsqrt",
    "sign",
    "sin",
    "sqrt",
    "square",
    "stop_gradient",
    "subtract",
    "true_divide",
    "where",
]


def add(x1: Any, x2: Any) -> Any:
    """``x1 + x2``."""
    return of_two("add", x1, x2)


def subtract(x1: Any, x2: Any) -> Any:
    """``x1 - x2``."""
    return of_two("subtract", x1, x2)


def multiply(x1: Any, x2: Any) -> Any:
    """``x1 * x2``."""
    return of_two("multiply", x1, x2)


def divide(x1: Any, x2: Any) -> Any:
    """``x1 / x2``."""
    return of_two("divide", x1, x2)


def true_divide(x1: Any, x2: Any) -> Any:
    """``x1 / x2``, as `divide`."""
    return divide(x1, x2)


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """``x1 / x2``, and 0 where x2 is 0."""
    if is_symbolic(x1, x2):
        zero = equal(x2, 0.0)
        return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))
    x1, x2 = as_array(x1, "x1"), as_array(x2, "x2")
    nothing = np.equal(x2, 0)
    return np.where(nothing, np.float32(0), np.divide(x1, np.where(nothing, np.ones_like(x2), x2)))[()]


def floor_divide(x1: Any, x2: Any) -> Any:
    """``x1 // x2``, without a gradient."""
    return of_two("floor_divide", x1, x2)


def mod(x1: Any, x2: Any) -> Any:
    """``x1 % x2``, which has the sign of `x2`."""
    return of_two("remainder", x1, x2)


def power(x1: Any, x2: Any) -> Any:
    """``x1 ** x2``."""
    return of_two("power", x1, x2)


def maximum(x1: Any, x2: Any) -> Any:
    """The larger of both. Where they are equal, each gets half of the gradient."""
    return of_two("maximum", x1, x2)


def minimum(x1: Any, x2: Any) -> Any:
    """The smaller of both. Where they are equal, each gets half of the gradient."""
    return of_two("minimum", x1, x2)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """``minimum(maximum(x, x_min), x_max)``."""
    return minimum(maximum(x, x_min), x_max)


# ---- comparisons and logic: of symbolic tensors 1 and 0, without a gradient


def less(x1: Any, x2: Any) -> Any:
    """``x1 < x2``."""
    return of_two("less", x1, x2)


def less_equal(x1: Any, x2: Any) -> Any:
    """``x1 <= x2``."""
    return of_two("less_equal", x1, x2)


def greater(x1: Any, x2: Any) -> Any:
    """``x1 > x2``."""
    return of_two("greater", x1, x2)


def greater_equal(x1: Any, x2: Any) -> Any:
    """``x1 >= x2``."""
    return of_two("greater_equal", x1, x2)


def not_equal(x1: Any, x2: Any) -> Any:
    """``x1 != x2``."""
    return of_two("not_equal", x1, x2)


def equal(x1: Any, x2: Any) -> Any:
    """``x1 == x2``, element by element."""
    return logical_not(not_equal(x1, x2))


def logical_and(x1: Any, x2: Any) -> Any:
    """Where both are not 0."""
    return of_two("logical_and", x1, x2)


def logical_or(x1: Any, x2: Any) -> Any:
    """Where one of both is not 0."""
    return of_two("logical_or", x1, x2)


def logical_xor(x1: Any, x2: Any) -> Any:
    """Where one of both is not 0 and the other is."""
    return of_two("logical_xor", x1, x2)


def logical_not(x: Any) -> Any:
    """Where `x` is 0."""
    return symbolic.arithmetic("logical_not", x, None) if is_symbolic(x) else np.logical_not(as_array(x, "x"))


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """`x1` where the condition is not 0, else `x2`; shapes are broadcast.

    What is not taken may be infinite or NaN, and its gradient is 0. As in Keras, that may become NaN again further
    back, where 0 is multiplied by a slope that is not finite.

    Of an array alone: the places where it is not 0, for each axis an array, in int32.

    Raises:
        ValueError: one of `x1` and `x2` alone.
    """
    if x1 is None or x2 is None:
        return _places(condition, x1, x2)
    if not is_symbolic(condition, x1, x2):
        return np.where(as_array(condition, "condition"), as_array(x1, "x1"), as_array(x2, "x2"))
    return _taken(x1, not_equal(condition, 0.0)) + _taken(x2, equal(condition, 0.0))


def _taken(x: Any, condition: Any) -> Any:
    return kept(x, condition) if is_symbolic(x, condition) else np.where(condition, as_array(x, "x"), 0)


def _places(condition: Any, x1: Any, x2: Any) -> tuple[Any, ...]:
    if x1 is not None or x2 is not None:
        raise ValueError("where takes x1 and x2, or none of them, but got one.")
    found = np.nonzero(only_array(condition, "where", "condition"))
    return tuple(each.astype(np.int32) for each in found)


# ---- of one


def absolute(x: Any) -> Any:
    """``|x|``; its gradient is 0 at 0."""
    return symbolic.arithmetic("absolute", x, None) if is_symbolic(x) else np.absolute(as_array(x, "x"))


abs = absolute


def negative(x: Any) -> Any:
    """``-x``."""
    return symbolic.arithmetic("negative", x, None) if is_symbolic(x) else np.negative(as_array(x, "x"))


def sign(x: Any) -> Any:
    """1 where `x` is above 0, -1 where it is below, 0 where it is 0; without a gradient."""
    return subtract(greater(x, 0.0), less(x, 0.0)) if is_symbolic(x) else np.sign(as_array(x, "x"))


def square(x: Any) -> Any:
    """``x * x``."""
    return multiply(x, x)


def sqrt(x: Any) -> Any:
    """The square root; NaN below 0."""
    return power(x, 0.5) if is_symbolic(x) else np.sqrt(as_array(x, "x"))


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``."""
    return power(x, -0.5) if is_symbolic(x) else 1 / np.sqrt(as_array(x, "x"))


def reciprocal(x: Any) -> Any:
    """``1 / x``."""
    return divide(1.0, x)


def exp(x: Any) -> Any:
    """``e ** x``."""
    return activations.exponential(x) if is_symbolic(x) else np.exp(as_array(x, "x"))


def _of_one(function: str, x: Any) -> Any:
    """A function of each element; whole numbers are taken as floats of 32 bits, as in Keras."""
    if is_symbolic(x):
        return symbolic.arithmetic(function, x, None)
    return getattr(np, function)(as_float(as_array(x, "x")))


def log(x: Any) -> Any:
    """The natural logarithm; -inf of 0, NaN below."""
    return _of_one("log", x)


def log1p(x: Any) -> Any:
    """``log(1 + x)``, exact for small x, too."""
    return _of_one("log1p", x)


def sin(x: Any) -> Any:
    """The sine."""
    return _of_one("sin", x)


def cos(x: Any) -> Any:
    """The cosine."""
    return _of_one("cos", x)


def floor(x: Any) -> Any:
    """The largest whole number up to `x`; without a gradient."""
    return floor_divide(x, 1.0) if is_symbolic(x) else _of_one("floor", x)


def ceil(x: Any) -> Any:
    """The smallest whole number from `x` on; without a gradient."""
    return negative(floor(negative(x))) if is_symbolic(x) else _of_one("ceil", x)


def log2(x: Any) -> Any:
    """The logarithm to the base 2."""
    return log(x) / math.log(2) if is_symbolic(x) else _of_one("log2", x)


def log10(x: Any) -> Any:
    """The logarithm to the base 10."""
    return log(x) / math.log(10) if is_symbolic(x) else _of_one("log10", x)


def expm1(x: Any) -> Any:
    """``exp(x) - 1``, exact for small `x`, too."""
    if not is_symbolic(x):
        return _of_one("expm1", x)
    # Beyond 1 nothing is lost, and what overflows has a slope that is infinite rather than NaN.
    near = minimum(x, 1.0)
    above = where(greater_equal(x, 1.0), exp(x) - 1.0, negative(multiply(exp(near), activations.elu(negative(near)))))
    return where(greater(x, 0.0), above, activations.elu(x))


def stop_gradient(variable: Any) -> Any:
    """The same, without a gradient: what it is made of does not learn by it."""
    if is_symbolic(variable):
        return symbolic.arithmetic("stop_gradient", variable, None)
    return as_array(variable, "variable")
