"""Below what the ids must be that a model, or a layer with a `call`, is given: found from the layers that read them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..data.limits import ANY_ID, Computed, IdStep, Limits
from .building import Draft
from .wiring import Layer, Step, Wiring


class _Ids(NamedTuple):
    """A tensor that is an input, a part of some, or computed of them."""

    array: int  # as `Computed` numbers it
    inputs: frozenset[int]  # the tensors that it is made of
    whole: bool  # whether it is all of one input, as it is


def limits_of(wiring: Wiring, own: Sequence[int | None], drafts: Sequence[Draft] = ()) -> Limits:
    """Below what the ids of the inputs must be, and those that are computed of them.

    An input takes ids where it is one of whole numbers, or where all that read it are embeddings. What it says itself
    is in `own`: None that it has numbers, 0 that embeddings say below what its whole numbers are.
    The `drafts` are those of the layers, in the order of the steps; there may be none where all models are built.

    Raises:
        ValueError: an input of numbers that is read both as ids and as numbers.
    """
    count = len(wiring.inputs)
    found = {x: _Ids(place, frozenset([x]), True) for place, x in enumerate(wiring.inputs)}
    readers: dict[int, list[tuple[int, Layer]]] = {x: [] for x in wiring.inputs}
    steps, computed = list[IdStep](), list[tuple[int, int]]()
    for step, draft in itertools.zip_longest(wiring.steps, drafts):
        layer = step.layer
        if (layer.keeps_ids or layer.takes_part) and step.inputs and all(x in found for x in step.inputs):
            of = [found[x] for x in step.inputs]
            whole = not layer.takes_part and of[0].whole
            made = _Ids(count + len(steps), frozenset().union(*(each.inputs for each in of)), whole)
            steps.append(IdStep(layer._part_of, tuple(each.array for each in of)))
            found[step.outputs[0]] = made
            continue
        wanted = _limits_of_step(step, draft)
        for x, below in zip(step.inputs, wanted.each, strict=True):
            if x not in found:
                continue
            if below and not found[x].whole:
                computed.append((found[x].array, below))
                below = ANY_ID
            for each in found[x].inputs:
                readers[each].append((below, layer))
        # What the layer computes itself, of ids alone: `array` is what it has in place of its own numbers.
        array = {place: found[x].array for place, x in enumerate(step.inputs) if x in found}
        for place, inner in enumerate(wanted.computed.steps, len(step.inputs)):
            if all(each in array for each in inner.of):
                array[place] = count + len(steps)
                steps.append(IdStep(inner.function, tuple(array[each] for each in inner.of)))
        computed += [(array[number], below) for number, below in wanted.computed.limits if number in array]
    limits = []
    for x, limit in zip(wiring.inputs, own, strict=True):
        ids = [(below, layer) for below, layer in readers[x] if below]
        others = [layer.name for below, layer in readers[x] if not below]
        if ids and others and limit is None:
            raise ValueError(
                f"An input is read as ids by layer {ids[0][1].name!r} and as numbers by {others[0]!r}. "
                'Make it one of whole numbers: Input(..., dtype="int32"), or give the ids an Input of their own.'
            )
        limits.append(min([*(below for below, _ in ids), *([limit] if limit else [])], default=0))
    return Limits(tuple(limits), Computed(tuple(steps), tuple(computed)).needed(count))


def _limits_of_step(step: Step, draft: Draft | None) -> Limits:
    """Below what the ids must be that a layer reads."""
    layer: Any = step.layer
    if draft is not None and draft.layout is not None:
        return draft.layout.inputs.limits
    if draft is not None and draft.limits is not None:
        return draft.limits
    if layer.wired:
        limits: Limits = layer._use(step.settings)._input_limits()
        return limits
    return Limits((layer.ids_below,) * len(step.inputs))
