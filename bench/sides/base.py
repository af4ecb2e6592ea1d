"""What a worker asks of every side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from networks import Network
from training_data import Array, Data

CONVOLUTION_ROWS = 50  # predicted at a time: what lies between the layers stays in the cache, and every side gains


def rows_at_a_time(network: Network, dense: int) -> int:
    """How many rows to predict at a time; `dense` if there are only dense layers, of which the sides want different."""
    return CONVOLUTION_ROWS if network.is_convolutional else dense


def in_parts(predict: Callable[[Any], Any], rows: Any, size: int, join: Callable[[list[Any]], Any]) -> Any:
    """The predictions for so many rows at a time, joined."""
    if len(rows) <= size:
        return predict(rows)
    return join([predict(rows[i : i + size]) for i in range(0, len(rows), size)])


class Side:
    """A network, made and trained with one library.

    Its module is named in `sides/__init__.py`, and its class is called `Library`. Making one is not timed; it takes the
    training data in the form that is best for the library.
    """

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        raise NotImplementedError

    def epoch(self) -> None:
        """Train for what counts as one epoch, reshuffled, with all work finished on return."""
        raise NotImplementedError

    def take(self, x: Array) -> Any:
        """Rows in the library's own type of array; not timed."""
        return x

    def predict(self, rows: Any) -> Any:
        """The outputs for many rows that `take` has made, in the quickest way there is."""
        raise NotImplementedError

    def ways(self, row: Any) -> dict[str, Callable[[], object]]:
        """The ways to predict one row that `take` has made, by what a user writes."""
        return {"predict(x)": partial(self.predict, row)}

    def accuracy(self, x: Array, y: Array) -> float:
        """Share of the rows whose largest output, or whose only output rounded, is right."""
        outputs = np.asarray(self.predict(self.take(x)))
        right = outputs.argmax(axis=1) == y if outputs.shape[1] > 1 else (outputs > 0.5) == y
        return float(right.mean())
