"""Copies of models: layers that several parts share, and clones on other inputs."""

import json

import numpy as np
import pytest

import pynn
from pynn import layers

# ---- layers that nested models share ---------------------------------------------------------------------------------


def sharing():
    """Two nested models that share a layer, which the outer model uses, too; one of them is there twice."""
    shared = layers.Dense(3, name="shared")
    one = pynn.Sequential([pynn.Input((3,)), shared, layers.ReLU()], name="one")
    inputs = pynn.Input((3,))
    two = pynn.Model(inputs, shared(layers.Dense(3)(inputs)), name="two")
    outer = pynn.Input((3,))
    wrapped = pynn.Sequential([pynn.Input((3,)), two], name="wrapped")
    return pynn.Model(outer, shared(one(outer) + two(wrapped(outer))))


def test_layer_that_nested_models_share_stays_one():
    model = sharing()
    config = json.loads(json.dumps(model.get_config()))
    assert json.loads(json.dumps(model.get_config())) == config
    x = np.random.default_rng(1).normal(size=(4, 3))
    for twin in (
        pynn.Model.from_config(config),
        pynn.models.model_from_json(model.to_json()),
        pynn.models.clone_model(model),
        layers.deserialize(layers.serialize(model)),
    ):
        shared = twin.get_layer("shared")
        assert shared is twin.get_layer("one").layers[0]
        assert shared in twin.get_layer("two").layers
        assert twin.get_layer("wrapped").layers[0] is twin.get_layer("two")
        assert [weight.path for weight in twin.weights] == [weight.path for weight in model.weights]
        twin.set_weights(model.get_weights())
        np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))
    other = pynn.Model.from_config(config)
    assert other.get_layer("shared") is not pynn.Model.from_config(config).get_layer("shared")


def test_only_what_is_shared_has_a_number():
    described = sharing().get_config()["layers"]
    assert {each["name"] for each in described if "shared_object_id" in each} == {"shared", "two"}
    plain = pynn.Sequential([pynn.Input((3,)), layers.Dense(2)])
    assert "shared_object_id" not in json.dumps(plain.get_config())
    nested = sharing().get_layer("one").get_config()
    assert "shared_object_id" not in json.dumps(nested)


# ---- clones on other inputs ------------------------------------------------------------------------------------------


def test_clone_on_other_inputs():
    left, right = pynn.Input((3,), name="left"), pynn.Input((3,), name="right")
    model = pynn.Model([left, right], layers.Dense(2)(left * right))
    a, b = pynn.Input((3,), name="a"), pynn.Input((3,), name="b")
    twin = pynn.models.clone_model(model, input_tensors=[a, b])
    assert [x.name for x in twin.inputs] == ["a", "b"]
    assert twin.inputs == [a, b]
    twin.set_weights(model.get_weights())
    x = np.random.default_rng(1).normal(size=(2, 4, 3))
    np.testing.assert_array_equal(twin.predict([*x], verbose=0), model.predict([*x], verbose=0))
    on_tensors = pynn.models.clone_model(model, [a, layers.Dense(3)(b)])
    assert on_tensors.inputs[0] == a
    keyed = pynn.Model({"l": left, "r": right}, layers.Dense(2)(left - right))
    assert pynn.models.clone_model(keyed, {"r": b, "l": a}).input == {"l": a, "r": b}


def test_clone_of_a_sequential_has_an_input_of_that_shape():
    model = pynn.Sequential([pynn.Input((None, 3), name="first"), layers.Dense(2)])
    for given in (pynn.Input((5, 3), name="other"), [pynn.Input((5, 3))]):
        twin = pynn.models.clone_model(model, given)
        assert (twin.input_shape, twin.output_shape, twin.inputs[0].name) == ((None, 5, 3), (None, 5, 2), "first")


@pytest.mark.parametrize("given", [3, [], np.ones((2, 3)), {"x": 3}, "input"], ids=str)
def test_clone_on_what_is_no_tensor_is_refused(given):
    inputs = pynn.Input((3,))
    for model in (pynn.Model(inputs, layers.Dense(2)(inputs)), pynn.Sequential([pynn.Input((3,)), layers.Dense(2)])):
        with pytest.raises(ValueError, match="input_tensors"):
            pynn.models.clone_model(model, input_tensors=given)


# ---- number types, and sizes of batches ------------------------------------------------------------------------------


