"""Sparse samples, such as SciPy's CSR matrices: they become dense a few batches at a time, never as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import arrays

Array = NDArray[Any]

# Bytes of samples that are made dense at once, unless one batch has more.
_ROOM = 16 * 2**20


def is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse matrix or array of SciPy's."""
    return type(x) is not np.ndarray and hasattr(x, "tocsr") and hasattr(x, "toarray")


class SparseColumn:
    """A column of a `Dataset` whose samples are rows of a CSR matrix.

    Attributes:
        matrix: CSR, of the numbers that there are.
        dtype: What dense samples are made of.
    """

    ndim = 2

    def __init__(self, matrix: Any, dtype: str) -> None:
        self.matrix, self.dtype = matrix, np.dtype(dtype)

    @classmethod
    def of(cls, x: Any, name: str, dtype: str, width: int, finite: bool) -> SparseColumn:
        """The column of `x`, whose rows have this width.

        Raises:
            TypeError, ValueError: something else than numbers, another width, numbers that are too large for `dtype`;
                NaN or infinity, if they must be `finite`.
        """
        if x.ndim != 2 or x.shape[1] != width:
            raise ValueError(f"{name} must have the shape (samples, {width}), but has {x.shape}.")
        if x.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be a matrix of numbers, but is of type {x.dtype}.")
        matrix = x.tocsr()
        if finite and matrix.dtype.kind == "f" and not np.isfinite(matrix.data).all():
            place = int(np.argmin(np.isfinite(matrix.data)))
            row, column, value = _row_of(matrix, place), int(matrix.indices[place]), matrix.data[place]
            raise ValueError(f"{name} must be finite, but {name}[{row}, {column}], in row {row}, is {value}.")
        _check_range(matrix, name, np.dtype(dtype))
        return cls(matrix, dtype)

    @property
    def shape(self) -> tuple[int, int]:
        """(samples, numbers of a sample)."""
        return int(self.matrix.shape[0]), int(self.matrix.shape[1])

    @property
    def rows_at_once(self) -> int:
        """How many samples fit into the memory that dense ones may take."""
        return max(1, _ROOM // max(1, self.shape[1] * self.dtype.itemsize))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> SparseColumn:
        return SparseColumn(self.matrix[rows], self.dtype.name)

    def dense(self, rows: slice | Array = slice(None)) -> Array:
        """Some samples, as an array."""
        found: Array = self.matrix[rows].toarray()
        return np.ascontiguousarray(found, self.dtype)


def _check_range(matrix: Any, name: str, dtype: np.dtype[Any]) -> None:
    """Raise ValueError where a number of a CSR matrix is too large for `dtype`."""
    if matrix.dtype.kind != "f" or matrix.dtype.itemsize <= dtype.itemsize:
        return
    with np.errstate(over="ignore"):  # told here, as an error
        overflow = np.isinf(matrix.data.astype(dtype)) & ~np.isinf(matrix.data)
    if overflow.any():
        place = int(np.argmax(overflow))
        raise arrays.too_large(name, _row_of(matrix, place), matrix.data[place], dtype)


def _row_of(matrix: Any, place: int) -> int:
    """The row of an element of a CSR matrix, given its place among those that are kept."""
    return int(np.searchsorted(matrix.indptr, place, side="right")) - 1


def dense(column: Any) -> Array:
    """A column as an array."""
    found: Array = column.dense() if isinstance(column, SparseColumn) else column
    return found


def rows_at_once(columns: tuple[Any, ...]) -> int | None:
    """How many samples of these columns become dense at once; None where all are dense already."""
    found = [each.rows_at_once for each in columns if isinstance(each, SparseColumn)]
    return min(found) if found else None
