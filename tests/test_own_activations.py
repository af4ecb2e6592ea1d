"""Activations of one's own: functions of symbolic tensors."""

import copy
import functools
import pickle

import numpy as np
import pytest
from helpers import bits, close_gradient
from numpy.testing import assert_array_equal
from reference import central_difference

import pynn
from pynn import activations, layers, ops


def swish(x):
    return x * activations.sigmoid(x)


def leaky_relu(x):
    """Called as one of pynn's."""
    return (x > 0) * x + 0.5 * (x <= 0) * x


def twice(x):
    """Not element by element, and of another shape."""
    return layers.concatenate([x, x])


class Functions:
    def cube(self, x):
        return x**3


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return self.factor * x

    def get_config(self):
        return {"factor": self.factor}


leaky = functools.partial(activations.relu, negative_slope=0.1)
CASES = [
    (swish, lambda y: y / (1 + np.exp(-y))),
    (lambda x: (x > 0) * x - 1, lambda y: np.maximum(y, 0) - 1),
    (leaky, lambda y: np.where(y > 0, y, 0.1 * y)),
    (Functions().cube, lambda y: y**3),
    (Scaled(3.0), lambda y: 3 * y),
    (twice, lambda y: np.concatenate([y, y], -1)),
    (lambda x: x, lambda y: y),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", range(len(CASES)))
def test_function_is_an_activation(number, dtype, random):
    function, formula = CASES[number]
    x = random.normal(size=(4, 5, 3)).astype(dtype)
    for kind in (layers.Dense, lambda n, **more: layers.Conv1D(n, 1, **more)):
        layer, plain = kind(2, activation=function, dtype=dtype), kind(2, dtype=dtype)
        y = layer(x)
        plain.build((None, 5, 3))
        plain.set_weights(layer.get_weights())
        np.testing.assert_allclose(y, formula(plain(x)), rtol=1e-5, atol=1e-6)
        assert y.dtype == dtype
        assert layer.compute_output_shape((None, 5, 3)) == (None, *y.shape[1:])
        model = pynn.Sequential([pynn.Input((None, 3), dtype=dtype), kind(2, activation=function)])
        model.set_weights(layer.get_weights())
        np.testing.assert_array_equal(model(x), y)
        np.testing.assert_array_equal(model(x[:, :2]), y[:, :2])
    np.testing.assert_allclose(layers.Activation(function, dtype=dtype)(x), formula(x), rtol=1e-5, atol=1e-6)


def test_gradient_of_a_function(random):
    pynn.config.set_floatx("float64")
    x = random.normal(size=(3, 4))
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(5, activation=swish)])
    dy = random.normal(size=(3, 5))
    numeric = central_difference(lambda x: float((model(x) * dy).sum()), x)
    assert close_gradient(numeric, model.vjp(x, dy)[1]).all()


def test_function_trains_as_the_activation_that_it_is(random):
    x, y = random.normal(size=(32, 3)), random.normal(size=(32, 1))
    models = []
    for activation in (swish, "silu"):
        pynn.set_random_seed(3)
        models.append(pynn.Sequential([pynn.Input((3,)), layers.Dense(6, activation=activation), layers.Dense(1)]))
        models[-1].compile("adam", "mse")
        models[-1].fit(x, y, epochs=5, verbose=0)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_model_with_a_function_is_copied_and_saved(random, tmp_path):
    x = random.normal(size=(4, 3)).astype("float32")
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, activation=swish)])
    model.compile("adam", "mse")
    model.save(tmp_path / "model.pynn")
    with pytest.raises(ValueError, match="activation 'swish' is a function of one's own"):
        pynn.load_model(tmp_path / "model.pynn")  # pynn's own swish is another one
    loaded = pynn.load_model(tmp_path / "model.pynn", custom_objects={"swish": swish})
    for twin in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin(x), model(x))
        assert bits(twin) == bits(model)
        assert twin.layers[0].activation == activations.get(swish)
    assert pynn.models.clone_model(model).layers[0].activation == activations.get(swish)
    nameless = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, activation=lambda x: x * 2)])
    with pytest.raises(ValueError, match=r"cannot be saved or copied.*is no function with a name"):
        nameless.save(tmp_path / "nameless.pynn")
    twin = pynn.models.clone_model(nameless)
    twin.set_weights(nameless.get_weights())
    np.testing.assert_array_equal(twin(x), nameless(x))


