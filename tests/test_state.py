"""What a model keeps from call to call: optimizer state, orders of the rows, layers and who owns them."""

import json

import numpy as np
import pytest
from helpers import bits, make_data, make_model, unchanged
from reference import dense_backward
from reference_losses import loss_rows

import pynn
from pynn import layers


# ---- training goes on ------------------------------------------------------------------------------------------------
def test_two_fits_are_one_longer_fit():
    """Each epoch of a model's life has its own order of the rows, however the epochs are cut into calls."""
    x, y = make_data(50)
    once, twice = (make_model(optimizer="adam") for _ in range(2))
    history = once.fit(x, y, batch_size=8, epochs=5, verbose=0).history["loss"]
    losses = twice.fit(x, y, batch_size=8, epochs=2, verbose=0).history["loss"]
    losses += twice.fit(x, y, batch_size=8, epochs=5, initial_epoch=2, verbose=0).history["loss"]
    assert bits(once) == bits(twice)
    assert history == losses


def test_new_metrics_or_loss_keep_the_optimizer_that_is_given_again():
    x, y = make_data()
    model, twin = make_model(optimizer="adam"), make_model(optimizer="adam")
    for m in (model, twin):
        m.fit(x, y, verbose=0)
    model.compile(model.optimizer, "sparse_categorical_crossentropy", metrics=["sparse_top_k_categorical_accuracy"])
    assert model.optimizer.iterations == twin.optimizer.iterations == 2
    model.fit(x, y, verbose=0)
    twin.fit(x, y, verbose=0)
    assert bits(model) == bits(twin)


def test_optimizer_belongs_to_one_model():
    model, other = make_model(), make_model()
    with unchanged(other), pytest.raises(ValueError, match="optimizer"):
        other.compile(model.optimizer, "mse")
    with pytest.raises(ValueError, match="reduction"):
        model.compile("sgd", pynn.losses.MeanSquaredError(reduction=None))


def test_layer_made_after_an_optimizer_step_starts_the_optimizer_anew():
    x, _ = make_data()
    model = make_model(optimizer="adam", loss="mse", metrics=[])
    model.fit(x, np.zeros((50, 3)), verbose=0)
    model.add(layers.Dense(2))
    model.fit(x, np.zeros((50, 2)), verbose=0)
    assert model.optimizer.iterations == 2
    assert model.output_shape == (None, 2)


def test_pop_takes_the_last_layer_away():
    model = make_model()
    x, _ = make_data()
    first = model.get_weights()[:2]
    layer = model.pop()
    assert model.output_shape == (None, 8)
    for a, b in zip(first, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.predict(x, verbose=0).shape == (50, 8)
    model.add(layer)
    assert model.output_shape == (None, 3)
    with pytest.raises(ValueError, match="layer"):
        pynn.Sequential().pop()


def test_layer_of_two_models_is_shared():
    model = make_model()
    other = pynn.Sequential([pynn.Input((5,)), model.layers[0]])
    assert other.weights[0] is model.weights[0]
    with pytest.raises(ValueError, match="has weights for samples of shape"):
        pynn.Sequential([pynn.Input((4,)), model.layers[0]])
    x, y = make_data()
    before = other.predict(x, verbose=0)
    model.fit(x, y, verbose=0)
    after = other.predict(x, verbose=0)
    assert (before != after).any()
    np.testing.assert_array_equal(after, model.layers[0](x))


def test_trainable_of_a_model_is_that_of_its_layers():
    x, y = make_data()
    model = make_model()
    assert len(model.trainable_weights) == 4
    model.trainable = False
    assert not model.trainable
    assert [layer.trainable for layer in model.layers] == [False, False]
    assert len(model.non_trainable_weights) == 4
    before = bits(model)
    model.fit(x, y, verbose=0)
    assert bits(model) == before
    with pytest.raises((ValueError, TypeError), match="trainable"):
        model.trainable = "no"


def test_trainable_takes_effect_without_a_new_compile():
    x, y = make_data()
    model = make_model()
    model.layers[1].trainable = False
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)] == [
        False,
        False,
        True,
        True,
    ]


