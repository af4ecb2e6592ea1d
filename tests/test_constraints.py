"""Conditions on weights: formulas, names, and training against plain NumPy."""

import json

import numpy as np
import pytest
from helpers import THREADS, bits
from reference import dense_backward, dense_forward
from reference_losses import loss_rows
from reference_optimizers import start_slots, update
from tiers import DTYPES_OF_TEAMS

import pynn
from pynn import constraints, layers, optimizers

CASES = [
    constraints.NonNeg(),
    constraints.MaxNorm(),
    constraints.MaxNorm(0.5),
    constraints.MaxNorm(0.0),
    constraints.MaxNorm(0.5, axis=1),
    constraints.MaxNorm(0.5, axis=[0, 1]),
    constraints.UnitNorm(),
    constraints.UnitNorm(axis=-1),
    constraints.MinMaxNorm(),
    constraints.MinMaxNorm(0.5, 0.9, 0.7),
    constraints.MinMaxNorm(2.0, 2.5, axis=1),
    constraints.MinMaxNorm(0.5, 0.6, rate=0.0),
]


def describe(constraint):
    return f"{type(constraint).__name__}-{constraint.get_config()}"


def apply(constraint, w):
    """Keras's formulas."""
    config = constraint.get_config()
    if isinstance(constraint, constraints.NonNeg):
        return np.maximum(w, 0)
    axis = tuple(np.atleast_1d(config["axis"]))
    norm = np.sqrt(np.sum(w**2, axis=axis, keepdims=True))
    if isinstance(constraint, constraints.UnitNorm):
        return w / (1e-7 + norm)
    rate = config.get("rate", 1.0)
    desired = rate * np.clip(norm, config.get("min_value", 0.0), config["max_value"]) + (1 - rate) * norm
    return w * (desired / (1e-7 + norm))


# ---- objects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constraint", CASES, ids=describe)
def test_constraint_values(constraint, random):
    w = random.normal(size=(4, 7))
    w[:, 2] = 0
    np.testing.assert_allclose(constraint(w), apply(constraint, w), rtol=1e-14)
    narrow = constraint(w.astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, apply(constraint, w), rtol=1e-5, atol=1e-7)
    twin = constraints.deserialize(json.loads(json.dumps(constraints.serialize(constraint))))
    assert type(twin) is type(constraint)
    assert json.dumps(twin.get_config()) == json.dumps(constraint.get_config())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("max_norm", constraints.MaxNorm),
        ("MaxNorm", constraints.MaxNorm),
        ("non_neg", constraints.NonNeg),
        ("NonNeg", constraints.NonNeg),
        ("unit_norm", constraints.UnitNorm),
        ("min_max_norm", constraints.MinMaxNorm),
    ],
)
def test_constraint_get(name, kind):
    assert type(constraints.get(name)) is kind
    assert type(constraints.get(kind)) is kind
    own = kind()
    assert constraints.get(own) is own


