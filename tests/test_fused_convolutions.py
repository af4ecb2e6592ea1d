"""Convolutions that take over the activation and the max pooling behind them: as on their own."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from helpers import THREADS, bits, looped
from tiers import slow

import pynn
from pynn import ops
from pynn.layers import Conv2D, Dense, DepthwiseConv2D, Flatten, MaxPooling2D

SAMPLE = (11, 12, 4)
CONVOLUTIONS = [
    {"filters": 17, "kernel_size": 3},
    {"filters": 7, "kernel_size": (3, 4), "padding": "same"},
    {"filters": 33, "kernel_size": 5, "strides": 2, "padding": "same"},
    {"filters": 10, "kernel_size": 3, "dilation_rate": 2},
    {"filters": 10, "kernel_size": 2, "groups": 5},
]
POOLINGS = [{"pool_size": 2}, {"pool_size": (3, 2), "strides": (3, 3)}, {"pool_size": 2, "padding": "same"}]


class Pool(NamedTuple):
    """A max pooling of NumPy: what it makes, and where each maximum was among the elements of its window."""

    y: np.ndarray
    first: np.ndarray


def windows(shape, pool_size, strides=None, padding="valid"):
    """Where each window of a pooling that does not overlap its edges on the left begins and ends."""
    size = (pool_size, pool_size) if isinstance(pool_size, int) else pool_size
    strides = size if strides is None else strides
    spans = []
    for n, length, stride in zip(shape, size, strides, strict=True):
        count = (n - length) // stride + 1 if padding == "valid" else -(-n // stride)
        spans.append([slice(i * stride, min(i * stride + length, n)) for i in range(count)])
    return spans


def pool(x, settings):
    rows, columns = windows(x.shape[1:3], **settings)
    y = np.empty((len(x), len(rows), len(columns), x.shape[3]), x.dtype)
    first = np.empty(y.shape, int)
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        window = x[:, row, column].reshape(len(x), -1, x.shape[3])
        y[:, i, j], first[:, i, j] = window.max(axis=1), window.argmax(axis=1)
    return Pool(y, first)


def unpool(dy, first, shape, settings):
    dx = np.zeros(shape, dy.dtype)
    rows, columns = windows(shape[1:3], **settings)
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        window = dx[:, row, column]
        flat = np.zeros((len(dx), window.shape[1] * window.shape[2], shape[3]), dx.dtype)
        np.put_along_axis(flat, first[:, i, j][:, None], dy[:, i, j][:, None], axis=1)
        window += flat.reshape(window.shape)
    return dx


def make_model(convolution, pooling, activation, dtype="float64", sample=SAMPLE):
    pynn.set_random_seed(3)
    model = pynn.Sequential(
        [
            pynn.Input(sample),
            Conv2D(5, 3, padding="same", dtype=dtype),
            Conv2D(activation=activation, bias_initializer="random_normal", dtype=dtype, **convolution),
            MaxPooling2D(dtype=dtype, **pooling),
            Flatten(dtype=dtype),
            Dense(2, dtype=dtype),
        ]
    )
    model.compile(pynn.optimizers.SGD(1.0), "mean_squared_error")
    return model


@looped("activation", ["relu", "relu6", "linear", "tanh", "gelu"])
@pytest.mark.parametrize(
    ("convolution", "pooling"),
    [
        pytest.param(convolution, pooling, id=f"{convolution}-{pooling}", marks=[pytest.mark.slow] * (row > 0 < column))
        for row, convolution in enumerate(CONVOLUTIONS)
        for column, pooling in enumerate(POOLINGS)
    ],
)
@looped("n", [1, 3, 4, 9])
def test_step_is_that_of_separate_kernels(n, convolution, pooling, activation, random):
    """One step of SGD at rate 1: the weights lose the gradients that the kernels make one by one."""
    model = make_model(convolution, pooling, activation)
    x, y = random.normal(size=(n, *SAMPLE)), random.normal(size=(n, 2))
    k1, b1, k2, b2, k3, b3 = start = model.get_weights()
    settings = {name: value for name, value in convolution.items() if name not in ("filters", "kernel_size")}

    below = ops.conv_forward(x, k1, b1, padding="same")
    z = ops.conv_forward(below, k2, b2, **settings)
    a = ops.activation_forward(z, activation)
    pooled = pool(a, pooling)
    flat = pooled.y.reshape(n, -1)
    predicted = flat @ k3 + b3
    np.testing.assert_allclose(model.predict(x, verbose=0), predicted, rtol=1e-12, atol=1e-12)

    slope = 2 * (predicted - y) / predicted.size
    da = unpool((slope @ k3.T).reshape(pooled.y.shape), pooled.first, a.shape, pooling)
    dz = ops.activation_backward(da, z, a, activation)
    dbelow, dk2, db2 = ops.conv_backward(dz, below, k2, **settings)
    _, dk1, db1 = ops.conv_backward(dbelow, x, k1, padding="same", need_dx=False)
    model.train_on_batch(x, y)
    expected = [dk1, db1, dk2, db2, flat.T @ slope, slope.sum(axis=0)]
    for before, after, gradient in zip(start, model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(before - after, gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("convolution", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("n", [3, *slow(33)])
def test_threads(n, convolution, random):
    """Three images of this size are work for seven threads."""
    sample = (44, 40, 8)
    x, y = random.normal(size=(n, *sample)), random.normal(size=(n, 2))
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = make_model(convolution, POOLINGS[0], "relu", "float32", sample)
        model.compile(pynn.optimizers.SGD(1e-4), "mean_squared_error")
        model.fit(x, y, batch_size=32, epochs=2, verbose=0)
        seen.add((bits(model), model.predict(x, verbose=0).tobytes()))
    assert len(seen) == 1


@looped("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("width", "kernel", "dilation", "window"), [(9, 17, 1, 2), (16, 3, 2, 3), (5, 8, 1, 3)], ids=str
)
def test_columns_that_no_window_has_change_no_bit(width, kernel, dilation, window, dtype, random):
    """Depthwise, where columns of the kernel are used together: in the same way for a row that is cut short."""
    x = random.normal(size=(2, 4, width, 32)).astype(dtype)
    inputs = pynn.Input(x.shape[1:], dtype=dtype)
    settings = {"padding": "same", "dilation_rate": (1, dilation), "dtype": dtype}
    made = DepthwiseConv2D((2, kernel), **settings)(inputs)
    pooled = MaxPooling2D(window, dtype=dtype)(made)
    fused, apart = pynn.Model(inputs, pooled), pynn.Model(inputs, [pooled, made])
    np.testing.assert_array_equal(fused.predict(x, verbose=0), apart.predict(x, verbose=0)[0])


def test_nan_wins():
    """A window with a NaN gives NaN: 0 times infinity, in the second convolution."""
    layers = [Conv2D(2, 1, dtype="float64"), Conv2D(1, 1, dtype="float64"), MaxPooling2D(2, dtype="float64")]
    model = pynn.Sequential([pynn.Input((2, 4, 1)), *layers])
    model.set_weights([np.full((1, 1, 1, 2), 2.0**600), np.zeros(2), np.array([1.0, 0]).reshape(1, 1, 2, 1), [0.0]])
    x = np.array([[1.0, 7, 7, 2], [3, 5, 4, 1]]) * 2.0**-600
    x[1, 2] = 2.0**500
    np.testing.assert_array_equal(model(x.reshape(1, 2, 4, 1)).ravel(), [7, np.nan])


@pytest.mark.parametrize("n", [1, 4])
def test_first_maximum_gets_the_gradient(n):
    """The second channel has the weight 0, so that it changes no maximum, and tells which pixel it was."""
    model = pynn.Sequential([pynn.Input((2, 4, 2)), Conv2D(1, 1, dtype="float64"), MaxPooling2D(2, dtype="float64")])
    model.set_weights([np.array([1.0, 0]).reshape(1, 1, 2, 1), np.zeros(1)])
    model.compile(pynn.optimizers.SGD(1.0), pynn.losses.SumSquaredError(reduction="mean"))
    x = np.empty((n, 2, 4, 2))
    x[..., 0] = [[1, 2, 0, -1], [2, 2, 3, 3]]
    x[..., 1] = [[10, 20, 30, 40], [50, 60, 70, 80]]
    model.train_on_batch(x, np.zeros((n, 1, 2, 1)))
    weights, bias = model.get_weights()
    slopes = np.array([2.0, 3]) / 2  # the mean over two positions
    np.testing.assert_allclose(weights.ravel(), [1 - slopes @ [2, 3], -slopes @ [20, 70]], rtol=1e-14)
    np.testing.assert_allclose(bias, [-slopes.sum()], rtol=1e-14)


@pytest.mark.parametrize("channels", [3, 16, 40])
def test_images_without_gradient(channels, random):
    """Where no unit is active, all gradients below are 0 and the weights stay as they are."""
    model = pynn.Sequential(
        [pynn.Input((6, 6, channels)), Conv2D(8, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dense(1)]
    )
    model.layers[0].set_weights([model.layers[0].get_weights()[0], np.full(8, -1e3)])
    model.compile("sgd", "mean_squared_error")
    before = model.layers[0].get_weights()
    model.train_on_batch(random.normal(size=(5, 6, 6, channels)), np.ones((5, 1)))
    for old, new in zip(before, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
