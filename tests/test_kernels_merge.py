"""Functions of two tensors, and tensors side by side, against plain NumPy."""

import numpy as np
import pytest
import reference
from helpers import THREADS, close_gradient, looped

from pynn.foundation.native import core

SAMPLES = 3
SIZES = (1, 2, 7, 15, 16, 17, 33)  # around the lengths of vectors
FUNCTIONS = [
    *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"),
    *("floor_divide", "remainder", "less", "less_equal", "not_equal"),
]
# Of one sample of both operands
SHAPES = [
    *(((n,), (n,)) for n in SIZES),
    *(((3, n), (1, n)) for n in SIZES),
    ((7,), (1,)),
    ((300,), (1,)),
    ((1,), (7,)),
    ((5, 1), (1, 6)),
    ((4, 5, 6), (1, 1, 6)),
    ((4, 5, 6), (4, 5, 1)),
    ((4, 5, 6), (1, 5, 1)),
    ((4, 5, 6), (4, 1, 6)),
    ((1, 5, 1), (4, 1, 6)),
    ((2, 1, 3, 1, 5), (1, 4, 1, 2, 5)),
    ((40, 300), (1, 300)),
    ((1, 1), (1, 1)),
]
every_function = pytest.mark.parametrize("function", FUNCTIONS)
every_shape = pytest.mark.parametrize(("shape_a", "shape_b"), SHAPES)
every_dtype = looped("dtype", [np.float32, np.float64])


def forward(kind, attributes, xs, size, threads=1):
    y = np.full((len(xs[0]), size), np.nan, xs[0].dtype)
    core.op_forward(kind, attributes, [y], xs, [], None, threads)
    return y


def backward(kind, attributes, dy, xs, y, threads=1):
    dxs = [np.full(x.shape, np.nan, x.dtype) for x in xs]
    core.op_backward(kind, attributes, dxs, [], [dy], xs, [y], [], None, threads)
    return dxs


def binary(function, a, b, **more):
    """y = f(a, b), in the shape of the result."""
    attributes = {"function": function, "shape_a": a.shape[1:], "shape_b": b.shape[1:]}
    shape = np.broadcast_shapes(a.shape, b.shape)
    return forward("binary", attributes, [a, b], int(np.prod(shape[1:])), **more).reshape(shape)


def binary_backward(function, dy, a, b, y, **more):
    attributes = {"function": function, "shape_a": a.shape[1:], "shape_b": b.shape[1:]}
    return backward("binary", attributes, dy, [a, b], y, **more)


def constant_binary(function, x, constant, first=False, **more):
    attributes = constant_attributes(function, x, constant, first)
    shape = np.broadcast_shapes(x.shape[1:], constant.shape)
    return forward("binary", attributes, [x], int(np.prod(shape)), **more).reshape(len(x), *shape)


def constant_attributes(function, x, constant, first=False):
    return {
        "function": function,
        "shape_a": x.shape[1:],
        "shape_b": constant.shape,
        "constant": [float(value) for value in constant.flat],
        "constant_first": first,
    }


def operands(function, shape_a, shape_b, dtype, random):
    """Numbers among which there are equal ones, and for which the function is smooth enough."""
    a, b = (random.integers(1, 9, (SAMPLES, *shape)) / 4 for shape in (shape_a, shape_b))
    if function != "power":
        a, b = a * random.choice([-1, 1], a.shape), b * random.choice([-1, 1], b.shape)
    return a.astype(dtype), b.astype(dtype)


@every_function
@every_shape
@every_dtype
def test_binary(function, shape_a, shape_b, dtype, random):
    a, b = operands(function, shape_a, shape_b, dtype, random)
    y = binary(function, a, b)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(y, getattr(np, function)(a, b), rtol=4 * eps if function == "power" else 0)
    dy = random.normal(size=y.shape).astype(dtype)
    gradients = binary_backward(function, dy, a, b, y)
    wide = [values.astype(np.float64) for values in (dy, a, b)]
    for gradient, expected in zip(gradients, reference.binary_backward(function, *wide), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=64 * eps, atol=64 * eps * np.abs(dy).sum())


@every_function
@pytest.mark.parametrize(("shape_a", "shape_b"), [((7,), (7,)), ((3, 1), (1, 5)), ((2, 3, 4), (1, 1, 4))])
def test_binary_gradient_is_the_derivative(function, shape_a, shape_b, random):
    a = random.uniform(0.5, 2, (2, *shape_a))
    b = random.uniform(0.5, 2, (2, *shape_b))
    y = binary(function, a, b)
    dy = random.normal(size=y.shape)
    da, db = binary_backward(function, dy, a, b, y)
    assert close_gradient(reference.central_difference(lambda a: np.sum(dy * binary(function, a, b)), a), da).all()
    assert close_gradient(reference.central_difference(lambda b: np.sum(dy * binary(function, a, b)), b), db).all()


