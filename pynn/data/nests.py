"""Lists, tuples and dicts within one another. A nest has at its ends the places that values have in a flat list."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def ends(value: Any) -> Iterator[Any]:
    """What is neither list, tuple nor dict, in the order of a model: that of a dict is the order of its keys."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list | tuple):
        for each in value:
            yield from ends(each)
    else:
        yield value


def is_nested(value: Any) -> bool:
    """Whether there are lists, tuples or dicts within others."""
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return any(isinstance(each, list | tuple | dict) for each in within)


def nest_of(value: Any) -> Any:
    """The nest of this form."""
    return _numbered(value, itertools.count())


def _numbered(value: Any, places: Iterator[int]) -> Any:
    if isinstance(value, dict):
        return {key: _numbered(value[key], places) for key in sorted(value)}
    if isinstance(value, list | tuple):
        found = [_numbered(each, places) for each in value]
        return tuple(found) if isinstance(value, tuple) else found
    return next(places)


def filled(nest: Any, values: Sequence[Any]) -> Any:
    """The values in the form of the nest."""
    if isinstance(nest, dict):
        return {key: filled(each, values) for key, each in nest.items()}
    if isinstance(nest, list | tuple):
        found = [filled(each, values) for each in nest]
        return tuple(found) if isinstance(nest, tuple) else found
    return values[nest]


def paths(nest: Any, name: str) -> list[str]:
    """What messages call each value, where the whole is called `name`."""
    if not isinstance(nest, list | tuple | dict):
        return [name]
    pairs = nest.items() if isinstance(nest, dict) else enumerate(nest)
    return [path for key, each in pairs for path in paths(each, f"{name}[{key!r}]")]


def keys(nest: Any, names: Sequence[str]) -> list[str]:
    """What logs call each value, as in Keras: the way to it, ``"a/1/dense"``, with its name in a list."""
    pairs = nest.items() if isinstance(nest, dict) else enumerate(nest)
    found: list[str] = []
    for key, each in pairs:
        if isinstance(each, list | tuple | dict):
            found += [f"{key}/{way}" for way in keys(each, names)]
        else:
            found.append(str(key) if isinstance(nest, dict) else names[each])
    return found


def is_like(nest: Any, values: Any) -> bool:
    """Whether `values`, too, have a list, tuple or dict within, where the nest has one: then they are no flat list."""
    if isinstance(nest, dict):
        return isinstance(values, Mapping) and any(_are_both_whole(each, values.get(key)) for key, each in nest.items())
    if not isinstance(values, list | tuple):
        return False
    return any(_are_both_whole(each, value) for each, value in zip(nest, values, strict=False))


def _are_both_whole(nest: Any, value: Any) -> bool:
    if isinstance(nest, dict):
        return isinstance(value, Mapping)
    return isinstance(nest, list | tuple) and isinstance(value, list | tuple)


def taken(nest: Any, values: Any, name: str) -> list[Any]:
    """The values one by one; TypeError or ValueError where they have not the form of the nest."""
    if isinstance(nest, dict):
        if not isinstance(values, Mapping):
            raise TypeError(f"{name} must be a dict with the keys {_listed(nest)}, but is a {type(values).__name__}.")
        if set(values) != set(nest):
            raise ValueError(f"{name} must be a dict with the keys {_listed(nest)}, but has {_listed(values)}.")
        pairs = [(key, each, values[key]) for key, each in nest.items()]
    elif isinstance(nest, list | tuple):
        if not isinstance(values, list | tuple):
            raise TypeError(f"{name} must be a list of {len(nest)} values, but is a {type(values).__name__}.")
        if len(values) != len(nest):
            raise ValueError(f"{name} must be a list of {len(nest)} values, but has {len(values)}.")
        pairs = [(place, each, values[place]) for place, each in enumerate(nest)]
    else:
        return [values]
    return [found for key, each, value in pairs for found in taken(each, value, f"{name}[{key!r}]")]


def _listed(keys: Any) -> str:
    return ", ".join(repr(key) for key in keys) or "none"
