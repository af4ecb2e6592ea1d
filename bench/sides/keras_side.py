"""Keras on the back end that KERAS_BACKEND names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from networks import (
    Branches,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    Layer,
    LayerNormalization,
    MaxPooling2D,
    Network,
    Recurrent,
    Residual,
    SelfAttention,
)
from training_data import TEST_ROWS, Array, Data

from .base import Side, in_parts, rows_at_a_time

STEPS = 32  # run in one call, which is quicker than one by one


def apply(layer: Layer, x: Any) -> Any:
    """The layer, called on a symbolic tensor."""
    if isinstance(layer, Flatten):
        return keras.layers.Flatten()(x)
    if isinstance(layer, Dense):
        return keras.layers.Dense(layer.units, layer.activation)(x)
    if isinstance(layer, Conv2D):
        return keras.layers.Conv2D(layer.filters, layer.size, padding=layer.padding, activation=layer.activation)(x)
    if isinstance(layer, MaxPooling2D):
        return keras.layers.MaxPooling2D(layer.size)(x)
    if isinstance(layer, Residual):
        return keras.layers.add([x, apply_all(layer.layers, x)])
    if isinstance(layer, Branches):
        return keras.layers.concatenate([apply_all(chain, x) for chain in layer.chains])
    if isinstance(layer, Recurrent):
        return getattr(keras.layers, layer.kind)(layer.units, return_sequences=layer.return_sequences)(x)
    if isinstance(layer, SelfAttention):
        return keras.layers.MultiHeadAttention(layer.heads, x.shape[-1] // layer.heads)(x, x)
    if isinstance(layer, LayerNormalization):
        return keras.layers.LayerNormalization()(x)
    if isinstance(layer, GlobalAveragePooling1D):
        return keras.layers.GlobalAveragePooling1D()(x)
    raise TypeError(f"The Keras side has no {layer!r}.")


def apply_all(layers: tuple[Layer, ...], x: Any) -> Any:
    """The layers, one after the other."""
    for layer in layers:
        x = apply(layer, x)
    return x


class Library(Side):
    """Softmax networks. The number of threads comes from the processors that the worker may run on."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        keras.utils.set_random_seed(1)
        self.batch, self.x, self.y = network.batch, data.x, data.y.astype(np.int32)
        self.part = rows_at_a_time(network, TEST_ROWS)
        inputs = keras.Input(network.input_shape)
        self.model = keras.Model(inputs, apply_all(network.layers, inputs))
        kind = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[network.optimizer]
        self.model.compile(
            kind(network.learning_rate),
            "sparse_categorical_crossentropy",
            steps_per_execution=min(STEPS, network.steps),
        )

    def epoch(self) -> None:
        self.model.fit(self.x, self.y, batch_size=self.batch, verbose=0)

    def predict(self, rows: Array) -> Array:
        return in_parts(self.model.predict_on_batch, rows, self.part, np.concatenate)

    def ways(self, row: Array) -> dict[str, Callable[[], object]]:
        return {
            "model(x)": lambda: self.model(row),
            "predict_on_batch(x)": lambda: self.model.predict_on_batch(row),
            "predict(x)": lambda: self.model.predict(row, verbose=0),
        }
