"""Losses of one's own: functions, and subclasses of Loss with a call."""

import copy
import gc
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest
from helpers import bits, close_gradient, unchanged

import pynn
from pynn import ops

F64 = "float64"


def squares(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def huge(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)


class Squares(pynn.losses.Loss):
    """factor (y - p)^2"""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * ops.mean(ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Elements(pynn.losses.Loss):
    """A value for each element."""

    def call(self, y_true, y_pred):
        return ops.square(y_true - y_pred)


OWN = {"Squares": Squares, "Elements": Elements, "squares": squares}


def data(rows=40, columns=3, seed=0, dtype=F64):
    random = np.random.default_rng(seed)
    return random.normal(size=(rows, 4)).astype(dtype), random.normal(size=(rows, columns)).astype(dtype)


def network(columns=3, dtype=F64):
    pynn.utils.set_random_seed(3)
    last = pynn.layers.Dense(columns, dtype=dtype)
    return pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(8, activation="tanh", dtype=dtype), last])


def compiled(loss, columns=3, dtype=F64, **options):
    model = network(columns, dtype)
    model.compile(pynn.optimizers.SGD(0.1, momentum=0.5), loss, **options)
    return model


def same(one, other, rtol=1e-12):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14)


def close(one, other, rtol=1e-12):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, err_msg=name)


# ---- the same numbers as pynn's own ----------------------------------------------------------------------------------


WAYS = [squares, Squares(), Squares, Elements(), {"class_name": "Squares", "config": {"factor": 1.0}}]


@pytest.mark.parametrize("loss", WAYS, ids=["function", "object", "class", "elements", "configuration"])
def test_own_loss_trains_as_the_one_of_pynn(loss):
    x, y = data()
    weights = np.random.default_rng(1).uniform(size=len(x))
    models = []
    for each in ("mse", loss):
        with pynn.saving.custom_object_scope(OWN):
            model = compiled(each, metrics=["mae", "accuracy"], weighted_metrics=["mse"])
        history = model.fit(
            x, y, batch_size=7, epochs=3, verbose=0, sample_weight=weights, validation_data=(x[:9], y[:9])
        ).history
        models.append((model, history))
    (one, first), (other, second) = models
    close(first, second)
    same(one, other)
    close(one.evaluate(x, y, verbose=0, return_dict=True), other.evaluate(x, y, verbose=0, return_dict=True))
    close(one.test_on_batch(x, y, return_dict=True), other.test_on_batch(x, y, return_dict=True))
    close(one.train_on_batch(x, y, return_dict=True), other.train_on_batch(x, y, return_dict=True))
    np.testing.assert_array_equal(one.predict(x, verbose=0).shape, other.predict(x, verbose=0).shape)
    same(one, other)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_own_loss_has_every_reduction(reduction):
    x, y = data()
    weights = np.random.default_rng(1).uniform(size=len(x))
    one = compiled(pynn.losses.MeanSquaredError(reduction=reduction))
    other = compiled(Squares(reduction=reduction))
    for model in (one, other):
        model.fit(x, y, batch_size=7, epochs=2, verbose=0, sample_weight=weights)
    same(one, other)
    assert one.evaluate(x, y, 9, verbose=0) == pytest.approx(other.evaluate(x, y, 9, verbose=0), rel=1e-12)
    assert pynn.losses.MeanSquaredError(reduction=reduction)(y, y[::-1], weights) == pytest.approx(
        Squares(reduction=reduction)(y, y[::-1], weights), rel=1e-12
    )


def test_own_loss_that_is_a_setting():
    x, y = data()
    one, other = compiled("mse", loss_weights=3.0), compiled(Squares(3.0))
    assert repr(other.loss) == "Squares(factor=3.0)"
    for model in (one, other):
        model.fit(x, y, batch_size=7, epochs=2, verbose=0)
    same(one, other)


def test_own_loss_of_class_weights():
    x, _ = data()
    y = np.eye(3)[np.random.default_rng(2).integers(0, 3, len(x))]
    one, other = compiled("mse"), compiled(squares)
    for model in (one, other):
        model.fit(x, y, epochs=2, verbose=0, class_weight={0: 1.0, 1: 2.0, 2: 0.5})
    same(one, other)


