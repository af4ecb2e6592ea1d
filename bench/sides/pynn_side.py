"""pynn, as its users write it: images stay bytes, and a layer scales them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from training_data import Array, Data

import pynn

from .base import Side


def apply(layer: Layer, x: Any) -> Any:
    """The layer, called on a symbolic tensor."""
    if isinstance(layer, Flatten):
        return pynn.layers.Flatten()(x)
    if isinstance(layer, Dense):
        return pynn.layers.Dense(layer.units, layer.activation)(x)
    if isinstance(layer, Conv2D):
        return pynn.layers.Conv2D(layer.filters, layer.size, padding=layer.padding, activation=layer.activation)(x)
    if isinstance(layer, MaxPooling2D):
        return pynn.layers.MaxPooling2D(layer.size)(x)
    if isinstance(layer, Residual):
        return pynn.layers.add([x, apply_all(layer.layers, x)])
    if isinstance(layer, Branches):
        return pynn.layers.concatenate([apply_all(chain, x) for chain in layer.chains])
    if isinstance(layer, Recurrent):
        return getattr(pynn.layers, layer.kind)(layer.units, return_sequences=layer.return_sequences)(x)
    if isinstance(layer, SelfAttention):
        return pynn.layers.MultiHeadAttention(layer.heads, x.shape[-1] // layer.heads)(x, x)
    if isinstance(layer, LayerNormalization):
        return pynn.layers.LayerNormalization()(x)
    if isinstance(layer, GlobalAveragePooling1D):
        return pynn.layers.GlobalAveragePooling1D()(x)
    raise TypeError(f"The pynn side has no {layer!r}.")


def apply_all(layers: tuple[Layer, ...], x: Any) -> Any:
    """The layers, one after the other."""
    for layer in layers:
        x = apply(layer, x)
    return x


def make_model(network: Network) -> pynn.Model:
    """The compiled model."""
    pynn.set_random_seed(1)
    x = pynn.Input(network.input_shape)
    scaled = pynn.layers.Rescaling(1 / 255)(x) if network.data == "mnist" else x
    model = pynn.Model(x, apply_all(network.layers, scaled))
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
