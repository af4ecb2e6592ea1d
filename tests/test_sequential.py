"""Building, naming, describing and copying a Sequential model."""

import json

import numpy as np
import pytest
from helpers import bits, make_data, make_model, unchanged

import pynn
from pynn import layers


def test_sequential_built_at_once_from_input():
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(3), layers.Dense(2)])
    assert model.built
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))
    assert [w.shape for w in model.get_weights()] == [(4, 3), (3,), (3, 2), (2,)]
    assert [layer.name for layer in model.layers] == [layer.name for layer in model.layers if "input" not in layer.name]


@pytest.mark.parametrize("first", [{"input_shape": (4,)}, {"input_dim": 4}], ids=str)
def test_sequential_input_given_to_the_first_layer(first):
    model = pynn.Sequential([layers.Dense(3, **first), layers.Dense(2)])
    assert model.built
    assert model.input_shape == (None, 4)


@pytest.mark.parametrize("call", ["fit", "predict", "evaluate", "call", "build"])
def test_sequential_built_from_the_first_data(call):
    x, y = make_data(10)
    model = pynn.Sequential([layers.Dense(4, activation="relu"), layers.Dense(3, activation="softmax")])
    assert not model.built
    model.compile(loss="sparse_categorical_crossentropy")
    {
        "fit": lambda: model.fit(x, y, verbose=0),
        "predict": lambda: model.predict(x, verbose=0),
        "evaluate": lambda: model.evaluate(x, y, verbose=0),
        "call": lambda: model(x),
        "build": lambda: model.build((None, 5)),
    }[call]()
    assert model.built
    assert model.input_shape == (None, 5)


def test_sequential_add_equals_list():
    pynn.set_random_seed(2)
    one = pynn.Sequential([pynn.Input((4,)), layers.Dense(3), layers.Dense(2)])
    pynn.set_random_seed(2)
    other = pynn.Sequential()
    for layer in (pynn.Input((4,)), layers.Dense(3), layers.Dense(2)):
        other.add(layer)
    assert bits(one) == bits(other)


def test_sequential_add_to_a_built_model_keeps_its_weights():
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(3)])
    before = model.get_weights()
    model.add(layers.Dense(2))
    for a, b in zip(before, model.get_weights(), strict=False):
        np.testing.assert_array_equal(a, b)
    assert model.output_shape == (None, 2)
    assert model.predict(np.zeros((1, 4)), verbose=0).shape == (1, 2)


def test_sequential_rejected_add_changes_nothing():
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(3, name="first")])
    bad = [
        (layers.Reshape((5,), name="odd"), "odd"),
        (layers.Dense(3, name="first"), "first"),
        ("Dense", "layer"),
        (layers.Dense, "layer"),
        (pynn.Input((4,)), "[Ii]nput"),
    ]
    for layer, message in bad:
        with unchanged(model), pytest.raises((ValueError, TypeError), match=message):
            model.add(layer)
        assert [layer.name for layer in model.layers] == ["first"]


@pytest.mark.parametrize("first", [(), (pynn.Input((4, 3)),)], ids=["unbuilt", "built"])
@pytest.mark.parametrize("around", [None, layers.TimeDistributed], ids=["alone", "wrapped"])
def test_sequential_is_no_layer_of_itself(first, around):
    model = pynn.Sequential([*first, layers.Dense(3)])
    with pytest.raises(ValueError, match=f"Model '{model.name}' can't be a layer of itself"):
        model.add(model if around is None else around(model))
    assert [type(layer) for layer in model.layers] == [layers.Dense]
    assert model(np.ones((2, 4, 3))).shape == (2, 4, 3)


def test_sequential_one_layer_twice_is_refused():
    layer = layers.Dense(4)
    with pytest.raises(ValueError, match=layer.name):
        pynn.Sequential([pynn.Input((4,)), layer, layer])


def test_sequential_count_params_and_summary(capsys):
    model = pynn.Sequential([pynn.Input((784,)), layers.Dense(128, name="hidden"), layers.Dense(10, name="out")])
    assert model.count_params() == 101_770
    assert [layer.count_params() for layer in model.layers] == [100_480, 1_290]
    model.summary()
    text = capsys.readouterr().out
    for part in ("hidden", "out", "Dense", "(None, 128)", "100,480", "1,290", "101,770", "KB"):
        assert part in text
    lines = []
    model.summary(print_fn=lines.append)
    assert "101,770" in "\n".join(lines)
    assert capsys.readouterr().out == ""


def test_sequential_summary_counts_frozen_parameters(capsys):
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, trainable=False), layers.Dense(4)])
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    assert any("Trainable" in line and "12" in line for line in lines)
    assert any("Non-trainable" in line and "8" in line for line in lines)


def test_sequential_textbook_sizes():
    model = pynn.Sequential([pynn.Input((784,)), layers.Dense(16), layers.Dense(16), layers.Dense(10)])
    assert model.count_params() == 13_002
    assert pynn.Sequential([pynn.Input((3,)), layers.Dense(2), layers.Dense(1)]).count_params() == 11


def test_sequential_get_layer():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, name="first"), layers.Dense(4, name="second")])
    assert model.get_layer("second") is model.layers[1]
    assert model.get_layer(name="first") is model.get_layer(index=0)
    assert model.get_layer(index=1) is model.layers[1]
    for bad, message in (({"name": "third"}, "third.*first"), ({"index": 5}, "index"), ({}, "name.*index|index.*name")):
        with pytest.raises(ValueError, match=message):
            model.get_layer(**bad)


