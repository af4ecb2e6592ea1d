"""The checks and conversions of arrays that users hand in; past this file they are taken on trust.

A ValueError is a bad value or shape, a TypeError a bad kind of thing. Messages name the argument, what was expected,
what came, and where it helps what to do.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..foundation import parallel
from ..foundation.native import core
from . import frames

Array = NDArray[Any]


def as_array(x: ArrayLike, name: str, dtype: DTypeLike) -> Array:
    """Return `x` as a C-contiguous, aligned array of `dtype` in the machine's byte order; a copy only where it must be.

    Takes arrays of bool, integers and floats in any byte order, stride and alignment, nested lists, and what has
    ``__array__`` (pandas, for instance).

    Raises:
        TypeError: objects, text, dates, records, and masked arrays.
        ValueError: ragged lists, complex numbers, sparse matrices, numbers too large for `dtype`.
    """
    return _convert(as_numbers(x, name), name, np.dtype(dtype))


def as_samples(x: ArrayLike, name: str, dtype: DTypeLike, shape: tuple[int, ...], finite: bool = True) -> Array:
    """Return `x` as an array (samples, *shape) of `dtype`, or of uint8 if it is that already; see `with_rank`.

    Raises:
        TypeError, ValueError: as `as_array`; another shape; NaN or infinity, with the place of the first.
    """
    given = with_rank(as_numbers(x, name), shape)
    if given.ndim == 0 or given.shape[1:] != shape:
        hint = f" A single sample needs an axis in front: {name}[None]." if given.shape == shape else ""
        if given.ndim > 2 and math.prod(given.shape[1:]) == math.prod(shape):
            hint = f" Samples have as many numbers: begin with a Flatten or Reshape layer, or reshape {name}."
        raise ValueError(f"{name} must have the shape {_batch_of(shape)}, but has {given.shape}.{hint}")
    if given.dtype == np.uint8:
        return np.require(given, np.uint8, ["C", "A"])
    out = _convert(given, name, np.dtype(dtype))
    if finite:
        check_finite(out, name)
    return out


def as_windows(x: ArrayLike, name: str, dtype: DTypeLike, finite: bool = True) -> Array | None:
    """Return `x` as windows that overlap in memory, (samples, numbers), of `dtype` or uint8; None where they do not.

    What they are windows of is converted and looked at, not each of them.

    Raises:
        ValueError: as `as_array`; NaN or infinity, with the place of the first.
    """
    if type(x) is not np.ndarray or x.dtype.kind not in "biuf" or x.ndim < 2 or len(x) < 2:
        return None
    size, step = x.itemsize, x.strides[0]
    if not (x[0].flags.c_contiguous and 0 < step < x[0].nbytes and step % size == 0):
        return None
    width, step = x[0].size, step // size
    series = as_strided(x, ((len(x) - 1) * step + width,), (size,), writeable=False)
    series = _convert(series, name, np.dtype(np.uint8 if x.dtype == np.uint8 else dtype))
    if finite and series.dtype != np.uint8:
        at = _first_non_finite(series)
        if at >= 0:
            row = max(0, -((width - 1 - at) // step))
            raise not_finite(name, x, x.shape, row * width + at - row * step)
    return as_strided(series, (len(x), width), (step * series.itemsize, series.itemsize), writeable=False)


def with_rank(given: Array, shape: tuple[int | None, ...]) -> Array:
    """The array without a last axis of size 1 that samples of `shape` lack, or with one that they have, as in Keras."""
    if given.ndim == len(shape) > 0 and shape[-1] == 1:
        return given[..., None]
    if given.ndim == len(shape) + 2 and given.shape[-1] == 1:
        return given[..., 0]
    return given


def as_targets(y: ArrayLike, name: str, dtype: DTypeLike, shape: tuple[int, ...], labels_hint: str = "") -> Array:
    """Return `y` as an array (samples, *shape) of `dtype`. Where the last axis of `shape` is 1, `y` may lack it.

    `labels_hint` is added to the message where `y` has the shape of class labels.

    Raises:
        TypeError, ValueError: as `as_array`; another shape; NaN or infinity.
    """
    given = as_numbers(y, name)
    if given.ndim >= 1 and (*given.shape[1:], 1) == shape:
        given = given[..., None]
    if given.ndim == 0 or given.shape[1:] != shape:
        like_labels = given.shape[1:] in (shape[:-1], (*shape[:-1], 1))
        hint = f" {labels_hint}" if labels_hint and like_labels else _flatten_hint(given.shape[1:], shape)
        raise ValueError(f"{name} must have the shape {_batch_of(shape)} of the output, but has {given.shape}.{hint}")
    out = _convert(given, name, np.dtype(dtype))
    check_finite(out, name)
    return out


def as_class_labels(
    y: ArrayLike, name: str, rows_shape: tuple[int, ...], classes: int, ignored: int | None = None
) -> NDArray[np.int32]:
    """Return `y` as contiguous int32 labels (samples, *rows_shape), each in [0, classes), or -1 where it is `ignored`.

    Takes bools, integers and floats with whole values, also with a last axis of size 1 more.

    Raises:
        TypeError, ValueError: as `as_array`; another shape; a label out of range or not whole, with its row.
    """
    given = as_numbers(y, name)
    if given.ndim >= 1 and given.shape[1:] == (*rows_shape, 1):
        given = given[..., 0]
    if given.ndim == 0 or given.shape[1:] != rows_shape:
        one_hot = given.ndim >= 1 and given.shape[1:] == (*rows_shape, classes)
        hint = " One-hot rows belong to the categorical losses and metrics, without 'sparse'."
        hint = hint if one_hot else _flatten_hint(given.shape[1:], (*rows_shape, classes))
        raise ValueError(
            f"{name} must be class labels of the shape {_batch_of(rows_shape)}, but has {given.shape}.{hint}"
        )
    if ignored is None:
        return class_labels(given, name, classes)
    leave = given == ignored
    labels = class_labels(np.where(leave, 0, given), name, classes)
    labels[leave] = -1
    return labels


def _flatten_hint(given: tuple[int, ...], output: tuple[int, ...]) -> str:
    """What to say where samples have one target, or one row of them, and the output has more axes."""
    if len(output) < 2 or given not in ((), (1,), output[-1:]):
        return ""
    return (
        f" The output has a row for each of the positions {output[:-1]} of a sample: is a Flatten or a global pooling "
        "layer missing before the last layers?"
    )


def as_ids(x: ArrayLike, name: str, shape: tuple[int, ...], below: int, of: str) -> NDArray[np.int32]:
    """Return `x` as contiguous int32 ids (samples, the rest), each in [0, below); `of` is the input's name.

    Takes bools, integers and floats with whole values.

    Raises:
        TypeError, ValueError: as `as_array`; another shape; an id out of range or not whole, with its row.
    """
    given = with_rank(as_numbers(x, name), shape)
    if given.ndim == 0 or given.shape[1:] != shape:
        raise ValueError(f"{name} must have the shape {_batch_of(shape)}, but has {given.shape}.")
    if given.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # of NaN, which is outside
            outside = ~((given >= 0) & (given < below))
    else:
        outside = (given < 0) | (given >= below)
    if outside.any():
        row, value = _first(outside, given)
        raise ValueError(
            f"An element of the input {of!r} must be in [0, {below}), but found {value} at row {row} of {name}."
        )
    ids = given.astype(np.int32, order="C")
    if given.dtype.kind == "f" and (ids != given).any():
        row, value = _first(ids != given, given)
        raise ValueError(
            f"An element of the input {of!r} must be a whole number, but found {value} at row {row} of {name}."
        )
    return ids.reshape(len(ids), -1) if ids.size else ids.reshape(len(ids), math.prod(shape))


def as_weights(weights: ArrayLike, name: str, dtype: DTypeLike, samples: int, rows_shape: tuple[int, ...]) -> Array:
    """Return `weights` as an array of `dtype`, (samples, 1), or (samples, rows) where there is one for each row.

    Takes also a last axis of size 1 more.

    Raises:
        TypeError, ValueError: as `as_array`; another shape; a weight that is negative or not finite, with its row.
    """
    given = as_numbers(weights, name)
    shapes = [(samples,), (samples, *rows_shape)]
    if given.shape not in shapes and not (given.shape[-1:] == (1,) and given.shape[:-1] in shapes):
        for_rows = f", or {_batch_of(rows_shape)}, for each row of the output" if rows_shape else ""
        raise ValueError(
            f"{name} must have the shape (samples,), for each of {samples} samples{for_rows}, but has {given.shape}."
        )
    out = _convert(given, name, np.dtype(dtype))
    check_finite(out, name)
    if (out < 0).any():
        row, value = _first(out < 0, given)
        raise ValueError(f"{name} must not be negative, but is {value} at row {row}.")
    return out.reshape(samples, -1)


def class_labels(y: ArrayLike, name: str, classes: int) -> NDArray[np.int32]:
    """Return `y`, of any shape, as contiguous int32 labels, each in [0, classes)."""
    given = as_numbers(y, name)
    check_labels(given, name, classes)
    labels = given.astype(np.int32, order="C")
    if given.dtype.kind == "f" and (labels != given).any():
        row, value = _first(labels != given, given)
        raise ValueError(f"Label must be a whole number, but found {value} at row {row} of {name}.")
    return labels


def check_labels(labels: Array, name: str, classes: int) -> None:
    """Raise ValueError unless every label is in [0, classes)."""
    inside = (labels >= 0) & (labels < classes)
    if not inside.all():
        row, value = _first(~inside, labels)
        raise ValueError(
            f"Label must be in [0, {classes}), but found {value} at row {row} of {name}."
            f"{_labels_hint(labels, name, classes)}"
        )


def _labels_hint(labels: Array, name: str, classes: int) -> str:
    """What to do with labels that are out of range."""
    low, high = labels.min(), labels.max()
    if low >= 1 and high == classes:
        return f" They count from 1, but must count from 0: give {name} - 1."
    if low == -1 and set(np.unique(labels).tolist()) == {-1, 1}:
        return f" Labels of -1 and 1 become 0 and 1 by ({name} + 1) // 2."
    if low >= 0 and high == np.floor(high) and high < 10_000:
        return f" The last layer needs a unit for each class: {int(high) + 1} for these labels."
    return ""


def check_within(y: Array, name: str, low: float, high: float, who: str) -> None:
    """Raise ValueError if an element of `y` is outside [low, high], which `who` asks for."""
    outside = (y < low) | (y > high)
    if outside.any():
        row, value = _first(outside, y)
        hint = _within_hint(y, name) if (low, high) == (0, 1) else ""
        raise ValueError(f"{who} takes values of {name} in [{low:g}, {high:g}], but found {value} at row {row}.{hint}")


def _within_hint(y: Array, name: str) -> str:
    """What to do with targets that were to be probabilities."""
    found = set(np.unique(y).tolist())
    if found == {-1.0, 1.0}:
        return f' Labels of -1 and 1 become 0 and 1 by ({name} + 1) / 2; or take the loss "hinge".'
    if found == {1.0, 2.0}:
        return f" Labels of 1 and 2 become 0 and 1 by {name} - 1."
    if min(found) >= 0 and all(value == int(value) for value in found):
        return (
            " Numbers of classes are for sparse_categorical_crossentropy, with a unit for each class; bytes of images "
            f"become probabilities by {name} / 255."
        )
    return ""


def same_length(**arrays: Array) -> int:
    """The number of samples that all of the named arrays have, else ValueError."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ValueError(f"{' and '.join(lengths)} must have the same number of samples, but {counts}.")
    return next(iter(lengths.values()))


