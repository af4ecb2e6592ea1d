"""What Keras computed in float64 (golden/make_keras_golden.py) must come out here: 5 steps of training, and values."""

import json
import pathlib

import numpy as np
import pytest
from helpers import make_model

import pynn

GOLDEN = np.load(pathlib.Path(__file__).with_name("golden") / "keras.npz")
TABLES = json.loads(str(GOLDEN["tables"]))
LAYERS = np.load(pathlib.Path(__file__).with_name("golden") / "keras_layers.npz")  # golden/make_keras_layers.py
NETWORKS = json.loads(str(LAYERS["table"]))["networks"]


def numbered(table):
    """Parameters (number, row), with readable names."""
    names = ["-".join(str(part) for part in (row.values() if isinstance(row, dict) else row)) for row in TABLES[table]]
    return pytest.mark.parametrize(("number", "row"), list(enumerate(TABLES[table])), ids=names)


@numbered("train")
def test_keras_training(number, row):
    pynn.config.set_floatx("float64")
    start = [GOLDEN[f"start/{i}"] for i in range(4)]
    x, y = GOLDEN["x"], GOLDEN[f"target/{row['target']}"]
    model = pynn.Sequential(
        [
            pynn.Input((x.shape[1],)),
            pynn.layers.Dense(start[0].shape[1], activation="tanh"),
            pynn.layers.Dense(start[2].shape[1], activation=row["activation"]),
        ]
    )
    model.set_weights(start)
    optimizer = getattr(pynn.optimizers, row["optimizer"])(**row["optimizer_config"])
    model.compile(optimizer=optimizer, loss=getattr(pynn.losses, row["loss"])(**row["loss_config"]))
    expected = GOLDEN[f"train/{number}/losses"]
    history = model.fit(x, y, batch_size=len(x), epochs=len(expected), shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-11)
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(weights, GOLDEN[f"train/{number}/weights"], rtol=1e-10, atol=1e-12)


@numbered("losses")
def test_keras_loss(number, row):
    _, name, config, kind = row
    loss = getattr(pynn.losses, name)(**{**config, "reduction": None})
    values = loss(GOLDEN[f"target/{kind}"], GOLDEN["predictions"])
    np.testing.assert_allclose(values, GOLDEN[f"loss/{number}"], rtol=1e-12)


@numbered("metrics")
def test_keras_metric(number, row):
    name, config, kind = row
    value = getattr(pynn.metrics, name)(**config)(GOLDEN[f"target/{kind}"], GOLDEN["predictions"])
    assert value == pytest.approx(float(GOLDEN[f"metric/{number}"]), rel=1e-12)


@numbered("activations")
def test_keras_activation(number, row):
    name, config = row
    values = getattr(pynn.activations, name)(GOLDEN["grid"], **config)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, GOLDEN[f"activation/{number}"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("number", range(len(NETWORKS)), ids=[str(layers) for _, layers in NETWORKS])
def test_keras_layers(number):
    """Predictions, losses with penalties, and all weights, moving statistics among them, after steps of training."""
    pynn.config.set_floatx("float64")

    def saved(name):
        return LAYERS[f"{number}/{name}"]

    def weights(kind):
        return [LAYERS[name] for name in LAYERS.files if name.startswith(f"{number}/{kind}/")]

    shape, rows = NETWORKS[number]
    layers = [getattr(pynn.layers, name)(**config) for name, config in rows]
    x, y = saved("x"), saved("y")
    model = pynn.Sequential([pynn.Input(shape), *layers, pynn.layers.Flatten(), pynn.layers.Dense(y.shape[1])])
    model.set_weights(weights("start"))
    model.compile(pynn.optimizers.SGD(0.1, momentum=0.5), "mean_squared_error")
    np.testing.assert_allclose(model.predict(x, verbose=0), saved("before"), rtol=1e-11, atol=1e-13)
    history = model.fit(x, y, batch_size=len(x), epochs=len(saved("losses")), shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], saved("losses"), rtol=1e-10)
    for ours, theirs in zip(model.get_weights(), weights("end"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.predict(x, verbose=0), saved("after"), rtol=1e-9, atol=1e-11)


def test_keras_golden_is_from_keras_3():
    assert TABLES["versions"]["keras"].startswith("3.")
    assert len(TABLES["train"]) >= 40


def test_keras_defaults_of_compile():
    model = make_model()
    model.compile(loss="mse")
    assert type(model.optimizer) is pynn.optimizers.RMSprop
