"""Metrics: what is reported of a model beside its loss.

Many are the mean of one value for each row of the prediction, a row being its last axis (`rows.py`). During training
the engine computes the rows' values in the same pass as the loss. All others see the predictions themselves, in NumPy.
Called directly, all of them keep what they have seen, as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import losses
from ..foundation import identifiers, lazy, registry
from ..foundation.names import to_snake_case
from .base import Array, Metric

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .accuracy import *  # noqa: F403
    from .auc import *  # noqa: F403
    from .averages import *  # noqa: F403
    from .confusion import *  # noqa: F403
    from .f_scores import *  # noqa: F403
    from .iou import *  # noqa: F403
    from .of_losses import *  # noqa: F403
    from .regression import *  # noqa: F403

# The names of each family of metrics: what its file has as ``__all__``.
_MODULES = {
    "accuracy": """BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy SparseTopKCategoricalAccuracy
        TopKCategoricalAccuracy binary_accuracy categorical_accuracy sparse_categorical_accuracy
        sparse_top_k_categorical_accuracy top_k_categorical_accuracy""",
    "auc": "AUC",
    "averages": """Accuracy ConcordanceCorrelation Mean MeanMetricWrapper PearsonCorrelation Sum concordance_correlation
        pearson_correlation""",
    "confusion": """FalseNegatives FalsePositives Precision PrecisionAtRecall Recall RecallAtPrecision
        SensitivityAtSpecificity SpecificityAtSensitivity TrueNegatives TruePositives""",
    "f_scores": "F1Score FBetaScore",
    "iou": "BinaryIoU ConfusionMatrix IoU MeanIoU OneHotIoU OneHotMeanIoU",
    "of_losses": """BinaryCrossentropy CategoricalCrossentropy CategoricalHinge CosineSimilarity Hinge KLDivergence
        LogCoshError MeanAbsoluteError MeanAbsolutePercentageError MeanLoss MeanSquaredError
        MeanSquaredLogarithmicError Poisson RootMeanSquaredError SparseCategoricalCrossentropy SquaredHinge
        binary_crossentropy binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy
        categorical_hinge hinge huber kl_divergence log_cosh mean_absolute_error mean_absolute_percentage_error
        mean_squared_error mean_squared_logarithmic_error poisson sparse_categorical_crossentropy squared_hinge""",
    "regression": "R2Score",
}

__all__ = ["Metric", "MetricLike", "deserialize", "get", "resolve", "serialize"]
__all__ += lazy.names(_MODULES)

_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
}
_NAMELESS = ("MeanLoss", "MeanMetricWrapper")
# A metric is known by the name of its class and by that in snake case, which may be a function's, too.
_PLACES = {name: place for name, place in lazy.places(__name__, _MODULES).items() if name[0].isupper()}
_PLACES |= {to_snake_case(name): place for name, place in _PLACES.items() if name not in _NAMELESS}
_PLACES |= {alias: _PLACES[name] for alias, name in _ALIASES.items()}
_PLACES |= {alias.upper(): _PLACES[name] for alias, name in _ALIASES.items()}
_TABLE: lazy.Table[type[Metric]] = lazy.Table(_PLACES)
_ACCURACY = ("accuracy", "acc")
_WHICH = (
    "Which accuracy is meant depends on the model, and is found by compile. Elsewhere, name binary_accuracy, "
    "categorical_accuracy or sparse_categorical_accuracy."
)
# Losses that Keras has no metric class for; their names work as metrics all the same.
_LOSS_NAMES = (
    *("huber", "log_cosh", "sum_squared_error", "perceptron"),
    *("binary_focal_crossentropy", "categorical_focal_crossentropy"),
)

MetricLike: TypeAlias = str | Metric | type[Metric] | losses.Loss | Callable[..., Array] | dict[str, Any]


def get(identifier: MetricLike) -> Metric:
    """Return the metric meant by a name, class, instance, configuration, loss or function.

    A metric given as a name is called by it. ``"accuracy"`` depends on the model: see `resolve`. A function of
    ``(y_true, y_pred)`` is the metric `MeanMetricWrapper` of it, with its name.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    from .averages import MeanMetricWrapper
    from .of_losses import MeanLoss

    if isinstance(identifier, str):
        own = registry.own(identifier)
        if callable(own):
            return get(own)
        if identifier in _LOSS_NAMES:
            return MeanLoss(identifier, name=identifier)
        if identifier not in _TABLE or identifier in _ACCURACY:
            known = [*_TABLE, *_LOSS_NAMES, *_ACCURACY]
            raise ValueError(
                _WHICH if identifier in _ACCURACY else identifiers.unknown_name(identifier, known, "metric")
            )
        metric = _TABLE[identifier]()
        metric.name = identifier
        return metric
    if isinstance(identifier, losses.Loss) or losses.is_function(identifier):
        return MeanLoss(identifier)
    if callable(identifier) and not isinstance(identifier, type | Metric):
        from .accuracy import FUNCTIONS

        if isinstance(identifier, Hashable) and identifier in FUNCTIONS:
            return FUNCTIONS[identifier]()
        return MeanMetricWrapper.of(identifier)
    return identifiers.resolve(identifier, Metric, _TABLE, "metric")


def resolve(identifier: MetricLike, *, sparse: bool, output_columns: int) -> Metric:
    """As `get`, with ``"accuracy"`` and ``"acc"`` for the accuracy that fits the model.

    Args:
        sparse: Whether the loss takes class labels: then it is sparse categorical accuracy.
        output_columns: Size of the output's last axis: 1 means binary, more means categorical accuracy. Binary
            accuracy compares with 0.5, also where the loss takes logits, as in Keras: see `BinaryAccuracy`.
    """
    from .accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy

    if isinstance(identifier, str) and identifier.lower() in _ACCURACY:
        if sparse:
            return SparseCategoricalAccuracy(identifier)
        return BinaryAccuracy(identifier) if output_columns == 1 else CategoricalAccuracy(identifier)
    return get(identifier)


def serialize(metric: MetricLike) -> dict[str, Any]:
    """The configuration that `get` reads, of a metric or a function.

    Raises:
        TypeError: not a metric.
    """
    return identifiers.serialize(get(metric))


def deserialize(config: MetricLike, custom_objects: Mapping[str, Any] | None = None) -> Metric:
    """As `get`, also for classes of one's own: ``{"Mine": Mine}``.

    Raises:
        TypeError, ValueError: an unknown name, or another form of configuration.
    """
    return registry.knowing(custom_objects, lambda: get(config))


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "metric")
