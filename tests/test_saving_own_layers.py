"""Layers of one's own, and layers that nested models share, in files, pickles and copies."""

import copy
import pickle

import numpy as np
import pytest
from test_cloning import sharing
from test_saving import goes_on_alike

import pynn
from pynn import layers
from pynn.layers import values


class Linear(layers.Layer):
    """Weights of its own, one of them made in ``__init__`` and one that is not learned."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.shift = self.add_weight((units,), "zeros", name="shift")

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), regularizer="l2", name="kernel")
        self.factor = self.add_weight((), "ones", trainable=False, name="factor")

    def call(self, x):
        return x @ self.kernel * self.factor + self.shift

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Block(layers.Layer):
    """Layers of one's own and others within, noise among them; its arguments need no get_config."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.parts = [Linear(units), layers.BatchNormalization(), layers.Dropout(0.3)]

    def build(self, input_shape):
        self.last = layers.Dense(input_shape[-1], activation="tanh")

    def call(self, x, training=None):
        y = x
        for part in self.parts:
            y = part(y)
        return x + self.last(y)


class Net(pynn.Model):
    """A subclass of layers of one's own."""

    def __init__(self, name=None):
        super().__init__(name=name)
        self.block, self.head = Block(), Linear(2)

    def call(self, x):
        return self.head(self.block(x))

    def get_config(self):
        return {"name": self.name}


def stack():
    return pynn.Sequential([pynn.Input((5,)), Block(), Linear(3), Block(units=2), Linear(2)])


def tensors():
    """A layer of one's own that the model and one within it share."""
    x, shared = pynn.Input((5,)), Block(name="shared")
    inner = pynn.Sequential([pynn.Input((5,)), shared, Linear(5)], name="inner")
    return pynn.Model(x, Linear(2)(shared(inner(x)) + inner(x)))


CUSTOM = {"Linear": Linear, "Block": Block, "Net": Net}
X, Y = np.random.default_rng(1).normal(size=(24, 5)), np.random.default_rng(2).normal(size=(24, 2))


def through_a_file(model, folder):
    model.save(folder / "model")
    return pynn.load_model(folder / "model", CUSTOM)


WAYS = [through_a_file, lambda model, _: pickle.loads(pickle.dumps(model)), lambda model, _: copy.deepcopy(model)]


@pytest.mark.parametrize("way", WAYS, ids=["file", "pickle", "copy"])
@pytest.mark.parametrize("kind", [stack, tensors, Net])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_of_layers_of_ones_own_goes_on(tmp_path, way, kind, dtype):
    pynn.config.set_floatx(dtype)
    try:
        model = kind()
        model.compile(pynn.optimizers.Adam(0.01), "mse")
        model.fit(X, Y, batch_size=7, epochs=2, verbose=0)
        twin = way(model, tmp_path)
        assert type(twin) is type(model)
        np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))
        goes_on_alike(model, twin, X, Y)
    finally:
        pynn.config.set_floatx("float32")


@pytest.mark.parametrize("name", ["save_own_variables", "load_own_variables", "save_assets", "load_assets"])
def test_methods_that_keep_more_are_told_to_be_without_effect(tmp_path, name):
    kind = type("Keeping", (Linear,), {name: lambda self, store: None})
    model = pynn.Sequential([pynn.Input((3,)), pynn.Sequential([kind(2)])])
    with pytest.warns(UserWarning, match=f"Keeping has {name}, which pynn does not call") as record:
        model.save(tmp_path / "model")
    assert [each.filename for each in record] == [__file__]
    twin = pynn.load_model(tmp_path / "model", custom_objects={"Keeping": kind})
    x = np.ones((4, 3), np.float32)
    np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("way", WAYS, ids=["file", "pickle", "copy"])
def test_model_that_is_not_built_is_copied(tmp_path, way):
    model = pynn.Sequential([Block(), Linear(2)])
    twin = way(model, tmp_path)
    assert not twin.built
    assert twin(X).shape == (24, 2)
    assert not model.built


def test_names_in_the_state_are_those_of_the_attributes():
    weights = [name for name in stack().get_state() if not name.startswith(("training/", "noise/"))]
    assert weights[:3] == ["block/linear/shift", "block/linear/kernel", "block/linear/factor"]
    assert len(weights) == len(stack().weights)
    assert {name for name in stack().get_state() if name.startswith("noise/")} == {
        "noise/block/dropout",
        "noise/block_1/dropout",
    }


def test_classes_must_be_given(tmp_path):
    stack().save(tmp_path / "model")
    with pytest.raises(pynn.ModelFileError, match=r"'Block'.*custom_objects"):
        pynn.load_model(tmp_path / "model")
    with pytest.raises(pynn.ModelFileError, match="must be a layer"):
        pynn.load_model(tmp_path / "model", {**CUSTOM, "Block": dict})


@pytest.mark.parametrize("way", WAYS, ids=["file", "pickle", "copy"])
def test_layer_that_nested_models_share_is_saved_once(tmp_path, way):
    model = sharing()
    model.compile("adam", "mse")
    x, y = X[:, :3], X[:, 2:]
    model.fit(x, y, verbose=0)
    twin = way(model, tmp_path)
    shared = twin.get_layer("shared")
    assert shared is twin.get_layer("one").layers[0]
    assert shared in twin.get_layer("two").layers
    assert twin.get_layer("wrapped").layers[0] is twin.get_layer("two")
    assert len(twin.weights) == len(model.weights) == 4
    goes_on_alike(model, twin, x, y)


@pytest.mark.parametrize("kind", [stack, tensors])
def test_no_initial_values_are_drawn_for_a_file(tmp_path, kind):
    """And no more memory is taken than there are values, however often a `build` is tried."""
    config, made = kind().get_config(), kind()
    size = sum(weight.numpy().nbytes for weight in made.weights)
    with values.values_from_elsewhere(size):
        found = type(made).from_config(config, CUSTOM)
        assert values.elsewhere().left == 0
    assert not any(weight.numpy().any() for weight in found.weights)
    with values.values_from_elsewhere(size - 1), pytest.raises(ValueError, match="more weights than there are values"):
        type(made).from_config(config, CUSTOM)


def test_classes_of_one_name_are_told_apart():
    other = type("Linear", (Linear,), {})
    model = pynn.Sequential([pynn.Input((5,)), Linear(2), other(2)])
    for way in (pickle.dumps, copy.deepcopy, pynn.models.clone_model):
        with pytest.raises(ValueError, match="two classes that are called Linear"):
            way(model)