def test_model_with_an_object_that_is_called_is_saved(random, tmp_path):
    x = random.normal(size=(4, 3)).astype("float32")
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, activation=Scaled(3.0)), layers.Activation(Scaled(0.5))])
    model.save(tmp_path / "model.pynn")
    with pytest.raises(ValueError, match="Unknown activation 'Scaled'"):
        pynn.load_model(tmp_path / "model.pynn")
    with pynn.utils.custom_object_scope({"Scaled": Scaled}):
        for twin in (pynn.load_model(tmp_path / "model.pynn"), copy.deepcopy(model)):
            np.testing.assert_array_equal(twin(x), model(x))
            assert twin.layers[0].activation.function.factor == 3.0


@pytest.mark.parametrize("function", [ops.gelu, ops.square])
def test_functions_of_pynn_are_copied_as_they_are(random, function):
    # Its `gelu` is by default another function than that of pynn.activations.
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(4, activation=function), layers.Lambda(function)])
    twin = copy.deepcopy(model)
    x = random.normal(size=(5, 3)).astype("float32")
    assert_array_equal(twin(x), model(x))
    assert twin.layers[1].function is function


@pytest.mark.parametrize("function", [ops.gelu, leaky_relu, activations.gelu])
def test_activations_in_a_get_config_stay_what_they_are(random, function):
    class Applies(layers.Layer):
        def __init__(self, function, **kwargs):
            super().__init__(**kwargs)
            self.function = activations.get(function)

        def call(self, inputs):
            return self.function(inputs)

        def get_config(self):
            return {**super().get_config(), "function": self.function}

    model = pynn.Sequential([pynn.Input((3,)), Applies(function)])
    x = random.normal(size=(5, 3)).astype("float32")
    assert_array_equal(copy.deepcopy(model)(x), model(x))


def test_function_by_a_name_that_is_given():
    with pynn.saving.custom_object_scope({"of mine": swish}):
        assert layers.Dense(3, activation="of mine").activation == activations.get(swish)
    with pytest.raises(ValueError, match="Unknown activation 'of mine'"):
        layers.Dense(3, activation="of mine")


def test_activation_of_a_function_is_equal_to_its_like(random):
    x = random.normal(size=(4, 3))
    one = activations.get(swish)
    assert one == activations.get(swish) != activations.get(twice)
    assert one != activations.silu
    assert len({one, activations.get(swish), activations.silu}) == 2
    assert one.name == "swish"
    assert "swish" in repr(one)
    np.testing.assert_allclose(one(x), activations.silu(x))
    assert one(pynn.Input((3,))).shape == (None, 3)
    assert activations.get(twice).output_shape((7, 3)) == (7, 6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: 3, "must return a symbolic tensor"),
        (lambda x: np.tanh(x), "numpy.tanh takes no symbolic tensor"),
        (lambda x: layers.Dense(2)(x), "which is none of its own"),
        (lambda: 3, "positional argument"),
    ],
)
def test_function_that_is_no_activation(function, message):
    layer = layers.Dense(3, activation=function)
    with pytest.raises((TypeError, ValueError), match=message):
        layer(np.ones((2, 3)))
    assert not layer.built


def test_function_without_a_gradient_is_told(random):
    model = pynn.Sequential(
        [pynn.Input((3,)), layers.Dense(4, activation=lambda x: activations.step(x)), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="has no gradient to train with"):
        model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)


def test_recurrent_layers_take_no_function():
    with pytest.raises(ValueError, match=r"must work on each element by itself.*a function of one's own"):
        layers.LSTM(3, activation=swish)
    with pytest.raises(TypeError, match="works on symbolic tensors and in layers"):
        activations.get(swish).forward(np.ones(3), np.ones(3))
