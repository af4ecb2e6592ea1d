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


def built_layer(name="dd"):
    layer = layers.Dense(2, name=name)
    layer.build((None, 3))
    return layer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_apply_without_the_weights(name):
    """After `build`; after a call that had them; by the optimizer of a model."""
    gradients = [np.full((3, 2), 0.5), np.array([0.25, -1])]
    seen = []
    for first in ("given", "built", "earlier"):
        pynn.set_random_seed(3)
        layer, optimizer = built_layer(), OPTIMIZERS[name]()
        if first == "built":
            optimizer.build(layer.trainable_variables)
            optimizer.build(layer.trainable_variables)  # which changes nothing
        for step in range(3):
            weights = [layer.trainable_weights] if first == "given" or (first == "earlier" and not step) else []
            optimizer.apply(gradients, *weights)
        seen.append(layer.get_weights())
    for other in seen[1:]:
        for a, b in zip(other, seen[0], strict=True):
            np.testing.assert_array_equal(a, b)
    model = model_with(OPTIMIZERS[name]())
    twin = model_with(OPTIMIZERS[name]())
    given = model.gradients(X, Y)[1]
    model.optimizer.apply(given)
    twin.optimizer.apply(given, twin.trainable_weights)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# Keras 3.15's names behind "iteration" and "learning_rate", for a Dense called "dd".
VARIABLES = [
    (optimizers.SGD(), ""),
    (optimizers.SGD(momentum=0.9), "kernel_momentum bias_momentum"),
    (
        optimizers.RMSprop(centered=True, momentum=0.9),
        "kernel_velocity bias_velocity kernel_momentum bias_momentum kernel_average_gradient bias_average_gradient",
    ),
    (optimizers.Adagrad(), "kernel_accumulator bias_accumulator"),
    (
        optimizers.Adadelta(),
        "kernel_accumulated_grad kernel_accumulated_delta_var bias_accumulated_grad bias_accumulated_delta_var",
    ),
    (optimizers.Adam(), "kernel_momentum kernel_velocity bias_momentum bias_velocity"),
    (
        optimizers.AdamW(amsgrad=True),
        "kernel_momentum kernel_velocity bias_momentum bias_velocity kernel_velocity_hat bias_velocity_hat",
    ),
    (optimizers.Nadam(), "kernel_momentum kernel_velocity bias_momentum bias_velocity"),
    (optimizers.Adamax(), "kernel_momentum kernel_norm bias_momentum bias_norm"),
    (optimizers.Lion(), "kernel_momentum bias_momentum"),
    (
        optimizers.SGD(use_ema=True, gradient_accumulation_steps=2),
        "kernel_average bias_average kernel_gradient_accumulator bias_gradient_accumulator",
    ),
]


@pytest.mark.parametrize(("optimizer", "expected"), VARIABLES, ids=lambda each: getattr(each, "name", None))
def test_variables_have_the_names_of_keras(optimizer, expected):
    assert [each.name for each in optimizer.variables] == ["iteration", "learning_rate"]
    assert not optimizer.built
    layer = built_layer()
    optimizer.build(layer.trainable_weights)
    assert optimizer.built
    found = optimizer.variables
    assert [each.name for each in found[2:]] == [f"dd_{each}" for each in expected.split()]
    assert [each.path for each in found[:2]] == [f"{optimizer.name}/iteration", f"{optimizer.name}/learning_rate"]
    for each in found[2:]:
        weight = layer.kernel if "kernel" in each.name else layer.bias
        begin = weight.numpy() if "average" in each.name and optimizer.use_ema else np.zeros(weight.shape)
        begin = begin + getattr(optimizer, "initial_accumulator_value", 0)
        assert (each.shape, each.dtype) == (weight.shape, "float32")
        np.testing.assert_array_equal(np.asarray(each), begin.astype(np.float32))


def test_variables_have_the_values_of_the_moment():
    model = model_with(optimizers.SGD(0.5, momentum=0.9))
    kept = model.optimizer.variables
    before = model.get_weights()
    model.train_on_batch(X, Y)
    assert (int(kept[0].numpy()), float(kept[1].numpy())) == (1, 0.5)
    np.testing.assert_allclose(kept[4].numpy(), model.get_weights()[2] - before[2], rtol=1e-5, atol=1e-7)
    model.layers[0].trainable = False
    assert len(model.optimizer.variables) == 4
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match=r"no longer keeps sgd.*kernel_momentum"):
        kept[4].numpy()


def test_build_says_what_is_wrong():
    layer, other = built_layer("one"), built_layer("other")
    optimizer = optimizers.SGD(0.1, name="mine")
    with pytest.raises(ValueError, match=r"'mine' does not know which weights.*optimizer.build"):
        optimizer.apply([np.ones((3, 2))])
    with pytest.raises(ValueError, match="at least one weight, but has none"):
        optimizer.build([])
    with pytest.raises(TypeError, match="variables must be a list of weights"):
        optimizer.build([np.ones(3)])
    optimizer.build(layer.weights)
    with pytest.raises(ValueError, match="'mine' has begun with other weights"):
        optimizer.build(other.weights)
    with pytest.raises(ValueError, match="each of the 2 weights, but has 1"):
        optimizer.apply([np.ones((3, 2))])
    unbuilt = pynn.Sequential([layers.Dense(3)])
    unbuilt.compile("sgd", "mse")
    for step in (lambda: unbuilt.optimizer.apply([np.ones(4)]), lambda: unbuilt.optimizer.build(layer.weights)):
        with pytest.raises(ValueError, match="model of this optimizer is not built"):
            step()
