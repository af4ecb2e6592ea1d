"""The metrics in NumPy by themselves: against slow references, over any batches, in the corners, and their state."""

import json

import numpy as np
import pytest
from metric_cases import BATCHES, CASES, data_of
from reference_metrics import area_of_pairs, area_of_thresholds, confusion, f_beta, precision_area, rate

import pynn
from pynn import metrics

CLASSES = {case.name: case for case in reversed(CASES)}


def drawn(random, rows=80, ties=False, weighted=True):
    """Targets, predictions and weights; no prediction is a threshold unless there are ties."""
    y = (random.random(rows) < 0.4).astype(float)
    p = np.clip(0.3 * y + 0.7 * random.random(rows), 0, 1)
    p = np.round(p, 1) if ties else p
    w = random.integers(0, 4, rows) / 2 if weighted else np.ones(rows)
    return y, p, w


# ---- against references ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_exact_area_is_the_share_of_pairs(random, ties, weighted):
    y, p, w = drawn(random, ties=ties, weighted=weighted)
    metric = metrics.AUC(num_thresholds=None)
    for part in (slice(0, 11), slice(11, 12), slice(12, None)):
        metric.update_state(y[part], p[part], w[part] if weighted else None)
    assert metric.result() == pytest.approx(area_of_pairs(y, p, w), rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_exact_area_of_precision(random, ties):
    y, p, w = drawn(random, ties=ties)
    found = metrics.AUC(None, curve="PR")(y, p, w)
    assert found == pytest.approx(precision_area(y, p, w, parts=4000), rel=1e-6)


def test_exact_area_lies_between_the_lower_and_the_upper_sum(random):
    y, p, w = drawn(random, ties=True)
    for curve in ("ROC", "PR"):
        low, exact, high = (metrics.AUC(None, curve, m)(y, p, w) for m in ("minoring", "interpolation", "majoring"))
        assert low < exact < high


def test_exact_area_keeps_float64():
    """Predictions that float32 cannot tell apart are in order."""
    p = np.array([0.5, 0.5 + 1e-12])
    assert metrics.AUC(None)([0, 1], p) == 1.0
    assert metrics.AUC(None)([0, 1], p.astype(np.float32)) == 0.5
    assert metrics.AUC(None, dtype="float32")([0, 1], p) == 0.5


def test_exact_area_of_labels(random):
    y, p = (random.random((50, 3)) < 0.5) * 1.0, random.random((50, 3))
    weights = [1.0, 0.5, 3.0]
    each = [area_of_pairs(y[:, i], p[:, i], np.ones(50)) for i in range(3)]
    assert metrics.AUC(None, multi_label=True)(y, p) == pytest.approx(np.mean(each))
    found = metrics.AUC(None, multi_label=True, label_weights=weights)(y, p)
    assert found == pytest.approx(np.average(each, weights=weights))


@pytest.mark.parametrize("thresholds", [2, 3, 17, 200])
def test_area_of_thresholds(random, thresholds):
    y, p, w = drawn(random)
    between = [(i + 1) / (thresholds - 1) for i in range(thresholds - 2)]
    expected = area_of_thresholds(y, p, w, [-1e-7, *between, 1 + 1e-7])
    assert metrics.AUC(thresholds)(y, p, w) == pytest.approx(expected, rel=1e-12)
    if between:
        assert metrics.AUC(thresholds=between[::-1])(y, p, w) == pytest.approx(expected, rel=1e-12)


def test_area_converges_to_the_exact_one(random):
    y, p, _ = drawn(random, 300)
    assert metrics.AUC(100_000)(y, p) == pytest.approx(metrics.AUC(None)(y, p), abs=1e-9)
    assert metrics.AUC(100_000, "PR")(y, p) == pytest.approx(metrics.AUC(None, "PR")(y, p), abs=1e-9)


@pytest.mark.parametrize("name", ["precision", "recall"])
def test_rate(random, name):
    y, p, w = drawn(random)
    thresholds = [0.81, 0.2, 0.5]
    found = getattr(metrics, name.title())(thresholds)(y, p, w)
    assert found.tolist() == pytest.approx([rate(name, y, p, w, t) for t in thresholds], rel=1e-12)


@pytest.mark.parametrize(
    ("demanded", "other"),
    [("specificity", "sensitivity"), ("sensitivity", "specificity"), ("recall", "precision"), ("precision", "recall")],
)
@pytest.mark.parametrize("value", [0.1, 0.5, 0.95])
def test_best_rate(random, demanded, other, value):
    y, p, w = drawn(random)
    thresholds = [i / 40 for i in range(41)]
    enough = [t for t in thresholds if rate(demanded, y, p, w, t) >= value]
    expected = max((rate(other, y, p, w, t) for t in enough), default=0.0)
    metric = getattr(metrics, f"{other.title()}At{demanded.title()}")(value, num_thresholds=41)
    assert metric(y, p, w) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_f_score(random, threshold):
    y, p, w = np.eye(3)[random.integers(0, 3, 50)], random.random((50, 3)), random.random(50)
    found = metrics.FBetaScore(beta=0.7, threshold=threshold)(y, p, w)
    np.testing.assert_allclose(found, f_beta(y, p, w, 0.7, threshold), rtol=1e-6)


def test_confusion_matrix(random):
    y, p, w = random.integers(-1, 4, (30, 2)), random.integers(-1, 4, (30, 2)), random.random((30, 2))
    matrix = metrics.ConfusionMatrix(3)(y, p, w)
    np.testing.assert_allclose(matrix, confusion(y, p, w, 3))
    hits = metrics.ConfusionMatrix(3, sparse_y_pred=False)(y[:, 0], np.eye(3)[np.clip(p[:, 0], 0, 2)])
    np.testing.assert_array_equal(hits, confusion(y[:, 0], np.clip(p[:, 0], 0, 2), np.ones(30), 3))
    overlap = [matrix[c, c] / (matrix[c].sum() + matrix[:, c].sum() - matrix[c, c]) for c in range(3)]
    assert metrics.MeanIoU(3)(y, p, w) == pytest.approx(np.mean(overlap), rel=1e-6)


def test_r2_score(random):
    y, p, w = random.normal(size=(40, 3)), random.normal(size=(40, 3)), random.random(40)
    mean = np.average(y, 0, w)
    expected = 1 - (w[:, None] * (y - p) ** 2).sum(0) / (w[:, None] * (y - mean) ** 2).sum(0)
    np.testing.assert_allclose(metrics.R2Score(None)(y, p, w), expected, rtol=1e-9)


def test_correlations(random):
    y, p = random.normal(size=(9, 5)), random.normal(size=(9, 5))
    each = [np.corrcoef(a, b)[0, 1] for a, b in zip(y, p, strict=True)]
    assert metrics.PearsonCorrelation()(y, p) == pytest.approx(np.mean(each), rel=1e-12)
    lin = [
        2 * np.cov(a, b, ddof=0)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
        for a, b in zip(y, p, strict=True)
    ]
    assert metrics.ConcordanceCorrelation()(y, p) == pytest.approx(np.mean(lin), rel=1e-6)


def test_means_and_sums():
    """As in Keras's documentation, and with weights of samples and of elements."""
    mean, total = metrics.Mean(), metrics.Sum()
    mean.update_state([1, 3, 5, 7])
    total.update_state([1, 3, 5, 7])
    assert (mean.result(), total.result()) == (4.0, 16.0)
    mean.update_state(10)
    assert mean.result() == pytest.approx(26 / 5)
    mean.reset_state()
    mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    assert mean.result() == 2.0
    assert metrics.Mean()([[1, 2], [3, 6]], [1, 3]) == pytest.approx((1.5 + 3 * 4.5) / 4)
    assert metrics.Mean()([[1, 2], [3, 6]], [[1, 0], [1, 1]]) == pytest.approx((0.5 + 4.5) / 1.5)
    assert metrics.Sum()([[1, 2], [3, 6]], [[1, 0], [1, 1]]) == 10.0


# ---- any batches, state, configuration -------------------------------------------------------------------------------
@pytest.mark.parametrize("case", CLASSES.values(), ids=str)
def test_state_goes_on(case):
    """A metric that takes over the state of another goes on with the same bits; what it was given stays its own."""
    y, p, weights = data_of(case.data)
    one = getattr(metrics, case.name)(**case.config)
    for part in BATCHES:
        other = type(one).from_config(json.loads(json.dumps(one.get_config())))
        state = one.get_state()
        other.set_state(state)
        for name, value in state.items():
            assert isinstance(value, np.ndarray)
            np.testing.assert_array_equal(other.get_state()[name], value)
        for metric in (one, other):
            metric.update_state(y[part], p[part], weights[case.weights][part] if case.weights else None)
        np.testing.assert_array_equal(one.result(), other.result())
    fresh = one.fresh()
    before = one.result()
    fresh.update_state(y[:7], p[:7])
    np.testing.assert_array_equal(one.result(), before)
    one.reset_state()
    one.update_state(y[:7], p[:7])
    np.testing.assert_array_equal(one.result(), fresh.result())


@pytest.mark.parametrize("config", [{}, {"multi_label": True}, {"multi_label": True, "num_thresholds": None}])
def test_state_of_an_area(random, config):
    y, p, w = (random.random((20, 3)) < 0.5) * 1.0, random.random((20, 3)), random.random(20)
    one, other = metrics.AUC(**config), metrics.AUC(**config)
    other.set_state(one.get_state())
    assert other.result() == one.result() == 0.0
    one.update_state(y, p)
    other.set_state(one.get_state())
    for metric in (one, other):
        metric.update_state(y, 1 - p, w)
    assert one.result() == other.result() != 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_additive_metric_may_take_batches_together(case):
    y, p, weights = data_of(case.data)
    one, other = (getattr(metrics, case.name)(**case.config) for _ in range(2))
    w = weights[case.weights] if case.weights else None
    for part in BATCHES:
        one.update_state(y[part], p[part], None if w is None else w[part])
    other.update_state(y, p, w)
    if one.additive and w is None:
        np.testing.assert_array_equal(one.result(), other.result())
    elif case.config.get("axis") == 0:  # each batch has a value of its own
        assert one.result() != pytest.approx(other.result(), rel=1e-3)
    else:
        np.testing.assert_allclose(one.result(), other.result(), rtol=1e-12)


# ---- corners ---------------------------------------------------------------------------------------------------------
AREAS = [(number, curve) for number in (None, 200) for curve in ("ROC", "PR", "PRGAIN")]


@pytest.mark.parametrize(("number", "curve"), AREAS)
def test_area_in_the_corners(number, curve):
    def area(y, p, w=None):
        return metrics.AUC(number, curve)(y, p, w)

    assert metrics.AUC(number, curve).result() == 0.0
    assert area(np.zeros(0), np.zeros(0)) == 0.0
    assert area([1, 0, 1], [0.2, 0.9, 0.4], [0, 0, 0]) == 0.0
    if curve == "ROC":
        assert area([0, 0], [0.2, 0.9]) == area([1, 1], [0.2, 0.9]) == 0.0
        assert area([0, 1, 1, 0], [0.5, 0.5, 0.5, 0.5]) == 0.5
        assert area([0, 0, 1, 1], [0.1, 0.2, 0.6, 1.0]) == 1.0
        assert area([0, 0, 1, 1], [0.6, 1.0, 0.0, 0.2]) == 0.0
        assert area([0, 1, 1], [0.9, 0.2, 0.95], [0, 1, 1]) == 0.0
        # NaN is below all thresholds
        assert area([0, 1], [np.nan, 0.5]) == 1.0
    elif curve == "PR":
        assert area([0, 0], [0.2, 0.9]) == 0.0
        assert area([1, 1], [0.2, 0.9]) == 1.0
        assert area([0, 0, 1, 1], [0.1, 0.2, 0.6, 1.0]) == 1.0


@pytest.mark.parametrize("name", ["Precision", "Recall"])
def test_rate_in_the_corners(name):
    metric = getattr(metrics, name)
    assert metric().result() == 0.0
    assert metric()([0, 0], [0.2, 0.3]) == 0.0
    assert metric()([1, 1], [0.9, 0.9], [0, 0]) == 0.0
    assert metric()([], []) == 0.0
    assert metric()([1, 0], [0.5, 0.5]) == 0.0  # not above 0.5
    assert metric()([1, 0], [np.nan, np.nan]) == 0.0


def test_metrics_before_the_first_batch():
    for case in CLASSES.values():
        metric = getattr(metrics, case.name)(**case.config)
        assert not np.any(metric.result()), case
        metric.set_state(metric.get_state())


def test_r2_score_of_equal_targets_is_that_of_keras():
    assert metrics.R2Score()([[1.0], [1.0]], [[1.0], [2.0]]) == 0.0
    assert np.isnan(metrics.R2Score()([[1.0], [1.0]], [[1.0], [1.0]]))
    with pytest.warns(UserWarning, match="num_regressors=5 is too many for 2 elements"):
        metrics.R2Score(num_regressors=5)([[1.0], [2.0]], [[1.0], [1.5]])


def test_top_k_takes_the_first_of_equal_ones():
    metric = metrics.Precision(top_k=2)
    assert metric([[0, 0, 1, 1]], [[1.0, 1, 1, 1]]) == 0.0
    metric.reset_state()
    assert metric([[1, 0, 1, 1]], [[1.0, 1, 1, 1]]) == 0.5


# ---- one's own -------------------------------------------------------------------------------------------------------
class Range(metrics.Metric):
    """A metric of one's own."""

    def __init__(self, name="range", dtype=None):
        super().__init__(name, dtype)
        self.low, self.high = np.inf, -np.inf

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.low, self.high = min(self.low, np.min(y_pred)), max(self.high, np.max(y_pred))

    def result(self):
        return self.high - self.low

    def reset_state(self):
        self.low, self.high = np.inf, -np.inf


def test_metric_of_ones_own(random):
    p = random.random(20)
    metric = Range()
    assert metric(p, p) == np.ptp(p)
    assert set(metric.get_state()) == {"low", "high"}
    twin = Range.from_config(metric.get_config())
    twin.set_state(metric.get_state())
    assert twin.result() == metric.result()
    assert metrics.get(Range).name == "range"
    fresh = metric.fresh()
    assert (fresh.low, metric.low) == (np.inf, p.min())


def test_function_as_a_metric(random):
    y, p = random.random((8, 3)), random.random((8, 3))

    def largest_error(y_true, y_pred):
        return np.abs(y_true - y_pred).max(-1)

    metric = metrics.get(largest_error)
    assert metric.name == "largest_error"
    assert metric(y, p, np.arange(8)) == pytest.approx(np.average(largest_error(y, p), weights=np.arange(8)))
    assert metrics.get(lambda y, p: 1.0).name == "lambda"
    doubled = metrics.MeanMetricWrapper(lambda y, p, times: times * p, name="doubled", times=2)
    assert doubled(y, p) == pytest.approx(2 * p.mean())
    named = metrics.MeanMetricWrapper("mean_squared_error")
    assert named(y, p) == pytest.approx(((y - p) ** 2).mean())
    assert metrics.MeanMetricWrapper.from_config(named.get_config())(y, p) == named.result()


def test_subclass_of_a_metric_that_python_computes(random):
    class Percent(metrics.Precision):
        def result(self):
            return 100 * super().result()

    y, p, _ = drawn(random)
    assert Percent()(y, p) == pytest.approx(100 * metrics.Precision()(y, p))


# ---- bad arguments ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.AUC()([0, 0.5], [0.1, 0.2]), "auc takes targets of 0 and 1, but y_true has 0.5 in row 1"),
        (lambda: metrics.Precision()([-1, 1], [0.1, 0.2]), "precision takes targets of 0 and 1"),
        (lambda: metrics.AUC()([0, 1], [0.1, 0.2, 0.3]), r"one shape.*\(2,\) and \(3,\)"),
        (lambda: metrics.AUC()([0, 1], [0.1, 0.2], [1, 2, 3]), r"sample_weight.*\(3,\)"),
        (lambda: metrics.AUC()([0, 1], [0.1, 0.2], [1, -1]), "sample_weight must be finite and not negative"),
        (lambda: metrics.AUC()(1, 0.5), "one shape"),
        (lambda: metrics.AUC(1), "num_thresholds must be at least 2"),
        (lambda: metrics.AUC(curve="roc curve"), "curve must be one of 'ROC', 'PR', 'PRGAIN'"),
        (lambda: metrics.AUC(summation_method="simpson"), "summation_method"),
        (lambda: metrics.AUC(thresholds=[0.5, 1.5]), r"every value of thresholds must be a number in \[0, 1\]"),
        (lambda: metrics.AUC(num_labels=3), "num_labels is for multi_label=True"),
        (lambda: metrics.AUC(multi_label=True)([0, 1], [0.1, 0.2]), "multi_label=True takes a batch"),
        (lambda: metrics.AUC(multi_label=True, num_labels=3)([[0, 1]], [[0.1, 0.2]]), "of 3 labels, but y_pred has 2"),
        (lambda: metrics.AUC(label_weights=[1, 2])([[0, 1, 1]], [[0.1, 0.2, 0.3]]), "for each of 3 labels, but has 2"),
        (lambda: metrics.AUC(label_weights=[1, -2]), "label_weights must be a list of numbers of at least 0"),
        (lambda: metrics.Precision(top_k=3)([[0, 1]], [[0.1, 0.2]]), "top_k=3.*needs 3 or more classes"),
        (lambda: metrics.Recall(class_id=2)([[0, 1]], [[0.1, 0.2]]), "class_id=2.*needs 3 or more classes"),
        (lambda: metrics.Recall(class_id=0)([0, 1], [0.1, 0.2]), r"must be \(samples, classes\) for class_id"),
        (lambda: metrics.Recall(thresholds=[]), "thresholds must have at least one value"),
        (lambda: metrics.SensitivityAtSpecificity(1.5), "specificity must be a number in"),
        (lambda: metrics.F1Score()([0, 1], [0.1, 0.2]), r"F1Score takes y_true and y_pred of the shape"),
        (lambda: metrics.F1Score(average="mean"), "average must be one of"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta must be a number in"),
        (lambda: metrics.R2Score()([1.0, 2.0], [1.0, 2.0]), "R2Score takes batches"),
        (lambda: metrics.MeanIoU(2)([0, 1], [0.2, 0.8]), "y_pred must be class labels.*sparse_y_pred=False"),
        (lambda: metrics.MeanIoU(2)([0, 1], [[0.2, 0.8], [1, 2]]), "y_pred"),
        (
            lambda: metrics.MeanIoU(2)([[0, 1, 1], [1, 0, 0]], [[0, 1], [1, 1], [0, 0]]),
            r"one shape.*\(2, 3\) and \(3, 2\)",
        ),
        (lambda: metrics.MeanIoU(2)([[0, 1], [1, 0]], [0, 1, 1, 0]), r"one shape.*\(2, 2\) and \(4,\)"),
        (lambda: metrics.OneHotMeanIoU(3)([[0, 1]], [[0.2, 0.8]]), "y_true must have 3 classes"),
        (lambda: metrics.IoU(2, [2]), "target_class_ids must be a whole number from 0 to 1"),
        (lambda: metrics.IoU(2, 1), "target_class_ids must be a list"),
        (lambda: metrics.Mean()("a"), "values must be"),
        (lambda: metrics.Mean()([1, 2], [1, 2, 3]), "sample_weight must fit the values"),
        (lambda: metrics.MeanMetricWrapper("no_such"), "Unknown function 'no_such'"),
        (lambda: metrics.MeanMetricWrapper(3), "fn must be a function"),
        (lambda: metrics.get(lambda y, p: "a")([1], [2]), "What the metric lambda returns must be an array of numbers"),
        (lambda: metrics.Precision().set_state({"total": 1}), "The state of Precision is true_positives"),
        (lambda: metrics.Precision().set_state({"true_positives": [1, 2]}), "The state of Precision is"),
        (lambda: metrics.AUC(None).set_state({"y_true": [[1]], "y_pred": [[1], [2]]}), "The state of AUC is"),
        (lambda: pynn.ops.metric_forward(np.ones((2, 1)), np.ones((2, 1)), "auc"), "auc has no value for each row"),
    ],
)
def test_metric_says_what_is_wrong(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_refused_batch_changes_nothing():
    for case in CLASSES.values():
        metric = getattr(metrics, case.name)(**case.config)
        targets, predictions, _ = data_of(case.data)
        before = metric(targets, predictions)
        for bad in (([[1, 0, 1]], [[1.0, 0.0]]), (targets[:3], predictions[:2]), (targets, predictions, [1, 2, 3])):
            with pytest.raises((ValueError, TypeError)):
                metric.update_state(*bad)
        np.testing.assert_array_equal(metric.result(), before)


def test_init_of_ones_own_calls_that_of_metric():
    class Forgets(Range):
        def __init__(self):
            self.low = 0

    with pytest.raises(TypeError, match=r"Forgets.__init__ must call super\(\).__init__"):
        Forgets()


# ---- rows along another axis, ids, and weights of elements -----------------------------------------------------------
def test_similarity_along_another_axis(random):
    y, p, w = random.random((4, 3)), random.random((4, 3)), random.random(3)
    metric = metrics.CosineSimilarity(axis=0)
    cosines = (y * p).sum(0) / np.sqrt((y**2).sum(0) * (p**2).sum(0))
    assert metric(y, p, w) == pytest.approx((cosines * w).sum() / w.sum())
    assert metrics.CosineSimilarity.from_config(metric.get_config()).axis == 0


def test_crossentropies_have_the_arguments_of_their_losses(random):
    p = np.moveaxis(random.dirichlet([1, 1, 1], (2, 5)), -1, 1)
    labels = random.integers(0, 3, (2, 5))
    rows = -np.log(np.take_along_axis(p, labels[:, None], 1))[:, 0]
    one_hot = np.moveaxis(np.eye(3)[labels], -1, 1)
    metric = metrics.CategoricalCrossentropy(axis=1)
    assert metric(one_hot, p) == pytest.approx(rows.mean())
    sparse = metrics.SparseCategoricalCrossentropy(None, None, False, 2, 1)
    assert sparse(labels, p) == pytest.approx(rows[labels != 2].mean())
    weights = random.random((2, 5))
    sparse.reset_state()
    assert sparse(labels, p, weights) == pytest.approx(np.average(rows, weights=weights * (labels != 2)))
    for each in (metric, sparse, metrics.BinaryCrossentropy(label_smoothing=0.1)):
        twin = type(each).from_config(each.get_config())
        assert (twin.get_config(), twin.axis, twin.a) == (each.get_config(), each.axis, each.a)
    own = {"from_logits": False, "label_smoothing": 0.0, "axis": 1, "ignore_class": 2}
    assert sparse.get_config() == {"name": "sparse_categorical_crossentropy", "dtype": None, **own}


def test_top_k_of_sorted_ids():
    metric = metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)
    far = 2**24
    assert metric([far, 7, 1], [[far + 1, 3, far], [4, 7, 8], [1, 2, 3]]) == pytest.approx(2 / 3)
    metric.reset_state()
    assert metric([[far], [7]], [[far + 1], [7]], [1, 3]) == 0.75
    assert metrics.SparseTopKCategoricalAccuracy.from_config(metric.get_config()).from_sorted_ids
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(3)])
    with pytest.raises(ValueError, match="from_sorted_ids=True, which is for direct calls"):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metric])


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3), (6, 2, 3)])
@pytest.mark.parametrize("name", ["BinaryAccuracy", "RootMeanSquaredError"])
def test_weights_of_elements(random, name, shape):
    y, p, w = random.integers(0, 2, shape).astype(float), random.random(shape), random.random(shape)
    metric = getattr(metrics, name)()
    right = (p > 0.5) == y if name == "BinaryAccuracy" else (p - y) ** 2
    expected = np.average(right, weights=w)
    for part in (slice(4), slice(4, 6)):
        metric.update_state(y[part], p[part], w[part])
    assert metric.result() == pytest.approx(expected if name == "BinaryAccuracy" else np.sqrt(expected))
    metric.reset_state()
    for part in (slice(4), slice(4, 6)):  # each element counts once, also where a batch has one axis
        metric.update_state(y[part].tolist(), p[part].tolist())
    assert metric.result() == pytest.approx(right.mean() if name == "BinaryAccuracy" else np.sqrt(right.mean()))


