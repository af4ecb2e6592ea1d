"""Dropout and noise: what they do in training, that they do nothing otherwise, and that threads don't matter."""

import numpy as np
import pytest
from helpers import THREADS, bits

import pynn
from pynn import layers

NOISES = [
    layers.Dropout(0.3, name="probe"),
    layers.SpatialDropout1D(0.3, name="probe"),
    layers.GaussianNoise(0.3, name="probe"),
    layers.GaussianDropout(0.3, name="probe"),
]


def output(layer, x, training=True):
    model = pynn.Sequential([pynn.Input(x.shape[1:]), layer])
    return model(x, training=training)


def copy_of(layer, **more):
    return type(layer).from_config({**layer.get_config(), **more})


@pytest.mark.parametrize("layer", NOISES, ids=lambda layer: type(layer).__name__)
def test_noise_is_for_training_only(layer, random):
    x = random.normal(size=(100, 3, 20)).astype(np.float32)
    model = pynn.Sequential([pynn.Input((3, 20)), copy_of(layer)])
    for same in (model(x), model.predict(x, verbose=0), model(x, training=False)):
        np.testing.assert_array_equal(same, x)
    first, second = model(x, training=True), model(x, training=True)
    assert not np.array_equal(first, x)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_values(dtype, random):
    x = random.normal(size=(200, 700)).astype(dtype)
    y = output(layers.Dropout(0.3, dtype=dtype), x)
    kept = y != 0
    np.testing.assert_allclose(y[kept], (x / np.array(0.7, dtype))[kept], rtol=1e-6)
    assert kept.mean() == pytest.approx(0.7, abs=0.01)  # some 8 standard deviations
    # no pattern along rows, columns, or neighbours
    assert np.abs(kept.mean(axis=0) - 0.7).max() < 0.2
    assert np.abs(kept.mean(axis=1) - 0.7).max() < 0.1
    for shift in (1, 4, 64, 256):
        both = (kept[:, shift:] & kept[:, :-shift]).mean()
        assert both == pytest.approx(0.49, abs=0.01)


def test_dropout_of_all_and_of_infinity():
    x = np.full((4, 50), np.finfo(np.float32).max)
    assert not output(layers.Dropout(1.0), x).any()
    y = output(layers.Dropout(0.9), x)
    assert set(np.unique(y)) == {0.0, np.inf}


def test_spatial_dropout_drops_channels(random):
    for x, layer in (
        (np.ones((300, 5, 7)), layers.SpatialDropout1D(0.4)),
        (np.ones((300, 2, 3, 7)), layers.SpatialDropout2D(0.4)),
        (np.ones((300, 5, 7)), layers.Dropout(0.4, noise_shape=(None, 1, 7))),
    ):
        y = output(layer, x).reshape(300, -1, 7)
        np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
        assert (y[:, 0] != 0).mean() == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gaussian_values(dtype):
    n = 400_000
    for layer, mean, deviation in (
        (layers.GaussianNoise(0.5, dtype=dtype), 2.0, 0.5),
        (layers.GaussianDropout(0.2, dtype=dtype), 2.0, 2 * 0.5),
    ):
        z = (output(layer, np.full((100, n // 100), 2.0)).astype(np.float64).ravel() - mean) / deviation
        assert z.mean() == pytest.approx(0, abs=0.01)
        assert z.std() == pytest.approx(1, abs=0.01)
        assert (z**3).mean() == pytest.approx(0, abs=0.03)
        assert (z**4).mean() == pytest.approx(3, abs=0.08)
        # Quantiles of the normal distribution, the tails included
        for level, quantile in ((0.001, -3.0902), (0.02, -2.0537), (0.5, 0.0), (0.975, 1.95996), (0.9999, 3.7190)):
            assert (z < quantile).mean() == pytest.approx(level, abs=6 * np.sqrt(level * (1 - level) / n))


@pytest.mark.parametrize("layer", NOISES, ids=lambda layer: type(layer).__name__)
def test_noise_follows_the_seed(layer, random):
    x = random.normal(size=(10, 3, 20)).astype(np.float32)
    np.testing.assert_array_equal(output(copy_of(layer, seed=5), x), output(copy_of(layer, seed=5), x))
    assert not np.array_equal(output(copy_of(layer, seed=5), x), output(copy_of(layer, seed=6), x))
    drawn = []
    for _ in range(2):
        pynn.set_random_seed(9)
        drawn += [output(copy_of(layer), x) for _ in range(2)]
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("batch_size", [32, 300, "full"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_threads(batch_size, dtype, random):
    """Batches of more than 256 samples go through in slices, whose samples keep their numbers."""
    x, y = random.normal(size=(600, 12, 20)), random.integers(0, 5, 600)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(3)
        model = pynn.Sequential(
            [
                pynn.Input((12, 20)),
                layers.GaussianNoise(0.1, dtype=dtype),
                layers.SpatialDropout1D(0.2),
                layers.Flatten(),
                layers.Dense(300, activation="relu"),
                layers.Dropout(0.5),
                layers.Dense(100, activation="relu"),
                layers.GaussianDropout(0.2),
                layers.Dense(5, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        history = model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0)
        seen.add((bits(model), str(history.history), model(x, training=True).tobytes()))
    assert len(seen) == 1


def test_noise_slices_of_a_batch_draw_anew():
    """The second slice of a large batch does not repeat the first one's noise: both halves of the gradient count."""
    losses = []
    for rows in (256, 512):
        model = pynn.Sequential([pynn.Input((1,)), layers.Dropout(0.5, seed=1), layers.Dense(1, use_bias=False)])
        model.compile(pynn.optimizers.SGD(1.0), "mse")
        model.set_weights([np.ones((1, 1))])
        losses.append(model.train_on_batch(np.ones((rows, 1)), np.zeros((rows, 1))))
    assert losses[0] != losses[1]


def test_dropout_trains(random):
    x = random.normal(size=(400, 10))
    y = (x[:, :1] > 0).astype(np.float32)
    pynn.set_random_seed(1)
    model = pynn.Sequential(
        [layers.Dense(32, activation="relu", input_dim=10), layers.Dropout(0.5), layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy", ["accuracy"])
    model.fit(x, y, epochs=30, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.95


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dropout(1.5), "rate"),
        (lambda: layers.Dropout(-0.1), "rate"),
        (lambda: layers.Dropout("half"), "rate"),
        (lambda: layers.Dropout(0.5, seed=-1), "seed"),
        (lambda: layers.SpatialDropout2D(0.5, data_format="channels_first"), "data_format"),
        (lambda: layers.GaussianNoise(-1.0), "stddev"),
        (lambda: layers.GaussianDropout(1.0), "rate"),
        (lambda: output(layers.Dropout(0.5, noise_shape=(None, 3)), np.ones((2, 4))), "noise_shape"),
        (lambda: output(layers.SpatialDropout1D(0.5), np.ones((2, 4))), "length"),
        (lambda: output(layers.Dropout(0.5), np.ones((2, 4)), training="yes"), "training"),
    ],
)
def test_noise_bad_argument_names_it(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
