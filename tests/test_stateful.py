"""Layers that keep their states from batch to batch."""

import copy
import pickle

import numpy as np
import pytest
from helpers import THREADS, bits

import pynn
from pynn import layers


class OwnCell(layers.Layer):
    """A cell of one's own, of two states."""

    def __init__(self, units, **base):
        super().__init__(**base)
        self.units, self.state_size = units, [units, 1]

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight((self.units, self.units), name="recurrent_kernel")

    def call(self, inputs, states):
        h, count = states
        h = pynn.activations.tanh(inputs @ self.kernel + h @ self.recurrent_kernel + count * 0.01)
        return h, [h, count + 1]


KINDS = {
    "simple_rnn": lambda **s: layers.SimpleRNN(4, **s),
    "lstm": lambda **s: layers.LSTM(4, **s),
    "gru": lambda **s: layers.GRU(4, **s),
    "stacked": lambda **s: layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], **s),
    "own": lambda **s: layers.RNN(OwnCell(4), **s),
    "stacked own": lambda **s: layers.RNN([layers.LSTMCell(3), OwnCell(4)], **s),
}
OWN = {"OwnCell": OwnCell}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _float64():
    before = pynn.config.floatx()
    pynn.config.set_floatx("float64")
    yield
    pynn.config.set_floatx(before)


def pair(kind, batch_size=None, steps=None):
    """A stateful model, and one of the same weights that is not."""
    models = []
    for stateful in (True, False):
        model = pynn.Sequential(
            [
                pynn.Input((steps if stateful else None, 3), batch_size=batch_size if stateful else None),
                KINDS[kind](stateful=stateful, return_sequences=True),
                KINDS[kind](stateful=stateful),
                layers.Dense(2),
            ]
        )
        model.compile("adam", "mse")
        models.append(model)
    models[1].set_weights(models[0].get_weights())
    return models


WAYS = {
    "call": lambda model, x: model(x),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
    "training": lambda model, x: model(x, training=True),
}


@every_kind
@pytest.mark.parametrize("way", WAYS)
def test_pieces_are_the_whole(kind, way, random):
    """103: two rows, six steps in pieces of two and four; reset; another number of rows."""
    stateful, plain = pair(kind)
    x = random.normal(size=(2, 6, 3))
    for _ in range(2):
        WAYS[way](stateful, x[:, :2])
        np.testing.assert_array_equal(WAYS[way](stateful, x[:, 2:]), plain(x))
        with pytest.raises(ValueError, match=r"batch of 2 samples, but got one of 1"):
            WAYS[way](stateful, x[:1])
        stateful.reset_states()
    np.testing.assert_array_equal(WAYS[way](stateful, x[:1]), plain(x[:1]))
    with pytest.raises(ValueError, match=r"batch of 1 samples, but got one of 2"):
        WAYS[way](stateful, x)


def test_size_of_a_batch_by_the_input(random):
    stateful, plain = pair("lstm", batch_size=2)
    x = random.normal(size=(2, 6, 3))
    np.testing.assert_array_equal(stateful(x), plain(x))
    stateful.reset_states()
    with pytest.raises(ValueError, match="Input says that a batch has 2 samples, but got one of 1"):
        stateful(x[:1])
    stateful(x[:, :2])
    np.testing.assert_array_equal(stateful(x[:, 2:]), plain(x))


def test_predict_goes_from_batch_to_batch(random):
    """Two sequences in three pieces, one after the other."""
    stateful, plain = pair("gru", steps=4)
    x = random.normal(size=(2, 12, 3))
    pieces = np.concatenate(np.split(x, 3, axis=1))
    for verbose in (0, 2):
        y = stateful.predict(pieces, batch_size=2, verbose=verbose)
        np.testing.assert_array_equal(y[4:], plain(x))
        stateful.reset_states()
    with pytest.raises(ValueError, match="leave a last batch of 1"):
        stateful.predict(pieces[:5], batch_size=2, verbose=0)


