"""What a call on symbolic tensors says of training: it holds, whatever the model does."""

import numpy as np
import pytest
from helpers import THREADS

import pynn
from pynn import layers

RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((12, 4)).astype(np.float32)


def test_training_false_holds_in_training():
    x = pynn.Input((4,))
    norm, drop = layers.BatchNormalization(), layers.Dropout(0.5)
    model = pynn.Model(x, [norm(x, training=False), drop(x, training=False), drop(x)])
    one, two, three = model(X, training=True)
    np.testing.assert_allclose(one, X / np.sqrt(1 + 1e-3), rtol=1e-5)
    np.testing.assert_array_equal(two, X)
    assert (three != X).any()
    np.testing.assert_array_equal(norm.get_weights()[2], np.zeros(4))


def test_training_true_holds_in_prediction():
    """Of noise, in a layer, a model and a `call`; what is told nothing, and False within True, stay."""
    pynn.set_random_seed(1)
    x = pynn.Input((50,))
    inner = pynn.Sequential([pynn.Input((50,)), layers.Dropout(0.5), layers.GaussianNoise(0.1)])

    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.drop, self.other = layers.Dropout(0.5), layers.Dropout(0.5)

        def call(self, x, training=False):
            return self.drop(x, training=True) + 2 * self.other(x, training=training)

    class Opposite(layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5)

        def call(self, x, training=False):
            return self.drop(x, training=not training)

    quiet = layers.Dropout(0.5)
    kept = pynn.Model(x, quiet(x, training=False))
    outputs = {
        "layer": layers.Dropout(0.5)(x, training=True),
        "model": inner(x, training=True),
        "subclass": Net()(x),
        "opposite": Opposite()(x),
        "told otherwise": kept(x, training=True),
        "told nothing": layers.Dropout(0.5)(x),
        "chosen": Opposite()(x, training=True),
    }
    model = pynn.Model(x, outputs)
    ones = np.ones((9, 50), np.float32)
    first, second = model.predict(ones, verbose=0), model(ones)
    noisy = {name for name in outputs if (first[name] != second[name]).any()}
    assert noisy == {"layer", "model", "subclass", "opposite"}
    assert set(np.unique(first["layer"])) == {0, 2}
    assert set(np.unique(first["subclass"])) == {2, 4}
    for name in ("told otherwise", "told nothing", "chosen"):
        np.testing.assert_array_equal(first[name], ones)
    trained = model(ones, training=True)
    assert {name for name in outputs if (trained[name] != ones).any()} == {"layer", "model", "subclass", "told nothing"}
    again = pynn.Model.from_config(pynn.Model(x, outputs["layer"]).get_config())
    assert (again.predict(ones, verbose=0) != ones).any()


def test_noise_of_predictions_is_that_of_the_seed_on_any_threads():
    def predicted(threads):
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(5)
        x = pynn.Input((6, 32))
        y = layers.LSTM(8, dropout=0.3)(layers.Dropout(0.2)(x, training=True), training=True)
        model = pynn.Model(x, layers.Dense(2)(y))
        model.compile("sgd", "mse")
        data, targets = np.ones((300, 6, 32), np.float32), np.zeros((300, 2), np.float32)
        rows = model.predict(data, verbose=0)
        assert len(np.unique(rows, axis=0)) == 300  # each sample has noise of its own
        losses = [model.evaluate(data, targets, verbose=0) for _ in range(2)]
        assert losses[0] == losses[1]  # the same noise, until it is trained
        gradients = model.gradients(data[:40], targets[:40])[1]
        model.train_on_batch(data, targets)
        twin = pynn.Model.from_config(model.get_config())
        twin.compile("sgd", "mse")
        twin.set_state(model.get_state())
        for both in ("predict", "evaluate"):
            arguments = (data,) if both == "predict" else (data, targets)
            np.testing.assert_array_equal(*(getattr(m, both)(*arguments, verbose=0) for m in (model, twin)))
        return b"".join(each.tobytes() for each in (rows, *gradients, np.array(losses), *model.get_weights()))

    assert len({predicted(threads) for threads in THREADS}) == 1


def test_gradient_goes_through_the_noise_that_was_drawn():
    pynn.config.set_floatx("float64")
    x = pynn.Input((4,))
    model = pynn.Model(x, layers.Dense(1)(layers.Dropout(0.5, seed=2)(layers.Dense(30)(x), training=True)))
    (of_kernel, _, of_last, _), dx = model.vjp(RANDOM.normal(size=(1, 4)), np.ones((1, 1)))
    kept = of_last[:, 0] != 0
    assert 0 < kept.sum() < 30
    kernel, _, last, _ = model.get_weights()
    np.testing.assert_allclose(dx[0], kernel @ (2 * kept * last[:, 0]), rtol=1e-12)
    np.testing.assert_array_equal(of_kernel.any(axis=0), kept)


@pytest.mark.parametrize("within", [False, True])
def test_batch_normalization_does_not_always_train(within):
    x = pynn.Input((4,))
    layer = layers.BatchNormalization(name="norm")
    used = pynn.Sequential([pynn.Input((4,)), layer]) if within else layer
    with pytest.raises(
        ValueError, match=r"'norm' \(BatchNormalization\) cannot work as in training always.*model\(x, tr"
    ):
        pynn.Model(x, used(x, training=True)).predict(X, verbose=0)
