"""The networks in plain NumPy, to compare with: float32, vectorised over the batch, and written with care.

All weights lie in one buffer, so that an optimizer's step is a few calls on long arrays. What can work in place does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from networks import Conv2D, Dense, Flatten, Layer, MaxPooling2D, Network, Recurrent, Shape
from numpy.typing import NDArray
from numpy_layers import Affine, Array, Convolution, MaxPool, Relu, Reshape, Sigmoid, Softmax, Stage
from numpy_recurrent import GRU, LSTM, RecurrentStage, SimpleRNN

# Elements that an optimizer updates at a time: its arrays stay in the cache from one operation to the next.
BLOCK = 32_768

ACTIVATIONS: dict[str, type[Stage]] = {"relu": Relu, "sigmoid": Sigmoid, "softmax": Softmax}
RECURRENT: dict[str, type[RecurrentStage]] = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}


def stages(layer: Layer, shape: Shape) -> list[Stage]:
    """What a layer does to rows of this shape."""
    if isinstance(layer, Flatten):
        return [Reshape()]
    if isinstance(layer, Dense):
        return [Affine(shape[-1], layer.units), ACTIVATIONS[layer.activation]()]
    if isinstance(layer, Conv2D):
        return [Convolution(shape, layer.filters, layer.size), ACTIVATIONS[layer.activation]()]
    if isinstance(layer, MaxPooling2D):
        return [MaxPool(layer.size)]
    if isinstance(layer, Recurrent):
        return [RECURRENT[layer.kind](shape[-1], layer.units, layer.return_sequences)]
    raise TypeError(f"There is no NumPy version of {layer!r}.")


# ---- optimizers ------------------------------------------------------------------------------------------------------
class SGD:
    """``w -= rate * g``; the gradients are used up."""

    def __init__(self, values: Array, gradients: Array, learning_rate: float) -> None:
        self.values, self.gradients, self.learning_rate = values, gradients, np.float32(learning_rate)

    def step(self) -> None:
        """Update the weights."""
        self.gradients *= self.learning_rate
        self.values -= self.gradients


class Adam:
    """Adam with Keras's constants.

    ``m += (g - m) * (1 - beta_1)``, ``v += (g^2 - v) * (1 - beta_2)``, ``w -= rate * m / (sqrt(v) + epsilon)``.
    """

    beta_1, beta_2, epsilon = 0.9, 0.999, np.float32(1e-7)

    def __init__(self, values: Array, gradients: Array, learning_rate: float) -> None:
        self.learning_rate, self.steps = learning_rate, 0
        scratch = np.empty(min(BLOCK, len(values)), np.float32)
        whole = (values, gradients, np.zeros_like(values), np.zeros_like(values))
        starts = range(0, len(values), BLOCK)
        self.blocks = [(*(a[i : i + BLOCK] for a in whole), scratch[: len(values) - i]) for i in starts]

    def step(self) -> None:
        """Update the weights."""
        self.steps += 1
        correction = math.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)
        rate = np.float32(self.learning_rate * correction)
        share_1, share_2 = np.float32(1 - self.beta_1), np.float32(1 - self.beta_2)
        for w, g, m, v, scratch in self.blocks:
            np.subtract(g, m, out=scratch)
            scratch *= share_1
            m += scratch
            np.square(g, out=scratch)
            scratch -= v
            scratch *= share_2
            v += scratch
            np.sqrt(v, out=scratch)
            scratch += self.epsilon
            np.divide(m, scratch, out=scratch)
            scratch *= rate
            w -= scratch


# ---- the network -----------------------------------------------------------------------------------------------------
class NumpyNetwork:
    """A network of `networks.py`, its weights drawn as Keras draws them."""

    def __init__(self, network: Network, seed: int = 1) -> None:
        self.network, self.random = network, np.random.default_rng(seed)
        *self.stages, self.output = [stage for pair in network.shaped_layers() for stage in stages(*pair)]
        shapes = [shape for stage in self.stages for shape in stage.shapes]
        self.values, self.gradients = np.zeros((2, sum(map(math.prod, shapes))), np.float32)
        self.weights, slopes = split(self.values, shapes), split(self.gradients, shapes)
        self.set_weights([weights for stage in self.stages for weights in stage.initial(self.random)])
        used = 0
        for stage in self.stages:
            end = used + len(stage.shapes)
            stage.use(self.weights[used:end], slopes[used:end])
            used = end
        self.first = next(number for number, stage in enumerate(self.stages) if stage.shapes)
        self.optimizer = {"sgd": SGD, "adam": Adam}[network.optimizer](
            self.values, self.gradients, network.learning_rate
        )

    def set_weights(self, weights: list[Array]) -> None:
        """Kernel and bias of each layer."""
        for own, values in zip(self.weights, weights, strict=True):
            own[...] = values

    def predict(self, x: Array) -> Array:
        """The output of the last layer."""
        for stage in self.stages:
            x = stage.forward(x)
        return self.output.forward(x)

    def gradient(self, x: Array, y: NDArray[Any]) -> None:
        """Put the gradients of the mean loss of a batch into the buffer."""
        dy = self.predict(x)
        if isinstance(self.output, Softmax):  # cross-entropy of class labels
            dy[np.arange(len(x)), y] -= 1
            dy *= np.float32(1 / len(x))
        else:  # mean squared error
            dy = self.output.backward(np.float32(2 / dy.size) * (dy - y), True)
        for number in range(len(self.stages) - 1, self.first - 1, -1):
            dy = self.stages[number].backward(dy, number > self.first)

    def train_step(self, x: Array, y: NDArray[Any]) -> None:
        """One step on a batch; `y` has class labels for softmax, else values like the output."""
        self.gradient(x, y)
        self.optimizer.step()

    def train_epoch(self, x: Array, y: NDArray[Any]) -> None:
        """Visit all rows once, in a random order; a full batch stays as it is."""
        batch = self.network.batch
        if batch >= len(x):
            self.train_step(x, y)
            return
        order = self.random.permutation(len(x))
        for begin in range(0, len(x), batch):
            rows = order[begin : begin + batch]
            self.train_step(x[rows], y[rows])


def split(buffer: Array, shapes: list[Shape]) -> list[Array]:
    """Views of consecutive parts of a buffer, in these shapes."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(buffer, ends[:-1]), shapes, strict=True)]
