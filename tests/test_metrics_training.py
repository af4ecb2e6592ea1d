"""Metrics in NumPy where a model measures them: in fit, evaluate and single batches, with weights, for any outputs."""

import itertools

import numpy as np
import pytest
from helpers import make_data, make_model

import pynn
from pynn import metrics
from pynn.training import measuring

ROWS = 137


@pytest.fixture
def few_at_once(monkeypatch):
    """The engine hands over a few batches at once."""
    monkeypatch.setattr(measuring, "_ROOM", 500)


def binary_data(random, rows=ROWS, columns=5):
    x = random.normal(size=(rows, columns))
    return x, (x.sum(1) + random.normal(size=rows) > 0).astype(float)


def binary_model(metric_list, weighted=(), rate=0.3, **options):
    pynn.set_random_seed(3)
    layers = [pynn.layers.Dense(7, "tanh", dtype="float64"), pynn.layers.Dense(1, "sigmoid", dtype="float64")]
    model = pynn.Sequential([pynn.Input((5,)), *layers])
    loss = options.pop("loss", "binary_crossentropy")
    model.compile(pynn.optimizers.SGD(rate), loss, metrics=list(metric_list), weighted_metrics=list(weighted))
    return model


class Seen(metrics.Metric):
    """Keeps all that it is shown."""

    def __init__(self, name="seen", dtype=None):
        super().__init__(name, dtype)
        self.batches = []

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.batches.append((y_true, y_pred, sample_weight))

    def result(self):
        return float(len(self.batches))

    def reset_state(self):
        self.batches = []

    def all(self, number):
        return np.concatenate([batch[number] for batch in self.batches])


# ---- what is shown ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize(("batch_size", "rows"), [(10, 137), (1, 23), (137, 137), (700, 1900)])
def test_outputs_belong_to_their_rows(random, monkeypatch, threads, batch_size, rows):
    """A network that returns its inputs is shown targets that are equal, in the order in which samples are visited."""
    monkeypatch.setattr(measuring, "_ROOM", 2000)
    x = random.normal(size=(rows, 3))
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(3, dtype="float64")])
    model.set_weights([np.eye(3), np.zeros(3)])
    seen, weighted = Seen(), Seen("weighted")
    model.compile(pynn.optimizers.SGD(0.0), "mse", metrics=[seen], weighted_metrics=[weighted])
    weights, sizes = np.abs(x[:, 0]), [batch_size] * (rows // batch_size) + [rows % batch_size] * (rows % batch_size > 0)
    pynn.config.set_num_threads(threads)
    orders = [x]
    for epochs in (1, 2):
        model.fit(x, x, batch_size=batch_size, epochs=epochs, sample_weight=weights, verbose=0)
        orders.append(seen.all(0))
        np.testing.assert_array_equal(seen.all(0), seen.all(1))
        np.testing.assert_array_equal(weighted.all(2), np.abs(weighted.all(1)[:, 0]))
        np.testing.assert_array_equal(np.sort(orders[-1], 0), np.sort(x, 0))
        assert [len(batch[1]) for batch in seen.batches] == sizes
        assert seen.batches[0][2] is None
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(orders, 2))
    model.evaluate(x, x, batch_size=batch_size, sample_weight=weights, verbose=0)
    np.testing.assert_array_equal(seen.all(0), x)
    np.testing.assert_array_equal(seen.all(1), x)
    np.testing.assert_array_equal(weighted.all(2), weights)
    assert [len(batch[1]) for batch in seen.batches] == sizes
