"""Models whose own `call` asks for the length of an axis that may have any."""

import copy
import gc
import weakref

import numpy as np
import pytest

import pynn
from pynn import layers, ops


class Language(pynn.Model):
    """A small language model in one class, with a causal mask by hand."""

    def __init__(self, most=12, **kwargs):
        super().__init__(**kwargs)
        self.tokens, self.positions = layers.Embedding(20, 8), layers.Embedding(most, 8)
        self.dropout = layers.Dropout(0.0)
        self.attention, self.norm = layers.MultiHeadAttention(2, 4), layers.LayerNormalization()
        self.dense = pynn.Sequential([layers.Dense(16, activation="gelu"), layers.Dense(8)])
        self.last = layers.Dense(20)

    def call(self, ids, training=None):
        n = ops.shape(ids)[1]
        x = self.tokens(ids) + self.positions(ops.arange(0, n))
        mask = ops.reshape(ops.cast(ops.arange(n)[:, None] >= ops.arange(n), "int32"), (1, n, n))
        x = x + self.attention(x, x, attention_mask=mask)
        x = self.norm(x + self.dense(self.dropout(x, training=training)))
        return self.last(x)


class Sums(pynn.Model):
    """Weights of its own, a part of the loss, and two outputs."""

    def __init__(self):
        super().__init__()
        self.w = self.add_weight((6, 2), "ones", name="w")
        self.last = layers.Dense(1, name="last")

    def call(self, x):
        y = x + self.w[: x.shape[1]]
        self.add_loss(0.5 * ops.mean(y))
        return {"dense": self.last(ops.sum(y, axis=1)), "mean": ops.mean(y, axis=1)}


class Two(pynn.Model):
    """Two inputs of different lengths, and two outputs in a list."""

    def __init__(self):
        super().__init__()
        self.one, self.other = layers.Dense(1, name="one"), layers.Dense(1, name="other")

    def call(self, a, b):
        shares = [ops.sum(x, axis=1) / float(ops.shape(x)[1]) for x in (a, b)]
        return [self.one(shares[0]), self.other(shares[1])]


