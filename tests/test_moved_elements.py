"""Functions of pynn.ops that put elements in other places, sum products, or stop gradients: tensors as arrays."""

import numpy as np
import pytest

import pynn
from pynn import layers, ops

TABLE = np.arange(15.0).reshape(3, 5) / 7 - 1
CUBE = np.arange(24.0).reshape(3, 2, 2, 2) / 11 - 1

# The function, and the shapes of samples
CASES = {
    "take": (lambda x: ops.take(x, [2, 0, 0], axis=1), [(3, 4)]),
    "take by a matrix": (lambda x: ops.take(x, np.array([[1, 0], [2, 2]]), axis=-2), [(3, 4)]),
    "take one": (lambda x: ops.take(x, 1, axis=2), [(3, 4)]),
    "repeat": (lambda x: ops.repeat(x, 3, axis=-1), [(2, 3)]),
    "repeat some": (lambda x: ops.repeat(x, [1, 0, 2], axis=2), [(2, 3)]),
    "tile": (lambda x: ops.tile(x, (1, 2, 3)), [(2, 3)]),
    "tile the last": (lambda x: ops.tile(x, 2), [(2, 3)]),
    "roll": (lambda x: ops.roll(x, 2, axis=1), [(5, 2)]),
    "roll back": (lambda x: ops.roll(x, -1, axis=-1), [(5, 2)]),
    "broadcast_to": (lambda x: ops.broadcast_to(x, (ops.shape(x)[0], 4, 2, 5)), [(1, 2, 5)]),
    "moveaxis": (lambda x: ops.moveaxis(x, 1, -1), [(2, 3, 4)]),
    "moveaxis of two": (lambda x: ops.moveaxis(x, [1, 2], [2, 1]), [(2, 3, 4)]),
    "pad": (lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 3))), [(2, 3)]),
    "pad with a number": (lambda x: ops.pad(x, ((0, 0), (2, 0)), constant_values=-1.5), [(3,)]),
    "pad by reflection": (lambda x: ops.pad(x, ((0, 0), (2, 1)), mode="reflect"), [(4,)]),
    "tril": (ops.tril, [(3, 4)]),
    "triu": (lambda x: ops.triu(x, 1), [(2, 3, 3)]),
    "norm": (lambda x: ops.norm(x, axis=1), [(3, 4)]),
    "norm by sizes": (lambda x: ops.norm(x, 1, axis=-1, keepdims=True), [(3, 4)]),
    "norm of a matrix": (lambda x: ops.norm(x, axis=(1, 2)), [(3, 4)]),
    "largest": (lambda x: ops.norm(x, np.inf, axis=-1), [(3, 4)]),
    "expm1": (ops.expm1, [(7,)]),
    "log2": (lambda x: ops.log2(ops.abs(x)), [(7,)]),
    "log10": (lambda x: ops.log10(ops.abs(x)), [(7,)]),
    "attention": (lambda q, k: ops.einsum("bqhd,bkhd->bhqk", q, k), [(3, 2, 4), (5, 2, 4)]),
    "values": (lambda a, v: ops.einsum("bhqk, bkhd -> bqhd", a, v), [(2, 3, 5), (5, 2, 4)]),
    "matrices": (lambda a, b: ops.einsum("bij,bjk->bik", a, b), [(2, 3), (3, 4)]),
    "scalar products": (lambda a, b: ops.einsum("bi,bi->b", a, b), [(5,), (5,)]),
    "outer products": (lambda a, b: ops.einsum("bi,bj->bji", a, b), [(2,), (3,)]),
    "sums beside a product": (lambda a, b: ops.einsum("bijk,bl->blj", a, b), [(2, 3, 4), (5,)]),
    "elements": (lambda a, b: ops.einsum("bij,bij->bij", a, b), [(2, 3), (2, 3)]),
    "an array": (lambda a: ops.einsum("bij,jk->bik", a, TABLE), [(2, 3)]),
    "an array first": (lambda a: ops.einsum("jk,bij->bki", TABLE, a), [(2, 3)]),
    "a vector": (lambda a: ops.einsum("bij,j->bi", a, TABLE[:, 0]), [(2, 3)]),
    "rows with an array": (lambda a: ops.einsum("ki,bij->bkj", TABLE, a), [(5, 2)]),
    "elements of an array": (lambda a: ops.einsum("bij,ij->bji", a, TABLE), [(3, 5)]),
    "all of an array": (lambda a: ops.einsum("bij,ij->b", a, TABLE), [(3, 5)]),
    "places of an array": (lambda a: ops.einsum("bhij,hjk->bhik", a, TABLE.reshape(3, 5, 1)), [(3, 2, 5)]),
    "several letters of an array": (lambda a: ops.einsum("bij,jklm->bmikl", a, CUBE), [(2, 3)]),
    "several sums with an array": (lambda a: ops.einsum("bijk,jkn->bin", a, TABLE.reshape(3, 1, 5)), [(2, 3, 1)]),
    "outer product with an array": (lambda a: ops.einsum("bi,jk->bjik", a, TABLE), [(2,)]),
    "sums of an array": (lambda a: ops.einsum("bi,ajk->bij", a, CUBE[0]), [(2,)]),
    "matrix of a batch": (lambda a: ops.matmul(TABLE[None], a), [(5, 2)]),
    "matrix of a batch behind": (lambda a: a @ TABLE[None, None], [(2, 4, 3)]),
    "matrix of a batch of matrices": (lambda a: TABLE[None] @ a, [(2, 5, 2)]),
    "transposed": (lambda a: ops.einsum("bij->bji", a), [(2, 3)]),
    "sum": (lambda a: ops.einsum("bij->bj", a), [(2, 3)]),
}


