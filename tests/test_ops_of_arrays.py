"""Functions of pynn.ops of arrays."""

import numpy as np
import pytest

import pynn
from pynn import ops

X = np.array([[1.5, -0.5, 3.0], [2.5, 0.0, -1.0]], np.float32)
INTS = np.array([[3, 1, 3], [0, 2, 1]])


@pytest.mark.parametrize(
    ("found", "expected", "dtype"),
    [
        (lambda: ops.argmax(X, 1), [2, 0], "int32"),
        (lambda: ops.argmax(INTS), 0, "int32"),
        (lambda: ops.argmin(X, axis=0, keepdims=True), [[0, 0, 1]], "int32"),
        (lambda: ops.sort([3, 1, 2]), [1, 2, 3], "int32"),
        (lambda: ops.argsort(INTS), [[1, 0, 2], [0, 2, 1]], "int32"),
        (lambda: ops.top_k(INTS, 2)[0], [[3, 3], [2, 1]], "int64"),
        (lambda: ops.top_k(INTS, 2)[1], [[0, 2], [1, 2]], "int32"),
        (lambda: ops.top_k(X, k=1, sorted=False)[1], [[2], [0]], "int32"),
        (lambda: ops.all(X, axis=1), [True, False], "bool"),
        (lambda: ops.any(X == 0, [0, 1]), True, "bool"),
        (lambda: ops.prod(X, axis=1, keepdims=True), [[-2.25], [0.0]], "float32"),
        (lambda: ops.cumsum(INTS, axis=1), [[3, 4, 7], [0, 2, 3]], "int64"),
        (lambda: ops.cumsum([1.0, 2.0]), [1.0, 3.0], "float32"),
        (lambda: ops.count_nonzero(X), 5, "int32"),
        (lambda: ops.count_nonzero(INTS, axis=1), [3, 2], "int32"),
        (lambda: ops.bincount([1, 3, 1]), [0, 2, 0, 1], "int32"),
        (lambda: ops.bincount(INTS[0], weights=[0.5, 1.0, 2.0], minlength=5), [0, 1, 0, 2.5, 0], "float64"),
        (lambda: ops.take(X, [2, 0], axis=1), X[:, [2, 0]], "float32"),
        (lambda: ops.norm(X, axis=-1), np.sqrt((X**2).sum(-1)), "float32"),
        (lambda: ops.norm([3, 4]), 5, "float32"),
        (lambda: ops.dot(X, np.ones(3, np.float32)), [4.0, 1.5], "float32"),
        (lambda: ops.divide_no_nan(X, np.array([2, 0, 1], np.float32)), [[0.75, 0, 3], [1.25, 0, -1]], "float32"),
        (lambda: ops.divide_no_nan(1.0, 0.0), 0.0, "float64"),
        (lambda: ops.log(np.float32([1, np.e])), [0, 1], "float32"),
        (lambda: ops.log([1, 1]), [0, 0], "float32"),
        (lambda: ops.log1p(X[:1, :1]), np.log1p(X[:1, :1]), "float32"),
        (lambda: ops.floor(X), [[1, -1, 3], [2, 0, -1]], "float32"),
        (lambda: ops.ceil(X), [[2, 0, 3], [3, 0, -1]], "float32"),
        (lambda: ops.round(X), [[2, 0, 3], [2, 0, -1]], "float32"),
        (lambda: ops.round(np.float64(1.256), 2), 1.26, "float64"),
        (lambda: ops.trunc(X), [[1, 0, 3], [2, 0, -1]], "float32"),
        (lambda: ops.isnan([np.nan, 1.0]), [True, False], "bool"),
        (lambda: ops.isinf([-np.inf, np.nan]), [True, False], "bool"),
        (lambda: ops.isfinite([np.inf, 1.0]), [False, True], "bool"),
    ],
)
def test_function_of_arrays(found, expected, dtype):
    result = found()
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert np.asarray(result).dtype == dtype
    assert np.shape(result) == np.shape(expected)


SHARES = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.5, 1.5, 2.0]], np.float32)
TARGETS = np.array([[0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]], np.float32)
CLASSES = np.array([1, 2, 0])


