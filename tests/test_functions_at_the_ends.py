"""Functions of symbolic tensors at 0, at tiny and at huge numbers: values and slopes."""

import numpy as np
import pytest

import pynn
from pynn import ops

# Points, the values that Keras has on JAX, and the slopes.
HYPOT = [
    ((0.0, 0.0), 0.0, (0.5, 0.5)),
    ((-0.0, 0.0), 0.0, (0.5, 0.5)),
    ((1e25, 1e25), 1.4142135e25, (0.70710677, 0.70710677)),
    ((1e-30, 1e-30), 1.4142136e-30, (0.70710677, 0.70710677)),
    ((1e-23, 1e-22), 1.00498765e-22, (0.09950372, 0.9950372)),
    ((3.0, -4.0), 5.0, (0.6, -0.8)),
    ((-5.0, 0.0), 5.0, (-1.0, 0.0)),
    ((1.0, 3e38), 3e38, (0.0, 1.0)),
    ((1e-20, 1e25), 1e25, (0.0, 1.0)),
]


def hypot_model():
    one, other = pynn.Input((1,)), pynn.Input((1,))
    return pynn.Model([one, other], ops.hypot(one, other))


@pytest.mark.parametrize(("point", "value", "slopes"), HYPOT)
def test_hypot_neither_overflows_nor_loses_its_slope(point, value, slopes):
    model, xs = hypot_model(), [np.float32([[each]]) for each in point]
    np.testing.assert_allclose(model.predict(xs, verbose=0), [[value]], rtol=1e-6)
    found = model.vjp(xs, np.ones((1, 1), "float32"))[1]
    np.testing.assert_allclose(np.ravel(found), slopes, rtol=1e-6)


def test_hypot_of_what_is_infinite_is_infinite():
    xs = [np.float32([[np.inf], [3], [-np.inf]]), np.float32([[3], [-np.inf], [np.inf]])]
    assert np.isposinf(hypot_model().predict(xs, verbose=0, check_finite=False)).all()


def test_hypot_is_saved(tmp_path):
    xs = [np.float32([[3], [0]]), np.float32([[4], [0]])]
    hypot_model().save(tmp_path / "model")
    np.testing.assert_array_equal(pynn.load_model(tmp_path / "model").predict(xs, verbose=0), [[5], [0]])


def test_weights_that_start_at_0_train_through_hypot():
    class Length(pynn.layers.Layer):
        def build(self, input_shape):
            self.point = self.add_weight((2,), "zeros")

        def call(self, x):
            return x * ops.hypot(self.point[0], self.point[1])

    model = pynn.Sequential([pynn.Input((1,)), Length()])
    model.compile(pynn.optimizers.SGD(0.1), "mse")
    model.fit(np.ones((4, 1), "float32"), np.ones((4, 1), "float32"), epochs=3, verbose=0)
    (point,) = model.get_weights()
    assert np.isfinite(point).all()
    assert (point > 0.1).all()


def test_logaddexp_of_what_is_infinite():
    xs = [
        np.float32([[-np.inf], [np.inf], [np.inf], [1], [1e5]]),
        np.float32([[-np.inf], [np.inf], [-np.inf]] + [[1]] * 2),
    ]
    one, other = pynn.Input((1,)), pynn.Input((1,))
    model = pynn.Model([one, other], ops.logaddexp(one, other))
    found = model.predict(xs, verbose=0, check_finite=False)
    np.testing.assert_allclose(found, [[-np.inf], [np.inf], [np.inf], [1 + np.log(2)], [1e5]], rtol=1e-6)
    slopes = model.vjp([x[3:] for x in xs], np.ones((2, 1), "float32"))[1]
    np.testing.assert_allclose(slopes, [[[0.5], [1]], [[0.5], [0]]])


def slope_of(function, x, **settings):
    tensor = pynn.Input(x.shape[1:])
    model = pynn.Model(tensor, getattr(ops, function)(tensor, **settings))
    y = model.predict(x, verbose=0)
    return y, model.vjp(x, np.ones_like(y))[1]


@pytest.mark.parametrize("axis", [-1, (1, 2)])
def test_norm_of_zeros_has_no_slope(axis):
    y, dx = slope_of("norm", np.zeros((2, 3, 4), "float32"), axis=axis)
    np.testing.assert_array_equal(y, np.zeros_like(y))
    np.testing.assert_array_equal(dx, np.zeros((2, 3, 4)))
    y, dx = slope_of("norm", np.float32([[3, -4], [1e-10, 2e-10]]), axis=-1)
    np.testing.assert_allclose(y, [5, 2.236068e-10], rtol=1e-6)
    np.testing.assert_allclose(dx, [[0.6, -0.8], [0.44721356, 0.8944271]], rtol=1e-6)


def test_deviation_of_equal_elements_has_no_slope():
    y, dx = slope_of("std", np.float32([[1, 1, 1], [0, 0, 0], [3, 4, 0]]), axis=-1)
    np.testing.assert_allclose(y, [0, 0, 1.6996732], rtol=1e-6)
    np.testing.assert_allclose(dx[:2], np.zeros((2, 3)))
    np.testing.assert_allclose(dx[2], [0.13074408, 0.32686022, -0.45760432], rtol=1e-5)


@pytest.mark.parametrize("function", ["sinh", "expm1"])
def test_slope_of_what_overflows_is_infinite(function):
    _, dx = slope_of(function, np.float32([[100, 1e5, 1, 0]]))
    assert np.isposinf(dx[0, :2]).all()
    np.testing.assert_allclose(dx[0, 2:], [np.cosh(1) if function == "sinh" else np.e, 1], rtol=1e-6)


def test_slope_of_the_cube_root_is_infinite_at_0():
    y, dx = slope_of("cbrt", np.float32([[0, -0.0, 8, -8]]))
    np.testing.assert_allclose(y, [[0, 0, 2, -2]], rtol=1e-6)
    np.testing.assert_allclose(dx, [[np.inf, np.inf, 1 / 12, 1 / 12]], rtol=1e-6)
