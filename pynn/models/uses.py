"""How the layers of a model are used, for pictures of it."""

from __future__ import annotations

from typing import NamedTuple

from ..data.layout import Layout, OpenShape
from ..layers.base import Layer
from ..layers.wiring import Wiring, drafts_of
from .model import Model


class Use(NamedTuple):
    """An input of a model, or one use of a layer."""

    name: str
    layer: Layer | None  # None: an input
    sources: tuple[int, ...]  # the uses whose outputs go in, by number
    shapes: tuple[OpenShape, ...] | None  # of a sample of each output; None: not known yet
    dtype: str | None  # the number type of what comes out; None: not known yet


def uses_of(model: Model, nested: bool = False) -> list[Use]:
    """The inputs of a model, then the uses of its layers, in an order in which they can run.

    Args:
        model: The model.
        nested: Whether a model within stands as the uses of its layers, if it knows how these are connected.

    Raises:
        NotBuiltError: a model that does not know yet how its layers are connected.
    """
    layout, wiring = model._state.layout, model._state.wiring
    if wiring is None:
        layout, wiring = model._require_layout(), model._wiring
    if layout is None:
        found = [Use("input", None, (), None, None) for _ in wiring.inputs]
    else:
        found = [
            Use(port.name, None, (), (shape,), "int32" if port.below else layout.dtype)
            for port, shape in zip(layout.inputs.ports, layout.input_shapes, strict=True)
        ]
    _add(found, wiring, layout, {x: number for number, x in enumerate(wiring.inputs)}, nested)
    return found


def _add(found: list[Use], wiring: Wiring, layout: Layout | None, made: dict[int, int], nested: bool) -> None:
    """Append the uses of a wiring's layers; `made` has the use that makes each tensor, by number, and gets theirs."""
    drafts = None if layout is None else drafts_of(wiring, layout.input_shapes, layout.dtype)[0]
    for number, step in enumerate(wiring.steps):
        inner = step.layer._state if nested and isinstance(step.layer, Model) else None
        if inner is not None and inner.wiring is not None:
            inside = {x: made[y] for x, y in zip(inner.wiring.inputs, step.inputs, strict=True)}
            _add(found, inner.wiring, inner.layout, inside, nested)
            made.update((y, inside[x]) for x, y in zip(inner.wiring.outputs, step.outputs, strict=True))
            continue
        outputs = None if drafts is None else tuple(drafts[number].outputs)
        sources = tuple(dict.fromkeys(made[x] for x in step.inputs))
        made.update(dict.fromkeys(step.outputs, len(found)))
        found.append(Use(step.layer.name, step.layer, sources, outputs, step.layer.dtype))
