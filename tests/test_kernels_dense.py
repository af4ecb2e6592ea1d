"""Dense layers as kernels: forward, backward, rounding, threads, what is refused."""

import numpy as np
import pytest
from helpers import SIZES, THREADS, close_gradient, looped
from reference import central_difference, dense_backward, dense_forward, gemm_magnitude

import pynn
from pynn import ops

# rows, inputs, units
SHAPES = [
    *((s, 33, 17) for s in SIZES),
    *((7, s, 17) for s in SIZES),
    *((7, 33, s) for s in SIZES),
    *((9, k, 20) for k in (255, 256, 257)),
    *((rows, 20, 12) for rows in (255, 256, 257, 1000)),
    (129, 64, 17),
    # few units
    *((rows, inputs, units) for units in (1, 2, 3, 4) for rows, inputs in ((1, 63), (2, 64), (17, 65), (33, 300))),
    *((rows, 40, 1) for rows in SIZES),
    (300, 260, 3),
    (300, 65, 130),
    (1, 1, 1),
    (32, 784, 128),
    (32, 128, 10),
    (1, 784, 128),
    (300, 700, 500),
]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
every_dtype = looped("dtype", [np.float32, np.float64])


def make_arrays(shape, dtype, draw):
    """x, kernel, bias and dy."""
    rows, inputs, units = shape
    return [draw(size).astype(dtype) for size in ((rows, inputs), (inputs, units), (units,), (rows, units))]


@every_shape
@every_dtype
def test_dense_of_whole_numbers_is_exact(shape, dtype, random):
    x, kernel, bias, dy = make_arrays(shape, dtype, lambda size: random.integers(-8, 9, size))
    wide = [array.astype(np.int64) for array in (x, kernel, bias, dy)]
    np.testing.assert_array_equal(ops.dense_forward(x, kernel, bias), dense_forward(*wide[:3]))
    np.testing.assert_array_equal(ops.dense_forward(x, kernel), dense_forward(*wide[:2]))
    for got, expected in zip(ops.dense_backward(dy, x, kernel), dense_backward(wide[3], *wide[:2]), strict=True):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, expected)


@every_shape
@every_dtype
def test_dense_rounding(shape, dtype, random):
    x, kernel, bias, dy = make_arrays(shape, dtype, lambda size: random.normal(size=size))
    wide = [array.astype(np.float64) for array in (x, kernel, bias, dy)]
    rows, inputs, units = shape
    eps = np.finfo(dtype).eps
    limit = (inputs + 1) * eps * (gemm_magnitude(wide[0], wide[1]) + np.abs(wide[2]))
    assert np.all(np.abs(ops.dense_forward(x, kernel, bias) - dense_forward(*wide[:3])) <= limit)
    limits = (
        units * eps * gemm_magnitude(wide[3], wide[1], transpose_b=True),
        rows * eps * gemm_magnitude(wide[0], wide[3], transpose_a=True),
        rows * eps * np.abs(wide[3]).sum(axis=0),
    )
    results = zip(ops.dense_backward(dy, x, kernel), dense_backward(wide[3], *wide[:2]), limits, strict=True)
    for got, expected, limit in results:
        assert np.all(np.abs(got - expected) <= limit)


def test_dense_backward_is_the_derivative(random):
    x, kernel, bias, dy = make_arrays((3, 4, 5), np.float64, lambda size: random.normal(size=size))
    gradients = ops.dense_backward(dy, x, kernel)
    functions = (
        (lambda x: ops.dense_forward(x, kernel, bias), x),
        (lambda w: ops.dense_forward(x, w, bias), kernel),
        (lambda b: ops.dense_forward(x, kernel, b), bias),
    )
    for (forward, at), gradient in zip(functions, gradients, strict=True):
        numeric = central_difference(lambda value, f=forward: np.sum(dy * f(value)), at)
        assert close_gradient(numeric, gradient).all()


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (7, 33, 100), (65, 784, 128), (300, 700, 500), (300, 65, 130), (1000, 9, 3)], ids=str
)
@every_dtype
def test_dense_threads(shape, dtype, random):
    x, kernel, bias, dy = make_arrays(shape, dtype, lambda size: random.normal(size=size))
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        results = [ops.dense_forward(x, kernel, bias), *ops.dense_backward(dy, x, kernel)]
        seen.add(b"".join(array.tobytes() for array in results))
    assert len(seen) == 1


@every_dtype
def test_dense_of_more_axes(dtype, random):
    x, kernel, bias, dy = make_arrays((6, 5, 4), dtype, lambda size: random.normal(size=size))
    y = ops.dense_forward(x.reshape(3, 2, 5), kernel, bias)
    assert y.shape == (3, 2, 4)
    np.testing.assert_array_equal(y.reshape(6, 4), ops.dense_forward(x, kernel, bias))
    np.testing.assert_array_equal(ops.dense_forward(x[0], kernel, bias).shape, (4,))
    dx, dkernel, dbias = ops.dense_backward(dy.reshape(3, 2, 4), x.reshape(3, 2, 5), kernel)
    flat = ops.dense_backward(dy, x, kernel)
    assert dx.shape == (3, 2, 5)
    for got, expected in zip((dx.reshape(6, 5), dkernel, dbias), flat, strict=True):
        np.testing.assert_array_equal(got, expected)


