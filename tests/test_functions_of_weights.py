"""Functions of weights in the call of a layer: they give what they give of arrays, and hand gradients on."""

import numpy as np
import pytest

import pynn
from pynn import layers, ops

X = np.random.default_rng(1).standard_normal((3, 4))


class Uses(layers.Layer):
    """What a function makes of the inputs and of weights of these shapes."""

    def __init__(self, function, *shapes):
        super().__init__(dtype="float64")
        self.function, self.shapes = function, shapes

    def build(self, input_shape):
        initializer = pynn.initializers.RandomUniform(0.1, 1.0, seed=1)
        self.w = [self.add_weight(shape=shape, initializer=initializer) for shape in self.shapes]

    def call(self, x):
        return self.function(x, *self.w)


def beside(function):
    """The function of weights, added to a part of the inputs."""

    def add(x, *w):
        made = function(*w)
        return ops.reshape(x[:, 0], (-1, *(1,) * len(made.shape))) + made

    return add


OF_WEIGHTS = {
    "transpose": (ops.transpose, (3, 4)),
    "transpose by axes": (lambda w: ops.transpose(w, (2, 0, -2)), (2, 3, 4)),
    "transpose of an expression": (lambda w: ops.transpose(w * 2), (3, 4)),
    "swapaxes": (lambda w: ops.swapaxes(w, 0, -1), (2, 3, 4)),
    "moveaxis": (lambda w: ops.moveaxis(w, 0, 1), (2, 3, 4)),
    "reshape": (lambda w: ops.reshape(w, (4, -1)), (3, 4)),
    "reshape to a row": (lambda w: ops.reshape(w, -1), (3, 4)),
    "expand_dims": (lambda w: ops.expand_dims(w, 0), (3, 4)),
    "expand_dims behind": (lambda w: ops.expand_dims(w, -1), (3,)),
    "squeeze": (lambda w: ops.squeeze(w, 0), (1, 4)),
    "flip": (ops.flip, (3, 4)),
    "flip along an axis": (lambda w: ops.flip(w, 1), (3, 4)),
    "split": (lambda w: ops.split(w, 2)[1], (4, 3)),
    "unstack": (lambda w: ops.unstack(w)[2], (3, 4)),
    "concatenate": (lambda a, b: ops.concatenate([a, b]), (3, 4), (1, 4)),
    "stack": (lambda a, b: ops.stack([a, b], axis=1), (3, 4), (3, 4)),
    "take": (lambda w: ops.take(w, [[2, 0], [1, 1]], axis=0), (3, 4)),
    "take of a row": (lambda w: ops.take(w, [5, 0]), (3, 4)),
    "repeat": (lambda w: ops.repeat(w, 2, axis=0), (3, 4)),
    "tile": (lambda w: ops.tile(w, (2, 1)), (3, 4)),
    "roll": (lambda w: ops.roll(w, 1, axis=0), (3, 4)),
    "broadcast_to": (lambda w: ops.broadcast_to(w, (2, 3, 4)), (1, 4)),
    "pad": (lambda w: ops.pad(w, ((1, 0), (0, 2)), constant_values=3), (3, 4)),
    "tril": (ops.tril, (4, 4)),
    "cumsum": (lambda w: ops.cumsum(w, axis=0), (3, 4)),
    "cumsum of all": (ops.cumsum, (3, 4)),
    "diff": (lambda w: ops.diff(w, axis=0), (3, 4)),
    "sum": (ops.sum, (3, 4)),
    "mean": (lambda w: ops.mean(w, axis=0), (3, 4)),
    "max": (lambda w: ops.max(w, axis=(0, -1), keepdims=True), (3, 4)),
    "min": (lambda w: ops.min(w, 1), (3, 4)),
    "var": (lambda w: ops.var(w, axis=1, keepdims=True), (3, 4)),
    "norm": (lambda w: w / ops.norm(w), (3, 4)),
    "logsumexp": (lambda w: ops.logsumexp(w, axis=0), (3, 4)),
    "einsum": (lambda a, b: ops.einsum("ij,kj->ki", a, b), (3, 4), (2, 4)),
    "einsum to a number": (lambda w: ops.einsum("ij,ij->", w, w), (3, 4)),
    "einsum with an array": (lambda w: ops.einsum("ij,kj->ki", w, X), (2, 4)),
    "einsum with an array in front": (lambda w: ops.einsum("ij,kj->ki", X, w * 2), (2, 4)),
    "tensordot": (lambda a, b: ops.tensordot(a, b, [[0, -1], [1, 0]]), (3, 2, 4), (4, 3)),
    "tensordot of an array": (lambda w: ops.tensordot(X.tolist(), w, 1), (4, 2)),
    "matmul": (lambda a, b: ops.matmul(a, ops.transpose(b)), (3, 4), (2, 4)),
}

