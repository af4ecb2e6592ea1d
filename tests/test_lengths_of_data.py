"""Models that only data tell the lengths of axes: batches of other lengths, as in Keras."""

import threading

import numpy as np
import pytest
from test_interrupts import SHORT, Interrupt, places
from tiers import slow

import pynn
from pynn import layers, ops


def recurrent(*first):
    return pynn.Sequential([*first, layers.LSTM(4, return_sequences=True), layers.LSTM(4), layers.Dense(1)])


class Called(pynn.Model):
    """The same by a call."""

    def __init__(self, *first):
        super().__init__()
        self.one, self.two = layers.LSTM(4, return_sequences=True), layers.LSTM(4)
        self.last = layers.Dense(1)
        if first:
            self.build(first[0].shape)

    def call(self, x):
        return self.last(self.two(self.one(x)))


BOTH = pytest.mark.parametrize("kind", [recurrent, Called])


@pytest.fixture
def data(random):
    return [random.normal(size=(6, steps, 3)).astype(np.float32) for steps in (7, 9)]


@BOTH
def test_other_lengths_give_what_a_model_of_any_length_gives(kind, data):
    short, long = data
    model, plain = kind(), kind(pynn.Input((None, 3)))
    model(short)
    assert model.input_shape == (None, 7, 3)
    plain.set_weights(model.get_weights())
    calls = [lambda m: m(long), lambda m: m.predict(long, verbose=0), lambda m: m(short)]
    for call in (*calls, lambda m: m.predict_on_batch(long)):
        np.testing.assert_array_equal(call(model), call(plain))
    assert model.input_shape == (None, None, 3)
    assert model.layers[0].output_shape[2] == 4


