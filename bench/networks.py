"""The networks that all sides train: their layers, how they are trained, and how much arithmetic that is.

A new kind of layer gets a class here, and an entry in the table of layers of each side that can train it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Flatten:
    """Makes all axes but that of the batch one."""

    label = ""  # in a line for people

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        return (math.prod(shape),)

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass."""
        return 0


@dataclass(frozen=True)
class Dense:
    """``activation(x @ kernel + bias)``: ``"relu"``, ``"linear"`` or ``"sigmoid"``, or ``"softmax"`` at the output."""

    units: int
    activation: str

    @property
    def label(self) -> str:
        """In a line for people."""
        return str(self.units)

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        return (*shape[:-1], self.units)

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass."""
        return math.prod(shape) * self.units


@dataclass(frozen=True)
class Conv2D:
    """``activation(patch @ kernel + bias)`` at each place of an image (height, width, channels), with stride 1.

    The kernel has the shape (height, width, channels, filters). With padding ``"same"`` the image keeps its size.
    """

    filters: int
    size: tuple[int, int]
    activation: str
    padding: Literal["valid", "same"] = "valid"

    @property
    def label(self) -> str:
        """In a line for people."""
        return f"conv {self.filters} {self.size[0]}x{self.size[1]}"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        height, width, _ = shape
        if self.padding == "same":
            return (height, width, self.filters)
        return (height - self.size[0] + 1, width - self.size[1] + 1, self.filters)

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass."""
        return math.prod(self.output_shape(shape)) * math.prod(self.size) * shape[-1]


