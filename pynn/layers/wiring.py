"""Which layer reads which tensor: the wiring of a model or of a layer with a `call`, and how its layers are drafted and
lowered, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ..data.layout import OpenShape
from ..engine.lowering import Lowering, Mask
from .building import Draft
from .connecting import fits
from .keeping import stateful_in
from .types import Shape

T = TypeVar("T")
Layer: TypeAlias = Any  # a `base.Layer`, which is made of this module


class Step(NamedTuple):
    """One use of a layer. Tensors are numbers within the wiring."""

    layer: Layer
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    training: bool | None = None  # True: as in training, always; False: as in prediction
    masks: tuple[int | None, ...] = ()  # what the call said of the masks of its inputs; None: those that they have
    settings: Any = None  # what the call said beside tensors


class Wiring(NamedTuple):
    """The steps of a model, in an order in which they can be run."""

    steps: tuple[Step, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    layers: tuple[Layer, ...]  # each once, in Keras's order, those of inputs included

    @property
    def tensors(self) -> int:
        """How many tensors there are; the next one gets this number."""
        return 1 + max((number for step in self.steps for number in step.outputs), default=len(self.inputs) - 1)


class Drafted(NamedTuple):
    """What the layers of a wiring would be."""

    drafts: list[Draft]
    shapes: list[OpenShape]  # of the outputs
    masks: list[OpenShape | None]  # of the outputs: the shapes of their masks, None for one that has none


class Lowered(NamedTuple):
    """The outputs of a wiring that is written into a graph."""

    tensors: list[int]
    masks: list[Mask | None]
    shapes: list[Shape]  # of samples


def of_steps(shapes: Sequence[OpenShape], masks: Sequence[OpenShape | None], values: Sequence[T]) -> list[T | None]:
    """What belongs to each mask, None where it does not fit: a call is given that, but it is no mask of the tensor."""
    return [
        value if mask is not None and fits(shape, mask) else None
        for shape, mask, value in zip(shapes, masks, values, strict=False)
    ]


def chain(stack: Sequence[Layer]) -> Wiring:
    """Layers one after the other."""
    steps = tuple(Step(layer, (number,), (number + 1,)) for number, layer in enumerate(stack))
    return Wiring(steps, (0,), (len(stack),), tuple(stack))


def drafts_of(
    wiring: Wiring, shapes: Sequence[OpenShape], dtype: str, masks: Sequence[OpenShape | None] = ()
) -> Drafted:
    """The layers for samples of these shapes, and the outputs; ValueError where one does not fit.

    `masks` are the shapes of those of the first inputs.
    """
    drafts, known = [], dict(zip(wiring.inputs, shapes, strict=True))
    masked: dict[int, OpenShape | None] = dict(zip(wiring.inputs, masks, strict=False))
    for step in wiring.steps:
        given = [known[x] for x in step.inputs]
        of_given = [masked.get(x) for x in step.inputs]
        for place, mask in enumerate(step.masks):
            if mask is not None:
                of_given[place] = known[mask]
        draft = step.layer._use(step.settings).draft(step.layer._as_taken(given), dtype, tuple(of_given))
        if len(draft.outputs) != len(step.outputs):
            raise step.layer._shape_error(
                f"has {len(draft.outputs)} outputs, but a layer of a Sequential has one. Use pynn.Model(inputs, "
                "outputs)."
            )
        known.update(zip(step.outputs, draft.outputs, strict=True))
        masked.update(zip(step.outputs, draft.masks, strict=True))
        drafts.append(draft)
    return Drafted(drafts, [known[y] for y in wiring.outputs], [masked.get(y) for y in wiring.outputs])


def lower_all(
    wiring: Wiring, net: Lowering, xs: Sequence[int], shapes: Sequence[Shape], masks: Sequence[Mask | None] = ()
) -> Lowered:
    """Write the layers on tensors `xs`, the first of which have these masks."""
    before_all, net.step_by_step = net.step_by_step, net.step_by_step or _repeats_states(wiring)
    tensors, known = dict(zip(wiring.inputs, xs, strict=True)), dict(zip(wiring.inputs, shapes, strict=True))
    masked: dict[int, Mask | None] = dict(zip(wiring.inputs, masks, strict=False))
    for whole, inputs, outputs, training, told, settings in wiring.steps:
        layer = whole._use(settings)
        given: Any = [tensors[x] for x in inputs]
        shape: Any = [known[x] for x in inputs]
        of_given = [masked.get(x) for x in inputs]
        for place, mask in enumerate(told):
            if mask is not None:
                of_given[place] = Mask(net.numbers(tensors[mask]), known[mask])
        if not (layer.keeps_ids or layer.takes_part or layer.ids_below or layer.wired):
            given = [net.numbers(x) for x in given]
        given, shape = layer._as_taken(given), layer._as_taken(shape)
        before, net.mode = net.mode, net.mode if training is None else training
        made, made_masks = layer.lower_with_masks(net, given, shape, of_given)
        net.mode = before
        layer.add_penalty(net, made)
        made_shapes: Any = layer.sample_output_shape(shape)
        tensors.update(zip(outputs, made, strict=True))
        masked.update(zip(outputs, made_masks, strict=True))
        known.update(zip(outputs, made_shapes if isinstance(made_shapes, list) else [made_shapes], strict=True))
    net.step_by_step = before_all
    outputs = wiring.outputs
    return Lowered(
        [net.numbers(tensors[y]) for y in outputs], [masked.get(y) for y in outputs], [known[y] for y in outputs]
    )


def _repeats_states(wiring: Wiring) -> bool:
    """Whether a layer that keeps states from batch to batch is there more than once."""
    found = [layer for step in wiring.steps for layer in stateful_in([step.layer])]
    return len(found) > len({*map(id, found)})
