"""Metrics in NumPy as `compile` takes them: several outputs, names, what is refused, what is saved; threads."""

import concurrent.futures
import copy

import numpy as np
import pytest
from helpers import make_model, unchanged
from metric_models import NAMES, ROWS, Range, binary_data, binary_model, make_metrics

import pynn
from pynn import metrics
from pynn.training import measuring, samples
from pynn.training.task import Order, Stretch


@pytest.fixture
def few_at_once(monkeypatch):
    """The engine hands over a few batches at once."""
    monkeypatch.setattr(measuring, "_ROOM", 500)


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
            part = Stretch(model._task_to_train(layout, 16), data, Order(16, True, 5, 0), 9)
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
        (metrics.ConfusionMatrix(2, sparse_y_pred=False), "takes class labels, but the loss takes targets"),
        (metrics.Precision(top_k=4), "top_k=4.*needs 4 or more classes, but there are 3"),
        (metrics.Recall(class_id=3), "class_id=3"),
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


def test_mean_of_what_a_subclass_makes_of_targets_and_predictions(random):
    """As in programs for Keras: the subclass says what it takes."""

    class Farthest(metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(np.abs(y_true - y_pred).max(axis=-1), sample_weight)

    model = make_model("float64")
    model.compile("sgd", "mse", metrics=[Farthest(name="farthest")], weighted_metrics=[Farthest(name="weighed")])
    x, y, weights = random.normal(size=(20, 5)), random.normal(size=(20, 3)), random.random(20)
    logs = model.evaluate(x, y, batch_size=7, verbose=0, sample_weight=weights, return_dict=True)
    values = np.abs(y - model.predict(x, verbose=0)).max(axis=1)
    assert logs["farthest"] == pytest.approx(values.mean())
    assert logs["weighed"] == pytest.approx((values * weights).sum() / weights.sum())
    assert set(model.fit(x, y, verbose=0).history) >= {"farthest", "weighed"}


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


class Count(metrics.Metric):
    """The batches, times a number."""

    def __init__(self, times=2, name="count", dtype=None):
        super().__init__(name, dtype)
        self.times, self.batches = times, 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.batches += 1

    def result(self):
        return self.times * self.batches

    def reset_state(self):
        self.batches = 0


class Named(Count):
    def __init__(self, name="named"):
        super().__init__(name=name)


class Whole(Count):
    def get_config(self):
        return {**super().get_config(), "times": self.times}


class AnyArguments(Whole):
    def __init__(self, **settings):
        super().__init__(**settings)


class MadeAgain(Named):
    @classmethod
    def from_config(cls, config):
        return cls(config["name"])


def test_metric_that_its_configuration_does_not_make_again(tmp_path, random):
    """The error comes when the model is saved, not when it is loaded."""
    x, y = binary_data(random, 20)
    for metric, message in ((Count(7), "leaves out 'times'"), (Named(), "has 'dtype', which __init__ does not take")):
        model = binary_model([metric])
        for keep in (lambda model: model.save(tmp_path / "model"), copy.deepcopy):
            with pytest.raises(ValueError, match=rf"{type(metric).__name__} cannot be saved.*get_config {message}"):
                keep(model)
        assert list(tmp_path.iterdir()) == []
    for metric in (Whole(7), AnyArguments(times=5), MadeAgain()):
        model = binary_model([metric])
        model.save(tmp_path / "model")
        loaded = pynn.load_model(tmp_path / "model", {type(metric).__name__: type(metric)})
        assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
        (tmp_path / "model").unlink()


def test_two_functions_of_one_name_are_not_saved(tmp_path):
    """A file, or a copy, would have one of them twice."""

    def scaled(factor):
        def error(y_true, y_pred):
            return factor * np.abs(y_true - y_pred).mean(-1)

        return error

    once = scaled(1)
    for given, more in (([once, scaled(10)], None), ([once], [scaled(10)])):
        model = make_model()
        model.compile("sgd", "mse", metrics=given, weighted_metrics=more)
        for keep in (lambda model: model.save(tmp_path / "model"), copy.deepcopy):
            with pytest.raises(ValueError, match=r"Two functions that are losses or metrics have the name 'error'"):
                keep(model)
    model.compile("sgd", "mse", metrics=[once], weighted_metrics=[once])
    assert copy.deepcopy(model).get_config() == model.get_config()


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
