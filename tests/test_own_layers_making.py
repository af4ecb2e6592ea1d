"""Layers of one's own: how they are called, traced and described."""

import json
import pathlib
import re

import numpy as np
import pytest

import pynn
from pynn import layers
from pynn.models import clone_model, model_from_json


class Scale(layers.Layer):
    """``x * w``, from an argument that is found without a get_config."""

    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1],), pynn.initializers.Constant(self.start), name="w")

    def call(self, x):
        return x * self.w


class Pair(layers.Layer):
    """``left * w + right``."""

    def build(self, left_shape, right_shape=None):
        self.shapes = left_shape, right_shape
        self.w = self.add_weight((left_shape[-1],), "ones", name="w")

    def call(self, left, right=None):
        return left * self.w if right is None else left * self.w + right


class Modes(layers.Layer):
    """Batch normalisation, and behind it in training another formula than otherwise."""

    def __init__(self):
        super().__init__()
        self.norm = layers.BatchNormalization(momentum=0.5)

    def call(self, x, training=None):
        x = self.norm(x, training=training)
        if training:
            x = 3 * x
        return x + 1


# ---- calls -----------------------------------------------------------------------------------------------------------


def test_several_inputs_by_place_and_by_name():
    layer, ones = Pair(), np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(layer(ones, 2 * ones), 3 * ones)
    assert layer.shapes == ((None, 3), (None, 3))
    assert layer.input_shape == [(None, 3), (None, 3)]
    np.testing.assert_array_equal(layer(ones, right=4 * ones), 5 * ones)
    np.testing.assert_array_equal(layer(ones), ones)
    left, right = pynn.Input((3,)), pynn.Input((3,))
    model = pynn.Model([left, right], layer(left, right=right))
    np.testing.assert_array_equal(model([ones, ones]), 2 * ones)


def test_one_argument_may_be_a_list():
    class Total(layers.Layer):
        def build(self, input_shape):
            self.shapes = input_shape

        def call(self, inputs):
            return layers.add(inputs) / len(inputs)

    layer, ones = Total(), np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(layer([ones, 3 * ones]), 2 * ones)
    assert layer.shapes == [(None, 3), (None, 3)]
    np.testing.assert_array_equal(layer([ones, ones, 4 * ones]), 2 * ones)
    assert Total().compute_output_shape([(7, 3), (7, 3)]) == (7, 3)


@pytest.mark.parametrize("form", [list, tuple], ids=str)
def test_a_list_of_one_output_is_a_list(form):
    class Single(layers.Layer):
        def build(self, input_shape, **rest):
            self.w = self.add_weight((3,), "ones")

        def call(self, x):
            return form([x * self.w])

    layer, ones = Single(), np.ones((2, 3), np.float32)
    for found in (layer(ones), layer(pynn.Input((3,)))):
        assert type(found) is form
        assert len(found) == 1
    np.testing.assert_array_equal(layer(ones)[0], ones)
    x = pynn.Input((3,))
    model = pynn.Model(x, layers.Dense(2)(layer(x)[0]))
    twin = pynn.Model.from_config(model.get_config(), custom_objects={"Single": Single})
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(ones), model(ones))
    assert pynn.Sequential([x, layer])(ones).shape == (2, 3)
    assert layer.compute_output_shape((5, 3)) == form([(5, 3)])


@pytest.mark.parametrize("form", [tuple, list, dict], ids=str)
def test_outputs_come_in_the_form_of_the_call(form):
    class Several(layers.Layer):
        def call(self, x):
            return {"b": x, "a": 2 * x} if form is dict else form([x, 2 * x])

    x = np.ones((2, 3), np.float32)
    y = Several()(x)
    assert type(y) is form
    np.testing.assert_array_equal(y["a"] if form is dict else y[1], 2 * x)
    tensors = Several()(pynn.Input((3,)))
    assert type(tensors) is form
    assert Several().compute_output_shape((4, 3)) == type(y)(
        {"a": (4, 3), "b": (4, 3)} if form is dict else [(4, 3)] * 2
    )


