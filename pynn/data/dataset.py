"""Data as the engine takes them: columns, each with a row for every sample."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import arrays, frames, sparse
from .layout import Layout, Port
from .sparse import SparseColumn

Array = NDArray[Any]


class Dataset(NamedTuple):
    """Columns of inputs and of targets: two-dimensional samples, and a row of targets or labels for each.

    Inputs are arrays, or sparse (`SparseColumn`). Beside the targets are what their rows count for: (samples, 1) or
    (samples, rows), negative for those that are masked; None where all count alike. There are none where nothing has
    weights.
    """

    xs: tuple[Any, ...]
    ys: tuple[Array, ...]
    weights: tuple[Array | None, ...] = ()

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.xs[0])

    def part(self, part: slice) -> Dataset:
        """Some of the samples."""
        return Dataset(
            tuple(x[part] for x in self.xs),
            tuple(y[part] for y in self.ys),
            tuple(None if weights is None else weights[part] for weights in self.weights),
        )

    def rows(self, rows: slice | Array) -> Dataset:
        """Some of the samples, dense."""
        return Dataset(
            tuple(x.dense(rows) if isinstance(x, SparseColumn) else x[rows] for x in self.xs),
            tuple(y[rows] for y in self.ys),
            tuple(None if weights is None else weights[rows] for weights in self.weights),
        )

    @property
    def rows_at_once(self) -> int | None:
        """How many samples become dense at once; None where all are dense already."""
        return sparse.rows_at_once(self.xs)

    def split(self, share: float) -> tuple[Dataset, Dataset]:
        """The data without the last `share` of the samples, and these; ValueError if nothing is left of one of them."""
        at = int(self.samples * (1 - share))
        if at in (0, self.samples):
            raise ValueError(
                f"validation_split={share} of {self.samples} samples leaves {at} to train on and {self.samples - at} "
                "to validate on. Give another share or more samples."
            )
        return self.part(slice(at)), self.part(slice(at, None))


def sample_shape(x: Any, name: str) -> tuple[int, ...]:
    """The shape of the samples of a batch, for which a model may be built; ValueError if there is none.

    A column of pandas or polars has samples of one feature, as in Keras; an array of one axis has single numbers.
    """
    if sparse.is_sparse(x):
        shape = tuple(x.shape[1:])
    else:
        given = arrays.as_numbers(x, name)
        if given.ndim == 0:
            raise ValueError(f"{name} must have a batch axis, but is a single number.")
        shape = (1,) if frames.is_column(x) else given.shape[1:]
    if 0 in shape:
        raise ValueError(f"{name} has samples of the shape {shape}, without a single number.")
    return shape


def columns(x: Any, name: str, layout: Layout, check_finite: bool) -> tuple[Any, ...]:
    """The inputs of a call as columns, all of as many samples; a dict may have more, with a warning.

    Raises:
        TypeError, ValueError: as `Ports.take_apart`; an array that does not fit its input; different lengths.
    """
    inputs = layout.inputs
    # An array that is right as it is: this is on the way of every small call.
    if inputs.form == "single" and type(x) is np.ndarray and _fits(x, inputs.ports[0], layout.dtype):
        if check_finite and x.dtype.kind == "f":
            arrays.check_finite(x, name)
        return (x,)
    names = inputs.named(name)
    given = inputs.take_apart(inputs.without_rest(x, name), name)
    found = [
        _column(each, called, port, layout.dtype, check_finite)
        for each, called, port in zip(given, names, inputs.ports, strict=True)
    ]
    if len(found) > 1:
        arrays.same_length(**dict(zip(names, found, strict=True)))
    if inputs.computed.limits:
        samples = [
            each.reshape(len(each), *port.sizes) if port.below else each
            for each, port in zip(found, inputs.ports, strict=True)
        ]
        inputs.computed.check(samples, names, inputs.names)
    return tuple(found)


def _fits(x: Array, port: Port, dtype: str) -> bool:
    """Whether the engine takes `x` as it is."""
    kind, flags = x.dtype.char, x.flags
    if x.shape[1:] != port.shape or port.below or not (flags.c_contiguous and flags.aligned and x.dtype.isnative):
        return False
    return kind == "B" or kind == ("d" if dtype == "float64" else "f")


def _column(x: Any, name: str, port: Port, dtype: str, check_finite: bool) -> Any:
    if sparse.is_sparse(x) and not port.below and len(port.shape) == 1:
        return SparseColumn.of(x, name, dtype, port.sizes[0], check_finite)
    if port.below:
        return arrays.as_ids(x, name, port.sizes, port.below, port.name)
    if type(x) is np.ndarray and x.shape[1:] == port.sizes:
        windows = arrays.as_windows(x, name, dtype, check_finite)
        if windows is not None:
            return windows
    samples = arrays.as_samples(x, name, dtype, port.sizes, check_finite)
    if samples.ndim == 2:
        return samples
    return samples.reshape(len(samples), math.prod(port.sizes))
