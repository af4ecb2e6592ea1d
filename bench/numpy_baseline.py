"""A dense network in plain NumPy, to compare with: float32, vectorised over the batch, and written with care.

All weights lie in one buffer, so that an optimizer's step is a few calls on long arrays; these work in place, without
temporary arrays.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class NumpyNetwork:
    """Dense layers, with an activation between them and softmax or sigmoid at the end.

    The loss is the cross-entropy of class labels for softmax, and the mean squared error for sigmoid.

    Args:
        sizes: Number of inputs, and of units of each layer.
        optimizer: ``"sgd"`` or ``"adam"``, with Keras's constants.
        learning_rate: Of the optimizer.
        hidden: Activation of all layers but the last: ``"relu"`` or ``"sigmoid"``.
        output: ``"softmax"`` or ``"sigmoid"``.
    """

    def __init__(
        self, sizes: list[int], optimizer: str, learning_rate: float, hidden: str = "relu", output: str = "softmax"
    ) -> None:
        self.hidden, self.output = hidden, output
        self.optimizer, self.learning_rate = optimizer, np.float32(learning_rate)
        shapes = [shape for i, o in pairwise(sizes) for shape in ((i, o), (o,))]
        count = sum(int(np.prod(shape)) for shape in shapes)
        self.values, self.gradients = np.zeros(count, np.float32), np.zeros(count, np.float32)
        self.weights, self.slopes = split(self.values, shapes), split(self.gradients, shapes)
        self.m, self.v, self.scratch = (np.zeros(count, np.float32) for _ in range(3))
        self.step_number = 0

    def set_weights(self, weights: list[Array]) -> None:
        """Kernel and bias of each layer."""
        for own, values in zip(self.weights, weights, strict=True):
            own[...] = values

    def forward(self, x: Array) -> list[Array]:
        """The output of each layer, and `x` before them."""
        outputs = [x]
        layers = list(zip(self.weights[::2], self.weights[1::2], strict=True))
        for number, (kernel, bias) in enumerate(layers, 1):
            z = outputs[-1] @ kernel
            z += bias
            activate(z, self.hidden if number < len(layers) else self.output)
            outputs.append(z)
        return outputs

    def predict(self, x: Array) -> Array:
        """The output of the last layer."""
        return self.forward(x)[-1]

    def train_step(self, x: Array, y: NDArray[np.generic]) -> None:
        """One step on a batch; `y` has class labels for softmax, else values like the output."""
        outputs = self.forward(x)
        dz = outputs[-1]
        if self.output == "softmax":
            dz[np.arange(len(x)), y] -= 1
            dz *= np.float32(1 / len(x))
        else:
            dz = np.float32(2 / dz.size) * (dz - y) * dz * (1 - dz)
        for layer in range(len(outputs) - 2, -1, -1):
            below = outputs[layer]
            np.matmul(below.T, dz, out=self.slopes[2 * layer])
            dz.sum(axis=0, out=self.slopes[2 * layer + 1])
            if layer > 0:
                dz = dz @ self.weights[2 * layer].T
                dz *= below > 0 if self.hidden == "relu" else below * (1 - below)
        self.update()

    def update(self) -> None:
        """One step of the optimizer; the gradients are used up."""
        g, scratch = self.gradients, self.scratch
        if self.optimizer == "sgd":
            g *= self.learning_rate
            self.values -= g
            return
        self.step_number += 1
        beta_1, beta_2, epsilon = np.float32(0.9), np.float32(0.999), np.float32(1e-7)
        correction = np.sqrt(1 - 0.999**self.step_number) / (1 - 0.9**self.step_number)
        # m += (g - m) * (1 - beta_1), v += (g^2 - v) * (1 - beta_2), w -= rate * m / (sqrt(v) + epsilon)
        np.subtract(g, self.m, out=scratch)
        scratch *= 1 - beta_1
        self.m += scratch
        np.square(g, out=scratch)
        scratch -= self.v
        scratch *= 1 - beta_2
        self.v += scratch
        np.sqrt(self.v, out=scratch)
        scratch += epsilon
        np.divide(self.m, scratch, out=scratch)
        scratch *= np.float32(self.learning_rate * correction)
        self.values -= scratch

    def train_epoch(self, x: Array, y: NDArray[np.generic], batch_size: int, random: np.random.Generator) -> None:
        """Visit all rows once, in a random order."""
        order = random.permutation(len(x))
        for begin in range(0, len(x), batch_size):
            rows = order[begin : begin + batch_size]
            self.train_step(x[rows], y[rows])


def split(buffer: Array, shapes: list[tuple[int, ...]]) -> list[Array]:
    """Views of consecutive parts of a buffer, in these shapes."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(buffer, ends[:-1]), shapes, strict=True)]


def activate(z: Array, name: str) -> None:
    """Replace each row of z by its activation."""
    if name == "relu":
        np.maximum(z, 0, out=z)
        return
    if name == "softmax":
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)