def test_call_runs_once_for_each_shape():
    seen = []

    class Mine(layers.Layer):
        def build(self, input_shape):
            seen.append("build")
            self.dense = layers.Dense(2)

        def call(self, x):
            seen.append(x.shape)
            return self.dense(x)

    model = pynn.Sequential([pynn.Input((None, 3)), Mine()])
    model.compile("sgd", "mse")
    for length in (4, 7):
        model.train_on_batch(np.ones((2, length, 3)), np.ones((2, length, 2)))
        assert model.predict(np.ones((2, length, 3)), verbose=0).shape == (2, length, 2)
    assert seen == ["build", (None, None, 3)]
    layer = model.layers[0]
    for _ in range(2):
        layer(np.ones((2, 3)))
        layer(np.ones((2, 5, 4, 3)))
    assert seen[2:] == [(None, 3), (None, 5, 4, 3)]


def test_ids_reach_an_embedding():
    class Words(layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = layers.Embedding(7, 2)

        def call(self, words):
            return self.table(words)

    layer = Words()
    np.testing.assert_array_equal(layer(np.array([[3, 6]])), layer.table.get_weights()[0][[[3, 6]]])
    with pytest.raises(ValueError, match=r"must be in \[0, 7\), but found 7"):
        layer(np.array([[7]]))
    with pytest.raises(ValueError, match="takes ids"):
        layer(layers.Dense(3)(pynn.Input((3,))))


class Defaults(layers.Layer):
    def call(self, x=None):
        return x


WRONG_CALLS = [
    (lambda layer, x: layer([x, {"a": {1}}]), r"left\[1\]\['a'\] must be a tensor or array, a number"),
    (lambda layer, x: layer(x, x, x), "does not take these arguments"),
    (lambda layer, x: layer(x, center=x), "does not take these arguments: .*'center'"),
    (lambda layer, x: layer(None), "but got NoneType"),
    (lambda layer, x: layer({"a": 3}), "left and right must be a tensor or array, or a list or dict .* but got dict"),
    (lambda layer, x: layer(), "does not take these arguments"),
    (lambda layer, x: Defaults()(), "x must be a tensor or array, or a list or dict of them, but got none"),
    (lambda layer, x: Defaults()(None), "x must be a tensor or array, or a list or dict of them, but got none"),
    (lambda layer, x: layer(pynn.Input((3,)), x), "symbolic tensors together with ndarray"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS, ids=range(len(WRONG_CALLS)))
def test_wrong_calls_are_told(call, message):
    with pytest.raises(TypeError, match=message):
        call(Pair(), np.ones((2, 3)))


class Many(layers.Layer):
    """What arguments may be: tensors in any form, and plain values."""

    def build(self, inputs_shape, more_shape=None):
        self.shapes = inputs_shape, more_shape

    def call(self, inputs, more=None, factor=2.0, names=(), training=None, **rest):
        y = factor * (inputs["a"] + 10 * inputs["b"][0])
        y = y if inputs.get("c") is None else y - inputs["c"]
        y = y if more is None else y + 100 * more
        y = y + len(names) + rest.get("shift", 0)
        return {"y": [y, (-y,)]}


ONES = np.ones((2, 3), np.float32)
FORMS = {
    "a dict": (lambda layer, x, z: layer({"b": [z], "a": x}), 22),
    "a value": (lambda layer, x, z: layer({"a": x, "b": [z]}, factor=3), 33),
    "a value of numpy": (lambda layer, x, z: layer({"a": x, "b": [z]}, factor=np.float32(0.5)), 5.5),
    "None within": (lambda layer, x, z: layer({"a": x, "b": (z,), "c": None}, None), 22),
    "a tensor more": (lambda layer, x, z: layer({"a": x, "b": [z], "c": z}, more=x), 121),
    "an array of one number": (lambda layer, x, z: layer({"a": x, "b": [z]}, factor=np.array(0.5)), 5.5),
    "a tensor for a value": (lambda layer, x, z: layer({"a": x, "b": [z]}, factor=x), 11),
    "other names": (lambda layer, x, z: layer({"a": x, "b": [z]}, names=["u", "v"], shift=5), 29),
    "another tensor": (lambda layer, x, z: layer({"a": x, "b": [z]}, shift=z), 23),
}


@pytest.mark.parametrize("form", FORMS)
def test_arguments_of_a_call_have_any_form(form, tmp_path):
    """On arrays, on tensors, of a copy of the model, and within another layer."""
    call, wanted = FORMS[form]

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.many = Many()

        def call(self, x):
            return call(self.many, x, x)["y"][1][0]

    layer, (x, z) = Many(), (pynn.Input((3,)), pynn.Input((3,)))
    found = call(layer, ONES, ONES)
    assert type(found["y"][1]) is tuple
    np.testing.assert_array_equal(found["y"][0], wanted * ONES)
    np.testing.assert_array_equal(found["y"][1][0], -wanted * ONES)
    assert layer.shapes[0]["a"] == layer.shapes[0]["b"][0] == (None, 3)
    model = pynn.Model([x, z], call(layer, x, z))
    np.testing.assert_array_equal(model([ONES, ONES])["y"][0], wanted * ONES)
    model.compile("sgd", "mse")
    assert model.evaluate([ONES, ONES], model([ONES, ONES]), verbose=0)[0] == 0
    model.save(tmp_path / "model.pynn")
    for again in (
        pynn.Model.from_config(model.get_config(), custom_objects={"Many": Many}),
        pynn.models.model_from_json(model.to_json(), custom_objects={"Many": Many}),
        pynn.load_model(tmp_path / "model.pynn", custom_objects={"Many": Many}),
        pynn.models.clone_model(model),
    ):
        np.testing.assert_array_equal(again([ONES, ONES])["y"][0], wanted * ONES)
    np.testing.assert_array_equal(Outer()(ONES), -wanted * ONES)


class Around(layers.Layer):
    """Hands on whatever it gets."""

    def __init__(self, layer, **base):
        super().__init__(**base)
        self.layer = layer

    def build(self, input_shape):
        self.shape = input_shape
        self.w = self.add_weight((), "ones")

    def call(self, *args, training=None, **named):
        return self.w * self.layer(*args, training=training, **named)


def test_arguments_may_be_for_their_place_only():
    class Product(layers.Layer):
        def call(self, left, right, /, factor=1.0):
            return factor * left * right

    np.testing.assert_array_equal(Product()(ONES, 2 * ONES, factor=3), 6 * ONES)


class AroundLater(Around):
    def call(self, first, *rest, **named):
        return self.w * self.layer(first, *rest, **named)


@pytest.mark.parametrize("kind", [Around, AroundLater])
def test_arguments_may_be_handed_on(kind):
    layer = kind(layers.Dropout(0.5))
    np.testing.assert_array_equal(layer(ONES), ONES)
    assert layer.shape == (None, 3)
    assert (layer(np.ones((9, 99)), training=True) == 0).any()
    np.testing.assert_array_equal(
        pynn.Sequential([pynn.Input((3,)), kind(layers.Dense(3, "linear", False, "ones"))])(ONES), 3 * ONES
    )
    layer, x = kind(Pair()), pynn.Input((3,))
    np.testing.assert_array_equal(layer(ONES, 2 * ONES), 3 * ONES)
    np.testing.assert_array_equal(layer(ONES, right=4 * ONES), 5 * ONES)
    np.testing.assert_array_equal(pynn.Model(x, layer(x, x))(ONES), 2 * ONES)


def test_an_array_of_one_row_is_an_input_of_all_samples(random, tmp_path):
    """Such as a mask of attention, or the edges of a graph."""

    class Mixed(layers.Layer):
        def build(self, x_shape, edges_shape):
            self.w = self.add_weight((x_shape[-1], 2))

        def call(self, x, edges=None, scale=1.0):
            return scale * (edges @ (x @ self.w))

    edges, data = random.normal(size=(1, 4, 4)), random.normal(size=(5, 4, 3)).astype("float32")
    layer, x = Mixed(), pynn.Input((4, 3))
    model = pynn.Model(x, layer(x, edges, scale=2))
    wanted = 2 * edges @ (data @ layer.w.numpy())
    np.testing.assert_allclose(model(data), wanted, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "model.pynn")
    again = pynn.load_model(tmp_path / "model.pynn", custom_objects={"Mixed": Mixed})
    np.testing.assert_array_equal(again(data), model(data))
    with pytest.raises(TypeError, match="symbolic tensors together with ndarray"):
        layer(x, np.repeat(edges, 5, 0))


def test_each_value_has_a_call_of_its_own():
    """Of one layer, in turns; True is not 1."""
    seen = []

    class Mine(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight((3,), "ones")

        def call(self, x, flag=False, y=None):
            seen.append(flag)
            return x * self.w * (3 if flag is True else 2 if flag else 1)

    layer = Mine()
    for _ in range(2):
        for flag, wanted in ((True, 3), (1, 2), (1.0, 2), (False, 1)):
            np.testing.assert_array_equal(layer(ONES, flag=flag), wanted * ONES)
            np.testing.assert_array_equal(layer(ONES, flag), wanted * ONES)
        np.testing.assert_array_equal(layer(ONES), ONES)
    assert [type(flag) for flag in seen] == [bool, int, float, bool, bool]
    x = pynn.Input((3,))
    model = pynn.Model(x, [layer(x, flag=True), layer(x), layer(x, flag=1)])
    for found, wanted in zip(model(ONES), (3, 1, 2), strict=True):
        np.testing.assert_array_equal(found, wanted * ONES)
    assert layer.output_shape == (None, 3)
    assert layer.compute_output_shape((5, 3)) == (5, 3)


def test_masks_of_tensors_in_other_forms():
    class Mine(layers.Layer):
        def call(self, x, scale=1.0, mask=None):
            return scale * x["a"] * mask["a"][:, :, None] + x["b"]

    x, mask = np.ones((2, 4, 3)), np.array([[1, 1, 0, 0], [1, 0, 0, 0]])
    wanted = 3 * x * mask[..., None] + x

    class Late(layers.Layer):
        def call(self, scale, x, mask=None):
            return scale * x * mask[:, :, None]

    np.testing.assert_array_equal(Late()(3, x, mask=mask), 3 * x * mask[..., None])
    layer = Mine()
    np.testing.assert_array_equal(layer({"a": x, "b": x}, scale=3, mask={"a": mask, "b": None}), wanted)
    a, b = pynn.Input((4, 3)), pynn.Input((4, 3))
    model = pynn.Model([a, b], layer({"a": layers.Masking()(a), "b": b}, scale=3))
    np.testing.assert_array_equal(model([x * mask[..., None], x]), wanted)
    with pytest.raises(ValueError, match="a mask, or None, for each of 2 tensors, but has 1"):
        layer({"a": x, "b": x}, mask=[mask])


@pytest.mark.parametrize(
    "said",
    [
        3,
        [["x"]],
        [["x", ["tensor"]], ["more", ["tensor"]]],
        [["x", ["tensor", 1]]],
        [["x", ["tensor"]], ["flag", ["bool", 1]]],
        [["x", ["tensor"]], ["flag", ["eval", "1"]]],
        [["x", ["tensor"]], [3, ["int", 1]]],
        [["x", ["dict", ["a"]]]],
    ],
)
def test_other_calls_in_a_configuration_are_refused(said):
    class Mine(layers.Layer):
        def call(self, x, flag=False):
            return x

    x = pynn.Input((3,))
    config = pynn.Model(x, Mine()(x, flag=True)).get_config()
    config["layers"][1]["inbound_nodes"][0]["kwargs"]["said"] = said
    with pytest.raises(ValueError, match="config has a call"):
        pynn.Model.from_config(config, custom_objects={"Mine": Mine})


def test_other_numbers_of_samples_are_told():
    with pytest.raises(ValueError, match="same number of samples, but got 2, 3"):
        Pair()(np.ones((2, 3)), np.ones((3, 3)))


# ---- training, and otherwise -----------------------------------------------------------------------------------------


def test_training_is_what_the_model_does():
    """The statistics follow once a step, and the branch of training is taken in training only."""
    layer = Modes()
    model = pynn.Sequential([pynn.Input((2,)), layer])
    model.compile(pynn.optimizers.SGD(0.0), "mse")
    x = np.array([[1.0, 2], [3, 6]], np.float32)
    mean, variance = x.mean(axis=0), x.var(axis=0)
    in_training = 3 * (x - mean) / np.sqrt(variance + 1e-3) + 1
    loss = model.train_on_batch(x, np.zeros_like(x))
    np.testing.assert_allclose(loss, np.square(in_training).mean(), rtol=1e-6)
    np.testing.assert_allclose(layer.norm.get_weights()[2], mean / 2, rtol=1e-6)
    np.testing.assert_allclose(layer.norm.get_weights()[3], (1 + variance) / 2, rtol=1e-6)
    np.testing.assert_allclose(model(x, training=True), in_training, rtol=1e-5)
    now = (x - layer.norm.get_weights()[2]) / np.sqrt(layer.norm.get_weights()[3] + 1e-3) + 1
    for y in (model(x), model.predict(x, verbose=0), layer(x), layer(x, training=False)):
        np.testing.assert_allclose(y, now, rtol=1e-5)


def test_training_false_holds_always():
    layer, inputs = Modes(), pynn.Input((2,))
    model = pynn.Model(inputs, layer(inputs, training=False))
    model.compile("sgd", "mse")
    before = layer.norm.get_weights()[2:]
    x = np.array([[1.0, 2], [3, 6]], np.float32)
    expected = np.square(model(x)).mean()
    np.testing.assert_allclose(model.train_on_batch(x, np.zeros_like(x)), expected, rtol=1e-6)
    for one, other in zip(before, layer.norm.get_weights()[2:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_both_modes_share_is_there_once():
    """Dropout in training only, as the guide of Keras has it: the noise is that of the layer by itself."""

    class Drop(layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5, seed=3)

        def call(self, x, training=None):
            return self.drop(x, training=training) if training else x

    x = np.ones((50, 8), np.float32)
    own, plain = (pynn.Sequential([pynn.Input((8,)), layer]) for layer in (Drop(), layers.Dropout(0.5, seed=3)))
    for model in (own, plain):
        model.compile("sgd", "mse")
    np.testing.assert_array_equal(own(x), x)
    assert own.train_on_batch(x, x) == plain.train_on_batch(x, x) > 0


def test_modes_of_other_shapes_are_refused():
    class Mine(layers.Layer):
        def call(self, x, training=None):
            return x[:, :1] if training else x

    with pytest.raises(ValueError, match=r"gives samples of shape \(1,\) in training, and of shape \(3,\) otherwise"):
        Mine()(np.ones((2, 3)))


# ---- descriptions ----------------------------------------------------------------------------------------------------

CUSTOM = {"Scale": Scale, "Pair": Pair}


def models():
    left, right = pynn.Input((3,), name="left"), pynn.Input((3,), name="right")
    scale = Scale(2.0, name="scale")
    yield pynn.Sequential([pynn.Input((3,)), Scale(3.0), layers.Dense(2)])
    yield pynn.Model([left, right], Pair()(scale(left), scale(right)))
    yield pynn.Model(left, pynn.Sequential([Scale(start=0.5), layers.Dense(2)])(left))


@pytest.mark.parametrize("number", range(3))
def test_models_come_back(number):
    model = list(models())[number]
    config = json.loads(json.dumps(model.get_config()))
    kind = type(model)
    twins = [
        kind.from_config(config, custom_objects=CUSTOM),
        model_from_json(model.to_json(), custom_objects=CUSTOM),
        clone_model(model),
        layers.deserialize(layers.serialize(model), custom_objects=CUSTOM),
    ]
    x = np.random.default_rng(1).normal(size=(4, 3))
    x = [x, 2 * x] if number == 1 else x
    for twin in twins:
        assert [weight.path for weight in twin.weights] == [weight.path for weight in model.weights]
        assert all(one is not other for one, other in zip(twin.weights, model.weights, strict=True))
        assert [layer.start for layer in twin.layers if isinstance(layer, Scale)] == [
            layer.start for layer in model.layers if isinstance(layer, Scale)
        ]
        twin.set_weights(model.get_weights())
        np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="Unknown layer 'Scale'"):
        kind.from_config(config)


def test_bad_custom_objects_are_told():
    config = layers.serialize(Scale())
    for wrong in (3, {3: Scale}, [Scale]):
        with pytest.raises(TypeError, match="custom_objects must be a dict"):
            layers.deserialize(config, custom_objects=wrong)
    with pytest.raises(TypeError, match="'Scale' must be a layer"):
        layers.deserialize(config, custom_objects={"Scale": 3})
    assert layers.deserialize(config, custom_objects=CUSTOM).start == 1.0
    with pytest.raises(ValueError, match="Unknown layer"):
        layers.deserialize(config)


def test_arguments_are_found_without_a_get_config():
    class Few(layers.Layer):
        def __init__(self, units, scale=2.0):
            super().__init__()

        def call(self, x):
            return x

    assert Scale(4.0, name="s").get_config() == {"start": 4.0, "name": "s", "trainable": True, "dtype": None}
    assert Few(3).get_config() == {"units": 3}
    assert repr(Few(np.int64(3), np.float32(0.5)).get_config()) == "{'units': 3, 'scale': 0.5}"
    assert Few.from_config(Few(3).get_config()).get_config() == {"units": 3}
    with pytest.raises(NotImplementedError, match="must write get_config: its argument 'units'"):
        Few(np.ones(3)).get_config()


def test_code_of_the_page_runs():
    page = (pathlib.Path(__file__).resolve().parent.parent / "docs" / "own-layers.md").read_text()
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert names["twin"].count_params() == names["model"].count_params() > 0


# ---- the call of a model ---------------------------------------------------------------------------------------------


def test_call_of_a_model_is_told_what_it_does():
    class Network(pynn.Model):
        def __init__(self):
            super().__init__()
            self.norm = layers.BatchNormalization(momentum=0.5)

        def call(self, x, training=False):
            x = self.norm(x, training=training)
            return 3 * x if training else x + 1

    model, plain = Network(), layers.BatchNormalization(momentum=0.5)
    model.compile(pynn.optimizers.SGD(0.0), "mse")
    twin = pynn.Sequential([pynn.Input((2,)), plain])
    x = np.array([[1.0, 2], [3, 6]], np.float32)
    expected = 3 * twin(x, training=True)
    np.testing.assert_allclose(model.train_on_batch(x, np.zeros_like(x)), np.square(expected).mean(), rtol=1e-5)
    for one, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    np.testing.assert_allclose(model.predict(x, verbose=0), twin(x) + 1, rtol=1e-5)


def test_call_of_a_model_may_use_weights():
    class Network(pynn.Model):
        def __init__(self, foreign=None):
            super().__init__()
            self.dense = layers.Dense(3, use_bias=False)
            self.other = None if foreign is None else foreign.kernel

        def call(self, x):
            y = self.dense(x)
            return y @ (self.dense.kernel if self.other is None else self.other)

    model = Network()
    x = np.ones((2, 3), np.float32)
    y = model(x)
    kernel = model.dense.kernel.numpy()
    np.testing.assert_allclose(y, x @ kernel @ kernel, rtol=1e-5)
    assert model.weights == [model.dense.kernel]
    foreign = layers.Dense(3)
    foreign(x)
    model = Network(foreign)
    with pytest.raises(ValueError, match="none of its own"):
        model(x)
    assert not model.built
    assert not model.dense.built


def test_failing_call_of_a_model_leaves_its_layers_unbuilt():
    class Network(pynn.Model):
        def __init__(self):
            super().__init__()
            self.first, self.stack = Scale(), pynn.Sequential([layers.Dense(2)])
            self.width = 3

        def call(self, x):
            return layers.Reshape((self.width,))(self.stack(self.first(x)))

    model = Network()
    with pytest.raises(ValueError, match="3"):
        model(np.ones((2, 4)))
    assert not any(layer.built for layer in (model, model.first, model.stack, model.stack.layers[0]))
    model.width = 2
    assert model(np.ones((2, 5))).shape == (2, 2)
    assert model.first.w.shape == (5,)
