"""What Keras computed in float64 of several outputs and weights (golden/make_keras_weights.py) must come out here."""

import json
import pathlib

import numpy as np
import pytest

import pynn

GOLDEN = np.load(pathlib.Path(__file__).with_name("golden") / "keras_weights.npz")
TABLE = json.loads(str(GOLDEN["table"]))
PROGRAMS = TABLE["programs"]


def saved(number, name):
    return GOLDEN[f"{number}/{name}"]


def several(number, kind):
    """By name what was saved of a kind."""
    start = f"{number}/{kind}/"
    return {name.removeprefix(start): GOLDEN[name] for name in GOLDEN.files if name.startswith(start)}


def network(kind, x):
    classes = pynn.layers.Dense(4, activation=None if kind == "logits" else "softmax", name="classes")
    numbers = pynn.layers.Dense(2, name="numbers")
    given = pynn.Input(x.shape[1:])
    hidden = pynn.layers.Dense(7, activation="tanh")(given)
    if kind == "pair":
        return pynn.Model(given, [classes(hidden), numbers(hidden)])
    return pynn.Model(given, numbers(hidden) if kind == "numbers" else classes(hidden))


def chosen(which, weights):
    return [chosen(each, weights) for each in which] if isinstance(which, list) else which and weights[which]


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=[str(program) for program in PROGRAMS])
def test_keras_weights(number):
    pynn.config.set_floatx("float64")
    program, x = PROGRAMS[number], saved(number, "x")
    model = network(program["model"], x)
    model.set_weights(list(several(number, "start").values()))
    losses = [each and getattr(pynn.losses, each[0])(**each[1]) for each in program["losses"]]
    more = {key: program[key] for key in ("loss_weights", "metrics", "weighted_metrics") if key in program}
    model.compile(pynn.optimizers.SGD(0.1), losses, **more)
    y = list(several(number, "y").values())
    y = y if len(y) > 1 else y[0]
    w = chosen(program.get("weights"), several(number, "weights"))
    of_classes = program.get("class_weight")
    of_classes = of_classes and {int(key): value for key, value in of_classes.items()}

    fitted = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0, "class_weight": of_classes}
    history = model.fit(x, y, sample_weight=w, validation_data=(x, y) if w is None else (x, y, w), **fitted).history
    expected = several(number, "history")
    assert history.keys() == expected.keys()
    for name, values in expected.items():
        close(history[name], values)
    logs = model.evaluate(x, y, batch_size=4, sample_weight=w, verbose=0, return_dict=True)
    assert logs.keys() == several(number, "evaluated").keys()
    for name, value in several(number, "evaluated").items():
        close(logs[name], value)
    # Where a metric is there twice, once with weights, Keras's lists have the first of them twice.
    if not any(name.startswith("weighted_") for name in logs):
        assert list(logs) == model.metrics_names
        close(model.test_on_batch(x, y, w), saved(number, "tested"))
        close(model.train_on_batch(x, y, w), saved(number, "trained"))
        for ours, theirs in zip(model.get_weights(), several(number, "end").values(), strict=True):
            close(ours, theirs)


@pytest.mark.parametrize("number", range(len(TABLE["calls"])), ids=[str(call) for call in TABLE["calls"]])
def test_keras_calls_with_weights(number):
    kind = TABLE["calls"][number][0]
    p, y, w = (saved("direct", f"{number}/{name}") for name in "pyw")
    if kind == "metric":
        metric = pynn.metrics.MeanSquaredError()
        metric.update_state(y, p, sample_weight=w)
        metric.update_state(y[:1] + 1, p[:1])
        close(metric.result(), saved("direct", f"{number}/metric"))
        return
    for reduction in ("mean", "sum", "none", "mean_with_sample_weight"):
        if f"direct/{number}/{reduction}" in GOLDEN.files:
            found = pynn.losses.MeanSquaredError(reduction)(y, p, sample_weight=w)
            expected = saved("direct", f"{number}/{reduction}")
            assert np.shape(found) == expected.shape
            close(found, expected)


@pytest.mark.parametrize("number", range(len(TABLE["ignored"])), ids=[str(each) for each in TABLE["ignored"]])
def test_keras_ignored_labels(number):
    reduction, weighted = TABLE["ignored"][number]
    labels, p, w = (saved("direct", f"ignored/{name}") for name in ("labels", "p", "w"))
    loss = pynn.losses.SparseCategoricalCrossentropy(ignore_class=-1, reduction=reduction)
    for name, given in (("some", labels), ("all", np.full(5, -1))):
        close(loss(given, p, w if weighted else None), saved("direct", f"ignored/{number}/{name}"))
    close(pynn.losses.sparse_categorical_crossentropy(labels, p, ignore_class=-1), saved("direct", "ignored/rows"))


def test_keras_weights_are_from_keras_3():
    assert TABLE["keras"].startswith("3.")
