"""What programs for Keras do with what an optimizer has: its rate, its count of updates, its variables."""

import copy
import json
import pickle
import signal

import numpy as np
import pytest
from helpers import make_data, make_model

import pynn
from pynn import layers, optimizers
from pynn.optimizers.schedules import ExponentialDecay

X, Y = make_data(12)


def trained(optimizer, steps=3):
    pynn.set_random_seed(5)
    model = make_model(optimizer=optimizer)
    for _ in range(steps):
        model.train_on_batch(X, Y)
    return model


@pytest.mark.parametrize("built", [False, True])
def test_rate_is_a_number_and_a_variable(built):
    optimizer = trained(optimizers.SGD(0.25)).optimizer if built else optimizers.SGD(0.25)
    rate = optimizer.learning_rate
    assert isinstance(rate, float)
    assert (rate, rate.value, rate.numpy(), str(rate), f"{rate:.3f}") == (0.25, 0.25, 0.25, "0.25", "0.250")
    assert (rate.numpy().dtype, rate.shape) == (np.float64, ())
    rate.assign(np.float32(0.5))
    assert (optimizer.learning_rate, rate, rate.value, rate.numpy()) == (0.5, 0.25, 0.5, 0.5)
    optimizer.learning_rate.assign(optimizer.learning_rate * 0.5)
    assert optimizer.learning_rate == 0.25
    with pytest.raises(ValueError, match="learning_rate must be a number"):
        optimizer.learning_rate.assign(-1.0)
    optimizer.learning_rate.assign(0.125)
    with pytest.raises(RuntimeError, match=r"learning_rate was changed since it was read.*optimizer\.learning_rate\."):
        rate.assign(rate / 2)  # a program that keeps a variable of Keras would halve the rate each time
    assert optimizer.learning_rate == 0.125
    assert type(rate * 1) is type(rate.value) is type(pickle.loads(pickle.dumps(rate))) is float
    assert copy.deepcopy(rate) == rate == json.loads(json.dumps(rate)) == 0.25


def test_assigned_rate_is_that_of_the_next_step():
    model, other = trained(optimizers.SGD(0.1)), trained(optimizers.SGD(0.1))
    model.optimizer.learning_rate.assign(0.0)
    before = model.get_weights()
    model.train_on_batch(X, Y)
    other.train_on_batch(X, Y)
    for a, b, c in zip(model.get_weights(), before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


@pytest.mark.parametrize("kind", [np.array, np.float32, lambda x: optimizers.SGD(x).variables[1]])
def test_rate_may_be_an_array_of_one_number(kind):
    """As what functions of arrays return, in a schedule by epochs for instance."""
    rate = float(np.float32(0.1))
    optimizer = optimizers.SGD(kind(rate))
    assert optimizer.learning_rate == rate
    optimizer.learning_rate = kind(0.5)
    assert optimizer.learning_rate == 0.5
    optimizer.learning_rate.assign(kind(0.25))
    model = trained(optimizer)
    scheduler = pynn.callbacks.LearningRateScheduler(lambda epoch, rate: kind(rate / 2))
    assert model.fit(X, Y, verbose=0, callbacks=[scheduler]).history["learning_rate"] == [0.125]
    assert layers.Dense(np.array(3)).units == 3
    for bad in (np.array([0.1]), np.array("0.1"), np.array(None), pynn.Input(())):
        with pytest.raises(TypeError, match="learning_rate must be a number"):
            optimizer.learning_rate = bad


def test_rate_that_is_no_number_cannot_be_assigned():
    optimizer = trained(optimizers.SGD(ExponentialDecay(0.5, 1, 0.5))).optimizer
    rate = optimizer.learning_rate
    assert (rate, rate.numpy()) == (0.0625, 0.0625)
    with pytest.raises(TypeError, match="is a schedule"):
        rate.assign(0.1)
    assert type(optimizers.SGD(lambda: 0.5).learning_rate) is float


def test_logs_have_plain_numbers():
    model = trained(optimizers.SGD(0.1))
    scheduler = pynn.callbacks.LearningRateScheduler(lambda epoch: 0.1)
    history = model.fit(X, Y, verbose=0, callbacks=[scheduler]).history
    assert type(history["learning_rate"][0]) is float


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 3}], ids=str)
def test_iterations_can_be_set(settings):
    model = trained(optimizers.SGD(ExponentialDecay(0.5, 1, 0.5), **settings))
    count = model.optimizer.iterations
    expected = 1 if settings else 3
    assert isinstance(count, int)
    assert (count, count.value, count.numpy(), count.numpy().dtype) == (expected, expected, expected, np.int64)
    count.assign(5)
    assert (model.optimizer.iterations, count, count.value) == (5, expected, 5)
    steps = 5 * settings.get("gradient_accumulation_steps", 1)
    assert model.optimizer.learning_rate == 0.5**steps * 0.5
    assert model.optimizer.variables[0] == steps
    for bad, error in ((-1, ValueError), (2**53, ValueError), (1.5, ValueError), ("1", TypeError)):
        with pytest.raises(error, match="iterations must be a whole number"):
            model.optimizer.iterations.assign(bad)
    assert model.optimizer.iterations == 5
    with pytest.raises(ValueError, match="has not begun with weights"):
        optimizers.SGD().iterations.assign(1)


