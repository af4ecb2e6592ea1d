"""Recurrent layers: against plain NumPy, step by step, and against themselves in other pieces and orders."""

import copy
import json
import pickle

import numpy as np
import pytest
import reference_recurrent as reference
from helpers import THREADS, bits
from reference import central_difference

import pynn
from pynn import layers
from pynn.layers.running import flat

KINDS = {
    "simple_rnn": (layers.SimpleRNN, {}),
    "lstm": (layers.LSTM, {}),
    "gru": (layers.GRU, {}),
    "gru_reset_before": (layers.GRU, {"reset_after": False}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": reference.sigmoid,
    "relu": lambda x: np.maximum(x, 0),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
}


@pytest.fixture(autouse=True)
def _float64():
    before = pynn.config.floatx()
    pynn.config.set_floatx("float64")
    yield
    pynn.config.set_floatx(before)


def make(kind, units=4, **settings):
    cls, own = KINDS[kind]
    return cls(units, **own, **settings)


def randomised(layer, random):
    """The layer, its weights drawn anew, biases too."""
    layer.set_weights([random.normal(size=w.shape) / 2 for w in layer.get_weights()])
    return layer


def built(kind, features, random, **settings):
    layer = make(kind, **settings)
    layer.build((None, None, features))
    return randomised(layer, random)


def expected(layer, x, **given):
    """What plain NumPy makes of x: outputs and last states."""
    kind = layer.cell.kind
    settings = {"f": FUNCTIONS[layer.activation.name]}
    if kind != "simple_rnn":
        settings["g"] = FUNCTIONS[layer.recurrent_activation.name]
    if kind == "gru":
        settings["reset_after"] = layer.reset_after
    return reference.run(kind, x, *layer.get_weights(), go_backwards=layer.go_backwards, **settings, **given)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


# ---- values ----------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("bias", [True, False])
def test_recurrent_values(kind, backwards, bias, random):
    x = random.normal(size=(3, 6, 5))
    settings = {"return_state": True, "go_backwards": backwards, "use_bias": bias}
    layer = built(kind, 5, random, return_sequences=True, **settings)
    whole, states = expected(layer, x)
    y, *ends = layer(x)
    close(y, whole)
    close(ends, states)
    last = built(kind, 5, random, **settings)
    last.set_weights(layer.get_weights())
    y, *ends = last(x)
    close(y, whole[:, -1])
    close(ends, states)


@every_kind
def test_recurrent_activations(kind, random):
    """105, 106: the formulas, with other functions too."""
    own = {} if kind == "simple_rnn" else {"recurrent_activation": "hard_sigmoid"}
    layer = built(kind, 3, random, units=3, activation="relu", return_sequences=True, **own)
    x = random.normal(size=(2, 5, 3))
    close(layer(x), expected(layer, x)[0])


@every_kind
def test_recurrent_initial_states(kind, random):
    layer = built(kind, 3, random, return_sequences=True)
    x, states = random.normal(size=(2, 5, 3)), [random.normal(size=(2, 4)) for _ in layer.state_size]
    close(layer(x, initial_state=states), expected(layer, x, initial=states)[0])
    close(layer(x, initial_state=layer.get_initial_state(2)), layer(x))
    sequence, starts = pynn.Input((None, 3)), [pynn.Input((4,)) for _ in states]
    model = pynn.Model([sequence, *starts], layer(sequence, initial_state=starts))
    np.testing.assert_array_equal(model([x, *states]), layer(x, initial_state=states))


@every_kind
def test_recurrent_states_carry_on(kind, random):
    """What is returned as the last states goes on as initial states."""
    layer = built(kind, 3, random, return_sequences=True, return_state=True)
    x = random.normal(size=(2, 7, 3))
    whole, *ends = layer(x)
    first, *between = layer(x[:, :3])
    second, *last = layer(x[:, 3:], initial_state=between)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)
    np.testing.assert_array_equal(last, ends)


@every_kind
def test_recurrent_backwards_is_the_input_reversed(kind, random):
    there, back = (built(kind, 3, random, return_sequences=True, go_backwards=way) for way in (False, True))
    back.set_weights(there.get_weights())
    x = random.normal(size=(3, 6, 3))
    np.testing.assert_array_equal(back(x), there(x[:, ::-1]))


