"""Initializers: bounds, moments, seeds, names."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

import pynn
from pynn import initializers

SHAPE = (300, 200)
CORRELATION = 0.87962566103423978  # the standard deviation of a normal variable truncated at 2

# name, settings, (lowest, highest) value, standard deviation
RANDOM = [
    ("RandomNormal", {}, 0.3, 0.05),
    ("RandomNormal", {"mean": 0.0, "stddev": 2.0}, 12.0, 2.0),
    ("TruncatedNormal", {}, 0.1, 0.05 * CORRELATION),
    ("TruncatedNormal", {"stddev": 1.0}, 2.0, CORRELATION),
    ("RandomUniform", {}, 0.05, 0.05 / 3**0.5),
    ("RandomUniform", {"minval": -2.0, "maxval": 2.0}, 2.0, 2 / 3**0.5),
    ("VarianceScaling", {}, 2 / (CORRELATION * 300**0.5), (1 / 300) ** 0.5),
    ("VarianceScaling", {"mode": "fan_out", "scale": 3.0}, 2 * 3**0.5 / (CORRELATION * 200**0.5), (3 / 200) ** 0.5),
    ("VarianceScaling", {"distribution": "untruncated_normal"}, 6 / 300**0.5, (1 / 300) ** 0.5),
    ("VarianceScaling", {"distribution": "uniform", "mode": "fan_avg"}, (3 / 250) ** 0.5, (1 / 250) ** 0.5),
    ("GlorotUniform", {}, (6 / 500) ** 0.5, (2 / 500) ** 0.5),
    ("GlorotNormal", {}, 2 * (2 / 500) ** 0.5 / CORRELATION, (2 / 500) ** 0.5),
    ("HeUniform", {}, (6 / 300) ** 0.5, (2 / 300) ** 0.5),
    ("HeNormal", {}, 2 * (2 / 300) ** 0.5 / CORRELATION, (2 / 300) ** 0.5),
    ("LecunUniform", {}, (3 / 300) ** 0.5, (1 / 300) ** 0.5),
    ("LecunNormal", {}, 2 * (1 / 300) ** 0.5 / CORRELATION, (1 / 300) ** 0.5),
]
EVERY = [*dict.fromkeys(row[0] for row in RANDOM), "Zeros", "Ones", "Constant", "Orthogonal", "Identity"]
SNAKE = {
    "RandomNormal": "random_normal",
    "TruncatedNormal": "truncated_normal",
    "RandomUniform": "random_uniform",
    "VarianceScaling": "variance_scaling",
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "LecunUniform": "lecun_uniform",
    "LecunNormal": "lecun_normal",
}


@pytest.mark.parametrize(("name", "config", "bound", "deviation"), RANDOM)
def test_initializer_moments(name, config, bound, deviation):
    values = getattr(initializers, name)(**config, seed=11)(SHAPE, dtype="float64")
    n = values.size
    assert values.shape == SHAPE
    assert np.abs(values).max() <= bound
    assert abs(values.mean()) < 5 * deviation / n**0.5
    assert values.std() == pytest.approx(deviation, rel=0.02)
    assert np.unique(values).size > 0.999 * n
    # No correlation between neighbours, in either direction
    for a, b in ((values[1:], values[:-1]), (values[:, 1:], values[:, :-1])):
        assert abs(np.mean(a * b)) < 5 * deviation**2 / n**0.5


@pytest.mark.parametrize(("name", "config", "fourth"), [("RandomNormal", {}, 3.0), ("RandomUniform", {}, 1.8)])
def test_initializer_shape_of_distribution(name, config, fourth):
    values = getattr(initializers, name)(**config, seed=2)((400, 500), dtype="float64")
    assert np.mean((values / values.std()) ** 4) == pytest.approx(fourth, rel=0.03)
    assert np.mean(values > 0) == pytest.approx(0.5, abs=0.01)


def test_initializer_mean_is_added():
    values = initializers.RandomNormal(mean=3.0, stddev=0.1, seed=1)((100, 100), dtype="float64")
    assert values.mean() == pytest.approx(3.0, abs=0.01)
    values = initializers.RandomUniform(minval=2.0, maxval=5.0, seed=1)((100, 100), dtype="float64")
    assert values.min() >= 2.0
    assert values.max() < 5.0
    assert values.mean() == pytest.approx(3.5, abs=0.05)


@pytest.mark.parametrize("shape", [(6, 6), (10, 4), (4, 10), (3, 2, 5), (1, 1)])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_initializer_orthogonal(shape, gain):
    q = initializers.Orthogonal(gain=gain, seed=5)(shape, dtype="float64").reshape(-1, shape[-1])
    product = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(q.shape)), atol=1e-13)


def test_initializer_orthogonal_has_either_sign():
    corners = [initializers.Orthogonal(seed=seed)((3, 3), dtype="float64")[0, 0] for seed in range(40)]
    assert min(corners) < 0 < max(corners)


def test_initializer_constants():
    np.testing.assert_array_equal(initializers.Zeros()((2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.Ones()((2, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(initializers.Constant(0.25)((2, 3)), np.full((2, 3), 0.25))
    np.testing.assert_array_equal(initializers.Identity()((3, 3)), np.eye(3))
    np.testing.assert_array_equal(initializers.Identity(gain=2.0)((2, 3)), 2 * np.eye(2, 3))


@pytest.mark.parametrize("name", EVERY)
def test_initializer_dtype(name):
    initializer = getattr(initializers, name)()
    assert initializer((4, 4)).dtype == np.float32
    assert initializer((4, 4), dtype="float64").dtype == np.float64
    pynn.config.set_floatx("float64")
    assert initializer((4, 4)).dtype == np.float64


@pytest.mark.parametrize("name", [*SNAKE, "Orthogonal"])
def test_initializer_seed(name):
    kind = getattr(initializers, name)
    shape = (5, 7)
    first = kind(seed=3)
    values = first(shape)
    np.testing.assert_array_equal(values, first(shape))
    np.testing.assert_array_equal(values, kind(seed=3)(shape))
    assert np.all(values != kind(seed=4)(shape))
    assert np.all(values != kind()(shape))


@pytest.mark.parametrize("name", [*SNAKE, "Orthogonal"])
def test_initializer_seed_generator(name):
    """As in Keras: other values at each call, and a configuration whose generator begins anew."""
    kind = getattr(initializers, name)
    initializer = kind(seed=pynn.random.SeedGenerator(3))
    first, second = initializer((4, 4)), initializer((4, 4))
    assert np.all(first != second)
    config = json.loads(json.dumps(initializers.serialize(initializer)))
    assert config["config"]["seed"] == {
        "module": "pynn.random",
        "class_name": "SeedGenerator",
        "config": {"seed": 3},
        "registered_name": None,
    }
    again = initializers.get(config)
    np.testing.assert_array_equal(again((4, 4)), first)
    np.testing.assert_array_equal(again((4, 4)), second)
    assert np.all(kind(seed=pynn.random.SeedGenerator(4))((4, 4)) != first)


def test_initializers_share_a_generator():
    found = []
    for _ in range(2):
        seeds = pynn.random.SeedGenerator(3)
        glorot = initializers.GlorotUniform(seed=seeds)
        model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(4, kernel_initializer=glorot)])
        model.add(pynn.layers.Dense(4, kernel_initializer=initializers.GlorotUniform(seed=seeds)))
        found.append(model.get_weights())
    assert np.all(found[0][0] != found[0][2])
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][2], found[1][2])


def test_seed_generator_of_keras_is_read():
    """As Keras 3.15 writes it."""
    seed = {
        "module": "keras.random",
        "class_name": "SeedGenerator",
        "config": {"seed": 3, "name": "seed_generator"},
        "registered_name": None,
    }
    assert initializers.get({"class_name": "HeNormal", "config": {"seed": seed}}).seed.seed == 3
    assert pynn.saving.deserialize_keras_object(seed).seed == 3


@pytest.mark.parametrize("name", [*SNAKE, "Orthogonal"])
def test_initializer_global_seed(name):
    kind = getattr(initializers, name)
    pynn.set_random_seed(21)
    first, second = kind()((4, 4)), kind()((4, 4))
    assert np.all(first != second)
    pynn.set_random_seed(21)
    np.testing.assert_array_equal(kind()((4, 4)), first)
    np.testing.assert_array_equal(kind()((4, 4)), second)


def test_initializer_without_seed_differs_between_processes():
    """Nobody has set a seed in these processes, so two of them draw different weights."""
    program = "import pynn; print(pynn.initializers.RandomNormal()((2,)).tobytes().hex())"
    run = [subprocess.check_output([sys.executable, "-c", program], cwd="/") for _ in range(2)]
    assert run[0] != run[1]


@pytest.mark.parametrize("name", EVERY)
def test_initializer_config(name):
    initializer = getattr(initializers, name)()
    config = json.loads(json.dumps(initializer.get_config()))
    assert type(initializer).from_config(config).get_config() == config


@pytest.mark.parametrize(("name", "snake"), SNAKE.items())
def test_initializer_get(name, snake):
    kind = getattr(initializers, name)
    assert type(initializers.get(snake)) is kind
    assert type(initializers.get(name)) is kind
    assert type(initializers.get(kind)) is kind
    instance = kind(seed=1)
    assert initializers.get(instance) is instance


def test_initializer_get_aliases():
    aliases = {"zeros": "Zeros", "ones": "Ones", "constant": "Constant", "orthogonal": "Orthogonal"}
    aliases |= {"identity": "Identity", "normal": "RandomNormal", "uniform": "RandomUniform"}
    for alias, name in aliases.items():
        assert type(initializers.get(alias)) is getattr(initializers, name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.get("glorot_unifrom"), "glorot_uniform"),
        (lambda: initializers.get(3), "initializer"),
        (lambda: initializers.VarianceScaling(scale=0.0), "scale"),
        (lambda: initializers.VarianceScaling(mode="fan"), "mode"),
        (lambda: initializers.VarianceScaling(distribution="cauchy"), "distribution"),
        (lambda: initializers.RandomNormal(stddev=-1.0), "stddev"),
        (lambda: initializers.RandomNormal(mean=float("nan")), "mean"),
        (lambda: initializers.RandomUniform(minval=1.0, maxval=0.0), "minval|maxval"),
        (lambda: initializers.RandomNormal(seed=1.5), "seed"),
        (lambda: initializers.RandomNormal(seed=-1), "seed"),
        (lambda: initializers.RandomNormal(seed={"class_name": "Ones"}), "seed must be .* configuration of 'Ones'"),
        (lambda: initializers.RandomNormal(seed={"seed": 3}), "configuration of seed must be"),
        (lambda: initializers.Constant("a"), "value"),
        (lambda: initializers.Orthogonal()((3,)), "shape|dimension"),
        (lambda: initializers.Identity()((3,)), "shape|dimension"),
        (lambda: initializers.Zeros()((3,), dtype="int32"), "dtype"),
        (lambda: initializers.Zeros()((-3,)), "shape"),
        (lambda: initializers.get("stft"), "does not have the initializer 'stft' of Keras yet"),
        (lambda: initializers.Initializer(), "subclass it"),
        (lambda: type("Own", (initializers.Initializer,), {}), r"Own must define __call__\(self, shape, dtype=None\)"),
        (lambda: initializers.get(3), "initializer must be a name"),
        (lambda: initializers.VarianceScaling(input_axes=[0]), "input_axes and output_axes must be given both"),
        (lambda: initializers.HeNormal(None, 0, [2])((3, 4)), "axis=.2,. is not an axis of an array of rank 2"),
        (lambda: initializers.get(lambda shape, dtype: np.ones(3))((2, 3)), r"shape \(2, 3\), but it has \(3,\)"),
        (lambda: initializers.get(lambda shape, dtype: "ones")((2, 3)), "what the initializer returns must be"),
        (lambda: initializers.FunctionInitializer("mine"), "Unknown function 'mine'"),
        (lambda: initializers.FunctionInitializer(3), "fn must be a function"),
        (lambda: initializers.HeNormal(sed=3), r"HeNormal\(\) has no argument 'sed'. Did you mean 'seed'"),
    ],
)
def test_initializer_bad_argument_names_it(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_initializer_in_a_layer():
    layer = pynn.layers.Dense(3, kernel_initializer="ones", bias_initializer=initializers.Constant(0.5))
    model = pynn.Sequential([pynn.Input((2,)), layer])
    np.testing.assert_array_equal(model.get_weights()[0], np.ones((2, 3)))
    np.testing.assert_array_equal(model.get_weights()[1], np.full(3, 0.5))


def test_initializer_of_ones_own():
    class Ramp(initializers.Initializer):
        def __init__(self, step):
            self.step = step

        def __call__(self, shape, dtype=None):
            return np.arange(np.prod(shape), dtype=dtype).reshape(shape) * self.step

        def get_config(self):
            return {"step": self.step}

    layer = pynn.layers.Dense(3, kernel_initializer=Ramp(0.5), dtype="float64")
    pynn.Sequential([pynn.Input((2,)), layer])
    np.testing.assert_array_equal(layer.get_weights()[0], [[0, 0.5, 1], [1.5, 2, 2.5]])
    assert repr(layer.kernel_initializer) == "Ramp(step=0.5)"
    assert Ramp.from_config(layer.kernel_initializer.get_config()).step == 0.5
    with pytest.raises(TypeError, match=r"Ramp\(\) has no argument 'stop'. Did you mean 'step'"):
        Ramp(stop=3)


def test_initializer_is_shown_by_what_it_was_made_of():
    assert repr(initializers.GlorotUniform()) == "GlorotUniform()"
    assert repr(initializers.HeNormal(seed=3)) == "HeNormal(seed=3)"
    assert repr(initializers.Constant(0.5)) == "Constant(value=0.5)"
    assert repr(initializers.Constant(np.zeros(1000))).endswith("... (5000 characters))")
    assert repr(initializers.VarianceScaling(2, mode="fan_out")) == "VarianceScaling(scale=2.0, mode='fan_out')"


def test_initializer_from_an_array(random):
    values = random.normal(size=(2, 3))
    layer = pynn.layers.Dense(3, kernel_initializer=values, dtype="float64")
    pynn.Sequential([pynn.Input((2,)), layer])
    np.testing.assert_array_equal(layer.get_weights()[0], values)
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(3, kernel_initializer=values)])


@pytest.mark.parametrize(("shape", "limit"), [((50,), 6 / 100), ((3, 3, 8, 4), 6 / 108), ((7, 2, 5), 6 / 49)], ids=str)
def test_initializer_fans_of_any_rank(shape, limit):
    """Glorot's limit: vectors have their size twice; the axes before the last two are a field that both see."""
    values = initializers.GlorotUniform(seed=1)(shape, dtype="float64")
    assert 0.85 * limit**0.5 < np.abs(values).max() <= limit**0.5


