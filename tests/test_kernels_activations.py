"""Activation kernels against the reference: values, derivatives, ends of the range, threads, what is refused."""

import numpy as np
import pytest
import reference
from helpers import SIZES, THREADS, close_gradient, looped

import pynn
from pynn import ops
from pynn.activations import Activation

# name and settings here, name in the reference
CASES = [
    *((name, {}, name) for name in ("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu")),
    *(
        (name, {}, name)
        for name in ("mish", "sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu", "tanh", "hard_tanh")
    ),
    *((name, {}, name) for name in ("softplus", "softsign", "exponential")),
    ("gelu", {"approximate": True}, "gelu_tanh"),
    ("relu", {"negative_slope": 0.1}, "relu"),
    ("relu", {"max_value": 1.5}, "relu"),
    ("relu", {"threshold": 0.5}, "relu"),
    ("relu", {"negative_slope": 0.1, "max_value": 1.5, "threshold": 0.5}, "relu"),
    ("leaky_relu", {"negative_slope": 0.05}, "leaky_relu"),
    ("elu", {"alpha": 0.7}, "elu"),
    ("celu", {"alpha": 0.7}, "celu"),
    *((name, {}, name) for name in ("squareplus", "hard_shrink", "soft_shrink", "tanh_shrink")),
    ("squareplus", {"b": 0.3}, "squareplus"),
    ("hard_shrink", {"threshold": 1.5}, "hard_shrink"),
    ("soft_shrink", {"threshold": 1.5}, "soft_shrink"),
    ("threshold", {"threshold": 0.7, "default_value": -2.0}, "threshold"),
    ("step", {}, "step"),
]
DIFFERENTIABLE = [case for case in CASES if case[0] != "step"]
IDS = ["-".join([name, *map(str, config.values())]) for name, config, _ in CASES]
every_case = pytest.mark.parametrize(("name", "config", "twin"), CASES, ids=IDS)
every_derivative = pytest.mark.parametrize(("name", "config", "twin"), DIFFERENTIABLE, ids=IDS[: len(DIFFERENTIABLE)])
every_dtype = looped("dtype", [np.float32, np.float64])
# Relative to the result, and to one, in units of eps: polynomials of a few operations each
ULPS = 8


def function(name, config):
    return Activation(name, **config)


def reference_of(twin, config, x):
    """f(x) and f'(x), in float64."""
    config = {k: v for k, v in config.items() if k != "approximate"}
    return getattr(reference, twin)(x.astype(np.float64), **config)


def grid(dtype):
    """Small and large numbers of either sign, none at a kink."""
    dense = np.linspace(-12, 12, 4001) + 1e-4
    powers = np.geomspace(1e-8, 80, 500)
    return np.concatenate([dense, powers, -powers]).astype(dtype)


def assert_near(got, expected, ulps=ULPS):
    limit = ulps * np.finfo(got.dtype).eps * np.maximum(np.abs(expected), 1)
    assert np.all(np.abs(got - expected) <= limit)


@every_case
@every_dtype
def test_activation_value(name, config, twin, dtype):
    x = grid(dtype)
    y = ops.activation_forward(x, function(name, config))
    assert y.dtype == dtype
    assert_near(y, reference_of(twin, config, x)[0])


@every_derivative
@every_dtype
def test_activation_gradient(name, config, twin, dtype, random):
    x = grid(dtype)
    activation = function(name, config)
    dy = random.uniform(0.5, 2, x.shape).astype(dtype)
    dx = ops.activation_backward(dy, x, ops.activation_forward(x, activation), activation)
    assert dx.dtype == dtype
    # Those with x s (1 - s): rounding s near 1 leaves x halves of eps, where x is up to 80
    assert_near(dx / dy, reference_of(twin, config, x)[1], ulps=48 if name in ("silu", "mish", "gelu") else 16)


@every_derivative
def test_activation_gradient_is_the_derivative(name, config, twin):
    x = np.linspace(-7, 7, 157) + 0.0123
    activation = function(name, config)
    h = 1e-6 * np.maximum(1, np.abs(x))
    up, down = x + h, x - h
    numeric = (ops.activation_forward(up, activation) - ops.activation_forward(down, activation)) / (up - down)
    analytic = ops.activation_backward(np.ones_like(x), x, ops.activation_forward(x, activation), activation)
    assert close_gradient(numeric, analytic).all()