# Large enough for a team
@every_function
@pytest.mark.parametrize(
    ("shape_a", "shape_b"),
    [
        ((150001,), (150001,)),
        ((503, 301), (1, 301)),
        ((50, 60, 50), (1, 60, 1)),
        pytest.param((503, 301), (503, 1), marks=pytest.mark.slow),
        pytest.param((1, 60, 50), (50, 1, 50), marks=pytest.mark.slow),
    ],
)
def test_binary_threads(function, shape_a, shape_b, random):
    a, b = operands(function, shape_a, shape_b, np.float32, random)
    seen = set()
    y = binary(function, a, b)
    dy = random.normal(size=y.shape).astype(np.float32)
    for threads in THREADS:
        outputs = [binary(function, a, b, threads=threads), *binary_backward(function, dy, a, b, y, threads=threads)]
        seen.add(b"".join(each.tobytes() for each in outputs))
    assert len(seen) == 1


@every_function
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("shapes", [((17,), (17,)), ((3, 5), (1, 5)), ((3, 5), (3, 1)), ((3, 5), (1, 1)), ((1,), (6,))])
@every_dtype
def test_binary_constant(function, first, shapes, dtype, random):
    x, constants = operands(function, *shapes, dtype, random)
    constant = constants[0]
    everywhere = np.broadcast_to(constant, constants.shape).copy()
    pair = (everywhere, x) if first else (x, everywhere)
    y = constant_binary(function, x, constant, first)
    np.testing.assert_allclose(y, binary(function, *pair), rtol=4 * np.finfo(dtype).eps)
    dy = random.normal(size=y.shape).astype(dtype)
    (dx,) = backward("binary", constant_attributes(function, x, constant, first), dy, [x], y)
    expected = binary_backward(function, dy, *pair, y)[1 if first else 0]
    np.testing.assert_allclose(dx, expected, rtol=16 * np.finfo(dtype).eps, atol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("exponent", "value", "slope"),
    [
        (2, lambda x: x * x, lambda x: 2 * x),
        (0.5, np.sqrt, lambda x: 0.5 / np.sqrt(x)),
        (-1, lambda x: 1 / x, lambda x: -1 / x * (1 / x)),
    ],
)
@every_dtype
def test_binary_power_of_a_constant_is_exact(exponent, value, slope, dtype, random):
    x = random.uniform(0.01, 9, (4, 33)).astype(dtype)
    y = constant_binary("power", x, np.full(1, exponent))
    np.testing.assert_array_equal(y, value(x))
    attributes = constant_attributes("power", x, np.full(1, exponent))
    (dx,) = backward("binary", attributes, np.ones_like(x), [x], y)
    np.testing.assert_array_equal(dx, slope(x).astype(dtype))


@every_dtype
def test_binary_power_ulp(dtype, random):
    a, b = random.uniform(0.01, 9, (1, 5000)).astype(dtype), random.uniform(-9, 9, (1, 5000)).astype(dtype)
    wide = np.longdouble
    expected = (a.astype(wide) ** b.astype(wide)).astype(dtype)
    assert np.max(np.abs(binary("power", a, b) - expected) / np.spacing(expected)) <= 1


def test_binary_power_at_the_edges():
    a = np.array([[0.0, 0, 0, -2, -2, -2, 2, 1]])
    b = np.array([[0.0, 2, 1, 2, 3, 0, 0, np.nan]])
    y = binary("power", a, b)
    np.testing.assert_array_equal(y, [[1, 0, 0, 4, -8, 1, 1, 1]])
    da, db = binary_backward("power", np.ones_like(a), a, b, y)
    np.testing.assert_array_equal(da, [[0, 0, 1, -4, 12, 0, 0, np.nan]])
    np.testing.assert_array_equal(db[0, :6], np.zeros(6))
    np.testing.assert_allclose(db[0, 6], np.log(2))


@pytest.mark.parametrize("function", ["maximum", "minimum"])
@every_dtype
def test_binary_extremes_keep_nan_and_share_ties(function, dtype):
    a = np.array([[np.nan, 1, 2, np.inf, -1]], dtype)
    b = np.array([[1, np.nan, 2, np.inf, 1]], dtype)
    y = binary(function, a, b)
    np.testing.assert_array_equal(y, getattr(np, function)(a, b))
    da, db = binary_backward(function, np.full_like(a, 3), a, b, y)
    np.testing.assert_array_equal(da[0, 2:4], [1.5, 1.5])
    np.testing.assert_array_equal(da + db, [[0, 0, 3, 3, 3]])


