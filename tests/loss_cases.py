"""The table of losses that the tests run through: settings, and the targets and predictions each is made for."""

from dataclasses import dataclass

import numpy as np

from pynn import losses


@dataclass(frozen=True)
class LossCase:
    name: str
    target: str
    prediction: str
    settings: tuple = ()  # what the native kernel calls a, b, c

    def __str__(self):
        return "-".join([self.name, *map(str, self.settings)])

    @property
    def sparse(self):
        return self.target == "labels"


LOSS_CASES = [
    LossCase("mean_squared_error", "real", "real"),
    LossCase("sum_squared_error", "real", "real"),
    LossCase("mean_absolute_error", "real", "real"),
    LossCase("mean_absolute_percentage_error", "positive", "real"),
    LossCase("mean_squared_logarithmic_error", "positive", "positive"),
    LossCase("huber", "real", "real", (1.0,)),
    LossCase("huber", "real", "real", (0.3,)),
    LossCase("log_cosh", "real", "real"),
    LossCase("cosine_similarity", "real", "real"),
    LossCase("poisson", "positive", "positive"),
    LossCase("kl_divergence", "fractions", "fractions"),
    LossCase("binary_crossentropy", "binary", "fractions", (0.0,)),
    LossCase("binary_crossentropy", "fractions", "fractions", (0.1,)),
    LossCase("binary_crossentropy_from_logits", "binary", "real", (0.0,)),
    LossCase("binary_crossentropy_from_logits", "fractions", "real", (0.1,)),
    LossCase("binary_focal_crossentropy", "binary", "fractions", (0.0, 2.0, -1.0)),
    LossCase("binary_focal_crossentropy", "fractions", "fractions", (0.1, 1.5, 0.3)),
    LossCase("binary_focal_crossentropy", "binary", "fractions", (0.0, 0.0, -1.0)),
    LossCase("binary_focal_crossentropy_from_logits", "binary", "real", (0.0, 2.0, -1.0)),
    LossCase("binary_focal_crossentropy_from_logits", "fractions", "real", (0.1, 1.5, 0.3)),
    LossCase("categorical_focal_crossentropy", "one_hot", "fractions", (0.0, 2.0, 0.25)),
    LossCase("categorical_focal_crossentropy", "fractions", "fractions", (0.1, 1.5, 2.0)),
    LossCase("categorical_focal_crossentropy_from_logits", "one_hot", "real", (0.0, 2.0, 0.25)),
    LossCase("categorical_focal_crossentropy_from_logits", "fractions", "real", (0.1, 1.5, 2.0)),
    LossCase("categorical_crossentropy", "one_hot", "fractions", (0.0,)),
    LossCase("categorical_crossentropy", "fractions", "fractions", (0.1,)),
    LossCase("categorical_crossentropy_from_logits", "one_hot", "real", (0.0,)),
    LossCase("categorical_crossentropy_from_logits", "fractions", "real", (0.1,)),
    LossCase("sparse_categorical_crossentropy", "labels", "fractions", (0.0,)),
    LossCase("sparse_categorical_crossentropy", "labels", "fractions", (0.1,)),
    LossCase("sparse_categorical_crossentropy_from_logits", "labels", "real", (0.0,)),
    LossCase("sparse_categorical_crossentropy_from_logits", "labels", "real", (0.1,)),
    LossCase("hinge", "signs", "real"),
    LossCase("squared_hinge", "signs", "real"),
    LossCase("categorical_hinge", "one_hot", "real"),
    LossCase("perceptron", "signs", "real"),
    LossCase("mean_value", "real", "real"),
]


def make_values(kind, rows, columns, random):
    """Float64 (rows, columns) of a kind, or int32 labels (rows,)."""
    labels = random.integers(0, columns, rows).astype(np.int32)
    if kind == "labels":
        return labels
    if kind == "one_hot":
        return np.eye(columns)[labels]
    shape = (rows, columns)
    if kind == "real":
        return random.normal(0, 1.5, shape)
    if kind == "positive":
        return random.uniform(0.3, 2.5, shape)
    if kind == "fractions":
        return random.uniform(0.05, 0.95, shape)
    binary = random.integers(0, 2, shape).astype(np.float64)
    return {"binary": binary, "signs": 2 * binary - 1}[kind]


