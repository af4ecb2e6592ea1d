"""Optimizer kernels against the reference: ten steps of each with all options, tails, threads, what is refused."""

import numpy as np
import pytest
from helpers import SIZES, THREADS, looped
from reference_optimizers import slot_names, start_slots, update

import pynn
from pynn import ops
from pynn.foundation.native import core

CASES = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("rmsprop", {}),
    ("rmsprop", {"rho": 0.7, "epsilon": 1e-3}),
    ("rmsprop", {"momentum": 0.6}),
    ("rmsprop", {"centered": True}),
    ("rmsprop", {"momentum": 0.6, "centered": True}),
    ("adagrad", {}),
    ("adagrad", {"epsilon": 1e-2}),
    ("adadelta", {}),
    ("adadelta", {"rho": 0.7, "epsilon": 1e-3}),
    ("adam", {}),
    ("adam", {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    ("adam", {"beta_2": 0.5, "amsgrad": True}),
    ("adamax", {}),
    ("adamax", {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    ("nadam", {}),
    ("nadam", {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    ("lion", {}),
    ("lion", {"beta_1": 0.7, "beta_2": 0.8}),
]
OPTIONS = [{}, {"weight_decay": 0.1}, {"clipvalue": 0.5}, {"weight_decay": 0.1, "clipvalue": 0.5}]
COUNTED = ("adam", "adamax", "nadam")
every_case = pytest.mark.parametrize(("name", "config"), CASES)
every_dtype = looped("dtype", [np.float32, np.float64])


def step(name, w, g, slots, t, **settings):
    """One step of ops.<name>_update, in place."""
    counted = {"iteration": t} if name in COUNTED else {}
    arguments = {("momentum_sum" if (name, slot) == ("rmsprop", "momentum") else slot): a for slot, a in slots.items()}
    getattr(ops, f"{name}_update")(w, g, **arguments, **counted, **settings)


def run(name, config, w, gradients):
    """The weights and slots after a step with each of the gradients."""
    w, slots = w.copy(), start_slots(name, config, w)
    for t, g in enumerate(gradients, 1):
        step(name, w, g, slots, t, **config)
    return w, slots


@every_case
@every_dtype
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_optimizer_trajectory(name, config, dtype, options, random):
    config = {"learning_rate": 0.05, **config, **options}
    start = random.normal(size=100).astype(dtype)
    gradients = random.normal(size=(10, 100)).astype(dtype)
    w, slots = run(name, config, start, gradients)
    expected, expected_slots = [start.astype(np.float64)], [start_slots(name, config, start.astype(np.float64))]
    for t, g in enumerate(gradients.astype(np.float64), 1):
        expected = update(name, expected, [g], expected_slots, t, **config)
    eps = np.finfo(dtype).eps
    assert np.abs(expected[0] - start).max() > 1e-5
    np.testing.assert_allclose(w, expected[0], rtol=100 * eps, atol=100 * eps)
    for slot, array in slots.items():
        np.testing.assert_allclose(array, expected_slots[0][slot], rtol=100 * eps, atol=100 * eps)


@every_dtype
def test_adam_value_of_the_smallest_velocities(dtype):
    """Where epsilon is smaller still, the root of what is nearly subnormal counts."""
    g = np.linspace(3.5e-18, 9e-18, 33).astype(dtype)
    w, m, v = np.zeros_like(g), np.zeros_like(g), np.zeros_like(g)
    ops.adam_update(w, g, m, v, iteration=1, learning_rate=1.0, epsilon=1e-30)
    np.testing.assert_allclose(w, -np.ones_like(g), rtol=1e-5)


@every_case
def test_optimizer_slot_names(name, config):
    settings = {"learning_rate": 0.1, "weight_decay": 0.0, "clipvalue": 0.0, "clipnorm": 0.0, "global_clipnorm": 0.0}
    every = {"momentum": 0.0, "nesterov": 0.0, "rho": 0.9, "epsilon": 1e-7, "centered": 0.0, "amsgrad": 0.0}
    every |= {"beta_1": 0.9, "beta_2": 0.999, "initial_accumulator_value": 0.1}
    own = {"sgd": ("momentum", "nesterov"), "rmsprop": ("rho", "momentum", "epsilon", "centered")}
    own |= {"adagrad": ("epsilon", "initial_accumulator_value"), "adadelta": ("rho", "epsilon")}
    own |= {"adam": ("beta_1", "beta_2", "epsilon", "amsgrad")}
    own |= {"lion": ("beta_1", "beta_2")}
    own |= dict.fromkeys(("adamax", "nadam"), ("beta_1", "beta_2", "epsilon"))
    settings |= {key: every[key] for key in own[name]} | {key: float(value) for key, value in config.items()}
    assert core.slot_names(name, settings) == slot_names(name, config)


@every_case
@every_dtype
def test_optimizer_tails(name, config, dtype, random):
    """Vectors and their rests: all elements come out alike, and what lies behind is not touched."""
    start = random.normal(size=max(SIZES)).astype(dtype)
    gradients = random.normal(size=(3, max(SIZES))).astype(dtype)
    whole, _ = run(name, config, start, gradients)
    for size in SIZES:
        w, slots = np.r_[start[:size], np.full(8, 77)].astype(dtype), start_slots(name, config, start[:size])
        for t, g in enumerate(gradients, 1):
            step(name, w[:size], g[:size], slots, t, **config)
        np.testing.assert_allclose(w[:size], whole[:size], rtol=4 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(w[size:], np.full(8, 77))


@every_case
@every_dtype
def test_optimizer_threads(name, config, dtype, random):
    start = random.normal(size=10_001).astype(dtype)
    gradients = random.normal(size=(3, 10_001)).astype(dtype)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        w, slots = run(name, config, start, gradients)
        seen.add(w.tobytes() + b"".join(slot.tobytes() for slot in slots.values()))
    assert len(seen) == 1


@every_case
@every_dtype
def test_optimizer_zero_gradient_changes_nothing(name, config, dtype, random):
    start = random.normal(size=33).astype(dtype)
    w, _ = run(name, config, start, np.zeros((3, 33), dtype))
    np.testing.assert_array_equal(w, start)


@every_case
@every_dtype
def test_optimizer_nan_stays_in_its_element(name, config, dtype, random):
    start = random.normal(size=33).astype(dtype)
    gradients = random.normal(size=(2, 33)).astype(dtype)
    gradients[0, 5] = np.nan
    w, _ = run(name, config, start, gradients)
    np.testing.assert_array_equal(np.isnan(w), np.arange(33) == 5)


@every_case
def test_optimizer_of_any_shape(name, config, random):
    start, gradients = random.normal(size=12), random.normal(size=(2, 12))
    flat, _ = run(name, config, start, gradients)
    shaped, slots = run(name, config, start.reshape(3, 4), gradients.reshape(2, 3, 4))
    np.testing.assert_array_equal(shaped.ravel(), flat)
    assert all(slot.shape == (3, 4) for slot in slots.values())


@pytest.mark.parametrize("value", [0.1, 1.0, 100.0])
def test_optimizer_clipvalue(value, random):
    g = random.normal(0, 3, 40)
    w = np.zeros(40)
    ops.sgd_update(w, g, learning_rate=1.0, clipvalue=value)
    np.testing.assert_array_equal(w, -np.clip(g, -value, value))


W, G, M, V = (np.ones(6) for _ in range(4))
READ_ONLY = np.ones(6)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.sgd_update(W, np.ones(5)), r"\bg\b"),
        (lambda: ops.sgd_update(W, G.astype(np.float32)), "type"),
        (lambda: ops.sgd_update([1.0], G), r"\bw\b"),
        (lambda: ops.sgd_update(W[::2], G[:3]), r"\bw\b.*contiguous"),
        (lambda: ops.sgd_update(READ_ONLY, G), r"\bw\b.*read-only"),
        (lambda: ops.sgd_update(W, W), r"\bw\b.*overlap"),
        (lambda: ops.sgd_update(W, G, momentum=0.9), "velocity"),
        (lambda: ops.sgd_update(W, G, V), "velocity"),
        (lambda: ops.sgd_update(W, G, np.ones(5), momentum=0.9), "velocity"),
        (lambda: ops.sgd_update(W, G, learning_rate=-1.0), "learning_rate"),
        (lambda: ops.adam_update(W, G, M, V), "iteration"),
        (lambda: ops.adam_update(W, G, M, V, iteration=0), "iteration"),
        (lambda: ops.adam_update(W, G, M, V, iteration=1.5), "iteration"),
        (lambda: ops.adam_update(W, G, M, M, iteration=1), "velocity.*overlap"),
        (lambda: ops.adam_update(W, G, M, V, iteration=1, amsgrad=True), "velocity_hat"),
        (lambda: ops.adam_update(W, G, M, READ_ONLY, iteration=1), "velocity.*read-only"),
        (lambda: ops.adam_update(W, G, M, V, iteration=1, beta_1=1.0), "beta_1"),
        (lambda: ops.rmsprop_update(W, G, V, centered=True), "average_gradient"),
        (lambda: ops.adagrad_update(W, G, V.astype(np.float32)), "type"),
    ],
)
def test_optimizer_bad_argument_names_it(call, message):
    before = W.copy()
    with pytest.raises((ValueError, TypeError), match=message):
        call()
    np.testing.assert_array_equal(W, before)


def test_optimizer_core_refuses_norms():
    """Clipping by a norm needs all gradients, which only a network has."""
    settings = {"learning_rate": 0.1, "momentum": 0.0, "nesterov": 0.0, "weight_decay": 0.0, "clipvalue": 0.0}
    for norm in ("clipnorm", "global_clipnorm"):
        with pytest.raises(ValueError, match=norm):
            core.optimizer_update(
                "sgd", {**settings, "clipnorm": 0.0, "global_clipnorm": 0.0, norm: 1.0}, W, G, [], 1, 1
            )
