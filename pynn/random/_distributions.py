"""Random arrays of further distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import config
from ..data import arrays
from ..foundation import checks, draws
from ..foundation.seeds import Seed
from ._seeding import arrays_only, key_of

Array = NDArray[Any]


def _generator(seed: Seed) -> np.random.Generator:
    """NumPy's generator of this seed."""
    return np.random.default_rng(key_of(seed))


@arrays_only
def truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Array:
    """Random numbers of a normal distribution; those further than ``2 * stddev`` from the mean are drawn again.

    Args:
        shape: Their shape.
        mean: Their mean. Default 0.
        stddev: The standard deviation of all, at least 0. Default 1.
        dtype: The number type. Default ``config.floatx()``.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument. TypeError: in a `call`.
    """
    from .. import initializers

    return initializers.TruncatedNormal(mean, stddev, key_of(seed))(checks.shape(tuple(shape), "shape"), dtype)


@arrays_only
def randint(shape: Sequence[int], minval: int, maxval: int, dtype: DTypeLike = "int32", seed: Seed = None) -> Array:
    """Random whole numbers that are equally likely, from `minval` to below `maxval`.

    Args:
        shape: Their shape.
        minval: The lowest one.
        maxval: What they are below; more than `minval`.
        dtype: A type of whole numbers. Default ``"int32"``.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument. TypeError: in a `call`.
    """
    if not checks.is_whole(dtype):
        raise ValueError(f'dtype must be a type of whole numbers, such as "int32", but got {checks.shown(dtype)}.')
    lowest, end = checks.index(minval, "minval"), checks.index(maxval, "maxval")
    limits = np.iinfo(np.dtype(dtype))
    if not limits.min <= lowest < end <= limits.max + 1:
        raise ValueError(
            f"minval must be less than maxval, and both within what {np.dtype(dtype)} holds, but got minval={minval}, "
            f"maxval={maxval}."
        )
    sizes = checks.shape(tuple(shape), "shape")
    return _generator(seed).integers(lowest, end, sizes, np.dtype(dtype))


@arrays_only
def gamma(shape: Sequence[int], alpha: ArrayLike, dtype: DTypeLike | None = None, seed: Seed = None) -> Array:
    """Random numbers of the gamma distribution: their density is ``x**(alpha - 1) * exp(-x) / Gamma(alpha)``.

    Args:
        shape: Their shape.
        alpha: Above 0: a number, or an array that is broadcast to the shape.
        dtype: The number type. Default ``config.floatx()``.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument. TypeError: in a `call`.
    """
    sizes = checks.shape(tuple(shape), "shape")
    of_alpha = _parameter(alpha, "alpha", sizes, "(0, inf)")
    return _generator(seed).gamma(of_alpha, size=sizes).astype(config.resolve_dtype(dtype))


@arrays_only
def beta(
    shape: Sequence[int], alpha: ArrayLike, beta: ArrayLike, dtype: DTypeLike | None = None, seed: Seed = None
) -> Array:
    """Random numbers of the beta distribution: their density is that of ``x**(alpha - 1) * (1 - x)**(beta - 1)``.

    Args:
        shape: Their shape.
        alpha, beta: Above 0: numbers, or arrays that are broadcast to the shape.
        dtype: The number type. Default ``config.floatx()``.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument. TypeError: in a `call`.
    """
    sizes = checks.shape(tuple(shape), "shape")
    of_alpha, of_beta = (_parameter(*each, sizes, "(0, inf)") for each in ((alpha, "alpha"), (beta, "beta")))
    return _generator(seed).beta(of_alpha, of_beta, sizes).astype(config.resolve_dtype(dtype))


@arrays_only
def binomial(
    shape: Sequence[int],
    counts: ArrayLike,
    probabilities: ArrayLike,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Array:
    """How many of `counts` trials succeed, each of which does with the probability given.

    Args:
        shape: The shape of these numbers.
        counts: Whole numbers of at least 0: a number, or an array that is broadcast to the shape.
        probabilities: In [0, 1]: a number, or an array that is broadcast to the shape.
        dtype: The number type. Default ``config.floatx()``.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument. TypeError: in a `call`.
    """
    sizes = checks.shape(tuple(shape), "shape")
    trials = _parameter(counts, "counts", sizes, "[0, 9e18]")
    if (trials % 1).any():
        raise ValueError(f"counts must be whole numbers, but got {checks.shown(counts)}.")
    shares = _parameter(probabilities, "probabilities", sizes, "[0, 1]")
    made = _generator(seed).binomial(trials.astype(np.int64), shares, sizes)
    return made.astype(config.resolve_dtype(dtype))


def _parameter(value: ArrayLike, name: str, sizes: tuple[int, ...], interval: str) -> Array:
    """A parameter of a distribution, whose numbers are of an interval as `checks.number` has it."""
    array = arrays.as_array(value, name, "float64")
    for edge in (array.min(), array.max()) if array.size else ():
        checks.number(float(edge), f"every number of {name}", interval)
    try:
        return np.broadcast_to(array, sizes)
    except ValueError:
        raise ValueError(f"{name} of the shape {array.shape} does not fit the shape {sizes}.") from None


@arrays_only
def categorical(logits: ArrayLike, num_samples: int, dtype: DTypeLike = "int32", seed: Seed = None) -> Array:
    """Random classes, whose probabilities are the softmax of the logits.

    Shapes: logits ``(N, classes)``, classes ``(N, num_samples)``.

    Args:
        logits: An array; ``-inf`` for a class that never comes.
        num_samples: How many for each row.
        dtype: The number type. Default ``"int32"``.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument. TypeError: in a `call`.
    """
    array = np.asarray(arrays.as_numbers(logits, "logits"), np.float64)
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(f"logits must have the shape (N, classes), but have {array.shape}.")
    highest = array.max(axis=1, keepdims=True)
    if not np.isfinite(highest).all():
        raise ValueError("Every row of logits must have a number that is finite, and no NaN or inf.")
    ends = np.cumsum(np.exp(array - highest), axis=1)
    ends /= ends[:, -1:]  # 1 where the last class that may come ends
    shares = draws.uniform((len(array), checks.positive_int(num_samples, "num_samples")), key_of(seed), 0)
    rows = [np.searchsorted(*each, side="right") for each in zip(ends, shares, strict=True)]
    return np.array(rows, np.dtype(dtype)).reshape(shares.shape)


@arrays_only
def shuffle(x: ArrayLike, axis: int = 0, seed: Seed = None) -> Array:
    """`x` in another order along an axis; what lies side by side there stays together, such as the rows of a matrix.

    Args:
        x: An array.
        axis: Default 0.
        seed: A number, or a `SeedGenerator`. Default ``None``: from `pynn.set_random_seed`.

    Raises:
        TypeError, ValueError: a bad argument. TypeError: in a `call`.
    """
    from ..ops import convert_to_tensor

    array: Array = convert_to_tensor(x)
    (place,) = checks.axes_of(checks.one_axis(axis), array.ndim)
    return array.take(_generator(seed).permutation(array.shape[place]), place)
