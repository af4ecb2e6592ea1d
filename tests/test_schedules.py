"""Schedules of the learning rate: their formulas, what Keras computes, and training with them."""

import copy
import inspect
import json
import pathlib
import pickle

import numpy as np
import pytest
from helpers import THREADS, bits, make_data, make_model, unchanged
from reference_optimizers import Trajectory
from test_optimizers_api import SHAPES, gradients, make_float64_model

import pynn
from pynn import layers, optimizers
from pynn.optimizers import schedules

GOLDEN = np.load(pathlib.Path(__file__).with_name("golden") / "keras_schedules.npz")  # golden/make_keras_schedules.py
TABLES = json.loads(str(GOLDEN["tables"]))
STEPS = np.array(TABLES["steps"])
CYCLES = [{"max_learning_rate": 0.1, **{k: v for k, v in c.items() if k != "max_lr"}} for c in TABLES["one_cycles"]]
CASES = [*TABLES["schedules"], *(["OneCycle", settings] for settings in CYCLES)]
NUMBERED = [f"{name}{i}" for i, (name, _) in enumerate(CASES)]
every_case = pytest.mark.parametrize(("name", "settings"), CASES, ids=NUMBERED)


def make(name, settings):
    return getattr(schedules, name)(**settings)


class Own(schedules.LearningRateSchedule):
    """1 / (step + 2), as Keras's documentation writes such classes: without super().__init__()."""

    def __init__(self, scale=1.0):
        self.scale = scale
        self.asked = []

    def __call__(self, step):
        self.asked.append(step)
        return self.scale / (step + 2)


class Serializable(Own):
    def get_config(self):
        return {"scale": self.scale}


# ---- rates -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("number", "row"), list(enumerate(TABLES["schedules"])), ids=str)
def test_schedule_has_the_rates_of_keras(number, row):
    rates = make(*row)(STEPS)
    np.testing.assert_allclose(rates, GOLDEN[f"rates/{number}"], rtol=1e-14)
    # Keras by itself computes in float32. What it makes of 12345 / 7 periods is off by the rounding of the exponent.
    wide = 1e-4 if row[1].get("decay_rate") == 1.001 else 1e-6
    np.testing.assert_allclose(rates, GOLDEN[f"rates32/{number}"], rtol=wide, atol=2e-8)


@pytest.mark.parametrize("number", range(len(CYCLES)))
def test_schedule_one_cycle_has_the_rates_of_pytorch(number):
    cycle, expected = schedules.OneCycle(**CYCLES[number]), GOLDEN[f"one_cycle/{number}"]
    # PyTorch's last rate of a line is off by a rounding of the highest.
    np.testing.assert_allclose(cycle.rates(0, len(expected)), expected, rtol=1e-13, atol=2e-17)
    assert cycle(len(expected)) == cycle(10**9) == cycle(len(expected) - 1)


