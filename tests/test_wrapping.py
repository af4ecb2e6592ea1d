"""Wrappers: a layer of one's own around another layer."""

import numpy as np
import pytest

import pynn
from pynn import layers


class Twice(layers.Wrapper):
    """Twice what the layer makes."""

    def call(self, inputs):
        return 2 * self.layer(inputs)


def test_wrapper_has_the_weights_of_its_layer(random):
    dense = layers.Dense(2, dtype="float64")
    model = pynn.Sequential([pynn.Input((3,)), Twice(dense), layers.Dense(1)])
    x = random.normal(size=(5, 3))
    kernel, bias, last, _ = model.get_weights()
    assert model.weights[:2] == dense.weights
    np.testing.assert_allclose(model(x), 2 * (x @ kernel + bias) @ last, rtol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        Twice,
        layers.TimeDistributed,
        lambda dense: layers.Bidirectional(layers.RNN([layers.LSTMCell(2, dtype=dense.dtype)])),
        lambda dense: Twice(layers.TimeDistributed(dense)),
    ],
)
def test_a_type_that_is_settled_within_is_in_the_configuration(make):
    """So a copy has the configuration of the original."""
    dense = layers.Dense(2, dtype="float64")
    dense.build((None, 3))
    wrapper = make(dense)
    config = wrapper.get_config()
    assert config["dtype"] == "float64"
    assert type(wrapper).from_config(config).get_config() == config


def test_a_layer_that_is_built_after_its_wrapper_was_made():
    dense = layers.Dense(2)
    wrapper = Twice(dense)
    assert wrapper.get_config()["dtype"] is None
    dense.build((None, 3))
    assert Twice.from_config(wrapper.get_config()).get_config() == wrapper.get_config()


def test_wrapper_config():
    wrapper = Twice(layers.Dense(2, activation="relu"), name="twice", dtype="float64")
    twin = Twice.from_config(wrapper.get_config())
    assert twin.get_config() == wrapper.get_config()
    assert (type(twin.layer), twin.layer.units, twin.layer.activation.name) == (layers.Dense, 2, "relu")
    model = pynn.Sequential([pynn.Input((3,)), wrapper])
    copy = pynn.models.model_from_json(model.to_json(), custom_objects={"Twice": Twice})
    assert copy.get_config() == model.get_config()


def test_wrapper_freezes_its_layer():
    wrapper = Twice(layers.Dense(2), trainable=False)
    pynn.Sequential([pynn.Input((3,)), wrapper])
    assert wrapper.trainable_weights == [] != wrapper.weights
    wrapper.trainable = True
    assert wrapper.layer.trainable
    assert len(wrapper.trainable_weights) == 2


def test_wrapper_without_a_call_says_so():
    with pytest.raises((NotImplementedError, TypeError), match="must write call"):
        pynn.Sequential([pynn.Input((3,)), layers.Wrapper(layers.Dense(2))])


@pytest.mark.parametrize("layer", [None, layers.Dense, "Dense", 3])
def test_wrapper_around_no_layer(layer):
    with pytest.raises(TypeError, match="layer must be a layer"):
        Twice(layer)