@BOTH
def test_training_goes_on_at_another_length(kind, data):
    short, long = data
    y = np.ones((6, 1))
    model, plain = kind(), kind(pynn.Input((None, 3)))
    model.compile("adam", "mse")
    model.build((None, 7, 3))
    plain.set_weights(model.get_weights())
    plain.compile("adam", "mse")
    for each in (model, plain):
        each.fit(short, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
        each.fit(long, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
        each.train_on_batch(short, y)
    assert model.optimizer.iterations == plain.optimizer.iterations == 9
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.evaluate(long, y, verbose=0) == plain.evaluate(long, y, verbose=0)


def test_ids_and_images(random):
    words = pynn.Sequential([layers.Embedding(9, 4), layers.GlobalAveragePooling1D(), layers.Dense(1)])
    words.compile("sgd", "mse")
    words.fit(random.integers(0, 9, (6, 5)), np.ones((6, 1)), verbose=0)
    assert words.predict(random.integers(0, 9, (3, 8)), verbose=0).shape == (3, 1)
    with pytest.raises(ValueError, match=r"must be in \[0, 9\)"):
        words.predict(np.full((3, 2), 9), verbose=0)
    images = pynn.Sequential([layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()])
    assert [images(np.ones((1, *size, 1))).shape for size in ((5, 5), (8, 6))] == [(1, 2), (1, 2)]
    with pytest.raises(ValueError, match="cannot take samples of shape"):
        images(np.ones((1, 2, 6, 1)))


def test_lengths_are_opened_one_after_the_other():
    model = pynn.Sequential([layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()])
    sizes = [(8, 8), (9, 8), (9, 10), (4, 5)]
    assert [model(np.ones((1, *size, 3))).shape for size in sizes] == [(1, 2)] * 4
    assert model.input_shape == (None, None, None, 3)


@BOTH
def test_lists_and_dicts_may_have_other_lengths(kind, data):
    short, long = (each[:2] for each in data)
    model = kind()
    model(short)
    expected = kind(pynn.Input((None, 3)))
    expected(short)
    expected.set_weights(model.get_weights())
    for given in (long.tolist(), {model._require_layout().inputs.names[0]: long}):
        np.testing.assert_allclose(model.predict(given, verbose=0), expected(long), rtol=1e-6)
    with pytest.raises(ValueError, match="x is ragged"):
        model.predict([[[1.0, 2.0, 3.0]], [[1.0, 2.0]]], verbose=0)


def test_saved_models_take_other_lengths(tmp_path, data):
    model = recurrent()
    model(data[0])
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(pynn.load_model(tmp_path / "model")(data[1]), model(data[1]))


@pytest.mark.parametrize(
    ("make", "other"),
    [
        (lambda: pynn.Sequential([layers.Flatten(), layers.Dense(2)]), (6, 9, 3)),  # whose weights have the length
        (lambda: recurrent(), (6, 9, 4)),  # features
        (lambda: Called(), (6, 9, 4)),
        (lambda: Called(), (6, 9)),
        (lambda: recurrent(), (6, 9)),
        (lambda: recurrent(pynn.Input((7, 3))), (6, 9, 3)),  # which was said
        (lambda: pynn.Sequential([layers.LSTM(4, input_shape=(7, 3))]), (6, 9, 3)),
    ],
)
def test_what_layers_cannot_take_or_a_program_excludes_is_refused(make, other, data):
    model = make()
    model(data[0])
    before, expected = model.get_weights(), model(data[0])
    with pytest.raises(ValueError, match=r"x must have the shape \(samples, 7, 3\)"):
        model.predict(np.ones(other), verbose=0)
    assert model.input_shape == (None, 7, 3)
    np.testing.assert_array_equal(model(data[0]), expected)
    for one, same in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


@BOTH
def test_part_of_another_model_stays_as_it_is(kind, data):
    inner = kind()
    inner(data[0])
    outer = pynn.Sequential([inner, layers.Dense(1)])
    with pytest.raises(ValueError, match=r"x must have the shape \(samples, 7, 3\)"):
        inner.predict(data[1], verbose=0)
    assert outer(data[0]).shape == (6, 1)


@BOTH
def test_threads_that_come_with_other_lengths_at_once(kind, data):
    model = kind()
    model(data[0])
    plain = kind(pynn.Input((None, 3)))
    plain.set_weights(model.get_weights())
    expected = [plain(each) for each in data]
    wrong = []

    def ask(number):
        for _ in range(20):
            if not np.array_equal(model.predict(data[number % 2], verbose=0), expected[number % 2]):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_call_of_several_inputs(random):
    class Two(pynn.Model):
        def __init__(self):
            super().__init__()
            self.embedding, self.convolution = layers.Embedding(9, 3), layers.Conv1D(3, 2)
            self.last = layers.Dense(1)

        def call(self, ids, x):
            pooled = layers.GlobalMaxPooling1D()
            return self.last(pooled(self.embedding(ids)) + pooled(self.convolution(x)))

    model, plain = Two(), Two()
    plain.build((None, None), (None, None, 2))
    for ids, steps in ((4, 5), (4, 7), (6, 3)):
        given = np.arange(2 * ids).reshape(2, ids) % 9, random.normal(size=(2, steps, 2)).astype(np.float32)
        y = model.predict(given, verbose=0)
        plain.set_weights(model.get_weights())
        np.testing.assert_array_equal(y, plain.predict(given, verbose=0))
    assert model.input_shape == ((None, None), (None, None, 2))
    with pytest.raises(ValueError, match=r"must be in \[0, 9\)"):
        model.predict((np.full((1, 3), 9), given[1][:1]), verbose=0)


def test_a_call_that_would_make_weights_for_other_lengths():
    class Growing(pynn.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = layers.Dense(2), layers.Dense(2)

        def call(self, x):
            return self.one(x) if x.shape[1] == 3 else self.other(x)

    model = Growing()
    model(np.ones((1, 3, 2)))
    with pytest.raises(ValueError, match=r"x must have the shape \(samples, 3, 2\)"):
        model(np.ones((1, 4, 2)))
    assert not model.other.built


def test_constants_of_a_length_that_was_the_only_one(random):
    """A layer that asks for the length is first run for the one that data have."""

    class Causal(layers.Layer):
        def __init__(self):
            super().__init__()
            self.attention = layers.MultiHeadAttention(2, 2)

        def call(self, x):
            return self.attention(x, x, attention_mask=np.tri(x.shape[1])[None])

    first, later = (random.normal(size=(4, steps, 3)).astype(np.float32) for steps in (5, 3))
    model = pynn.Sequential([Causal(), layers.GlobalMaxPooling1D(), layers.Dense(1)])
    plain = pynn.Sequential([pynn.Input((None, 3)), Causal(), layers.GlobalMaxPooling1D(), layers.Dense(1)])
    model(first)
    plain.set_weights(model.get_weights())
    for each in (model, plain):
        each.compile("adam", "mse")
        for x in (first, later, first):
            each.train_on_batch(x, np.ones((4, 1)))
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_call_that_refuses_other_lengths():
    class Strict(pynn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            assert x.shape[1] == 3
            return self.dense(x)

    model = Strict()
    model(np.ones((1, 3, 2)))
    with pytest.raises(ValueError, match=r"x must have the shape \(samples, 3, 2\)"):
        model(np.ones((1, 4, 2)))
    assert model(np.ones((1, 3, 2))).shape == (1, 3, 2)


@pytest.mark.parametrize("error", [ValueError, TypeError, ZeroDivisionError, KeyError])
@pytest.mark.parametrize("kind", ["sequential", "model"])
def test_a_layer_that_refuses_other_lengths_in_its_own_way(kind, error):
    class Picky(layers.Layer):
        def call(self, x):
            if ops.shape(x)[1] != 5:
                raise error("It takes 5.")
            return x * 2.0

    class Around(pynn.Model):
        def __init__(self):
            super().__init__()
            self.inner = Picky()

        def call(self, x):
            return self.inner(x)

    model = pynn.Sequential([Picky()]) if kind == "sequential" else Around()
    x = np.ones((2, 5, 4))
    model(x)
    with pytest.raises(ValueError, match=r"must have the shape|samples of shape \(5, 4\)"):
        model(np.ones((2, 6, 4)))
    np.testing.assert_array_equal(model(x), 2 * x)


class Masked(pynn.Model):
    """A call that asks for the length."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return ops.matmul(np.tri(x.shape[1]), self.dense(x))


def chained():
    return pynn.Sequential([layers.Dense(3), layers.Lambda(lambda x: x * float(x.shape[1]))])


def interrupt_each(make, data, every):
    short, long = data
    make_and_call(make, short)(long)  # what only the first call in a process does is not tested here
    first = make_and_call(make, short)
    for n in places(lambda: first(long))[::every]:
        model = make_and_call(make, short)
        expected = model(short)
        interrupt = Interrupt(n)
        interrupt.call(lambda model=model: model(long))
        assert interrupt.was_raised
        assert model.input_shape == tuple(model.inputs[0].shape)
        assert model.output_shape == tuple(model.outputs[0].shape)
        assert len(model(long)) == 6
        np.testing.assert_array_equal(model(short), expected)


def make_and_call(make, x):
    model = make()
    model(x)
    assert model.inputs[0].shape == (None, *x.shape[1:])
    return model


@pytest.mark.parametrize("make", [Called, *slow(Masked, chained)])
def test_an_interrupt_at_some_lines_leaves_the_old_lengths_or_any(make, data):
    interrupt_each(make, data, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("make", [Masked, Called, chained])
def test_an_interrupt_at_every_line_leaves_the_old_lengths_or_any(make, data):
    interrupt_each(make, data, 1)