def make_case(case, rows, columns, seed=7):
    """Targets and predictions of a case, in float64."""
    random = np.random.default_rng(seed)
    return make_values(case.target, rows, columns, random), make_values(case.prediction, rows, columns, random)


class MeanValue(losses.Loss):
    """What the engine makes of the values of a loss of one's own; no user meets it."""

    __module__ = "pynn.losses"  # as those that the engine knows
    native_name = "mean_value"


def as_loss(case):
    """The pynn loss of a case."""
    if case.name == "mean_value":
        return MeanValue()
    kind = type(losses.get(case.name.removesuffix("_from_logits")))
    settings = {"from_logits": True} if case.name.endswith("_from_logits") else {}
    if "focal" in case.name:
        smoothing, gamma, alpha = case.settings
        settings |= {"label_smoothing": smoothing, "gamma": gamma}
        if alpha >= 0:
            settings |= {"alpha": alpha}
            settings |= {"apply_class_balancing": True} if case.name.startswith("binary") else {}
    elif case.settings:
        settings["delta" if case.name == "huber" else "label_smoothing"] = case.settings[0]
    return kind(**settings)


# The classes of pynn.losses: class, settings, the native name that it stands for
CLASSES = [
    ("MeanSquaredError", {}, "mean_squared_error"),
    ("SumSquaredError", {}, "sum_squared_error"),
    ("MeanAbsoluteError", {}, "mean_absolute_error"),
    ("MeanAbsolutePercentageError", {}, "mean_absolute_percentage_error"),
    ("MeanSquaredLogarithmicError", {}, "mean_squared_logarithmic_error"),
    ("Huber", {"delta": 1.0}, "huber"),
    ("Huber", {"delta": 0.3}, "huber"),
    ("LogCosh", {}, "log_cosh"),
    ("CosineSimilarity", {}, "cosine_similarity"),
    ("Poisson", {}, "poisson"),
    ("KLDivergence", {}, "kl_divergence"),
    ("BinaryCrossentropy", {"label_smoothing": 0.0}, "binary_crossentropy"),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, "binary_crossentropy"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.0}, "binary_crossentropy_from_logits"),
    ("BinaryFocalCrossentropy", {"label_smoothing": 0.0, "gamma": 2.0}, "binary_focal_crossentropy"),
    (
        "BinaryFocalCrossentropy",
        {"label_smoothing": 0.1, "gamma": 1.5, "alpha": 0.3, "apply_class_balancing": True},
        "binary_focal_crossentropy",
    ),
    (
        "BinaryFocalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.0, "gamma": 2.0},
        "binary_focal_crossentropy_from_logits",
    ),
    (
        "CategoricalFocalCrossentropy",
        {"label_smoothing": 0.1, "gamma": 1.5, "alpha": 2.0},
        "categorical_focal_crossentropy",
    ),
    (
        "CategoricalFocalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.0, "gamma": 2.0, "alpha": 0.25},
        "categorical_focal_crossentropy_from_logits",
    ),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "categorical_crossentropy"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.0}, "categorical_crossentropy_from_logits"),
    ("SparseCategoricalCrossentropy", {"label_smoothing": 0.0}, "sparse_categorical_crossentropy"),
    ("SparseCategoricalCrossentropy", {"label_smoothing": 0.1}, "sparse_categorical_crossentropy"),
    (
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
        "sparse_categorical_crossentropy_from_logits",
    ),
    ("Hinge", {}, "hinge"),
    ("SquaredHinge", {}, "squared_hinge"),
    ("CategoricalHinge", {}, "categorical_hinge"),
    ("Perceptron", {}, "perceptron"),
]
