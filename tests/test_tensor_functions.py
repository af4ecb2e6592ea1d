"""Functions of pynn.ops under Keras's names: of arrays, and of symbolic tensors, of which they make the same."""

import numpy as np
import pytest
from function_cases import FUNCTIONS as MORE
from function_cases import STEPS as MORE_STEPS

import pynn
from pynn import layers, ops

ROW = np.array([0.5, -1.0, 2.0, 3.0])
MATRIX = np.arange(8.0).reshape(4, 2) - 3

# Of two tensors (N, 3, 4): by ops, and by NumPy.
TAKEN = np.array([True, False, True, False])
FUNCTIONS = {
    "add": (lambda a, b: ops.add(a, 1.5) + ops.add(ROW, b), lambda a, b: a + 1.5 + ROW + b),
    "subtract": (lambda a, b: ops.subtract(2, a), lambda a, b: 2 - a),
    "multiply": (lambda a, b: ops.multiply(a, b[:, :1]), lambda a, b: a * b[:, :1]),
    "divide": (lambda a, b: ops.divide(a, ops.abs(b) + 1), lambda a, b: a / (abs(b) + 1)),
    "true_divide": (lambda a, b: ops.true_divide(1.0, ops.exp(a)), lambda a, b: np.exp(-a)),
    "mod": (lambda a, b: ops.mod(a, 0.7), lambda a, b: a % 0.7),
    "power": (lambda a, b: ops.power(ops.absolute(a), 1.5), lambda a, b: abs(a) ** 1.5),
    "maximum": (
        lambda a, b: ops.maximum(a, b) + ops.maximum(0.3, a),
        lambda a, b: np.maximum(a, b) + np.maximum(a, 0.3),
    ),
    "minimum": (lambda a, b: ops.minimum(a, ROW), lambda a, b: np.minimum(a, ROW)),
    "clip": (lambda a, b: ops.clip(a, -0.5, 0.6), lambda a, b: np.clip(a, -0.5, 0.6)),
    "where": (lambda a, b: ops.where(a > b, a, 2 * b), lambda a, b: np.where(a > b, a, 2 * b)),
    "where of numbers": (lambda a, b: ops.where(a[:, :1] > 0, 1.0, b), lambda a, b: np.where(a[:, :1] > 0, 1.0, b)),
    "where of an array": (
        lambda a, b: ops.where(TAKEN, a, -1.0) + ops.where(TAKEN, ROW, b),
        lambda a, b: np.where(TAKEN, a, -1.0) + np.where(TAKEN, ROW, b),
    ),
    "where of what is broadcast": (
        lambda a, b: ops.where(a > 0, b[:, :, :1], ops.expand_dims(b[:, 0], 1)),
        lambda a, b: np.where(a > 0, b[:, :, :1], b[:, :1]),
    ),
    "negative": (lambda a, b: ops.negative(a), lambda a, b: -a),
    "square": (lambda a, b: ops.square(a), lambda a, b: a * a),
    "sqrt": (lambda a, b: ops.sqrt(ops.square(a) + 0.1), lambda a, b: np.sqrt(a * a + 0.1)),
    "rsqrt": (lambda a, b: ops.rsqrt(ops.square(a) + 1), lambda a, b: 1 / np.sqrt(a * a + 1)),
    "reciprocal": (lambda a, b: ops.reciprocal(ops.square(a) + 1), lambda a, b: 1 / (a * a + 1)),
    "exp": (lambda a, b: ops.exp(a), lambda a, b: np.exp(a)),
    "sum": (lambda a, b: ops.sum(a, axis=1), lambda a, b: a.sum(axis=1)),
    "sum of all": (lambda a, b: ops.sum(a, axis=[-1, 1]), lambda a, b: a.sum(axis=(1, 2))),
    "sum, axes kept": (
        lambda a, b: a / ops.sum(ops.exp(a), -1, True),
        lambda a, b: a / np.exp(a).sum(-1, keepdims=True),
    ),
    "mean": (lambda a, b: ops.mean(a, axis=(1, 2)), lambda a, b: a.mean(axis=(1, 2))),
    "max": (lambda a, b: ops.max(a, axis=1, keepdims=True) * b, lambda a, b: a.max(axis=1, keepdims=True) * b),
    "min": (lambda a, b: ops.min(a, axis=2), lambda a, b: a.min(axis=2)),
    "var": (lambda a, b: ops.var(a, axis=1), lambda a, b: a.var(axis=1)),
    "std": (lambda a, b: ops.std(a, axis=-1, keepdims=True), lambda a, b: a.std(axis=-1, keepdims=True)),
    "reshape": (lambda a, b: ops.reshape(a, (-1, 2, 6)), lambda a, b: a.reshape(-1, 2, 6)),
    "reshape by what is left": (lambda a, b: ops.reshape(a, (ops.shape(a)[0], -1)), lambda a, b: a.reshape(len(a), -1)),
    "transpose": (lambda a, b: ops.transpose(a, (0, -1, 1)), lambda a, b: a.transpose(0, 2, 1)),
    "swapaxes": (lambda a, b: ops.swapaxes(a, -1, 1), lambda a, b: a.transpose(0, 2, 1)),
    "expand_dims": (lambda a, b: ops.expand_dims(a, -2), lambda a, b: a[:, :, None]),
    "squeeze": (lambda a, b: ops.squeeze(a[:, :1], 1), lambda a, b: a[:, 0]),
    "flip": (lambda a, b: ops.flip(a, 2), lambda a, b: a[..., ::-1]),
    "split": (lambda a, b: ops.split(a, 2, axis=2)[1] * 2, lambda a, b: a[..., 2:] * 2),
    "split at places": (lambda a, b: ops.split(a, [1], axis=1)[1], lambda a, b: a[:, 1:]),
    "concatenate": (lambda a, b: ops.concatenate([a, b], axis=-1), lambda a, b: np.concatenate([a, b], -1)),
    "stack": (lambda a, b: ops.stack([a, b], axis=-1), lambda a, b: np.stack([a, b], -1)),
    "matmul": (lambda a, b: ops.matmul(a, ops.transpose(b, (0, 2, 1))), lambda a, b: a @ b.transpose(0, 2, 1)),
    "matmul with an array": (lambda a, b: ops.matmul(a, MATRIX), lambda a, b: a @ MATRIX),
    "ones_like": (lambda a, b: ops.ones_like(a) * b + ops.zeros_like(a), lambda a, b: b),
    "activations": (
        lambda a, b: ops.relu(a) + ops.softmax(b, axis=1),
        lambda a, b: np.maximum(a, 0) + np.exp(b) / np.exp(b).sum(axis=1, keepdims=True),
    ),
}
# Those without a gradient
STEPS = {
    "floor_divide": (lambda a, b: ops.floor_divide(a, 0.5), lambda a, b: a // 0.5),
    "sign": (lambda a, b: ops.sign(a) + ops.sign(0 * a), lambda a, b: np.sign(a)),
    "comparisons": (
        lambda a, b: (
            ops.less(a, b) + 2 * ops.less_equal(a, ROW) + 4 * ops.greater(a, b) + 8 * ops.greater_equal(ROW, b)
        ),
        lambda a, b: 1.0 * (a < b) + 2 * (a <= ROW) + 4 * (a > b) + 8 * (b <= ROW),
    ),
    "equal": (lambda a, b: ops.equal(a, a) + 2 * ops.not_equal(a, b), lambda a, b: np.full_like(a, 3)),
    "logic": (
        lambda a, b: 1 * ops.logical_and(a > 0, b > 0) + 2 * ops.logical_or(a > 0, b > 0) + 4 * ops.logical_not(a > 0),
        lambda a, b: 1 * ((a > 0) & (b > 0)) + 2 * ((a > 0) | (b > 0)) + 4 * (a <= 0),
    ),
    "logical_xor": (lambda a, b: ops.cast(ops.logical_xor(a > 0, b > 0), "float64"), lambda a, b: (a > 0) ^ (b > 0)),
}
FUNCTIONS |= MORE
ALL = {**FUNCTIONS, **STEPS, **MORE_STEPS}


@pytest.fixture
def pair(random):
    return random.normal(size=(6, 3, 4)), random.normal(size=(6, 3, 4))


def model_of(function, dtype="float64"):
    a, b = pynn.Input((3, 4), dtype=dtype), pynn.Input((3, 4), dtype=dtype)
    return pynn.Model([a, b], function(a, b))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ALL)