@pytest.mark.parametrize(
    ("found", "expected", "dtype"),
    [
        (lambda: ops.average(INTS, 1), [7 / 3, 1.0], "float32"),
        (lambda: ops.average(X, 1, [1.0, 2.0, 1.0]), [0.875, 0.375], "float32"),
        (lambda: ops.median(INTS, axis=1), [3.0, 1.0], "float32"),
        (lambda: ops.median(X), 0.75, "float32"),
        (lambda: ops.quantile(X, 0.3, axis=1), [0.7, -0.4], "float32"),
        (lambda: ops.quantile(INTS, [0.25, 0.5]), [1.0, 1.5], "float32"),
        (lambda: ops.nan_to_num([np.nan, np.inf, 1.0]), [0, 3.4028235e38, 1], "float32"),
        (lambda: ops.searchsorted([1, 2, 4], [2, 3]), [1, 2], "int32"),
        (lambda: ops.searchsorted([1, 2, 4], 2, side="right"), 2, "int32"),
        (lambda: ops.digitize(X, [0.0, 2.0]), [[1, 0, 2], [2, 1, 0]], "int32"),
        (lambda: ops.stack(ops.nonzero(INTS)), [[0, 0, 0, 1, 1], [0, 1, 2, 1, 2]], "int32"),
        (lambda: ops.take_along_axis(X, [[0], [2]], 1), [[1.5], [-1.0]], "float32"),
        (lambda: ops.diag([1, 2]), [[1, 0], [0, 2]], "int32"),
        (lambda: ops.diagonal(X, 1), [-0.5, -1.0], "float32"),
        (lambda: ops.trace(X), 1.5, "float32"),
        (
            lambda: ops.outer([1.0, 2.0], X),
            [[1.5, -0.5, 3.0, 2.5, 0.0, -1.0], [3.0, -1.0, 6.0, 5.0, 0.0, -2.0]],
            "float32",
        ),
        (lambda: ops.inner(X, X), [[11.5, 0.75], [0.75, 7.25]], "float32"),
        (lambda: ops.vdot(X, X), 18.75, "float32"),
        (lambda: ops.tensordot(X, X), 18.75, "float32"),
        (lambda: ops.isclose(X, X * np.float32([1, 1 + 5e-6, 2])), [[True, True, False]] * 2, "bool"),
        (lambda: ops.tri(2, 3), [[1, 0, 0], [1, 1, 0]], "float32"),
        (lambda: ops.identity(2), [[1, 0], [0, 1]], "float32"),
        (lambda: ops.meshgrid([1.0, 2.0], [3, 4, 5])[0], [[1, 2]] * 3, "float32"),
        (lambda: ops.meshgrid([1.0, 2.0], [3, 4, 5], indexing="ij")[1], [[3, 4, 5]] * 2, "int32"),
        (lambda: ops.full_like(ops.array([1, 5]), 2), [2, 2], "int32"),
        (lambda: ops.array([1.0, 2]), [1, 2], "float32"),
        (lambda: ops.array(3), 3, "int32"),
        (lambda: ops.copy([1.0]), [1], "float32"),
        (lambda: ops.arctan2(INTS, 2), np.arctan2(INTS, 2), "float32"),
        (lambda: ops.arccos([0, 1]), [np.pi / 2, 0], "float32"),
        (lambda: ops.arcsin([0, 1]), [0, np.pi / 2], "float32"),
        (lambda: ops.arctan(X), np.arctan(X), "float32"),
        (lambda: ops.tan(INTS), np.tan(INTS), "float32"),
        (lambda: ops.hypot(INTS, 4), np.hypot(INTS, 4), "float32"),
        (lambda: ops.cumprod(X, 1), [[1.5, -0.75, -2.25], [2.5, 0, 0]], "float32"),
        (lambda: ops.moments(X, [0])[1], [0.25, 0.0625, 4.0], "float32"),
        (lambda: ops.normalize(X, axis=0, order=1), [[0.375, -1, 0.75], [0.625, 0, -0.25]], "float32"),
        (lambda: ops.normalize([[0.0, 0.0]]), [[0.0, 0.0]], "float32"),
        (
            lambda: ops.binary_crossentropy(TARGETS, SHARES / 3),
            [[0.068993, 1.79176, 0.105361], [0.405465, 0.0, 16.118095], [0.98704, 0.693147, 1.098612]],
            "float32",
        ),
        (
            lambda: ops.binary_crossentropy(np.int64(TARGETS[:2]), SHARES[:2], True),
            [[0.798139, 0.474077, 0.854355], [1.313262, 0.693147, 0.693147]],
            "float32",
        ),
        (lambda: ops.categorical_crossentropy(TARGETS, SHARES), [0.693147, 16.118095, 1.530135], "float32"),
        (lambda: ops.categorical_crossentropy(TARGETS, SHARES, True), [0.939831, 1.551445, 1.604131], "float32"),
        (lambda: ops.sparse_categorical_crossentropy(CLASSES, SHARES), [0.693147, 16.118095, 2.079442], "float32"),
        (
            lambda: ops.sparse_categorical_crossentropy(CLASSES[:, None], SHARES, True),
            [0.939831, 1.551445, 2.104131],
            "float32",
        ),
        (lambda: ops.vstack([X, X[0]]), [*X, X[0]], "float32"),
        (lambda: ops.hstack([X[0], X[1]]), [*X[0], *X[1]], "float32"),
        (lambda: ops.unstack(X, axis=-1)[2], [3, -1], "float32"),
        (lambda: ops.append(X, X[0]), [*X.ravel(), *X[0]], "float32"),
        (lambda: ops.ravel(X), X.ravel(), "float32"),
        (lambda: ops.select([X > 1, X < 0], [X, 2 * X]), [[1.5, -1, 3], [2.5, 0, -2]], "float32"),
    ],
)
def test_function_of_arrays_gives_what_keras_gave(found, expected, dtype):
    """Numbers and types of Keras 3.15, on JAX."""
    result = found()
    np.testing.assert_allclose(result, expected, rtol=2e-6, atol=1e-6)
    assert np.asarray(result).dtype == dtype
    assert np.shape(result) == np.shape(expected)


