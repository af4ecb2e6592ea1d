"""pynn.random: noise in the call of a layer or model of one's own, and arrays of normal numbers."""

import numpy as np
import pytest
from helpers import THREADS

import pynn
from pynn import layers, ops
from pynn import random as of_pynn


@pynn.saving.register_keras_serializable("random_tensors")
class Sampling(layers.Layer):
    """As programs for Keras have it."""

    def __init__(self, seed=1337, **named):
        super().__init__(**named)
        self.seed_generator = of_pynn.SeedGenerator(seed)

    def call(self, inputs):
        mean, log_variance = inputs
        batch, dim = ops.shape(mean)[0], ops.shape(mean)[1]
        epsilon = of_pynn.normal(shape=(batch, dim), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * epsilon


class Noise(layers.Layer):
    """Two tensors of noise beside each other."""

    def __init__(self, **settings):
        super().__init__()
        self.settings = settings

    def call(self, x):
        shape = (*ops.shape(x)[:-1], 4)
        return ops.concatenate([of_pynn.normal(shape, **self.settings) for _ in range(2)], axis=-1)


def test_noise_is_new_for_each_sample_and_step():
    model = pynn.Sequential([pynn.Input((3,)), Noise()])
    x = np.zeros((20_000, 3), "float32")
    made = model.predict(x, verbose=0)
    assert made.shape == (20_000, 8)
    assert abs(made.mean()) < 0.01
    assert made.std() == pytest.approx(1, abs=0.01)
    assert len(np.unique(made)) > 0.99 * made.size
    assert abs(np.corrcoef(made[:, 0], made[:, 4])[0, 1]) < 0.05  # of two calls with no seed


def test_mean_and_deviation():
    model = pynn.Sequential([pynn.Input((3,)), Noise(mean=5.0, stddev=0.1)])
    made = model.predict(np.zeros((2000, 3)), verbose=0)
    assert made.mean() == pytest.approx(5, abs=0.01)
    assert made.std() == pytest.approx(0.1, abs=0.01)
    still = pynn.Sequential([pynn.Input((3,)), Noise(mean=5.0, stddev=0.0)])
    np.testing.assert_array_equal(still.predict(np.zeros((2, 3)), verbose=0), np.full((2, 8), 5.0))


def test_generator_gives_other_noise_for_each_use_and_the_same_in_each_program():
    found = []
    for seed in (1, 1, 2):
        model = pynn.Sequential([pynn.Input((3,)), Noise(seed=of_pynn.SeedGenerator(seed))])
        found.append(model.predict(np.zeros((50, 3)), verbose=0))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.isin(found[2], found[0]).any()
    assert not np.isin(found[0][:, :4], found[0][:, 4:]).any()


class Uniform(layers.Layer):
    """Uniform noise beside each other."""

    def __init__(self, **settings):
        super().__init__()
        self.settings = settings

    def call(self, x):
        return ops.concatenate([of_pynn.uniform(ops.shape(x), **self.settings) for _ in range(2)], axis=-1)


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_uniform(floatx):
    pynn.config.set_floatx(floatx)
    model = pynn.Sequential([pynn.Input((3,)), Uniform(minval=-2.0, maxval=3.0)])
    made = model.predict(np.zeros((40_000, 3)), verbose=0)
    assert made.dtype == floatx
    assert made.shape == (40_000, 6)
    assert made.min() >= -2
    assert made.max() < 3
    counts = np.histogram(made, bins=20, range=(-2, 3))[0]
    assert np.abs(counts - 12_000).max() < 500
    assert abs(np.corrcoef(made[:, 0], made[:, 3])[0, 1]) < 0.05


def test_uniform_stays_below_what_rounding_would_make_of_it():
    model = pynn.Sequential([pynn.Input((3,)), Uniform(minval=1e8, maxval=1e8 + 8)])
    assert model.predict(np.zeros((300, 3)), verbose=0).max() == np.nextafter(np.float32(1e8 + 8), np.float32(0))


def test_uniform_of_a_seed_is_the_same_in_each_program():
    found = []
    for seed in (1, 1, 2):
        model = pynn.Sequential([pynn.Input((3,)), Uniform(seed=of_pynn.SeedGenerator(seed))])
        found.append(model.predict(np.zeros((50, 3)), verbose=0))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.isin(found[2], found[0]).any()


def test_a_number_for_each_sample():
    class Shift(layers.Layer):
        def call(self, x):
            return x + ops.expand_dims(of_pynn.uniform(ops.shape(x)[:1]), 1)

    made = pynn.Sequential([pynn.Input((3,)), Shift()]).predict(np.zeros((50, 3)), verbose=0)
    assert (made == made[:, :1]).all()
    assert len(np.unique(made)) == 50


class Dropping(layers.Layer):
    """As programs for Keras have it."""

    def __init__(self, always=False, **settings):
        super().__init__()
        self.always, self.settings = always, settings
        self.seed_generator = of_pynn.SeedGenerator(3)

    def call(self, x, training=None):
        if training or self.always:
            x = of_pynn.dropout(x, 0.25, seed=self.seed_generator, **self.settings)
        return x


def test_dropout():
    x = np.ones((4000, 5), "float32")
    model = pynn.Sequential([pynn.Input((5,)), Dropping()])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    made = np.asarray(model(x, training=True))
    assert (made != 0).mean() == pytest.approx(0.75, abs=0.02)
    np.testing.assert_allclose(made[made != 0], 1 / 0.75, rtol=1e-6)
    always = pynn.Sequential([pynn.Input((5,)), Dropping(always=True)]).predict(x, verbose=0)
    assert (always != 0).mean() == pytest.approx(0.75, abs=0.02)
    rows = pynn.Sequential([pynn.Input((5,)), Dropping(noise_shape=(None, 1))])(x, training=True)
    assert (rows == rows[:, :1]).all()
    assert 0 < np.count_nonzero(rows[:, 0]) < 4000


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: of_pynn.truncated_normal(ops.shape(x)),
        lambda x: of_pynn.randint(ops.shape(x), 0, 3),
        lambda x: of_pynn.gamma((3,), 1.0),
        lambda x: of_pynn.beta((3,), 1.0, 1.0),
        lambda x: of_pynn.binomial((3,), 1, 0.5),
        lambda x: of_pynn.categorical(x, 1),
        lambda x: of_pynn.shuffle(x),
        lambda x: of_pynn.dropout(np.ones(3), 0.5),
    ],
)
def test_what_makes_arrays_alone_is_refused_in_a_call(draw):
    class Wrong(layers.Layer):
        def call(self, x):
            return x + draw(x)

    with pytest.raises(TypeError, match=r"makes an array, which in a call would be the same in each step\. In a call"):
        Wrong()(pynn.Input((3,)))


