"""Metrics in NumPy where a model measures them: in fit, evaluate and single batches, with weights, for any outputs."""

import concurrent.futures
import copy
import itertools

import numpy as np
import pytest
from helpers import make_model, unchanged

import pynn
from pynn import metrics
from pynn.training import measuring, samples
from pynn.training.task import Order, Stretch

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


class Range(metrics.Metric):
    """How far predictions lie apart."""

    def __init__(self, name="range", dtype=None):
        super().__init__(name, dtype)
        self.low, self.high = np.inf, -np.inf

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.low, self.high = min(self.low, y_pred.min()), max(self.high, y_pred.max())

    def result(self):
        return self.high - self.low

    def reset_state(self):
        self.low, self.high = np.inf, -np.inf


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
    weights, sizes = (
        np.abs(x[:, 0]),
        [batch_size] * (rows // batch_size) + [rows % batch_size] * (rows % batch_size > 0),
    )
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


# ---- values ----------------------------------------------------------------------------------------------------------
def make_metrics():
    return [
        metrics.AUC(num_thresholds=None),
        metrics.AUC(name="even"),
        metrics.Precision(),
        metrics.R2Score(),
        metrics.F1Score(average="micro", threshold=0.5),
        metrics.BinaryIoU(),
        metrics.get(lambda y, p: np.abs(y - p) - np.abs(y - p).max()),  # of a batch as a whole
    ]


NAMES = ["auc", "even", "precision", "r2_score", "f1_score", "binary_io_u", "lambda"]


@pytest.mark.parametrize("weighted", [False, True])
def test_training_shows_outputs_before_each_step(random, few_at_once, weighted):
    """An epoch's metrics are those of predictions made before each batch, by a model that takes the same steps."""
    x, y = binary_data(random)
    weights = random.integers(0, 3, ROWS) / 2
    first, second = binary_model([], make_metrics()) if weighted else binary_model(make_metrics()), binary_model([])
    history = first.fit(x, y, 20, 2, verbose=0, shuffle=False, sample_weight=weights).history
    for epoch in range(2):
        expected = make_metrics()
        for begin in range(0, ROWS, 20):
            part = slice(begin, begin + 20)
            made = second.predict(x[part], verbose=0)
            for metric in expected:
                metric.update_state(y[part, None], made, weights[part] if weighted else None)
            second.train_on_batch(x[part], y[part], sample_weight=weights[part])
        assert list(history) == ["loss", *NAMES]
        for name, metric in zip(NAMES, expected, strict=True):
            assert history[name][epoch] == pytest.approx(metric.result(), rel=1e-9), name
    assert [w.tobytes() for w in first.get_weights()] == [w.tobytes() for w in second.get_weights()]


@pytest.mark.parametrize("weighted", [False, True])
def test_evaluation(random, few_at_once, weighted):
    x, y = binary_data(random)
    weights = random.integers(0, 3, ROWS) / 2
    model = binary_model([], make_metrics()) if weighted else binary_model(make_metrics())
    made, expected = model.predict(x, verbose=0), make_metrics()
    for begin in range(0, ROWS, 30):
        part = slice(begin, begin + 30)
        for metric in expected:
            metric.update_state(y[part, None], made[part], weights[part] if weighted else None)
    logs = model.evaluate(x, y, 30, verbose=0, sample_weight=weights, return_dict=True)
    assert [logs[name] for name in NAMES] == pytest.approx([metric.result() for metric in expected], rel=1e-12)
    logs = model.test_on_batch(x, y, return_dict=True)
    together = [metric(y[:, None], made) for metric in make_metrics()]
    if not weighted:
        assert [logs[name] for name in NAMES] == pytest.approx(together, rel=1e-12)
        assert model.train_on_batch(x, y)[1:] == pytest.approx(together, rel=1e-12)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_metrics_do_not_depend_on_the_threads(random, threads):
    x, y = binary_data(random, 900)
    found = []
    for number in (1, threads):
        pynn.config.set_num_threads(number)
        model = binary_model(make_metrics())
        found.append(model.fit(x, y, 700, 3, verbose=0, validation_data=(x, y)).history)
    assert found[0] == found[1]


def test_training_is_the_same_with_and_without_metrics(random, few_at_once):
    x, y = binary_data(random)
    runs = []
    for given in ([], ["accuracy", "mse"], ["accuracy", *make_metrics(), "mse"]):
        model = binary_model(given)
        history = model.fit(x, y, 16, 3, verbose=0).history
        runs.append((history, [w.tobytes() for w in model.get_weights()]))
    assert runs[0][1] == runs[1][1] == runs[2][1]
    assert runs[0][0]["loss"] == runs[2][0]["loss"]
    assert runs[1][0]["accuracy"] == runs[2][0]["accuracy"]


def test_each_epoch_begins_anew_and_the_object_knows_the_last_result(random):
    x, y = binary_data(random)
    auc = metrics.AUC(None)
    model = binary_model([auc], rate=0.0)
    history = model.fit(x, y, 16, 3, verbose=0).history["auc"]
    assert len(set(history)) == 1
    assert auc.result() == history[0]
    model.evaluate(x[:50], y[:50], verbose=0)
    assert auc.result() == metrics.AUC(None)(y[:50, None], model.predict(x[:50], verbose=0))
    auc.update_state([0, 1], [0.1, 0.9])  # no model looks at the object itself
    assert model.evaluate(x, y, verbose=0)[1] == history[0]


def test_evaluation_within_an_epoch_does_not_disturb_it(random):
    x, y = binary_data(random)
    histories = []
    for disturbed in (False, True):
        model = binary_model(["auc", metrics.Precision()])

        def evaluate(batch, logs, model=model):
            model.evaluate(x[:9], y[:9], verbose=0)

        calls = [pynn.callbacks.LambdaCallback(on_train_batch_end=evaluate)] if disturbed else []
        histories.append(model.fit(x, y, 16, 2, verbose=0, callbacks=calls).history)
    for name in ("auc", "precision"):
        assert histories[0][name] == histories[1][name]


def test_logs_within_an_epoch(random):
    x, y = binary_data(random)
    seen, got = Seen(), []
    model = binary_model([seen, "auc"])
    call = pynn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: got.append((logs["seen"], logs["auc"])))
    history = model.fit(x, y, 16, 1, verbose=0, callbacks=[call]).history
    assert [each[0] for each in got] == list(range(1, 10))
    assert got[-1][1] == history["auc"][0] != got[0][1]