def test_arrays_and_symbolic_tensors_give_the_same(name, dtype, pair):
    function, plain = ALL[name]
    expected, tolerance = plain(*pair), {"float32": 2e-6, "float64": 1e-14}[dtype]
    pair = [each.astype(dtype) for each in pair]
    np.testing.assert_allclose(function(*pair), expected, rtol=tolerance, atol=tolerance)
    model = model_of(function, dtype)
    assert model.output_shape == (None, *expected.shape[1:])
    found = model.predict(pair, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(pynn.Model.from_config(model.get_config()).predict(pair, verbose=0), found)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_functions(name, pair, random):
    model = model_of(FUNCTIONS[name][0])
    dy = random.normal(size=model.predict(list(pair), verbose=0).shape)
    _, found = model.vjp(list(pair), dy)
    for number, gradient in enumerate(found):
        for place in ((0, 0, 0), (2, 1, 3), (5, 2, 2)):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [each.copy() for each in pair]
                moved[number][place] += step
                ends.append((model.predict(moved, verbose=0) * dy).sum())
            np.testing.assert_allclose(gradient[place], (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["where", "sum of all", "max", "matmul"])
def test_functions_give_the_same_bits_for_any_number_of_threads(name, random):
    model, pair = model_of(FUNCTIONS[name][0], "float32"), list(random.normal(size=(2, 70, 3, 4)).astype(np.float32))
    found = []
    for threads in (1, 2, 3, 7):
        pynn.config.set_num_threads(threads)
        found.append((model.predict(pair, verbose=0), *model.vjp(pair, model.predict(pair, verbose=0))[1]))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_what_where_does_not_take_may_be_anything():
    a = pynn.Input((3,), dtype="float64")
    model = pynn.Model(a, ops.where(a > 0, a**-0.5, 0.0))
    np.testing.assert_array_equal(model.predict(np.array([[4.0, -1.0, 0.0]]), verbose=0), [[0.5, 0, 0]])


def test_where_of_an_array_in_a_call():
    """As a causal mask that is made of the length."""
    x = pynn.Input((None, 4))
    model = pynn.Model(x, layers.Lambda(lambda x: ops.where(ops.tri(ops.shape(x)[1], 4) > 0, x, -9.0))(x))
    for length in (3, 6, 3):
        given = np.arange(8.0 * length).reshape(2, length, 4)
        np.testing.assert_array_equal(model(given), np.where(np.tri(length, 4) > 0, given, -9.0))


def test_axes_of_any_length():
    x = pynn.Input((None, 2))
    model = pynn.Model(x, [ops.mean(x, axis=1), ops.max(x, axis=1), x - ops.mean(x, axis=1, keepdims=True)])
    for steps in (3, 5):
        given = np.arange(steps * 4.0).reshape(2, steps, 2)
        mean, largest, centred = model.predict(given, verbose=0)
        np.testing.assert_allclose(mean, given.mean(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(largest, given.max(axis=1))
        assert centred.shape == given.shape


def test_functions_of_ids():
    ids = pynn.Input((3,), dtype="int32")
    assert ops.cast(ids, "int64") is ids
    model = pynn.Model(ids, [ops.one_hot(ids, 4), ops.cast(ids, "float32") / 2, ops.one_hot(ids, 4, axis=1)])
    given = np.array([[0, 2, 5], [3, 1, 1]])
    hot, half, other = model.predict(given, verbose=0)
    np.testing.assert_array_equal(hot, given[..., None] == np.arange(4))
    np.testing.assert_array_equal(half, given / 2)
    np.testing.assert_array_equal(other, (given[..., None] == np.arange(4)).transpose(0, 2, 1))
    for axis, expected in ((-1, hot), (1, other)):
        np.testing.assert_array_equal(ops.one_hot(given, 4, axis=axis), expected)


def test_arrays_from_nothing_have_the_types_of_keras():
    assert ops.zeros((2, 3)).dtype == ops.ones(2).dtype == ops.full((1,), 3).dtype == ops.eye(3).dtype == np.float32
    assert (ops.arange(3).dtype, ops.arange(0.0, 1.0, 0.25).dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(ops.arange(1, 7, 2, dtype="int64"), [1, 3, 5])
    np.testing.assert_array_equal(ops.linspace(0, 1, 3), [0, 0.5, 1])
    assert ops.convert_to_tensor([1, 2]).dtype == np.int32
    assert ops.convert_to_tensor([1.5, 2], dtype="float64").dtype == np.float64
    np.testing.assert_array_equal(ops.convert_to_numpy([[1.5]]), [[1.5]])


class Attention(layers.Layer):
    """Positions, and attention that is written out."""

    def __init__(self, steps, units, **kwargs):
        super().__init__(**kwargs)
        self.steps, self.units = steps, units
        self.positions = layers.Embedding(steps, units)
        self.query, self.key = layers.Dense(units), layers.Dense(units)

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x):
        x = x + self.positions(ops.arange(ops.shape(x)[1]))
        scores = ops.matmul(self.query(x), ops.transpose(self.key(x), (0, 2, 1)))
        return ops.matmul(ops.softmax(scores * self.scale * self.units**-0.5), x)


def test_layers_of_ones_own_are_written_with_functions(random):
    x = random.normal(size=(5, 4, 3)).astype(np.float32)
    model = pynn.Sequential([pynn.Input((4, 3)), Attention(6, 3), layers.Dense(1)])
    positions, (query, key) = (
        model.weights[1].numpy(),
        (layer.get_weights() for layer in (model.layers[0].query, model.layers[0].key)),
    )
    h = x + positions[:4]
    scores = (h @ query[0] + query[1]) @ (h @ key[0] + key[1]).transpose(0, 2, 1) / np.sqrt(3)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(model.layers[0](x), weights @ h, rtol=1e-5, atol=1e-6)
    model.compile("adam", "mse")
    before = model.get_weights()
    losses = model.fit(x, np.ones((5, 4, 1)), epochs=50, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    moved = [not np.array_equal(*each) for each in zip(before, model.get_weights(), strict=True)]
    assert all(moved)
    assert np.array_equal(model.layers[0].positions.get_weights()[0][4:], positions[4:])  # positions that no sample has
    twin = pynn.Sequential.from_config(model.get_config(), custom_objects={"Attention": Attention})
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(x), model(x))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda x: ops.mean(x), r"needs an axis.*axis=\(1, 2\) for all of a sample"),
        (lambda x: ops.sum(x, axis=0), "axis=0 is the axis of the samples"),
        (lambda x: ops.sum(x, axis=-3), "axis=-3 is the axis of the samples"),
        (lambda x: ops.max(x, axis=3), r"a whole number in \[-3, 3\) for max"),
        (lambda x: ops.mean(x, axis=True), "whole number"),
        (lambda x: ops.sum(x, axis=(1, -2)), r"each axis once for sum of .*, but got \(1, -2\)"),
        (lambda x: ops.reshape(x, (3, 4)), "must begin with -1, for the samples"),
        (lambda x: ops.reshape(x, -1), "must begin with -1, for the samples"),
        (lambda x: ops.reshape(x, ()), "must begin with -1, for the samples"),
        (lambda x: ops.reshape(x, (-1, 5)), "Reshape"),
        (lambda x: ops.transpose(x), "axes must begin with 0"),
        (lambda x: ops.transpose(x, (1, 0, 2)), "axes must begin with 0"),
        (lambda x: ops.swapaxes(x, 0, 1), "the axis of the samples"),
        (lambda x: ops.squeeze(x, 1), "an axis of length 1, but axis 1"),
        (lambda x: ops.expand_dims(x, 0), "the axis of the samples"),
        (lambda x: ops.concatenate([x, x]), "the axis of the samples"),
        (lambda x: ops.split(x, 3, axis=2), "equal division"),
        (lambda x: ops.split(x, [0, 2], axis=2), "makes an empty one of 4"),
        (lambda x: ops.one_hot(x, 0), "num_classes must be a whole number of at least 1"),
        (lambda x: ops.split(pynn.Input((None, 2)), 2, axis=1), "known length"),
        (lambda x: ops.cast(x, "complex64"), "cast of a symbolic tensor to complex64"),
        (lambda x: ops.where(x > 0, x, np.ones((2, 5))), "shape"),
        (lambda x: ops.nothing, "no attribute 'nothing'"),
    ],
)
def test_what_functions_refuse(use, message):
    with pytest.raises((TypeError, ValueError, AttributeError), match=message):
        use(pynn.Input((3, 4)))


def test_functions_of_weights_outside_of_calls():
    layer = layers.Dense(2)
    layer.build((None, 3))
    np.testing.assert_array_equal(ops.mean(layer.kernel), layer.kernel.numpy().mean())


def test_embedding_of_places_that_are_not_there():
    class Far(layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = layers.Embedding(3, 2)

        def call(self, x):
            return x + self.table(np.arange(4))

    with pytest.raises(ValueError, match=r"must be in \[0, 3\), but found 3"):
        Far()(np.ones((2, 4, 2)))
