"""What the stand-alone metrics are tested with: cases, and data that are the same in every version of everything."""

import random
from typing import NamedTuple

import numpy as np

ROWS = 60
BATCHES = (slice(0, 25), slice(25, 26), slice(26, ROWS))


class Case(NamedTuple):
    """A metric, its settings, and what data it gets."""

    name: str
    config: dict
    data: str
    weights: str = ""  # "", "samples" or "elements"

    def __str__(self):
        settings = "-".join(f"{key}={value}" for key, value in self.config.items())
        return f"{self.name}-{settings}-{self.data}-{self.weights or 'plain'}"


def data_of(kind):
    """Targets, predictions and weights by name, float32 and int32. Python keeps the numbers of `random.random`."""
    drawn = random.Random(kind)

    def draw(*shape):
        return np.array([drawn.random() for _ in range(int(np.prod(shape)))]).reshape(shape)

    shape = {"binary": (ROWS,), "column": (ROWS, 1), "labels": (ROWS,), "maps": (ROWS, 3)}.get(kind, (ROWS, 4))
    if kind == "real":
        y, p = draw(ROWS, 3) * 4, draw(ROWS, 3) * 4
        p = (y + p) / 2
    elif kind in ("labels", "maps"):
        y, p = np.floor(draw(*shape) * 4).astype(np.int32), np.floor(draw(*shape) * 4).astype(np.int32)
        y = np.where(draw(*shape) < 0.4, p, y)
    elif kind == "class_maps":
        y, p = np.floor(draw(ROWS, 3) * 4).astype(np.int32), draw(ROWS, 3, 4)
    elif kind in ("one_hot", "one_hot_maps"):
        rows = (ROWS, 3) if kind == "one_hot_maps" else (ROWS,)
        y, p = np.eye(4)[np.floor(draw(*rows) * 4).astype(int)], draw(*rows, 4) ** 2
        p = (p + 0.3 * y) / (p + 0.3 * y).sum(-1, keepdims=True)
    else:
        y = (draw(*shape) < 0.4) * 1.0
        p = np.minimum(draw(*shape) * 0.7 + 0.3 * y, 1)
        # Predictions that are thresholds, of 200, 5 or 3
        exact = [0.0, 1.0, 0.5, 0.25, *(np.float32(k) / np.float32(199) for k in (1, 7, 50, 100, 111, 150, 198))]
        p.reshape(-1)[3 : 3 + len(exact)] = exact
        if kind == "logits":
            p = p * 12 - 6
    p = p.astype(np.float32) if p.dtype.kind == "f" else p
    y = y.astype(np.float32) if y.dtype.kind == "f" else y
    inner = p.shape[: max(p.ndim - 1, 1)] if kind not in ("labels", "maps") else p.shape
    weights = {"samples": np.round(draw(ROWS) * 8) / 4, "elements": np.round(draw(*inner) * 8) / 4}
    return y, p, {name: each.astype(np.float32) for name, each in weights.items()}