def test_epochs_of_some_steps(random):
    """Where an epoch is a part of a pass over the data, or more than one, it shows what it visited."""
    x, y = binary_data(random)
    seen, shown = Seen(), []
    model = binary_model([seen], rate=0.0)
    call = pynn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: shown.append((logs["seen"], seen.all(1))))
    made = np.sort(model.predict(x, verbose=0), 0)
    for steps, epochs in ((3, 6), (12, 3)):
        shown.clear()
        model.fit(x, y, 16, epochs, verbose=0, steps_per_epoch=steps, callbacks=[call])
        assert [each[0] for each in shown] == [steps] * epochs
        whole = np.concatenate([each[1] for each in shown])
        for begin in range(0, len(whole), ROWS):
            np.testing.assert_array_equal(np.sort(whole[begin : begin + ROWS], 0), made)
        assert len(whole) % ROWS == 0


def test_loss_that_is_not_finite(random):
    """The step that was not made is not shown; an epoch without a step has no metrics."""
    x, y = random.normal(size=(ROWS, 5)), random.normal(size=ROWS)
    model = pynn.Sequential([pynn.Input((5,)), pynn.layers.Dense(1, dtype="float64")])
    seen = Seen()
    model.compile(pynn.optimizers.SGD(1e90), "mse", metrics=[seen])
    with pytest.warns(RuntimeWarning, match="step 3 is not finite"):
        model.fit(x, y, 16, verbose=0)
    assert seen.result() == 2.0
    model.set_weights([np.full((5, 1), 1e300), np.zeros(1)])
    with pytest.warns(RuntimeWarning, match="step 1 is not finite"):
        assert np.isnan(model.fit(x, y, 16, verbose=0).history["seen"][0])


# ---- weights and masks -----------------------------------------------------------------------------------------------
def test_weights_count_in_weighted_metrics_only(random):
    """Also those of classes."""
    x, y = binary_data(random)
    plain, weighted = Seen("plain"), Seen("weighted")
    model = binary_model([plain], [weighted], rate=0.0)
    model.fit(x, y, 16, verbose=0, class_weight={0: 1.0, 1: 3.0})
    assert plain.batches[0][2] is None
    np.testing.assert_array_equal(weighted.all(2), np.where(weighted.all(0)[:, 0] == 1, 3.0, 1.0))
    model.fit(x, y, 16, verbose=0)
    assert weighted.batches[0][2] is None


