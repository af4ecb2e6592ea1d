"""Models of several outputs: losses, metrics, targets and weights of each, and the names and order of the results."""

import numpy as np
import pytest
from helpers import bits, unchanged

import pynn
from pynn import losses, metrics

X = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
LABELS = np.random.default_rng(2).integers(0, 3, 40)
NUMBERS = np.random.default_rng(3).normal(size=(40, 2)).astype(np.float32)
Y = [LABELS, NUMBERS]
SPARSE = "sparse_categorical_crossentropy"


def pair(form="list", seed=3, **compiled):
    """Classes and numbers, from 4 numbers."""
    pynn.set_random_seed(seed)
    given = pynn.Input((4,))
    hidden = pynn.layers.Dense(8, activation="tanh")(given)
    classes = pynn.layers.Dense(3, activation="softmax", name="classes")(hidden)
    numbers = pynn.layers.Dense(2, name="numbers")(hidden)
    outputs = [classes, numbers] if form == "list" else {"what": classes, "much": numbers}
    model = pynn.Model(given, outputs)
    if compiled:
        model.compile("sgd", **compiled)
    return model


def usual(**more):
    return pair(loss=[SPARSE, "mse"], **more)


def fitted(model, x=X, y=Y, **more):
    return model.fit(x, y, batch_size=16, epochs=2, verbose=0, **more).history


# ---- what compile takes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "compiled",
    [
        {"loss": [SPARSE, "mse"]},
        {"loss": (losses.SparseCategoricalCrossentropy(), losses.mean_squared_error)},
        {"loss": {"numbers": "mse", "classes": SPARSE}},
        {"loss": [{"class_name": "SparseCategoricalCrossentropy", "config": {}}, "mse"]},
        {"loss": [SPARSE, "mse"], "loss_weights": [1, 1.0]},
        {"loss": [SPARSE, "mse"], "loss_weights": {"numbers": 1, "classes": 1}},
    ],
)
def test_forms_of_losses(compiled):
    model = pair(**compiled)
    assert fitted(model) == fitted(usual())
    assert bits(model) != bits(usual())


def test_one_loss_for_all_outputs():
    y = [pynn.utils.to_categorical(LABELS), NUMBERS]
    assert fitted(pair(loss="mse"), y=y) == fitted(pair(loss=["mse", "mse"]), y=y)


def test_losses_add_up():
    """Each times its weight; the parts are told without."""
    model = usual(loss_weights=[0.3, 2.0])
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0)
    assert logs["classes_loss"] == pytest.approx(losses.SparseCategoricalCrossentropy()(LABELS, p[0]), rel=1e-6)
    assert logs["numbers_loss"] == pytest.approx(losses.MeanSquaredError()(NUMBERS, p[1]), rel=1e-6)
    assert logs["loss"] == pytest.approx(0.3 * logs["classes_loss"] + 2 * logs["numbers_loss"])


def test_loss_weight_of_a_single_output():
    pynn.set_random_seed(3)
    model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(2)])
    model.compile("sgd", "mse")
    expected = model.evaluate(X, NUMBERS, verbose=0)
    for weights in (3, [3.0], {model.layers[-1].name: 3.0}):
        model.compile("sgd", "mse", weights)
        assert model.evaluate(X, NUMBERS, verbose=0) == pytest.approx(3 * expected)


@pytest.mark.parametrize(
    ("compiled", "names"),
    [
        ({}, []),
        ({"metrics": [["accuracy", "mse"], "mae"], "loss": ["categorical_crossentropy", "mse"]}, None),
        ({"metrics": {"numbers": ["mse", "mae"], "classes": "acc"}}, ["classes_acc", "numbers_mae", "numbers_mse"]),
        ({"metrics": [None, ["mae"]]}, ["numbers_mae"]),
        ({"metrics": {"numbers": "mae"}, "weighted_metrics": [None, "mae"]}, ["numbers_mae", "numbers_weighted_mae"]),
        ({"weighted_metrics": [None, ["mae", "mae"]]}, ["numbers_mae", "numbers_weighted_mae"]),
        ({"metrics": [None, ["mae", "mae", "mae"]]}, ["numbers_mae", "numbers_mae_1", "numbers_mae_2"]),
        ({"metrics": ["accuracy", metrics.MeanAbsoluteError("size")]}, ["classes_accuracy", "numbers_size"]),
    ],
)
def test_names_of_logs(compiled, names):
    """As in Keras, whose lists have metrics by name behind the losses."""
    model = pair(**{"loss": [SPARSE, "mse"], **compiled})
    if names is None:
        names = ["classes_accuracy", "classes_mse", "numbers_mae"]
    names = ["loss", "classes_loss", "numbers_loss", *names]
    y = Y if compiled.get("loss") is None else [pynn.utils.to_categorical(LABELS), NUMBERS]
    assert model.metrics_names == names
    history = fitted(model, y=y, validation_split=0.25)
    assert list(history) == names + [f"val_{name}" for name in names]
    logs = model.evaluate(X, y, verbose=0, return_dict=True)
    assert list(logs) == names
    assert model.evaluate(X, y, verbose=0) == list(logs.values())
    assert model.test_on_batch(X, y) == pytest.approx(list(logs.values()))
    assert list(model.train_on_batch(X, y, return_dict=True)) == names


