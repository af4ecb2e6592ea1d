"""A layer by itself, on arrays: it is lowered for each shape that it meets, and the last few networks are kept."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data import arrays
from ..data.limits import Limits
from ..engine.lowering import Added, Lowering, Mask
from ..foundation import atomic, draws, parallel
from ..foundation.native import core
from .keeping import keep_for
from .reporting import report
from .trial import current, is_calling

if TYPE_CHECKING:
    from .. import _core

Array = NDArray[Any]

# Shapes for which a layer or model keeps its network.
MOST_KEPT = 8

_training_calls = itertools.count(draws.FIRST_CALL)


class Callable(Protocol):
    """A layer, as a call of it on arrays sees it."""

    name: str
    ids_below: int
    wired: bool
    _calls: dict[tuple[Any, ...], Call]

    @property
    def dtype(self) -> str: ...
    @property
    def weights(self) -> list[Any]: ...
    def sample_output_shape(self, shape: Any) -> Any: ...
    @property
    def _itself(self) -> Any: ...
    def lower_with_masks(self, net: Lowering, x: Any, shape: Any, masks: Any) -> Any: ...
    def add_penalty(self, net: Lowering, outputs: Sequence[int]) -> None: ...
    def _limits_for(self, inputs: list[Any], masks: Any = ()) -> Limits: ...
    def _as_taken(self, values: Sequence[Any]) -> Any: ...
    def _arrange(self, outputs: list[Any]) -> Any: ...
    def _build_for(self, shape: Any, masks: Any = ()) -> None: ...
    def _check_mask(self, shape: Any, mask: Any) -> None: ...
    def _input_name(self, number: int) -> str: ...


class Call(NamedTuple):
    """A layer, lowered for one shape of its inputs."""

    plan: _core.Plan
    output: tuple[int, ...]  # of a sample of the first output
    more: list[tuple[int, ...]] | None  # of the others; None where the output comes as it is
    dtype: str
    batch_size: int  # of layers that keep states from batch to batch: how many samples; otherwise 0
    added: tuple[Added, ...]  # to the loss: the outputs behind those of the layer are what it is of


def compute(layer: Callable, inputs: list[Any], training: bool, masks: Sequence[Any] = ()) -> Any:
    """What a layer makes of arrays, with masks or None beside them; it is built for them if it was not.

    Raises:
        TypeError, ValueError: arrays that the layer cannot take; also one with weights, where a `call` is traced.
    """
    limits: Limits | None = None
    if layer.ids_below or layer.wired:
        limits, dtype = layer._limits_for(inputs, masks), layer.dtype
        xs = [_converted(layer, number, x, limits.each[number], dtype) for number, x in enumerate(inputs)]
        if limits.computed.limits:
            names = [layer._input_name(number) for number in range(len(xs))]
            check_inputs(names, [x.shape for x in xs])
            limits.computed.check(xs, names, [layer.name] * len(xs))
    else:
        dtype = layer.dtype
        xs = [
            x
            if type(x) is np.ndarray and x.dtype == dtype and x.flags.c_contiguous and x.flags.aligned
            else arrays.as_array(x, layer._input_name(number), dtype)
            for number, x in enumerate(inputs)
        ]
    key: tuple[Any, ...] = tuple([x.shape[1:] for x in xs])
    rows = len(xs[0]) if xs[0].shape else 0
    if masks:
        found = [_mask(layer, number, *each) for number, each in enumerate(zip(masks, xs, strict=True))]
        key = (*key, *(None if each is None else ("mask", *each.shape[1:]) for each in found))
        xs += [each for each in found if each is not None]
    call = layer._calls.get(key)
    if call is None or call.batch_size not in (0, rows):
        call = _lowered(layer, xs, key, (0,) * len(inputs) if limits is None else limits.each)
    if is_calling() and layer.weights:
        raise no_values_yet(f"Layer {layer.name!r}")
    out = np.empty((rows, *call.output), call.dtype)
    outs = (out,) if call.more is None else (out, *(np.empty((rows, *each), call.dtype) for each in call.more))
    count = len(outs)
    if call.added:
        outs = (*outs, *(np.empty((rows, each.size), call.dtype) for each in call.added))
    if rows:
        if training:
            call.plan.predict_training(outs, xs, False, next(_training_calls), parallel.get_num_threads())
        else:
            step = next(_training_calls) if call.plan.draws else 0
            call.plan.predict(outs, xs, False, parallel.get_num_threads(), step)
    if call.added and current() is None:
        report(layer._itself, call.added, outs[count:])
    return out if call.more is None else layer._arrange(list(outs[:count]))


def no_values_yet(what: str) -> TypeError:
    """The error for a layer or model with weights that is called on arrays where a `call` is traced."""
    return TypeError(
        f"{what} is called on arrays where a call is traced: its weights have no values there. Call it on tensors that "
        "are computed from the inputs."
    )


def _converted(layer: Callable, number: int, x: Any, below: int, dtype: str) -> Array:
    """An input as the engine takes it: numbers of the layer's type, or ids."""
    name = layer._input_name(number)
    if not below:
        return arrays.as_array(x, name, dtype)
    given = arrays.as_numbers(x, name)
    return arrays.as_ids(given, name, given.shape[1:], below, layer.name).reshape(given.shape)


