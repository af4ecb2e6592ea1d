"""Several changes as one step, which neither an interrupt nor another thread can cut in two.

Python looks for signals and lets other threads run between its own instructions only. So what is done within one call
of a C function that calls no Python code is done as a whole.
"""

from __future__ import annotations

import operator
import threading
from collections import deque
from collections.abc import Callable, Iterable, MutableSet
from functools import partial
from itertools import repeat
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


class Journal:
    """What a thread changes while it keeps this journal, to be taken back or to be done again."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._inverses: list[Change] = []

    def note(self, changes: Iterable[Change]) -> None:
        """Note changes that are to be made now."""
        for change in changes:
            self.changes.append(change)
            self._inverses.append(_inverse(change))

    def adopt(self, inner: Journal) -> None:
        """Note what is in another journal, and was changed already."""
        self.changes += inner.changes
        self._inverses += inner._inverses

    def take_back(self) -> None:
        """Make undone what was noted."""
        deque(map(_call, reversed(self._inverses)), maxlen=0)


_kept = threading.local()


def journal() -> Journal | None:
    """The journal that this thread keeps."""
    return getattr(_kept, "journal", None)


def keep_journal(of: Journal | None) -> None:
    """Keep another journal from now on, or none."""
    _kept.journal = of


def _nothing() -> None:
    """No change."""


def _inverse(change: Change) -> Change:
    """What takes back a change of this module that is not made yet; others stay."""
    if isinstance(change, Adding):
        return _nothing if change.value in change.to else partial(change.to.discard, change.value)
    if not isinstance(change, partial):
        return _nothing
    if change.func is object.__setattr__:
        thing, name, _ = change.args
        attributes = vars(thing)
    else:
        attributes, name = getattr(change.func, "__self__", None), change.args[0] if change.args else ""
        if not isinstance(attributes, dict):
            return _nothing
    if name in attributes:
        return partial(attributes.__setitem__, name, attributes[name])
    return partial(attributes.pop, name, None)


def apply_together(changes: list[Change]) -> None:
    """Make all the changes, as one."""
    kept = journal()
    if kept is not None:
        kept.note(changes)
    deque(map(_call, changes), maxlen=0)


def keep(kept: dict[Any, Any], key: object, value: object, most: int) -> None:
    """Keep a value as the newest of at most so many, in place of the oldest ones."""
    kept.pop(key, None)
    for oldest in list(kept)[: max(0, len(kept) + 1 - most)]:  # a list, as other threads may keep something meanwhile
        kept.pop(oldest, None)
    kept[key] = value


def extend_together(lists: list[list[Any]], values: list[list[Any]]) -> None:
    """Extend each list by its values."""
    deque(map(list.extend, lists, values), maxlen=0)


def assign_together(arrays: list[NDArray[Any]], values: Iterable[NDArray[Any]]) -> None:
    """Overwrite each array by values of its shape and type."""
    deque(map(_overwrite, arrays, repeat(...), values), maxlen=0)
