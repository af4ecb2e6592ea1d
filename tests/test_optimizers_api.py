"""Optimizers in a real model: five steps of each against the reference, options, settings that change."""

import json

import numpy as np
import pytest
from helpers import bits, make_data, make_model
from reference import dense_backward, dense_forward, sigmoid, tanh
from reference_losses import loss_rows
from reference_optimizers import start_slots, update

import pynn
from pynn import optimizers

CASES = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.3}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("RMSprop", {}),
    ("RMSprop", {"learning_rate": 0.02, "rho": 0.7, "epsilon": 1e-3}),
    ("RMSprop", {"learning_rate": 0.02, "momentum": 0.6}),
    ("RMSprop", {"learning_rate": 0.02, "centered": True}),
    ("RMSprop", {"learning_rate": 0.02, "centered": True, "momentum": 0.6}),
    ("Adagrad", {}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 1e-2}),
    ("Adadelta", {}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.7, "epsilon": 1e-3}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.05, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    ("Adam", {"learning_rate": 0.05, "beta_2": 0.5, "amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.3}),
    ("Adamax", {}),
    ("Adamax", {"learning_rate": 0.05, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    ("Nadam", {}),
    ("Nadam", {"learning_rate": 0.05, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    ("Lion", {}),
    ("Lion", {"learning_rate": 0.05, "beta_1": 0.7, "beta_2": 0.8}),
]
COMMON = [{"weight_decay": 0.1}, {"clipvalue": 0.01}, {"clipnorm": 0.05}, {"global_clipnorm": 0.05}]
COMMON += [{"weight_decay": 0.1, "clipvalue": 0.01}, {"weight_decay": 0.1, "global_clipnorm": 0.05}]
NAMES = list(dict.fromkeys(name for name, _ in CASES))
# Keras's defaults, where the settings of a case leave them out
DEFAULT_RATE = {"SGD": 0.01}
SHAPES = [(5, 6), (6,), (6, 3), (3,)]


def gradients(weights, x, y):
    """Of the mean squared error of a tanh and a sigmoid layer, by the reference."""
    w1, b1, w2, b2 = weights
    hidden, slope = tanh(dense_forward(x, w1, b1))
    out, out_slope = sigmoid(dense_forward(hidden, w2, b2))
    _, dy = loss_rows("mean_squared_error", y, out)
    dh, dw2, db2 = dense_backward(dy * out_slope / len(x), hidden, w2)
    _, dw1, db1 = dense_backward(dh * slope, x, w1)
    return [dw1, db1, dw2, db2]


def trajectory(name, config, weights, x, y, steps=5):
    """The weights after so many full-batch steps, by the reference."""
    settings = {"learning_rate": DEFAULT_RATE.get(name, 0.001), **config}
    if name == "AdamW":
        name, settings = "adam", {"weight_decay": 0.004, **settings}
    rule = name.lower()
    slots = [start_slots(rule, settings, w) for w in weights]
    for t in range(1, steps + 1):
        weights = update(rule, weights, gradients(weights, x, y), slots, t, **settings)
    return weights


def make_float64_model(optimizer, weights):
    layers = pynn.layers
    model = pynn.Sequential(
        [
            pynn.Input((5,)),
            layers.Dense(6, activation="tanh", dtype="float64"),
            layers.Dense(3, activation="sigmoid", dtype="float64"),
        ]
    )
    model.set_weights(weights)
    model.compile(optimizer=optimizer, loss="mean_squared_error")
    return model


def check_trajectory(name, config, random):
    x, y = random.normal(size=(11, 5)), random.uniform(size=(11, 3))
    weights = [random.normal(0, 0.7, shape) for shape in SHAPES]
    model = make_float64_model(getattr(optimizers, name)(**config), weights)
    model.fit(x, y, batch_size=11, epochs=5, shuffle=False, verbose=0)
    for got, expected, start in zip(model.get_weights(), trajectory(name, config, weights, x, y), weights, strict=True):
        assert np.abs(expected - start).max() > 1e-8
        np.testing.assert_allclose(got - start, expected - start, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("name", "config"), CASES)
def test_optimizer_trajectory(name, config, random):
    check_trajectory(name, config, random)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("common", COMMON, ids=str)
def test_optimizer_trajectory_with_common_options(name, common, random):
    check_trajectory(name, {"learning_rate": 0.05, **common}, random)


def test_optimizer_clip_that_clips_nothing_changes_nothing(random):
    x, y = random.normal(size=(11, 5)), random.uniform(size=(11, 3))
    weights = [random.normal(0, 0.7, shape) for shape in SHAPES]
    seen = []
    for clips in ({}, {"clipvalue": 1e6}, {"clipnorm": 1e6}, {"global_clipnorm": 1e6}):
        model = make_float64_model(optimizers.Adam(**clips), weights)
        model.train_on_batch(x, y)
        seen.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    for other in seen[1:]:
        np.testing.assert_allclose(other, seen[0], rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_optimizer_trains(name):
    x, y = make_data(200)
    model = make_model(optimizer=getattr(optimizers, name)(learning_rate=0.02))
    history = model.fit(x, y, epochs=10, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("name", NAMES)
def test_optimizer_learning_rate_takes_effect(name):
    x, y = make_data()
    model = make_model(optimizer=name)
    assert model.optimizer.learning_rate == pytest.approx(DEFAULT_RATE.get(name, 0.001))
    model.fit(x, y, verbose=0)
    model.optimizer.learning_rate = 0.0
    assert model.optimizer.learning_rate == 0
    before = bits(model)
    model.fit(x, y, verbose=0)
    assert bits(model) == before
    model.optimizer.learning_rate = 0.01
    model.fit(x, y, verbose=0)
    assert bits(model) != before


def test_optimizer_learning_rate_before_the_model_is_compiled():
    x, y = make_data()
    optimizer = optimizers.SGD(learning_rate=0.5)
    optimizer.learning_rate = 0.0  # the constructor refuses it, a schedule may reach it
    model = make_model(optimizer=optimizer)
    before = bits(model)
    model.fit(x, y, verbose=0)
    assert bits(model) == before


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "fast", None])
def test_optimizer_learning_rate_is_checked_when_written(value):
    model = make_model()
    with pytest.raises((ValueError, TypeError), match="learning_rate"):
        model.optimizer.learning_rate = value
    assert model.optimizer.learning_rate == pytest.approx(0.01)


def test_optimizer_iterations():
    x, y = make_data(50)
    model = make_model(optimizer="adam")
    assert model.optimizer.iterations == 0
    model.fit(x, y, batch_size=16, epochs=3, verbose=0)
    assert model.optimizer.iterations == 12
    model.train_on_batch(x, y)
    assert model.optimizer.iterations == 13


def test_optimizer_state_lasts_from_fit_to_fit(random):
    """Momentum and step count go on; a new compile starts anew."""
    x, y = random.normal(size=(11, 5)), random.uniform(size=(11, 3))
    weights = [random.normal(0, 0.7, shape) for shape in SHAPES]
    once, twice = (make_float64_model("adam", weights) for _ in range(2))
    once.fit(x, y, batch_size=11, epochs=4, shuffle=False, verbose=0)
    for _ in range(2):
        twice.fit(x, y, batch_size=11, epochs=2, shuffle=False, verbose=0)
    assert bits(once) == bits(twice)
    middle = once.get_weights()
    once.compile(optimizer="adam", loss="mean_squared_error")
    once.fit(x, y, batch_size=11, epochs=2, shuffle=False, verbose=0)
    expected = trajectory("Adam", {}, middle, x, y, steps=2)
    for got, wanted in zip(once.get_weights(), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "config"), CASES)
def test_optimizer_config(name, config):
    optimizer = getattr(optimizers, name)(**config, clipvalue=0.5)
    twin = type(optimizer).from_config(json.loads(json.dumps(optimizer.get_config())))
    assert twin.get_config() == optimizer.get_config()
    assert twin.settings() == optimizer.settings()


@pytest.mark.parametrize("name", NAMES)
def test_optimizer_get(name):
    kind = getattr(optimizers, name)
    assert type(optimizers.get(name)) is kind
    assert type(optimizers.get(name.lower())) is kind
    assert type(optimizers.get(kind)) is kind
    instance = kind()
    assert optimizers.get(instance) is instance
    assert type(optimizers.get({"class_name": name, "config": instance.get_config()})) is kind


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("learning_rate", value) for value in (-0.1, float("nan"), float("inf"), "fast")),
        *(("weight_decay", value) for value in (-0.1, float("nan"), "much")),
        *((clip, value) for clip in ("clipnorm", "clipvalue", "global_clipnorm") for value in (-1.0, float("nan"))),
    ],
)
def test_optimizer_bad_common_argument_names_it(name, argument, value):
    with pytest.raises((ValueError, TypeError), match=argument):
        getattr(optimizers, name)(**{argument: value})


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("SGD", "momentum", 1.0),
        ("SGD", "momentum", -0.1),
        ("SGD", "nesterov", "yes"),
        ("RMSprop", "rho", 1.0),
        ("RMSprop", "momentum", -0.1),
        ("RMSprop", "epsilon", -1e-7),
        ("Adagrad", "initial_accumulator_value", -0.1),
        ("Adadelta", "rho", -0.1),
        *(
            (name, beta, value)
            for name in ("Adam", "AdamW", "Adamax", "Nadam")
            for beta, value in (
                ("beta_1", 1.0),
                ("beta_1", -0.1),
                ("beta_2", 1.0),
                ("beta_2", float("nan")),
                ("epsilon", -1.0),
            )
        ),
        ("Adam", "amsgrad", 2.5),
        ("Lion", "beta_1", 0.0),
        ("Lion", "beta_2", 1.0),
    ],
)
def test_optimizer_bad_argument_names_it(name, argument, value):
    with pytest.raises((ValueError, TypeError), match=argument):
        getattr(optimizers, name)(**{argument: value})


