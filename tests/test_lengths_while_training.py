"""Lengths that come up within `fit`: validation data of another length, and what callbacks ask of the model."""

import numpy as np
import pytest
from test_interrupts import Interrupt, places

import pynn
from pynn import layers, ops


def data(rows, length, start=0):
    x = np.sin(start + np.arange(rows * length * 3.0)).reshape(rows, length, 3).astype("float32")
    return x, x.mean((1, 2))[:, None] + 0.5


X, Y = data(7, 6)
OTHER = data(5, 9, 3)
ASKED = data(4, 11, 5)


def chain(*first):
    return pynn.Sequential([*first, layers.LSTM(4, return_sequences=True), layers.LSTM(3), layers.Dense(1)])


def opened():
    return chain(pynn.Input((None, 3)))


class Called(pynn.Model):
    """The same by a call."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.last = layers.LSTM(4, return_sequences=True), layers.LSTM(3), layers.Dense(1)

    def call(self, x):
        return self.last(self.two(self.one(x)))


class Asking(Called):
    """A call that needs the length as a number."""

    def call(self, x):
        return super().call(ops.matmul(np.tri(x.shape[1]) / float(x.shape[1]), x))


class Around(pynn.Model):
    """A model with one within it."""

    def __init__(self):
        super().__init__()
        self.inner = Called()

    def call(self, x):
        return self.inner(x) * 1.0


KINDS = pytest.mark.parametrize("kind", [opened, chain, Called, Asking, Around])
BUILT = pytest.mark.parametrize("built", [False, True])


def made(kind, built=True, optimizer="adam", **compiled):
    pynn.set_random_seed(5)
    model = kind()
    if built:
        model(X)
    model.compile(optimizer, "mse", **compiled)
    return model


def run(model, epochs=3, x=X, y=Y, **arguments):
    return model.fit(x, y, batch_size=3, epochs=epochs, shuffle=False, verbose=0, **arguments).history


def weights_are_equal(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def evaluated(kind, validation, **compiled):
    """The model after an epoch at a time, and its evaluations."""
    model, found = made(kind, **compiled), []
    for _ in range(3):
        run(model, 1)
        found.append(model.evaluate(*validation[:2], sample_weight=[*validation, None][2], verbose=0, return_dict=True))
    return model, found


@KINDS
@BUILT
def test_validation_data_have_another_length(kind, built):
    plain, expected = evaluated(kind, OTHER, metrics=["mae", pynn.metrics.R2Score()])
    model = made(kind, built, metrics=["mae", pynn.metrics.R2Score()])
    history = run(model, validation_data=OTHER)
    for name in ("loss", "mae", "r2_score"):
        assert history[f"val_{name}"] == [each[name] for each in expected]
    weights_are_equal(model, plain)
    assert model.optimizer.iterations == 9
    assert model.input_shape == (None, None, 3)
    assert run(model, 1, validation_data=OTHER)["loss"] == run(plain, 1)["loss"]
    assert run(model, 1, *OTHER)["loss"] == run(plain, 1, *OTHER)["loss"]  # the state of the optimizer goes with it
    weights_are_equal(model, plain)


@KINDS
def test_callbacks_use_the_model_at_another_length(kind):
    class Asks(pynn.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            length = 4 + epoch
            self.model(ASKED[0][:, :length])

        def on_epoch_end(self, epoch, logs=None):
            x, y = ASKED
            found.append([self.model(x), self.model.predict(x, verbose=0), *self.model.evaluate(x, y, verbose=0)])
            found[-1] += self.model.test_on_batch(x[:, :8], y)
            self.model(X)
            assert self.model.evaluate(X, Y, verbose=0)[0] > 0

        def on_train_batch_end(self, batch, logs=None):
            self.model.predict(ASKED[0][:, : 3 + batch], verbose=0)

    found = []
    model, plain = made(kind, metrics=["mae"]), made(kind, metrics=["mae"])
    history = run(model, callbacks=[Asks()], validation_data=OTHER)
    for (y, predicted, *values), loss in zip(found, history["loss"], strict=True):
        assert run(plain, 1)["loss"] == [loss]
        np.testing.assert_array_equal(y, plain(ASKED[0]))
        np.testing.assert_array_equal(predicted, y)
        assert values[:2] == plain.evaluate(*ASKED, verbose=0)
        assert values[2:] == plain.test_on_batch(ASKED[0][:, :8], ASKED[1])
    weights_are_equal(model, plain)
    assert run(model, 1, *OTHER)["loss"] == run(plain, 1, *OTHER)["loss"]
    weights_are_equal(model, plain)
    assert model.optimizer.iterations == plain.optimizer.iterations


@KINDS
def test_a_rate_that_a_callback_sets_behind_another_length_holds(kind):
    class Lowers(pynn.callbacks.Callback):
        def __init__(self, asks):
            super().__init__()
            self.asks = asks

        def on_epoch_end(self, epoch, logs=None):
            if self.asks:
                self.model.predict(ASKED[0], verbose=0)
            self.model.optimizer.learning_rate = 0.1 / (2 + epoch)
            states.append(self.model.get_state())

    models, states = [], []
    for asks in (False, True):
        models.append(made(kind, optimizer=pynn.optimizers.Adam(0.1)))
        run(models[-1], callbacks=[Lowers(asks)])
    weights_are_equal(*models)
    for one, other in zip(states[:3], states[3:], strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@KINDS
@BUILT
@pytest.mark.parametrize("in_batches", [False, True])
def test_batches_for_validation_have_other_lengths(kind, built, in_batches):
    """They leave the optimizer as it is."""

    class Batches(pynn.utils.PyDataset):
        def __init__(self, *given):
            super().__init__()
            self.given = given

        def __len__(self):
            return len(self.given)

        def __getitem__(self, index):
            return self.given[index]

    plain, model = made(kind), made(kind, built)
    rest = {"epochs": 3, "shuffle": False, "verbose": 0, "validation_data": Batches(OTHER, ASKED)}
    if in_batches:
        history = model.fit(Batches((X[:3], Y[:3]), (X[3:6], Y[3:6]), (X[6:], Y[6:])), **rest).history
    else:
        history = model.fit(X, Y, batch_size=3, **rest).history
    for loss, of_validation in zip(history["loss"], history["val_loss"], strict=True):
        np.testing.assert_allclose(run(plain, 1)["loss"], loss, rtol=1e-6)
        one, other = (plain.evaluate(*each, verbose=0) for each in (OTHER, ASKED))
        np.testing.assert_allclose(of_validation, (5 * one + 4 * other) / 9, rtol=1e-6)
    weights_are_equal(model, plain)
    assert model.optimizer.iterations == 9


def test_numbers_of_keras():
    class Asks(pynn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.append([*self.model(ASKED[0]).ravel(), self.model.evaluate(ASKED[0][:, :8], ASKED[1], verbose=0)[0]])

    # Of Keras 3.15.1 with JAX.
    golden = [
        [0.004613007418811321, 0.0031053624115884304, 0.0018844325095415115],
        [0.058578748255968094, 0.04041839390993118, 0.039024077355861664],
        [0.5371353626251221, 0.531745970249176, 0.5401952266693115, 0.5449070334434509, 0.0026431591250002384],
        [0.44744670391082764, 0.4409925937652588, 0.45512181520462036, 0.4585801362991333, 0.003457822138443589],
        [0.48519662022590637, 0.4778292179107666, 0.49618303775787354, 0.4996095895767212, 0.0013658300740644336],
    ]
    for kind in (opened, Called, Around):
        found = []
        model = made(kind, optimizer=pynn.optimizers.Adam(0.05), metrics=["mae"])
        model.set_weights([np.cos(1 + np.arange(w.size)).reshape(w.shape) / 2 for w in model.get_weights()])
        history = run(model, validation_data=OTHER, callbacks=[Asks()])
        np.testing.assert_allclose([history["val_loss"], history["val_mae"]], golden[:2], rtol=5e-5)
        np.testing.assert_allclose(found, golden[2:], rtol=5e-5)


@pytest.mark.parametrize("first", [list, lambda: [layers.Masking()], lambda: [pynn.Input((None, 3))]])
def test_targets_and_weights_of_steps(first):
    def loss(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    def targets(x):
        return np.cos(x[:, :, :2])

    x = [X, OTHER[0].copy()]
    x[1][1, 4:] = 0
    weights = 1 + np.sin(np.arange(45.0)).reshape(5, 9)
    validation = (x[1], targets(x[1]), weights)
    for each in ("mse", loss):
        model, plain = (
            pynn.Sequential([*first(), layers.LSTM(4, return_sequences=True), layers.Dense(2)]) for _ in "12"
        )
        for one in (model, plain):
            one.compile("adam", each, metrics=["mae"], weighted_metrics=["mse"])
        plain(X)
        model(X)
        plain.set_weights(model.get_weights())
        history = run(model, 2, y=targets(X), validation_data=validation, validation_batch_size=2)
        for epoch in range(2):
            run(plain, 1, y=targets(X))
            expected = plain.evaluate(*validation[:2], sample_weight=weights, verbose=0, batch_size=2, return_dict=True)
            assert {name: history[f"val_{name}"][epoch] for name in expected} == expected
        weights_are_equal(model, plain)


class Two(pynn.Model):
    """Two inputs, and two outputs."""

    def __init__(self):
        super().__init__()
        self.one, self.other = layers.Conv1D(2, 2), layers.Dense(2)

    def call(self, inputs):
        one, other = self.one(inputs["a"]), self.other(inputs["b"])
        return {"u": ops.mean(one, axis=1) + ops.mean(other, axis=1), "v": other}


@BUILT
def test_several_inputs_and_outputs(built):
    def given(a, b):
        x = {"a": data(6, a)[0], "b": data(6, b, 2)[0]}
        return x, {"u": np.ones((6, 2)), "v": x["b"][..., :2]}

    model, plain = Two(), Two()
    pynn.set_random_seed(5)
    plain(given(4, 5)[0])
    pynn.set_random_seed(5)
    if built:
        model(given(4, 5)[0])
    for each in (model, plain):
        each.compile("adam", "mse")
    x, y = given(4, 5)
    history = run(model, 1, x, y, validation_data=given(7, 5))
    run(plain, 1, x, y)
    expected = plain.evaluate(*given(7, 5), verbose=0, return_dict=True)
    assert {name: history[f"val_{name}"] for name in expected} == {name: [value] for name, value in expected.items()}
    assert model.input_shape == {"a": (None, None, 3), "b": (None, 5, 3)}


def test_crossentropies_that_targets_choose():
    labels, found = np.arange(7) % 3, []
    for loss in ("crossentropy", "sparse_categorical_crossentropy"):
        pynn.set_random_seed(5)
        model = pynn.Sequential([layers.LSTM(4), layers.Dense(3, activation="softmax")])
        model.compile("adam", loss, metrics=["accuracy"])
        found.append(run(model, 2, y=labels, validation_data=(OTHER[0], labels[:5])))
    assert set(found[0]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert found[0] == found[1]


def flattened():
    return pynn.Sequential([layers.Flatten(), layers.Dense(1)])


class Flattened(pynn.Model):
    def __init__(self):
        super().__init__()
        self.flatten, self.last = layers.Flatten(), layers.Dense(1)

    def call(self, x):
        return self.last(self.flatten(x))


def fixed():
    return chain(pynn.Input((6, 3)))


@pytest.mark.parametrize(
    ("kind", "validation", "message"),
    [
        (flattened, OTHER, r"validation_data: x must have the shape \(samples, 6, 3\)"),
        (Flattened, OTHER, r"validation_data: x must have the shape \(samples, 6, 3\)"),
        (fixed, OTHER, r"validation_data: x must have the shape \(samples, 6, 3\)"),
        (chain, (OTHER[0][..., :2], OTHER[1]), r"validation_data: x must have the shape"),
        (Called, (OTHER[0][..., :2], OTHER[1]), r"validation_data: x must have the shape"),
        (Called, (OTHER[0][..., 0], OTHER[1]), r"validation_data: x must have the shape"),
        (opened, (OTHER[0][..., :2], OTHER[1]), r"validation_data: x must have the shape \(samples, None, 3\)"),
        (chain, (OTHER[0], OTHER[1][:3]), "validation_data: "),
        (Called, (OTHER[0], np.full((5, 1), np.nan)), "validation_data: y"),
        (Called, (np.full((5, 9, 3), np.inf), OTHER[1]), "validation_data: x"),
        (opened, (OTHER[0], OTHER[1][:3]), "validation_data: "),
    ],
)
@BUILT
def test_what_is_refused_leaves_the_model_as_it_was(kind, validation, message, built):
    model, plain = made(kind, built), made(kind)
    with pytest.raises(ValueError, match=message):
        run(model, validation_data=validation)
    assert model.built == (built or kind in (opened, fixed))
    if not model.built:
        model(X)
        model.set_weights(plain.get_weights())
    weights_are_equal(model, plain)
    run(plain)
    run(model)
    weights_are_equal(model, plain)


def test_other_weights_for_another_length_are_refused():
    class Growing(pynn.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = layers.Dense(1), layers.Dense(1)

        def call(self, x):
            x = self.one(x) if x.shape[1] == 6 else self.other(x)
            return ops.mean(x, axis=1)

    model = made(Growing, False)
    with pytest.raises(ValueError, match="makes other weights for the lengths of validation_data"):
        run(model, validation_data=OTHER)
    assert not model.other.built
    model = made(Growing)
    with pytest.raises(ValueError, match=r"validation_data: x must have the shape \(samples, 6, 3\)"):
        run(model, validation_data=OTHER)


def test_states_that_are_kept_are_those_of_the_training():
    """A network for a batch of another size would take them away."""

    class Asks(pynn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with pytest.raises(RuntimeError, match="cannot be used from within"):
                self.model.predict(ASKED[0], verbose=0)

    model = pynn.Sequential([pynn.Input((None, 3)), layers.LSTM(2, stateful=True), layers.Dense(1)])
    model.compile("adam", "mse")
    history = run(model, x=X[:6], y=Y[:6], validation_data=(OTHER[0][:3], OTHER[1][:3]), callbacks=[Asks()])
    assert len(history["val_loss"]) == 3
    with pytest.raises(ValueError, match="stateful"):
        run(model, x=X[:6], y=Y[:6], validation_data=OTHER)


def test_a_callback_cannot_train_or_change_the_model():
    class Trains(pynn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            for call in (
                lambda: self.model.fit(*ASKED, verbose=0),
                lambda: self.model.train_on_batch(*ASKED),
                lambda: self.model.compile("sgd", "mse"),
                lambda: self.model(ASKED[0], training=True),
            ):
                with pytest.raises(RuntimeError, match="is being trained or changed already"):
                    call()

    model, plain = made(opened), made(opened)
    run(model, callbacks=[Trains()])
    run(plain)
    weights_are_equal(model, plain)


def test_a_run_that_fails_is_over():
    class Fails(pynn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyError("over")

    model = made(chain)
    with pytest.raises(KeyError, match="over"):
        run(model, callbacks=[Fails()])
    assert not model._in_run


@pytest.mark.slow
@BUILT
@pytest.mark.parametrize("kind", [chain, Called])
def test_an_interrupt_leaves_a_model_that_trains(kind, built):
    class Asks(pynn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(*ASKED, verbose=0)

    def fit(model):
        run(model, 2, validation_data=OTHER, callbacks=[Asks()])

    fit(made(kind, built))  # what only the first call in a process does is not tested here
    first = made(kind, built)
    for n in places(lambda: fit(first))[::101]:
        model = made(kind, built)
        interrupt = Interrupt(n)
        interrupt.call(lambda model=model: fit(model))
        assert interrupt.was_raised
        done = model.optimizer.iterations if model.built else 0
        fit(model)
        assert model.optimizer.iterations == done + 6
        assert model.input_shape == (None, None, 3)
        np.testing.assert_array_equal(model(X), model.predict(X, verbose=0))
