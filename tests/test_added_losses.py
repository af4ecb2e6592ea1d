"""What a call adds to the loss: add_loss, and means over all samples, which losses of one's own take, too.

Sums over all samples are in test_sums_over_samples.py.
"""

import pickle

import numpy as np
import pytest
from helpers import THREADS

import pynn
from pynn import layers, ops


@pynn.saving.register_keras_serializable("added_losses")
class Divergence(layers.Layer):
    """The mean, and the divergence of a normal distribution from the standard one as a part of the loss."""

    def call(self, mean, log_variance):
        self.add_loss(-0.15 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
        return mean


def divergence(mean, log_variance):
    return -0.15 * np.mean(1 + log_variance - mean**2 - np.exp(log_variance))


@pynn.saving.register_keras_serializable("added_losses")
class Sizes(layers.Layer):
    """A dense layer whose outputs shall be small, and of mean 1."""

    def __init__(self, units=3, **named):
        super().__init__(**named)
        self.units, self.dense = units, layers.Dense(units, activation="tanh")

    def call(self, x, training=False):
        y = self.dense(x)
        self.add_loss([ops.mean(ops.square(y)) / 2, 0.1 * ops.mean(ops.mean(x, axis=-1)) - 0.05 * (ops.mean(y) - 1)])
        return y


def sizes(x, y):
    return np.mean(y**2) / 2 + 0.1 * np.mean(x) - 0.05 * (np.mean(y) - 1)


@pynn.saving.register_keras_serializable("added_losses")
class Net(pynn.Model):
    def __init__(self, **named):
        super().__init__(**named)
        self.mean, self.variance, self.divergence, self.end = (
            layers.Dense(3),
            layers.Dense(3),
            Divergence(),
            layers.Dense(2),
        )

    def call(self, x):
        y = self.end(self.divergence(self.mean(x), self.variance(x)))
        self.add_loss(ops.mean(ops.abs(y)))
        return y

    def added(self, x):
        mean, log_variance = self.mean(x), self.variance(x)
        return divergence(mean, log_variance) + np.mean(np.abs(self.end(mean)))


@pytest.fixture
def data(random):
    return random.normal(size=(22, 5)), random.normal(size=(22, 2))


@pytest.fixture
def net(data):
    pynn.config.set_floatx("float64")
    model = Net()
    model.compile(pynn.optimizers.SGD(0.1), "mse")
    model(data[0])
    return model


def test_loss_has_what_layers_and_the_model_add(net, data):
    x, y = data
    expected = np.mean((net(x) - y) ** 2) + net.added(x)
    assert net.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-12)
    assert net.train_on_batch(x, y) == pytest.approx(expected, rel=1e-12)
    assert net.evaluate(x, y, verbose=0) < expected


def test_gradients_are_central_differences(net, data):
    x, y = data
    loss, gradients = net.gradients(x, y)
    assert loss == pytest.approx(net.evaluate(x, y, verbose=0), rel=1e-12)
    for weight, gradient in zip(net.trainable_weights, gradients, strict=True):
        value = weight.numpy()
        for place in [(0,) * value.ndim, (-1,) * value.ndim]:
            losses = []
            for step in (1e-5, -1e-5):
                moved = value.copy()
                moved[place] += step
                weight.assign(moved)
                losses.append(net.evaluate(x, y, verbose=0))
            weight.assign(value)
            assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6, abs=1e-9)


def test_layer_that_is_used_twice_adds_twice_in_any_model(data):
    pynn.config.set_floatx("float64")
    x, y = data
    given = pynn.Input((5,))
    layer = Sizes(5)
    once = layer(given)
    twice = layer(once)
    model = pynn.Model(given, layers.Dense(2)(twice))
    model.compile("sgd", "mse")
    inner = layer(x)
    expected = sizes(x, inner) + sizes(inner, layer(inner))
    assert model.evaluate(x, y, verbose=0) - np.mean((model(x) - y) ** 2) == pytest.approx(expected, rel=1e-10)
    model.fit(x, y, verbose=0)
    chain = pynn.Sequential([pynn.Input((5,)), Sizes(5), Sizes(2)])
    chain.compile("sgd", "mse")
    inner = chain.layers[0](x)
    expected = sizes(x, inner) + sizes(inner, chain(x))
    assert chain.evaluate(x, y, verbose=0) - np.mean((chain(x) - y) ** 2) == pytest.approx(expected, rel=1e-10)