def test_build_is_done_once():
    model = pynn.Sequential([layers.Dense(3)])
    with pytest.raises(pynn.NotBuiltError):
        model.build()
    model.build((None, 4))
    before = bits(model)
    model.build()
    model.build((None, 4))
    assert bits(model) == before
    with unchanged(model), pytest.raises(ValueError, match="input_shape"):
        model.build((None, 5))


@pytest.mark.parametrize("bad", ["labels", "nan", "shape"])
def test_rejected_first_data_leave_the_model_unbuilt(bad):
    """Or a mistake in the first call would fix the input shape for ever."""
    model = pynn.Sequential([layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    x, y = make_data()
    if bad == "labels":
        y = y + 7
    elif bad == "nan":
        x = np.full_like(x, np.nan)
    else:
        x = x[0]
    for call in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(ValueError, match=r"\bx\b|Label"):
            call(x, y)
        assert not model.built
    x, y = make_data(inputs=7)
    model.fit(x, y, verbose=0)
    assert model.input_shape == (None, 7)


def test_json_of_a_model():
    model = make_model()
    text = model.to_json()
    twin = pynn.models.model_from_json(text)
    assert json.loads(twin.to_json()) == json.loads(text)
    twin.set_weights(model.get_weights())
    x, _ = make_data()
    np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    "text",
    ['{"class_name": "Functional", "config": {}}', '{"class_name": "Sequential", "config": {"a": 1}}', "[]", "{"],
)
def test_json_of_no_model_is_refused(text):
    with pytest.raises((ValueError, TypeError)):
        pynn.models.model_from_json(text)


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "Lambda", "config": {}},
        {"class_name": "os.system", "config": {"command": "true"}},
        {"class_name": "Dense"},
        {"class_name": "Dense", "config": {"units": 3, "code": "x"}},
        {"config": {}},
        {"class_name": 3, "config": {}},
        {"class_name": "Dense", "config": [3]},
    ],
)
def test_layer_of_a_strange_configuration_is_refused(config):
    with pytest.raises((ValueError, TypeError)):
        layers.deserialize(config)


# ---- a loss that is no number ----------------------------------------------------------------------------------------
def test_non_finite_input_that_was_let_in_changes_no_weight():
    x, y = make_data()
    model = make_model()
    x[3, 2] = np.nan
    with unchanged(model):
        with pytest.warns(RuntimeWarning, match="loss"):
            history = model.fit(x, y, batch_size=50, epochs=3, check_finite=False, verbose=0)
        assert np.isnan(history.history["loss"]).tolist() == [True]
        assert np.isnan(model.predict(x, check_finite=False, verbose=0)[3]).all()
        assert np.isnan(model.evaluate(x, y, check_finite=False, verbose=0)[0])


def test_non_finite_loss_of_a_single_batch_changes_no_weight():
    x, _ = make_data()
    model = make_model(loss="mse", metrics=[])
    with unchanged(model), pytest.warns(RuntimeWarning, match="loss"):
        value = model.train_on_batch(x, np.full((50, 3), 1e30, np.float32))
    assert value == np.inf
    assert model.optimizer.iterations == 0


def test_non_finite_loss_in_the_middle_keeps_the_steps_before():
    """The weights are those of a run that ended one step earlier."""
    x, y = make_data(40)
    model, twin = make_model(loss="mse", metrics=[]), make_model(loss="mse", metrics=[])
    targets = np.eye(3, dtype=np.float32)[y]
    targets[25] = 1e30
    with pytest.warns(RuntimeWarning, match="epoch 1, step 3"):
        model.fit(x, targets, batch_size=10, epochs=4, shuffle=False, verbose=0)
    twin.fit(x[:20], targets[:20], batch_size=10, shuffle=False, verbose=0)
    assert bits(model) == bits(twin)
    assert model.optimizer.iterations == 2


