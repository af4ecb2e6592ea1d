"""MNIST, XOR, and sequences with a pattern for each class, as the worker processes read or make them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from networks import Network
from numpy.typing import NDArray

Array = NDArray[Any]

IMAGE = (28, 28)
TEST_ROWS = 10_000
BLOCK = 1000  # images that are scaled at a time
PATTERN_TEST_ROWS = 1000
NOISE = 3.0  # its standard deviation; that of the patterns is 1


@dataclass(frozen=True)
class Data:
    """Rows to train on and rows to test with: images or numbers, and the class or the target of each."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array


def save_mnist(folder: Path, source: Path) -> None:
    """Unpack MNIST into plain files of bytes, so that workers need neither pynn nor time to read it."""
    from pynn.datasets import mnist

    for part, arrays in zip(("train", "test"), mnist.load_data(source), strict=True):
        for kind, array in zip(("x", "y"), arrays, strict=True):
            array.tofile(folder / f"{part}-{kind}")


def load(network: Network, folder: Path, as_bytes: bool) -> Data:
    """What a network trains on: images as bytes, or as float32 from 0 to 1."""
    if network.data == "xor":
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        y = np.array([[0], [1], [1], [0]], np.float32)
        return Data(x, y, x, y)
    if network.data == "patterns":
        return _patterns(network)
    train, test = (
        (
            _images(folder / f"{part}-x", rows, as_bytes).reshape(-1, *network.input_shape),
            np.fromfile(folder / f"{part}-y", np.uint8, rows),
        )
        for part, rows in (("train", network.rows), ("test", -1))
    )
    return Data(*train, *test)


def _patterns(network: Network) -> Data:
    """The same rows for every side: the pattern of one of ten classes, and noise."""
    random = np.random.default_rng(1)
    patterns = random.standard_normal((10, *network.input_shape), np.float32)
    parts = []
    for rows in (network.rows, PATTERN_TEST_ROWS):
        y = random.integers(0, 10, rows, np.uint8)
        x = random.standard_normal((rows, *network.input_shape), np.float32)
        x *= np.float32(NOISE)
        x += patterns[y]
        parts += [x, y]
    return Data(*parts)


def _images(path: Path, rows: int, as_bytes: bool) -> Array:
    """The first images of a file, or all if rows is -1; never much more in memory than what is returned."""
    size = IMAGE[0] * IMAGE[1]
    there = path.stat().st_size // size
    rows = there if rows < 0 else min(rows, there)
    if as_bytes:
        return np.fromfile(path, np.uint8, rows * size).reshape(rows, *IMAGE)
    images = np.empty((rows, *IMAGE), np.float32)
    with path.open("rb") as file:
        for begin in range(0, rows, BLOCK):
            part = images[begin : begin + BLOCK]
            np.divide(np.fromfile(file, np.uint8, part.size).reshape(part.shape), np.float32(255), out=part)
    return images
