"""MNIST: handwritten digits of 28 x 28 grey values (LeCun, Cortes, Burges), in the IDX files of its publication."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

Bytes = NDArray[np.uint8]

# The files, with the SHA-256 of their uncompressed content: the same whatever program compressed them.
_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"


def load_data(path: str | os.PathLike[str] | None = None) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """The data as ``(x_train, y_train), (x_test, y_test)``, as in Keras.

    Shapes: x ``(60000, 28, 28)`` and ``(10000, 28, 28)`` with grey values 0-255, y the digits ``(60000,)`` and
    ``(10000,)``; all of bytes.

    Args:
        path: The folder with the four ``...-ubyte.gz`` files, or the folder with a ``mnist`` in it. Default: the
            environment variable ``PYNN_DATA``, else the user's cache, where the files are downloaded to if they are
            not there yet (which takes the package pooch: ``pip install pooch``).

    Raises:
        FileNotFoundError: a file is missing from the folder that was named. ValueError: a file is damaged.
        ImportError: the files must be downloaded, and pooch is not installed.
    """
    from pathlib import Path  # slow to import, as what is imported in the functions below

    named = path if path is not None else os.environ.get("PYNN_DATA") or None
    folder = _cache(Path.home()) if named is None else _folder(Path(named))
    content = {name: _read(folder, name, digest, named is None) for name, digest in _FILES.items()}
    x_train, y_train, x_test, y_test = (_parse(content[name]) for name in _FILES)
    return (x_train, y_train), (x_test, y_test)


def _folder(path: Path) -> Path:
    return path / "mnist" if (path / "mnist").is_dir() else path


def _cache(home: Path) -> Path:
    return home / (os.environ.get("XDG_CACHE_HOME") or ".cache") / "pynn" / "mnist"


def _read(folder: Path, name: str, digest: str, download: bool) -> bytes:
    """The uncompressed content of a file, checked."""
    import gzip
    import hashlib
    import zlib

    file = folder / f"{name}.gz"
    if download and not file.exists():
        _download(file)
    try:
        content = gzip.decompress(file.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{file} is missing. Pass the folder with the MNIST files as path, or set PYNN_DATA to it."
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{file} is damaged, no complete gzip file: {error}. Delete it, and get it anew.") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{file} is damaged: its SHA-256 is not that of MNIST. Delete it, and get it anew.")
    return content


def _download(file: Path) -> None:
    try:
        import pooch
    except ImportError:
        raise ImportError(
            f"MNIST is not at {file.parent}, and downloading it takes the package pooch: pip install pooch. "
            "Or pass the folder with the files as path, or set PYNN_DATA to it; pynn's sources have them in data/mnist."
        ) from None
    # The hash of the compressed file depends on who compressed it; the content is checked after reading.
    pooch.retrieve(_URL + file.name, known_hash=None, fname=file.name, path=file.parent)


def _parse(content: bytes) -> Bytes:
    """The array of an IDX file, whose content is known by its hash.

    Two zeros, the type 8 (bytes), the rank, the sizes as big-endian integers, the elements.
    """
    start = 4 + 4 * content[3]
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">i4"))
    return np.array(np.frombuffer(content, np.uint8, offset=start).reshape(shape))  # a copy is writeable
