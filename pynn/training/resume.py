"""What a backup of a run holds: the model's state, where the run is, and what the callbacks know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..callbacks import BackupAndRestore, Callback, CallbackList

Arrays = dict[str, NDArray[Any]]


def pack(state: Mapping[str, Any], prefix: str, arrays: Arrays) -> dict[str, Any]:
    """The values of a callback's state, fit for JSON; numbers that must keep their bits go to `arrays`.

    Raises:
        TypeError: a value of another kind than those that `Callback.get_state` names.
    """
    packed: dict[str, Any] = {}
    for name, value in state.items():
        key = f"{prefix}/{name}"
        if value is None or isinstance(value, bool | int | str):
            packed[name] = ["plain", value]
        elif isinstance(value, float | np.ndarray | np.generic):
            arrays[key] = np.array(value)
            packed[name] = ["float" if isinstance(value, float) else "array" if np.ndim(value) else "number"]
        elif isinstance(value, list) and all(isinstance(each, float) for each in value):
            arrays[key] = np.array(value, np.float64)
            packed[name] = ["floats"]
        elif isinstance(value, list):
            inner = {str(number): each for number, each in enumerate(value)}
            packed[name] = ["list", pack(inner, key, arrays)]
        else:
            raise TypeError(f"The state has {key}, a {type(value).__name__}, which no file can keep.")
    return packed


def unpack(packed: Mapping[str, Any], prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """What `pack` was given."""
    state: dict[str, Any] = {}
    for name, (kind, *more) in packed.items():
        key = f"{prefix}/{name}"
        if kind == "plain":
            state[name] = more[0]
        elif kind == "list":
            state[name] = list(unpack(more[0], key, arrays).values())
        elif kind == "floats":
            state[name] = arrays[key].tolist()
        else:
            array = arrays[key]
            state[name] = float(array) if kind == "float" else array[()] if kind == "number" else array
    return state


def state_of(callbacks: Any) -> Arrays:
    """The states of callbacks as arrays, behind those of a model: ``callbacks/0/EarlyStopping/best``, and what is no
    number as a text, ``callbacks/0/EarlyStopping``, of JSON."""
    arrays: Arrays = {}
    own = CallbackList(callbacks).callbacks
    for each, (number, (_, packed)) in zip(_kept(own), enumerate(of_callbacks(own, arrays)), strict=True):
        arrays[_key(number, each)] = np.array(json.dumps(packed))
    return arrays


def restoring_of(callbacks: Any, state: Mapping[str, NDArray[Any]]) -> Callable[[], None]:
    """What gives callbacks the states that `state_of` gave; ValueError if they are not those that it is of."""
    own, found = CallbackList(callbacks).callbacks, []
    for number, each in enumerate(_kept(own)):
        key = _key(number, each)
        if key not in state:
            raise ValueError(f"state has no {key!r}: it is of other callbacks, or was taken without them.")
        found.append([type(each).__name__, json.loads(str(state[key]))])
    return restoring(own, found, dict(state))


def below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def of_callbacks(callbacks: list[Callback], arrays: Arrays) -> list[Any]:
    """The class and the state of each callback."""
    return [
        [type(each).__name__, pack(each.get_state(), _key(number, each), arrays)]
        for number, each in enumerate(_kept(callbacks))
    ]


def restoring(callbacks: list[Callback], found: list[Any], arrays: Arrays) -> Callable[[], None]:
    """What gives the callbacks their state; ValueError if they are not those that it is of."""
    own = _kept(callbacks)
    if [type(each).__name__ for each in own] != [name for name, _ in found]:
        raise ValueError(f"it is of a run with the callbacks {', '.join(name for name, _ in found)}.")
    states = [
        unpack(packed, _key(number, each), arrays)
        for number, (each, (_, packed)) in enumerate(zip(own, found, strict=True))
    ]

    def restore() -> None:
        for callback, state in zip(own, states, strict=True):
            callback.set_state(state)

    return restore


def _kept(callbacks: list[Callback]) -> list[Callback]:
    return [each for each in callbacks if not isinstance(each, BackupAndRestore)]


def _key(number: int, callback: Callback) -> str:
    return f"callbacks/{number}/{type(callback).__name__}"
