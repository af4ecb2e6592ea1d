"""The parts of layers in plain NumPy, forward and backward; `numpy_recurrent.py` has the recurrent ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
from networks import Shape
from numpy.typing import NDArray

Array = NDArray[np.float32]


def glorot(shape: Shape, random: np.random.Generator) -> Array:
    """Glorot's uniform numbers for a kernel."""
    places = math.prod(shape[:-2])  # of a convolution's kernel, each with its inputs and outputs; else 1
    limit = math.sqrt(6 / (places * sum(shape[-2:])))
    return random.uniform(-limit, limit, shape).astype(np.float32)


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``, in place."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    return np.reciprocal(x, out=x)


class Stage:
    """A part of the forward pass and its derivative. Only Affine, Convolution and the recurrent ones have weights."""

    shapes: tuple[Shape, ...] = ()

    def initial(self, random: np.random.Generator) -> list[Array]:
        """The first weights: Glorot's uniform numbers for kernels, zeros for biases."""
        return [glorot(shape, random) if len(shape) > 1 else np.zeros(shape, np.float32) for shape in self.shapes]

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
        self.y = sigmoid(x)
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