def test_facts_of_arrays():
    assert (ops.size(X), ops.dtype(X), ops.dtype(1.0), ops.dtype([1])) == (6, "float32", "float32", "int32")
    assert ops.dtype(pynn.Input((3,), dtype="float64")) == "float64"
    assert (ops.is_tensor(X), ops.is_tensor(pynn.Input((3,))), ops.is_tensor([1])) == (True, True, False)
    assert ops.allclose(X, X + 1e-9)
    assert not ops.allclose(X, X + 1)
    assert not np.shares_memory(ops.copy(X), X)
    x = pynn.Input((3,))
    assert ops.copy(x) is x


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda x: ops.unstack(X, 3), "num must be the length of axis 0, 2, or None, but got 3"),
        (lambda x: ops.unstack(x), "axis=0 is the axis of the samples"),
        (lambda x: ops.unstack(pynn.Input((None,)), axis=1), "needs to know the length of axis 1"),
        (lambda x: ops.hstack([x[:, 0], x[:, 0]]), "axis must be a whole number"),
        (lambda x: ops.cumsum(x), "cumsum of the symbolic tensor .* needs an axis"),
        (lambda x: ops.cumsum(pynn.Input((None, 2)), 1), "needs to know the length of axis 1"),
        (lambda x: ops.dot(x, x), "dot takes a weight or an array as its second argument"),
        (lambda x: ops.tensordot(x, X.T), "tensordot of a symbolic tensor sums over other axes"),
        (lambda x: ops.average(x, 1, [1.0, 2.0]), "weights of the symbolic tensor .* or a row as long as axis 1"),
        (lambda x: ops.all(x), "needs an axis"),
        (lambda x: ops.normalize(x, epsilon=-1), "epsilon must be"),
        (lambda x: ops.select([X], [X, X]), "choicelist must have an entry for each of the 1 conditions, but has 2"),
        (lambda x: ops.diff(x, -1), "n must be a whole number"),
        (lambda x: ops.binary_crossentropy(X, X[:1]), r"target must have the shape \(1, 3\), .* but has \(2, 3\)"),
        (lambda x: ops.sparse_categorical_crossentropy([0, 1, 1], X), r"target must have the shape \(2,\)"),
        (
            lambda x: ops.sparse_categorical_crossentropy([0, 3], X),
            r"must be in \[0, 3\), but found 3 at row 1 of target",
        ),
        (lambda x: ops.sparse_categorical_crossentropy([0, 0.5], X), "must be a whole number, but found 0.5"),
        (lambda x: ops.sparse_categorical_crossentropy(CLASSES, SHARES, axis=0), "axis must be that of the classes"),
    ],
)
def test_what_these_functions_refuse(use, message):
    with pytest.raises((TypeError, ValueError), match=message):
        use(pynn.Input((3,)))


@pytest.mark.parametrize("name", ["argmax", "cumprod", "ravel", "sort", "diag"])
def test_function_of_arrays_says_that_it_takes_no_tensor(name):
    with pytest.raises(TypeError, match=f"ops.{name} takes arrays.*x is a symbolic tensor"):
        getattr(ops, name)(pynn.Input((3,)))
    with pytest.raises(TypeError, match="x must be numbers"):
        getattr(ops, name)("text")
    with pytest.raises(ValueError, match="k must be a whole number up to"):
        ops.top_k(X, 4)


def test_metric_written_with_functions(random):
    """As programs for Keras have it; variables keep their type."""

    class TruePositives(pynn.metrics.Metric):
        def __init__(self, name="found", **settings):
            super().__init__(name=name, **settings)
            self.found = self.add_variable(shape=(), name="found", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=1), "int32"))
            values = ops.cast(right, "float32")
            if sample_weight is not None:
                values = ops.multiply(values, ops.cast(sample_weight, "float32"))
            self.found.assign_add(ops.sum(values))

        def result(self):
            return self.found

    x, labels = random.normal(size=(30, 4)), random.integers(0, 3, 30)
    model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(3, "softmax")])
    metric = TruePositives()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metric])
    found = model.evaluate(x, labels, batch_size=8, verbose=0)[1]
    assert found == (model.predict(x, verbose=0).argmax(1) == labels).sum() == float(metric.found)
    metric.found.assign(2**25 + 1)  # which float32 does not have
    assert ops.maximum(metric.found, 0) == ops.sum(metric.found) == 2**25 + 1


def test_names_in_rooms_are_those_of_keras():
    x = np.array([[-1.0, 2.0]])
    assert ops.nn.relu(x).tolist() == [[0.0, 2.0]]
    assert ops.nn.one_hot is ops.one_hot
    for name in ("mean", "zeros", "matmul"):
        assert getattr(ops.numpy, name) is getattr(ops, name)
    assert ops.linalg.norm is ops.norm
    y = pynn.Input((2,))
    assert pynn.Model(y, ops.nn.sigmoid(ops.numpy.sum(y, axis=1))).predict(x, verbose=0) == pytest.approx(0.7310586)
    with pytest.raises(AttributeError, match="nothing"):
        _ = ops.nn.nothing
