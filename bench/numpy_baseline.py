"""The networks in plain NumPy, to compare with: float32, vectorised over the batch, and written with care.

All weights lie in one buffer, so that an optimizer's step is a few calls on long arrays. What can work in place does.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from networks import Conv2D, Dense, Flatten, Layer, MaxPooling2D, Network, Shape
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Elements that an optimizer updates at a time: its arrays stay in the cache from one operation to the next.
BLOCK = 32_768


# ---- layers ----------------------------------------------------------------------------------------------------------
class Stage:
    """A part of the forward pass and its derivative. Only Affine and Convolution have weights."""

    shapes: tuple[Shape, ...] = ()

    def use(self, weights: list[Array], gradients: list[Array]) -> None:
        """Take the weights, of these shapes, and where their gradients go."""

    def forward(self, x: Array) -> Array:
        """The output; what `backward` needs is kept."""
        raise NotImplementedError

    def backward(self, dy: Array, need_dx: bool) -> Array:
        """The gradient of the input, from that of the output; gradients of weights are overwritten."""
        raise NotImplementedError


class Reshape(Stage):
    """Rows of numbers, from rows of any shape."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array, need_dx: bool) -> Array:
        return dy.reshape(self.shape)


class Affine(Stage):
    """``y = x @ kernel + bias``."""

    def __init__(self, inputs: int, units: int) -> None:
        self.shapes = ((inputs, units), (units,))

    def use(self, weights: list[Array], gradients: list[Array]) -> None:
        self.kernel, self.bias = weights
        self.dkernel, self.dbias = gradients

    def forward(self, x: Array) -> Array:
        self.x = x
        y = x @ self.kernel
        y += self.bias
        return y

    def backward(self, dy: Array, need_dx: bool) -> Array:
        np.matmul(self.x.T, dy, out=self.dkernel)
        dy.sum(axis=0, out=self.dbias)
        return dy @ self.kernel.T if need_dx else dy


class Convolution(Stage):
    """``y = patches @ kernel + bias`` with a patch for each place that the kernel fits on: stride 1, no padding.

    Images are (batch, height, width, channels), the kernel is (height, width, channels, filters).
    """

    def __init__(self, shape: Shape, filters: int, size: tuple[int, int]) -> None:
        self.height, self.width, self.channels = shape
        self.rows, self.columns = self.height - size[0] + 1, self.width - size[1] + 1  # of the output
        self.size, self.shapes = size, ((*size, self.channels, filters), (filters,))

    def use(self, weights: list[Array], gradients: list[Array]) -> None:
        self.kernel, self.bias = weights
        self.dkernel, self.dbias = gradients
        # Views that the products take, with a row for each element of a patch
        filters = len(self.bias)
        self.flat_kernel, self.flat_dkernel = self.kernel.reshape(-1, filters), self.dkernel.reshape(-1, filters)

    def offsets(self, images: Array) -> Iterator[tuple[int, int, Array]]:
        """For each place in the kernel: what it meets in all patches, a view of the images."""
        for i, j in np.ndindex(*self.size):
            yield i, j, images[:, i : i + self.rows, j : j + self.columns]

    def forward(self, x: Array) -> Array:
        # One place of all patches at a time: where there are few channels, that is quicker than sliding windows.
        patches = np.empty((len(x), self.rows, self.columns, *self.size, self.channels), x.dtype)
        for i, j, part in self.offsets(x):
            patches[:, :, :, i, j] = part
        self.patches = patches.reshape(-1, len(self.flat_kernel))
        y = self.patches @ self.flat_kernel
        y += self.bias
        return y.reshape(len(x), self.rows, self.columns, -1)

    def backward(self, dy: Array, need_dx: bool) -> Array:
        flat = dy.reshape(-1, dy.shape[-1])
        np.matmul(self.patches.T, flat, out=self.flat_dkernel)
        np.matmul(np.ones(len(flat), dy.dtype), flat, out=self.dbias)  # quicker than a sum of so many rows
        if not need_dx:
            return dy
        dx = np.zeros((len(dy), self.height, self.width, self.channels), dy.dtype)
        for i, j, part in self.offsets(dx):
            part += (flat @ self.kernel[i, j].T).reshape(part.shape)
        return dx


class MaxPool(Stage):
    """The largest value of each window; the windows lie side by side."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def corners(self, images: Array) -> list[Array]:
        """The first value of every window, then the second of every window, and so on: views."""
        (height, width), (rows, columns) = self.size, images.shape[1:3]
        images = images[:, : rows // height * height, : columns // width * width]  # the rest fills no window
        return [images[:, i::height, j::width] for i, j in np.ndindex(*self.size)]

    def forward(self, x: Array) -> Array:
        self.x, self.y = x, functools.reduce(np.maximum, self.corners(x))
        return self.y

    def backward(self, dy: Array, need_dx: bool) -> Array:
        dx = np.zeros_like(self.x)
        free = np.ones(dy.shape, bool)  # windows whose gradient has not been given away: only the first maximum gets it
        for value, slope in zip(self.corners(self.x), self.corners(dx), strict=True):
            largest = (value == self.y) & free
            np.multiply(dy, largest, out=slope)
            free ^= largest
        return dx


class Relu(Stage):
    """``max(x, 0)``, in place."""

    def forward(self, x: Array) -> Array:
        self.y = np.maximum(x, 0, out=x)
        return self.y

    def backward(self, dy: Array, need_dx: bool) -> Array:
        dy *= self.y > 0
        return dy


class Sigmoid(Stage):
    """``1 / (1 + exp(-x))``, in place."""

    def forward(self, x: Array) -> Array:
        np.negative(x, out=x)
        np.exp(x, out=x)
        x += 1
        self.y = np.reciprocal(x, out=x)
        return self.y

    def backward(self, dy: Array, need_dx: bool) -> Array:
        dy *= self.y * (1 - self.y)
        return dy


class Softmax(Stage):
    """``exp(x) / sum(exp(x))`` of each row, in place; an output only, whose derivative is part of the loss."""

    def forward(self, x: Array) -> Array:
        x -= x.max(axis=1, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(axis=1, keepdims=True)
        return x


ACTIVATIONS: dict[str, type[Stage]] = {"relu": Relu, "sigmoid": Sigmoid, "softmax": Softmax}


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
        self.set_weights([self._initial(shape) for shape in shapes])
        used = 0
        for stage in self.stages:
            end = used + len(stage.shapes)
            stage.use(self.weights[used:end], slopes[used:end])
            used = end
        self.first = next(number for number, stage in enumerate(self.stages) if stage.shapes)
        self.optimizer = {"sgd": SGD, "adam": Adam}[network.optimizer](
            self.values, self.gradients, network.learning_rate
        )

    def _initial(self, shape: Shape) -> Array:
        """Glorot's uniform numbers for a kernel, zeros for a bias."""
        places = math.prod(shape[:-2])  # of a convolution's kernel, each with its inputs and outputs; else 1
        limit = math.sqrt(6 / (places * sum(shape[-2:]))) if len(shape) > 1 else 0.0
        return self.random.uniform(-limit, limit, shape).astype(np.float32)

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
