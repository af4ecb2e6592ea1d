"""Subclasses of `Model` whose shapes only data told, within another layer or model: samples of other lengths."""

import copy

import numpy as np
import pytest

import pynn
from pynn import layers, ops


class Inner(pynn.Model):
    """It does not ask for the length."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.dense = layers.LSTM(4, return_sequences=True), layers.Dense(3)

    def call(self, x):
        return self.dense(self.recurrent(x))


class Asking(Inner):
    """It needs the length, and makes an array of it."""

    def call(self, x):
        return super().call(ops.matmul(np.tri(ops.shape(x)[1]) / float(x.shape[1]), x))


class OfModes(Inner):
    """It is told whether the model trains."""

    def __init__(self):
        super().__init__()
        self.dropout = layers.Dropout(0.5)

    def call(self, x, training=None):
        return self.dropout(super().call(x), training=training)


class Deep(pynn.Model):
    """A model with one within it."""

    def __init__(self):
        super().__init__()
        self.inner = Asking()

    def call(self, x):
        return self.inner(x) * 0.5


class Adding(Inner):
    """It adds to the loss."""

    def call(self, x):
        x = super().call(x)
        self.add_loss(ops.mean(x**2))
        return x


class Layer(layers.Layer):
    """As `Asking`, a layer."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(ops.matmul(np.tri(ops.shape(x)[1]) / float(x.shape[1]), x))


