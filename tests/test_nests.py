"""Models whose inputs and outputs are lists, tuples and dicts within one another."""

import pickle

import numpy as np
import pytest

import pynn
from pynn import layers


@pytest.fixture
def net():
    """Three inputs and three outputs, each a dense layer of its own input."""
    a, b, c = (pynn.Input((size,), name=name) for size, name in ((2, "a"), (3, "b"), (4, "c")))
    first, second, third = (layers.Dense(n, name=f"out{n}")(x) for n, x in ((2, a), (3, b), (1, c)))
    return pynn.Model({"pair": [a, b], "one": (c,)}, ({"z": first, "y": [second]}, third))


@pytest.fixture
def data(random):
    a, b, c = (random.normal(size=(6, size)).astype(np.float32) for size in (2, 3, 4))
    return {"pair": [a, b], "one": (c,)}


def targets_like(made):
    outer, third = made
    return {"z": outer["z"] + 1, "y": [outer["y"][0] + 1]}, third + 1


def test_shapes_have_the_form_that_the_model_was_given(net):
    assert net.input_shape == {"one": ((None, 4),), "pair": [(None, 2), (None, 3)]}
    assert net.output_shape == ({"y": [(None, 3)], "z": (None, 2)}, (None, 1))
    assert [x.name for x in net.inputs] == ["c", "a", "b"]  # dicts have the order of their keys, as in Keras
    assert net.output_names == ["out3", "out2", "out1"]


def test_outputs_are_those_of_the_layers(net, data):
    outer, third = net.predict(data, verbose=0)
    (a, b), (c,) = data["pair"], data["one"]
    for found, x, name in ((outer["z"], a, "out2"), (outer["y"][0], b, "out3"), (third, c, "out1")):
        np.testing.assert_allclose(found, net.get_layer(name)(x), rtol=1e-6, atol=1e-7)
    assert type(outer["y"]) is list
    for same in ([c, a, b], {"a": a, "b": b, "c": c}):
        np.testing.assert_array_equal(net.predict(same, verbose=0)[1], third)


def test_training_takes_targets_in_the_form_of_the_outputs_flat_or_by_name(net, data):
    outer, third = targets = targets_like(net.predict(data, verbose=0))
    start = net.get_weights()
    logs, ends = [], []
    by_name = {"out3": outer["y"][0], "out2": outer["z"], "out1": third}
    for given in (targets, list(by_name.values()), by_name):
        net.set_weights(start)
        net.compile("sgd", {"out3": "mse", "out2": "mae", "out1": "mse"}, metrics={"0/z": ["mse"]})
        logs.append(net.fit(data, given, epochs=2, shuffle=False, verbose=0).history)
        ends.append(net.get_weights())
    assert sorted(logs[0]) == ["0/y/out3_loss", "0/z_loss", "loss", "out1_loss", "out2_mse"]
    assert logs[0]["out2_mse"][0] == pytest.approx(1.0, rel=1e-6)
    for other_logs, other_end in zip(logs[1:], ends[1:], strict=True):
        assert other_logs == logs[0]
        for one, other in zip(ends[0], other_end, strict=True):
            np.testing.assert_array_equal(one, other)


def test_sample_weights_have_the_form_of_the_outputs(net, data):
    targets = targets_like(net.predict(data, verbose=0))
    net.compile("sgd", "mse")
    zero, one = np.zeros(6, np.float32), np.ones(6, np.float32)
    logs = net.evaluate(data, targets, sample_weight=({"z": one, "y": [zero]}, zero), verbose=0, return_dict=True)
    assert logs["0/z_loss"] == pytest.approx(1.0, rel=1e-6)
    assert logs["0/y/out3_loss"] == logs["out1_loss"] == 0


def test_model_is_called_on_nested_tensors_and_is_a_layer(net, data):
    again = {"pair": [pynn.Input((2,)), pynn.Input((3,))], "one": (pynn.Input((4,)),)}
    outer, third = net(again)
    assert (outer["z"].shape, third.shape) == ((None, 2), (None, 1))
    whole = pynn.Model(again, layers.Concatenate()([outer["z"], third]))
    made = net.predict(data, verbose=0)
    np.testing.assert_array_equal(whole.predict(data, verbose=0), np.concatenate([made[0]["z"], made[1]], axis=1))