@every_kind
@pytest.mark.parametrize("rows", [1, 2, 15, 17, 33])
def test_recurrent_one_sample_is_as_in_a_batch(kind, rows, random):
    layer = built(kind, 5, random, units=17, dtype="float32")
    x = random.normal(size=(rows, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), np.concatenate([layer(row[None]) for row in x]))


@every_kind
def test_recurrent_another_length_afterwards(kind, random):
    model = pynn.Sequential([pynn.Input((None, 3)), make(kind, return_sequences=True), make(kind), layers.Dense(1)])
    model.compile("adam", "mse")
    for steps in (5, 9, 1):
        x, y = random.normal(size=(8, steps, 3)), random.normal(size=(8, 1))
        model.fit(x, y, epochs=2, verbose=0)
        first, second, _ = model.layers
        between = expected(first, x)[0]
        close(model.predict(x, verbose=0), second(between) @ model.get_weights()[-2] + model.get_weights()[-1])
        close(second(between), expected(second, between)[0][:, -1])
    assert model.optimizer.iterations == 6


# ---- masks -----------------------------------------------------------------------------------------------------------

# Which of 8 steps are real, in each of 4 samples: padding behind, in front, in the middle, and nothing else.
REAL = np.array([[1] * 5 + [0] * 3, [0] * 3 + [1] * 5, [1, 0, 1, 1, 0, 0, 1, 1], [0] * 8])


def masked_layers(random):
    """Recurrent layers of every make, with states and whole sequences."""
    settings = {"return_sequences": True, "return_state": True}
    made = [make(kind, go_backwards=way, **settings) for kind in KINDS for way in (False, True)]
    made += [layers.RNN([layers.GRUCell(3), layers.LSTMCell(4)], go_backwards=way, **settings) for way in (False, True)]
    made += [layers.RNN(OwnCell(4), go_backwards=way, **settings) for way in (False, True)]
    made += [layers.RNN([OwnCell(3), layers.SimpleRNNCell(4)], **settings)]
    for layer in made:
        layer.build((None, None, 3))
        yield randomised(layer, random)


def test_masked_steps_change_nothing(random):
    """101: the states are those of the trimmed sequence, the output of a padded step is the last one, all is finite."""
    x, other = random.normal(size=(2, 4, 8, 3))
    x_other = np.where(REAL[:, :, None], x, other)
    for layer in masked_layers(random):
        y, *states = layer(x, mask=REAL)
        for same in (layer(x_other, mask=REAL.astype(bool)), layer(x, mask=REAL.astype("float32"))):
            for a, b in zip(flat(same), flat((y, *states)), strict=True):
                np.testing.assert_array_equal(a, b)
        assert np.isfinite(y).all()
        for row, real in enumerate(REAL.astype(bool)):
            order = np.arange(8)[::-1] if layer.go_backwards else np.arange(8)
            if not real.any():
                assert not y[row].any()
                assert not any(state[row].any() for state in flat(states))
                continue
            short, *ends = layer(x[row : row + 1, real])
            np.testing.assert_array_equal(y[row, real[order]], short[0])
            for end, state in zip(flat(ends), flat(states), strict=True):
                np.testing.assert_array_equal(state[row], end[0])
            before = np.zeros(4)
            for step, place in enumerate(order):
                np.testing.assert_array_equal(y[row, step], y[row, step] if real[place] else before)
                before = y[row, step]


def test_masked_gradients(random):
    """Of padded steps 0, of the others those of the trimmed sequence."""
    x = random.normal(size=(4, 8, 3))
    for layer in masked_layers(random):
        sequence, mask = pynn.Input((8, 3)), pynn.Input((8,))
        y = layer(sequence, mask=mask)[0]
        model = pynn.Model([sequence, mask], y[:, -1])
        dy = random.normal(size=(4, 4))
        of_weights, (of_x, _) = model.vjp([x, REAL], dy)
        assert not of_x[REAL == 0].any()
        short_inputs = pynn.Input((None, 3))
        short = pynn.Model(short_inputs, layer(short_inputs)[0][:, -1])
        total = [np.zeros(w.shape) for w in of_weights]
        for row, real in enumerate(REAL.astype(bool)):
            if real.any():
                found, dx = short.vjp(x[row : row + 1, real], dy[row : row + 1])
                close(of_x[row, real], dx[0])
                total = [a + b for a, b in zip(total, found, strict=True)]
        for a, b in zip(of_weights, total, strict=True):
            close(a, b)


