"""What a model is at a time, and the networks that are made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..data.layout import Layout, OpenShape
from ..engine.lowering import Added, Lowering
from ..foundation import atomic
from ..foundation.native import core
from ..layers.base import Layer
from ..layers.calling import MOST_KEPT
from ..layers.types import Masks, Shape
from ..layers.wiring import Wiring, lower_all
from ..training.compiling import Compiled
from ..training.task import Task
from .wired import Wired

if TYPE_CHECKING:
    from .. import _core


class Closed:
    """The layouts and networks of a model with axes of any length, for the last few lengths that it met."""

    def __init__(self) -> None:
        self._found: dict[tuple[OpenShape, ...], tuple[Layout, _core.Plan | None]] = {}

    def get(self, shapes: tuple[OpenShape, ...]) -> tuple[Layout | None, _core.Plan | None]:
        """What there is for inputs of these shapes."""
        found = self._found.pop(shapes, None)
        if found is None:
            return None, None
        self._found[shapes] = found  # as the newest
        return found

    def put(self, layout: Layout, plan: _core.Plan | None) -> None:
        """Keep it, in place of the oldest."""
        atomic.keep(self._found, layout.input_shapes, (layout, plan), MOST_KEPT)


class State(NamedTuple):
    """What a model is: never changed, only replaced as a whole."""

    closed: Closed  # of an open layout: what there is for lengths
    stack: tuple[Layer, ...] = ()  # of a Sequential: its layers, with the InputLayer, if there is one
    wiring: Wiring | None = None  # None: not known before the model sees data
    layout: Layout | None = None  # None: not built
    masks: Masks | None = None  # of a Sequential: the shape of the mask of what its last layer makes; None: not known
    plan: _core.Plan | None = None  # the layers, lowered; None until it is needed, and where the layout is open
    added: tuple[Added, ...] | None = None  # what layers add to the loss; None: not known before there is a network
    compiled: Compiled | None = None
    task: Task | None = None  # the plan, configured as compiled; None until it is needed


def common_dtype(stack: Sequence[Layer], default: str | None = None) -> str:
    """The number type of a model of these layers: the one that any of them was given, else the default or the first's.

    Raises:
        ValueError: two types.
    """
    given = {dtype: layer.name for layer in stack for dtype in _asked_for(layer)}
    if len(given) > 1:
        asked = " and ".join(f"{dtype} ({name!r})" for dtype, name in given.items())
        raise ValueError(f"All layers of a model compute in one dtype, but there are {asked}. Choose one of them.")
    first = stack[0]
    return next(iter(given), default or (first.dtype if first.built else first._dtype))


def _asked_for(layer: Layer) -> list[str]:
    """The number type that a layer was given or has weights of; of a model that is not built, those of its layers."""
    if isinstance(layer, Wired) and not layer.built:
        return [dtype for part in layer._parts for dtype in _asked_for(part)]
    return [layer.dtype] if layer.dtype_given or (layer.built and layer.weights) else []


def check_dtype(new: Sequence[Layer], dtype: str) -> None:
    """Raise ValueError where one of the layers was given another number type than the model has."""
    for layer in new:
        if layer.dtype_given and layer.dtype != dtype:
            raise ValueError(
                f"All layers of a model compute in one dtype: layer {layer.name!r} was given {layer.dtype}, but the "
                f"model is built in {dtype}."
            )


class Reporting(NamedTuple):
    """A network whose last outputs are the tensors that what is added to the loss is of."""

    plan: _core.Plan
    added: tuple[Added, ...]


class Measurable(NamedTuple):
    """The network that trains and evaluates. Behind the outputs of the model it has the values of losses."""

    plan: _core.Plan
    sums: tuple[int, ...]  # sizes of the outputs whose sums over the samples layers add to the loss, the last ones


def plan_of(wiring: Wiring, layout: Layout) -> tuple[_core.Plan, tuple[Added, ...]]:
    """The network of a built model, and what layers in it add to the loss."""
    written = _written(wiring, layout, ())
    written.graph.set_outputs(written.outputs, written.masks)
    return core.Plan(written.graph, layout.dtype), tuple(written.net.added)


def plan_to_report(wiring: Wiring, layout: Layout) -> Reporting:
    """The network of a built model that also gives what layers add to the loss."""
    graph, net, outputs, masks = _written(wiring, layout, ())
    graph.set_outputs([*outputs, *(each.tensor for each in net.added)], [*masks, *[-1] * len(net.added)])
    return Reporting(core.Plan(graph, layout.dtype), tuple(net.added))


def plan_to_measure(
    wiring: Wiring, layout: Layout, losses: Sequence[tuple[int, Layer]], nothing: Layer | None
) -> Measurable:
    """The network that trains, of a built model.

    Args:
        wiring, layout: The model.
        losses: Numbers of outputs, and layers that make the values of losses of targets and outputs. Each has an input
            more, the targets, and an output more, with the mask of the model's output.
        nothing: What makes an output more, without an input, where there are no sums: the engine needs a loss.
    """
    graph, net, outputs, masks = _written(wiring, layout, losses)
    sums = [each for each in net.added if each.is_sum]
    further = [each.tensor for each in sums]
    if nothing is not None and not sums:
        further = [nothing.lower(net, -1, ())]
    graph.set_outputs([*outputs, *further], [*masks, *[-1] * len(further)])
    return Measurable(core.Plan(graph, layout.dtype), tuple(each.size for each in sums))


class _Written(NamedTuple):
    graph: _core.Graph
    net: Lowering
    outputs: list[int]  # of the model, and the values of losses
    masks: list[int]  # of these; -1 where there is none


def _written(wiring: Wiring, layout: Layout, losses: Sequence[tuple[int, Layer]]) -> _Written:
    graph = core.Graph()
    net = Lowering(graph, layout.dtype)
    xs = [net.input(math.prod(port.sizes), port.below) for port in layout.inputs.ports]
    shapes: list[Shape] = [port.sizes for port in layout.inputs.ports]
    targets = [net.input(math.prod(layout.outputs.ports[number].sizes)) for number, _ in losses]
    made = lower_all(wiring, net, xs, shapes)
    outputs, masks = list(made.tensors), [-1 if mask is None else mask.tensor for mask in made.masks]
    for (number, loss), target in zip(losses, targets, strict=True):
        shape = made.shapes[number]
        values, _ = loss.lower_with_masks(net, [target, made.tensors[number]], [shape, shape], ())
        outputs += values
        masks.append(masks[number])
    return _Written(graph, net, outputs, masks)