def compiled(model):
    model.set_weights([np.cos(1 + np.arange(w.size)).reshape(w.shape) / 2 for w in model.get_weights()])
    loss = pynn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(pynn.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def of_data():
    model = Language()
    model(np.zeros((2, 5)))
    return model


def of_shapes():
    model = Language()
    model.build((None, None))
    return model


def of_tensors():
    model = Language()
    model(pynn.Input((None,), dtype="int32"))
    return model


@pytest.mark.parametrize("make", [of_data, of_shapes, of_tensors])
def test_numbers_of_keras(make):
    model, found = compiled(make()), []
    for n in (5, 3, 12, 5):
        x = np.arange(3 * n).reshape(3, n) * 7 % 20
        total = abs(model.predict(x, verbose=0)).sum()
        history = model.fit(x, x, verbose=0, batch_size=2, shuffle=False).history
        found.append([total, *history["loss"], *history["accuracy"]])
    ids = np.array([[1, 2]])
    for _ in range(6):
        ids = np.concatenate([ids, model(ids)[:, -1:].argmax(-1)], axis=1)
    # Of Keras 3.15.1 with JAX, after a call on data.
    golden = [
        [279.4453125, 3.782383680343628, 0.06666667014360428],
        [134.2349090576172, 3.9494049549102783, 0.0],
        [313.2801818847656, 3.11977481842041, 0.02777777798473835],
        [105.70968627929688, 3.138461112976074, 0.06666667014360428],
    ]
    np.testing.assert_allclose(found, golden, rtol=2e-6)
    np.testing.assert_array_equal(ids, [[1, 2, 11, 17, 11, 11, 11, 11]])
    np.testing.assert_allclose(sum(abs(w).sum() for w in model.get_weights()), 319.46624755859375, rtol=1e-6)


def test_it_is_the_model_that_it_was():
    model, other = of_data(), of_shapes()
    names = [weight.name for weight in model.weights]
    model(np.zeros((2, 7)))
    assert [weight.name for weight in model.weights] == names == [weight.name for weight in other.weights]
    assert [type(each) for each in model.layers] == [type(each) for each in other.layers]
    assert model.count_params() == other.count_params() == 1020
    assert (model.input_shape, model.output_shape) == ((None, None), (None, None, 20))
    assert other.norm.output_shape == (None, None, 8)
    texts = []
    for each in (model, other):
        each.summary(print_fn=texts.append)
    assert "(None, None, 20)" in texts[1]
    model.trainable = False
    assert not model.trainable_weights
    assert model(np.zeros((2, 6))).shape == (2, 6, 20)


@pytest.mark.parametrize("make", [of_data, of_shapes])
def test_saved_copied_and_part_of_another(make, tmp_path):
    model = compiled(make())
    model.fit(np.ones((4, 6)), np.ones((4, 6)), verbose=0)
    model.save(tmp_path / "model")
    loaded = pynn.load_model(tmp_path / "model", custom_objects={"Language": Language})
    ids = pynn.Input((None,), dtype="int32")
    for each in (loaded, copy.deepcopy(model), pynn.Model(ids, model(ids))):
        for n in (3, 8):
            np.testing.assert_allclose(each(np.ones((2, n))), model(np.ones((2, n))), rtol=1e-6)
    loaded.fit(np.ones((4, 7)), np.ones((4, 7)), verbose=0)


def test_weights_losses_and_outputs_of_its_own(random):
    model = Sums()
    model.build((None, None, 2))
    assert [weight.name for weight in model.weights] == ["w", "kernel", "bias"]
    assert sorted(model.output_shape) == ["dense", "mean"]
    model.compile("sgd", {"dense": "mse", "mean": "mse"})
    for n in (3, 6, 2):
        x = random.normal(size=(4, n, 2)).astype(np.float32)
        w, kernel, bias = model.get_weights()
        y = x + w[:n]
        made = model(x)
        np.testing.assert_allclose(made["dense"], y.sum(1) @ kernel + bias, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(made["mean"], y.mean(1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model.losses, [0.5 * y.mean()], rtol=1e-4, atol=1e-6)
        loss = model.train_on_batch(x, {"dense": np.ones((4, 1)), "mean": np.ones((4, 2))})
        errors = np.mean((made["dense"] - 1) ** 2) + np.mean((made["mean"] - 1) ** 2)
        np.testing.assert_allclose(np.ravel(loss)[0], errors + 0.5 * y.mean(), rtol=1e-4)
    assert not np.array_equal(model.get_weights()[0][:2], w[:2])
    np.testing.assert_array_equal(model.get_weights()[0][3:], w[3:])


def by_hand(x):
    """The calls that get along with None, and are others then: what they make of a tensor."""
    n = x.shape[1]
    return {
        "mean": ops.sum(x, axis=1) / np.float32(ops.shape(x)[1]),
        "mean or one": ops.sum(x, axis=1) / (n or 1),
        "default": x * float(512 if n is None else n),
        "from one": x * float(np.arange(1, n).sum()),
        "heads": ops.reshape(x, (-1, n, 2, 2)),
    }


def causal(x):
    n = x.shape[1]
    return x if n is None else ops.matmul(np.tri(n, dtype=np.float32), x)


class ByHand(pynn.Model):
    """Of all these."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4)

    def call(self, x, training=None):
        return {**by_hand(x), "causal": causal(self.dense(x))}


def numbers_by_hand(model, x):
    n, y = x.shape[1], x @ model.dense.kernel.numpy()
    mean, reshaped = x.mean(1), x.reshape(len(x), n, 2, 2)
    of_mean = {"mean": mean, "mean or one": mean, "heads": reshaped}
    return {**of_mean, "default": x * n, "from one": x * sum(range(1, n)), "causal": y.cumsum(1)}


@pytest.mark.parametrize("built", [False, True])
def test_five_then_six_then_five_gives_the_first_numbers_again(built, random):
    model = ByHand()
    if built:
        model.build((None, None, 4))
    one, other = (random.normal(size=(2, n, 4)).astype(np.float32) for n in (5, 6))
    for x in (one, other, one):
        found = model(x)
        for name, expected in numbers_by_hand(model, x).items():
            np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)
    assert model.output_shape["heads"] == (None, None, 2, 2)


def test_build_runs_once(random):
    class Late(pynn.Model):
        def build(self, input_shape):
            self.seen = [*getattr(self, "seen", []), tuple(input_shape)]
            self.dense = layers.Dense(4)

        def call(self, x):
            return self.dense(x) / float(x.shape[1])

    model = Late()
    for n in (5, 6, 7):
        x = random.normal(size=(2, n, 4)).astype(np.float32)
        np.testing.assert_allclose(model(x), x @ model.dense.kernel.numpy() / n, rtol=1e-4, atol=1e-6)
    assert model.seen == [(None, 5, 4)]
    assert len(model.weights) == 2


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
def test_it_is_freed_at_once():
    model = compiled(of_data())
    for n in (5, 6):
        model.fit(np.ones((2, n)), np.ones((2, n)), verbose=0)
    model.summary(print_fn=lambda line: None)
    assert model.output.shape == (None, None, 20)
    seen = weakref.ref(model)
    del model
    assert seen() is None


@pytest.mark.usefixtures("without_collector")
def test_a_model_that_is_cut_out_keeps_it(tmp_path):
    model = Two()
    model.build((None, None, 2), (None, None, 3))
    assert model.outputs == model.output
    x = [np.ones((2, 5, 2)), np.ones((2, 7, 3))]
    part, expected = pynn.Model(model.inputs, model.outputs[1]), model(*x)[1]
    seen = weakref.ref(model)
    del model
    np.testing.assert_array_equal(part.predict(x, verbose=0), expected)
    part.compile("sgd", "mse")
    part.fit(x, np.ones((2, 1)), verbose=0)
    part.save(tmp_path / "part.pynn")
    loaded = pynn.load_model(tmp_path / "part.pynn", custom_objects={"Two": Two})
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), part.predict(x, verbose=0))
    del part
    assert seen() is None


def test_the_call_alone_needs_its_model():
    model = ByHand()
    model.build((None, None, 4))
    (call,) = [each for each in model.operations if each.name == "call"]
    del model
    gc.collect()
    with pytest.raises(RuntimeError, match="The model is gone whose call this layer is"):
        call(np.ones((1, 3, 4)))


def test_several_inputs_and_outputs(random):
    model = Two()
    model.build((None, None, 2), (None, None, 3))
    model.compile("sgd", "mse", metrics=["mae", "mae"])
    for lengths in ((3, 5), (4, 2)):
        a, b = (random.normal(size=(4, n, size)).astype(np.float32) for n, size in zip(lengths, (2, 3), strict=True))
        one, other = model(a, b)
        weights = model.get_weights()
        np.testing.assert_allclose(one, a.mean(1) @ weights[0] + weights[1], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(other, b.mean(1) @ weights[2] + weights[3], rtol=1e-4, atol=1e-6)
        found = model.train_on_batch((a, b), [np.ones((4, 1))] * 2, return_dict=True)
    assert [name for name in found if name.endswith("mae")] == ["one_mae", "other_mae"]


def test_what_is_refused():
    model = of_shapes()
    with pytest.raises(ValueError, match=r"must be in \[0, 12\), but found 12"):
        model.predict(np.ones((1, 13)), verbose=0)
    assert model.predict(np.ones((1, 12)), verbose=0).shape == (1, 12, 20)

    class Wrong(pynn.Model):
        def call(self, x):
            return x * np.zeros((7, 5))[: x.shape[1]]

    wrong = Wrong()
    with pytest.raises(ValueError, match="length 24 and 48 where they may have any"):
        wrong.build((None, None, 3))
    assert not wrong.built

    class Growing(pynn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            self.add_weight((x.shape[1],))
            return self.dense(x)

    with pytest.raises(ValueError, match="adds a weight in call"):
        Growing().build((None, None, 3))