@pytest.mark.parametrize("kind", ["simple_rnn", "lstm", "gru"])
def test_masked_output_of_zeros(kind, random):
    layer = built(kind, 3, random, return_sequences=True, zero_output_for_mask=True)
    x = random.normal(size=(4, 8, 3))
    close(layer(x, mask=REAL), expected(layer, x, mask=REAL, zero_masked=True)[0])
    own = layers.RNN(OwnCell(4), return_sequences=True, zero_output_for_mask=True)
    assert not own(x, mask=REAL)[REAL == 0].any()


def test_masks_go_on(random):
    """Through layers that return sequences, and no further."""
    inputs = pynn.Input((None, 3))
    masked = layers.Masking()(inputs)
    for layer in (layers.GRU(3, return_sequences=True), layers.Bidirectional(layers.LSTM(2, return_sequences=True))):
        assert layer(masked).mask_shape == (None,)
    assert layers.GRU(3)(masked).mask_shape is None
    y, h, c = layers.LSTM(3, return_sequences=True, return_state=True)(masked)
    assert (y.mask_shape, h.mask_shape, c.mask_shape) == ((None,), None, None)
    first, second = layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode=None)(masked)
    assert first.mask_shape == second.mask_shape == (None,)
    x = random.normal(size=(4, 8, 3)) * REAL[:, :, None]
    model = pynn.Model(inputs, layers.LSTM(4)(y))
    inner = [layer for layer in model.layers if isinstance(layer, layers.LSTM)]
    between = inner[0](x, mask=REAL)[0]
    np.testing.assert_array_equal(model(x), inner[1](between, mask=REAL))
    start = [pynn.Input((3,)), pynn.Input((3,))]
    again = pynn.Model([inputs, *start], inner[0](masked, initial_state=start)[0])
    states = [random.normal(size=(4, 3)) for _ in start]
    np.testing.assert_array_equal(again([x, *states]), inner[0](x, initial_state=states, mask=REAL)[0])


def test_masks_and_both_directions(random):
    both = layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode="sum")
    x = random.normal(size=(4, 8, 3))
    y = both(x, mask=REAL)
    assert not y[REAL == 0].any()
    for row, real in enumerate(REAL.astype(bool)):
        if real.any():
            np.testing.assert_array_equal(y[row, real], both(x[row : row + 1, real])[0])


# ---- gradients -------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("backwards", [False, True])
def test_recurrent_gradients(kind, backwards, random):
    """Of the input, the initial states, and all weights; through the output and the last states."""
    layer = make(kind, return_sequences=True, return_state=True, go_backwards=backwards)
    sequence = pynn.Input((5, 3))
    starts = [pynn.Input((4,)) for _ in layer.state_size]
    model = pynn.Model([sequence, *starts], list(layer(sequence, initial_state=starts)))
    randomised(layer, random)
    given = [random.normal(size=(3, 5, 3)), *(random.normal(size=(3, 4)) for _ in starts)]
    slopes = [random.normal(size=y.shape) for y in model(given)]
    of_weights, of_inputs = model.vjp(given, slopes)

    def value(inputs):
        return sum(float((y * dy).sum()) for y, dy in zip(model(inputs), slopes, strict=True))

    for i, gradient in enumerate(of_inputs):
        numeric = central_difference(lambda a, i=i: value([*given[:i], a, *given[i + 1 :]]), given[i])
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)
    start = model.get_weights()

    def value_with(i, w):
        model.set_weights([*start[:i], w, *start[i + 1 :]])
        return value(given)

    for i, gradient in enumerate(of_weights):
        numeric = central_difference(lambda w, i=i: value_with(i, w), start[i])
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@every_kind
def test_recurrent_gradients_over_200_steps(kind, random):
    layer = make(kind, units=3)
    model = pynn.Sequential([pynn.Input((200, 2)), layer])
    layer.set_weights([random.normal(size=w.shape) / 2 for w in layer.get_weights()])
    x, dy = random.normal(size=(2, 200, 2)), random.normal(size=(2, 3))
    (*of_weights, _), of_x = model.vjp(x, dy)

    def value(a):
        return float((model(a) * dy).sum())

    places = [0, 1, 399, 400, 797, 799]
    numeric = central_difference(value, x, places=places)
    np.testing.assert_allclose(of_x.flat[places], numeric.flat[places], rtol=1e-5, atol=1e-9)
    start = model.get_weights()

    def value_with(i, w):
        model.set_weights([*start[:i], w, *start[i + 1 :]])
        return value(x)

    for i, gradient in enumerate(of_weights):
        numeric = central_difference(lambda w, i=i: value_with(i, w), start[i])
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-8)


