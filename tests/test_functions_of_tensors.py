"""Functions of pynn.ops on symbolic tensors that are no activations: log, log1p, sin, cos, and what is made of them."""

import numpy as np
import pytest
import reference
from helpers import SIZES, THREADS

import pynn
from pynn import ops

EVERY = ["log", "log1p", "sin", "cos"]


def model_of(function, shape, **settings):
    x = pynn.Input(shape)
    return pynn.Model(x, getattr(ops, function)(x, **settings))


def numbers(size, random, dtype="float64"):
    return random.uniform(0.1, 9, (3, size)).astype(dtype)


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_is_that_of_numpy(function, dtype, random):
    pynn.config.set_floatx(dtype)
    for size in SIZES:
        x = numbers(size, random, dtype)
        found = model_of(function, (size,)).predict(x, verbose=0)
        assert found.dtype == dtype
        np.testing.assert_allclose(
            found, reference.ACTIVATIONS[function](x.astype("float64"))[0], rtol=8 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize("function", EVERY)
def test_gradient_is_the_slope_and_a_central_difference(function, random):
    pynn.config.set_floatx("float64")
    for size in SIZES:
        x, dy, h = numbers(size, random), random.normal(size=(3, size)), 1e-6
        model = model_of(function, (size,))
        dx = model.vjp(x, dy)[1]
        np.testing.assert_allclose(dx, dy * reference.ACTIVATIONS[function](x)[1], rtol=1e-12)
        difference = (model(x + h) - model(x - h)) / (2 * h)
        np.testing.assert_allclose(dx, dy * difference, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("function", EVERY)
def test_ends_of_the_range(function):
    x = np.array([[0, -0.0, -1, 1e-30, -1e-6, np.inf, -np.inf, np.nan, 3e38, 1e5]], "float32")
    with np.errstate(all="ignore"):
        expected = reference.ACTIVATIONS[function](x.astype("float64"))[0]
    found = model_of(function, (10,)).predict(x, verbose=0, check_finite=False)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("function", EVERY)
def test_number_of_threads_changes_no_bit(function, random):
    x = numbers(3333, random, "float32")
    model, found = model_of(function, (3333,)), set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        found.add((model.predict(x, verbose=0).tobytes(), model.vjp(x, x)[1].tobytes()))
    assert len(found) == 1


@pytest.mark.parametrize("function", [*EVERY, "floor", "ceil", "logsumexp"])
def test_configuration_makes_the_same_model(function, random, tmp_path):
    model = model_of(function, (5,), **({"axis": 1} if function == "logsumexp" else {}))
    x = numbers(5, random, "float32")
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(pynn.Model.from_config(model.get_config()).predict(x, verbose=0), expected)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(pynn.load_model(tmp_path / "model").predict(x, verbose=0), expected)


@pytest.mark.parametrize("axis", [1, -1, (1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_overflows_nowhere(axis, keepdims, random):
    x = random.normal(size=(2, 3, 4)).astype("float32") * 1000
    expected = np.logaddexp.reduce(x.astype("float64").reshape(2, -1) if axis == (1, 2) else x, 1 if axis == 1 else -1)
    expected = expected.reshape(x.sum(axis, keepdims=keepdims).shape)
    found = model_of("logsumexp", (3, 4), axis=axis, keepdims=keepdims)(x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(ops.logsumexp(x, axis, keepdims), expected, rtol=1e-6)


def test_logsumexp_of_what_is_not_finite():
    x = np.float32([[-np.inf, -np.inf], [np.inf, 1.0], [-np.inf, 2.0]])
    model = model_of("logsumexp", (2,), axis=1)
    np.testing.assert_allclose(model.predict(x, check_finite=False, verbose=0), [-np.inf, np.inf, 2.0])


def test_logsumexp_of_arrays():
    for whole in (np.uint8([1, 2, 3]), np.int8([1, 2, 3]), [1, 2, 3]):
        found = ops.logsumexp(whole)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, 3.4076059, rtol=1e-6)
    assert ops.logsumexp([-np.inf, -np.inf]) == -np.inf
    assert ops.logsumexp([np.inf, 1.0]) == np.inf
    assert ops.logsumexp([0.0, 0.0]) == np.float32(np.log(2))


@pytest.mark.parametrize("function", ["floor", "ceil"])
def test_whole_numbers_below_and_above(function, random):
    x = np.float32([[-1.5, -1, -0.0, 0.25, 7, 1e9]])
    np.testing.assert_array_equal(model_of(function, (6,))(x), getattr(np, function)(x))


def test_gradient_of_logsumexp_is_softmax(random):
    x = random.normal(size=(3, 5)).astype("float32")
    dx = model_of("logsumexp", (5,), axis=1).vjp(x, np.ones(3, "float32"))[1]
    np.testing.assert_allclose(dx, ops.softmax(x), rtol=1e-5)


def test_quotient_is_0_where_it_has_nothing_to_be_divided_by(random):
    a, b = pynn.Input((3,)), pynn.Input((3,))
    model = pynn.Model([a, b], ops.divide_no_nan(a, b))
    x = random.normal(size=(2, 3)).astype("float32")
    y = np.array([[2, 0, -1], [0, 0, 4]], "float32")
    np.testing.assert_array_equal(model([x, y]), ops.divide_no_nan(x, y))
    dx, dy = model.vjp([x, y], np.ones_like(x))[1]
    np.testing.assert_array_equal(dx, np.where(y == 0, 0, 1 / np.where(y == 0, 1, y)))
    assert np.isfinite(dy).all()


def test_functions_of_weights_in_a_call(random):
    class Scaled(pynn.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones")

        def call(self, x):
            return x * ops.log1p(self.scale)

    layer = Scaled()
    x = random.normal(size=(2, 4)).astype("float32")
    np.testing.assert_allclose(layer(x), x * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(ops.log1p(layer.scale), np.log(2) * np.ones(4), rtol=1e-6)


def test_loss_with_a_logarithm_trains_as_that_of_pynn(random):
    def divergence(y_true, y_pred):
        return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)

    x, y = random.normal(size=(20, 4)).astype("float32"), random.dirichlet(np.ones(3), 20).astype("float32")
    found = []
    for loss in (divergence, "kl_divergence"):
        pynn.set_random_seed(1)
        model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(3, "softmax")])
        model.compile("sgd", loss)
        found.append(model.fit(x, y, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*found, rtol=1e-5)


@pytest.mark.parametrize("function", EVERY)
def test_no_mask_behind_a_function(function):
    x = pynn.layers.Masking()(pynn.Input((3, 2)))
    assert x.mask_shape == (3,)
    assert getattr(ops, function)(x).mask_shape is None


@pytest.mark.parametrize("function", [*EVERY, "floor", "ceil", "logsumexp"])
def test_what_is_no_number_is_refused(function):
    with pytest.raises(TypeError, match="x must be numbers"):
        getattr(ops, function)("text")