def test_names_of_logs_of_outputs_in_a_dict():
    model = pair("dict", loss={"what": SPARSE, "much": "mse"}, metrics={"much": ["mae"]})
    logs = model.evaluate(X, {"much": NUMBERS, "what": LABELS}, verbose=0, return_dict=True)
    assert set(logs) == {"loss", "what_loss", "much_loss", "much_mae"}
    # Where outputs are a dict, those that are not named have no loss.
    model.compile("sgd", {"what": SPARSE})
    assert model.metrics_names == ["loss"]


def test_output_without_a_loss():
    """It learns nothing, and its targets may be left out; metrics of it need them."""
    model, only = pair(loss=[SPARSE, None]), pair(loss=[SPARSE, "mse"], loss_weights=[1, 0])
    history = fitted(model, y=[LABELS, None])
    assert list(history) == ["loss"]
    assert history["loss"] == pytest.approx(fitted(only)["classes_loss"], rel=1e-6)
    for y in ([LABELS], {"classes": LABELS}, Y, {"classes": LABELS, "numbers": NUMBERS}):
        assert model.evaluate(X, y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert model.get_layer("numbers").bias.numpy().tolist() == [0, 0]
    model.compile("sgd", [None, "mse"], metrics=[["sparse_categorical_accuracy"], ["mae"]])
    assert model.metrics_names == ["loss", "classes_sparse_categorical_accuracy", "numbers_mae"]
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0)
    assert logs["classes_sparse_categorical_accuracy"] == pytest.approx((p[0].argmax(1) == LABELS).mean())
    assert logs["loss"] == pytest.approx(((p[1] - NUMBERS) ** 2).mean(), rel=1e-6)
    with pytest.raises(ValueError, match="y must be a list of 2 arrays"):
        model.evaluate(X, [NUMBERS], verbose=0)


