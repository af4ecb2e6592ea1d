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


@pytest.mark.parametrize("name", ["argmax", "cumsum", "all", "sort", "count_nonzero"])
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
