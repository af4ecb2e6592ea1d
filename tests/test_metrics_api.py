"""Metrics as users meet them: names, resolution of "accuracy", states, and the native pass of fit and evaluate."""

import json

import numpy as np
import pytest
from helpers import make_data, make_model
from loss_cases import LossCase, make_case
from reference_losses import loss_rows, metric_rows

import pynn
from pynn import metrics

# class, settings, native name, (targets, predictions)
CLASSES = [
    ("BinaryAccuracy", {"threshold": 0.5}, "binary_accuracy", ("binary", "fractions")),
    ("BinaryAccuracy", {"threshold": 0.3}, "binary_accuracy", ("binary", "fractions")),
    ("CategoricalAccuracy", {}, "categorical_accuracy", ("one_hot", "fractions")),
    ("SparseCategoricalAccuracy", {}, "sparse_categorical_accuracy", ("labels", "fractions")),
    ("TopKCategoricalAccuracy", {"k": 2}, "top_k_categorical_accuracy", ("one_hot", "fractions")),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "sparse_top_k_categorical_accuracy", ("labels", "fractions")),
    ("MeanSquaredError", {}, "mean_squared_error", ("real", "real")),
    ("MeanAbsoluteError", {}, "mean_absolute_error", ("real", "real")),
    ("RootMeanSquaredError", {}, "mean_squared_error", ("real", "real")),
]
every_class = pytest.mark.parametrize(("name", "config", "native", "kinds"), CLASSES)


def reference(name, native, y_true, y_pred, settings):
    """The metric of all rows together."""
    rows = (
        loss_rows(native, y_true, y_pred)[0]
        if native.endswith("error")
        else metric_rows(native, y_true, y_pred, *settings)
    )
    return np.sqrt(rows.mean()) if name.startswith("Root") else rows.mean()


@every_class
def test_metric_value(name, config, native, kinds):
    y_true, y_pred = make_case(LossCase(native, *kinds), rows=40, columns=6)
    metric = getattr(metrics, name)(**config)
    expected = reference(name, native, y_true, y_pred, config.values())
    assert 0 < expected < 10
    assert metric(y_true, y_pred) == pytest.approx(expected, rel=1e-12)
    assert metric.native_name == native


@every_class
def test_metric_state(name, config, native, kinds):
    """Batches of different sizes together give what all rows give."""
    y_true, y_pred = make_case(LossCase(native, *kinds), rows=40, columns=6)
    metric = getattr(metrics, name)(**config)
    for part in (slice(0, 7), slice(7, 8), slice(8, 40)):
        metric.update_state(y_true[part], y_pred[part])
    assert metric.result() == pytest.approx(reference(name, native, y_true, y_pred, config.values()), rel=1e-12)
    metric.reset_state()
    metric.update_state(y_true[:5], y_pred[:5])
    assert metric.result() == pytest.approx(reference(name, native, y_true[:5], y_pred[:5], config.values()), rel=1e-12)


@every_class
def test_metric_config(name, config, native, kinds):
    metric = getattr(metrics, name)(**config, name="mine")
    twin = type(metric).from_config(json.loads(json.dumps(metric.get_config())))
    assert twin.get_config() == metric.get_config()
    assert twin.name == "mine"