def by_hand(name, s, step):
    """The rate of a step, from the formulas in Keras's documentation."""
    if name == "ExponentialDecay":
        passed = step / s["decay_steps"]
        return s["initial_learning_rate"] * s["decay_rate"] ** (passed // 1 if s.get("staircase") else passed)
    if name == "InverseTimeDecay":
        passed = step / s["decay_steps"]
        return s["initial_learning_rate"] / (1 + s["decay_rate"] * (passed // 1 if s.get("staircase") else passed))
    if name == "PiecewiseConstantDecay":
        return s["values"][sum(boundary < step for boundary in s["boundaries"])]
    if name == "PolynomialDecay":
        period, end = s["decay_steps"], s.get("end_learning_rate", 0.0001)
        period *= max(1, -(-step // period)) if s.get("cycle") else 1
        left = 1 - min(step, period) / period
        return (s["initial_learning_rate"] - end) * left ** s.get("power", 1.0) + end
    start, alpha, before = s["initial_learning_rate"], s.get("alpha", 0.0), 0
    if name == "CosineDecay":
        if s.get("warmup_target") is not None:
            before = s.get("warmup_steps", 0)
            if step < before:
                return start + (s["warmup_target"] - start) * step / before
            start = s["warmup_target"]
        height, share = 1, min((step - before) / s["decay_steps"], 1)
    else:
        length, height, left = s["first_decay_steps"], 1, step
        while left >= length:
            left, length, height = left - length, length * s.get("t_mul", 2.0), height * s.get("m_mul", 1.0)
        share = left / length
    return start * ((1 - alpha) * height * 0.5 * (1 + np.cos(np.pi * share)) + alpha)


@pytest.mark.parametrize("row", TABLES["schedules"], ids=str)
def test_schedule_has_its_formula(row):
    expected = [by_hand(*row, step) for step in range(400)]
    np.testing.assert_allclose(make(*row).rates(0, 400), expected, rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("t_mul", [1.5, 2.0, 3.0, 10.0])
def test_schedule_restarts_at_the_very_step(t_mul):
    """In floating point the quotient of logarithms, which tells the period, is below 5 at the fifth power of 3."""
    schedule = schedules.CosineDecayRestarts(1.0, 64, t_mul=t_mul, m_mul=0.5)
    begin = 0.0
    for period in range(6):
        assert schedule(begin) == 0.5**period
        assert period == 0 or schedule(begin - 1) < 0.01
        begin += 64 * t_mul**period


def test_schedule_one_cycle_rises_and_falls():
    settings = {"pct_start": 21 / 101, "anneal_strategy": "linear", "div_factor": 10, "final_div_factor": 5}
    cycle = schedules.OneCycle(0.5, 101, **settings)
    rates = cycle.rates(0, 120)
    np.testing.assert_allclose(rates[[0, 10, 20, 60, 100, 119]], [0.05, 0.275, 0.5, 0.255, 0.01, 0.01], rtol=1e-12)
    assert schedules.OneCycle(0.5, 10, pct_start=0)(0) == 0.5


@every_case
def test_schedule_has_the_same_bits_wherever_a_stretch_begins(name, settings):
    schedule = make(name, settings)
    together = schedule.rates(0, 300)
    for cut in (1, 2, 7, 8, 63, 299):
        parts = [schedule.rates(0, cut), schedule.rates(cut, 300 - cut)]
        assert np.concatenate(parts).tobytes() == together.tobytes()
    assert np.array([schedule(step) for step in range(300)]).tobytes() == together.tobytes()
    assert schedule(np.arange(300).reshape(3, 100)).tobytes() == together.tobytes()


def test_schedule_gives_floats_for_numbers_and_arrays_for_arrays():
    schedule = schedules.ExponentialDecay(0.5, 10, 0.25)
    for step in (10, 10.0, np.int64(10), np.float32(10), np.array(10)):
        assert type(schedule(step)) is float
        assert schedule(step) == 0.125
    assert schedule([0, 10]).tolist() == [0.5, 0.125]
    for bad in (-1, [3, -1], float("nan")):
        with pytest.raises(ValueError, match="step must be at least 0"):
            schedule(bad)


# ---- arguments and configurations ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ExponentialDecay", "initial_learning_rate decay_steps decay_rate staircase=False name='ExponentialDecay'"),
        ("PiecewiseConstantDecay", "boundaries values name='PiecewiseConstant'"),
        (
            "PolynomialDecay",
            "initial_learning_rate decay_steps end_learning_rate=0.0001 power=1.0 cycle=False name='PolynomialDecay'",
        ),
        ("InverseTimeDecay", "initial_learning_rate decay_steps decay_rate staircase=False name='InverseTimeDecay'"),
        (
            "CosineDecay",
            "initial_learning_rate decay_steps alpha=0.0 name='CosineDecay' warmup_target=None warmup_steps=0",
        ),
        (
            "CosineDecayRestarts",
            "initial_learning_rate first_decay_steps t_mul=2.0 m_mul=1.0 alpha=0.0 name='SGDRDecay'",
        ),
    ],
)
def test_schedule_has_the_arguments_of_keras(name, arguments):
    parameters = inspect.signature(getattr(schedules, name)).parameters.values()
    own = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    assert own == arguments.split()


@every_case
def test_schedule_comes_back_from_its_configuration(name, settings):
    schedule = make(name, settings)
    config = json.loads(json.dumps(schedules.serialize(schedule)))
    assert config["class_name"] == name
    assert {key: config["config"][key] for key in settings} == settings
    of_keras = {"module": "keras.optimizers.schedules", "registered_name": None, **config}
    for twin in (
        schedules.deserialize(config),
        schedules.deserialize(of_keras),
        type(schedule).from_config(schedule.get_config()),
        copy.deepcopy(schedule),
        pickle.loads(pickle.dumps(schedule)),
    ):
        assert type(twin) is type(schedule)
        assert twin.get_config() == schedule.get_config()
        assert twin.rates(0, 50).tobytes() == schedule.rates(0, 50).tobytes()
    assert repr(schedule).startswith(f"{name}(")


@pytest.mark.parametrize(
    ("name", "settings", "argument"),
    [
        *(
            (name, {"initial_learning_rate": 0.1, "decay_rate": 0.5, "decay_steps": 10, **bad}, next(iter(bad)))
            for name in ("ExponentialDecay", "InverseTimeDecay")
            for bad in (
                *({"decay_steps": value} for value in (0, -1, float("nan"), "ten", None)),
                *({"initial_learning_rate": value} for value in (-0.1, float("inf"), "fast")),
                *({"decay_rate": -0.5}, {"staircase": 2}, {"name": 3}),
            )
        ),
        *(
            ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, **bad}, next(iter(bad)))
            for bad in ({"decay_steps": 0}, {"power": -1.0}, {"end_learning_rate": -0.1}, {"cycle": "yes"})
        ),
        *(
            ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, **bad}, next(iter(bad)))
            for bad in ({"decay_steps": 0}, {"alpha": -0.1}, {"warmup_target": -1.0}, {"warmup_steps": -1})
        ),
        *(
            ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10, **bad}, next(iter(bad)))
            for bad in ({"first_decay_steps": 0}, {"t_mul": 0.5}, {"m_mul": -1.0}, {"alpha": -0.1})
        ),
        ("PiecewiseConstantDecay", {"boundaries": [1, 2], "values": [0.1, 0.2]}, "values.*one more.*boundaries"),
        ("PiecewiseConstantDecay", {"boundaries": [2, 1], "values": [0.1, 0.2, 0.3]}, "boundaries must increase"),
        ("PiecewiseConstantDecay", {"boundaries": 1, "values": [0.1, 0.2]}, "boundaries"),
        ("PiecewiseConstantDecay", {"boundaries": ["a"], "values": [0.1, 0.2]}, "boundaries"),
        ("PiecewiseConstantDecay", {"boundaries": [1], "values": [0.1, -0.2]}, "values"),
        *(
            ("OneCycle", {"max_learning_rate": 0.1, "total_steps": 10, **bad}, next(iter(bad)))
            for bad in (
                *({"total_steps": value} for value in (0, 1, 10.5)),
                *({"pct_start": 1.0}, {"pct_start": 0.6, "three_phase": True}, {"anneal_strategy": "poly"}),
                *({"div_factor": 0.0}, {"final_div_factor": -1.0}, {"max_learning_rate": -0.1}),
            )
        ),
    ],
)
def test_schedule_bad_argument_names_it(name, settings, argument):
    with pytest.raises((ValueError, TypeError), match=argument):
        make(name, settings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schedules.deserialize("ExponentialDecay"), "learning_rate_schedule"),
        (lambda: schedules.deserialize({"class_name": "ExponentialDeca", "config": {}}), "'ExponentialDecay'"),
        (lambda: schedules.deserialize({"class_name": "Own"}, [Own]), "custom_objects must be a dict"),
        (lambda: schedules.serialize(0.1), "LearningRateSchedule"),
        (lambda: schedules.ExponentialDecay(0.1, 10), r"ExponentialDecay\(\) needs the argument 'decay_rate'"),
        (lambda: schedules.CosineDecay(0.1, decay_step=3), r"CosineDecay\(\) has no argument 'decay_step'"),
    ],
)
def test_schedule_says_what_is_wrong(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


# ---- optimizers with schedules ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("number", "training"), list(enumerate(TABLES["trainings"])), ids=str)
def test_schedule_trains_to_the_weights_of_keras(number, training):
    row, name, settings = training
    model = pynn.Sequential(
        [
            pynn.Input((5,)),
            layers.Dense(7, activation="tanh", dtype="float64"),
            layers.Dense(3, activation="sigmoid", dtype="float64"),
        ]
    )
    model.set_weights([GOLDEN[f"start/{i}"] for i in range(4)])
    optimizer = getattr(optimizers, name)(make(*TABLES["schedules"][row]), **settings)
    model.compile(optimizer, "mean_squared_error")
    model.fit(
        *(GOLDEN["x"], GOLDEN["y"]), batch_size=TABLES["batch"], epochs=TABLES["epochs"], shuffle=False, verbose=0
    )
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(weights, GOLDEN[f"train/{number}"], rtol=1e-10, atol=1e-12)


def problem(random):
    """Inputs, targets, and weights to begin with."""
    return random.normal(size=(7, 5)), random.uniform(size=(7, 3)), [random.normal(0, 0.7, s) for s in SHAPES]


def trajectory(name, schedule, x, y, start, steps, **settings):
    """The reference, whose rate is that of the step to come."""
    twin = Trajectory(name, start, learning_rate=0.0, **settings)
    for _ in range(steps):
        twin.settings["learning_rate"] = schedule(twin.steps)
        twin.step(gradients(twin.weights, x, y))
    return twin


@every_case
@pytest.mark.parametrize("verbose", [0, 1])
def test_schedule_gives_each_step_its_rate(name, settings, verbose, random):
    x, y, start = problem(random)
    schedule = make(name, settings)
    model = make_float64_model(optimizers.SGD(schedule), start)
    model.fit(x, y, batch_size=7, epochs=13, shuffle=False, verbose=verbose)
    model.train_on_batch(x, y)
    twin = trajectory("sgd", schedule, x, y, start, 14)
    for got, expected in zip(model.get_weights(), twin.weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)
    assert model.optimizer.iterations == 14
    assert model.optimizer.learning_rate == schedule(14)


@pytest.mark.parametrize("name", [cls.__name__ for cls in optimizers._TABLE.values()])
def test_schedule_is_a_rate_of_every_optimizer(name, random):
    x, y, start = problem(random)
    schedule = schedules.PiecewiseConstantDecay([2, 4], [0.05, 0.5, 0.01])
    optimizer = getattr(optimizers, name)(learning_rate=schedule)
    own = {setting: getattr(optimizer, setting) for setting in optimizer.own_settings}
    model = make_float64_model(optimizer, start)
    model.fit(x, y, batch_size=7, epochs=6, shuffle=False, verbose=0)
    rule, decay = ("adam", {"weight_decay": 0.004}) if name == "AdamW" else (name.lower(), {})
    twin = trajectory(rule, schedule, x, y, start, 6, **own, **decay)
    for got, expected, before in zip(model.get_weights(), twin.weights, start, strict=True):
        np.testing.assert_allclose(got - before, expected - before, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    "settings",
    [
        {"gradient_accumulation_steps": 3},
        {"use_ema": True, "ema_momentum": 0.5},
        {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
        {"weight_decay": 0.1, "global_clipnorm": 0.05},
    ],
    ids=str,
)
def test_schedule_counts_batches_beside_other_settings(settings, random):
    x, y, start = problem(random)
    schedule = schedules.ExponentialDecay(0.5, 1, 0.5)
    model = make_float64_model(optimizers.SGD(schedule, **settings), start)
    for epochs in (1, 4, 6):  # the stretches begin within an accumulation
        model.fit(x, y, batch_size=7, epochs=epochs, shuffle=False, verbose=0)
        assert model.optimizer.learning_rate == schedule(model.optimizer._trainer.iterations)
        if settings.get("use_ema"):
            break
    steps = model.optimizer._trainer.iterations
    assert model.optimizer.iterations == steps // settings.get("gradient_accumulation_steps", 1)
    twin = trajectory("sgd", schedule, x, y, start, steps, **settings)
    expected = twin.averages if settings.get("use_ema") else twin.weights
    for got, wanted in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-13)


def test_schedule_goes_on_from_fit_to_fit():
    """keras#12891: 3 + 3 epochs are 6, and the rate has fallen 6 times."""
    x, y = make_data(48)
    once, twice = (
        make_model(optimizer=optimizers.SGD(schedules.ExponentialDecay(0.1, decay_steps=6, decay_rate=0.5)))
        for _ in range(2)
    )
    once.fit(x, y, batch_size=8, epochs=6, verbose=0)
    twice.fit(x, y, batch_size=8, epochs=3, verbose=0)
    twice.fit(x, y, batch_size=8, epochs=6, initial_epoch=3, verbose=0)
    assert bits(once) == bits(twice)
    for model in (once, twice):
        assert model.optimizer.iterations == 36
        assert model.optimizer.learning_rate == pytest.approx(0.1 * 0.5**6, rel=1e-14)


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 4}, {"use_ema": True}], ids=str)
def test_schedule_has_the_same_bits_on_any_threads(settings):
    x, y = make_data(200)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = make_model(optimizer=optimizers.Adam(schedules.OneCycle(0.05, 26), **settings))
        model.fit(x, y, batch_size=16, epochs=2, verbose=0)
        seen.add(bits(model))
    assert len(seen) == 1


