"""Models as plain values and back: what `get_config` of a network of tensors says, and how one is made from it.

A tensor is written ``[layer, call, output]``: the layer's name, which call of it, and which output.
"""

from __future__ import annotations

import contextvars
from collections import Counter
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple, TypeAlias, TypeVar

from .. import layers as layer_room
from ..data import nests
from ..data.layout import Layout
from ..foundation import checks
from ..layers.base import Layer
from ..layers.core import InputLayer
from ..layers.symbolic import SymbolicTensor
from ..layers.wiring import Wiring
from .wired import Wired

T = TypeVar("T")

Reference = list[Any]  # [layer, call, output]
Key: TypeAlias = tuple[str, int, int]  # the same, hashable

# What the entries of a configuration hold.
_LAYER = {"class_name": str, "config": dict, "name": str, "inbound_nodes": list | tuple}
_NODE = {"args": list | tuple, "kwargs": dict}

# While a model describes itself: the numbers of layers that it holds in several places, as parts of it share them.
_numbers: contextvars.ContextVar[dict[Layer, int] | None] = contextvars.ContextVar("numbers", default=None)
# While a model is made of a description: the layers of these numbers.
_made: contextvars.ContextVar[dict[int, Layer] | None] = contextvars.ContextVar("made", default=None)


class Call(NamedTuple):
    """One use of a layer, as a configuration says it."""

    name: str  # that of the layer in the configuration: the one that was made may have another
    layer: Layer
    number: int
    inputs: list[Key]
    training: bool | None
    masks: list[Key | None]  # that the call was given; empty: none
    settings: Any  # what the call said beside tensors


# Makes a layer of its configuration.
Make: TypeAlias = Callable[[dict[str, Any]], Layer]
# Makes a call on these tensors, and masks of them.
Recording: TypeAlias = Callable[[Call, list[SymbolicTensor], list[SymbolicTensor | None]], Any]


def as_said(call: Call, inputs: list[SymbolicTensor], masks: list[SymbolicTensor | None]) -> Any:
    """What a call as the configuration says it makes of these tensors."""
    return call.layer._record(inputs, call.training, masks, call.settings)


class Making(NamedTuple):
    """How a model is made of its configuration."""

    layer: Make = layer_room.deserialize
    call: Recording = as_said
    inputs: list[SymbolicTensor] | None = None  # in place of the inputs that it says


AS_DESCRIBED = Making()


def writing(model: Layer, make: Callable[[], T]) -> T:
    """What `make` returns, a description of the model or of one within it."""
    if _numbers.get() is not None:
        return make()
    several = [layer for layer, count in Counter(places(model)).items() if count > 1]
    context = contextvars.copy_context()
    context.run(_numbers.set, {layer: number for number, layer in enumerate(several, 1)})
    return context.run(make)


def places(model: Any) -> Iterator[Layer]:
    """The layers of a model and of those within, as often as they are there."""
    for layer in model._parts:
        yield layer
        if isinstance(layer, Wired) and not layer._made_by_arguments():
            yield from places(layer)


def of_layer(layer: Layer) -> dict[str, Any]:
    """The configuration of a layer within a model; one that is there in several places has a ``shared_object_id``."""
    number = (_numbers.get() or {}).get(layer)
    return {**layer_room.serialize(layer), **({} if number is None else {"shared_object_id": number})}


def reading(make: Callable[[], T]) -> T:
    """What `make` returns, a model that is made of a description or one within it."""
    if _made.get() is not None:
        return make()
    context = contextvars.copy_context()
    context.run(_made.set, {})
    return context.run(make)


def layer_of(config: dict[str, Any], make: Make) -> Layer:
    """The layer of a configuration within that of a model: one of a ``shared_object_id`` is made once."""
    number, made = config.get("shared_object_id") if isinstance(config, dict) else None, _made.get()
    if type(number) is not int or made is None:
        return make(config)
    if number not in made:
        made[number] = make(config)
    return made[number]


def of_wiring(wiring: Wiring, layout: Layout) -> dict[str, Any]:
    """The layers with all their calls, and which tensors are inputs and outputs."""
    references: dict[int, Reference] = {}
    calls: dict[Layer, list[dict[str, Any]]] = {layer: [] for layer in wiring.layers}
    described: list[dict[str, Any]] = []
    for x, port in zip(wiring.inputs, layout.inputs.ports, strict=True):
        references[x] = [port.name, 0, 0]
    for step in wiring.steps:
        for index, y in enumerate(step.outputs):
            references[y] = [step.layer.name, len(calls[step.layer]), index]
        arguments: dict[str, Any] = {} if step.training is None else {"training": step.training}
        if step.masks:
            arguments["mask"] = [None if mask is None else references[mask] for mask in step.masks]
        if step.settings is not None:
            arguments.update(step.layer._arguments_of(step.settings))
        calls[step.layer].append({"args": [references[x] for x in step.inputs], "kwargs": arguments})
    for layer in wiring.layers:
        found = of_layer(layer)
        if isinstance(layer, InputLayer) and not layer.holds_ids:  # it says the type of the layers after it
            found["config"]["dtype"] = layer.dtype
        described.append({**found, "name": layer.name, "inbound_nodes": calls[layer]})
    return {
        "layers": described,
        "input_layers": layout.inputs.arrange([references[x] for x in wiring.inputs]),
        "output_layers": layout.outputs.arrange([references[y] for y in wiring.outputs]),
    }


