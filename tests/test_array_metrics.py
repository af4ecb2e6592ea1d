"""Metrics that give arrays, such as one number for each class: in logs, and in what callbacks make of these."""

import csv
import pickle

import numpy as np
import pytest

import pynn
from pynn import callbacks, layers, metrics

N = np.arange(40)
X = np.sin(np.outer(N + 1, [1, 2, 3, 5])).astype(np.float32)
LABELS = (N * N + N // 3) % 3
Y = np.eye(3, dtype=np.float32)[LABELS]
VALIDATION = (X[:20], Y[:20])


def net(given=("f1_score",), weighted=(), units=3, loss="categorical_crossentropy", dtype=None):
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(units, "softmax" if units > 1 else "sigmoid", dtype=dtype)])
    model.set_weights([np.cos(np.arange(4.0 * units)).reshape(4, units), np.zeros(units)])
    model.compile(pynn.optimizers.SGD(0.5), loss, metrics=list(given), weighted_metrics=list(weighted))
    return model


def fitted(model, epochs=2, **more):
    return model.fit(X, Y, epochs=epochs, batch_size=16, shuffle=False, validation_data=VALIDATION, verbose=0, **more)


# What Keras 3.15.1 gave, in float32.
RUN = {
    "f1_score": [[0.428571373, 0.272727221, 0.333333313], [0.181818143, 0.45161283, 0.370370328]],
    "r2_score": [[-0.214343905, -0.059118271, -0.308702826], [-0.130898237, -0.05017066, -0.23154664]],
    "precision": [[0.309859157, 0.100000001], [0.320512831, 0.25]],
    "fbeta_score": [[0.404390514, 0.241157547, 0.395507753], [0.153458029, 0.4774248, 0.416409612]],
    "val_f1_score": [[0.166666627, 0.428571373, 0.285714209], [0.0, 0.470588177, 0.166666627]],
    "val_r2_score": [[-0.173830867, -0.049413919, -0.414248347], [-0.138473511, -0.070398450, -0.354671478]],
    "val_precision": [[0.282051295, 0.0], [0.243243247, 0.0]],
    "val_fbeta_score": [[0.151515141, 0.428571433, 0.31249997], [0.0, 0.526315808, 0.166666642]],
}
END = {
    "f1_score": [0.09999996, 0.4571428, 0.31999996],
    "r2_score": [-0.07322037, -0.04571712, -0.17243862],
    "precision": [0.3243243, 0.33333334],
    "fbeta_score": [0.08474575, 0.5, 0.32786882],
}


