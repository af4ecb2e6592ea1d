"""Penalties for weights and outputs: formulas, the loss that is reported, and training against plain NumPy."""

import json

import numpy as np
import pytest
from helpers import THREADS, bits, close_gradient
from reference import central_difference, dense_backward, dense_forward, sigmoid, tanh
from reference_losses import loss_rows
from reference_optimizers import start_slots, update
from tiers import DTYPES_OF_TEAMS

import pynn
from pynn import layers, optimizers, regularizers

SHAPES = [(5, 6), (6,), (6, 3), (3,)]
# (l1, l2) for the kernel, the bias and the output of each layer of the model below
FACTORS = [((0.02, 0.0), (0.0, 0.05), (0.0, 0.03)), ((0.01, 0.04), (0.0, 0.0), (0.02, 0.01))]


def penalty(w, factors):
    return factors[0] * np.sum(np.abs(w)) + factors[1] * np.sum(w**2)


def slope(w, factors):
    return factors[0] * np.sign(w) + 2 * factors[1] * w


def make_model(weights, optimizer="sgd", loss="mean_squared_error", dtype="float64", factors=FACTORS):
    def dense(units, activation, each):
        kernel, bias, output = (regularizers.L1L2(*f) if any(f) else None for f in each)
        return layers.Dense(
            units,
            activation,
            kernel_regularizer=kernel,
            bias_regularizer=bias,
            activity_regularizer=output,
            dtype=dtype,
        )

    model = pynn.Sequential([pynn.Input((5,)), dense(6, "tanh", factors[0]), dense(3, "sigmoid", factors[1])])
    model.set_weights(weights)
    model.compile(optimizer, loss)
    return model


def make_data(random, rows=11):
    return random.normal(size=(rows, 5)), random.uniform(size=(rows, 3)), [random.normal(0, 0.7, s) for s in SHAPES]


