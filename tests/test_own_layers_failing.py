"""Layers of one's own: what a call cannot do, and that whoever fails leaves nothing half made."""

import threading

import numpy as np
import pytest
from helpers import bits
from test_interrupts import SHORT, Interrupt, places
from tiers import slow

import pynn
from pynn import layers


class Scale(layers.Layer):
    """``x * w``"""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1],), "ones", name="w")

    def call(self, x):
        return x * self.w


# ---- what a call cannot do -------------------------------------------------------------------------------------------

WRONG_FORMULAS = [
    (lambda self, x: x + np.exp(self.w), TypeError, "has no values where a call is traced"),
    (lambda self, x: x + self.w.numpy(), TypeError, "has no values where a call is traced"),
    (lambda self, x: self.w.assign([1, 2, 3]), TypeError, "is assigned to in a call"),
    (lambda self, x: self.w.assign_add(x), TypeError, "is assigned to in a call"),
    (lambda self, x: self.w, TypeError, "must return a symbolic tensor .* but returned a weight"),
    (lambda self, x: 2 * self.w, TypeError, "the same for all samples"),
    (lambda self, x: None, TypeError, "returned NoneType"),
    (lambda self, x: [], TypeError, "at least one symbolic tensor"),
    (lambda self, x: layers.Flatten()(2 * self.w) + x, TypeError, "made of weights alone"),
    (lambda self, x: x + layers.Dense(3)(x), ValueError, "uses the weight dense.*/kernel in call"),
    (lambda self, x: x + self.add_weight((3,)), ValueError, "adds a weight in call"),
    (lambda self, x: self(x), TypeError, "calls itself"),
    (lambda self, x: x if x else -x, TypeError, "neither true nor false"),
    (lambda self, x: x + np.ones((2, 3)), ValueError, "same for all samples"),
    (lambda self, x: x @ self.wide, ValueError, r"cannot multiply samples of shape \(3,\) by the weight"),
    (lambda self, x: x * self.wide, ValueError, "does not go together"),
    (lambda self, x: self.wide @ x, ValueError, "cannot multiply"),
    (lambda self, x: 1 / 0, ZeroDivisionError, "division"),
    (lambda self, x: self.dense(x)[:, 9], ValueError, "cannot take part"),
]


class Failing(layers.Layer):
    """A layer whose call ends badly, after it made all that a layer can make."""

    def __init__(self, formula, **kwargs):
        super().__init__(**kwargs)
        self.formula, self.found, self.w = formula, [], None
        self.dense = layers.Dense(2)

    def build(self, input_shape):
        self.found.append("built")
        self.w = self.add_weight((input_shape[-1],), "ones")
        self.wide = self.add_weight((5, 3), "ones")
        self.inner = layers.Dense(2)
        self.inner.build(input_shape)

    def call(self, x):
        self.dense(x)
        return self.inner(x) if self.formula is None else self.formula(self, x)


def expect_untouched(layer):
    assert not layer.built
    assert not layer.dense.built
    assert layer.found == []
    assert layer.w is None
    assert layer.weights == []
    assert not {"wide", "inner", "_own_weights", "_done"} & set(vars(layer))


@pytest.mark.parametrize(("formula", "error", "message"), WRONG_FORMULAS, ids=range(len(WRONG_FORMULAS)))
def test_failing_call_leaves_all_as_it_was(formula, error, message):
    inputs = pynn.Input((3,))
    model = pynn.Sequential([inputs, layers.Dense(3)])
    for attempt in (
        lambda layer: layer(np.ones((2, 3))),
        lambda layer: layer(inputs),
        lambda layer: layer.build((None, 3)),
        model.add,
        lambda layer: layer.compute_output_shape((None, 3)),
        lambda layer: pynn.Sequential([layer])(np.ones((2, 3))),
    ):
        layer, before = Failing(formula), bits(model)
        with pytest.raises(error, match=message):
            attempt(layer)
        expect_untouched(layer)
        assert bits(model) == before
        assert len(model.layers) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
