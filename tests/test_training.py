"""fit, evaluate and predict: what they return, print and leave behind."""

import gc
import re
import weakref

import numpy as np
import pytest
from helpers import bits, make_data, make_model
from reference_losses import loss_rows

import pynn


# ---- fit -------------------------------------------------------------------------------------------------------------
def test_fit_returns_history():
    x, y = make_data()
    model = make_model(metrics=["accuracy", "mse"], loss="categorical_crossentropy")
    history = model.fit(x, np.eye(3)[y], epochs=3, validation_split=0.2, verbose=0)
    assert list(history.history) == ["loss", "accuracy", "mse", "val_loss", "val_accuracy", "val_mse"]
    assert all(len(values) == 3 for values in history.history.values())
    assert all(type(value) is float for values in history.history.values() for value in values)
    assert history.epoch == [0, 1, 2]
    assert history.params["epochs"] == 3
    assert history.model is model


def test_fit_leaves_no_cycle():
    """A trained model is freed at once, without Python's search for cycles, and its history stays readable."""
    model = make_model()
    history = model.fit(*make_data(), epochs=2, verbose=0)
    alive = weakref.ref(model)
    gc.disable()
    try:
        del model
        assert alive() is None
    finally:
        gc.enable()
    assert history.model is None
    assert len(history.history["loss"]) == 2


def test_history_is_shown_by_its_last_values():
    model = make_model()
    text = repr(model.fit(*make_data(), epochs=2, verbose=0))
    assert re.fullmatch(r"<History of 2 epochs, loss=\d\.\d+, accuracy=0\.\d+>", text)
    assert repr(model.fit(*make_data(), epochs=0, verbose=0)) == "<History of 0 epochs>"
    with pytest.raises(AttributeError, match="does not have the callback 'RemoteMonitor' of Keras yet"):
        _ = pynn.callbacks.RemoteMonitor


def test_fit_learns():
    x, y = make_data(400)
    model = make_model(optimizer=pynn.optimizers.Adam(0.02))
    history = model.fit(x, y, epochs=30, verbose=0)
    assert history.history["accuracy"][-1] > 0.95
    assert model.evaluate(*make_data(400), verbose=0)[1] > 0.95


def test_fit_loss_is_the_mean_over_samples():
    """Loss and metrics of an epoch are averaged over samples, not batches; each batch before its step."""
    x, y = make_data(10)
    model = make_model("float64")
    model.optimizer.learning_rate = 0.0
    logs = model.fit(x, y, batch_size=4, verbose=0).history
    rows, _ = loss_rows("sparse_categorical_crossentropy", y, model.predict(x, verbose=0), 0.0)
    assert logs["loss"][0] == pytest.approx(rows.mean(), rel=1e-12)
    assert [logs["loss"][0], logs["accuracy"][0]] == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-12)


@pytest.mark.parametrize(
    ("batch_size", "steps"), [(1, 50), (7, 8), (32, 2), (50, 1), (1000, 1), ("full", 1), (None, 2)]
)
def test_fit_batch_size_counts_steps(batch_size, steps):
    x, y = make_data(50)
    model = make_model()
    model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0)
    assert model.optimizer.iterations == 2 * steps


@pytest.mark.parametrize("batch_size", [1, 7, 32, "full"])
def test_fit_equals_train_on_batch(batch_size):
    x, y = make_data(50)
    fitted, stepped = make_model(), make_model()
    fitted.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
    size = 50 if batch_size == "full" else batch_size
    for i in range(0, 50, size):
        stepped.train_on_batch(x[i : i + size], y[i : i + size])
    assert bits(fitted) == bits(stepped)


