"""Names that are imported when they are first used (PEP 562), so that ``import pynn`` reads what every program needs.

A package has one table of its modules and of the names in each:

    _MODULES = {"core": "Activation Dense", "pooling": "MaxPooling2D"}
    __getattr__ = lazy.attributes(__name__, _MODULES, "layer")

Type checkers cannot read the table: they get ordinary imports under ``if TYPE_CHECKING``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from . import not_yet

T = TypeVar("T")


def names(modules: Mapping[str, str]) -> list[str]:
    """The names of a table, module by module."""
    return [name for each in modules.values() for name in each.split()]


def places(package: str, modules: Mapping[str, str]) -> dict[str, str]:
    """Where the names of a table are: ``{"Dense": "pynn.layers.core:Dense"}``."""
    return {name: f"{package}.{module}:{name}" for module, each in modules.items() for name in each.split()}


def found(place: str) -> Any:
    """What is at a place, which is imported if need be."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def attributes(package: str, modules: Mapping[str, str], kind: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package: imports one of the modules, or a name from it, and keeps it.

    Args:
        package: The name of the package.
        modules: The table: for each module of the package its names, with spaces between them.
        kind: What the names stand for, such as "layer". See `not_yet.attribute_of`.
    """
    where = places(package, modules)
    missing = not_yet.attribute_of(package, kind)

    def attribute(name: str) -> Any:
        if name in where:
            value = found(where[name])
        elif name in modules:
            value = importlib.import_module(f"{package}.{name}")
        else:
            return missing(name)
        setattr(sys.modules[package], name, value)
        return value

    return attribute


class Table(Mapping[str, T]):
    """Things by the names that users and configurations have for them; each is imported when it is looked up.

    Args:
        places: Where the thing of each name is, as `places` has it.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> T:
        thing: T = found(self._places[name])
        return thing

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