def test_copies_have_the_same_form(net, data):
    expected = net.predict(data, verbose=0)[0]["y"][0]
    twin = pynn.Model.from_config(net.get_config())
    twin.set_weights(net.get_weights())
    named = pynn.models.model_from_json(net.to_json())  # JSON has no tuples
    assert named.input_shape == {"one": [(None, 4)], "pair": [(None, 2), (None, 3)]}
    for copy in (twin, pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(copy.predict(data, verbose=0)[0]["y"][0], expected)
    assert pynn.models.clone_model(net).output_shape == net.output_shape


def test_gradients_come_in_the_form_of_the_inputs(net, data):
    _, found = net.vjp(data, net.predict(data, verbose=0))
    assert [found["pair"][0].shape, found["pair"][1].shape, found["one"][0].shape] == [(6, 2), (6, 3), (6, 4)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: {**x, "pair": x["pair"][:1]}, r"x\['pair'\] must be a list of 2 values, but has 1"),
        (
            lambda x: {"pair": x["pair"], "two": x["one"]},
            "x must be a dict with the keys 'one', 'pair', but has 'p",
        ),
        (lambda x: {**x, "one": x["one"][0]}, r"x\['one'\] must be a list of 1 values, but is a ndarray"),
        (lambda x: {**x, "pair": {"a": x["pair"][0]}, "one": x["one"]}, r"x\['pair'\] must be a list .* is a dict"),
        (lambda x: x["pair"], "x must be a list of 3 arrays, for 'one/c', 'pair/a', 'pair/b', but got 2"),
        (lambda x: {**x, "one": (x["one"][0][:3],)}, r"x\['one'\]\[0\] .* 3"),
    ],
)
def test_other_forms_are_refused(net, data, change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        net.predict(change(data), verbose=0)


def test_a_name_is_needed_for_what_a_dict_within_has():
    x = pynn.Input((2,))
    with pytest.raises(TypeError, match="inputs must have names as keys, but has 3"):
        pynn.Model([{3: x}], layers.Dense(1)(x))
    with pytest.raises(ValueError, match="at least one symbolic tensor"):
        pynn.Model([[]], layers.Dense(1)(x))


@pynn.saving.register_keras_serializable("test_nests")
class Net(pynn.Model):
    """Three inputs and three outputs, as `net` has them."""

    def __init__(self, **named):
        super().__init__(**named)
        self.of_a, self.of_b, self.of_c = layers.Dense(2), layers.Dense(3), layers.Dense(1)
        self.seen = []

    def build(self, input_shape):
        self.seen.append(input_shape)

    def call(self, inputs, training=False):
        (a, b), (c,) = inputs["pair"], inputs["one"]
        return {"z": self.of_a(a), "y": [self.of_b(b)]}, self.of_c(c)


SHAPES = {"pair": [(None, 2), (None, 3)], "one": ((None, 4),)}


def test_call_of_a_subclass_takes_what_comes_in_its_form(data):
    net = Net()
    outer, third = net(data)
    np.testing.assert_array_equal(outer["z"], net.of_a(data["pair"][0]))
    np.testing.assert_array_equal(outer["y"][0], net.of_b(data["pair"][1]))
    np.testing.assert_array_equal(third, net.of_c(data["one"][0]))
    assert net.input_shape == SHAPES
    assert net.seen[0] == SHAPES
    net.compile("sgd", "mse")
    logs = net.fit(data, targets_like((outer, third)), epochs=3, verbose=0, shuffle=False).history["loss"]
    assert logs[0] == pytest.approx(3.0, rel=1e-5)
    assert logs[2] < logs[1] < logs[0]


def test_subclass_is_built_by_fit_and_by_shapes(data):
    built, fitted = Net(), Net()
    built.build(SHAPES)
    assert built.input_shape == SHAPES
    built.build(SHAPES)
    fitted.compile("sgd", "mse")
    fitted.fit(data, [np.zeros((6, 3)), np.zeros((6, 2)), np.zeros((6, 1))], verbose=0)
    assert [w.shape for w in fitted.weights] == [w.shape for w in built.weights]
    with pytest.raises(ValueError, match="input_shape must be a dict with the keys 'one', 'pair', but has 'pair'"):
        built.build({"pair": SHAPES["pair"]})
    with pytest.raises(ValueError, match="but the model is built for"):
        built.build({**SHAPES, "one": ((None, 5),)})
    with pytest.raises(TypeError, match="input_shape must have names as keys"):
        Net().build({1: (None, 3)})


def test_subclass_is_called_on_nested_tensors_and_is_a_layer(data):
    inputs = {"pair": [pynn.Input((2,)), pynn.Input((3,))], "one": (pynn.Input((4,)),)}
    net = Net()
    outer, third = net(inputs)
    whole = pynn.Model(inputs, [outer["z"], third])
    for found, expected in zip(whole.predict(data, verbose=0), [net(data)[0]["z"], net(data)[1]], strict=True):
        np.testing.assert_array_equal(found, expected)


def test_subclass_with_nested_inputs_goes_into_a_file_and_into_copies(data, tmp_path):
    net = Net()
    third = net(data)[1]
    net.save(tmp_path / "net")
    copies = [pynn.load_model(tmp_path / "net"), pickle.loads(pickle.dumps(net))]
    for copy in copies:
        np.testing.assert_array_equal(copy.predict(data, verbose=0)[1], third)
        assert copy.input_shape == {**SHAPES, "one": [(None, 4)]}  # a file has lists for tuples


@pytest.mark.parametrize("nest", [{"one": [0], "pair": [1, 1]}, [0, 1], {"one": [2], "pair": [1, 0]}, "text", None])
def test_form_in_a_file_that_is_none(nest, data, tmp_path):
    from pynn.models import saving

    net = Net()
    net(data)
    architecture = saving._architecture(net)
    architecture["inputs"]["nest"] = nest
    with pytest.raises(ValueError, match="the inputs must be the numbers from 0 on"):
        saving.model_of(architecture)


def test_rows_of_numbers_are_one_array():
    class Sum(pynn.Model):
        def __init__(self):
            super().__init__()
            self.end = layers.Dense(1)

        def call(self, x):
            return self.end(x)

    columns = np.arange(8.0).reshape(2, 4)
    for rows in (list(zip(*columns, strict=True)), [list(row) for row in columns.T], columns.T.tolist()):
        assert Sum().predict(rows, verbose=0).shape == (4, 1)


def test_data_in_another_form_than_the_first_are_refused(data):
    net = Net()
    net(data)
    with pytest.raises(ValueError, match="x must be a dict with the keys"):
        net({"pair": data["pair"]})
    with pytest.raises((TypeError, ValueError), match="must be a list of 2 values"):
        net({**data, "pair": [data["pair"][0]]})
    with pytest.raises(ValueError, match="x must hold at least one array"):
        Net()({})