def tensors_of(config: dict[str, Any], how: Making) -> tuple[Any, Any]:
    """The symbolic inputs and outputs that a configuration describes; no layers of inputs are made where tensors are
    given that stand in for them.

    Raises:
        ValueError: another form of configuration, or a tensor that no layer makes.
    """
    made: dict[Key, SymbolicTensor] = {}
    for key, x in zip(_keys(config["input_layers"]), how.inputs or (), strict=how.inputs is not None):
        made[key] = x
    waiting: list[Call] = []
    if not isinstance(config["layers"], list | tuple):
        raise ValueError(f"config has no list of layers, but {checks.shown(config['layers'])}.")
    for each in config["layers"]:
        _check_form(each, _LAYER, "a layer")
        if (each["name"], 0, 0) in made:
            continue
        layer = layer_of(each, how.layer)
        if isinstance(layer, InputLayer):
            made[each["name"], 0, 0] = layer.tensor()
        waiting += [_call(each["name"], layer, number, node) for number, node in enumerate(each["inbound_nodes"])]
    _record_all(waiting, made, how.call)
    return _found(config["input_layers"], made), _found(config["output_layers"], made)


def _record_all(calls: list[Call], made: dict[Key, SymbolicTensor], record: Recording = as_said) -> None:
    """Make the calls, round by round in their order, each as soon as its inputs are made, and add what they make.

    The order is part of the model: gradients of a layer that is called twice are summed in it. A call that must wait
    lies with the tensor that it waits for, so that a file of many calls in a bad order does not take for ever.
    """
    needed = [_needed(call) for call in calls]
    blocked: dict[Key, list[int]] = {}
    ready = [(0, place) for place in range(len(calls))]  # a heap
    while ready:
        turn, place = heappop(ready)
        call = calls[place]
        missing = next((key for key in needed[place] if key not in made), None)
        if missing is not None:
            blocked.setdefault(missing, []).append(place)
            continue
        masks = [None if mask is None else made[mask] for mask in call.masks]
        for index, y in enumerate(nests.ends(record(call, [made[key] for key in call.inputs], masks))):
            key = call.name, call.number, index
            made[key] = y
            for waiting in blocked.pop(key, ()):
                heappush(ready, (turn + (waiting < place), waiting))
    if blocked:
        first = calls[min(place for several in blocked.values() for place in several)]
        raise ValueError(f"config has layers whose inputs no layer makes: {first.name!r} is one.")


def _needed(call: Call) -> Iterator[Key]:
    """What must be made before a call: each is asked for once, as what is made stays."""
    yield from call.inputs
    yield from (mask for mask in call.masks if mask is not None)
    if call.number > 0:
        yield call.name, call.number - 1, 0


def _call(name: str, layer: Layer, number: int, node: Any) -> Call:
    """What an entry of ``inbound_nodes`` says."""
    _check_form(node, _NODE, f"a call of layer {name!r}")
    inputs, training = [_key(each) for each in node["args"]], node["kwargs"].get("training")
    if not inputs or (len(inputs) > 1 and not (layer.takes_list or layer.takes_more or layer.wired)):
        raise ValueError(f"config has a call of layer {name!r} on {len(inputs)} tensors.")
    if training is not None and not isinstance(training, bool):
        raise ValueError(f"config has a call of layer {name!r} with training={checks.shown(training)}.")
    masks = node["kwargs"].get("mask", [])
    if not isinstance(masks, list | tuple) or len(masks) not in (0, len(inputs)):
        raise ValueError(
            f"config must have a list of masks for each of the {len(inputs)} tensors of a call of layer {name!r}, but "
            f"has {checks.shown(masks)}."
        )
    found = [None if mask is None else _key(mask) for mask in masks]
    return Call(name, layer, number, inputs, training, found, layer._settings_of(node["kwargs"], len(inputs)))


def _check_form(value: Any, form: dict[str, Any], what: str) -> None:
    """Raise ValueError unless `value` is a dict that has these kinds of values, and perhaps others."""
    if not isinstance(value, dict) or not all(isinstance(value.get(key), kind) for key, kind in form.items()):
        raise ValueError(
            f"config must be a dict made by get_config: {what} has {', '.join(form)}, but there is "
            f"{checks.shown(value)}."
        )


def _key(reference: Any) -> Key:
    """The tensor that is meant, hashable; ValueError if it is none."""
    if isinstance(reference, list | tuple) and [type(each) for each in reference] == [str, int, int]:
        name, call, output = reference
        return name, call, output
    raise ValueError(f"config must name tensors as [layer, call, output], but has {checks.shown(reference)}.")


def _keys(references: Any) -> list[Key]:
    """The tensors that are meant, one by one."""
    if isinstance(references, dict):
        return [key for each in references.values() for key in _keys(each)]
    if _is_whole(references):
        return [key for each in references for key in _keys(each)]
    return [_key(references)]


def _is_whole(references: Any) -> bool:
    """Whether it is a list of tensors, and not what names one."""
    return isinstance(references, list | tuple) and all(isinstance(each, list | tuple | dict) for each in references)


def _found(references: Any, made: dict[Key, SymbolicTensor]) -> Any:
    """The tensors, in the form in which the references come."""
    if isinstance(references, dict):
        return {key: _found(each, made) for key, each in references.items()}
    if _is_whole(references):
        return type(references)(_found(each, made) for each in references)
    key = _key(references)
    if key not in made:
        raise ValueError(f"config names the tensor {list(key)}, which no layer makes.")
    return made[key]