def test_schedule_of_a_constant_has_the_bits_of_the_number():
    x, y = make_data(200)
    seen = set()
    for rate in (0.05, schedules.PiecewiseConstantDecay([10], [0.05, 0.05]), lambda: 0.05):
        model = make_model(optimizer=optimizers.Adam(rate))
        model.fit(x, y, batch_size=16, epochs=2, verbose=0)
        seen.add(bits(model))
    assert len(seen) == 1


def test_schedule_leaves_frozen_layers_alone(random):
    x, y, start = problem(random)
    schedule = schedules.ExponentialDecay(0.5, 1, 0.5)
    model = make_float64_model(optimizers.SGD(schedule), start)
    model.layers[0].trainable = False
    model.fit(x, y, batch_size=7, epochs=3, shuffle=False, verbose=0)
    weights = start
    for step in range(3):
        moved = [w - schedule(step) * g for w, g in zip(weights, gradients(weights, x, y), strict=True)]
        weights = [*start[:2], *moved[2:]]
    for got, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


def test_schedule_is_asked_for_the_steps_of_a_stretch_in_parts(monkeypatch):
    """A long stretch takes several calls, with the same bits."""
    x, y = make_data(100)
    whole, parts = (make_model(optimizer=optimizers.SGD(schedules.CosineDecay(0.1, 70))) for _ in range(2))
    whole.fit(x, y, batch_size=10, epochs=8, verbose=0)
    monkeypatch.setattr("pynn.optimizers.base._RATES_AT_ONCE", 7)
    parts.fit(x, y, batch_size=10, epochs=8, verbose=0)
    assert bits(whole) == bits(parts)


