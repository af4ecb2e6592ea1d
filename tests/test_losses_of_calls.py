"""`losses` of layers and models: what the last call on arrays added to the loss, and the penalties of weights.

Which there are, and in which order, is what Keras said.
"""

import gc
import pickle
import weakref

import numpy as np
import pytest

import pynn
from pynn import layers, ops

X = np.sin(np.arange(1, 16) * 1.7).reshape(3, 5)


@pytest.fixture(autouse=True)
def _in_float64():
    pynn.config.set_floatx("float64")


def near(*expected):
    return pytest.approx(list(expected), rel=1e-10, abs=1e-14)


class Adds(layers.Layer):
    """Adds the mean of its outputs to the loss, and in training their sum."""

    def __init__(self, **named):
        super().__init__(**named)
        self.dense = layers.Dense(2, activity_regularizer="l2", kernel_regularizer="l2")

    def call(self, x, training=False):
        y = self.dense(x)
        self.add_loss(ops.mean(y))
        if training:
            self.add_loss(ops.sum(y))
        return y


class Net(pynn.Model):
    def __init__(self, **named):
        super().__init__(**named)
        self.adds, self.end = Adds(), layers.Dense(1, activity_regularizer="l1")

    def call(self, x):
        y = self.end(self.adds(x))
        self.add_loss(ops.mean(ops.abs(y)))
        return y


def of_dense(y):
    """The penalty of outputs by l2."""
    return 0.01 * np.sum(y**2) / len(y)


def test_layer_has_those_of_its_last_call():
    layer = layers.Dense(3, kernel_regularizer="l2", activity_regularizer="l1")
    assert layer.losses == []
    layer.build((None, 5))
    penalty = 0.01 * np.sum(layer.kernel.numpy() ** 2)
    assert layer.losses == near(penalty)
    y = layer(X)
    assert layer.losses == near(0.01 * np.abs(y).sum() / 3, penalty)
    assert layer(X[:1]) == pytest.approx(y[:1], rel=1e-10)
    assert layer.losses == near(0.01 * np.abs(y[:1]).sum(), penalty)
    layer(pynn.Input((5,)))
    assert layer.losses == near(0.01 * np.abs(y[:1]).sum(), penalty)
    layer(X[:0])
    assert layer.losses == near(penalty)
    layer(X)
    layer.trainable = False
    assert layer.losses == near(0.01 * np.abs(y).sum() / 3)


def test_own_layer_has_its_own_and_those_of_the_layers_within():
    layer = Adds()
    y = layer(X)
    penalty = 0.01 * np.sum(layer.dense.kernel.numpy() ** 2)
    assert layer.losses == near(y.mean(), 0, of_dense(y), penalty)  # the sum is one of training
    assert layer.dense.losses == near(of_dense(y), penalty)
    layer(X, training=True)
    assert layer.losses == near(y.mean(), y.sum(), of_dense(y), penalty)
    layer.dense(2 * X)
    assert layer.losses == near(y.mean(), y.sum(), of_dense(layer.dense(2 * X)), penalty)


def test_models_have_those_of_all_layers():
    model = Net()
    y = model(X)
    inner = model.adds.dense(X)
    penalty = 0.01 * np.sum(model.adds.dense.kernel.numpy() ** 2)
    expected = [np.abs(y).mean(), inner.mean(), 0, of_dense(inner), 0.01 * np.abs(y).sum() / 3]
    assert model.losses == near(*expected, penalty)
    assert model.end.losses == near(expected[-1])
    outer = pynn.Sequential([pynn.Input((5,)), model, layers.Dense(1)])
    outer(X, training=True)
    expected[2] = inner.sum()
    assert outer.losses == model.losses == near(*expected, penalty)
    mask = np.ones((3, 4))
    recurrent = pynn.Sequential([pynn.Input((4, 5)), layers.LSTM(2, activity_regularizer="l2")])
    y = recurrent(np.ones((3, 4, 5)), mask=mask)
    assert recurrent.losses == near(of_dense(y))
    np.testing.assert_array_equal(model.predict(X, verbose=0), model(X))


def test_they_are_what_evaluation_and_training_add():
    model = Net()
    model.compile("sgd")
    model(X)
    assert sum(model.losses) == pytest.approx(model.evaluate(X, verbose=0), rel=1e-10)
    model(X, training=True)
    assert sum(model.losses) == pytest.approx(model.train_on_batch(X), rel=1e-10)
    kept = model.losses
    model.predict(X[:1], verbose=0)
    assert model.losses[:5] == kept[:5]  # no call
    model(X)
    assert sum(model.losses) == pytest.approx(model.evaluate(X, verbose=0), rel=1e-10)


def test_layer_that_is_used_twice_adds_twice():
    x, layer = pynn.Input((5,)), Adds()
    model = pynn.Model(x, layer(layers.Dense(5)(layer(x))))
    model.compile("sgd")
    model(X)
    assert len(layer.losses) == 2 * 3 + 1
    assert sum(model.losses) == pytest.approx(model.evaluate(X, verbose=0), rel=1e-10)


def test_lengths_of_steps_may_change():
    model = pynn.Sequential([pynn.Input((None, 5)), layers.LSTM(3, activity_regularizer="l2", return_sequences=True)])
    for steps in (4, 7, 4):
        y = model(np.ones((2, steps, 5)))
        assert model.losses == near(of_dense(y))


def test_layers_of_several_parts_have_all_of_them():
    attention = layers.MultiHeadAttention(2, 2, activity_regularizer="l2")
    z = X.reshape(1, 3, 5)
    y = attention(z, z)
    assert len(attention.losses) == 4
    assert attention.losses[-1] == pytest.approx(of_dense(y), rel=1e-10)
    both = layers.Bidirectional(layers.LSTM(2, activity_regularizer="l2"))
    y = both(z)
    assert both.losses == near(of_dense(y[:, :2]), of_dense(y[:, 2:]))
    alone = layers.ActivityRegularization(l1=0.1, l2=0.2)
    alone(X)
    assert alone.losses == near(0.1 * np.abs(X).sum() / 3 + 0.2 * np.sum(X**2) / 3)


def test_plain_values_in_a_call():
    class Scaled(layers.Layer):
        def call(self, x, factor=1.0):
            self.add_loss(factor * ops.mean(x))
            return x

    layer = Scaled()
    layer(X, factor=3.0)
    assert layer.losses == near(3 * X.mean())
    layer(X)
    assert layer.losses == near(X.mean())


def test_networks_that_change_and_copies_are_right():
    model = pynn.Sequential([pynn.Input((5,)), layers.Dense(2)])
    model(X)
    assert model.losses == []
    model.add(layers.Dense(2, activity_regularizer="l2"))
    y = model(X)
    assert model.losses == near(of_dense(y))
    twin = pickle.loads(pickle.dumps(model))
    assert twin.losses == []
    model.pop()
    model(X)
    assert model.losses == []


def test_what_was_called_is_freed():
    layer, model = Adds(), Net()
    layer(X)
    model(X)
    found = [weakref.ref(each) for each in (layer, model, model.end)]
    gc.collect()
    gc.disable()
    try:
        del layer, model
        assert [each() for each in found] == [None] * 3
    finally:
        gc.enable()