@every_class
def test_metric_in_evaluate(name, config, native, kinds):
    """The native pass over the data gives what the metric gives of the predictions."""
    y_true, x = make_case(LossCase(native, *kinds), rows=45, columns=6)
    model = pynn.Sequential([pynn.Input((6,)), pynn.layers.Dense(6, dtype="float64")])
    metric = getattr(metrics, name)(**config, name="mine")
    loss = "sparse_categorical_crossentropy" if kinds[0] == "labels" else "mse"
    model.compile(loss=loss, metrics=[metric])
    logs = model.evaluate(x, y_true, batch_size=7, verbose=0, return_dict=True)
    expected = reference(name, native, y_true, model.predict(x, verbose=0), config.values())
    assert logs["mine"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("alias", ["accuracy", "acc"])
@pytest.mark.parametrize(
    ("units", "activation", "loss", "native"),
    [
        (1, "sigmoid", "binary_crossentropy", "binary_accuracy"),
        (3, "softmax", "categorical_crossentropy", "categorical_accuracy"),
        (3, "softmax", "sparse_categorical_crossentropy", "sparse_categorical_accuracy"),
    ],
)
def test_metric_accuracy_is_resolved(alias, units, activation, loss, native):
    x, labels = make_data(60)
    y = {"binary_accuracy": (labels == 0).astype(float), "categorical_accuracy": np.eye(3)[labels]}.get(native, labels)
    model = pynn.Sequential([pynn.Input((5,)), pynn.layers.Dense(units, activation=activation, dtype="float64")])
    model.compile(loss=loss, metrics=[alias])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    targets = y[:, None] if units == 1 else y
    expected = metric_rows(native, targets, model.predict(x, verbose=0)).mean()
    assert list(logs) == ["loss", alias]
    assert logs[alias] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("accuracy", "accuracy"),
        ("acc", "acc"),
        ("mse", "mse"),
        ("mean_absolute_error", "mean_absolute_error"),
        (metrics.RootMeanSquaredError(), "root_mean_squared_error"),
        (metrics.CategoricalAccuracy(name="hits"), "hits"),
    ],
)
def test_metric_name_in_history(given, key):
    x, labels = make_data(20)
    model = make_model(loss="categorical_crossentropy", metrics=[given])
    history = model.fit(x, np.eye(3)[labels], epochs=1, verbose=0)
    assert list(history.history) == ["loss", key]


@pytest.mark.parametrize("name", ["SparseTopKCategoricalAccuracy", "TopKCategoricalAccuracy"])
def test_metric_top_k_ties_and_non_finite(name):
    nan, inf = np.nan, np.inf
    scores = np.array([[1.0, 1, 1, 1], [0, 2, 2, 2], [nan, 0, 0, 0], [1, nan, 0, 0], [inf, 0, 1, 2], [2, 1, inf, inf]])
    labels = np.array([3, 0, 0, 0, 0, 0])
    y_true = labels if name.startswith("Sparse") else np.eye(4)[labels]
    hits = []
    for y, p in zip(y_true, scores, strict=True):
        hits.append(getattr(metrics, name)(k=2)(y[None], p[None]))
    # All tie with the target: hit. Three are larger: miss. Not a finite score of the target: miss.
    assert hits == [1, 0, 0, 1, 0, 0]