WITH_SAMPLES = {
    "matmul with a transposed one": (lambda x, w: ops.matmul(x, ops.transpose(w)), (5, 4)),
    "matmul of sequences with a transposed one": (lambda x, w: _steps(x) @ ops.transpose(w), (5, 2)),
    "einsum": (lambda x, w: ops.einsum("bi,ijk->bjk", x, w), (4, 3, 2)),
    "einsum of all axes but one": (lambda x, w: ops.einsum("...i,ij->...j", _steps(x), w), (2, 3)),
    "einsum of all axes but those of matrices": (
        lambda x, w: ops.einsum("...ij,...kj->...ik", _steps(x), _steps(x * w)),
        (4,),
    ),
    "einsum with the weight first": (lambda x, w: ops.einsum("oi,bi->bo", w, x), (5, 4)),
    "einsum with a kernel of its own for each step": (lambda x, w: ops.einsum("bti,tio->bto", _steps(x), w), (2, 2, 3)),
    "einsum that leaves out a letter of the samples": (lambda x, w: ops.einsum("bti,io->bo", _steps(x), w), (2, 3)),
    "einsum that leaves out a letter of the weight": (lambda x, w: ops.einsum("bi,io->bi", x, w), (4, 3)),
    "einsum of samples and a sum": (lambda x, w: ops.einsum("bi,jo->bo", x, w), (3, 2)),
    "einsum with an expression": (lambda x, w: ops.einsum("bi,io->bo", x, w * 2.0), (4, 3)),
    "einsum with an array": (lambda x, w: ops.einsum("bi,io->bo", x * w, np.arange(8.0).reshape(4, 2)), (4,)),
    "einsum of three": (lambda x, w: ops.einsum("bti,io,bt->bo", _steps(x), w, x[:, :2]), (2, 3)),
    "einsum of three, weights first": (lambda x, v, w: ops.einsum("hk,ki,bi->bh", v, w, x), (2, 3), (3, 4)),
    "einsum of three, an array first": (lambda x, w: ops.einsum("hk,ki,bi->bh", X.T, w, x), (3, 4)),
    "tensordot": (lambda x, w: ops.tensordot(x, w, axes=1), (4, 3, 2)),
    "tensordot along two axes": (lambda x, w: ops.tensordot(_steps(x), w, axes=[[1, 2], [2, 0]]), (2, 3, 2)),
    "tensordot along another axis": (lambda x, w: ops.tensordot(_steps(x), w, [1, 1]), (3, 2)),
    "a row for each sample": (lambda x, w: ops.tile(w, (ops.shape(x)[0], 1)) + x, (1, 4)),
    "a token in front": (lambda x, w: ops.concatenate([_for_each(w, x), _steps(x)], axis=1), (1, 1, 2)),
    "a row repeated for each sample": (lambda x, w: ops.repeat(w, ops.shape(x)[0], axis=0) + x, (1, 4)),
}


def _steps(x):
    return ops.reshape(x, (-1, 2, 2))


def _for_each(w, x):
    return ops.broadcast_to(w, (ops.shape(x)[0], 1, 2))


ALL = [(name, beside(case[0]), case[1:]) for name, case in OF_WEIGHTS.items()]
ALL += [(name, case[0], case[1:]) for name, case in WITH_SAMPLES.items()]


@pytest.mark.parametrize(("name", "function", "shapes"), ALL, ids=[name for name, *_ in ALL])
def test_functions_of_weights(name, function, shapes):
    layer = Uses(function, *shapes)
    model = pynn.Sequential([pynn.Input((4,), dtype="float64"), layer])
    weights = model.get_weights()
    assert [w.shape for w in weights] == list(shapes)
    np.testing.assert_allclose(model.predict(X, verbose=0), function(X, *weights), rtol=1e-12)
    # The slope of a weighted sum of all outputs: what central differences give.
    slopes = np.random.default_rng(2).standard_normal(model.output_shape[1:])
    model.compile(pynn.optimizers.SGD(1.0), "mse")
    targets = model.predict(X, verbose=0) - slopes
    model.train_on_batch(X, targets)
    for place, (before, after) in enumerate(zip(weights, model.get_weights(), strict=True)):
        for index in np.ndindex(before.shape):
            losses = []
            for step in (1e-5, -1e-5):
                moved = [w.copy() for w in weights]
                moved[place][index] += step
                losses.append(np.mean((function(X, *moved) - targets) ** 2))
            np.testing.assert_allclose(before[index] - after[index], (losses[0] - losses[1]) / 2e-5, atol=1e-8)


class Table(layers.Layer):
    """An embedding, as programs write it."""

    def build(self, input_shape):
        self.table = self.add_weight(shape=(5, 3), initializer="random_normal", name="table")

    def call(self, ids):
        return ops.take(self.table, ops.cast(ids, "int32"), axis=0)

    def compute_mask(self, ids, mask=None):
        return ops.not_equal(ids, 0)


