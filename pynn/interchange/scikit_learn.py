"""scikit-learn's multi-layer perceptrons as pynn's models."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..foundation import checks
from ..foundation.arguments import explained
from ..layers import Dense, Input
from ..models import Sequential
from ..models.assigning import overwrite

_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_ENDS = {"identity": "linear", "logistic": "sigmoid", "softmax": "softmax", "exp": "exponential"}


@explained
def from_sklearn(mlp: Any) -> Sequential:
    """The network of a fitted ``MLPClassifier`` or ``MLPRegressor`` of scikit-learn's, or of ``pynn.sklearn``'s.

    It computes what the estimator does, in its number type. What it predicts are the numbers of the last layer:
    of a classifier the probabilities in the order of ``mlp.classes_``, where there are two classes that of the second.
    The model of an estimator of scikit-learn's is not compiled. Of one of ``pynn.sklearn``'s it is a copy, with all its
    layers, compiled as that is.

    Args:
        mlp: The fitted estimator.

    Raises:
        TypeError: something else, or one that is not fitted. ValueError: an activation that pynn does not have.
    """
    own = getattr(mlp, "_own_network", None)  # of pynn.sklearn's, which may have layers without coefs_
    if own is not None and hasattr(mlp, "coefs_"):
        found: Sequential = copy.deepcopy(own())
        return found
    kernels, biases = getattr(mlp, "coefs_", None), getattr(mlp, "intercepts_", None)
    end = getattr(mlp, "out_activation_", None)
    if kernels is None or biases is None or end is None:
        fitted = " It is not fitted: call its fit." if hasattr(mlp, "hidden_layer_sizes") else ""
        raise TypeError(f"mlp must be a fitted MLPClassifier or MLPRegressor, but got {checks.shown(mlp)}.{fitted}")
    if mlp.activation not in _ACTIVATIONS or end not in _ENDS:
        raise ValueError(f"mlp has the activations {mlp.activation!r} and {end!r}, which from_sklearn does not know.")
    dtype = "float32" if np.asarray(kernels[0]).dtype == np.float32 else "float64"
    activations = [_ACTIVATIONS[mlp.activation]] * (len(kernels) - 1) + [_ENDS[end]]
    layers = [
        Dense(np.shape(kernel)[1], activation, dtype=dtype)
        for kernel, activation in zip(kernels, activations, strict=True)
    ]
    model = Sequential([Input((np.shape(kernels[0])[0],), dtype=dtype), *layers])
    values = [np.asarray(each) for pair in zip(kernels, biases, strict=True) for each in pair]
    overwrite(model, list(zip(model.weights, values, strict=True)))
    return model