def test_schedule_gives_the_rates_of_apply(random):
    schedule = schedules.PiecewiseConstantDecay([0, 1], [0.5, 0.25, 0.125])
    optimizer, layer = optimizers.SGD(schedule), layers.Dense(1, use_bias=False, dtype="float64")
    layer.build((None, 1))
    layer.set_weights([np.zeros((1, 1))])
    seen = []
    for _ in range(3):
        optimizer.apply([np.ones((1, 1))], [layer.kernel])
        seen.append(layer.get_weights()[0].item())
    assert seen == [-0.5, -0.75, -0.875]
    assert optimizer.learning_rate == 0.125


# ---- reading and writing the rate ------------------------------------------------------------------------------------
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("value", [0.5, 0, np.float32(0.1)])
def test_schedule_cannot_be_overwritten_by_a_number(compiled, value):
    optimizer = optimizers.Adam(schedules.ExponentialDecay(0.1, 10, 0.5))
    if compiled:
        make_model(optimizer=optimizer).fit(*make_data(), verbose=0)
    before = optimizer.learning_rate
    with pytest.raises(TypeError, match=r"learning_rate of 'adam.*' is a schedule, it can't be set.*ExponentialDecay"):
        optimizer.learning_rate = value
    with pytest.raises(ValueError, match="learning_rate must be a number"):
        optimizer.learning_rate = -1.0
    assert optimizer.learning_rate == before