def test_optimizer_only_one_clip():
    with pytest.raises(ValueError, match="clip"):
        optimizers.SGD(clipnorm=1.0, clipvalue=1.0)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_optimizer_attribute_that_would_do_nothing_is_refused(name, compiled):
    optimizer = getattr(optimizers, name)(0.25)
    if compiled:
        make_model(optimizer=optimizer)
    before = optimizer.get_config()
    for unknown, meant in (("lr", "learning_rate"), ("learning_rat", "learning_rate"), ("clipnrm", "clipnorm")):
        with pytest.raises(AttributeError, match=rf"{name} has no attribute '{unknown}'.* '{meant}'"):
            setattr(optimizer, unknown, 0.5)
    with pytest.raises(AttributeError, match=f"{name} has no attribute 'temperature'"):
        optimizer.temperature = 1
    for setting in before.keys() - {"name", "learning_rate"} | {"iterations", "settings"}:
        with pytest.raises(AttributeError, match=f"{setting} of {name} cannot be changed.*another optimizer"):
            setattr(optimizer, setting, 0.5)
    assert optimizer.get_config() == before
    optimizer.learning_rate, optimizer.name = 0.5, "mine"
    assert optimizer.get_config() == {**before, "learning_rate": 0.5, "name": "mine"}


def test_optimizer_names_are_counted():
    names = [optimizers.get(name).name for name in ("adam", "adam", "sgd", "Adam", "adamw", "rmsprop")]
    first = int(names[0].partition("_")[2] or 0)
    rest = [f"adam_{first + i}" for i in range(1, 3)]
    assert [names[1], names[3]] == rest
    assert names[0] in ("adam", f"adam_{first}")
    assert [name.rstrip("_0123456789") for name in names] == ["adam", "adam", "sgd", "adam", "adam_w", "rm_sprop"]
    assert optimizers.Adam(name="mine").name == "mine"
    named = optimizers.AdamW()
    assert optimizers.deserialize(optimizers.serialize(named)).name == named.name
    before = int(optimizers.Nadam().name.partition("_")[2] or 0)
    with pytest.raises(ValueError, match="beta_1"):
        optimizers.Nadam(beta_1=2.0)
    pynn.ops.nadam_update(*np.ones((4, 3)), iteration=1)
    assert optimizers.Nadam().name == f"nadam_{before + 1}"


