"""Layers of one's own: what their call computes and how it learns, weights that are added, and that nothing is half
made. The same programs with Keras's numbers are in graph_programs_layers.py."""

import numpy as np
import pytest
from helpers import SIZES, THREADS, close_gradient

import pynn
from pynn import layers, ops


class Linear(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

    def call(self, inputs):
        return inputs @ self.w + self.b

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Formula(layers.Layer):
    """``formula(x, *weights)``, the weights of these shapes."""

    def __init__(self, formula, shapes, **kwargs):
        super().__init__(**kwargs)
        self.formula, self.shapes = formula, shapes

    def build(self, input_shape):
        values = pynn.initializers.RandomUniform(0.5, 1.5, seed=3)
        self.own = [self.add_weight(shape, values, name=f"w{i}") for i, shape in enumerate(self.shapes)]

    def call(self, x):
        return self.formula(x, *self.own)


def sigmoid(x):
    return pynn.activations.sigmoid(x)


# What is computed, as NumPy computes it of the values; shape of the samples, shapes of the weights.
FORMULAS = {
    "matrix": (lambda x, w: x @ w, (3,), [(3, 4)]),
    "matrix, more axes": (lambda x, w: x @ w, (2, 5, 3), [(3, 4)]),
    "vector": (lambda x, w: x @ w, (2, 3), [(3,)]),
    "matrix in front": (lambda x, w: w @ x, (3, 2), [(4, 3)]),
    "vector in front": (lambda x, w: w @ x, (3, 2), [(3,)]),
    "matrix of an expression": (lambda x, w: x @ (w * w), (2, 3), [(3, 4)]),
    "matrix of an expression, one axis": (lambda x, w: x @ (1 - w), (3,), [(3, 4)]),
    "product of weights": (lambda x, v, w: x @ (v @ w), (3,), [(3, 4), (4, 2)]),
    "weight twice": (lambda x, w: (x @ w) @ w + x * w[0], (3,), [(3, 3)]),
    "sum": (lambda x, w: x + w, (5, 3), [(3,)]),
    "sum, weight first": (lambda x, w: w + x, (3,), [(3,)]),
    "sum of a matrix": (lambda x, w: x + w, (2, 3), [(2, 3)]),
    "axis of one": (lambda x, w: x - w, (2, 3), [(2, 1)]),
    "axis for the samples": (lambda x, w: w * x, (3,), [(1, 3)]),
    "number": (lambda x, w: w * x, (3,), [()]),
    "one minus": (lambda x, w: x * (1 - w) ** 2 / 3, (3,), [(3,)]),
    "array first": (lambda x, w: x * (np.arange(3.0) * w), (3,), [(3,)]),
    "rows and columns": (lambda x, w: x * w[0] + w[1, :] - w[:, 1][0], (3,), [(2, 3)]),
    "absolute": (lambda x, w: abs(-w) * x, (3,), [(3,)]),
    "divided": (lambda x, w: x / w - w / (x * x + 1), (3,), [(3,)]),
    "powers": (lambda x, w: w ** (x / 4) + 2**w, (3,), [(3,)]),
    "new axis": (lambda x, w: x[:, :, None] * w, (3,), [(4,)]),
    "gate": (lambda x, w: x * sigmoid(x @ w), (3,), [(3, 3)]),
    "softmax of weights": (lambda x, w: x * pynn.activations.softmax(w), (2, 3), [(2, 3)]),
    "transposed": (lambda x, w: x @ ops.transpose(w), (3,), [(4, 3)]),
    "axes in another order": (lambda x, w: x * ops.transpose(w, (1, -1, 0))[0], (2, 3), [(3, 1, 2)]),
    "axes exchanged": (lambda x, w: x @ ops.swapaxes(w, 0, 1), (3,), [(4, 3)]),
    "axes moved": (lambda x, w: x @ ops.moveaxis(w, 0, -1), (3,), [(4, 3)]),
    "another shape": (lambda x, w: x @ ops.reshape(w, (3, -1)) * ops.reshape(w, -1)[:2], (3,), [(2, 3)]),
    "new axes": (lambda x, w: x + ops.expand_dims(ops.expand_dims(w, 0), -1)[:, :, 0], (3,), [(3,)]),
    "axes of one left out": (lambda x, w: x + ops.squeeze(w) + ops.squeeze(w, 0)[:, 0], (3,), [(1, 3, 1)]),
    "sums": (lambda x, w: x * ops.sum(w, axis=0) + ops.sum(w, 1, keepdims=True), (2, 3), [(2, 3)]),
    "means and largest": (lambda x, w: (x * ops.mean(w, (0, -1)) - ops.max(w)) / ops.mean(w), (2,), [(2, 2, 3)]),
    "least": (lambda x, w: x * ops.min(w, 0), (3,), [(2, 3)]),
    "standardised": (lambda x, w: x @ ((w - ops.mean(w, 0)) / ops.std(w, 0)) + ops.var(w), (3,), [(3, 2)]),
    "normalised": (lambda x, w: ops.normalize(x) @ ops.normalize(w, axis=0) / ops.norm(w), (3,), [(3, 2)]),
    "logarithm of a sum": (lambda x, w: x * ops.logsumexp(w, axis=0), (3,), [(2, 3)]),
    "one behind the other": (lambda x, v, w: x @ ops.concatenate([v, w * v], axis=-1), (3,), [(3, 2), (3, 2)]),
    "side by side": (lambda x, v, w: x * ops.stack([v, w])[1] + ops.stack([v, w], 1)[0, 1], (3,), [(3,), (3,)]),
    "parts": (lambda x, w: x * ops.split(w, 2)[1] + ops.split(w, [1], axis=0)[0], (3,), [(2, 3)]),
    "rows": (lambda x, w: x * ops.take(w, [[2, 0], [0, 1]], axis=0)[0], (2, 3), [(3, 3)]),
    "repeated": (lambda x, w: x * ops.repeat(w, 2, axis=0) + ops.tile(w, (2, 1)), (2, 3), [(1, 3)]),
    "moved and turned": (lambda x, w: x * ops.roll(w, 1, axis=0) + ops.flip(w), (3,), [(3,)]),
    "repeated along its axes": (lambda x, w: x * ops.broadcast_to(w, (4, 2, 3))[3], (2, 3), [(2, 1)]),
    "row in front": (
        lambda x, w: ops.concatenate([ops.broadcast_to(w, (ops.shape(x)[0], 1, 3)), x], 1),
        (2, 3),
        [(1, 1, 3)],
    ),
    "row in front, repeated": (
        lambda x, w: ops.concatenate([ops.repeat(w, ops.shape(x)[0], axis=0), x], 1),
        (2, 3),
        [(1, 1, 3)],
    ),
    "rows behind": (
        lambda x, w: ops.concatenate([x, ops.tile(w, (ops.shape(x)[0], 2, 1))], 1),
        (2, 3),
        [(1, 2, 3)],
    ),
    "rows for each sample": (
        lambda x, w: ops.broadcast_to(w, (ops.shape(x)[0], 4, 3)) @ ops.transpose(x, (0, 2, 1)),
        (2, 3),
        [(4, 3)],
    ),
    "tensordot": (lambda x, w: ops.tensordot(x, w, axes=1), (2, 3), [(3, 2, 4)]),
    "einsum": (lambda x, w: ops.einsum("bqd,dhk->bqhk", x, w), (2, 3), [(3, 2, 4)]),
    "einsum, two axes summed over": (lambda x, w: ops.einsum("bqd,qdk->bk", x, w), (2, 3), [(2, 3, 4)]),
    "einsum of an array": (
        lambda x, w: ops.einsum("bqd,dk->bqk", x, np.arange(12.0).reshape(3, 4)) * w,
        (2, 3),
        [(4,)],
    ),
    "einsum of a vector": (lambda x, w: ops.einsum("bqd , d -> bq", x, w), (2, 3), [(3,)]),
    "einsum, weight first": (lambda x, w: ops.einsum("jkdi,bki->bjkd", w, x), (2, 3), [(2, 2, 4, 3)]),
    "einsum, shared axis": (lambda x, w: ops.einsum("...hi,iho->...ho", x, w), (2, 3), [(3, 2, 4)]),
    "einsum of an expression": (lambda x, w: ops.einsum("bqd,dk->bkq", x, w * w), (2, 3), [(3, 2)]),
    "einsum, summed over before": (lambda x, w: ops.einsum("bqd,dk->bk", x, w), (2, 3), [(3, 2)]),
    "einsum, more of the weight": (lambda x, w: ops.einsum("bqd,dkl->bqk", x, w), (2, 3), [(3, 2, 2)]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula_is_that_of_numpy(name):
    formula, shape, weights = FORMULAS[name]
    layer = Formula(formula, weights, dtype="float64")
    x = np.random.default_rng(1).normal(size=(5, *shape))
    y = layer(x)
    assert [weight.shape for weight in layer.weights] == weights
    expected = formula(x, *layer.get_weights())
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-14)


def expect_gradients(model, x, y):
    """The gradients of the loss for all weights, against central differences."""
    _, gradients = model.gradients(x, y)
    for gradient, weight in zip(gradients, model.trainable_weights, strict=True):
        value, numeric = weight.numpy(), np.empty(weight.shape)
        for index in np.ndindex(weight.shape):
            sides = []
            for step in (1e-6, -1e-6):
                moved = value.copy()
                moved[index] += step
                weight.assign(moved)
                sides.append(model.gradients(x, y)[0])
            numeric[index] = (sides[0] - sides[1]) / 2e-6
        weight.assign(value)
        assert close_gradient(numeric, gradient).all(), weight.path


@pytest.mark.parametrize("name", FORMULAS)
def test_formula_has_gradients(name):
    formula, shape, weights = FORMULAS[name]
    inputs = pynn.Input(shape, dtype="float64")
    model = pynn.Model(inputs, Formula(formula, weights)(layers.Dense(shape[-1], activation="tanh")(inputs)))
    model.compile("sgd", "mse")
    random = np.random.default_rng(2)
    x = random.normal(size=(4, *shape))
    expect_gradients(model, x, random.normal(size=model(x).shape))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameter_as_a_tensor_at_every_length(n, dtype, random):
    """Values and gradients of the op alone: dw is the sum of dy over the samples."""
    layer = Formula(lambda x, w: 0 * x + w, [(n,)], dtype=dtype)
    model = pynn.Sequential([pynn.Input((n,)), layer])
    for samples in SIZES:
        x, dy = random.normal(size=(2, samples, n)).astype(dtype)
        np.testing.assert_array_equal(model(x), np.broadcast_to(layer.own[0].numpy(), x.shape))
        (dw,), _ = model.vjp(x, dy)
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(dw, dy.astype(np.float64).sum(axis=0), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["weight twice", "gate", "rows and columns", "matrix of an expression, one axis"])
def test_bits_are_those_of_one_thread(name):
    formula, _, _ = FORMULAS[name]
    n = 33
    random = np.random.default_rng(3)
    x, y = random.normal(size=(2, 1000, n)).astype(np.float32)
    found = []
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(1)
        own = Formula(formula, [(n, n)])
        model = pynn.Sequential([pynn.Input((n,)), layers.Dense(n), own, layers.Dense(n)])
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=300, epochs=2, verbose=0)
        found.append([weight.tobytes() for weight in model.get_weights()] + [model.predict(x, verbose=0).tobytes()])
    assert all(each == found[0] for each in found)


def test_own_layer_is_one_of_pynn():
    """In a Sequential, a model of tensors and a subclass, Linear and Dense make the same of the same weights."""
    random = np.random.default_rng(4)
    x, y = random.normal(size=(20, 5)), random.normal(size=(20, 3))

    class Network(pynn.Model):
        def __init__(self, layer):
            super().__init__()
            self.hidden, self.last = layer(4), layer(3)

        def call(self, x):
            return self.last(pynn.activations.relu(self.hidden(x)))

    def functional(layer):
        inputs = pynn.Input((5,))
        return pynn.Model(inputs, layer(3)(pynn.activations.relu(layer(4)(inputs))))

    def sequential(layer):
        return pynn.Sequential([layer(4), layers.ReLU(), layer(3)])

    pynn.config.set_floatx("float64")
    start = [random.normal(size=shape) for shape in ((5, 4), (4,), (4, 3), (3,))]
    found = []
    for make in (sequential, functional, Network):
        for layer in (Linear, layers.Dense):
            model = make(layer)
            model.build((None, 5))
            model.set_weights(start)
            model.compile("adam", "mse")
            model.fit(x, y, batch_size=8, epochs=3, verbose=0, shuffle=False)
            found.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
    for each in found[1:]:
        np.testing.assert_allclose(each, found[0], rtol=1e-12)


# ---- weights ---------------------------------------------------------------------------------------------------------


def test_build_ends_as_in_keras():
    """By setting `built`, or by that of Layer, or not at all."""

    class Own(Linear):
        def build(self, input_shape):
            super().build(input_shape)
            self.built = True
            layers.Layer.build(self, input_shape)

    layer = Own(2)
    assert not layer.built
    assert layer(np.ones((3, 4))).shape == (3, 2)
    assert layer.built
    for made in (layer, pynn.Sequential([layer]), layers.Dense(1)):
        with pytest.raises(ValueError, match=rf"'{made.name}': built is True once .* cannot be set to False"):
            made.built = False


def test_weights_come_in_keras_order():
    class Mine(layers.Layer):
        def __init__(self):
            super().__init__(name="mine")
            self.inner = [layers.Dense(2, name="a"), {"key": layers.Dense(2, name="b")}]

        def build(self, input_shape):
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")
            self.w = self.add_weight(shape=(2,), initializer="ones")
            self.v = self.add_variable((2,), "ones")

        def call(self, x):
            return self.inner[1]["key"](self.inner[0](x)) * self.w * self.v + self.count

    layer = Mine()
    assert layer.weights == []
    assert not layer.built
    layer.build((None, 3))
    assert [weight.path for weight in layer.weights] == [
        *("mine/variable_1", "mine/variable_2", "mine/count"),
        *("a/kernel", "a/bias", "b/kernel", "b/bias"),
    ]
    assert layer.non_trainable_weights == [layer.count]
    assert layer.count_params() == 5 + 8 + 6
    assert layer.input_shape == (None, 3)
    assert layer.output_shape == (None, 2)


def test_layers_come_in_the_order_in_which_they_are_held():
    """As in Keras: not in that of the names, nor of the lists, where these are filled later, or come anew with more."""

    def dense(name):
        return layers.Dense(3, name=name)

    class Holding:
        def __init__(self, first):
            super().__init__()
            self.last = None
            self.many, self.more = [], {}
            self.first, self.again = first, [first]
            self.second = 2
            for number in range(2):
                self.many.append(dense(f"many_{number}"))
                self.more[f"more_{number}"] = dense(f"more_{number}")
            self.many += [dense("many_2")]
            parts = [dense("part_0"), dense("part_1")]
            self.between = dense("between")
            self.parts = parts
            self.behind = dense("behind")
            self.parts = [*self.parts, dense("part_2")]

        def build(self, input_shape):
            self.second = dense("second")
            self.last = dense("last")

        def call(self, x):
            x = self.first(x) + self.second(x) + self.last(x) + self.between(x) + self.behind(x)
            for each in [*self.many, *self.more.values(), *self.parts]:
                x = each(x)
            return x

    class OfLayer(Holding, layers.Layer):
        pass

    class OfModel(Holding, pynn.Model):
        pass

    expected = ["first", "many_0", "more_0", "many_1", "more_1", "many_2"]
    expected += ["between", "part_0", "part_1", "behind", "part_2"]
    for kind in (OfLayer, OfModel):
        made = kind(dense("first"))
        made(np.ones((2, 3)))
        assert [weight.path.partition("/")[0] for weight in made.weights[::2]] == [*expected, "second", "last"]
    assert [layer.name for layer in made.layers] == [*expected, "second", "last"]


def test_layer_that_takes_the_place_of_another_comes_last():
    class Replacing(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a = layers.Dense(3, name="a")
            self.b = layers.Dense(3, name="b")
            self.b = self.b
            self.a = layers.Dense(3, name="c")

        def call(self, x):
            return self.a(self.b(x))

    layer = Replacing()
    layer(np.ones((2, 3)))
    assert [weight.path for weight in layer.weights] == ["b/kernel", "b/bias", "c/kernel", "c/bias"]


class Specified(layers.Layer):
    def __init__(self, spec):
        super().__init__()
        self.input_spec = spec

    def call(self, inputs):
        return layers.add(inputs) if isinstance(inputs, list) else inputs * 2


FITTING = [
    (pynn.InputSpec(), (4,)),
    (pynn.InputSpec(ndim=3), (4, 5)),
    (pynn.InputSpec(max_ndim=3, min_ndim=2), (4,)),
    (pynn.InputSpec(axes={-1: 5, 1: 4}), (4, 5)),
    (pynn.InputSpec(axes={-1: None}), (4,)),
    (pynn.InputSpec("int32", (7, None, 5)), (4, 5)),
    (pynn.InputSpec(shape=(None, 4, 1), allow_last_axis_squeeze=True), (4,)),
    (pynn.InputSpec(shape=(None, 4), allow_last_axis_squeeze=True), (4, 1)),
]


@pytest.mark.parametrize(("spec", "shape"), FITTING, ids=str)
def test_input_that_fits_its_spec(spec, shape):
    np.testing.assert_array_equal(Specified(spec)(np.ones((2, *shape))), np.full((2, *shape), 2))
    assert Specified(spec)(pynn.Input((None,) * len(shape))).shape == (None,) * (len(shape) + 1)
    twin = pynn.InputSpec.from_config(spec.get_config())
    assert twin.get_config() == spec.get_config()
    assert str(twin) == str(spec)


@pytest.mark.parametrize(
    ("spec", "shape", "wanted"),
    [
        (pynn.InputSpec(ndim=3), (4,), "3 axes"),
        (pynn.InputSpec(max_ndim=2), (4, 5), "at most 2 axes"),
        (pynn.InputSpec(min_ndim=3), (4,), "at least 3 axes"),
        (pynn.InputSpec(axes={-1: 5}), (4,), "the size 5 along axis -1"),
        (pynn.InputSpec(axes={2: 5}), (5,), "the size 5 along axis 2"),
        (pynn.InputSpec(shape=(None, 4)), (5,), r"the shape \(None, 4\)"),
        (pynn.InputSpec(shape=(None, 4), allow_last_axis_squeeze=True), (4, 2), r"the shape \(None, 4\)"),
    ],
)
def test_input_that_does_not_fit_its_spec(spec, shape, wanted):
    layer = Specified(spec)
    for x in (np.ones((2, *shape)), pynn.Input(shape)):
        with pytest.raises(ValueError, match=f"'{layer.name}'.*the input must have {wanted}, but got"):
            layer(x)
        assert not layer.built


def test_input_spec_holds_for_every_call():
    class Fixed(layers.Layer):
        def build(self, input_shape):
            self.input_spec = [pynn.InputSpec(axes={1: input_shape[0][1]}), None]

        def call(self, inputs):
            return inputs[0] + inputs[1]

    layer = Fixed()
    layer([np.ones((2, 4, 3)), np.ones((2, 4, 3))])
    assert layer([np.ones((2, 4, 5)), np.ones((2, 1, 5))]).shape == (2, 4, 5)
    with pytest.raises(ValueError, match=r"inputs\[0\] must have the size 4 along axis 1, but got \(None, 1, 3\)"):
        layer([np.ones((2, 1, 3)), np.ones((2, 4, 3))])
    layer.input_spec = [None]
    with pytest.raises(ValueError, match="has an input_spec of 1 inputs, but got 2"):
        layer([np.ones((2, 4, 7)), np.ones((2, 4, 7))])
    layer.input_spec = (None, 4)
    with pytest.raises(TypeError, match="input_spec must be an InputSpec or a list of them"):
        layer([np.ones((2, 4, 7)), np.ones((2, 4, 7))])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ndim": 0}, "ndim"),
        ({"min_ndim": "two"}, "min_ndim"),
        ({"shape": 4}, "shape must be the shape of a batch"),
        ({"axes": 3}, "axes must be a dict of sizes"),
        ({"axes": {"last": 3}}, "axis"),
        ({"axes": {1: 0}}, r"axes\[1\]"),
        ({"ndim": 2, "axes": {2: 3}}, "axes has the axis 2, but there are 2 axes at most"),
        ({"dim": 2}, r"InputSpec\(\) has no argument 'dim'"),
    ],
)
def test_bad_input_spec(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        pynn.InputSpec(**arguments)


def test_penalties_and_constraints_hold():
    class Mine(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((3,), "ones", regularizer=pynn.regularizers.L2(0.5), name="w")
            self.v = self.add_weight((3,), "ones", constraint="non_neg", name="v")

        def call(self, x):
            return x * self.w * self.v

    layer = Mine(dtype="float64")
    model = pynn.Sequential([pynn.Input((3,)), layer])
    model.compile(pynn.optimizers.SGD(10.0), "mse")
    assert layer.losses == model.losses == [1.5]
    x = np.ones((2, 3))
    assert model.evaluate(x, x, verbose=0) == 1.5
    model.train_on_batch(x, x - 5)
    np.testing.assert_array_equal(layer.v.numpy(), 0)
    np.testing.assert_allclose(layer.w.numpy(), 1 - 10 * (2 * 5 / 3 + 2 * 0.5))


class Parameters(layers.Layer):
    """Weights, and a layer with more of them, for the call of another one."""

    def __init__(self):
        super().__init__()
        self.w = self.add_weight((3,), "ones", name="w")
        self.more = layers.Layer()
        self.more.b = self.more.add_weight((3,), name="b", initializer="zeros")


class UsesParameters(layers.Layer):
    def __init__(self, **base):
        super().__init__(**base)
        self.parameters = Parameters()

    def call(self, x):
        return x * self.parameters.w + self.parameters.more.b


def test_layer_without_a_call_has_weights(tmp_path):
    layer, x = UsesParameters(), np.ones((2, 3), np.float32)
    assert [w.name for w in layer.parameters.weights] == ["w", "b"]
    model = pynn.Sequential([pynn.Input((3,)), layer])
    assert model.weights == layer.parameters.weights
    model.compile("sgd", "mse")
    model.train_on_batch(x, 2 * x)
    assert all((w.numpy() != start).all() for w, start in zip(model.weights, (1, 0), strict=True))
    model.save(tmp_path / "model.pynn")
    again = pynn.load_model(tmp_path / "model.pynn", custom_objects={"UsesParameters": UsesParameters})
    np.testing.assert_array_equal(again(x), model(x))
    layer.trainable = False
    assert model.trainable_weights == []
    with pytest.raises(NotImplementedError, match="computes nothing"):
        layer.parameters(x)
    for one_of_pynn in (layers.Dense(3), layers.TimeDistributed(layers.Dense(3))):
        with pytest.raises(TypeError, match="cannot add weights: only layers of one's own and models"):
            one_of_pynn.add_weight((3,))


class Twice(layers.Layer):
    def __init__(self, factor=2, **base):
        super().__init__(**base)
        self.factor = factor

    def call(self, x):
        return [self.factor * x, x]


def test_penalty_for_what_an_own_layer_makes():
    """That of each output, divided by the samples, as in Keras; also of a layer within, and of a copy."""

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.within = Twice(activity_regularizer="l2")

        def call(self, x):
            return self.within(x)

    x, start = np.full((4, 3), 2.0), pynn.Input((3,))
    layer = Twice(factor=3, activity_regularizer=pynn.regularizers.L1L2(0.1, 0.01))
    for own, factor, l1, l2 in (
        (layer, 3, 0.1, 0.01),
        (Twice.from_config(layer.get_config()), 3, 0.1, 0.01),
        (Outer(), 2, 0, 0.01),
        (Twice(), 2, 0, 0),
    ):
        y = own(start)
        model = pynn.Model(start, y)
        model.compile("sgd", ["mse", "mse"])
        wanted = sum(l1 * abs(out).sum() + l2 * (out**2).sum() for out in (factor * x, x)) / 4
        assert model.evaluate(x, [factor * x, x], verbose=0)[0] == pytest.approx(wanted, rel=1e-6)
    assert "activity_regularizer" not in Twice().get_config()
    with pytest.raises(ValueError, match="Unknown activity_regularizer"):
        Twice(activity_regularizer="l3")


def test_frozen_layer_stays():
    class Mine(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(3)

        def build(self, input_shape):
            self.w = self.add_weight((3,), "ones")

        def call(self, x):
            return self.dense(x) * self.w

    layer = Mine(trainable=False)
    model = pynn.Sequential([pynn.Input((3,)), layer, layers.Dense(1)])
    assert [weight.trainable for weight in model.weights] == [False] * 3 + [True] * 2
    model.compile("sgd", "mse")
    before = layer.get_weights()
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
    for one, other in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    layer.trainable = True
    assert layer.dense.trainable
    assert len(layer.trainable_weights) == 3
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
    assert (layer.w.numpy() != 1).all()


def test_initial_values_are_drawn_once_and_in_order():
    """However often a layer is tried before it is built, the seed gives the weights that Dense layers would have."""

    class Mine(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((input_shape[-1], 3), "glorot_uniform", name="w")
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x @ self.w)

    pynn.set_random_seed(5)
    plain = pynn.Sequential([layers.Dense(3, use_bias=False), layers.Dense(2)])
    plain(np.ones((1, 4)))
    pynn.set_random_seed(5)
    own = pynn.Sequential([Mine()])
    assert own.layers[0].compute_output_shape((None, 4)) == (None, 2)
    assert not own.layers[0].built
    own(np.ones((1, 4)))
    for one, other in zip(plain.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_build_may_use_and_set_values():
    class Mine(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((3,), "random_normal", name="w")
            self.start = self.w.numpy()
            self.v = self.add_weight((3,), "random_normal", name="v")
            self.v.assign([1, 2, 3])
            self.dense = layers.Dense(3)
            self.dense.build((None, 3))
            self.dense.set_weights([np.eye(3), np.zeros(3)])

        def call(self, x):
            return self.dense(x) * self.w * self.v

    layer = Mine()
    y = layer(np.ones((1, 3)))
    assert (layer.start != 0).all()
    np.testing.assert_array_equal(layer.w.numpy(), layer.start)
    np.testing.assert_allclose(y, [layer.start * [1, 2, 3]], rtol=1e-6)


BAD_WEIGHTS = [
    ({"shape": (2, None)}, ValueError, "shape must have a known size"),
    ({"shape": (2, 0)}, ValueError, "shape must be"),
    ({"shape": (2**30, 2**30)}, ValueError, "more elements than memory can hold"),
    ({"initializer": "none_such"}, ValueError, "Unknown initializer"),
    ({"dtype": "float64"}, ValueError, "dtype must be that of layer 'mine(_[0-9]+)?', float32, but got 'float64'"),
    ({"dtype": "int32"}, ValueError, "int32"),
    ({"trainable": 2}, TypeError, "trainable must be True or False"),
    ({"regularizer": "l3"}, ValueError, "Unknown regularizer"),
    ({"constraint": 3}, TypeError, "constraint must be"),
    ({"aggregation": "all"}, ValueError, "aggregation must be one of"),
    ({"name": "a b"}, ValueError, "name must be"),
    ({"nam": "a"}, TypeError, "has no argument 'nam'. Did you mean 'name'"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_WEIGHTS, ids=str)
def test_bad_weights_are_refused(arguments, error, message):
    class Mine(layers.Layer):
        def build(self, input_shape):
            self.kept = self.add_weight((2,), "ones")
            self.w = self.add_weight(**{"shape": (2,), **arguments})

        def call(self, x):
            return x * self.w

    layer = Mine()
    before = dict(vars(layer))
    with pytest.raises(error, match=message):
        layer.build((None, 2))
    assert vars(layer) == before


def test_arguments_without_effect_are_taken():
    class Mine(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(
                (2,), "ones", "float32", autocast=False, aggregation="mean", overwrite_with_gradient=True
            )

        def call(self, x):
            return x * self.w

    np.testing.assert_array_equal(Mine(autocast=False)(np.ones((1, 2))), [[1, 1]])
    with pytest.raises(TypeError, match="autocast must be True or False"):
        Mine(autocast="no")


def test_functions_in_a_call_are_no_layers_of_the_model_and_count_for_no_names():
    def shuffled(x):
        halves = ops.split(ops.transpose(ops.reshape(x, (-1, 2, 3)), (0, 2, 1)), 3, axis=1)
        return ops.reshape(ops.concatenate(halves, axis=1), (-1, 6))

    class Shuffled(layers.Layer):
        def call(self, x):
            return shuffled(x)

    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(shuffled(shuffled(x)))

    pynn.backend.clear_session(free_memory=False)
    model = pynn.Sequential([pynn.Input((6,)), Shuffled(), layers.Reshape((3, 2)), layers.Permute((2, 1))])
    assert [layer.name for layer in model.layers] == ["shuffled", "reshape", "permute"]
    net = Net()
    net(np.ones((2, 6)))
    assert net.layers == [net.dense]