def test_values_are_those_of_keras():
    given = ["f1_score", metrics.R2Score(class_aggregation=None), metrics.Precision(thresholds=[0.3, 0.6])]
    model = net(given, [metrics.FBetaScore(beta=2.0)])
    history = fitted(model, sample_weight=np.linspace(0.5, 1.5, 40)).history
    assert set(history) == {"loss", "val_loss", *RUN}
    for name, expected in RUN.items():
        assert [(each.dtype, each.shape) for each in history[name]] == [(np.float32, (len(expected[0]),))] * 2
        np.testing.assert_allclose(history[name], expected, rtol=2e-4, atol=1e-6, err_msg=name)
    loss, *found = model.evaluate(X, Y, verbose=0)
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert loss == logs["loss"] == pytest.approx(1.1997528, rel=1e-5)
    on_batch = model.test_on_batch(X, Y)
    for name, each, of_batch in zip(model.metrics_names[1:], found, on_batch[1:], strict=True):
        np.testing.assert_array_equal(each, logs[name])
        np.testing.assert_array_equal(each, of_batch)
        np.testing.assert_allclose(each, END[name], rtol=2e-4, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(model.train_on_batch(X, Y)[1], logs["f1_score"])


def test_one_class_is_an_array_of_one_number():
    """As in Keras; a callback may go by it."""
    model = net([metrics.F1Score(threshold=0.5)], units=1, loss="mse")
    found = model.evaluate(X, Y[:, :1], verbose=0)[1]
    np.testing.assert_allclose(found, np.array([0.35294113], np.float32), rtol=1e-5)
    stop = callbacks.EarlyStopping("f1_score", patience=100, restore_best_weights=True)
    history = model.fit(X, Y[:, :1], epochs=4, verbose=0, callbacks=[stop]).history["f1_score"]
    assert stop.best == float(max(history)[0])


def test_number_type_is_that_of_the_model():
    model = net(dtype="float64")
    assert model.evaluate(X, Y, verbose=0)[1].dtype == np.float64


class Kept(metrics.Metric):
    """The sum of the outputs, and how many there were: what it returns is what it goes on to change."""

    def __init__(self, name="kept", dtype=None):
        super().__init__(name, dtype)
        self.sums = np.zeros((2, 3))

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.sums[0] += y_pred.sum(0)
        self.sums[1] += len(y_pred)

    def result(self):
        return self.sums

    def reset_state(self):
        self.sums = np.zeros((2, 3))


def test_matrices_of_metrics_of_ones_own():
    model, given = net([]), Kept()
    model.compile("sgd", "mse", metrics=[given])
    history = fitted(model).history["kept"]
    assert [each.shape for each in history] == [(2, 3)] * 2
    np.testing.assert_array_equal(history[1][1], [40] * 3)
    last = history[1].copy()
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0)[1][0], model.predict(X, verbose=0).sum(0), rtol=1e-5)
    given.sums[:] = 7
    np.testing.assert_array_equal(history[1], last)


def test_confusion_matrix_of_a_model():
    model = net([metrics.ConfusionMatrix(3, sparse_y_pred=False)], loss="sparse_categorical_crossentropy")
    found = model.evaluate(X, LABELS, verbose=0)[1]
    expected = np.zeros((3, 3))
    np.add.at(expected, (LABELS, model.predict(X, verbose=0).argmax(1)), 1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("result", [np.zeros(0), np.array(["a"]), {"a": 1.0}, None])
def test_other_results_are_refused(result):
    class Other(Kept):
        def result(self):
            return result

    with pytest.raises(TypeError, match="metric kept must give a number or an array of numbers to be measured"):
        net([Other()]).evaluate(X, Y, verbose=0)


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_bars_and_lines_show_the_mean(capsys):
    model = net()
    history = model.fit(X, Y, verbose=2, validation_data=VALIDATION).history
    shown = capsys.readouterr().out
    for name in ("f1_score", "val_f1_score"):
        assert f" {name}: {history[name][0].mean():.4f}" in shown
    bar = pynn.utils.Progbar(1)
    bar.update(1, [("f1_score", np.array([0.25, 0.5], np.float32))])
    assert "f1_score: 0.3750" in capsys.readouterr().out


def test_records_show_the_numbers():
    history = callbacks.History()
    history.on_epoch_end(0, {"loss": 0.5, "f1": np.array([0.25, 1 / 3], np.float32)})
    history.on_epoch_end(1, {"loss": 0.25, "f1": np.arange(100.0).reshape(50, 2)})
    shown = "[[ 0. 1.] [ 2. 3.] [ 4. 5.] ... [94. 95.] [96. 97.] [98. 99.]]"
    assert repr(history) == f"<History of 2 epochs, loss=0.25, f1={shown}>"
    assert "[0.25 0.333333]" in history._repr_html_()
    again = pickle.loads(pickle.dumps(history))
    np.testing.assert_array_equal(again.history["f1"][0], history.history["f1"][0])


def test_plot_has_a_line_for_each_number():
    pytest.importorskip("matplotlib").use("Agg")
    history = fitted(net(), epochs=3)
    loss, scores = pynn.plot_history(history)
    assert len(loss.lines) == 2
    assert len(scores.lines) == 6
    for place, line in enumerate(scores.lines[:3]):
        np.testing.assert_array_equal(line.get_ydata(), [each[place] for each in history.history["f1_score"]])
    assert [text.get_text() for text in scores.get_legend().get_texts()] == ["training", "validation"]
    # An epoch without a step has NaN for all classes.
    (ax,) = pynn.plot_history({"f1": [np.array([0.5, 0.25]), np.nan]})
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [0.25, np.nan])
    long = {"f1": [np.array([0.5, 0.25])] * 100}
    assert len(pynn.plot_history(long)[0].lines[0].get_ydata()) == 100


