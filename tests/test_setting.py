"""Settings that are set again once a layer is made."""

import numpy as np
import pytest
from helpers import bits
from test_extending import AlwaysDropout

import pynn
from pynn import layers


def model_of(*stack, shape=(3,)):
    model = pynn.Sequential([pynn.Input(shape), *stack])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("value", ["tanh", None, pynn.activations.tanh, layers.LeakyReLU(0.1)], ids=str)
@pytest.mark.parametrize("kind", [layers.Dense, lambda n, activation: layers.Conv1D(n, 1, activation=activation)])
def test_activation_is_set_again(kind, value, random):
    x = random.normal(size=(4, 3, 3)).astype("float32")
    layer, twin = kind(2, activation="softmax"), kind(2, activation=value)
    model, inner = model_of(layer, shape=(3, 3)), pynn.Input((3, 3))
    outer = pynn.Model(inner, layers.Dense(1)(model(inner)))
    before = outer(x)
    assert model(x).sum() == pytest.approx(12, rel=1e-5)
    layer.activation = value
    twin.build((None, 3, 3))
    twin.set_weights(layer.get_weights())
    assert layer.activation == twin.activation
    for found in (layer(x), model(x), model.predict(x, verbose=0)):
        np.testing.assert_array_equal(found, twin(x))
    assert (outer(x) != before).any()
    assert layer.get_config()["activation"] == twin.get_config()["activation"]


def test_activation_of_an_activation_layer_is_set_again():
    layer = layers.Activation("relu")
    model = model_of(layer)
    assert not model(np.full((1, 3), -1)).any()
    layer.activation = "linear"
    assert (model(np.full((1, 3), -1)) == -1).all()


@pytest.mark.parametrize(
    "layer",
    [layers.Dropout(0.9), layers.SpatialDropout1D(0.9), layers.GaussianDropout(0.9), layers.AlphaDropout(0.9)],
    ids=lambda layer: type(layer).__name__,
)
def test_rate_is_set_again(layer):
    x = np.ones((50, 4, 3), "float32")
    model = model_of(layer, shape=(4, 3))
    assert (model(x, training=True) != x).any()
    layer.rate = 0
    np.testing.assert_array_equal(model(x, training=True), x)
    np.testing.assert_array_equal(layer(x, training=True), x)
    layer.rate = 0.5
    assert (model(x, training=True) != x).any()
    assert layer.get_config()["rate"] == 0.5


def test_rate_of_an_extended_layer_is_set_again():
    layer = AlwaysDropout(0.9)
    model = model_of(layer)
    x = np.ones((50, 3), "float32")
    assert (model(x) != x).any()
    layer.rate = 0.0
    np.testing.assert_array_equal(model(x), x)
    np.testing.assert_array_equal(layer(x), x)


def test_numbers_of_other_layers_are_set_again(random):
    x = random.normal(size=(50, 3)).astype("float32")
    noise, batch = layers.GaussianNoise(5.0), layers.BatchNormalization()
    model = model_of(noise, batch)
    assert np.abs(model(x, training=True) - model(x)).max() > 0.1
    noise.stddev, batch.momentum = 0.0, 0.0
    model(x, training=True)
    model.fit(x, x, batch_size=50, verbose=0)
    np.testing.assert_allclose(batch.moving_mean.numpy(), x.mean(0), atol=1e-5)
    for layer in (batch, layers.LayerNormalization(), layers.RMSNormalization()):
        layer(x)
        layer.epsilon = 3.0
        twin = type(layer).from_config(layer.get_config())
        twin.build((None, 3))
        twin.set_weights(layer.get_weights())
        np.testing.assert_array_equal(layer(x), twin(x))


def test_training_goes_on_with_what_the_optimizer_kept(random):
    """A setting that is set to what it was changes no bit."""
    x, y = random.normal(size=(32, 3)), random.normal(size=(32, 2))
    models = []
    for again in (False, True):
        pynn.set_random_seed(1)
        models.append(model_of(layers.Dense(5, activation="relu"), layers.Dropout(0.2), layers.Dense(2)))
        for _ in range(3):
            models[-1].fit(x, y, epochs=2, verbose=0)
            if again:
                models[-1].layers[0].activation = "relu"
                models[-1].layers[1].rate = 0.2
    assert bits(models[0]) == bits(models[1])


@pytest.mark.parametrize(
    ("make", "name", "value", "message"),
    [
        (lambda: layers.Dense(4), "activation", "rleu", "'rleu'.*'relu'"),
        (
            lambda: layers.Dense(4),
            "activation",
            "glu",
            r"cannot have activation=.*samples of shape \(2,\), not of \(4,",
        ),
        (lambda: layers.Dense(4), "activation", pynn.activations.Activation("softmax", axis=4), "axis"),
        (lambda: layers.Dropout(0.5), "rate", 2, "rate must be a number"),
        (lambda: layers.GaussianDropout(0.5), "rate", 1, "rate must be a number"),
        (lambda: layers.GaussianNoise(0.5), "stddev", "much", "stddev must be a number"),
        (lambda: layers.BatchNormalization(), "momentum", -1, "momentum must be a number"),
    ],
)
def test_bad_setting_leaves_the_layer_as_it_was(make, name, value, message, random):
    x = random.normal(size=(5, 3)).astype("float32")
    layer = make()
    model = model_of(layer)
    before, config = model(x), layer.get_config()
    with pytest.raises((TypeError, ValueError), match=message):
        setattr(layer, name, value)
    assert layer.get_config() == config
    np.testing.assert_array_equal(model(x), before)


def test_setting_is_not_set_again_while_the_model_is_trained(random):
    x = random.normal(size=(8, 3))
    layer = layers.Dropout(0.5)
    model = model_of(layer, layers.Dense(3))
    told = []

    def change(epoch, logs):
        with pytest.raises(RuntimeError, match="is being trained") as error:
            layer.rate = 0.1
        told.append(error)

    model.fit(x, x, epochs=2, verbose=0, callbacks=[pynn.callbacks.LambdaCallback(on_epoch_end=change)])
    assert len(told) == 2
    assert layer.rate == 0.5


def test_activation_that_a_build_sets(random):
    class Own(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, activation="relu")

        def build(self, input_shape):
            self.dense.activation = "tanh"

        def call(self, inputs):
            return self.dense(inputs)

    layer, x = Own(), random.normal(size=(4, 3)).astype("float32")
    y = layer(x)
    assert layer.dense.activation is pynn.activations.tanh
    np.testing.assert_array_equal(layer.dense(x), y)
    np.testing.assert_allclose(y, np.tanh(x @ layer.dense.kernel.numpy()), rtol=1e-5)
