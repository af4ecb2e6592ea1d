"""Plain NumPy: `numpy_baseline.py`."""

from __future__ import annotations

import numpy as np
from networks import Network
from numpy_baseline import NumpyNetwork
from training_data import Array, Data

from .base import Side, in_parts, rows_at_a_time

DENSE_ROWS = 1000  # predicted at a time: what lies between the layers stays in the cache


class Library(Side):
    """The number of threads comes from OPENBLAS_NUM_THREADS and the like."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        self.network, self.data = network, data
        self.model = NumpyNetwork(network)
        self.part = rows_at_a_time(network, DENSE_ROWS)

    def epoch(self) -> None:
        for _ in range(self.network.epochs):
            self.model.train_epoch(self.data.x, self.data.y)

    def predict(self, rows: Array) -> Array:
        return in_parts(self.model.predict, rows, self.part, np.concatenate)