@pytest.mark.parametrize("function", ["floor_divide", "remainder", "less", "less_equal", "not_equal"])
@every_dtype
def test_binary_steps_at_the_edges(function, dtype):
    """Of every two of these numbers, the sign of 0 included; 0.3 / 0.1 is 2 with a rest."""
    numbers = np.array([0.0, -0.0, 1, -1, 2.5, -2.5, 0.1, 0.3, -0.3, 1e30, np.inf, -np.inf, np.nan], dtype)
    a, b = (each.ravel()[None] for each in np.meshgrid(numbers, numbers))
    with np.errstate(all="ignore"):
        expected = getattr(np, function)(a, b).astype(dtype)
    y = binary(function, a, b)
    np.testing.assert_array_equal(y, expected)
    zeros = expected == 0
    np.testing.assert_array_equal(np.signbit(y[zeros]), np.signbit(expected[zeros]))


WRONG = [
    ({"function": "modulo"}, "add, subtract, multiply, divide, power, maximum, minimum, floor_divide, remainder"),
    ({"shape_a": [2, 3]}, "one rank"),
    ({"shape_a": []}, "one rank"),
    ({"shape_a": [5]}, r"\(5\) and \(6\)"),
    ({"shape_a": [0]}, r"\(0\) and \(6\)"),
    ({"shape_a": [7], "shape_b": [7]}, r"an input of shape \(7\)"),
    ({"shape_a": [6], "shape_b": [1]}, r"an input of shape \(1\)"),
    ({"constant": [1.0] * 6, "constant_first": False}, "1 inputs"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_binary_wrong_attributes(wrong, message):
    a = np.ones((2, 6))
    attributes = {"function": "add", "shape_a": [6], "shape_b": [6], **wrong}
    with pytest.raises(ValueError, match=message):
        core.op_forward("binary", attributes, [np.empty((2, 6))], [a, a], [], None, 1)


@pytest.mark.parametrize("constant", [[1.0] * 5, [], [1.0] * 7])
def test_binary_wrong_constant(constant):
    attributes = {"function": "add", "shape_a": [6], "shape_b": [6], "constant": constant, "constant_first": False}
    with pytest.raises(ValueError, match="a constant of shape"):
        core.op_forward("binary", attributes, [np.empty((2, 6))], [np.ones((2, 6))], [], None, 1)


# ---- no samples


@pytest.mark.parametrize(
    ("kind", "attributes", "size"),
    [
        ("add", {}, 6),
        ("choose", {}, 6),
        ("concat", {"outer": 2}, 12),
        ("binary", {"function": "multiply", "shape_a": [6], "shape_b": [6]}, 6),
    ],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_no_samples(kind, attributes, size, threads):
    xs = [np.empty((0, 6)), np.empty((0, 6))]
    y = forward(kind, attributes, xs, size, threads)
    assert y.shape == (0, size)
    assert all(dx.shape == (0, 6) for dx in backward(kind, attributes, y, xs, y, threads))


# ---- concat

PARTS = [
    *((1, (n, 3, n)) for n in SIZES),
    *((5, (n, 1)) for n in SIZES),
    (4, (6,)),
    (3, (2, 2, 40, 7, 1)),
    (300, (500, 1, 33)),  # large enough for a team
]
every_part = pytest.mark.parametrize(("outer", "widths"), PARTS)


@every_part
@every_dtype
def test_concat(outer, widths, dtype, random):
    xs = [random.normal(size=(SAMPLES, outer, width)).astype(dtype) for width in widths]
    expected = np.concatenate(xs, axis=2)
    dy = random.normal(size=expected.shape).astype(dtype)
    for threads in THREADS:
        y = forward("concat", {"outer": outer}, xs, outer * sum(widths), threads)
        np.testing.assert_array_equal(y.reshape(expected.shape), expected)
        dxs = backward("concat", {"outer": outer}, dy, xs, y, threads)
        for dx, part in zip(dxs, np.split(dy, np.cumsum(widths)[:-1], axis=2), strict=True):
            np.testing.assert_array_equal(dx, part)


@pytest.mark.parametrize(("outer", "message"), [(4, "divides"), (0, "at least 1"), (-1, "at least 1")])
def test_concat_wrong_outer(outer, message):
    xs = [np.ones((2, 8)), np.ones((2, 6))]
    with pytest.raises(ValueError, match=message):
        forward("concat", {"outer": outer}, xs, 14)


def test_concat_without_inputs():
    graph = core.Graph()
    with pytest.raises(ValueError, match="at least 1 input"):
        graph.add("concat", [], [], {"outer": 1})