def test_own_losses_of_several_outputs():
    random = np.random.default_rng(5)
    x, a, b = random.normal(size=(30, 4)), random.normal(size=(30, 2)), random.normal(size=(30, 1))

    def model(losses, **options):
        pynn.utils.set_random_seed(3)
        inputs = pynn.Input((4,), dtype=F64)
        h = pynn.layers.Dense(6, "tanh", dtype=F64)(inputs)
        outputs = [pynn.layers.Dense(size, dtype=F64, name=name)(h) for name, size in (("a", 2), ("b", 1))]
        made = pynn.Model(inputs, outputs)
        made.compile(pynn.optimizers.SGD(0.1), losses, **options)
        return made

    wanted = model(["mse", "mae"], loss_weights=[1.0, 2.0], metrics=[["mae"], ["mse"]])
    expected = wanted.fit(x, [a, b], batch_size=8, epochs=2, verbose=0).history
    for losses in (
        [squares, "mae"],
        {"a": Squares(), "b": "mae"},
        ["mse", lambda y, p: ops.abs(y - p)],
        {"b": lambda y, p: ops.abs(y - p), "a": squares},
    ):
        weights = {"a": 1.0, "b": 2.0} if isinstance(losses, dict) else [1.0, 2.0]
        other = model(losses, loss_weights=weights, metrics={"a": ["mae"], "b": ["mse"]})
        close(other.fit(x, [a, b], batch_size=8, epochs=2, verbose=0).history, expected)
        same(wanted, other)


def test_own_loss_of_one_output_alone():
    random = np.random.default_rng(5)
    x, a = random.normal(size=(30, 4)), random.normal(size=(30, 2))
    inputs = pynn.Input((4,), dtype=F64)
    model = pynn.Model(inputs, {"a": pynn.layers.Dense(2, dtype=F64)(inputs), "b": 2 * inputs})
    model.compile("sgd", {"a": squares})
    assert model.fit(x, {"a": a}, verbose=0).history["loss"][0] == pytest.approx(
        np.mean((a - model.predict(x, verbose=0)["a"]) ** 2), rel=0.5
    )


def test_own_loss_may_look_at_the_prediction_alone():
    """As the losses of networks that compute their loss themselves."""
    x, y = data(columns=1)
    model = compiled(lambda y_true, y_pred: y_pred, columns=1)
    assert model.test_on_batch(x, y) == pytest.approx(model.predict(x, verbose=0).mean(), rel=1e-12)
    assert model.train_on_batch(x, y) > model.test_on_batch(x, y)


# ---- gradients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [huge, Elements(), lambda y, p: ops.maximum(0.7 * (y - p), -0.3 * (y - p))])
def test_gradients_of_own_losses_are_central_differences(loss):
    x, y = data(rows=9)
    model = compiled(loss)
    weights = np.linspace(0.5, 2, 9)
    _, found = model.gradients(x, y, sample_weight=weights)
    for variable, gradient in zip(model.trainable_weights, found, strict=True):
        start, step = variable.numpy(), 1e-6
        numeric = np.zeros_like(start)
        for place in np.ndindex(start.shape):
            values = []
            for sign in (1, -1):
                moved = start.copy()
                moved[place] += sign * step
                variable.assign(moved)
                values.append(model.gradients(x, y, sample_weight=weights)[0])
            numeric[place] = (values[0] - values[1]) / (2 * step)
        variable.assign(start)
        close_gradient(numeric, gradient)


def test_own_loss_gives_the_same_bits_for_any_number_of_threads(settings):
    x, y = data(rows=300, dtype="float32")
    found = []
    for threads in (1, 3):
        pynn.config.set_num_threads(threads)
        model = compiled(huge, dtype="float32", metrics=["mae"])
        history = model.fit(x, y, batch_size=64, epochs=2, verbose=0).history
        found.append((bits(model), history, model.evaluate(x, y, verbose=0)))
    assert found[0] == found[1]


# ---- ways to give data -----------------------------------------------------------------------------------------------


class Batches(pynn.utils.PyDataset):
    def __init__(self, x, y, size):
        super().__init__()
        self.x, self.y, self.size = x, y, size

    def __len__(self):
        return len(self.x) // self.size

    def __getitem__(self, number):
        part = slice(number * self.size, (number + 1) * self.size)
        return self.x[part], self.y[part]


