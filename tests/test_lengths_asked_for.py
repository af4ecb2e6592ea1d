"""Calls that ask for the length of an axis that may have any: how often they are run, and what is refused."""

import math

import numpy as np
import pytest
from positions import MODELS, Causal, Positions, expected, ids_of, of_tensors, on, with_weights

import pynn
from pynn import layers, ops

# ---- how often the call is run


def test_the_call_runs_for_each_length_that_it_asks_for():
    seen = []

    class Asking(layers.Layer):
        def call(self, x):
            seen.append(ops.shape(x)[1])
            return x * 2.0

    model = on(Asking(), None, 3)
    assert seen == [None, 24, 48, 2]
    for length in (4, 7, 4, 7):
        assert model.predict(np.ones((2, length, 3)), verbose=0).shape == (2, length, 3)
    assert seen[4:] == [4, 7]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x * float(x.shape[-1]),
        lambda x: ops.reshape(x, (ops.shape(x)[0], -1, 3)),
        lambda x: x if len(x.shape) == 3 and x.ndim == 3 else None,
        lambda x: x * float(x.shape[2:][0]),
        lambda x: x if x.shape[0] is x.shape[-3] is x.shape[np.int64(0)] is x.shape[:1][0] is None else None,
    ],
)
def test_the_call_runs_once_where_it_asks_for_no_length(call):
    seen = []

    def counted(x):
        seen.append(x)
        return call(x)

    model = on(layers.Lambda(counted), None, 3)
    count = len(seen)
    for length in (4, 7):
        model.predict(np.ones((2, length, 3)), verbose=0)
    assert len(seen) == count


