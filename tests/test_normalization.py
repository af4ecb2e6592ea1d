"""Batch, layer and group normalisation: values against NumPy, and what batch normalisation remembers."""

import inspect
import json

import numpy as np
import pytest
from helpers import THREADS, bits
from tiers import DTYPES_OF_TEAMS

import pynn
from pynn import layers
from pynn.foundation.native import core

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
TOLERANCE = {"float32": {"rtol": 2e-5, "atol": 2e-5}, "float64": {"rtol": 1e-12, "atol": 1e-12}}


def normalized(x, axes, epsilon):
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)


def along(values, axes, shape):
    """Weights of these axes of a batch of samples of `shape`, so that they broadcast over the others."""
    ascending = sorted(axis % (len(shape) + 1) for axis in axes)
    return values.reshape([(1, *shape)[axis] if axis in ascending else 1 for axis in range(len(shape) + 1)])


def weigh(layer, random):
    """Random gamma and beta, which are returned."""
    values = [random.normal(size=w.shape) for w in layer.weights if w.trainable]
    for weight, value in zip([w for w in layer.weights if w.trainable], values, strict=True):
        weight.assign(value)
    return values


def make(layer, shape):
    return pynn.Sequential([pynn.Input(shape), layer])


# 33 and 2200 rows are one chunk and several of the sums over rows
@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (17,), (33,), (3, 5), (6, 7, 17)], ids=str)
@pytest.mark.parametrize("rows", [1, 3, 33, 2200])
@every_dtype
def test_batch_norm_in_training(shape, rows, dtype, random):
    layer = layers.BatchNormalization(dtype=dtype, epsilon=0.01)
    model = make(layer, shape)
    gamma, beta = weigh(layer, random)
    x = random.normal(size=(rows, *shape)).astype(dtype) * 2 + 3
    axes = tuple(range(len(shape)))
    got = model(x, training=True)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, normalized(x.astype("float64"), axes, 0.01) * gamma + beta, **TOLERANCE[dtype])
    wide = x.astype("float64")
    np.testing.assert_allclose(layer.moving_mean, 0.01 * wide.mean(axis=axes), **TOLERANCE[dtype])
    np.testing.assert_allclose(layer.moving_variance, 0.99 + 0.01 * wide.var(axis=axes), **TOLERANCE[dtype])


@every_dtype
def test_batch_norm_in_inference(dtype, random):
    layer = layers.BatchNormalization(dtype=dtype)
    model = make(layer, (4, 5))
    values = [random.normal(size=5), random.normal(size=5), random.normal(size=5), random.uniform(0.5, 2, 5)]
    layer.set_weights(values)
    gamma, beta, mean, variance = values
    x = random.normal(size=(70, 4, 5)).astype(dtype)
    expected = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    for got in (model(x), model.predict(x, verbose=0), model(x, training=False)):
        np.testing.assert_allclose(got, expected, **TOLERANCE[dtype])
    for got, value in zip(layer.get_weights(), values, strict=True):
        np.testing.assert_array_equal(got, value.astype(dtype))


def test_batch_norm_of_a_large_mean_keeps_its_digits(random):
    x = (random.normal(size=(3000, 3)) + 4000).astype(np.float32)
    got = make(layers.BatchNormalization(), (3,))(x, training=True)
    np.testing.assert_allclose(got, normalized(x.astype(np.float64), (0,), 1e-3), atol=2e-3)


def trained_model(dtype="float64", trainable=True, seed=1, momentum=0.9):
    pynn.set_random_seed(seed)
    model = pynn.Sequential(
        [
            pynn.Input((6,)),
            layers.Dense(8, activation="relu", dtype=dtype),
            layers.BatchNormalization(momentum=momentum, trainable=trainable),
            layers.Dense(3),
        ]
    )
    model.compile(pynn.optimizers.SGD(0.1), "mse")
    return model


