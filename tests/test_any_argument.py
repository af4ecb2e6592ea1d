"""Every argument of every public class, with values of any kind: it is taken, or a ValueError or TypeError says why."""

import fractions
import inspect
import json

import numpy as np
import pytest
from helpers import make_data, make_model

import pynn
from pynn.foundation.arguments import NamesItsArguments
from pynn.foundation.checks import shown

NAN, INF = float("nan"), float("inf")
VALUES = [
    *(10**400, -(10**400), 10**5000, 2**63, -(2**63) - 1, 2**64, fractions.Fraction(10**400, 3)),
    *(NAN, INF, -INF, True, np.True_, "1", "", None, 1j, b"1", object(), abs, int),
    *(np.array([1]), np.array([1.5, 2.5]), np.float64(NAN), np.int64(-1), [1], (1, "a"), {}, {"class_name": 3}),
]
# For arguments without a default
GIVEN = {"units": 3, "filters": 2, "kernel_size": 2, "rate": 0.5, "stddev": 0.1, "activation": "relu", "loss": "mse"}
GIVEN |= {"input_dim": 4, "output_dim": 2, "axes": 1}
GIVEN |= {"target_shape": (2, 3), "dims": (1, 2), "scale": 2.0, "n": 3, "output_size": 2}
GIVEN |= {"layer": pynn.layers.LSTM(2), "cell": pynn.layers.LSTMCell(2), "cells": [pynn.layers.LSTMCell(2)]}
GIVEN |= {"num_heads": 2, "key_dim": 3, "head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
GIVEN |= {"equation": "ab,bc->ac", "output_shape": 3}
GIVEN |= {"initial_learning_rate": 0.1, "max_learning_rate": 0.1, "decay_steps": 10, "first_decay_steps": 10}
GIVEN |= {"decay_rate": 0.5, "total_steps": 10, "boundaries": [5], "values": [0.2, 0.1]}
GIVEN |= {"num_classes": 3, "target_class_ids": [0], "fn": abs}
GIVEN |= {"precision": 0.5, "recall": 0.5, "sensitivity": 0.5, "specificity": 0.5}
# What the layers name `base` in their signatures
BASE = ["name", "trainable", "dtype", "input_shape", "input_dim"]
ROOMS = ("activations", "layers", "losses", "metrics", "optimizers", "initializers", "regularizers", "constraints")
# Bases, which nobody can make, and what layers are made of
NOT_MADE = {"Layer", "Loss", "Metric", "Optimizer", "Initializer", "Regularizer", "Constraint"}
NOT_MADE |= {"Lowering", "Weight", "WeightSpec", "RandomInitializer", "LearningRateSchedule"}
# One takes any argument, for its function; the function of the other is no plain value (test_lambda_layer.py)
NOT_MADE |= {"MeanMetricWrapper", "Lambda"}


def made_by_users():
    """The public classes."""
    for room in [*(getattr(pynn, name) for name in ROOMS if name != "activations"), pynn.optimizers.schedules]:
        for name in getattr(room, "__all__", None) or sorted(vars(room)):
            thing = getattr(room, name)
            its_own = isinstance(thing, type) and thing.__module__.startswith(room.__name__) and thing.__name__ == name
            if its_own and not name.startswith("_") and name not in NOT_MADE:
                yield thing


CLASSES = list(made_by_users())
every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__.split('.')[1]}.{cls.__name__}")


def arguments(cls):
    """The names of the arguments of a class, and values for those without a default."""
    parameters = [p for p in inspect.signature(cls).parameters.values() if p.kind != p.VAR_POSITIONAL]
    names = [p.name for p in parameters if p.kind != p.VAR_KEYWORD]
    if len(names) < len(parameters):
        names += [name for name in BASE if name not in names]
    required = {p.name: GIVEN[p.name] for p in parameters if p.default is p.empty and p.name in names}
    return names, {"shape": (3,)} if cls is pynn.layers.InputLayer else required


def trouble(call, value, names=""):
    """What is wrong with how `call` takes or refuses `value`, or None. A refusal has `names` in it."""
    try:
        made = call(value)
        text = repr(made) if hasattr(made, "get_config") else "taken"
        json.dumps(made.get_config()) if hasattr(made, "get_config") else None
    except (ValueError, TypeError) as error:
        text = str(error)
        if names not in text or "__init__" in text or "JSON" in text:
            return f"{shown(value)}: {text}"
    except Exception as error:
        return f"{shown(value)}: {type(error).__name__}: {error}"
    return None if 2 < len(text) < 1500 else f"{shown(value)}: {text}"


