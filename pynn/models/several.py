"""Subclasses of `Model` whose `call` takes several arguments for what comes in: ``call(self, x, z, training=False)``.

Within the model these are a tuple.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..data import nests


def inputs_of(kind: type, call: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the arguments of a `call` for what comes in, and of those that keep a default.

    Raises:
        TypeError: it cannot go without a mask, or needs an argument by name.
    """
    known = [
        each
        for each in list(inspect.signature(call).parameters.values())[1:]
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) and each.name != "training"
    ]
    needed = [each for each in known if each.default is each.empty]
    for each in needed:
        if each.name == "mask":
            raise TypeError(
                f"The call of {kind.__name__} needs a mask, which that of a model is not given. Leave it out, or write "
                "a Layer with this call."
            )
        if each.kind is each.KEYWORD_ONLY:
            raise TypeError(
                f"The call of {kind.__name__} needs {each.name} by name, but the call of a model is given its inputs "
                "in their places. Write it before the *, or write a Layer with this call."
            )
    names = tuple(each.name for each in needed)
    optional = tuple(each.name for each in known if each not in needed and each.name != "mask")
    return (names, optional) if names else (optional[:1], optional[1:])


def not_taken(owner: str, names: Sequence[str], optional: Sequence[str]) -> TypeError:
    """The error where a model is given arguments of its call that keep a default."""
    return TypeError(
        f"Model {owner!r} is called on {', '.join(names)}, the arguments of its call that have no default. Beside "
        f"these it takes training and mask; {', '.join(optional)} of its call cannot be given. What comes in must be "
        "an argument of its call without a default."
    )


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
            "training and mask, by name. What comes in must be an argument of its call without a default."
        )
    return (*args, *(named[name] for name in names[len(args) :]))


def as_tuple(owner: str, names: Sequence[str], inputs: Any) -> tuple[Any, ...]:
    """The inputs, which come as a tuple, a list or a dict; TypeError unless they are those that the call takes."""
    if isinstance(inputs, dict) and set(names) <= set(inputs) and not nests.is_nested(inputs):
        return tuple(inputs[name] for name in names)
    if not isinstance(inputs, list | tuple) or len(inputs) != len(names):
        what = f"{len(inputs)} in a {type(inputs).__name__}" if isinstance(inputs, list | tuple | dict) else "one input"
        listed = ", ".join(names)
        raise TypeError(
            f"The call of model {owner!r} takes {listed}, but got {what}. Call the model on them, as model({listed}); "
            f"fit, evaluate and predict take them as a tuple, ({listed})."
        )
    return tuple(inputs)