def test_rows_that_the_loss_ignores_are_not_shown(random):
    """Of samples with several rows, those that are left come as rows."""
    x, y = random.normal(size=(30, 4, 3)), random.integers(0, 3, (30, 4))
    y[random.random((30, 4)) < 0.3] = -1
    model = pynn.Sequential([pynn.Input((4, 3)), pynn.layers.Dense(3, "softmax", dtype="float64")])
    loss = pynn.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    seen, weighted = Seen(), Seen("weighted")
    overlap = metrics.MeanIoU(3, sparse_y_pred=False)
    model.compile("sgd", loss, metrics=[seen, overlap], weighted_metrics=[weighted])
    weights = random.random((30, 4))
    made = model.predict(x, verbose=0)
    logs = model.evaluate(x, y, verbose=0, sample_weight=weights, return_dict=True)
    np.testing.assert_array_equal(seen.all(0), y[y >= 0])
    np.testing.assert_array_equal(seen.all(1), made[y >= 0])
    np.testing.assert_array_equal(weighted.all(2), weights[y >= 0])
    assert logs["mean_io_u"] == metrics.MeanIoU(3, sparse_y_pred=False)(y[y >= 0], made[y >= 0])


def test_weights_of_rows(random):
    x, y, weights = random.normal(size=(9, 4, 3)), random.normal(size=(9, 4, 2)), random.random((9, 4))
    model = pynn.Sequential([pynn.Input((4, 3)), pynn.layers.Dense(2, dtype="float64")])
    seen = Seen()
    model.compile("sgd", "mse", weighted_metrics=[seen])
    model.evaluate(x, y, verbose=0, sample_weight=weights)
    for number, expected in enumerate((y, model.predict(x, verbose=0), weights)):
        np.testing.assert_array_equal(seen.all(number), expected)
    model.evaluate(x, y, verbose=0, sample_weight=weights[:, 0])
    np.testing.assert_array_equal(seen.all(2), weights[:, 0])


def test_what_a_metric_is_shown_is_safe(random):
    """It may keep predictions; it cannot change the user's data."""
    x, y = binary_data(random)
    y = y[:, None]

    def change(y_true, y_pred):
        y_true[...] = 7
        return 0.0

    model = binary_model([change])
    with pytest.raises(ValueError, match="read-only"):
        model.evaluate(x, y, verbose=0)
    assert set(y.ravel()) == {0.0, 1.0}


# ---- several outputs -------------------------------------------------------------------------------------------------
def two_outputs(metric_list, weighted=None, loss=None):
    x = pynn.Input((5,), dtype="float64")
    shared = pynn.layers.Dense(6, "tanh", dtype="float64")(x)
    one = pynn.layers.Dense(1, "sigmoid", name="one", dtype="float64")(shared)
    many = pynn.layers.Dense(3, "softmax", name="many", dtype="float64")(shared)
    model = pynn.Model(x, [one, many])
    loss = loss or {"one": "binary_crossentropy", "many": "sparse_categorical_crossentropy"}
    model.compile(pynn.optimizers.SGD(0.1), loss, metrics=metric_list, weighted_metrics=weighted)
    return model


def test_several_outputs(random, few_at_once):
    x, y = binary_data(random)
    labels = random.integers(0, 3, ROWS)
    overlap = metrics.MeanIoU(3, name="overlap", sparse_y_pred=False)
    model = two_outputs({"one": ["auc", "accuracy"], "many": [overlap, "accuracy"]}, {"one": [metrics.Recall()]})
    history = model.fit(x, [y, labels], 16, 2, verbose=0, validation_split=0.2).history
    names = ["many_accuracy", "many_overlap", "one_accuracy", "one_auc", "one_recall"]
    assert [name for name in history if name in names] == names
    logs = model.evaluate(x, {"one": y, "many": labels}, verbose=0, return_dict=True)
    one, many = model.predict(x, verbose=0)
    assert logs["one_auc"] == metrics.AUC()(y, one)
    assert logs["one_recall"] == metrics.Recall()(y, one)
    assert logs["many_overlap"] == metrics.MeanIoU(3, sparse_y_pred=False)(labels, many)
    assert logs["many_accuracy"] == (many.argmax(1) == labels).mean()


