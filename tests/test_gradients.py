"""Gradients on demand: of losses, and vector-Jacobian products, against central differences."""

import numpy as np
import pytest

import pynn
from pynn import layers

RNG = np.random.default_rng(5)
X, DY = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 3))
TARGETS = RNG.uniform(0.1, 0.9, size=(7, 3))

STACKS = {
    "dense": lambda: [layers.Dense(4, activation="tanh"), layers.Dense(3, activation="sigmoid")],
    "softmax": lambda: [layers.Dense(4, activation="relu"), layers.Dense(3, activation="softmax")],
    "penalties": lambda: [
        layers.Dense(4, kernel_regularizer="l2", activity_regularizer="l2", activation="tanh"),
        layers.Dense(3, bias_regularizer="l2"),
    ],
    "norms": lambda: [layers.Dense(4), layers.BatchNormalization(), layers.LayerNormalization(), layers.Dense(3)],
    "noise": lambda: [layers.Dense(4), layers.Dropout(0.5), layers.GaussianNoise(1.0), layers.Dense(3)],
    "rescaled": lambda: [layers.Rescaling(2.0, offset=1.0), layers.Dense(3, activation="tanh")],
    "convolution": lambda: [
        layers.Reshape((5, 1)),
        layers.Conv1D(3, 2, activation="tanh"),
        layers.MaxPooling1D(2),
        layers.Flatten(),
        layers.Dense(3),
    ],
    "pooled": lambda: [
        layers.Reshape((5, 1, 1)),
        layers.Conv2D(3, (2, 1), activation="relu"),
        layers.MaxPooling2D((2, 1)),
        layers.Flatten(),
        layers.Dense(3),
    ],
    "identity": lambda: [layers.Dense(3), layers.Activation("linear")],
}


def model_of(name, loss="mse"):
    pynn.set_random_seed(3)
    before = pynn.config.floatx()
    pynn.config.set_floatx("float64")
    try:
        model = pynn.Sequential([pynn.Input((5,)), *STACKS[name]()])
        model.compile("sgd", loss)
        model.fit(X, TARGETS, verbose=0)  # moving statistics of some kind
    finally:
        pynn.config.set_floatx(before)
    return model


def slopes(function, array, put):
    """Central differences of `function` by each element of `array`, which `put` sets."""
    step, found = 1e-6, np.empty(array.size)
    for i in range(array.size):
        values = []
        for sign in (1, -1):
            moved = array.copy()
            moved.flat[i] += sign * step
            put(moved)
            values.append(function())
        put(array)
        found[i] = (values[0] - values[1]) / (2 * step)
    return found.reshape(array.shape)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=3e-8)


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
@pytest.mark.parametrize("name", STACKS)
def test_gradients_of_the_loss(name, loss):
    model = model_of(name, loss)
    before = model.get_weights()

    def evaluated():
        return model.test_on_batch(X, TARGETS)

    loss_of_batch, found = model.gradients(X, TARGETS)
    assert loss_of_batch == pytest.approx(evaluated(), rel=1e-12)
    assert len(found) == len(model.trainable_weights)
    if loss == "binary_crossentropy" and name not in ("dense", "softmax"):
        return  # the outputs are no probabilities, and the loss is cut
    for gradient, weight in zip(found, model.trainable_weights, strict=True):
        close(gradient, slopes(evaluated, weight.numpy(), weight.assign))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", STACKS)
def test_vector_jacobian_product(name):
    model = model_of(name)

    def product(x=X):
        return float((model(x) * DY).sum())

    found, dx = model.vjp(X, DY)
    for gradient, weight in zip(found, model.trainable_weights, strict=True):
        close(gradient, slopes(product, weight.numpy(), weight.assign))
    moved = [X]
    close(dx, slopes(lambda: product(moved[0]), X, lambda x: moved.__setitem__(0, x)))


