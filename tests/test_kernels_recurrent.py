"""SimpleRNN, LSTM and GRU over whole sequences, against a reference that goes step by step."""

import dataclasses

import numpy as np
import pytest
import reference_recurrent as reference
from reference import central_difference

from pynn.foundation.native import core

THREADS = (1, 2, 3, 7)
SIZES = (1, 2, 7, 15, 16, 17, 33)  # around the lengths of vectors
KINDS = ("simple_rnn", "lstm", "gru", "gru after")
every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
NO_NUMBERS = [0.0, 0.0, 0.0]


@dataclasses.dataclass
class Case:
    """An op with its arrays: `given` are the inputs behind x, by what they are."""

    kind: str
    x: np.ndarray
    parameters: list
    given: dict
    settings: dict

    @property
    def states(self):
        return 2 if self.kind == "lstm" else 1

    @property
    def units(self):
        return len(self.parameters[1])

    @property
    def xs(self):
        return [self.x, *(array for arrays in self.given.values() for array in arrays)]

    @property
    def attributes(self):
        attributes = {
            "steps": self.x.shape[1],
            "features": self.x.shape[2],
            "units": self.units,
            "activation": "tanh",
            "activation_numbers": NO_NUMBERS,
            "sequences": 1,
            "states": 1,
            **dict.fromkeys(self.given, 1),
        }
        if self.kind != "simple_rnn":
            attributes |= {"recurrent_activation": "sigmoid", "recurrent_activation_numbers": NO_NUMBERS}
        return attributes | self.settings

    def part(self, samples):
        given = {name: [array[samples] for array in arrays] for name, arrays in self.given.items()}
        return dataclasses.replace(self, x=self.x[samples], given=given)

    def outputs(self):
        shape = (
            (len(self.x), self.x.shape[1], self.units) if self.attributes["sequences"] else (len(self.x), self.units)
        )
        shapes = [shape, *[(len(self.x), self.units)] * (self.states if self.attributes["states"] else 0)]
        return [np.full(shape, np.nan, self.x.dtype) for shape in shapes]

    def forward(self, threads=1):
        """The outputs, and what the op has kept."""
        ys, kind = self.outputs(), self.kind
        saved = np.full(core.op_saved(kind, self.attributes, self.xs, self.parameters), np.nan, self.x.dtype)
        core.op_forward(kind, self.attributes, ys, self.xs, self.parameters, saved, threads)
        return ys, saved

    def backward(self, dys, threads=1):
        """The gradients of the inputs, by what they are, and of the parameters."""
        ys, saved = self.forward()
        dxs = {"x": [np.full_like(self.x, np.nan)]}
        for name, arrays in self.given.items():
            dxs[name] = [np.full_like(array, np.nan) if name == "initial" else None for array in arrays]
        flat = [array for arrays in dxs.values() for array in arrays]
        dparameters = [None if p is None else np.full_like(p, np.nan) for p in self.parameters]
        core.op_backward(
            self.kind, self.attributes, flat, dparameters, dys, self.xs, ys, self.parameters, saved, threads
        )
        return dxs, dparameters

    def expected(self, **functions):
        given = {name: arrays if name == "initial" else arrays[0] for name, arrays in self.given.items()}
        y, states = reference.run(
            self.kind,
            self.x.astype(np.float64),
            *self.parameters,
            mask=given.get("masked"),
            initial=given.get("initial"),
            dropped=given.get("dropped"),
            **{name: self.settings.get(name, 0) for name in ("reset_after", "go_backwards", "zero_masked")},
            **functions,
        )
        return [y if self.attributes["sequences"] else y[:, -1], *states]


def make(random, kind, samples=3, steps=5, features=4, units=6, dtype=np.float64, given=(), bias=True, **settings):
    after = kind == "gru after"
    kind = kind.split()[0]
    if kind == "gru":
        settings["reset_after"] = int(after)
    columns = reference.GATES[kind] * units
    arrays = {
        "masked": lambda: [random.integers(0, 2, (samples, steps))],
        "initial": lambda: list(random.normal(size=(2 if kind == "lstm" else 1, samples, units))),
        "dropped": lambda: [random.integers(0, 2, (samples, units)) * 2],
    }
    inputs = {name: [array.astype(dtype) for array in arrays[name]()] for name in arrays if name in given}
    parameters = [
        random.normal(size=(features, columns)) / features**0.5,
        random.normal(size=(units, columns)) / units**0.5,
        random.normal(size=(2, columns) if after else columns) if bias else None,
    ]
    x = random.normal(size=(samples, steps, features)).astype(dtype)
    return Case(kind, x, [p if p is None else p.astype(dtype) for p in parameters], inputs, settings)


