"""Softmax, its logarithm and sparsemax over any axis against the reference."""

import numpy as np
import pytest
import reference
from helpers import SIZES, THREADS, close_gradient, looped

import pynn
from pynn import ops
from pynn.activations import Activation

# shape, axis
CASES = [
    *(((3, n), -1) for n in SIZES),
    *(((n, 3), 0) for n in SIZES),
    *(((3, 4, n), 1) for n in SIZES),
    ((5,), 0),
    ((300, 10), -1),
    ((2, 3, 4, 5), 1),
    ((2, 3, 4, 5), 2),
    ((2, 3, 4, 5), -1),
]
every_case = pytest.mark.parametrize(("shape", "axis"), CASES)
every_name = looped("name", ["softmax", "log_softmax", "sparsemax"])
every_dtype = looped("dtype", [np.float32, np.float64])


@every_case
@every_name
@every_dtype
def test_softmax_value(shape, axis, name, dtype, random):
    x = random.normal(0, 4, shape).astype(dtype)
    y = ops.activation_forward(x, Activation(name, axis=axis))
    expected = getattr(reference, name)(x.astype(np.float64), axis)
    assert y.dtype == dtype
    # The error of a sum of n terms, and of x - max before the exponential
    eps = np.finfo(dtype).eps
    if name == "softmax":
        np.testing.assert_allclose(y, expected, rtol=32 * eps, atol=0)
    elif name == "log_softmax":
        np.testing.assert_allclose(y, expected, rtol=8 * eps, atol=8 * eps)
    else:
        np.testing.assert_allclose(y, expected, rtol=8 * eps, atol=32 * eps)


@every_case
@every_name
@every_dtype
def test_softmax_gradient(shape, axis, name, dtype, random):
    activation = Activation(name, axis=axis)
    x, dy = random.normal(0, 2, (2, *shape)).astype(dtype)
    y = ops.activation_forward(x, activation)
    dx = ops.activation_backward(dy, x, y, activation)
    expected = getattr(reference, name + "_backward")(dy.astype(np.float64), y.astype(np.float64), axis)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(dx, expected, rtol=16 * eps, atol=8 * eps * np.abs(dy).sum(axis=axis).max())


@every_name
@pytest.mark.parametrize(("shape", "axis"), [((7,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 4), 1)])
def test_softmax_gradient_is_the_derivative(name, shape, axis, random):
    activation = Activation(name, axis=axis)
    x, dy = random.normal(size=(2, *shape))
    numeric = reference.central_difference(lambda x: np.sum(dy * ops.activation_forward(x, activation)), x)
    dx = ops.activation_backward(dy, x, ops.activation_forward(x, activation), activation)
    assert close_gradient(numeric, dx).all()


@every_dtype
@every_name
def test_softmax_of_large_numbers(name, dtype):
    x = np.array([[1000.0, 0, -1000], [-1000, -1000, -1000], [88.8, 88.8, 88.8], [-5e4, 5e4, 5e4]], dtype)
    y = ops.activation_forward(x, name)
    expected = getattr(reference, name)(x.astype(np.float64))
    np.testing.assert_allclose(y, expected, rtol=16 * np.finfo(dtype).eps)


@every_dtype
def test_softmax_shift_and_sum(dtype, random):
    x = random.integers(-20, 20, (50, 33)).astype(dtype)
    y = ops.activation_forward(x, "softmax")
    np.testing.assert_array_equal(y, ops.activation_forward(x + dtype(64), "softmax"))
    np.testing.assert_allclose(y.sum(axis=1, dtype=np.float64), 1, rtol=8 * np.finfo(dtype).eps)


@every_name
@every_dtype
def test_softmax_nan_and_infinity(name, dtype):
    x = np.zeros((4, 20), dtype)
    x[1, 7] = np.nan
    x[2, 3] = -np.inf
    y = ops.activation_forward(x, name)
    assert np.isnan(y[1]).all()
    expected = getattr(reference, name)(x[[0, 2, 3]].astype(np.float64))
    np.testing.assert_allclose(y[[0, 2, 3]], expected, rtol=16 * np.finfo(dtype).eps)
    x[3, 5] = np.inf  # infinity - infinity
    assert np.isnan(ops.activation_forward(x, name)[3]).any()


@every_case
@every_name
def test_softmax_threads(shape, axis, name, random):
    activation = Activation(name, axis=axis)
    x, dy = random.normal(size=(2, *shape)).astype(np.float32)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        y = ops.activation_forward(x, activation)
        seen.add(y.tobytes() + ops.activation_backward(dy, x, y, activation).tobytes())
    assert len(seen) == 1


@every_case
@every_name
def test_softmax_in_place(shape, axis, name, random):
    activation = Activation(name, axis=axis)
    x, dy = random.normal(size=(2, *shape))
    y = ops.activation_forward(x, activation)
    dx = ops.activation_backward(dy, x, y, activation)
    np.testing.assert_array_equal(ops.activation_forward(x, activation, out=x), y)
    np.testing.assert_array_equal(ops.activation_backward(dy, x, y, activation, out=dy), dx)


@every_dtype
def test_sparsemax_sums_to_one_and_has_zeros(dtype, random):
    x = random.normal(0, 3, (50, 33)).astype(dtype)
    y = pynn.activations.sparsemax(x)
    np.testing.assert_allclose(y.sum(axis=1, dtype=np.float64), 1, rtol=32 * np.finfo(dtype).eps)
    assert (y == 0).sum() > 1000
    np.testing.assert_array_equal(
        pynn.activations.sparsemax([[1.0, 1.0], [3.0, 1.0], [0.0, 0.5]]), [[0.5, 0.5], [1, 0], [0.25, 0.75]]
    )
    np.testing.assert_array_equal(
        pynn.activations.sparsemax(x.T, axis=0), pynn.activations.sparsemax(x.T.copy(), axis=0)
    )


@pytest.mark.parametrize("axis", [2, -3, 0.5, None, "last"])
def test_softmax_bad_axis_names_it(axis):
    with pytest.raises((ValueError, TypeError), match="axis"):
        ops.activation_forward(np.ones((3, 4)), Activation("softmax", axis=axis))