# ---- dropout ---------------------------------------------------------------------------------------------------------


@every_kind
def test_recurrent_dropout_of_inputs_is_one_for_all_steps(kind, random):
    layer = built(kind, 40, random, units=3, dropout=0.5, seed=7, return_sequences=True)
    x = random.normal(size=(2, 6, 40))
    np.testing.assert_array_equal(layer(x), layer(x))
    close(layer(x), expected(layer, x)[0])
    noisy = layer(x, training=True)
    ones = layers.Dropout(0.5, noise_shape=(None, 1, None))
    assert ones.noise_shape == (None, 1, None)
    # Of each feature of a sample, all steps or none count: changing a dropped one changes nothing.
    key = layer.cell._key.value
    model = pynn.Sequential([pynn.Input((6, 40)), layer])
    base = model.vjp(x, np.ones_like(noisy), training=True)[1]
    dropped = (base == 0).all(axis=1)
    assert ((base != 0).all(axis=1) | dropped).all()
    assert 10 < dropped.sum() < 70
    assert layer.cell._key.value == key


@every_kind
def test_recurrent_dropout_of_the_state(kind, random):
    """In training the state is multiplied by 0 or 1 / (1 - rate) before the recurrent kernel, all steps alike."""
    layer = built(kind, 3, random, recurrent_dropout=0.5, seed=7, return_sequences=True)
    x = random.normal(size=(1, 6, 3))
    close(layer(x), expected(layer, x)[0])
    noisy = layer(x, training=True)
    factors = [np.array(f) * 2.0 for f in np.ndindex(2, 2, 2, 2)]
    errors = [np.abs(noisy - expected(layer, x, dropped=factor)[0]).max() for factor in factors]
    assert min(errors) < 1e-12


# ---- all that layers must do -----------------------------------------------------------------------------------------


@every_kind
def test_recurrent_weights_are_those_of_keras(kind):
    layer = make(kind, units=3)
    layer.build((None, None, 2))
    gates = layer.cell.gates
    bias = (2, 3 * gates) if kind == "gru" else (3 * gates,)
    assert [(w.name, w.shape) for w in layer.weights] == [
        ("kernel", (2, 3 * gates)),
        ("recurrent_kernel", (3, 3 * gates)),
        ("bias", bias),
    ]
    recurrent = layer.cell.recurrent_kernel.numpy()
    close(recurrent @ recurrent.T, np.eye(3))
    begins = np.zeros(bias)
    if kind == "lstm":
        begins[3:6] = 1
    np.testing.assert_array_equal(layer.cell.bias.numpy(), begins)
    assert np.abs(layer.cell.kernel.numpy()).max() <= np.sqrt(6 / (2 + 3 * gates))


def test_lstm_without_unit_forget_bias():
    layer = layers.LSTM(3, unit_forget_bias=False, bias_initializer="ones")
    layer.build((None, None, 2))
    assert (layer.cell.bias.numpy() == 1).all()
    layer = layers.LSTM(3, bias_initializer=pynn.initializers.Constant(2.0))
    layer.build((None, None, 2))
    np.testing.assert_array_equal(layer.cell.bias.numpy(), np.repeat([2.0, 1.0, 2.0, 2.0], 3))