@pytest.mark.parametrize(
    ("axes", "fans"), [(([0], [1, 2]), (8, 64)), ((-3, (-2, -1)), (8, 64)), (([0, 1], 2), (32, 16))]
)
def test_initializer_axes_say_the_fans(axes, fans):
    for mode, fan in zip(("fan_in", "fan_out"), fans, strict=True):
        initializer = initializers.VarianceScaling(3.0, mode, "uniform", 1, *axes)
        bound = 3 / fan**0.5
        assert 0.95 * bound < np.abs(initializer((8, 4, 16))).max() <= bound
        twin = initializers.VarianceScaling.from_config(json.loads(json.dumps(initializer.get_config())))
        np.testing.assert_array_equal(twin((8, 4, 16)), initializer((8, 4, 16)))
    he = initializers.HeUniform(1, [0], [1, 2])
    assert np.abs(he.clone()((8, 4, 16))).max() == np.abs(he((8, 4, 16))).max() > 0.95 * (6 / 8) ** 0.5


def test_initializer_axes_go_before_those_of_a_layer():
    """EinsumDense knows which axes of its kernel are inputs, but asks the initializer first."""
    found = {}
    for name, axes in (("own", ([1], [2])), ("layer's", ())):
        layer = pynn.layers.EinsumDense(
            "abc,cde->abde", (None, 8, 16), kernel_initializer=initializers.HeUniform(1, *axes)
        )
        layer(np.zeros((1, 2, 32)))
        found[name] = np.abs(layer.get_weights()[0]).max()
    assert 0.95 * (6 / 8) ** 0.5 < found["own"] <= (6 / 8) ** 0.5
    assert 0.95 * (6 / 32) ** 0.5 < found["layer's"] <= (6 / 32) ** 0.5