@pytest.mark.parametrize("case", CASES)
def test_tensors_as_arrays(case, random):
    pynn.config.set_floatx("float64")
    function, shapes = CASES[case]
    inputs = [pynn.Input(shape) for shape in shapes]
    made = function(*inputs)
    data = [random.normal(size=(3, *shape)) for shape in shapes]
    expected = function(*data)
    model = pynn.Model(inputs, made)
    found = model.predict(data if len(data) > 1 else data[0], verbose=0)
    assert found.shape == expected.shape == (3, *made.shape[1:])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_a_central_difference(case, random):
    pynn.config.set_floatx("float64")
    function, shapes = CASES[case]
    inputs = [pynn.Input(shape) for shape in shapes]
    model = pynn.Model(inputs, function(*inputs))
    data = [random.normal(size=(3, *shape)) for shape in shapes]
    steps, h = [random.normal(size=x.shape) for x in data], 1e-6
    dy = random.normal(size=function(*data).shape)
    dx = model.vjp(data if len(data) > 1 else data[0], dy)[1]
    found = sum(np.sum(d * step) for d, step in zip(dx if len(data) > 1 else [dx], steps, strict=True))
    sides = [function(*(x + sign * h * step for x, step in zip(data, steps, strict=True))) for sign in (1, -1)]
    assert found == pytest.approx(np.sum(dy * (sides[0] - sides[1]) / (2 * h)), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("case", ["take", "tile", "pad", "tril", "attention"])
def test_model_of_a_configuration_does_the_same(case, random, tmp_path):
    function, shapes = CASES[case]
    inputs = [pynn.Input(shape) for shape in shapes]
    model = pynn.Model(inputs, function(*inputs))
    data = [random.normal(size=(3, *shape)).astype("float32") for shape in shapes]
    model.save(tmp_path / "model")
    for other in (pynn.Model.from_config(model.get_config()), pynn.load_model(tmp_path / "model")):
        np.testing.assert_array_equal(
            other.predict(data if len(data) > 1 else data[0], verbose=0),
            model.predict(data if len(data) > 1 else data[0], verbose=0),
        )


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: ops.take(x, [0]), ValueError, "take of the symbolic tensor .* needs an axis"),
        (lambda x: ops.take(x, [0], axis=0), ValueError, "axis=0 is the axis of the samples"),
        (lambda x: ops.take(x, [9], axis=1), ValueError, "out of bounds|index 9"),
        (lambda x: ops.take(x, 1.7, axis=1), TypeError, "indices must be whole numbers"),
        (lambda x: ops.take(np.ones(3), x, axis=0), TypeError, "what an Embedding gives"),
        (lambda x: ops.repeat(x, 2), ValueError, "repeat of the symbolic tensor .* needs an axis"),
        (lambda x: ops.tile(x, (2, 1, 1)), ValueError, "1 for the samples, but got"),
        (lambda x: ops.roll(x, 2), ValueError, "roll of the symbolic tensor .* needs an axis"),
        (lambda x: ops.broadcast_to(x, (None, 3, 9)), ValueError, "does not fit the shape"),
        (lambda x: ops.pad(x, 1), ValueError, r"pad_width must have \(0, 0\) for the samples"),
        (lambda x: ops.norm(x, 3, axis=1), ValueError, "norm of a symbolic tensor takes"),
        (lambda x: ops.einsum("bij,bjk->bik", x), ValueError, "einsum of symbolic tensors takes operands of letters"),
        (lambda x: ops.einsum("ijk->ij", x, x), ValueError, "einsum of symbolic tensors takes operands of letters"),
        (lambda x: ops.einsum("bij->ij", x), ValueError, "has the letter of the samples first"),
        (lambda x: ops.einsum("bii->b", x), ValueError, "each letter once"),
        (lambda x: ops.einsum("bi->b", x), ValueError, "which has 3 axes"),
        (lambda x: ops.einsum("bij,bjk->bik", x, x), ValueError, "axes of the sizes 4 and 3"),
        (lambda x: ops.einsum("bij->bik", x), ValueError, "letters behind the arrow that no operand has"),
        (lambda x: ops.einsum("bij,bjk->bik", x, np.ones((1, 4, 2))), ValueError, "an array goes without it"),
        (lambda x: ops.einsum("ibj,jk->bik", x, np.ones((4, 2))), ValueError, "has the letter of the samples first"),
        (lambda x: ops.einsum("bij,jk->bik", x, np.ones((4, 2, 1))), ValueError, "for an array, which has 3 axes"),
        (lambda x: ops.einsum("bij,jk->bik", x, np.ones((3, 2))), ValueError, "axes of the sizes 4 and 3"),
        (lambda x: ops.einsum("bij,jk->bik", x, "ab"), TypeError, "an operand must be numbers"),
        (lambda x: ops.matmul(np.ones((2, 3, 3)), x), ValueError, "A constant goes without the axis of the batch"),
        (lambda x: ops.matmul(np.ones((1, 1, 3, 3)), x), ValueError, "A constant goes without the axis of the batch"),
        (lambda x: ops.dot(x, np.ones((1, 4, 2))), ValueError, "an array of one or two axes, but got one of 3"),
    ],
)
def test_what_a_tensor_cannot_do_is_told(function, error, message):
    with pytest.raises(error, match=message):
        function(pynn.Input((3, 4)))


