"""Recurrent ops in plans and trainers: states that live on from batch to batch, and gradients that are added up."""

import numpy as np
import pytest
import reference_recurrent as reference

from pynn.foundation.native import core

SAMPLES, STEPS, FEATURES, UNITS = 4, 3, 2, 5
every_kind = pytest.mark.parametrize("kind", ["simple_rnn", "lstm", "gru"])


def attributes(kind, **more):
    found = {"steps": STEPS, "features": FEATURES, "units": UNITS, "stateful": 1, "sequences": 1}
    found |= {"activation": "tanh", "activation_numbers": [0.0, 0.0, 0.0]}
    if kind != "simple_rnn":
        found |= {"recurrent_activation": "sigmoid", "recurrent_activation_numbers": [0.0, 0.0, 0.0]}
    if kind == "gru":
        found["reset_after"] = 0
    return found | more


class Net:
    """A plan of one stateful op; `weights` are NumPy views, `states` those of the states."""

    def __init__(self, kind, random, samples=SAMPLES, weights=None, **more):
        self.kind, columns = kind, reference.GATES[kind] * UNITS
        self.parameters, self.own = (
            core.Parameters("float64") if weights is None else weights,
            core.Parameters("float64"),
        )
        if weights is None:
            for size in (FEATURES * columns, UNITS * columns, columns):
                array = self.parameters.array(self.parameters.add(size))
                array[:] = random.normal(size=size) / 2
        self.states = []
        for _ in range(2 if kind == "lstm" else 1):
            self.states.append(self.own.array(self.own.add(samples * UNITS, learned=False)))
        graph = core.Graph()
        x = graph.add_input(STEPS * FEATURES)
        numbers = [graph.add_parameter(self.parameters, i) for i in range(3)]
        numbers += [graph.add_parameter(self.own, i) for i in range(len(self.states))]
        graph.set_outputs(graph.add(kind, [x], numbers, attributes(kind, **more)))
        self.plan = core.Plan(graph, "float64")

    def predict(self, x, threads=1, check=True):
        y = np.full((len(x), STEPS, UNITS), np.nan)
        bad = self.plan.predict([y], [x], check, threads)
        return y if bad is None else bad

    def expected(self, xs):
        """The outputs for one batch after the other, and the states at the end."""
        columns = reference.GATES[self.kind] * UNITS
        kernel = self.parameters.array(0).reshape(FEATURES, columns)
        recurrent, bias = self.parameters.array(1).reshape(UNITS, columns), self.parameters.array(2)
        states, outputs = None, []
        for x in xs:
            y, states = reference.run(self.kind, x, kernel, recurrent, bias, initial=states)
            outputs.append(y)
        return np.concatenate(outputs), states

    def trainer(self):
        trainer = core.Trainer(self.plan)
        trainer.set_heads([(0, "mean_squared_error", UNITS, 0.0, "mean", 1.0, [], None)])
        trainer.set_optimizer("sgd", {"learning_rate": 0.1})
        return trainer

    def held(self):
        return [array.tobytes() for array in [*self.states, *(self.parameters.array(i) for i in range(3))]]


def data(random, batches=1):
    return random.normal(size=(batches, SAMPLES, STEPS, FEATURES))


@every_kind
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_predictions_go_on(kind, threads, random):
    """Batch by batch and in one call."""
    net, xs = Net(kind, random), data(random, 5)
    expected, states = net.expected(xs)
    got = [net.predict(x.copy(), threads) for x in xs[:2]] + [net.predict(xs[2:].reshape(-1, STEPS, FEATURES), threads)]
    np.testing.assert_allclose(np.concatenate(got), expected, rtol=0, atol=1e-13)
    for state, array in zip(states, net.states, strict=True):
        np.testing.assert_allclose(array.reshape(SAMPLES, UNITS), state, rtol=0, atol=1e-13)
    for array in net.states:
        array[:] = 0
    np.testing.assert_array_equal(net.predict(xs[0].copy()), got[0])


@every_kind
def test_states_are_outputs_too(kind, random):
    net, x = Net(kind, random, states=1), data(random)[0]
    outs = [np.zeros((SAMPLES, STEPS, UNITS))] + [np.zeros((SAMPLES, UNITS)) for _ in net.states]
    assert net.plan.predict(outs, [x], True, 1) is None
    for out, state in zip(outs[1:], net.states, strict=True):
        np.testing.assert_array_equal(out.ravel(), state)


@every_kind
def test_training_and_evaluation_go_on(kind, random):
    net, x = Net(kind, random), data(random, 3).reshape(-1, STEPS, FEATURES)
    target = random.normal(size=(len(x), STEPS, UNITS))
    _, states = net.expected(x.reshape(3, SAMPLES, STEPS, FEATURES))
    trainer = net.trainer()
    trainer.set_optimizer("sgd", {"learning_rate": 0.0})
    trainer.evaluate(np.zeros(1), [x], [target], [], 2)
    for state, array in zip(states, net.states, strict=True):
        np.testing.assert_allclose(array.reshape(SAMPLES, UNITS), state, rtol=0, atol=1e-13)
        array[:] = 0
    assert trainer.train(np.zeros((1, 1)), [x], [target], [], SAMPLES, False, 0, 0, 0, 3, 2)
    for state, array in zip(states, net.states, strict=True):
        np.testing.assert_allclose(array.reshape(SAMPLES, UNITS), state, rtol=0, atol=1e-13)