@every_case
@every_dtype
def test_activation_tails(name, config, twin, dtype, random):
    """Vectors and their rests: each element comes out as it does alone."""
    activation = function(name, config)
    x, dy = random.normal(0, 3, (2, max(SIZES))).astype(dtype)
    y = ops.activation_forward(x, activation)
    alone = [ops.activation_forward(x[i : i + 1], activation) for i in range(x.size)]
    np.testing.assert_array_equal(y, np.concatenate(alone))
    for size in SIZES:
        guarded = np.full(size + 8, 77.0, dtype)
        ops.activation_forward(x[:size], activation, out=guarded[:size])
        np.testing.assert_array_equal(guarded, np.r_[y[:size], np.full(8, 77.0)])
        if name != "step":
            guarded[:] = 77
            ops.activation_backward(dy[:size], x[:size], y[:size], activation, out=guarded[:size])
            whole = ops.activation_backward(dy, x, y, activation)
            np.testing.assert_array_equal(guarded, np.r_[whole[:size], np.full(8, 77.0)])


@every_case
@every_dtype
def test_activation_nan_stays_nan(name, config, twin, dtype):
    x = np.linspace(-3, 3, 37).astype(dtype)
    x[::5] = np.nan
    y = ops.activation_forward(x, function(name, config))
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))


LIMITS = {  # at minus and plus infinity
    "linear": (-np.inf, np.inf),
    "relu": (0, np.inf),
    "relu6": (0, 6),
    "leaky_relu": (-np.inf, np.inf),
    "elu": (-1, np.inf),
    "selu": (-reference.SELU_ALPHA * reference.SELU_SCALE, np.inf),
    "celu": (-1, np.inf),
    "gelu": (0, np.inf),
    "silu": (0, np.inf),
    "mish": (0, np.inf),
    "sigmoid": (0, 1),
    "log_sigmoid": (-np.inf, 0),
    "hard_sigmoid": (0, 1),
    "hard_silu": (0, np.inf),
    "tanh": (-1, 1),
    "hard_tanh": (-1, 1),
    "softplus": (0, np.inf),
    "softsign": (-1, 1),
    "exponential": (0, np.inf),
    "step": (0, 1),
    "squareplus": (0, np.inf),
    "hard_shrink": (-np.inf, np.inf),
    "soft_shrink": (-np.inf, np.inf),
    "tanh_shrink": (-np.inf, np.inf),
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", ["infinite", "largest"])
def test_activation_limits(name, dtype, size):
    end = np.inf if size == "infinite" else np.finfo(dtype).max
    low, high = LIMITS[name]
    if name not in ("exponential", "selu"):  # which are infinite at large numbers already
        low, high = np.clip([low, high], -end, end)
    if name == "leaky_relu":
        low *= 0.2
    y = ops.activation_forward(np.array([-end, end] * 9, dtype), name)
    np.testing.assert_allclose(y[::2], low, rtol=1e-6)
    np.testing.assert_allclose(y[1::2], high, rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in LIMITS if name not in ("exponential", "step")])
@every_dtype
def test_activation_gradient_is_finite_everywhere(name, dtype):
    largest = np.finfo(dtype).max
    x = np.array([0, 1, 50, 100, 1e3, 1e4, largest, np.inf] * 3, dtype)
    for at in (x, -x):
        dx = ops.activation_backward(np.ones_like(at), at, ops.activation_forward(at, name), name)
        assert np.isfinite(dx).all()
        assert np.all(dx >= -1.1)
        assert np.all(dx <= 2)


@pytest.mark.parametrize(
    ("name", "config"),
    [("leaky_relu", {}), ("leaky_relu", {"negative_slope": 2}), ("relu", {"negative_slope": 0.2})],
)
@every_dtype
def test_leaky_relu_has_the_slope_1_at_0(name, config, dtype):
    """As in JAX. Rows of zeros meet biases of 0 there in the first step."""
    x = np.array([0.0, -0.0] * 9, dtype)
    activation = function(name, config)
    np.testing.assert_array_equal(ops.activation_backward(np.ones_like(x), x, x, activation), np.ones_like(x))


