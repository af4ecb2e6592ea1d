"""Layers of several inputs, and embeddings: values, gradients of every input, threads, what is refused."""

import json

import numpy as np
import pytest
from helpers import THREADS, bits, close_gradient
from reference import central_difference

import pynn
from pynn import layers

RANDOM = np.random.default_rng(7)


def product_of_all(xs):
    result = xs[0]
    for x in xs[1:]:
        result = result * x
    return result


def unit(x, axis):
    return x / np.sqrt((x * x).sum(axis, keepdims=True))


CASES = [
    ("Add", {}, [(5,), (5,), (5,)], sum),
    ("Add", {}, [(2, 3, 17), (1, 1, 17), (2, 3, 1)], sum),
    ("Add", {}, [(7,)], sum),
    ("Subtract", {}, [(33,), (33,)], lambda xs: xs[0] - xs[1]),
    ("Subtract", {}, [(3, 1), (1, 4)], lambda xs: xs[0] - xs[1]),
    ("Multiply", {}, [(4, 3), (4, 1), (4, 3)], product_of_all),
    ("Multiply", {}, [(15,), (15,)], product_of_all),
    ("Average", {}, [(2, 3), (2, 3), (1, 3)], lambda xs: sum(xs) / 3),
    ("Maximum", {}, [(16,), (16,), (1,)], lambda xs: np.maximum(np.maximum(xs[0], xs[1]), xs[2])),
    ("Minimum", {}, [(2, 7), (2, 7)], lambda xs: np.minimum(xs[0], xs[1])),
    ("Concatenate", {}, [(3,), (4,), (1,)], lambda xs: np.concatenate(xs, -1)),
    ("Concatenate", {"axis": 1}, [(2, 3), (5, 3)], lambda xs: np.concatenate(xs, 1)),
    ("Concatenate", {"axis": -2}, [(2, 1, 3), (2, 2, 3)], lambda xs: np.concatenate(xs, -2)),
    ("Dot", {"axes": 1}, [(6,), (6,)], lambda xs: (xs[0] * xs[1]).sum(1, keepdims=True)),
    ("Dot", {"axes": (2, 1)}, [(3, 4), (4, 5)], lambda xs: xs[0] @ xs[1]),
    ("Dot", {"axes": 2}, [(3, 4), (5, 4)], lambda xs: xs[0] @ xs[1].swapaxes(1, 2)),
    ("Dot", {"axes": (1, 2)}, [(3, 2), (4, 3)], lambda xs: np.einsum("nki,njk->nij", *xs)),
    ("Dot", {"axes": -1}, [(2, 3), (3,)], lambda xs: np.einsum("nik,nk->ni", *xs)),
    (
        "Dot",
        {"axes": -1, "normalize": True},
        [(6,), (6,)],
        lambda xs: (unit(xs[0], 1) * unit(xs[1], 1)).sum(1, keepdims=True),
    ),
]
each_case = pytest.mark.parametrize(
    ("kind", "config", "shapes", "expected"),
    CASES,
    ids=lambda value: str(value) if isinstance(value, str | list) else "",
)


def model_of(kind, config, shapes):
    inputs = [pynn.Input(shape) for shape in shapes]
    return pynn.Model(inputs, getattr(layers, kind)(**config)(inputs))


@each_case
def test_merge_computes_its_formula(kind, config, shapes, expected):
    pynn.config.set_floatx("float64")
    xs = [RANDOM.standard_normal((4, *shape)) for shape in shapes]
    layer = getattr(layers, kind)(**config)
    y = layer(xs)
    np.testing.assert_allclose(y, expected(xs), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(model_of(kind, config, shapes)(xs), y)
    assert layer.compute_output_shape([(4, *shape) for shape in shapes]) == y.shape
    one_by_one = np.concatenate([layer([x[row : row + 1] for x in xs]) for row in range(4)])
    np.testing.assert_array_equal(one_by_one, y)
    in_float32 = type(layer)(**config, dtype="float32")([x.astype(np.float32) for x in xs])
    np.testing.assert_allclose(in_float32, y, rtol=1e-5, atol=1e-5)


@each_case
def test_gradients_of_every_input(kind, config, shapes, expected):
    pynn.config.set_floatx("float64")
    xs = [RANDOM.standard_normal((2, *shape)) for shape in shapes]
    model = model_of(kind, config, shapes)
    dy = RANDOM.standard_normal(model(xs).shape)
    slopes = model.vjp(xs, dy)[1]
    for number, slope in enumerate(slopes if len(shapes) > 1 else [slopes]):

        def loss(x, number=number):
            return float((model([*xs[:number], x, *xs[number + 1 :]]) * dy).sum())

        assert close_gradient(central_difference(loss, xs[number]), slope).all()


@each_case
def test_merge_of_its_configuration_is_equal(kind, config, shapes, expected):
    layer = getattr(layers, kind)(**config)
    twin = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert twin.get_config() == layer.get_config()
    xs = [RANDOM.standard_normal((3, *shape)).astype(np.float32) for shape in shapes]
    np.testing.assert_array_equal(twin(xs), layer(xs))
    function = getattr(layers, kind.lower())
    np.testing.assert_array_equal(function(xs, **config), layer(xs))


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (layers.Add(), [(3,), (4,)], r"cannot merge samples of the shapes \(3,\) and \(4,\)"),
        (layers.Subtract(), [(3,), (3,), (3,)], "exactly 2 inputs, but got 3"),
        (layers.Concatenate(), [(3, 2), (4, 2, 1)], "differ along axis -1 only"),
        (layers.Concatenate(axis=1), [(3, 2), (3, 3)], "differ along axis 1 only"),
        (layers.Concatenate(axis=0), [(3,), (3,)], "axis=0"),
        (layers.Concatenate(axis=3), [(3,), (3,)], "axis=3"),
        (layers.Dot(1), [(3,), (4,)], "one size along axes=1"),
        (layers.Dot(2), [(3,), (3,)], "axes=2"),
        (layers.Dot(1), [(3,)], "exactly 2 inputs"),
    ],
)
def test_shapes_that_do_not_merge_are_told(layer, shapes, message):
    inputs = [pynn.Input(shape) for shape in shapes]
    for call in (lambda: layer(inputs), lambda: layer([np.ones((2, *shape)) for shape in shapes])):
        with pytest.raises(ValueError, match=f"{layer.name}.*{message}"):
            call()


