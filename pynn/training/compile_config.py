"""What ``compile`` was told, as plain values and back."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Callable, Mapping
from typing import Any

from .. import losses, metrics, optimizers
from ..foundation import checks, identifiers, registry
from .compiling import Compiled
from .crossentropy import Crossentropy


def described(what: Compiled) -> dict[str, Any]:
    """Values fit for JSON, from which `compiled_of` makes an equal `Compiled`.

    Raises:
        ValueError: a function of one's own that no configuration describes; two of one name.
    """
    functions: dict[str, Any] = {}

    def note(thing: Any) -> None:
        thing = getattr(thing, "function", thing)  # of a loss
        own = isinstance(thing, types.FunctionType) and registry.is_own(thing)
        if own and functions.setdefault(registry.get_registered_name(thing), thing) is not thing:
            raise ValueError(
                f"Two functions that are losses or metrics have the name {thing.__name__!r}, by which a file knows "
                "them: the model cannot be saved or copied. Give them other names, or save the weights alone: "
                "model.save_weights."
            )

    for given in (what.loss, what.metrics, what.weighted_metrics):
        _each(given, note)
    return {
        "optimizer": _optimizer(what.optimizer),
        "loss": _each(what.loss, _loss),
        "loss_weights": _each(what.loss_weights, float),
        "metrics": _each(what.metrics, _metric),
        "weighted_metrics": _each(what.weighted_metrics, _metric),
    }


def compiled_of(config: Mapping[str, Any]) -> Compiled:
    """What was described.

    Raises:
        TypeError, ValueError, KeyError: another form of configuration.
    """
    if not isinstance(config, Mapping):
        raise ValueError(f"compile must be a dict, but is {checks.shown(config)}.")
    found = [_made(_again(config[argument])) for argument in ("metrics", "weighted_metrics")]
    optimizer = config["optimizer"]
    if not isinstance(optimizer, dict):
        raise ValueError(f"optimizer must be a configuration, but is {checks.shown(optimizer)}.")
    return Compiled.of(optimizer, _again(config["loss"]), _again(config["loss_weights"]), *found)


def _optimizer(optimizer: optimizers.Optimizer) -> dict[str, Any]:
    rate = optimizer._learning_rate
    if callable(rate) and not hasattr(rate, "get_config"):
        raise ValueError(
            "The optimizer's learning_rate is a function, which cannot be saved. Set optimizer.learning_rate to a "
            "number first, or save the weights alone: model.save_weights."
        )
    try:
        config = identifiers.serialize(optimizer)
    except NotImplementedError as error:  # a schedule of one's own
        raise ValueError(
            f"The optimizer cannot be saved: {error} Or save the weights alone: model.save_weights."
        ) from None
    _checked(config, "optimizer")
    return config


def _loss(loss: losses.Loss | Crossentropy) -> Any:
    if isinstance(loss, Crossentropy):
        return loss.name
    config: dict[str, Any] = _checked(losses.serialize(loss), "loss")
    if loss.is_own:
        _check_arguments(type(loss), config["config"], losses.Loss)
    return config


def _metric(metric: Any) -> Any:
    """A name stays what it is: which accuracy is meant depends on the model."""
    if isinstance(metric, str):
        return metric
    if isinstance(metric, dict):
        return _checked(metric, "metric")
    found = metrics.get(metric)
    config: dict[str, Any] = _checked(metrics.serialize(found), "metric")
    if isinstance(found, metrics.Metric):
        _check_arguments(type(found), config["config"], metrics.Metric)
    return config


def _check_arguments(kind: Any, config: Mapping[str, Any], base: Any) -> None:
    """Raise ValueError where a class of one's own, a `base`, is not made again by what its get_config says.

    A model would be saved that cannot be loaded, or one whose metric or loss has other settings.
    """
    made = getattr(kind.from_config, "__func__", None)
    if not registry.is_own(kind) or made is not getattr(base.from_config, "__func__", None):
        return
    parameters = inspect.signature(kind).parameters.values()
    named = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    takes_more = any(p.kind == p.VAR_KEYWORD for p in parameters)
    wrong = [f"has {name!r}, which __init__ does not take" for name in config if not takes_more and name not in named]
    # A get_config of one's own may leave out what is as the default; that of losses leaves out dtype, as in Keras.
    if registry.is_own(kind.__init__) and not registry.is_own(kind.get_config):
        wrong += [f"leaves out {name!r}" for name in named if name not in config]
    if wrong:
        raise ValueError(
            f"The {base.__name__.lower()} {kind.__name__} cannot be saved or copied, as its get_config {wrong[0]}. "
            "Write one that returns all arguments of its __init__ as a dict, or save the weights alone: "
            "model.save_weights."
        )


def _checked(config: Any, what: str) -> Any:
    try:
        json.dumps(config, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The {what} {checks.shown(config)} cannot be saved, as its configuration has something else than numbers "
            f"and texts: {error}. Save the weights alone: model.save_weights."
        ) from None
    return config


def _made(value: Any) -> Any:
    """Metrics in place of their configurations, while what is the user's own is known by name."""
    if isinstance(value, list):
        return [_made(each) for each in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {name: _made(each) for name, each in value.items()}
    return metrics.get(value) if isinstance(value, dict) else value


def _each(value: Any, describe: Callable[[Any], Any]) -> Any:
    """Each value of what may be None, one, a list or a dict, and these again; a dict keeps its order."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return {"list": [_each(each, describe) for each in value]}
    if isinstance(value, Mapping) and "class_name" not in value:
        return {"by_name": [[name, _each(each, describe)] for name, each in value.items()]}
    return {"one": describe(value)}


def _again(value: Any) -> Any:
    """What `_each` described."""
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"An argument of compile must be one, a list or by_name, but is {checks.shown(value)}.")
    ((form, inner),) = value.items()
    if form == "one":
        return inner
    if not isinstance(inner, list):
        raise ValueError(f"A {checks.shown(form)} of compile must be a list, but is {checks.shown(inner)}.")
    if form == "list":
        return [_again(each) for each in inner]
    if form == "by_name" and all(isinstance(pair, list) and len(pair) == 2 for pair in inner):
        return {str(name): _again(each) for name, each in inner}
    raise ValueError(f"An argument of compile must be one, a list or by_name, but is {checks.shown(form)}.")