@pytest.mark.parametrize("metrics", [[], ["mae"]])
def test_own_loss_of_batches(metrics):
    x, y = data()
    found = []
    for loss in ("mse", squares):
        model = compiled(loss, metrics=metrics)
        batches = Batches(x, y, 8)
        history = model.fit(batches, epochs=2, verbose=0, shuffle=False, validation_data=batches).history
        one_by_one = model.fit((batches[i] for i in range(5)), verbose=0).history
        found.append((model, history, one_by_one, model.evaluate(batches, verbose=0, return_dict=True)))
    for one, other in zip(*(each[1:] for each in found), strict=True):
        close(one, other)
    same(found[0][0], found[1][0])


def test_own_loss_of_sparse_samples():
    sparse = pytest.importorskip("scipy.sparse")
    x, y = data()
    x[x < 0.5] = 0
    found = []
    for given in (x, sparse.csr_matrix(x)):
        model = compiled(squares)
        model.fit(given, y, batch_size=7, epochs=2, verbose=0)
        found.append((bits(model), model.evaluate(given, y, verbose=0)))
    assert found[0] == found[1]


def test_own_loss_of_axes_of_any_length():
    random = np.random.default_rng(6)
    found = []
    for loss in ("mse", squares):
        pynn.utils.set_random_seed(3)
        model = pynn.Sequential(
            [pynn.Input((None, 4)), pynn.layers.GRU(5, return_sequences=True, dtype=F64), pynn.layers.Dense(2)]
        )
        model.compile(pynn.optimizers.SGD(0.1, momentum=0.5), loss, metrics=["mae"])
        logs = []
        for steps in (3, 5, 3, 6):
            x, y = random.normal(size=(8, steps, 4)), random.normal(size=(8, steps, 2))
            logs.append(model.train_on_batch(x, y, return_dict=True))
            logs.append(model.test_on_batch(x[:, :2], y[:, :2], return_dict=True))
        found.append((model, logs))
        random = np.random.default_rng(6)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        close(one, other)
    same(found[0][0], found[1][0])


def test_own_loss_of_a_mask():
    random = np.random.default_rng(7)
    x, y = random.normal(size=(12, 5, 4)), random.normal(size=(12, 5, 2))
    x[:, 3:], x[::2, 2:] = 0, 0
    weights = random.uniform(size=(12, 5))

    def model(loss):
        pynn.utils.set_random_seed(3)
        made = pynn.Sequential(
            [
                pynn.Input((5, 4)),
                pynn.layers.Masking(),
                pynn.layers.GRU(3, return_sequences=True, dtype=F64),
                pynn.layers.Dense(2),
            ]
        )
        made.compile(pynn.optimizers.SGD(0.1), loss, metrics=["mae"], weighted_metrics=["mse"])
        return made

    one, other = model("mse"), model(squares)
    for each in (None, weights, weights[:, 0]):
        histories = [
            made.fit(x, y, batch_size=5, epochs=2, verbose=0, sample_weight=each).history for made in (one, other)
        ]
        close(*histories)
    same(one, other)
    close(*(made.evaluate(x, y, verbose=0, return_dict=True) for made in (one, other)))
    with pytest.raises(ValueError, match="of an output with a mask, so it must have a value for each step"):
        model(lambda y_true, y_pred: ops.mean(ops.square(y_true - y_pred), axis=(1, 2)))


def test_own_loss_of_states_that_are_kept():
    random = np.random.default_rng(8)
    found = []
    for loss in ("mse", squares):
        pynn.utils.set_random_seed(3)
        model = pynn.Sequential(
            [pynn.Input((6, 4), batch_size=4), pynn.layers.LSTM(3, stateful=True, dtype=F64), pynn.layers.Dense(2)]
        )
        model.compile(pynn.optimizers.SGD(0.1, momentum=0.5), loss)
        random = np.random.default_rng(8)
        x, y = random.normal(size=(12, 6, 4)), random.normal(size=(12, 2))
        history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        found.append((model, history, model.predict(x, batch_size=4, verbose=0)))
    close(found[0][1], found[1][1])
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-10)
    same(found[0][0], found[1][0])