class Plain(pynn.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner, self.last = inner(), layers.Dense(1)

    def call(self, x):
        return self.last(ops.mean(self.inner(x), axis=1))


class AsksItself(Plain):
    def call(self, x):
        return self.last(ops.mean(self.inner(x) + x / float(x.shape[1]), axis=1))


class Wrapped(layers.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner()

    def call(self, x):
        return self.inner(x)


class AskingWrapped(Wrapped):
    def call(self, x):
        return self.inner(x) + x / float(ops.shape(x)[1])


def last():
    return [layers.GlobalAveragePooling1D(), layers.Dense(1)]


def of_layer(inner):
    return pynn.Sequential([Wrapped(inner), *last()])


def of_asking_layer(inner):
    return pynn.Sequential([AskingWrapped(inner), *last()])


def in_chain(inner):
    return pynn.Sequential([inner(), *last()])


def called_before(inner):
    inner = inner()
    inner(SHORT)
    return pynn.Sequential([inner, *last()])


SHORT, LONG = (np.sin(np.arange(4 * n * 3.0)).reshape(4, n, 3).astype("float32") for n in (5, 8))
Y = np.arange(4.0)[:, None] / 4
OUTER = pytest.mark.parametrize(
    "outer", [Plain, AsksItself, of_layer, of_asking_layer, in_chain, called_before], ids=lambda kind: kind.__name__
)
INNER = pytest.mark.parametrize("inner", [Inner, Asking, OfModes, Deep, Adding, Layer], ids=lambda kind: kind.__name__)


def told_by(outer, inner, x):
    """One that data told its shapes, with weights that are always the same."""
    model = outer(inner)
    model(x)
    model.set_weights([np.cos(1 + np.arange(w.size)).reshape(w.shape) / 2 for w in model.get_weights()])
    model.compile(pynn.optimizers.Adam(0.01), "mse")
    return model


@OUTER
@INNER
def test_other_lengths_give_what_they_would_have_given_first(outer, inner):
    model, of_long = told_by(outer, inner, SHORT), told_by(outer, inner, SHORT if outer is called_before else LONG)
    expected = [model.predict(SHORT, verbose=0), of_long.predict(LONG, verbose=0)]
    for _ in range(2):
        for x, y in zip((SHORT, LONG), expected, strict=True):
            np.testing.assert_allclose(model(x), y, rtol=1e-6)
            np.testing.assert_allclose(model.predict(x, verbose=0), y, rtol=1e-6)
            np.testing.assert_allclose(model(x[:, :2]), of_long(x[:, :2]), rtol=1e-6)
    losses = [one.evaluate(LONG, Y, verbose=0) for one in (model, of_long)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


@OUTER
@pytest.mark.parametrize("inner", [Inner, Asking, Deep, Layer], ids=lambda kind: kind.__name__)
def test_training_goes_on_at_other_lengths(outer, inner):
    """As where the lengths came in another order, whose steps are the same."""
    one, other = told_by(outer, inner, SHORT), told_by(outer, inner, SHORT if outer is called_before else LONG)
    other(SHORT)
    for x in (SHORT, LONG, LONG[:, :3], SHORT, LONG):
        losses = [model.train_on_batch(x, Y) for model in (one, other)]
        np.testing.assert_allclose(*losses, rtol=2e-5)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert one.optimizer.iterations == 5


def test_numbers_of_keras():
    # Of Keras 3.15.1 with JAX: losses of steps, and the outputs after them.
    golden = [
        [0.11969160288572311, 0.1037813276052475, 0.09396089613437653, 0.08446913212537766],
        [0.4264141917228699, 0.42742443084716797, 0.4311233162879944, 0.43326684832572937],
    ]
    for outer in (Plain, of_layer, in_chain):
        model = told_by(outer, Asking, SHORT)
        losses = [model.train_on_batch(x, Y) for x in (SHORT, LONG, SHORT, LONG)]
        np.testing.assert_allclose(losses, golden[0], rtol=1e-5)
        np.testing.assert_allclose(model(LONG[:, :6]).ravel(), golden[1], rtol=1e-5)


@OUTER
@INNER
def test_layers_of_a_model_for_any_length(outer, inner):
    if outer in (of_layer, of_asking_layer, in_chain, called_before):
        model = pynn.Sequential([pynn.Input((None, 3)), *outer(inner).layers])
    else:
        model = outer(inner)
        model(pynn.Input((None, 3)))
    model.compile("adam", "mse")
    for x in (SHORT, LONG, SHORT):
        assert np.isfinite(model.train_on_batch(x, Y))


class Ids(pynn.Model):
    """Ids and their mask, and two inputs."""

    def __init__(self):
        super().__init__()
        self.embedding, self.recurrent = layers.Embedding(9, 3, mask_zero=True), layers.LSTM(2, return_sequences=True)

    def call(self, inputs):
        ids, x = inputs
        return {"seen": self.recurrent(self.embedding(ids)), "sum": ops.sum(x, axis=1)}


class AroundIds(pynn.Model):
    def __init__(self):
        super().__init__()
        self.inner, self.pooling, self.last = Ids(), layers.GlobalAveragePooling1D(), layers.Dense(1)

    def call(self, ids, x):
        made = self.inner([ids, x])
        return self.last(self.pooling(made["seen"])) + made["sum"]


def test_masks_and_several_inputs_and_outputs():
    def given(ids, steps):
        found = np.arange(3 * ids).reshape(3, ids) % 9
        found[1, 2:] = 0
        return found, np.cos(np.arange(3.0 * steps)).reshape(3, steps, 1)

    model, other = AroundIds(), AroundIds()
    model(*given(4, 3))
    other(*given(6, 3))
    other.set_weights(model.get_weights())
    for lengths in ((6, 3), (4, 5), (7, 7)):
        x = given(*lengths)
        y = model.predict(x, verbose=0)
        np.testing.assert_allclose(other.predict(x, verbose=0), y, rtol=1e-6)
        if lengths[0] == 7:  # what is padding makes no difference
            x[0][1, 4:] = 0
            np.testing.assert_array_equal(model.predict(x, verbose=0), y)
    with pytest.raises(ValueError, match=r"must be in \[0, 9\)"):
        model.predict((np.full((3, 5), 9), given(5, 2)[1]), verbose=0)


@pytest.mark.parametrize("inner", [Inner, Asking])
def test_a_model_that_met_other_lengths_is_kept(inner, tmp_path):
    model = told_by(in_chain, inner, SHORT)
    paths = [weight.path for weight in model.weights]
    model(LONG)
    assert [weight.path for weight in model.weights] == paths
    model.save(tmp_path / "model")
    loaded = pynn.load_model(tmp_path / "model", custom_objects={inner.__name__: inner})
    for each in (loaded, copy.deepcopy(model)):
        for x in (SHORT, LONG):
            np.testing.assert_array_equal(each(x), model(x))


class Strict(Inner):
    def call(self, x):
        if x.shape[1] != 5:
            raise KeyError("It takes 5.")
        return super().call(x)


class Growing(Inner):
    def __init__(self):
        super().__init__()
        self.other = layers.Dense(3)

    def call(self, x):
        return super().call(x) if x.shape[1] == 5 else self.other(x)


@pytest.mark.parametrize("outer", [Plain, in_chain, of_layer])
@pytest.mark.parametrize("inner", [Strict, Growing])
def test_a_call_that_does_not_take_another_length_is_refused(outer, inner):
    model = told_by(outer, inner, SHORT)
    expected, before = model(SHORT), model.get_weights()
    for x in (LONG, SHORT[:, :, :2], SHORT[:, 0]):
        for _ in range(2):
            with pytest.raises(ValueError, match=r"x must have the shape \(samples, 5, 3\)"):
                model.predict(x, verbose=0)
    assert model.input_shape == (None, 5, 3)
    np.testing.assert_array_equal(model(SHORT), expected)
    for one, same in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


def test_one_that_an_input_told_stays_as_it_is():
    inner = Inner()
    inner.build((None, 5, 3))
    outer = Plain(lambda: pynn.Model(*two_of(inner)))
    outer(SHORT)
    with pytest.raises(ValueError, match=r"x must have the shape \(samples, 5, 3\)"):
        outer(LONG)


def two_of(inner):
    x = pynn.Input((5, 3))
    return x, inner(x)