def loss_and_gradients(weights, x, y, trainable=(True, True), factors=FACTORS):
    """Of a batch: mean squared error, the penalties of the trainable weights, and those of outputs over the samples."""
    w1, b1, w2, b2 = weights
    hidden, hidden_slope = tanh(dense_forward(x, w1, b1))
    out, out_slope = sigmoid(dense_forward(hidden, w2, b2))
    rows, dy = loss_rows("mean_squared_error", y, out)
    loss = rows.mean() + (penalty(hidden, factors[0][2]) + penalty(out, factors[1][2])) / len(x)
    dy = (dy + slope(out, factors[1][2])) / len(x)
    dh, dw2, db2 = dense_backward(dy * out_slope, hidden, w2)
    _, dw1, db1 = dense_backward((dh + slope(hidden, factors[0][2]) / len(x)) * hidden_slope, x, w1)
    gradients = [dw1, db1, dw2, db2]
    for i, w in enumerate(weights):
        if trainable[i // 2]:
            loss += penalty(w, factors[i // 2][i % 2])
            gradients[i] = gradients[i] + slope(w, factors[i // 2][i % 2])
        else:
            gradients[i] = np.zeros_like(w)
    return loss, gradients


def check_gradient(model, x, y, start, after):
    """The step of learning rate 1 from `start` to `after` against central differences of the loss that is reported."""
    for i, w in enumerate(start):

        def value(shifted, i=i):
            model.set_weights([*start[:i], shifted, *start[i + 1 :]])
            return model.test_on_batch(x, y)

        assert close_gradient(central_difference(value, w), w - after[i]).all()


# ---- objects ---------------------------------------------------------------------------------------------------------


def test_regularizer_values(random):
    x = random.normal(size=(3, 4, 2))
    assert regularizers.L1(0.3)(x) == pytest.approx(0.3 * np.abs(x).sum(), rel=1e-14)
    assert regularizers.L2(0.3)(x) == pytest.approx(0.3 * (x**2).sum(), rel=1e-14)
    assert regularizers.l1_l2(l1=0.1, l2=0.2)(x) == pytest.approx(penalty(x, (0.1, 0.2)), rel=1e-14)
    assert regularizers.l1()([[1.0, -2.0]]) == pytest.approx(0.03)
    assert regularizers.l2()(np.array([1, -2])) == pytest.approx(0.05)
    assert isinstance(regularizers.L2()(x.astype(np.float32)), float)
    assert regularizers.L1()([np.inf, 1.0]) == regularizers.L2()([np.inf, 1.0]) == np.inf


def test_regularizer_is_shown_by_what_it_was_made_of():
    assert repr(regularizers.L1()) == "L1()"
    assert repr(regularizers.L1L2(l2=0.5)) == "L1L2(l2=0.5)"


@pytest.mark.parametrize(
    ("identifier", "kind", "config"),
    [
        ("l1", regularizers.L1, {"l1": 0.01}),
        ("L1", regularizers.L1, {"l1": 0.01}),
        ("l2", regularizers.L2, {"l2": 0.01}),
        ("L2", regularizers.L2, {"l2": 0.01}),
        ("l1l2", regularizers.L1L2, {"l1": 0.0, "l2": 0.0}),
        ("L1L2", regularizers.L1L2, {"l1": 0.0, "l2": 0.0}),
        (regularizers.L2, regularizers.L2, {"l2": 0.01}),
        (regularizers.l1(0.5), regularizers.L1, {"l1": 0.5}),
        ({"class_name": "L1L2", "config": {"l1": 0.5, "l2": 2}}, regularizers.L1L2, {"l1": 0.5, "l2": 2.0}),
    ],
    ids=str,
)
def test_regularizer_get(identifier, kind, config):
    found = regularizers.get(identifier)
    assert type(found) is kind
    assert found.get_config() == config
    text = json.dumps(regularizers.serialize(found))
    assert regularizers.deserialize(json.loads(text)).get_config() == config


def test_regularizer_none():
    assert regularizers.get(None) is None
    assert regularizers.serialize(None) is None
    assert regularizers.deserialize(None) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: regularizers.L1(-0.1), "l1"),
        (lambda: regularizers.L2(float("nan")), "l2"),
        (lambda: regularizers.L1L2(l2=float("inf")), "l2"),
        (lambda: regularizers.L1L2(l1="much"), "l1"),
        (lambda: regularizers.L2(None), "l2"),
        (lambda: regularizers.get("l3"), "l2"),
        (lambda: regularizers.get("l1_l2"), "Known names"),
        (lambda: regularizers.get(0.01), "regularizer"),
        (lambda: regularizers.get(lambda w: 0.0), "regularizer"),
        (lambda: type("Own", (regularizers.Regularizer,), {}), "Own.*regularizers of your own.*pynn.regularizers"),
        (lambda: type("Own", (regularizers.L2,), {}), "Own.*regularizers of your own"),
        (lambda: regularizers.Regularizer(), "regularizers of your own"),
        (lambda: regularizers.get("OrthogonalRegularizer"), "of Keras yet"),
        (lambda: layers.Dense(3, bias_regularizer=abs), "bias_regularizer.*regularizers of your own"),
        (lambda: regularizers.L1(l2=0.1), r"L1\(\) has no argument 'l2'. It has: l1"),
        (lambda: layers.Dense(3, kernel_regularizer="l3"), "kernel_regularizer"),
        (lambda: layers.Dense(3, bias_regularizer=0.1), "bias_regularizer"),
        (lambda: layers.Conv2D(3, 2, activity_regularizer=[]), "activity_regularizer"),
    ],
)
def test_regularizer_bad_argument_names_it(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_regularizer_arguments_stand_where_keras_has_them():
    layer = layers.Dense(3, None, True, "zeros", "zeros", "l1", "l2", "L1L2", "non_neg", "unit_norm")
    config = layer.get_config()
    kinds = [config[f"{name}_regularizer"]["class_name"] for name in ("kernel", "bias", "activity")]
    assert kinds == ["L1", "L2", "L1L2"]
    assert config["kernel_constraint"]["class_name"] == "NonNeg"
    assert config["bias_constraint"]["class_name"] == "UnitNorm"
    for plain in (layers.Dense(3), layers.Conv1D(3, 2), layers.Conv2D(3, 2)):
        assert all(plain.get_config()[f"{name}_regularizer"] is None for name in ("kernel", "bias", "activity"))


def test_regularizer_in_the_configuration_of_a_model(random):
    x, y, weights = make_data(random)
    model = make_model(weights)
    twin = pynn.models.model_from_json(model.to_json())
    twin.set_weights(weights)
    twin.compile("sgd", "mean_squared_error")
    assert twin.test_on_batch(x, y) == model.test_on_batch(x, y)


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("SGD", {"learning_rate": 0.1}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
        ("SGD", {"learning_rate": 0.1, "clipnorm": 0.05}),
        ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.05}),
        ("SGD", {"learning_rate": 0.1, "clipvalue": 0.02}),
        ("Adam", {"learning_rate": 0.01}),
        ("Adam", {"learning_rate": 0.01, "weight_decay": 0.1, "clipnorm": 0.05}),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_regularizer_trajectory(name, config, dtype, random):
    x, y, weights = make_data(random)
    weights = [w.astype(np.float32).astype(np.float64) for w in weights]
    model = make_model(weights, getattr(optimizers, name)(**config), dtype=dtype)
    history = model.fit(x, y, batch_size=11, epochs=6, shuffle=False, verbose=0).history["loss"]
    slots = [start_slots(name.lower(), config, w) for w in weights]
    losses, expected = [], weights
    for t in range(1, 7):
        loss, gradients = loss_and_gradients(expected, x, y)
        losses.append(loss)
        expected = update(name.lower(), expected, gradients, slots, t, **config)
    rtol, atol = (1e-9, 1e-13) if dtype == "float64" else (1e-3, 1e-5)
    np.testing.assert_allclose(history, losses, rtol=1e-12 if dtype == "float64" else 1e-5)
    for got, after, before in zip(model.get_weights(), expected, weights, strict=True):
        np.testing.assert_allclose(got - before, after - before, rtol=rtol, atol=atol)


def test_regularizer_losses_that_are_reported(random):
    """An epoch's loss is the mean over the samples of their batch's; batches of 4, 4 and 3."""
    x, y, weights = make_data(random)
    model = make_model(weights, optimizers.SGD(0.1))
    for size in (1, 4, 11, "full"):
        assert model.evaluate(x, y, batch_size=size, verbose=0) == pytest.approx(
            loss_and_gradients(weights, x, y)[0], rel=1e-13
        )
    assert model.test_on_batch(x, y) == pytest.approx(loss_and_gradients(weights, x, y)[0], rel=1e-13)
    history = model.fit(x, y, batch_size=4, shuffle=False, verbose=0, validation_data=(x[:5], y[:5])).history
    total, now = 0.0, weights
    for begin in (0, 4, 8):
        part = slice(begin, begin + 4)
        loss, gradients = loss_and_gradients(now, x[part], y[part])
        total += loss * len(x[part])
        now = [w - 0.1 * g for w, g in zip(now, gradients, strict=True)]
    assert history["loss"] == [pytest.approx(total / 11, rel=1e-12)]
    assert history["val_loss"] == [pytest.approx(loss_and_gradients(now, x[:5], y[:5])[0], rel=1e-12)]
    assert model.train_on_batch(x[:3], y[:3]) == pytest.approx(loss_and_gradients(now, x[:3], y[:3])[0], rel=1e-12)


def test_regularizer_with_a_summed_loss(random):
    """The penalty of a batch's output is divided by its samples, even where the loss is not."""
    x, y, weights = make_data(random)
    model = make_model(weights, optimizers.SGD(0.1), pynn.losses.MeanSquaredError(reduction="sum"))
    plain = make_model(weights, "sgd", pynn.losses.MeanSquaredError(reduction="sum"), factors=[((0, 0),) * 3] * 2)
    extra = loss_and_gradients(weights, x, y)[0] - loss_and_gradients(weights, x, y, factors=[((0, 0),) * 3] * 2)[0]
    assert model.test_on_batch(x, y) == pytest.approx(plain.test_on_batch(x, y) + extra, rel=1e-12)
    assert model.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(
        plain.evaluate(x, y, batch_size=4, verbose=0) + extra, rel=1e-12
    )
    assert model.train_on_batch(x, y) == pytest.approx(plain.train_on_batch(x, y) + extra, rel=1e-12)


@pytest.mark.parametrize("rows", [1, 11, 300, 600])
def test_regularizer_gradient_of_batches_of_any_size(rows, random):
    """Large batches go through in slices; the penalties count once."""
    x, y, weights = make_data(random, rows)
    model = make_model(weights, optimizers.SGD(1.0))
    loss, gradients = loss_and_gradients(weights, x, y)
    assert model.train_on_batch(x, y) == pytest.approx(loss, rel=1e-12)
    for got, before, gradient in zip(model.get_weights(), weights, gradients, strict=True):
        np.testing.assert_allclose(before - got, gradient, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("last", "loss"),
    [("softmax", "categorical_crossentropy"), ("sigmoid", "binary_crossentropy"), ("linear", "mean_squared_error")],
)
def test_regularizer_of_the_last_output(last, loss, random):
    """Its gradient passes the last activation, although the loss alone would be computed from what is below that."""
    x, y = random.normal(size=(7, 5)), np.eye(3)[random.integers(0, 3, 7)]
    model = pynn.Sequential(
        [
            pynn.Input((5,)),
            layers.Dense(4, "relu", activity_regularizer="l1", dtype="float64"),
            layers.Dense(3, last, activity_regularizer=regularizers.L1L2(0.1, 0.2)),
        ]
    )
    model.compile(optimizers.SGD(1.0), loss)
    start = model.get_weights()
    out = model.predict(x, verbose=0)
    plain = pynn.Sequential([pynn.Input((5,)), layers.Dense(4, "relu", dtype="float64"), layers.Dense(3, last)])
    plain.set_weights(start)
    plain.compile("sgd", loss)
    inner = np.maximum(x @ start[0] + start[1], 0)
    extra = (penalty(inner, (0.01, 0)) + penalty(out, (0.1, 0.2))) / 7
    assert model.test_on_batch(x, y) == pytest.approx(plain.test_on_batch(x, y) + extra, rel=1e-7)
    model.train_on_batch(x, y)
    check_gradient(model, x, y, start, model.get_weights())


def test_regularizer_of_outputs_that_an_activation_layer_follows(random):
    """The engine neither joins the two nor loses the output; the last one is what the loss is computed from."""
    x, y = random.normal(size=(5, 5, 5, 1)), np.eye(3)[random.integers(0, 3, 5)]
    model = pynn.Sequential(
        [
            pynn.Input((5, 5, 1)),
            layers.Conv2D(2, 2, activity_regularizer="l2", dtype="float64"),
            layers.ReLU(),
            layers.Conv2D(2, 2),
            layers.Flatten(),
            layers.Dense(3, activity_regularizer=regularizers.L2(0.2)),
            layers.Softmax(),
        ]
    )
    model.compile(optimizers.SGD(1.0), "categorical_crossentropy")
    start = model.get_weights()
    inner = pynn.Sequential([pynn.Input((5, 5, 1)), layers.Conv2D(2, 2, dtype="float64")])
    inner.set_weights(start[:2])
    maps = inner(x)
    for layer in (layers.ReLU(), layers.Conv2D(2, 2), layers.Flatten(), layers.Dense(3)):
        inner.add(layer)
    inner.set_weights(start)
    logits = inner(x)
    entropy = -np.log(model.predict(x, verbose=0)[y == 1]).mean()
    expected = entropy + (penalty(maps, (0, 0.01)) + penalty(logits, (0, 0.2))) / 5
    assert model.test_on_batch(x, y) == pytest.approx(expected, rel=1e-12)
    model.train_on_batch(x, y)
    check_gradient(model, x, y, start, model.get_weights())


def test_regularizer_l1_leaves_zeros_alone():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, kernel_regularizer=regularizers.L1(0.5))])
    model.compile(optimizers.SGD(1.0), "mean_squared_error")
    kernel = np.array([[0.0, 2.0], [-2.0, 0.0], [0.0, -0.0]])
    model.set_weights([kernel, np.zeros(2)])
    model.train_on_batch(np.zeros((4, 3)), np.zeros((4, 2)))
    np.testing.assert_array_equal(model.get_weights()[0], [[0.0, 1.5], [-1.5, 0.0], [0.0, 0.0]])


