"""The arguments that fit, evaluate and predict share."""

from __future__ import annotations

from typing import Any, Literal

from ..foundation import checks

Verbose = int | Literal["auto"]
BatchSize = int | Literal["full"] | None


def batch_size_of(batch_size: BatchSize, samples: int) -> int:
    """Samples of a step: 32 for None, all of them for "full"; TypeError or ValueError for what is no size."""
    if batch_size is None:
        return 32
    if isinstance(batch_size, str):
        if batch_size != "full":
            raise ValueError(f'batch_size must be a whole number of at least 1 or "full", but got {batch_size!r}.')
        return samples
    return min(checks.positive_int(batch_size, "batch_size"), max(samples, 1))


def pair(validation_data: object) -> tuple[Any, Any]:
    """``validation_data`` as x and y; ValueError if it is something else."""
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise ValueError("validation_data must be a tuple (x, y).")
    return validation_data[0], validation_data[1]