def _cases():
    for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall"):
        for config in ({}, {"thresholds": 0.25}, {"thresholds": [0.7, 0.2, 0.5]}, {"thresholds": [0.0, 0.5, 1.0]}):
            yield Case(name, config, "binary")
        yield Case(name, {}, "column", "samples")
        yield Case(name, {"thresholds": [0, 0.25, 0.5, 0.75, 1]}, "multi", "samples")
    for name in ("Precision", "Recall"):
        for config in ({"top_k": 2}, {"top_k": 1, "class_id": 2}, {"class_id": 0}, {"top_k": 3, "thresholds": 0.3}):
            yield Case(name, config, "multi")
            yield Case(name, config, "one_hot", "samples")
    for name, argument in (
        ("SensitivityAtSpecificity", "specificity"),
        ("SpecificityAtSensitivity", "sensitivity"),
        ("PrecisionAtRecall", "recall"),
        ("RecallAtPrecision", "precision"),
    ):
        for value in (0.3, 0.7, 0.99):
            yield Case(name, {argument: value}, "binary")
        yield Case(name, {argument: 0.5, "num_thresholds": 1}, "binary", "samples")
        yield Case(name, {argument: 0.5, "num_thresholds": 5, "class_id": 1}, "multi", "samples")
    for curve in ("ROC", "PR", "PRGAIN"):
        for method in ("interpolation", "minoring", "majoring"):
            both = {"curve": curve, "summation_method": method}
            yield Case("AUC", both, "binary")
            yield Case("AUC", {**both, "num_thresholds": 5}, "binary", "samples")
            yield Case("AUC", {**both, "thresholds": [0.5, 0.1, 0.3, 0.35]}, "column", "samples")
            yield Case("AUC", {**both, "multi_label": True}, "multi")
            yield Case("AUC", {**both, "multi_label": True, "label_weights": [1.0, 0.0, 2.0, 0.5]}, "multi", "samples")
    yield Case("AUC", {"num_thresholds": 2}, "binary")
    yield Case("AUC", {"num_thresholds": 3}, "binary")
    yield Case("AUC", {"from_logits": True}, "logits")
    yield Case("AUC", {}, "logits")
    yield Case("AUC", {"label_weights": [1.0, 0.0, 2.0, 0.5]}, "multi")
    yield Case("AUC", {"multi_label": True, "num_labels": 4, "thresholds": [0.25, 0.5, 0.75]}, "multi")
    for average in (None, "micro", "macro", "weighted"):
        for weights in ("", "samples"):
            yield Case("F1Score", {"average": average}, "one_hot", weights)
            yield Case("FBetaScore", {"average": average, "beta": 2.0, "threshold": 0.5}, "multi", weights)
    for aggregation in (None, "uniform_average", "variance_weighted_average"):
        yield Case("R2Score", {"class_aggregation": aggregation}, "real")
        yield Case("R2Score", {"class_aggregation": aggregation, "num_regressors": 3}, "real", "samples")
    for name in ("PearsonCorrelation", "ConcordanceCorrelation"):
        for config in ({}, {"axis": 0}):
            yield Case(name, config, "real")
        yield Case(name, {}, "real", "samples")
    yield Case("Accuracy", {}, "labels")
    yield Case("Accuracy", {}, "maps", "samples")
    yield Case("Accuracy", {}, "maps", "elements")
    for weights in ("", "samples"):
        yield Case("BinaryIoU", {"threshold": 0.4}, "binary", weights)
        yield Case("BinaryIoU", {"target_class_ids": [1]}, "column", weights)
        yield Case("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, "labels", weights)
        yield Case("MeanIoU", {"num_classes": 4, "ignore_class": 1}, "labels", weights)
        yield Case("MeanIoU", {"num_classes": 3}, "labels", weights)
        yield Case("OneHotIoU", {"num_classes": 4, "target_class_ids": [3]}, "one_hot", weights)
        yield Case("OneHotMeanIoU", {"num_classes": 4}, "one_hot", weights)
    yield Case("OneHotMeanIoU", {"num_classes": 4}, "one_hot_maps")
    yield Case("MeanIoU", {"num_classes": 4, "sparse_y_pred": False}, "class_maps")


CASES = list(_cases())


# ---- a training ------------------------------------------------------------------------------------------------------
def training(keras):
    """What `fit` and `evaluate` of Keras, or of what is like it, log of metrics: names and values in order."""
    y, x, weights = data_of("multi")
    y = y[:, :2]
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(5, activation="tanh")(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(2, activation="sigmoid", name=name)(hidden) for name in "ab"])
    drawn = random.Random("weights")
    start = [np.array([drawn.random() - 0.5 for _ in range(w.size)]).reshape(w.shape) for w in model.get_weights()]
    model.set_weights(start)
    kinds = keras.metrics

    def largest_error(y_true, y_pred):
        return abs(y_true - y_pred)

    model.compile(
        keras.optimizers.SGD(0.5),
        "binary_crossentropy",
        metrics=[
            ["AUC", kinds.AUC(curve="PR", name="pr"), kinds.Precision(), "accuracy", largest_error],
            [kinds.F1Score(average="macro", threshold=0.5), kinds.R2Score(), kinds.BinaryIoU(dtype="float32")],
        ],
        weighted_metrics=[["AUC", kinds.Recall(class_id=1)], [kinds.SensitivityAtSpecificity(0.4), "mse"]],
    )
    some, given = [y, 1 - y], [weights["samples"], weights["samples"] + 0.5]
    history = model.fit(
        x,
        some,
        batch_size=16,
        epochs=3,
        shuffle=False,
        verbose=0,
        sample_weight=given,
        validation_data=(x[:25], [each[:25] for each in some], [each[:25] for each in given]),
    )
    logs = model.evaluate(x, some, batch_size=13, verbose=0, sample_weight=given, return_dict=True)
    return {name: [float(each) for each in values] for name, values in sorted(history.history.items())}, {
        name: float(value) for name, value in sorted(logs.items())
    }