def test_activation_kinks():
    """At a kink the derivative is 0 on the flat side, Keras's choice."""
    at = {"relu": 0.0, "relu6": 6.0, "hard_tanh": 1.0, "hard_sigmoid": 3.0}
    for name, x in at.items():
        x = np.full(5, x)
        np.testing.assert_array_equal(ops.activation_backward(np.ones(5), x, x, name), np.zeros(5))


@pytest.mark.parametrize(
    ("name", "config", "x", "y", "slope"),
    [
        ("hard_shrink", {}, [-1, -0.5, 0, 0.5, 1], [-1, 0, 0, 0, 1], [1, 0, 0, 0, 1]),
        ("soft_shrink", {}, [-1, -0.5, 0, 0.5, 1], [-0.5, 0, 0, 0, 0.5], [1, 0, 0, 0, 1]),
        ("threshold", {"threshold": 1, "default_value": 7}, [0, 1, 2], [7, 7, 2], [0, 0, 1]),
        ("squareplus", {"b": 0}, [-2, 0, 2], [0, 0, 2], [0, 0.5, 1]),
    ],
)
@every_dtype
def test_activation_at_its_kinks(name, config, x, y, slope, dtype):
    """Keras's values; squareplus without b has its slope from the formula's limit, where Keras gives NaN."""
    x = np.repeat(np.array(x, dtype), 5)
    got = ops.activation_forward(x, Activation(name, **config))
    np.testing.assert_array_equal(got, np.repeat(y, 5))
    dx = ops.activation_backward(np.ones_like(x), x, got, Activation(name, **config))
    np.testing.assert_array_equal(dx, np.repeat(slope, 5))


# Keras 3: x at the threshold is not above it, and max_value bounds what is above it alone
@pytest.mark.parametrize(
    ("config", "x", "y", "slope"),
    [
        ({"threshold": 5}, [4, 5, 5.5], [0, 0, 5.5], [0, 0, 1]),
        ({"threshold": 5, "max_value": 5.25}, [5, 5.125, 5.25, 6], [0, 5.125, 5.25, 5.25], [0, 1, 0, 0]),
        ({"threshold": 5, "negative_slope": 0.5}, [1, 5, 6], [-2, 0, 6], [0.5, 0.5, 1]),
        ({"threshold": 5, "max_value": 2}, [1, 3, 5, 6], [0, 0, 0, 2], [0, 0, 0, 0]),
        ({"threshold": 5, "max_value": 2, "negative_slope": 0.5}, [1, 3, 5, 6], [-2, -1, 0, 2], [0.5, 0.5, 0.5, 0]),
        ({"negative_slope": 0.5}, [-2, 0, 3], [-1, 0, 3], [0.5, 1, 1]),
    ],
)
@every_dtype
def test_activation_relu_at_its_threshold(config, x, y, slope, dtype):
    x = np.repeat(np.array(x, dtype), 3)  # whole vectors and a rest
    activation = Activation("relu", **config)
    got = ops.activation_forward(x, activation)
    np.testing.assert_array_equal(got, np.repeat(y, 3))
    np.testing.assert_array_equal(ops.activation_backward(np.ones_like(x), x, got, activation), np.repeat(slope, 3))
    np.testing.assert_array_equal(pynn.activations.relu(x, **config), got)
    np.testing.assert_array_equal(
        pynn.Sequential([pynn.layers.ReLU(**config, dtype=x.dtype.name)])(x[:, None])[:, 0], got
    )


@every_dtype
def test_activation_relu_keeps_nan_and_the_sign_of_zero(dtype):
    x = np.array([-0.0, 0.0, np.nan] * 5, dtype)
    for config in ({}, {"max_value": 6.0}, {"negative_slope": 0.25}):
        y = ops.activation_forward(x, Activation("relu", **config))
        np.testing.assert_array_equal(np.signbit(y[:2]), [True, False])
        assert np.isnan(y[2::3]).all()
    assert np.isnan(pynn.activations.relu(x, threshold=2.0)[2::3]).all()


@every_derivative
@every_dtype
def test_activation_threads(name, config, twin, dtype, random):
    activation = function(name, config)
    x, dy = random.normal(0, 3, (2, 10_001)).astype(dtype)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        y = ops.activation_forward(x, activation)
        seen.add(y.tobytes() + ops.activation_backward(dy, x, y, activation).tobytes())
    assert len(seen) == 1