def test_without_a_loss_a_model_predicts(tmp_path):
    """As in Keras it is compiled all the same; what needs the loss says so."""
    model = pair()
    expected = model.predict(X, verbose=0)
    model.compile("sgd", metrics=[["accuracy"], ["mae"]])
    assert model.compiled
    model.save(tmp_path / "model")
    for twin in (model, pynn.load_model(tmp_path / "model")):
        assert twin.compiled
        for found, each in zip(twin.predict(X, verbose=0), expected, strict=True):
            np.testing.assert_array_equal(found, each)
        for use in (
            lambda twin=twin: twin.fit(X, Y, verbose=0),
            lambda twin=twin: twin.evaluate(X, Y, verbose=0),
            lambda twin=twin: twin.train_on_batch(X, Y),
            lambda twin=twin: twin.test_on_batch(X, Y),
        ):
            with pytest.raises(ValueError, match="compile was given no loss"):
                use()
    model.compile(model.optimizer, [SPARSE, "mse"])
    assert fitted(model) == fitted(pair(loss=[SPARSE, "mse"]))
    model.compile(model.optimizer)
    assert model.optimizer.iterations == 2 * -(-len(X) // 16)


def test_loss_in_a_list_of_its_own():
    history = fitted(pair(loss=[SPARSE, "mse"]))
    assert fitted(pair(loss=[[SPARSE], ["mse"]])) == history
    assert fitted(pair(loss={"classes": [SPARSE], "numbers": "mse"})) == history
    with pytest.raises(ValueError, match="loss must have one loss for the output 'classes', but has "):
        pair(loss=[[SPARSE, "mse"], "mse"])


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ({"loss": [SPARSE]}, "loss must have one value for each of 2 outputs, 'classes', 'numbers', but has 1"),
        ({"loss": [SPARSE, "mse", "mae"]}, "loss must have one value for each of 2 outputs"),
        ({"loss": [None, None]}, "loss must be given"),
        ({"loss": {"classes": SPARSE}}, "loss must be a dict by output.*'numbers' missing"),
        ({"loss": {"classes": SPARSE, "number": "mse"}}, "loss must be a dict by output.*'number' left over"),
        ({"loss": [SPARSE, losses.MeanSquaredError(None)]}, "A loss without reduction"),
        ({"loss_weights": [1.0]}, "loss_weights must have one value for each of 2 outputs"),
        ({"loss_weights": 2.0}, "loss_weights must be a list or dict"),
        ({"loss_weights": {"classes": 1.0}}, "loss_weights.*'numbers' missing"),
        ({"loss_weights": {"classes": 1.0, "x": 1.0}}, "loss_weights.*'x' left over"),
        ({"loss_weights": [1.0, float("nan")]}, "loss_weights"),
        ({"loss_weights": [1.0, "2"]}, "loss_weights must be numbers"),
        ({"loss_weights": ["accuracy", "mae"]}, r"metrics are given by name: compile\(optimizer, loss, metrics="),
        ({"loss_weights": ["accuracy"]}, "third argument of compile"),
        ({"metrics": ["mae"]}, "metrics must have one value for each of 2 outputs"),
        ({"metrics": {"x": "mae"}}, "metrics.*'x' left over"),
        ({"metrics": "mae"}, r"metrics must be a list such as \['accuracy'\]|metrics must be a list"),
        ({"weighted_metrics": ["mae"]}, "weighted_metrics must have one value for each of 2 outputs"),
        ({"metrics": [["mae"], []]}, "takes class labels"),
        ({"metrics": [[], ["sparse_categorical_accuracy"]]}, "The metric sparse_categorical_accuracy takes class"),
        ({"run_eagerly": 2}, "run_eagerly"),
        ({"steps_per_execution": 0}, "steps_per_execution"),
        ({"jit_compile": "yes"}, "jit_compile"),
        ({"auto_scale_loss": "no"}, "auto_scale_loss"),
    ],
)
def test_bad_compile(compiled, message):
    """The earlier one stays."""
    model = usual()
    expected = model.evaluate(X, Y, verbose=0)
    with unchanged_pair(model), pytest.raises((ValueError, TypeError), match=message):
        model.compile("sgd", **{"loss": [SPARSE, "mse"], **compiled})
    assert model.evaluate(X, Y, verbose=0) == expected


def unchanged_pair(model):
    return unchanged(_First(model))


class _First:
    """A model of which `helpers.unchanged` sees the first output."""

    def __init__(self, model):
        self.input_shape = model.input_shape
        self.get_weights = model.get_weights
        self.predict = lambda x, verbose: model.predict(x, verbose=verbose)[0]


def test_metrics_as_third_argument_are_told():
    """As they were before."""
    model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(2)])
    for given in (["mae"], [metrics.MeanAbsoluteError()], [metrics.MeanAbsoluteError], "mae"):
        with pytest.raises(TypeError, match=r"metrics are given by name: compile\(optimizer, loss, metrics="):
            model.compile("sgd", "mse", given)


def test_arguments_without_effect():
    model = usual(run_eagerly=True, steps_per_execution=7, jit_compile=True, auto_scale_loss=False)
    assert fitted(model) == fitted(usual())
    model.compile("sgd", [SPARSE, "mse"], None, None, None, False, 1, None, True)
    model.compile("sgd", [SPARSE, "mse"], jit_compile="auto")


def test_loss_is_what_compile_was_given():
    model = usual()
    assert [each.name for each in model.loss] == [SPARSE, "mean_squared_error"]
    model.compile("sgd", {"classes": SPARSE, "numbers": None})
    assert model.loss["numbers"] is None
    unbuilt = pynn.Sequential([pynn.layers.Dense(2)])
    unbuilt.compile("sgd", "mse")
    with pytest.raises(pynn.errors.NotBuiltError):
        unbuilt.metrics_names  # noqa: B018


# ---- targets and weights ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y", [Y, tuple(Y), {"classes": LABELS, "numbers": NUMBERS}, [LABELS.tolist(), NUMBERS.tolist()]]
)
def test_forms_of_targets(y):
    assert fitted(usual(), y=y) == fitted(usual())


