"""What models alone have of their wiring: names of layers and inputs, and what goes into each layer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from ..data.layout import OpenShape
from ..data.limits import Limits
from ..layers.base import Layer
from ..layers.core import InputLayer
from ..layers.symbolic import SymbolicTensor
from ..layers.weight import MOST_ELEMENTS
from ..layers.wiring import Wiring


class Wired(Layer):
    """Base of the models: a layer of layers."""

    wired = True
    _may_have_call = True

    @classmethod
    def _made_by_arguments(cls) -> bool:
        """Whether its configuration is the arguments that it was made with, and not its layers."""
        raise NotImplementedError

    @property
    def _parts(self) -> Sequence[Layer]:
        """The layers that its configuration describes; none of a subclass that describes itself."""
        raise NotImplementedError

    def _input_limits(self) -> Limits:
        """Below what the ids of its inputs must be."""
        raise NotImplementedError


def check_names(layers: Iterable[Layer], name: str) -> None:
    seen: dict[str, Layer] = {}
    for layer in layers:
        if layer.name in seen:
            raise ValueError(
                f"Model {name!r} has two layers of the name {layer.name!r}: {seen[layer.name]!r} and {layer!r}. Layers "
                "need names of their own."
            )
        seen[layer.name] = layer


def names_of_inputs(inputs: Sequence[SymbolicTensor], wiring: Wiring) -> list[str]:
    """A name for each input: that of its layer, or a new one where another input or a layer of the model has it."""
    taken = {layer.name for layer in wiring.layers}
    names = []
    for x in inputs:
        name = x.name
        if not isinstance(x.node.layer, InputLayer):
            others = (f"{x.name}_input_{number}" if number else f"{x.name}_input" for number in itertools.count())
            name = next(each for each in itertools.chain([name], others) if each not in taken)
        taken.add(name)
        names.append(name)
    return names


def connections(wiring: Wiring, names: Sequence[str]) -> list[tuple[Layer, str]]:
    """The layers, each with the tensors that go into it, as ``layer[call][output]``; a chain goes without them.

    `names` are those of the inputs.
    """
    places = {x: f"{name}[0][0]" for x, name in zip(wiring.inputs, names, strict=True)}
    found: dict[Layer, list[str]] = {layer: [] for layer in wiring.layers}
    last, is_chain = wiring.inputs, len(wiring.inputs) == 1
    for step in wiring.steps:
        call = len(found[step.layer])
        is_chain = is_chain and call == 0 and step.inputs == last
        last = step.outputs
        places.update({y: f"{step.layer.name}[{call}][{index}]" for index, y in enumerate(step.outputs)})
        found[step.layer].append(", ".join(places[x] for x in step.inputs))
    if is_chain:
        return [(layer, "") for layer in wiring.layers]
    return [(layer, ", ".join(inputs) or "-") for layer, inputs in found.items()]


def check_input(shape: OpenShape) -> None:
    """Raise ValueError where samples of `shape` are larger than any memory."""
    if math.prod(size or 1 for size in shape) > MOST_ELEMENTS:
        raise ValueError(f"The input shape {shape} has more elements than memory can hold.")
