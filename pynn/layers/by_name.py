"""Layers by the names of their classes: how a configuration becomes a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..foundation import checks, identifiers, lazy
from .base import Layer

_places: dict[str, str] = {}
_table: lazy.Table[type[Layer]] = lazy.Table(_places)


def know(places: Mapping[str, str]) -> None:
    """Let `deserialize` make layers of further classes, which are imported when they are needed."""
    _places.update(places)


def serialize(layer: Layer) -> dict[str, Any]:
    """The configuration ``{"class_name": ..., "config": ...}`` that `deserialize` reads."""
    return identifiers.serialize(layer)


def deserialize(config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """The layer of a configuration that `serialize` made; it has no weights yet.

    Args:
        config: The configuration.
        custom_objects: Classes of one's own by name, ``{"Linear": Linear}``. Default: none.

    Raises:
        ValueError: no such layer, or another form of configuration. TypeError: arguments the layer does not have.
    """
    name, settings = identifiers.split_config(config, "layer")

    def make() -> Layer:
        kind = identifiers.look_up(name, _table, "layer")
        if not (isinstance(kind, type) and issubclass(kind, Layer)):
            raise TypeError(f"{name!r} must be a layer, but custom_objects has {checks.shown(kind)} for it.")
        return kind.from_config(settings)

    return identifiers.knowing(custom_objects, make)