def expect_same(got, expected):
    for a, b in zip(got, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)


def flat(gradients):
    dxs, dparameters = gradients
    return [array for arrays in dxs.values() for array in arrays] + dparameters


@every_kind
@every_dtype
@pytest.mark.parametrize("size", SIZES)
def test_values(kind, dtype, size, random):
    for units, features, steps in ((size, 3, 5), (3, size, 2), (size, size, 1)):
        case = make(random, kind, 3, steps, features, units, dtype)
        for y, expected in zip(case.forward()[0], case.expected(), strict=True):
            np.testing.assert_allclose(y, expected, rtol=0, atol=64 * np.finfo(dtype).eps)


@every_kind
@pytest.mark.parametrize("backwards", [0, 1])
@pytest.mark.parametrize("zero", [0, 1])
def test_values_with_everything(kind, backwards, zero, random):
    settings = {"go_backwards": backwards, "zero_masked": zero}
    for samples in (1, 7, 8, 33):
        case = make(random, kind, samples, given=("masked", "initial", "dropped"), **settings)
        for y, expected in zip(case.forward()[0], case.expected(), strict=True):
            np.testing.assert_allclose(y, expected, rtol=0, atol=1e-13)
        case.settings = {**case.settings, "sequences": 0, "states": 0}
        np.testing.assert_allclose(case.forward()[0][0], case.expected()[0], rtol=0, atol=1e-13)


def expect_derivatives(case, random, functions=None, tolerance=1e-7):
    """The gradients of all parameters, of x and of initial states, each along a random direction."""
    dys = [random.normal(size=y.shape) for y in case.outputs()]
    dxs, dparameters = case.backward(dys)
    pairs = [*zip(case.parameters, dparameters, strict=True), (case.x, dxs["x"][0])]
    for array, gradient in pairs + list(zip(case.given.get("initial", ()), dxs.get("initial", ()), strict=True)):
        direction, kept, step, losses = random.normal(size=array.shape), array.copy(), 1e-6, []
        for at in (step, -step):
            array[...] = kept + at * direction
            ys = case.expected(**functions or {})
            losses.append(sum(np.sum(dy * y) for dy, y in zip(dys, ys, strict=True)))
        array[...] = kept
        numeric = (losses[0] - losses[1]) / (2 * step)
        np.testing.assert_allclose(np.sum(gradient * direction), numeric, rtol=1e-5, atol=tolerance)


@every_kind
@pytest.mark.parametrize("size", SIZES)
def test_gradients_are_derivatives(kind, size, random):
    for units, features, given in ((size, 3, ()), (4, size, ("masked", "initial", "dropped"))):
        case = make(random, kind, 3, 4, features, units, given=given, go_backwards=size % 2)
        expect_derivatives(case, random)


@every_kind
def test_gradients_element_by_element(kind, random):
    case = make(random, kind, 2, 3, 2, 3, given=("masked", "initial"), zero_masked=1, sequences=0, states=0)
    case.given["masked"][0][:] = [[1, 0, 1], [0, 1, 0]]
    dys = [random.normal(size=y.shape) for y in case.outputs()]
    dxs, dparameters = case.backward(dys)
    pairs = [(case.x, dxs["x"][0]), *zip(case.parameters, dparameters, strict=True)]
    for array, gradient in pairs + list(zip(case.given["initial"], dxs["initial"], strict=True)):

        def loss(values, array=array):
            kept = array.copy()
            array[...] = values
            total = np.sum(dys[0] * case.expected()[0])
            array[...] = kept
            return total

        np.testing.assert_allclose(gradient, central_difference(loss, array.copy()), rtol=1e-5, atol=1e-7)


@every_kind
def test_gradients_over_200_steps(kind, random):
    expect_derivatives(make(random, kind, 4, 200, 3, 5), random, tolerance=1e-4)


@every_kind
@every_dtype
@pytest.mark.parametrize(("samples", "steps", "units"), [(1, 5, 7), (7, 3, 16), (40, 9, 17), (70, 2, 33)])
def test_the_same_bits_for_any_team(kind, dtype, samples, steps, units, random):
    case = make(random, kind, samples, steps, 5, units, dtype, ("masked", "initial", "dropped"))
    dys = [random.normal(size=y.shape).astype(dtype) for y in case.outputs()]
    ys, gradients = case.forward()[0], flat(case.backward(dys))
    for threads in THREADS[1:]:
        expect_same(case.forward(threads)[0], ys)
        expect_same(flat(case.backward(dys, threads)), gradients)


