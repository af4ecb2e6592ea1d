"""Weights of samples, rows and classes, and labels that are ignored: what they mean, and what is refused."""

import numpy as np
import pytest
from helpers import THREADS, bits, make_data, make_model, unchanged

import pynn
from pynn import losses, metrics

ONES = np.ones(50)


def steps_model(loss="sparse_categorical_crossentropy", **more):
    """Of sequences of 4 steps of 5 numbers: 3 classes a step."""
    pynn.set_random_seed(3)
    given = pynn.Input((4, 5))
    model = pynn.Model(given, pynn.layers.Dense(3, activation="softmax")(given))
    model.compile("sgd", loss, **more)
    return model


def steps_data(rows=20):
    random = np.random.default_rng(5)
    return random.normal(size=(rows, 4, 5)).astype(np.float32), random.integers(0, 3, (rows, 4))


def trained(model, *data, **more):
    """Weights after some steps."""
    model.fit(*data, batch_size=16, epochs=2, verbose=0, **more)
    return bits(model)


# ---- what weights mean -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean_with_sample_weight", "sum"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_weight_of_whole_numbers_is_so_many_samples(reduction, optimizer):
    x, y = make_data()
    times = np.arange(50) % 4
    loss = losses.SparseCategoricalCrossentropy(reduction=reduction)
    pynn.config.set_floatx("float64")
    weighted = make_model(optimizer=optimizer, loss=loss)
    repeated = make_model(optimizer=optimizer, loss=loss)
    for _ in range(3):
        weighted.train_on_batch(x, y, times)
        repeated.train_on_batch(np.repeat(x, times, axis=0), np.repeat(y, times))
    for ours, theirs in zip(weighted.get_weights(), repeated.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


def test_weights_of_1_are_none():
    x, y = make_data()
    assert trained(make_model(), x, y, sample_weight=ONES) == trained(make_model(), x, y)
    assert make_model().evaluate(x, y, sample_weight=ONES, verbose=0) == pytest.approx(
        make_model().evaluate(x, y, verbose=0), rel=1e-12
    )


def test_weight_0_is_not_looked_at():
    x, y = make_data()
    other = y.copy()
    other[::2] = 2 - other[::2]
    weights = np.arange(50) % 2
    assert trained(make_model(), x, y, sample_weight=weights) == trained(make_model(), x, other, sample_weight=weights)


@pytest.mark.parametrize("weights", [ONES, ONES[:, None], ONES.tolist(), ONES.astype(int), ONES > 0, [ONES]])
def test_forms_of_sample_weight(weights):
    x, y = make_data()
    assert trained(make_model(), x, y, sample_weight=weights) == trained(make_model(), x, y)


def test_weights_of_samples_are_those_of_all_their_rows():
    x, y = steps_data()
    weights = np.random.default_rng(1).uniform(0, 2, 20)
    of_rows = np.repeat(weights[:, None], 4, axis=1)
    expected = trained(steps_model(), x, y, sample_weight=of_rows)
    assert trained(steps_model(), x, y, sample_weight=weights) == expected
    assert trained(steps_model(), x, y, sample_weight=of_rows[..., None]) == expected
    assert trained(steps_model(), x, y) != expected


@pytest.mark.parametrize("weighted", ["samples", "rows", "classes", "ignored"])
def test_threads_give_the_same_bits_with_weights(weighted):
    random = np.random.default_rng(1)
    x, y = random.normal(size=(300, 30, 5)).astype(np.float32), random.integers(0, 3, (300, 30))
    more = {
        "samples": {"sample_weight": random.uniform(0, 2, 300)},
        "rows": {"sample_weight": random.uniform(0, 2, (300, 30))},
        "classes": {"class_weight": "balanced"},
        "ignored": {},
    }[weighted]
    found = []
    for threads in THREADS:
        pynn.set_random_seed(3)
        given = pynn.Input((30, 5))
        hidden = pynn.layers.Dense(64, activation="tanh")(given)
        model = pynn.Model(given, pynn.layers.Dense(3, activation="softmax")(hidden))
        loss = losses.SparseCategoricalCrossentropy(ignore_class=1 if weighted == "ignored" else None)
        model.compile("adam", loss, metrics=["accuracy"], weighted_metrics=["accuracy"])
        pynn.config.set_num_threads(threads)
        logs = model.fit(x, y, batch_size=280, epochs=2, verbose=0, **more).history
        more.pop("class_weight", None)
        evaluated = model.evaluate(x, y, verbose=0, **more)
        more |= {"class_weight": "balanced"} if weighted == "classes" else {}
        found.append((bits(model), logs, evaluated))
    assert all(each == found[0] for each in found)


def test_validation_has_its_own_weights():
    x, y = make_data()
    weights = np.random.default_rng(1).uniform(0, 2, 50)
    model = make_model(metrics=())
    data = (x[40:], y[40:], weights[40:])
    history = model.fit(x[:40], y[:40], sample_weight=weights[:40], validation_data=data, verbose=0).history
    assert history["val_loss"][0] == model.evaluate(*data[:2], sample_weight=data[2], verbose=0)
    split = make_model(metrics=())
    again = split.fit(x, y, sample_weight=weights, validation_split=0.2, verbose=0).history
    assert again == history
    assert bits(split) == bits(model)


# ---- weights of classes ----------------------------------------------------------------------------------------------

OF_CLASS = {0: 0.5, 1: 2.0, 2: 3.0}


def test_class_weight_is_the_weight_of_each_sample():
    x, y = make_data()
    weights = np.array([OF_CLASS[label] for label in y])
    expected = trained(make_model(), x, y, sample_weight=weights)
    assert trained(make_model(), x, y, class_weight=OF_CLASS) == expected
    one_hot = make_model(loss="categorical_crossentropy", metrics=())
    as_rows = make_model(loss="categorical_crossentropy", metrics=())
    of_rows = trained(as_rows, x, pynn.utils.to_categorical(y), sample_weight=weights)
    assert trained(one_hot, x, pynn.utils.to_categorical(y), class_weight=OF_CLASS) == of_rows
    # Together they multiply.
    factor = 2.0 ** (np.arange(50) % 4)
    both = trained(make_model(), x, y, class_weight=OF_CLASS, sample_weight=factor)
    assert both == trained(make_model(), x, y, sample_weight=weights * factor)


def test_class_weight_of_binary_targets():
    x, y = make_data(classes=2)

    def model():
        pynn.set_random_seed(3)
        made = pynn.Sequential([pynn.Input((5,)), pynn.layers.Dense(1, activation="sigmoid")])
        made.compile("sgd", "binary_crossentropy")
        return made

    weights = np.where(y == 1, 3.0, 0.5)
    expected = trained(model(), x, y, sample_weight=weights)
    assert trained(model(), x, y.astype(float)[:, None], class_weight={0: 0.5, 1: 3.0}) == expected


def test_class_weight_balanced():
    """As scikit-learn's: samples / (classes * samples of the class), of what is trained on."""
    x, y = make_data()
    counts = np.bincount(y[:40])
    table = {label: 40 / (3 * count) for label, count in enumerate(counts)}
    model, other = make_model(), make_model()
    history = model.fit(x, y, class_weight="balanced", validation_split=0.2, verbose=0).history
    assert other.fit(x, y, class_weight=table, validation_split=0.2, verbose=0).history == history
    assert bits(model) == bits(other)
    # Weights of classes are not for validation.
    assert history["val_loss"][0] == model.evaluate(x[40:], y[40:], verbose=0)[0]


def test_class_weight_of_steps():
    """A class for each row: a weight for each."""
    x, y = steps_data()
    weights = np.array([0.5, 2.0, 3.0])[y]
    expected = trained(steps_model(), x, y, sample_weight=weights)
    assert trained(steps_model(), x, y, class_weight=OF_CLASS) == expected


def test_class_weight_of_pixels():
    """3 images of 2x2, a quarter of them of the class with weight 5: the loss of p = 1/2 is 2 log 2."""
    y = np.zeros((3, 2, 2, 1))
    y[:, 0, 0] = 1
    given = pynn.Input((2, 2, 1))
    model = pynn.Model(
        given, pynn.layers.Conv2D(1, 1, activation="sigmoid", kernel_initializer="zeros", use_bias=False)(given)
    )
    model.compile("sgd", "binary_crossentropy")
    loss = model.train_on_batch(np.ones((3, 2, 2, 1)), y, class_weight={0: 1.0, 1: 5.0})
    assert loss == pytest.approx(2 * np.log(2))


def test_class_weight_leaves_ignored_rows_out():
    x, y = steps_data()
    y[:, 0] = -1
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    counts = np.bincount(y[y >= 0])
    table = {label: counts.sum() / (3 * count) for label, count in enumerate(counts)}
    expected = trained(steps_model(loss), x, y, class_weight=table)
    assert trained(steps_model(loss), x, y, class_weight="balanced") == expected


# ---- ignored labels --------------------------------------------------------------------------------------------------


def test_ignored_labels_of_a_batch():
    """The mean over the rows that are kept, and 0 for none, also where the network is not sure of anything."""
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    p = np.array([[0.5, 0.25, 0.25]] * 4)
    assert loss([0, -1, 2, -1], p) == pytest.approx(-np.log([0.5, 0.25]).mean())
    assert loss([-1] * 4, p) == 0
    x, _ = make_data()
    model = make_model(loss=loss)
    with unchanged(model):
        assert model.train_on_batch(x, np.full(50, -1)) == [0, 0]
        assert model.evaluate(x, np.full(50, -1), verbose=0) == [0, 0]


def test_ignored_rows_are_as_if_they_were_not_there():
    x, y = make_data()
    y[::3] = 255
    kept = y != 255
    loss = losses.SparseCategoricalCrossentropy(ignore_class=255)
    model, other = make_model(loss=loss), make_model()
    assert model.train_on_batch(x, y) == pytest.approx(other.train_on_batch(x[kept], y[kept]), rel=1e-6)
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_ignored_labels_in_metrics():
    ignoring = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    p = np.array([[0.5, 0.25, 0.25]] * 4)
    metric = metrics.MeanLoss(ignoring)
    metric.update_state([0, -1, 2, -1], p, sample_weight=[1, 5, 3, 5])
    assert metric.result() == pytest.approx(-(np.log(0.5) + 3 * np.log(0.25)) / 4)
    with pytest.raises(ValueError, match="ignore_class"):
        make_model(metrics=[metrics.MeanLoss(ignoring)])
    x, y = make_data()
    y[::3] = -1
    model = make_model(loss=ignoring, metrics=["accuracy", metrics.MeanLoss(ignoring, "again")])
    logs = model.evaluate(x, y, batch_size=50, verbose=0, return_dict=True)
    assert logs["again"] == pytest.approx(logs["loss"], rel=1e-6)
    kept = y != -1
    assert logs["accuracy"] == pytest.approx((model.predict(x, verbose=0).argmax(1)[kept] == y[kept]).mean())


def test_ignore_class_is_a_setting():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    assert loss.get_config()["ignore_class"] == -1
    assert losses.get(losses.serialize(loss)).ignore_class == -1
    with pytest.raises(ValueError, match=r"Label must be in \[0, 3\), but found -2"):
        loss([-2, -1], np.ones((2, 3)))


# ---- sums of weights -------------------------------------------------------------------------------------------------


def test_weight_sums_that_are_0():
    """Errors 0, 4, 4 with the weights .1, 0, .1; and of nothing everything is 0."""
    y, p, weights = np.zeros((3, 1)), np.array([[0.0], [2.0], [2.0]]), np.array([0.1, 0.0, 0.1])
    given = pynn.Input((1,))
    model = pynn.Model(given, pynn.layers.Dense(1, kernel_initializer="ones")(given))
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    assert model.evaluate(p, y, sample_weight=weights, verbose=0) == pytest.approx([0.4 / 3, 4 / 3, 2.0])
    assert losses.MeanSquaredError()(y, p, weights) == pytest.approx(0.4 / 3)
    for reduction in ("mean", "sum", "mean_with_sample_weight"):
        assert losses.MeanSquaredError(reduction)(y, p, np.zeros(3)) == 0
        model.compile("sgd", losses.MeanSquaredError(reduction), weighted_metrics=["mse"])
        with unchanged(model):
            assert model.train_on_batch(p, y, np.zeros(3)) == [0, 0]


def test_a_step_that_fails_says_so_with_weights():
    """Its loss is in the logs; metrics have seen nothing."""
    x, y = make_data()
    model = make_model(loss=losses.SparseCategoricalCrossentropy(reduction="sum"))
    with pytest.warns(RuntimeWarning, match="not finite"), unchanged(model):
        logs = model.train_on_batch(x, y, np.full(50, 3.4e38), return_dict=True)
    assert not np.isfinite(logs["loss"])
    assert np.isnan(logs["accuracy"])


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(49), r"sample_weight must have the shape \(samples,\).*50.*has \(49,\)"),
        (np.ones((50, 3)), "sample_weight must have the shape"),
        (np.ones((50, 1, 1)), "sample_weight must have the shape"),
        (1.0, "sample_weight must have the shape"),
        (-ONES, "sample_weight must not be negative, but is -1.0 at row 0"),
        (ONES * np.nan, "sample_weight must be finite"),
        (ONES * np.inf, "sample_weight must be finite"),
        (ONES * 1e300, "too large for float32"),
        (["a"] * 50, "sample_weight must be an array of numbers"),
        (ONES * 1j, "real"),
        ({"other": ONES}, "sample_weight.*'other' left over"),
        ([[1.0, 2.0], [3.0]], "sample_weight is ragged"),
    ],
)
def test_bad_sample_weight(weights, message):
    x, y = make_data()
    model = make_model()
    calls = (
        lambda: model.fit(x, y, sample_weight=weights, verbose=0),
        lambda: model.evaluate(x, y, sample_weight=weights, verbose=0),
        lambda: model.train_on_batch(x, y, weights),
        lambda: model.test_on_batch(x, y, weights),
        lambda: model.fit(x, y, validation_data=(x, y, weights), verbose=0),
    )
    for call in calls:
        with unchanged(model), pytest.raises((ValueError, TypeError), match=message):
            call()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"0": 1.0, "1": 1.0, "2": 1.0}, "class_weight must have class labels.*'0' of type str"),
        ({0: 1.0, 1: 1.0}, "class_weight must have a weight for each class in y, but has none for 2"),
        ({0: 1.0, 1: 1.0, 2: -1.0}, r"class_weight\[2\]"),
        ({0: 1.0, 1: 1.0, 2: float("nan")}, r"class_weight\[2\]"),
        ({0: 1.0, 1: 1.0, 2: "1"}, r"class_weight\[2\]"),
        ({0.5: 1.0}, "class_weight must have class labels"),
        ({True: 1.0}, "class_weight must have class labels"),
        ({}, "none for 0, 1, 2"),
        ("even", "class_weight must be a dict"),
        ([1.0, 1.0, 1.0], "class_weight must be a dict"),
    ],
)
def test_bad_class_weight(weights, message):
    x, y = make_data()
    model = make_model()
    for call in (
        lambda: model.fit(x, y, class_weight=weights, verbose=0),
        lambda: model.train_on_batch(x, y, class_weight=weights),
    ):
        with unchanged(model), pytest.raises((ValueError, TypeError), match=message):
            call()