def test_regularizer_of_weights_that_are_not_trainable(random):
    """They have no penalty, as in Keras; that of the output stays."""
    x, y, weights = make_data(random)
    model = make_model(weights, optimizers.SGD(0.1))
    full, frozen = (loss_and_gradients(weights, x, y, (first, True))[0] for first in (True, False))
    assert full > frozen + 0.1
    assert model.test_on_batch(x, y) == pytest.approx(full, rel=1e-13)
    model.layers[0].trainable = False
    assert model.test_on_batch(x, y) == pytest.approx(frozen, rel=1e-13)
    loss, gradients = loss_and_gradients(weights, x, y, (False, True))
    assert model.train_on_batch(x, y) == pytest.approx(loss, rel=1e-13)
    for got, before, gradient in zip(model.get_weights(), weights, gradients, strict=True):
        np.testing.assert_allclose(before - got, 0.1 * gradient, rtol=1e-10, atol=1e-14)
    model.layers[0].trainable = True
    assert model.test_on_batch(x, y) == pytest.approx(loss_and_gradients(model.get_weights(), x, y)[0], rel=1e-13)


def test_regularizer_penalty_that_is_not_finite_ends_training(random):
    x, y, weights = make_data(random)
    weights[2][0, 0] = 1e200  # whose square is infinite
    model = make_model(weights)
    before = bits(model)
    with pytest.warns(RuntimeWarning, match="not finite"):
        assert model.fit(x, y, verbose=0).history["loss"] == [np.inf]
    assert bits(model) == before


