"""Recurrent cells on top of each other, as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from .. import config
from ..engine.lowering import Lowering
from ..foundation import checks, registry
from .base import Layer
from .building import Draft
from .by_name import deserialize, serialize
from .cell import Run
from .running import check_cell, flat, form_of, initial_states, like, lower_run, output_size, sizes_of
from .symbolic import SymbolicTensor
from .types import OpenShapes
from .wrapping import settle

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["StackedRNNCells"]


class StackedRNNCells(Layer):
    """Cells as one: each gets the output of the one before, and all have states of their own.

    A layer of it computes what layers of the cells one after the other do. It is called as ``cell(inputs, states)``,
    with a list of the states of each cell, and returns the output and the new states in that form.

    Args:
        cells: The cells, in order; see `RNN`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, other inputs or states.
    """

    takes_more = True
    holds_layers = True
    runs_cells = True

    def __init__(
        self,
        cells: Sequence[Layer],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        if not isinstance(cells, list | tuple) or not cells:
            raise TypeError(f"cells must be a list of cells, but got {checks.shown(cells)}.")
        self.cells = [check_cell(cell) for cell in cells]
        super().__init__(name, trainable, dtype, input_shape, input_dim)
        settle(self, self.cells)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of each cell's states."""
        return [cell.state_size for cell in self.cells]  # type: ignore[attr-defined]

    @property
    def output_size(self) -> int:
        """The size of a sample's output, which is that of the last cell."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states at the beginning, of each cell: zeros, or those of its own ``get_initial_state``.

        Raises:
            TypeError, ValueError: no such batch_size.
        """
        rows = checks.positive_int(batch_size, "batch_size")
        dtype = self.dtype if self.built or self.dtype_given else config.floatx()
        states: list[Any] = like(form_of(self), iter(initial_states(self, rows, dtype)))
        return states

    def sample_output_shape(self, shape: Any) -> Any:
        _, *states = shape if isinstance(shape, list) else [shape, *sizes_of(self)]
        if states != sizes_of(self):
            raise self._shape_error(
                f"takes {len(sizes_of(self))} states, of the shapes {', '.join(map(str, sizes_of(self)))} a sample, "
                f"but got {len(states)}: {', '.join(map(str, states))}."
            )
        return [(self.output_size,), *states]

    def _drafts_within(self, shape: OpenShapes, dtype: str) -> list[Draft]:
        step = shape[0] if isinstance(shape, list) else shape
        drafts: list[Draft] = []
        for cell in self.cells:
            drafts.append(draft_of_cell(cell, step, dtype))
            step = (output_size(cell),)
        return drafts

    def __call__(self, inputs: Any, states: Any, training: bool | None = None) -> Any:  # type: ignore[override]
        """The output of a step, and a list of the new states of each cell.

        Args:
            inputs: An array (samples, features), or a symbolic tensor.
            states: A list with the states of each cell, as `get_initial_state` gives them.
            training: As for `Layer`.

        Raises:
            TypeError, ValueError: what the cells cannot take; they are as before then.
        """
        if training is not None:
            training = checks.boolean(training, "training")
        given = [inputs, *flat(states)]
        if any(isinstance(each, SymbolicTensor) for each in given):
            return self._record(given, training)
        return self._compute(given, bool(training))

    def _arrange(self, outputs: list[Any]) -> Any:
        return outputs[0], like(form_of(self), iter(outputs[1:]))

    def lower(self, net: Lowering, x: Any, shape: Any) -> Any:
        y, states = self.lower_run(net, Run(x[0], 1, shape[0], x[1:], sequences=False, ends=True))
        return [y, *states]

    def lower_run(self, net: Lowering, run: Run) -> tuple[int, list[int]]:
        """Add the cells, one after the other."""
        ends: list[int] = []
        states, kept, x, shape = list(run.states), list(run.kept), run.x, run.shape
        for number, cell in enumerate(self.cells):
            count, last = len(sizes_of(cell)), number + 1 == len(self.cells)
            own = run._replace(
                x=x,
                shape=shape,
                states=states[:count],
                kept=kept[:count],
                sequences=run.sequences if last else True,
                zero_masked=run.zero_masked and last,
            )
            x, of_cell = lower_run(net, cell, own)
            ends += of_cell
            states, kept, shape = states[count:], kept[count:], (output_size(cell),)
        return x, ends

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [serialize(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """The cells of these arguments.

        Args:
            config: What `get_config` gave.
            custom_objects: Classes of one's own by name. Default: none.
        """
        return registry.knowing(
            custom_objects, lambda: cls(**{**config, "cells": [deserialize(each) for each in config["cells"]]})
        )


def draft_of_cell(cell: Layer, step: Any, dtype: str) -> Draft:
    """What a cell would be for steps of samples of shape `step`; ValueError where it makes other states than it has."""
    expected = [(output_size(cell),), *sizes_of(cell)]
    draft = cell.draft([step, *expected[1:]], dtype)
    if draft.outputs != expected:
        shown = [", ".join(map(str, shapes)) for shapes in (expected, draft.outputs)]
        raise ValueError(
            f"The call of the cell {cell.name!r} must return an output and states of the shapes {shown[0]} a sample, "
            f"as its output_size and state_size say, but returned {shown[1]}."
        )
    return draft