@every_kind
@every_dtype
def test_a_sample_does_not_depend_on_the_others(kind, dtype, random):
    case = make(random, kind, 37, 4, 5, 17, dtype, ("masked", "initial", "dropped"))
    dys = [random.normal(size=y.shape).astype(dtype) for y in case.outputs()]
    ys, (dxs, _) = case.forward()[0], case.backward(dys)
    for part in (slice(0, 1), slice(36, 37), slice(3, 12)):
        expect_same(case.part(part).forward()[0], [y[part] for y in ys])
        some, _ = case.part(part).backward([dy[part].copy() for dy in dys])
        expect_same(some["x"] + some["initial"], [dx[part] for dx in dxs["x"] + dxs["initial"]])


# ---- masks


@every_kind
@every_dtype
@pytest.mark.parametrize("samples", [20, 40])  # gradients of one group of samples, and of two
@pytest.mark.parametrize("places", [(0, 1), (2, 4), (5, 6), (0, 3, 6), ()])
def test_padding_changes_nothing(kind, dtype, samples, places, random):
    """Masked equals trimmed, bit for bit: outputs, states, and all gradients."""
    case = make(random, kind, samples, 7, 5, 17, dtype, ("masked", "initial"))
    real = [step for step in range(7) if step not in places]
    case.given["masked"][0][:] = np.isin(np.arange(7), real)
    short = dataclasses.replace(case, x=case.x[:, real].copy(), given={"initial": case.given["initial"]})
    ys, expected = case.forward()[0], short.forward()[0]
    np.testing.assert_array_equal(ys[0][:, real], expected[0])
    expect_same(ys[1:], expected[1:])
    dys = [random.normal(size=y.shape).astype(dtype) for y in ys]
    dys[0][:, list(places)] = 0
    dxs, dparameters = case.backward(dys)
    short_dxs, short_dparameters = short.backward([dys[0][:, real].copy(), *dys[1:]])
    expect_same(dparameters, short_dparameters)
    expect_same(dxs["initial"], short_dxs["initial"])
    np.testing.assert_array_equal(dxs["x"][0][:, real], short_dxs["x"][0])
    assert not dxs["x"][0][:, list(places)].any()


@every_kind
def test_nothing_but_padding(kind, random):
    case = make(random, kind, 3, 4, given=("masked", "initial"))
    case.given["masked"][0][:] = 0
    y, *states = case.forward()[0]
    expect_same(states, case.given["initial"])
    np.testing.assert_array_equal(y, np.repeat(states[0][:, None], 4, axis=1))
    dys = [random.normal(size=each.shape) for each in (y, *states)]
    dxs, dparameters = case.backward(dys)
    assert not any(each.any() for each in [dxs["x"][0], *dparameters])
    np.testing.assert_allclose(dxs["initial"][0], dys[0].sum(axis=1) + dys[1], rtol=1e-14, atol=1e-14)


@every_kind
@every_dtype
@pytest.mark.parametrize("size", [6, 64])  # few numbers, and so many that a way of their own goes over them
def test_no_samples(kind, dtype, size, random):
    case = make(random, kind, samples=0, features=size, units=size, dtype=dtype)
    dxs, dparameters = case.backward(case.forward()[0])
    assert dxs["x"][0].shape == (0, 5, size)
    for gradient in dparameters:
        np.testing.assert_array_equal(gradient, 0)


@every_kind
def test_a_mask_of_other_numbers_than_1(kind, random):
    case = make(random, kind, given=("masked",))
    expected = case.forward()[0]
    case.given["masked"][0] *= -0.25
    expect_same(case.forward()[0], expected)


@every_kind
def test_backwards_is_the_reversed_input(kind, random):
    case = make(random, kind, 5, 6, given=("masked", "initial"))
    back = dataclasses.replace(
        case,
        x=case.x[:, ::-1].copy(),
        given={"masked": [case.given["masked"][0][:, ::-1].copy()], "initial": case.given["initial"]},
        settings={**case.settings, "go_backwards": 1},
    )
    expect_same(back.forward()[0], case.forward()[0])
    dys = [random.normal(size=y.shape) for y in case.outputs()]
    dxs, dparameters = case.backward(dys)
    back_dxs, back_dparameters = back.backward(dys)
    np.testing.assert_array_equal(back_dxs["x"][0], dxs["x"][0][:, ::-1])
    expect_same(back_dxs["initial"] + back_dparameters, dxs["initial"] + dparameters)


