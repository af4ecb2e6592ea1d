"""Arguments of ``compile`` for each of a model's outputs.

One for all, a list in the order of the outputs, a dict by name, or lists and dicts within one another as outputs are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from .. import losses
from ..data import nests
from ..data.layout import Ports
from ..foundation import checks
from ..losses import Loss, LossLike
from ..metrics import Metric, MetricLike, resolve
from .crossentropy import Crossentropy

Losses: TypeAlias = "LossLike | Sequence[Losses] | Mapping[str, Losses] | None"
LossWeights: TypeAlias = "float | Sequence[LossWeights] | Mapping[str, LossWeights] | None"
OfOutput: TypeAlias = "MetricLike | Sequence[OfOutput] | Mapping[str, OfOutput] | None"
Metrics: TypeAlias = Sequence[OfOutput] | Mapping[str, OfOutput] | None


def _listed(keys: Sequence[object]) -> str:
    return ", ".join(map(repr, keys))


def _is_config(value: object) -> bool:
    return isinstance(value, Mapping) and "class_name" in value


def _is_dict(value: object) -> bool:
    return isinstance(value, Mapping) and not _is_config(value)


def each_of(given: Any) -> Iterator[Any]:
    """What is neither list, tuple nor dict in lists, tuples and dicts within one another; a configuration is one."""
    if _is_dict(given):
        given = list(given.values())
    if isinstance(given, list | tuple):
        for each in given:
            yield from each_of(each)
    else:
        yield given


# ---- which output has what -------------------------------------------------------------------------------------------


def _by_output(given: Any, argument: str, outputs: Ports, needed: Sequence[int] = ()) -> dict[int, Any]:
    """What a list or dict has for each output, by its number, in the order in which it was given.

    Raises:
        ValueError: another form; nothing for one of the outputs `needed`.
    """
    if _is_nested(given, outputs):
        keys, found = outputs.keys, dict(_within(given, outputs.nest, argument, argument, outputs))
    elif isinstance(given, Mapping):
        keys = _keys_of(given, outputs)
        extra = [key for key in given if key not in keys]
        if extra:
            raise _other_form(argument, outputs, keys, f"has {_listed(extra)} left over")
        found = {number: value for key, value in given.items() for number, own in enumerate(keys) if own == key}
    elif len(given) == len(outputs.ports):
        return dict(enumerate(given))
    else:
        raise ValueError(
            f"{argument} must have one value for each of {len(outputs.ports)} outputs, {_listed(outputs.keys)}, but "
            f"has {len(given)}."
        )
    missing = [keys[number] for number in needed if number not in found]
    if missing:
        raise _other_form(argument, outputs, keys, f"has {_listed(missing)} missing")
    return found


def _keys_of(given: Mapping[Any, Any], outputs: Ports) -> tuple[str, ...]:
    return outputs.keys if set(given) <= set(outputs.keys) else outputs.names


def _is_nested(given: Any, outputs: Ports) -> bool:
    """Whether it is meant to be nested as the outputs are, and not a flat list or dict."""
    nest = outputs.nest
    if outputs.form != "nested":
        return False
    if isinstance(given, Mapping):
        return isinstance(nest, dict) and (set(given) <= set(nest) or not set(given) <= set(_keys_of(given, outputs)))
    if isinstance(nest, dict):
        return False
    return len(given) != len(outputs.ports) or any(
        isinstance(inner, dict) and _is_dict(each) for inner, each in zip(nest, given, strict=False)
    )


def _within(given: Any, nest: Any, path: str, argument: str, outputs: Ports) -> Iterator[tuple[int, Any]]:
    """The number of each output below `path`, and what it has; None is for all outputs below it."""
    if isinstance(nest, int):
        yield nest, given
        return
    if given is None:
        yield from ((number, None) for number in nests.ends(nest))
        return
    if not (_is_dict(given) if isinstance(nest, dict) else isinstance(given, list | tuple)):
        raise _other_form(argument, outputs, outputs.keys, f"{path} is {checks.shown(given)}")
    if isinstance(nest, dict):
        extra = [key for key in given if key not in nest]
        if extra:
            raise _other_form(argument, outputs, outputs.keys, f"{path} has {_listed(extra)} left over")
    elif len(given) != len(nest):
        what = f"{path} has {len(given)} values in place of {len(nest)}"
        raise _other_form(argument, outputs, outputs.keys, what)
    for key, value in given.items() if isinstance(nest, dict) else enumerate(given):
        yield from _within(value, nest[key], f"{path}[{key!r}]", argument, outputs)


def _other_form(argument: str, outputs: Ports, keys: Sequence[str], what: str) -> ValueError:
    """What to raise where an argument does not have the form of the outputs."""
    form = f"a dict by output, of {_listed(keys)}"
    if outputs.form == "nested":
        form = f"nested as the outputs are, {nests.filled(outputs.nest, outputs.names)}, or {form}"
    return ValueError(f"{argument} must be {form}, but {what}.")


# ---- losses ----------------------------------------------------------------------------------------------------------


def chosen_losses(loss: Any) -> Any:
    """What ``compile`` was given as `loss`, with the losses that are meant in place of names.

    Raises:
        TypeError, ValueError: an unknown name, or something else; a list or dict without a loss; one without reduction.
    """
    if loss is None:
        return None
    chosen = _chosen(loss)
    found = [each for each in each_of(chosen) if each is not None]
    if not found:
        raise ValueError('loss must be given, such as "mse" or "sparse_categorical_crossentropy".')
    if any(each.reduction in (None, "none") for each in found):
        raise ValueError("A loss without reduction cannot be trained: it must be one number.")
    return chosen


def _chosen(given: Any) -> Any:
    if isinstance(given, list | tuple):
        return [_chosen(each) for each in given]
    if _is_dict(given):
        return {name: _chosen(each) for name, each in given.items()}
    if Crossentropy.is_meant(given):
        return Crossentropy(given)
    return None if given is None else losses.get(given)


def order_of_losses(chosen: Any, outputs: Ports) -> list[int]:
    """The place of each output in lists of losses: for outputs in a dict, Keras keeps the order of a dict of losses."""
    numbers = range(len(outputs.ports))
    in_a_dict = outputs.form == "dict" or isinstance(outputs.nest, dict)
    if not isinstance(chosen, dict | list) or (isinstance(chosen, dict) and not in_a_dict):
        return list(numbers)
    given = list(_by_output(chosen, "loss", outputs))
    return [given.index(number) if number in given else len(given) for number in numbers]


def losses_of(chosen: Any, outputs: Ports) -> list[Loss | Crossentropy | None]:
    """The loss of each output, from what `chosen_losses` gave."""
    numbers = range(len(outputs.ports))
    if not isinstance(chosen, dict | list):
        return [chosen for _ in numbers]
    # Where outputs are a list, Keras asks for all of them.
    found = _by_output(chosen, "loss", outputs, numbers if outputs.form == "list" else ())
    return [_one_loss(found.get(number), outputs.keys[number]) for number in numbers]


def _one_loss(given: Any, output: str) -> Loss | Crossentropy | None:
    """The loss of one output, which may stand in a list of its own."""
    one = given[0] if isinstance(given, list) and len(given) == 1 else given
    if one is None or isinstance(one, Loss | Crossentropy):
        return one
    raise ValueError(f"loss must have one loss for the output {output!r}, but has {checks.shown(given)}.")


def check_loss_weights(weights: Any) -> None:
    """Raise TypeError or ValueError unless `weights` is None, a number, or lists and dicts of them."""
    for value in each_of(weights):
        if isinstance(value, str | Metric) or (isinstance(value, type) and issubclass(value, Metric)):
            raise TypeError(
                f"loss_weights must be numbers, but got {checks.shown(weights)}. It is the third argument of compile, "
                "as in Keras 3; metrics are given by name: compile(optimizer, loss, metrics=[...])."
            )
        if value is not None:
            checks.finite(value, "every value of loss_weights")


def loss_weights_of(weights: Any, found: Sequence[Loss | Crossentropy | None], outputs: Ports) -> list[float]:
    """The weight of each output's loss."""
    numbers = range(len(found))
    if weights is None:
        by_output: dict[int, Any] = {}
    elif isinstance(weights, list | tuple | Mapping):
        needed = [number for number in numbers if found[number] is not None]
        by_output = _by_output(weights, "loss_weights", outputs, needed)
    elif len(found) > 1:
        raise ValueError(
            f"loss_weights must be a list or dict of numbers, one for each of the outputs {_listed(outputs.keys)}, but "
            f"got {checks.shown(weights)}."
        )
    else:
        by_output = {0: weights}
    return [_one_weight(by_output.get(number), outputs.keys[number]) for number in numbers]