def test_own_loss_of_noise_and_penalties():
    """What draws and what is penalised is so as with a loss of pynn."""
    x, y = data()
    found = []
    for loss in ("mse", squares):
        pynn.utils.set_random_seed(3)
        model = pynn.Sequential(
            [
                pynn.Input((4,)),
                pynn.layers.Dense(8, "relu", kernel_regularizer="l2", activity_regularizer="l1", dtype=F64),
                pynn.layers.Dropout(0.3, seed=1),
                pynn.layers.BatchNormalization(),
                pynn.layers.Dense(3),
            ]
        )
        model.compile("adam", loss)
        found.append((model, model.fit(x, y, batch_size=8, epochs=3, verbose=0).history))
    close(found[0][1], found[1][1], rtol=1e-10)
    same(found[0][0], found[1][0], rtol=1e-9)


def test_targets_have_the_shape_of_the_output():
    x, y = data(columns=1)
    model = compiled(squares, columns=1)
    assert model.test_on_batch(x, y[:, 0]) == model.test_on_batch(x, y)
    model = compiled(squares)
    x, y = data()
    assert model.test_on_batch(x, y[..., None]) == model.test_on_batch(x, y)
    whole = np.round(y).astype(int)
    assert model.test_on_batch(x, whole) == model.test_on_batch(x, whole.astype(float))
    with unchanged(model):
        with pytest.raises(ValueError, match=r"y must have the shape \(samples, 3\).*Make class labels one-hot"):
            model.fit(x, np.zeros(len(x), int), verbose=0)
        with pytest.raises(ValueError, match=r"y must have the shape \(samples, 3\) of the output, but has \(40, 2\)"):
            model.fit(x, y[:, :2], verbose=0)


# ---- other compiles of one model -------------------------------------------------------------------------------------


def test_model_may_be_compiled_with_another_loss_and_the_same_optimizer():
    x, y = data()
    models = network(), network()
    for model, own in zip(models, ("mse", squares), strict=True):
        optimizer = pynn.optimizers.SGD(0.1, momentum=0.5)
        for loss in (own, "mae", own):
            model.compile(optimizer, loss)
            model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        assert optimizer.iterations == 30
    same(*models)


def test_settings_of_a_loss_hold_from_the_next_compile_on():
    x, y = data()
    loss = Squares()
    model = compiled(loss)
    before = model.test_on_batch(x, y)
    loss.factor = 2.0
    assert model.test_on_batch(x, y) == before
    model.compile("sgd", loss)
    assert model.test_on_batch(x, y) == 2 * before


def test_model_that_grows_after_compile():
    x, y = data()
    model = compiled(squares)
    model.train_on_batch(x, y)
    model.add(pynn.layers.Dense(2, dtype=F64))
    assert model.test_on_batch(x, y[:, :2]) == pytest.approx(
        np.mean((model.predict(x, verbose=0) - y[:, :2]) ** 2), rel=1e-12
    )


def test_model_that_is_built_by_its_data():
    x, y = data()
    model = pynn.Sequential([pynn.layers.Dense(3, dtype=F64)])
    model.compile("sgd", squares)
    assert model.fit(x, y, verbose=0).history["loss"][0] > 0


def test_model_with_an_own_loss_is_freed():
    model = compiled(squares)
    model.train_on_batch(*data())
    seen = weakref.ref(model)
    del model
    gc.collect()
    assert seen() is None


# ---- calls on arrays -------------------------------------------------------------------------------------------------


def test_own_loss_of_arrays():
    _, y = data(rows=6)
    p, weights = y[::-1], np.arange(6.0)
    mse = pynn.losses.MeanSquaredError
    assert Squares()(y, p) == pytest.approx(mse()(y, p), rel=1e-12)
    assert Squares()(y, p, weights) == pytest.approx(mse()(y, p, weights), rel=1e-12)
    np.testing.assert_allclose(Squares(reduction=None)(y, p), mse(reduction=None)(y, p), rtol=1e-12)
    np.testing.assert_allclose(Squares().call(y, p), mse().call(y, p), rtol=1e-12)
    assert Elements()(y, p) == pytest.approx(mse()(y, p), rel=1e-12)
    assert pynn.losses.get(squares)(y, p) == pytest.approx(mse()(y, p), rel=1e-12)