def test_weights_of_samples_and_the_size_of_a_batch_are_of_no_account(net, data):
    x, y = np.tile(data[0], (30, 1)), np.tile(data[1], (30, 1))  # more than one slice
    weights = np.linspace(0, 2, len(x))
    rows = np.mean((net(x) - y) ** 2, axis=1)
    expected = np.mean(weights * rows) + net.added(x)
    for batch_size in (len(x), 22):
        found = net.evaluate(x, y, sample_weight=weights, batch_size=batch_size, verbose=0)
        assert found == pytest.approx(expected, rel=1e-10)
    assert net.train_on_batch(x, y, sample_weight=weights) == pytest.approx(expected, rel=1e-10)


def test_number_of_threads_changes_no_bit(data):
    found = set()
    x, y = (np.tile(each, (20, 1)).astype("float32") for each in data)
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(1)
        model = Net()
        model.compile("adam", "mse")
        logs = model.fit(x, y, batch_size=100, epochs=3, verbose=0).history["loss"]
        found.add((str(logs), *(w.tobytes() for w in model.get_weights())))
    assert len(found) == 1


def test_files_and_copies_add_the_same(net, data, tmp_path):
    x, y = data
    net.fit(x, y, verbose=0)
    net.save(tmp_path / "net")
    for other in (pynn.load_model(tmp_path / "net"), pickle.loads(pickle.dumps(net))):
        assert other.evaluate(x, y, verbose=0) == net.evaluate(x, y, verbose=0)
        assert other.fit(x, y, verbose=0).history == pickle.loads(pickle.dumps(net)).fit(x, y, verbose=0).history


def test_each_mode_has_its_own_loss(data):
    class Modes(layers.Layer):
        def call(self, x, training=False):
            y = x * 10.0 if training else x
            self.add_loss(ops.mean(y))
            return y

    x = data[0].astype("float32")
    given = pynn.Input((5,))
    model = pynn.Model(given, Modes()(given) * 0.0)
    model.compile("sgd", "mse")
    assert model.evaluate(x, np.zeros_like(x), verbose=0) == pytest.approx(x.mean(), rel=1e-4)
    assert model.train_on_batch(x, np.zeros_like(x)) == pytest.approx(10 * x.mean(), rel=1e-4)
    fixed = pynn.Model(given, Modes()(given, training=False) * 0.0)
    fixed.compile("sgd", "mse")
    assert fixed.train_on_batch(x, np.zeros_like(x)) == pytest.approx(x.mean(), rel=1e-4)


