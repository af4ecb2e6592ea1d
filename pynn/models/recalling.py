"""Calls within a model that are made again by a function of the user's, with the arguments that programs write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import layers as layer_room
from ..data import nests
from ..foundation import checks
from ..layers.attending import Told
from ..layers.symbolic import SymbolicTensor
from .configuration import Call, Recording
from .part import Part


def by(call_function: Callable[..., Any]) -> Recording:
    """Makes calls by ``call_function(layer, *args, **kwargs)``."""

    def record(call: Call, inputs: list[SymbolicTensor], masks: list[SymbolicTensor | None]) -> Any:
        made = _made_by(call_function, call, inputs, masks)
        for y in nests.ends(made):
            if not isinstance(y, SymbolicTensor):
                raise TypeError(
                    f"call_function must return what a call of the layer does, symbolic tensors, but of layer "
                    f"{call.layer.name!r} it returned {checks.shown(y)} of type {type(y).__name__}."
                )
        return made

    return record


def _made_by(
    call_function: Callable[..., Any],
    call: Call,
    inputs: list[SymbolicTensor],
    masks: list[SymbolicTensor | None],
) -> Any:
    layer: Any = call.layer
    mode = {} if call.training is None else {"training": call.training}
    if layer._form is not None:
        arguments = {**layer._form.arguments(inputs, masks, call.settings), **mode}
        return layer._form.run(lambda *args, **named: call_function(layer, *args, **named), arguments)
    args, named = _arguments(layer, inputs, masks, call.settings)
    return call_function(layer, *args, **named, **mode)


def _arguments(
    layer: Any, inputs: list[SymbolicTensor], masks: list[SymbolicTensor | None], settings: Any
) -> tuple[list[Any], dict[str, Any]]:
    """How a layer of pynn's is called, but for `training`."""
    if isinstance(settings, Told):
        return _of_attention(layer, inputs, masks, settings)
    if isinstance(layer, Part):
        arrange = layer._require_layout().inputs.arrange
        return [arrange(inputs)], {"mask": arrange(masks)} if masks else {}
    if layer.takes_more and len(inputs) > 1:  # the input, and states
        return [inputs[0], inputs[1:]], {"mask": masks[0]} if masks else {}
    return [layer._as_taken(inputs)], {"mask": layer._as_taken(masks)} if masks else {}


def _of_attention(
    layer: Any, inputs: list[SymbolicTensor], masks: list[SymbolicTensor | None], told: Told
) -> tuple[list[Any], dict[str, Any]]:
    """How a layer of attention is called: those of several heads have each tensor by its name, the others a list."""
    flags = {name: value for name, value in told._asdict().items() if value is True}
    if isinstance(layer, layer_room.Attention | layer_room.AdditiveAttention):
        return [inputs], {"mask": masks, **flags} if masks else flags
    of_names = {f"{name}_mask": mask for name, mask in zip(told.inputs, masks, strict=False) if mask is not None}
    return [], {**dict(zip(told.inputs, inputs, strict=True)), **of_names, **flags}
