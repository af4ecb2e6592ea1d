"""Models made of symbolic tensors: how they are put together, called, trained, described; and what is refused."""

import contextlib
import gc
import json
import threading
import weakref

import numpy as np
import pytest
from helpers import bits

import pynn
from pynn import layers

RANDOM = np.random.default_rng(5)
MATRIX = np.linspace(-1, 2, 8).reshape(4, 2)
X = RANDOM.standard_normal((12, 4)).astype(np.float32)


def residual():
    """Two branches, an operator, a layer that is used twice."""
    x = pynn.Input((4,), name="x")
    twice = layers.Dense(4, activation="tanh", name="twice")
    a = twice(x)
    b = twice(a)
    return pynn.Model(x, layers.Dense(2, name="out")(layers.Concatenate(name="both")([a + b, 2 * x - 1])), name="net")


def test_shapes_show_the_batch_size_that_an_input_was_given():
    x, free = pynn.Input(batch_shape=(7, 3), name="x"), pynn.Input((3,))
    y = layers.Dense(4)(x)
    assert [each.shape for each in (x, y, 2 * y, y[:, 1:], layers.Reshape((2, 2))(y))] == [
        *[(7, 3), (7, 4), (7, 4), (7, 3), (7, 2, 2)]
    ]
    assert (free + x).shape == (7, 3)
    whole, state = layers.GRU(5, return_state=True)(pynn.Input((None, 2), batch_size=6))
    assert (whole.shape, state.shape) == ((6, 5), (6, 5))
    model = pynn.Model([x, free], [y, free + x])
    assert (model.input_shape, model.output_shape) == ([(7, 3), (7, 3)], [(7, 4), (7, 3)])
    again = pynn.Model.from_config(model.get_config())
    assert (again.inputs[0].shape, again.output_shape) == ((7, 3), model.output_shape)
    assert pynn.Sequential([x, layers.Dense(2)])(pynn.Input((3,))).shape == (None, 2)
    assert [each.shape for each in model.predict([np.ones((2, 3))] * 2)] == [(2, 4), (2, 3)]


def test_inputs_of_different_batch_sizes_do_not_meet():
    x, other = pynn.Input((3,), batch_size=7, name="x"), pynn.Input((3,), batch_size=6, name="other")
    with pytest.raises(ValueError, match=r"'both' .* the same batch_size, but there are 7 \('x'\) and 6 "):
        layers.Add(name="both")([x, other])


def test_symbolic_tensor_says_its_shape():
    x = pynn.Input((4, None), dtype="float64", name="x")
    assert (x.shape, x.dtype, x.name, x.ndim) == ((None, 4, None), "float64", "x", 3)
    assert repr(x) == "<SymbolicTensor shape=(None, 4, None), dtype=float64, name=x>"
    assert x == x.node.layer.output
    assert x not in [pynn.Input((4, None))]
    assert (x != 1.0).shape == x.shape
    for use in (bool, len, iter, np.asarray, float, int):
        with pytest.raises(TypeError, match=r"[Ss]ymbolic tensor"):
            use(x)


def test_layer_on_a_symbolic_tensor_is_built():
    layer = layers.Dense(3)
    y = layer(pynn.Input((4,)))
    assert y.shape == (None, 3)
    assert layer.built
    assert layer.kernel.shape == (4, 3)


def test_input_is_dense_and_must_be_given():
    assert pynn.Input((3,), sparse=None, ragged=False, optional=False).shape == (None, 3)
    assert layers.InputLayer((3,), sparse=False).batch_shape == (None, 3)
    assert layers.InputLayer(batch_shape=(7, None)).batch_shape == (7, None)
    for argument in ("sparse", "ragged", "optional"):
        with pytest.raises(ValueError, match=f"{argument}=True is not there"):
            pynn.Input((3,), **{argument: True})
        with pytest.raises(TypeError, match=f"{argument} must be True or False"):
            pynn.Input((3,), **{argument: "yes"})
    with pytest.raises(ValueError, match=r"batch_size or batch_shape, not both: 4 and \(2, 3\)"):
        pynn.Input(batch_size=4, batch_shape=(2, 3))


def test_layer_of_one_input_refuses_a_list_of_tensors():
    x = pynn.Input((4,))
    with pytest.raises(TypeError, match=r"'one' takes one input, but got a list of 2\. .*Concatenate"):
        layers.Dense(3, name="one")([x, x])


def test_functional_model_computes_what_its_layers_do():
    model = residual()
    twice, out = model.get_layer("twice"), model.get_layer("out")
    a = twice(X)
    expected = out(np.concatenate([a + twice(a), 2 * X - 1], axis=1))
    np.testing.assert_allclose(model(X), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model(X), model.predict(X, verbose=0))
    np.testing.assert_array_equal(model(inputs=X), model(X))
    np.testing.assert_array_equal(model(X)[3:4], model(X[3:4]))
    assert [layer.name for layer in model.layers] == ["x", "twice", "both", "out"]
    assert [weight.path for weight in model.weights] == ["twice/kernel", "twice/bias", "out/kernel", "out/bias"]
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))


def test_functional_chain_has_the_bits_of_a_sequential():
    def layers_of_both():
        return [layers.Dense(8, activation="relu"), layers.Dropout(0.5, seed=3), layers.Dense(2, activation="softmax")]

    y = RANDOM.integers(0, 2, 12)
    start, results = [RANDOM.standard_normal(shape) for shape in [(4, 8), (8,), (8, 2), (2,)]], []
    for functional in (False, True):
        if functional:
            tensor = x = pynn.Input((4,))
            for layer in layers_of_both():
                tensor = layer(tensor)
            model = pynn.Model(x, tensor)
        else:
            model = pynn.Sequential([pynn.Input((4,)), *layers_of_both()])
        model.set_weights(start)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, y, batch_size=5, epochs=3, shuffle=False, verbose=0)
        results.append(bits(model))
    assert results[0] == results[1]


