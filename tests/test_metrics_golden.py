"""The metrics in NumPy against Keras: results after each of several batches, to float32's rounding."""

import json
import pathlib

import numpy as np
import pytest
from metric_cases import BATCHES, CASES, data_of, training

import pynn
from pynn import metrics

GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden" / "keras_metrics.json").read_text())


def test_golden_file_is_of_these_cases():
    assert list(GOLDEN["results"]) == [str(case) for case in CASES]
    assert GOLDEN["versions"]["keras"].startswith("3.15")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_metric_equals_keras(case):
    metric = getattr(metrics, case.name)(**case.config)
    y, p, weights = data_of(case.data)
    for part, expected in zip(BATCHES, GOLDEN["results"][str(case)], strict=True):
        metric.update_state(y[part], p[part], weights[case.weights][part] if case.weights else None)
        found = metric.result()
        assert np.shape(found) == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=3e-6, atol=1e-6)


def test_training_logs_what_keras_logs():
    """Two outputs, metrics and weighted ones, validation, evaluation: names and values."""
    for found, expected in zip(training(pynn), GOLDEN["training"], strict=True):
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=2e-5, abs=1e-6), name