def float_dtype_of(x: ArrayLike, default: str) -> str:
    """The number type in which to compute with `x`: float64 for an array of it, else `default`."""
    return "float64" if isinstance(x, np.ndarray) and x.dtype == np.float64 else default


def check_plain_array(x: object, name: str) -> None:
    """Raise TypeError unless `x` is a NumPy array without a mask."""
    if type(x) is np.ndarray:
        return
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, but got {type(x).__name__}.")
    _check_unmasked(x, name)


def _check_unmasked(x: object, name: str) -> None:
    # Nobody can have made a masked array without this import, which is too slow to do here.
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    if masked is not None and isinstance(x, masked):
        raise TypeError(f"{name} is a masked array, whose mask would be lost. Fill it first: {name}.filled(0).")


def as_numbers(x: ArrayLike, name: str) -> Array:
    """`x` as an array of bool, integers or floats, of whatever layout; what of `as_array` does not need a type."""
    if type(x) is np.ndarray and x.dtype.kind in "biuf":  # nothing to look into: this is on the way of every call
        return x
    _check_unmasked(x, name)
    if hasattr(x, "toarray") and hasattr(x, "nnz"):
        raise ValueError(f"{name} is a sparse matrix. Make it dense first: {name}.toarray().")
    if frames.is_frame(x):
        return frames.numbers_of(x, name)
    try:
        array = np.asarray(x)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise _ragged(name) from None
    kind = array.dtype.kind
    if kind == "O" and array.size and isinstance(array.flat[0], list | tuple | np.ndarray):
        raise _ragged(name)
    if kind == "c":
        raise ValueError(f"{name} must hold real numbers, but has the type {array.dtype}. Take .real or .imag of it.")
    if kind not in "biuf":
        what = f"an array of type {array.dtype}" if isinstance(x, np.ndarray) else f"{type(x).__name__} ({array.dtype})"
        raise TypeError(f"{name} must be an array of numbers, but got {what}. {_numbers_hint(array, name)}")
    return array