def test_schedule_may_be_set_where_a_number_was_and_give_way_to_a_function():
    x, y = make_data(40)
    model = make_model(optimizer=optimizers.SGD(0.5))
    model.fit(x, y, batch_size=10, verbose=0)
    model.optimizer.learning_rate = schedules.PiecewiseConstantDecay([4], [1.0, 0.0])
    assert model.optimizer.learning_rate == 1.0  # of step 4
    model.fit(x, y, batch_size=40, verbose=0)
    before = bits(model)
    assert model.optimizer.learning_rate == 0.0
    model.fit(x, y, verbose=0)
    assert bits(model) == before
    model.optimizer.learning_rate = lambda: 0.25
    assert model.optimizer.learning_rate == 0.25
    model.fit(x, y, verbose=0)
    assert bits(model) != before


def test_schedule_is_in_configurations_and_copies_of_the_optimizer():
    schedule = schedules.CosineDecay(0.1, 100, warmup_target=0.5, warmup_steps=10)
    optimizer = optimizers.Adam(schedule, beta_1=0.8)
    make_model(optimizer=optimizer).fit(*make_data(), verbose=0)
    config = json.loads(json.dumps(optimizer.get_config()))
    assert config["learning_rate"] == json.loads(json.dumps(schedules.serialize(schedule)))
    described = {"class_name": "Adam", "config": config}
    for twin in (
        optimizers.Adam.from_config(config),
        optimizers.get(described),
        optimizers.get(optimizers.serialize(optimizer)),
        copy.copy(optimizer),
        copy.deepcopy(optimizer),
        pickle.loads(pickle.dumps(optimizer)),
    ):
        assert twin.get_config() == optimizer.get_config()
        assert twin.iterations == 0
        assert twin.learning_rate == 0.1
    assert config["learning_rate"]["class_name"] == "CosineDecay"  # from_config has left it as it was
    assert "learning_rate=CosineDecay(" in repr(optimizer)