def test_gradient_passes_by_the_noise(random):
    pynn.config.set_floatx("float64")
    inputs = [pynn.Input((4,)), pynn.Input((4,))]
    model = pynn.Model(inputs, Sampling()(inputs))
    mean, log_variance, dy = random.normal(size=(3, 4000, 4))
    of_mean, of_variance = model.vjp([mean, log_variance], dy)[1]
    np.testing.assert_allclose(of_mean, dy, rtol=1e-12)
    noise = of_variance / (dy * 0.5 * np.exp(0.5 * log_variance))
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(1, abs=0.05)


def test_number_of_threads_changes_no_bit(random):
    x = random.normal(size=(500, 6)).astype("float32")
    found = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(3)
        given = pynn.Input((6,))
        model = pynn.Model(given, layers.Dense(6)(Sampling()([layers.Dense(2)(given), layers.Dense(2)(given)])))
        model.compile("adam", "mse")
        model.fit(x, x, epochs=2, verbose=0)
        found.add(tuple(w.tobytes() for w in model.get_weights()))
    assert len(found) == 1


def test_file_samples_the_same(tmp_path):
    inputs = [pynn.Input((4,)), pynn.Input((4,))]
    model = pynn.Model(inputs, Sampling()(inputs))
    data = [np.zeros((5, 4), "float32")] * 2
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(
        pynn.load_model(tmp_path / "model").predict(data, verbose=0), model.predict(data, verbose=0)
    )


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 3), "the first size of random numbers must be that of the samples"),
        ((), "the first size of random numbers must be that of the samples"),
        ((None, None), "shape, after the axis of the samples"),
        ((None, 0), "shape, after the axis of the samples"),
    ],
)
def test_shapes_that_are_none_of_samples(shape, message):
    class Wrong(layers.Layer):
        def call(self, x):
            return x + of_pynn.normal(shape)

    with pytest.raises((TypeError, ValueError), match=message):
        Wrong()(pynn.Input((3,)))


def test_arrays():
    pynn.set_random_seed(1)
    first, second = of_pynn.normal((1000,)), of_pynn.normal((1000,))
    assert first.dtype == np.float32
    assert abs(first.mean()) < 0.15
    assert not np.isin(first, second).any()
    pynn.set_random_seed(1)
    np.testing.assert_array_equal(of_pynn.normal((1000,)), first)
    np.testing.assert_array_equal(of_pynn.normal((3, 2), seed=5), of_pynn.normal((3, 2), seed=5))
    assert of_pynn.normal((2,), mean=100.0, stddev=0.0, dtype="float64").tolist() == [100.0, 100.0]
    seeds, again = of_pynn.SeedGenerator(4), of_pynn.SeedGenerator(4)
    one, other = of_pynn.normal((5,), seed=seeds), of_pynn.normal((5,), seed=seeds)
    assert not np.isin(one, other).any()
    np.testing.assert_array_equal(of_pynn.normal((5,), seed=again), one)
    assert of_pynn.SeedGenerator.from_config(seeds.get_config()).seed == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": (None, 2)}, "shape"),
        ({"shape": (2,), "stddev": -1}, "stddev must be"),
        ({"shape": (2,), "mean": "1"}, "mean must be"),
        ({"shape": (2,), "seed": -1}, "seed must be"),
    ],
)
def test_wrong_arguments_are_refused(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        of_pynn.normal(**settings)


def test_wrong_seeds_are_refused():
    with pytest.raises((TypeError, ValueError), match="seed must be"):
        of_pynn.SeedGenerator("one")
