"""Models and metrics that the tests of metrics in training have in common."""

import numpy as np

import pynn
from pynn import metrics

ROWS = 137


def binary_data(random, rows=ROWS, columns=5):
    x = random.normal(size=(rows, columns))
    return x, (x.sum(1) + random.normal(size=rows) > 0).astype(float)


def binary_model(metric_list, weighted=(), rate=0.3, **options):
    pynn.set_random_seed(3)
    layers = [pynn.layers.Dense(7, "tanh", dtype="float64"), pynn.layers.Dense(1, "sigmoid", dtype="float64")]
    model = pynn.Sequential([pynn.Input((5,)), *layers])
    loss = options.pop("loss", "binary_crossentropy")
    model.compile(pynn.optimizers.SGD(rate), loss, metrics=list(metric_list), weighted_metrics=list(weighted))
    return model


class Seen(metrics.Metric):
    """Keeps all that it is shown."""

    def __init__(self, name="seen", dtype=None):
        super().__init__(name, dtype)
        self.batches = []

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.batches.append((y_true, y_pred, sample_weight))

    def result(self):
        return float(len(self.batches))

    def reset_state(self):
        self.batches = []

    def all(self, number):
        return np.concatenate([batch[number] for batch in self.batches])


class Range(metrics.Metric):
    """How far predictions lie apart."""

    def __init__(self, name="range", dtype=None):
        super().__init__(name, dtype)
        self.low, self.high = np.inf, -np.inf

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.low, self.high = min(self.low, y_pred.min()), max(self.high, y_pred.max())

    def result(self):
        return self.high - self.low

    def reset_state(self):
        self.low, self.high = np.inf, -np.inf


def make_metrics():
    return [
        metrics.AUC(num_thresholds=None),
        metrics.AUC(name="even"),
        metrics.Precision(),
        metrics.R2Score(),
        metrics.F1Score(average="micro", threshold=0.5),
        metrics.BinaryIoU(),
        metrics.get(lambda y, p: np.abs(y - p) - np.abs(y - p).max()),  # of a batch as a whole
    ]


NAMES = ["auc", "even", "precision", "r2_score", "f1_score", "binary_io_u", "lambda"]
