"""How a sequence goes through cells of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import arrays
from ..engine.lowering import Lowering
from ..foundation import checks
from ..geometry import maps
from .base import Layer
from .cell import Cell, Run, zeros
from .elementwise import combined
from .symbolic import SymbolicTensor
from .types import Shape

Sizes = int | list["Sizes"]  # of states: one, or a list of them


def check_cell(cell: object) -> Layer:
    """The argument `cell`: a layer that is called on inputs and states, and says how large these are."""
    if not isinstance(cell, Layer):
        raise TypeError(
            "cell must be a layer such as pynn.layers.LSTMCell(10), or a list of them, but got "
            f"{checks.shown(cell)} of type {type(cell).__name__}."
        )
    kind = type(cell).__name__
    if getattr(cell, "state_size", None) is None:
        raise ValueError(
            f"The cell {cell.name!r} ({kind}) has no state_size: it must be the size of a sample's state, or a list of "
            "sizes, one for each state."
        )
    form = cell._form
    if not (isinstance(cell, Cell) or getattr(cell, "runs_cells", False)):
        if form is None or not form.may_be_of_cell:
            raise TypeError(f"The cell {cell.name!r} ({kind}) must have a call(self, inputs, states).")
        form = form.of_cell()
    _check_sizes(cell.state_size, cell.name)  # type: ignore[attr-defined]
    output = getattr(cell, "output_size", None)
    if output is not None:
        checks.positive_int(output, f"output_size of the cell {cell.name!r}")
    if form is not cell._form:
        cell._form = form
    return cell


def _check_sizes(sizes: Any, name: str) -> None:
    if isinstance(sizes, list | tuple) and sizes:
        for each in sizes:
            _check_sizes(each, name)
    else:
        checks.positive_int(sizes, f"state_size of the cell {name!r}")


def flat(values: Any) -> Iterator[Any]:
    """The values in nested lists and tuples, one by one."""
    if isinstance(values, list | tuple):
        for each in values:
            yield from flat(each)
    else:
        yield values


def called(layer: Layer, sequences: Any, initial_state: Any, mask: Any, training: bool | None) -> Any:
    """What a layer that goes through sequences makes of them, arrays or symbolic tensors, from these states on."""
    if training is not None:
        training = checks.boolean(training, "training")
    given = [*layer._take_apart(sequences), *([] if initial_state is None else flat(initial_state))]
    masks = () if mask is None else (mask, *[None] * (len(given) - 1))
    if any(isinstance(each, SymbolicTensor) for each in given):
        return layer._record(given, training, masks)
    return layer._compute(given, bool(training), masks)


def like(sizes: Any, values: Iterator[Any]) -> Any:
    """The next values, nested as `sizes` are."""
    return [like(each, values) for each in sizes] if isinstance(sizes, list | tuple) else next(values)


def form_of(cell: Any) -> list[Any]:
    """The sizes of the states in the form in which calls take and return these: a list, for each cell of a stack."""
    if getattr(cell, "runs_cells", False):
        return [form_of(each) for each in cell.cells]
    size = cell.state_size
    return list(size) if isinstance(size, list | tuple) else [size]


def sizes_of(cell: Layer) -> list[Shape]:
    """The shapes of a sample's states."""
    return [(size,) for size in flat(cell.state_size)]  # type: ignore[attr-defined]


def initial_states(cell: Any, rows: int, dtype: str) -> list[NDArray[Any]]:
    """The states at the beginning: those that cells of one's own make by a ``get_initial_state``, otherwise zeros.

    Raises:
        ValueError: they have other shapes than the cell's state_size says.
    """
    if getattr(cell, "runs_cells", False):
        return [state for each in cell.cells for state in initial_states(each, rows, dtype)]
    expected = [(rows, *shape) for shape in sizes_of(cell)]
    if isinstance(cell, Cell) or not hasattr(cell, "get_initial_state"):
        return [np.zeros(shape, dtype) for shape in expected]
    what = f"get_initial_state of the cell {cell.name!r}"
    states = [arrays.as_array(state, what, dtype) for state in flat(cell.get_initial_state(batch_size=rows))]
    if [state.shape for state in states] != expected:
        raise ValueError(
            f"{what} must return states of the shapes {', '.join(map(str, expected))} for batch_size={rows}, but "
            f"returned {', '.join(str(state.shape) for state in states)}."
        )
    return states


def output_size(cell: Layer) -> int:
    """The size of a sample's output: that of its first state, unless the cell says another."""
    size = getattr(cell, "output_size", None)
    return int(next(flat(cell.state_size)) if size is None else size)  # type: ignore[attr-defined]


def lower_run(net: Lowering, cell: Any, run: Run) -> tuple[int, list[int]]:
    """Add what a cell makes of a sequence; returns the output, and the states at the end if they are asked for."""
    if isinstance(cell, Cell):
        return cell.lower_run(net, run)
    if run.backwards:
        run = run._replace(
            x=reverse(net, run.x, (run.steps, *run.shape)),
            mask=None if run.mask is None else reverse(net, run.mask, (run.steps,)),
            backwards=False,
        )
    if getattr(cell, "runs_cells", False):
        return cell.lower_run(net, run)  # type: ignore[no-any-return]
    return _lower_unrolled(net, cell, run)


def reverse(net: Lowering, x: int, shape: Shape) -> int:
    """Tensor `x`, the last step first; steps are its first axis."""
    return net.resample(x, maps.selected(shape, (slice(None, None, -1),)))


def _lower_unrolled(net: Lowering, cell: Layer, run: Run) -> tuple[int, list[int]]:
    """Step by step, the ops of a cell of one's own."""
    shapes = sizes_of(cell)
    states = list(run.states) or [_constant(net, run, state) for state in initial_states(cell, 1, net.dtype)]
    size = (output_size(cell),)
    y, outputs = -1, list[int]()
    for step in range(run.steps):
        x = net.resample(run.x, maps.selected((run.steps, *run.shape), (step,)))
        (output, *new), _ = cell.lower_with_masks(net, [x, *states], [run.shape, *shapes], [None] * (1 + len(states)))
        if run.mask is not None:
            real = net.resample(run.mask, maps.selected((run.steps,), (step,)))
            if run.zero_masked:
                before = None
            else:  # the first state stands for the output, as in Keras
                before = states[0] if shapes[0] == size else y if step else zeros(net, run, size[0])
            output = _choose(net, real, output, before, size)
            new = [_choose(net, real, a, b, shape) for a, b, shape in zip(new, states, shapes, strict=True)]
        y, states = output, new
        outputs.append(y)
    if run.sequences and run.steps > 1:
        y = net.add("concat", outputs, outer=1)
    return y, states if run.ends else []


def _constant(net: Lowering, run: Run, state: NDArray[Any]) -> int:
    """A state that is the same for all samples."""
    nothing = zeros(net, run, state.size)
    if not state.any():
        return nothing
    shapes = [(state.size,), (state.size,)]
    return combined(net, "add", [nothing], shapes, constant=state.ravel().tolist(), constant_first=False)


def _choose(net: Lowering, real: int, new: int, old: int | None, shape: Shape) -> int:
    """Tensor `new` in a step that is `real`, otherwise `old`, or zeros."""
    kept = combined(net, "multiply", [real, new], [(1,), shape])
    if old is None:
        return kept
    padded = combined(net, "subtract", [real], [(1,), ()], constant=[1.0], constant_first=True)
    return combined(net, "add", [kept, combined(net, "multiply", [padded, old], [(1,), shape])], [shape, shape])
