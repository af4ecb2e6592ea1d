"""Calls that ask for the length of an axis that may have any, such as those that make positions: what comes out."""

import copy

import numpy as np
import pytest
from positions import (
    ARANGES,
    MODELS,
    Causal,
    Embedded,
    Positions,
    Table,
    Waves,
    expected,
    ids_of,
    of_tensors,
    on,
    with_weights,
)

import pynn
from pynn import layers, ops

# ---- what comes out


@pytest.mark.parametrize("make", MODELS)
def test_positions_at_any_length(make):
    model = with_weights(make())
    for length in (3, 6, 1, 4, 3):
        ids = ids_of(5, length) + (length == 1)
        np.testing.assert_allclose(model.predict(ids, verbose=0), expected(model, ids), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model(ids), expected(model, ids), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ARANGES)
def test_all_forms_of_arange(how):
    model = with_weights(of_tensors(how=how))
    for length in (2, 5):
        ids = ids_of(3, length)
        np.testing.assert_allclose(model.predict(ids, verbose=0), expected(model, ids), rtol=1e-5)


@pytest.mark.parametrize("make", MODELS)
def test_a_step_is_that_of_a_model_of_this_length(make):
    model = with_weights(make())
    model.compile("sgd", "mse")
    for length in (3, 6, 2, 3):
        fixed = make(length)
        fixed.compile("sgd", "mse")
        fixed.set_weights(model.get_weights())
        losses = [each.train_on_batch(ids_of(5, length), np.ones((5, 1))) for each in (model, fixed)]
        assert losses[0] == losses[1]
        for one, other in zip(model.get_weights(), fixed.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("tiled", [False, True])
def test_numbers_of_keras(tiled):
    ids = pynn.Input((None,), dtype="int64")
    x = Causal(tiled, supports_masking=True)(Waves()(Positions()(ids)))
    model = with_weights(pynn.Model(ids, layers.Dense(1)(layers.GlobalAveragePooling1D()(x))))
    model.compile(pynn.optimizers.SGD(0.1), "mse")
    found = []
    for length in (4, 6, 2, 4):
        x = ids_of(3, length)
        found.append([*model.predict(x, verbose=0).ravel(), model.train_on_batch(x, np.ones((3, 1)))])
    # Of Keras 3.15.1 with JAX.
    golden = [
        [0.8124914765357971, 0.6966228485107422, 0.6822905540466309, 0.07604547590017319],
        [0.8120679259300232, 0.4100183844566345, 0.7992144227027893, 0.14123721420764923],
        [0.19963505864143372, 1.121176838874817, 0.8700741529464722, 0.22404955327510834],
        [1.6711596250534058, 1.5119925737380981, 1.477729320526123, 0.3136056363582611],
    ]
    np.testing.assert_allclose(found, golden, rtol=2e-6)
    np.testing.assert_allclose(sum(abs(w).sum() for w in model.get_weights()), 60.611881256103516, rtol=1e-6)


def test_the_mask_is_causal_at_any_length(random):
    model = on(Causal(), None, 4)
    for length in (5, 3):
        x = random.normal(size=(2, length, 4))
        changed = np.concatenate([x[:, :-1], x[:, -1:] + 1], axis=1)
        np.testing.assert_array_equal(model(x)[:, :-1], model(changed)[:, :-1])


def test_shapes_are_open():
    layer = Positions()
    y = layer(pynn.Input((None,), dtype="int32"))
    assert (y.shape, y.mask_shape) == ((None, None, 4), (None,))
    assert (layer.tokens.input_shape, layer.tokens.output_shape) == ((None, None), (None, None, 4))
    assert layer.compute_output_shape((None, 3)) == (None, 3, 4)
    block = Causal()
    block(pynn.Input((None, 4)))
    assert block.attention.input_shape[:2] == [(None, None, 4)] * 2
    assert block.dense.input_shape == block.dense.layers[0].input_shape == (None, None, 4)


def test_several_axes():
    def places(x):
        rows, columns = ops.arange(x.shape[1])[:, None, None], ops.arange(x.shape[2])[:, None]
        return x + ops.cast(10 * rows + columns, "float32")

    model = on(layers.Lambda(places), None, None, 1)
    for sizes in ((2, 3), (4, 1)):
        np.testing.assert_array_equal(
            model(np.zeros((1, *sizes, 1)))[0, ..., 0], np.add.outer(10 * np.arange(sizes[0]), np.arange(sizes[1]))
        )


def test_the_length_is_a_number(random):
    cases = {
        "divide": (lambda x: x / ops.cast(ops.shape(x)[1], "float32"), lambda x: x / x.shape[1]),
        "half": (lambda x: x[:, : x.shape[1] // 2], lambda x: x[:, : x.shape[1] // 2]),
        "compare": (lambda x: x[:, :4] if ops.shape(x)[1] > 4 else x, lambda x: x[:, :4]),
        "parts": (lambda x: ops.stack(ops.unstack(x, axis=1)[::-1], 1), lambda x: x[:, ::-1]),
        "matrix": (lambda x: ops.matmul(np.tri(x.shape[1]), x), lambda x: x.cumsum(1)),
        "reshape": (lambda x: ops.reshape(x, (-1, x.shape[1] * 3)), lambda x: x.reshape(len(x), -1)),
    }
    for of_tensor, of_array in cases.values():
        model = on(layers.Lambda(of_tensor), None, 3)
        for length in (6, 2, 3):
            x = random.normal(size=(2, length, 3)).astype(np.float32)
            np.testing.assert_allclose(model(x), of_array(x), rtol=1e-5)


def test_tables_and_windows_of_any_size(random):
    for most in (3, 7, 40, 600):  # a table that is cut to the length
        layer = Table(most)
        model = on(layer, None, 2)
        x = random.normal(size=(1, 3, 2)).astype(np.float32)
        np.testing.assert_allclose(model(x), x + layer.get_weights()[0][:3], rtol=1e-6)

    class Wide(layers.Layer):
        def __init__(self):
            super().__init__()
            self.convolution = layers.Conv1D(2, 100)

        def call(self, x):
            return self.convolution(x) * float(x.shape[1])

    assert on(Wide(), None, 1)(np.ones((1, 120, 1))).shape == (1, 21, 2)


def cut_in_layers(most):
    class Cut(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x[:, : min(ops.shape(x)[1], most)])

    return Cut()


@pytest.mark.parametrize("most", [3, 10, 30, 100])
def test_what_is_cut_at_some_length_may_be_shorter(most):
    layer = cut_in_layers(most)
    model = on(layer, None, 4)
    assert model.output_shape == (None, None, 2)
    assert layer.dense.input_shape == (None, None, 4)
    for length in (2, 5, 40):
        assert model.predict(np.ones((2, length, 4)), verbose=0).shape == (2, min(length, most), 2)


class HandsOn(layers.Layer):
    """Asks for no length, and hands the mask of its input on."""

    def __init__(self):
        super().__init__()
        self.supports_masking = True

    def call(self, x, mask=None):
        return 2 * x


class Attends(layers.Layer):
    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(1, 4)

    def call(self, inputs, mask=None):
        query, value = inputs
        query = query + ops.zeros((1, ops.shape(query)[1], 1))
        return self.attention(query, value, query_mask=mask[0], key_mask=mask[1])


def test_a_mask_that_is_handed_on_has_the_length_of_the_data():
    def made(*lengths):
        ids = [pynn.Input((length,), dtype="int32") for length in lengths]
        first, second = (layers.Embedding(10, 4, mask_zero=True)(x) for x in ids)
        return pynn.Model(ids, Attends()([first, HandsOn()(second)]))

    model = made(None, None)
    for lengths in ((5, 7), (2, 3), (5, 7)):
        fixed, pair = made(*lengths), [ids_of(4, length) for length in lengths]
        fixed.set_weights(model.get_weights())
        np.testing.assert_allclose(model.predict(pair, verbose=0), fixed.predict(pair, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(None, None), (2, None), (None, 3)])
def test_a_layer_at_each_step_may_ask_for_the_length_of_a_step(shape):
    model = with_weights(on(layers.TimeDistributed(Table(60)), *shape, 4))
    x = np.random.default_rng(0).normal(size=(3, 2, 3, 4)).astype(np.float32)
    each = np.stack([model.layers[-1].layer(x[:, step]) for step in range(2)], 1)
    np.testing.assert_allclose(model.predict(x, verbose=0), each, rtol=1e-5, atol=1e-6)
    assert model.output_shape == (None, *shape, each.shape[-1])


def test_a_size_that_every_length_gives_stays():
    def first(x):
        return x[:, : 3 if ops.shape(x)[1] is None else 1]

    def long(x):  # takes no short length
        if ops.shape(x)[1] < 10:
            raise KeyError("too short")
        return x[:, :10]

    def of_other_rank(x):
        return x[:, :10] if ops.shape(x)[1] > 10 else x[:, 0]

    assert on(layers.Lambda(first), None, 4).output_shape == (None, 1, 4)
    assert on(layers.Lambda(long), None, 4).output_shape == (None, 10, 4)
    assert on(layers.Lambda(of_other_rank), None, 4).output_shape == (None, 10, 4)


def test_a_call_that_takes_no_length_that_is_tried():
    def only_five(x):
        n = ops.shape(x)[1]
        if n not in (None, 5):
            raise ValueError(f"It takes 5, but got {n}.")
        return x * 2.0

    model = on(layers.Lambda(only_five), None, 4)
    assert model.output_shape == (None, None, 4)
    np.testing.assert_array_equal(model(np.ones((1, 5, 4))), np.full((1, 5, 4), 2.0))
    with pytest.raises(ValueError, match="It takes 5, but got 6"):
        model(np.ones((1, 6, 4)))


def test_a_layer_that_is_used_as_often_as_the_axis_is_long():
    class Steps(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense, self.together = layers.Dense(2), layers.Concatenate(axis=-1)

        def call(self, x):
            parts = [self.dense(each) for each in ops.unstack(x, axis=1)]
            return ops.mean(ops.reshape(self.together(parts), (-1, len(parts), 2)), axis=1)

    model = on(Steps(), None, 3)
    assert model.output_shape == (None, 2)
    for length in (3, 5, 2):
        assert model(np.ones((1, length, 3))).shape == (1, 2)


def test_constants_of_each_length_in_training(random):
    class Mixing(layers.Layer):
        def call(self, x):
            n = ops.shape(x)[1]
            return ops.matmul(np.tri(n) / n, x)

    def made(length=None):
        first = [pynn.Input((length, 4)), layers.Dense(4, activation="tanh"), Mixing(), Causal()]
        return pynn.Sequential([*first, layers.GlobalMaxPooling1D(), layers.Dense(1)])

    model = with_weights(made())
    model.compile("sgd", "mse")
    for length in (3, 5, 2):
        x = random.normal(size=(4, length, 4)).astype(np.float32)
        fixed = made(length)
        fixed.compile("sgd", "mse")
        fixed.set_weights(model.get_weights())
        np.testing.assert_allclose(model.predict(x, verbose=0), fixed.predict(x, verbose=0), rtol=1e-5)
        for each in (model, fixed):
            each.train_on_batch(x, np.ones((4, 1)))
        for one, other in zip(model.get_weights(), fixed.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# ---- files and copies


@pytest.mark.parametrize("make", MODELS)
def test_saved_copied_and_described(make, tmp_path):
    model = with_weights(make())
    model.compile("sgd", "mse")
    model.fit(ids_of(6, 4), np.ones((6, 1)), verbose=0)
    model.save(tmp_path / "model.pynn")
    known = {"Positions": Positions, "Embedded": Embedded}
    loaded = pynn.load_model(tmp_path / "model.pynn", custom_objects=known)
    assert loaded.get_config() == model.get_config()
    for each in (loaded, copy.deepcopy(model)):
        for length in (2, 6):
            ids = ids_of(3, length)
            np.testing.assert_array_equal(each.predict(ids, verbose=0), model.predict(ids, verbose=0))
    loaded.fit(ids_of(6, 5), np.ones((6, 1)), verbose=0)


def test_the_arguments_are_described():
    config = Positions(5, how="one number", name="mine").get_config()
    assert (config["most"], config["how"]) == (5, "one number")
    layer = Positions.from_config(config)
    assert layer(ids_of(2, 5)).shape == (2, 5, 4)