def test_evaluate_and_fit_go_from_batch_to_batch(random):
    stateful, plain = pair("lstm", steps=4)
    x, y = random.normal(size=(2, 12, 3)), random.normal(size=(2, 2))
    pieces, targets = np.concatenate(np.split(x, 3, axis=1)), np.concatenate([y] * 3)
    found = stateful.evaluate(pieces, targets, batch_size=2, verbose=0)
    ends = [plain(x[:, :stop]) for stop in (4, 8, 12)]
    assert found == pytest.approx(np.mean([(end - y) ** 2 for end in ends]), rel=1e-12)
    stateful.reset_states()
    step_by_step = pynn.Sequential.from_config(stateful.get_config())
    step_by_step.compile("adam", "mse")
    step_by_step.set_weights(stateful.get_weights())
    stateful.fit(pieces, targets, batch_size=2, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for begin in (0, 2, 4):
            step_by_step.train_on_batch(pieces[begin : begin + 2], targets[begin : begin + 2])
    assert bits(step_by_step) == bits(stateful)
    np.testing.assert_array_equal(step_by_step(pieces[:2]), stateful(pieces[:2]))
    with pytest.raises(ValueError, match="batch of 2 samples, but got one of 3"):
        stateful.fit(pieces, targets, batch_size=3, verbose=0)
    with pytest.raises(ValueError, match="leave a last batch of 1"):
        stateful.fit(pieces[:5], targets[:5], batch_size=2, verbose=0)
    with pytest.raises(ValueError, match="batch of 2 samples, but got one of 3"):
        stateful.evaluate(pieces, targets, batch_size=3, verbose=0)
    with pytest.raises(ValueError, match="batch of 2 samples, but got one of 6"):
        stateful.train_on_batch(pieces, targets)


def test_gradients_do_not_move_the_states(random):
    stateful, plain = pair("lstm")
    x, y = random.normal(size=(2, 6, 3)), random.normal(size=(2, 2))
    stateful(x[:, :2])
    before = [state.numpy() for state in stateful.layers[0].states]
    stateful.gradients(x[:, 2:], y)
    stateful.vjp(x[:, 2:], y)
    stateful.test_on_batch(x[:, 2:], y)
    moved = [state.numpy() for state in stateful.layers[0].states]
    assert any((a != b).any() for a, b in zip(before, moved, strict=True))  # test_on_batch is a batch
    stateful.reset_states()
    stateful(x[:, :2])
    stateful.gradients(x[:, 2:], y)
    stateful.vjp(x[:, 2:], y)
    np.testing.assert_array_equal(stateful(x[:, 2:]), plain(x))


def test_optimizer_goes_on_with_another_size_of_batch(random):
    """The states are 0 after a reset, so that they may be of another batch; Adam keeps its moments."""
    stateful, plain = pair("gru")
    for rows in (4, 2, 4):
        x, y = random.normal(size=(rows, 5, 3)), random.normal(size=(rows, 2))
        stateful.train_on_batch(x, y)
        plain.train_on_batch(x, y)
        assert bits(stateful) == bits(plain)
        stateful.reset_states()
    assert stateful.optimizer.iterations == 3


@every_kind
def test_states_are_part_of_the_model(kind, random, tmp_path):
    stateful, _ = pair(kind)
    x, y = random.normal(size=(2, 5, 3)), random.normal(size=(2, 2))
    untouched = pickle.loads(pickle.dumps(stateful))
    stateful.train_on_batch(x, y)
    stateful.save(tmp_path / "model.pynn")
    copies = [
        pynn.load_model(tmp_path / "model.pynn", custom_objects=OWN),
        copy.deepcopy(stateful),
        pickle.loads(pickle.dumps(stateful)),
    ]
    for model in (stateful, *copies):
        model.train_on_batch(x, y)
    expected = stateful(x)
    for model in copies:
        assert bits(model) == bits(stateful)
        np.testing.assert_array_equal(model(x), expected)
    state = stateful.get_state()
    assert sum(name.startswith("states/") for name in state) == 2 * len(stateful.layers[0].states)
    stateful(x)
    stateful.set_state(state)
    again = stateful(x)
    untouched.compile("adam", "mse")
    untouched.set_state(state)
    np.testing.assert_array_equal(untouched(x), again)
    name = next(name for name in state if name.startswith("states/"))
    before = bits(stateful)
    for wrong in (state[name][:, :1], state[name][:0], state[name][0]):
        with pytest.raises(ValueError, match=f"{name} has shape"):
            stateful.set_state({**state, name: wrong})
    assert bits(stateful) == before


def test_state_without_states(random):
    """Of a model that has seen no batch yet."""
    stateful, plain = pair("lstm")
    state = stateful.get_state()
    assert not any(name.startswith("states/") for name in state)
    x = random.normal(size=(2, 5, 3))
    stateful(x)
    stateful.set_state(state)
    np.testing.assert_array_equal(stateful(x), plain(x))


def test_states_are_no_weights(random):
    stateful, plain = pair("lstm")
    assert stateful.layers[0].states is None
    stateful(random.normal(size=(2, 5, 3)))
    assert [w.name for w in stateful.weights] == [w.name for w in plain.weights]
    assert [state.shape for state in stateful.layers[0].states] == [(2, 4), (2, 4)]
    stateful.layers[0].reset_state()
    assert not any(state.numpy().any() for state in stateful.layers[0].states)


def test_stateful_layer_by_itself(random):
    layer = layers.LSTM(4, stateful=True, return_sequences=True)
    x = random.normal(size=(2, 6, 3))
    whole = layer(x)
    layer.reset_states()
    np.testing.assert_array_equal(np.concatenate([layer(x[:, :1]), layer(x[:, 1:])], axis=1), whole)
    with pytest.raises(ValueError, match="batch of 2 samples, but got one of 1"):
        layer(x[:1])


def test_stateful_in_both_directions_and_in_models(random):
    x = random.normal(size=(2, 6, 3))
    inner = pynn.Sequential([pynn.Input((None, 3)), layers.LSTM(4, stateful=True, return_sequences=True)])
    model = pynn.Sequential([pynn.Input((None, 3)), inner, layers.Bidirectional(layers.GRU(3, stateful=True))])
    first = model(x)
    second = model(x)
    assert (first != second).any()
    model.reset_states()
    np.testing.assert_array_equal(model(x), first)
    with pytest.raises(ValueError, match="batch of 2 samples"):
        model(x[:1])
    inner.reset_states()
    for layer in model.layers:
        if isinstance(layer, layers.Bidirectional):
            layer.reset_states()
    np.testing.assert_array_equal(model(x), first)


@every_kind
def test_stateful_layer_that_comes_twice(kind, random):
    """Its second call goes on where the first one ended; the next batch, where the second one did."""
    shared = KINDS[kind](stateful=True, return_sequences=True)
    one, other = pynn.Input((None, 3), batch_size=2), pynn.Input((None, 3), batch_size=2)
    model = pynn.Model([one, other], [shared(one), shared(other)])
    plain = pynn.Sequential([pynn.Input((None, 3)), KINDS[kind](return_sequences=True)])
    plain.set_weights(model.get_weights())
    x = random.normal(size=(2, 10, 3))
    ends = [end for begin in (0, 5) for end in model([x[:, begin : begin + 2], x[:, begin + 2 : begin + 5]])]
    np.testing.assert_allclose(np.concatenate(ends, axis=1), plain(x), rtol=1e-12, atol=1e-14)
    model.reset_states()
    np.testing.assert_array_equal(model([x[:, :2], x[:, 2:5]])[1], ends[1])


@every_kind
def test_states_with_masks(kind, random):
    """Padded steps change no state, also not that of the next batch."""
    layer, plain = KINDS[kind](stateful=True), KINDS[kind]()
    x, mask = random.normal(size=(2, 8, 3)), np.tile([True, False, True, True, True, False, True, False], (2, 1))
    expected = plain(x[mask].reshape(2, -1, 3))
    layer.build((None, None, 3))
    layer.set_weights(plain.get_weights())
    layer(x[:, :4], mask=mask[:, :4])
    np.testing.assert_allclose(layer(x[:, 4:], mask=mask[:, 4:]), expected, rtol=1e-12, atol=1e-14)


@every_kind
def test_stateful_on_any_number_of_threads(kind, random):
    x, y = random.normal(size=(37, 6, 3)), random.normal(size=(37, 2))
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(5)
        stateful, _ = pair(kind)
        for _ in range(2):
            stateful.train_on_batch(x, y)
        seen.add(bits(stateful) + stateful.predict(x, batch_size=37, verbose=0).tobytes())
    assert len(seen) == 1


def test_initial_states_of_a_stateful_layer(random):
    """They take the place of what was kept, for that call."""
    layer = layers.GRU(4, stateful=True)
    x, start = random.normal(size=(2, 5, 3)), random.normal(size=(2, 4))
    layer(x)
    y = layer(x, initial_state=[start])
    np.testing.assert_array_equal(layer.states[0].numpy(), y)
    layer.reset_state()
    np.testing.assert_array_equal(layer(x, initial_state=[start]), y)


class Starting(OwnCell):
    """One that does not begin with zeros."""

    def get_initial_state(self, batch_size=None):
        return [np.full((batch_size, self.units), 0.5), np.full((batch_size, 1), 2.0)]


def test_first_batch_begins_with_the_states_of_the_cell(random, tmp_path):
    """As in Keras: after a reset they are 0."""
    layer, plain = layers.RNN(Starting(4), stateful=True, return_state=True), layers.RNN(Starting(4), return_state=True)
    x = random.normal(size=(2, 6, 3))
    expected = plain(x)
    layer.build((None, None, 3))
    layer.set_weights(plain.get_weights())
    layer(x[:, :2])
    for found, value in zip(layer(x[:, 2:]), expected, strict=True):
        np.testing.assert_array_equal(found, value)
    with pytest.raises(ValueError, match="batch of 2 samples, but got one of 1"):
        layer(x[:1])
    layer.reset_state()
    zeros = [np.zeros((2, 4)), np.zeros((2, 1))]
    for found, value in zip(layer(x), plain(x, initial_state=zeros), strict=True):
        np.testing.assert_array_equal(found, value)


def test_batch_of_another_size_before_the_states_have_moved(random):
    """The states that a cell begins with are nothing that could be lost."""
    model = pynn.Sequential([pynn.Input((5, 3)), layers.RNN(Starting(4), stateful=True), layers.Dense(1)])
    model.compile("adam", "mse")
    x = random.normal(size=(3, 5, 3))
    model.gradients(x, np.zeros((3, 1)))
    assert (model.layers[0].states[1].numpy() == 2).all()
    assert model(x[:2]).shape == (2, 1)
    assert (model.layers[0].states[1].numpy() == 7).all()


class Stop(pynn.callbacks.Callback):
    """Ends a run by an error, after an epoch."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.after:
            raise RuntimeError("stop")


def test_run_that_is_taken_up_again(random, tmp_path):
    """The states at the end of an epoch are in the backup."""
    x, y = random.normal(size=(6, 4, 3)), random.normal(size=(6, 2))
    given = {"batch_size": 2, "epochs": 4, "shuffle": False, "verbose": 0}
    whole, first = pair("lstm")[0], pair("lstm")[0]
    first.set_weights(whole.get_weights())
    second = pynn.Sequential.from_config(first.get_config())
    second.compile("adam", "mse")
    with pytest.raises(RuntimeError, match="stop"):
        first.fit(x, y, callbacks=[pynn.callbacks.BackupAndRestore(tmp_path / "backup"), Stop(1)], **given)
    second.fit(x, y, callbacks=[pynn.callbacks.BackupAndRestore(tmp_path / "backup"), Stop(9)], **given)
    whole.fit(x, y, **given)
    assert bits(second) == bits(whole)
    np.testing.assert_array_equal(second(x[:2]), whole(x[:2]))
