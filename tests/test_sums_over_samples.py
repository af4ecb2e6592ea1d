"""Sums over all samples of a batch, in add_loss and in losses of one's own. Keras made the numbers."""

import pickle

import numpy as np
import pytest
from helpers import THREADS

import pynn
from pynn import layers, ops


def wave(*shape):
    return np.sin(np.arange(1, 1 + np.prod(shape)) * 1.7).reshape(shape)


X, Y = wave(22, 5), wave(22, 2)
KERAS = {"rel": 1e-6}  # which has some of it in float32


@pynn.saving.register_keras_serializable("sums_over_samples")
class Sums(layers.Layer):
    """Adds a sum and a mean to the loss, and another sum in training."""

    def call(self, x, training=False):
        self.add_loss(0.01 * ops.sum(ops.square(x)) - 0.02 * ops.mean(x) + 0.5)
        if training:
            self.add_loss([ops.sum(ops.sum(x, axis=-1)) / 50])
        return x


def added(x):
    return 0.01 * np.sum(x**2) - 0.02 * np.mean(x) + 0.5


@pynn.saving.register_keras_serializable("sums_over_samples")
def squares(y_true, y_pred):
    return 0.1 * ops.sum(ops.square(y_true - y_pred))


@pytest.fixture(autouse=True)
def _in_float64():
    pynn.config.set_floatx("float64")


def started(model, loss, **told):
    model.set_weights([0.4 * wave(*w.shape) for w in model.get_weights()])
    model.compile(pynn.optimizers.SGD(0.05), loss, **told)
    return model


def chain(loss, **told):
    ends = [layers.Dense(3, activation="tanh"), Sums(), layers.Dense(2)]
    return started(pynn.Sequential([pynn.Input((5,)), *ends]), loss, **told)


RUNS = {
    "mse": (
        [1.1537650021908716, 1.1059696352089665],
        [0.6920635239644484, 0.678030133924701],
        [0.3279879909200726, -0.10189996115703039, -0.42897036396355737],
        [1.1069025363145073, 0.672632096843286],
        1.2125300604200762,
    ),
    None: (
        [0.5442043069948179, 0.5378222597007295],
        [0.7000766823237593, 0.6990924721414392],
        [0.3599623463570505, -0.13225952617256337, -0.39618054720379786],
        [0.5553150810344587, 0.698615741323341],
        0.6615676948612086,
    ),
    squares: (
        [1.4512895198187727, 1.3688366407867691],
        [0.6875084205107256, 0.6727419305931438],
        [0.3179241242053731, -0.09305586569724042, -0.4398715951600336],
        [1.3591964307548676, 0.6679601154544137],
        3.0141871925466948,
    ),
}


@pytest.mark.parametrize("loss", RUNS, ids=["mse", "none", "own"])
def test_sums_are_those_of_keras(loss):
    """The last batch of an epoch is smaller; an evaluation is the mean of the losses of batches, by their samples."""
    losses, errors, bias, evaluated, of_all = RUNS[loss]
    model = chain(loss, metrics=["mae"])
    history = model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    assert history == {"loss": pytest.approx(losses, **KERAS), "mae": pytest.approx(errors, **KERAS)}
    np.testing.assert_allclose(model.get_weights()[1], bias, rtol=1e-6)
    assert model.evaluate(X, Y, batch_size=8, verbose=0) == pytest.approx(evaluated, **KERAS)
    assert model.test_on_batch(X, Y)[0] == pytest.approx(of_all, **KERAS)


def test_several_outputs_have_the_losses_of_keras():
    x = pynn.Input((5,))
    y = Sums()(layers.Dense(3, activation="tanh")(x))
    model = pynn.Model(x, [layers.Dense(2, name="a")(y), layers.Dense(1, name="b")(y)])
    started(model, ["mse", squares], loss_weights=[1.0, 0.5])
    history = model.fit(X, [Y, Y[:, :1]], batch_size=8, epochs=2, shuffle=False, verbose=0).history
    assert history == {
        "loss": pytest.approx([1.4749487942963648, 1.3876951261382717], **KERAS),
        "a_loss": pytest.approx([0.610357410020449, 0.5716459575024518], **KERAS),
        "b_loss": pytest.approx([0.6425619074784218, 0.5642318592567253], **KERAS),
    }
    expected = [0.297773055659044, -0.09370849157465058, -0.40007180247997365]
    np.testing.assert_allclose(model.get_weights()[1], expected, rtol=1e-6)


def test_weights_of_samples_are_of_no_account_for_what_is_added():
    model = chain("mse", metrics=["mae"], weighted_metrics=["mae"])
    weights = np.linspace(0, 2, 22)
    error = np.abs(model(X) - Y)
    expected = np.mean(weights * np.mean((model(X) - Y) ** 2, axis=1)) + added(model.layers[0](X))
    found = model.evaluate(X, Y, sample_weight=weights, batch_size=22, verbose=0)
    assert found == pytest.approx([expected, error.mean(), np.average(error, axis=0, weights=weights).mean()])


