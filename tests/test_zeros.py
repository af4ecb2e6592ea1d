"""Inputs that are zero are passed over: with the same bits, NaN and infinity included."""

import warnings

import numpy as np
import pytest
from helpers import THREADS, bits

import pynn
from pynn import ops

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
# Below and above 256 inputs sums are cut differently; 1 row has a path of its own
every_shape = pytest.mark.parametrize(
    ("rows", "inputs", "units"),
    [(1, 40, 9), (1, 300, 150), (5, 256, 7), (31, 70, 128), (32, 784, 17), (200, 300, 300), (300, 90, 5), (67, 257, 2)],
)
every_pattern = pytest.mark.parametrize("pattern", ["columns", "scattered", "few"])


def make_model(inputs, units, dtype, optimizer="sgd"):
    """One linear layer, and a loss whose gradient is simple."""
    pynn.set_random_seed(2)
    model = pynn.Sequential([pynn.Input((inputs,)), pynn.layers.Dense(units, dtype=dtype)])
    model.compile(optimizer, "mean_squared_error")
    return model


def sparse_rows(rows, inputs, dtype, random, pattern="columns"):
    """Zeros and -0 in whole columns, in runs of many lengths; here and there; or with a few numbers between them."""
    kept = {"columns": random.random(inputs) < 0.4, "scattered": 0.25, "few": 0.02}[pattern]
    x = random.normal(size=(rows, inputs)) * (kept if pattern == "columns" else random.random((rows, inputs)) < kept)
    x[:, inputs // 3 : inputs // 2] = 0
    x[:, -2] = -0.0
    x[rows // 2 + 1 : rows // 2 + 3] = 0
    return x.astype(dtype)


@every_dtype
@every_shape
@every_pattern
def test_prediction_has_the_bits_of_the_whole_product(rows, inputs, units, pattern, dtype, random):
    model = make_model(inputs, units, dtype)
    x = np.tile(sparse_rows(rows, inputs, dtype, random, pattern), (1 + 64 // rows, 1))
    expected = ops.dense_forward(x, *model.get_weights())
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        assert model.predict(x, verbose=0).tobytes() == expected.tobytes()


@every_dtype
@every_shape
@every_pattern
def test_step_has_the_bits_of_the_whole_products(rows, inputs, units, pattern, dtype, random):
    x = sparse_rows(rows, inputs, dtype, random, pattern)
    y = random.normal(size=(rows, units)).astype(dtype)
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = make_model(inputs, units, dtype, pynn.optimizers.SGD(1.0))
        kernel, bias = model.get_weights()
        kernel[::3] = -0.0
        model.set_weights([kernel, bias])
        slope = ops.loss_backward(y, ops.dense_forward(x, kernel, bias), "mean_squared_error", scale=1 / rows)
        _, dkernel, dbias = ops.dense_backward(slope, x, kernel)
        model.train_on_batch(x, y)
        assert model.get_weights()[0].tobytes() == (kernel - dkernel).tobytes()
        np.testing.assert_allclose(model.get_weights()[1], bias - dbias, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad", pynn.optimizers.SGD(0.1, momentum=0.9)], ids=str)
def test_optimizers_with_memory_go_on_where_the_gradient_is_zero(optimizer, random):
    """A weight whose input falls silent moves on by the memory of earlier gradients."""
    x = random.normal(size=(32, 300)).astype(np.float32)
    y = random.normal(size=(32, 4)).astype(np.float32)
    silent = x.copy()
    silent[:, 50:90] = 0
    tiny = silent.copy()
    tiny[0, 50:90] = 1e-30  # as good as zero, but not passed over
    results = []
    for second in (silent, tiny):
        chosen = type(optimizer).from_config(optimizer.get_config()) if not isinstance(optimizer, str) else optimizer
        model = make_model(300, 4, "float32", chosen)
        model.train_on_batch(x, y)
        model.train_on_batch(second, y)
        results.append(model.get_weights()[0])
    np.testing.assert_allclose(*results, rtol=1e-6, atol=1e-8)


def test_learning_rate_that_is_infinite_makes_nan_of_a_gradient_of_zero(random):
    """1e39 is infinite as float32, and infinity times 0 is NaN, in all rows of the kernel alike."""
    model = make_model(300, 3, "float32", pynn.optimizers.SGD(1e39))
    x = np.zeros((4, 300), np.float32)
    x[:, 7] = 1
    model.train_on_batch(x, np.ones((4, 3)))
    kernel = model.get_weights()[0]
    assert np.isnan(np.delete(kernel, 7, axis=0)).all()
    assert np.isinf(kernel[7]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rows", [1, 32, 100])
def test_zero_times_what_is_not_finite_is_nan(rows, bad, random):
    model = make_model(300, 6, "float32")
    x = sparse_rows(rows, 300, np.float32, random)
    x[:, 7] = 0
    kernel, bias = model.get_weights()
    kernel[7, 2] = bad
    model.set_weights([kernel, bias])
    assert np.isnan(model.predict(x, verbose=0)[:, 2]).all()
    before = bits(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, np.zeros((rows, 6)), verbose=0)
    assert any("not finite" in str(w.message) or "NaN" in str(w.message) for w in caught), [
        str(w.message) for w in caught
    ]
    assert bits(model) == before


def test_weights_that_overflow_while_training_are_noticed():
    """The kernel is finite when training begins, but not after the first step, in a row whose input is then silent."""
    model = make_model(300, 2, "float32", pynn.optimizers.SGD(1e38))
    x = np.zeros((2, 300), np.float32)
    x[0, 5] = 100  # the step on it makes kernel[5] infinite
    x[1, 6] = 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, np.full((2, 2), 1e3), batch_size=1, epochs=2, shuffle=False, verbose=0)
    assert not np.isfinite(model.get_weights()[0][5]).any()
    assert caught, "the second step must have seen 0 * infinity"
    assert np.isfinite(model.get_weights()[0][6]).all()  # no step on it was made


@every_dtype
@pytest.mark.parametrize("units", [5, 300])
@pytest.mark.parametrize("scale", [1 / 255, [0.5, 2.0, 0.25]], ids=["one", "each"])
@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes", "floats"])
def test_rescaling_on_the_way_in(dtype, units, scale, as_bytes, random):
    """What is rescaled as it is loaded is what a rescaled array would have been."""
    offset = 0.0 if isinstance(scale, float) else [0.0, 1.0, 0.0]
    x = random.integers(0, 256, (70, 40, 3)) * (random.random((40, 3)) < 0.5)
    x = x.astype(np.uint8 if as_bytes else dtype)
    models = []
    for first in ([pynn.layers.Rescaling(scale, offset, dtype=dtype)], []):
        pynn.set_random_seed(5)
        stack = [*first, pynn.layers.Flatten(), pynn.layers.Dense(units, dtype=dtype, activation="tanh")]
        models.append(pynn.Sequential([pynn.Input((40, 3), dtype=dtype), *stack, pynn.layers.Dense(2, dtype=dtype)]))
        models[-1].compile("adam", "mean_squared_error")
    scaled = (x.astype(dtype) * np.asarray(scale, dtype) + np.asarray(offset, dtype)).astype(dtype)
    y = random.normal(size=(70, 2))
    for model, data in zip(models, (x, scaled), strict=True):
        model.fit(data, y, batch_size=16, epochs=2, verbose=0)
    tolerance = 1e-5 if dtype == "float32" else 1e-12  # a fused multiply-add rounds once, NumPy twice
    np.testing.assert_allclose(
        models[0].predict(x, verbose=0), models[1].predict(scaled, verbose=0), rtol=tolerance, atol=tolerance
    )