# ---- what callbacks make of it ---------------------------------------------------------------------------------------


def test_csv_logger_writes_lists(tmp_path):
    file = tmp_path / "log.csv"
    history = fitted(net(), callbacks=[callbacks.CSVLogger(file)]).history
    rows = list(csv.DictReader(file.read_text().splitlines()))
    for number, row in enumerate(rows):
        for name in ("f1_score", "val_f1_score"):
            values = [float(each) for each in row[name].strip("[]").split(", ")]
            np.testing.assert_array_equal(np.array(values, np.float32), history[name][number])


@pytest.mark.parametrize(
    "make",
    [
        lambda path: callbacks.EarlyStopping("val_f1_score"),
        lambda path: callbacks.ReduceLROnPlateau("val_f1_score"),
        lambda path: callbacks.ModelCheckpoint(path / "best", "val_f1_score", save_best_only=True),
    ],
)
def test_monitors_need_one_number(make, tmp_path):
    callback = make(tmp_path)
    message = (
        rf"{type(callback).__name__} monitors 'val_f1_score', which must be one number, but is an array of the shape "
        r"\(3,\)\. Compile the model with .*F1Score\(average=\"macro\"\)"
    )
    with pytest.raises(ValueError, match=message):
        fitted(net(), callbacks=[callback])


def test_checkpoints_name_files_by_arrays_but_not_by_formats_of_numbers(tmp_path):
    fitted(net(), 1, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{f1_score}")])
    assert [file.name[0] for file in tmp_path.iterdir()] == ["["]
    message = (
        r"filepath .* cannot be filled in: it has the field 'f1_score', which must be one number, but is an array of "
        r"the shape \(3,\)\. Compile the model with .*F1Score\(average=\"macro\"\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        fitted(net(), 1, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{f1_score:.2f}")])


def test_checkpoints_name_files_by_arrays_of_one_number(tmp_path):
    model = net([metrics.F1Score(threshold=0.5)], units=1, loss="mse")
    made = callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}_{f1_score:.2f}")
    score = model.fit(X, Y[:, :1], verbose=0, callbacks=[made]).history["f1_score"][0][0]
    assert [file.name for file in tmp_path.iterdir()] == [f"01_{score:.2f}"]


def test_run_goes_on_from_a_backup_with_the_arrays_of_its_epochs(tmp_path):
    class KilledError(Exception):
        pass

    def kill(epoch, logs):
        if epoch == 2:
            raise KilledError

    def run(*more):
        return fitted(net(), 4, callbacks=[callbacks.BackupAndRestore(tmp_path / "backup"), *more])

    with pytest.raises(KilledError):
        run(callbacks.LambdaCallback(on_epoch_end=kill))
    resumed, whole = run(callbacks.LambdaCallback()), fitted(net(), 4)
    assert resumed.epoch == [0, 1, 2, 3]
    for name, values in whole.history.items():
        assert [type(each) for each in resumed.history[name]] == [type(each) for each in values]
        np.testing.assert_array_equal(resumed.history[name], values)
        assert np.asarray(resumed.history[name][0]).dtype == np.asarray(values[0]).dtype


def test_tune_says_that_its_objective_is_no_number():
    tune, optuna = pytest.importorskip("pynn.tune"), pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def build(hp):
        hp.int("n", 1, 2)
        return net()

    settings = {"objective": "val_f1_score", "validation_data": VALIDATION, "verbose": 0}
    study = tune.search(build, X, Y, trials=2, **settings)
    reasons = [trial.user_attrs["reason"] for trial in study.trials]
    assert all("objective is 'val_f1_score', which must be one number" in reason for reason in reasons)
    assert len(reasons) == 2