def _ragged(name: str) -> ValueError:
    return ValueError(f"{name} is ragged: its rows differ in length. Make them one length: pynn.utils.pad_sequences.")


def _numbers_hint(array: Array, name: str) -> str:
    """What to do with what is no numbers."""
    texts = array.dtype.kind in "US" or (array.dtype.kind == "O" and array.size > 0 and isinstance(array.flat[0], str))
    if texts and name.split()[-1].startswith("y"):
        return (
            "Names of classes become numbers by numpy.unique(y, return_inverse=True)[1]; pynn.sklearn.Classifier takes "
            "them as they are."
        )
    return "Convert it to numbers first."


def _convert(array: Array, name: str, dtype: np.dtype[Any]) -> Array:
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    with np.errstate(over="ignore"):  # told below, as an error
        out: Array = np.require(array, dtype, ["C", "A"])
    narrowed = array.dtype.kind == "f" and array.dtype.itemsize > dtype.itemsize
    if narrowed and _first_non_finite(out) >= 0:
        overflow = np.isinf(out) & ~np.isinf(array)
        if overflow.any():
            raise too_large(name, *_first(overflow, array), dtype)
    return out


def too_large(name: str, row: int, value: Any, dtype: np.dtype[Any]) -> ValueError:
    """What to raise where a finite number would become infinite in `dtype`."""
    return ValueError(f"{name} holds {value} at row {row}, too large for {dtype}. Scale it down or use float64.")