# ---- activations

ACTIVATIONS = {
    "linear": (NO_NUMBERS, lambda x: x),
    "relu": ([0.0, np.inf, 0.0], lambda x: np.maximum(x, 0)),
    "leaky_relu": ([0.2, 0.0, 0.0], lambda x: np.where(x > 0, x, 0.2 * x)),
    "hard_sigmoid": (NO_NUMBERS, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "softsign": (NO_NUMBERS, lambda x: x / (1 + abs(x))),
    "silu": (NO_NUMBERS, lambda x: x * reference.sigmoid(x)),
}


@every_kind
@pytest.mark.parametrize(("name", "recurrent"), [*zip(ACTIVATIONS, reversed(ACTIVATIONS), strict=True)])
def test_other_activations(kind, name, recurrent, random):
    (numbers, f), (recurrent_numbers, g) = ACTIVATIONS[name], ACTIVATIONS[recurrent]
    settings = {"activation": name, "activation_numbers": numbers}
    if kind != "simple_rnn":
        settings |= {"recurrent_activation": recurrent, "recurrent_activation_numbers": recurrent_numbers}
    case = make(random, kind, 3, 3, 3, 17, given=("masked",), **settings)
    for parameter in case.parameters:
        parameter *= 0.2  # these functions have no bounds
    for y, expected in zip(case.forward()[0], case.expected(f=f, g=g), strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)
    expect_derivatives(case, random, {"f": f, "g": g})


def test_no_bias_and_no_gradient_of_some(random):
    for kind in KINDS:
        case = make(random, kind, bias=False)
        for y, expected in zip(case.forward()[0], case.expected(), strict=True):
            np.testing.assert_allclose(y, expected, rtol=0, atol=1e-14)
        dys = [random.normal(size=y.shape) for y in case.outputs()]
        _, (_, drecurrent, _) = case.backward(dys)
        ys, saved = case.forward()
        only = [None, np.full_like(drecurrent, np.nan), None]
        core.op_backward(case.kind, case.attributes, [None], only, dys, case.xs, ys, case.parameters, saved, 2)
        np.testing.assert_array_equal(only[1], drecurrent)


# ---- what is refused


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("lstm", {"steps": 0}, "steps and features of at least 1"),
        ("lstm", {"units": -1}, "at least 1"),
        ("lstm", {"features": 5}, "x to have 25 elements"),
        ("lstm", {"units": 5}, "kernel to have 80 elements"),
        ("gru", {"reset_after": 1}, "bias to have 36 elements"),
        ("gru", {"masked": 1}, "expected 2 inputs, got 1"),
        ("simple_rnn", {"initial": 1, "dropped": 1}, "expected 3 inputs, got 1"),
        ("lstm", {"initial": 1}, "expected 3 inputs, got 1"),
        ("lstm", {"stateful": 1}, "expected 5 parameters, got 3"),
        ("simple_rnn", {"activation": "softmax"}, "activation"),
        ("simple_rnn", {"activation_numbers": [1.0]}, "3 numbers of the activation, got 1"),
        ("lstm", {"recurrent_activation": "nothing"}, "activation"),
        ("simple_rnn", {"steps": 2**40, "features": 2**40}, "fit into memory"),
    ],
)
def test_what_does_not_fit_is_refused(kind, settings, message, random):
    case = make(random, kind)
    y = np.zeros((3, 6))
    attributes = case.attributes | {"sequences": 0, "states": 0} | settings
    with pytest.raises(ValueError, match=message):
        core.op_forward(case.kind, attributes, [y], case.xs, case.parameters, None, 1)
    assert not y.any()


@pytest.mark.parametrize("given", ["masked", "initial", "dropped"])
def test_inputs_of_another_size_are_refused(given, random):
    case = make(random, "simple_rnn", given=(given,))
    case.given[given][0] = np.zeros((3, 9))
    with pytest.raises(ValueError, match=r"elements a sample, got 9"):
        core.op_forward(case.kind, case.attributes, case.outputs(), case.xs, case.parameters, None, 1)


def test_no_gradient_through_a_step(random):
    case = make(random, "simple_rnn", activation="step")
    dys = case.outputs()
    with pytest.raises(ValueError, match="no gradient"):
        case.backward(dys)
