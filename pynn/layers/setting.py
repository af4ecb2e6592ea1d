"""Settings of layers that may be changed at any time."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from ..foundation import checks
from .trial import current


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
            _change(layer, self._name, checked)
        else:  # it is being made
            vars(layer)[self._name] = checked


def number(interval: str) -> Any:
    """A setting that is a number in `interval`, as `checks.number` has it."""
    return Setting(lambda value, name: checks.number(value, name, interval))


def _change(layer: Any, name: str, value: Any) -> None:
    """Change a setting of a layer that is made.

    Raises:
        ValueError: one with which the layer does not take its input, or makes something of another shape of it.
        RuntimeError: a model that has the layer is being trained.
    """
    trial = current()
    if trial is not None:
        trial.touch(layer)
    if layer._extended is not None:
        _change(layer._extended, name, value)
    elif layer._built is not None:
        _check_change(layer, name, value)
    layer._restructure([partial(operator.setitem, vars(layer), name, value)])


def _check_change(layer: Any, name: str, value: Any) -> None:
    shape, before = layer._require_built().shape, vars(layer)[name]
    output = layer.draft(shape, layer.dtype).output
    try:
        vars(layer)[name] = value
        after = layer.draft(shape, layer.dtype).output
    finally:
        vars(layer)[name] = before
    if after != output:
        raise layer._shape_error(
            f"cannot have {name}={checks.shown(value)} from now on: it would make samples of shape {after}, not of "
            f"{output}. Make a new layer."
        )
