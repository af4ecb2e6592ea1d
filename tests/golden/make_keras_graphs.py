"""Make keras_graphs*.npz: what Keras computes, in float64, with the branching programs of ../graph_programs*.py.

Needs Keras 3 with JAX, which the tests do not. In an environment that has them:

    pip install keras jax
    KERAS_BACKEND=jax python tests/golden/make_keras_graphs.py [file or program ...]

keras_graphs_sequences.npz was made with PyTorch in place of JAX, which compiles recurrent layers for minutes. (Programs
with masks are not for PyTorch, where the output of a masked step may be 0 in Keras 3.15.)

    pip install keras torch
    KERAS_BACKEND=torch python tests/golden/make_keras_graphs.py keras_graphs_sequences.npz

So were keras_graphs_steps.npz, as on JAX the metrics of a training step see outputs that have lost their masks, and
keras_graphs_attention.npz, as JAX takes the softmax of attention in float32.

Without arguments it makes all files. Of programs that are named it shows the losses, and writes nothing.

For each program a file holds one vector: data, start weights, and what the run saw, without and with sample weights.
The table, as JSON, has the names and shapes of the vector's parts, and what the models are made of.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import graph_programs  # noqa: F401, fills PROGRAMS
import graph_programs_attention  # noqa: F401, goes on filling it
import graph_programs_layers  # noqa: F401, goes on filling it
import graph_programs_losses  # noqa: F401, goes on filling it
import graph_programs_masked  # noqa: F401, goes on filling it
import graph_programs_models  # noqa: F401, goes on filling it
import graph_programs_sequences  # noqa: F401, goes on filling it
import graph_programs_steps  # noqa: F401, goes on filling it
import keras
import numpy as np
from graph_runs import PROGRAMS, ROWS, map_structure, named
from keras.src.backend.common import dtypes

# Which modules' programs are in which file
FILES = {
    "keras_graphs.npz": ["graph_programs", "graph_programs_models"],
    "keras_graphs_attention.npz": ["graph_programs_attention"],
    "keras_graphs_losses.npz": ["graph_programs_losses"],
    "keras_graphs_masked.npz": ["graph_programs_masked"],
    "keras_graphs_steps.npz": ["graph_programs_steps"],
    "keras_graphs_sequences.npz": ["graph_programs_sequences"],
}


def draw(random, column):
    """The array of a column; short binary fractions, which take little room."""
    shape = (ROWS, *column.shape)
    if column.kind == "real":
        return np.round(random.normal(size=shape) * 32) / 32
    if column.kind == "padded":
        drawn = np.round(random.normal(size=shape) * 32) / 32
        drawn[random.random(shape[:2]) < 0.3] = 0
        return drawn
    if column.kind == "weight":
        drawn = np.round(random.uniform(0.2, 2, shape) * 16) / 16
        drawn.ravel()[1] = 0
        return drawn
    return random.integers(0, column.count or 2, shape)


def models_of(program, start):
    """The models of a program, with the weights start."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    models = program.build(keras)
    models = models if isinstance(models, list) else [models]
    models[0].set_weights(start or models[0].get_weights())
    return models


def record(random, program):
    """The parts of a program's vector by name, and what its first model is made of."""

    def drawn(_, column):
        return draw(random, column)

    data = {name: map_structure(drawn, name, getattr(program, name)) for name in ("x", "y")}
    (model, *_) = models_of(program, None)
    start = [w + random.uniform(-0.1, 0.3, w.shape) for w in model.get_weights()]
    start = [np.round(w * 256) / 256 for w in start]
    parts = named("x", data["x"]) | named("y", data["y"]) | named("start", start)
    runs = {"plain": None}
    if program.weights is not None:
        runs["weighted"] = map_structure(drawn, "w", program.weights)
        parts |= named("w", runs["weighted"])
    for kind, weights in runs.items():
        models = models_of(program, start)
        parts |= {f"{kind}/{name}": part for name, part in program.run(models, **data, weights=weights).items()}
    made_of = {
        "layers": [layer.name for layer in model.layers],
        "weights": [weight.path.split("/")[-1] for weight in model.weights],
        "trainable": [any(weight is w for w in model.trainable_weights) for weight in model.weights],
        "outputs": getattr(model, "output_names", None),
    }
    return parts, made_of


def main():
    keras.config.set_floatx("float64")
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    # On JAX, Keras takes float64 through float32 in tanh, mean and others, whatever floatx says
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    asked = sys.argv[1:]
    for file, modules in FILES.items():
        programs = {name: program for name, program in PROGRAMS.items() if program.build.__module__ in modules}
        if not asked or file in asked:
            write(file, programs)
        else:
            recorded({name: program for name, program in programs.items() if name in asked})


def recorded(programs):
    """The vectors of programs, and their table."""
    vectors, table = {}, {}
    for name, program in programs.items():
        parts, made_of = record(np.random.default_rng(list(name.encode())), program)
        assert all(np.isfinite(part).all() and part.dtype != np.float32 for part in parts.values()), name
        vectors[name] = np.concatenate([part.ravel() for part in parts.values()]).astype(np.float64)
        table[name] = {"parts": [[key, part.shape] for key, part in parts.items()], **made_of}
        print(name, vectors[name].size, {key: part.tolist() for key, part in parts.items() if "/loss" in key})
    return vectors, table


def write(name, programs):
    vectors, table = recorded(programs)
    file = pathlib.Path(__file__).with_name(name)
    about = {"keras": keras.__version__, "backend": keras.backend.backend(), "programs": table}
    np.savez_compressed(file, table=json.dumps(about), **vectors)
    print(f"{name}: {file.stat().st_size} bytes, {len(table)} programs")


if __name__ == "__main__":
    main()
