"""Arrays in HDF5 files: how they are written; what there is in a file, and then the arrays that are wanted.

HDF5 can do much more than hold arrays. A file may point into other files, have arrays of sizes without end that take no
room in it, and filters that are loaded as code. All of that is refused.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from ..errors import ModelFileError
from ..foundation import checks, optional
from .tensors import is_shape

Array = NDArray[Any]

_MOST_OBJECTS = 200_000
_DEEPEST = 50  # groups within each other


class Arrays:
    """The arrays of an open file, by their paths such as ``"layers/dense/vars/0"``."""

    def __init__(self, file: Any, name: str) -> None:
        self._h5py = package("Reading Keras's weights")
        self._name = name
        self._objects = 0
        self._found: dict[str, Any] = {}
        self._look(file, "", 0)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes by path."""
        return {path: tuple(found.shape) for path, found in self._found.items()}

    @property
    def size(self) -> int:
        """All bytes."""
        return sum(found.size * found.dtype.itemsize for found in self._found.values())

    def read(self, path: str) -> Array:
        """One array."""
        with _as_damage(self._name):
            array: Array = self._found[path][()]
        return array

    def _look(self, group: Any, prefix: str, depth: int) -> None:
        h5py = self._h5py
        if depth > _DEEPEST:
            raise ModelFileError(f"{self._name} has groups within each other more than {_DEEPEST} levels deep.")
        for key in group:
            path = f"{prefix}{key}"
            self._objects += 1
            if self._objects > _MOST_OBJECTS:
                raise ModelFileError(f"{self._name} has more than {_MOST_OBJECTS} groups and arrays.")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise self._refusal(path, "points elsewhere, perhaps into another file")
            found = group[key]
            if isinstance(found, h5py.Group):
                self._look(found, f"{path}/", depth + 1)
            elif isinstance(found, h5py.Dataset):
                self._check(found, path)
                self._found[path] = found
            else:
                raise self._refusal(path, "is neither a group nor an array")

    def _check(self, found: Any, path: str) -> None:
        h5d, plan = self._h5py.h5d, found.id.get_create_plist()
        if found.dtype.kind not in "fiub" or found.dtype.itemsize > 8 or "dtype" in found.attrs:
            raise self._refusal(path, f"must be of plain numbers, but is of {found.attrs.get('dtype', found.dtype)}")
        if found.shape is None or not is_shape(tuple(int(n) for n in found.shape)):
            raise self._refusal(path, f"must have at most 32 axes and 2^48 elements, but has {found.shape}")
        if found.external or found.is_virtual:
            raise self._refusal(path, "has its numbers in another file")
        if plan.get_layout() not in (h5d.COMPACT, h5d.CONTIGUOUS) or plan.get_nfilters():
            raise self._refusal(path, "is compressed or in pieces, as Keras writes none")
        if found.id.get_storage_size() < found.size * found.dtype.itemsize:
            raise self._refusal(path, f"has no room in the file for its shape {found.shape}")

    def _refusal(self, path: str, what: str) -> ModelFileError:
        return ModelFileError(f"{self._name}: {checks.shown(path)} {what}. Such files are not read.")


def encoded(arrays: Mapping[str, Array]) -> bytes:
    """A file of these arrays, by their paths.

    Raises:
        ImportError: h5py is not installed.
    """
    h5py, file = package("Writing Keras's weights"), io.BytesIO()
    with h5py.File(file, "w") as opened_file:
        for path, array in arrays.items():
            opened_file.create_dataset(path, data=array)
    return file.getvalue()


def package(purpose: str) -> Any:
    """The package that knows HDF5; ImportError where it is not installed."""
    return optional.package("h5py", purpose)


@contextlib.contextmanager
def opened(file: Any, name: str) -> Iterator[Arrays]:
    """The arrays of an HDF5 file that is open as a file of bytes.

    Raises:
        ImportError: h5py is not installed. ModelFileError: no HDF5 file, damage, or what is refused.
    """
    h5py = package("Reading Keras's weights")
    with contextlib.ExitStack() as stack:
        with _as_damage(name):
            arrays = Arrays(stack.enter_context(h5py.File(file, "r")), name)
        yield arrays


@contextlib.contextmanager
def _as_damage(name: str) -> Iterator[None]:
    """Whatever h5py raises says that the file is damaged."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(f"{name} is no HDF5 file as it must be: {checks.cut(str(error))}.") from error
