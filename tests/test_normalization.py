"""Batch, layer and group normalisation: values against NumPy, and what batch normalisation remembers."""

import numpy as np
import pytest
from helpers import THREADS, bits

import pynn
from pynn import layers

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
TOLERANCE = {"float32": {"rtol": 2e-5, "atol": 2e-5}, "float64": {"rtol": 1e-12, "atol": 1e-12}}


def normalized(x, axes, epsilon):
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)


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
@every_dtype
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
    ("axis", "shape"), [(-1, (7,)), (-1, (3, 17)), ([-1], (3, 5)), ((1, 2), (3, 5)), ([-2, -1], (4, 3, 33))], ids=str
)
@every_dtype
def test_layer_norm_values(axis, shape, dtype, random):
    layer = layers.LayerNormalization(axis=axis, epsilon=0.01, dtype=dtype)
    model = make(layer, shape)
    gamma, beta = weigh(layer, random)
    x = random.normal(size=(5, *shape)).astype(dtype) * 2 + 3
    axes = axis if isinstance(axis, int) else tuple(axis)
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


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.BatchNormalization(axis=1, name="probe"), (4, 5)),
        (layers.BatchNormalization(axis=3, name="probe"), (4, 5)),
        (layers.LayerNormalization(axis=1, name="probe"), (4, 5)),
        (layers.LayerNormalization(axis=[0, 1, 2], name="probe"), (4, 5)),
        (layers.LayerNormalization(axis=[], name="probe"), (4, 5)),
        (layers.GroupNormalization(3, name="probe"), (4, 5)),
    ],
    ids=str,
)
def test_normalization_of_what_it_cannot_says_so(layer, shape):
    with pytest.raises(ValueError, match="probe"):
        make(layer, shape)


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: layers.BatchNormalization(momentum=1.5), "momentum"),
        (lambda: layers.BatchNormalization(epsilon=-1.0), "epsilon"),
        (lambda: layers.BatchNormalization(center=None), "center"),
        (lambda: layers.BatchNormalization(axis=1.0), "axis"),
        (lambda: layers.LayerNormalization(axis="last"), "axis"),
        (lambda: layers.GroupNormalization(0), "groups"),
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