# ---- functions -------------------------------------------------------------------------------------------------------
def test_functions_give_what_their_metrics_take_the_mean_of(random):
    p, one_hot = random.random((6, 4)), np.eye(4)[random.integers(0, 4, 6)]
    labels = one_hot.argmax(1)
    functions = {
        "categorical_accuracy": (one_hot, {}),
        "sparse_categorical_accuracy": (labels, {}),
        "top_k_categorical_accuracy": (one_hot, {"k": 2}),
        "sparse_top_k_categorical_accuracy": (labels, {"k": 2}),
        "mean_absolute_error": (one_hot, {}),
        "binary_crossentropy": (one_hot, {"label_smoothing": 0.1}),
        "pearson_correlation": (one_hot, {}),
        "concordance_correlation": (one_hot, {}),
    }
    for name, (y, config) in functions.items():
        function = getattr(metrics, name)
        values = function(y, p, **config)
        assert values.shape == (6,)
        metric = getattr(metrics, "".join(map(str.capitalize, name.split("_"))))(**config)
        assert metric(y, p) == pytest.approx(values.mean())
        assert metrics.get(function)(y, p) == pytest.approx(function(y, p).mean())
        assert metrics.get(function).name == name
        assert type(metrics.get(name)) is type(metric)
    right = metrics.binary_accuracy(one_hot, p, threshold=0.3)
    np.testing.assert_array_equal(right, (p > 0.3) == one_hot)
    np.testing.assert_array_equal(metrics.binary_accuracy([1, 0, 1], [[0.2], [0.3], [0.6]]), [[0], [1], [1]])
    far = 2**24
    ids = metrics.sparse_top_k_categorical_accuracy([far, 7], [[far + 1, 3], [4, 7]], k=2, from_sorted_ids=True)
    np.testing.assert_array_equal(ids, [0, 1])
    assert isinstance(metrics.get(metrics.binary_accuracy), metrics.BinaryAccuracy)  # which the engine measures


ROOMS = ["activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers"]


@pytest.mark.parametrize("room", ROOMS)
def test_configurations_are_read(room):
    module = getattr(pynn, room)
    names = {"activations": "leaky_relu", "constraints": "MaxNorm", "initializers": "HeNormal", "losses": "Huber"}
    made = module.get(
        names.get(room, {"metrics": "MeanSquaredError", "optimizers": "Adam", "regularizers": "L2"}.get(room))
    )
    for custom in (None, {"Mine": Range}):
        twin = module.deserialize(module.serialize(made), custom)
        assert module.serialize(twin) == module.serialize(made)
    with pytest.raises(TypeError, match="custom_objects must be a dict"):
        module.deserialize(module.serialize(made), ["Mine"])
    with pytest.raises(ValueError, match="Unknown"):
        module.deserialize({"class_name": "Nothing", "config": {}})


def test_configuration_of_a_metric_of_ones_own():
    config = metrics.serialize(Range("mine"))
    twin = metrics.deserialize(config, custom_objects={"Range": Range})
    assert (type(twin), twin.name) == (Range, "mine")
    with pytest.raises(ValueError, match="Unknown metric 'Range'"):
        metrics.deserialize(config)
