"""Data as the engine takes them: columns, each with a row for every sample."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import arrays

Array = NDArray[Any]


class Layout(NamedTuple):
    """What a model takes and gives. Shapes are those of a sample."""

    dtype: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    @property
    def columns(self) -> int:
        """Size of the last axis of the output: what a row of the loss has."""
        return self.output_shape[-1] if self.output_shape else 1

    @property
    def rows(self) -> int:
        """How many rows a sample has: the loss has a value for each."""
        return math.prod(self.output_shape) // self.columns


class Dataset(NamedTuple):
    """Columns of inputs and of targets: two-dimensional samples, and a row of targets or labels for each."""

    xs: tuple[Array, ...]
    ys: tuple[Array, ...]

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.xs[0])

    def part(self, part: slice) -> Dataset:
        """Some of the samples."""
        return Dataset(tuple(x[part] for x in self.xs), tuple(y[part] for y in self.ys))

    def split(self, share: float) -> tuple[Dataset, Dataset]:
        """The data without the last `share` of the samples, and these; ValueError if nothing is left of one of them."""
        at = int(self.samples * (1 - share))
        if at in (0, self.samples):
            raise ValueError(
                f"validation_split={share} of {self.samples} samples leaves {at} to train on and {self.samples - at} "
                "to validate on. Give another share or more samples."
            )
        return self.part(slice(at)), self.part(slice(at, None))


def sample_shape(x: ArrayLike, name: str) -> tuple[int, ...]:
    """The shape of the samples of a batch, for which a model may be built; ValueError if there is none."""
    shape = arrays.as_numbers(x, name).shape[1:]
    if not shape:
        raise ValueError(
            f"{name} must have a batch axis and one or more others, but has the shape {np.shape(x)}. "
            f"One number a sample has the shape (samples, 1): {name}[:, None]."
        )
    if 0 in shape:
        raise ValueError(f"{name} has samples of the shape {shape}, without a single number.")
    return shape


def column(x: ArrayLike, name: str, layout: Layout, check_finite: bool) -> Array:
    """`x` as a column of inputs: checked, with an axis of samples and any others."""
    if not check_finite and type(x) is np.ndarray and x.shape[1:] == layout.input_shape and x.dtype.char in "fdB":
        flags = x.flags
        fits = x.dtype.char == "B" or (x.dtype.char == "d") == (layout.dtype == "float64")
        if fits and flags.c_contiguous and flags.aligned and x.dtype.isnative:
            return x  # as it is: this is on the way of every small call
    samples = arrays.as_samples(x, name, layout.dtype, layout.input_shape, check_finite)
    if samples.ndim == 2:
        return samples
    return samples.reshape(len(samples), math.prod(layout.input_shape))
