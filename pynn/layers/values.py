"""Weights whose values come from elsewhere, from a file say, so that no initial ones are drawn."""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterable, Iterator

import numpy as np


class Values:
    """Of how many bytes of weights there are values that no layer has taken yet."""

    def __init__(self, most_bytes: int) -> None:
        self.left = most_bytes

    def take(self, shapes: Iterable[tuple[int, ...]], dtype: str) -> None:
        """Count weights, before memory is taken for them; ValueError where there are too many."""
        size = sum(map(math.prod, shapes)) * np.dtype(dtype).itemsize
        if size > self.left:
            raise ValueError("The layers have more weights than there are values.")
        self.left -= size


_VALUES: contextvars.ContextVar[Values | None] = contextvars.ContextVar("values", default=None)


def elsewhere() -> Values | None:
    """The values that come from elsewhere, if they do."""
    return _VALUES.get()


@contextlib.contextmanager
def values_from_elsewhere(most_bytes: int) -> Iterator[None]:
    """What is built inside has weights of 0, and together no more than these bytes of them, else ValueError."""
    token = _VALUES.set(Values(most_bytes))
    try:
        yield
    finally:
        _VALUES.reset(token)