def test_constraint_defaults_equal_keras():
    assert constraints.get(None) is None
    assert constraints.serialize(None) is None
    assert constraints.max_norm().get_config() == {"max_value": 2, "axis": 0}
    assert constraints.unit_norm().get_config() == {"axis": 0}
    assert constraints.min_max_norm().get_config() == {"min_value": 0, "max_value": 1, "rate": 1, "axis": 0}
    assert constraints.non_neg().get_config() == {}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constraints.MaxNorm(-1), "max_value"),
        (lambda: constraints.MaxNorm(float("nan")), "max_value"),
        (lambda: constraints.MaxNorm(axis=0.5), "axis"),
        (lambda: constraints.UnitNorm(axis=None), "axis"),
        (lambda: constraints.UnitNorm(axis=[]), "axis"),
        (lambda: constraints.UnitNorm(axis=True), "axis"),
        (lambda: constraints.MinMaxNorm(2.0, 1.0), "min_value"),
        (lambda: constraints.MinMaxNorm(-1.0), "min_value"),
        (lambda: constraints.MinMaxNorm(rate=1.5), "rate"),
        (lambda: constraints.UnitNorm(axis=2)(np.ones((2, 2))), "axis=2"),
        (lambda: constraints.get("maxnorm"), "max_norm"),
        (lambda: constraints.get(3), "constraint"),
        (lambda: constraints.get(abs), "constraint"),
        (lambda: type("Own", (constraints.Constraint,), {}), "Own.*constraints of your own.*pynn.constraints"),
        (lambda: type("Own", (constraints.MaxNorm,), {}), "Own.*constraints of your own"),
        (lambda: constraints.Constraint(), "constraints of your own"),
        (lambda: layers.Dense(3, kernel_constraint=abs), "kernel_constraint.*constraints of your own"),
        (lambda: constraints.MaxNorm(max=3), r"MaxNorm\(\) has no argument 'max'"),
        (lambda: layers.Dense(3, kernel_constraint="norm"), "kernel_constraint"),
        (lambda: layers.Conv1D(3, 2, bias_constraint=1), "bias_constraint"),
    ],
)
def test_constraint_bad_argument_names_it(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_constraint_is_shown_by_what_it_was_made_of():
    assert repr(constraints.MaxNorm()) == "MaxNorm()"
    assert repr(constraints.MaxNorm(3, axis=[0, 1])) == "MaxNorm(max_value=3.0, axis=(0, 1))"
    assert repr(constraints.NonNeg()) == "NonNeg()"


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda c: layers.Dense(3, kernel_constraint=c(axis=2), name="probe"), (4,), "probe/kernel.*axis=2"),
        (lambda c: layers.Dense(3, bias_constraint=c(axis=1), name="probe"), (4,), "probe/bias.*axis=1"),
        (lambda c: layers.Dense(3, kernel_constraint=c(axis=-3), name="probe"), (4,), "probe/kernel"),
        (lambda c: layers.Dense(3, kernel_constraint=c(axis=(0, -2)), name="probe"), (4,), "probe/kernel.*twice"),
        (lambda c: layers.Conv2D(3, 2, kernel_constraint=c(axis=(0, 3)), name="probe"), (4, 4, 2), "probe.*adjacent"),
    ],
)
def test_constraint_on_an_axis_there_is_not(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        pynn.Sequential([pynn.Input(shape), layer(constraints.UnitNorm)])


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constraint", CASES, ids=describe)
@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("SGD", {"learning_rate": 0.3}),
        ("Adam", {"learning_rate": 0.05}),
        ("SGD", {"learning_rate": 0.3, "clipnorm": 0.1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_constraint_trajectory(constraint, name, config, dtype, random):
    """Also that nothing is done to the weights before the first step."""
    x, y = random.normal(size=(9, 5)), random.normal(size=(9, 70))
    weights = [random.normal(size=(5, 70)).astype(np.float32).astype(np.float64), random.normal(size=70)]
    weights[1] = weights[1].astype(np.float32).astype(np.float64)
    model = pynn.Sequential(
        [pynn.Input((5,)), layers.Dense(70, kernel_constraint=constraint, bias_constraint="unit_norm", dtype=dtype)]
    )
    model.set_weights(weights)
    model.compile(getattr(optimizers, name)(**config), "mean_squared_error")
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])
    model.fit(x, y, batch_size=9, epochs=5, shuffle=False, verbose=0)
    slots = [start_slots(name.lower(), config, w) for w in weights]
    for t in range(1, 6):
        _, dy = loss_rows("mean_squared_error", y, dense_forward(x, *weights))
        _, *gradients = dense_backward(dy / len(x), x, weights[0])
        weights = update(name.lower(), weights, gradients, slots, t, **config)
        weights = [apply(constraint, weights[0]), apply(constraints.UnitNorm(), weights[1])]
    tight = dtype == "float64"
    for got, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11 if tight else 2e-3, atol=1e-13 if tight else 2e-5)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, [0, 1], [1, 2], [2, 1], (0, 1, 2), [0, 1, 2, 3], [1, 2, 3]], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_constraint_axes_of_a_convolution(axis, channels, random):
    """A step that changes nothing else leaves what the constraint makes of the weights."""
    constraint = constraints.MaxNorm(0.3, axis=axis)
    model = pynn.Sequential(
        [pynn.Input((6, 6, channels)), layers.Conv2D(67, (3, 2), kernel_constraint=constraint, dtype="float64")]
    )
    model.compile(optimizers.SGD(1e-30), "mean_squared_error")
    kernel = model.get_weights()[0]
    model.train_on_batch(random.normal(size=(2, 6, 6, channels)), random.normal(size=(2, 4, 5, 67)))
    np.testing.assert_allclose(model.get_weights()[0], apply(constraint, kernel), rtol=1e-13)


