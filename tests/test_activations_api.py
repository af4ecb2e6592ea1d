"""Activations as users meet them: the functions themselves are what `get` and layers give back."""

import copy
import inspect
import json
import pickle
import pydoc

import numpy as np
import pytest

import pynn
from pynn import activations, layers

NAMES = sorted(set(activations.SETTINGS) - {"threshold"})  # which has no defaults
SETTINGS = [("relu", "negative_slope", 0.5), ("leaky_relu", "negative_slope", 0.5), ("elu", "alpha", 2.0)]
SETTINGS += [("celu", "alpha", 2.0), ("gelu", "approximate", True), ("softmax", "axis", 0)]


@pytest.mark.parametrize("name", NAMES)
def test_activation_get_gives_the_function(name):
    function = getattr(activations, name)
    assert function.__name__ == function.name == name
    as_keras_says = {"class_name": "function", "config": name, "module": "builtins", "registered_name": "function"}
    for identifier in (name, function, {"class_name": name, "config": {}}, {"class_name": name}, as_keras_says):
        assert activations.get(identifier) is function
    assert activations.get(activations.serialize(function)) is function
    assert layers.Dense(3, activation=name).activation is function
    assert layers.Activation(function).activation is function
    assert copy.deepcopy(function) is function
    assert pickle.loads(pickle.dumps(function)) is function


def test_activation_aliases_are_the_same_functions():
    assert activations.get("swish") is activations.swish is activations.silu
    assert activations.get("hard_swish") is activations.hard_swish is activations.hard_silu
    assert activations.get(None) is activations.linear
    assert layers.Dense(3).activation is activations.linear


@pytest.mark.parametrize(("name", "setting", "value"), SETTINGS)
def test_activation_settings(name, setting, value, random):
    """A function called with settings is the `Activation` that has them, which is equal only to its like."""
    function, other = getattr(activations, name), activations.Activation(name, **{setting: value})
    x = random.normal(size=(3, 4))
    np.testing.assert_array_equal(function(x, **{setting: value}), other(x))
    assert (function(x) != other(x)).any()
    assert other != function
    assert activations.Activation(name) == function
    assert hash(activations.Activation(name)) == hash(function)
    assert {function: 1}[activations.Activation(name)] == 1
    twin = activations.get(json.loads(json.dumps(activations.serialize(other))))
    assert twin == other
    assert hash(twin) == hash(other)
    assert twin.config[setting] == value
    assert copy.deepcopy(other) == pickle.loads(pickle.dumps(other)) == other


def test_activation_signatures_are_shown():
    assert list(inspect.signature(activations.relu).parameters) == ["x", "negative_slope", "max_value", "threshold"]
    shown = pydoc.plain(pydoc.render_doc(activations.relu))
    assert "relu(x: " in shown
    assert "negative_slope: 'float' = 0.0" in shown
    assert "Rectified linear unit" in shown
    assert repr(activations.relu) == "<activation relu>"
    assert "negative_slope=0.5" in repr(activations.Activation("relu", negative_slope=0.5))


class Bounded(layers.ReLU):
    """More than the function of the layer that it extends."""

    def call(self, inputs):
        return 1 - super().call(inputs)


LAYERS = [layers.ReLU(), layers.ReLU(6, 0.1, 1), layers.LeakyReLU(), layers.ELU(2.0), layers.Softmax()]


@pytest.mark.parametrize("given", [*LAYERS, layers.Activation("tanh")], ids=lambda layer: str(layer.activation))
def test_layer_that_is_an_activation_is_taken_as_one(given, random):
    x = random.normal(size=(4, 3)).astype("float32")
    layer = layers.Dense(5, activation=given)
    y = layer(x)
    plain = layers.Dense(5)
    plain.build((None, 3))
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(y, given(plain(x)))
    np.testing.assert_array_equal(layers.Activation(given)(x), given(x))
    twin = layers.Dense.from_config(json.loads(json.dumps(layer.get_config())))
    assert twin.activation == layer.activation == given.activation


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: str(layer.activation))
def test_settings_of_an_activation_are_attributes_of_its_layer(layer):
    settings = {name: value for name, value in layer.get_config().items() if name not in ("name", "trainable", "dtype")}
    assert settings
    assert {name: getattr(layer, name) for name in settings} == settings
    for name in settings:
        with pytest.raises(AttributeError):
            setattr(layer, name, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(3, activation=layers.PReLU()), "comes behind this one, as a layer of its own"),
        (lambda: layers.Dense(3, activation=Bounded()), "comes behind this one, as a layer of its own"),
        (lambda: layers.Dense(3, activation=layers.Dense(3)), "comes behind this one, as a layer of its own"),
        (lambda: activations.get("rleu"), "'rleu'.*'relu'"),
        (lambda: activations.get("sparse_plus"), "does not have the activation 'sparse_plus' of Keras yet"),
        (lambda: activations.get(abs), "Functions of your own are those that def and lambda make"),
        (lambda: activations.get(np.tanh), "Functions of your own are those that def and lambda make"),
        (lambda: activations.get(pynn.losses.MeanSquaredError()), "activation must be a name"),
        (lambda: activations.get(np.array([1.0])), "activation"),
        (lambda: activations.Activation("elu", alhpa=2.0), "'alhpa'.*'alpha'"),
        (lambda: activations.relu([1.0], slope=2.0), r"relu\(\).*'slope'"),
        (lambda: type("Own", (activations.Activation,), {}), "Own.*activations of your own"),
    ],
)
def test_activation_says_what_is_wrong(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_activation_of_keras_that_is_not_there_yet():
    with pytest.raises(AttributeError, match="does not have the activation 'sparse_plus' of Keras yet"):
        _ = activations.sparse_plus
    with pytest.raises(AttributeError, match=r"module .pynn\.activations. has no attribute 'sparse'"):
        _ = activations.sparse
    assert not hasattr(pynn.activations, "sparse_plus")


@pytest.mark.parametrize(
    ("layer", "settings", "name"),
    [
        ("LeakyReLU", {"negative_slope": 0.3}, "leaky_relu"),
        ("ReLU", {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.5}, "relu"),
        ("ELU", {"alpha": 0.5}, "elu"),
        ("Softmax", {"axis": -1}, "softmax"),
    ],
)
def test_layer_that_keras_describes_as_an_activation(layer, settings, name):
    described = {
        "module": "keras.layers",
        "class_name": layer,
        "config": {"name": "any", "trainable": True, "dtype": "float32", **settings},
        "registered_name": None,
    }
    found = pynn.activations.get(described)
    assert found.name == name
    assert {key: found.config[key] for key in settings} == settings
    assert pynn.layers.Dense.from_config({"units": 3, "activation": described}).activation == found
