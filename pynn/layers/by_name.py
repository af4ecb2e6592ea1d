"""Layers by the names of their classes: how a configuration becomes a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..foundation import identifiers, lazy, registry
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
    return registry.knowing(custom_objects, lambda: identifiers.made_of(config, Layer, _table, "layer"))
