"""Arguments of ``compile`` for each of a model's outputs: one for all, a list in their order, or a dict by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from .. import losses
from ..data.layout import Ports
from ..foundation import checks
from ..losses import Loss, LossLike
from ..metrics import Metric, MetricLike, resolve

Losses: TypeAlias = LossLike | Sequence[LossLike | None] | Mapping[str, LossLike | None] | None
LossWeights: TypeAlias = float | Sequence[float | None] | Mapping[str, float | None] | None
OfOutput: TypeAlias = MetricLike | Sequence[MetricLike] | None
Metrics: TypeAlias = Sequence[OfOutput] | Mapping[str, OfOutput] | None


def _listed(keys: Sequence[object]) -> str:
    return ", ".join(map(repr, keys))


def _is_config(value: object) -> bool:
    return isinstance(value, Mapping) and "class_name" in value


def _by_name(given: Mapping[Any, Any], argument: str, outputs: Ports, needed: Sequence[str] = ()) -> list[Any]:
    """The values of a dict in the order of the outputs, None where it has none; ValueError for wrong keys."""
    keys = outputs.keys if set(given) <= set(outputs.keys) else outputs.names
    extra = [key for key in given if key not in keys]
    missing = [key for key in needed if key not in given] if not extra else []
    if extra or missing:
        wrong = f"{_listed(extra)} left over" if extra else f"{_listed(missing)} missing"
        raise ValueError(f"{argument} must be a dict by output, of {_listed(keys)}, but has {wrong}.")
    return [given.get(key) for key in keys]


def _by_place(given: Sequence[Any], argument: str, outputs: Ports) -> list[Any]:
    if len(given) != len(outputs.ports):
        raise ValueError(
            f"{argument} must have one value for each of {len(outputs.ports)} outputs, {_listed(outputs.keys)}, but "
            f"has {len(given)}."
        )
    return list(given)


def chosen_losses(loss: Any) -> Any:
    """What ``compile`` was given as `loss`, with the losses that are meant in place of names.

    Raises:
        TypeError, ValueError: an unknown name, or something else; a list or dict without a loss; one without reduction.
    """
    if loss is None:
        return None
    if isinstance(loss, list | tuple):
        chosen: Any = [_loss(each) for each in loss]
        found = chosen
    elif isinstance(loss, Mapping) and not _is_config(loss):
        chosen = {name: _loss(each) for name, each in loss.items()}
        found = list(chosen.values())
    else:
        chosen = losses.get(loss)
        found = [chosen]
    if all(each is None for each in found):
        raise ValueError('loss must be given, such as "mse" or "sparse_categorical_crossentropy".')
    if any(each is not None and each.reduction in (None, "none") for each in found):
        raise ValueError("A loss without reduction cannot be trained: it must be one number.")
    return chosen


def _loss(given: Any) -> Loss | None:
    """The loss of one output, which may stand in a list of its own."""
    if isinstance(given, list | tuple) and len(given) == 1:
        given = given[0]
    return None if given is None else losses.get(given)


def order_of_losses(chosen: Any, outputs: Ports) -> list[int]:
    """The place of each output in lists of losses: for outputs in a dict, Keras keeps the order of a dict of losses."""
    if outputs.form != "dict" or not isinstance(chosen, dict):
        return list(range(len(outputs.ports)))
    given = list(chosen)
    keys = outputs.keys if set(given) <= set(outputs.keys) else outputs.names
    return [given.index(key) if key in given else len(given) for key in keys]


def losses_of(chosen: Any, outputs: Ports) -> list[Loss | None]:
    """The loss of each output, from what `chosen_losses` gave; None where it has none."""
    if isinstance(chosen, list):
        return _by_place(chosen, "loss", outputs)
    if isinstance(chosen, dict):
        # Where outputs are a list, Keras asks for all of them.
        needed = outputs.keys if outputs.form == "list" else ()
        return _by_name(chosen, "loss", outputs, needed)
    return [chosen] * len(outputs.ports)


def check_loss_weights(weights: Any) -> None:
    """Raise TypeError or ValueError unless `weights` is None, a number, or a list or dict of them."""
    if weights is None:
        return
    values = list(weights.values()) if isinstance(weights, Mapping) else weights
    values = list(values) if isinstance(values, list | tuple) else [values]
    for value in values:
        if isinstance(value, str | Metric) or (isinstance(value, type) and issubclass(value, Metric)):
            raise TypeError(
                f"loss_weights must be numbers, but got {checks.shown(weights)}. It is the third argument of compile, "
                "as in Keras 3; metrics are given by name: compile(optimizer, loss, metrics=[...])."
            )
        if value is not None:
            checks.finite(value, "every value of loss_weights")


def loss_weights_of(weights: Any, found: Sequence[Loss | None], outputs: Ports) -> list[float]:
    """The weight of each output's loss."""
    if weights is None:
        return [1.0] * len(found)
    if isinstance(weights, Mapping):
        keys = outputs.keys if set(weights) <= set(outputs.keys) else outputs.names
        needed = [key for key, loss in zip(keys, found, strict=True) if loss is not None]
        by_output = _by_name(weights, "loss_weights", outputs, needed)
    elif isinstance(weights, list | tuple):
        by_output = _by_place(weights, "loss_weights", outputs)
    elif len(found) > 1:
        raise ValueError(
            f"loss_weights must be a list or dict of numbers, one for each of the outputs {_listed(outputs.keys)}, but "
            f"got {checks.shown(weights)}."
        )
    else:
        by_output = [weights]
    return [1.0 if weight is None else float(weight) for weight in by_output]


def check_metrics(metrics: Any, argument: str) -> None:
    """Raise TypeError unless `metrics` is None, a list or a dict, and TypeError or ValueError for an unknown metric."""
    if metrics is None:
        return
    if not isinstance(metrics, list | tuple | Mapping) or _is_config(metrics):
        raise TypeError(f'{argument} must be a list such as ["accuracy"], but got {checks.shown(metrics)}.')
    for of_output in metrics.values() if isinstance(metrics, Mapping) else metrics:
        for each in of_output if isinstance(of_output, list | tuple) else [of_output]:
            if each is not None:
                resolve(each, sparse=False, output_columns=2)


def metrics_of(metrics: Any, argument: str, outputs: Ports) -> list[list[Any]]:
    """What was given as the metrics of each output."""
    if not metrics:
        return [[] for _ in outputs.ports]
    if isinstance(metrics, Mapping):
        by_output = _by_name(metrics, argument, outputs)
    elif len(outputs.ports) == 1:
        by_output = [[one for each in metrics for one in (each if isinstance(each, list | tuple) else [each])]]
    else:
        by_output = _by_place(metrics, argument, outputs)
    return [[] if each is None else list(each) if isinstance(each, list | tuple) else [each] for each in by_output]
