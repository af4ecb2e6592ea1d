"""How the layers of a model are used, for pictures of it."""

from __future__ import annotations

from typing import NamedTuple

from ..data.layout import OpenShape
from ..layers.base import Layer
from ..layers.wiring import drafts_of
from .model import Model


class Use(NamedTuple):
    """An input of a model, or one use of a layer."""

    name: str
    layer: Layer | None  # None: an input
    sources: tuple[int, ...]  # the uses whose outputs go in, by number
    shapes: tuple[OpenShape, ...] | None  # of a sample of each output; None: not known yet


def uses_of(model: Model) -> list[Use]:
    """The inputs of a model, then the uses of its layers, in an order in which they can run.

    Raises:
        NotBuiltError: a model that does not know yet how its layers are connected.
    """
    layout, wiring = model._state.layout, model._state.wiring
    if wiring is None:
        layout, wiring = model._require_layout(), model._wiring
    names = ["input"] * len(wiring.inputs) if layout is None else layout.inputs.names
    shapes = None if layout is None else layout.input_shapes
    found = [Use(name, None, (), None if shapes is None else (shapes[number],)) for number, name in enumerate(names)]
    made = {x: number for number, x in enumerate(wiring.inputs)}
    drafts = None if layout is None else drafts_of(wiring, layout.input_shapes, layout.dtype)[0]
    for number, step in enumerate(wiring.steps):
        outputs = None if drafts is None else tuple(drafts[number].outputs)
        sources = tuple(dict.fromkeys(made[x] for x in step.inputs))
        made.update(dict.fromkeys(step.outputs, len(found)))
        found.append(Use(step.layer.name, step.layer, sources, outputs))
    return found
