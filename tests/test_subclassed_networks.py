"""Subclasses of Model and Sequential with an ``__init__`` of their own, and no call: they are kept and copied whole."""

import copy
import json
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import pynn
from pynn import layers
from pynn.models import clone_model

X = np.random.default_rng(0).normal(size=(6, 2)).astype("float32")


class Inside(pynn.Model):
    """Makes its layers."""

    def __init__(self, units=2, name=None):
        x = layers.Input((2,))
        super().__init__(x, layers.Dense(units)(x), name=name)


class Told(pynn.Model):
    """The same, and says itself what it was made with."""

    def __init__(self, units=2, **kwargs):
        x = layers.Input((2,))
        super().__init__(inputs=x, outputs=layers.Dense(units)(x), **kwargs)
        self.units = units

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Alone(Told):
    def get_config(self):
        return {"units": self.units}


class Forwarding(pynn.Model):
    """Takes inputs and outputs, as Model does, and more."""

    def __init__(self, *args, units=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.units = units


class Between(pynn.Model):
    def __init__(self, inputs, outputs, name=None, units=1):
        super().__init__(inputs, outputs, name=name)
        self.units = units


class Stack(pynn.Sequential):
    def __init__(self, units=3):
        super().__init__([layers.Input((2,)), layers.Dense(units)])
        self.units = units


class Late(pynn.Sequential):
    """Is built by data."""

    def __init__(self, units=3, **kwargs):
        super().__init__([layers.Dense(units)], **kwargs)
        self.units = units


class Listed(pynn.Sequential):
    def __init__(self, layers, units=1, **kwargs):
        super().__init__(layers, **kwargs)
        self.units = units


def between(kind, **more):
    x = layers.Input((2,))
    return kind(x, layers.Dense(5)(x), **more)


MAKE = {
    "Inside": lambda: Inside(5),
    "Told": lambda: Told(5, name="told"),
    "Alone": lambda: Alone(5),
    "Forwarding": lambda: between(Forwarding, units=5),
    "Between": lambda: between(Between, units=5),
    "Stack": lambda: Stack(5),
    "Late": lambda: Late(5),
    "Listed": lambda: Listed([layers.Dense(5)], units=5),
}


@pytest.mark.parametrize("name", MAKE)
def test_they_come_back(name, tmp_path):
    model = MAKE[name]()
    outputs = model.predict(X, verbose=0)
    assert outputs.shape == (6, 5)
    model.save(tmp_path / "model")
    loaded = pynn.load_model(tmp_path / "model", custom_objects={name: type(model)})
    for twin in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert type(twin) is type(model)
        assert getattr(twin, "units", 5) == 5
        assert_array_equal(twin.predict(X, verbose=0), outputs)
    twin = type(model).from_config(json.loads(json.dumps(model.get_config())))
    assert type(twin) is type(model)
    assert getattr(twin, "units", 5) == 5
    assert twin(X).shape == (6, 5)


@pytest.mark.parametrize("name", MAKE)
def test_they_are_cloned_layer_by_layer(name):
    """As in Keras: of a class that makes its layers itself, the clone is a model of layers."""
    model, seen = MAKE[name](), []
    model(X)

    def cloned(layer):
        seen.append(layer)
        return layers.Dense.from_config({**layer.get_config(), "activation": "relu"})

    twin = clone_model(model, clone_function=cloned)
    takes_layers = name in ("Forwarding", "Between", "Listed")
    kind = pynn.Sequential if isinstance(model, pynn.Sequential) else pynn.Model
    assert type(twin) is (type(model) if takes_layers else kind)
    assert seen == model.layers[-1:]
    twin.set_weights(model.get_weights())
    assert_array_equal(twin(X), np.maximum(model(X), 0))


def test_models_with_a_call_are_cloned_by_their_arguments():
    class Called(pynn.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(units)

        def call(self, x):
            return self.dense(x)

    model = Called(4)
    for _ in range(2):
        twin = clone_model(model)
        assert type(twin) is Called
        assert twin(X).shape == model(X).shape == (6, 4)


def test_they_are_parts_of_models(tmp_path):
    x = layers.Input((2,))
    model = pynn.Model(x, layers.Add()([Inside(4)(x), Late(4)(x)]))
    model.save(tmp_path / "model")
    own = {"Inside": Inside, "Late": Late}
    for twin in (pynn.load_model(tmp_path / "model", custom_objects=own), copy.copy(model)):
        assert {type(layer) for layer in twin.layers} >= {Inside, Late}
        assert_array_equal(twin(X), model(X))
    seen = []
    clone_model(model, clone_function=lambda layer: seen.append(layer) or layer, recursive=True)
    assert sum(isinstance(layer, layers.Dense) for layer in seen) == 2


def test_what_cannot_be_said_is_told(tmp_path):
    class Around(pynn.Model):
        def __init__(self, inner):
            x = layers.Input((2,))
            super().__init__(x, inner(x))

    class Sizes(layers.Layer):
        def __init__(self, *sizes):
            super().__init__()
            self.sizes = sizes

        def call(self, x):
            return x

    model = Around(layers.Dense(3))
    with pytest.raises(ValueError, match="Around must write get_config: its argument 'inner'"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    assert_array_equal(clone_model(model).count_params(), 9)
    with pytest.raises(NotImplementedError, match=r"Sizes must write get_config: its arguments \*sizes have no names"):
        Sizes(1, 2).get_config()
    assert Sizes().get_config() == {}
    with pytest.raises(ValueError, match="config must be a dict made by get_config"):
        Forwarding.from_config({"units": 3})
    with pytest.raises(ValueError, match="config must be a dict made by get_config"):
        pynn.Model.from_config({**between(pynn.Model).get_config(), "units": 3})


def test_build_takes_a_dict_of_shapes():
    class Both(pynn.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = layers.Dense(3), layers.Dense(3)

        def call(self, inputs):
            return self.one(inputs["y"]) + self.two(inputs["x"])

    model = Both()
    for wrong, error in (({}, TypeError), ({"x": 3}, TypeError), ({"x": (None, 2)}, KeyError)):
        with pytest.raises(error):
            model.build(wrong)
        assert not model.built
    model.build({"y": (None, 4), "x": (None, 2)})
    assert model.input_shape == {"x": (None, 2), "y": (None, 4)}
    assert model.count_params() == 5 * 3 + 3 * 3
    before = model.get_weights()
    model.build({"x": (7, 2), "y": (7, 4)})
    for one, other in zip(before, model.get_weights(), strict=True):
        assert_array_equal(one, other)
    with pytest.raises(ValueError, match="but the model is built for"):
        model.build({"x": (7, 4), "y": (7, 2)})
    with pytest.raises(ValueError, match=r"with the keys \('x', 'y'\), but has \('x',\)"):
        model.build({"x": (7, 2)})
    assert model({"y": np.ones((5, 4)), "x": np.ones((5, 2))}).shape == (5, 3)


def test_the_table_shows_attention_with_a_mask():
    class Causal(pynn.Model):
        def __init__(self):
            super().__init__()
            self.attention = layers.MultiHeadAttention(2, 4)

        def call(self, x):
            y, _ = self.attention(x, x, attention_mask=np.tri(5)[None], return_attention_scores=True)
            return y

    model, texts = Causal(), []
    model(np.ones((2, 5, 8)))
    assert model.attention.output_shape == (None, 5, 8)
    model.summary(print_fn=texts.append)
    assert "(None, 5, 8)" in texts[0]
