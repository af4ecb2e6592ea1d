"""Functions of each element and of a number learned for its column: a bias, and the slope of PReLU."""

import numpy as np
import pytest
from helpers import SIZES, THREADS, close_gradient, looped
from reference import central_difference

import pynn
from pynn.engine import single

KINDS = {
    "bias": lambda x, bias: x + bias,
    "prelu": lambda x, slope: np.where(x > 0, x, slope * x),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = looped("dtype", [np.float32, np.float64])


def forward(kind, x, learned):
    y = np.full_like(x, np.nan)
    single.forward(kind, y, x, [learned])
    return y


def backward(kind, dy, x, y, learned):
    dx, gradient = np.full_like(x, np.nan), np.full_like(learned, np.nan)
    single.backward(kind, dx, [gradient], dy, x, y, [learned])
    return dx, gradient


@every_kind
@every_dtype
@pytest.mark.parametrize("columns", SIZES)
def test_columns_value(kind, columns, dtype, random):
    x, learned = random.normal(size=(5, 3, columns)).astype(dtype), random.normal(size=columns).astype(dtype)
    np.testing.assert_array_equal(forward(kind, x, learned), KINDS[kind](x, learned))


@every_kind
@pytest.mark.parametrize("columns", [1, 2, 7, 17, 33])
def test_columns_gradient_is_the_derivative(kind, columns, random):
    x, dy = random.normal(size=(2, 3, 2, columns))
    learned = random.normal(size=columns)
    dx, gradient = backward(kind, dy, x, forward(kind, x, learned), learned)
    assert close_gradient(central_difference(lambda x: np.sum(dy * forward(kind, x, learned)), x), dx).all()
    numeric = central_difference(lambda learned: np.sum(dy * forward(kind, x, learned)), learned)
    assert close_gradient(numeric, gradient).all()


@every_kind
@every_dtype
@pytest.mark.parametrize("rows", [1, 31, 33, 65, 2100])
def test_columns_gradient_of_many_rows(kind, rows, dtype, random):
    x, dy = random.normal(size=(2, rows, 1, 5)).astype(dtype)
    learned = random.normal(size=5).astype(dtype)
    dx, gradient = backward(kind, dy, x, x, learned)
    slope = np.where(x > 0, 1, learned) if kind == "prelu" else 1
    terms = dy * np.where(x < 0, x, 0) if kind == "prelu" else dy
    np.testing.assert_array_equal(dx, (dy * slope).astype(dtype))
    tolerance = 8 * np.finfo(dtype).eps
    expected = terms.astype(np.float64).sum(axis=(0, 1))
    np.testing.assert_allclose(gradient, expected, rtol=tolerance, atol=tolerance * rows)


@every_dtype
def test_prelu_at_zero_and_of_strange_numbers(dtype):
    """As in Keras, no gradient passes at 0."""
    x = np.array([[0.0, -0.0, np.inf, -np.inf, np.nan]], dtype)
    slope = np.full(5, 0.5, dtype)
    np.testing.assert_array_equal(forward("prelu", x, slope), [[0, 0, np.inf, -np.inf, np.nan]])
    dx, gradient = backward("prelu", np.ones_like(x), x, x, slope)
    np.testing.assert_array_equal(dx, [[0, 0, 1, 0.5, 0]])
    np.testing.assert_array_equal(gradient, [0, 0, 0, -np.inf, 0])


@every_kind
@pytest.mark.parametrize(("rows", "columns"), [(1, 40_000), (3, 17), (700, 33), (3000, 1)])
def test_columns_threads(kind, rows, columns, random):
    x, dy = random.normal(size=(2, rows, 1, columns)).astype(np.float32)
    learned = random.normal(size=columns).astype(np.float32)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        y = forward(kind, x, learned)
        seen.add(y.tobytes() + b"".join(part.tobytes() for part in backward(kind, dy, x, y, learned)))
    assert len(seen) == 1


@every_kind
def test_columns_that_do_not_fit_are_refused(kind):
    x = np.ones((2, 15))
    with pytest.raises(ValueError, match="divides that of x"):
        forward(kind, x, np.ones(4))