@dataclass(frozen=True)
class MaxPooling2D:
    """The largest value of each window of an image; windows do not overlap, and none reaches beyond the image."""

    size: tuple[int, int]

    @property
    def label(self) -> str:
        """In a line for people."""
        return f"max {self.size[0]}x{self.size[1]}"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        height, width, channels = shape
        return (height // self.size[0], width // self.size[1], channels)

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass."""
        return 0


@dataclass(frozen=True)
class Residual:
    """``x + layers(x)``: layers one after the other, and a way around them."""

    layers: tuple[Layer, ...]

    @property
    def label(self) -> str:
        """In a line for people."""
        return f"(x + {'-'.join(layer.label for layer in self.layers)})"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        return shape

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass."""
        return chain_multiply_adds(self.layers, shape)


@dataclass(frozen=True)
class Branches:
    """Several chains of layers on one input, whose outputs are put side by side along the last axis."""

    chains: tuple[tuple[Layer, ...], ...]

    @property
    def label(self) -> str:
        """In a line for people."""
        return f"({' | '.join('-'.join(layer.label for layer in chain) for chain in self.chains)})"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        ends = [chain_shape(chain, shape) for chain in self.chains]
        return (*ends[0][:-1], sum(end[-1] for end in ends))

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass."""
        return sum(chain_multiply_adds(chain, shape) for chain in self.chains)


@dataclass(frozen=True)
class Recurrent:
    """Keras's `SimpleRNN`, `LSTM` or `GRU` with its defaults, over the steps of a sequence (steps, features).

    The GRU has a bias for the input and one for the state, which the gate multiplies after the product.
    """

    kind: Literal["SimpleRNN", "LSTM", "GRU"]
    units: int
    return_sequences: bool = False  # the state after each step, or only after the last

    @property
    def gates(self) -> int:
        """Blocks of columns that the kernels have, each as wide as the state."""
        return {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[self.kind]

    @property
    def label(self) -> str:
        """In a line for people."""
        return f"{self.kind} {self.units}"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        return (shape[0], self.units) if self.return_sequences else (self.units,)

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass."""
        steps, features = shape
        return steps * (features + self.units) * self.gates * self.units


@dataclass(frozen=True)
class SelfAttention:
    """Keras's `MultiHeadAttention` of a sequence with itself, its heads together as wide as the sequence."""

    heads: int

    @property
    def label(self) -> str:
        """In a line for people."""
        return f"attention of {self.heads} heads"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        return shape

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape: of query, key, value and output, of scores and weighted values."""
        steps, width = shape
        return 4 * steps * width * width + 2 * steps * steps * width


@dataclass(frozen=True)
class LayerNormalization:
    """Brings the last axis to mean 0 and variance 1, with an epsilon of 0.001, then scales and shifts it."""

    label = "norm"  # in a line for people

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        return shape

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass: no products of matrices."""
        return 0


@dataclass(frozen=True)
class GlobalAveragePooling1D:
    """The mean over the steps of a sequence."""

    label = "mean"  # in a line for people

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of a row after the layer, from that before it."""
        return shape[1:]

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of a row of this shape in the forward pass."""
        return 0


Layer = (
    Flatten
    | Dense
    | Conv2D
    | MaxPooling2D
    | Residual
    | Branches
    | Recurrent
    | SelfAttention
    | LayerNormalization
    | GlobalAveragePooling1D
)


def chain_shape(layers: tuple[Layer, ...], shape: Shape) -> Shape:
    """The shape of a row after all the layers."""
    for layer in layers:
        shape = layer.output_shape(shape)
    return shape


def chain_multiply_adds(layers: tuple[Layer, ...], shape: Shape) -> int:
    """Multiply-adds of a row of this shape in the layers, one after the other."""
    total = 0
    for layer in layers:
        total += layer.multiply_adds(shape)
        shape = layer.output_shape(shape)
    return total


def input_multiply_adds(layer: Layer, shape: Shape) -> int:
    """Those of the products with the layer's input itself: its gradient takes as many."""
    if isinstance(layer, Residual):
        return input_multiply_adds(layer.layers[0], shape)
    if isinstance(layer, Recurrent):  # all but the products with the state
        return math.prod(shape) * layer.gates * layer.units
    if isinstance(layer, SelfAttention):  # query, key and value
        return 3 * math.prod(shape) * shape[-1]
    return layer.multiply_adds(shape)


@dataclass(frozen=True)
class Network:
    """A network, and how it is trained.

    The loss follows from the output: the cross-entropy of class labels for softmax, the mean squared error for sigmoid.

    Args:
        layers: From the input to the output, whose activation is ``"softmax"`` or ``"sigmoid"``.
        optimizer: ``"sgd"`` or ``"adam"``, with Keras's constants.
        learning_rate: Of the optimizer.
        batch_size: Rows of a step, or ``"full"``.
        rows: How many rows of the training data an epoch visits.
        input_shape: Of a row. That of MNIST's images by default; convolutions take their one channel as an axis.
        data: ``"mnist"``, ``"xor"``, or ``"patterns"``: for each class a pattern of its own, under noise.
        epochs: How many are timed as one.
        sides: The only sides that train it, where the others would take too long.
    """

    layers: tuple[Layer, ...]
    optimizer: Literal["sgd", "adam"]
    learning_rate: float
    batch_size: int | Literal["full"]
    rows: int
    input_shape: Shape = (28, 28)
    data: Literal["mnist", "xor", "patterns"] = "mnist"
    epochs: int = 1
    sides: tuple[str, ...] = ()

    @property
    def is_convolutional(self) -> bool:
        """Whether there are layers for images."""
        return any(isinstance(layer, Conv2D | MaxPooling2D) for layer in self.layers)

    @property
    def output(self) -> str:
        """The last activation."""
        return self.layers[-1].activation

    @property
    def batch(self) -> int:
        """Rows of a step."""
        return self.rows if self.batch_size == "full" else self.batch_size

    @property
    def steps(self) -> int:
        """Steps in what is timed as one."""
        return -(-self.rows // self.batch) * self.epochs

    def shaped_layers(self) -> Iterator[tuple[Layer, Shape]]:
        """Each layer with the shape of its input."""
        shape = self.input_shape
        for layer in self.layers:
            yield layer, shape
            shape = layer.output_shape(shape)

    def forward_flop(self) -> int:
        """Floating-point operations of a row in the forward pass: two for a multiply-add of a layer with weights."""
        return 2 * sum(layer.multiply_adds(shape) for layer, shape in self.shaped_layers())

    def training_flop(self) -> int:
        """The same for training: forward, gradients of the weights, and of all inputs but the first layer's."""
        counts = [layer.multiply_adds(shape) for layer, shape in self.shaped_layers()]
        first = next(pair for pair in self.shaped_layers() if pair[0].multiply_adds(pair[1]))
        return 2 * (3 * sum(counts) - input_multiply_adds(*first))

    def describe(self) -> str:
        """A line for people."""
        named = [(layer, shape) for layer, shape in self.shaped_layers() if layer.label]
        sizes = ["x".join(map(str, named[0][1])), *(layer.label for layer, _ in named)]
        batch = "full batch" if self.batch_size == "full" else f"batch {self.batch_size}"
        kind = {"sgd": "SGD", "adam": "Adam"}[self.optimizer]
        rows = f"{self.rows:,} rows" + (f", {self.epochs:,} epochs timed as one" if self.epochs > 1 else "")
        return f"{'-'.join(sizes)}, {kind} {self.learning_rate:g}, {batch}, {rows}, {self.steps:,} steps"


def classifier(*hidden: int) -> tuple[Layer, ...]:
    """Dense layers with ReLU, and ten classes."""
    return (Flatten(), *(Dense(units, "relu") for units in hidden), Dense(10, "softmax"))


# Sides that have every layer, and those that have recurrent ones
GENERAL = ("pynn", "torch", "torch.compile", "jax", "keras")
RECURRENT = (*GENERAL, "numpy")


def recurrent(*layers: Recurrent) -> Network:
    """A classifier of MNIST's images, read row by row."""
    return Network((*layers, Dense(10, "softmax")), "adam", 0.001, 32, 12_000, sides=RECURRENT)


NETWORKS = {
    "mlp128": Network(classifier(128), "adam", 0.001, 32, 60_000),
    "mlp16": Network(classifier(16, 16), "sgd", 0.1, 32, 60_000),
    "mlp2048": Network(classifier(2048, 2048), "adam", 0.001, 256, 10_240),
    "online": Network(classifier(128), "sgd", 0.01, 1, 6_000),
    "cnn": Network(
        (
            Conv2D(32, (3, 3), "relu"),
            MaxPooling2D((2, 2)),
            Conv2D(64, (3, 3), "relu"),
            MaxPooling2D((2, 2)),
            *classifier(64),
        ),
        "adam",
        0.001,
        32,
        12_000,
        input_shape=(28, 28, 1),
    ),
    "residual": Network(
        (Flatten(), Dense(64, "relu"), *(Residual((Dense(64, "relu"),)),) * 9, Dense(10, "softmax")),
        "adam",
        0.001,
        32,
        12_000,
        sides=("pynn", "torch", "jax", "keras"),
    ),
    "inception": Network(
        (
            Conv2D(16, (3, 3), "relu"),
            MaxPooling2D((2, 2)),
            Branches(
                (
                    (Conv2D(8, (1, 1), "relu"),),
                    (Conv2D(8, (1, 1), "relu"), Conv2D(16, (3, 3), "relu", "same")),
                    (Conv2D(4, (1, 1), "relu"), Conv2D(8, (5, 5), "relu", "same")),
                )
            ),
            MaxPooling2D((2, 2)),
            *classifier(64),
        ),
        "adam",
        0.001,
        32,
        6_000,
        input_shape=(28, 28, 1),
        sides=("pynn", "torch", "jax", "keras"),
    ),
    "rnn2": recurrent(Recurrent("SimpleRNN", 64, return_sequences=True), Recurrent("SimpleRNN", 64)),
    "lstm": recurrent(Recurrent("LSTM", 64)),
    "gru": recurrent(Recurrent("GRU", 64)),
    "lstm128": Network(
        (Recurrent("LSTM", 128, return_sequences=True), Recurrent("LSTM", 128), Dense(10, "softmax")),
        "adam",
        0.001,
        32,
        1_280,
        input_shape=(100, 16),
        data="patterns",
        sides=RECURRENT,
    ),
    "transformer": Network(
        (
            Residual((SelfAttention(4),)),
            LayerNormalization(),
            Residual((Dense(128, "relu"), Dense(64, "linear"))),
            LayerNormalization(),
            GlobalAveragePooling1D(),
            Dense(10, "softmax"),
        ),
        "adam",
        0.001,
        32,
        3_200,
        input_shape=(64, 64),
        data="patterns",
        sides=GENERAL,
    ),
    "xor": Network(
        (Dense(4, "sigmoid"), Dense(1, "sigmoid")),
        "sgd",
        1.0,
        "full",
        4,
        input_shape=(2,),
        data="xor",
        epochs=100_000,
        sides=("pynn", "numpy"),
    ),
}
