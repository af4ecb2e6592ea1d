"""From the layers of a model to a network: what a model is at a time, and how it becomes another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..data.layout import Layout
from ..engine.lowering import Lowering
from ..foundation.native import core
from ..layers.base import MOST_ELEMENTS, Draft, Layer
from ..layers.types import Shape
from ..training.compiling import Compiled
from ..training.task import Task

if TYPE_CHECKING:
    from .. import _core


class State(NamedTuple):
    """What a model is: never changed, only replaced as a whole."""

    stack: tuple[Layer, ...] = ()  # with the InputLayer, if there is one
    layout: Layout | None = None  # None: not built
    plan: _core.Plan | None = None  # the layers, lowered; None until it is needed
    compiled: Compiled | None = None
    task: Task | None = None  # the plan, configured as compiled; None until it is needed


def common_dtype(stack: Sequence[Layer]) -> str:
    """The number type of a model of these layers: the one that any of them was given, or that of the first.

    Raises:
        ValueError: two types.
    """
    given = {layer.dtype: layer.name for layer in stack if layer.dtype_given or (layer.built and layer.weights)}
    if len(given) > 1:
        asked = " and ".join(f"{dtype} ({name!r})" for dtype, name in given.items())
        raise ValueError(f"All layers of a model compute in one dtype, but there are {asked}.")
    return next(iter(given), stack[0].dtype)


def check_dtype(new: Sequence[Layer], dtype: str) -> None:
    """Raise ValueError where one of the layers was given another number type than the model has."""
    for layer in new:
        if layer.dtype_given and layer.dtype != dtype:
            raise ValueError(
                f"All layers of a model compute in one dtype: layer {layer.name!r} was given {layer.dtype}, but the "
                f"model is built in {dtype}."
            )


def drafts_of(stack: Sequence[Layer], shape: Shape, dtype: str) -> list[Draft]:
    """The layers, one after the other, for samples of `shape`; ValueError where one of them does not fit."""
    drafts = []
    for layer in stack:
        drafts.append(layer.draft(shape, dtype))
        shape = drafts[-1].output
    return drafts


def check_input(shape: Shape) -> None:
    """Raise ValueError where samples of `shape` are larger than any memory."""
    if math.prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"The input shape {shape} has more elements than memory can hold.")


def lower_all(stack: Sequence[Layer], net: Lowering, x: int, shape: Shape) -> int:
    """Write the layers, one after the other, on tensor `x`; returns the number of the last output."""
    for layer in stack:
        x = layer.lower(net, x, shape)
        penalty = layer.activity_regularizer
        if penalty is not None:
            net.add_activity_penalty(x, penalty.l1, penalty.l2)
        shape = layer.compute_output_shape(shape)
    return x


def plan_of(model: Layer, layout: Layout) -> _core.Plan:
    """The network of a built model."""
    graph = core.Graph()
    shape = layout.inputs.ports[0].sizes
    graph.set_outputs([model.lower(Lowering(graph), graph.add_input(math.prod(shape)), shape)])
    return core.Plan(graph, layout.dtype)