def ramp(shape, dtype=None):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def twos(shape, dtype=None):
    return np.full(shape, 2, "int8")


def test_initializer_may_be_a_function(tmp_path):
    layer = pynn.layers.Dense(2, kernel_initializer=ramp, bias_initializer=twos)
    model = pynn.Sequential([pynn.Input((3,)), layer])
    for each in (model, pynn.models.clone_model(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        kernel, bias = each.get_weights()
        np.testing.assert_array_equal(kernel, [[0, 1], [2, 3], [4, 5]])
        np.testing.assert_array_equal(bias, [2, 2])
        assert kernel.dtype == bias.dtype == np.float32
    assert initializers.get(ramp)((2,), "float64").dtype == np.float64
    assert repr(initializers.get(ramp)).startswith("FunctionInitializer(fn=<function ramp")
    config = initializers.serialize(initializers.get(ramp))
    assert config == {"class_name": "FunctionInitializer", "config": {"fn": "ramp"}}
    assert initializers.deserialize(config, {"ramp": ramp}).fn is ramp
    model.save(tmp_path / "model")
    loaded = pynn.load_model(tmp_path / "model", {"ramp": ramp, "twos": twos})
    assert loaded.layers[0].kernel_initializer.fn is ramp
    with pytest.raises(pynn.ModelFileError, match="has the function 'ramp', which is not pynn's"):
        pynn.load_model(tmp_path / "model", {"twos": twos})


def test_initializers_of_one_name_are_not_copied():
    """A copy would have one of the two twice."""
    given = [lambda shape, dtype: np.ones(shape), lambda shape, dtype: np.zeros(shape)]
    model = pynn.Sequential([pynn.Input((3,)), *(pynn.layers.Dense(2, kernel_initializer=each) for each in given)])
    with pytest.raises(ValueError, match="two functions that are called <lambda>"):
        pynn.models.clone_model(model)