def model_of(name):
    """A model with every kind of recurrent layer, or one of them."""
    inputs = pynn.Input((None, 3))
    if name == "stacked":
        cells = [layers.LSTMCell(4), layers.StackedRNNCells([layers.GRUCell(3), layers.SimpleRNNCell(2)])]
        y = layers.RNN(cells, return_sequences=True)(inputs)
    elif name == "bidirectional":
        y = layers.Bidirectional(
            layers.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid"),
            backward_layer=layers.GRU(2, go_backwards=True, dropout=0.2, seed=3),
        )(inputs)
    elif name == "states":
        y, h, c = layers.LSTM(4, return_state=True, return_sequences=True, seed=5, recurrent_dropout=0.3)(inputs)
        y = layers.LSTM(4)(y, initial_state=[h, c])
    else:
        y = make(name, dropout=0.3)(inputs)
    model = pynn.Model(inputs, layers.Dense(2)(y))
    model.compile("adam", "mse")
    return model


MODELS = (*KINDS, "stacked", "bidirectional", "states")


@pytest.mark.parametrize("name", MODELS)
def test_recurrent_models_are_copied_and_stored(name, random, tmp_path):
    model = model_of(name)
    x = random.normal(size=(6, 5, 3))
    y = np.zeros(model(x).shape)
    model.fit(x, y, epochs=2, verbose=0)
    config = json.loads(json.dumps(model.get_config()))
    assert json.loads(json.dumps(pynn.Model.from_config(config).get_config())) == config
    model.save(tmp_path / "model.pynn")
    copies = [
        pynn.load_model(tmp_path / "model.pynn"),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ]
    clone = pynn.models.clone_model(model)
    clone.set_weights(model.get_weights())
    text = pynn.models.model_from_json(model.to_json())
    text.set_weights(model.get_weights())
    for other in (*copies, clone, text):
        np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))
    model.fit(x, y, epochs=1, verbose=0)
    for other in copies:
        other.fit(x, y, epochs=1, verbose=0)
        assert bits(other) == bits(model)


@pytest.mark.parametrize("name", MODELS)
def test_recurrent_models_on_any_number_of_threads(name, random):
    x = random.normal(size=(37, 6, 3))
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(5)
        model = model_of(name)
        model.fit(x, np.zeros((37, *model.predict(x[:1], verbose=0).shape[1:])), epochs=2, batch_size=20, verbose=0)
        seen.add(bits(model) + model.predict(x, verbose=0).tobytes())
    assert len(seen) == 1


# ---- cells -----------------------------------------------------------------------------------------------------------


@every_kind
def test_cell_by_itself(kind, random):
    layer = built(kind, 3, random)
    cell = layer.cell
    x, states = random.normal(size=(2, 3)), [random.normal(size=(2, 4)) for _ in layer.state_size]
    y, new = cell(x, states)
    whole, ends = expected(layer, x[:, None], initial=states)
    close(y, whole[:, 0])
    close(new, ends)
    assert cell.output_size == 4
    assert cell.state_size == ([4, 4] if kind == "lstm" else 4)
    inputs, start = pynn.Input((3,)), [pynn.Input((4,)) for _ in states]
    symbolic, _ = cell(inputs, start)
    np.testing.assert_array_equal(pynn.Model([inputs, *start], symbolic)([x, *states]), y)


@every_kind
def test_rnn_of_a_cell_is_the_layer(kind, random):
    layer = built(kind, 3, random, return_sequences=True)
    rnn = layers.RNN(type(layer.cell).from_config(layer.cell.get_config()), return_sequences=True)
    rnn.build((None, None, 3))
    rnn.set_weights(layer.get_weights())
    x = random.normal(size=(2, 5, 3))
    np.testing.assert_array_equal(rnn(x), layer(x))


@pytest.mark.parametrize("backwards", [False, True])
def test_stacked_cells_are_layers_in_a_row(backwards, random):
    cells = [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(2)]
    stack = layers.RNN(cells, return_sequences=True, return_state=True, go_backwards=backwards)
    x = random.normal(size=(2, 5, 3))
    stack.build((None, None, 3))
    randomised(stack, random)
    y, (h, c), g, s = stack(x)
    weights = stack.get_weights()
    rows = [layers.LSTM, layers.GRU, layers.SimpleRNN]
    between, found = x[:, ::-1] if backwards else x, []
    for number, (kind, units) in enumerate(zip(rows, (4, 3, 2), strict=True)):
        layer = kind(units, return_sequences=True, return_state=True)
        layer.build((None, None, between.shape[-1]))
        layer.set_weights(weights[3 * number : 3 * number + 3])
        between, *ends = layer(between)
        found += ends
    np.testing.assert_array_equal(y, between)
    np.testing.assert_array_equal(np.concatenate([h, c, g, s], axis=1), np.concatenate(found, axis=1))


