"""Frames of pandas and polars as arrays of numbers; which of their columns are none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SHOWN = 8  # columns in a message


def is_frame(x: Any) -> bool:
    """Whether `x` is a frame, such as those of pandas and polars."""
    return hasattr(x, "columns") and hasattr(x, "dtypes") and hasattr(x, "__array__")


def is_column(x: Any) -> bool:
    """Whether `x` is a column of a frame, such as the series of pandas and polars."""
    return hasattr(x, "to_frame") and hasattr(x, "__array__")


def numbers_of(x: Any, name: str) -> Array:
    """The columns as one array; bool, integers and floats may be mixed, and what is missing is NaN.

    Raises:
        TypeError: names the columns that hold something else, with their types.
    """
    wrong = wrong_columns(x)
    if wrong:
        raise TypeError(message(x, name, wrong))
    array = np.asarray(x)
    if array.dtype.kind in "biuf":
        return array
    # Mixed types, and those of pandas that know missing values, give an array of objects.
    if hasattr(x, "iloc"):
        found: Array = x.to_numpy(dtype=np.float64, na_value=np.nan)
        return found
    return array.astype(np.float64)


def wrong_columns(x: Any) -> list[tuple[Any, Any]]:
    """The names and types of the columns that hold no numbers."""
    return [(column, kind) for column, kind in zip(x.columns, x.dtypes, strict=True) if not _is_number(kind)]


def _is_number(kind: Any) -> bool:
    if hasattr(kind, "kind"):  # NumPy's and pandas's
        return kind.kind in "biuf"
    return bool(kind.is_numeric()) or str(kind) == "Boolean"


def message(x: Any, name: str, wrong: list[tuple[Any, Any]]) -> str:
    """What to say of such columns."""
    shown = ", ".join(f"{column!r} ({kind})" for column, kind in wrong[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    dummies = f"pandas.get_dummies({name})" if hasattr(x, "iloc") else f"{name}.to_dummies(...)"
    return (
        f"{name} must have columns of numbers, but has {shown}{more}. Make numbers of them, for instance by {dummies}, "
        "or leave them out."
    )
