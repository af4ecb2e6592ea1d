"""Calls that ask for the length of an axis that may have any.

Such a call is run for each length that comes, and has it as a number. Where the length is open, only shapes are asked
for: the call is run for two lengths then, and what differs has any length, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..data.layout import OpenShape
from ..data.limits import Computed, Limits
from .building import Draft
from .drafting import closed, closed_mask, opened
from .trial import Trial, running
from .types import Masks, OpenShapes

T = TypeVar("T")
Shapes = tuple[OpenShape, ...]

# Pairs of lengths that stand for one that is not known. The first that a call takes says what it makes: windows may be
# longer than some, and tables of positions shorter than others.
_PAIRS = ((24, 48), (240, 480), (4, 8), (2, 3))


def for_two(layer: Any, shapes: Shapes, masks: Masks, run: Callable[[Shapes, Masks], T]) -> tuple[T, T]:
    """What a call makes of two lengths in place of those that are open. It must be on trial."""
    failed: Exception | None = None
    for pair in _PAIRS:
        attempt = Trial(layer)
        one, other = (_at(shapes, masks, length) for length in pair)
        try:
            found = attempt.run(lambda one=one, other=other: (run(*one), run(*other)))  # type: ignore[misc]
        except Exception as error:
            failed = failed or _explained(error, pair)
            continue
        attempt.join()
        return found
    assert failed is not None
    raise failed


def _at(shapes: Shapes, masks: Masks, length: int) -> tuple[Shapes, Masks]:
    return (
        tuple(closed(shape, length) for shape in shapes),
        tuple(closed_mask(mask, length) for mask in masks),
    )


def _explained(error: Exception, pair: tuple[int, int]) -> Exception:
    if type(error) not in (TypeError, ValueError):
        return error
    text = f"{error} (The call was tried with axes of length {pair[0]} and {pair[1]} where they may have any.)"
    return type(error)(text).with_traceback(error.__traceback__)


def open_ends(ones: Sequence[OpenShape | None], others: Sequence[OpenShape | None]) -> list[Any]:
    """Shapes that came out as `ones` for one length and as `others` for the other; None where there is none."""
    return [
        None if one is None or other is None else opened(one, other) for one, other in zip(ones, others, strict=True)
    ]


def open_limits(one: Limits, other: Limits) -> Limits:
    """Limits of ids for all lengths; what is computed with a length is left to the engine, which checks all ids."""
    steps = [*zip(one.computed.steps, other.computed.steps, strict=False)]
    same = one == other and all(_settings(a.function) == _settings(b.function) for a, b in steps)
    return one if same else one._replace(computed=Computed())


def _settings(function: Callable[..., Any]) -> Any:
    layer: Any = getattr(function, "__self__", None)
    return function if layer is None else {**layer.get_config(), "name": type(layer)}


def open_layers(ones: Sequence[Draft], others: Sequence[Draft]) -> None:
    """Let layers that were built for one length, and took the other as well, be built for any. They must be on trial.

    Args:
        ones, others: The drafts of the layers of a call, for both lengths.
    """
    for one, other in zip(ones, others, strict=False):
        layer = one.layer
        if other.layer is layer and one.shape != other.shape:
            running().touch(layer)
            found = open_ends(_listed(one.shape), _listed(other.shape))
            layer._reopen(one.shape, found if isinstance(one.shape, list) else found[0])


def _listed(shape: OpenShapes) -> list[OpenShape]:
    return shape if isinstance(shape, list) else [shape]
