"""States that layers keep from batch to batch: which layers do, and when there are states of another size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from ..foundation import atomic


def stateful_in(layers: Iterable[Any]) -> list[Any]:
    """The layers that keep states of their own, among these and those within them, each once."""
    return [layer for layer in with_all_within(layers) if layer.keeps_states]


def with_all_within(layers: Iterable[Any]) -> list[Any]:
    """These layers and those within them, each once."""
    return list(_found(layers, set()))


def _found(layers: Iterable[Any], seen: set[int]) -> Iterator[Any]:
    for layer in layers:
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        yield from _found(layer._layers_within, seen)


def keep_for(layers: Iterable[Any], rows: int, dtype: str, fixed: int | None = None) -> None:
    """Have states for batches of `rows` samples in all that keep states; networks of other sizes are made anew.

    Args:
        fixed: The size that an input was given, or None.

    Raises:
        ValueError: there are states of batches of another size, and they are not those of the beginning.
    """
    found = stateful_in(layers)
    if not found:
        return
    if fixed not in (None, rows):
        raise ValueError(
            f"Layer {found[0].name!r} is stateful, and the Input says that a batch has {fixed} samples, but got one of "
            f"{rows}."
        )
    new = [layer for layer in found if layer._kept_rows != rows]
    for layer in new:
        layer._check_may_forget(rows)
    changes = [layer._keeping(rows, dtype) for layer in new]
    users = users_of(new)
    with contextlib.ExitStack() as held:
        for user in users:
            if not user._is_alone:
                held.enter_context(user._alone())
        atomic.apply_together([*changes, *(change for user in users for change in user._unlowered())])


def users_of(layers: Iterable[Any]) -> list[Any]:
    """The layers and models that these are part of, and they themselves."""
    users = list(layers)
    for user in users:
        users += [other for other in list(user._users) if other not in users]
    return users
