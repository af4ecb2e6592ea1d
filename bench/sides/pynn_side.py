"""pynn, as its users write it: images stay bytes, and a layer scales them."""

from __future__ import annotations

from collections.abc import Callable

from networks import Conv2D, Dense, Flatten, Layer, MaxPooling2D, Network
from training_data import Array, Data

import pynn

from .base import Side


def make_layer(layer: Layer) -> pynn.layers.Layer:
    """The layer of pynn."""
    if isinstance(layer, Flatten):
        return pynn.layers.Flatten()
    if isinstance(layer, Dense):
        return pynn.layers.Dense(layer.units, layer.activation)
    if isinstance(layer, Conv2D):
        return pynn.layers.Conv2D(layer.filters, layer.size, activation=layer.activation)
    if isinstance(layer, MaxPooling2D):
        return pynn.layers.MaxPooling2D(layer.size)
    raise TypeError(f"The pynn side has no {layer!r}.")


def make_model(network: Network) -> pynn.Sequential:
    """The compiled model."""
    pynn.set_random_seed(1)
    scaling = [pynn.layers.Rescaling(1 / 255)] if network.data == "mnist" else []
    model = pynn.Sequential([pynn.Input(network.input_shape), *scaling, *map(make_layer, network.layers)])
    optimizer = {"sgd": pynn.optimizers.SGD, "adam": pynn.optimizers.Adam}[network.optimizer](network.learning_rate)
    model.compile(optimizer, {"softmax": "sparse_categorical_crossentropy", "sigmoid": "mse"}[network.output])
    return model


class Library(Side):
    """The number of threads comes from PYNN_NUM_THREADS."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        self.network, self.data = network, data
        self.model = make_model(network)

    def epoch(self) -> None:
        self.model.fit(
            self.data.x, self.data.y, batch_size=self.network.batch_size, epochs=self.network.epochs, verbose=0
        )

    def predict(self, rows: Array) -> Array:
        return self.model.predict(rows, verbose=0)

    def ways(self, row: Array) -> dict[str, Callable[[], object]]:
        return {"model(x)": lambda: self.model(row), "predict(x)": lambda: self.model.predict(row, verbose=0)}