@pytest.mark.parametrize("bad", [0, 1, 3])
def test_metrics_of_an_epoch_that_ends_early_are_those_of_its_finished_steps(bad):
    """The batch goes through in slices, and what comes after the one that is not finite is not measured."""
    size = 700
    x, _ = make_data(4 * size)
    targets = np.zeros((4 * size, 3), np.float32)
    targets[bad * size + 300] = 1e30
    model, twin = (make_model(loss="mse", metrics=["mae"]) for _ in range(2))
    with pytest.warns(RuntimeWarning, match=f"step {bad + 1}"):
        history = model.fit(x, targets, batch_size=size, shuffle=False, verbose=0).history
    measured = [twin.train_on_batch(x[i : i + size], targets[i : i + size])[1] for i in range(0, bad * size, size)]
    assert history["mae"] == [pytest.approx(np.mean(measured), rel=1e-6)] if bad else np.isnan(history["mae"]).all()
    assert history["loss"] == [np.inf]


# ---- outputs of more axes --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["real", "labels"])
def test_training_of_more_axes(kind, random):
    """A sample of several rows: loss and metrics are averaged over all rows, and so is the gradient."""
    x = random.normal(size=(7, 4, 5))
    kernel = random.normal(size=(5, 3))
    y = random.normal(size=(7, 4, 3)) if kind == "real" else random.integers(0, 3, (7, 4))
    name, native = (
        ("mse", "mean_squared_error")
        if kind == "real"
        else (
            pynn.losses.SparseCategoricalCrossentropy(from_logits=True),
            "sparse_categorical_crossentropy_from_logits",
        )
    )
    model = pynn.Sequential([pynn.Input((4, 5)), layers.Dense(3, use_bias=False, dtype="float64")])
    model.set_weights([kernel])
    model.compile(pynn.optimizers.SGD(1.0), name, metrics=["mae"] if kind == "real" else ["accuracy"])
    z = (x @ kernel).reshape(-1, 3)
    values, slopes = loss_rows(native, y.reshape(28, *y.shape[2:]), z)
    logs = model.evaluate(x, y, verbose=0)
    metric = np.mean(np.abs(z - y.reshape(-1, 3))) if kind == "real" else np.mean(np.argmax(z, axis=1) == y.ravel())
    assert logs == pytest.approx([values.mean(), metric], rel=1e-12)
    assert model.train_on_batch(x, y) == pytest.approx(logs, rel=1e-12)
    _, gradient, _ = dense_backward(slopes / 28, x.reshape(-1, 5), kernel)
    np.testing.assert_allclose(kernel - model.get_weights()[0], gradient, rtol=1e-10, atol=1e-13)


def test_perceptron_ends_in_its_threshold():
    """A unit with the step activation is trained on its sum, and answers 0 or 1."""
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 1])
    model = pynn.Sequential([pynn.Input((2,)), layers.Dense(1, activation="step", kernel_initializer="zeros")])
    model.compile(pynn.optimizers.SGD(learning_rate=1.0), "perceptron", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=1, epochs=20, verbose=0).history
    np.testing.assert_array_equal(model.predict(x, verbose=0).ravel(), y)
    assert history["accuracy"][-1] == 1.0


def test_optimizer_of_one_model_is_refused_by_another():
    optimizer = pynn.optimizers.SGD()
    one, other = (pynn.Sequential([pynn.layers.Dense(2)]) for _ in range(2))
    one.compile(optimizer, "mse")
    with pytest.raises(ValueError, match="optimizer"):
        other.compile(optimizer, "mse")
    one.compile("adam", "mse")
    other.compile(optimizer, "mse")
    assert other.optimizer is optimizer


def test_config_of_an_unbuilt_model_keeps_one_dtype():
    model = pynn.Sequential([pynn.layers.Dense(2, dtype="float64"), pynn.layers.Dense(3)])
    twin = pynn.Sequential.from_config(model.get_config())
    assert twin(np.zeros((1, 4))).dtype == np.float64


def test_weight_is_an_array_to_numpy():
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(2)])
    array = np.asarray(model.weights[0])
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, model.get_weights()[0])
