"""pynn.random: arrays of each distribution."""

import numpy as np
import pytest

import pynn
from pynn import random as of_pynn

# A call of each function, and the type that Keras 3.15 gives what it makes.
CALLS = {
    "normal": (((4000,),), "float32"),
    "uniform": (((4000,),), "float32"),
    "truncated_normal": (((4000,),), "float32"),
    "gamma": (((4000,), 2.0), "float32"),
    "beta": (((4000,), 2.0, 3.0), "float32"),
    "binomial": (((4000,), 50, 0.5), "float32"),
    "randint": (((4000,), 0, 1000), "int32"),
    "categorical": ((np.zeros((4, 300)), 1000), "int32"),
    "shuffle": ((np.arange(4000, dtype="int32"),), "int32"),
    "dropout": ((np.ones(4000, "float32"), 0.5), "float32"),
}


@pytest.mark.parametrize("name", CALLS)
def test_seeds(name):
    function, (arguments, dtype) = getattr(of_pynn, name), CALLS[name]

    def same(one, other):
        return np.array_equal(one, other)

    first = function(*arguments, seed=1)
    assert first.dtype == dtype
    assert same(function(*arguments, seed=1), first)
    assert not same(function(*arguments, seed=2), first)
    seeds, again = of_pynn.SeedGenerator(1), of_pynn.SeedGenerator(1)
    one, two = function(*arguments, seed=seeds), function(*arguments, seed=seeds)
    assert not same(one, two)
    assert same(function(*arguments, seed=again), one)
    assert same(function(*arguments, seed=again), two)
    found = []
    for seed in (1, 1, 2):
        pynn.random.set_seed(seed)
        found.append([function(*arguments) for _ in range(2)])
    assert same(found[0], found[1])
    assert not same(found[0], found[2])
    assert not same(*found[0])


def moments(values, mean, variance):
    """Whether mean and variance are those expected, within 5 standard errors or so."""
    assert values.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / values.size))
    assert values.var() == pytest.approx(variance, rel=0.03)


def test_uniform():
    values = of_pynn.uniform((200, 500), -2.0, 3.0, seed=1)
    moments(values, 0.5, 25 / 12)
    assert values.min() >= -2
    assert values.max() < 3
    counts = np.histogram(values, bins=10, range=(-2, 3))[0]
    assert np.abs(counts - 10_000).max() < 500
    assert of_pynn.uniform((2,), dtype="float64", seed=1).dtype == np.float64
    assert of_pynn.uniform((2,), 1.0, 1.0).tolist() == [1.0, 1.0]
    assert of_pynn.uniform((), seed=1).shape == ()


def test_uniform_stays_below_what_rounding_would_make_of_it():
    below = np.nextafter(np.float32(1e8 + 8), np.float32(0))
    values = of_pynn.uniform((1000,), 1e8, 1e8 + 8, seed=1)
    assert values.max() == below


def test_truncated_normal():
    values = of_pynn.truncated_normal((100_000,), 3.0, 2.0, seed=1)
    assert np.abs(values - 3).max() <= 4
    moments(values, 3, (2 * 0.87962566103423978) ** 2)


def test_randint():
    values = of_pynn.randint((100_000,), -2, 3, seed=1)
    assert np.abs(np.unique(values, return_counts=True)[1] - 20_000).max() < 1000
    assert np.unique(values).tolist() == [-2, -1, 0, 1, 2]
    assert of_pynn.randint((1000,), 0, 256, dtype="uint8", seed=1).max() > 250
    assert of_pynn.randint((3,), 2**40, 2**40 + 1, dtype="int64").tolist() == [2**40] * 3


def test_gamma_beta_and_binomial():
    moments(of_pynn.gamma((100_000,), 3.0, seed=1), 3, 3)
    values = of_pynn.gamma((100_000, 2), [1.0, 9.0], seed=1)
    moments(values[:, 1], 9, 9)
    moments(of_pynn.beta((100_000,), 2.0, 3.0, seed=1), 0.4, 0.04)
    moments(of_pynn.beta((100_000, 2), [1.0, 2.0], 3.0, seed=1)[:, 0], 0.25, 3 / 80)
    values = of_pynn.binomial((100_000,), 10, 0.3, seed=1)
    moments(values, 3, 2.1)
    assert set(values) <= set(range(11))
    assert of_pynn.binomial((2, 2), [3, 4], [0.0, 1.0], dtype="float64").tolist() == [[0, 4], [0, 4]]


def test_categorical():
    shares = np.array([[0.0, 0.5, 0.3, 0.2, 0.0], [0.9, 0.0, 0.1, 0.0, 0.0]])
    with np.errstate(divide="ignore"):
        logits = np.log(shares) + np.array([[100.0], [-1000.0]])
    found = of_pynn.categorical(logits, 50_000, seed=1)
    assert found.shape == (2, 50_000)
    for row, expected in zip(found, shares, strict=True):
        counts = np.bincount(row, minlength=5)
        assert np.abs(counts - 50_000 * expected).max() < 600
        assert not counts[expected == 0].any()
    assert of_pynn.categorical([[0.0, 1.0]], 2, dtype="int64").dtype == np.int64