def test_failing_build_leaves_all_as_it_was(error):
    class Mine(Failing):
        def build(self, input_shape):
            super().build(input_shape)
            raise error("stop")

    layer = Mine(None)
    with pytest.raises(error, match="stop"):
        layer(np.ones((2, 3)))
    expect_untouched(layer)


def test_failing_later_layer_leaves_all_as_it_was():
    layer = Failing(None)
    with pytest.raises(ValueError, match="axis=5"):
        pynn.Sequential([pynn.Input((3,)), layer, layers.Softmax(axis=5)])
    expect_untouched(layer)
    for formula, message in (
        (lambda _, x: layer(x), "Make the layer that has it an attribute"),
        (lambda _, x: layer(x) @ 3, "cannot multiply samples"),
    ):
        outer = Failing(formula)
        with pytest.raises((TypeError, ValueError), match=message):
            outer(np.ones((2, 3)))
        expect_untouched(outer)
        expect_untouched(layer)
    layer(np.ones((2, 3)))  # and all is well afterwards
    assert layer.found == ["built"]
    assert layer.dense.built
    assert layer.inner.built


def test_failing_initializer_leaves_all_as_it_was():
    class Broken(pynn.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            raise RuntimeError("no values")

    class Mine(Failing):
        def build(self, input_shape):
            super().build(input_shape)
            self.broken = self.add_weight((3,), Broken())

    layer = Mine(lambda self, x: x + self.broken)
    with pytest.raises(RuntimeError, match="no values"):
        layer(np.ones((2, 3)))
    expect_untouched(layer)


def test_two_threads_build_one_layer():
    for _ in range(50):
        layer, found, begin = Scale(), [], threading.Barrier(2)

        def build(layer=layer, found=found, begin=begin):
            begin.wait()
            found.append(pynn.Sequential([pynn.Input((3,)), layer]))

        threads = [threading.Thread(target=build) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 2
        assert layer.weights == [layer.w] == found[0].weights == found[1].weights
        layer.w.assign([1, 2, 3])
        for model in found:
            np.testing.assert_array_equal(model(np.ones((1, 3))), [[1, 2, 3]])


def test_weights_are_added_at_their_time():
    layer = Scale()
    layer(np.ones((1, 2)))
    with pytest.raises(ValueError, match="is built already"):
        layer.add_weight((2,))
    with pytest.raises(TypeError, match="Dense is neither"):
        layers.Dense(2).add_weight((2,))

    class Early(layers.Layer):
        def __init__(self):
            self.w = self.add_weight((2,))
            super().__init__()

        def call(self, x):
            return x

    with pytest.raises(TypeError, match="before super"):
        Early()
    with pytest.raises(
        TypeError, match=r"Mine: LSTM cannot be extended by a call or build\. Write a subclass of pynn\.layers"
    ):

        class Mine(layers.LSTM):
            def call(self, x):
                return x


class Called:
    def __call__(self, x):
        return 2 * super().__call__(x)


def call(self, x):
    return x


@pytest.mark.parametrize(
    ("bases", "methods"),
    [
        ((layers.Layer,), {"__call__": Called.__call__, "call": call}),
        ((layers.Dense,), {"__call__": Called.__call__}),
        ((Called, layers.Dense), {}),
        ((pynn.Model,), {"__call__": Called.__call__, "call": call}),
        ((Called, pynn.Sequential), {}),
    ],
)
def test_layers_and_models_have_no_other_call(bases, methods):
    """It would be left out without a word."""
    with pytest.raises(TypeError, match="Mine: a layer or model of one's own has no __call__"):
        type("Mine", bases, methods)


def test_layer_with_weights_takes_no_arrays_in_a_call():
    """They would be what its weights are before they have values."""

    class Table(pynn.Model):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def call(self, x):
            return x + self.layer(np.ones((1, 4)))[0]

    inner = pynn.Sequential([layers.Dense(4)])
    for layer in (layers.Dense(4), Scale(), layers.BatchNormalization(), inner):
        with pytest.raises(TypeError, match="on arrays where a call is traced"):
            Table(layer)(np.ones((2, 4)))
        assert not layer.built
        layer(np.ones((2, 4)))
        with pytest.raises(TypeError, match="on arrays where a call is traced"):
            Table(layer)(np.ones((2, 4)))
    np.testing.assert_array_equal(Table(layers.ReLU())(np.ones((2, 4))), np.full((2, 4), 2))


def test_what_build_computes_on_trial_is_not_kept():
    """Its layers have their initial values as it runs, and keep no network of weights that are taken back."""

    class Started(layers.Layer):
        def __init__(self, fails):
            super().__init__()
            self.inner, self.fails = layers.Dense(3), fails

        def build(self, input_shape):
            self.start = self.inner(np.ones((1, 4)))

        def call(self, x):
            if self.fails:
                raise KeyError("of its own")
            return self.inner(x) - self.start[0]

    layer, failing = Started(False), Started(True)
    np.testing.assert_array_equal(layer(np.ones((2, 4))), np.zeros((2, 3)))
    assert layer.start.any()
    with pytest.raises(KeyError):
        failing(np.ones((2, 4)))
    assert not failing.inner.built
    np.testing.assert_array_equal(failing.inner(np.ones((1, 4)))[0], failing.inner.get_weights()[0].sum(0))


def test_weights_are_arrays_outside_of_calls():
    layer = layers.Dense(3)
    layer(np.ones((1, 2)))
    w = layer.kernel.numpy()
    for found, expected in (
        (layer.kernel + 1, w + 1),
        (1 - layer.kernel, 1 - w),
        (np.ones((4, 2)) @ layer.kernel, np.ones((4, 2)) @ w),
        (np.arange(3) * layer.kernel, np.arange(3) * w),
        (np.exp(layer.kernel), np.exp(w)),
        (abs(-layer.kernel[0]), abs(w[0])),
        (pynn.activations.relu(layer.kernel), pynn.activations.relu(w)),
    ):
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match="in the call of a layer"):
        pynn.Input((3,)) @ layer.kernel


class ByValue(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], 3), initializer="ones")

    def call(self, inputs):
        return inputs @ self.w.value