@pytest.mark.parametrize("given", [np.ones((2, 3)), 3, None, [], [np.ones((2, 3)), np.ones((3, 3))]], ids=str)
def test_merge_of_no_list_says_so(given):
    with pytest.raises((TypeError, ValueError), match=r"list of inputs|same number of samples"):
        layers.Add()(given)


# ---- embeddings ------------------------------------------------------------------------------------------------------


def table(rows, dim, pooled=True):
    ids = pynn.Input((5,), dtype="int32")
    vectors = layers.Embedding(rows, dim, name="table")(ids)
    rest = layers.GlobalAveragePooling1D()(vectors) if pooled else layers.Flatten()(vectors)
    return pynn.Model(ids, layers.Dense(2)(rest))


@pytest.mark.parametrize("dim", [1, 7, 16, 33])
@pytest.mark.parametrize("ids", [np.array([[0, 2], [6, 6]]), np.array([[[1]], [[3]]], np.uint8), [[4.0, 5.0]]], ids=str)
def test_embedding_looks_up(dim, ids):
    layer = layers.Embedding(7, dim)
    y = layer(ids)
    np.testing.assert_array_equal(y, layer.embeddings.numpy()[np.asarray(ids).astype(int)])


def test_embedding_is_built_without_a_shape():
    layer = layers.Embedding(7, 3)
    layer.build()
    values = RANDOM.standard_normal((7, 3)).astype("float32")
    layer.set_weights([values])
    np.testing.assert_array_equal(layer([[2, 6]])[0], values[[2, 6]])
    model = pynn.Sequential([pynn.Input((5,), dtype="int32"), layer])
    np.testing.assert_array_equal(model(np.full((2, 5), 4))[0], values[[4] * 5])


def test_vectors_that_are_looked_up_have_a_penalty():
    model = pynn.Sequential([pynn.Input((2,), dtype="int32"), layers.Embedding(7, 3, activity_regularizer="l2")])
    model.compile("sgd", "mse")
    x = np.array([[1, 2], [1, 1]])
    y = model(x)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(0.01 * (y**2).sum() / 2, rel=1e-5)
    assert layers.Embedding.from_config(model.layers[0].get_config()).activity_regularizer.l2 == pytest.approx(0.01)