@pytest.mark.parametrize("name", STACKS)
def test_bits_do_not_depend_on_threads(name):
    model, results = model_of(name), []
    x, y, dy = (np.tile(array, (90, 1)) for array in (X, TARGETS, DY))  # several slices
    for threads in (1, 2, 3, 7):
        pynn.config.set_num_threads(threads)
        loss, found = model.gradients(x, y)
        products, dx = model.vjp(x, dy)
        results.append([np.float64(loss), *found, *products, dx])
    for result in results[1:]:
        for a, b in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_long_sequences_go_through_in_short_slices(random):
    """A batch that would leave the caches: its gradients are the means of those of its parts, for any thread count."""
    inputs = pynn.Input((64, 16), dtype="float64")
    x = layers.LayerNormalization(dtype="float64")(layers.Dense(300, activation="relu", dtype="float64")(inputs))
    x = layers.Dense(200, activation="tanh", dtype="float64")(x)
    model = pynn.Model(inputs, layers.Dense(3, dtype="float64")(layers.GlobalAveragePooling1D(dtype="float64")(x)))
    model.compile("sgd", "mse")
    x, y = random.normal(size=(50, 64, 16)), random.normal(size=(50, 3))
    parts = [model.gradients(x[i : i + 5], y[i : i + 5]) for i in range(0, 50, 5)]
    results = []
    for threads in (1, 2, 3, 7):
        pynn.config.set_num_threads(threads)
        results.append(model.gradients(x, y))
    loss, found = results[0]
    assert loss == pytest.approx(np.mean([part[0] for part in parts]), rel=1e-12)
    for i, gradient in enumerate(found):
        np.testing.assert_allclose(gradient, np.mean([part[1][i] for part in parts], axis=0), rtol=1e-9, atol=1e-13)
    for other_loss, others in results[1:]:
        assert other_loss == loss
        for a, b in zip(others, found, strict=True):
            np.testing.assert_array_equal(a, b)
    before = model.get_weights()
    model.optimizer.learning_rate = 0.5
    model.train_on_batch(x, y)
    for weight, then, gradient in zip(model.get_weights(), before, found, strict=True):
        np.testing.assert_allclose(weight, then - 0.5 * gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["dense", "penalties", "norms", "pooled"])
def test_gradients_in_training_are_those_of_a_step(name):
    model = model_of(name)
    before = [weight.numpy() for weight in model.trainable_weights]
    statistics = [weight.numpy() for weight in model.non_trainable_weights]
    loss, found = model.gradients(X, TARGETS, training=True)
    for now, then in zip(model.non_trainable_weights, statistics, strict=True):
        np.testing.assert_array_equal(now.numpy(), then)
    model.optimizer.learning_rate = 0.5
    assert model.train_on_batch(X, TARGETS) == pytest.approx(loss, rel=1e-12)
    for weight, gradient, then in zip(model.trainable_weights, found, before, strict=True):
        np.testing.assert_allclose(weight.numpy(), then - 0.5 * gradient, rtol=1e-12, atol=1e-15)


def test_vjp_in_training_draws_noise():
    pynn.set_random_seed(1)
    model = pynn.Sequential([pynn.Input((200,)), layers.Dropout(0.5)])
    x, dy = np.ones((3, 200), np.float32), np.ones((3, 200), np.float32)
    assert np.array_equal(model.vjp(x, dy)[1], dy)
    noisy = model.vjp(x, dy, training=True)[1]
    assert set(np.unique(noisy)) == {0.0, 2.0}
    assert not np.array_equal(noisy, model.vjp(x, dy, training=True)[1])