@every_kind
def test_a_step_that_is_not_made_leaves_the_states(kind, random):
    net, x = Net(kind, random), data(random)[0]
    net.predict(x)
    before, trainer = net.held(), net.trainer()
    target = np.full((SAMPLES, STEPS, UNITS), np.nan)
    assert not trainer.train(np.zeros((1, 1)), [x], [target], [], SAMPLES, False, 0, 0, 0, 1, 1)
    assert net.held() == before
    x = np.concatenate([x, x])
    x[-1, -1, -1] = np.inf
    assert net.predict(x) == (0, x.size - 1)
    assert net.held() == before


@every_kind
def test_batches_of_another_size_are_refused(kind, random):
    net, trainer = Net(kind, random), None
    net.predict(data(random)[0])
    before = net.held()
    for samples in (1, 3, 5, 7):
        x, y = np.zeros((samples, STEPS, FEATURES)), np.zeros((samples, STEPS, UNITS))
        trainer = net.trainer()
        for call in (
            lambda x=x, y=y: net.plan.predict([y], [x], True, 1),
            lambda x=x, y=y: net.plan.predict_training([y], [x], True, 0, 1),
            lambda x=x, y=y, t=trainer: t.evaluate(np.zeros(1), [x], [y], [], 1),
            lambda x=x, y=y, t=trainer: t.train(np.zeros((9, 1)), [x], [y], [], SAMPLES, False, 0, 0, 0, 1, 1),
        ):
            with pytest.raises(ValueError, match="batches of 4 samples, as the states have"):
                call()
    x, y = np.zeros((8, STEPS, FEATURES)), np.zeros((8, STEPS, UNITS))
    with pytest.raises(ValueError, match="batches of 4 samples"):
        trainer.train(np.zeros((9, 1)), [x], [y], [], 8, False, 0, 0, 0, 1, 1)
    assert net.held() == before


def test_two_ops_of_other_numbers_of_samples_are_refused(random):
    first = Net("simple_rnn", random)
    graph = core.Graph()
    x = graph.add_input(STEPS * FEATURES)
    outputs = []
    for samples in (4, 2):
        own = core.Parameters("float64")
        own.add(samples * UNITS, learned=False)
        numbers = [graph.add_parameter(first.parameters, i) for i in range(3)] + [graph.add_parameter(own, 0)]
        outputs += graph.add("simple_rnn", [x], numbers, attributes("simple_rnn"))
    graph.set_outputs(outputs)
    with pytest.raises(ValueError, match="states of 4 samples, as of another op, got 2"):
        core.Plan(graph, "float64")


@pytest.mark.parametrize("size", [0, 3, 12])
def test_a_state_of_another_size_is_refused(size, random):
    first = Net("simple_rnn", random)
    graph = core.Graph()
    x = graph.add_input(STEPS * FEATURES)
    own = core.Parameters("float64")
    own.add(max(size, 1), learned=False)
    numbers = [graph.add_parameter(first.parameters, i) for i in range(3)] + [graph.add_parameter(own, 0)]
    with pytest.raises(ValueError, match="a state of samples"):
        graph.add("simple_rnn", [x], numbers, attributes("simple_rnn"))


@every_kind
@pytest.mark.parametrize("uses", [1, 2])
def test_gradients_are_added_up(kind, uses, random):
    """Of the slices of a large batch, and of two uses of the weights: a step of 1 is minus the sum of them."""
    samples, columns = 600, reference.GATES[kind] * UNITS
    sizes = (FEATURES * columns, UNITS * columns, columns)
    weights = core.Parameters("float64")
    arrays = [weights.array(weights.add(size)) for size in sizes]
    for array in arrays:
        array[:] = random.normal(size=array.size) / 2
    before = [array.copy() for array in arrays]
    graph = core.Graph()
    x = graph.add_input(STEPS * FEATURES)
    numbers = [graph.add_parameter(weights, i) for i in range(3)]
    settings = attributes(kind, stateful=0)
    outputs = [graph.add(kind, [x], numbers, settings)[0] for _ in range(uses)]
    graph.set_outputs(outputs)
    trainer = core.Trainer(core.Plan(graph, "float64"))
    trainer.set_heads([(i, "mean_squared_error", UNITS, 0.0, "sum", 1.0, [], None) for i in range(uses)])
    trainer.set_optimizer("sgd", {"learning_rate": 1.0})
    data, target = random.normal(size=(samples, STEPS, FEATURES)), random.normal(size=(samples, STEPS, UNITS))
    columns_of_totals = 1 if uses == 1 else 1 + uses
    totals = np.zeros((1, columns_of_totals))
    assert trainer.train(totals, [data], [target] * uses, [], samples, False, 0, 0, 0, 1, 2)

    y, parameters = np.empty_like(target), [before[0].reshape(FEATURES, columns), before[1].reshape(UNITS, columns)]
    parameters.append(before[2])
    saved = np.empty(core.op_saved(kind, settings, [data], parameters))
    core.op_forward(kind, settings, [y], [data], parameters, saved, 1)
    gradients = [np.empty_like(parameter) for parameter in parameters]
    dy = 2 * (y - target) / UNITS
    core.op_backward(kind, settings, [None], gradients, [dy], [data], [y], parameters, saved, 1)
    for array, start, gradient in zip(arrays, before, gradients, strict=True):
        np.testing.assert_allclose(start - array, uses * gradient.ravel(), rtol=1e-10, atol=1e-10)