FORMS = {
    "ops.ones": lambda x: ops.ones(ops.shape(x)[1:]).sum(),
    "np.ones": lambda x: np.ones(x.shape[1:]).sum(),
    "np.prod": lambda x: np.prod(x.shape[1:]),
    "math.prod": lambda x: math.prod(x.shape[1:]),
    "ops.ones of one row": lambda x: ops.ones((1, *ops.shape(x)[1:])).sum(),
    "in front": lambda x: np.ones((1,) + x.shape[1:]).sum(),  # noqa: RUF005
    "before the whole": lambda x: ((1,) + x.shape)[2],  # noqa: RUF005
    "behind the whole": lambda x: (x.shape + (1,))[1],  # noqa: RUF005
    "taken apart": lambda x: (lambda t, c: t * c)(*x.shape[1:]),
    "one taken apart": lambda x: (lambda t: t)(*x.shape[1:2]),
    "without the last": lambda x: x.shape[:-1][-1],
    "with a step": lambda x: x.shape[::-1][1],
    "part of a part": lambda x: x.shape[1:][0],
    "from the end": lambda x: x.shape[-2],
    "a number of NumPy": lambda x: x.shape[np.int64(1)],
    "equal": lambda x: float(x.shape == (None, 5, 3)),
    "equal from the right": lambda x: float((None, 5, 3) == x.shape),  # noqa: SIM300
    "not equal": lambda x: float(x.shape != (None, 5, 3)),
    "a key": lambda x: {(None, 5, 3): 2.0}.get(x.shape, 3.0),
    "count": lambda x: x.shape.count(5),
    "index": lambda x: x.shape.index(5) if 5 in x.shape else 0,
    "in": lambda x: float(5 in x.shape),
    "text": lambda x: float("5" in str(x.shape)),
    "part of a text": lambda x: float("5" in f"{x.shape}"),
    "list": lambda x: list(ops.shape(x))[1],
    "backwards": lambda x: list(reversed(x.shape))[1],
    "pairs": lambda x: [size for _, size in zip(range(3), x.shape, strict=True)][1],
    "or": lambda x: x.shape[1] or 1,
    "default": lambda x: 512 if x.shape[1] is None else x.shape[1],
    "arange from 1": lambda x: ops.arange(1, x.shape[1]).sum(),
    "NumPy's arange from 1": lambda x: np.arange(1, x.shape[1]).sum(),
    "a number of NumPy's type": lambda x: np.float32(ops.shape(x)[1]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["layer", "model", "model of data"])
def test_all_forms_of_asking(form, kind, random):
    def scaled(x):
        return x * float(FORMS[form](x))

    class Scaled(pynn.Model):
        def call(self, x):
            return scaled(x)

    model = on(layers.Lambda(scaled), None, 3) if kind == "layer" else Scaled()
    if kind == "model":
        model.build((None, None, 3))
    for length in (5, 6, 5):
        x = random.normal(size=(2, length, 3)).astype(np.float32)
        expected = on(layers.Lambda(scaled), length, 3)
        np.testing.assert_allclose(model(x), expected(x), rtol=1e-6)
    assert model.output_shape == (None, None, 3)


def test_more_lengths_than_are_kept():
    model = with_weights(of_tensors(most=40))
    model.compile("sgd", "mse")
    for length in (*range(1, 31), 2, 30):
        ids = ids_of(2, length) + (length == 1)
        np.testing.assert_allclose(model.predict(ids, verbose=0), expected(model, ids), rtol=1e-5, atol=1e-6)
        model.train_on_batch(ids, np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"must be in \[0, 9\)"):
        model.predict(np.full((1, 5), 9), verbose=0)


def test_layers_within_layers():
    class Outer(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.embedding, self.block = Positions(), Causal(supports_masking=True)

        def call(self, ids):
            return self.block(self.embedding(ids)) * float(ids.shape[1])

    model = on(Outer(), None)
    assert model.output_shape == (None, None, 4)
    for length in (3, 5):
        assert model(ids_of(2, length)).shape == (2, length, 4)


def test_a_sequential_within_takes_any_length(random):
    block = Causal()
    for length in (5, 3):  # without an Input
        x = random.normal(size=(2, length, 4)).astype(np.float32)
        y, (first, last) = block(x), block.dense.layers
        np.testing.assert_allclose(y, x + last(first(block.attention(x, x, use_causal_mask=True))), rtol=1e-5)
    model = pynn.Sequential([Causal()])
    assert [model(np.ones((1, length, 4))).shape for length in (4, 6)] == [(1, 4, 4), (1, 6, 4)]
    with pytest.raises(ValueError, match="has weights for samples of shape"):
        block.dense(pynn.Input((3, 5)))


def test_training_with_modes_losses_and_noise():
    class Noisy(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dropout, self.positions = layers.Dropout(0.5), layers.Embedding(9, 3)

        def call(self, x, training=None):
            y = x + self.positions(ops.arange(x.shape[1]))
            self.add_loss(ops.mean(y))
            return self.dropout(y + pynn.random.normal(ops.shape(y), seed=1), training=training)

    model = pynn.Sequential([pynn.Input((None, 3)), Noisy(), layers.GlobalMaxPooling1D(), layers.Dense(1)])
    model.compile("adam", "mse")
    for length in (4, 8, 4):
        assert np.isfinite(model.train_on_batch(np.ones((4, length, 3)), np.ones((4, 1))))
        assert model.predict(np.ones((4, length, 3)), verbose=0).shape == (4, 1)


# ---- what is refused


@pytest.mark.parametrize("make", MODELS)
def test_more_positions_than_there_are(make):
    model = make()
    with pytest.raises(ValueError, match=r"must be in \[0, 6\), but found 6 .* of layer 'positions'"):
        model.predict(ids_of(2, 7), verbose=0)
    assert model.predict(ids_of(2, 6), verbose=0).shape == (2, 1)


def test_ids_that_are_computed_of_positions():
    class Fields(layers.Layer):
        def __init__(self):
            super().__init__()
            self.embedding = layers.Embedding(12, 2)

        def call(self, ids):
            return self.embedding(ids + 3 * ops.arange(ids.shape[1]))

    layer = Fields()
    model = pynn.Sequential([pynn.Input((None,), dtype="int32"), layer])
    for length in (4, 2):
        ids = np.full((1, length), 2)
        np.testing.assert_array_equal(model(ids)[0], layer.get_weights()[0][2 + 3 * np.arange(length)])
    with pytest.raises(ValueError, match="from 0 to 11, got 14"):
        model.predict(np.full((1, 5), 2), verbose=0)
    alone = Fields()
    for length in (4, 2, 3):
        assert alone(np.full((1, length), 2)).shape == (1, length, 2)
    with pytest.raises(ValueError, match=r"must be in \[0, 12\), but found 14"):
        alone(np.full((1, 5), 2))


def test_what_a_call_cannot_do_at_any_length():
    with pytest.raises(ValueError, match=r"cannot put samples .* length 24 and 48 where they may have any"):
        on(layers.Lambda(lambda x: x * np.zeros((7, 5))[: x.shape[1]]), None, 3)
    with pytest.raises(ZeroDivisionError):
        on(layers.Lambda(lambda x: x * (1 / (x.shape[1] * 0))), None, 3)
    with pytest.raises(ValueError, match="has other outputs, or axes of them, for each length"):
        on(layers.Lambda(lambda x: ops.unstack(x, axis=1)), None, 3)
    with pytest.raises(ValueError, match=r"\(None, 3\) and \(7, 5\) together\.$"):
        on(layers.Lambda(lambda x: x * np.zeros((7, 5))), None, 3)  # asks for no length


def test_nothing_stays_of_what_failed():
    class Late(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense, self.wrong = layers.Dense(2), True

        def call(self, x):
            y = self.dense(x) * float(x.shape[1])
            return y[:, :, 5] if self.wrong else y

    layer = Late()
    with pytest.raises(ValueError, match="cannot take part"):
        layer(pynn.Input((None, 3)))
    assert not layer.built
    assert not layer.dense.built
    layer.wrong = False
    assert layer(pynn.Input((None, 3))).shape == (None, None, 2)
    assert layer.dense.input_shape == (None, None, 3)


def test_elsewhere_a_length_that_is_not_known_is_refused():
    x = pynn.Input((None, 3))
    with pytest.raises(ValueError, match="Put it into the call of a layer or model"):
        ops.arange(ops.shape(x)[1])


def test_the_number_of_samples_is_not_known_in_a_call():
    with pytest.raises(ValueError, match="as many numbers as there are samples"):
        on(layers.Lambda(lambda x: x * float(x.shape[1]) + ops.arange(ops.shape(x)[0])), None, 3)
    assert on(layers.Lambda(lambda x: x * float(x.shape[1]) + ops.arange(3, None)), None, 3).built


def test_one_row_for_each_sample():
    def tiled(x):
        samples, n = ops.shape(x)[:2]
        each = [ops.tile(np.ones((n, n)), (samples, 1, 1)), ops.broadcast_to(np.ones((1, n)), (samples, n, n))]
        assert [found.shape for found in each] == [(1, n, n)] * 2
        return x

    assert layers.Lambda(tiled)(pynn.Input((4, 3))).shape == (None, 4, 3)
    for function, x in ((ops.tile, np.ones((2, 4))), (ops.broadcast_to, np.ones((2, 4)))):
        with pytest.raises(ValueError, match="takes an array of one row"):
            layers.Lambda(lambda y, f=function, x=x: y + f(x, (ops.shape(y)[0], 4)))(pynn.Input((4,)))
    with pytest.raises(TypeError):
        ops.expand_dims(None, 0)  # in no call
    with pytest.raises(TypeError):
        ops.tile(np.ones((1, 4)), (None, 1))


def padded(x):
    n = ops.shape(x)[1]
    return ops.pad(x, ((0, 0), (0, int(ops.maximum(n, 100)) - n), (0, 0)))


@pytest.mark.parametrize(
    ("function", "sizes"),
    [
        (padded, (100, 100, 130)),
        (lambda x: x[:, : ops.minimum(ops.shape(x)[1], 100)], (6, 100, 100)),
        (lambda x: x[:, :100], (6, 100, 100)),
        (lambda x: x[:, -100:], (6, 100, 100)),
    ],
)
def test_sizes_that_are_alike_for_the_lengths_that_are_tried(function, sizes, random):
    """They count as known; what is computed is right all the same, or refused."""
    model = on(layers.Lambda(function), None, 3)
    flat = pynn.Sequential([pynn.Input((None, 3)), layers.Lambda(function), layers.LSTM(2)])
    lengths = (6, 100, 130)
    for length, size in zip(lengths, sizes, strict=True):
        x = random.normal(size=(2, length, 3)).astype("float32")
        expected = function(x)
        assert expected.shape == (2, size, 3)
        np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
        assert flat(x).shape == (2, 2)
    if model.output_shape[1] is None:
        return
    assert model.output_shape == (None, 100, 3)
    dense = pynn.Sequential([pynn.Input((None, 3)), layers.Lambda(function), layers.Flatten(), layers.Dense(1)])
    for length, size in zip(lengths, sizes, strict=True):
        if size == 100:
            assert dense(np.ones((2, length, 3))).shape == (2, 1)
        else:
            with pytest.raises(
                ValueError, match=rf"has weights for samples of shape \(300,\), but gets \({3 * size},\)"
            ):
                dense(np.ones((2, length, 3)))
