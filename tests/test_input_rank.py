"""Inputs with a last axis of size 1 more or less than the model has, and single numbers: taken as in Keras."""

import numpy as np
import pytest
from helpers import unchanged

import pynn
from pynn import layers, ops

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


class Line(pynn.Model):
    """Of a number a sample."""

    def __init__(self):
        super().__init__()
        self.slope = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return self.slope * x


class Ratings(pynn.Model):
    """Of two ids a sample."""

    def __init__(self):
        super().__init__()
        self.users, self.films = layers.Embedding(5, 3), layers.Embedding(6, 3)

    def call(self, x):
        return ops.sum(self.users(x["user"]) * self.films(x["film"]), axis=-1)


IDS = {"user": np.array([0, 4, 2, 1, 2, 3]), "film": np.array([5, 1, 1, 0, 2, 4])}


def test_single_numbers_build_a_model():
    x, model = X[:, 0], Line()
    model.compile(pynn.optimizers.SGD(0.1), "mse")
    model.fit(x, 3 * x, verbose=0)
    np.testing.assert_allclose(model.slope.numpy(), 1 + 0.4 * np.mean(x**2), rtol=1e-5)
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.slope.numpy() * x)
    assert model.input_shape == (None,)


def test_single_ids_build_a_model(tmp_path):
    model = Ratings()
    y = model(IDS)
    users, films = model.get_weights()
    np.testing.assert_allclose(y, (users[IDS["user"]] * films[IDS["film"]]).sum(-1), rtol=1e-5)
    model.compile("adam", "mse")
    first, *_, last = model.fit(IDS, y + 1, epochs=20, verbose=0).history["loss"]
    assert last < first
    stack = pynn.Sequential([layers.Embedding(5, 3), layers.Dense(1)])
    y = stack(IDS["user"])
    assert y.shape == (6, 1)
    np.testing.assert_array_equal(y, stack.layers[1](stack.layers[0](IDS["user"])))
    stack.save(tmp_path / "model.pynn")
    np.testing.assert_array_equal(pynn.load_model(tmp_path / "model.pynn")(IDS["user"]), y)


def test_columns_of_frames_have_one_feature():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": X[:, 0], **IDS})
    model = pynn.Sequential([layers.Dense(2)])
    y = model.predict(frame["x"], verbose=0)
    np.testing.assert_array_equal(y, model(X[:, :1]))
    model = Ratings()
    y = model.predict({name: frame[name] for name in IDS}, verbose=0)
    np.testing.assert_array_equal(y, model({name: ids[:, None] for name, ids in IDS.items()}))
    assert y.shape == (6, 1)


def test_single_numbers_are_refused_where_a_layer_needs_features():
    model = pynn.Sequential([layers.Dense(2)])
    for x, message in (
        (X[:, 0], r"One number a sample has the shape \(samples, 1\)"),
        (X[0, 0], "must have a batch axis"),
    ):
        with pytest.raises(ValueError, match=message):
            model(x)
    assert not model.built