def test_metric_argmax_takes_the_first_maximum():
    metric = metrics.SparseCategoricalAccuracy()
    assert metric([0], [[1.0, 1.0]]) == 1
    metric.reset_state()
    assert metric([1], [[1.0, 1.0]]) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.get("acuracy"), "accuracy"),
        (lambda: metrics.BinaryAccuracy(threshold="high"), "threshold"),
        (lambda: metrics.TopKCategoricalAccuracy(k=0), "k"),
        (lambda: metrics.SparseTopKCategoricalAccuracy(k=1.5), "k"),
        (lambda: make_model(metrics=["acuracy"]).evaluate(*make_data(), verbose=0), "accuracy"),
        (lambda: make_model(metrics=[metrics.SparseCategoricalAccuracy("loss")]), "'loss'"),
        (lambda: make_model(metrics=["mse"]), "mse"),
        (lambda: make_model(metrics=["categorical_accuracy"]), "sparse_categorical_accuracy"),
        (lambda: make_model(loss="mse", metrics=["sparse_categorical_accuracy"]), "categorical_accuracy"),
        (lambda: metrics.get("acuracy"), "Did you mean 'accuracy'"),
        (lambda: metrics.get("accuracy"), "depends on the model"),
        (lambda: metrics.get("mean_io_u"), r"MeanIoU\(\) needs the argument 'num_classes'"),
        (lambda: metrics.Metric(), "metric of your own is a subclass"),
        (lambda: type("Own", (metrics.Metric,), {}), "Own must define update_state, result"),
        (lambda: metrics.BinaryAccuracy(treshold=0.0), r"BinaryAccuracy\(\).*'treshold'. Did you mean 'threshold'"),
    ],
)
def test_metric_bad_argument_names_it(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_metrics_see_the_targets_as_they_were_given():
    """Zeros stand for -1 in the margin losses only, not in the metrics beside them."""
    x, y = make_data(20)
    y = (y > 0).astype(np.float64)
    model = pynn.Sequential([pynn.Input((5,)), pynn.layers.Dense(1, dtype="float64")])
    model.compile("sgd", "hinge", metrics=["mae", "squared_hinge", "accuracy"])
    p = model(x)[:, 0]
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    signs = 2 * y - 1
    assert logs["loss"] == pytest.approx(np.maximum(1 - signs * p, 0).mean())
    assert logs["mae"] == pytest.approx(np.abs(y - p).mean())
    assert logs["squared_hinge"] == pytest.approx((np.maximum(1 - signs * p, 0) ** 2).mean())
    assert logs["accuracy"] == pytest.approx(((p > 0.5) == y).mean())
    with pytest.raises(ValueError, match="hinge"):
        model.evaluate(x, np.where(y == 1, 2.0, 0.0), verbose=0)


def test_metric_of_a_loss(random):
    """Losses serve as metrics, by name, function or object; the similarity counts upwards."""
    y, p = random.normal(size=(2, 6, 4))
    huber = pynn.losses.Huber(delta=0.3)
    for given in (huber, "huber", pynn.losses.huber):
        expected = huber(y, p) if given is huber else pynn.losses.Huber()(y, p)
        assert metrics.get(given)(y, p) == pytest.approx(expected, rel=1e-12)
    similarity = pynn.losses.CosineSimilarity()(y, p)
    assert metrics.CosineSimilarity()(y, p) == pytest.approx(-similarity, rel=1e-12)
    logits = pynn.losses.BinaryCrossentropy(from_logits=True)
    assert metrics.BinaryCrossentropy(from_logits=True)(y > 0, p) == pytest.approx(logits(y > 0, p), rel=1e-12)


def test_metric_is_shown_by_what_it_was_made_of():
    assert repr(metrics.CategoricalAccuracy()) == "CategoricalAccuracy()"
    assert repr(metrics.BinaryAccuracy("hits", threshold=0)) == "BinaryAccuracy(name='hits', threshold=0.0)"
    assert repr(metrics.RootMeanSquaredError()) == "RootMeanSquaredError()"
    assert repr(metrics.get("huber")) == "MeanLoss(Huber(), name='huber')"
    assert repr(metrics.get(pynn.losses.Huber(0.5))) == "MeanLoss(Huber(delta=0.5))"


def test_metric_accuracy_of_logits_compares_with_a_half():
    """As in Keras; a threshold of 0 is what logits want."""
    x, y = np.array([[0.3], [-0.3], [2.0], [-2.0]]), np.array([1, 0, 1, 0])
    model = pynn.Sequential([pynn.Input((1,)), pynn.layers.Activation("linear", dtype="float64")])
    loss = pynn.losses.BinaryCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=["accuracy", metrics.BinaryAccuracy("of_logits", threshold=0.0)])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert (logs["accuracy"], logs["of_logits"]) == (0.75, 1.0)


def test_known_names_are_told_once():
    with pytest.raises(ValueError, match="Known names: ") as error:
        metrics.get("acuracy")
    names = str(error.value).partition("Known names: ")[2].rstrip(".").split(", ")
    assert names == sorted(set(names))
    assert {"accuracy", "auc"} <= set(names)
