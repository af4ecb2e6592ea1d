"""Which layer reads which tensor: the wiring of a model or of a layer with a `call`, and how it is found from symbolic
tensors."""

from __future__ import annotations

import itertools
import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ..data import nests
from ..data.layout import OpenShape, Port, Ports
from ..data.limits import ANY_ID, Computed, IdStep, Limits
from ..engine.lowering import Lowering, Mask
from .building import Draft
from .connecting import fits
from .keeping import stateful_in
from .symbolic import Node, SymbolicTensor
from .types import Masks, Shape

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


class Trace(NamedTuple):
    """What a `call` does, for inputs of these shapes."""

    wiring: Wiring
    shapes: tuple[OpenShape, ...]  # of samples
    outputs: Ports  # in the form in which the call returns them
    limits: Limits  # below what the ids of the inputs must be
    masks: Masks  # the shapes of those of the inputs, None for one that has none
    mask_outputs: tuple[int, ...]  # the outputs whose masks the wiring has as further outputs
    made_masks: Masks  # the shapes of the masks of the outputs

    def takes(self, shapes: tuple[OpenShape, ...], masks: Masks) -> bool:
        """Whether inputs of `shapes` with masks of the shapes `masks` are among those it is for."""
        if len(shapes) != len(self.shapes) or [each is None for each in masks] != [each is None for each in self.masks]:
            return False
        given, own = (*shapes, *_given(masks)), (*self.shapes, *_given(self.masks))
        return all(Port("", one).takes(shape) for one, shape in zip(own, given, strict=True))

    def outputs_at(self, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks) -> tuple[list[OpenShape], Masks]:
        """The shapes of the outputs for inputs of `shapes`, and those of their masks."""
        if shapes == self.shapes:
            return [port.shape for port in self.outputs.ports], self.made_masks
        count, of_masks = len(self.outputs.ports), masks or _of_lengths(self.masks, shapes)
        found = drafts_of(self.wiring, (*shapes, *_given(of_masks)), dtype, of_steps(shapes, of_masks, of_masks))
        made = [own or shape for own, shape in zip(found.masks, self.made_masks, strict=False)]
        for place, shape in zip(self.mask_outputs, found.shapes[count:], strict=True):
            made[place] = shape
        return found.shapes[:count], tuple(made)


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


def _of_lengths(masks: Masks, shapes: Sequence[OpenShape]) -> Masks:
    """Shapes of masks whose axes of any length have those of the inputs that they are of."""
    return tuple(
        None if mask is None else tuple(size if own is None else own for own, size in zip(mask, shape, strict=False))
        for mask, shape in zip(masks, shapes, strict=True)
    )


def _given(masks: Sequence[OpenShape | None]) -> list[OpenShape]:
    """The shapes of the masks that there are."""
    return [each for each in masks if each is not None]


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


class _Ids(NamedTuple):
    """A tensor that is an input, a part of some, or computed of them."""

    array: int  # as `Computed` numbers it
    inputs: frozenset[int]  # the tensors that it is made of
    whole: bool  # whether it is all of one input, as it is


def limits_of(wiring: Wiring, own: Sequence[int | None], drafts: Sequence[Draft] = ()) -> Limits:
    """Below what the ids of the inputs must be, and those that are computed of them.

    An input takes ids where it is one of whole numbers, or where all that read it are embeddings. What it says itself
    is in `own`: None that it has numbers, 0 that embeddings say below what its whole numbers are.
    The `drafts` are those of the layers, in the order of the steps; there may be none where all models are built.

    Raises:
        ValueError: an input of numbers that is read both as ids and as numbers.
    """
    count = len(wiring.inputs)
    found = {x: _Ids(place, frozenset([x]), True) for place, x in enumerate(wiring.inputs)}
    readers: dict[int, list[tuple[int, Layer]]] = {x: [] for x in wiring.inputs}
    steps, computed = list[IdStep](), list[tuple[int, int]]()
    for step, draft in itertools.zip_longest(wiring.steps, drafts):
        layer = step.layer
        if (layer.keeps_ids or layer.takes_part) and step.inputs and all(x in found for x in step.inputs):
            of = [found[x] for x in step.inputs]
            whole = not layer.takes_part and of[0].whole
            made = _Ids(count + len(steps), frozenset().union(*(each.inputs for each in of)), whole)
            steps.append(IdStep(layer._part_of, tuple(each.array for each in of)))
            found[step.outputs[0]] = made
            continue
        wanted = _limits_of_step(step, draft)
        for x, below in zip(step.inputs, wanted.each, strict=True):
            if x not in found:
                continue
            if below and not found[x].whole:
                computed.append((found[x].array, below))
                below = ANY_ID
            for each in found[x].inputs:
                readers[each].append((below, layer))
        # What the layer computes itself, of ids alone: `array` is what it has in place of its own numbers.
        array = {place: found[x].array for place, x in enumerate(step.inputs) if x in found}
        for place, inner in enumerate(wanted.computed.steps, len(step.inputs)):
            if all(each in array for each in inner.of):
                array[place] = count + len(steps)
                steps.append(IdStep(inner.function, tuple(array[each] for each in inner.of)))
        computed += [(array[number], below) for number, below in wanted.computed.limits if number in array]
    limits = []
    for x, limit in zip(wiring.inputs, own, strict=True):
        ids = [(below, layer) for below, layer in readers[x] if below]
        others = [layer.name for below, layer in readers[x] if not below]
        if ids and others and limit is None:
            raise ValueError(
                f"An input is read as ids by layer {ids[0][1].name!r} and as numbers by {others[0]!r}. "
                'Make it one of whole numbers: Input(..., dtype="int32"), or give the ids an Input of their own.'
            )
        limits.append(min([*(below for below, _ in ids), *([limit] if limit else [])], default=0))
    return Limits(tuple(limits), Computed(tuple(steps), tuple(computed)).needed(count))