def test_large_batches_go_in_slices():
    x, y = np.tile(X, (40, 1)), np.tile(Y, (40, 1))
    model = chain(None)
    bias, code = model.get_weights()[1], model.layers[0](x)
    assert model.train_on_batch(x) == pytest.approx(added(code) + code.sum() / 50, rel=1e-10)
    slope = (0.02 * code - 0.02 / code.size + 1 / 50) * (1 - code**2)
    np.testing.assert_allclose(model.get_weights()[1], bias - 0.05 * slope.sum(0), rtol=1e-9)
    assert model.evaluate(x, y, batch_size="full", verbose=0) == pytest.approx(added(model.layers[0](x)), rel=1e-10)


def test_gradients_have_them():
    model = chain(squares)
    x = X.copy()
    loss, gradients = model.gradients(x, Y)
    error = model(x) - Y
    assert loss == pytest.approx(0.1 * np.sum(error**2) + added(model.layers[0](x)), rel=1e-10)
    np.testing.assert_allclose(gradients[-1], 0.2 * error.sum(0), rtol=1e-10)


@pytest.mark.parametrize("outer", [layers.TimeDistributed, lambda layer: layer], ids=["steps", "alone"])
def test_layers_within_others_add_all_steps(outer):
    class Inner(layers.Layer):
        def __init__(self):
            super().__init__()
            self.sums = Sums()

        def call(self, x):
            return self.sums(x)

    model = pynn.Sequential([pynn.Input((4, 5)), outer(Inner())])
    model.compile("sgd", "mse")
    x = wave(6, 4, 5)
    means = 4 if outer is layers.TimeDistributed else 1  # it adds the mean of each step
    expected = 0.01 * np.sum(x**2) + means * (0.5 - 0.02 * np.mean(x))
    assert model.evaluate(x, x, verbose=0) == pytest.approx(expected, rel=1e-10)


def test_sum_of_one_mode_alone_is_0_in_the_other():
    class Modes(layers.Layer):
        def call(self, x, training=False):
            self.add_loss(ops.sum(x) if training else ops.mean(x))
            return x

    model = pynn.Sequential([pynn.Input((5,)), Modes()])
    model.compile("sgd", "mse")
    assert model.train_on_batch(X, X) == pytest.approx(X.sum(), rel=1e-10)
    assert model.evaluate(X, X, verbose=0) == pytest.approx(X.mean(), rel=1e-10)


def test_model_adds_sums_of_its_own():
    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.end = layers.Dense(2)

        def call(self, x):
            y = self.end(x)
            self.add_loss(ops.sum(ops.abs(y)) - ops.sum(x) - 1)
            return y

    model = Net()
    model.compile("sgd", "mse")
    y = model(X)
    outer = pynn.Sequential([pynn.Input((5,)), model])
    outer.compile("sgd", "mae")
    expected = np.abs(y).sum() - X.sum() - 1
    assert model.test_on_batch(X, y) == pytest.approx(expected, rel=1e-10)
    assert outer.test_on_batch(X, y) == pytest.approx(expected, rel=1e-10)
    np.testing.assert_array_equal(model.predict(X), y)


def test_files_copies_and_threads_give_the_same_bits(tmp_path):
    found = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = chain(squares)
        model.fit(X, Y, shuffle=False, verbose=0)
        model.save(tmp_path / "model")
        for twin in (pynn.load_model(tmp_path / "model"), pickle.loads(pickle.dumps(model)), model):
            found.add(str(twin.fit(X, Y, batch_size=5, shuffle=False, epochs=2, verbose=0).history))
    assert len(found) == 1


def test_loss_of_ones_own_that_is_a_sum_whatever_the_reduction():
    class Squares(pynn.losses.Loss):
        def call(self, y_true, y_pred):
            return squares(y_true, y_pred)

    made = chain("mse")(X)
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
        model = chain(Squares(reduction=reduction))
        loss = model.test_on_batch(X, Y) - added(model.layers[0](X))
        assert loss == pytest.approx(0.1 * np.sum((made - Y) ** 2), rel=1e-9)
        assert Squares(reduction=reduction)(Y, made) == pytest.approx(loss, rel=1e-9)


def test_sums_are_added_up_by_sum_of_python():
    class Adds(layers.Layer):
        def call(self, x):
            self.add_loss(sum([ops.sum(ops.square(x)), ops.sum(ops.abs(x))]))
            return x

    def of_sums(y_true, y_pred):
        return sum([ops.sum(ops.square(y_true - y_pred)), ops.sum(ops.abs(y_pred))]) - 0

    layer = Adds()
    layer(X)
    assert layer.losses == [pytest.approx(np.sum(X**2) + np.abs(X).sum(), rel=1e-10)]
    model = started(pynn.Sequential([pynn.Input((5,)), layers.Dense(2)]), of_sums)
    y = model(X)
    assert model.test_on_batch(X, Y) == pytest.approx(np.sum((y - Y) ** 2) + np.abs(y).sum(), rel=1e-10)


@pytest.mark.parametrize("other", [lambda y: ops.mean(y), lambda y: 1.0], ids=["mean", "constant"])
def test_sum_and_mean_together_are_no_loss_of_ones_own(other):
    def both(y_true, y_pred):
        return ops.sum(ops.square(y_true - y_pred)) + other(y_pred)

    with pytest.raises(TypeError, match=r"cannot be returned together with a mean over them or a constant.*add_loss"):
        chain(both)
