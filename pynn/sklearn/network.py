"""The network of an MLP as scikit-learn describes it: layers, losses, optimizers, initial values."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import activations, layers, losses, optimizers
from ..layers import Dense
from ..layers.symbolic import SymbolicTensor
from ..models import Sequential
from ..optimizers import Optimizer
from ..regularizers import L2

Array = NDArray[Any]

# scikit-learn's names.
_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "exp": "linear"}  # the loss takes logarithms
_WEIGHTED = "mean_with_sample_weight"


def make_network(mlp: Any, widths: Sequence[int], dtype: str, seed: int) -> Sequential:
    """The network of an estimator, with weights of 0.

    Args:
        mlp: Its settings.
        widths: Of the input, the hidden layers and the output.
        dtype: The number type.
        seed: Of the noise of Dropout.

    Raises:
        TypeError, ValueError: bad settings.
    """
    hidden = len(widths) - 2
    names = _one_for_each(mlp.activation, hidden, "activation")
    rates = _one_for_each(mlp.dropout, hidden, "dropout")
    penalty = L2(mlp.alpha / 2, by_rows=True) if mlp.alpha > 0 else None
    stack: list[layers.Layer | SymbolicTensor] = [layers.Input((widths[0],), dtype=dtype)]
    for number, (units, name, rate) in enumerate(zip(widths[1:-1], names, rates, strict=True)):
        activation = _activation(name)
        apart = mlp.batch_normalization or isinstance(activation, layers.Layer)
        stack.append(_dense(units, None if apart else activation, penalty, dtype))
        if mlp.batch_normalization:
            stack.append(layers.BatchNormalization(dtype=dtype))
        if isinstance(activation, layers.Layer):
            stack.append(activation)
        elif apart:
            stack.append(layers.Activation(activation, dtype=dtype))
        if rate:
            stack.append(layers.Dropout(rate, seed=seed + number, dtype=dtype))
    stack.append(_dense(widths[-1], _activation(mlp.out_activation_), penalty, dtype))
    return Sequential(stack)


def _dense(units: int, activation: Any, penalty: L2 | None, dtype: str) -> Dense:
    return Dense(units, activation, kernel_initializer="zeros", kernel_regularizer=penalty, dtype=dtype)


def _activation(given: Any) -> Any:
    """What a layer takes; a layer, such as PReLU, is copied for each place."""
    if isinstance(given, layers.Layer):
        return type(given).from_config({key: v for key, v in given.get_config().items() if key != "name"})
    return activations.get(_ACTIVATIONS.get(given, given) if isinstance(given, str) else given)


def _one_for_each(given: Any, count: int, name: str) -> list[Any]:
    """A setting for each hidden layer, of a list or of one for all."""
    if not isinstance(given, list | tuple):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"{name} must have a value for each of the {count} hidden layers, but has {len(given)}.")
    return list(given)


def dense_layers(network: Sequential) -> list[Any]:
    """Those that ``coefs_`` and ``intercepts_`` are of."""
    return [layer for layer in network.layers if isinstance(layer, Dense)]


def initial_values(mlp: Any, widths: Sequence[int], random_state: Any) -> Iterable[tuple[Array, Array]]:
    """Glorot's: those that scikit-learn draws from this random state."""
    names = _one_for_each(mlp.activation, len(widths) - 2, "activation")
    for number, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        # scikit-learn has one activation, which also decides for the output layer.
        name = names[min(number, len(names) - 1)] if names else mlp.activation
        bound = np.sqrt(
            (2.0 if isinstance(name, str) and name in ("logistic", "sigmoid") else 6.0) / (fan_in + fan_out)
        )
        kernel = random_state.uniform(-bound, bound, (fan_in, fan_out))
        yield kernel, random_state.uniform(-bound, bound, fan_out)


def loss_of(mlp: Any) -> tuple[losses.Loss, float]:
    """The loss whose gradient is scikit-learn's, and its weight."""
    columns = float(mlp.n_outputs_)
    if mlp.out_activation_ == "softmax":
        return losses.SparseCategoricalCrossentropy(reduction=_WEIGHTED), 1.0
    if mlp.out_activation_ == "logistic":
        return losses.BinaryCrossentropy(reduction=_WEIGHTED), columns
    if mlp.out_activation_ == "exp":
        return losses.Poisson(reduction=_WEIGHTED, from_logs=True), columns
    return losses.SumSquaredError(reduction=_WEIGHTED), 1.0


def optimizer_of(mlp: Any) -> Optimizer:
    """A new optimizer, as ``solver`` says; ValueError for an unknown one."""
    rate = float(mlp.learning_rate_init)
    if mlp.solver == "sgd" or mlp.solver == "lbfgs":
        return optimizers.SGD(rate, momentum=mlp.momentum, nesterov=bool(mlp.nesterovs_momentum))
    if mlp.solver == "adam":
        return optimizers.Adam(rate, beta_1=mlp.beta_1, beta_2=mlp.beta_2, epsilon=mlp.epsilon)
    found = optimizers.get(copy.deepcopy(mlp.solver))
    if isinstance(mlp.solver, str):
        found.learning_rate = rate
    return found