def _limits_of_step(step: Step, draft: Draft | None) -> Limits:
    """Below what the ids must be that a layer reads."""
    layer: Any = step.layer
    if draft is not None and draft.layout is not None:
        return draft.layout.inputs.limits
    if draft is not None and draft.limits is not None:
        return draft.limits
    if layer.wired:
        limits: Limits = layer._use(step.settings)._input_limits()
        return limits
    return Limits((layer.ids_below,) * len(step.inputs))


# ---- two wirings as one


def merged(training: Wiring, other: Wiring, choices: Sequence[Layer]) -> Wiring:
    """The wiring that is `training` in training and `other` otherwise, of the same inputs.

    What both do alike is there once. Where the outputs differ, `choices` choose: a layer for each output.
    """
    waiting: dict[tuple[Any, ...], list[Step]] = {}
    for step in training.steps:
        waiting.setdefault((step.inputs, step.masks, step.settings), []).append(step)
    steps, tensors = list(training.steps), dict(zip(other.inputs, training.inputs, strict=True))
    count = training.tensors
    for step in other.steps:
        inputs = tuple(tensors[x] for x in step.inputs)
        masks = tuple(None if mask is None else tensors[mask] for mask in step.masks)
        of_step = inputs, masks, step.settings
        twin = next((each for each in waiting.get(of_step, ()) if _are_alike(each, step)), None)
        if twin is None:
            made = tuple(range(count, count + len(step.outputs)))
            twin = Step(step.layer, inputs, made, bool(step.training), masks, step.settings)
            steps.append(twin)
            count += len(step.outputs)
        else:
            waiting[of_step].remove(twin)
            if step.training:  # also otherwise, so always
                steps[steps.index(twin)] = twin._replace(training=True)
        tensors.update(zip(step.outputs, twin.outputs, strict=True))
    outputs = []
    for y, other_y, choice in zip(training.outputs, other.outputs, choices, strict=True):
        if tensors[other_y] == y:
            outputs.append(y)
            continue
        steps.append(Step(choice, (y, tensors[other_y]), (count,)))
        outputs.append(count)
        count += 1
    layers = dict.fromkeys((*training.layers, *(step.layer for step in steps)))
    return Wiring(tuple(steps), training.inputs, tuple(outputs), tuple(layers))


def _are_alike(in_training: Step, otherwise: Step) -> bool:
    """Whether a step of training and one of the other mode are one step: of one layer, or of two that do the same.

    What a call makes anew has the same settings each time.
    """
    if otherwise.training and in_training.training is False:  # each told the opposite of what the model does
        return False
    one, other = in_training.layer, otherwise.layer
    if one is other:
        return True
    if type(one) is not type(other) or [*map(id, one.weights)] != [*map(id, other.weights)]:
        return False
    try:
        settings = [{**layer.get_config(), "name": None} for layer in (one, other)]
    except NotImplementedError:  # of a layer of one's own, which is none of this kind
        return False
    return bool(settings[0] == settings[1])


# ---- from symbolic tensors


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


def ports(names: Sequence[str], shapes: Sequence[OpenShape], limits: Sequence[int], like: Any) -> Ports:
    """Inputs or outputs, put together as the value `like` is."""
    found = tuple(Port(*each) for each in zip(names, shapes, limits, strict=True))
    if nests.is_nested(like):
        nest = nests.nest_of(like)
        return Ports(found, "nested", tuple(nests.keys(nest, names)), nest)
    if isinstance(like, dict):
        return Ports(found, "dict", tuple(sorted(like)))
    if len(found) == 1:  # a list of one is, as in Keras, that one
        return Ports(found, "single", tuple(names))
    return Ports(found, "tuple" if isinstance(like, tuple) else "list", tuple(names))
