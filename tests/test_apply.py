"""Steps with gradients of one's own: `Optimizer.apply` and `apply_gradients`."""

import numpy as np
import pytest

import pynn
from pynn import layers, optimizers

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(12, 5)).astype(np.float32), RNG.normal(size=(12, 3)).astype(np.float32)

OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: optimizers.Adam(0.01, amsgrad=True),
    "nadam": lambda: optimizers.Nadam(0.01),
    "adamw": lambda: optimizers.AdamW(0.01),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "clipnorm": lambda: optimizers.SGD(0.1, clipnorm=0.05),
    "global_clipnorm": lambda: optimizers.SGD(0.1, global_clipnorm=0.05),
    "clipvalue": lambda: optimizers.SGD(0.1, clipvalue=0.01),
    "accumulating": lambda: optimizers.SGD(0.1, gradient_accumulation_steps=2),
}


def model_with(optimizer):
    pynn.set_random_seed(9)
    model = pynn.Sequential(
        [pynn.Input((5,)), layers.Dense(4, activation="tanh", kernel_constraint="non_neg"), layers.Dense(3)]
    )
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("owned", [True, False])
def test_steps_are_those_of_fit(name, owned):
    """By the model's own optimizer, or by another one."""
    trained, stepped = model_with(OPTIMIZERS[name]()), model_with(OPTIMIZERS[name]() if owned else "sgd")
    optimizer = stepped.optimizer if owned else OPTIMIZERS[name]()
    for _ in range(5):
        trained.train_on_batch(X, Y)
        _, gradients = stepped.gradients(X, Y)
        optimizer.apply(gradients, stepped.trainable_weights)
    assert optimizer.iterations == trained.optimizer.iterations
    for a, b in zip(stepped.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_fit_goes_on_where_steps_ended():
    trained, mixed = model_with("adam"), model_with("adam")
    for model in (trained, mixed):
        model.train_on_batch(X, Y)
    trained.train_on_batch(X, Y)
    mixed.optimizer.apply_gradients(zip(mixed.gradients(X, Y)[1], mixed.trainable_weights, strict=True))
    for model in (trained, mixed):
        model.fit(X, Y, batch_size=5, shuffle=False, verbose=0)
    for a, b in zip(mixed.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_some_of_the_weights():
    model, optimizer = model_with("sgd"), optimizers.SGD(1.0)
    kernel, bias = model.layers[1].kernel, model.layers[1].bias
    before = kernel.numpy(), bias.numpy()
    assert optimizer.apply_gradients([(np.ones((4, 3)), kernel), ([1, 2, 3], bias)]) == 1
    optimizer.apply([None, np.ones(3)], [kernel, bias])
    np.testing.assert_allclose(kernel.numpy(), before[0] - 1, rtol=1e-6)
    np.testing.assert_allclose(bias.numpy(), before[1] - [2, 3, 4], rtol=1e-6)


def test_what_is_refused():
    model, optimizer = model_with("sgd"), optimizers.SGD(1.0)
    weights = model.trainable_weights
    before = model.get_weights()
    with pytest.raises(ValueError, match="an array for each of the 4 weights, but has 1"):
        optimizer.apply([np.ones((5, 4))], weights)
    with pytest.raises(ValueError, match=r"gradient of dense.*/kernel must have the shape \(5, 4\), but has \(4, 5\)"):
        optimizer.apply([np.ones((4, 5)), None, None, None], weights)
    with pytest.raises(ValueError, match="no gradient"):
        optimizer.apply([None], weights[:1])
    with pytest.raises(TypeError, match="trainable_variables must be a list of weights"):
        optimizer.apply([np.ones(3)], [np.ones(3)])
    with pytest.raises(ValueError, match="once"):
        optimizer.apply([np.ones(4), np.ones(4)], [weights[1], weights[1]])
    optimizer.apply([np.zeros(4)], [weights[1]])
    with pytest.raises(ValueError, match="has not begun with one of the weights"):
        optimizer.apply([np.ones(3)], [weights[3]])
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    unbuilt = pynn.Sequential([layers.Dense(3)])
    unbuilt.compile("sgd", "mse")
    with pytest.raises(ValueError, match="not built"):
        unbuilt.optimizer.apply([np.ones(4)], [weights[1]])
