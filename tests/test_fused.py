"""Activations that dense layers and batch normalisation take over: the same values and gradients as on their own."""

import numpy as np
import pytest
from helpers import THREADS, bits, close_gradient

import pynn

# those that are taken over, and some that are not
NAMES = ["linear", "relu", "relu6", "sigmoid", "tanh", "exponential", "elu", "softplus", "gelu", "leaky_relu", "selu"]
every_activation = pytest.mark.parametrize("name", NAMES)


def make_model(name, dtype="float64", sizes=(6, 9, 7, 3), rate=1.0):
    """Dense layers with the activation between them, and a linear end."""
    pynn.set_random_seed(8)
    layers = [pynn.layers.Dense(units, activation=name, dtype=dtype) for units in sizes[1:-1]]
    model = pynn.Sequential([pynn.Input((sizes[0],)), *layers, pynn.layers.Dense(sizes[-1], dtype=dtype)])
    model.compile(pynn.optimizers.SGD(rate), "mean_squared_error")
    return model


@every_activation
def test_gradient_is_the_derivative_of_the_loss(name, random):
    model = make_model(name)
    x, y = random.normal(size=(11, 6)), random.normal(size=(11, 3))
    start = model.get_weights()
    model.train_on_batch(x, y)
    gradients = [before - after for before, after in zip(start, model.get_weights(), strict=True)]

    def loss(position, index, value):
        weights = [w.copy() for w in start]
        weights[position][index] += value
        model.set_weights(weights)
        return model.evaluate(x, y, verbose=0)

    step = 1e-6
    for position, weight in enumerate(start):
        numeric = np.empty_like(weight)
        for index in np.ndindex(weight.shape):
            numeric[index] = (loss(position, index, step) - loss(position, index, -step)) / (2 * step)
        assert close_gradient(numeric, gradients[position]).all()


@every_activation
@pytest.mark.parametrize("sizes", [(300, 40, 3), (300, 300, 33, 3)], ids=str)
def test_layer_by_layer_gives_the_same(name, sizes, random):
    """Predictions equal those of models of one layer each, whose activations are on their own."""
    model = make_model(name, "float32", sizes)
    x = random.normal(size=(150, sizes[0])).astype(np.float32)
    expected = x
    for layer, inputs in zip(model.layers, sizes, strict=False):
        alone = pynn.Sequential([pynn.Input((inputs,)), pynn.layers.Dense(layer.units, activation=layer.activation)])
        alone.set_weights(layer.get_weights())
        expected = alone.predict(expected, verbose=0)
    assert model.predict(x, verbose=0).tobytes() == expected.tobytes()


@every_activation
def test_threads(name, random):
    x, y = 0.1 * random.normal(size=(70, 300)).astype(np.float32), random.normal(size=(70, 3))
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = make_model(name, "float32", (300, 40, 33, 3), rate=0.01)
        model.fit(x, y, batch_size=32, epochs=2, verbose=0)
        seen.add(bits(model))
    assert len(seen) == 1


def test_layers_that_share_an_output_with_the_loss_keep_it():
    """The end of a model is not taken over: its loss is computed from the logits."""
    pynn.set_random_seed(1)
    model = pynn.Sequential(
        [pynn.Input((4,)), pynn.layers.Dense(5, activation="relu"), pynn.layers.Dense(1, "sigmoid")]
    )
    model.compile("sgd", "binary_crossentropy")
    kernel, bias = model.layers[1].get_weights()
    model.layers[1].set_weights([kernel * 0, bias + 200])  # a probability of 1: its logarithm would be 0
    loss = model.evaluate(np.ones((1, 4)), np.zeros((1, 1)), verbose=0)
    np.testing.assert_allclose(loss, 200)


def branching_model(name, apart, dtype, frozen=False):
    """A batch normalisation and a convolution, each with an activation that two layers read. Where they are `apart`,
    what the activations read is shown, so that they are not taken over."""
    pynn.set_random_seed(3)
    small = pynn.initializers.RandomNormal(stddev=0.05)
    x = pynn.Input((5, 6, 7), dtype=dtype)
    normal = pynn.layers.BatchNormalization(momentum=0.5, trainable=not frozen, dtype=dtype)(
        pynn.layers.Conv2D(17, 2, dtype=dtype)(x)
    )
    a = pynn.layers.Activation(name, dtype=dtype)(normal)
    sums = pynn.layers.Conv2D(17, 1, kernel_initializer=small, dtype=dtype)(a)
    b = pynn.layers.Activation(name, dtype=dtype)(sums)
    both = pynn.layers.Add(dtype=dtype)([a, b, pynn.layers.Conv2D(17, 1, kernel_initializer=small, dtype=dtype)(b)])
    y = pynn.layers.Dense(3, dtype=dtype)(pynn.layers.GlobalAveragePooling2D(dtype=dtype)(both))
    return pynn.Model(x, [y, normal, sums] if apart else y)


@every_activation
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_taken_over_give_the_same_bits(name, frozen, dtype, random):
    x, y = random.normal(size=(70, 5, 6, 7)).astype(dtype), random.normal(size=(70, 3)).astype(dtype)
    seen = set()
    for apart in (False, True):
        for threads in THREADS:
            pynn.config.set_num_threads(threads)
            model = branching_model(name, apart, dtype, frozen)
            model.compile(pynn.optimizers.SGD(1e-4), ["mse", None, None] if apart else "mse")
            model.fit(x, [y, None, None] if apart else y, batch_size=35, epochs=2, shuffle=False, verbose=0)
            shown = model.predict(x, verbose=0)
            seen.add((bits(model), (shown[0] if apart else shown).tobytes()))
    assert np.isfinite(model.get_weights()[0]).all()
    assert len(seen) == 1