# ---- schedules of one's own ------------------------------------------------------------------------------------------
def test_schedule_of_ones_own_is_called_once_for_each_step(random):
    x, y, start = problem(random)
    schedule = Own(scale=0.5)
    model = make_float64_model(optimizers.SGD(schedule), start)
    model.fit(x, y, batch_size=7, epochs=5, shuffle=False, verbose=0)
    assert schedule.asked == [0, 1, 2, 3, 4]
    twin = trajectory("sgd", Own(scale=0.5), x, y, start, 5)
    for got, expected in zip(model.get_weights(), twin.weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)
    assert model.optimizer.learning_rate == 0.5 / 7
    assert "Own()" in repr(model.optimizer)


def test_schedule_of_ones_own_may_compute_all_rates_at_once(random):
    x, y, start = problem(random)

    class Vectorized(Own):
        def rates(self, first, count):
            return self.scale / np.arange(first + 2, first + count + 2)

    fast, slow = Vectorized(), Own()
    models = [make_float64_model(optimizers.SGD(schedule), start) for schedule in (fast, slow)]
    for model in models:
        model.fit(x, y, batch_size=7, epochs=5, shuffle=False, verbose=0)
    assert bits(models[0]) == bits(models[1])
    assert (len(fast.asked), len(slow.asked)) == (0, 5)


def test_schedule_of_ones_own_may_change_one_of_pynns():
    class Floored(schedules.ExponentialDecay):
        def __call__(self, step):
            return max(super().__call__(step), 0.02)

    model = make_model(optimizer=optimizers.SGD(Floored(0.1, 1, 0.5)))
    model.fit(*make_data(50), batch_size=10, verbose=0)
    assert Floored(0.1, 1, 0.5).rates(0, 5).tolist() == [0.1, 0.05, 0.025, 0.02, 0.02]
    assert model.optimizer.learning_rate == 0.02


