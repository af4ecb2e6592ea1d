"""What functions of random numbers have in common: seeds, and where they are called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..foundation import checks, draws
from ..foundation.arguments import explained
from ..foundation.seeds import Seed, SeedGenerator

if TYPE_CHECKING:
    from ..layers.trial import Trial

F = TypeVar("F", bound=Callable[..., Any])


def traced() -> Trial | None:
    """The `call` that is being traced here, if one is."""
    from ..layers.trial import current, is_calling

    return current() if is_calling() else None


def key_of(seed: Seed) -> int:
    """A seed as a number.

    Raises:
        TypeError, ValueError: another seed.
    """
    if seed is None:
        return draws.next_key()
    if not isinstance(seed, SeedGenerator):
        return checks.non_negative_int(seed, "seed", at_most=2**64 - 1)
    trial = traced()
    if trial is None:
        return seed.next()
    trial.noises += 1  # the same in each run of the call
    return seed.numbered(trial.noises)


def check_not_traced(function: str) -> None:
    """Raise TypeError where a `call` is being traced, for a function that makes an array."""
    if traced() is not None:
        raise TypeError(
            f"random.{function} makes an array, which in a call would be the same in each step. In a call there are "
            "random.normal, random.uniform, and random.dropout of symbolic tensors."
        )


def arrays_only(function: F) -> F:
    """The function, which makes arrays, and is refused in a `call`."""
    explaining = explained(function)

    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        check_not_traced(function.__name__)
        return explaining(*args, **named)

    return wrapper  # type: ignore[return-value]
