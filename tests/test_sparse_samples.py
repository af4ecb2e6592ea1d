"""Samples in SciPy's CSR matrices: the bits of dense ones, and never dense as a whole."""

import numpy as np
import pytest

import pynn
from pynn.data import sparse

scipy_sparse = pytest.importorskip("scipy.sparse")


@pytest.fixture
def few_at_once(monkeypatch):
    """Memory for 16 dense samples at a time; returns how many were made dense at once."""
    monkeypatch.setattr(sparse, "_ROOM", 16 * 12 * 8)
    seen = []
    dense = sparse.SparseColumn.dense

    def spy(self, rows=slice(None)):
        found = dense(self, rows)
        seen.append(len(found))
        return found

    monkeypatch.setattr(sparse.SparseColumn, "dense", spy)
    return seen


def make_model(optimizer="adam"):
    pynn.set_random_seed(3)
    model = pynn.Sequential(
        [
            pynn.Input((12,), dtype="float64"),
            pynn.layers.Dense(6, "relu", dtype="float64"),
            pynn.layers.Dropout(0.2, dtype="float64"),
            pynn.layers.Dense(3, "softmax", dtype="float64"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data(rows=103):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 12)) * (random.uniform(size=(rows, 12)) < 0.3)
    return x, random.integers(0, 3, rows)


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array", "csc_matrix", "coo_array"])
def test_sparse_samples_train_to_the_bits_of_dense_ones(kind, few_at_once):
    x, y = data()
    given = getattr(scipy_sparse, kind)(x)
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    models, histories = [make_model(), make_model()], []
    for model, samples in zip(models, (x, given), strict=True):
        histories.append(
            model.fit(samples, y, 8, 3, verbose=0, sample_weight=weights, validation_data=(samples, y)).history
        )
    for own, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(own, other)
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-13)
    np.testing.assert_array_equal(models[0].predict(x, verbose=0), models[1].predict(given, verbose=0))
    np.testing.assert_array_equal(models[0](x), models[1](given))
    values = [model.evaluate(each, y, 16, verbose=0) for model, each in zip(models, (x, given), strict=True)]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-13)
    assert max(few_at_once) <= 16


def test_sparse_samples_of_one_batch():
    x, y = data()
    models, given = [make_model("sgd"), make_model("sgd")], scipy_sparse.csr_array(x)
    own, other = (model.train_on_batch(each, y) for model, each in zip(models, (x, given), strict=True))
    assert own == other
    np.testing.assert_array_equal(models[0].gradients(x, y)[1][0], models[1].gradients(given, y)[1][0])
    assert models[0].test_on_batch(x, y) == models[1].test_on_batch(given, y)


def test_sparse_samples_with_metrics_in_python_and_parts_of_epochs(few_at_once):
    x, y = data()
    models = [make_model(), make_model()]
    for model in models:
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy", pynn.metrics.F1Score(average="macro")])
    histories = [
        model.fit(each, np.eye(3)[y], 8, 4, verbose=0, steps_per_epoch=5, validation_split=0.2).history
        for model, each in zip(models, (x, scipy_sparse.csr_array(x)), strict=True)
    ]
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-13)


def test_bad_sparse_samples_are_refused():
    x, y = data()
    model = make_model()
    model.fit(x, y, verbose=0)
    broken = x.copy()
    broken[40, 7] = np.inf
    for call in (
        lambda given: model.fit(given, y, verbose=0),
        lambda given: model.predict(given, verbose=0),
        lambda given: model(given),
    ):
        with pytest.raises(ValueError, match=r"x\[40, 7\], in row 40, is inf"):
            call(scipy_sparse.csr_array(broken))
        with pytest.raises(ValueError, match=r"\(samples, 12\), but has \(103, 5\)"):
            call(scipy_sparse.csr_array(x[:, :5]))
    with pytest.raises(TypeError, match="numbers"):
        model(scipy_sparse.csr_array(x.astype(complex)))
    narrow = pynn.Sequential([pynn.Input((12,)), pynn.layers.Dense(3)])
    broken[40, 7] = 1e300
    for check_finite in (True, False):
        with pytest.raises(ValueError, match=r"x holds 1e\+300 at row 40, too large for float32"):
            narrow.predict(scipy_sparse.csr_array(broken), verbose=0, check_finite=check_finite)
    with pytest.raises(ValueError, match="toarray"):
        model.fit(x, scipy_sparse.csr_array(np.eye(3)[y]), verbose=0)
