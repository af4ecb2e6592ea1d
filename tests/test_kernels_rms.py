"""Rows divided by their root mean square or by their norm, against the reference."""

import numpy as np
import pytest
from helpers import SIZES, THREADS, close_gradient, looped
from reference import central_difference

import pynn
from pynn.engine import single
from pynn.foundation.native import core

every_dtype = looped("dtype", [np.float32, np.float64])
every_unit = pytest.mark.parametrize("unit", [False, True], ids=["rms", "unit"])
every_length = looped("columns", SIZES)


def reference(x, scale, epsilon, unit):
    """x / sqrt(mean(x^2) + epsilon) scale, or x / max(|x|, epsilon) scale"""
    squares = np.square(x)
    if unit:
        return x / np.maximum(np.sqrt(squares.sum(axis=-1, keepdims=True)), epsilon) * scale
    return x / np.sqrt(squares.mean(axis=-1, keepdims=True) + epsilon) * scale


def forward(x, scale, epsilon, unit, saved=None):
    """`saved` becomes what the way back needs: three numbers for each row."""
    y = np.full_like(x, np.nan)
    saved = np.empty((*x.shape[:-1], 3), x.dtype) if saved is None else saved
    attributes = {"columns": x.shape[-1], "epsilon": epsilon, "unit": unit}
    core.op_forward("rms_norm", attributes, [y], [x], [scale], saved, pynn.config.get_num_threads())
    return y


def backward(dy, x, scale, epsilon, unit):
    saved = np.empty((*x.shape[:-1], 3), x.dtype)
    y = forward(x, scale, epsilon, unit, saved)
    dx, dscale = np.full_like(x, np.nan), None if scale is None else np.full_like(scale, np.nan)
    attributes = {"columns": x.shape[-1], "epsilon": epsilon, "unit": unit}
    threads = pynn.config.get_num_threads()
    core.op_backward("rms_norm", attributes, [dx], [dscale], [dy], [x], [y], [scale], saved, threads)
    return dx, dscale


@every_length
@every_unit
@every_dtype
def test_rms_value(columns, unit, dtype, random):
    x, scale = random.normal(0, 3, (5, 2, columns)).astype(dtype), random.normal(size=columns).astype(dtype)
    for given in (scale, None):
        expected = reference(x.astype(np.float64), 1.0 if given is None else scale, 1e-3, unit)
        np.testing.assert_allclose(forward(x, given, 1e-3, unit), expected, rtol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize("columns", [1, 2, 7, 17])
@every_unit
@pytest.mark.parametrize("epsilon", [0.0, 0.5, 20.0])
def test_rms_gradient_is_the_derivative(columns, unit, epsilon, random):
    """The large epsilon is above the norm of each row."""
    x, dy = random.normal(size=(2, 3, 2, columns))
    scale = random.normal(size=columns)
    dx, dscale = backward(dy, x, scale, epsilon, unit)
    numeric = central_difference(lambda x: np.sum(dy * forward(x, scale, epsilon, unit)), x)
    assert close_gradient(numeric, dx).all()
    numeric = central_difference(lambda scale: np.sum(dy * forward(x, scale, epsilon, unit)), scale)
    assert close_gradient(numeric, dscale).all()
    bare, _ = backward(dy * scale, x, None, epsilon, unit)
    np.testing.assert_allclose(bare, dx, rtol=1e-12, atol=1e-14)


@every_unit
@every_dtype
@pytest.mark.parametrize("rows", [1, 31, 33, 65, 2100])
def test_rms_gradient_of_many_rows(rows, unit, dtype, random):
    x, dy = random.normal(size=(2, rows, 1, 5)).astype(dtype)
    scale = random.normal(size=5).astype(dtype)
    dx, dscale = backward(dy, x, scale, 0.1, unit)
    normal = reference(x.astype(np.float64), 1.0, 0.1, unit)
    tolerance = 32 * np.finfo(dtype).eps
    np.testing.assert_allclose(dscale, (dy * normal).sum(axis=(0, 1)), rtol=tolerance, atol=tolerance * rows)
    squares = np.square(x.astype(np.float64))
    divisor = np.sqrt(squares.sum(-1, keepdims=True) if unit else squares.mean(-1, keepdims=True) + 0.1)
    along = (dy * scale * normal).sum(-1, keepdims=True) / (1 if unit else 5)
    np.testing.assert_allclose(dx, (dy * scale - normal * along) / divisor, rtol=2e3 * tolerance, atol=10 * tolerance)


@every_unit
@every_dtype
@pytest.mark.parametrize("columns", [1, 3, 17])
def test_rms_of_numbers_of_any_size(columns, unit, dtype, random):
    """Whose squares overflow, or are 0, in their type."""
    limits = np.finfo(dtype)
    for size in (limits.max, limits.max / 4, np.sqrt(limits.max) * 8, 1.0, limits.tiny * 16):
        x = (random.uniform(0.5, 1, (4, 1, columns)) * size).astype(dtype)
        epsilon = 1e-12 if unit else 0.0
        y = forward(x, None, epsilon, unit)
        divisor = size if size > 1e-3 or not unit else 1.0  # in float64, numbers near 1
        expected = reference(x.astype(np.longdouble) / divisor, 1.0, epsilon, unit)
        np.testing.assert_allclose(y, expected.astype(np.float64), rtol=16 * limits.eps, atol=0)
        dx, _ = backward(np.ones_like(x), x, None, epsilon, unit)
        assert np.isfinite(dx).all()


@every_unit
@every_dtype
def test_rms_of_zeros_infinity_and_nan(unit, dtype):
    x = np.ones((4, 1, 20), dtype)
    x[0] = 0
    x[1, 0, 3] = np.inf
    x[2, 0, 4] = np.nan
    y = forward(x, None, 1e-6, unit)
    np.testing.assert_array_equal(y[0], 0)
    assert np.isnan(y[1, 0, 3])
    assert np.isnan(y[2]).all()
    assert np.isfinite(y[3]).all()
    dx, _ = backward(np.ones_like(x), x, None, 1e-6, unit)
    np.testing.assert_allclose(dx[0], 1e6 if unit else 1e3, rtol=1e-5)


@every_unit
@pytest.mark.parametrize(("rows", "columns"), [(1, 40_000), (3, 17), (700, 33), (129, 1)])
def test_rms_threads(rows, columns, unit, random):
    x, dy = random.normal(size=(2, rows, 1, columns)).astype(np.float32)
    scale = random.normal(size=columns).astype(np.float32)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        y = forward(x, scale, 1e-3, unit)
        seen.add(y.tobytes() + b"".join(part.tobytes() for part in backward(dy, x, scale, 1e-3, unit)))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": 0}, "columns"),
        ({"columns": 4}, "divide"),
        ({"columns": 5}, "scale"),
        ({"epsilon": "small"}, "epsilon"),
        ({"unit": "yes"}, "unit"),
    ],
)
def test_rms_that_does_not_fit_is_refused(change, message):
    x = np.ones((2, 15))
    with pytest.raises(ValueError, match=message):
        single.forward("rms_norm", x.copy(), x, [np.ones(3)], **{"columns": 3, "epsilon": 0.1, "unit": False, **change})