@pytest.mark.parametrize("first", [["auc"], [metrics.Precision(), "mse"]])
def test_output_with_metrics_alone(random, few_at_once, first):
    """Also where the engine measures nothing of it."""
    x, y = binary_data(random)
    labels, weights = random.integers(0, 3, ROWS), random.random(ROWS)
    weighted = {"one": ["mae"]} if len(first) > 1 else {}
    model = two_outputs({"one": first}, weighted, {"one": None, "many": "sparse_categorical_crossentropy"})
    before = model.get_weights()
    model.fit(x, {"one": y, "many": labels}, 16, 2, verbose=0, sample_weight=weights)
    assert not np.array_equal(before[0], model.get_weights()[0])
    logs = model.evaluate(x, {"one": y, "many": labels}, verbose=0, sample_weight=weights, return_dict=True)
    one = model.predict(x, verbose=0)[0]
    name = "auc" if first == ["auc"] else "precision"
    assert logs[f"one_{name}"] == metrics.get(name)(y, one)
    loss, gradients = model.gradients(x, {"one": y, "many": labels})
    assert np.isfinite(loss)
    assert len(gradients) == len(model.get_weights())


# ---- names, one's own, refusals --------------------------------------------------------------------------------------
def test_names_in_logs(random):
    x, y = binary_data(random)

    def some_rate(y_true, y_pred):
        return y_pred

    areas = ["AUC", metrics.AUC, metrics.AUC(), metrics.AUC(name="mine")]
    given = [*areas, metrics.Precision(), some_rate, lambda y, p: p]
    model = binary_model(given, ["AUC", some_rate, metrics.Recall()])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    names = ["AUC", "auc", "auc_1", "mine", "precision", "some_rate", "lambda"]
    assert list(logs) == ["loss", *names, "weighted_AUC", "weighted_some_rate", "recall"]
    assert model.metrics_names == list(logs)


@pytest.mark.parametrize("name", ["auc", "precision", "recall", "r2_score", "true_positives", "pearson_correlation"])
def test_metric_by_name(random, name):
    x, y = binary_data(random)
    model = binary_model([name])
    made = model.predict(x, verbose=0)
    with np.errstate(invalid="ignore"):
        np.testing.assert_equal(model.evaluate(x, y, verbose=0)[1], metrics.get(name)(y[:, None], made))


def test_state_within_an_epoch(random, few_at_once):
    """A part of an epoch that takes over the state of the part before goes on with the same bits."""
    x, y = binary_data(random)
    results = []
    for parts in ((9,), (4, 5)):
        model = binary_model([*make_metrics()])
        layout = model._layout_for(x, "x")
        heads = model._heads_for(layout)
        data = samples.dataset_of(layout, heads, x, y, None, True)
        state, done = {}, 0
        for steps in parts:
            part = Stretch(model._task_to_train(layout), data, Order(16, True, 5, 0), 9)
            if done:
                part.measuring.set_state(state, done)
                part.done = done
            part.advance(steps)
            state, done = part.measuring.get_state(), done + steps
        assert all(isinstance(each, np.ndarray) for each in state.values())
        results.append({name: part.measuring.values()[name] for name in NAMES})
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (metrics.F1Score(), "f1_score gives 3 numbers, one for each class.*average="),
        (metrics.ConfusionMatrix(3), "confusion_matrix gives a matrix, and a model reports one number"),
        (metrics.Precision(thresholds=[0.1, 0.2]), "precision gives 2 numbers, one for each threshold"),
        (metrics.Precision(top_k=4), "top_k=4.*needs 4 or more classes, but there are 3"),
        (metrics.Recall(class_id=3), "class_id=3"),
        (metrics.R2Score(None), "r2_score gives 3 numbers"),
        (metrics.AUC(multi_label=True, num_labels=2), "of 2 labels, but y_pred has 3"),
        (metrics.Mean(), "Mean is of values"),
        (metrics.Sum(), "Sum is of values"),
        (metrics.MeanIoU(3, sparse_y_pred=False), "takes class labels, but the loss takes targets"),
        (metrics.OneHotMeanIoU(2), "is of 2 classes along the axis -1, but the output is"),
        (metrics.OneHotMeanIoU(3, axis=5), "is of 3 classes along the axis 5"),
        (metrics.PearsonCorrelation(axis=3), "axis=3"),
    ],
)
def test_metric_that_does_not_fit_is_refused(given, message):
    model = make_model("float64", loss="categorical_crossentropy", metrics=[])
    with unchanged(model), pytest.raises(ValueError, match=message):
        model.compile("sgd", "categorical_crossentropy", metrics=[given])
    assert model.metrics_names == ["loss"]


def test_metric_of_values_beside_a_loss_of_labels_is_refused():
    with pytest.raises(ValueError, match="precision takes targets of the output's shape, but the loss takes class lab"):
        make_model(metrics=["precision"])