@pytest.mark.parametrize("mode", [True, False])
def test_loss_of_one_mode_alone_is_0_in_the_other(mode, data):
    class Modes(layers.Layer):
        def call(self, x, training=False):
            if training == mode:
                self.add_loss(ops.mean(x))
            return x

    x = data[0].astype("float32")
    model = pynn.Sequential([pynn.Input((5,)), Modes()])
    model.compile("sgd", "mse")
    expected = [x.mean(), 0.0] if mode else [0.0, x.mean()]
    found = [model.train_on_batch(x, x), model.evaluate(x, x, verbose=0)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_tensor_with_a_mask_keeps_it(random):
    class Adds(layers.Layer):
        supports_masking = True

        def call(self, x):
            self.add_loss(ops.mean(x))
            return x

    x = layers.Masking()(pynn.Input((3, 2)))
    assert Adds()(x).mask_shape == (3,)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda x: ops.mean(x, axis=1), "add_loss takes a mean or sum over the samples, .* of type SymbolicTensor"),
        (lambda x: 1.0, "add_loss takes a mean or sum over the samples, .* 1.0 of type float"),
        (lambda x: ops.mean(x) * ops.mean(x), "go together with numbers"),
        (lambda x: ops.mean(x) + x, "go together with numbers"),
        (lambda x: ops.sqrt(ops.mean(x)), "go together with numbers"),
        (lambda x: ops.sum(x) * ops.mean(x), "ops.sum without an axis .* go together with numbers"),
        (lambda x: ops.max(x), "max of a symbolic tensor needs an axis"),
        (lambda x: 1 / ops.mean(x), "go together with numbers"),
    ],
)
def test_what_is_no_number_of_the_batch_is_refused(loss, message):
    class Adds(layers.Layer):
        def call(self, x):
            self.add_loss(loss(x))
            return x

    layer = Adds()
    with pytest.raises((TypeError, ValueError), match=message):
        layer(pynn.Input((3,)))
    assert not layer.built


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x / ops.mean(x),
        lambda x: x - ops.mean(x),
        lambda x: ops.mean(x) * x,
        lambda x: x @ ops.mean(x),
        lambda x: ops.where(x > ops.mean(x), x, 0.0),
        lambda x: ops.where(ops.mean(x) <= 1, x, 0.0),
        lambda x: ops.mean(x) ** 2,
        lambda x: x * abs(ops.mean(x)),
        lambda x: x if ops.mean(x) else -x,
        lambda x: x * float(ops.mean(x)),
        lambda x: ops.maximum(x, ops.mean(x)),
        lambda x: pynn.activations.tanh(ops.mean(x)),
        lambda x: layers.add([x, ops.mean(x)]),
        lambda x: layers.Dense(1)(ops.mean(x)),
        lambda x: ops.mean(x),
        lambda x: [x, ops.mean(x)],
    ],
)
@pytest.mark.parametrize("kind", [layers.Layer, pynn.Model])
def test_number_of_the_batch_is_none_of_a_sample(kind, use):
    class Uses(kind):
        def call(self, x):
            return use(x)

    with pytest.raises(TypeError, match=r"for losses alone.*Give an axis, such as ops\.mean\(x, axis=-1\)"):
        Uses()(np.ones((4, 3)))


def test_add_loss_outside_of_a_call_is_refused():
    with pytest.raises(TypeError, match="add_loss works in the call"):
        layers.Dense(3).add_loss(1.0)
    for function in (ops.mean, ops.sum):
        with pytest.raises(ValueError, match=r"needs an axis.*ops\.mean and ops\.sum take all samples"):
            function(pynn.Input((3,)))


# ---- losses of one's own


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
def test_own_loss_that_is_a_mean_over_all(reduction, data):
    class Squares(pynn.losses.Loss):
        def call(self, y_true, y_pred):
            return 2 * ops.mean(ops.square(y_true - y_pred)) + 0.5 * ops.mean(y_pred)

    pynn.config.set_floatx("float64")
    x, y = data
    model = pynn.Sequential([pynn.Input((5,)), layers.Dense(2)])
    model.compile(pynn.optimizers.SGD(0.1), Squares(reduction=reduction))
    made = model(x)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(2 * np.mean((made - y) ** 2) + 0.5 * made.mean(), rel=1e-10)
    history = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert Squares()(y, made) == pytest.approx(2 * np.mean((made - y) ** 2) + 0.5 * made.mean(), rel=1e-10)


def test_own_loss_trains_as_that_of_pynn(data):
    found = []
    for loss in (lambda y_true, y_pred: ops.mean(ops.square(y_true - y_pred)), "mse"):
        pynn.set_random_seed(1)
        model = pynn.Sequential([pynn.Input((5,)), layers.Dense(2)])
        model.compile("sgd", loss)
        found.append(model.fit(*data, batch_size=8, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_sum_of_a_mean_over_all_is_refused(data):
    class Squares(pynn.losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean(ops.square(y_true - y_pred))

    model = pynn.Sequential([pynn.Input((5,)), layers.Dense(2)])
    with pytest.raises(TypeError, match="a mean over the samples can be returned where the reduction is a mean"):
        model.compile("sgd", Squares(reduction="sum"))