def test_ranks_of_arrays_may_differ_by_a_last_axis():
    y = np.arange(4)
    for targets, predictions in ((y, y[:, None] + 0.5), (y[:, None], y + 0.5), (y, y + 0.5)):
        assert Elements(reduction=None)(targets, predictions).sum() == 1.0
    assert Elements(reduction=None)(np.ones((4, 3, 1)), np.ones((4, 3))).shape == (4, 3)


def test_own_loss_of_arrays_has_the_type_of_the_prediction():
    seen = []

    class Seen(pynn.losses.Loss):
        def call(self, y_true, y_pred):
            seen.append((y_true.dtype, y_pred.dtype))
            return y_true - y_pred

    Seen()(np.zeros(3, int), np.zeros(3, np.float32))
    Seen(dtype="float64")(np.zeros(3, int), np.zeros(3, np.float32))
    assert seen == [(np.float32, np.float32), (np.float64, np.float64)]


def test_names_of_own_losses():
    assert Squares().name == "squares"
    assert Squares(name="mine").name == "mine"
    assert pynn.losses.get(squares).name == "squares"
    assert repr(Squares(reduction="sum")) == "Squares(reduction='sum')"
    with pynn.saving.custom_object_scope(OWN):
        assert type(pynn.losses.get("Squares")) is Squares
        assert pynn.losses.get("squares").call is not None
        assert compiled("squares").loss.name == "squares"
    assert pynn.losses.deserialize(pynn.losses.serialize(Squares(2.0)), OWN).factor == 2.0
    assert pynn.losses.deserialize(pynn.losses.serialize(pynn.losses.get(squares)), OWN).function is squares


# ---- files and copies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [squares, Squares(2.0)])
def test_own_loss_in_a_file(loss, tmp_path):
    x, y = data()
    model = compiled(loss, metrics=["mae"])
    model.fit(x, y, epochs=2, verbose=0)
    path = tmp_path / "model.safetensors"
    model.save(path)
    with pytest.raises((ValueError, pynn.ModelFileError), match=r"[sS]quares"):
        pynn.load_model(path)
    assert pynn.load_model(path, compile=False).get_compile_config() is None
    again = pynn.load_model(path, custom_objects=OWN)
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    for each in (model, again):
        each.fit(x, y, epochs=1, verbose=0)
    assert bits(again) == bits(model)


def test_own_loss_in_copies():
    x, y = data()
    for loss in (squares, Squares(2.0), [Squares(2.0)]):
        model = compiled(loss)
        model.train_on_batch(x, y)
        for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert again.test_on_batch(x, y) == model.test_on_batch(x, y)
            again.train_on_batch(x, y)
        clone = pynn.models.clone_model(model)
        clone.set_weights(model.get_weights())
        assert clone.test_on_batch(x, y) == model.test_on_batch(x, y)
        other = network()
        with pynn.saving.custom_object_scope(OWN):
            other.compile_from_config(model.get_compile_config())
        other.set_weights(model.get_weights())
        assert other.test_on_batch(x, y) == model.test_on_batch(x, y)


def test_loss_that_no_file_can_keep(tmp_path):
    class Lost(pynn.losses.Loss):
        def __init__(self, base, **kwargs):
            super().__init__(**kwargs)

        def call(self, y_true, y_pred):
            return ops.square(y_true - y_pred)

    def other():
        def squares(y_true, y_pred):
            return ops.abs(y_true - y_pred)

        return squares

    for loss, message in (
        (lambda y, p: (y - p) ** 2, "function without a name"),
        (Lost(1), "loss Lost cannot be saved or copied, as its get_config leaves out 'base'"),
    ):
        model = compiled(loss)
        model.train_on_batch(*data())
        with pytest.raises(ValueError, match=message):
            model.save(tmp_path / "model.safetensors")
        model.save_weights(tmp_path / "model.weights.safetensors")
        model.save(tmp_path / "model.safetensors", include_optimizer=False)
        assert pynn.load_model(tmp_path / "model.safetensors").built
        (tmp_path / "model.safetensors").unlink()
    model = compiled(squares, metrics=[other()])
    with pytest.raises(ValueError, match="Two functions that are losses or metrics have the name 'squares'"):
        model.save(tmp_path / "model.safetensors")


