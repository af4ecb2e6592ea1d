"""Calls that ask for the length of an axis that may have any.

Such a call is run for each length that comes, and has it as a number. Where the length is open, only shapes are asked
for: the call is run for a few lengths then, and what differs has any length, too.
"""

from __future__ import annotations

import functools
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
# A length that is tried beside them, as what is cut off, `x[:, : min(length, 10)]`, is the same for all long ones.
_SHORT = 2


def run_open(layer: Any, run: Callable[[], T], run_for_lengths: Callable[[], T], spare: bool = False) -> T:
    """What a call makes of axes of any length. It must be on trial.

    It is run without the lengths first. If it asks for one, it does something else for each length, also where it takes
    None for an answer: ``length or 1``.

    Args:
        layer: The layer whose call it is.
        run: Runs it without the lengths.
        run_for_lengths: Finds out what it makes of all lengths, where it asks for one.
        spare: Whether what it makes without the lengths will do where that fails.
    """
    without = Trial(layer)
    without.phase = "call"
    try:
        found = without.run(run)
    except Exception:
        if not without.asked_for_length:
            raise
        running().asked_for_length = True
        return run_for_lengths()
    if without.asked_for_length:
        running().asked_for_length = True
        try:
            return run_for_lengths()
        except Exception:  # of any kind, as a call may refuse a length in its own way
            if not spare:
                raise
    without.join()
    return found


def run_for_some(layer: Any, shapes: Shapes, masks: Masks, run: Callable[[Shapes, Masks], T]) -> list[T]:
    """What a call makes of some lengths in place of those that are open: of two, and of a short one if it takes that.

    It must be on trial. All that is built is built for the first of them.
    """
    attempt, found = _of_first_pair(layer, shapes, masks, run)
    attempt.join()
    return [*found, *_of_short(layer, shapes, masks, run)]


def _of_first_pair(
    layer: Any, shapes: Shapes, masks: Masks, run: Callable[[Shapes, Masks], T]
) -> tuple[Trial, list[T]]:
    """What the call makes of the first pair of lengths that it takes; what it raised at first where it takes none."""
    failed: Exception | None = None
    try:
        for pair in _PAIRS:
            attempt = _trial_of_a_length(layer)
            try:
                return attempt, attempt.run(lambda pair=pair: [run(*_at(shapes, masks, length)) for length in pair])  # type: ignore[misc]
            except Exception as error:
                failed = failed or _explained(error, pair)
        assert failed is not None
        raise failed
    finally:
        failed = None  # its traceback has this frame: together they would keep the layer


def _of_short(layer: Any, shapes: Shapes, masks: Masks, run: Callable[[Shapes, Masks], T]) -> list[T]:
    """What the call makes of a short length; nothing where it does not take it. What it does is taken back."""
    try:
        return [_trial_of_a_length(layer).run(lambda: run(*_at(shapes, masks, _SHORT)))]
    except Exception:  # of any kind, as above
        return []


def _trial_of_a_length(layer: Any) -> Trial:
    trial = Trial(layer)
    trial.for_one_length = True
    return trial


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


def open_ends(found: Sequence[Sequence[OpenShape | None]]) -> list[Any]:
    """Shapes that came out like this for each length: any size where they differ; None where there is none."""
    return [functools.reduce(_opened, shapes) for shapes in zip(*found, strict=True)]


def _opened(one: OpenShape | None, other: OpenShape | None) -> OpenShape | None:
    return None if one is None or other is None else opened(one, other)


def open_limits(found: Sequence[Limits]) -> Limits:
    """Limits of ids for all lengths; what is computed with a length is left to the engine, which checks all ids."""
    one, *others = found
    return one if all(_is_same(one, other) for other in others) else one._replace(computed=Computed())


def _is_same(one: Limits, other: Limits) -> bool:
    steps = zip(one.computed.steps, other.computed.steps, strict=False)  # as many, if they are equal
    return one == other and all(_settings(a.function) == _settings(b.function) for a, b in steps)


def _settings(function: Callable[..., Any]) -> Any:
    layer: Any = getattr(function, "__self__", None)
    return function if layer is None else {**layer.get_config(), "name": type(layer)}


def open_layers(found: Sequence[Sequence[Draft]]) -> None:
    """Let layers that were built for the first length, and took the others as well, be built for any.

    They must be on trial.

    Args:
        found: For each length the drafts of the layers of a call. There may be more for one length than for another, as
            a call may use layers as often as an axis is long. Only those in the same places are compared.
    """
    for one, *others in zip(*found, strict=False):
        shapes = [_listed(each.shape) for each in (one, *others) if each.layer is one.layer]
        shapes = [each for each in shapes if _ranks(each) == _ranks(shapes[0])]
        if any(shape != shapes[0] for shape in shapes):
            running().touch(one.layer)
            opening = open_ends(shapes)
            one.layer._reopen(one.shape, opening if isinstance(one.shape, list) else opening[0])


def _ranks(shapes: Sequence[OpenShape]) -> list[int]:
    return [len(shape) for shape in shapes]


def _listed(shape: OpenShapes) -> list[OpenShape]:
    return shape if isinstance(shape, list) else [shape]
