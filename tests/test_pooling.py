"""Poolings: values and gradients against loops, ties, NaN, what the padding counts."""

import itertools

import numpy as np
import pytest
from helpers import THREADS
from reference_windows import pads

import pynn
from pynn import layers
from pynn.engine import single

# sample, window, strides, padding
CASES = [
    ((1, 1, 1), (1, 1), (1, 1), "valid"),
    ((4, 5, 3), (2, 2), (2, 2), "valid"),
    ((5, 5, 17), (5, 5), (1, 1), "valid"),
    ((7, 6, 33), (3, 2), (1, 2), "valid"),
    ((9, 8, 2), (2, 2), (3, 4), "valid"),
    ((4, 5, 3), (3, 3), (1, 1), "same"),
    ((7, 6, 16), (2, 4), (2, 3), "same"),
    ((2, 2, 7), (5, 5), (1, 1), "same"),
    ((5, 5, 15), (2, 2), (3, 3), "same"),
    ((10, 3), (3,), (2,), "valid"),
    ((11, 5), (4,), (3,), "same"),
]
every_case = pytest.mark.parametrize(("sample", "size", "strides", "padding"), CASES, ids=str)
every_kind = pytest.mark.parametrize("kind", ["max", "average"])
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def windows(sample, size, strides, padding):
    """The output's shape, and for each of its positions the slices of its window."""
    plans = [pads(*axis, 1, padding=padding) for axis in zip(sample[:-1], size, strides, strict=True)]
    out = [plan[0] for plan in plans]
    at = {}
    for position in itertools.product(*map(range, out)):
        begins = [p * s - plan[1] for p, s, plan in zip(position, strides, plans, strict=True)]
        ends = [begin + n for begin, n in zip(begins, size, strict=True)]
        at[position] = tuple(slice(max(b, 0), min(e, n)) for b, e, n in zip(begins, ends, sample[:-1], strict=True))
    return (*out, sample[-1]), at


def forward(x, kind, sample, size, strides, padding):
    shape, at = windows(sample, size, strides, padding)
    y = np.empty((len(x), *shape), x.dtype)
    axes = tuple(range(1, len(sample)))
    for position, where in at.items():
        seen = x[(slice(None), *where)]
        y[(slice(None), *position)] = (np.max if kind == "max" else np.mean)(seen, axis=axes)
    return y


def backward(dy, x, kind, sample, size, strides, padding):
    dx = np.zeros_like(x)
    for position, where in windows(sample, size, strides, padding)[1].items():
        for image, channel in itertools.product(range(len(x)), range(sample[-1])):
            seen = x[(image, *where, channel)]
            part = dx[(image, *where, channel)]
            gradient = dy[(image, *position, channel)]
            if kind == "max":
                part[np.unravel_index(np.argmax(seen), seen.shape)] += gradient  # the first, and NaN before all
            else:
                part += gradient / seen.size
    return dx


def layer_of(kind, sample, size, strides, padding, **more):
    name = f"{'Max' if kind == 'max' else 'Average'}Pooling{len(sample) - 1}D"
    return getattr(layers, name)(size, strides, padding, **more)


def apply(layer, x):
    return pynn.Sequential([pynn.Input(x.shape[1:]), layer])(x)


def gradient(kind, dy, x, y, sample, size, strides, padding):
    """What the kernel makes of dy."""
    dx = np.full_like(x, np.nan)
    numbers = pynn.geometry.windows.pooling(sample, size, strides, padding).numbers()
    single.backward("pool", dx, (), dy, x, y, kind=kind, shape=numbers)
    return dx


@every_case
@every_kind
@every_dtype
def test_pooling_values_and_gradient(kind, sample, size, strides, padding, dtype, random):
    plan = (sample, size, strides, padding)
    x = random.integers(-3, 4, (3, *sample)).astype(dtype)  # with ties
    y = apply(layer_of(kind, *plan, dtype=np.dtype(dtype).name), x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, forward(x, kind, *plan), rtol=1e-6 if dtype == np.float32 else 1e-14)
    dy = random.integers(-3, 4, y.shape).astype(dtype)
    dx = gradient(kind, dy, x, y, *plan)
    np.testing.assert_allclose(dx, backward(dy, x, kind, *plan), rtol=1e-5, atol=1e-6)


@every_case
@every_kind
def test_pooling_threads(kind, sample, size, strides, padding, random):
    plan = (sample, size, strides, padding)
    x = random.normal(size=(64, *sample)).astype(np.float32)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        y = apply(layer_of(kind, *plan), x)
        seen.add(y.tobytes() + gradient(kind, y, x, y, *plan).tobytes())
    assert len(seen) == 1


def test_max_pooling_of_nan_and_infinity():
    x = np.zeros((1, 4, 4, 1), np.float32)
    x[0, 1, 1], x[0, 0, 2], x[0, 2, 0], x[0, 2:, 2:] = np.nan, np.inf, -np.inf, -np.inf
    model = pynn.Sequential([pynn.Input((4, 4, 1)), layers.MaxPooling2D()])
    y = model.predict(x, verbose=0, check_finite=False)
    np.testing.assert_array_equal(y[0, :, :, 0], [[np.nan, np.inf], [0, -np.inf]])
    dx = gradient("max", np.ones_like(y), x, y, (4, 4, 1), (2, 2), (2, 2), "valid")
    where = {tuple(index) for index in np.argwhere(dx[0, :, :, 0])}
    assert where == {(1, 1), (0, 2), (2, 1), (2, 2)}
    np.testing.assert_array_equal(dx.sum(), 4)


def test_pooling_of_a_constant_is_the_constant():
    x = np.full((2, 7, 6, 3), 1.7, np.float32)
    for layer in (
        layers.MaxPooling2D(3, 2, "same"),
        layers.AveragePooling2D(3, 2, "same"),
        layers.GlobalAveragePooling2D(),
        layers.GlobalMaxPooling2D(keepdims=True),
    ):
        np.testing.assert_allclose(apply(layer, x), 1.7, rtol=1e-6)


def test_global_pooling_values(random):
    x = random.normal(size=(3, 5, 6, 17)).astype(np.float32)
    flat = x.reshape(3, 30, 17)
    np.testing.assert_array_equal(apply(layers.GlobalMaxPooling2D(), x), x.max(axis=(1, 2)))
    np.testing.assert_array_equal(apply(layers.GlobalMaxPooling1D(keepdims=True), flat), flat.max(axis=1)[:, None])
    np.testing.assert_allclose(apply(layers.GlobalAveragePooling2D(), x), x.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(apply(layers.GlobalAveragePooling1D(), flat), flat.mean(axis=1), rtol=1e-5, atol=1e-6)
