"""Dropout and noise: what they do in training, that they do nothing otherwise, and that threads don't matter."""

import numpy as np
import pytest
from helpers import THREADS, bits
from tiers import DTYPES_OF_TEAMS, slow

import pynn
from pynn import layers
from pynn.foundation.native import core

NOISES = [
    layers.Dropout(0.3, name="probe"),
    layers.AlphaDropout(0.3, name="probe"),
    layers.SpatialDropout1D(0.3, name="probe"),
    layers.GaussianNoise(0.3, name="probe"),
    layers.GaussianDropout(0.3, name="probe"),
]


def probe(noise_shape):
    return layers.Dropout(0.5, noise_shape, name="probe")


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


def philox(counter, key):
    """Four words of Philox 4x32-10 (Salmon and others, 2011) for each column of `counter` (4, n), as uint32."""
    mask = np.uint64(0xFFFFFFFF)
    c0, c1, c2, c3 = (np.asarray(word, np.uint64) for word in counter)
    k0, k1 = (np.uint64(word) for word in key)
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (p1 >> np.uint64(32)) ^ c1 ^ k0, p1 & mask, (p0 >> np.uint64(32)) ^ c3 ^ k1, p0 & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return np.stack([c0, c1, c2, c3]).astype(np.uint32)


def test_philox_here_is_that_of_the_paper():
    """The known answers that its authors published."""
    ones = 0xFFFFFFFF
    for counter, key, words in (
        ([0] * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ([ones] * 4, (ones, ones), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ):
        assert philox(np.array(counter)[:, None], key)[:, 0].tolist() == list(words)


def test_dropout_is_a_function_of_seed_step_and_element(random):
    """An element's word is that of its sample's block of 256 and of its place there."""
    rows, columns, seed, rate = 5, 700, 2**40 + 3, 0.3
    layer = layers.Dropout(rate, seed=seed, dtype="float64")
    model = pynn.Sequential([pynn.Input((columns,)), layer])
    for call in (1, 2):
        step = 2**63 + call
        blocks = -(-columns // 256)
        block = np.repeat(np.arange(rows * blocks), 64)
        counter = (np.tile(np.arange(64), rows * blocks), block, np.full_like(block, step % 2**32), step >> 32)
        counter = [np.broadcast_to(word, block.shape) for word in counter]
        words = philox(counter, (seed % 2**32, seed >> 32)).reshape(4, rows, blocks, 64)
        words = words.transpose(1, 2, 0, 3).reshape(rows, blocks * 256)[:, :columns]
        x = random.normal(size=(rows, columns))
        np.testing.assert_array_equal(model(x, training=True), np.where(words < int(rate * 2**32), 0, x * (1 / 0.7)))


NOISE_SHAPES = [
    ((7,), (None, 7)),
    ((7,), (1, None)),
    ((7,), (None, 1)),
    ((4, 5), (None, 1, 5)),
    ((4, 5), (None, None, 1)),
    ((4, 5), (1, 4, 1)),
    ((4, 5), (1, 1, 1)),
    ((3, 4, 5), (None, 3, 1, 5)),
    ((3, 4, 5), (None, 1, None, 1)),
    ((3, 4, 5), (1, 1, None, 5)),
    ((3, 1, 5), (None, 1, 1, 1)),
    ((1, 4, 5), (None, None, 4, 1)),
    ((2, 3, 4, 5), (None, 2, 1, 4, 1)),
    ((2, 3, 4, 5), (1, 1, None, 1, None)),
    ((2, 3, 2, 2, 3), (None, 1, None, 1, None, 1)),
    ((3, 2, 300), (None, None, 1, None)),  # more numbers than are drawn at once, in rows and on their borders
    ((20, 30, 3), (None, None, None, 1)),
    ((40, 2, 33), (None, 40, 1, 33)),
]


@pytest.mark.parametrize(("shape", "noise_shape"), NOISE_SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_noise_shape(shape, noise_shape, dtype, random):
    """What is drawn for the noise shape, as if that were the input's, is broadcast over the input."""
    rows = 6
    x = random.normal(size=(rows, *shape)).astype(dtype)
    drawn = [size if n is None else n for n, size in zip(noise_shape[1:], shape, strict=True)]
    plain = output(layers.Dropout(0.4, seed=11, dtype=dtype), np.ones((rows, int(np.prod(drawn))), dtype))
    mask = plain.reshape(rows, *drawn)[: 1 if noise_shape[0] == 1 else rows]
    y = output(layers.Dropout(0.4, noise_shape, seed=11, dtype=dtype), x)
    np.testing.assert_array_equal(y, x * mask)


def test_dropout_noise_shape_may_have_the_batch_size(random):
    x = random.normal(size=(6, 4, 5)).astype("float32")
    by_number = output(layers.Dropout(0.4, (6, 1, 5), seed=11), x)
    np.testing.assert_array_equal(by_number, output(layers.Dropout(0.4, (None, 1, 5), seed=11), x))
    last = layers.Dropout(0.4, (6, 1, 5), seed=11)  # the last batch of an epoch
    np.testing.assert_array_equal(output(last, x[:2]), by_number[:2])


def test_dropout_noise_shape_of_a_batch_in_slices():
    """A large batch goes through in slices of 256, which share too: the weights of what is dropped learn nothing."""
    for noise_shape, shared in (((1, None), True), ((None, None), False)):
        layer = layers.Dropout(0.5, noise_shape, seed=4)
        model = pynn.Sequential([pynn.Input((40,)), layer, layers.Dense(1, use_bias=False)])
        model.compile(pynn.optimizers.SGD(0.01), "mse")
        model.set_weights([np.ones((40, 1))])
        model.train_on_batch(np.ones((600, 40)), np.zeros((600, 1)))
        learned = (model.get_weights()[0] != 1).sum()
        assert (5 < learned < 35) if shared else learned == 40


def test_dropout_of_all_and_of_infinity():
    x = np.full((4, 50), np.finfo(np.float32).max)
    assert not output(layers.Dropout(1.0), x).any()
    y = output(layers.Dropout(0.9), x)
    assert set(np.unique(y)) == {0.0, np.inf}


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_alpha_dropout_values(rate, dtype, random):
    """Where Dropout of the same seed drops, the least value of selu; then the line. Mean and variance stay."""
    x = random.normal(size=(400, 500)).astype(dtype)
    dropped = output(layers.Dropout(rate, seed=3, dtype=dtype), x) == 0
    y = output(layers.AlphaDropout(rate, seed=3, dtype=dtype), x)
    least = -1.0507009873554805 * 1.6732632423543772
    a = ((1 - rate) * (1 + rate * least**2)) ** -0.5
    expected = a * np.where(dropped, least, x.astype(np.float64)) - a * least * rate
    np.testing.assert_allclose(y, expected, rtol=0, atol=64 * np.finfo(dtype).eps / (1 - rate))
    assert y.mean() == pytest.approx(0, abs=0.02)
    assert y.std() == pytest.approx(1, abs=0.02)


def test_alpha_dropout_gradient_passes_what_is_kept(random):
    """The gradient of sum(y) for a bias in front is the slope for each sample that kept the element."""
    x, gradients = random.normal(size=(50, 7)), []
    for kind in (layers.Dropout, layers.AlphaDropout):
        dense = layers.Dense(7, kernel_initializer="identity", dtype="float64")
        model = pynn.Sequential([pynn.Input((7,)), dense, kind(0.4, seed=5, dtype="float64")])
        model.compile(pynn.optimizers.SGD(1.0), pynn.losses.MeanAbsoluteError(reduction="sum"))
        model.train_on_batch(x, np.full((50, 7), -100.0))
        gradients.append(-dense.bias.numpy())
    least = -1.0507009873554805 * 1.6732632423543772
    slope = (0.6 * (1 + 0.4 * least**2)) ** -0.5
    np.testing.assert_allclose(gradients[1], gradients[0] * 0.6 * slope, rtol=1e-12)


def test_alpha_dropout_of_all_is_zero_and_infinity_can_be_dropped():
    assert not output(layers.AlphaDropout(1.0), np.ones((4, 50))).any()
    y = output(layers.AlphaDropout(0.9), np.full((4, 50), np.finfo(np.float32).max))
    assert len(np.unique(y)) == 2


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


@pytest.mark.parametrize("batch_size", [300, *slow(32, "full")])
@pytest.mark.parametrize("dtype", DTYPES_OF_TEAMS)
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
                layers.AlphaDropout(0.1, dtype=dtype),
                layers.SpatialDropout1D(0.2),
                layers.Dropout(0.1, noise_shape=(None, None, 1)),
                layers.Dropout(0.1, noise_shape=(1, 12, 20)),
                layers.Reshape((4, 3, 20)),
                layers.Dropout(0.1, noise_shape=(None, 4, 1, 20)),
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
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=30, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.95


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dropout(1.5), "rate"),
        (lambda: layers.Dropout(-0.1), "rate"),
        (lambda: layers.Dropout("half"), "rate"),
        (lambda: layers.AlphaDropout(1.5), "rate"),
        (lambda: layers.AlphaDropout(0.5, noise_shape=3), "noise_shape"),
        (lambda: layers.Dropout(0.5, seed=-1), "seed"),
        (lambda: layers.SpatialDropout2D(0.5, data_format="channels_middle"), "data_format"),
        (lambda: layers.GaussianNoise(-1.0), "stddev"),
        (lambda: layers.GaussianDropout(1.0), "rate"),
        (lambda: layers.Dropout(0.5, noise_shape=3), "noise_shape"),
        (lambda: layers.Dropout(0.5, noise_shape="1"), "noise_shape"),
        (lambda: layers.Dropout(0.5, noise_shape=(None, 0)), "noise_shape"),
        (lambda: layers.Dropout(0.5, noise_shape=(None, 1.0)), "noise_shape"),
        (lambda: layers.Dropout(0.5, noise_shape=(None, True)), "noise_shape"),
        *(
            (lambda noise_shape=noise_shape: output(probe(noise_shape), np.ones((2, 4, 3))), "probe.*noise_shape")
            for noise_shape in ((None, 3, 3), (None, 4), (None, 1, 1, 1), (2, 4, 2), (2, 4), (None, 4, 2), ())
        ),
        (lambda: output(layers.SpatialDropout1D(0.5), np.ones((2, 4))), "length"),
        (lambda: output(layers.Dropout(0.5), np.ones((2, 4)), training="yes"), "training"),
    ],
)
def test_noise_bad_argument_names_it(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [2, 4]}, "expected x to have . elements"),
        ({"shape": [2]}, "expected x to have . elements"),
        ({"shape": [-2, -3]}, "expected sizes"),
        ({"shape": [0, 6]}, "expected sizes"),
        ({"sharing": [False, True]}, "sharing"),
        ({"sharing": []}, "sharing"),
        ({"kind": "salt"}, "salt"),
    ],
    ids=str,
)
def test_noise_of_another_shape_is_refused_by_the_engine(change, message):
    graph = core.Graph()
    x = graph.add_input(6)
    arguments = {"kind": "dropout", "shape": [2, 3], "sharing": [False, True, False], "amount": 0.5, "seed": 1}
    with pytest.raises(ValueError, match=message):
        graph.add("noise", [x], [], {**arguments, **change})
    assert graph.add("noise", [x], [], arguments) == [1]
