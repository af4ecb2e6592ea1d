"""MNIST: handwritten digits of 28 x 28 grey values (LeCun, Cortes, Burges), in the IDX files of its publication."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def load_data(path: str | os.PathLike[str]) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """The data as ``(x_train, y_train), (x_test, y_test)``, as in Keras.

    Shapes: x ``(60000, 28, 28)`` and ``(10000, 28, 28)`` with grey values 0-255, y the digits ``(60000,)`` and
    ``(10000,)``; all of bytes.

    Args:
        path: The folder with the four ``...-ubyte.gz`` files; ``data/mnist`` in pynn's sources.

    Raises:
        FileNotFoundError: a file is missing. ValueError: a file is damaged.
    """
    folder = Path(path)

    def pair(part: str) -> tuple[Bytes, Bytes]:
        x = _read_idx(folder / f"{part}-images-idx3-ubyte.gz", 3)
        y = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 1)
        if len(x) != len(y):
            raise ValueError(f"{folder} has {len(x)} images but {len(y)} labels of the part {part}: a file is damaged.")
        return x, y

    return pair("train"), pair("t10k")


def _read_idx(file: Path, rank: int) -> Bytes:
    """An array of bytes: two zeros, the type 8, the rank, the sizes as big-endian integers, the elements."""
    try:
        content = gzip.decompress(file.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{file} is no complete gzip file: {error}.") from None
    start = 4 + 4 * rank
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">i4"))
    if content[:4] != bytes((0, 0, 8, rank)) or len(content) != start + math.prod(shape):
        raise ValueError(f"{file} is not an IDX file of {rank} axes, or not whole.")
    return np.array(np.frombuffer(content, np.uint8, offset=start).reshape(shape))  # a copy is writeable