def test_regularizer_of_factor_0_changes_nothing(random):
    x, y = random.normal(size=(11, 5)), random.normal(size=(11, 6))
    seen = set()
    for zero in (regularizers.L1L2(), None):
        pynn.set_random_seed(2)
        layer = layers.Dense(6, "tanh", kernel_regularizer=zero, activity_regularizer=zero)
        model = pynn.Sequential([pynn.Input((5,)), layer])
        model.compile("adam", "mean_squared_error")
        history = model.fit(x, y, epochs=3, shuffle=False, verbose=0).history
        seen.add((bits(model), str(history), model.evaluate(x, y, verbose=0)))
    assert len(seen) == 1


# ---- slopes: added by the optimizer, or before, where the norms of gradients count -----------------------------------


def trained_with(penalties, optimizer, settings, dtype, batch_size, threads):
    pynn.config.set_num_threads(threads)
    random = np.random.default_rng(6)
    x, y = random.normal(size=(90, 37)), random.integers(0, 5, 90)
    x[:, ::3] = 0  # plain gradient descent passes over such inputs
    model = pynn.Sequential(
        [
            pynn.Input((37,)),
            layers.Dense(33, "tanh", kernel_regularizer=penalties, bias_regularizer=penalties, dtype=dtype),
            layers.Dense(19, "relu", dtype=dtype),
            layers.Dense(5, "softmax", kernel_regularizer=penalties, dtype=dtype),
        ]
    )
    model.compile(getattr(optimizers, optimizer)(learning_rate=0.01, **settings), "sparse_categorical_crossentropy")
    model.set_weights([np.random.default_rng(7).normal(size=w.shape) / 5 for w in model.get_weights()])
    loss = model.fit(x, y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0).history["loss"]
    return bits(model), str(loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "penalty", [regularizers.L2(0.01), regularizers.L2(0.5, by_rows=True), regularizers.L1L2(0.002, 0.01)], ids=repr
)
@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        ("SGD", {}),
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("Adam", {"weight_decay": 0.02}),
        ("Nadam", {}),
        ("Lion", {}),
    ],
    ids=str,
)
def test_regularizer_slopes_come_to_the_same_wherever_they_are_added(optimizer, settings, penalty, dtype):
    for batch_size in (1, 32):
        seen = {
            trained_with(penalty, optimizer, settings | norms, dtype, batch_size, threads)
            for norms in ({}, {"global_clipnorm": 1e30})
            for threads in THREADS
        }
        assert len(seen) == 1


