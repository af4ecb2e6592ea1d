"""Metric kernels against the reference."""

import numpy as np
import pytest
from helpers import SIZES, THREADS, looped
from loss_cases import LOSS_CASES, LossCase, as_loss, make_case
from reference_losses import metric_rows

import pynn
from pynn import metrics, ops

CASES = [
    (LossCase("binary_accuracy", "binary", "fractions", (0.5,)), metrics.BinaryAccuracy(threshold=0.5)),
    (LossCase("binary_accuracy", "binary", "fractions", (0.2,)), metrics.BinaryAccuracy(threshold=0.2)),
    (LossCase("categorical_accuracy", "one_hot", "real"), metrics.CategoricalAccuracy()),
    (LossCase("categorical_accuracy", "fractions", "real"), metrics.CategoricalAccuracy()),
    (LossCase("sparse_categorical_accuracy", "labels", "real"), metrics.SparseCategoricalAccuracy()),
    *(
        (LossCase("top_k_categorical_accuracy", "one_hot", "real", (k,)), metrics.TopKCategoricalAccuracy(k=k))
        for k in (1, 2, 5, 200)
    ),
    *(
        (
            LossCase("sparse_top_k_categorical_accuracy", "labels", "real", (k,)),
            metrics.SparseTopKCategoricalAccuracy(k=k),
        )
        for k in (1, 2, 5, 200)
    ),
]
every_case = pytest.mark.parametrize(("case", "metric"), CASES, ids=[str(case) for case, _ in CASES])


def cast(array, dtype):
    return array if array.dtype == np.int32 else array.astype(dtype)


@every_case
@looped("columns", SIZES)
@looped("dtype", [np.float32, np.float64])
def test_metric_value(case, metric, columns, dtype):
    y_true, y_pred = (cast(array, dtype) for array in make_case(case, rows=40, columns=columns))
    values = ops.metric_forward(y_true, y_pred, metric)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, metric_rows(case.name, y_true, y_pred, *case.settings), rtol=1e-15)


@every_case
def test_metric_threads(case, metric):
    y_true, y_pred = make_case(case, rows=101, columns=33)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        seen.add(ops.metric_forward(y_true, y_pred, metric).tobytes())
    assert len(seen) == 1


@every_case
@looped("dtype", [np.float32, np.float64])
def test_metric_of_ties(case, metric, dtype):
    """Many equal scores: the first maximum counts, and fewer than k larger scores are a hit."""
    y_true, y_pred = (cast(array, dtype) for array in make_case(case, rows=60, columns=7))
    y_pred = np.round(y_pred)
    expected = metric_rows(case.name, y_true, y_pred, *case.settings)
    np.testing.assert_allclose(ops.metric_forward(y_true, y_pred, metric), expected, rtol=1e-15)


# Metrics are computed from the output, so never from logits; mean_value has no name that users know
UNNAMED = ("logits", "mean_value")
LOSSES = [
    case
    for case in LOSS_CASES
    if case.settings in ((), (0.0,), (1.0,)) and not any(each in case.name for each in UNNAMED)
]


@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_metric_of_a_loss_name_is_the_loss(case):
    y_true, y_pred = make_case(case, rows=9, columns=5)
    values = ops.loss_forward(y_true, y_pred, as_loss(case))
    np.testing.assert_array_equal(ops.metric_forward(y_true, y_pred, case.name), values)


def test_metric_bad_argument_names_it():
    y, p = np.ones((4, 3)), np.ones((4, 3))
    for arguments, message in (
        ((y[:3], p, "categorical_accuracy"), "y_true"),
        ((y, p, "sparse_categorical_accuracy"), "y_true.*int32"),
        ((np.full(4, 3, np.int32), p, "sparse_categorical_accuracy"), r"\[0, 3\)"),
        ((y, p[:, ::-1], "categorical_accuracy"), "y_pred.*contiguous"),
        ((y, p, "acuracy"), "accuracy"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            ops.metric_forward(*arguments)
