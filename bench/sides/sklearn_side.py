"""scikit-learn's MLPClassifier, an epoch at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from networks import Dense, Flatten, Network
from sklearn.neural_network import MLPClassifier
from training_data import Array, Data

from .base import Side


class Library(Side):
    """Dense networks with ReLU and softmax only."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        dense = [layer for layer in network.layers if isinstance(layer, Dense)]
        if any(not isinstance(layer, Flatten | Dense) for layer in network.layers):
            raise TypeError("scikit-learn has dense layers only.")
        self.x, self.y, self.classes = self.take(data.x), data.y, np.arange(dense[-1].units)
        self.model = MLPClassifier(
            [layer.units for layer in dense[:-1]],
            solver=network.optimizer,
            learning_rate_init=network.learning_rate,
            batch_size=network.batch,
            alpha=0,
            momentum=0,
            nesterovs_momentum=False,
            epsilon=1e-7,
            shuffle=True,
            random_state=1,
        )

    def epoch(self) -> None:
        # `partial_fit` is an epoch that keeps Adam's state; `fit` with `warm_start` would begin it anew.
        self.model.partial_fit(self.x, self.y, classes=self.classes)

    def take(self, x: Array) -> Array:
        return x.reshape(len(x), -1)

    def predict(self, rows: Array) -> Array:
        return self.model.predict_proba(rows)

    def ways(self, row: Array) -> dict[str, Callable[[], object]]:
        return {"predict_proba(x)": lambda: self.model.predict_proba(row)}