class OwnCell(layers.Layer):
    """The formula of a SimpleRNNCell, written anew, and a count of the steps."""

    def __init__(self, units, **base):
        super().__init__(**base)
        self.units, self.state_size, self.output_size = units, [units, 1], units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight((self.units, self.units), name="recurrent_kernel")
        self.bias = self.add_weight((self.units,), name="bias", initializer="zeros")

    def call(self, inputs, states):
        h, count = states
        h = pynn.activations.tanh(inputs @ self.kernel + self.bias + h @ self.recurrent_kernel)
        return h, [h, count + 1]


def test_cells_take_one_state_alone(random):
    """And give it back alone, as in Keras."""
    x, h = random.normal(size=(2, 3)), random.normal(size=(2, 4))
    for cell in (layers.SimpleRNNCell(4), layers.GRUCell(4)):
        y, [state] = cell(x, [h])
        again, alone = cell(x, h)
        for value in (state, again, alone):
            np.testing.assert_array_equal(value, y)
        start = pynn.Input((3,)), pynn.Input((4,))
        model = pynn.Model(start, cell(*start))
        np.testing.assert_array_equal(model([x, h])[1], y)


@pytest.mark.parametrize("backwards", [False, True])
def test_cell_of_ones_own(backwards, random):
    own = layers.RNN(OwnCell(4), return_sequences=True, return_state=True, go_backwards=backwards)
    x = random.normal(size=(2, 5, 3))
    own(x)
    randomised(own, random)
    there = layers.SimpleRNN(4, return_sequences=True, return_state=True, go_backwards=backwards)
    there(x)
    there.set_weights(own.get_weights())
    y, h, count = own(x)
    close(y, there(x)[0])
    close(h, there(x)[1])
    assert (count == 5).all()
    (z, *_), start = own(x, initial_state=[h, count]), [h]
    close(z, there(x, initial_state=start)[0])


class OtherNames(layers.Layer):
    """A cell whose states have another name, and that has an argument more."""

    state_size = 3

    def call(self, x, previous, factor=0.5, training=None):
        new = x + factor * previous[0]
        return new, [2 * new if training else new]


@pytest.mark.parametrize("wrap", [lambda cell: cell, lambda cell: [cell], lambda cell: layers.StackedRNNCells([cell])])
def test_states_of_a_cell_have_any_name(wrap, random):
    """Keras passes them by place."""
    layer, x = layers.RNN(wrap(OtherNames())), random.normal(size=(2, 2, 3))
    for twin in (
        layer,
        copy.deepcopy(layers.RNN(wrap(OtherNames()))),
        pickle.loads(pickle.dumps(layers.RNN(wrap(OtherNames())))),
    ):
        np.testing.assert_array_equal(twin(x), x[:, 1] + 0.5 * x[:, 0])
        np.testing.assert_array_equal(twin(x, training=True), x[:, 1] + x[:, 0])
    cell = layer.cell
    if isinstance(cell, OtherNames):
        y, states = cell(x[:, 0], [x[:, 1]])
        np.testing.assert_array_equal(y, x[:, 0] + 0.5 * x[:, 1])
        np.testing.assert_array_equal(states[0], y)


class Starting(OwnCell):
    """One that does not begin with zeros."""

    def get_initial_state(self, batch_size=None):
        return [np.full((batch_size, self.units), 0.5), np.full((batch_size, 1), 2.0)]


