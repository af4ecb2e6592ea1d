"""Keras on the back end that KERAS_BACKEND names."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from networks import Conv2D, Dense, Flatten, Layer, MaxPooling2D, Network
from training_data import TEST_ROWS, Array, Data

from .base import Side, in_parts, rows_at_a_time

STEPS = 32  # run in one call, which is quicker than one by one


def make_layer(layer: Layer) -> keras.Layer:
    """The layer of Keras."""
    if isinstance(layer, Flatten):
        return keras.layers.Flatten()
    if isinstance(layer, Dense):
        return keras.layers.Dense(layer.units, layer.activation)
    if isinstance(layer, Conv2D):
        return keras.layers.Conv2D(layer.filters, layer.size, activation=layer.activation)
    if isinstance(layer, MaxPooling2D):
        return keras.layers.MaxPooling2D(layer.size)
    raise TypeError(f"The Keras side has no {layer!r}.")


class Library(Side):
    """Softmax networks. The number of threads comes from the processors that the worker may run on."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        keras.utils.set_random_seed(1)
        self.batch, self.x, self.y = network.batch, data.x, data.y.astype(np.int32)
        self.part = rows_at_a_time(network, TEST_ROWS)
        self.model = keras.Sequential([keras.Input(network.input_shape), *map(make_layer, network.layers)])
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
