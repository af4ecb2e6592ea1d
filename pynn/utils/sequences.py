"""Sequences of different lengths made one array, and the windows of a time series."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Iterator, Sequence, Sized
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..data import arrays
from ..foundation import checks

Array = NDArray[Any]
Side = Literal["pre", "post"]
_SIDES: tuple[Side, Side] = ("pre", "post")


def pad_sequences(
    sequences: Sequence[Any] | Array,
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: Side = "pre",
    truncating: Side = "pre",
    value: float | str = 0.0,
) -> Array:
    """Sequences of different lengths as one array: short ones are filled up, long ones are cut.

    Shapes: each sequence ``(steps,)`` or ``(steps, ...)``, result ``(sequences, maxlen, ...)``.

    Args:
        sequences: A list of lists or arrays. What the steps of one have the shape of, those of all have.
        maxlen: Steps of the result. Default: those of the longest sequence.
        dtype: Type of the result. Default ``"int32"``. Numbers with fractions need a type that has them, such as
            ``"float32"``; texts need ``object`` or ``"str"`` types.
        padding: Whether what fills stands before (``"pre"``, the default) or behind (``"post"``) the sequence.
        truncating: Whether a long sequence loses its first steps (``"pre"``, the default) or its last (``"post"``).
        value: What fills. Default ``0``.

    Raises:
        ValueError: numbers that `dtype` cannot hold, such as fractions as whole numbers; steps of different shapes; no
            sequence to tell `maxlen` from.
        TypeError: no list of sequences, or values of another kind.

    Example:
        >>> pynn.utils.pad_sequences([[1], [2, 3], [4, 5, 6]], padding="post")
        array([[1, 0, 0],
               [2, 3, 0],
               [4, 5, 6]], dtype=int32)
    """
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"dtype must be a type of numbers or object, but got {checks.shown(dtype)}.") from None
    checks.choice(padding, "padding", _SIDES)
    checks.choice(truncating, "truncating", _SIDES)
    filler = _filler(value, kind)
    lengths = _lengths(sequences)
    if maxlen is not None:
        steps = checks.positive_int(maxlen, "maxlen")
    elif lengths:
        steps = max(lengths)
    else:
        raise ValueError("sequences is empty, so that the longest tells no length: pass maxlen.")
    out, shape = None, ()
    for row, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        if length == 0:
            continue
        made = _converted(sequence[-steps:] if truncating == "pre" else sequence[:steps], row, kind)
        if out is None:
            shape = made.shape[1:]
            out = np.full((len(lengths), steps, *shape), filler, kind)
        elif made.shape[1:] != shape:
            raise ValueError(
                f"The steps of all sequences must have one shape. Those before have {shape}, but sequences[{row}] has "
                f"{made.shape[1:]}."
            )
        out[row, slice(steps - len(made), None) if padding == "pre" else slice(len(made))] = made
    return np.full((len(lengths), steps), filler, kind) if out is None else out


def _lengths(sequences: Any) -> list[int]:
    if isinstance(sequences, str | bytes) or not isinstance(sequences, Collection):
        raise TypeError(f"sequences must be a list of sequences, but got {checks.shown(sequences)}.")
    found: list[int] = []
    for row, sequence in enumerate(sequences):
        if isinstance(sequence, str | bytes) or not isinstance(sequence, Sized) or getattr(sequence, "ndim", 1) == 0:
            raise TypeError(f"sequences[{row}] must be a list or an array, but is {checks.shown(sequence)}.")
        found.append(len(sequence))
    return found


def _converted(sequence: Any, row: int, dtype: np.dtype[Any]) -> Array:
    """One sequence in the type of the result; ValueError where that cannot hold one of its numbers."""
    name = f"sequences[{row}]"
    if dtype.kind in "OUS":
        return np.asarray(sequence, dtype)
    return _held(arrays.as_numbers(sequence, name), name, dtype)


def _filler(value: object, dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "OUS":
        return value if dtype.kind == "O" or isinstance(value, str | bytes) else str(value)
    if dtype.kind not in "biuf":
        raise TypeError(f"dtype must be a type of numbers or object, but got {dtype}.")
    if not isinstance(value, numbers.Real):
        raise TypeError(f"value must be a number where dtype={str(dtype)!r}, but got {checks.shown(value)}.")
    return _held(arrays.as_numbers(value, "value"), "value", dtype)  # type: ignore[arg-type]


def _held(given: Array, name: str, dtype: np.dtype[Any]) -> Array:
    """The numbers as `dtype`; ValueError where it cannot hold one of them."""
    with np.errstate(over="ignore", invalid="ignore"):  # told below, as an error
        made = given.astype(dtype)
        lost = np.isinf(made) & np.isfinite(given) if dtype.kind == "f" else made != given
    if lost.any():
        first = given[np.unravel_index(int(np.argmax(lost)), given.shape)]
        whole = dtype.kind != "f" and float(first).is_integer()
        better = "int64" if whole and dtype != np.int64 else "float64" if dtype.kind == "f" or whole else "float32"
        raise ValueError(f"dtype={str(dtype)!r} cannot hold {first}, which is in {name}. Pass dtype={better!r}.")
    return made


class Windows:
    """The windows of a time series; see `timeseries_dataset_from_array`, which makes them.

    Going through it gives batches, ``(x, y)`` or ``x`` alone where there are no targets. `len` is their number.

    Attributes:
        x: All windows, ``(windows, sequence_length, ...)``: a view of the series, which cannot be written to.
        y: The target of each window, ``(windows, ...)``, or None.
    """

    def __init__(self, x: Array, y: Array | None, batch_size: int | None, shuffle: bool, seed: int | None) -> None:
        self.x, self.y = x, y
        self._batch_size, self._shuffle, self._seed = batch_size, shuffle, seed
        self._passes = 0

    def __len__(self) -> int:
        return -(-len(self.x) // (self._batch_size or 1))

    def __iter__(self) -> Iterator[Any]:
        order = np.arange(len(self.x))
        if self._shuffle:
            np.random.default_rng([self._seed or 0, self._passes]).shuffle(order)
            self._passes += 1
        if self._batch_size is None:
            for place in order:
                yield self.x[place] if self.y is None else (self.x[place], self.y[place])
            return
        for begin in range(0, len(order), self._batch_size):
            batch = order[begin : begin + self._batch_size]
            yield self.x[batch] if self.y is None else (self.x[batch], self.y[batch])

    def __repr__(self) -> str:
        targets = "no targets" if self.y is None else f"targets {self.y.shape}"
        return f"<Windows {self.x.shape}, {targets}, {len(self)} batches>"


def timeseries_dataset_from_array(
    data: ArrayLike,
    targets: ArrayLike | None,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Windows:
    """The windows of a time series, without a copy of it.

    Window ``i`` has the steps ``begin, begin + r, ..., begin + (sequence_length - 1) r`` of `data`, where ``begin =
    start_index + i sequence_stride`` and ``r = sampling_rate``. Its target is ``targets[begin]``.

    Shapes: `data` ``(steps, ...)``, windows ``(windows, sequence_length, ...)``.

    Args:
        data: The series; its first axis is time.
        targets: For each step of `data` the target of the window that begins there, or None. There may be fewer: later
            windows are left out.
        sequence_length: Steps of a window.
        sequence_stride: Steps from the begin of a window to that of the next. Default 1.
        sampling_rate: Steps of `data` from one step of a window to the next. Default 1.
        batch_size: Windows of a batch; None gives them one by one. Default 128.
        shuffle: Whether each pass gives the windows in a new random order. Default ``False``.
        seed: Of these orders. Default: drawn from NumPy's, which `set_random_seed` seeds.
        start_index, end_index: Only the steps ``data[start_index:end_index]`` are used. Default: all.
        format: ``"tf"`` or ``"grain"``, without effect: Keras has it for the packages that make its batches.

    Returns:
        `Windows`: batches to go through, and all windows as ``.x`` and ``.y``, for ``model.fit(w.x, w.y)``. What
        a model is given as ``w.x`` is copied batch by batch, unless `sampling_rate` is more than 1.

    Raises:
        TypeError, ValueError: a value of another kind or size; a series that is too short for one window.

    Example: predict the next value from the last 10.
        >>> w = pynn.utils.timeseries_dataset_from_array(series[:-10], series[10:], sequence_length=10)
        >>> model.fit(w.x, w.y)
    """
    series = arrays.as_numbers(data, "data")
    if series.ndim == 0:
        raise ValueError("data must have an axis of time, but is one number.")
    length = checks.positive_int(sequence_length, "sequence_length")
    stride = checks.positive_int(sequence_stride, "sequence_stride")
    rate = checks.positive_int(sampling_rate, "sampling_rate")
    size = None if batch_size is None else checks.positive_int(batch_size, "batch_size")
    shuffle = checks.boolean(shuffle, "shuffle")
    checks.choice(format, "format", ("tf", "grain"))
    if seed is not None:
        seed = checks.non_negative_int(seed, "seed")
    elif shuffle:
        seed = int(np.random.randint(2**31 - 1))
    start = 0 if start_index is None else checks.non_negative_int(start_index, "start_index")
    end = len(series) if end_index is None else checks.non_negative_int(end_index, "end_index", len(series))
    reach = (length - 1) * rate + 1  # steps from the first to the last of a window
    begins = end - start - reach + 1
    if begins < 1:
        raise ValueError(
            f"A window of sequence_length={length} with sampling_rate={rate} reaches over {reach} steps, but data has "
            f"{max(end - start, 0)} from start_index={start} to end_index={end}. Give more steps."
        )
    of_steps = None if targets is None else arrays.as_numbers(targets, "targets")
    if of_steps is not None:
        if of_steps.ndim == 0 or len(of_steps) <= start:
            raise ValueError(
                f"targets must have a target for each window, the first of which begins at step {start}, but has the "
                f"shape {of_steps.shape}."
            )
        begins = min(begins, len(of_steps) - start)
    windows = -(-begins // stride)
    step, *rest = series.strides
    x = as_strided(
        series[start:], (windows, length, *series.shape[1:]), (stride * step, rate * step, *rest), writeable=False
    )
    y = None if of_steps is None else of_steps[start : start + begins : stride]
    return Windows(x, y, size, shuffle, seed)
