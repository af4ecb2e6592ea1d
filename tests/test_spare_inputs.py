"""Dicts of inputs that have more than a model takes: the rest is left aside, with a warning."""

import warnings

import numpy as np
import pytest
from helpers import bits

import pynn
from pynn import layers

RANDOM = np.random.default_rng(6)
A, B, Y = (RANDOM.normal(size=(12, size)).astype(np.float32) for size in (4, 3, 1))


def net(form):
    """A model of the inputs "a" and "b" in a list or dict, or of "a" alone."""
    pynn.set_random_seed(3)
    a, b = pynn.Input((4,), name="a"), pynn.Input((3,), name="b")
    both = layers.Concatenate()([a, b])
    inputs, x = {
        "single": (a, a),
        "dict of one": ({"a": a}, a),
        "list": ([a, b], both),
        "dict": ({"a": a, "b": b}, both),
        "dict of other keys": ({"first": a, "second": b}, both),
        "nested": ([[a], b], both),
    }[form]
    model = pynn.Model(inputs, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    return model


GIVEN = {
    "single": {"a": A},
    "dict of one": {"a": A},
    "list": {"a": A, "b": B},
    "dict": {"a": A, "b": B},
    "dict of other keys": {"first": A, "second": B},
    "nested": {"a": A, "b": B},
}
MORE = {"more": RANDOM.normal(size=(5, 7)), "text": ["no", "numbers"]}


class Batches(pynn.utils.PyDataset):
    """Batches of 4 samples, three of them."""

    def __init__(self, x, y=None):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 3

    def __getitem__(self, number):
        part = slice(4 * number, 4 * number + 4)
        x = {name: each[part] for name, each in self.x.items()}
        return (x,) if self.y is None else (x, self.y[part])


CALLS = {
    "fit": lambda model, x: model.fit(x, Y, epochs=2, batch_size=4, verbose=0, shuffle=False).history,
    "evaluate": lambda model, x: model.evaluate(x, Y, verbose=0),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "predict by batches": lambda model, x: model.predict(x, batch_size=4, steps=2, verbose=0),
    "call": lambda model, x: model(x),
    "call in training": lambda model, x: model(x, training=True),
    "train_on_batch": lambda model, x: model.train_on_batch(x, Y),
    "test_on_batch": lambda model, x: model.test_on_batch(x, Y),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
    "gradients": lambda model, x: model.gradients(x, Y)[0],
    "fit on batches": lambda model, x: model.fit(Batches(x, Y), epochs=3, verbose=0).history,
    "evaluate batches": lambda model, x: model.evaluate(Batches(x, Y), verbose=0),
    "predict batches": lambda model, x: model.predict(Batches(x), verbose=0),
}


def called(call, model, x):
    """What a call gives, and the warnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call(model, x)
    return result, found


@pytest.mark.parametrize("form", GIVEN)
@pytest.mark.parametrize("kind", CALLS)
def test_rest_is_left_aside(form, kind):
    """As in Keras, which warns once in a call, too."""
    x, more = GIVEN[form], MORE
    if "batches" in kind:
        more = {"more": RANDOM.normal(size=(12, 7))}
    model, other = net(form), net(form)
    expected, none = called(CALLS[kind], other, x)
    result, found = called(CALLS[kind], model, {**more, **x})
    assert none == []
    assert len(found) == 1
    assert found[0].category is UserWarning
    assert found[0].filename == __file__
    names = ", ".join(map(repr, x))
    every = ", ".join(map(repr, [*more, *x]))
    left = ", ".join(map(repr, more))
    assert str(found[0].message).endswith(f" has the keys {every}, but the model takes {names}: {left} is left aside.")
    np.testing.assert_equal(result, expected)
    assert bits(model) == bits(other)


def test_validation_data_are_named():
    model = net("list")
    spare = {"a": A, "b": B, "c": B}
    _, found = called(lambda model, x: model.fit([A, B], Y, validation_data=(x, Y), epochs=3, verbose=0), model, spare)
    assert [str(each.message).partition(" has")[0] for each in found] == ["validation_data: x"]
    batches = Batches(spare, Y)
    _, found = called(lambda model, x: model.fit(x, validation_data=x, epochs=3, verbose=0), model, batches)
    names = [str(each.message).partition(" has")[0] for each in found]
    assert sorted(names) == ["a batch of validation_data: x", "a batch of x: x"]
    for call in (lambda model, x: model.evaluate(x, verbose=0), lambda model, x: model.predict(x, verbose=0)):
        (found,) = called(call, model, batches)[1]
        assert str(found.message).partition(" has")[0] == "a batch of x: x"


def test_symbolic_tensors():
    model, x = net("dict"), {"a": pynn.Input((4,)), "b": pynn.Input((3,))}
    made, found = called(lambda model, x: model(x), model, {**x, "c": pynn.Input((2,))})
    assert [str(each.message) for each in found] == [
        "inputs has the keys 'a', 'b', 'c', but the model takes 'a', 'b': 'c' is left aside."
    ]
    whole = pynn.Model(x, made)
    np.testing.assert_array_equal(whole.predict({"a": A, "b": B}, verbose=0), model([A, B]))


def test_axes_of_any_length():
    a = pynn.Input((None, 2), name="a")
    model = pynn.Model({"a": a}, layers.LSTM(1)(a))
    for length in (3, 5):
        x = {"a": RANDOM.normal(size=(2, length, 2)), "b": A}
        made, found = called(lambda model, x: model.predict(x, verbose=0), model, x)
        assert len(found) == 1
        np.testing.assert_array_equal(made, model.predict(x["a"], verbose=0))


def test_subclass_goes_by_the_inputs_that_it_was_built_for():
    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.end = layers.Dense(1)

        def call(self, x):
            return self.end(x["a"])

    model = Net()
    expected = model({"a": A})
    made, found = called(lambda model, x: model(x), model, {"a": A, "b": B})
    np.testing.assert_array_equal(made, expected)
    assert len(found) == 1


@pytest.mark.parametrize("kind", CALLS)
def test_what_is_missing_stays_an_error(kind):
    model = net("dict")
    before = bits(model)
    with pytest.raises(
        ValueError, match="must be a dict with the keys 'a', 'b', but has 'b' missing and 'c' left over"
    ):
        CALLS[kind](model, {"a": A, "c": B})
    assert bits(model) == before


def test_targets_and_nests_must_fit():
    """As in Keras."""
    given = pynn.Input((4,))
    model = pynn.Model(given, {"p": layers.Dense(1)(given), "q": layers.Dense(1)(given)})
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"y must be a dict.*'r' left over"):
        model.fit(A, {"p": Y, "q": Y, "r": Y}, verbose=0)
    with pytest.raises(ValueError, match=r"x\[0\] must be a list of 1 values, but has 2"):
        net("nested").predict([[A, A], B], verbose=0)
    inputs = {"p": {"q": pynn.Input((4,))}, "r": [pynn.Input((3,))]}
    model = pynn.Model(inputs, layers.Concatenate()([inputs["p"]["q"], inputs["r"][0]]))
    with pytest.raises(ValueError, match="x must"):
        model.predict({"p": {"q": A}, "r": [B], "e": B}, verbose=0)