def test_states_at_the_beginning_of_a_cell_of_ones_own(random, tmp_path):
    """As in Keras: those of its get_initial_state, also within a stack, and of a sample without real steps."""
    x = random.normal(size=(2, 5, 3))
    layer, plain = layers.RNN(Starting(4), return_state=True), layers.RNN(OwnCell(4), return_state=True)
    y = layer(x)
    plain.build((None, None, 3))
    plain.set_weights(layer.get_weights())
    start = layer.get_initial_state(2)
    for found, value in zip(y, plain(x, initial_state=start), strict=True):
        np.testing.assert_array_equal(found, value)
    assert (y[2] == 7).all()
    masked = layer(x, mask=np.zeros((2, 5)))
    for found, value in zip(masked[1:], start, strict=True):
        np.testing.assert_array_equal(found, value)
    stack = layers.RNN([layers.GRUCell(3), Starting(4)], return_state=True)
    assert [state[0, 0] for state in (stack.get_initial_state(2)[0][0], *stack.get_initial_state(2)[1])] == [0, 0.5, 2]
    assert (stack(x)[2][1] == 7).all()
    model = pynn.Sequential([pynn.Input((None, 3)), layers.RNN(Starting(4)), layers.Dense(1)])
    model.save(tmp_path / "model.pynn")
    again = pynn.load_model(tmp_path / "model.pynn", custom_objects={"Starting": Starting})
    np.testing.assert_array_equal(again(x), model(x))


def test_cell_of_ones_own_in_a_model(random, tmp_path):
    model = pynn.Sequential(
        [pynn.Input((None, 3)), layers.RNN([OwnCell(4), layers.GRUCell(3)]), layers.Dense(1, activation="tanh")]
    )
    model.compile("adam", "mse")
    for steps in (4, 6):
        x = random.normal(size=(8, steps, 3))
        model.fit(x, np.zeros((8, 1)), verbose=0)
    model.save(tmp_path / "model.pynn")
    again = pynn.load_model(tmp_path / "model.pynn", custom_objects={"OwnCell": OwnCell})
    np.testing.assert_array_equal(again(x), model(x))
    assert bits(copy.deepcopy(model)) == bits(model)


# ---- both directions -------------------------------------------------------------------------------------------------

MERGES = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


