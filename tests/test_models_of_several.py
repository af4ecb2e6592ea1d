"""Subclasses of Model whose `call` takes several inputs one by one."""

import pickle

import numpy as np
import pytest

import pynn
from pynn import layers

X, Z = (np.sin(np.arange(1, 1 + 6 * n) * 1.7).reshape(6, n) for n in (5, 2))
Y = np.ones((6, 3))


@pynn.saving.register_keras_serializable("models_of_several")
class Gated(pynn.Model):
    def __init__(self, **named):
        super().__init__(**named)
        self.value, self.gate = layers.Dense(3), layers.Dense(3, activation="sigmoid")

    def call(self, x, z, training=False):
        y = self.value(x) * self.gate(z)
        return 2 * y if training else y

    def expected(self, x, z):
        return self.value(x) * self.gate(z)


@pynn.saving.register_keras_serializable("models_of_several")
class OfList(pynn.Model):
    def __init__(self, **named):
        super().__init__(**named)
        self.dense = layers.Dense(3)

    def call(self, inputs):
        x, z = inputs
        return self.dense(x) * layers.concatenate([z, z[:, :1]])


@pytest.fixture(autouse=True)
def _in_float64():
    pynn.config.set_floatx("float64")


def test_calls_on_arrays():
    model = Gated()
    y = model(X, Z)
    np.testing.assert_allclose(y, model.expected(X, Z), rtol=1e-12)
    for found in (model(X, z=Z), model(z=Z, x=X), model.predict((X, Z), verbose=0), model.predict_on_batch([X, Z])):
        np.testing.assert_array_equal(found, y)
    np.testing.assert_allclose(model(X, Z, training=True), 2 * y, rtol=1e-12)
    assert [w.name for w in model.weights] == ["kernel", "bias"] * 2


def test_calls_on_symbolic_tensors():
    x, z = pynn.Input((5,)), pynn.Input((2,))
    inner = Gated()
    model = pynn.Model([x, z], layers.Dense(3)(inner(x, z)))
    model.compile("sgd", "mse")
    before = inner.get_weights()
    model.fit([X, Z], Y, verbose=0)
    assert all((one != other).all() for one, other in zip(inner.get_weights(), before, strict=True))
    np.testing.assert_allclose(model([X, Z]), model.layers[-1](inner.expected(X, Z)), rtol=1e-12)
    always = pynn.Model([x, z], inner(x, z, training=False))
    always.compile("sgd", "mse")
    loss = np.mean((inner.expected(X, Z) - Y) ** 2)  # not that of training
    assert always.train_on_batch([X, Z], Y) == pytest.approx(loss, rel=1e-10)


def test_training_takes_a_tuple_of_them():
    model = Gated()
    model.compile("sgd", "mse")
    first = model.fit((X, Z), Y, epochs=5, verbose=0).history["loss"]
    assert first[-1] < first[0]
    assert model.evaluate([X, Z], Y, verbose=0) == pytest.approx(np.mean((model(X, Z) - Y) ** 2), rel=1e-10)


def test_part_of_another_call():
    class Outer(pynn.Model):
        def __init__(self):
            super().__init__()
            self.inner = Gated()

        def call(self, x, z):
            return self.inner(x, z=z) + 1

    model = Outer()
    np.testing.assert_allclose(model(X, Z), model.inner.expected(X, Z) + 1, rtol=1e-12)


def test_build_gets_a_shape_of_each():
    class Built(Gated):
        def build(self, x_shape, z_shape):
            self.shapes = x_shape, z_shape

    for build in (lambda model: model.build((None, 5), (None, 2)), lambda model: model.build([(None, 5), (None, 2)])):
        model = Built()
        build(model)
        assert model.shapes == ((None, 5), (None, 2))
        assert len(model.weights) == 4
    plain = Gated()
    plain.build([(None, 5), (None, 2)])
    assert plain.built


def test_files_and_copies():
    x, z = pynn.Input((5,)), pynn.Input((2,))
    model = Gated()
    model(X, Z)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(X, Z), model(X, Z))
    for outer in (pynn.Model([x, z], Gated()(x, z)), pynn.Model([x, z], OfList()([x, z]))):
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(outer))([X, Z]), outer([X, Z]))
        assert pynn.models.clone_model(outer).predict([X, Z], verbose=0).shape == (6, 3)


