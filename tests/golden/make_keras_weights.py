"""Make keras_weights.npz: what Keras computes, in float64, with several outputs and with weights of samples, classes
and rows: logs of training, validation and evaluation, lists of values, and the weights of the model after some epochs;
and values of losses and metrics that are called with weights.

Needs Keras 3 with JAX, which the tests do not. In an environment that has them:

    pip install keras jax
    KERAS_BACKEND=jax python tests/golden/make_keras_weights.py

The file holds the table as JSON beside the arrays, so that test_keras_weights.py needs nothing of this program.
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
from keras.src.backend.common import dtypes

ROWS, STEPS, INPUTS, CLASSES, NUMBERS = 10, 5, 3, 4, 2
SPARSE, MSE = "SparseCategoricalCrossentropy", "MeanSquaredError"
BY_SUM = {"reduction": "sum"}
BY_WEIGHTS = {"reduction": "mean_with_sample_weight"}

# model: "one" output of classes, "steps" of them, "logits" of the steps, "numbers", or a "pair" of classes and numbers;
# losses: (class, settings), by output; weights: "samples", "rows", "zeros", or a list of these and None, by output.
PROGRAMS = [
    {"model": "one", "losses": [(SPARSE, {})], "weights": "samples"},
    {"model": "one", "losses": [(SPARSE, BY_SUM)], "weights": "samples", "metrics": ["accuracy"]},
    {"model": "one", "losses": [(SPARSE, BY_WEIGHTS)], "weights": "samples", "weighted_metrics": ["accuracy"]},
    {"model": "one", "losses": [(SPARSE, BY_WEIGHTS)], "weights": "zeros", "weighted_metrics": ["accuracy"]},
    {"model": "one", "losses": [(SPARSE, BY_WEIGHTS)]},
    {"model": "one", "losses": [(SPARSE, {})], "class_weight": {"0": 2.0, "1": 0.5, "2": 0.0, "3": 1.5}},
    {"model": "one", "losses": [(SPARSE, {})], "loss_weights": [0.3], "weights": "samples"},
    {"model": "steps", "losses": [(SPARSE, {})], "weights": "rows", "metrics": ["accuracy"]},
    {"model": "steps", "losses": [(SPARSE, BY_WEIGHTS)], "weights": "rows", "weighted_metrics": ["accuracy"]},
    {"model": "steps", "losses": [(SPARSE, BY_SUM)], "weights": "rows"},
    {"model": "steps", "losses": [(SPARSE, {"ignore_class": 2})]},
    {"model": "steps", "losses": [(SPARSE, {"ignore_class": 2, **BY_SUM})], "weights": "rows"},
    {"model": "steps", "losses": [(SPARSE, {"ignore_class": 0, **BY_WEIGHTS})], "weights": "rows"},
    {"model": "logits", "losses": [(SPARSE, {"ignore_class": 1, "from_logits": True})], "weights": "rows"},
    {"model": "numbers", "losses": [(MSE, {})], "weights": "samples", "metrics": ["mae"], "weighted_metrics": ["mae"]},
    {"model": "numbers", "losses": [("Huber", BY_WEIGHTS)], "weights": "samples", "weighted_metrics": ["mse", "mae"]},
    {"model": "pair", "losses": [(SPARSE, {}), (MSE, {})]},
    {"model": "pair", "losses": [(SPARSE, {}), (MSE, BY_SUM)], "loss_weights": [0.5, 0.1], "weights": "samples"},
    {
        "model": "pair",
        "losses": [(SPARSE, BY_WEIGHTS), (MSE, {})],
        "loss_weights": [2.0, 0.3],
        "weights": ["samples", "zeros"],
        "metrics": [["accuracy"], ["mae", "mse"]],
        "weighted_metrics": [None, ["mape"]],
    },
    {"model": "pair", "losses": [(SPARSE, {}), None], "metrics": [["accuracy"], ["mae"]], "weights": "samples"},
    {"model": "pair", "losses": [None, (MSE, {})], "metrics": [None, ["mae"]]},
]


# Shapes of predictions, and of weights for their rows that losses take, and metrics
SHAPES = [
    ((6, 3), [(), (6,), (6, 1), (1,)], [(6,), (6, 1)]),
    ((6, 1), [(6,), (6, 1)], [(6,), (6, 1)]),
    ((4, 5, 3), [(), (4, 5), (4, 5, 1), (4, 1), (5,), (1, 5)], [(4,), (4, 1), (4, 5), (4, 5, 1)]),
    ((4, 1, 3), [(4,), (4, 1), (4, 1, 1)], [(4,), (4, 1), (4, 1, 1)]),
    ((2, 3, 4, 5), [(2, 3, 4), (2, 3, 4, 1), (3, 4), (2, 1, 1)], [(2,), (2, 3), (2, 3, 4), (2, 1, 4)]),
    ((3,), [()], []),
]
CALLS = [("loss", each, weights) for each, of_loss, _ in SHAPES for weights in of_loss]
CALLS += [("metric", each, weights) for each, _, of_metric in SHAPES for weights in of_metric]
IGNORED = [
    (reduction, weighted) for reduction in ("mean", "sum", None, "mean_with_sample_weight") for weighted in (0, 1)
]


def network(kind):
    """The model of a program."""
    x = keras.Input((STEPS, INPUTS) if kind in ("steps", "logits") else (INPUTS,))
    hidden = keras.layers.Dense(7, activation="tanh")(x)
    classes = keras.layers.Dense(CLASSES, activation=None if kind == "logits" else "softmax", name="classes")(hidden)
    numbers = keras.layers.Dense(NUMBERS, name="numbers")(hidden)
    return keras.Model(x, {"pair": [classes, numbers], "numbers": numbers}.get(kind, classes))


def data(kind, random):
    """Samples and targets of a model, and weights by name."""
    rows = (ROWS, STEPS) if kind in ("steps", "logits") else (ROWS,)
    x, classes = random.normal(size=(*rows, INPUTS)), random.integers(0, CLASSES, rows)
    numbers = random.normal(size=(ROWS, NUMBERS))
    weights = {name: random.uniform(0, 2, shape) for name, shape in (("samples", (ROWS,)), ("rows", rows))}
    weights["zeros"] = weights["samples"] * (np.arange(ROWS) % 8 >= 4)  # of a whole batch, too
    return x, {"pair": [classes, numbers], "numbers": numbers}.get(kind, classes), weights


def chosen(which, weights):
    """The `weights` that a program names."""
    return [chosen(each, weights) for each in which] if isinstance(which, list) else which and weights[which]


def run(program, random):
    """What a program leaves behind, by name."""
    model = network(program["model"])
    x, y, weights = data(program["model"], random)
    losses = [each and getattr(keras.losses, each[0])(**each[1]) for each in program["losses"]]
    more = {key: program[key] for key in ("loss_weights", "metrics", "weighted_metrics") if key in program}
    model.compile(keras.optimizers.SGD(0.1), losses if len(losses) > 1 else losses[0], **more)
    w = chosen(program.get("weights"), weights)
    of_classes = program.get("class_weight")
    of_classes = of_classes and {int(key): value for key, value in of_classes.items()}
    start = [each.copy() for each in model.get_weights()]
    fitted = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0, "class_weight": of_classes}
    history = model.fit(x, y, sample_weight=w, validation_data=(x, y) if w is None else (x, y, w), **fitted)
    found = {f"history/{name}": values for name, values in history.history.items()}
    logs = model.evaluate(x, y, batch_size=4, sample_weight=w, verbose=0, return_dict=True)
    found |= {f"evaluated/{name}": value for name, value in logs.items()}
    found["tested"] = model.test_on_batch(x, y, sample_weight=w)
    model.reset_metrics()
    found["trained"] = model.train_on_batch(x, y, sample_weight=w)
    found |= {"x": x, **{f"y/{i}": each for i, each in enumerate(y if isinstance(y, list) else [y])}}
    found |= {f"weights/{name}": each for name, each in weights.items()}
    found |= {f"start/{i}": each for i, each in enumerate(start)}
    return found | {f"end/{i}": each for i, each in enumerate(model.get_weights())}


def direct(random):
    """Values of losses and metrics, by name."""
    found = {}
    for number, (kind, shape, weights) in enumerate(CALLS):
        p, y, w = random.uniform(size=shape), random.normal(size=shape), random.uniform(0.1, 2, weights)
        if kind == "loss":
            for reduction in ("mean", "sum", "none"):
                found[f"{number}/{reduction}"] = keras.losses.MeanSquaredError(reduction)(y, p, w)
            # Keras divides by the sum of the weights as they are given, and a single row by nothing
            if w.shape == shape[:-1] != ():
                weighted = keras.losses.MeanSquaredError("mean_with_sample_weight")
                found[f"{number}/mean_with_sample_weight"] = weighted(y, p, w)
        else:
            metric = keras.metrics.MeanSquaredError()
            metric.update_state(y, p, w)
            metric.update_state(y[:1] + 1, p[:1])
            found[f"{number}/metric"] = metric.result()
        found |= {f"{number}/p": p, f"{number}/y": y, f"{number}/w": w}
    labels, p, w = np.array([0, -1, 2, -1, 1]), random.uniform(size=(5, 3)), random.uniform(size=5)
    for number, (reduction, weighted) in enumerate(IGNORED):
        loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1, reduction=reduction)
        for name, given in (("some", labels), ("all", np.full(5, -1))):
            found[f"ignored/{number}/{name}"] = loss(given, p, w if weighted else None)
    found |= {"ignored/labels": labels, "ignored/p": p, "ignored/w": w}
    found["ignored/rows"] = keras.losses.sparse_categorical_crossentropy(labels, p, ignore_class=-1)
    return found


def main():
    keras.config.set_floatx("float64")
    jax.config.update("jax_enable_x64", True)
    # On JAX, Keras takes float64 through float32 in tanh, mean and others, whatever floatx says
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    random = np.random.default_rng(20251126)
    arrays = {}
    for number, program in enumerate(PROGRAMS):
        arrays |= {f"{number}/{name}": value for name, value in run(program, random).items()}
    arrays |= {f"direct/{name}": value for name, value in direct(random).items()}
    table = {"programs": PROGRAMS, "calls": CALLS, "ignored": IGNORED, "keras": keras.__version__}
    file = pathlib.Path(__file__).with_name("keras_weights.npz")
    np.savez_compressed(file, table=json.dumps(table), **arrays)
    print(f"{file.name}: {file.stat().st_size} bytes, {len(PROGRAMS)} programs")


if __name__ == "__main__":
    main()
