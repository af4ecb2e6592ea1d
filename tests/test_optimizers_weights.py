"""What optimizers do beside their rule: decay of some weights, accumulation, averages, rates from functions."""

import copy
import itertools
import json

import numpy as np
import pytest
from helpers import THREADS, bits, make_data, make_model
from reference_optimizers import Trajectory
from test_optimizers_api import SHAPES, gradients, make_float64_model

import pynn
from pynn import layers, optimizers

ACCUMULATING = [{"gradient_accumulation_steps": n} for n in (2, 3)]
AVERAGING = [{"use_ema": True}, {"use_ema": True, "ema_momentum": 0.5}]
OVERWRITING = [{"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": n} for n in (1, 3)]
BOTH = [{**a, **b} for a in ACCUMULATING for b in (AVERAGING[1], OVERWRITING[1])]
SETTINGS = [*ACCUMULATING, *AVERAGING, *OVERWRITING, *BOTH]
RULES = [("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {"weight_decay": 0.1}), ("Lion", {})]


def problem(random):
    """Inputs, targets, and weights to begin with."""
    return random.normal(size=(7, 5)), random.uniform(size=(7, 3)), [random.normal(0, 0.7, s) for s in SHAPES]


def compare(model, weights, start):
    for got, expected, before in zip(model.get_weights(), weights, start, strict=True):
        np.testing.assert_allclose(got - before, expected - before, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("name", "rule"), RULES, ids=[name for name, _ in RULES])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_optimizer_accumulates_and_averages(name, rule, settings, random):
    """Each step against the reference, and the averages that take over at the end of fit."""
    x, y, start = problem(random)
    rule = {"learning_rate": 0.05, **rule}
    model = make_float64_model(getattr(optimizers, name)(**rule, **settings), start)
    twin = Trajectory("adam" if name == "AdamW" else name.lower(), start, **rule, **settings)
    for _ in range(7):
        model.train_on_batch(x, y)
        twin.step(gradients(twin.weights, x, y))
        compare(model, twin.weights, start)
    assert model.optimizer.iterations == 7 // settings.get("gradient_accumulation_steps", 1)
    model.fit(x, y, batch_size=7, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        twin.step(gradients(twin.weights, x, y))
    compare(model, twin.averages if settings.get("use_ema") else twin.weights, start)


@pytest.mark.parametrize("clips", [{"clipnorm": 0.05}, {"global_clipnorm": 0.05}, {"clipvalue": 0.01}], ids=str)
def test_optimizer_clips_the_mean_gradient(clips, random):
    x, y, start = problem(random)
    rule = {"learning_rate": 0.5, "gradient_accumulation_steps": 2, **clips}
    model, twin = make_float64_model(optimizers.SGD(**rule), start), Trajectory("sgd", start, **rule)
    for part in (slice(0, 4), slice(3, 7)) * 2:
        model.train_on_batch(x[part], y[part])
        twin.step(gradients(twin.weights, x[part], y[part]))
    compare(model, twin.weights, start)


@pytest.mark.parametrize("settings", [{}, *ACCUMULATING, AVERAGING[1], OVERWRITING[1]], ids=str)
@pytest.mark.parametrize("rule", [{}, {"momentum": 0.5}, {"weight_decay": 0.1}], ids=str)
def test_optimizer_of_a_table_has_the_numbers_of_a_matrix(settings, rule, random):
    """Rows that no id of a batch names are not passed over, where sums of gradients or averages go on for them."""
    ids, y = random.integers(0, 6, (12, 2)), random.normal(size=(12, 1))
    table, kernel = random.normal(size=(6, 3)), random.normal(size=(6, 1))
    results = []
    for first, x in (
        (layers.Embedding(6, 3, dtype="float64"), ids),
        (layers.Dense(3, use_bias=False, dtype="float64"), np.eye(6)[ids]),
    ):
        start = pynn.Input((2,), dtype="int32") if x is ids else pynn.Input((2, 6), dtype="float64")
        last = layers.Dense(1, use_bias=False, dtype="float64")
        model = pynn.Sequential([start, first, layers.Flatten(), last])
        model.set_weights([table, kernel])
        model.compile(optimizers.SGD(0.1, **rule, **settings), "mse")
        model.fit(x, y, batch_size=2, epochs=1, shuffle=False, verbose=0)
        model.train_on_batch(x[:3], y[:3])
        results.append(model.get_weights())
    for by_ids, by_products in zip(*results, strict=True):
        np.testing.assert_allclose(by_ids, by_products, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("settings", [ACCUMULATING[1], OVERWRITING[1], BOTH[1]], ids=str)
def test_optimizer_accumulates_and_averages_in_the_same_bits_on_any_threads(settings):
    x, y = make_data(200)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = make_model(optimizer=optimizers.AdamW(0.05, **settings))
        model.fit(x, y, batch_size=16, epochs=2, verbose=0)
        seen.add(bits(model))
    assert len(seen) == 1


def test_optimizer_accumulates_from_fit_to_fit():
    """What was added up is kept where a call ends between two updates."""
    x, y = make_data(48)
    once, twice = (make_model(optimizer=optimizers.Adam(0.05, gradient_accumulation_steps=4)) for _ in range(2))
    once.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        twice.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    assert bits(once) == bits(twice)
    assert once.optimizer.iterations == twice.optimizer.iterations == 3


def test_optimizer_average_of_a_frozen_layer_is_the_layer(random):
    """Only weights that were trained have an average."""
    x, y, start = problem(random)
    model = make_float64_model(optimizers.SGD(0.1, use_ema=True), start)
    model.layers[0].trainable = False
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], start[0])
    assert (model.get_weights()[2] != start[2]).any()
    model.optimizer.finalize_variable_values(model.weights)
    np.testing.assert_array_equal(model.get_weights()[0], start[0])


def test_optimizer_finalize_takes_the_weights_that_are_given(random):
    x, y, start = problem(random)
    rule = {"learning_rate": 0.5, "use_ema": True, "ema_momentum": 0.5}
    model, twin = make_float64_model(optimizers.SGD(**rule), start), Trajectory("sgd", start, **rule)
    model.optimizer.finalize_variable_values(model.weights)  # no average yet
    compare(model, start, start)
    for _ in range(3):
        model.train_on_batch(x, y)
        twin.step(gradients(twin.weights, x, y))
    model.optimizer.finalize_variable_values([model.layers[0].kernel])
    compare(model, [twin.averages[0], *twin.weights[1:]], start)
    with pytest.raises(TypeError, match="var_list"):
        model.optimizer.finalize_variable_values(["kernel"])


def test_optimizer_averages_before_constraints(random):
    """As in Keras: a step ends with the constraint, the average has seen what was before."""
    model = pynn.Sequential(
        [pynn.Input((1,)), layers.Dense(1, use_bias=False, kernel_constraint="non_neg", dtype="float64")]
    )
    model.set_weights([[[0.25]]])
    model.compile(optimizers.SGD(1.0, use_ema=True), "mean_absolute_error")
    model.train_on_batch([[1.0]], [[-9.0]])
    assert model.get_weights()[0] == 0
    model.optimizer.finalize_variable_values(model.weights)
    assert model.get_weights()[0] == -0.75


# ---- weights without decay -------------------------------------------------------------------------------------------
def decaying(exclude, optimizer=None, after=False):
    """The weights of a model of ones, by layer and name, after a step with zero gradients that decays by .05."""
    model = pynn.Sequential(
        [
            pynn.Input((2,)),
            layers.Dense(2, kernel_initializer="ones", bias_initializer="ones", name="first"),
            layers.LayerNormalization(beta_initializer="ones", name="norm"),
            layers.Dense(1, kernel_initializer="ones", bias_initializer="ones", name="second"),
        ]
    )
    optimizer = optimizer or optimizers.AdamW(0.1, weight_decay=0.5)
    for compiled in (False, True):
        if compiled:
            model.compile(optimizer, "mse")
        if compiled == after:
            optimizer.exclude_from_weight_decay(**exclude(model))
    x = np.ones((4, 2))
    model.train_on_batch(x, model.predict(x, verbose=0))
    return {weight.path: weight.numpy().flat[0] for weight in model.weights}


@pytest.mark.parametrize(
    ("exclude", "kept"),
    [
        (lambda model: {}, set()),
        (lambda model: {"var_names": ["bias"]}, {"first/bias", "second/bias"}),
        (lambda model: {"var_names": ["bias", "gamma|beta"]}, {"first/bias", "second/bias", "norm/gamma", "norm/beta"}),
        (lambda model: {"var_list": [model.layers[0].kernel]}, {"first/kernel"}),
        (lambda model: {"var_list": [model.layers[0].bias], "var_names": ["gam"]}, {"first/bias", "norm/gamma"}),
        (lambda model: {"var_list": [], "var_names": []}, set()),
    ],
)
@pytest.mark.parametrize("after", [False, True], ids=["before compile", "after compile"])
def test_optimizer_excludes_from_weight_decay(exclude, kept, after):
    for name, value in decaying(exclude, after=after).items():
        assert value == pytest.approx(1 if name in kept else 0.95, rel=1e-6), name


@pytest.mark.parametrize("name", [cls.__name__ for cls in optimizers._TABLE.values()])
def test_optimizer_of_any_kind_excludes_from_weight_decay(name):
    optimizer = getattr(optimizers, name)(learning_rate=0.1, weight_decay=0.5)
    found = decaying(lambda model: {"var_names": ["bias"]}, optimizer)
    assert found["first/bias"] == found["second/bias"] == 1
    assert found["first/kernel"] == pytest.approx(0.95, rel=1e-6)


def test_optimizer_exclusion_gives_way_to_the_next_call():
    optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    found = decaying(lambda model: {"var_names": ["bias"]}, optimizer, after=True)
    assert found["first/bias"] == 1
    assert found["first/kernel"] == pytest.approx(0.95, rel=1e-6)
    with pytest.raises(ValueError, match="before training"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"var_names": "bias"}, "var_names"),
        ({"var_names": [1]}, "var_names"),
        ({"var_names": ["("]}, r"var_names.*regular"),
        ({"var_list": ["bias"]}, "var_list"),
        ({"var_list": 3}, "var_list"),
    ],
)
def test_optimizer_exclusion_bad_argument_names_it(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        optimizers.AdamW().exclude_from_weight_decay(**arguments)


# ---- rates from functions --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("verbose", [0, 1])
def test_optimizer_asks_a_function_for_the_rate_of_each_step(verbose, random):
    x, y, start = problem(random)
    rates = [0.5, 0.0, 0.25, 0.125, 1.0]
    model = make_float64_model(optimizers.SGD(iter(rates).__next__), start)
    expected = [w.copy() for w in start]
    model.fit(x, y, batch_size=7, epochs=4, shuffle=False, verbose=verbose)
    model.train_on_batch(x, y)
    for rate in rates:
        expected = [w - rate * g for w, g in zip(expected, gradients(expected, x, y), strict=True)]
    compare(model, expected, start)


def test_optimizer_rate_may_become_a_function_and_a_number_again():
    x, y = make_data()
    model = make_model(optimizer=optimizers.SGD(0.1))
    model.fit(x, y, verbose=0)
    model.optimizer.learning_rate = lambda: 0.0
    before = bits(model)
    model.fit(x, y, verbose=0)
    assert bits(model) == before
    assert model.optimizer.learning_rate == 0.0
    model.optimizer.learning_rate = 0.1
    model.fit(x, y, verbose=0)
    assert bits(model) != before


def test_optimizer_rate_that_is_a_function_in_copies_and_configurations():
    count = itertools.count(1)
    optimizer = optimizers.Adam(lambda: next(count) / 8)
    assert "<function" in repr(optimizer)
    assert copy.deepcopy(optimizer).learning_rate == 0.125
    assert json.loads(json.dumps(optimizer.get_config()))["learning_rate"] == 0.25


@pytest.mark.parametrize("answer", [-1.0, float("nan"), "fast", None])
def test_optimizer_rate_from_a_function_is_checked(answer):
    x, y = make_data()
    model = make_model(optimizer=optimizers.SGD(lambda: answer))
    before = bits(model)
    with pytest.raises((ValueError, TypeError), match="learning_rate"):
        model.fit(x, y, verbose=0)
    assert bits(model) == before
    with pytest.raises(TypeError, match=r"learning_rate.*without arguments"):
        optimizers.SGD(lambda step: 0.1)


def test_optimizer_error_of_a_rate_ends_training_after_the_step_before():
    x, y = make_data(30)
    rates = iter([0.1, 0.1])
    model = make_model(optimizer=optimizers.SGD(lambda: next(rates)))
    with pytest.raises(StopIteration):
        model.fit(x, y, batch_size=10, verbose=0)
    assert model.optimizer.iterations == 2


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("use_ema", "yes"),
        *(("ema_momentum", value) for value in (-0.1, 1.1, float("nan"))),
        *(("ema_overwrite_frequency", value) for value in (0, -1, 1.5, 2**40)),
        *(("gradient_accumulation_steps", value) for value in (0, 1, -2, 2.5, 2**40)),
        *(("loss_scale_factor", value) for value in (0.0, -1.0, "much")),
    ],
)
def test_optimizer_bad_setting_names_it(argument, value):
    with pytest.raises((ValueError, TypeError), match=argument):
        optimizers.SGD(**{argument: value})


def test_optimizer_arguments_have_the_order_of_keras():
    common = [
        "weight_decay",
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
    ]
    common += ["loss_scale_factor", "gradient_accumulation_steps", "name"]
    given = [None, None, 0.5, None, True, 0.9, 3, 2.0, 4, "own"]
    optimizer = optimizers.Lion(0.1, 0.8, 0.9, *given)
    assert [getattr(optimizer, name) for name in common] == given
    assert optimizers.Lion.from_config(optimizer.get_config()).get_config() == optimizer.get_config()