def test_rows_of_a_weight_by_ids():
    model = pynn.Sequential([pynn.Input((4,), dtype="int32"), Table(), layers.GlobalAveragePooling1D()])
    ids = np.array([[1, 4, 0, 0], [2, 3, 4, 0]])
    (table,) = model.get_weights()
    expected = [table[[1, 4]].mean(0), table[[2, 3, 4]].mean(0)]
    np.testing.assert_allclose(model.predict(ids, verbose=0), expected, rtol=1e-6)
    model.compile("sgd", "mse")
    model.train_on_batch(ids, np.ones((2, 3)))
    changed = (model.get_weights()[0] != table).any(axis=1)
    np.testing.assert_array_equal(changed, [False, True, True, True, True])
    with pytest.raises(ValueError, match=r"must be in \[0, 5\)"):
        model.predict(ids + 4, verbose=0)


def test_rows_by_what_is_no_id_are_refused():
    with pytest.raises((TypeError, ValueError), match="takes ids"):
        Table()(layers.Dense(3)(pynn.Input((4,))))


def test_a_product_with_a_transposed_weight_has_no_copy_for_each_sample():
    class Tied(layers.Layer):
        def __init__(self):
            super().__init__()
            self.embedding = layers.Embedding(1000, 8)

        def call(self, ids):
            return self.embedding(ids) @ ops.transpose(self.embedding.embeddings)

    model = pynn.Sequential([pynn.Input((5,), dtype="int32"), Tied()])
    ids = np.arange(10).reshape(2, 5)
    (table,) = model.get_weights()
    np.testing.assert_allclose(model.predict(ids, verbose=0), table[ids] @ table.T, rtol=1e-5, atol=1e-8)
    model.compile("adam", pynn.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert model.train_on_batch(ids, ids) == pytest.approx(np.log(1000), rel=1e-2)


def test_a_bias_of_positions_is_returned_by_a_layer():
    class RelativeBias(layers.Layer):
        def build(self, input_shape):
            self.table = self.add_weight(shape=(9, 2), initializer="random_normal", name="table")

        def call(self, x):
            steps = ops.arange(ops.shape(x)[1])
            places = steps[None, :] - steps[:, None] + 4
            return ops.expand_dims(ops.transpose(ops.take(self.table, places, axis=0), (2, 0, 1)), 0)

    bias = RelativeBias()
    x = pynn.Input((None, 3))
    model = pynn.Model(x, bias(x))
    steps = np.arange(5)
    table = bias.table.numpy()
    expected = table[steps[None] - steps[:, None] + 4].transpose(2, 0, 1)
    made = model.predict(np.zeros((3, 5, 3)), verbose=0)
    np.testing.assert_array_equal(made, np.broadcast_to(expected, (3, 2, 5, 5)))


@pytest.mark.parametrize("function", [lambda x, w: w, lambda x, w: 1 * w])
def test_a_weight_of_one_row_is_returned_by_a_layer(function):
    model = pynn.Sequential([pynn.Input((4,), dtype="float64"), Uses(function, (1, 4))])
    np.testing.assert_array_equal(model.predict(X, verbose=0), np.broadcast_to(model.get_weights()[0], (3, 4)))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, w: ops.tile(w, (ops.shape(x)[0], 1)) + x, "takes a weight of one row"),
        (lambda x, w: ops.einsum("bi,io->io", x, w), "letter of the samples|axis of the samples"),
        (lambda x, w: ops.einsum("bi,oo->bo", x, w), "each letter once"),
        (lambda x, w: x + ops.take(w, x, axis=1), "ops.take takes places that are an array"),
        (lambda x, w: x @ ops.transpose(w, (1, 2)), "each of 2 axes once"),
        (lambda x, w: ops.transpose(_steps(x), (0, 2, 4)) + w[0, 0], "each of 3 axes once"),
        (lambda x, w: ops.tensordot(x, w, [[1], [2]]), "tensordot sums over as many axes of both"),
        (lambda x, w: ops.tensordot(x, w, [[1, 1], [0, 0]]), "tensordot sums over as many axes of both"),
        (lambda x, w: ops.tensordot(_steps(x), w, [[1, 2], [0]]), "tensordot sums over as many axes of both"),
        (lambda x, w: ops.tensordot(x, w, 2), "other axes than the first"),
        (lambda x, w: w, "returned a weight, the same for all samples"),
        (lambda x, w: w + 1, "returned a weight, the same for all samples"),
    ],
)
def test_what_is_refused(function, message):
    with pytest.raises((TypeError, ValueError), match=message):
        pynn.Sequential([pynn.Input((4,), dtype="float64"), Uses(function, (4, 4))])