def test_value_of_a_weight_is_symbolic_in_a_call():
    layer = ByValue()
    np.testing.assert_array_equal(layer(np.ones((1, 2))), [[2, 2, 2]])
    layer.w.assign(np.full((2, 3), 5))
    np.testing.assert_array_equal(layer(np.ones((1, 2))), [[10, 10, 10]])


# ---- interrupts ------------------------------------------------------------------------------------------------------


def building_calls():
    return {
        "call": lambda layer: layer(np.ones((2, 3))),
        "add": pynn.Sequential([pynn.Input((3,)), layers.Dense(3)]).add,
        "fit": fitted,
    }


def fitted(layer):
    model = pynn.Sequential([layer])
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)


def interrupt_each(name, every):
    building_calls()[name](Failing(None))  # what only the first call in a process does is not tested here
    layer, call = Failing(None), building_calls()[name]
    numbers = places(lambda: call(layer))
    assert len(numbers) > 300
    for n in numbers[::every]:
        layer, call = Failing(None), building_calls()[name]
        interrupt = Interrupt(n)
        interrupt.call(lambda layer=layer, call=call: call(layer))
        assert interrupt.was_raised
        if not layer.built:
            expect_untouched(layer)
        y = layer(np.ones((2, 3), np.float32))
        np.testing.assert_array_equal(y, layer.inner(np.ones((2, 3), np.float32)))
        assert layer.found == ["built"]
        assert len(layer.weights) == 6
        assert all((weight.numpy() != 0).any() for weight in (layer.w, layer.dense.kernel, layer.inner.kernel))


@pytest.mark.parametrize("name", ["add", *slow("call", "fit")])
def test_interrupt_at_some_lines_leaves_a_layer_built_or_unbuilt(name):
    interrupt_each(name, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["call", "add", "fit"])
def test_interrupt_at_every_line_leaves_a_layer_built_or_unbuilt(name):
    interrupt_each(name, 1)