@every_derivative
def test_activation_in_place(name, config, twin, random):
    activation = function(name, config)
    x, dy = random.normal(0, 3, (2, 100))
    y = ops.activation_forward(x, activation)
    dx = ops.activation_backward(dy, x, y, activation)
    memory = x.copy()
    assert ops.activation_forward(memory, activation, out=memory) is memory
    np.testing.assert_array_equal(memory, y)
    memory = dy.copy()
    ops.activation_backward(memory, x, y, activation, out=memory)
    np.testing.assert_array_equal(memory, dx)


@pytest.mark.parametrize("name", ["relu", "softmax"])
def test_activation_of_nothing(name):
    empty = np.zeros((0, 4))
    assert ops.activation_forward(empty, name).shape == (0, 4)
    assert ops.activation_backward(empty, empty, empty, name).shape == (0, 4)
    assert pynn.activations.get(name)(empty).shape == (0, 4)


def test_activation_functions_of_the_module():
    x = np.linspace(-2, 2, 9)
    assert pynn.activations.relu(x).dtype == np.float64
    assert pynn.activations.relu(x.astype(np.float32)).dtype == np.float32
    assert pynn.activations.relu([-1.0, 2.0]).tolist() == [0.0, 2.0]
    np.testing.assert_array_equal(pynn.activations.leaky_relu(x), np.where(x > 0, x, 0.2 * x))
    np.testing.assert_array_equal(pynn.activations.relu(x, max_value=1.0), np.clip(x, 0, 1))
    np.testing.assert_array_equal(pynn.activations.swish(x), pynn.activations.silu(x))
    np.testing.assert_array_equal(pynn.activations.hard_swish(x), pynn.activations.hard_silu(x))


def test_activation_get():
    for name, config, _ in CASES:
        activation = function(name, config)
        assert pynn.activations.get(activation) is activation
        if name != "threshold":  # which has no defaults
            assert pynn.activations.get(name).name == name
            assert pynn.activations.get(getattr(pynn.activations, name)).name == name
        twin = pynn.activations.get(activation.serialize())
        assert (twin.name, twin.config) == (activation.name, activation.config)
    assert pynn.activations.get(None).name == "linear"
    for wrong in ("rleu", 3):
        with pytest.raises((ValueError, TypeError), match=r"relu|activation"):
            pynn.activations.get(wrong)


