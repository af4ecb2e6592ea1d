"""MNIST: handwritten digits of 28 x 28 grey values (LeCun, Cortes, Burges), in the IDX files of its publication."""

from __future__ import annotations

import contextlib
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
_MIRRORS = ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/")
_TIME_OUT = 20.0  # seconds without an answer
_LARGEST = 60_000 * 28 * 28 + 16  # bytes of an uncompressed file


def load_data(path: str | os.PathLike[str] | None = None) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """The data as ``(x_train, y_train), (x_test, y_test)``, as in Keras.

    Shapes: x ``(60000, 28, 28)`` and ``(10000, 28, 28)`` with grey values 0-255, y the digits ``(60000,)`` and
    ``(10000,)``; all of bytes.

    Args:
        path: The folder with the four ``...-ubyte.gz`` files, or the folder with a ``mnist`` in it. Default: the
            environment variable ``PYNN_DATA``, else the user's cache, where the files are downloaded to if they are
            not there yet.

    Raises:
        FileNotFoundError: a file is missing from the folder that was named, or cannot be downloaded. ValueError: a file
            is damaged.
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
    file = folder / f"{name}.gz"
    if download and not file.exists():
        _download(file, digest)
    try:
        compressed = file.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{file} is missing. Pass the folder with the MNIST files as path, or set PYNN_DATA to it."
        ) from None
    trouble, content = _unpacked(compressed, digest)
    if trouble:
        raise ValueError(f"{file} is damaged: {trouble}. Delete it, and get it anew.")
    return content


def _unpacked(compressed: bytes, digest: str) -> tuple[str, bytes]:
    """What is wrong with a gzip file, empty if nothing is, and its content."""
    import gzip
    import hashlib
    import io
    import zlib

    try:
        with gzip.open(io.BytesIO(compressed)) as file:
            content = file.read(_LARGEST + 1)  # whatever came, it shall not fill the memory
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return f"it is no complete gzip file ({error})", b""
    # Not that of the compressed file, which depends on who compressed it.
    return ("" if hashlib.sha256(content).hexdigest() == digest else "its SHA-256 is not that of MNIST"), content


def _download(file: Path, digest: str) -> None:
    """Get a file from the first mirror that has it. It appears complete and checked, or not at all.

    Raises:
        FileNotFoundError: no mirror has it, or can be reached.
    """
    import http.client
    import urllib.request

    troubles = []
    for mirror in _MIRRORS:
        url = mirror + file.name
        try:
            with urllib.request.urlopen(url, timeout=_TIME_OUT) as answer:
                compressed = answer.read(_LARGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            troubles.append(f"{url}: {error}")
            continue
        trouble, _ = _unpacked(compressed, digest)
        if not trouble:
            _write(file, compressed)
            return
        troubles.append(f"{url}: what came is damaged, {trouble}")
    raise FileNotFoundError(
        f"{file} is missing, and could not be downloaded ({'; '.join(troubles)}). Get {_MIRRORS[0]}{file.name} "
        f"in another way and put it there (SHA-256 of the uncompressed file: {digest}). Or pass the folder with the "
        "MNIST files as path, or set PYNN_DATA to it; pynn's sources have them in data/mnist."
    )


def _write(file: Path, content: bytes) -> None:
    """Write a file that others see as a whole, or not at all."""
    import tempfile

    file.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.replace(part, file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise


def _parse(content: bytes) -> Bytes:
    """The array of an IDX file, whose content is known by its hash.

    Two zeros, the type 8 (bytes), the rank, the sizes as big-endian integers, the elements.
    """
    start = 4 + 4 * content[3]
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">i4"))
    return np.array(np.frombuffer(content, np.uint8, offset=start).reshape(shape))  # a copy is writeable
