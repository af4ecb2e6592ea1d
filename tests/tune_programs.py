"""Searches that tests of pynn.tune run, also in processes of their own: ``python tune_programs.py STORAGE TRIALS``."""

import sys

import numpy as np

import pynn
from pynn import tune


def data(samples=60):
    random = np.random.default_rng(0)
    x = random.standard_normal((samples, 3)).astype("float32")
    return x, (x[:, 0] * x[:, 1] > 0).astype("int32")


def build(hp):
    units = hp.int("units", 2, 16, log=True)
    layers = [pynn.Input((3,), name="numbers"), pynn.layers.Dense(units, hp.choice("activation", ["relu", "tanh"]))]
    if hp.boolean("dropout"):
        layers.append(pynn.layers.Dropout(hp.float("rate", 0.1, 0.5)))
    model = pynn.Sequential([*layers, pynn.layers.Dense(2, "softmax")])
    hp.choice("batch_size", [8, 16])
    model.compile(
        pynn.optimizers.Adam(hp.float("rate_of_learning", 1e-3, 1e-1, log=True)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def search(build=build, **settings):
    settings = {"trials": 6, "epochs": 3, "verbose": 0, "objective": "val_loss", **settings}
    if "cv" not in settings:
        settings.setdefault("validation_split", 0.25)
    return tune.search(build, *data(), **settings)


def outcomes(study):
    """What two searches have in common that are the same."""
    return [(trial.number, trial.params, trial.value, trial.state.name) for trial in study.trials]


if __name__ == "__main__":
    print("begun", flush=True)
    search(storage=sys.argv[1], trials=int(sys.argv[2]), verbose=2, epochs=100)
