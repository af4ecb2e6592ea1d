"""A first call that is refused builds nothing: subclasses, models of them, and layers by themselves."""

import numpy as np
import pytest

import pynn
from pynn import layers

GOOD, TARGETS = np.ones((2, 4)), np.zeros((2, 2))


class Net(pynn.Model):
    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(3, activation="tanh"), layers.Dropout(0.1), layers.Dense(2)]

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


class Outer(pynn.Model):
    def __init__(self):
        super().__init__()
        self.first, self.net = layers.Dense(4), Net()

    def call(self, x):
        return self.net(self.first(x))

    @property
    def parts(self):
        return [self.first, *self.net.parts]


class Misfit(Net):
    """Its last layer does not take what the others give."""

    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(3), layers.Dense(5), layers.Conv2D(2, 3)]


class Broken(Net):
    def call(self, x):
        super().call(x)
        raise KeyError("of its own")


class OfSubclass(pynn.Sequential):
    def __init__(self):
        self.net = Net()
        super().__init__([self.net, layers.Dense(2)])

    @property
    def parts(self):
        return [*self.net.parts, self.layers[-1]]


class Gate(layers.Layer):
    """A layer of one's own, with a weight and a layer within."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(3)

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], 3), name="w")

    def call(self, x, training=None):
        return (x @ self.w) * self.inner(x)


class OfOwn(pynn.Sequential):
    def __init__(self):
        super().__init__([Gate(), layers.Dense(2)])

    @property
    def parts(self):
        return [*self.layers, self.layers[0].inner]


class CallsOwn(pynn.Model):
    def __init__(self):
        super().__init__()
        self.gate, self.last = Gate(), layers.Dense(2)

    def call(self, x, training=None):
        return self.last(self.gate(x))

    @property
    def parts(self):
        return [self.gate, self.gate.inner, self.last]


class Stack(pynn.Sequential):
    def __init__(self):
        super().__init__([layers.Dense(3), layers.Dense(2)])

    @property
    def parts(self):
        return self.layers


KINDS = [Net, Outer, OfSubclass, OfOwn, CallsOwn, Stack]
CALLS = {
    "call": lambda model, x: model(x),
    "training": lambda model, x: model(x, training=True),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "fit": lambda model, x: model.fit(x, TARGETS, verbose=0),
    "targets": lambda model, x: model.fit(GOOD, x, verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, TARGETS, verbose=0),
    "train_on_batch": lambda model, x: model.train_on_batch(x, TARGETS),
    "gradients": lambda model, x: model.gradients(x, TARGETS),
    "vjp": lambda model, x: model.vjp(x, TARGETS),
}


def made(kind):
    pynn.set_random_seed(5)
    model = kind()
    model.compile(pynn.optimizers.SGD(0.5), "mse")
    return model


def parts_of(model):
    return [model, *model.parts, *([model.net] if hasattr(model, "net") else [])]


def weights_after_a_call(model):
    model(GOOD)
    return [*model.get_weights(), *layers.Dense(2)(GOOD)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS)
def test_refused_call_builds_nothing(kind, call):
    """And what comes next draws the initial weights that it would have drawn without it."""
    model = made(kind)
    for bad in ([[np.nan] * 4] * 2, [["a"] * 4] * 2, np.full((2, 7), np.inf), np.array(1.0)):
        with pytest.raises((ValueError, TypeError)):
            CALLS[call](model, np.array(bad))
        assert not any(part._is_built for part in parts_of(model))
        assert not any(len(part._users) for part in getattr(model, "net", model).parts if kind not in (OfOwn, Stack))
    for found, expected in zip(weights_after_a_call(model), weights_after_a_call(made(kind)), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("kind", "error"), [(Misfit, ValueError), (Broken, KeyError)])
@pytest.mark.parametrize(
    "call",
    [lambda model: model(GOOD), lambda model: model.build((None, 4)), lambda model: model(pynn.Input((4,)))],
)
def test_call_of_a_subclass_that_fails_builds_nothing(kind, error, call):
    model = made(kind)
    with pytest.raises(error):
        call(model)
    assert not any(part._is_built for part in parts_of(model))
    assert not any(len(part._users) for part in model.parts)
    drawn = layers.Dense(2)(GOOD)
    made(kind)
    np.testing.assert_array_equal(drawn, layers.Dense(2)(GOOD))


def test_refused_data_of_other_lengths_leave_the_choice():
    model = made(Net)
    with pytest.raises(ValueError, match="finite"):
        model(np.full((2, 6), np.nan))
    assert model(GOOD).shape == (2, 2)
    assert model.input_shape == (None, 4)


def test_subclass_is_called_once():
    """For data that are right, and again for each call that is refused."""
    calls = []

    class Counting(Net):
        def call(self, x):
            calls.append(x.shape)
            return super().call(x)

    model = made(Counting)
    model.fit(GOOD, TARGETS, verbose=0)
    model(GOOD)
    model.predict(GOOD, verbose=0)
    assert calls == [(None, 4)]


def test_keys_drawn_between_are_not_drawn_again():
    """The data of a first call draw keys as they are read."""

    class Reading:
        shape, dtype = (2, 4), np.dtype(float)

        def __array__(self, dtype=None, copy=None):
            self.weights = layers.Dense(3)
            self.weights(GOOD)
            return GOOD

    model, data = made(Net), Reading()
    model(data)
    assert not np.array_equal(model.parts[0].get_weights()[0], data.weights.get_weights()[0])


@pytest.mark.parametrize(
    ("layer", "bad"),
    [
        (lambda: layers.Dense(3), np.array(1.0)),
        (lambda: layers.Dense(3), np.array([["a"]])),
        (lambda: layers.Dense(3), np.array([[1e300]])),
        (lambda: layers.Conv2D(3, 2), np.ones((2, 3))),
        (lambda: layers.Embedding(3, 2), np.array([[3]])),
        (lambda: layers.Concatenate(), [np.ones((2, 3)), np.ones((3, 3))]),
    ],
)
def test_refused_call_of_a_layer_builds_nothing(layer, bad):
    pynn.set_random_seed(5)
    expected = layers.Dense(2)(GOOD)
    pynn.set_random_seed(5)
    refused = layer()
    with pytest.raises((ValueError, TypeError)):
        refused(bad)
    assert not refused.built
    np.testing.assert_array_equal(layers.Dense(2)(GOOD), expected)