def test_class_weight_of_smoothed_rows():
    """The most likely class counts, as in Keras."""
    x, y = make_data()
    shares = np.eye(3)[y] * 0.9 + 0.1 / 3
    weights = {0: 1.0, 1: 2.0, 2: 0.5}
    given, expected = (make_model(loss="categorical_crossentropy", metrics=()) for _ in range(2))
    given.fit(x, shares, class_weight=weights, verbose=0)
    expected.fit(x, shares, sample_weight=np.array([weights[each] for each in y]), verbose=0)
    assert bits(given) == bits(expected)


def test_class_weight_of_what_is_no_class():
    x, _ = make_data()
    model = make_model(loss="mse", metrics=())
    for targets in (np.full((50, 3), 0.5), np.ones((50, 3)), np.zeros((50, 3)), np.full((50, 3), [2, -1, 0])):
        with unchanged(model), pytest.raises(ValueError, match="class_weight is for targets that are classes"):
            model.fit(x, targets, class_weight={0: 1.0, 1: 1.0, 2: 1.0}, verbose=0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1.0, -1.0], "negative"), ([1.0, np.nan], "finite"), ([1.0, 2.0, 3.0], "shape"), (["a", "b"], "numbers")],
)
def test_bad_weights_of_direct_calls(weights, message):
    y, p = np.zeros((2, 3)), np.ones((2, 3))
    for function in (losses.MeanSquaredError(), metrics.MeanSquaredError()):
        with pytest.raises((ValueError, TypeError), match=f"sample_weight.*{message}"):
            function(y, p, sample_weight=weights)
