"""A layer by itself, on arrays: it is lowered for each shape that it meets, and the last few networks are kept."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data import arrays
from ..engine.lowering import Lowering
from ..foundation import atomic, draws, parallel
from ..foundation.native import core

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
    _calls: dict[tuple[tuple[int, ...], ...], Call]

    @property
    def takes_list(self) -> bool: ...
    @property
    def dtype(self) -> str: ...
    def sample_output_shape(self, shape: Any) -> tuple[int, ...]: ...
    def lower(self, net: Lowering, x: Any, shape: Any) -> int: ...
    def _build_for(self, shape: Any) -> None: ...
    def _input_name(self, number: int) -> str: ...


class Call(NamedTuple):
    """A layer, lowered for one shape of its inputs."""

    plan: _core.Plan
    output: tuple[int, ...]  # of a sample
    dtype: str


def compute(layer: Callable, inputs: list[Any], training: bool) -> Array:
    """What a layer makes of arrays; it is built for them if it was not.

    Raises:
        TypeError, ValueError: arrays that the layer cannot take.
    """
    if layer.ids_below:
        given = arrays.as_numbers(inputs[0], layer._input_name(0))
        xs: list[Array] = [arrays.as_ids(given, layer._input_name(0), given.shape[1:], layer.ids_below, layer.name)]
        key: tuple[tuple[int, ...], ...] = (given.shape[1:],)
    else:
        dtype = layer.dtype
        xs = [
            x
            if type(x) is np.ndarray and x.dtype == dtype and x.flags.c_contiguous and x.flags.aligned
            else arrays.as_array(x, layer._input_name(number), dtype)
            for number, x in enumerate(inputs)
        ]
        key = tuple([x.shape[1:] for x in xs])
    call = layer._calls.get(key) or _lowered(layer, xs, key)
    rows = len(xs[0])
    out = np.empty((rows, *call.output), call.dtype)
    if rows:
        if training:
            call.plan.predict_training((out,), xs, False, next(_training_calls), parallel.get_num_threads())
        else:
            call.plan.predict((out,), xs, False, parallel.get_num_threads())
    return out


def _lowered(layer: Callable, xs: list[Array], key: tuple[tuple[int, ...], ...]) -> Call:
    for number, x in enumerate(xs):
        if x.ndim == 0:
            raise ValueError(f"{layer._input_name(number)} must have a batch axis, but is the single number {x}.")
        if 0 in key[number]:
            raise ValueError(
                f"{layer._input_name(number)} must have a number in each sample, but their shape is {key[number]}."
            )
        if len(x) != len(xs[0]):
            raise ValueError(
                f"Layer {layer.name!r}: all inputs must have the same number of samples, but got "
                f"{', '.join(str(len(each)) for each in xs)}."
            )
    shapes: Any = list(key) if layer.takes_list else key[0]
    layer._build_for(shapes)
    graph = core.Graph()
    net = Lowering(graph)
    tensors = [net.input(math.prod(shape), layer.ids_below) for shape in key]
    output = layer.lower(net, tensors if layer.takes_list else tensors[0], shapes)
    graph.set_outputs([output])
    call = Call(core.Plan(graph, layer.dtype), layer.sample_output_shape(shapes), layer.dtype)
    atomic.keep(layer._calls, key, call, MOST_KEPT)
    return call
