"""Settings of layers that may be changed at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..foundation import checks


class Setting:
    """A setting that may be set again once the layer is made: networks that have the layer are made anew then.

    It has no `__get__`, so that reading it takes the value from the layer's own attributes, without a call.

    Args:
        check: Of a value and a name: the value as the layer has it, or TypeError or ValueError.
    """

    def __init__(self, check: Callable[[Any, str], Any]) -> None:
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __set__(self, layer: Any, value: Any) -> None:
        checked = self._check(value, self._name)
        if "name" in vars(layer):
            layer._change(self._name, checked)
        else:  # it is being made
            vars(layer)[self._name] = checked


def number(interval: str) -> Any:
    """A setting that is a number in `interval`, as `checks.number` has it."""
    return Setting(lambda value, name: checks.number(value, name, interval))