def test_a_table_that_is_given():
    """As an array or a list of it; no part of the configuration, as in Keras."""
    values = RANDOM.standard_normal((7, 3)).astype("float32")
    for given in (values, [values], values.tolist()):
        layer = layers.Embedding(7, 3, weights=given, trainable=False)
        assert layer.built  # at once, as in Keras
        np.testing.assert_array_equal(layer.embeddings.numpy(), values)
        assert not layer.trainable_weights
        np.testing.assert_array_equal(layer([[2, 6]])[0], values[[2, 6]])
        assert (
            layer.get_config() == layers.Embedding(7, 3, trainable=False, name=layer.name, dtype="float32").get_config()
        )
    single = layers.Embedding(1, 3, weights=[[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(single([[0]]), [[[1, 2, 3]]])
    for wrong in (values.T, [values, values], values[0]):
        with pytest.raises(ValueError, match=r"weights must be a table of the shape .*\(7, 3\)"):
            layers.Embedding(7, 3, weights=wrong)
    with pytest.raises(TypeError, match="weights must be an array of numbers"):
        layers.Embedding(7, 3, weights="glove")


def test_a_table_that_is_given_goes_into_models_and_layers_of_ones_own():
    values = RANDOM.standard_normal((7, 3)).astype("float32")
    given = layers.Embedding(7, 3, weights=[values])
    model = pynn.Sequential([pynn.Input((2, 2), dtype="int32"), given])  # of any shape
    np.testing.assert_array_equal(model.predict(np.full((1, 2, 2), 3), verbose=0), np.full((1, 2, 2, 3), values[3]))
    model.compile("sgd", "mse")
    model.fit(np.full((1, 2, 2), 3), np.zeros((1, 2, 2, 3)), verbose=0)
    assert (given.embeddings.numpy() != values).any(axis=1).tolist() == [False] * 3 + [True] + [False] * 3

    class Within(layers.Layer):
        def build(self, input_shape):
            self.table = layers.Embedding(7, 3, weights=values)

        def call(self, x):
            return self.table(x) * 2

    np.testing.assert_array_equal(Within()(np.array([[1, 2]])), values[[[1, 2]]] * 2)
    whole = layers.Embedding(7, 3, weights=values, dtype="float64")
    assert whole.embeddings.numpy().dtype == np.float64


def test_input_length_of_an_embedding_has_no_effect():
    with pytest.warns(UserWarning, match="input_length of Embedding has no effect"):
        layer = layers.Embedding(7, 3, input_length=4)
    assert layer([[1, 2]]).shape == (1, 2, 3)


@pytest.mark.parametrize("wrong", [7, -1, 1.5, np.nan, 2**40])
def test_ids_out_of_range_are_told(wrong):
    x = np.zeros((4, 5))
    model = table(7, 3)
    model.compile("sgd", "mse")
    before = bits(model)
    x[2, 1] = wrong
    for call in (lambda: model.predict(x, verbose=0), lambda: model.fit(x, np.zeros((4, 2)), verbose=0)):
        with pytest.raises(ValueError, match=r"row 2 of x"):
            call()
    with pytest.raises(ValueError, match=r"row 2 of inputs of layer 'table'"):
        model.get_layer("table")(x)
    assert bits(model) == before


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw", "rmsprop", "adagrad", "lion"])
def test_table_learns_as_a_dense_layer_on_one_hot_rows(optimizer):
    """Also the rows that a batch does not use: their moments go on."""
    pynn.config.set_floatx("float64")
    kinds = {
        "sgd": lambda: pynn.optimizers.SGD(0.5),
        "momentum": lambda: pynn.optimizers.SGD(0.5, momentum=0.9),
        "adamw": lambda: pynn.optimizers.AdamW(0.01, weight_decay=0.1),
    }
    x, y = RANDOM.integers(0, 9, (20, 5)), RANDOM.standard_normal((20, 2))
    model = table(9, 3)
    rows = pynn.Input((5, 9))
    vectors = layers.Dense(3, use_bias=False)(rows)
    dense = pynn.Model(rows, layers.Dense(2)(layers.GlobalAveragePooling1D()(vectors)))
    dense.set_weights(model.get_weights())
    for each, data in ((model, x), (dense, np.eye(9)[x])):
        each.compile(kinds.get(optimizer, lambda: optimizer)(), "mse")
        each.fit(data, y, batch_size=3, epochs=3, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), dense.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_table_has_the_same_bits_for_any_team(optimizer):
    x, y = RANDOM.integers(0, 50, (300, 5)), RANDOM.standard_normal((300, 2))
    start, found = None, set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = table(50, 17, pooled=False)
        start = model.get_weights() if start is None else start
        model.set_weights(start)
        model.compile(optimizer, "mse")
        model.fit(x, y, batch_size=300, epochs=2, shuffle=False, verbose=0)
        found.add(bits(model))
    assert len(found) == 1


def test_ids_may_be_numbers_for_other_layers():
    ids = pynn.Input((3,), dtype="int32")
    model = pynn.Model(ids, [layers.Embedding(5, 2)(ids), layers.Rescaling(2.0)(ids), layers.Flatten()(ids)])
    x = np.array([[0, 4, 2]])
    vectors, doubled, same = model(x)
    assert vectors.shape == (1, 3, 2)
    np.testing.assert_array_equal(doubled, 2 * x)
    np.testing.assert_array_equal(same, x)
    numbers = pynn.Input((3,))
    with pytest.raises(ValueError, match=r"as ids by layer 'both'.*as numbers by"):
        pynn.Model(numbers, [layers.Embedding(5, 2, name="both")(numbers), layers.Dense(2)(numbers)])
    with pytest.raises(ValueError, match="takes ids"):
        layers.Embedding(5, 2)(layers.Dense(3)(numbers))


def test_numbers_that_are_computed_of_ids_are_refused():
    ids = pynn.Input((3,), dtype="int32")
    table = layers.Embedding(5, 2)
    with pytest.raises(ValueError, match=r"takes ids.*in NumPy before they become inputs"):
        table(ids + 0.5)
    assert not table.built
    assert table(ids)[:, :2].shape == table(ids[:, :2]).shape == (None, 2, 2)