def check_finite(x: Array, name: str) -> None:
    """Raise ValueError where an element of an array of numbers is NaN or infinite."""
    index = _first_non_finite(x)
    if index >= 0:
        raise not_finite(name, x, x.shape, index)


def not_finite(name: str, x: Array, shape: tuple[int, ...], index: int) -> ValueError:
    """What to raise where element `index` of `x`, which was given in this shape, is NaN or infinite."""
    place = tuple(map(int, np.unravel_index(index, shape)))
    at = ", ".join(map(str, place))
    return ValueError(
        f"{name} must be finite, but {name}[{at}], in row {place[0]}, is {x.flat[index]}. "
        "Leave such rows out, or fill in numbers, as numpy.nan_to_num does."
    )


def _first_non_finite(x: Array) -> int:
    return core.first_non_finite(x, parallel.get_num_threads()) if x.size else -1


def _first(where: Array, values: Array) -> tuple[int, Any]:
    """Row and value of the first place where `where` holds."""
    place = np.unravel_index(int(np.argmax(where)), where.shape)
    return (int(place[0]) if place else 0), values[place]


def _batch_of(shape: tuple[int, ...]) -> str:
    """(3, 4) -> "(samples, 3, 4)"."""
    return f"({', '.join(['samples', *map(str, shape)])}{',' if not shape else ''})"