def test_registered_loss_needs_no_custom_objects(tmp_path):
    @pynn.saving.register_keras_serializable("tests")
    def registered(y_true, y_pred):
        return ops.square(y_true - y_pred)

    model = compiled(registered)
    model.save(tmp_path / "model.safetensors")
    assert pynn.load_model(tmp_path / "model.safetensors").loss.function is registered


class Interrupt(pynn.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("metrics", [[], ["mae"]])
def test_run_with_an_own_loss_goes_on_exactly(metrics, tmp_path):
    x, y = data()

    def run(callbacks):
        model = compiled(squares, metrics=metrics)
        return model, lambda: model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=callbacks)

    whole, fit = run([])
    history = fit().history
    backup = pynn.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3)
    _, fit = run([backup, Interrupt(13)])
    with pytest.raises(KeyboardInterrupt):
        fit()
    again, fit = run([pynn.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3), Interrupt(0)])
    rest = fit().history
    assert bits(again) == bits(whole)
    assert rest["loss"][-1] == history["loss"][-1]


# ---- what cannot be a loss -------------------------------------------------------------------------------------------


def no_number(y_true, y_pred):
    return 0.0


def of_the_batch(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


def several(y_true, y_pred):
    return [y_true, y_pred]


def of_targets(y_true, y_pred):
    return ops.mean(y_true, axis=-1)


def in_numpy(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2)


def in_exponentials(y_true, y_pred):
    return np.exp(y_pred)


def other_shapes(y_true, y_pred):
    return y_true @ y_pred


def step(y_true, y_pred):
    return pynn.activations.get("step")(y_pred)


def one_argument(y_true):
    return y_true


def with_weights(y_true, y_pred):
    return pynn.layers.Dense(1)(y_pred)


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (no_number, TypeError, "no_number cannot be computed: it must return a symbolic tensor.*but returned 0.0"),
        (of_the_batch, ValueError, "of_the_batch cannot be computed: mean of a symbolic tensor needs an axis"),
        (several, TypeError, "several cannot be computed.*of type list"),
        (of_targets, ValueError, "of_targets cannot be computed: its values do not depend on y_pred"),
        (in_numpy, TypeError, "in_numpy cannot be computed"),
        (in_exponentials, TypeError, "in_exponentials cannot be computed: numpy.exp takes no symbolic tensor"),
        (other_shapes, ValueError, "other_shapes cannot be computed"),
        (step, ValueError, "step cannot be computed.*no gradient"),
        (one_argument, TypeError, "one_argument cannot be computed"),
        (with_weights, ValueError, "with_weights cannot be computed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_a_loss_is_told(loss, error, message):
    x, y = data()
    model = compiled("mse")
    model.train_on_batch(x, y)
    with unchanged(model), pytest.raises(error, match=f"The loss {message}"):
        model.compile("sgd", loss)
    assert model.loss.name == "mean_squared_error"
    later = pynn.Sequential([pynn.layers.Dense(3, dtype=F64)])
    later.compile("sgd", loss)
    for _ in range(2):
        with pytest.raises(error, match=f"The loss {message}"):
            later.fit(x, y, verbose=0)


def test_errors_of_a_loss_itself_come_through():
    with pytest.raises(ZeroDivisionError):
        compiled(lambda y_true, y_pred: 1 / 0)


def test_own_loss_is_no_metric_and_no_kernel():
    for use in (
        lambda: compiled("mse", metrics=[Squares()]),
        lambda: pynn.metrics.MeanLoss(Squares()),
        lambda: ops.loss_forward(np.ones((2, 3)), np.ones((2, 3)), Squares()),
    ):
        with pytest.raises(ValueError, match=r"squares is a loss of your own.*A metric may be a function"):
            use()
    assert compiled(squares, metrics=[squares]).evaluate(*data(), verbose=0)[0] > 0


def test_loss_without_reduction_does_not_train():
    with pytest.raises(ValueError, match="A loss without reduction cannot be trained"):
        compiled(Squares(reduction=None))


def test_own_losses_are_read_when_they_are_used():
    program = (
        "import sys, pynn; m = pynn.Sequential([pynn.Input((2,)), pynn.layers.Dense(1)]); m.compile('sgd', 'mse'); "
        "print('pynn.losses.own' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], cwd="/", text=True).strip() == "False"
