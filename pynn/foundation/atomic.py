"""Several changes as one step, which neither an interrupt nor another thread can cut in two.

Python looks for signals and lets other threads run between its own instructions only. So what is done within one call
of a C function that calls no Python code is done as a whole.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable
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


def apply_together(changes: list[Change]) -> None:
    """Make all the changes, as one."""
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
