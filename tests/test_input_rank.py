"""Inputs with a last axis of size 1 more or less than the model has: taken as in Keras."""

import numpy as np
import pytest
from helpers import unchanged

import pynn
from pynn import layers

X = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)
CALLS = {
    "call": lambda model, x: model(x),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, targets(model), verbose=0),
    "fit": lambda model, x: model.fit(x, targets(model), verbose=0).history["loss"],
    "train_on_batch": lambda model, x: model.train_on_batch(x, targets(model)),
    "gradients": lambda model, x: model.gradients(x, targets(model))[0],
}


def targets(model):
    return np.ones((len(X), *(4 if size is None else size for size in model.output_shape[1:])))


def functional(shape):
    x = pynn.Input(shape)
    return pynn.Model(x, layers.Dense(2)(x))


def sequential(shape):
    return pynn.Sequential([pynn.Input(shape), layers.Dense(2)])


def opened(shape):
    """The axis before the last has any length."""
    return functional((*shape[:-2], None, shape[-1]) if len(shape) > 1 else shape)


def made(kind, shape):
    pynn.set_random_seed(4)
    model = kind(shape)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", [functional, sequential, opened])
@pytest.mark.parametrize(("shape", "given"), [((4,), X[..., None]), ((4, 1), X)])
def test_last_axis_of_size_1(call, kind, shape, given):
    run = CALLS[call]
    expected = run(made(kind, shape), X.reshape(6, *shape))
    for x in (given, given.astype(np.float64), given.tolist()):
        np.testing.assert_array_equal(run(made(kind, shape), x), expected)


def test_bytes_ids_and_numbers():
    whole = (np.abs(X) * 2).astype(np.uint8) % 3
    model = made(functional, (4,))
    np.testing.assert_array_equal(model(whole[..., None]), model(whole))
    ids = pynn.Input((4,), dtype="int32")
    of_ids = pynn.Model(ids, layers.Embedding(3, 2)(ids))
    np.testing.assert_array_equal(of_ids(whole[..., None]), of_ids(whole))
    one = made(functional, (1,))
    np.testing.assert_array_equal(one(X[:, 0]), one(X[:, :1]))
    np.testing.assert_array_equal(one(X[:, :1, None]), one(X[:, :1]))


@pytest.mark.parametrize(
    ("shape", "given"), [((4,), (6, 4, 2)), ((4,), (6, 4, 1, 1)), ((4,), (6, 5, 1)), ((4, 1), (6, 5)), ((4, 2), (6, 4))]
)
def test_other_shapes_are_refused(shape, given):
    model = made(functional, shape)
    with unchanged(model), pytest.raises(ValueError, match="x must have the shape"):
        model.fit(np.ones(given), targets(model), verbose=0)
