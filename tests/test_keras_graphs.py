"""What Keras computed in float64 with the programs of graph_programs.py must come out of the same text here."""

import json
import pathlib

import graph_programs  # noqa: F401, fills PROGRAMS
import graph_programs_attention  # noqa: F401, goes on filling it
import graph_programs_layers  # noqa: F401, goes on filling it
import graph_programs_losses  # noqa: F401, goes on filling it
import graph_programs_masked  # noqa: F401, goes on filling it
import graph_programs_models  # noqa: F401, goes on filling it
import graph_programs_sequences  # noqa: F401, goes on filling it
import graph_programs_steps  # noqa: F401, goes on filling it
import numpy as np
import pytest
from graph_runs import PROGRAMS, map_structure

import pynn

FOLDER = pathlib.Path(__file__).with_name("golden")  # golden/make_keras_graphs.py
FILES = [
    np.load(FOLDER / f"keras_graphs{name}.npz")
    for name in ("", "_attention", "_losses", "_masked", "_sequences", "_steps")
]
TABLE = {name: row for file in FILES for name, row in json.loads(str(file["table"]))["programs"].items()}
RUNS = [(name, kind) for name in TABLE for kind in ("plain", "weighted") if kind == "plain" or PROGRAMS[name].weights]


def parts_of(name):
    """The parts of a program's vector, by name."""
    shapes = [(key, tuple(shape)) for key, shape in TABLE[name]["parts"]]
    ends = np.cumsum([int(np.prod(shape)) for _, shape in shapes])
    (vector,) = (file[name] for file in FILES if name in file)
    pieces = np.split(vector, ends[:-1])
    return {key: piece.reshape(shape) for (key, shape), piece in zip(shapes, pieces, strict=True)}


def below(parts, prefix):
    """The parts whose name begins with prefix, in order, by the rest of their name."""
    return {key.removeprefix(prefix): part for key, part in parts.items() if key.startswith(prefix)}


def models_of(name):
    """The models of a program, with the start weights that Keras had, and its data."""
    pynn.config.set_floatx("float64")
    program, parts = PROGRAMS[name], parts_of(name)

    def column(path, leaf):
        return parts[path].astype(np.int64 if leaf.kind in ("ids", "binary") else np.float64)

    models = program.build(pynn)
    models = models if isinstance(models, list) else [models]
    models[0].set_weights(list(below(parts, "start/").values()))
    x, y = map_structure(column, "x", program.x), map_structure(column, "y", program.y)
    return models, x, y, map_structure(column, "w", program.weights) if program.weights else None


def test_every_program_is_in_the_file():
    assert sorted(TABLE) == sorted(PROGRAMS)


@pytest.mark.parametrize(("name", "kind"), RUNS)
def test_keras_graph(name, kind):
    """Predictions, logs, evaluations and weights: the same names and the same numbers."""
    models, x, y, weights = models_of(name)
    seen = PROGRAMS[name].run(models, x, y, weights if kind == "weighted" else None)
    expected = below(parts_of(name), f"{kind}/")
    assert sorted(seen) == sorted(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(seen[key], value, rtol=1e-9, atol=1e-11, err_msg=key)


@pytest.mark.parametrize("name", TABLE)
def test_keras_graph_is_made_of(name):
    """Layers and weights in Keras's order, with Keras's names."""
    pynn.backend.clear_session(free_memory=False)
    (model, *_), *_ = models_of(name)
    row = TABLE[name]
    assert [layer.name for layer in model.layers] == row["layers"]
    assert [weight.name for weight in model.weights] == row["weights"]
    assert [any(weight is other for other in model.trainable_weights) for weight in model.weights] == row["trainable"]
    if row["outputs"] is not None:  # those of a Functional; Keras's Sequential has no names of outputs
        assert model.output_names == row["outputs"]
