"""The arguments that fit, evaluate and predict share."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..foundation import checks

Verbose = int | Literal["auto"]
BatchSize = int | Literal["full"] | None


def batch_size_of(batch_size: BatchSize, samples: int, name: str = "batch_size") -> int:
    """Samples of a step: 32 for None, all of them for "full"; TypeError or ValueError for what is no size."""
    if batch_size is None:
        return 32
    if isinstance(batch_size, str):
        if batch_size != "full":
            raise ValueError(f'{name} must be a whole number of at least 1 or "full", but got {batch_size!r}.')
        return samples
    return min(checks.positive_int(batch_size, name), max(samples, 1))


def x_y_weights(validation_data: Any, needs_y: bool) -> tuple[Any, Any, Any]:
    """``validation_data`` as x, y and weights, which may be None; ValueError if it is something else."""
    given = tuple(validation_data) if isinstance(validation_data, tuple | list) else (validation_data,)
    if not 1 <= len(given) <= 3 or (needs_y and (len(given) == 1 or given[1] is None)):
        or_x = "" if needs_y else "x, (x,), "
        raise ValueError(f"validation_data must be {or_x}a tuple (x, y) or (x, y, sample_weight).")
    x, y, weights = (*given, None, None)[:3]
    return x, y, weights


def optional_steps(steps: object, name: str) -> int | None:
    """A number of steps, or None; TypeError or ValueError for something else."""
    return None if steps is None else checks.positive_int(steps, name)


def epochs_of(validation_freq: object) -> int | list[int]:
    """``validation_freq`` as a number or as a list of epochs; TypeError or ValueError for something else."""
    if type(validation_freq) is not int and isinstance(validation_freq, list | tuple | set | range | np.ndarray):
        return [checks.positive_int(epoch, "each epoch of validation_freq") for epoch in validation_freq]
    return checks.positive_int(validation_freq, "validation_freq")


def check_beside_batches(
    y: object, sample_weight: object, batch_size: object, share: float, class_weight: object
) -> None:
    """Raise ValueError for arguments that mean nothing where `x` gives batches."""
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is not None:
            raise ValueError(
                f"{name} must be left out where x gives batches: they are (x, y) or (x, y, sample_weight)."
            )
    check_no_size(batch_size, "batch_size", "x")
    if share > 0:
        raise ValueError("validation_split is for arrays. Where x gives batches, give validation_data.")
    if isinstance(class_weight, str):
        raise ValueError("class_weight must be a dict where x gives batches: nobody knows yet how many each class has.")


def check_no_size(size: object, name: str, data: str) -> None:
    """Raise ValueError if a size is given for `data` that are batches already."""
    if size is not None:
        raise ValueError(f"{name} must be left out where {data} gives batches: they have a size.")


def no_targets(model: object, method: str, batches: str) -> TypeError | ValueError:
    """The error where losses or metrics need targets, and there are none beside arrays, or in the batches given."""
    if batches:
        return ValueError(f"{batches} must give batches (x, y) or (x, y, sample_weight), but gave one without y.")
    return TypeError(
        f"{type(model).__name__}.{method}() needs the argument 'y', for the loss or metrics that compile was given. It "
        "is left out where x gives batches (x, y)."
    )