def test_regularizer_moves_weights_of_inputs_that_are_0():
    model = pynn.Sequential([pynn.Input((6,)), layers.Dense(40, kernel_regularizer=regularizers.L2(0.2))])
    model.compile(optimizers.SGD(0.1), "mean_squared_error")
    before = model.get_weights()[0]
    x = np.zeros((1, 6), np.float32)
    x[0, 4] = 1
    model.fit(x, np.ones((1, 40), np.float32), verbose=0)
    kept = [0, 1, 2, 3, 5]
    np.testing.assert_allclose(model.get_weights()[0][kept], before[kept] * (1 - 0.1 * 2 * 0.2), rtol=1e-6)


# ---- threads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES_OF_TEAMS)
@pytest.mark.parametrize("optimizer", [("Adam", {}), ("SGD", {"learning_rate": 0.02, "clipnorm": 0.5})], ids=str)
@pytest.mark.parametrize("batch_size", [40, 300])
def test_regularizer_threads(dtype, optimizer, batch_size, random):
    x, y = random.normal(size=(400, 300)), random.integers(0, 10, 400)
    both = regularizers.L1L2(0.001, 0.002)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(8)
        model = pynn.Sequential(
            [
                pynn.Input((300,)),
                layers.Dense(400, "relu", kernel_regularizer=both, activity_regularizer=both, dtype=dtype),
                layers.Reshape((10, 10, 4)),
                layers.Conv2D(9, 3, activation="relu", kernel_regularizer="l1", activity_regularizer="l2"),
                layers.Flatten(),
                layers.Dense(10, "softmax", bias_regularizer="l2", activity_regularizer="l1"),
            ]
        )
        model.compile(getattr(optimizers, optimizer[0])(**optimizer[1]), "sparse_categorical_crossentropy")
        history = model.fit(x, y, batch_size=batch_size, epochs=2, validation_split=0.2, verbose=0).history
        seen.add((bits(model), str(history), model.evaluate(x, y, verbose=0)))
    assert len(seen) == 1


