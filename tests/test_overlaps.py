"""Losses of overlaps in training: against formulas in float64, central differences, and on any number of threads."""

import numpy as np
import pytest
from helpers import unchanged

import pynn
from pynn import losses

SIZES = [1, 2, 7, 15, 16, 17, 33]
AXES = [None, -1, (1, 2), (1, 2, 3), (0, 1, 2), 0, 2, (1, 3), (0, 2), (0, 3)]


def plain(y, p, alpha, beta, axis, epsilon=1e-7):
    """Tversky's loss; Dice's with alpha = beta = 1/2 and half of epsilon."""
    both, of_y, of_p = (np.sum(part, axis=axis) for part in (y * p, y, p))
    return 1 - both / (both + alpha * (of_y - both) + beta * (of_p - both) + epsilon)


def model_of(shape, loss, dtype="float64", metrics=()):
    """A network whose outputs have the shape of its inputs, with values in (0, 1)."""
    pynn.set_random_seed(3)
    layers = [pynn.layers.Dense(shape[-1], activation="sigmoid", dtype=dtype)]
    model = pynn.Sequential([pynn.Input(shape), *layers])
    model.compile(pynn.optimizers.SGD(0.5), loss, metrics=list(metrics))
    return model


def data_of(samples, shape, random):
    return random.normal(size=(samples, *shape)), random.integers(0, 2, (samples, *shape)).astype(float)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_loss_and_gradients(axis, reduction, random):
    """The loss against the formula, its gradients against central differences."""
    shape = (4, 3, 5)
    model = model_of(shape, losses.Tversky(0.3, 0.8, reduction, axis=axis))
    x, y = data_of(3, shape, random)

    def loss():
        values = plain(y, model.predict(x, verbose=0), 0.3, 0.8, axis)
        return values.sum() if reduction == "sum" else values.mean()

    found, gradients = model.gradients(x, y)
    assert found == pytest.approx(loss(), rel=1e-12)
    assert model.evaluate(x, y, batch_size="full", verbose=0) == pytest.approx(loss(), rel=1e-12)
    start = model.get_weights()
    for number, gradient in enumerate(gradients):
        for place in np.ndindex(gradient.shape):
            moved = []
            for step in (1e-6, -1e-6):
                weights = [weight.copy() for weight in start]
                weights[number][place] += step
                model.set_weights(weights)
                moved.append(loss())
            assert gradient[place] == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-6, abs=1e-9)
    model.set_weights(start)
    model.train_on_batch(x, y)
    for before, gradient, after in zip(start, gradients, model.get_weights(), strict=True):
        np.testing.assert_allclose(after, before - 0.5 * gradient, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("axis", [None, -1, (0, 1), 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes(size, axis, dtype, random):
    """Every length of a vector's tail, as samples, rows and columns."""
    for samples, rows, columns in ((size, 3, 2), (2, size, 3), (2, 3, size)):
        model = model_of((rows, columns), losses.Dice(axis=axis), dtype)
        x, y = data_of(samples, (rows, columns), random)
        p = model.predict(x, verbose=0).astype(float)
        expected = plain(y, p, 0.5, 0.5, axis, 0.5e-7).mean()
        assert model.gradients(x, y)[0] == pytest.approx(expected, rel=1e-12 if dtype == "float64" else 1e-6)


@pytest.mark.parametrize("axis", [None, (1, 2), (0, 1), -1])
def test_bits_do_not_depend_on_threads(axis, random):
    shape, found = (40, 30, 8), []
    x, y = data_of(13, shape, random)
    threads = pynn.config.get_num_threads()
    try:
        for number in (1, 2, 3, 7):
            pynn.config.set_num_threads(number)
            model = model_of(shape, losses.Tversky(0.4, 0.7, axis=axis), "float32", ["mse"])
            history = model.fit(x, y, batch_size=5, epochs=2, verbose=0).history
            evaluated = model.evaluate(x, y, batch_size=4, verbose=0)
            found.append([*history["loss"], *history["mse"], *evaluated, *map(bytes, model.get_weights())])
    finally:
        pynn.config.set_num_threads(threads)
    assert all(each == found[0] for each in found)


def test_sums_of_a_batch_are_of_all_its_samples(random):
    """More samples than the engine takes at once otherwise."""
    model = model_of((4,), "dice")
    x, y = data_of(700, (4,), random)
    p = model.predict(x, verbose=0)
    history = model.fit(x, y, batch_size=600, shuffle=False, verbose=0)
    first = plain(y[:600], p[:600], 0.5, 0.5, None, 0.5e-7)
    p = model_after_one_step(x[:600], y[:600]).predict(x, verbose=0)
    last = plain(y[600:], p[600:], 0.5, 0.5, None, 0.5e-7)
    assert history.history["loss"][0] == pytest.approx((600 * first + 100 * last) / 700, rel=1e-12)


def model_after_one_step(x, y):
    model = model_of((4,), "dice")
    model.train_on_batch(x, y)
    return model


def test_evaluation_is_by_batches_where_the_sums_are(random):
    x, y = data_of(10, (3, 2), random)
    model = model_of((3, 2), "dice")
    p = model.predict(x, verbose=0)
    parts = [len(y[i : i + 4]) * plain(y[i : i + 4], p[i : i + 4], 0.5, 0.5, None, 0.5e-7) for i in (0, 4, 8)]
    assert model.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(sum(parts) / 10, rel=1e-12)
    of_samples = model_of((3, 2), losses.Dice(axis=(1, 2)))
    assert of_samples.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(
        of_samples.evaluate(x, y, 10, 0), rel=1e-12
    )


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])
@pytest.mark.parametrize(("axis", "shape"), [(None, (6,)), ((1, 2, 3), (6,)), (-1, (6, 2, 3)), ((1, 2), (6, 1))])
def test_weights_of_samples(reduction, axis, shape, random):
    """As in direct calls, which are as in Keras; but for weights of samples alone, which are those of all values."""
    x, y = data_of(6, (2, 3, 4), random)
    weights = random.uniform(0, 2, shape)
    weights.ravel()[2] = 0
    loss = losses.Tversky(0.3, 0.7, reduction, axis=axis)
    model = model_of((2, 3, 4), loss)
    p = model.predict(x, verbose=0)
    values = plain(y, p, 0.3, 0.7, axis)
    values, w = np.broadcast_arrays(values, weights)
    divisor = {"sum": 1, "mean": values.size, "mean_with_sample_weight": w.sum()}[reduction]
    expected = (values * w).sum() / divisor
    assert model.gradients(x, y, weights)[0] == pytest.approx(expected, rel=1e-12)
    assert model.evaluate(x, y, "full", 0, weights) == pytest.approx(expected, rel=1e-12)
    assert loss(y, p, weights) == pytest.approx(expected, rel=1e-12)


def test_no_weight_at_all_is_no_loss(random):
    x, y = data_of(4, (3, 2), random)
    for axis in (None, (1, 2)):
        for reduction in ("mean", "sum", "mean_with_sample_weight"):
            model = model_of((3, 2), losses.Dice(reduction, axis=axis))
            loss, gradients = model.gradients(x, y, np.zeros(4))
            assert loss == 0
            assert not any(gradient.any() for gradient in gradients)


def test_nothing_there_and_nothing_found():
    """Only epsilon is left, and nothing is divided by 0."""
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.ReLU(dtype="float64")])
    model.compile(loss="dice")
    x, y = -np.ones((2, 3)), np.zeros((2, 3))
    assert model.evaluate(x, y, verbose=0) == 1