def test_inner_sequential_says_the_number_type():
    inner = pynn.Sequential([layers.Dense(2, dtype="float64")])
    assert pynn.Sequential([inner, layers.Dense(3)])(np.ones((1, 3))).dtype == "float64"
    inputs = pynn.Input((3,), dtype="float64")
    for stack in (
        [layers.Dense(2)],
        [layers.Dense(2, dtype="float64")],
        [pynn.Input((3,)), layers.Dense(2, dtype="float64")],
    ):
        assert pynn.Model(inputs, pynn.Sequential(stack)(inputs)).dtype == "float64"
    inner = pynn.Sequential([layers.Dense(2, dtype="float64")])
    with pytest.raises(ValueError, match="one dtype"):
        pynn.Sequential([inner, layers.Dense(3, dtype="float32")])


def summary_of(model):
    lines = []
    model.summary(print_fn=lines.append)
    return [row.split("│")[2].strip() for row in lines[0].splitlines() if row.startswith("│")]


def test_summary_shows_the_batch_size():
    given, other = pynn.Input((3,), batch_size=8), pynn.Input((3,))
    model = pynn.Model(given, layers.Dense(2)(given))
    assert summary_of(model) == ["(8, 3)", "(8, 2)"]
    assert summary_of(pynn.Model.from_config(model.get_config())) == ["(8, 3)", "(8, 2)"]
    stack = pynn.Sequential([pynn.Input(batch_shape=(8, 3)), layers.Dense(2)])
    assert summary_of(stack) == ["(8, 2)"]
    assert summary_of(pynn.models.clone_model(stack)) == ["(8, 2)"]
    assert summary_of(pynn.Model([given, other], layers.add([given, other]))) == ["(8, 3)", "(None, 3)", "(8, 3)"]
    assert model(np.ones((5, 3))).shape == (5, 2)
    assert model.output_shape == (8, 2)


# ---- what the model was compiled with --------------------------------------------------------------------------------


def test_clone_is_compiled_as_the_model():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(1)])
    assert not pynn.models.clone_model(model).compiled
    model.compile(pynn.optimizers.Adam(0.25), "mse", metrics=["mae"])
    x, y = np.ones((4, 3)), np.ones((4, 1))
    model.fit(x, y, verbose=0)
    twin = pynn.models.clone_model(model)
    assert twin.optimizer is not model.optimizer
    assert (twin.optimizer.learning_rate, twin.optimizer.iterations) == (0.25, 0)
    twin.set_weights(model.get_weights())
    assert twin.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert twin.metrics_names == ["loss", "mae"]
    twin.fit(x, y, verbose=0)
    assert model.optimizer.iterations == 1


def test_compile_configurations():
    model, twin = (pynn.Sequential([pynn.Input((3,)), layers.Dense(1)]) for _ in range(2))
    assert model.get_compile_config() is None
    model.compile(pynn.optimizers.Adam(0.25), "mse", metrics=["mae"])
    config = json.loads(json.dumps(model.get_compile_config()))
    twin.compile_from_config(config)
    assert twin.get_compile_config() == config
    assert twin.optimizer.learning_rate == 0.25
    with pytest.raises(ValueError, match="compile must be a dict"):
        twin.compile_from_config(3)
    assert twin.optimizer.learning_rate == 0.25


def test_clone_is_not_compiled_where_a_function_is_the_learning_rate():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(1)])
    model.compile(pynn.optimizers.SGD(lambda: 0.1), "mse")
    assert not pynn.models.clone_model(model).compiled


# ---- calls that are made otherwise -----------------------------------------------------------------------------------


def with_dropout(layer, *args, **kwargs):
    """As in Keras's documentation."""
    made = layer(*args, **kwargs)
    return layers.Dropout(0.5)(made) if isinstance(layer, layers.Dense) else made


def test_call_function_puts_layers_in():
    inputs = pynn.Input((3,))
    model = pynn.Model(inputs, layers.Dense(2)(layers.Dense(4)(inputs) * 2) + 1)
    twin = pynn.models.clone_model(model, clone_function=lambda layer: layer, call_function=with_dropout)
    assert [type(layer).__name__ for layer in twin.layers if layer.name != inputs.name] == [
        *("Dense", "Dropout", "Dense", "Dropout"),
    ]
    assert [layer for layer in twin.layers if isinstance(layer, layers.Dense)] == [*model.layers[1:]]
    x = np.random.default_rng(1).normal(size=(400, 3))
    np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))
    assert (np.asarray(twin(x, training=True)) == 1).mean() == pytest.approx(0.5, abs=0.1)
    apart = pynn.models.clone_model(model, call_function=with_dropout)
    assert apart.layers[1] is not model.layers[1]
    assert not np.array_equal(apart.get_weights()[0], model.get_weights()[0])