def test_shared_layers_and_several_inputs_and_outputs():
    pynn.set_random_seed(2)
    a, b = pynn.Input((4,), dtype="float64"), pynn.Input((4,), dtype="float64")
    shared = layers.Dense(3, activation="tanh", dtype="float64")
    u, v = shared(a), shared(b)
    model = pynn.Model([a, b], [layers.Add(dtype="float64")([u, v]), layers.Multiply(dtype="float64")([u, v])])
    xs = [RNG.normal(size=(5, 4)), RNG.normal(size=(5, 4))]
    dys = [RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))]

    def product():
        return sum(float((y * dy).sum()) for y, dy in zip(model(xs), dys, strict=True))

    found, dxs = model.vjp(xs, dys)
    for gradient, weight in zip(found, model.trainable_weights, strict=True):
        close(gradient, slopes(product, weight.numpy(), weight.assign))
    for number in (0, 1):
        close(dxs[number], slopes(product, xs[number].copy(), lambda x, number=number: xs.__setitem__(number, x)))


def test_weights_of_samples():
    model, weights = model_of("dense"), np.array([0.0, 1.0, 2.0, 0.5, 1.0, 3.0, 0.0])

    def evaluated():
        return model.test_on_batch(X, TARGETS, sample_weight=weights)

    loss, found = model.gradients(X, TARGETS, weights)
    assert loss == pytest.approx(evaluated(), rel=1e-12)
    for gradient, weight in zip(found, model.trainable_weights, strict=True):
        close(gradient, slopes(evaluated, weight.numpy(), weight.assign))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_ids_have_no_gradient_and_their_table_has_one(optimizer):
    ids = RNG.integers(0, 6, size=(300, 4))
    model = pynn.Sequential(
        [
            pynn.Input((4,), dtype="int32"),
            layers.Embedding(6, 2, dtype="float64"),
            layers.Flatten(dtype="float64"),
            layers.Dense(1, dtype="float64"),
        ]
    )
    model.compile(optimizer, "mse")
    dy = RNG.normal(size=(300, 1))
    model.fit(ids, dy, verbose=0)
    found, dx = model.vjp(ids, dy)
    assert dx is None
    for gradient, weight in zip(found, model.trainable_weights, strict=True):
        close(gradient, slopes(lambda: float((model(ids) * dy).sum()), weight.numpy(), weight.assign))
    model.optimizer.apply(found, model.trainable_weights)
    again = model.vjp(ids, dy)[0]
    assert not np.array_equal(again[0], found[0])


def test_frozen_weights_have_no_gradient():
    model = model_of("dense")
    full = model.gradients(X, TARGETS)[1]
    model.layers[0].trainable = False
    part = model.gradients(X, TARGETS)[1]
    assert len(part) == 2
    for a, b in zip(part, full[2:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert len(model.vjp(X, DY)[0]) == 2


def test_vjp_needs_no_compile_and_no_samples():
    model = pynn.Sequential([pynn.Input((5,)), layers.Dense(3)])
    found, dx = model.vjp(np.zeros((0, 5), np.float32), np.zeros((0, 3), np.float32))
    assert [gradient.shape for gradient in found] == [(5, 3), (3,)]
    assert not any(gradient.any() for gradient in found)
    assert dx.shape == (0, 5)


def test_what_is_refused():
    model = model_of("dense")
    with pytest.raises(ValueError, match=r"dy must have the shape \(samples, 3\)"):
        model.vjp(X, DY[:, :2])
    with pytest.raises(ValueError, match="same number of samples"):
        model.vjp(X, DY[:3])
    with pytest.raises(ValueError, match=r"x must have the shape \(samples, 5\)"):
        model.gradients(X[:, :2], TARGETS)
    with pytest.raises(TypeError, match="training must be True or False"):
        model.vjp(X, DY, training=2)
    with pytest.raises(pynn.errors.NotCompiledError):
        pynn.Sequential([pynn.Input((5,)), layers.Dense(3)]).gradients(X, TARGETS)
    step = pynn.Sequential([pynn.Input((5,)), layers.Dense(3), layers.Activation("step")])
    with pytest.raises(ValueError, match="step"):
        step.vjp(X, DY)