def test_a_loss_that_is_not_finite_ends_training():
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(3, kernel_initializer="ones", dtype="float64")])
    model.compile(pynn.optimizers.SGD(1.0), "dice")
    with unchanged(model), pytest.warns(RuntimeWarning, match="not finite"):
        model.fit(np.full((4, 3), 1e308), np.ones((4, 3)), verbose=0)


def test_class_weights(random):
    """One weight a sample, as a mean of the batch."""
    x, y = random.normal(size=(6, 3)), np.eye(3)[random.integers(0, 3, 6)]
    model, by_class = model_of((3,), "dice"), {0: 0.5, 1: 2.0, 2: 1.5}
    expected = plain(y, model.predict(x, verbose=0), 0.5, 0.5, None, 0.5e-7) * np.mean(y @ [0.5, 2.0, 1.5])
    assert model.train_on_batch(x, y, class_weight=by_class) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "given", "message"),
    [
        (losses.Dice(axis=4), {}, "axis=4 is not an axis"),
        (losses.Dice(axis=(1, -3)), {}, "names an axis twice"),
        (losses.Dice(axis=0), {"sample_weight": np.ones(4)}, r"sample_weight is not for Dice with axis=0.*24 values"),
        (losses.Dice(), {"sample_weight": np.ones((4, 2, 3))}, r"sample_weight must have the shape \(samples,\)"),
        (losses.Dice(axis=1), {"sample_weight": np.ones((4, 2, 3))}, r"sample_weight must have the shape \(samples,\)"),
        (losses.Dice(), {"class_weight": {0: 1.0, 1: 2.0, 2: 1.0, 3: 1.0}}, "class_weight.*one class a sample"),
        (losses.Dice(reduction=None), {}, "without reduction"),
    ],
)
def test_what_does_not_fit_is_refused(loss, given, message, random):
    x = random.normal(size=(4, 2, 3, 4))
    y = np.eye(4)[random.integers(0, 4, (4, 2, 3))]
    model = model_of((2, 3, 4), "mse")

    def compile_and_fit():
        model.compile("sgd", loss)
        model.fit(x, y, verbose=0, **given)

    with unchanged(model), pytest.raises(ValueError, match=message):
        compile_and_fit()


def test_they_are_no_metrics():
    with pytest.raises(ValueError, match="Dice has no value for each row"):
        model_of((3,), "mse", metrics=[pynn.metrics.MeanLoss("dice")])
    with pytest.raises(ValueError, match="Tversky has no value for each row"):
        pynn.ops.loss_forward(np.ones((2, 3)), np.ones((2, 3)), "tversky")