def test_sequential_names_are_counted_and_unique():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2), layers.Dense(2), layers.LeakyReLU(), layers.Dense(2)])
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == 4
    assert all(name.startswith("dense") for name in (*names[:2], names[3]))
    assert names[2].startswith("leaky_re_lu")
    assert pynn.Sequential(name="mine").name == "mine"
    with pytest.raises(ValueError, match="twin"):
        pynn.Sequential([layers.Dense(2, name="twin"), layers.Dense(2, name="twin")])


def test_sequential_weights_copies():
    model = make_model()
    weights = model.get_weights()
    before = bits(model)
    weights[0][:] = 0
    assert bits(model) == before
    model.set_weights(weights)
    weights[0][:] = 5
    assert not model.get_weights()[0].any()


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w[:-1],
        lambda w: [*w, np.zeros(3)],
        lambda w: [w[0].T, *w[1:]],
        lambda w: [*w[:-1], w[-1][:2]],
        lambda w: [*w[:-1], w[-1].astype(complex)],
        lambda w: [*w[:-1], w[-1].astype(str)],
        lambda w: [*w[:-1], np.full(3, 1e300)],
        lambda w: [*w[:-1], [[0.0], [0.0, 1.0]]],
        lambda w: None,
        lambda w: 5,
    ],
)
def test_sequential_set_weights_is_all_or_nothing(change):
    model = make_model()
    weights = [w + 1 for w in model.get_weights()]
    with unchanged(model), pytest.raises((ValueError, TypeError), match=r"weights|kernel|bias"):
        model.set_weights(change(weights))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, ">f4", ">f8", bool])
def test_sequential_set_weights_converts(dtype):
    model = make_model()
    values = [np.ones(w.shape).astype(dtype) for w in model.get_weights()]
    model.set_weights(values)
    assert all(w.dtype == np.float32 and np.all(w == 1) for w in model.get_weights())


def test_sequential_config_through_json():
    model = pynn.Sequential(
        [
            pynn.Input((4, 6)),
            layers.Rescaling(0.5, offset=1.0),
            layers.Flatten(),
            layers.Dense(8, activation="relu", kernel_initializer=pynn.initializers.HeNormal(seed=3), name="hidden"),
            layers.LeakyReLU(0.1),
            layers.Dense(6, activation=pynn.activations.get("gelu"), use_bias=False, trainable=False),
            layers.Reshape((2, 3)),
            layers.Softmax(axis=1),
        ],
        name="copied",
    )
    config = json.loads(json.dumps(model.get_config()))
    twin = pynn.Sequential.from_config(config)
    assert json.loads(json.dumps(twin.get_config())) == config
    assert twin.name == "copied"
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    twin.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(3, 4, 6))
    np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))


def test_sequential_config_of_an_unbuilt_model():
    model = pynn.Sequential([layers.Dense(4), layers.Dense(2)])
    twin = pynn.Sequential.from_config(json.loads(json.dumps(model.get_config())))
    assert not twin.built
    assert len(twin.layers) == 2


def test_sequential_not_built_says_so():
    model = pynn.Sequential([layers.Dense(3)])
    for ask in (model.get_weights, model.count_params, lambda: model.output_shape):
        with pytest.raises(pynn.NotBuiltError, match=r"[Ii]nput|build"):
            ask()
    assert issubclass(pynn.NotBuiltError, RuntimeError)


def test_sequential_not_compiled_says_so():
    model = pynn.Sequential([pynn.Input((5,)), layers.Dense(3)])
    x, y = make_data(4)
    calls = (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch)
    for call in calls:
        with unchanged(model), pytest.raises(pynn.NotCompiledError, match="compile"):
            call(x, y)
    assert model.predict(x, verbose=0).shape == (4, 3)


def test_sequential_step_is_forward_only():
    model = pynn.Sequential([pynn.Input((2,)), layers.Dense(3, activation="step"), layers.Dense(1)])
    assert set(np.unique(pynn.activations.step(np.array([-1.0, 0.0, 2.0])))) == {0.0, 1.0}
    assert model.predict(np.zeros((1, 2)), verbose=0).shape == (1, 1)
    model.compile(loss="mse")
    with unchanged(model), pytest.raises(ValueError, match="step"):
        model.fit(np.zeros((4, 2)), np.zeros(4), verbose=0)


def test_sequential_of_no_layers_is_refused():
    model = pynn.Sequential()
    with pytest.raises((pynn.NotBuiltError, ValueError), match="layer"):
        model.predict(np.zeros((2, 3)), verbose=0)


def test_input_of_a_sequential_is_the_one_given():
    """So that models are made between it and the layers."""
    given = pynn.Input((3,))
    model = pynn.Sequential([given, layers.Dense(4), layers.Dense(2)])
    assert model.inputs == [given]
    part = pynn.Model(given, model.layers[0].output)
    x = np.ones((2, 3))
    np.testing.assert_array_equal(part(x), model.layers[0](x))
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(4)])
    np.testing.assert_array_equal(pynn.Model(model.inputs, model.layers[0].output)(x), model(x))


def test_rebuild_has_no_effect():
    model = pynn.Sequential([pynn.Input((3,))])
    model.add(layers.Dense(2), rebuild=False)
    model.add(layers.Dense(1), rebuild=True)
    assert model.output_shape == (None, 1)
    assert model.pop(rebuild=False).units == 1
    assert model.output_shape == (None, 2)
    for call in (lambda: model.pop(rebuild="no"), lambda: model.add(layers.Dense(1), rebuild="no")):
        with pytest.raises(TypeError, match="rebuild must be"):
            call()


def test_a_sequential_has_no_call_of_its_own():
    with pytest.raises(TypeError, match="Mine: a Sequential has no call of its own"):
        type("Mine", (pynn.Sequential,), {"call": lambda self, x: 2 * x})