def test_optimizer_is_shown_by_what_it_was_made_of():
    assert repr(optimizers.Adam()) == "Adam(learning_rate=0.001)"
    assert repr(optimizers.SGD(0.1, momentum=0.9)) == "SGD(learning_rate=0.1, momentum=0.9)"
    assert repr(optimizers.AdamW(clipnorm=1)) == "AdamW(learning_rate=0.001, clipnorm=1.0)"
    model = make_model(optimizer="sgd")
    model.optimizer.learning_rate = 0.125
    assert repr(model.optimizer) == "SGD(learning_rate=0.125)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.Optimizer(0.1), "optimizers of your own"),
        (lambda: type("Own", (optimizers.Optimizer,), {}), "Own.*optimizers of your own"),
        (lambda: type("Own", (optimizers.Adam,), {}), "Own.*optimizers of your own"),
        (lambda: optimizers.Adam(learing_rate=1.0), r"Adam\(\) has no argument 'learing_rate'. .*'learning_rate'"),
        (lambda: optimizers.SGD(0.1, decay=1e-6), r"SGD\(\) has no argument 'decay',.*InverseTimeDecay"),
        (lambda: optimizers.Adam(lr=1.0), r"Adam\(\) has no argument 'lr'. Did you mean 'learning_rate'"),
        (lambda: optimizers.get("ftrl"), "does not have the optimizer 'ftrl' of Keras yet"),
        (lambda: optimizers.get({"class_name": "Ftrl", "config": {}}), "of Keras yet"),
        *(
            (lambda name=name: optimizers.get(name).__class__(epsilon=0.0), "epsilon must be above 0.*divide 0 by 0")
            for name in NAMES
            if name not in ("SGD", "Lion")
        ),
    ],
)
def test_optimizer_says_what_is_wrong(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_optimizer_of_keras_that_is_not_there_yet():
    for name in ("Lamb", "Ftrl", "Muon"):
        with pytest.raises(AttributeError, match=f"does not have the optimizer '{name}' of Keras yet"):
            getattr(optimizers, name)


@pytest.mark.parametrize(("identifier", "message"), [("adamm", "adam"), (3, "optimizer")])
def test_optimizer_unknown_names_it(identifier, message):
    with pytest.raises((ValueError, TypeError), match=message):
        optimizers.get(identifier)


# ---- settings and gradients at the ends of the range -----------------------------------------------------------------
def trained_once(optimizer, x, y, dtype, loss="mae"):
    """The weights of a layer after one step from zeros."""
    layer = pynn.layers.Dense(1, kernel_initializer="zeros", dtype=dtype)
    model = pynn.Sequential([pynn.Input((x.shape[1],)), layer])
    model.compile(optimizer, loss)
    model.fit(x, y, verbose=0)
    return [w.astype(np.float64).ravel() for w in model.get_weights()]


# The squares overflow; in float32 it is 1 / norm that no number is small enough for
@pytest.mark.parametrize(("dtype", "size"), [("float32", 5e37), ("float64", 1e200), ("float64", 3e307)])
@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("bound", [1.0, 1e-3])
def test_optimizer_clipnorm_of_gradients_whose_squares_overflow(dtype, size, clip, bound):
    x, y = np.array([[3.0, 4.0]]).astype(dtype) * size, np.ones((1, 1), dtype)
    kernel, bias = trained_once(pynn.optimizers.SGD(1.0, **{clip: bound}), x, y, dtype)
    np.testing.assert_allclose(kernel, np.array([0.6, 0.8]) * bound, rtol=1e-6)
    assert bias[0] == (np.dtype(dtype).type(bound) if clip == "clipnorm" else pytest.approx(0, abs=1e-30))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_optimizer_clipnorm_of_one_parameter_leaves_the_others_alone(dtype, random):
    """A gradient that overflows is treated by itself: that of the bias has the bits of a step without one."""
    x, y = np.array([[3.0, 4.0]]).astype(dtype), np.ones((1, 1), dtype)
    optimizer = {"learning_rate": 1.0, "clipnorm": 0.3}
    huge = 5e37 if dtype == "float32" else 1e300
    assert (
        trained_once(pynn.optimizers.SGD(**optimizer), x * huge, y, dtype)[1]
        == trained_once(pynn.optimizers.SGD(**optimizer), x, y, dtype)[1]
    )


@pytest.mark.parametrize(("dtype", "clip"), [("float32", 1e-38), ("float32", 1e-300), ("float64", 1e-310)])
def test_optimizer_clipvalue_below_the_normal_numbers_clips(dtype, clip):
    x, y = np.array([[3.0, 4.0]], dtype), np.ones((1, 1), dtype)
    for weight in trained_once(pynn.optimizers.SGD(1.0, clipvalue=clip), x, y, dtype):
        assert np.all(np.abs(weight) <= np.finfo(dtype).tiny)


@pytest.mark.parametrize("name", ["Adagrad", "Adadelta", "RMSprop", "Adam", "Adamax", "Nadam"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_optimizer_epsilon_below_the_normal_numbers_is_not_0(name, dtype):
    """An input that is always 0 has a gradient of 0, which 0 would make NaN of."""
    kwargs = {"initial_accumulator_value": 0.0} if name == "Adagrad" else {}
    optimizer = getattr(pynn.optimizers, name)(epsilon=1e-310, **kwargs)
    x, y = np.array([[0.0, 4.0]], dtype), np.ones((1, 1), dtype)
    kernel, bias = trained_once(optimizer, x, y, dtype)
    assert kernel[0] == 0
    assert np.isfinite([*kernel, *bias]).all()
