"""Losses of one's own: functions, and subclasses of Loss with a call. What they are in training, and on arrays."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest
from helpers import bits, close_gradient, unchanged
from own_losses import F64, OWN, Elements, Squares, compiled, data, huge, network, squares

import pynn
from pynn import ops


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


@dataclasses.dataclass
class Cubes:
    """A function that has settings, and so no hash."""

    factor: float = 1.0

    def __call__(self, y_true, y_pred):
        return self.factor * ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)


def test_own_loss_may_be_an_object_without_a_hash():
    x, y = data()
    model, other = compiled(Cubes(1.0), metrics=[Cubes(2.0)]), compiled(huge)
    for each in (model, other):
        each.fit(x, y, epochs=2, verbose=0)
    same(model, other)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["cubes"], 2 * found["loss"], rtol=1e-12)


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


def test_own_loss_finds_the_shape_of_its_values_once_for_each_length(monkeypatch):
    from pynn.models.own_losses import _Call

    met, draft = [], _Call.draft
    monkeypatch.setattr(_Call, "draft", lambda self, shape, *rest: met.append(shape) or draft(self, shape, *rest))
    model = pynn.Sequential([pynn.Input((None, 4)), pynn.layers.Dense(2)])
    model.compile("sgd", squares)
    seen = []
    for steps in (3, 5, 3, 5):
        model.train_on_batch(np.ones((2, steps, 4)), np.ones((2, steps, 2)))
        model.test_on_batch(np.ones((2, steps, 4)), np.ones((2, steps, 2)))
        seen.append(len(met))
    assert seen[0] < seen[1] == seen[2] == seen[3]


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
    for given in (squares, pynn.losses.get(squares)):
        assert pynn.losses.deserialize(pynn.losses.serialize(given), OWN).function is squares
    assert pynn.losses.serialize(pynn.losses.huber) == pynn.losses.serialize(pynn.losses.Huber())
    for room in (pynn.losses, pynn.metrics):
        assert room.deserialize(room.serialize(room.mean_squared_error)).name == "mean_squared_error"


@pytest.mark.parametrize(
    ("name", "pynns"),
    [
        ("binary_crossentropy", pynn.losses.BinaryCrossentropy),
        ("categorical_crossentropy", pynn.losses.CategoricalCrossentropy),
    ],
)
@pytest.mark.parametrize("from_logits", [False, True])
def test_cross_entropies_that_are_functions_train_as_those_of_pynn(name, pynns, from_logits):
    def own(y_true, y_pred):
        return getattr(ops, name)(y_true, y_pred, from_logits=from_logits)

    found = []
    for loss in (own, pynns(from_logits=from_logits)):
        pynn.set_random_seed(1)
        model = pynn.Sequential([pynn.Input((2,)), pynn.layers.Dense(3, None if from_logits else "softmax")])
        model.compile("sgd", loss)
        history = model.fit(np.arange(8.0).reshape(4, 2), np.eye(3)[[0, 2, 1, 1]], epochs=3, verbose=0).history
        found.append([*history["loss"], *model.get_weights()[0].ravel()])
    np.testing.assert_allclose(*found, rtol=1e-5)