def test_forms_of_targets_of_one_output():
    pynn.set_random_seed(3)
    model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(3, activation="softmax", name="classes")])
    model.compile("sgd", SPARSE)
    expected = model.evaluate(X, LABELS, verbose=0)
    for y in ([LABELS], (LABELS,), {"classes": LABELS}, LABELS.tolist(), LABELS[:, None], [LABELS[:, None]]):
        assert model.evaluate(X, y, verbose=0) == expected
    assert model.evaluate(X[:1], [LABELS[:1]], verbose=0) == model.evaluate(X[:1], LABELS[:1].tolist(), verbose=0)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (LABELS, "y must be a list of 2 arrays, for 'classes', 'numbers'"),
        ([LABELS], "y must be a list of 2 arrays.*got 1"),
        ([LABELS, NUMBERS, NUMBERS], "y must be a list of 2 arrays.*got 3"),
        ({"classes": LABELS}, "y must be a dict.*'numbers' missing"),
        ({"classes": LABELS, "numbers": NUMBERS, "more": X}, "y must be a dict.*'more' left over"),
        ([LABELS, NUMBERS[:30]], r"y\[1\]"),
        ([LABELS + 1, NUMBERS], r"Label must be in \[0, 3\).*y\[0\]"),
        ([LABELS, NUMBERS[:, :1]], r"y\[1\] must have the shape"),
        ([LABELS, None], r"y\[1\]"),
        ({"classes": LABELS, "numbers": NUMBERS * np.nan}, r"y\['numbers'\] must be finite"),
    ],
)
def test_bad_targets(y, message):
    model = usual()
    for call in (
        lambda: model.fit(X, y, verbose=0),
        lambda: model.evaluate(X, y, verbose=0),
        lambda: model.train_on_batch(X, y),
    ):
        with unchanged_pair(model), pytest.raises((ValueError, TypeError), match=message):
            call()


def test_weights_by_output():
    w = np.random.default_rng(4).uniform(0, 2, (2, 40))
    expected = fitted(usual(), sample_weight=[w[0], w[1]])
    assert fitted(usual(), sample_weight={"numbers": w[1], "classes": w[0]}) == expected
    assert fitted(usual(), sample_weight=(w[0], w[1][:, None])) == expected
    for_all = fitted(usual(), sample_weight=w[0])
    assert for_all == fitted(usual(), sample_weight=[w[0], w[0]])
    assert for_all == fitted(usual(), sample_weight=w[0].tolist())
    only = fitted(usual(), sample_weight={"classes": w[0]})
    assert only == fitted(usual(), sample_weight=[w[0], None])
    of_ones = fitted(usual(), sample_weight=[w[0], np.ones(40)])
    assert all(only[name] == pytest.approx(values) for name, values in of_ones.items())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([np.ones(40)], "sample_weight must be a list of 2 arrays"),
        ([np.ones(40), np.ones(39)], r"sample_weight\[1\] must have the shape"),
        ([np.ones(40), -np.ones(40)], r"sample_weight\[1\] must not be negative"),
        ({"classes": np.ones(40), "more": np.ones(40)}, "sample_weight.*'more' left over"),
        (np.ones((40, 2)), r"sample_weight must have the shape \(samples,\)"),
        (np.ones(39), r"sample_weight must have the shape \(samples,\)"),
    ],
)
def test_bad_weights_by_output(weights, message):
    model = usual()
    with unchanged_pair(model), pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, Y, sample_weight=weights, verbose=0)


def test_class_weight_is_for_one_output():
    with pytest.raises(ValueError, match="class_weight is for models of one output"):
        usual().fit(X, Y, class_weight={0: 1.0}, verbose=0)


def test_sums_and_means_side_by_side():
    """The loss of a sum is that of a batch, and so depends on their size; that of a mean does not."""
    model = pair(loss=[SPARSE, losses.MeanSquaredError(reduction="sum")])
    small, large = (model.evaluate(X, Y, batch_size=size, verbose=0, return_dict=True) for size in (10, 40))
    assert small["classes_loss"] == pytest.approx(large["classes_loss"])
    assert 4 * small["numbers_loss"] == pytest.approx(large["numbers_loss"])
    p = model.predict(X, verbose=0)
    assert large["numbers_loss"] == pytest.approx(40 * losses.MeanSquaredError()(NUMBERS, p[1]), rel=1e-6)


def test_bars_show_all_outputs(capsys):
    model = usual(metrics=[["accuracy"], ["mae"]])
    model.fit(X, Y, verbose=2, validation_split=0.5)
    shown = capsys.readouterr().out
    for name in model.metrics_names:
        assert f" {name}: " in shown
        assert f" val_{name}: " in shown