def test_batch_norm_fit_moves_the_statistics(random):
    x, y = random.normal(size=(40, 6)), random.normal(size=(40, 3))
    model = trained_model()
    mean, variance = np.zeros(8), np.ones(8)
    for begin in range(0, 40, 16):
        hidden = np.maximum(x[begin : begin + 16] @ model.get_weights()[0] + model.get_weights()[1], 0)
        mean = 0.9 * mean + 0.1 * hidden.mean(axis=0)
        variance = 0.9 * variance + 0.1 * hidden.var(axis=0)
        model.train_on_batch(x[begin : begin + 16], y[begin : begin + 16])
    np.testing.assert_allclose(model.layers[1].moving_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(model.layers[1].moving_variance, variance, rtol=1e-12)
    twin = trained_model()
    twin.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    assert bits(twin) == bits(model)


def test_batch_norm_evaluate_and_predict_change_nothing(random):
    x, y = random.normal(size=(40, 6)), random.normal(size=(40, 3))
    model = trained_model()
    model.fit(x, y, verbose=0)
    before = bits(model)
    loss = model.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(np.mean((model.predict(x, verbose=0) - y) ** 2))
    assert bits(model) == before


def test_batch_norm_untrainable_is_inference(random):
    x, y = random.normal(size=(40, 6)), random.normal(size=(40, 3))
    model = trained_model(trainable=False)
    frozen = model.layers[1].get_weights()
    loss = model.evaluate(x, y, verbose=0)
    assert model.train_on_batch(x, y) == pytest.approx(loss)
    for got, value in zip(model.layers[1].get_weights(), frozen, strict=True):
        np.testing.assert_array_equal(got, value)
    np.testing.assert_array_equal(model(x, training=True), model(x))
    model.layers[1].trainable = True
    model.train_on_batch(x, y)
    assert not np.array_equal(model.layers[1].moving_mean, frozen[2])
    assert [w.trainable for w in model.layers[1].weights] == [True, True, False, False]


def test_batch_norm_statistics_stay_where_a_step_is_not_made(random):
    x, y = random.normal(size=(8, 6)), random.normal(size=(8, 3))
    model = trained_model()
    model.train_on_batch(x, y)
    before = bits(model)
    with pytest.warns(RuntimeWarning, match="not finite"):
        model.train_on_batch(x, np.full((8, 3), np.finfo(np.float64).max))
    with pytest.raises(ValueError, match="x"):
        model(np.full((2, 6), np.nan), training=True)
    assert bits(model) == before


@pytest.mark.parametrize("batch_size", [7, 300, 600, "full"])
@pytest.mark.parametrize("dtype", DTYPES_OF_TEAMS)
def test_batch_norm_threads(batch_size, dtype, random):
    """A network that is wide enough for several threads, and batches of more than one slice."""
    x, y = random.normal(size=(700, 9, 8)), random.integers(0, 5, 700)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(3)
        model = pynn.Sequential(
            [
                pynn.Input((9, 8)),
                layers.Dense(64, dtype=dtype),
                layers.BatchNormalization(),
                layers.Activation("relu"),
                layers.LayerNormalization(),
                layers.Dense(64),
                layers.GroupNormalization(4),
                layers.Flatten(),
                layers.Dense(5, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        history = model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0)
        seen.add((bits(model), str(history.history), model(x, training=True).tobytes()))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("axis", "shape"),
    [
        *((-1, (7,)), (-1, (3, 17)), ([-1], (3, 5)), ((1, 2), (3, 5)), ([-2, -1], (4, 3, 33))),
        *((1, (3, 5)), (-2, (3, 17)), (2, (4, 3, 33)), ([1, 2], (2, 3, 5)), ((3, 1), (2, 3, 5)), ([-1, 1], (2, 3, 1))),
        *(([2, -3], (2, 17, 3)), ((1, 2, 3), (2, 3, 5)), (1, (1, 5))),
    ],
    ids=str,
)
@every_dtype
def test_layer_norm_values(axis, shape, dtype, random):
    layer = layers.LayerNormalization(axis=axis, epsilon=0.01, dtype=dtype)
    model = make(layer, shape)
    gamma, beta = weigh(layer, random)
    x = random.normal(size=(5, *shape)).astype(dtype) * 2 + 3
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    gamma, beta = (along(weight, axes, shape) for weight in (gamma, beta))
    expected = normalized(x.astype(np.float64), axes, 0.01) * gamma + beta
    for got in (model(x), model(x, training=True)):
        np.testing.assert_allclose(got, expected, **TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("groups", "shape"), [(1, (6,)), (3, (6,)), (-1, (5, 4)), (2, (3, 3, 34)), (32, (2, 2, 64))], ids=str
)
@every_dtype
def test_group_norm_values(groups, shape, dtype, random):
    layer = layers.GroupNormalization(groups, epsilon=0.01, dtype=dtype)
    model = make(layer, shape)
    gamma, beta = weigh(layer, random)
    x = random.normal(size=(5, *shape)).astype(dtype) * 2 + 3
    count = shape[-1] if groups == -1 else groups
    split = x.astype(np.float64).reshape(5, -1, count, shape[-1] // count)
    expected = normalized(split, (1, 3), 0.01).reshape(x.shape) * gamma + beta
    np.testing.assert_allclose(model(x), expected, **TOLERANCE[dtype])


@pytest.mark.parametrize(("axis", "shape"), [(1, (7, 5)), (-2, (17, 3)), (2, (4, 5, 3)), (-3, (6, 2, 3))], ids=str)
@every_dtype
def test_another_axis_is_that_axis_moved_to_the_end_and_back(axis, shape, dtype, random):
    x, y = random.normal(size=(2, 40, *shape))
    rank = len(shape) + 1
    there = [*(number for number in range(1, rank) if number != axis % rank), axis % rank]
    back = [there.index(number) + 1 for number in range(1, rank)]
    for kind, settings in (
        (layers.BatchNormalization, {"momentum": 0.5}),
        (layers.LayerNormalization, {}),
        (layers.GroupNormalization, {"groups": -1}),
    ):
        layer, last = kind(axis=axis, dtype=dtype, **settings), kind(dtype=dtype, **settings)
        models = [
            make(layer, shape),
            pynn.Sequential([pynn.Input(shape), layers.Permute(there), last, layers.Permute(back)]),
        ]
        before = weigh(layer, random)[0].astype(dtype)
        last.set_weights(layer.get_weights())
        for model in models:
            model.compile(pynn.optimizers.SGD(0.1), "mse")
            model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        assert not np.array_equal(layer.gamma, before)
        assert bits(models[0]) == bits(models[1])
        for training in (False, True):
            np.testing.assert_array_equal(models[0](x, training=training), models[1](x, training=training))


@every_dtype
def test_batch_norm_of_another_axis_in_training(dtype, random):
    layer = layers.BatchNormalization(axis=1, epsilon=0.01, dtype=dtype)
    model = make(layer, (3, 4, 5))
    gamma, beta = (along(weight, [1], (3, 4, 5)) for weight in weigh(layer, random))
    x = random.normal(size=(70, 3, 4, 5)).astype(dtype) * 2 + 3
    wide = x.astype("float64")
    got = model(x, training=True)
    np.testing.assert_allclose(got, normalized(wide, (0, 2, 3), 0.01) * gamma + beta, **TOLERANCE[dtype])
    np.testing.assert_allclose(layer.moving_mean, 0.01 * wide.mean(axis=(0, 2, 3)), **TOLERANCE[dtype])
    np.testing.assert_allclose(layer.moving_variance, 0.99 + 0.01 * wide.var(axis=(0, 2, 3)), **TOLERANCE[dtype])
    mean, variance = (along(w.numpy().astype("float64"), [1], (3, 4, 5)) for w in layer.weights[2:])
    np.testing.assert_allclose(model(x), (wide - mean) / np.sqrt(variance + 0.01) * gamma + beta, **TOLERANCE[dtype])


@pytest.mark.parametrize("axis", [1, -3])
def test_group_norm_of_another_axis(axis, random):
    layer = layers.GroupNormalization(2, axis=axis, epsilon=0.01, dtype="float64")
    model = make(layer, (6, 3, 4))
    gamma, beta = (along(weight, [axis], (6, 3, 4)) for weight in weigh(layer, random))
    x = random.normal(size=(5, 6, 3, 4))
    expected = normalized(x.reshape(5, 2, 3, 3, 4), (2, 3, 4), 0.01).reshape(x.shape) * gamma + beta
    np.testing.assert_allclose(model(x), expected, **TOLERANCE["float64"])


def test_normalization_weights_have_the_shapes_of_keras():
    """Those of the axes, in the order of their numbers."""
    for layer, expected in (
        (layers.BatchNormalization(axis=1), (3,)),
        (layers.GroupNormalization(-1, axis=-2), (4,)),
        (layers.LayerNormalization(axis=2), (4,)),
        (layers.LayerNormalization(axis=[3, 1]), (3, 5)),
        (layers.LayerNormalization(axis=[-1, 1]), (5, 3)),
        (layers.LayerNormalization(axis=[1, -1]), (5, 3)),
        (layers.LayerNormalization(axis=[-1, -2]), (4, 5)),
        (layers.LayerNormalization(axis=[-1, 1, 2]), (5, 3, 4)),
        (layers.RMSNormalization(axis=[-1, 1]), (5, 3)),
        (layers.RMSNormalization(axis=[2, 1]), (3, 4)),
        (layers.LayerNormalization(axis=(1, 2, 3)), (3, 4, 5)),
    ):
        model = make(layer, (3, 4, 5))
        assert {weight.shape for weight in model.weights} == {expected}


@pytest.mark.parametrize(
    ("axis", "first", "last"),
    [
        ([-1, 1], [6.412134, 13.661901, 16.373333], [30.457767, 34.427143, 41.282898]),
        ([-2, 1], [3.291077, 9.244531, 10.630935], [25.261894, 40.308193, 28.851103]),
        ([-1, 1, 2], [23.689323, 52.110806, 55.57175], [150.18692, 159.57986, 181.09763]),
    ],
)
def test_weights_of_axes_in_any_order_are_those_of_keras(axis, first, last):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    layer = layers.LayerNormalization(axis=axis)
    layer.build((None, 3, 4, 5))
    layer.set_weights(
        [(number + 1) * np.arange(w.size).reshape(w.shape) for number, w in enumerate(layer.get_weights())]
    )
    y = layer(x)
    np.testing.assert_allclose(y[0, 1, 2, :3], first, rtol=1e-5)
    np.testing.assert_allclose(y[1, 2, 3, 2:], last, rtol=1e-5)


def test_synchronized_has_no_effect(random):
    x = random.normal(size=(6, 3)).astype("float32")
    layer = layers.BatchNormalization(synchronized=True)
    np.testing.assert_array_equal(layer(x, training=True), layers.BatchNormalization()(x, training=True))
    with pytest.raises(TypeError, match="synchronized must be True or False"):
        layers.BatchNormalization(synchronized="yes")


KINDS = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)


@pytest.mark.parametrize("kind", KINDS)
def test_normalization_penalties_are_part_of_the_loss_and_the_gradient(kind, random):
    """L2 of gamma, L1 of beta, which are there alone: the loss is 0 without them, as x is constant."""
    groups = {"groups": 2} if kind is layers.GroupNormalization else {}
    penalties = {"gamma_regularizer": pynn.regularizers.L2(0.1), "beta_regularizer": pynn.regularizers.L1(0.01)}
    layer = kind(dtype="float64", **groups, **penalties)
    model = make(layer, (6,))
    model.compile(pynn.optimizers.SGD(1.0), "mse")
    gamma, beta = weigh(layer, random)
    x = np.full((5, 6), 3.0)
    y = np.broadcast_to(beta, x.shape)
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(0.1 * (gamma**2).sum() + 0.01 * np.abs(beta).sum(), rel=1e-12)
    np.testing.assert_allclose(layer.gamma, gamma - 0.2 * gamma, rtol=1e-12)
    np.testing.assert_allclose(layer.beta, beta - 0.01 * np.sign(beta), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_normalization_constraints_hold_after_a_step(kind, random):
    groups = {"groups": 2} if kind is layers.GroupNormalization else {}
    layer = kind(dtype="float64", **groups, gamma_constraint=pynn.constraints.MaxNorm(0.5), beta_constraint="non_neg")
    free = kind(dtype="float64", **groups)
    x, y = random.normal(size=(2, 9, 6))
    for model in (make(layer, (6,)), make(free, (6,))):
        model.set_weights([np.full(6, 2.0), np.linspace(-1, 1, 6), *model.get_weights()[2:]])
        model.compile(pynn.optimizers.SGD(0.1), "mse")
        model.train_on_batch(x, y)
    assert np.linalg.norm(free.gamma) > 1
    assert free.beta.numpy().min() < 0
    np.testing.assert_allclose(layer.gamma, pynn.constraints.MaxNorm(0.5)(free.gamma.numpy()), rtol=1e-12)
    np.testing.assert_array_equal(layer.beta, np.maximum(free.beta, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_normalization_arguments_are_in_the_order_of_keras(kind):
    """The last ones that can be given by position, and their configurations."""
    names = ["beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint"]
    parameters = inspect.signature(kind).parameters.values()
    arguments = [each.name for each in parameters if each.kind == each.POSITIONAL_OR_KEYWORD]
    assert arguments[-4:] == names
    assert arguments[:2] == {"GroupNormalization": ["groups", "axis"]}.get(
        kind.__name__, ["axis", "momentum" if kind is layers.BatchNormalization else "epsilon"]
    )
    given = dict(zip(names, (pynn.regularizers.L1(0.5), "l2", "non_neg", pynn.constraints.MaxNorm(3)), strict=True))
    config = kind(**given).get_config()
    twin = kind.from_config(json.loads(json.dumps(config)))
    assert (twin.beta_regularizer.l1, twin.gamma_regularizer.l2, twin.gamma_constraint.max_value) == (0.5, 0.01, 3)
    assert isinstance(twin.beta_constraint, pynn.constraints.NonNeg)
    assert all(kind().get_config()[name] is None for name in names)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.BatchNormalization(axis=0, name="probe"), "axis=0"),
        (layers.BatchNormalization(axis=-3, name="probe"), "axis=-3"),
        (layers.BatchNormalization(axis=3, name="probe"), "axis=3"),
        (layers.LayerNormalization(axis=0, name="probe"), "axis=0"),
        (layers.LayerNormalization(axis=[0, 1, 2], name="probe"), "axis=.*0"),
        (layers.LayerNormalization(axis=[1, 1], name="probe"), "twice"),
        (layers.LayerNormalization(axis=[1, -2], name="probe"), "twice"),
        (layers.LayerNormalization(axis=[-4, 1], name="probe"), "axis=.*-4"),
        (layers.GroupNormalization(-1, axis=0, name="probe"), "axis=0"),
        (layers.GroupNormalization(3, name="probe"), "groups"),
        (layers.GroupNormalization(5, axis=1, name="probe"), "groups"),
    ],
    ids=str,
)
def test_normalization_of_what_it_cannot_says_so(layer, message):
    with pytest.raises(ValueError, match=f"probe.*{message}"):
        make(layer, (4, 5))


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: layers.BatchNormalization(momentum=1.5), "momentum"),
        (lambda: layers.BatchNormalization(epsilon=-1.0), "epsilon"),
        (lambda: layers.BatchNormalization(center=None), "center"),
        (lambda: layers.BatchNormalization(axis=1.0), "axis"),
        (lambda: layers.BatchNormalization(axis=[1, 2]), "axis"),
        (lambda: layers.GroupNormalization(axis=(1, 2)), "axis"),
        (lambda: layers.LayerNormalization(axis="last"), "axis"),
        (lambda: layers.LayerNormalization(axis=[]), "axis"),
        (lambda: layers.GroupNormalization(0), "groups"),
        (lambda: layers.BatchNormalization(gamma_regularizer="l3"), "gamma_regularizer"),
        (lambda: layers.LayerNormalization(beta_regularizer=0.1), "beta_regularizer"),
        (lambda: layers.GroupNormalization(gamma_constraint="norm"), "gamma_constraint"),
        (lambda: layers.BatchNormalization(beta_constraint=1), "beta_constraint"),
    ],
)
def test_normalization_bad_argument_names_it(make_layer, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make_layer()


def test_summary_tells_moving_statistics_apart(capsys):
    make(layers.BatchNormalization(), (10,)).summary()
    text = capsys.readouterr().out
    assert "Trainable params: 20 " in text
    assert "Non-trainable params: 20 " in text


@pytest.mark.parametrize("threads", THREADS)
@every_dtype
def test_group_norm_kernel_returns_the_moments(threads, dtype, random):
    x = (random.normal(size=(50, 9, 4, 33)) * 2 + 3).astype(dtype)  # samples, positions, groups, columns
    y = np.empty_like(x)
    mean, inverse = saved = np.empty((2, 50, 4), dtype)
    sizes = {"samples": 1, "groups": 4, "columns": 33}
    core.op_forward("group_norm", {**sizes, "epsilon": 0.01}, [y], [x], [None, None], saved, threads)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(axis=(1, 3)), **TOLERANCE[dtype])
    np.testing.assert_allclose(inverse, 1 / np.sqrt(wide.var(axis=(1, 3)) + 0.01), **TOLERANCE[dtype])
    np.testing.assert_allclose(y, normalized(wide, (1, 3), 0.01), **TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": 4}, "columns"),
        ({"columns": -3}, "columns"),
        ({"groups": 0}, "groups"),
        ({"samples": 0}, "samples"),
        ({"samples": 2**62}, "samples"),
        ({"y": np.zeros((1, 5))}, "outputs"),
        ({"saved": np.zeros(3)}, "saved"),
        ({"gamma": np.zeros(2)}, "gamma"),
        ({"beta": np.zeros(5)}, "beta"),
        ({"y": np.zeros((1, 6), "float32")}, "x must.*float32"),
    ],
    ids=str,
)
def test_group_norm_op_refuses_other_sizes(change, message):
    def run(samples=1, groups=2, columns=3, y=None, saved=None, gamma=None, beta=None):
        attributes = {"samples": samples, "groups": groups, "columns": columns, "epsilon": 0.1}
        y, saved = np.empty((1, 6)) if y is None else y, np.empty(4) if saved is None else saved
        core.op_forward("group_norm", attributes, [y], [np.ones((1, 6))], [gamma, beta], saved, 1)

    with pytest.raises((TypeError, ValueError), match=message):
        run(**change)
    run(gamma=np.ones(6))