def test_call_function_sees_every_call():
    given = []

    def seeing(layer, *args, **kwargs):
        given.append((type(layer).__name__, len(args), sorted(kwargs)))
        return layer(*args, **kwargs)

    @pynn.saving.register_keras_serializable("cloning")
    class Scaled(layers.Layer):
        def call(self, x, y, factor=1.0):
            return x * factor + y

    ids, query, a, b = pynn.Input((5,), dtype="int32"), *(pynn.Input((5, 4)) for _ in range(3))
    vectors = layers.Embedding(7, 4, mask_zero=True)(ids)
    inner = pynn.Model({"a": a, "b": b}, a * b)
    y = layers.MultiHeadAttention(2, 3)(vectors, query, use_causal_mask=True)
    y = layers.Attention()([y, vectors])
    y = inner({"a": y, "b": layers.Dropout(0.5)(query, training=False)})
    y = Scaled()(y, query, factor=2.0)
    y, state = layers.GRU(4, return_sequences=True, return_state=True)(y)
    y = layers.GRU(4)(y, initial_state=state)
    y = layers.Dense(2)(layers.concatenate([y, state], axis=1))
    model = pynn.Model([ids, query], y)
    twin = pynn.models.clone_model(model, call_function=seeing)
    assert given == [
        ("Embedding", 1, []),
        ("MultiHeadAttention", 0, ["query", "use_causal_mask", "value"]),
        ("Attention", 1, []),
        ("Dropout", 1, ["training"]),
        ("Model", 1, []),
        ("Scaled", 0, ["factor", "x", "y"]),
        ("GRU", 1, []),
        ("GRU", 2, []),
        ("Concatenate", 1, []),
        ("Dense", 1, []),
    ]
    twin.set_weights(model.get_weights())
    random = np.random.default_rng(1)
    x = [random.integers(0, 7, (6, 5)), random.normal(size=(6, 5, 4))]
    np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))


def test_call_function_is_given_masks():
    x, mask = pynn.Input((4, 3)), pynn.Input((4,))
    model = pynn.Model([x, mask], layers.GlobalAveragePooling1D()(layers.Dense(2)(x), mask=mask))
    given = []

    def seeing(layer, *args, **kwargs):
        given.append(sorted(kwargs))
        return layer(*args, **kwargs)

    twin = pynn.models.clone_model(model, clone_function=lambda layer: layer, call_function=seeing)
    assert given == [[], ["mask"]]
    data = [np.random.default_rng(1).normal(size=(2, 4, 3)), np.array([[1, 1, 0, 0], [1, 0, 0, 0]])]
    np.testing.assert_array_equal(twin.predict(data, verbose=0), model.predict(data, verbose=0))


@pytest.mark.parametrize("recursive", [False, True])
def test_call_function_within_models(recursive):
    """As in Keras: in models of tensors, but not in a Sequential."""
    a, b, outer = pynn.Input((3,)), pynn.Input((3,)), pynn.Input((3,))
    inner = pynn.Model(a, layers.Dense(3)(a), name="inner")
    stack = pynn.Sequential([pynn.Input((3,)), layers.Dense(3), pynn.Model(b, layers.Dense(3)(b))], name="stack")
    model = pynn.Model(outer, stack(inner(outer)))
    twin = pynn.models.clone_model(model, call_function=with_dropout, recursive=recursive)
    assert len(twin.get_layer("inner").layers) == (3 if recursive else 2)
    assert [type(each).__name__ for each in twin.get_layer("stack").layers] == ["Dense", "Model"]
    assert len(twin.get_layer("stack").layers[1].layers) == 2


def test_call_function_that_is_refused():
    inputs = pynn.Input((3,))
    model = pynn.Model(inputs, layers.Dense(2)(inputs))

    class Own(pynn.Model):
        def call(self, x):
            return x

    for other in (pynn.Sequential([pynn.Input((3,)), layers.Dense(2)]), Own()):
        with pytest.raises(ValueError, match="call_function is for models of tensors"):
            pynn.models.clone_model(other, call_function=with_dropout)
    with pytest.raises(TypeError, match="call_function must be a function"):
        pynn.models.clone_model(model, call_function=3)
    with pytest.raises(TypeError, match=r"call_function must return what a call of the layer does.*None of type None"):
        pynn.models.clone_model(model, call_function=lambda layer, *args: None)
