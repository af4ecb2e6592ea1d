"""Subclasses of `Model` whose `call` takes several arguments for what comes in: ``call(self, x, z, training=False)``.

Within the model these are a tuple.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def inputs_of(kind: type, call: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the arguments of a `call` for what comes in; TypeError where it cannot go without a mask."""
    needed = [
        each.name
        for each in list(inspect.signature(call).parameters.values())[1:]
        if each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if "mask" in needed:
        raise TypeError(
            f"The call of {kind.__name__} needs a mask, which that of a model is not given. Leave it out, or write a "
            "Layer with this call."
        )
    return tuple(name for name in needed if name != "training")


def gathered(owner: str, names: Sequence[str], args: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
    """The inputs of a call that was given the first of them in their places, and the others by name.

    Raises:
        TypeError: others than the call takes.
    """
    given = [*names[: len(args)], *named]
    if len(args) > len(names) or sorted(given) != sorted(names):
        got = f"{len(args)} in their places" if len(args) > len(names) else ", ".join(given) or "nothing"
        raise TypeError(
            f"Model {owner!r} is called on {', '.join(names)}, each once, but got {got}. Beside these it takes "
            "training and mask, by name."
        )
    return (*args, *(named[name] for name in names[len(args) :]))


def check_inputs(owner: str, names: Sequence[str], inputs: Any) -> None:
    """Raise TypeError unless the inputs are a tuple or list of as many as the call takes."""
    if not isinstance(inputs, list | tuple) or len(inputs) != len(names):
        what = f"{len(inputs)} in a {type(inputs).__name__}" if isinstance(inputs, list | tuple | dict) else "one input"
        listed = ", ".join(names)
        raise TypeError(
            f"The call of model {owner!r} takes {listed}, but got {what}. Call the model on them, as model({listed}); "
            f"fit, evaluate and predict take them as a tuple, ({listed})."
        )
