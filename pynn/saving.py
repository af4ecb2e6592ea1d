"""What Keras keeps under this name: models in files, and objects as plain values and back."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import activations, constraints, initializers, layers, losses, metrics, models, optimizers, regularizers
from .config import DTypePolicy
from .foundation import checks, identifiers, not_yet, registry
from .foundation.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from .foundation.seeds import SeedGenerator
from .models import load_model, save_model
from .optimizers import schedules

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "register_keras_serializable",
    "save_model",
    "serialize_keras_object",
]

# The rooms that `module` may name, and what makes an object of its configuration.
_ROOMS: dict[str, tuple[types.ModuleType, Callable[[Any], Any]]] = {
    "layers": (layers, layers.deserialize),
    "models": (models, layers.deserialize),
    "losses": (losses, losses.get),
    "metrics": (metrics, metrics.get),
    "optimizers": (optimizers, optimizers.get),
    "optimizers.schedules": (schedules, schedules.deserialize),
    "initializers": (initializers, initializers.get),
    "regularizers": (regularizers, regularizers.get),
    "constraints": (constraints, constraints.get),
    "activations": (activations, activations.get),
}


_OF_SLICE = ("start", "stop", "step")
_DTYPES = {"bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)), "float32", "float64"}


def serialize_keras_object(obj: Any) -> Any:
    """What `deserialize_keras_object` reads: plain values, fit for JSON, that say what an object is.

    Of what has a ``get_config``, an activation or a function with a name it is a dict: ``module``, ``class_name``,
    ``config``, and ``registered_name``, of what is registered. Weights, and what `compile` was told, are no part of it.

    Args:
        obj: Such an object, or a plain value; an array, bytes, a slice, ``...``; a list, tuple or dict of all these.

    Raises:
        TypeError: something else, also within. ValueError: bytes that are no UTF-8. NotImplementedError: a layer of
            one's own that must write get_config.
    """
    if isinstance(obj, list | tuple):
        found = list(map(serialize_keras_object, obj))
        return tuple(found) if isinstance(obj, tuple) else found
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, np.ndarray):
        return _special("numpy", value=obj.tolist(), dtype=obj.dtype.name)
    if isinstance(obj, bytes):
        return _special("bytes", value=obj.decode("utf-8"))
    if isinstance(obj, slice):
        return _special("slice", **{name: serialize_keras_object(getattr(obj, name)) for name in _OF_SLICE})
    if obj is ...:
        return _special("ellipsis")
    return identifiers.plain(obj)


def deserialize_keras_object(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
) -> Any:
    """What `serialize_keras_object` described.

    Classes and functions are pynn's, those that are registered, and those that are given. Nothing is imported by a name
    that stands in a configuration, and nothing is evaluated.

    Args:
        config: The description. What is none, such as an object that is made already, comes back as it is.
        custom_objects: Classes and functions of one's own by name, ``{"Linear": Linear}``. Default: none.
        safe_mode: Without effect: there is no other mode. Default ``True``.

    Raises:
        ValueError: a name that nothing has, or another form of configuration. TypeError: arguments that a class does
            not have.
    """
    checks.boolean(safe_mode, "safe_mode")
    return registry.knowing(custom_objects, lambda: _made_of(config))


def _made_of(config: Any) -> Any:
    if isinstance(config, str):
        own = registry.own(config)
        return config if own is None else own
    if isinstance(config, list | tuple):
        return [_made_of(each) for each in config]
    if not isinstance(config, dict):
        return config
    if not {"class_name", "config"} <= set(config):
        return {key: _made_of(value) for key, value in config.items()}
    if config["class_name"] == "function":
        return _function(config)
    name, settings = identifiers.split_config(config, "object")
    if name.startswith("__") and name.endswith("__"):
        return _made_of_special(name, settings)
    kind, module = registry.own(config.get("registered_name"), name), config.get("module")
    if kind is None and name == "DTypePolicy" and module in ("keras", "pynn.config"):
        return DTypePolicy.from_config(settings)
    if kind is None and name == "SeedGenerator" and module in ("keras.random", "pynn.random"):
        return SeedGenerator.from_config(settings)
    room = _room(module, name)
    if room is not None and (kind is None or config.get("registered_name") is None):
        own = {} if config.get("registered_name") == name else {"registered_name": config.get("registered_name")}
        return _ROOMS[room][1]({"class_name": name, "config": settings, **own})
    if kind is None:
        raise ValueError(
            f"There is no class {name!r} of {checks.shown(module)}. If it is yours, register it, or give it: "
            "custom_objects={name: class}."
        )
    if not (isinstance(kind, type) and hasattr(kind, "from_config")):
        raise TypeError(f"{name!r} must be a class with from_config, but is {checks.shown(kind)}.")
    return kind.from_config(settings)


def _room(module: Any, name: str) -> str | None:
    """The room of pynn that a module is, or that stands for one of Keras's; None: it is none of them.

    Without a module, it is the room that has the name; that of the layers, if there is none.

    Raises:
        ValueError: a name without a module that several rooms have.
    """
    if isinstance(module, str) and module not in ("pynn", "keras"):
        root, _, room = module.partition(".")
        return room if root in ("pynn", "keras") and room in _ROOMS else None
    found = [room for room, (each, _) in _ROOMS.items() if hasattr(each, name)]
    if len(found) > 1:
        raise ValueError(
            f"{name!r} is the name of several classes: the configuration must have a module, which is one of "
            f"{', '.join(f'pynn.{room}' for room in found)}."
        )
    return found[0] if found else "layers"


def _function(config: dict[str, Any]) -> Any:
    """A function of one's own, or one of pynn's: of `ops`, an activation, a loss or the function of a metric."""
    found = identifiers.function_of(config)
    if found is not None:
        return found
    for room in (activations, losses, metrics):  # but not what makes objects, such as `losses.get`
        found = getattr(room, str(config["config"]), None)
        is_function = isinstance(found, types.FunctionType) and found.__module__ != room.__name__
        if isinstance(found, activations.Activation) or is_function:
            return found
    raise identifiers.no_function(config)


def _special(name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": f"__{name}__", "config": config}


def _made_of_special(name: str, config: dict[str, Any]) -> Any:
    """What `_special` described, or Keras."""
    try:
        if name in ("__numpy__", "__tensor__") and config.get("dtype") in _DTYPES:
            return np.array(config["value"], config["dtype"])
        if name == "__bytes__":
            return config["value"].encode("utf-8")
        if name == "__slice__":
            return slice(*(_made_of(config[part]) for part in _OF_SLICE))
    except (KeyError, TypeError, AttributeError, ValueError):  # another form, as told below
        pass
    if name == "__ellipsis__":
        return ...
    raise ValueError(f"config has a {name}, which pynn does not make: {checks.shown(config)}.")


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "function of saving")
