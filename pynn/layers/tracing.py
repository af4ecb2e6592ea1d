"""What a `call` does: it is run with symbolic tensors, and what it makes of them is a `Trace`, which has a wiring."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..data import nests
from ..data.layout import OpenShape, Port, Ports, ports
from ..data.limits import Limits
from . import lengths, symbolic
from .building import Draft
from .id_limits import limits_of
from .modes import both_modes, with_added_loss
from .of_batch import OfBatch
from .said import Said
from .symbolic import Made, Node, SymbolicTensor
from .trial import running
from .types import Masks
from .walking import trace
from .weight import Weight
from .wiring import Drafted, Wiring, drafts_of, of_steps


class Trace(NamedTuple):
    """What a `call` does, for inputs of these shapes."""

    wiring: Wiring
    shapes: tuple[OpenShape, ...]  # of samples
    outputs: Ports  # in the form in which the call returns them
    limits: Limits  # below what the ids of the inputs must be
    masks: Masks  # the shapes of those of the inputs, None for one that has none
    mask_outputs: tuple[int, ...]  # the outputs whose masks the wiring has as further outputs
    made_masks: Masks  # the shapes of the masks of the outputs
    asked_for_length: bool = False  # whether the call must be run for each length of an axis that may have any

    def takes(self, shapes: tuple[OpenShape, ...], masks: Masks) -> bool:
        """Whether inputs of `shapes` with masks of the shapes `masks` are among those it is for."""
        if len(shapes) != len(self.shapes) or [each is None for each in masks] != [each is None for each in self.masks]:
            return False
        given, own = (*shapes, *_given(masks)), (*self.shapes, *_given(self.masks))
        if self.asked_for_length:
            return given == own
        return all(Port("", one).takes(shape) for one, shape in zip(own, given, strict=True))

    def outputs_at(self, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks) -> tuple[list[OpenShape], Masks]:
        """The shapes of the outputs for inputs of `shapes`, and those of their masks."""
        if shapes == self.shapes:
            return [port.shape for port in self.outputs.ports], self.made_masks
        count, of_masks = len(self.outputs.ports), masks or _with_sizes(self.masks, shapes)
        found = self._drafted(shapes, of_masks, dtype)
        made = list(found.masks[:count])
        if made[0] is None and self.made_masks[0] is not None:  # the layer hands the mask of its input on
            made[0] = of_steps(shapes, of_masks, of_masks)[0]
        for place, shape in zip(self.mask_outputs, found.shapes[count:], strict=True):
            made[place] = shape
        return found.shapes[:count], tuple(made)

    def drafts(self, dtype: str) -> list[Draft]:
        """Those of the layers, one after the other."""
        return self._drafted(self.shapes, self.masks, dtype).drafts

    def _drafted(self, shapes: tuple[OpenShape, ...], masks: Masks, dtype: str) -> Drafted:
        return drafts_of(self.wiring, (*shapes, *_given(masks)), dtype, of_steps(shapes, masks, masks))


def _with_sizes(masks: Masks, shapes: Sequence[OpenShape]) -> Masks:
    """Shapes of masks whose axes of any length have those of the inputs that they are of."""
    return tuple(
        None if mask is None else tuple(size if own is None else own for own, size in zip(mask, shape, strict=False))
        for mask, shape in zip(masks, shapes, strict=True)
    )


def _given(masks: Sequence[OpenShape | None]) -> list[OpenShape]:
    """The shapes of the masks that there are."""
    return [each for each in masks if each is not None]


class Source:
    """What makes the symbolic tensor that a `call` gets."""

    is_input = False

    def __init__(self, name: str) -> None:
        self.name = name

    def tensor(self, made: Made) -> SymbolicTensor:
        """The tensor."""
        return SymbolicTensor(Node(self, (), (made,), None), 0)


def trace_of(layer: Any, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks, said: Said | None) -> Trace:
    """What the call of a layer does for inputs of these shapes and masks. It must be on trial.

    Where it asks for the length of an axis that may have any, it does something else for each length.
    """

    def run(shapes: tuple[OpenShape, ...], masks: Masks) -> Trace:
        return _run_for(layer, shapes, dtype, masks, said)

    if not any(None in shape for shape in (*shapes, *_given(masks))):
        return run(shapes, masks)
    of_lengths = functools.partial(_of_lengths, layer, shapes, dtype, masks, run)
    found = lengths.run_open(layer, lambda: run(shapes, masks), of_lengths, spare=True)
    return found._replace(asked_for_length=running().asked_for_length)


def _of_lengths(
    layer: Any,
    shapes: tuple[OpenShape, ...],
    dtype: str,
    masks: Masks,
    run: Callable[[tuple[OpenShape, ...], Masks], Trace],
) -> Trace:
    """What is known of a call for all lengths, where it asks for one: the shapes of what it makes."""

    def with_drafts(shapes: tuple[OpenShape, ...], masks: Masks) -> tuple[Trace, list[Draft]]:
        made = run(shapes, masks)
        return made, made.drafts(dtype)

    found = lengths.run_for_some(layer, shapes, masks, with_drafts)
    forms = [[len(port.shape) for port in trace.outputs.ports] for trace, _ in found]
    if forms[0] != forms[1]:
        raise layer._shape_error("has other outputs, or axes of them, for each length of an axis that may have any.")
    found = [each for each, form in zip(found, forms, strict=True) if form == forms[0]]  # the short one may be special
    traces = [trace for trace, _ in found]
    lengths.open_layers([drafts for _, drafts in found])
    outputs = lengths.open_ends([[port.shape for port in each.outputs.ports] for each in traces])
    return traces[0]._replace(
        shapes=shapes,
        masks=masks,
        outputs=traces[0].outputs.of(outputs),
        limits=lengths.open_limits([each.limits for each in traces]),
        made_masks=tuple(lengths.open_ends([each.made_masks for each in traces])),
    )


def _run_for(layer: Any, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks, said: Said | None) -> Trace:
    trial = running()
    trial.phase = "call"
    starts = [
        Source(f"{layer.name}_input_{number}").tensor(Made(shape, dtype, mask=mask, may_hold_ids=True))
        for number, (shape, mask) in enumerate(zip(shapes, of_steps(shapes, masks, masks), strict=True))
    ]
    given = [
        None if mask is None else Source(f"{layer.name}_mask_{number}").tensor(Made(mask, dtype))
        for number, mask in enumerate(masks)
    ]
    places: list[int] = []
    wiring, outputs, ends = both_modes(
        layer._form.takes_training, lambda mode: _run_call(layer, starts, mode, given, places, said), layer
    )
    check_tracked(layer, wiring, layer._all_weights())
    for y in ends:
        if y.dtype not in (dtype, "int32"):
            raise layer._shape_error(f"computes in {dtype}, but its call returns {y.dtype}, from layer {y.name!r}.")
    ends, of_ends = ends[: len(ends) - len(places)], ends[len(ends) - len(places) :]
    made = [y.mask_shape for y in ends]
    if layer.supports_masking and not computes_mask(layer):
        made[0] = made[0] or of_steps(shapes, masks, masks)[0]
    for place, mask in zip(places, of_ends, strict=True):
        made[place] = mask.sample
    found = ports([y.name for y in ends], [y.sample for y in ends], [0] * len(ends), outputs)
    if len(ends) == 1 and isinstance(outputs, list | tuple):  # of a model, a list of one would be that one
        found = found._replace(form="tuple" if isinstance(outputs, tuple) else "list")
    limits = limits_of(wiring._replace(inputs=wiring.inputs[: len(shapes)]), [0] * len(shapes))  # no mask has ids
    return Trace(wiring, shapes, found, limits, masks, tuple(places), tuple(made))


def computes_mask(layer: Any) -> bool:
    """Whether the layer has a `compute_mask` of its own."""
    own = [kind for kind in type(layer).__mro__ if getattr(kind, "_form", None) is not None]
    return any("compute_mask" in vars(kind) for kind in own)


def _run_call(
    layer: Any,
    starts: list[SymbolicTensor],
    training: bool | None,
    masks: list[SymbolicTensor | None],
    places: list[int],
    said: Said | None,
) -> tuple[Wiring, Any, list[SymbolicTensor]]:
    """What a call makes of these tensors: the wiring, and the outputs in its form and one by one.

    Behind these come the masks that `compute_mask` makes for the outputs of the numbers `places`, which it fills.
    """
    mode = {} if training is None else {"training": training}
    trial = running()
    trial.inputs, trial.losses, trial.noises = starts, [], 0
    outputs = layer._form.run(layer.call, {**layer._form.arguments(starts, masks, said), **mode})
    outputs = layer._form.one_by_one(outputs, layer.name)
    ends = list(nests.ends(outputs))
    if any(_is_one_row(y) for y in ends):
        ends = [symbolic.of_one_row(y) if _is_one_row(y) else y for y in ends]
        outputs = nests.filled(nests.nest_of(outputs), ends)
    for y in ends:
        if isinstance(y, OfBatch):
            raise y.misused()
        if not isinstance(y, SymbolicTensor) or not y.per_sample:
            what = "a weight, the same for all samples" if isinstance(y, SymbolicTensor | Weight) else type(y).__name__
            raise TypeError(
                f"Layer {layer.name!r}: call must return a symbolic tensor that is computed from its inputs, or a "
                f"list, tuple or dict of them, but returned {what}."
            )
    if not ends:
        raise TypeError(f"Layer {layer.name!r}: call must return at least one symbolic tensor.")
    made = _run_compute_mask(layer, starts, masks, ends, said)
    places[:] = made
    ends += made.values()
    given = [mask for mask in masks if mask is not None]
    ends = with_added_loss(ends)
    return trace([*starts, *given], ends, layer.name), outputs, ends


def _is_one_row(y: Any) -> bool:
    """Whether it is a weight, or made of weights alone, and has one row, as what broadcasts against samples."""
    if isinstance(y, SymbolicTensor):
        return not y.per_sample and y.sample[:1] == (1,)
    return isinstance(y, Weight) and y.shape[:1] == (1,)


def _run_compute_mask(
    layer: Any,
    starts: list[SymbolicTensor],
    masks: list[SymbolicTensor | None],
    ends: list[SymbolicTensor],
    said: Said | None,
) -> dict[int, SymbolicTensor]:
    """The masks that the layer's own `compute_mask` makes, by the number of the output."""
    if not (layer.supports_masking and computes_mask(layer)):
        return {}
    first = next(iter(layer._form.arguments(starts, (), said).values()))
    given = next(iter(layer._form.arguments(masks, (), said, with_values=False).values()))
    found = layer.compute_mask(first, None if all(mask is None for mask in nests.ends(given)) else given)
    of_ends = list(found) if isinstance(found, list | tuple) else [found]
    made = {}
    for place, (mask, y) in enumerate(zip(of_ends, ends, strict=False)):
        if mask is None or y.mask_shape is not None:  # a layer in the call gave it one
            continue
        made[place] = layer._symbolic_mask(mask, starts[0], "What compute_mask returned")
    return made


def check_tracked(layer: Any, wiring: Wiring, weights: Sequence[Weight]) -> None:
    """Raise ValueError where a call of the layer uses a weight that is none of `weights`, its own."""
    own = {id(weight) for weight in weights}
    for weight in (weight for each in wiring.layers if each.is_operation or each.built for weight in each.weights):
        if id(weight) not in own:
            raise layer._shape_error(
                f"uses the weight {weight.path} in call, which is none of its own. Make the layer that has it an "
                "attribute, in __init__ or build."
            )
