"""What is done with the programs of graph_programs.py, in the words that Keras and pynn share.

A program has columns of data, drawn once by golden/make_keras_graphs.py and kept, and a run: a function that trains the
program's models and returns all that it saw, as arrays by name. The generator keeps what the run gives with Keras; the
test asks for the same names and numbers from pynn.
"""

import typing

import numpy as np

ROWS, BATCH, EPOCHS = 6, 4, 3  # The last batch of an epoch is smaller

PROGRAMS = {}


class Column(typing.NamedTuple):
    """One array of data: what its numbers are, and the shape of its samples."""

    kind: str
    shape: tuple
    count: int = 0


class Program(typing.NamedTuple):
    """A program, the structures of its columns, and its run."""

    build: typing.Callable
    x: typing.Any
    y: typing.Any
    weights: typing.Any
    run: typing.Callable


def real(*shape):
    return Column("real", shape)


def padded(*shape):
    """Real numbers of sequences, of which some steps are all 0."""
    return Column("padded", shape)


def binary(*shape):
    return Column("binary", shape)


def ids(count, *shape):
    """Whole numbers from 0 to count - 1: ids for an Embedding, or labels."""
    return Column("ids", shape, count)


def weight(*shape):
    """Weights of samples, a 0 among them."""
    return Column("weight", shape)


def map_structure(function, name, structure):
    """The structure, a leaf or a list, tuple or dict of leaves, with function(name of the leaf, leaf) for each."""
    if isinstance(structure, dict):
        return {key: function(f"{name}/{key}", leaf) for key, leaf in structure.items()}
    if isinstance(structure, (list, tuple)) and not isinstance(structure, Column):
        return type(structure)(function(f"{name}/{i}", leaf) for i, leaf in enumerate(structure))
    return function(name, structure)


def named(name, structure):
    """The leaves of a structure as arrays by name: {"name": leaf}, or {"name/key": leaf, ...}."""
    leaves = {}
    map_structure(lambda path, leaf: leaves.update({path: np.asarray(leaf)}), name, structure)
    return leaves


def state(model):
    """All weights of a model as one vector."""
    return np.concatenate([np.asarray(w).ravel() for w in model.get_weights()])


def fit(models, x, y, weights):
    """Predict, train for some epochs, evaluate in both forms, and train on one batch."""
    (model,) = models
    seen = named("before", model.predict(x, verbose=0))
    given = {} if weights is None else {"sample_weight": weights}
    history = model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=(x, y, *given.values()),
        verbose=0,
        **given,
    )
    seen |= named("history", history.history)
    seen |= {"weights": state(model)}
    seen |= {"evaluate": np.asarray(model.evaluate(x, y, BATCH, 0, **given))}
    seen |= named("evaluate", model.evaluate(x, y, BATCH, 0, return_dict=True, **given))
    seen |= {"batch": np.asarray(model.train_on_batch(x, y, **given))}
    return seen | named("after", model.predict_on_batch(x))


def several_models(models, x, y, weights):
    """Train the first model; what the others predict follows it, since they share its layers."""
    model, *others = models
    seen = fit([model], x, y, weights)
    for number, other in enumerate(others):
        seen |= named(f"other {number}", other.predict(x, verbose=0))
    return seen


def autoencoder(models, x, y, weights):
    """Train encoder and decoder as one; each alone then gives its half."""
    model, encoder, decoder = models
    seen = fit([model], x, y, weights)
    codes = encoder.predict(x, verbose=0)
    return seen | {"codes": codes, "decoded": decoder.predict(codes, verbose=0), "encoder": state(encoder)}


def adversaries(models, x, y, weights):
    """Train a judge and a generator in turns, each with its own optimizer."""
    both, generator, judge = models
    seen = {"steps": []}
    for _ in range(4):
        made = generator.predict(x, verbose=0)
        judge.trainable = True
        seen["steps"] += judge.train_on_batch(y, np.ones((len(y), 1)))
        seen["steps"] += judge.train_on_batch(made, np.zeros((len(y), 1)))
        judge.trainable = False
        seen["steps"] += [both.train_on_batch(x, np.ones((len(x), 1)))]
    return {"steps": np.array(seen["steps"]), "made": made, "weights": state(both), "judge": state(judge)}


def fine_tuning(models, x, y, weights):
    """Train the head of a frozen base, then all of it, with the same optimizer's settings anew."""
    model, base = models
    seen = {}
    for phase in ("frozen", "tuned"):
        losses = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0).history["loss"]
        seen |= {f"{phase} losses": np.array(losses), f"{phase} weights": state(model)}
        base.trainable = True
        model.compile(type(model.optimizer)(0.005), "mse")
    return seen


def two_sizes(models, x, y, weights):
    """Train one model on batches of two sizes in turns."""
    (model,) = models
    seen = {"steps": []}
    for _ in range(3):
        for batch, targets in zip(x, y, strict=True):
            values = model.train_on_batch(batch, targets)
            seen["steps"] += values if isinstance(values, list) else [values]
    seen = {"steps": np.array(seen["steps"]), "weights": state(model)}
    for number, (batch, targets) in enumerate(zip(x, y, strict=True)):
        seen |= {f"after {number}": model.predict(batch, batch_size=BATCH, verbose=0)}
        seen |= {f"evaluate {number}": np.asarray(model.evaluate(batch, targets, verbose=0))}
    return seen


def in_pieces(models, x, y, weights):
    """Step sequences through a stateful model piece by piece, and once more from the beginning."""
    (model,) = models
    seen = {}
    for turn in range(2):
        for number, piece in enumerate(np.split(x, [1, 4], axis=1)):
            seen |= {f"turn {turn} piece {number}": model.predict(piece, batch_size=ROWS, verbose=0)}
        for layer in model.layers:
            if getattr(layer, "stateful", False):
                layer.reset_state()
    return seen


def class_weights(models, x, y, weights):
    """Train with a weight for each class."""
    (model,) = models
    by_class = {0: 0.5, 1: 2.0, 2: 1.25}
    history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, class_weight=by_class, verbose=0)
    return named("history", history.history) | {"weights": state(model)}


def program(x, y, weights=None, run=fit):
    """Put a program into the table, with the structures of its columns."""

    def register(build):
        PROGRAMS[build.__name__] = Program(build, x, y, weights, run)
        return build

    return register
