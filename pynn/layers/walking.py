"""From symbolic tensors to a wiring: the walk from the outputs to the inputs, and the order of what it meets."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .symbolic import Node, SymbolicTensor
from .wiring import Layer, Step, Wiring


class Found(NamedTuple):
    """What a walk through symbolic tensors found."""

    nodes: list[Node]  # after all nodes that they need
    order: dict[Layer, int]  # layers in the order in which they were met


def trace(
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    name: str,
    starts: Mapping[SymbolicTensor, Layer] = types.MappingProxyType({}),
) -> Wiring:
    """The wiring between symbolic tensors. Layers come in Keras's order: by their distance from the outputs.

    Args:
        inputs, outputs: The tensors.
        name: That of the model.
        starts: Input layers for inputs that other layers made, which are no part of the wiring.

    Raises:
        ValueError: an output that needs another input; two layers of one name.
    """
    makers = {x: starts.get(x, x.node.layer) for x in inputs}
    found = _walk(inputs, outputs, name, makers)
    unused = [layer for layer in makers.values() if layer.is_input and layer not in found.order]
    nodes, layers = _by_depth(found, unused, makers)
    numbers: dict[SymbolicTensor, int] = {}
    for tensor in inputs:
        numbers[tensor] = len(numbers)
    for node in nodes:
        for index in range(len(node.outputs)):
            numbers.setdefault(SymbolicTensor(node, index), len(numbers))
    steps = tuple(
        Step(
            node.layer,
            tuple(numbers[x] for x in node.inputs),
            tuple(numbers[SymbolicTensor(node, index)] for index in range(len(node.outputs))),
            node.training,
            tuple(None if mask is None else numbers[mask] for mask in node.masks),
            node.settings,
        )
        for node in nodes
    )
    return Wiring(steps, tuple(numbers[x] for x in inputs), tuple(numbers[y] for y in outputs), tuple(layers))


def _walk(
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    name: str,
    makers: Mapping[SymbolicTensor, Layer],
) -> Found:
    """The nodes between inputs and outputs: depth first, without recursion, as networks may be deep."""
    done = dict[Node, None]()
    order: dict[Layer, int] = {}
    for output in outputs:
        waiting: list[tuple[SymbolicTensor, bool]] = [(output, False)]
        while waiting:
            tensor, complete = waiting.pop()
            node = tensor.node
            if tensor in makers:
                order.setdefault(makers[tensor], len(order))
                continue
            if complete:
                done.setdefault(node)
                continue
            if node in done:
                continue
            if not node.inputs and tensor.per_sample:
                raise ValueError(
                    f"Model {name!r}: the outputs need the input {tensor.name!r} (shape {tensor.shape}), which is not "
                    f"among the inputs {', '.join(repr(x.name) for x in inputs)}. Add it to them."
                )
            order.setdefault(node.layer, len(order))
            waiting.append((tensor, True))
            waiting.extend((x, False) for x in reversed(node.sources))
    return Found(list(done), order)


def _by_depth(
    found: Found, unused: Sequence[Layer], makers: Mapping[SymbolicTensor, Layer]
) -> tuple[list[Node], list[Layer]]:
    """Nodes and layers by their longest way to an output, the farthest first.

    Inputs that are not used come before the last layers, as in Keras.
    """
    depth_of_layer: dict[Layer, int] = {}
    depth: dict[Node, int] = {}
    sources: dict[Layer, int] = {}
    inside = set(found.nodes)
    for node in reversed(found.nodes):
        own = max(depth.get(node, 0), depth_of_layer.get(node.layer, 0))
        depth[node] = depth_of_layer[node.layer] = own
        for x in node.sources:
            if x.node in inside:
                depth[x.node] = max(depth.get(x.node, 0), own + 1)
            else:
                maker = makers.get(x, x.node.layer)
                sources[maker] = max(sources.get(maker, 0), own + 1)
    for layer, own in sources.items():
        if layer.is_input:
            depth_of_layer[layer] = max(depth_of_layer.get(layer, 0), own)
    for layer in (*found.order, *unused):
        if layer.is_input:
            depth_of_layer.setdefault(layer, 0)
    layers = sorted(depth_of_layer, key=lambda layer: (-depth_of_layer[layer], found.order.get(layer, -1)))
    position = {node: number for number, node in enumerate(found.nodes)}
    nodes = sorted(found.nodes, key=lambda node: (-depth[node], found.order[node.layer], position[node]))
    return nodes, layers
