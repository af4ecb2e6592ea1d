"""The classes in what pictures are given: labels, one-hot rows, probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def classes_of(given: ArrayLike, name: str, count: int, noun: str) -> NDArray[Any]:
    """The class of each of so many samples, which messages call `noun`.

    Labels of any kind; of one-hot rows, or probabilities ``(samples, classes)``, the place of the largest; of one
    probability a sample, 1 where it is above 0.5.

    Raises:
        ValueError: another shape, or numbers that are neither classes nor probabilities.
    """
    found = np.asarray(given)
    numbers = found.dtype.kind == "f"
    if numbers and not np.isfinite(found).all():
        raise ValueError(f"{name} must be classes or probabilities, but has NaN or infinity.")
    if found.ndim == 2:
        found = found[:, 0] if found.shape[1] == 1 else found.argmax(-1) if found.dtype.kind in "biuf" else found
    if found.shape != (count,):
        raise ValueError(
            f"{name} must have the shape ({noun},) or ({noun}, classes), for {count} {noun}, but has {np.shape(given)}."
        )
    if found.dtype.kind == "f" and (found != np.rint(found)).any():
        if found.min() < 0 or found.max() > 1:
            wrong = found[(found < 0) | (found > 1)][0]
            raise ValueError(
                f"{name} must be classes or probabilities, but has {wrong}. Of logits give the places of the largest, "
                "or whether they are above 0."
            )
        return (found > 0.5).astype(int)
    return found
