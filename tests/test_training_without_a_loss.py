"""Training on what layers and regularizers add to the loss, where compile was given none. Keras made the numbers."""

import pickle

import numpy as np
import pytest

import pynn
from pynn import layers, ops


def wave(*shape):
    return np.sin(np.arange(1, 1 + np.prod(shape)) * 1.7).reshape(shape)


X, NOISE, Y = wave(22, 5), wave(22, 2)[::-1].copy(), wave(22, 2)
KERAS = {"rel": 1e-6}  # which has some of it in float32


@pynn.saving.register_keras_serializable("without_a_loss")
class Vae(pynn.Model):
    """A variational autoencoder that is given its noise."""

    def __init__(self, **named):
        super().__init__(**named)
        self.mean, self.variance, self.end = layers.Dense(2), layers.Dense(2), layers.Dense(5, kernel_regularizer="l2")

    def call(self, inputs):
        x, noise = inputs
        mean, log_variance = self.mean(x), self.variance(x)
        y = self.end(mean + ops.exp(0.5 * log_variance) * noise)
        self.add_loss(ops.mean(ops.sum(ops.square(x - y), axis=-1)))
        self.add_loss(-0.05 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
        return y


class Triplet(layers.Layer):
    """Codes that shall be nearer to those of the second input than to those of the third one."""

    def __init__(self, **named):
        super().__init__(**named)
        self.dense = layers.Dense(3, activation="tanh", activity_regularizer="l1")

    def call(self, inputs):
        anchor, near, far = (self.dense(x) for x in inputs)
        nearer = ops.sum(ops.square(anchor - near), axis=-1) - ops.sum(ops.square(anchor - far), axis=-1)
        self.add_loss(ops.mean(ops.relu(nearer + 1.0)))
        return anchor


class Small(layers.Layer):
    def call(self, x):
        self.add_loss(ops.mean(ops.square(x)))
        return x


@pytest.fixture(autouse=True)
def _in_float64():
    pynn.config.set_floatx("float64")


def started(model, optimizer, **told):
    model.set_weights([0.4 * wave(*w.shape) for w in model.get_weights()])
    model.compile(optimizer, **told)
    return model


def vae():
    model = Vae()
    model([X, NOISE])
    return started(model, pynn.optimizers.Adam(0.01))


def small(**told):
    model = pynn.Sequential([pynn.Input((5,)), layers.Dense(2), Small()])
    return started(model, pynn.optimizers.SGD(0.1), **told)


def test_variational_autoencoder_trains_as_in_keras():
    model = vae()
    validation = ([X[:6], NOISE[:6]],)
    history = model.fit([X, NOISE], batch_size=8, epochs=3, shuffle=False, verbose=0, validation_data=validation)
    assert history.history == {
        "loss": pytest.approx([3.650889253272013, 3.165373687212882, 2.779284917811434], **KERAS),
        "val_loss": pytest.approx([3.2589088474787604, 2.860640993451332, 2.543170043364696], **KERAS),
    }
    expected = [0.4852425741017862, -0.19021507121932915, -0.4035143749304084, 0.11400874399252198]
    np.testing.assert_allclose(model.get_weights()[0].ravel()[:4], expected, rtol=1e-8)
    assert model.get_weights()[-1].sum() == pytest.approx(0.3402048936932916, rel=1e-8)
    assert model.evaluate([X, NOISE], batch_size=8, verbose=0) == pytest.approx(2.562046081856422, **KERAS)
    assert model.train_on_batch([X, NOISE]) == pytest.approx(2.5620460602497386, **KERAS)
    assert model.test_on_batch([X, NOISE], return_dict=True) == {"loss": pytest.approx(2.4662296888795985, **KERAS)}
    assert model.metrics_names == ["loss"]


def test_triplets_train_as_in_keras():
    inputs = [pynn.Input((5,)) for _ in range(3)]
    model = started(pynn.Model(inputs, Triplet()(inputs)), pynn.optimizers.SGD(0.1, momentum=0.9))
    x = [X, np.roll(X, 1, 0) + 0.1 * X, X[::-1].copy()]
    history = model.fit(x, batch_size=8, epochs=3, shuffle=False, verbose=0).history
    assert history == {"loss": pytest.approx([1.0627262592315674, 0.9007418697530573, 0.857479144226421], **KERAS)}
    expected = [0.8247758620797108, 0.04106549424775016, -0.9596367698748319]
    np.testing.assert_allclose(model.get_weights()[1], expected, rtol=2e-6)


def test_regularizers_alone_train_as_in_keras_beside_metrics():
    ends = layers.Dense(3, kernel_regularizer="l2", activity_regularizer="l1"), layers.Dense(2, bias_regularizer="l2")
    model = pynn.Sequential([pynn.Input((5,)), *ends])
    started(model, pynn.optimizers.Adam(0.05), metrics=["mae"], weighted_metrics=["mse"])
    history = model.fit(
        X,
        Y,
        sample_weight=np.linspace(0, 2, 22),
        batch_size=8,
        epochs=2,
        shuffle=False,
        verbose=0,
        validation_data=(X[:5], Y[:5]),
    ).history
    assert history == {
        "loss": pytest.approx([0.02340218130920021, 0.009415505267815573], rel=1e-10),
        "mae": pytest.approx([0.6896997771479867, 0.6604211100123145], **KERAS),
        "mse": pytest.approx([0.6041726170518955, 0.5335523924141219], **KERAS),
        "val_loss": pytest.approx([0.012034214801483286, 0.00433373981284748], rel=1e-10),
        "val_mae": pytest.approx([0.6876035094261169, 0.6977637529373169], **KERAS),
        "val_mse": pytest.approx([0.5753023326396942, 0.5597966432571411], **KERAS),
    }
    expected = [0.12094674847232421, 0.1777400434423267, -0.10329753795661638, -0.0555164491681078]
    np.testing.assert_allclose(model.get_weights()[0].ravel()[:4], expected, rtol=1e-10)


class Batches(pynn.utils.PyDataset):
    def __init__(self, *form):
        super().__init__()
        self.form = form

    def __len__(self):
        return 2

    def __getitem__(self, number):
        part = X[:11] if number == 0 else X[11:]
        return (part, *self.form) if self.form else part


def test_all_forms_of_data_without_targets_are_the_same():
    expected = small().fit(X, batch_size=11, epochs=2, shuffle=False, verbose=0).history["loss"]
    for y in (Y, np.zeros(22), np.zeros((22, 7))):  # is left aside
        assert small().fit(X, y, batch_size=11, epochs=2, shuffle=False, verbose=0).history["loss"] == expected
    for data in (Batches(), Batches(None), Batches(np.zeros(11))):
        assert small().fit(data, epochs=2, shuffle=False, verbose=0).history["loss"] == expected
    forms = (lambda x: x), (lambda x: (x,)), (lambda x: (x, None)), (lambda x: (x, np.ones(11)))
    for form in forms:
        given = (form(x) for x in [X[:11], X[11:], X[:11], X[11:]])
        assert small().fit(given, epochs=2, steps_per_epoch=2, verbose=0).history["loss"] == expected
        found = small().fit(X, validation_data=form(X[:11]), verbose=0).history
        assert list(found) == ["loss", "val_loss"]
    assert list(small().fit(X, validation_split=0.5, verbose=0).history) == ["loss", "val_loss"]
    assert small().fit(X, validation_data=Batches(), verbose=0).history["val_loss"]
    evaluated = small().evaluate(X, verbose=0)
    assert evaluated == pytest.approx(np.mean(small().predict(X) ** 2), rel=1e-12)
    assert small().evaluate(Batches(), verbose=0) == pytest.approx(evaluated, rel=1e-12)


def test_gradients_are_those_of_what_is_added():
    model = small()
    loss, (of_kernel, of_bias) = model.gradients(X)
    y = model.predict(X)
    assert loss == pytest.approx(np.mean(y**2), rel=1e-12)
    np.testing.assert_allclose(of_kernel, X.T @ (2 * y) / y.size, rtol=1e-10)
    np.testing.assert_allclose(of_bias, 2 * y.sum(0) / y.size, rtol=1e-10)


def test_weights_that_the_loss_does_not_reach_stay():
    code = pynn.Input((5,))
    model = pynn.Model(code, layers.Dense(3)(Small()(layers.Dense(2)(code))))
    started(model, pynn.optimizers.Adam(0.1))
    before = model.get_weights()
    model.train_on_batch(X)
    np.testing.assert_array_equal(model.get_weights()[2], before[2])
    assert (model.get_weights()[0] != before[0]).all()


def test_outputs_that_are_not_finite_do_not_matter():
    """As in Keras, where nothing measures them."""
    x = pynn.Input((5,))
    model = started(pynn.Model(x, 1 / (0 * Small()(layers.Dense(2)(x)))), "sgd")
    assert model.train_on_batch(X) > 0


def test_files_and_copies_go_on():
    model = vae()
    model.fit([X, NOISE], verbose=0)
    twin = pickle.loads(pickle.dumps(model))
    assert twin.fit([X, NOISE], verbose=0).history == model.fit([X, NOISE], verbose=0).history


def test_model_that_data_build():
    model = pynn.Sequential([layers.Dense(2), Small()])
    model.compile("adam")
    losses = model.fit(X, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_length_of_steps_may_change():
    model = pynn.Sequential([pynn.Input((None, 5)), layers.LSTM(3, activity_regularizer="l2", return_sequences=True)])
    model.compile("sgd")
    for steps in (4, 7):
        x = np.ones((6, steps, 5))
        expected = 0.01 * np.sum(model(x) ** 2) / 6
        assert model.evaluate(x, verbose=0) == pytest.approx(expected, rel=1e-10)
        assert model.train_on_batch(x) == pytest.approx(expected, rel=1e-10)


class Quiet(layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("end", [[], [Quiet()]])
def test_without_any_loss_the_error_says_so(end):
    model = started(pynn.Sequential([pynn.Input((5,)), layers.Dense(2), *end]), "sgd", metrics=["accuracy"])
    state = {name: np.copy(value) for name, value in model.get_state().items()}
    for use in (lambda: model.fit(X, Y, verbose=0), lambda: model.evaluate(X, Y), lambda: model.train_on_batch(X, Y)):
        with pytest.raises(ValueError, match=r"compile was given no loss.*no call and no regularizer adds to it"):
            use()
    for name, value in model.get_state().items():
        np.testing.assert_array_equal(value, state[name])


def test_metrics_are_those_of_compile():
    model = small(metrics=["mae"], weighted_metrics=["mse"])
    logs = model.fit(X, Y, verbose=0).history
    assert [each.name for each in model.metrics] == model.metrics_names[1:] == ["mae", "mse"]
    assert [each.result() for each in model.metrics] == [logs["mae"][0], logs["mse"][0]]
    model.reset_metrics()
    assert [each.result() for each in model.metrics] == [0, 0]
    without = started(pynn.Sequential([pynn.Input((5,)), layers.Dense(2)]), "sgd", metrics=["mae"])
    assert without.metrics == []


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda model: model.fit(X), r"fit\(\) needs the argument 'y', for the loss or metrics"),
        (lambda model: model.evaluate(X), r"evaluate\(\) needs the argument 'y'"),
        (lambda model: model.train_on_batch(X), r"train_on_batch\(\) needs the argument 'y'"),
        (lambda model: model.test_on_batch(X), r"test_on_batch\(\) needs the argument 'y'"),
        (lambda model: model.gradients(X), r"gradients\(\) needs the argument 'y'"),
        (lambda model: model.fit(X, Y, validation_data=(X,)), r"validation_data must be a tuple \(x, y\)"),
        (lambda model: model.fit(X, Y, validation_data=X), r"validation_data must be a tuple \(x, y\)"),
        (lambda model: model.fit(Batches()), "but gave one without y"),
    ],
)
def test_metrics_need_targets(use, message):
    with pytest.raises((TypeError, ValueError), match=message):
        use(small(metrics=["mae"]))


def test_weights_of_classes_need_targets():
    with pytest.raises(ValueError, match="class_weight is for targets, and compile was given neither"):
        small().fit(X, class_weight={0: 1.0}, verbose=0)