@every_dtype
def test_dense_writes_where_told(dtype, random):
    x, kernel, bias, dy = make_arrays((6, 5, 4), dtype, lambda size: random.normal(size=size))
    out = np.full((6, 4), np.nan, dtype)
    assert ops.dense_forward(x, kernel, bias, out=out) is out
    np.testing.assert_array_equal(out, ops.dense_forward(x, kernel, bias))
    wanted = ops.dense_backward(dy, x, kernel)
    outs = [np.full_like(array, np.nan) for array in wanted]
    results = ops.dense_backward(dy, x, kernel, dx=outs[0], dkernel=outs[1], dbias=outs[2])
    for result, out, expected in zip(results, outs, wanted, strict=True):
        assert result is out
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("missing", ["dx", "dkernel", "dbias"])
def test_dense_backward_leaves_out_what_nobody_needs(missing, random):
    x, kernel, _, dy = make_arrays((6, 5, 4), np.float32, lambda size: random.normal(size=size))
    wanted = dict(zip(("dx", "dkernel", "dbias"), ops.dense_backward(dy, x, kernel), strict=True))
    got = dict(zip(wanted, ops.dense_backward(dy, x, kernel, **{f"need_{missing}": False}), strict=True))
    assert got.pop(missing) is None
    for name, array in got.items():
        np.testing.assert_array_equal(array, wanted[name])


@every_dtype
def test_dense_passes_nan_on(dtype, random):
    x, kernel, bias, dy = make_arrays((6, 5, 40), dtype, lambda size: random.normal(size=size))
    x[2, 3] = np.nan
    rows, inputs = np.arange(6) == 2, np.arange(5) == 3
    np.testing.assert_array_equal(np.isnan(ops.dense_forward(x, kernel, bias)), np.outer(rows, np.ones(40)))
    dx, dkernel, dbias = ops.dense_backward(dy, x, kernel)
    assert np.isfinite(dx).all()
    assert np.isfinite(dbias).all()
    np.testing.assert_array_equal(np.isnan(dkernel), np.outer(inputs, np.ones(40)))
    bias[7] = np.nan
    assert np.isnan(ops.dense_forward(x, kernel, bias)[:, 7]).all()


def test_dense_without_rows():
    x, kernel = np.ones((0, 5)), np.ones((5, 4))
    assert ops.dense_forward(x, kernel).shape == (0, 4)
    dx, dkernel, dbias = ops.dense_backward(np.ones((0, 4)), x, kernel)
    assert dx.shape == (0, 5)
    np.testing.assert_array_equal(dkernel, np.zeros((5, 4)))
    np.testing.assert_array_equal(dbias, np.zeros(4))


X, KERNEL, BIAS, DY = np.ones((6, 5)), np.ones((5, 4)), np.ones(4), np.ones((6, 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X[:, :3].copy(), KERNEL, BIAS), r"\bx\b"),
        ((X, KERNEL[0], BIAS), "kernel"),
        ((X, KERNEL, np.ones(5)), "bias"),
        ((X, KERNEL, BIAS[None]), "bias"),
        ((X.astype(np.float32), KERNEL, BIAS), "type"),
        ((X, KERNEL, BIAS.astype(np.float32)), "type"),
        ((X[::2], KERNEL, BIAS), r"\bx\b.*contiguous"),
        ((X, np.ones((4, 5)).T, BIAS), "kernel.*contiguous"),
        ((X, KERNEL[:, :0].copy(), BIAS[:0]), "kernel"),
    ],
)
def test_dense_forward_bad_argument_names_it(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ops.dense_forward(*arguments)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"dy": np.ones((6, 5))}, "dy"),
        ({"dy": np.ones((5, 4))}, "dy"),
        ({"dy": DY.astype(np.float32)}, "type"),
        ({"dx": np.ones((5, 6))}, "dx"),
        ({"dkernel": np.ones((4, 5))}, "dkernel"),
        ({"dbias": np.ones(5)}, "dbias"),
        ({"dx": X}, "dx.*overlap"),
        ({"dkernel": KERNEL}, "dkernel.*overlap"),
        ({"dbias": DY[0]}, "dbias.*overlap"),
        ({"dx": np.ones((6, 5), np.float32)}, "dx"),
    ],
)
def test_dense_backward_bad_argument_names_it(more, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ops.dense_backward(**{"dy": DY, "x": X, "kernel": KERNEL, **more})
