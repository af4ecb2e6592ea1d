"""Several changes as one step, which neither an interrupt nor another thread can cut in two.

Python looks for signals and lets other threads run between its own instructions only. So what is done within one call
of a C function that calls no Python code is done as a whole.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Container, Iterable, MutableSet
from functools import partial
from itertools import chain, repeat
from typing import Any, TypeAlias

from numpy.typing import NDArray

Change: TypeAlias = Callable[[], object]

_call = operator.methodcaller("__call__")
_overwrite: Callable[..., None] = operator.setitem


def setting(thing: object, name: str, value: object) -> Change:
    """The change that sets an attribute."""
    return partial(object.__setattr__, thing, name, value)


def first_setting(thing: object, name: str, value: object) -> Change:
    """The change that sets an attribute unless another thread was first; its class may have a default."""
    return partial(thing.__dict__.setdefault, name, value)


def calling(function: Callable[..., object], *arguments: object) -> Change:
    """The change that a function of C makes, as a whole or, where it raises, not at all: it comes first."""
    return partial(function, *arguments)


def assigning(array: NDArray[Any], value: NDArray[Any]) -> Change:
    """The change that overwrites an array by values of its shape and type."""
    return partial(_overwrite, array, ..., value)


class Adding:
    """The change that adds to a set. One that is written in Python may be cut in two: such changes come first."""

    def __init__(self, to: MutableSet[Any], value: object) -> None:
        self.to, self.value = to, value

    def __call__(self) -> None:
        self.to.add(self.value)


def doing_first(thing: object, name: str, changes: list[Change]) -> list[Change]:
    """The changes that keep `changes` as an attribute and make them; where there are some already, those once more.

    So of several threads that do the like, all do what the first one did.
    """
    kept = chain.from_iterable(map(thing.__dict__.__getitem__, (name,)))  # asked for when it is needed
    return [first_setting(thing, name, changes), partial(deque, map(_call, kept), 0)]


def in_order(changes: Iterable[Change]) -> list[Change]:
    """The changes, those first that may be cut in two."""
    return sorted(changes, key=lambda change: not isinstance(change, Adding))


def apply_together(changes: list[Change]) -> None:
    """Make all the changes, as one."""
    deque(map(_call, changes), maxlen=0)


def keep(kept: dict[Any, Any], key: object, value: object, most: int, spared: Container[Any] = ()) -> None:
    """Keep a value as the newest of at most so many, in place of the oldest ones, but not of those that are spared."""
    kept.pop(key, None)
    # Lists, as other threads may keep something meanwhile.
    for oldest in [each for each in list(kept) if each not in spared][: max(0, len(kept) + 1 - most)]:
        kept.pop(oldest, None)
    kept[key] = value


def extend_together(lists: list[list[Any]], values: list[list[Any]]) -> None:
    """Extend each list by its values."""
    deque(map(list.extend, lists, values), maxlen=0)


def assign_together(arrays: list[NDArray[Any]], values: Iterable[NDArray[Any]]) -> None:
    """Overwrite each array by values of its shape and type."""
    deque(map(_overwrite, arrays, repeat(...), values), maxlen=0)