# ---- penalties by rows -----------------------------------------------------------------------------------------------


def by_rows_model(l2, dtype="float64", optimizer="sgd"):
    make = regularizers.L2(l2, by_rows=True) if l2 else None
    model = pynn.Sequential(
        [pynn.Input((5,)), layers.Dense(3, "tanh", kernel_regularizer=make, dtype=dtype), layers.Dense(2, dtype=dtype)]
    )
    model.compile(optimizer, pynn.losses.SumSquaredError("mean_with_sample_weight"))
    return model


@pytest.mark.parametrize("weighted", [False, True])
def test_penalty_by_rows_is_divided_by_what_the_batch_counts_for(weighted):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(11, 5)), random.normal(size=(11, 2))
    weights = random.uniform(0, 3, 11) if weighted else None
    total = 11 if weights is None else weights.sum()
    model, plain = by_rows_model(0.3), by_rows_model(0)
    plain.set_weights(model.get_weights())
    kernel = model.get_weights()[0]
    loss, gradients = model.gradients(x, y, weights)
    bare_loss, bare = plain.gradients(x, y, weights)
    np.testing.assert_allclose(loss, bare_loss + 0.3 * np.sum(kernel**2) / total, rtol=1e-13)
    np.testing.assert_allclose(gradients[0], bare[0] + 2 * 0.3 * kernel / total, rtol=1e-12)
    np.testing.assert_array_equal(gradients[1], bare[1])
    # The same in a step, in its loss, and in an evaluation
    expected = [w - 0.01 * g for w, g in zip(model.get_weights(), gradients, strict=True)]
    np.testing.assert_allclose(model.evaluate(x, y, "full", 0, weights), loss, rtol=1e-13)
    np.testing.assert_allclose(model.train_on_batch(x, y, weights), loss, rtol=1e-13)
    for own, other in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12)


def test_penalty_by_rows_of_batches_that_differ_in_size():
    random = np.random.default_rng(1)
    x, y = random.normal(size=(11, 5)), random.normal(size=(11, 2))
    model, by_hand = by_rows_model(0.3), by_rows_model(0.3)
    by_hand.set_weights(model.get_weights())
    losses = [by_hand.train_on_batch(x[part], y[part]) for part in (slice(0, 4), slice(4, 8), slice(8, 11))]
    history = model.fit(x, y, 4, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], np.dot(losses, [4, 4, 3]) / 11, rtol=1e-13)
    for own, other in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    kernel = model.get_weights()[0]
    bare = by_rows_model(0)
    bare.set_weights(model.get_weights())
    for size in (4, 11):  # of an evaluation, which cuts as suits it
        value = model.evaluate(x, y, size, 0) - bare.evaluate(x, y, size, 0)
        np.testing.assert_allclose(value, 0.3 * np.sum(kernel**2) / 11, rtol=1e-10)


def test_penalty_by_rows_is_kept_in_a_configuration():
    penalty = regularizers.L2(0.2, by_rows=True)
    again = regularizers.get(json.loads(json.dumps(regularizers.serialize(penalty))))
    assert (again.l2, again.by_rows) == (0.2, True)
    assert regularizers.L2(0.2).get_config() == {"l2": 0.2}
    with pytest.raises(TypeError, match="by_rows"):
        regularizers.L2(0.2, by_rows=2)
