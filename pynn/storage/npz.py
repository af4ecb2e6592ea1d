"""Arrays of NumPy's .npz files: what there is, and then the arrays that are wanted. No object is ever made of one."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..foundation import checks
from .tensors import Path, is_shape, name_of, open_file

Array = NDArray[Any]

_MOST_HEADER = 10_000  # bytes of the description of an array, as in NumPy


class Described(NamedTuple):
    """An array in a file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    in_order: bool  # of C

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def contents(path: Path) -> dict[str, Described]:
    """What arrays a file has; no memory is taken for them.

    Raises:
        ModelFileError: damage, or arrays of something else than numbers. OSError: it cannot be read.
    """
    found: dict[str, Described] = {}

    def look(archive: Any) -> None:
        for member in archive.infolist():
            with archive.open(member) as file:
                found[_key(member.filename)] = _described(file, member)

    _with(path, look)
    return found


def read(path: Path, names: Collection[str]) -> dict[str, Array]:
    """These arrays; ModelFileError and OSError as above."""
    found: dict[str, Array] = {}

    def take(archive: Any) -> None:
        for member in archive.infolist():
            if _key(member.filename) in names:
                with archive.open(member) as file:
                    found[_key(member.filename)] = _array(file, _described(file, member))

    _with(path, take)
    return found


def holds(file: Any, member: str) -> bool:
    """Whether an open zip archive has a file of this name; False where it is none."""
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            return member in archive.namelist()
    except Exception:  # zipfile has many ways to say that a file is none
        return False


def _with(path: Path, work: Any) -> None:
    import zipfile  # slow to import, and rarely needed

    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                work(archive)
        except OSError:
            raise
        except Exception as error:  # zipfile has many ways to say that a file is none
            raise ModelFileError(f"{name_of(path)} is no .npz file as it must be: {error}.") from error


def _key(member: str) -> str:
    return member.removesuffix(".npy")


def _described(file: Any, member: Any) -> Described:
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"{checks.shown(member.filename)} is of version {version}, but must be of 1.0 or 2.0")
    shape, fortran, dtype = readers[version](file, max_header_size=_MOST_HEADER)
    found = Described(dtype, shape, not fortran)
    if dtype.kind not in "fiub" or dtype.itemsize > 8 or not is_shape(shape):
        raise ValueError(
            f"{checks.shown(member.filename)} must be of numbers, and of at most 32 axes and 2^48 elements, but is of "
            f"{dtype} and shape {checks.shown(shape)}"
        )
    if file.tell() + found.size != member.file_size:
        raise ValueError(
            f"{checks.shown(member.filename)} of {dtype} and shape {shape} must have {found.size} bytes, but has "
            f"{member.file_size - file.tell()}"
        )
    return found


def _array(file: Any, described: Described) -> Array:
    data = bytearray(described.size)
    if file.readinto(data) != described.size or file.read(1):  # behind the end the checksum is compared
        raise ValueError("an array was cut")
    flat: Array = np.frombuffer(data, described.dtype)
    return flat.reshape(described.shape) if described.in_order else flat.reshape(described.shape[::-1]).T
