"""Whether a gradient can pass from the losses to all weights that are to be trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..data.layout import OpenShape
from ..layers.wiring import Wiring, drafts_of


def is_everywhere(wiring: Wiring) -> bool:
    """Whether all functions in the network have a gradient; False also where that is not known."""
    for layer in wiring.layers:
        if layer.activation is not None and not layer.activation.differentiable:
            return False
        inner = layer._wirings if layer.wired else ()
        if not all(map(is_everywhere, inner)):
            return False
    return True


def check(
    wiring: Wiring,
    shapes: Sequence[OpenShape],
    dtype: str,
    fused: Mapping[int, str | None],
    learning: Collection[int] = (),
    owner: str = "",
) -> set[int]:
    """The tensors below which there are weights to train; ValueError where a function without gradient is above these.

    Args:
        wiring: The network.
        shapes: Of samples of its inputs.
        dtype: Its number type.
        fused: By tensor, the name of the activation that a loss takes along, which needs no gradient then.
        learning: The inputs below which there are weights to train.
        owner: The name of the layer that the operators among the layers belong to.
    """
    learns = set(learning)
    for step, draft in zip(wiring.steps, drafts_of(wiring, shapes, dtype).drafts, strict=True):
        layer: Any = step.layer
        below = any(x in learns for x in step.inputs)
        given = tuple(draft.shape) if isinstance(draft.shape, list) else (draft.shape,)
        inner = layer._use(step.settings)._wiring_at(given, dtype) if layer.wired and layer._wirings else None
        if inner is not None and len(inner.inputs) == len(given):  # and has no inputs that are masks
            starts = {x for x, outer in zip(inner.inputs, step.inputs, strict=False) if outer in learns}
            ends = {y: fused.get(outer) for y, outer in zip(inner.outputs, step.outputs, strict=False)}
            found = check(inner, given, dtype, ends, starts, layer.name)
            learns.update(outer for y, outer in zip(inner.outputs, step.outputs, strict=False) if y in found)
            continue
        trainable = [spec.trainable and layer.trainable for spec in draft.specs] or [w.trainable for w in layer.weights]
        if not (below or any(trainable)):
            continue
        if layer.stops_gradients:
            continue
        learns.update(step.outputs)
        if layer.activation is None:
            continue
        taken_along = fused.get(step.outputs[0]) if layer.activity_regularizer is None else None
        if layer.activation.name != taken_along:
            name = owner if owner and layer.is_operation else layer.name
            layer.activation.check_differentiable(f"Layer {name!r}: ")
    return learns