X = np.ones(6)
READ_ONLY = np.ones(6)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.activation_forward([1.0, 2.0], "relu"), r"\bx\b"),
        (lambda: ops.activation_forward(X.astype(int), "relu"), r"\bx\b"),
        (lambda: ops.activation_forward(X[::2], "relu"), r"\bx\b.*contiguous"),
        (lambda: ops.activation_forward(X, "rleu"), "relu"),
        (lambda: ops.activation_forward(X, "relu", out=np.ones(5)), "out"),
        (lambda: ops.activation_forward(X, "relu", out=np.ones(6, np.float32)), "out"),
        (lambda: ops.activation_forward(X, "relu", out=READ_ONLY), "out.*read-only"),
        (lambda: ops.activation_forward(X[:4], "relu", out=X[1:5]), "out.*overlap"),
        (lambda: ops.activation_backward(np.ones(5), X, X, "relu"), "dy"),
        (lambda: ops.activation_backward(X, X, np.ones(5), "relu"), r"\by\b"),
        (lambda: ops.activation_backward(X, X, X.astype(np.float32), "relu"), "type"),
        (lambda: ops.activation_backward(np.ones(6), X, np.ones(6), "relu", out=X), "out.*overlap"),
        (lambda: ops.activation_backward(X, X, X, "step"), "step"),
        (lambda: ops.activation_backward(X, X, X, Activation("elu", alpha=0.5), out=X[::-1]), "out"),
    ],
)
def test_activation_bad_argument_names_it(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


# ---- glu -------------------------------------------------------------------------------------------------------------
GLU_CASES = [*(((3, 2 * n), -1) for n in SIZES), ((6, 4), 0), ((2, 4, 7), 1), ((2,), 0), ((1, 2, 1), -2)]
every_glu = pytest.mark.parametrize(("shape", "axis"), GLU_CASES)


@every_glu
@every_dtype
def test_glu_value_and_gradient(shape, axis, dtype, random):
    x = random.normal(0, 3, shape).astype(dtype)
    glu = Activation("glu", axis=axis)
    y = ops.activation_forward(x, glu)
    assert_near(y, reference.glu(x.astype(np.float64), axis))
    dy = random.normal(size=y.shape).astype(dtype)
    assert_near(ops.activation_backward(dy, x, y, glu), reference.glu_backward(dy, x.astype(np.float64), axis))


@pytest.mark.parametrize(("shape", "axis"), [((3, 4), -1), ((4, 3), 0), ((2, 6, 3), 1)])
def test_glu_gradient_is_the_derivative(shape, axis, random):
    glu, x = Activation("glu", axis=axis), random.normal(size=shape)
    y = ops.activation_forward(x, glu)
    dy = random.normal(size=y.shape)
    numeric = reference.central_difference(lambda x: np.sum(dy * ops.activation_forward(x, glu)), x)
    assert close_gradient(numeric, ops.activation_backward(dy, x, y, glu)).all()


@every_glu
def test_glu_threads(shape, axis, random):
    glu, x = Activation("glu", axis=axis), random.normal(size=shape).astype(np.float32)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        y = ops.activation_forward(x, glu)
        seen.add(y.tobytes() + ops.activation_backward(y, x, y, glu).tobytes())
    assert len(seen) == 1


def test_glu_function_halves_its_axis(random):
    x = random.normal(size=(3, 4, 6)).astype(np.float32)
    assert pynn.activations.glu(x).shape == (3, 4, 3)
    assert pynn.activations.glu(x, axis=1).shape == (3, 2, 6)
    np.testing.assert_array_equal(pynn.activations.get("glu")(x), pynn.activations.glu(x))
    np.testing.assert_array_equal(pynn.Sequential([pynn.layers.Activation("glu")])(x), pynn.activations.glu(x))
    assert pynn.activations.glu(np.zeros((0, 4))).shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pynn.activations.glu(np.ones((2, 3))), r"glu.*even.*\(2, 3\) has 3"),
        (lambda: pynn.activations.glu(np.ones((2, 4)), axis=2), "axis=2"),
        (lambda: Activation("glu", axis=(0, 1)), "axis"),
        (lambda: ops.activation_forward(np.ones(4), "glu", out=np.ones(4)), "out"),
        (lambda: ops.activation_backward(np.ones(4), np.ones(4), np.ones(2), "glu"), "dy"),
        (lambda: pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(5, activation="glu")]), "glu.*even"),
        (lambda: pynn.Sequential([pynn.Input((3,)), pynn.layers.Activation("glu")]), "glu.*even"),
        (lambda: pynn.layers.Dense(4, activation="threshold"), r"Activation\('threshold', threshold=\.\.\."),
        (lambda: pynn.activations.get(pynn.activations.threshold), "threshold.*without a default"),
        (lambda: Activation("threshold", threshold=0.5), "default_value"),
        (lambda: Activation("squareplus", b=-1), r"\bb\b"),
        (lambda: Activation("hard_shrink", threshold=-1), "threshold"),
    ],
)
def test_glu_and_threshold_bad_argument_names_it(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


# ---- rescaling -------------------------------------------------------------------------------------------------------
@every_dtype
@pytest.mark.parametrize("columns", SIZES)
def test_rescaling(dtype, columns, random):
    x = random.normal(size=(5, columns)).astype(dtype)
    scale, offset = random.normal(size=(2, columns)).astype(dtype)
    np.testing.assert_allclose(ops.rescaling_forward(x, scale, offset), x * scale + offset, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(ops.rescaling_forward(x, 0.5), x * dtype(0.5))
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        seen.add(ops.rescaling_forward(x, scale, offset).tobytes())
    assert len(seen) == 1


@pytest.mark.parametrize(("scale", "offset", "name"), [([1.0, 2.0], 0.0, "scale"), (1.0, [1.0, 2.0], "offset")])
def test_rescaling_bad_argument_names_it(scale, offset, name):
    with pytest.raises((ValueError, TypeError), match=name):
        ops.rescaling_forward(np.ones((4, 3)), scale, offset)
