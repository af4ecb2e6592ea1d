"""Metrics in NumPy where a model measures them: in fit, evaluate and single batches, with weights."""

import itertools

import numpy as np
import pytest
from metric_models import NAMES, ROWS, Seen, binary_data, binary_model, make_metrics

import pynn
from pynn import metrics
from pynn.training import measuring


@pytest.fixture
def few_at_once(monkeypatch):
    """The engine hands over a few batches at once."""
    monkeypatch.setattr(measuring, "_ROOM", 500)


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


@pytest.mark.parametrize("verbose", [0, 2])
@pytest.mark.parametrize("source", ["arrays", "batches"])
def test_objects_of_metrics_of_the_engine_know_the_last_result(verbose, source, random, capsys):
    """Of a run, in which hooks see that of the epoch, of its validation, and of an evaluation."""
    x, y = binary_data(random)
    given = [metrics.MeanAbsoluteError(), metrics.RootMeanSquaredError(), metrics.BinaryAccuracy()]
    model = binary_model(given)
    assert [each.result() for each in given] == [0, 0, 0]

    def data(x, y):
        parts = [(x[i : i + 16], y[i : i + 16]) for i in range(0, len(x), 16)]
        return (x, y, 16) if source == "arrays" else (iter(parts),)

    logs = model.fit(*data(x, y), verbose=verbose).history
    assert [each.result() for each in given] == [values[-1] for name, values in logs.items() if name != "loss"]
    found = model.evaluate(*data(x[:40], y[:40]), verbose=0)
    assert [each.result() for each in given] == found[1:]
    seen = []
    look = pynn.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append([each.result() for each in given]))
    logs = model.fit(x, y, epochs=2, verbose=verbose, callbacks=[look]).history
    assert seen == [[logs[each.name][epoch] for each in given] for epoch in (0, 1)]
    logs = model.fit(x, y, 16, epochs=2, verbose=verbose, validation_data=(x[:40], y[:40])).history
    assert [each.result() for each in given] == [logs[f"val_{each.name}"][1] for each in given]
    logs = model.fit(x, y, 16, epochs=3, verbose=0).history
    assert [each.result() for each in given] == [logs[each.name][2] for each in given]
    model.reset_metrics()
    assert [each.result() for each in given] == [0, 0, 0]
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    given[0].reset_state()
    given[0].update_state([[1.0]], [[0.5]])
    assert given[0].result() == 0.5


def test_metrics_of_a_model_are_objects_in_the_order_of_evaluate(random):
    """Also of what was given by name; they know what was last reported."""
    x, y = binary_data(random)
    auc, error = metrics.AUC(), metrics.MeanAbsoluteError()
    model = binary_model(["accuracy", auc, "mse", metrics.BinaryAccuracy], [error, "auc"])
    found = model.metrics
    names = ["accuracy", "auc", "mse", "binary_accuracy", "mean_absolute_error", "auc"]
    assert [each.name for each in found] == names
    assert found[1] is auc
    assert found[4] is error

    def told():
        assert all(one is other for one, other in zip(model.metrics, found, strict=True))
        return [each.result() for each in found]

    history = model.fit(x, y, 16, 2, verbose=0).history
    assert told() == [history[name][-1] for name in model.metrics_names[1:]]
    assert model.evaluate(x, y, verbose=0)[1:] == told()
    assert model.train_on_batch(x[:20], y[:20])[1:] == told()
    assert model.test_on_batch(x[:7], y[:7])[1:] == told()
    for metric in model.metrics:
        metric.reset_state()
    assert told() == [0] * 6
    assert model.evaluate(x, y, verbose=0)[1:] == told() != [0] * 6


def test_metrics_stay_the_same_objects_for_data_of_other_lengths(random):
    model = pynn.Sequential([pynn.Input((None, 3)), pynn.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    (found,) = model.metrics
    for length in (4, 6):
        x, y = random.normal(size=(5, length, 3)), random.normal(size=(5, length, 2))
        assert model.fit(x, y, verbose=0).history["mae"] == [found.result()]
        assert model.evaluate(x[:, 1:], y[:, 1:], verbose=0)[1] == found.result()
        assert model.metrics == [found]


def test_metrics_of_several_outputs_have_the_order_of_logs(random):
    given = pynn.Input((3,))
    model = pynn.Model(given, [pynn.layers.Dense(1, name=name)(given) for name in "ba"])
    model.compile("sgd", "mse", metrics=[["mae"], [metrics.MeanSquaredError("first")]])
    assert [each.name for each in model.metrics] == ["first", "mae"]
    x, y = random.normal(size=(5, 3)), random.normal(size=(5, 1))
    values = model.evaluate(x, [y, y], verbose=0)
    assert [each.result() for each in model.metrics] == values[-2:]
    assert model.metrics_names[-2:] == ["a_first", "b_mae"]


def test_metrics_of_a_model_that_is_not_ready():
    """None are known, as in Keras."""
    model = pynn.Sequential([pynn.layers.Dense(1)])
    assert model.metrics == []
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.metrics == []
    model.build((None, 2))
    (before,) = model.metrics
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.metrics[0] is not before
    model.compile("sgd")
    assert model.metrics == []
    several = pynn.Sequential([pynn.Input((2,)), pynn.layers.Dense(3, "softmax")])
    several.compile("sgd", "ce", metrics=["accuracy"])
    assert several.metrics == []
    several.evaluate(np.ones((2, 2)), [0, 1], verbose=0)
    assert isinstance(several.metrics[0], metrics.SparseCategoricalAccuracy)


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