def test_subclass_may_take_one_again():
    class One(Gated):
        def call(self, x):
            return self.value(x)

    model = One()
    np.testing.assert_allclose(model(X), model.value(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda model: model(X), "is called on x, z, each once, but got x"),
        (lambda model: model(), "is called on x, z, each once, but got nothing"),
        (
            lambda model: model(X, Z, True),
            "but got 3 in their places. Beside these it takes training and mask",
        ),
        (lambda model: model(X, x=X), "but got x, x"),
        (lambda model: model(X, Z, y=X), "but got x, z, y"),
        (lambda model: model.predict(X), r"takes x, z, but got one input.*as a tuple, \(x, z\)"),
        (lambda model: model.predict([X, Z, X]), "takes x, z, but got 3 in a list"),
        (lambda model: model.predict({"x": X, "y": Z}), "takes x, z, but got 2 in a dict"),
        (lambda model: model.build((None, 5)), "takes x, z, but got one input"),
    ],
)
def test_other_inputs_are_refused(use, message):
    model = Gated()
    with pytest.raises(TypeError, match=message):
        use(model)
    assert not model.built


def test_inputs_have_the_names_of_the_call():
    model = Gated()
    model.compile("sgd", "mse")
    first = model.predict({"x": X, "z": Z}, verbose=0)
    np.testing.assert_array_equal(first, model(X, Z))
    np.testing.assert_array_equal(first, model.predict({"z": Z, "x": X}, verbose=0))
    for x, error, message in (
        (X, TypeError, "x must be a tuple of 2 arrays, for 'x', 'z', or a dict of them, but got ndarray"),
        ([X, Z, X], ValueError, "x must be a tuple of 2 arrays, for 'x', 'z', but got 3"),
        ({"x": X}, ValueError, "x must be a dict with the keys 'x', 'z', but has 'z' missing"),
    ):
        with pytest.raises(error, match=message):
            model.fit(x, Y)


def test_validation_without_targets():
    class Adds(Gated):
        def call(self, x, z):
            y = self.value(x) * self.gate(z)
            self.add_loss(pynn.ops.mean(y**2))
            return y

    model = Adds()
    model.compile("sgd")
    model.fit((X, Z), validation_data=((X, Z),), verbose=0)
    assert model.history.history["val_loss"] == [pytest.approx(np.mean(model(X, Z) ** 2), rel=1e-10)]


class Optional(pynn.Model):
    def call(self, a, b=None):
        return a if b is None else a + b


class OptionalBesideTwo(pynn.Model):
    def call(self, a, c, training=False, *, b=2.0):
        return (a + c) * b


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: Optional()(X, X), "is called on a, the arguments of its call that have no default.*b of its call"),
        (lambda: Optional()(X, b=X), "b of its call cannot be given"),
        (lambda: Optional()(pynn.Input((5,)), b=X), "b of its call cannot be given"),
        (
            lambda: OptionalBesideTwo()(X, X, b=3.0),
            "but got a, c, b.*must be an argument of its call without a default",
        ),
    ],
)
def test_arguments_with_a_default_are_no_inputs(use, message):
    with pytest.raises(TypeError, match=message):
        use()


def test_arguments_with_a_default_keep_it():
    class AllOptional(pynn.Model):
        def call(self, a=None, b=1.0):
            return a + b

    np.testing.assert_array_equal(AllOptional()(X), X + 1)
    np.testing.assert_array_equal(Optional()(X), X)
    np.testing.assert_array_equal(Optional()(X, True), X)
    np.testing.assert_allclose(OptionalBesideTwo()(X, c=X, training=True), 4 * X)


def test_call_that_needs_an_argument_by_name_is_refused():
    with pytest.raises(TypeError, match=r"The call of ByName needs z by name.*Write it before the \*"):

        class ByName(pynn.Model):
            def call(self, x, *, z):
                return x + z


def test_call_that_needs_a_mask_is_refused():
    with pytest.raises(TypeError, match="The call of Masked needs a mask"):

        class Masked(pynn.Model):
            def call(self, x, mask):
                return x
