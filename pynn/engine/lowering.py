"""How layers write themselves into a graph of the engine."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .. import _core
    from ..geometry.maps import Map


class Parameter(Protocol):
    """A weight array as the engine knows it: the `Parameters` of its layer, and its number there."""

    native: tuple[_core.Parameters, int]


class Mask(NamedTuple):
    """Which steps of a tensor are real: the number of a tensor that has 1 for them, and 0 for padding."""

    tensor: int
    shape: tuple[int, ...]  # of a sample


class Added(NamedTuple):
    """What a layer adds to the loss: numbers times sums over a tensor, for each sample or for the whole batch."""

    tensor: int
    size: int  # of the tensor, for a sample
    layer: weakref.ref[Any] | None  # None: the model that is being written
    l1: float = 0.0
    l2: float = 0.0
    linear: float = 0.0
    is_sum: bool = False  # whether samples are added up; otherwise it is their mean

    def value(self, x: NDArray[Any]) -> float:
        """What it is where the tensor is `x`, of all samples."""
        x = x.astype(np.float64)
        total = self.l1 * np.abs(x).sum() + self.l2 * np.square(x).sum() + self.linear * x.sum()
        return float(total if self.is_sum else total / len(x))


class Writable(Protocol):
    """What a graph is to who writes it."""

    def add_input(self, size: int, kind: str) -> int:
        """The number of a new tensor."""
        ...

    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        parameters: Sequence[int],
        attributes: dict[str, Any],
        times: int,
        trains: bool,
    ) -> list[int]:
        """The numbers of the tensors that an op makes."""
        ...

    def add_parameter(self, parameters: _core.Parameters, number: int) -> int:
        """The number of a weight."""
        ...

    def add_activity_penalty(self, tensor: int, l1: float, l2: float, linear: float) -> None:
        """Make a penalty part of the loss."""

    def size(self, tensor: int) -> int:
        """How many elements a sample of a tensor has."""
        ...


class NoGraph:
    """In place of a graph, where it is only asked what a layer would write."""

    def __init__(self) -> None:
        self._tensors = 0

    def add_input(self, size: int, kind: str) -> int:
        """The number of a new tensor."""
        self._tensors += 1
        return self._tensors - 1

    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        parameters: Sequence[int],
        attributes: dict[str, Any],
        times: int,
        trains: bool,
    ) -> list[int]:
        """The number of a new tensor."""
        return [self.add_input(0, "real")]

    def add_parameter(self, parameters: _core.Parameters, number: int) -> int:
        """No number."""
        return -1

    def add_activity_penalty(self, tensor: int, l1: float, l2: float, linear: float) -> None:
        """Nothing."""

    def size(self, tensor: int) -> int:
        """It is not known."""
        return 0


class _Permuted(NamedTuple):
    """A tensor whose axes were put in another order."""

    x: int
    shape: Sequence[int]  # of x
    order: Sequence[int]


class Lowering:
    """A graph that is being written, for a plan of `dtype`. Tensors are numbers, shapes those of one sample."""

    def __init__(self, graph: Writable, dtype: str) -> None:
        self._graph = graph
        self.dtype = dtype
        self._ids: set[int] = set()  # tensors of whole numbers
        self._draws: dict[int, int] = {}  # by seed: how often it was asked for
        self.mode: bool | None = None  # True: what is added always works as in training; False: as in prediction
        self.times = 1  # over how many equal parts of each sample what is added goes, such as steps: each by itself
        self.masks: Sequence[Mask | None] = ()  # of the inputs of the layer that is being lowered
        self.step_by_step = False  # whether layers come again for each of several steps
        self._states: dict[int, int] = {}  # by the number of a parameter: the tensor of what it is by now
        self._permuted: dict[int, _Permuted] = {}  # by the tensor that `permute` made
        self.owner: Any = None  # the layer or model whose call is being lowered; None: the one that the graph is for
        self.added: list[Added] = []  # to the loss

    @property
    def inference(self) -> bool:
        """Whether what is added works as in prediction, also in training."""
        return self.mode is False

    @property
    def mask(self) -> Mask | None:
        """The mask of the first input of the layer that is being lowered."""
        return self.masks[0] if self.masks else None

    def input(self, size: int, below: int = 0) -> int:
        """Append an input of `size` elements a sample: numbers, or ids below `below`; returns its number."""
        x = self._graph.add_input(size, "ids" if below else "real")
        if below:
            self._ids.add(x)
        return x

    def numbers(self, x: int) -> int:
        """Tensor `x` as numbers of the network's type, where it holds ids."""
        return self.add("numbers", x) if x in self._ids else x

    def holds_ids(self, x: int) -> bool:
        """Whether tensor `x` holds ids."""
        return x in self._ids

    def select_ids(self, x: int, index: NDArray[np.int64]) -> int:
        """Those ids of each sample of tensor `x` that `index` names."""
        y = self.add("select_ids", x, index=index)
        self._ids.add(y)
        return y

    def compute_ids(self, function: str, xs: Sequence[int], **settings: Any) -> int:
        """What a function makes of the ids of two tensors, or of one and a constant for each."""
        y = self.add("compute_ids", xs, function=function, **settings)
        self._ids.add(y)
        return y

    def seed(self, seed: int) -> int:
        """The seed of noise that a layer of `seed` adds: another one for each use of the layer."""
        uses = self._draws[seed] = self._draws.get(seed, 0) + 1
        return (seed + (uses - 1) * 0x9E3779B97F4A7C15) % 2**64

    def add(
        self, kind: str, x: int | Sequence[int], parameters: Sequence[Parameter | None] = (), /, **attributes: Any
    ) -> int:
        """Append an op on tensor `x`, or on several; returns the number of its output.

        Args:
            kind: The engine's name of the op.
            parameters: Its weights in the op's order, None for one that it goes without.
            attributes: The op's settings.
        """
        return self.add_several(kind, [x] if isinstance(x, int) else x, parameters, **attributes)[0]

    def add_several(
        self, kind: str, xs: Sequence[int], parameters: Sequence[Parameter | None] = (), /, **attributes: Any
    ) -> list[int]:
        """Append an op of several outputs; as `add`, but returns the numbers of all of them."""
        numbers = [self.parameter(parameter) for parameter in parameters]
        return self._graph.add(kind, list(xs), numbers, attributes, self.times, self.mode is True)

    def parameter(self, parameter: Parameter | None) -> int:
        """The number of a weight in the graph, the same each time; -1 for None."""
        return -1 if parameter is None else self._graph.add_parameter(*parameter.native)

    def state(self, parameter: Parameter, size: int) -> int:
        """The tensor of a state, `size` elements a sample, that lives on from batch to batch: as the last batch left
        it, or as `keep_state` did."""
        number = self.parameter(parameter)
        if number not in self._states:
            self._states[number] = self.add("state", [], [parameter], size=size)
        return self._states[number]

    def keep_state(self, parameter: Parameter, x: int) -> int:
        """Let the state be tensor `x`, also for the next batch; returns the tensor of the state."""
        self._states[self.parameter(parameter)] = y = self.add("keep_state", x, [parameter])
        return y

    def resample(self, x: int, found: Map | None) -> int:
        """Append a linear map of the elements of each sample; `x` itself where there is none."""
        if found is None:
            return x
        return self.add(
            "resample",
            x,
            inputs=found.inputs,
            inner=found.inner,
            begin=found.begin,
            index=found.source,
            weight=found.weight,
        )

    def permute(self, x: int, shape: Sequence[int], order: Sequence[int]) -> int:
        """Append another order of the axes of each sample; `x` itself where no element moves.

        Two in a row, as between layers with their channels first, are one; the engine leaves out the first then.
        """
        before = self._permuted.get(x)
        if before is not None and [before.shape[axis] for axis in before.order] == list(shape):
            x, shape, order = before.x, before.shape, [before.order[axis] for axis in order]
        moved = [axis for axis in order if shape[axis] > 1]
        if moved == sorted(moved):
            return x
        y = self.add("permute", x, lengths=np.array(shape, np.int64), order=np.array(order, np.int64))
        self._permuted[y] = _Permuted(x, shape, order)
        return y

    def add_activity_penalty(self, x: int, layer: Any, l1: float, l2: float) -> None:
        """Make ``(l1 * sum |x| + l2 * sum x^2) / samples`` part of the loss, for a layer."""
        self._graph.add_activity_penalty(x, l1, l2, 0.0)
        self.added.append(Added(x, self._graph.size(x), weakref.ref(layer), l1, l2))

    def add_mean(self, x: int) -> None:
        """Make ``sum x / samples`` part of the loss."""
        self._graph.add_activity_penalty(x, 0.0, 0.0, 1.0)
        self.added.append(self._whole(x, is_sum=False))

    def add_sum(self, x: int) -> None:
        """Make ``sum x`` part of the loss: the network that trains has this tensor as an output."""
        self.added.append(self._whole(x, is_sum=True))

    def _whole(self, x: int, is_sum: bool) -> Added:
        owner = None if self.owner is None else weakref.ref(self.owner)
        return Added(x, self._graph.size(x), owner, linear=1.0, is_sum=is_sum)