def _one_weight(given: Any, output: str) -> float:
    if isinstance(given, list | tuple | Mapping):
        raise ValueError(f"loss_weights must have one number for the output {output!r}, but has {checks.shown(given)}.")
    return 1.0 if given is None else float(given)


# ---- metrics ---------------------------------------------------------------------------------------------------------


def check_metrics(metrics: Any, argument: str) -> None:
    """Raise TypeError unless `metrics` is None, a list or a dict, and TypeError or ValueError for an unknown metric."""
    if metrics is None:
        return
    if not isinstance(metrics, list | tuple | Mapping) or _is_config(metrics):
        raise TypeError(f'{argument} must be a list such as ["accuracy"], but got {checks.shown(metrics)}.')
    for each in each_of(metrics):
        if each is not None:
            resolve(each, sparse=False, output_columns=2)


def metrics_of(metrics: Any, argument: str, outputs: Ports) -> list[list[Any]]:
    """What was given as the metrics of each output."""
    if not metrics:
        found: dict[int, Any] = {}
    elif len(outputs.ports) == 1 and not isinstance(metrics, Mapping) and not _is_nested(metrics, outputs):
        found = {0: [one for each in metrics for one in (each if isinstance(each, list | tuple) else [each])]}
    else:
        found = _by_output(metrics, argument, outputs)
    return [_own_metrics(found.get(number), argument, key) for number, key in enumerate(outputs.keys)]


def _own_metrics(given: Any, argument: str, output: str) -> list[Any]:
    """The metrics of one output: one, a list or none."""
    found = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    if any(isinstance(each, list | tuple) or _is_dict(each) for each in found):
        raise ValueError(
            f"{argument} must have a metric or a list of them for the output {output!r}, but has {checks.shown(given)}."
        )
    return found
