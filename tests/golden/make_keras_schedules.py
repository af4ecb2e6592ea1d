"""Make keras_schedules.npz: the rates of Keras's schedules at many steps, in float64, and in float32, which Keras takes
by itself; weights that were trained with schedules; and the rates of PyTorch's OneCycleLR.

Needs Keras 3 with JAX, and PyTorch, which the tests do not. In an environment that has them:

    pip install keras jax torch
    KERAS_BACKEND=jax python tests/golden/make_keras_schedules.py

The file holds the tables as JSON beside the arrays, so that test_schedules.py needs nothing of this program.
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
import torch
from keras.src.backend.common import dtypes

ROWS, BATCH, EPOCHS, INPUTS, HIDDEN, UNITS = 12, 4, 8, 5, 7, 3
STEPS = [*range(42), 60, 69, 70, 71, 99, 100, 101, 149, 150, 151, 999, 12345]

SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": True}),
    ("ExponentialDecay", {"initial_learning_rate": 0.003, "decay_steps": 7, "decay_rate": 1.001}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [10, 30, 70], "values": [0.5, 0.25, 0.1, 0.05]}),
    ("PiecewiseConstantDecay", {"boundaries": [0], "values": [0.5, 0.25]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "end_learning_rate": 0.01, "power": 0.5}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 2.0, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 30}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "alpha": 0.1, "warmup_steps": 10}),
    (
        "CosineDecay",
        {"initial_learning_rate": 0.0, "decay_steps": 60, "alpha": 0.01, "warmup_target": 0.2, "warmup_steps": 10},
    ),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "warmup_target": 0.2}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10, "t_mul": 1.0, "m_mul": 0.9}),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 8, "t_mul": 1.5, "m_mul": 0.5, "alpha": 0.1},
    ),
]
ONE_CYCLES = [
    {"max_lr": 0.1, "total_steps": 100},
    {"max_lr": 0.1, "total_steps": 100, "anneal_strategy": "linear", "pct_start": 0.25},
    {"max_lr": 0.1, "total_steps": 100, "three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0},
    {"max_lr": 0.1, "total_steps": 37, "three_phase": True, "anneal_strategy": "linear", "pct_start": 0.4},
]
# (number in SCHEDULES, optimizer, its settings)
TRAININGS = [
    (0, "SGD", {"momentum": 0.9}),
    (12, "Adam", {}),
    (5, "SGD", {"weight_decay": 0.1}),
    (7, "RMSprop", {}),
    (16, "AdamW", {"weight_decay": 0.1, "use_ema": True, "ema_momentum": 0.8}),
]


def schedule(number):
    name, settings = SCHEDULES[number]
    return getattr(keras.optimizers.schedules, name)(**settings)


def rates(number):
    return np.array([schedule(number)(np.array(step)) for step in STEPS])


def one_cycle(settings):
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1.0)
    cycle, found = torch.optim.lr_scheduler.OneCycleLR(optimizer, cycle_momentum=False, **settings), []
    for step in range(settings["total_steps"]):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < settings["total_steps"]:
            cycle.step()
    return np.array(found)


def train(number, name, settings, x, y, start):
    model = keras.Sequential(
        [
            keras.Input((INPUTS,)),
            keras.layers.Dense(HIDDEN, activation="tanh"),
            keras.layers.Dense(UNITS, activation="sigmoid"),
        ]
    )
    model.set_weights(start)
    model.compile(getattr(keras.optimizers, name)(schedule(number), **settings), "mean_squared_error")
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0)
    return np.concatenate([w.ravel() for w in model.get_weights()])


def main():
    arrays = {f"rates32/{i}": rates(i) for i in range(len(SCHEDULES))}
    assert all(a.dtype == np.float32 for a in arrays.values())
    keras.config.set_floatx("float64")
    jax.config.update("jax_enable_x64", True)
    # On JAX, Keras takes float64 through float32 in tanh, mean and others, whatever floatx says
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    arrays.update({f"rates/{i}": rates(i) for i in range(len(SCHEDULES))})
    arrays.update({f"one_cycle/{i}": one_cycle(settings) for i, settings in enumerate(ONE_CYCLES)})
    random = np.random.default_rng(20261126)
    arrays["x"], arrays["y"] = random.normal(size=(ROWS, INPUTS)), random.uniform(size=(ROWS, UNITS))
    start = [random.normal(0, 0.4, shape) for shape in [(INPUTS, HIDDEN), (HIDDEN,), (HIDDEN, UNITS), (UNITS,)]]
    arrays.update({f"start/{i}": w for i, w in enumerate(start)})
    for i, training in enumerate(TRAININGS):
        arrays[f"train/{i}"] = train(*training, arrays["x"], arrays["y"], start)
    assert all(a.dtype == np.float64 for name, a in arrays.items() if not name.startswith("rates32"))
    tables = {
        "versions": {"keras": keras.__version__, "jax": jax.__version__, "torch": torch.__version__},
        "schedules": SCHEDULES,
        "one_cycles": ONE_CYCLES,
        "trainings": TRAININGS,
        "steps": STEPS,
        "batch": BATCH,
        "epochs": EPOCHS,
    }
    path = pathlib.Path(__file__).with_name("keras_schedules.npz")
    np.savez_compressed(path, tables=np.array(json.dumps(tables)), **arrays)
    print(f"{path.name}: {len(SCHEDULES)} schedules, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