def test_schedule_of_ones_own_is_serialized_by_its_get_config():
    optimizer = optimizers.SGD(Serializable(3.0))
    config = json.loads(json.dumps(optimizer.get_config()))
    names = {"class_name": "Serializable", "registered_name": "Serializable"}
    assert config["learning_rate"] == {**names, "config": {"scale": 3.0}}
    twin = optimizers.SGD.from_config(config, custom_objects={"Serializable": Serializable})
    assert twin.learning_rate == 1.5
    with pytest.raises(ValueError, match="Serializable"):
        optimizers.SGD.from_config(config)
    with pytest.raises(NotImplementedError, match=r"Own must define get_config\(\)"):
        optimizers.SGD(Own()).get_config()
    model = pynn.Sequential([pynn.Input((1,)), pynn.layers.Dense(1)])
    model.compile(optimizers.SGD(Own()), "mse")
    with pytest.raises(ValueError, match=r"Own must define get_config\(\).*save_weights"):
        copy.deepcopy(model)
    with pytest.raises(NotImplementedError, match=r"LearningRateSchedule must define __call__\(self, step\)"):
        schedules.LearningRateSchedule()(0)


@pytest.mark.parametrize("answer", [-1.0, float("nan"), float("inf"), "fast", None, [0.1], np.ones(2), 1j], ids=repr)
def test_schedule_of_ones_own_that_gives_no_rate_changes_nothing(answer):
    class Bad(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1 if step < 3 else answer

    x, y = make_data(50)
    model = make_model(optimizer=optimizers.SGD(Bad()))
    with unchanged(model), pytest.raises((ValueError, TypeError), match="learning_rate, which Bad gives for step 3"):
        model.fit(x, y, batch_size=10, verbose=0)
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize(
    "rates", [np.ones(3), np.array(["a"] * 5), [0.1] * 4, None, np.array([1, 1, 1, 1, -1])], ids=repr
)
def test_schedule_of_ones_own_that_gives_no_rates_changes_nothing(rates):
    class Bad(Own):
        def rates(self, first, count):
            return rates

    x, y = make_data(50)
    model = make_model(optimizer=optimizers.SGD(Bad()))
    with unchanged(model), pytest.raises((ValueError, TypeError), match="Bad"):
        model.fit(x, y, batch_size=10, verbose=0)


@pytest.mark.parametrize("answer", [0.25, np.float32(0.25), np.array(0.25), 1, np.int64(1)], ids=repr)
def test_schedule_of_ones_own_may_give_any_number(answer):
    class Kind(schedules.LearningRateSchedule):
        def __call__(self, step):
            return answer

    assert optimizers.SGD(Kind()).learning_rate == float(answer)


def test_optimizer_with_a_schedule_of_ones_own_is_described():
    config = optimizers.serialize(optimizers.SGD(Serializable(0.5)))
    twin = optimizers.deserialize(config, custom_objects={"Serializable": Serializable})
    assert twin.learning_rate == 0.25
    with pytest.raises(ValueError, match="Unknown learning_rate_schedule 'Serializable'"):
        optimizers.deserialize(config)


def test_schedule_of_ones_own_that_raises_changes_nothing():
    class Broken(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 1 / (3 - step)

    x, y = make_data(50)
    model = make_model(optimizer=optimizers.SGD(Broken()))
    with unchanged(model), pytest.raises(ZeroDivisionError):
        model.fit(x, y, batch_size=10, verbose=0)


def test_schedule_that_overflows_is_refused_before_the_steps():
    x, y = make_data(50)
    model = make_model(optimizer=optimizers.SGD(schedules.ExponentialDecay(1.0, 1, 1e100)))
    with unchanged(model), pytest.raises(ValueError, match=r"ExponentialDecay gives for step 4.*inf"):
        model.fit(x, y, batch_size=10, verbose=0)