def test_classes_are_found():
    assert {cls.__name__ for cls in CLASSES} >= {
        "Dense",
        "Adam",
        "Huber",
        "LogCoshError",
        "HeNormal",
        "L1L2",
        "MaxNorm",
    }
    assert len(CLASSES) > 100


@every_class
def test_argument_of_any_kind(cls):
    names, required = arguments(cls)
    assert trouble(lambda _: cls(**required), None) is None
    found = []
    for name in names:
        problems = [trouble(lambda v, name=name: cls(**{**required, name: v}), value) for value in VALUES]
        found += [f"{name}={problem}" for problem in problems if problem]
    assert not found


@every_class
def test_unknown_argument_names_the_class(cls):
    names, required = arguments(cls)
    if not issubclass(cls, NamesItsArguments):
        pytest.skip("its base does not name arguments")
    with pytest.raises(TypeError, match=rf"^{cls.__name__}\(\) has no argument 'no_such_argument'"):
        cls(**required, no_such_argument=1)
    for name in [name for name in names if len(name) > 4]:
        with pytest.raises(TypeError, match=rf"^{cls.__name__}\(\) has no argument .*Did you mean '{name}'\?"):
            cls(**required, **{name[:-2] + name[-1]: 1})


windows = pynn.utils.timeseries_dataset_from_array
SETTINGS = ("targets", "sequence_length", "sampling_rate", "batch_size", "shuffle", "seed", "start_index", "end_index")
FUNCTIONS = [
    *((pynn.config.set_num_threads, "n"), (pynn.config.set_epsilon, ""), (pynn.config.set_floatx, "floatx")),
    *((pynn.show_config, "mode"), (pynn.set_random_seed, "seed"), (pynn.Input, "shape")),
    *((pynn.utils.normalize, ""), (lambda v: pynn.utils.normalize([1.0], v), "axis")),
    *((lambda v: pynn.utils.normalize([1.0], -1, v), "order"), (pynn.utils.clear_session, "free_memory")),
    *((pynn.random.set_seed, "seed"), (pynn.utils.pad_sequences, "sequences")),
    *((lambda v, n=n: pynn.utils.pad_sequences([[1]], **{n: v}), n) for n in ("maxlen", "dtype", "padding", "value")),
    (lambda v: windows(v, None, 1), "data"),
    *((lambda v, n=n: windows(**{"data": [1, 2], "targets": None, "sequence_length": 1, n: v}), n) for n in SETTINGS),
    *((pynn.utils.to_categorical, ""), (lambda v: pynn.utils.to_categorical([0], v), "")),
    (lambda v: pynn.activations.relu([1.0], negative_slope=v), "negative_slope"),
    (lambda v: pynn.activations.relu([1.0], max_value=v), "max_value"),
    (lambda v: pynn.activations.relu([1.0], threshold=v), "threshold"),
    (lambda v: pynn.activations.gelu([1.0], approximate=v), "approximate"),
    (lambda v: pynn.activations.softmax([[1.0]], axis=v), "axis"),
    (lambda v: pynn.activations.celu([1.0], alpha=v), "alpha"),
    *((pynn.activations.relu, "x"), (pynn.regularizers.L1(), "x"), (pynn.constraints.NonNeg(), "w")),
    *((pynn.initializers.Zeros(), "shape"), (lambda v: pynn.initializers.Zeros()((2,), v), "dtype")),
    (lambda v: pynn.losses.MeanSquaredError()(v, [1.0]), "y_true"),
    (lambda v: pynn.losses.MeanSquaredError()([1.0], v), "y_"),
    (lambda v: pynn.metrics.MeanSquaredError()(v, [1.0]), "y_true"),
    *((getattr(pynn, room).get, "") for room in ROOMS if room != "layers"),
]


@pytest.mark.parametrize(("call", "names"), FUNCTIONS, ids=lambda x: getattr(x, "__qualname__", ""))
def test_function_of_any_value(call, names):
    assert not [problem for value in VALUES if (problem := trouble(call, value, names))]


@pytest.mark.parametrize("argument", ["batch_size", "epochs", "initial_epoch", "validation_split", "shuffle"])
def test_setting_of_fit_of_any_value(argument):
    model, (x, y) = make_model(), make_data(10)

    def fit(value):
        model.fit(x, y, **{"verbose": 0, argument: value})

    assert not [problem for value in VALUES if (problem := trouble(fit, value, argument))]
