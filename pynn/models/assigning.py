"""The last step where weights come from elsewhere: all are overwritten as one, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..foundation import atomic
from ..layers.weight import Weight
from .connected import Connected

Array = NDArray[Any]


def overwrite(model: Connected, values: Sequence[tuple[Weight, Array]]) -> None:
    """Overwrite weights of a model by arrays of their shapes.

    Raises:
        TypeError, ValueError: values of another kind or shape; nothing is changed then. RuntimeError: another thread is
            training the model.
    """
    with contextlib.ExitStack() as stack:
        if not model._lock.is_held_here:
            stack.enter_context(model._alone())
        checked = [weight._checked(array) for weight, array in values]
        for weight, _ in values:
            weight.draw()
        atomic.assign_together([weight._array for weight, _ in values], checked)


def listed(problems: dict[str, list[str]], most: int = 20) -> str:
    """What does not match, as a message has it; empty where all does."""
    lines = []
    for what, each in problems.items():
        if each:
            more = f"\n    and {len(each) - most} more" if len(each) > most else ""
            lines.append(f"\n  {what}:" + "".join(f"\n    {line}" for line in each[:most]) + more)
    return "".join(lines)
