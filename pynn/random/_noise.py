"""Random numbers as arrays, and as symbolic tensors in a `call`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import config
from ..foundation import checks, draws
from ..foundation.arguments import explained
from ..foundation.seeds import Seed
from ._seeding import check_not_traced, key_of, traced


@explained
def normal(
    shape: Sequence[int | None],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Any:
    """Random numbers of a normal distribution.

    In the `call` of a layer or model of one's own a symbolic tensor: new numbers for each sample in each step, in
    training and otherwise. Its first size is that of the samples, ``ops.shape(x)[0]``, which is None where a batch may
    have any number of them. A model predicts with the same numbers where it predicts with the same steps behind it.

    Args:
        shape: Their shape.
        mean: Their mean. Default 0.
        stddev: Their standard deviation, at least 0. Default 1.
        dtype: Of an array: the number type. Default ``config.floatx()``. A symbolic tensor has that of its model.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument; or, in a `call`, another first size.

    Example:
        >>> noise = pynn.random.normal(ops.shape(mean), seed=self.seed_generator)
        >>> return mean + ops.exp(0.5 * log_variance) * noise
    """
    from .. import initializers

    mean = checks.number(mean, "mean", "(-inf, inf)")
    stddev = checks.number(stddev, "stddev", "[0, inf)")
    if traced() is not None:
        return mean + _noise(tuple(shape), (), stddev, seed)
    return initializers.RandomNormal(mean, stddev, key_of(seed))(checks.shape(tuple(shape), "shape"), dtype)


@explained
def uniform(
    shape: Sequence[int | None],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Any:
    """Random numbers that are equally likely anywhere in [minval, maxval).

    In a `call` a symbolic tensor, as `normal` says.

    Args:
        shape: Their shape.
        minval: The lowest one. Default 0.
        maxval: What they are below; not less than `minval`. Default 1.
        dtype: Of an array: the number type. Default ``config.floatx()``. A symbolic tensor has that of its model.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument; or, in a `call`, another first size.
    """
    from .. import initializers, ops

    minval, maxval = checks.finite(minval, "minval"), checks.finite(maxval, "maxval")
    make = initializers.RandomUniform(minval, maxval, None if traced() is not None else key_of(seed))
    if traced() is None:
        made = make(checks.shape(tuple(shape), "shape"), dtype)
        return np.minimum(made, _below(maxval, minval, made.dtype.type), out=made)
    # Two normal numbers are a point, of whose distance r from 0 this is known (Box and Muller, 1958).
    points = _noise(tuple(shape), (2,), 1.0, seed)
    share = ops.exp(-0.5 * ops.sum(ops.square(points), axis=-1))
    highest = float(_below(maxval, minval, np.dtype(points.dtype).type))
    return ops.minimum(minval + (maxval - minval) * share, highest)


def _below(maxval: float, minval: float, kind: Any) -> Any:
    """The largest number of a type below `maxval`, which rounding must not reach."""
    return np.nextafter(kind(maxval), kind(minval))


@explained
def dropout(inputs: Any, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Seed = None) -> Any:
    """`inputs`, whose elements become 0 with probability `rate`; the others are multiplied by ``1 / (1 - rate)``.

    Of symbolic tensors as well: new ones are dropped in each step, in training and otherwise. A `call` with an argument
    `training` says which.

    Args:
        inputs: An array, or a symbolic tensor.
        rate: In [0, 1].
        noise_shape: As that of `pynn.layers.Dropout`. Default ``None``: each element is dropped for itself.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument.
    """
    from .. import ops
    from ..layers import Dropout, symbolic

    if isinstance(inputs, symbolic.SymbolicTensor):
        return Dropout(rate, noise_shape, key_of(seed))(inputs, training=True)
    check_not_traced("dropout")
    array = ops.convert_to_tensor(inputs)
    if array.dtype.kind != "f":
        array = array.astype(config.floatx())
    rate = checks.number(rate, "rate", "[0, 1]")
    kept = draws.uniform(_noise_shape(noise_shape, array.shape), key_of(seed), 0) >= rate
    return np.where(kept, array / array.dtype.type(1 - rate or 1), array.dtype.type(0))


def _noise_shape(given: Sequence[int | None] | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What is drawn for an array of this shape: 1 along axes where all elements share their fate."""
    sizes = shape if given is None else tuple(given)
    if len(sizes) != len(shape) or any(n not in (None, 1, size) for n, size in zip(sizes, shape, strict=True)):
        raise ValueError(
            f"noise_shape must be None, or have None, 1 or the size for each axis of inputs, {shape}, but got {given}."
        )
    return tuple(size if n is None else n for n, size in zip(sizes, shape, strict=True))


def _noise(shape: tuple[int | None, ...], behind: tuple[int, ...], stddev: float, seed: Seed) -> Any:
    """A symbolic tensor of new normal numbers for each sample; it has the axes `behind`, too."""
    from ..layers import GaussianNoise, symbolic

    trial = traced()
    assert trial is not None
    beside = next(iter(trial.inputs), None)
    if beside is None or not shape or shape[0] != beside.rows:
        raise ValueError(
            f"In a call the first size of random numbers must be that of the samples, ops.shape(x)[0], which is "
            f"{None if beside is None else beside.rows}, but got the shape {shape}."
        )
    sizes = checks.shape(shape[1:], "shape, after the axis of the samples,")
    return GaussianNoise(stddev, key_of(seed))(symbolic.constant(np.zeros((*sizes, *behind)), beside), training=True)
