"""Parts of inputs of whole numbers, and embeddings of them."""

import numpy as np
import pytest

import pynn
from pynn import layers, ops
from pynn.layers.id_arithmetic import IdArithmetic

RANDOM = np.random.default_rng(5)


# Ways to the parts of an input of whole numbers, of shape (3, 2): each ends in embeddings of 4 and of 9 rows.
class Parts(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.few, self.many = layers.Embedding(4, 2), layers.Embedding(9, 2)

    def call(self, ids):
        return self.few(ids[..., 0]) + self.many(ids[..., 1])


def parts(ids):
    return layers.Embedding(4, 2)(ids[:, :, 0]), layers.Embedding(9, 2)(ids[..., 1])


def in_a_model(ids):
    inner = pynn.Input((3, 2), dtype="int32")
    return pynn.Model(inner, layers.add(parts(inner)))(ids)


WAYS = {
    "index": lambda ids: layers.add(parts(ids)),
    "index of an index": lambda ids: layers.add([layers.Embedding(4, 2)(ids[:, :, :1][..., 0]), parts(ids)[1]]),
    "reshaped": lambda ids: layers.add(parts(layers.Reshape((3, 2))(layers.Flatten()(ids)))),
    "own layer": lambda ids: Parts()(ids),
    "model": in_a_model,
    "steps": lambda ids: layers.TimeDistributed(Parts())(ids),
    "own layer of steps": lambda ids: layers.TimeDistributed(pynn.Sequential([pynn.Input((2,)), Parts()]))(ids),
}


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("way", WAYS)
def test_parts_of_ids_are_embedded(way, dtype):
    """And checked, each by what reads it, before anything is changed."""
    ids = pynn.Input((3, 2), dtype=dtype, name="ids")
    model = pynn.Model(ids, WAYS[way](ids))
    given = np.stack([RANDOM.integers(0, 4, (7, 3)), RANDOM.integers(0, 9, (7, 3))], axis=-1)
    few, many = model.get_weights() if model.weights[0].shape == (4, 2) else model.get_weights()[::-1]
    np.testing.assert_array_equal(model(given), few[given[..., 0]] + many[given[..., 1]])
    model.compile("adam", "mse")
    targets = np.ones((7, 3, 2))
    losses = model.fit(given, targets, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    before = model.get_weights()
    bad = given.copy()
    bad[5, 1, 0] = 4
    row = 16 if "steps" in way else 5  # among all steps
    with pytest.raises(ValueError, match=rf"taken from the input 'ids' must be in \[0, 4\), but found 4 at row {row}"):
        model.fit(bad, targets, batch_size=2, verbose=0)
    bad[5, 1, 0] = -1
    with pytest.raises(ValueError, match=r"of the input 'ids' must be in .*, but found -1 at row 5"):
        model.fit(bad, targets, batch_size=2, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_parts_of_ids_and_numbers():
    ids = pynn.Input((3,), dtype="int32")
    table = layers.Embedding(5, 2)
    model = pynn.Model(ids, [table(ids[:, 0]), table(ids[:, ::-1]), ids[:, 1:], layers.Dense(1)(ids[:, 2:])])
    assert [y.dtype for y in model.outputs] == ["float32", "float32", "int32", "float32"]
    given = np.array([[1, 2, 3], [4, 0, 4]])
    one, all_of_them, rest, dense = model.predict(given, verbose=0)
    np.testing.assert_array_equal(one, table.embeddings.numpy()[given[:, 0]])
    np.testing.assert_array_equal(all_of_them, table.embeddings.numpy()[given[:, ::-1]])
    np.testing.assert_array_equal(rest, given[:, 1:])
    np.testing.assert_allclose(dense, given[:, 2:] * model.layers[-1].kernel.numpy(), rtol=1e-6)
    masked = pynn.Model(ids, layers.Embedding(5, 2, mask_zero=True)(ids[:, 1:]))
    np.testing.assert_array_equal(masked.layers[-1].compute_mask(given[:, 1:]), given[:, 1:] != 0)
    x = pynn.Input((3,))
    with pytest.raises(ValueError, match=r"as ids by layer 'e' and as numbers by 'd'.*an Input of their own"):
        pynn.Model(x, [layers.Embedding(5, 2, name="e")(x[:, 0]), layers.Dense(1, name="d")(x[:, 1:])])
    any_length = pynn.Input((None, 2), dtype="int32")
    model = pynn.Model(any_length, layers.Embedding(5, 2)(any_length[:, :, 1]))
    assert [model.predict(np.ones((2, steps, 2)), verbose=0).shape for steps in (3, 4)] == [(2, 3, 2), (2, 4, 2)]
    with pytest.raises(ValueError, match=r"taken from the input .* found 7 at row 1"):
        model.predict([[[9, 1]], [[9, 7]]], verbose=0)


OFFSETS = np.array([0, 3, 7])


def int32(x):
    """What is left of whole numbers in 32 bits, as in Keras."""
    return (x + 2**31) % 2**32 - 2**31


# Ids that are computed of others, (N, 3), and the same by NumPy.
COMPUTED = {
    "add": (lambda ids: ids + OFFSETS, lambda x: x + OFFSETS),
    "subtract": (lambda ids: ids - 2, lambda x: x - 2),
    "subtract from": (lambda ids: 20 - ids, lambda x: 20 - x),
    "multiply": (lambda ids: 2 * ids, lambda x: 2 * x),
    "divide": (lambda ids: (ids - 9) // np.array([1, 2, 5]) + 9, lambda x: (x - 9) // [1, 2, 5] + 9),
    "remainder": (lambda ids: (ids - 9) % 4, lambda x: (x - 9) % 4),
    "of a part": (lambda ids: (ids[:, ::2] * 2 + 1)[:, :1], lambda x: x[:, :1] * 2 + 1),
    "broadcast": (lambda ids: ids[:, 1:2] + OFFSETS[None], lambda x: x[:, 1:2] + OFFSETS),
    "more axes": (lambda ids: ids[..., None] + np.arange(2), lambda x: x[..., None] + np.arange(2)),
    "divisor below 0": (lambda ids: ids // -3 + 9, lambda x: x // -3 + 9),
    "remainder below 0": (lambda ids: 9 + ids % np.array([-3, -4, 5]), lambda x: 9 + x % [-3, -4, 5]),
    "divided by ids": (lambda ids: 20 // ids + 20 % ids, lambda x: 20 // x + 20 % x),
    "large": (lambda ids: ids * (2**31 - 1) % 5, lambda x: int32(x * (2**31 - 1)) % 5),
    "digits": (lambda ids: ids % 10 + ids // 10, lambda x: x % 10 + x // 10),
    "its square": (lambda ids: ids * ids % 40, lambda x: x * x % 40),
    "neighbours": (lambda ids: ids[:, 1:] + 2 * ids[:, :-1], lambda x: x[:, 1:] + 2 * x[:, :-1]),
    "pairs": (
        lambda ids: ids[:, :, None] + layers.Reshape((1, 3))(ids) * 2,
        lambda x: x[:, :, None] + x[:, None, :] * 2,
    ),
    "differences": (
        lambda ids: (ids - ids[:, :1]) // (ids[:, 1:2] - 20) + 9,
        lambda x: (x - x[:, :1]) // (x[:, 1:2] - 20) + 9,
    ),
}


class Offset(layers.Layer):
    """Fields of ids that share a table."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(40, 3)

    def call(self, ids):
        return self.table(ids + OFFSETS)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("case", COMPUTED)
def test_computed_ids_are_embedded(case, threads):
    symbolic, plain = COMPUTED[case]
    ids = pynn.Input((3,), dtype="int32")
    made = symbolic(ids)
    assert made.dtype == "int32"
    model = pynn.Model(ids, [layers.Embedding(40, 2)(made), made])
    given = RANDOM.integers(2, 10, (70, 3))
    expected = plain(given)
    pynn.config.set_num_threads(threads)
    rows, numbers = model.predict(given, verbose=0)
    np.testing.assert_array_equal(rows, model.weights[0].numpy()[expected])
    np.testing.assert_array_equal(numbers, expected)
    twin = pynn.Model.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(given, verbose=0)[0], rows)


@pytest.mark.parametrize("way", [lambda: Offset(), lambda: layers.TimeDistributed(Offset())])
def test_computed_ids_are_checked_before_anything_is_changed(way):
    layer = way()
    steps = [2] * isinstance(layer, layers.TimeDistributed)
    ids = pynn.Input((*steps, 3), dtype="int32", name="ids")
    model = pynn.Model(ids, layer(ids))
    model.compile("adam", "mse")
    given = RANDOM.integers(0, 33, (8, *steps, 3))
    first = model.fit(given, np.ones((8, *steps, 3, 3)), verbose=0).history["loss"][0]
    assert model.evaluate(given, np.ones((8, *steps, 3, 3)), verbose=0) < first
    before = model.get_weights()[0]
    for wrong, found in ((33, 40), (2**31 - 1, 2**31 - 1)):
        bad = given.copy()
        bad[(6, *[1] * len(steps), 2)] = wrong
        with pytest.raises(ValueError, match=rf"'ids' must be in \[0, .*\), but found {found} at row"):
            model.fit(bad, np.ones((8, *steps, 3, 3)), batch_size=2, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_what_is_no_whole_number_is_no_id():
    ids = pynn.Input((3,), dtype="int32")
    other = pynn.Input((3,))
    for made in (ids + 0.5, ids / 2, ids**2, ids // 0, ids % 0.5, ids < 2, ids * 2**40, ids / ids, ids + other):
        assert made.dtype == "float32"
        with pytest.raises(ValueError, match=r"takes ids.*Give the Input dtype.* and compute with whole"):
            layers.Embedding(4, 2)(made)
    for settings in (
        {"function": "divide"},
        {"function": "add", "constant": 0.5},
        {"function": "add", "constant": 1e300},
    ):
        with pytest.raises(ValueError, match="IdArithmetic takes the functions add"):
            IdArithmetic(**settings)
    whole = pynn.Model(ids, layers.Dense(2)(ids * 3 - 1))
    kernel = whole.weights[0].numpy()
    np.testing.assert_allclose(whole(np.array([[1, 0, 4]])), np.array([[2, -1, 11]]) @ kernel, rtol=1e-6)


# Two inputs of ids, (N, 3) and (N, 1), and the same by NumPy: rows of a table of 100.
PAIRS = {
    "crossed": (lambda a, b: a * 10 + b, lambda a, b: a * 10 + b),
    "difference": (lambda a, b: (a - b) + 10, lambda a, b: a - b + 10),
    "product": (lambda a, b: a * b, lambda a, b: a * b),
    "quotient": (lambda a, b: a // (b + 1), lambda a, b: a // (b + 1)),
    "remainder": (lambda a, b: a % (b - 11) + 11, lambda a, b: a % (b - 11) + 11),
    "functions": (lambda a, b: ops.add(ops.multiply(a, 10), ops.mod(b, 7)), lambda a, b: a * 10 + b % 7),
    "hashed": (
        lambda a, b: (a * 1_000_003 + b * 777_767_777) % 100,
        lambda a, b: int32(a * 1_000_003 + b * 777_767_777) % 100,
    ),
}


class Crossed(layers.Layer):
    """A table of pairs of ids."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(100, 2)

    def call(self, a, b):
        return self.table(a * 10 + b)


def crossed_in_a_model(a, b):
    one, other = pynn.Input((3,), dtype="int32", name="one"), pynn.Input((1,), dtype="int32", name="other")
    return pynn.Model({"one": one, "other": other}, layers.Embedding(100, 2)(one * 10 + other))({"one": a, "other": b})


CROSSINGS = {
    "operators": lambda a, b: layers.Embedding(100, 2)(a * 10 + b),
    "own layer": lambda a, b: Crossed()(a, b),
    "model": crossed_in_a_model,
    "parts of sums": lambda a, b: layers.Embedding(100, 2)((a * 10 + b)[:, ::-1][:, ::-1]),
}


def pairs_of_ids(count=70):
    return RANDOM.integers(0, 10, (count, 3)), RANDOM.integers(0, 10, (count, 1))


def pair_of_inputs():
    return pynn.Input((3,), dtype="int32", name="a"), pynn.Input((1,), dtype="int32", name="b")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", PAIRS)
def test_ids_computed_of_two_inputs_are_embedded(case, dtype, tmp_path):
    symbolic, plain = PAIRS[case]
    a, b = pair_of_inputs()
    made = symbolic(a, b)
    assert (made.dtype, made.shape) == ("int32", (None, 3))
    model = pynn.Model({"x": a, "y": b}, [layers.Embedding(100, 2, dtype=dtype)(made), made])
    given = dict(zip("xy", pairs_of_ids(), strict=True))
    expected = plain(*given.values())
    for threads in (1, 3):
        pynn.config.set_num_threads(threads)
        rows, numbers = model.predict(given, verbose=0)
        np.testing.assert_array_equal(rows, model.weights[0].numpy()[expected])
        np.testing.assert_array_equal(numbers, expected)
    model.save(tmp_path / "model")
    twins = [pynn.Model.from_config(model.get_config()), pynn.models.model_from_json(model.to_json())]
    twins += [pynn.models.clone_model(model), pynn.load_model(tmp_path / "model")]
    for twin in twins:
        twin.set_weights(model.get_weights())
        np.testing.assert_array_equal(twin(given)[0], rows)
    lines = []
    model.summary(print_fn=lines.append)
    assert "embedding" in "".join(lines)


@pytest.mark.parametrize("way", CROSSINGS)
def test_ids_computed_of_two_inputs_are_checked_before_anything_is_changed(way):
    a, b = pair_of_inputs()
    model = pynn.Model([a, b], CROSSINGS[way](a, b))
    given, targets = list(pairs_of_ids(8)), np.ones((8, 3, 2))
    (table,) = model.get_weights()
    np.testing.assert_array_equal(model(given), table[given[0] * 10 + given[1]])
    model.compile("adam", "mse")
    first = model.fit(given, targets, verbose=0).history["loss"][0]
    assert model.evaluate(given, targets, verbose=0) < first
    loss, gradients = model.gradients(given, targets)
    pullback, of_inputs = model.vjp(given, 2 * (model(given) - 1) / targets.size)
    assert of_inputs == [None, None]
    assert loss == pytest.approx(model.evaluate(given, targets, verbose=0))
    np.testing.assert_allclose(pullback[0], gradients[0], rtol=1e-5)
    before = model.get_weights()[0]
    bad = [given[0].copy(), given[1].copy()]
    bad[0][6, 1], bad[1][6, 0] = 9, 14
    message = r"taken from the inputs 'a' and 'b' must be in \[0, 100\), but found 104 at row 6 of x\[0\] and x\[1\]"
    for call in (
        lambda: model.fit(bad, targets, batch_size=2, verbose=0),
        lambda: model.evaluate(bad, targets, batch_size=2, verbose=0),
        lambda: model.predict(bad, batch_size=2, verbose=0),
        lambda: model(bad),
        lambda: model.gradients(bad, targets),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    bad[1][6, 0] = -1
    with pytest.raises(ValueError, match=r"input 'b' must be in .*, but found -1 at row 6"):
        model.fit(bad, targets, batch_size=2, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_a_layer_is_called_on_two_arrays_of_ids():
    layer = Crossed()
    a, b = pairs_of_ids()
    np.testing.assert_array_equal(layer(a, b), layer.table.embeddings.numpy()[a * 10 + b])
    a[3] = 10
    with pytest.raises(ValueError, match=r"must be in \[0, 100\), but found 10\d at row 3 of inputs"):
        layer(a, b)
    with pytest.raises(ValueError, match=r"cannot put samples of the shapes \(3,\) and \(2,\) together"):
        layer(a, np.zeros((70, 2), int))
    with pytest.raises(ValueError, match="the same number of samples, but got 70, 69"):
        layer(a, b[1:])


def test_what_is_divided_by_0_is_no_id():
    a, b = pair_of_inputs()
    quotient = a // b
    model = pynn.Model([a, b], [quotient, layers.Embedding(10, 2)(a)])
    x, y = np.arange(3)[None], np.array([[0]])
    np.testing.assert_array_equal(model([x, y])[0], [[0, 0, 0]])  # as in NumPy
    embedded = pynn.Model([a, b], layers.Embedding(10, 2)(quotient))
    with pytest.raises(ValueError, match=r"floor_divide.* divides ids by 0 at row 1"):
        embedded.predict([x.repeat(2, 0), np.array([[1], [0]])], verbose=0)


class Sums(layers.Layer):
    """What is computed of two inputs, as ids or as numbers."""

    def __init__(self, embeds):
        super().__init__()
        self.reader = layers.Embedding(40, 2) if embeds else layers.Dense(2)

    def call(self, a, b):
        return self.reader(a * 2 + b)


def test_a_call_computes_with_ids_and_with_numbers(random):
    layer = Sums(embeds=False)
    a, b = random.normal(size=(2, 5, 3)).astype("float32")
    kernel = layer(a, b) is not None and layer.reader.kernel.numpy()
    np.testing.assert_allclose(layer(a, b), (a * 2 + b) @ kernel, rtol=1e-5, atol=1e-6)
    ids, numbers = pynn.Input((3,), dtype="int32"), pynn.Input((3,))
    whole = random.integers(0, 5, (5, 3))
    mixed = pynn.Model([ids, numbers], layer(ids, numbers))
    np.testing.assert_allclose(mixed([whole, b]), (whole * 2 + b) @ kernel, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="takes ids"):
        Sums(embeds=True)(ids, layers.Dense(3)(numbers))


def test_a_deep_sum_of_ids_with_itself():
    """Whatever is computed of it is computed once."""
    ids = pynn.Input((1,), dtype="int32")
    made = ids
    for _ in range(200):
        made = (made + made) % 7
    model = pynn.Model(ids, layers.Embedding(7, 2)(made))
    table = model.get_weights()[0]
    np.testing.assert_array_equal(model.predict(np.array([[3]]), verbose=0)[0, 0], table[3 * pow(2, 200, 7) % 7])


class Positions(layers.Layer):
    """Vectors of ids, and of their places."""

    def __init__(self, places, dtype=None, of_ids=None):
        super().__init__(dtype=dtype)
        self.of_ids, self.of_places = layers.Embedding(9, 3, dtype=of_ids), layers.Embedding(6, 3)
        self.places = places

    def call(self, x):
        return self.of_ids(x) + self.of_places(self.places)


@pytest.mark.parametrize("places", [np.arange(4), np.arange(4)[None], [3, 3, 0, 5]], ids=str)
def test_ids_that_a_call_makes_are_embedded(places, random):
    """Places, above all; the table learns."""
    x = random.integers(0, 9, (5, 4))
    layer = Positions(places, "float64")
    layer(x)
    of_ids, of_places = (each.embeddings.numpy() for each in (layer.of_ids, layer.of_places))
    np.testing.assert_array_equal(layer(x), of_ids[x] + of_places[places])
    model = pynn.Sequential([pynn.Input((4,), dtype="int32"), layer])
    model.compile(pynn.optimizers.SGD(0.5), "mse")
    target = random.normal(size=(5, 4, 3))
    error = 2 * (layer(x) - target) / target.size
    model.train_on_batch(x, target)
    gradient = np.zeros((6, 3))
    np.add.at(gradient, np.ravel(places), error.sum(0))
    np.testing.assert_allclose(layer.of_places.embeddings.numpy(), of_places - 0.5 * gradient, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=r"must be in \[0, 6\), but found 6"):
        Positions(np.arange(7))(random.integers(0, 9, (5, 7)))


def test_an_embedding_has_the_type_of_the_layer_that_it_is_in(random):
    class Inner(layers.Layer):
        def __init__(self, dtype):
            super().__init__(dtype="float64")
            self.table = layers.Embedding(9, 3, dtype=dtype)

        def call(self, x):
            return self.table(x)

    x, layer = random.integers(0, 9, (5, 4)), Inner(None)
    assert layer(x).dtype == layer.table.dtype == "float64"
    with pytest.raises(ValueError, match="computes in float64, but its call returns float32, from layer 'embedding"):
        Inner("float32")(x)


def test_an_array_is_an_index(random):
    x, start = random.normal(size=(3, 5, 4)), pynn.Input((5, 4))
    keys = [(slice(None), [0, 2, 2]), (Ellipsis, np.array([[3, -1], [0, 0]])), (slice(None), slice(1, None), (1, 2))]
    model = pynn.Model(start, [start[key] for key in keys])
    for again in (model, pynn.models.model_from_json(model.to_json())):
        for found, key in zip(again(x), keys, strict=True):
            np.testing.assert_array_equal(found, x.astype("float32")[key])
    for key, error, message in (
        ((slice(None), [True, False]), TypeError, "must have whole numbers"),
        ((slice(None), [5]), ValueError, "out of bounds"),
        ((slice(None), 0, [1, 2]), TypeError, "not beside another array"),
        ((slice(None), [1, 2], [1, 2]), TypeError, "not beside another array"),
        (([0, 1],), ValueError, "must be ':'"),
    ):
        with pytest.raises(error, match=message):
            start[key]


# ---- truth values ----------------------------------------------------------------------------------------------------

TRUTHS = np.array([[True, False, True], [False, False, True]])


def with_truths(function):
    x, truths = pynn.Input((3,)), pynn.Input((3,), dtype="bool", name="truths")
    return pynn.Model([x, truths], function(x, truths))


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        (lambda x, t: ops.cast(t, "float32"), lambda x, t: 1.0 * t),
        (lambda x, t: ops.where(t, x, -1.0), lambda x, t: np.where(t, x, -1)),
        (lambda x, t: x * t, lambda x, t: x * t),
        (lambda x, t: ops.logical_not(t), lambda x, t: ~t),
        (lambda x, t: (x > 0) & ~t, lambda x, t: (x > 0) & ~t),
        (lambda x, t: ops.sum(ops.cast(t, "float32"), axis=-1), lambda x, t: t.sum(-1)),
        (lambda x, t: layers.Concatenate()([t, x]), lambda x, t: np.concatenate([t, x], -1)),
    ],
)
def test_truth_values_are_0_and_1(function, plain, random, tmp_path):
    x = random.normal(size=(2, 3)).astype("float32")
    model = with_truths(function)
    model.save(tmp_path / "model")
    for each in (model, pynn.Model.from_config(model.get_config()), pynn.load_model(tmp_path / "model")):
        for given in (TRUTHS, TRUTHS.astype("int64"), TRUTHS.astype("float32"), TRUTHS.tolist()):
            np.testing.assert_allclose(each.predict([x, given], verbose=0), plain(x, TRUTHS), rtol=1e-6)
    assert model.get_layer("truths").get_config()["dtype"] == "bool"


@pytest.mark.parametrize("bad", [2, -1, 0.5, np.nan])
def test_what_is_no_truth_value_is_refused(bad):
    one = pynn.Input((3,), dtype="bool")
    of_one = [
        pynn.Model(one, ops.cast(one, "float32")),
        pynn.Sequential([pynn.Input((3,), dtype=bool), layers.Dense(1)]),
    ]
    inner = pynn.Input((3,), dtype=np.bool_)
    of_one.append(pynn.Model(inner, of_one[0](inner)))
    for model in of_one:
        for call in (model, lambda x, model=model: model.predict(x, verbose=0)):
            with pytest.raises(ValueError, match=r"must be in \[0, 2\)|must be a whole number"):
                call(np.array([[0, 1, bad]]))


def test_truth_values_are_masks_and_train(random):
    x, mask = pynn.Input((4, 2)), pynn.Input((4,), dtype="bool")
    model = pynn.Model([x, mask], layers.Dense(1)(layers.LSTM(3)(x, mask=mask)))
    model.compile("sgd", "mse")
    data, real = random.normal(size=(6, 4, 2)), np.arange(4) < random.integers(1, 5, (6, 1))
    model.fit([data, real], np.ones((6, 1)), epochs=2, verbose=0)
    found = model.predict([data, real], verbose=0)
    data[~real] = 9
    np.testing.assert_array_equal(model.predict([data, real], verbose=0), found)


def test_an_embedding_reads_truth_values():
    model = pynn.Sequential([pynn.Input((3,), dtype="bool"), layers.Embedding(5, 2)])
    table = model.get_weights()[0]
    np.testing.assert_array_equal(model.predict(TRUTHS, verbose=0), table[TRUTHS.astype(int)])
    with pytest.raises(ValueError, match=r"must be in \[0, 2\)"):
        model.predict(np.array([[0, 1, 4]]), verbose=0)


class Pooled(pynn.Model):
    """The mean of the vectors of ids that are not 0, as subclasses of Model compute it."""

    def __init__(self):
        super().__init__()
        self.embedding = pynn.layers.Embedding(9, 3)

    def call(self, ids):
        if len(ids.shape) == 1:
            return self.embedding(ids)
        is_real = pynn.ops.expand_dims(pynn.ops.cast(pynn.ops.not_equal(ids, 0), "float32"), -1)
        return pynn.ops.sum(self.embedding(ids) * is_real, axis=1) / pynn.ops.sum(is_real, axis=1)


def test_a_subclass_of_model_reads_ids_as_numbers_too():
    ids, model = np.array([[1, 8, 0], [2, 3, 4]]), Pooled()
    made = model.predict(ids, verbose=0)
    (table,) = model.get_weights()
    np.testing.assert_allclose(made, [table[[1, 8]].mean(0), table[[2, 3, 4]].mean(0)], rtol=1e-5)
    model.compile("sgd", "mse")
    model.fit(ids, np.ones((2, 3)), verbose=0)
    with pytest.raises(ValueError, match=r"\[0, 9\)"):
        model.predict(ids + 1, verbose=0)


@pytest.mark.parametrize("ids", [np.array([3, 1]), [3, 1]])
def test_a_subclass_of_model_takes_an_id_a_sample(ids):
    model = Pooled()
    np.testing.assert_array_equal(model.predict(ids, verbose=0), model.get_weights()[0][[3, 1]])
    model.compile("sgd", "mse")
    model.fit(np.arange(8), np.ones((8, 3)), verbose=0)
    assert model(np.arange(3)).shape == (3, 3)