def test_shuffle():
    x = np.arange(60).reshape(20, 3)
    found = of_pynn.shuffle(x, seed=1)
    assert not np.array_equal(found, x)
    np.testing.assert_array_equal(found[np.argsort(found[:, 0])], x)  # rows stay together
    np.testing.assert_array_equal(of_pynn.shuffle(x.T, axis=-1, seed=1), found.T)
    np.testing.assert_array_equal(of_pynn.shuffle(np.arange(20), seed=1), found[:, 0] // 3)
    np.testing.assert_array_equal(x, np.arange(60).reshape(20, 3))


def test_dropout():
    x = np.linspace(1, 2, 100_000)
    found = of_pynn.dropout(x, 0.25, seed=1)
    assert found.dtype == np.float64
    kept = found != 0
    assert kept.mean() == pytest.approx(0.75, abs=0.01)
    np.testing.assert_allclose(found[kept], x[kept] / 0.75, rtol=1e-12)
    np.testing.assert_array_equal(of_pynn.dropout(x, 0.0), x)
    np.testing.assert_array_equal(of_pynn.dropout(x, 1), np.zeros_like(x))
    found = of_pynn.dropout(np.ones((50, 3, 4)), 0.5, (None, 1, 4), seed=1)
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))
    assert len({tuple(row) for row in found[:, 0]}) > 5
    assert of_pynn.dropout([1, 2], 0.0).dtype == np.float32


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("uniform", ((2,), 1.0, 0.0), "minval must not exceed maxval"),
        ("uniform", ((2,), "0"), "minval must be a number"),
        ("uniform", ((2,), 0.0, 1.0, "int32"), 'dtype must be "float32" or "float64"'),
        ("truncated_normal", ((2,), 0.0, -1.0), "stddev must be"),
        ("randint", ((2,), 5, 5), "minval must be less than maxval"),
        ("randint", ((2,), 0, 300, "int8"), "what int8 holds"),
        ("randint", ((2,), 0.5, 3), "minval must be a whole number"),
        ("randint", ((2,), 0, 3, "float32"), "dtype must be a type of whole numbers"),
        ("randint", ((None,), 0, 3), "shape must have a known size"),
        ("gamma", ((2,), 0.0), r"every number of alpha must be a number in \(0, inf\)"),
        ("gamma", ((2,), [1.0, 2.0, 3.0]), r"alpha of the shape \(3,\) does not fit the shape \(2,\)"),
        ("beta", ((2,), 1.0, -1.0), "every number of beta"),
        ("binomial", ((2,), 2.5, 0.5), "counts must be whole numbers"),
        ("binomial", ((2,), 2, 1.5), r"every number of probabilities must be a number in \[0, 1\]"),
        ("binomial", ((2,), np.nan, 0.5), "every number of counts"),
        ("categorical", ([1.0], 2), r"logits must have the shape \(N, classes\)"),
        ("categorical", ([[1.0, np.nan]], 2), "Every row of logits must have a number that is finite"),
        ("categorical", ([[1.0, 2.0]], 0), "num_samples must be"),
        ("shuffle", ([1, 2], 1), "axis=1 is not an axis"),
        ("dropout", (np.ones(3), 2), r"rate must be a number in \[0, 1\]"),
        ("dropout", (np.ones((3, 2)), 0.2, (2, 2)), "noise_shape must be None, or have None, 1 or the size"),
        ("randint", ((2,), 0), "needs the argument 'maxval'"),
    ],
)
def test_wrong_arguments_are_refused(name, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(of_pynn, name)(*arguments)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("normal", "uniform")])
def test_wrong_seeds_are_refused(name):
    for seed in (-1, "one"):
        with pytest.raises((TypeError, ValueError), match="seed must be"):
            getattr(of_pynn, name)(*CALLS[name][0], seed=seed)


def test_generators_are_written_and_read():
    seeds = pynn.saving.deserialize_keras_object(pynn.saving.serialize_keras_object(of_pynn.SeedGenerator(5)))
    assert isinstance(seeds, of_pynn.SeedGenerator)
    assert of_pynn.uniform((1,), seed=seeds) == of_pynn.uniform((1,), seed=of_pynn.SeedGenerator(5))


@pytest.mark.parametrize("kind", ["Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D"])
def test_layers_of_noise_take_no_generator_as_in_keras(kind):
    with pytest.raises((TypeError, ValueError), match="seed must be a whole number"):
        getattr(pynn.layers, kind)(0.5, seed=of_pynn.SeedGenerator(5))