def _mask(layer: Callable, number: int, mask: Any, x: Array) -> Array | None:
    """A mask of an input, as numbers 0 and 1 of the layer's type."""
    if mask is None:
        return None
    given = arrays.as_numbers(mask, f"mask of {layer._input_name(number)}")
    if given.ndim > 1 and len(given) == 1 < len(x):  # the same for all samples
        given = np.broadcast_to(given, (len(x), *given.shape[1:]))
    check_mask(layer, number, x.shape, given.shape)
    return np.ascontiguousarray(given != 0, layer.dtype)


def check_mask(layer: Callable, number: int, shape: tuple[int, ...], mask: tuple[int, ...]) -> None:
    """Raise ValueError unless an input of this shape may have a mask of that one."""
    if mask[:1] != shape[:1]:
        raise ValueError(
            f"mask of {layer._input_name(number)} must have the shape of its first axes, such as (samples, steps), but "
            f"has {mask} where they have {shape}."
        )
    layer._check_mask(shape[1:], mask[1:])


def check_inputs(names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise ValueError unless arrays of `shapes` are inputs of one call, with samples of at least one number."""
    for name, shape in zip(names, shapes, strict=True):
        if not shape:
            raise ValueError(f"{name} must have a batch axis, but is a single number.")
        if 0 in shape[1:]:
            raise ValueError(f"{name} must have a number in each sample, but their shape is {shape[1:]}.")
        if shape[0] != shapes[0][0]:
            counts = ", ".join(str(each[0]) for each in shapes)
            raise ValueError(f"{', '.join(names)} must have the same number of samples, but got {counts}.")


def _lowered(layer: Callable, xs: list[Array], key: tuple[Any, ...], limits: tuple[int, ...]) -> Call:
    """The layer, lowered for these inputs, behind which their masks come. `key`: shapes of both, None for no mask."""
    count = len(limits)
    check_inputs([layer._input_name(number) for number in range(count)], [x.shape for x in xs[:count]])
    shapes: Any = layer._as_taken(key[:count])
    of_masks = [None if each is None else each[1:] for each in key[count:]]
    layer._build_for(shapes, tuple(of_masks))
    keep_for([layer], len(xs[0]), layer.dtype)
    graph = core.Graph()
    net = Lowering(graph, layer.dtype)
    tensors = [net.input(math.prod(shape), below) for shape, below in zip(key[:count], limits, strict=True)]
    masks = [None if each is None else Mask(net.input(math.prod(each)), each) for each in of_masks]
    made, _ = layer.lower_with_masks(net, layer._as_taken(tensors), shapes, masks or [None] * count)
    layer.add_penalty(net, made)
    outputs = layer.sample_output_shape(shapes)
    graph.set_outputs([*map(net.numbers, made), *(each.tensor for each in net.added)])
    output, more = (outputs[0], outputs[1:]) if isinstance(outputs, list) else (outputs, None)
    plan = core.Plan(graph, layer.dtype)
    call = Call(plan, output, more, layer.dtype, plan.state_samples, tuple(net.added))
    if current() is None:
        atomic.keep(layer._calls, key, call, MOST_KEPT)
    else:  # it is about weights that may be taken back
        for weight in layer.weights:
            weight.draw()
    return call
