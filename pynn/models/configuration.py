"""Models as plain values and back: what `get_config` of a network of tensors says, and how one is made from it.

A tensor is written ``[layer, call, output]``: the layer's name, which call of it, and which output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import layers as layer_room
from ..data.layout import Layout
from ..layers.base import Layer
from ..layers.core import InputLayer
from ..layers.symbolic import SymbolicTensor
from .wiring import Wiring

Reference = list[Any]  # [layer, call, output]


def of_wiring(wiring: Wiring, layout: Layout) -> dict[str, Any]:
    """The layers with all their calls, and which tensors are inputs and outputs."""
    references: dict[int, Reference] = {}
    calls: dict[Layer, list[dict[str, Any]]] = {layer: [] for layer in wiring.layers}
    sources = [layer for layer in wiring.layers if isinstance(layer, InputLayer)]
    described: list[dict[str, Any]] = []
    for x, port in zip(wiring.inputs, layout.inputs.ports, strict=True):
        references[x] = [port.name, 0, 0]
        if all(layer.name != port.name for layer in sources):  # the input is a tensor that another layer made
            dtype = "int32" if port.below else layout.dtype
            settings: dict[str, Any] = {"shape": port.shape, "dtype": dtype, "name": port.name}
            described.append({"class_name": "InputLayer", "config": settings, "name": port.name, "inbound_nodes": []})
    for step in wiring.steps:
        for index, y in enumerate(step.outputs):
            references[y] = [step.layer.name, len(calls[step.layer]), index]
        arguments = {} if step.training is None else {"training": step.training}
        calls[step.layer].append({"args": [references[x] for x in step.inputs], "kwargs": arguments})
    for layer in wiring.layers:
        found = layer_room.serialize(layer)
        if isinstance(layer, InputLayer) and not layer.holds_ids:  # it says the type of the layers after it
            found["config"]["dtype"] = layer.dtype
        described.append({**found, "name": layer.name, "inbound_nodes": calls[layer]})
    return {
        "layers": described,
        "input_layers": layout.inputs.arrange([references[x] for x in wiring.inputs]),
        "output_layers": layout.outputs.arrange([references[y] for y in wiring.outputs]),
    }


def tensors_of(config: dict[str, Any], make: Callable[[dict[str, Any]], Layer]) -> tuple[Any, Any]:
    """The symbolic inputs and outputs that a configuration describes; `make` makes the layers.

    Raises:
        ValueError: another form of configuration, or a tensor that no layer makes.
    """
    made: dict[tuple[str, int, int], SymbolicTensor] = {}
    waiting: list[tuple[Layer, int, dict[str, Any]]] = []
    for each in config["layers"]:
        layer = make({"class_name": each["class_name"], "config": each["config"]})
        if isinstance(layer, InputLayer):
            made[each["name"], 0, 0] = layer.tensor()
        waiting += [(layer, number, call) for number, call in enumerate(each["inbound_nodes"])]
    while waiting:
        left = []
        for layer, number, call in waiting:
            keys = [_key(reference) for reference in call["args"]]
            if all(key in made for key in keys) and (number == 0 or (layer.name, number - 1, 0) in made):
                outputs = layer._record([made[key] for key in keys], call["kwargs"].get("training"))
                for index, y in enumerate(_flat(outputs)):
                    made[layer.name, number, index] = y
            else:
                left.append((layer, number, call))
        if len(left) == len(waiting):
            raise ValueError(f"config has layers whose inputs no layer makes: {left[0][0].name!r} is one.")
        waiting = left
    return _found(config["input_layers"], made), _found(config["output_layers"], made)


def _key(reference: Any) -> tuple[str, int, int]:
    name, call, output = reference
    return name, call, output


def _flat(outputs: Any) -> list[SymbolicTensor]:
    if isinstance(outputs, dict):
        return list(outputs.values())
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _found(references: Any, made: dict[tuple[str, int, int], SymbolicTensor]) -> Any:
    """The tensors, in the form in which the references come."""
    if isinstance(references, dict):
        return {key: _found(each, made) for key, each in references.items()}
    if isinstance(references[0], str):
        key = _key(references)
        if key not in made:
            raise ValueError(f"config names the tensor {list(key)}, which no layer makes.")
        return made[key]
    return type(references)(_found(each, made) for each in references)
