"""The error of the engine's own elementary functions, in units in the last place, on dense grids of their range.

Measured against longdouble, which has 11 bits more than float64 here. Measured on AVX-512, AVX2 and SSE4 in float32
and float64: exponential 1.0 and 1.0, tanh 2.1 and 2.3, sigmoid 2.5 and 2.1, softplus 1.8 and 1.8, elu 0.8 and 1.1,
silu 2.7 and 2.4, mish 3.7 and 4.0, logarithm (in log_softmax) 1.9 and 1.5. The bounds leave other compilers some room.
Every float is tried by tests/native/check_math.cpp (`.ci/check-kernels math`).
"""

import numpy as np
import pytest
import reference
from reference import ulp_error

from pynn import ops

pytestmark = pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="longdouble is no wider than float64 here")

POINTS = 400_001
# function: range in float32, in float64 (results are normal numbers in it), largest error in float32, in float64
CASES = {
    "exponential": ((-87.3, 88.7), (-708.3, 709.7), 2, 2),
    "tanh": ((-12, 12), (-25, 25), 3, 3),
    "sigmoid": ((-87.3, 20), (-708.3, 40), 3, 3),
    "softplus": ((-87.3, 90), (-708.3, 710), 3, 3),
    "log_sigmoid": ((-90, 87.3), (-710, 708.3), 3, 3),
    "elu": ((-20, 20), (-40, 40), 2, 2),
    "silu": ((-80, 80), (-700, 700), 4, 4),
    "mish": ((-80, 80), (-700, 700), 5, 5),
}


def grid(low, high, dtype):
    """Even steps over the range, and ever smaller numbers around 0."""
    small = np.geomspace(np.finfo(dtype).tiny * 4, 1, POINTS // 4)
    points = np.concatenate([np.linspace(low, high, POINTS), small, -small]).astype(dtype)
    return points[(points >= low) & (points <= high)]


def exact(name, x):
    """The value in longdouble."""
    x = x.astype(np.longdouble)
    if name == "exponential":
        return np.exp(x)
    return getattr(reference, name)(x)[0]


def largest_error(name, dtype, span):
    x = grid(*span, dtype)
    errors = ulp_error(ops.activation_forward(x, name), exact(name, x))
    worst = int(np.argmax(errors))
    return float(errors[worst]), float(x[worst])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ulp(name, dtype, record_property):
    single = dtype == np.float32
    error, at = largest_error(name, dtype, CASES[name][0 if single else 1])
    record_property("ulp", error)
    limit = CASES[name][2 if single else 3]
    assert error <= limit, f"{name} in {dtype.__name__}: {error:.2f} units in the last place at {at!r}"


# function: what it is at 0, -0, inf, -inf
EXACT = {
    "exponential": (1, 1, np.inf, 0),
    "tanh": (0.0, -0.0, 1, -1),
    "sigmoid": (0.5, 0.5, 1, 0),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ulp_of_exact_values(name, dtype):
    """Bit for bit, in whole vectors and in their rests."""
    for x, y in zip((0.0, -0.0, np.inf, -np.inf), EXACT[name], strict=True):
        got = ops.activation_forward(np.full(37, x, dtype), name)
        assert got.tobytes() == np.full(37, y, dtype).tobytes(), (x, got)
    assert np.isnan(ops.activation_forward(np.full(37, np.nan, dtype), name)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ulp_of_exact_logarithms(dtype):
    """log_softmax takes the logarithm of a sum that is at least 1; check_math.cpp has those of 0 and infinity."""
    rows = np.array([[3, -np.inf], [-np.inf, 0], [0, -1e4]], dtype)  # sums of 1
    np.testing.assert_array_equal(ops.activation_forward(rows, "log_softmax"), rows - rows.max(axis=1, keepdims=True))
    assert np.isnan(ops.activation_forward(np.full((5, 3), np.nan, dtype), "log_softmax")).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ulp_of_the_logarithm(dtype):
    """log_softmax of (x, 0) is x - log(1 + exp(x)): where x is negative, mostly the logarithm's error is seen."""
    x = np.linspace(-20, 0, POINTS).astype(dtype)
    pairs = np.stack([x, np.zeros_like(x)], axis=1)
    got = ops.activation_forward(pairs, "log_softmax")
    expected = reference.log_softmax(pairs.astype(np.longdouble))
    assert ulp_error(got[:, 0], expected[:, 0]).max() <= 3
    absolute = np.abs(got[:, 1] - expected[:, 1])
    assert absolute.max() <= np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ulp_of_gelu(dtype):
    """gelu in its left tail, where 1 + erf would have lost all digits, against mpmath."""
    mpmath = pytest.importorskip("mpmath")
    x = np.linspace(-12.5 if dtype == np.float32 else -37, 8, 400).astype(dtype)
    with mpmath.workdps(40):
        values = [mpmath.mpf(float(v)) * mpmath.erfc(-mpmath.mpf(float(v)) / mpmath.sqrt(2)) / 2 for v in x]
        got = ops.activation_forward(x, "gelu")
        errors = [abs(mpmath.mpf(float(g)) - v) / np.spacing(abs(dtype(v))) for g, v in zip(got, values, strict=True)]
    # exp(-x^2 / 2) turns the rounding of x^2 / 2 into as many units as the exponent has
    limits = 8 + x.astype(np.float64) ** 2
    assert all(error <= limit for error, limit in zip(errors, limits, strict=True)), max(errors)


@pytest.mark.parametrize("name", ["exponential", "sigmoid", "softplus"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ulp_below_the_normal_numbers(name, dtype):
    """Results too small for a normal number are 0 or near: the engine may flush them."""
    tiny = np.finfo(dtype).tiny
    x = np.linspace(2 * np.log(tiny), np.log(tiny), 1001).astype(dtype)
    y = ops.activation_forward(x, name)
    assert np.all(y >= 0)
    assert np.all(np.abs(y - exact(name, x)) <= tiny)