def test_iterations_set_to_zero_are_part_of_the_state():
    """What the optimizer keeps beside them stays, also in a file."""
    model = trained("adam")
    model.optimizer.iterations.assign(0)
    twin = copy.deepcopy(model)
    assert any("momentum" in name or "/m" in name for name in model.get_state())
    for each in (model, twin):
        each.train_on_batch(X, Y)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_iterations_are_not_set_within_a_step():
    """A signal handler that runs within the engine is told so, and no step is lost."""
    model, found = make_model(), []
    x, y = np.tile(X, (4000, 1)), np.tile(Y, 4000)
    model.train_on_batch(X, Y)

    def assign(*_):
        try:
            model.optimizer.iterations.assign(0)
        except RuntimeError as error:
            found.append(str(error))

    before = signal.signal(signal.SIGALRM, assign)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        model.fit(x, y, batch_size=4, epochs=12, verbose=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(found) == 1
    assert "trained" in found[0]
    assert len(model.history.history["loss"]) == 12


def test_variables_without_a_rate_where_it_is_no_number():
    model = trained(optimizers.SGD(0.1, momentum=0.9))
    optimizer = model.optimizer
    names = [each.name for each in optimizer.variables]
    assert names[:2] == ["iteration", "learning_rate"]
    assert len(names) == 6
    for rate in (ExponentialDecay(0.5, 1, 0.5), lambda: 0.1):
        optimizer.learning_rate = rate
        assert [each.name for each in optimizer.variables] == ["iteration", *names[2:]]


def test_variables_are_computed_with():
    model = trained(optimizers.SGD(0.5, momentum=0.9))
    count, rate, kept = model.optimizer.variables[:3]
    assert count == 3
    assert (float(rate), int(count), rate * 2, 1 - rate) == (0.5, 3, 1.0, 0.5)
    np.testing.assert_array_equal(kept + kept, 2 * kept.value)
    np.testing.assert_array_equal(np.abs(kept), np.abs(kept.numpy()))
    assert len({count, rate, kept}) == 3
    np.testing.assert_array_equal(kept[1:, 0], kept.numpy()[1:, 0])
    assert (kept.ndim, bool(count)) == (2, True)
    model.optimizer.iterations.assign(0)
    assert not count
    with pytest.raises(ValueError, match="truth value of an array"):
        bool(kept)


SETTINGS = [
    ("SGD", {"momentum": 0.9}),
    ("Adam", {"amsgrad": True}),
    ("Nadam", {}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adagrad", {}),
    ("Adadelta", {}),
    ("Adamax", {}),
    ("Lion", {}),
    ("SGD", {"use_ema": True, "gradient_accumulation_steps": 2}),
]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_optimizer_goes_on_as_another_one(name, settings, plain):
    """Its variables as they are, or as arrays that were kept somewhere."""
    model = trained(getattr(optimizers, name)(0.01, **settings))
    other = trained(getattr(optimizers, name)(0.5, **settings), steps=0)
    other.set_weights(model.get_weights())
    kept = model.optimizer.variables
    other.optimizer.set_weights([each.numpy() for each in kept] if plain else kept)
    assert (other.optimizer.iterations, other.optimizer.learning_rate) == (model.optimizer.iterations, 0.01)
    for each in (model, other):
        for _ in range(3):
            each.train_on_batch(X, Y)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(kept, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_set_weights_says_what_is_wrong():
    model = trained(optimizers.SGD(0.5, momentum=0.9))
    optimizer = model.optimizer
    before = [each.numpy() for each in optimizer.variables]
    for values, error, message in (
        (before[:-1], ValueError, "weights must have 6 arrays .*iteration, learning_rate, .*, but has 5"),
        ([*before[:-1], np.ones(9)], ValueError, r"bias_momentum has the shape \(.*\), but got values of shape \(9,\)"),
        ([-1, *before[1:]], ValueError, "iteration must be a whole number"),
        ([1.5, *before[1:]], ValueError, "iteration must be a whole number"),
        ([np.nan, *before[1:]], ValueError, "iteration must be a whole number"),
        ([before[0], -0.5, *before[2:]], ValueError, "learning_rate must be a number"),
        ([*before[:-1], "a"], TypeError, "bias_momentum"),
        ("variables", TypeError, "weights must be a list of arrays"),
    ):
        with pytest.raises(error, match=message):
            optimizer.set_weights(values)
    for a, b in zip(before, optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="has not begun with weights"):
        optimizers.SGD().set_weights([1, 0.5])
    layer = layers.Dense(2)
    layer.build((None, 3))
    alone = optimizers.SGD(0.1, momentum=0.9)
    alone.build(layer.trainable_weights)
    alone.set_weights([4, 0.5, np.ones((3, 2)), np.ones(2)])
    assert (alone.iterations, alone.learning_rate, alone.variables[3].value.tolist()) == (4, 0.5, [1, 1])