def test_constraint_axes_of_size_1_may_be_left_out():
    model = pynn.Sequential(
        [pynn.Input((6, 6, 1)), layers.Conv2D(4, 3, kernel_constraint=constraints.UnitNorm(axis=(0, 1, 3)))]
    )
    model.compile(optimizers.SGD(1e-30), "mean_squared_error")
    model.train_on_batch(np.ones((1, 6, 6, 1)), np.ones((1, 4, 4, 4)))
    assert np.linalg.norm(model.get_weights()[0]) == pytest.approx(1, rel=1e-5)


def test_constraint_of_weights_that_are_not_trainable(random):
    x, y = random.normal(size=(9, 5)), random.normal(size=(9, 3))
    model = pynn.Sequential(
        [
            pynn.Input((5,)),
            layers.Dense(4, kernel_constraint="non_neg", trainable=False),
            layers.Dense(3, kernel_constraint="non_neg"),
        ]
    )
    model.compile("sgd", "mean_squared_error")
    before = model.get_weights()
    assert all((before[i] < 0).any() for i in (0, 2))
    model.train_on_batch(x, y)
    after = model.get_weights()
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[2] >= 0).all()


def test_constraint_and_evaluation_leave_each_other_alone(random):
    x, y = random.normal(size=(9, 5)), random.normal(size=(9, 3))
    model = pynn.Sequential([pynn.Input((5,)), layers.Dense(3, kernel_constraint="non_neg")])
    model.compile("sgd", "mean_squared_error")
    before = bits(model)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    assert bits(model) == before


def test_constraint_in_the_configuration():
    layer = layers.Conv2D(4, 3, kernel_constraint=constraints.MaxNorm(3, axis=[0, 1, 2]), bias_constraint="non_neg")
    config = json.loads(json.dumps(layer.get_config()))
    twin = layers.Conv2D.from_config(config)
    assert json.dumps(twin.get_config()) == json.dumps(config)
    assert twin.kernel_constraint.axis == (0, 1, 2)


# ---- threads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES_OF_TEAMS)
@pytest.mark.parametrize("batch_size", [40, 300])
def test_constraint_threads(dtype, batch_size, random):
    x, y = random.normal(size=(400, 300)), random.integers(0, 10, 400)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(8)
        model = pynn.Sequential(
            [
                pynn.Input((300,)),
                layers.Dense(400, "relu", kernel_constraint=constraints.MaxNorm(0.8), dtype=dtype),
                layers.Dense(200, "relu", kernel_constraint="non_neg", kernel_regularizer="l2"),
                layers.Dense(200, "relu", kernel_constraint=constraints.MinMaxNorm(0.5, 0.7, 0.5, axis=1)),
                layers.Dense(10, "softmax", kernel_constraint=constraints.UnitNorm(axis=(0, 1))),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        history = model.fit(x, y, batch_size=batch_size, epochs=2, validation_split=0.2, verbose=0).history
        seen.add((bits(model), str(history)))
    assert len(seen) == 1