@every_kind
@pytest.mark.parametrize("merge", [*MERGES, None])
@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional_is_two_layers(kind, merge, sequences, random):
    both = layers.Bidirectional(make(kind, return_sequences=sequences, return_state=True), merge_mode=merge)
    x = random.normal(size=(2, 5, 3))
    both(x)
    randomised(both, random)
    weights = both.get_weights()
    there, back = (make(kind, return_sequences=sequences, return_state=True, go_backwards=way) for way in (False, True))
    for layer, own in ((there, weights[: len(weights) // 2]), (back, weights[len(weights) // 2 :])):
        layer.build((None, None, 3))
        layer.set_weights(own)
    (a, *ends), (b, *ends_back) = there(x), back(x)
    b = b[:, ::-1] if sequences else b
    found = both(x)
    wanted = [a, b] if merge is None else [MERGES[merge](a, b)]
    for got, value in zip(found, [*wanted, *ends, *ends_back], strict=True):
        np.testing.assert_array_equal(got, value)
    states = [random.normal(size=(2, 4)) for _ in range(2 * len(ends))]
    half = len(ends)
    again = both(x, initial_state=states)[-2 * half :]
    parts = [*there(x, initial_state=states[:half])[1:], *back(x, initial_state=states[half:])[1:]]
    np.testing.assert_array_equal(again, parts)


def test_bidirectional_keeps_the_settings_of_its_layer(random):
    """106: a copy of the configuration computes the same."""
    both = layers.Bidirectional(layers.LSTM(4, activation="relu", recurrent_activation="hard_sigmoid", name="inner"))
    x = random.normal(size=(2, 5, 3))
    y = both(x)
    assert [layer.name for layer in (both.forward_layer, both.backward_layer)] == ["forward_inner", "backward_inner"]
    twin = layers.Bidirectional.from_config(both.get_config())
    assert twin.get_config() == both.get_config()
    twin(x)
    twin.set_weights(both.get_weights())
    np.testing.assert_array_equal(twin(x), y)
    assert both.backward_layer.activation.name == "relu"


def test_bidirectional_of_a_cell_of_ones_own(random):
    both = layers.Bidirectional(layers.RNN(OwnCell(3), return_sequences=True))
    assert both(random.normal(size=(2, 4, 3))).shape == (2, 4, 6)


# ---- what is refused -------------------------------------------------------------------------------------------------


class NoSize(layers.Layer):
    def call(self, inputs, states):
        return inputs, states


class WrongStart(OwnCell):
    def get_initial_state(self, batch_size=None):
        return [np.zeros((batch_size, self.units))]


class TooMany(layers.Layer):
    state_size = 3

    def call(self, inputs, states, factor):
        return inputs, states


class NoStates(layers.Layer):
    state_size = 3

    def call(self, inputs):
        return inputs


class WrongStates(layers.Layer):
    state_size = 3

    def call(self, inputs, states):
        return states[0], [*states, *states]


X = np.ones((2, 5, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.LSTM(4)(X, initial_state=[X[:, 0]]), "takes 2 initial states"),
        (lambda: layers.GRU(4)(X, initial_state=[X[:, 0], X[:, 0]]), "takes 1 initial state"),
        (lambda: layers.GRU(4)(X, initial_state=[X[:, 0]]), r"\(4,\)"),
        (
            lambda: layers.GRU(4, name="g")(X, initial_state=[np.ones((3, 4))]),
            r"inputs of layer 'g', initial_state\[0\] of layer 'g' must have the same number of samples",
        ),
        (
            lambda: layers.Bidirectional(layers.GRU(4))(X, initial_state=[np.ones((2, 4)), np.ones((3, 4))]),
            r"initial_state\[1\] of layer .* same number of samples",
        ),
        (lambda: layers.Bidirectional(layers.GRU(4))(X, initial_state=[np.ones((2, 4))]), "takes 2 initial states"),
        (lambda: layers.LSTM(4)(X, mask=np.ones((2, 4))), "mask"),
        (lambda: layers.LSTM(4)(X, mask=np.ones((2, 5, 3))), "mask"),
        (lambda: layers.LSTM(4)(X, mask=np.ones((3, 5))), "mask"),
        (lambda: layers.LSTM(4)(X[0]), r"\(steps, features\)"),
        (lambda: layers.LSTM(4)(X[:, :0]), "number in each sample"),
        (lambda: layers.RNN(layers.Dense(3)), "no state_size"),
        (lambda: layers.RNN(NoSize()), "no state_size"),
        (lambda: layers.RNN(NoStates()), r"call\(self, inputs, states\)"),
        (lambda: layers.RNN(TooMany()), r"call\(self, inputs, states\)"),
        (lambda: layers.RNN("LSTMCell"), "cell must be a layer"),
        (lambda: layers.RNN([]), "list of cells"),
        (lambda: layers.RNN(WrongStates())(X), "must return an output and states"),
        (lambda: layers.RNN(WrongStart(3))(X), r"must return states of the shapes \(1, 3\), \(1, 1\)"),
        (lambda: layers.LSTM(4, activation="softmax"), "along an axis"),
        (lambda: layers.LSTM(4, recurrent_activation="step"), "no gradient"),
        (lambda: layers.LSTM(0), "units"),
        (lambda: layers.LSTM(3, use_cudnn="yes"), "use_cudnn"),
        (lambda: layers.LSTM(3, implementation="fast"), "implementation"),
        (lambda: layers.GRU(3, implementation=-1), "implementation"),
        (lambda: layers.LSTM(3, dropout=1.5), "dropout"),
        (lambda: layers.Bidirectional(layers.LSTM(3), merge_mode="max"), "merge_mode"),
        (lambda: layers.Bidirectional(layers.Dense(3)), "recurrent layer"),
        (lambda: layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3)), "go_backwards"),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True, return_sequences=True)
            ),
            "same return_sequences",
        ),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(3), merge_mode="sum", backward_layer=layers.LSTM(2, go_backwards=True)
            )(X),
            "merge_mode='sum'",
        ),
        (lambda: pynn.Sequential([pynn.Input((None, None)), layers.LSTM(3)]), "known size"),
        (lambda: pynn.Sequential([pynn.Input((5, 3)), layers.LSTM(3, return_state=True)]), "has 3 outputs"),
        (lambda: pynn.Sequential([layers.LSTM(3, return_state=True), layers.Dense(1)]).predict(X), "has 3 outputs"),
        (lambda: layers.LSTMCell(3)(X[:, 0], [X[:, 0]]), "takes 2 states"),
    ],
)
def test_recurrent_refuses(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_recurrent_ragged_lists(random):
    model = pynn.Sequential([pynn.Input((None, 1)), layers.LSTM(2)])
    with pytest.raises((ValueError, TypeError), match="pad_sequences"):
        model.predict([[[1.0], [2.0]], [[3.0]]], verbose=0)