# ---- large means -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [1234.5, 1e6, 1.7e9, 3.3e12])
@every_dtype
def test_normalization_of_equal_numbers_is_beta(value, dtype):
    """The mean of equal rows is their value, so nothing is left of them: neither in training nor of a moved average."""
    x = np.full((64, 33), value, dtype)
    for layer in (layers.BatchNormalization(dtype=dtype), layers.LayerNormalization(dtype=dtype)):
        model = make(layer, (33,))
        layer.beta.assign(np.full(33, 0.5, dtype))
        np.testing.assert_array_equal(model(x, training=True), np.full_like(x, 0.5))
    group = make(layers.GroupNormalization(groups=3, dtype=dtype), (11, 33))
    np.testing.assert_array_equal(group(np.full((2, 11, 33), value, dtype)), np.zeros((2, 11, 33), dtype))
    batch = layers.BatchNormalization(dtype=dtype, momentum=0.0)
    model = make(batch, (33,))
    model(x, training=True)
    np.testing.assert_array_equal(batch.moving_mean, x[0])
    np.testing.assert_array_equal(batch.moving_variance, np.zeros(33, dtype))
    np.testing.assert_array_equal(model(x), np.zeros_like(x))


# The means lie between two numbers of float32
@pytest.mark.parametrize("start", [1e6 + 0.5, 1e7, 16777200.0 - 50])
def test_normalization_of_neighbouring_numbers_keeps_their_distances(start):
    x = (start + np.arange(50)).astype(np.float32)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean()) / np.sqrt(wide.var() + 1e-3)
    close = {"rtol": 0, "atol": 2e-6}
    batch = make(layers.BatchNormalization(dtype="float32"), (1,))
    np.testing.assert_allclose(batch(x[:, None], training=True)[:, 0], expected, **close)
    row = make(layers.LayerNormalization(epsilon=1e-3, dtype="float32"), (50,))
    np.testing.assert_allclose(row(x[None])[0], expected, **close)
    of_deviation = (wide - wide.mean()) / np.sqrt(wide.var())
    adapted = layers.Normalization(dtype="float32")  # whose mean is a weight, and so a number of float32
    adapted.adapt(x[:, None])
    rounded = of_deviation + (wide.mean() - np.float32(wide.mean())) / np.sqrt(wide.var())
    np.testing.assert_allclose(make(adapted, (1,))(x[:, None])[:, 0], rounded, **close)
    given = layers.Normalization(mean=float(wide.mean()), variance=float(wide.var()), dtype="float32")
    np.testing.assert_allclose(make(given, (1,))(x[:, None])[:, 0], of_deviation, **close)
    # The same where it is not the first layer, and so an op
    later = pynn.Sequential([pynn.Input((1,)), layers.ReLU(dtype="float32"), given])
    np.testing.assert_allclose(later(x[:, None])[:, 0], of_deviation, **close)


def test_normalization_first_row_far_from_the_others(random):
    """Deviations are taken from the first row, so one that lies far away must cost no more than its share."""
    x = random.normal(size=(500, 17)).astype(np.float32)
    x[0] = 1e4
    got = make(layers.BatchNormalization(dtype="float32"), (17,))(x, training=True)
    share = 22.4 * np.finfo(np.float32).eps  # it is 22.4 standard deviations from the mean
    np.testing.assert_allclose(got, normalized(x.astype(np.float64), (0,), 1e-3), rtol=0, atol=8 * share)


@every_dtype
def test_normalization_epsilon_that_its_type_cannot_hold(dtype):
    """It counts as the smallest number that is not subnormal, instead of 0: no 0 / 0."""
    x = np.full((8, 5), 3.0, dtype)
    for layer in (
        layers.BatchNormalization(epsilon=1e-310, dtype=dtype),
        layers.LayerNormalization(epsilon=1e-310, dtype=dtype),
    ):
        np.testing.assert_array_equal(make(layer, (5,))(x, training=True), np.zeros_like(x))