def test_fit_shuffles():
    """Each epoch visits all rows, in another order each; shuffle=False keeps the order."""
    x = np.eye(8, dtype=np.float32)
    orders = {}
    for shuffle in (True, False):
        pynn.set_random_seed(3)
        model = pynn.Sequential([pynn.Input((8,)), pynn.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        # Every step multiplies all weights by 1 - lr wd, so the weight of a row tells when the row came
        model.compile(pynn.optimizers.SGD(learning_rate=0.1, weight_decay=5.0), loss="mse")
        ranks = []
        for _ in range(2):
            model.set_weights([np.zeros((8, 1))])
            model.fit(x, np.ones(8), batch_size=1, shuffle=shuffle, verbose=0)
            weights = model.get_weights()[0].ravel()
            assert np.unique(weights).size == 8
            ranks.append(tuple(np.argsort(weights)))
        orders[shuffle] = ranks
    assert orders[False] == [tuple(range(8))] * 2
    assert orders[True][0] != orders[True][1]
    assert tuple(range(8)) not in orders[True]


def test_fit_validation_split_takes_the_last_samples():
    x, y = make_data(50)
    split, apart = make_model(), make_model()
    one = split.fit(x, y, epochs=2, validation_split=0.3, verbose=0).history
    two = apart.fit(x[:35], y[:35], epochs=2, validation_data=(x[35:], y[35:]), verbose=0).history
    assert bits(split) == bits(apart)
    assert one == two
    assert one["val_loss"][-1] == apart.evaluate(x[35:], y[35:])[0]


def test_fit_validation_data_wins_over_split():
    x, y = make_data(50)
    model = make_model()
    history = model.fit(x, y, validation_split=0.5, validation_data=(x[:3], y[:3]), verbose=0)
    assert model.optimizer.iterations == 2
    assert history.history["val_loss"] == [model.evaluate(x[:3], y[:3], verbose=0)[0]]


def test_fit_validation_does_not_change_training():
    x, y = make_data(50)
    with_validation, without = make_model(), make_model()
    with_validation.fit(x, y, epochs=3, validation_data=(x, y), verbose=0)
    without.fit(x, y, epochs=3, verbose=0)
    assert bits(with_validation) == bits(without)


def test_fit_initial_epoch_goes_on():
    x, y = make_data()
    model = make_model()
    history = model.fit(x, y, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]
    assert len(history.history["loss"]) == 2
    assert model.fit(x, y, epochs=3, initial_epoch=3, verbose=0).history == {}


def test_fit_again_goes_on_from_the_weights():
    x, y = make_data(200)
    model = make_model(optimizer=pynn.optimizers.Adam(0.02))
    first = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    second = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert second[0] < first[-1]


def test_fit_many_epochs_equal_epoch_by_epoch():
    """The quick path (many epochs a native call) gives the same bits as the path that looks in after every epoch."""
    x, y = make_data(20)
    quick, slow = make_model(), make_model()
    one = quick.fit(x, y, batch_size=6, epochs=200, verbose=0).history
    two = slow.fit(x, y, batch_size=6, epochs=200, validation_data=(x, y), verbose=0).history
    assert bits(quick) == bits(slow)
    assert one["loss"] == two["loss"]
    assert one["accuracy"] == two["accuracy"]
    assert len(one["loss"]) == 200


def test_fit_full_batch_many_epochs_equals_train_on_batch():
    x, y = make_data(20)
    quick, slow = make_model(), make_model()
    losses = quick.fit(x, y, batch_size="full", epochs=60, shuffle=False, verbose=0).history["loss"]
    stepped = [slow.train_on_batch(x, y)[0] for _ in range(60)]
    assert bits(quick) == bits(slow)
    assert losses == stepped


# ---- determinism -----------------------------------------------------------------------------------------------------
def test_fit_same_seed_same_bits():
    x, y = make_data(60)
    runs = []
    for seed in (3, 3, 4):
        model = make_model(seed=seed)
        runs.append((str(model.fit(x, y, epochs=3, verbose=0).history), bits(model)))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_set_random_seed_has_two_names():
    draws = []
    for seed in (pynn.set_random_seed, pynn.utils.set_random_seed):
        seed(9)
        draws.append(pynn.initializers.RandomNormal()((3,)))
    np.testing.assert_array_equal(*draws)


# ---- evaluate, predict, single batches -------------------------------------------------------------------------------
def test_evaluate_returns_numbers_or_a_dict():
    x, y = make_data()
    model = make_model(metrics=["accuracy"])
    values = model.evaluate(x, y, verbose=0)
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(logs) == ["loss", "accuracy"]
    assert list(logs.values()) == values
    assert all(type(value) is float for value in values)
    bare = make_model(metrics=[])
    assert type(bare.evaluate(x, y, verbose=0)) is float


@pytest.mark.parametrize("batch_size", [1, 7, 32, 64, 1000])
def test_evaluate_and_predict_do_not_depend_on_batch_size(batch_size):
    x, y = make_data(50)
    model = make_model("float64")
    np.testing.assert_allclose(
        model.evaluate(x, y, batch_size=batch_size, verbose=0), model.evaluate(x, y, verbose=0), rtol=1e-12
    )
    np.testing.assert_allclose(
        model.predict(x, batch_size=batch_size, verbose=0), model.predict(x, verbose=0), rtol=1e-12
    )


def test_evaluate_and_predict_change_nothing():
    x, y = make_data()
    model = make_model(optimizer="adam")
    before = bits(model)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    model(x)
    model.test_on_batch(x, y)
    model.predict_on_batch(x)
    assert bits(model) == before
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_call_and_predict_on_batch_agree(dtype):
    x, _ = make_data(37)
    model = make_model(dtype)
    expected = model.predict(x, verbose=0)
    assert isinstance(expected, np.ndarray)
    assert expected.dtype == dtype
    assert expected.shape == (37, 3)
    np.testing.assert_array_equal(model(x), expected)
    np.testing.assert_array_equal(model.predict_on_batch(x), expected)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-6)


def test_predict_result_is_the_callers():
    x, _ = make_data()
    model = make_model()
    first = model.predict(x, verbose=0)
    first[:] = 7
    second = model.predict(x, verbose=0)
    assert not np.any(second == 7)
    assert second.flags.writeable


def test_train_and_test_on_batch_return_values():
    x, y = make_data()
    model = make_model()
    before = model.test_on_batch(x, y)
    assert model.train_on_batch(x, y) == pytest.approx(before, rel=1e-6)
    logs = model.train_on_batch(x, y, return_dict=True)
    assert list(logs) == ["loss", "accuracy"]
    assert logs["loss"] < before[0]
    assert list(model.test_on_batch(x, y, return_dict=True)) == ["loss", "accuracy"]
    assert type(make_model(metrics=[]).train_on_batch(x, y)) is float


# ---- number types ----------------------------------------------------------------------------------------------------
def test_float64_by_floatx_or_by_dtype():
    x, y = make_data()
    by_dtype = make_model("float64")
    by_dtype.fit(x, y, verbose=0)
    pynn.config.set_floatx("float64")
    by_floatx = make_model()
    by_floatx.fit(x, y, verbose=0)
    assert bits(by_dtype) == bits(by_floatx)
    assert all(w.dtype == np.float64 for w in by_floatx.get_weights())


def test_mixed_dtypes_are_refused():
    with pytest.raises(ValueError, match="dtype"):
        pynn.Sequential(
            [pynn.Input((3,)), pynn.layers.Dense(2, dtype="float64"), pynn.layers.Dense(2, dtype="float32")]
        )


# ---- what is trained -------------------------------------------------------------------------------------------------
def test_layer_that_is_not_trainable_keeps_its_weights():
    x, y = make_data()
    model = make_model(optimizer=pynn.optimizers.SGD(0.1, weight_decay=0.1))
    model.layers[0].trainable = False
    model.compile(pynn.optimizers.SGD(0.1, weight_decay=0.1), "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    after = model.get_weights()
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, False, False]
    model.layers[0].trainable = True
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    assert not np.array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_reduction_in_training(reduction):
    x, y = make_data(10)
    model = make_model("float64", loss=pynn.losses.SparseCategoricalCrossentropy(reduction=reduction), metrics=[])
    rows, _ = loss_rows("sparse_categorical_crossentropy", y, model.predict(x, verbose=0), 0.0)
    expected = rows.sum() if reduction == "sum" else rows.mean()
    assert model.test_on_batch(x, y) == pytest.approx(expected, rel=1e-12)
    assert model.train_on_batch(x, y) == pytest.approx(expected, rel=1e-12)


def test_set_weights_between_fits_is_seen():
    x, y = make_data()
    model = make_model()
    start = model.get_weights()
    model.fit(x, y, shuffle=False, verbose=0)
    once = bits(model)
    model.set_weights(start)
    model.fit(x, y, shuffle=False, verbose=0)
    assert bits(model) == once


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float64])
def test_bytes_are_converted_where_they_are_gathered(dtype, random):
    x, y = random.integers(0, 256, (20, 5), dtype=np.uint8), random.integers(0, 3, 20)
    plain, other = make_model(), make_model()
    plain.fit(x.astype(np.float32), y, verbose=0)
    other.fit(x.astype(dtype), y, verbose=0)
    assert bits(plain) == bits(other)


# ---- a loss that is no number ----------------------------------------------------------------------------------------
def test_non_finite_loss_stops_and_keeps_the_weights():
    x, y = make_data(64)
    model = pynn.Sequential([pynn.Input((5,)), pynn.layers.Dense(1)])
    model.compile(pynn.optimizers.SGD(learning_rate=1e15), loss="mse")
    with pytest.warns(RuntimeWarning, match="loss"):
        history = model.fit(x, y.astype(float), batch_size=16, epochs=50, verbose=0)
    assert not np.isfinite(history.history["loss"][-1])
    assert len(history.history["loss"]) < 50
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert model.predict(x, verbose=0).shape == (64, 1)