@pytest.mark.parametrize(
    "function",
    {
        "a matrix in front": lambda x: ops.einsum("qk,bkd->bqd", np.tri(x.shape[1]), x),
        "as many as samples": lambda x: ops.matmul(np.tri(x.shape[1])[None], x),
        "elements": lambda x: ops.einsum("bkd,k->bkd", x, np.arange(x.shape[1])),
        "two tensors": lambda x: ops.einsum("bqd,bkd->bqk", x, x),
    }.values(),
)
def test_products_in_a_call_for_any_length(function, random):
    x = pynn.Input((None, 3))
    model = pynn.Model(x, layers.Lambda(function)(x))
    for length in (4, 7):
        data = random.normal(size=(2, length, 3)).astype("float32")
        expected = function(data)
        np.testing.assert_allclose(model(data), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("function", [lambda x: ops.repeat(x, 2, axis=1), lambda x: ops.tile(x, (1, 2, 1)), ops.tril])
def test_axes_of_any_length_are_told(function):
    with pytest.raises(ValueError, match="needs to know the length of axis 1"):
        function(pynn.Input((None, 4)))


def test_numbers_without_a_gradient(random):
    x = pynn.Input((3,))
    frozen, learned = layers.Dense(2), layers.Dense(2)
    model = pynn.Model(x, ops.stop_gradient(frozen(x)) + learned(x))
    data, dy = random.normal(size=(5, 3)).astype("float32"), random.normal(size=(5, 2)).astype("float32")
    np.testing.assert_array_equal(model(data), frozen(data) + learned(data))
    gradients, _ = model.vjp(data, dy)
    assert not gradients[0].any()
    assert not gradients[1].any()
    np.testing.assert_allclose(gradients[3], dy.sum(0), rtol=1e-5)
    model.compile("sgd", "mse")
    before = frozen.get_weights()[0]
    model.fit(data, dy, verbose=0)
    np.testing.assert_array_equal(frozen.get_weights()[0], before)
    assert ops.stop_gradient(3.0) == 3.0


@pytest.mark.parametrize("dtype", ["int32", "bool", "float32"])
def test_cast_of_tensors(dtype):
    x = pynn.Input((5,))
    data = np.float32([[-1.7, -0.2, 0, 0.9, 2.5]])
    np.testing.assert_array_equal(pynn.Model(x, ops.cast(x, dtype))(data), data.astype(dtype))


def test_numbers_in_a_call_lose_what_is_behind_the_point():
    class Cut(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((5,), initializer=pynn.initializers.Constant(-1.5))

        def call(self, x):
            return ops.cast(x, "int32") + ops.cast(x * 2.0, "int64") + ops.cast(self.w, "int32")

    data = np.float32([[-1.7, -0.2, 0, 0.9, 2.5]])
    np.testing.assert_array_equal(Cut()(data), np.trunc(data) + np.trunc(2 * data) - 1)


@pytest.mark.parametrize("x", [1e-6, -1e-6, 1e-3, 0.0, 3.0, -30.0, 60.0])
def test_expm1_of_tensors_is_exact(x):
    given = pynn.Input((1,))
    model = pynn.Model(given, ops.expm1(given))
    np.testing.assert_allclose(model(np.float32([[x]])), np.expm1(np.float64(np.float32([[x]]))), rtol=1e-6)


def test_ids_that_a_call_is_given_may_be_cast():
    class Table(layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = layers.Embedding(9, 4)

        def call(self, x):
            return self.table(ops.cast(x, "int32"))

    layer = Table()
    np.testing.assert_array_equal(layer(np.array([[1, 8]])), layer.table(np.array([[1, 8]])))
    x = pynn.Input((5,))
    assert pynn.Model(x, layer(x)).predict(np.ones((2, 5)), verbose=0).shape == (2, 5, 4)


def test_numbers_up_to_an_unknown_length_are_told():
    for arguments in ((None,), (0, None, 1), (0, None)):
        with pytest.raises(ValueError, match="as an axis of any length has"):
            ops.arange(*arguments)
    np.testing.assert_array_equal(ops.arange(5, step=2), [0, 2, 4])
    np.testing.assert_array_equal(ops.arange(5, None), [0, 1, 2, 3, 4])
    assert ops.arange(0).shape == (0,)