def test_targets_that_a_metric_has_no_meaning_for(random):
    x, y = binary_data(random)
    model = binary_model(["auc"])
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises(ValueError, match=r"metric auc takes targets of 0 and 1, but y has 0\.5 in row 3"):
        model.fit(x, np.where(np.arange(ROWS) == 3, 0.5, y), verbose=0)
    assert before == [w.tobytes() for w in model.get_weights()]


def test_metric_that_is_no_number(random):
    x, y = binary_data(random)

    class Both(Seen):
        def result(self):
            return np.zeros(2)

    with pytest.raises(TypeError, match="metric seen must give one number"):
        binary_model([Both()]).evaluate(x, y, verbose=0)


def test_metric_that_raises_ends_the_run(random):
    """The model keeps the steps it made, and goes on to work."""
    x, y = binary_data(random)

    def raising(y_true, y_pred):
        raise ZeroDivisionError("of my own")

    model = binary_model([raising])
    with pytest.raises(ZeroDivisionError, match="of my own"):
        model.fit(x, y, 16, verbose=0)
    model.compile("sgd", "binary_crossentropy", metrics=["auc"])
    assert np.isfinite(model.fit(x, y, 16, verbose=0).history["auc"][0])


def test_compiling_anew_with_other_metrics(random):
    x, y = binary_data(random)
    model = binary_model(["auc"])
    model.fit(x, y, verbose=0)
    for given in ([], ["accuracy"], ["auc"], ["accuracy", metrics.Precision()]):
        model.compile("sgd", "binary_crossentropy", metrics=given)
        assert len(model.fit(x, y, verbose=0).history) == 1 + len(given)


def test_axis_of_any_length(random):
    model = pynn.Sequential([pynn.Input((None, 3)), pynn.layers.Dense(1, "sigmoid", dtype="float64")])
    model.compile("sgd", "binary_crossentropy", metrics=["auc"])
    for length in (4, 6):
        x, y = random.normal(size=(20, length, 3)), (random.random((20, length, 1)) < 0.5) * 1.0
        model.fit(x, y, verbose=0)
        assert model.evaluate(x, y, verbose=0)[1] == metrics.AUC()(y, model.predict(x, verbose=0))


def test_early_stopping_knows_that_more_is_better(random):
    x, y = binary_data(random)
    model = binary_model([metrics.Precision(), "auc", "mse"])
    directions = model._heads_for(model._layout_for(x, "x")).directions
    assert directions == {"precision": "up", "auc": "up", "mse": "down"}
    stop = pynn.callbacks.EarlyStopping("val_precision", patience=1)
    model.fit(x, y, 16, 20, verbose=0, validation_data=(x, y), callbacks=[stop])


def test_saved_with_metrics(random, tmp_path):
    """A loaded model measures the same. The function of a metric is found by its name."""
    x, y = binary_data(random)

    def largest_error(y_true, y_pred):
        return abs(y_true - y_pred)

    given = [metrics.AUC(None, "PR", name="exact"), "auc", metrics.Precision(0.3), largest_error, Range()]
    model = binary_model(given, [metrics.BinaryIoU(), metrics.SensitivityAtSpecificity(0.3)])
    model.fit(x, y, verbose=0)
    path = tmp_path / "model.pynn"
    model.save(path)
    own = {"largest_error": largest_error, "Range": Range}
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    for again in (pynn.load_model(path, custom_objects=own), copy.deepcopy(model)):
        assert again.evaluate(x, y, verbose=0, return_dict=True) == logs
        again.save(path)
        assert pynn.load_model(path, custom_objects=own).metrics_names == list(logs)
    for name in own:
        with pytest.raises(pynn.ModelFileError, match=f"'{name}', which is not pynn's"):
            pynn.load_model(path, custom_objects={each: own[each] for each in own if each != name})


def test_evaluations_in_several_threads(random):
    """Each has copies of its own, also of metrics that keep all they see."""
    x, y = binary_data(random, 3000)
    model = binary_model([metrics.AUC(None), metrics.Precision()])
    parts = [slice(500 * i, 500 * (i + 1)) for i in range(6)]
    made = model.predict(x, verbose=0)
    kinds = [lambda: metrics.AUC(None), metrics.Precision]
    expected = [[kind()(y[part, None], made[part]) for kind in kinds] for part in parts]

    def values(part):
        return [model.evaluate(x[part], y[part], 16, verbose=0)[1:] for _ in range(5)]

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for found, wanted in zip(pool.map(values, parts), expected, strict=True):
            assert found == [wanted] * 5