@pytest.mark.parametrize("form", ["list", "tuple", "dict"])
def test_forms_of_inputs_and_outputs(form):
    p, q = pynn.Input((4,), name="p"), pynn.Input((3,), name="q")
    a, b = layers.Dense(2, name="a")(p), layers.Dense(2, name="b")(q)
    made = {"list": ([p, q], [a, b]), "tuple": ((p, q), (a, b)), "dict": ({"p": p, "q": q}, {"one": a, "two": b})}
    model = pynn.Model(*made[form])
    xs = [X, X[:, :3]]
    expected = [model.get_layer("a")(xs[0]), model.get_layer("b")(xs[1])]
    for given in (xs, tuple(xs), {"q": xs[1], "p": xs[0]}):
        got = model.predict(given, verbose=0)
        assert type(got).__name__ == form
        for one, other in zip(got.values() if form == "dict" else got, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    if form == "dict":
        assert list(got) == ["one", "two"]


def test_wrong_arrays_are_named():
    p, q = pynn.Input((4,), name="p"), pynn.Input((3,), name="q")
    model = pynn.Model([p, q], layers.Dense(2)(layers.concatenate([p, q])))
    for given, message in (
        ([X], r"x must be a list of 2 arrays, for 'p', 'q', but got 1"),
        (X, r"x must be a list of 2 arrays.*but got ndarray"),
        ({"p": X}, r"x must be a dict with the keys 'p', 'q', but has 'q' missing"),
        ({"p": X, "r": X}, r"x must be a dict.*'q' missing and 'r' left over"),
        ([X, X], r"x\[1\] must have the shape \(samples, 3\), but has \(12, 4\)"),
        ([X, X[:5, :3]], r"same number of samples, but x\[0\] has 12, x\[1\] has 5"),
        ([X, np.full((12, 3), np.nan)], r"x\[1\]\[0, 0\]"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            model.predict(given, verbose=0)


def test_operators():
    pynn.config.set_floatx("float64")
    x = RANDOM.uniform(0.5, 2, (5, 3, 4))
    y = RANDOM.uniform(0.5, 2, (5, 3, 1))
    square = RANDOM.uniform(0.5, 2, (5, 4, 2))
    a, b, c = pynn.Input((3, 4)), pynn.Input((3, 1)), pynn.Input((4, 2))
    row = np.arange(1.0, 5.0)
    for expression in (
        lambda a, b, c: a + b,
        lambda a, b, c: a - b,
        lambda a, b, c: b * a,
        lambda a, b, c: a / b,
        lambda a, b, c: a**b,
        lambda a, b, c: -a,
        lambda a, b, c: a @ c,
        lambda a, b, c: abs(a - 1),
        lambda a, b, c: pynn.activations.relu(a - 1),
        lambda a, b, c: pynn.activations.softmax(a),
        lambda a, b, c: 1 - a,
        lambda a, b, c: 2 / a,
        lambda a, b, c: 2**a,
        lambda a, b, c: a**2,
        lambda a, b, c: a**0.5,
        lambda a, b, c: a // b,
        lambda a, b, c: a % b,
        lambda a, b, c: a // 0.7,
        lambda a, b, c: 3 // a,
        lambda a, b, c: (a - 1) % 0.7,
        lambda a, b, c: 3 % a,
        lambda a, b, c: a < b,
        lambda a, b, c: a <= 1,
        lambda a, b, c: a > b,
        lambda a, b, c: a >= row,
        lambda a, b, c: row > a,
        lambda a, b, c: (a != 1) * a,
        lambda a, b, c: (a > 1) * a + (a <= 1) * b,
        lambda a, b, c: a + row,
        lambda a, b, c: row - a,
        lambda a, b, c: row[None, None] * a,
        lambda a, b, c: a[:, 0],
        lambda a, b, c: a[:, 1:, ::2],
        lambda a, b, c: a[:, -1, None, 3],
        lambda a, b, c: a[..., -1],
        lambda a, b, c: a[:, ::-1],
        lambda a, b, c: a[:],
    ):
        model = pynn.Model([a, b, c], expression(a, b, c))
        np.testing.assert_allclose(model([x, y, square]), expression(x, y, square), rtol=1e-12)
    assert all(isinstance(layer, layers.InputLayer) for layer in model.layers)  # operators are none, as in Keras


@pytest.mark.parametrize(
    ("shape", "product"),
    [
        ((4,), lambda x: x @ MATRIX),
        ((4,), lambda x: x @ MATRIX[:, 0]),
        ((3, 4), lambda x: x @ MATRIX),
        ((2, 3, 4), lambda x: x @ MATRIX),
        ((2, 3, 4), lambda x: x @ MATRIX[:, 0]),
        ((4, 3), lambda x: MATRIX.T @ x),
        ((2, 4, 3), lambda x: MATRIX.T @ x),
        ((2, 4, 3), lambda x: MATRIX[:, 0] @ x),
    ],
)
def test_products_with_arrays(shape, product):
    pynn.config.set_floatx("float64")
    x = RANDOM.uniform(-1, 1, (5, *shape))
    inputs = pynn.Input(shape)
    model = pynn.Model(inputs, product(inputs))
    expected = product(x)
    assert model.output_shape == (None, *expected.shape[1:])
    np.testing.assert_allclose(model(x), expected, rtol=1e-12, atol=1e-12)
    copy = pynn.Model.from_config(model.get_config())
    np.testing.assert_array_equal(copy(x), model(x))
    dy = RANDOM.uniform(-1, 1, expected.shape)
    _, dx = model.vjp(x, dy)  # the map is linear: its value along v is that of v, against dy
    v = RANDOM.uniform(-1, 1, x.shape)
    np.testing.assert_allclose((dx * v).sum(), (dy * product(v)).sum(), rtol=1e-12)


def test_products_with_arrays_in_training():
    inputs = pynn.Input((None, 4))
    through = pynn.Model(inputs, layers.Dense(1, use_bias=False, name="last")(layers.Dense(4)(inputs) @ MATRIX))
    inputs = pynn.Input((None, 4))
    beside = layers.Dense(2, use_bias=False)
    same = pynn.Model(inputs, layers.Dense(1, use_bias=False)(beside(layers.Dense(4)(inputs))))
    beside.trainable = False
    kernel, bias, last = through.get_weights()
    same.set_weights([kernel, bias, MATRIX, last])
    for model in (through, same):
        model.compile(pynn.optimizers.Adam(0.1), "mse")
        for length in (3, 5, 3):
            x = np.linspace(-1, 1, 4 * length * 4).reshape(4, length, 4)
            model.fit(x, x.sum(axis=-1, keepdims=True), epochs=2, batch_size=2, shuffle=False, verbose=0)
    for got, expected in zip(through.trainable_weights, same.trainable_weights, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected.numpy())
    assert len(through.weights) == 3


@pytest.mark.parametrize("expression", [lambda x, array: x * array, lambda x, array: x @ array])
def test_arrays_of_operators_are_taken_as_they_are_then(expression):
    inputs, array = pynn.Input((4,)), np.full(4, 2.0)
    model = pynn.Model(inputs, expression(inputs, array))
    array[:] = 5
    np.testing.assert_array_equal(model(np.ones((1, 4))), expression(np.ones((1, 4)), np.full(4, 2.0)))


def test_products_with_arrays_of_any_length():
    inputs = pynn.Input((None, 4))
    model = pynn.Model(inputs, inputs @ MATRIX)
    assert model.output_shape == (None, None, 2)
    for length in (1, 3):
        x = RANDOM.uniform(-1, 1, (2, length, 4))
        np.testing.assert_allclose(model(x), x @ MATRIX, rtol=1e-5, atol=1e-6)


def test_operators_refuse_what_does_not_fit():
    a, b = pynn.Input((3, 4), name="a"), pynn.Input((2,), name="b")
    for use, message in (
        (lambda: a + b, r"shapes \(3, 4\) and \(2,\)"),
        (lambda: a @ b, r"shapes \(3, 4\) and \(2,\)"),
        (lambda: a + np.ones((5, 3, 4)), "same for all samples"),
        (lambda: a + "b", "numbers"),
        (lambda: a[0], "must be ':'"),
        (lambda: a[:, 7], "out of bounds"),
        (lambda: a[:, "b"], "got str"),
        (lambda: a[:, 1:1], "takes nothing"),
        (lambda: a @ np.ones((3, 2)), r"samples of shape \(3, 4\) by a constant of shape \(3, 2\)"),
        (lambda: a @ np.ones((2, 4, 2)), "without the axis of the batch"),
        (lambda: a @ np.ones((4, 0)), r"constant of shape \(4, 0\)"),
        (lambda: a @ 2, r"constant of shape \(\)"),
        (lambda: np.ones((2, 4)) @ a, r"constant of shape \(2, 4\) by samples of shape \(3, 4\)"),
        (lambda: np.ones((2, 2)) @ b, "without the axis of the batch"),
        (lambda: a @ "b", "numbers"),
        (lambda: np.exp(a), r"numpy.exp takes no symbolic tensor.*ops\.exp"),
        (lambda: np.add(a, 1, where=True), "numpy.add takes no symbolic tensor"),
        (lambda: np.add.reduce(a), "numpy.add takes no symbolic tensor"),
        (lambda: np.concatenate([a, a]), "holds no numbers"),
        (lambda: b < a, r"shapes \(3, 4\) and \(2,\)|shapes \(2,\) and \(3, 4\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            use()


def test_models_share_layers_and_train_them():
    x = pynn.Input((4,))
    code = layers.Dense(2, activation="tanh", name="code")(x)
    back = layers.Dense(4, name="back")(code)
    encoder, both = pynn.Model(x, code), pynn.Model(x, back)
    z = pynn.Input((2,))
    decoder = pynn.Model(z, both.get_layer("back")(z))
    both.compile("adam", "mse")
    before = encoder(X)
    both.fit(X, X, epochs=2, verbose=0)
    assert (encoder(X) != before).any()
    np.testing.assert_array_equal(decoder(encoder(X)), both(X))
    assert encoder.weights[0] is both.weights[0]


def test_model_is_a_layer_of_another():
    inner = pynn.Sequential([layers.Dense(3, activation="relu"), layers.Dense(2)], name="inner")
    x = pynn.Input((4,))
    two = pynn.Model(x, [layers.Dense(2, name="left")(x), layers.Dense(3, name="right")(x)], name="two")
    left, right = two(x)
    outer = pynn.Model(x, layers.concatenate([inner(x), left, right, inner(x)]))
    assert inner.built
    expected = np.concatenate([inner(X), *two(X), inner(X)], axis=1)
    np.testing.assert_array_equal(outer(X), expected)
    assert len(outer.weights) == 8
    assert outer.get_layer("inner") is inner
    stacked = pynn.Sequential([pynn.Input((4,)), inner, layers.Dense(1)])
    assert stacked(X).shape == (12, 1)
    with pytest.raises(ValueError, match="part of another model"):
        inner.add(layers.Dense(2))
    with pytest.raises(ValueError, match="part of another model"):
        inner.pop()


def test_model_cut_out_of_another_has_inputs_of_its_own(capsys):
    """As in Keras; also in pictures, tables and copies of it."""
    x, other = pynn.Input((3,), name="x"), pynn.Input((4,), name="other")
    hidden = layers.Dense(4, name="hidden")(x)
    out = layers.Add(name="add")([layers.Dense(4, name="out")(hidden), other])
    model = pynn.Model([other, hidden], out)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Dense", "InputLayer", "Add"]
    assert [layer.name for layer in model.layers] == ["hidden", "out", "other", "add"]
    assert [port.name for port in model._require_layout().inputs.ports] == ["other", "hidden"]
    twin = pynn.Model.from_config(model.get_config())
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    twin.set_weights(model.get_weights())
    ones, numbers = np.ones((2, 4)), np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(model([ones, numbers]), model.layers[1](numbers) + 1)
    np.testing.assert_array_equal(twin([ones, numbers]), model([ones, numbers]))
    model.summary()
    assert "hidden[0][0]" in capsys.readouterr().out
    again = pynn.Model([hidden, x], layers.Add()([layers.Dense(4)(x), hidden]))
    assert [layer.name for layer in again.layers if isinstance(layer, layers.InputLayer)] == ["x", "hidden"]


def test_operations_are_layers_and_operators():
    x = pynn.Input((3,))
    model = pynn.Model(x, layers.Dense(2)(x) * 2)
    assert [type(each).__name__ for each in model.operations] == ["InputLayer", "Dense", "Arithmetic"]
    assert [each for each in model.operations if not each.is_operation] == model.layers


def test_layers_cannot_be_set():
    class Own(pynn.Model):
        def __init__(self):
            super().__init__()
            self.layers = [layers.Dense(2)]

        def call(self, x):
            return x

    x = pynn.Input((3,))
    with pytest.raises(AttributeError, match=r"Own.layers are the layers of the model.*another name"):
        Own()
    with pytest.raises(AttributeError, match=r"Model.layers are the layers of the model"):
        pynn.Model(x, layers.Dense(2)(x)).layers = []
    with pytest.raises(AttributeError, match=r"Use add\(\) and pop\(\)"):
        pynn.Sequential().layers = []


def test_model_cut_out_of_another():
    model = residual()
    middle = pynn.Model(model.input, model.get_layer("both").output)
    assert middle(X).shape == (12, 8)
    chain = pynn.Sequential([pynn.Input((4,)), layers.Dense(5, name="first"), layers.Dense(2)])
    features = pynn.Model(chain.input, chain.get_layer("first").output)
    np.testing.assert_array_equal(features(X), chain.layers[0](X))
    tail = pynn.Model(chain.layers[0].output, chain.output)
    np.testing.assert_array_equal(tail(features(X)), chain(X))


def test_frozen_base_stays_as_it_is():
    base = pynn.Sequential([pynn.Input((4,)), layers.Dense(5), layers.BatchNormalization()], name="base")
    around = pynn.Sequential([base])
    around.trainable = False
    assert not base.trainable_weights
    x = pynn.Input((4,))
    model = pynn.Model(x, layers.Dense(2)(around(x, training=False)))
    model.compile("adam", "mse")
    before = base.get_weights()
    model.fit(X, np.zeros((12, 2)), epochs=2, verbose=0)
    for one, other in zip(base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(model.trainable_weights) == 2


def test_freezing_reaches_models_in_models():
    x = pynn.Input((4,))
    innermost = pynn.Sequential([pynn.Input((4,)), layers.Dense(3)])
    inner = pynn.Model(x, layers.BatchNormalization()(innermost(x)))
    outer = pynn.Model(x, layers.Dense(2)(inner(x)))
    outer.compile("sgd", "mse")
    outer.trainable = False
    assert [model.trainable for model in (outer, inner, innermost)] == [False] * 3
    before = outer.get_weights()
    outer.fit(X, np.zeros((12, 2)), verbose=0)
    for one, other in zip(outer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    outer.trainable = True
    assert len(outer.trainable_weights) == 6
    inner.trainable = False
    innermost.layers[0].trainable = True
    assert [weight.path for weight in outer.trainable_weights] == [
        weight.path for layer in (innermost.layers[0], outer.layers[-1]) for weight in layer.weights
    ]


def test_models_in_a_model_work_as_it_does():
    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.norm = layers.BatchNormalization()

        def call(self, x, training=False):
            return self.norm(x, training=training)

    x = pynn.Input((4,))
    chain = pynn.Sequential([pynn.Input((4,)), layers.BatchNormalization()])
    graph = pynn.Model(x, layers.BatchNormalization()(x))
    expected = pynn.Model(x, layers.BatchNormalization()(x))(X, training=True)
    for inner in (chain, graph, Net()):
        model = pynn.Model(x, inner(x))
        np.testing.assert_array_equal(model(X, training=True), expected)
        assert model.layers[1].get_weights()[2].any()
        np.testing.assert_array_equal(inner(X), model(X))


def test_noise_layer_that_is_used_twice_draws_twice():
    x = pynn.Input((100,))
    drop = layers.Dropout(0.5, seed=1)
    model = pynn.Model(x, [drop(x), drop(x)])
    one, other = model(np.ones((3, 100), np.float32), training=True)
    assert (one != other).any()


def test_subclass_with_a_call():
    class Net(pynn.Model):
        def __init__(self, units):
            super().__init__()
            self.blocks = [layers.Dense(units, activation="relu") for _ in range(2)]
            self.head = layers.Dense(2)

        def call(self, x, training=False):
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    net = Net(3)
    assert net.name.startswith("net")
    assert len(net.layers) == 3
    assert not net.built
    y = net(X)
    np.testing.assert_array_equal(y, net.head(net.blocks[1](net.blocks[0](X))))
    assert [weight.shape for weight in net.weights] == [(4, 3), (3,), (3, 3), (3,), (3, 2), (2,)]
    net.compile("sgd", "mse")
    net.fit(X, np.zeros((12, 2)), verbose=0)
    for begin in ("fit", "train_on_batch", "evaluate"):  # built by what it is given first
        fresh = Net(3)
        fresh.compile("sgd", "mse")
        getattr(fresh, begin)(X, np.zeros((12, 2)))
        assert fresh.built
    assert Net(3)(X, training=True).shape == (12, 2)
    assert net.get_config() == {"units": 3}
    built = Net(3)
    built.build((None, 4))
    assert built.output_shape == (None, 2)
    nested = pynn.Model(x := pynn.Input((4,)), Net(3)(x))
    assert nested(X).shape == (12, 2)


def test_subclass_with_several_inputs_and_outputs():
    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = layers.Dense(2), layers.Dense(3)

        def call(self, inputs):
            p, q = inputs["p"], inputs["q"]
            return {"sum": self.one(p) + self.one(q), "two": self.two(q)}

    net = Net()
    made = net({"p": X, "q": 2 * X})
    assert {key: value.shape for key, value in made.items()} == {"sum": (12, 2), "two": (12, 3)}

    net = Net()  # compiled before it knows its outputs
    with pytest.raises(ValueError, match="Unknown metric 'nonsense'"):
        net.compile("sgd", {"two": "mse", "sum": "mae"}, metrics={"two": ["nonsense"]})
    net.compile("sgd", {"two": "mse", "sum": "mae"}, metrics={"two": ["mae"]})
    history = net.fit({"p": X, "q": X}, {"sum": np.ones((12, 2)), "two": np.ones((12, 3))}, verbose=0).history
    assert list(history) == ["loss", "two_loss", "sum_loss", "two_mae"]


def test_subclass_that_was_not_built_is_called_on_several_symbolic_tensors():
    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.embedding = layers.Embedding(5, 4)
            self.flatten = layers.Flatten()
            self.me = self  # which is no layer of it

        def call(self, x):
            return x["p"] * self.flatten(self.embedding(x["q"]))

    net, p, q = Net(), pynn.Input((4,)), pynn.Input((1,), dtype="int32")
    with pytest.raises(TypeError, match="must be a symbolic tensor"):
        net({"p": p, "q": 3})
    assert not net.built
    model, ids = pynn.Model([p, q], net({"p": p, "q": q})), np.arange(12).reshape(12, 1) % 5
    np.testing.assert_array_equal(model([X, ids]), X * net.embedding(ids)[:, 0])
    assert [type(layer).__name__ for layer in net.layers] == ["Embedding", "Flatten"]


def test_subclass_of_several_inputs_is_built_for_their_shapes():
    class Net(pynn.Model):
        def call(self, x):
            return layers.Add()([x[0], layers.Dense(4)(x[1])])

    net, shapes = Net(), [(None, 4), (None, 3)]
    assert net.compute_output_shape(shapes) == (None, 4)
    net = Net()
    net.build(shapes)
    assert net.input_shape == shapes
    for wrong in ([], [(None, 4), 3], [(None, 4), ()], [(None, "a")]):
        net = Net()
        with pytest.raises((TypeError, ValueError), match="input_shape"):
            net.build(wrong)
        assert not net.built


@pytest.mark.parametrize("known", [False, True])
def test_sequential_in_a_sequential_is_built_with_it(known):
    ids = RANDOM.integers(0, 5, (12, 4))
    for inner, x in (([layers.Dense(2)], X), ([layers.Embedding(5, 2), layers.Flatten()], ids)):
        inputs = [pynn.Input((4,))] * known
        model = pynn.Sequential([*inputs, pynn.Sequential(inner), layers.Dense(1)])
        assert model.built == inner[0].built == known
        found, expected = model(x), x
        for layer in (*inner, model.layers[-1]):
            expected = layer(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_function_without_gradient_is_named_also_as_an_operation():
    x = pynn.Input((4,))
    model = pynn.Model(x, pynn.activations.step(layers.Dense(2)(x)))
    model.compile(loss="mse")
    with pytest.raises(ValueError, match="step has no gradient"):
        model.fit(X, np.zeros((12, 2)), verbose=0)


def test_function_without_gradient_is_named_within_layers():
    class Steps(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((input_shape[-1], 2))

        def call(self, x):
            return pynn.activations.step(x @ self.w)

    class Inner(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.steps = layers.Dense(2, "step", name="steps")

        def call(self, x):
            return self.steps(x)

    for layer, name in (
        (Steps(name="own"), "own"),
        (Inner(), "steps"),
        (pynn.Sequential([pynn.Input((4,)), Inner()]), "steps"),
        (pynn.Sequential([pynn.Input((4,)), layers.Dense(2, "step", name="inner")]), "inner"),
    ):
        model = pynn.Sequential([pynn.Input((4,)), layer, layers.Dense(2)])
        model.compile(loss="mse")
        before = model.get_weights()
        with pytest.raises(ValueError, match=f"Layer '{name}': The activation step has no gradient"):
            model.fit(X, np.zeros((12, 2)), verbose=0)
        for a, b in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
        layer.trainable = False
        model.fit(X, np.zeros((12, 2)), verbose=0)
    last = pynn.Sequential([pynn.Input((4,)), pynn.Sequential([pynn.Input((4,)), layers.Dense(1, "step")])])
    last.compile(loss="perceptron")
    last.fit(X, np.zeros((12, 1)), verbose=0)


def test_subclass_in_a_sequential_without_an_input():
    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    assert pynn.Sequential([Net(), layers.Dense(3)])(X).shape == (12, 3)


def test_subclass_that_makes_its_layers_in_build():
    class Net(pynn.Model):
        def build(self, input_shape):
            self.seen = input_shape
            self.hidden = layers.Dense(input_shape[-1], "relu")
            self.hidden.build(input_shape)
            self.last = layers.Dense(2)
            super().build(input_shape)
            self.built = True

        def call(self, x):
            return self.last(self.hidden(x))

    class Two(pynn.Model):
        def build(self, input_shape):
            self.seen = input_shape
            self.one = layers.Dense(2)

        def call(self, inputs):
            return self.one(inputs["a"]) + self.one(inputs["b"])

    called, built, placed, fitted = Net(), Net(), Net(), Net()
    called(X)
    built.build((None, 4))
    pynn.Model(x := pynn.Input((4,)), placed(x))
    fitted.compile("sgd", "mse")
    fitted.fit(X, np.zeros((12, 2)), verbose=0)
    for net in (called, built, placed, fitted):
        assert net.seen == (None, 4)
        assert [layer.units for layer in net.layers] == [4, 2]
        assert len(net.weights) == 4
    net = Two()
    assert net({"a": X, "b": X}).shape == (12, 2)
    assert net.seen == {"a": (None, 4), "b": (None, 4)}

    class Fails(Net):
        def call(self, x):
            return self.last(x) + self.hidden(x)

    failing = Fails()
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(4,\)"):
        failing(X)
    assert not failing.built
    assert not hasattr(failing, "hidden")


def test_subclasses_that_go_wrong():
    class Forgets(pynn.Model):
        def __init__(self):
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    class CallsItself(pynn.Model):
        def call(self, x):
            return self(x)

    with pytest.raises(TypeError, match=r"Forgets\.__init__ does not call super\(\)\.__init__\(\)"):
        Forgets()
    for x in (X, pynn.Input((4,))):
        model = CallsItself()
        with pytest.raises(RuntimeError, match="from within"):
            model(x)
        assert not model.built


@pytest.mark.parametrize("name", ["train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"])
@pytest.mark.parametrize("mixed_in", [False, True])
def test_subclasses_cannot_change_what_a_step_is(name, mixed_in):
    """`fit` would pass over what the method says, and train something else."""
    method = {name: lambda self, *args: 0}
    bases, own = ((type("Mixin", (), method), pynn.Model), {}) if mixed_in else ((pynn.Sequential,), method)
    with pytest.raises(TypeError, match=f"Mine has a method {name}, .* needs another name"):
        type("Mine", bases, own)


def test_dicts_are_in_the_order_of_their_keys():
    """As in Keras, whatever the order in which they were written: layers, weights, lists of arrays and losses."""
    p, q = pynn.Input((4,), name="p"), pynn.Input((3,), name="q")
    late, early = layers.Dense(2, name="late")(q), layers.Dense(1, name="early")(p)
    unused = pynn.Input((1,), name="r")
    model = pynn.Model({"q": q, "p": p, "r": unused}, {"z": late, "a": early})
    assert [layer.name for layer in model.layers] == ["p", "q", "r", "early", "late"]
    assert [x.name for x in model.inputs] == ["p", "q", "r"]
    assert list(model([X, np.ones((12, 3)), np.ones((12, 1))])) == ["a", "z"]
    assert not model.compiled
    model.compile("sgd", ["mae", "mse"])
    assert model.compiled
    y = {"z": np.zeros((12, 2)), "a": np.zeros((12, 1))}
    x = {"p": X, "q": np.ones((12, 3)), "r": np.ones((12, 1))}
    assert model.evaluate(x, y, verbose=0)[1] == pytest.approx(np.abs(model(x)["a"]).mean(), rel=1e-5)
    model.compile("sgd", {"z": "mse", "a": "mae"})
    assert list(model.evaluate(x, y, verbose=0, return_dict=True)) == ["loss", "z_loss", "a_loss"]
    with pytest.raises(TypeError, match="outputs must have names as keys, but has 1"):
        pynn.Model(p, {1: early})


@pytest.mark.parametrize("network", ["chain", "convolution"])
def test_axes_of_any_length(network):
    if network == "chain":
        x = pynn.Input((None, 3))
        model = pynn.Model(x, layers.Dense(2)(layers.GlobalMaxPooling1D()(layers.Conv1D(4, 3, padding="same")(x))))
        shapes = [(5, 3), (9, 3), (5, 3), (1, 3)]
    else:
        x = pynn.Input((None, None, 3))
        y = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(layers.Conv2D(4, 3, activation="relu")(x)))
        model = pynn.Model(x, layers.Dense(2)(y))
        shapes = [(5, 6, 3), (9, 5, 3), (4, 4, 3)]
    assert model.input_shape == x.shape
    assert model.output_shape == (None, 2)
    model.compile("adam", "mse")
    for shape in [*shapes, *((number + 7, *shapes[0][1:]) for number in range(10))]:
        data = RANDOM.standard_normal((6, *shape)).astype(np.float32)
        fixed = pynn.Sequential([pynn.Input(shape), *model.layers[1:]])
        np.testing.assert_array_equal(model(data), fixed(data))
        model.evaluate(data, np.zeros((6, 2)), verbose=0)
    with pytest.raises(ValueError, match=r"x must have the shape \(samples, None.*3\), but has"):
        model(np.zeros((2, *shapes[0][:-1], 4)))


def test_layer_that_needs_a_known_size_says_so():
    x = pynn.Input((None, 3))
    with pytest.raises(ValueError, match=r"'head'.*known size.*kernel"):
        layers.Dense(2, name="head")(layers.Flatten()(x))
    with pytest.raises(ValueError, match=r"known size"):
        pynn.Sequential([pynn.Input((None, 3)), layers.Flatten(), layers.Dense(2)])


def test_connections_that_cannot_be_are_refused():
    a, b = pynn.Input((4,), name="a"), pynn.Input((4,), name="b")
    y = layers.Dense(2, name="y")(layers.add([a, b]))
    with pytest.raises(ValueError, match=r"need the input 'b'.*not among the inputs 'a'"):
        pynn.Model(a, y)
    with pytest.raises(ValueError, match="twice"):
        pynn.Model([a, a, b], y)
    with pytest.raises(ValueError, match="two layers of the name 'y'"):
        pynn.Model([a, b], [y, layers.Dense(2, name="y")(a)])
    with pytest.raises(ValueError, match="one dtype"):
        layers.add([a, pynn.Input((4,), dtype="float64")])


def test_config_round_trip():
    model = residual()
    for config in (model.get_config(), json.loads(json.dumps(model.get_config()))):
        twin = pynn.Model.from_config(config)
        twin.set_weights(model.get_weights())
        np.testing.assert_array_equal(twin(X), model(X))
        assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
        assert twin.get_config() == model.get_config()
    twin = pynn.models.model_from_json(model.to_json())
    assert twin.count_params() == model.count_params()
    with pytest.raises(ValueError, match="get_config"):
        pynn.Model.from_config({"name": "a"})


def test_config_of_models_in_models():
    inner = pynn.Sequential([pynn.Input((4,)), layers.Dense(3)], name="inner")
    p, q = pynn.Input((4,), name="p"), pynn.Input((None, 4), name="q")
    two = pynn.Model(p, {"u": inner(p), "v": layers.Dense(3)(p)}, name="two")
    made = two(p)
    pooled = layers.GlobalMaxPooling1D()(q)
    last = pynn.models.clone_model(inner)(pooled)
    model = pynn.Model({"p": p, "q": q}, [made["u"] - made["v"], last, layers.Dropout(0.5)(p, training=False)])
    twin = pynn.Model.from_config(json.loads(json.dumps(model.get_config())))
    twin.set_weights(model.get_weights())
    data = {"p": X, "q": RANDOM.standard_normal((12, 5, 4)).astype(np.float32)}
    for one, other in zip(twin(data), model(data), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(twin(data, training=True)[2], X)


def test_config_has_indices_as_plain_values():
    x = pynn.Input((4, 3))
    model = pynn.Model(x, [x[:, np.int64(1)], x[:, ..., 0], x[:, None, : np.int8(2)]])
    twin = pynn.Model.from_config(json.loads(json.dumps(model.get_config())))
    data = RANDOM.standard_normal((2, 4, 3)).astype(np.float32)
    for got, expected in zip(twin(data), [data[:, 1], data[..., 0], data[:, None, :2]], strict=True):
        np.testing.assert_array_equal(got, expected)


def places_in(value, way=()):
    """The ways to all values within `value`."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in entries:
        yield (*way, key)
        yield from places_in(each, (*way, key))


def test_damaged_config_is_refused_or_another_model():
    x = pynn.Input((4,), name="x")
    model = pynn.Model(x, layers.Add(name="sum")([layers.Dense(3, name="dense")(x), x[:, 1:]]))
    text = json.dumps(model.get_config())
    for way in places_in(json.loads(text)):
        for wrong in (None, 3, "q", [], {}, [None], [["x", 0, 0]]):
            config = json.loads(text)
            holder = config
            for key in way[:-1]:
                holder = holder[key]
            holder[way[-1]] = wrong
            with contextlib.suppress(TypeError, ValueError):
                pynn.Model.from_config(config)


def test_config_of_models_cut_out_at_a_layer_that_is_used_again():
    x, dense = pynn.Input((4,)), layers.Dense(4, name="dense")
    once = dense(x)
    pair = pynn.Model(x, [layers.Dense(4)(x), once], name="pair")
    first, second = pair(x)
    for model in (
        pynn.Model(once, dense(once)),
        pynn.Model([x, once], [dense(x), dense(once)]),
        pynn.Model([once, dense(once)], once - dense(once)),
        pynn.Model([first, second], first - second),
    ):
        twin = pynn.Model.from_config(json.loads(json.dumps(model.get_config())))
        twin.set_weights(model.get_weights())
        data = [X * (number + 1) for number in range(len(model.inputs))]
        np.testing.assert_array_equal(np.array(twin(data)), np.array(model(data)))
    with pytest.raises(ValueError, match="'pair_input' missing"):
        model({"pair": X})


def test_clone_has_weights_of_its_own():
    model = residual()
    twin = pynn.models.clone_model(model)
    assert twin.weights[0] is not model.weights[0]
    assert [weight.shape for weight in twin.weights] == [weight.shape for weight in model.weights]
    wide = pynn.models.clone_model(model, clone_function=lambda layer: type(layer).from_config(layer.get_config()))
    assert len(wide.weights) == 4
    with pytest.raises(TypeError, match="model must be"):
        pynn.models.clone_model(3)


def test_clone_function_may_change_the_layer_and_its_name():
    x = pynn.Input((4,))
    model = pynn.Model(x, layers.Dense(2, name="old")(x))
    assert pynn.models.clone_model(model, clone_function=lambda _: layers.Dense(7, name="new")).output_names == ["new"]
    for wrong in (3, lambda layer: None):
        with pytest.raises(TypeError, match="clone_function"):
            pynn.models.clone_model(model, clone_function=wrong)


@pytest.mark.parametrize("recursive", [False, True])
def test_clone_function_is_asked_for_layers_without_weights_and_for_those_of_models(recursive):
    """For those that Keras 3.15 asks it for, but for operators."""
    x = pynn.Input((4,))
    inner = pynn.Sequential([pynn.Input((4,)), layers.Dropout(0.5, name="inside"), layers.Dense(4)], name="inner")
    model = pynn.Model(x, layers.Dropout(0.5, name="outside")(inner(x) + 1))
    asked = []

    def lighter(layer):
        asked.append(type(layer).__name__)
        config = layer.get_config()
        return type(layer).from_config({**config, "rate": 0.25} if "rate" in config else config)

    twin = pynn.models.clone_model(model, clone_function=lighter, recursive=recursive)
    assert asked == (["Dropout", "Dense", "Dropout"] if recursive else ["Sequential", "Dropout"])
    assert twin.get_layer("outside").rate == 0.25
    assert twin.get_layer("inner").get_layer("inside").rate == (0.25 if recursive else 0.5)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(X), model(X))
    with pytest.raises(TypeError, match="recursive must be True or False"):
        pynn.models.clone_model(model, recursive="yes")


def test_part_of_a_subclass_that_is_not_in_use_has_no_weights():
    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)
            self.spare = pynn.Sequential([layers.Dense(3)])

        def call(self, x):
            return self.dense(x)

    net = Net()
    net(X)
    assert len(net.weights) == 2
    net.summary(print_fn=lambda text: None)


def test_summary_of_a_graph(capsys):
    residual().summary()
    text = capsys.readouterr().out
    assert "Connected to" in text
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    assert rows[0] == ["x (InputLayer)", "(None, 4)", "0", "-"]
    assert rows[1] == ["twice (Dense)", "(None, 4)", "20", "x[0][0], twice[0][0]"]
    assert rows[-1][0] == "out (Dense)"
    assert "Total params: 38" in text
    x = pynn.Input((4,))
    pynn.Model(x, layers.Dense(2)(x)).summary()
    assert "Connected to" not in capsys.readouterr().out


def test_summary_of_models_in_a_model():
    """The rows that Keras 3.15 has for the same program."""
    x = pynn.Input((4,), name="i")
    inner = pynn.Sequential(
        [
            pynn.Input((4,)),
            layers.Dense(3, name="a"),
            pynn.Sequential([pynn.Input((3,)), layers.Dense(2, name="b")], name="in"),
        ],
        name="s",
    )
    inner.layers[0].trainable = False
    model = pynn.Model(x, layers.Dropout(0.5, name="dr")(inner(x)))

    def rows(**options):
        lines = []
        model.summary(print_fn=lines.append, **options)
        return [
            tuple(cell[1:].rstrip() for cell in line.split("│")[1:-1]) for line in lines[0].splitlines() if "│" in line
        ]

    own = [("i (InputLayer)", "-"), ("s (Sequential)", "Y"), ("dr (Dropout)", "-")]
    within = [("   └ a (Dense)", "N"), ("   └ in (Sequential)", "Y"), ("      └ b (Dense)", "Y")]
    assert [(row[0], row[-1]) for row in rows(show_trainable=True)] == own
    assert [(row[0], row[-1]) for row in rows(expand_nested=True, show_trainable=True)] == [*own[:2], *within, own[2]]
    assert rows(expand_nested=True)[4] == ("      └ b (Dense)", "(None, 2)", "      8")
    with pytest.raises(TypeError, match="expand_nested must be True or False"):
        model.summary(expand_nested="yes")


def test_model_of_tensors_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        model = residual()
        model.compile("adam", "mse")
        model.fit(X, np.zeros((12, 2)), verbose=0)
        kept = weakref.ref(model), weakref.ref(model.layers[1])
        del model
        assert [each() for each in kept] == [None, None]
    finally:
        gc.enable()


def test_deep_networks():
    tensor = x = pynn.Input((4,))
    for _ in range(400):
        tensor = layers.add([layers.Dense(4, kernel_initializer="zeros")(tensor), tensor])
    model = pynn.Model(x, tensor)
    np.testing.assert_array_equal(model(X), X)
    assert len(model.layers) == 801


def test_layers_on_arrays():
    layer = layers.Dense(3)
    y = layer([[1.0, 2.0], [3.0, 4.0]])
    assert layer.built
    np.testing.assert_allclose(y, np.array([[1, 2], [3, 4]]) @ layer.kernel.numpy(), rtol=1e-6)
    assert layer(np.zeros((0, 2))).shape == (0, 3)
    with pytest.raises(ValueError, match="has weights for samples of shape"):
        layer(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="batch axis"):
        layers.ReLU()(3.0)
    drop = layers.Dropout(0.5)
    ones = np.ones((4, 50), np.float32)
    np.testing.assert_array_equal(drop(ones), ones)
    assert (drop(ones, training=True) != drop(ones, training=True)).any()
    norm = layers.BatchNormalization(momentum=0.5)
    norm(X, training=True)
    np.testing.assert_allclose(norm.moving_mean.numpy(), X.mean(0) / 2, rtol=1e-4, atol=1e-6)
    conv = layers.Conv1D(2, 3, padding="same")
    for length in (4, 9, 4, 1):
        assert conv(np.ones((2, length, 3))).shape == (2, length, 2)


def test_layer_on_ids_takes_large_ones_exactly_and_refuses_before_it_is_built():
    layer = layers.Embedding(2**24 + 2, 1)
    with pytest.raises(ValueError, match="whole number"):
        layer([[0.5]])
    assert not layer.built
    last = layer(np.array([[2**24 + 1]]))
    np.testing.assert_array_equal(last[0, 0], layer.embeddings.numpy()[-1])


@pytest.mark.parametrize("layer", [layers.Flatten(), layers.Embedding(3, 2), layers.Identity(), layers.Add()])
def test_layer_refuses_samples_without_a_number(layer):
    empty = np.ones((2, 0))
    with pytest.raises(ValueError, match=r"must have a number in each sample, but their shape is \(0,\)"):
        layer([empty, empty] if layer.takes_list else empty)
    assert not layer._is_built


def test_layer_forgets_calls_whose_results_are_gone():
    x, layer = pynn.Input((4,)), layers.Dense(2)
    y = [layer(x) for _ in range(3)][1]
    assert list(layer._nodes.values()) == [y.node]
    assert layer.output == y


def test_one_of_two_models_trains_while_the_other_predicts():
    """They share weights: a prediction sees those of a finished step, or is refused."""
    x = pynn.Input((4,))
    code = layers.Dense(64, activation="tanh")(x)
    encoder, both = pynn.Model(x, code), pynn.Model(x, layers.Dense(4)(code))
    both.compile("adam", "mse")
    data = np.repeat(X, 200, axis=0)
    both.fit(data, data, verbose=0)
    encoder(X)
    refused, errors, ended = [], [], threading.Event()

    def predict():
        while not ended.is_set():
            try:
                assert np.isfinite(encoder(X)).all()
            except RuntimeError as error:
                refused.append(str(error))
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        both.fit(data, data, epochs=3, verbose=0)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not errors
    assert all("trained" in message for message in refused)
    np.testing.assert_array_equal(encoder(X), both.layers[1](X))


def test_penalty_of_a_shared_layer_counts_once():
    """keras#8807, tf#43995: L1(1.) on a layer of two inputs, SGD(.25)."""
    a, b = pynn.Input((1,)), pynn.Input((1,))
    settings = {"use_bias": False, "kernel_initializer": "ones", "kernel_regularizer": pynn.regularizers.L1(1.0)}
    shared = layers.Dense(1, **settings)
    model = pynn.Model([a, b], layers.Subtract()([shared(a), shared(b)]))
    model.compile(pynn.optimizers.SGD(0.25), "mse")
    assert model.train_on_batch([np.ones((2, 1))] * 2, np.zeros((2, 1))) == 1
    np.testing.assert_allclose(model.get_weights()[0], 0.75)
