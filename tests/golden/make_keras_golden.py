"""Make keras.npz: what Keras computes for a table of small networks, losses, metrics and activations, in float64.

Needs Keras 3 with JAX, which the tests do not. In an environment that has them:

    pip install keras jax
    KERAS_BACKEND=jax python tests/golden/make_keras_golden.py

The file holds the tables as JSON beside the arrays, so that test_keras_golden.py needs nothing of this program.
"""

import json
import os
import pathlib
import platform

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
from keras.src.backend.common import dtypes

STEPS, ROWS, INPUTS, HIDDEN, UNITS = 5, 8, 5, 7, 4

# (last activation, loss, loss settings, kind of target)
LOSS_CASES = [
    ("linear", "MeanSquaredError", {}, "real"),
    ("linear", "MeanSquaredError", {"reduction": "sum"}, "real"),
    ("linear", "MeanAbsoluteError", {}, "real"),
    ("linear", "MeanAbsolutePercentageError", {}, "positive"),
    ("softplus", "MeanSquaredLogarithmicError", {}, "positive"),
    ("linear", "Huber", {}, "real"),
    ("linear", "Huber", {"delta": 0.3}, "real"),
    ("linear", "LogCosh", {}, "real"),
    ("linear", "CosineSimilarity", {}, "real"),
    ("exponential", "Poisson", {}, "positive"),
    ("softmax", "KLDivergence", {}, "probabilities"),
    ("sigmoid", "BinaryCrossentropy", {}, "binary"),
    ("sigmoid", "BinaryCrossentropy", {"label_smoothing": 0.1}, "binary"),
    ("linear", "BinaryCrossentropy", {"from_logits": True}, "binary"),
    ("softmax", "CategoricalCrossentropy", {}, "probabilities"),
    ("softmax", "CategoricalCrossentropy", {"label_smoothing": 0.1}, "one_hot"),
    ("linear", "CategoricalCrossentropy", {"from_logits": True}, "one_hot"),
    ("softmax", "SparseCategoricalCrossentropy", {}, "labels"),
    ("linear", "SparseCategoricalCrossentropy", {"from_logits": True}, "labels"),
    ("tanh", "Hinge", {}, "signs"),
    ("tanh", "Hinge", {}, "binary"),
    ("tanh", "SquaredHinge", {}, "signs"),
    ("linear", "CategoricalHinge", {}, "one_hot"),
]
OPTIMIZER_CASES = [
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"learning_rate": 0.1, "weight_decay": 0.02}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.2}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.02}),
    ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.2}),
    ("RMSprop", {"learning_rate": 0.01}),
    ("RMSprop", {"learning_rate": 0.01, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-5}),
    ("RMSprop", {"learning_rate": 0.01, "centered": True}),
    ("RMSprop", {"learning_rate": 0.01, "centered": True, "momentum": 0.3, "weight_decay": 0.01}),
    ("Adagrad", {"learning_rate": 0.1}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.01, "epsilon": 1e-3}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.8, "epsilon": 1e-4}),
    ("Adam", {"learning_rate": 0.02}),
    ("Adam", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    ("Adam", {"learning_rate": 0.02, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.02, "clipnorm": 0.1, "weight_decay": 0.05}),
    ("AdamW", {"learning_rate": 0.02}),
    ("AdamW", {"learning_rate": 0.02, "weight_decay": 0.1, "amsgrad": True}),
    ("Adamax", {"learning_rate": 0.02}),
    ("Adamax", {"learning_rate": 0.02, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-4}),
    ("Nadam", {"learning_rate": 0.02}),
    ("Nadam", {"learning_rate": 0.02, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-4, "clipvalue": 0.05}),
]
METRICS = [
    ("BinaryAccuracy", {}, "binary"),
    ("BinaryAccuracy", {"threshold": 0.3}, "binary"),
    ("CategoricalAccuracy", {}, "one_hot"),
    ("SparseCategoricalAccuracy", {}, "labels"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one_hot"),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "labels"),
    ("MeanSquaredError", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("RootMeanSquaredError", {}, "real"),
]
ACTIVATIONS = [
    *((name, {}) for name in ("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish")),
    *((name, {}) for name in ("sigmoid", "log_sigmoid", "hard_sigmoid", "hard_silu", "tanh", "hard_tanh", "softplus")),
    *((name, {}) for name in ("softsign", "exponential", "softmax", "log_softmax")),
    ("relu", {"negative_slope": 0.1, "max_value": 2.0, "threshold": 0.5}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("elu", {"alpha": 0.7}),
    ("celu", {"alpha": 0.7}),
    ("gelu", {"approximate": True}),
    ("softmax", {"axis": 0}),
    ("log_softmax", {"axis": 0}),
]


def make_targets(random):
    """The targets of each kind: (ROWS, UNITS), or labels (ROWS,)."""
    labels = random.integers(0, UNITS, ROWS)
    probabilities = random.uniform(0.1, 1, (ROWS, UNITS))
    binary = random.integers(0, 2, (ROWS, UNITS)).astype(float)
    return {
        "real": random.normal(size=(ROWS, UNITS)),
        "positive": random.uniform(0.5, 2, (ROWS, UNITS)),
        "probabilities": probabilities / probabilities.sum(axis=1, keepdims=True),
        "binary": binary,
        "signs": 2 * binary - 1,
        "one_hot": np.eye(UNITS)[labels],
        "labels": labels,
    }


def train(case, x, y, start):
    """The losses before each of STEPS full-batch steps, and the weights after them."""
    model = keras.Sequential(
        [
            keras.Input((INPUTS,)),
            keras.layers.Dense(HIDDEN, activation="tanh"),
            keras.layers.Dense(UNITS, activation=case["activation"]),
        ]
    )
    model.set_weights(start)
    loss = getattr(keras.losses, case["loss"])(**case["loss_config"])
    model.compile(getattr(keras.optimizers, case["optimizer"])(**case["optimizer_config"]), loss)
    history = model.fit(x, y, batch_size=ROWS, epochs=STEPS, shuffle=False, verbose=0)
    return history.history["loss"], model.get_weights()


def main():
    keras.config.set_floatx("float64")
    jax.config.update("jax_enable_x64", True)
    # On JAX, Keras takes float64 through float32 in tanh, mean and others, whatever floatx says
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    random = np.random.default_rng(20240501)
    arrays = {"x": random.normal(size=(ROWS, INPUTS))}
    targets = make_targets(random)
    shapes = [(INPUTS, HIDDEN), (HIDDEN,), (HIDDEN, UNITS), (UNITS,)]
    start = [random.normal(0, 0.4, shape) for shape in shapes]
    arrays.update({f"start/{i}": w for i, w in enumerate(start)})
    arrays.update({f"target/{kind}": y for kind, y in targets.items()})

    sgd, mse = ("SGD", {"learning_rate": 0.05, "momentum": 0.5}), ("linear", "MeanSquaredError", {}, "real")
    pairs = [(case, sgd) for case in LOSS_CASES] + [(mse, optimizer) for optimizer in OPTIMIZER_CASES]
    pairs += [(("softmax", "SparseCategoricalCrossentropy", {}, "labels"), ("Adam", {"learning_rate": 0.02}))]
    keys = ("activation", "loss", "loss_config", "target", "optimizer", "optimizer_config")
    cases = [dict(zip(keys, (*loss, *optimizer), strict=True)) for loss, optimizer in pairs]
    for number, case in enumerate(cases):
        losses, weights = train(case, arrays["x"], targets[case["target"]], start)
        arrays[f"train/{number}/losses"] = np.array(losses)
        arrays[f"train/{number}/weights"] = np.concatenate([w.ravel() for w in weights])

    # Row values of each loss, for probabilities as predictions (every loss takes those)
    arrays["predictions"] = targets["probabilities"][::-1].copy()
    for number, (_, name, config, kind) in enumerate(LOSS_CASES):
        loss = getattr(keras.losses, name)(**{**config, "reduction": None})
        arrays[f"loss/{number}"] = np.asarray(loss(targets[kind], arrays["predictions"]))
    for number, (name, config, kind) in enumerate(METRICS):
        metric = getattr(keras.metrics, name)(**config)
        metric.update_state(targets[kind], arrays["predictions"])
        arrays[f"metric/{number}"] = np.asarray(metric.result())
    arrays["grid"] = np.linspace(-8, 8, 132).reshape(12, 11)
    for number, (name, config) in enumerate(ACTIVATIONS):
        arrays[f"activation/{number}"] = np.asarray(getattr(keras.activations, name)(arrays["grid"], **config))

    tables = {
        "versions": {
            "keras": keras.__version__,
            "jax": jax.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "train": cases,
        "losses": LOSS_CASES,
        "metrics": METRICS,
        "activations": ACTIVATIONS,
    }
    assert all(a.dtype in (np.float64, np.int64) for a in arrays.values())
    path = pathlib.Path(__file__).with_name("keras.npz")
    np.savez_compressed(path, tables=np.array(json.dumps(tables)), **arrays)
    print(f"{path.name}: {len(cases)} trajectories, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
