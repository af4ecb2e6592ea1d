"""Recurrent layers of any cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike, NDArray

from .. import initializers, regularizers
from ..engine.lowering import Lowering, Mask
from ..foundation import atomic, checks, registry
from ..foundation.native import core
from ..regularizers import RegularizerLike
from .base import Layer
from .building import Draft
from .by_name import deserialize, serialize
from .cell import Cell, Run
from .keeping import users_of
from .running import called, check_cell, form_of, initial_states, like, lower_run, output_size, sizes_of
from .stacking import StackedRNNCells, draft_of_cell
from .types import OpenShapes, Shape
from .weight import Weight, WeightSpec
from .wrapping import settle

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RNN"]


class RNN(Layer):
    """A cell that goes through sequences, step by step, with states that it takes along.

    Shapes: input ``(N, steps, features)``, output ``(N, units)``, or ``(N, steps, units)`` with `return_sequences`,
    where units is the cell's output_size; each state ``(N, size)``, with the sizes of the cell's state_size. Any number
    of steps will do.

    The cell is one of pynn's, `SimpleRNNCell`, `LSTMCell` or `GRUCell`, which the engine computes for all steps at
    once, or one of your own: a layer with ``call(self, inputs, states)``, which gets the inputs of a step and, under
    any name, a list of the states, and returns the output and a list of the new states. It has the attribute
    ``state_size``, a number or, for several states, a list of numbers, and perhaps ``output_size``, by default the size
    of the first state. A method ``get_initial_state(batch_size)`` may return a list of arrays, the states at the
    beginning, which are zeros otherwise. Its ops are there once for each step.

    Args:
        cell: The cell, or a list of cells, which go on top of each other (`StackedRNNCells`).
        return_sequences: Whether the output has all steps. Default ``False``: the last one.
        return_state: Whether a call returns the output and then the states at the end. Default ``False``.
        go_backwards: Whether to begin with the last step. The output has the steps in the order in which they are made.
            Default ``False``.
        stateful: Whether the states at the end of a batch are those at the beginning of the next one, sample by sample,
            until `reset_state`, after which they are 0. All batches must have one size then. Default ``False``: each
            begins with the cell's first states.
        unroll: Without effect.
        zero_output_for_mask: Whether the output of a masked step is 0. Default ``False``: it is the state.
        activity_regularizer: Penalty for the output: a name or `Regularizer`. Default ``None``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument, such as a cell without a state_size; when called, inputs or states that
            do not fit.
    """

    takes_more = True
    holds_layers = True
    supports_masking = True
    reads_steps = True

    def __init__(
        self,
        cell: Layer | Sequence[Layer],
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        *,
        activity_regularizer: RegularizerLike = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.cell = check_cell(StackedRNNCells(cell) if isinstance(cell, list | tuple) else cell)
        self.return_sequences = checks.boolean(return_sequences, "return_sequences")
        self.return_state = checks.boolean(return_state, "return_state")
        self.go_backwards = checks.boolean(go_backwards, "go_backwards")
        self.stateful = checks.boolean(stateful, "stateful")
        self.unroll = checks.boolean(unroll, "unroll")
        self.zero_output_for_mask = checks.boolean(zero_output_for_mask, "zero_output_for_mask")
        self.activity_regularizer = regularizers.get(activity_regularizer, "activity_regularizer")
        self._kept: tuple[Weight, ...] = ()  # of a stateful layer: its states, once the size of a batch is known
        super().__init__(name, trainable, dtype, input_shape, input_dim)
        settle(self, [self.cell])

    # ---- states that are kept

    @property
    def states(self) -> list[Weight] | None:
        """Of a stateful layer: the states, for the samples of a batch; None before it has seen a batch."""
        return list(self._kept) or None

    def reset_state(self) -> None:
        """Of a stateful layer: go on with zeros. Batches may have another size then, unless the Input says."""
        for weight in self._kept:
            weight._array[...] = 0

    def reset_states(self) -> None:
        """Keras's second name of `reset_state`."""
        self.reset_state()

    @property
    def keeps_states(self) -> bool:  # type: ignore[override]
        """Whether it is stateful."""
        return self.stateful

    @property
    def _kept_rows(self) -> int:
        """How many samples the states are of, 0 where there are none yet."""
        return len(self._kept[0]._array) if self._kept else 0

    def _check_may_forget(self, rows: int) -> None:
        """Raise ValueError unless the states are those of the beginning, or zeros."""
        if not any(weight._array.any() for weight in self._kept):
            return
        first = initial_states(self.cell, self._kept_rows, self.dtype)
        if any((weight._array != state).any() for weight, state in zip(self._kept, first, strict=True)):
            raise self._shape_error(
                f"is stateful and has the states of a batch of {self._kept_rows} samples, but got one of {rows}. "
                "Batches must have one size; reset_states() lets another one come."
            )

    @property
    def _sizes_of_states(self) -> list[Shape]:
        return sizes_of(self.cell)

    def _taking_on(self, states: Sequence[NDArray[Any]]) -> list[atomic.Change]:
        """The changes by which these are the states that are kept, or there are none."""
        if len(states) and len(states[0]) == self._kept_rows:
            return [atomic.assigning(own._array, new) for own, new in zip(self._kept, states, strict=True)]
        if not len(states) and not self._kept:
            return []
        kept = self._new_states(len(states[0]), self.dtype) if len(states) else ()
        for own, new in zip(kept, states, strict=True):
            own.assign(new)
        anew = [change for user in users_of([self]) for change in user._unlowered()]
        return [atomic.setting(self, "_kept", kept), *anew]

    def _keeping(self, rows: int, dtype: str) -> atomic.Change:
        """The change by which there are states, the first ones, for batches of `rows` samples."""
        kept = self._new_states(rows, dtype)
        for weight, state in zip(kept, initial_states(self.cell, rows, dtype), strict=True):
            weight._array[...] = state
        return atomic.setting(self, "_kept", kept)

    def _new_states(self, rows: int, dtype: str) -> tuple[Weight, ...]:
        parameters, kept = core.Parameters(dtype), list[Weight]()
        for number, shape in enumerate(self._sizes_of_states):
            spec = WeightSpec(f"state_{number}", (rows, *shape), initializers.get("zeros"), trainable=False)
            at = parameters.add(rows * shape[0], learned=False)
            kept.append(Weight(f"{self.name}/{spec.name}", spec, parameters, at))
            kept[-1].draw()
        return tuple(kept)

    # ---- shapes and states

    @property
    def state_size(self) -> list[Any]:
        """The sizes of a sample's states."""
        size = self.cell.state_size  # type: ignore[attr-defined]
        return list(size) if isinstance(size, list | tuple) else [size]

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states at the beginning: zeros, or those of a ``get_initial_state`` of a cell of one's own.

        Raises:
            TypeError, ValueError: no such batch_size.
        """
        rows = checks.positive_int(batch_size, "batch_size")
        states: list[Any] = like(form_of(self.cell), iter(initial_states(self.cell, rows, self.dtype)))
        return states

    def _split(self, values: Any) -> tuple[Any, list[Any]]:
        """What belongs to the input of a call, and to the initial states."""
        return (values[0], list(values[1:])) if isinstance(values, list) else (values, [])

    def sample_output_shape(self, shape: Any) -> Any:
        step, states = self._split(shape)
        expected = sizes_of(self.cell)
        if len(step) < 2 or step[0] < 1:
            raise self._shape_error(f"takes samples of shape (steps, features), but got {step}.")
        if states and states != expected:
            raise self._shape_error(
                f"takes {len(expected)} initial {'state' if len(expected) == 1 else 'states'} of shape "
                f"{', '.join(map(str, expected))} a sample, but got {len(states)}: {', '.join(map(str, states))}."
            )
        size = (output_size(self.cell),)
        output = (step[0], *size) if self.return_sequences else size
        return [output, *expected] if self.return_state else output

    def _drafts_within(self, shape: OpenShapes, dtype: str) -> list[Draft]:
        return [draft_of_cell(self.cell, self._split(shape)[0][1:], dtype)]

    def _arrange(self, outputs: list[Any]) -> Any:
        if not self.return_state:
            return outputs[0]
        return outputs[0], *like(self.state_size, iter(outputs[1:]))

    def _input_name(self, number: int) -> str:
        return f"initial_state[{number - 1}] of layer {self.name!r}" if number else super()._input_name(number)

    # ---- calls

    def __call__(  # type: ignore[override]
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None
    ) -> Any:
        """What the layer makes of sequences, arrays or symbolic tensors; with `return_state`, and the states.

        Args:
            sequences: An array (samples, steps, features), or a symbolic tensor.
            initial_state: A list of the states at the beginning, each (samples, size). Default: zeros or, of a stateful
                layer, those that the last batch left behind.
            mask: Which steps count, (samples, steps): the others change no state. Default: the mask that comes with
                `sequences`, if there is one.
            training: As for `Layer`.

        Raises:
            TypeError, ValueError: what the layer cannot take; it is as before then.
        """
        return called(self, sequences, initial_state, mask, training)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the output; with `return_state` a list of it and None for each state. See `Layer`."""
        found = super().compute_mask(inputs, mask)
        return [found, *[None] * len(sizes_of(self.cell))] if self.return_state else found

    def lower(self, net: Lowering, x: Any, shape: Any) -> Any:
        assert self._kept or not self.stateful
        sequence, states = self._split(x)
        steps, *step = self._split(shape)[0]
        by_op = not net.step_by_step and _goes_at_once(self.cell)
        by_tensors = () if by_op else self._kept
        if by_tensors and not states:
            states = [net.state(weight, size) for weight, (size,) in zip(by_tensors, sizes_of(self.cell), strict=True)]
        run = Run(
            sequence,
            steps,
            tuple(step),
            states,
            None if net.mask is None else net.mask.tensor,
            self.go_backwards,
            self.return_sequences,
            self.zero_output_for_mask,
            self.return_state or bool(by_tensors),
            self._kept if by_op else (),
        )
        y, ends = lower_run(net, self.cell, run)
        if by_tensors:
            ends = [net.keep_state(weight, end) for weight, end in zip(by_tensors, ends, strict=True)]
        return [y, *ends] if self.return_state else y

    def lower_mask(self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None]) -> Any:
        steps, mask = self._split(shape)[0][0], masks[0]
        if mask is not None and mask.shape != (steps,):
            raise self._shape_error(
                f"takes a mask of the shape (samples, steps), but for {steps} steps got samples of shape {mask.shape}."
            )
        states = sizes_of(self.cell) if self.return_state else []
        return [mask if self.return_sequences else None, *[None] * len(states)]

    # ---- configuration

    def _own_config(self) -> dict[str, Any]:
        """The arguments that all recurrent layers have."""
        return {
            **super().get_config(),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }

    def get_config(self) -> dict[str, Any]:
        return {**self._own_config(), "cell": serialize(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """The layer of these arguments.

        Args:
            config: What `get_config` gave.
            custom_objects: Classes of one's own by name, such as that of the cell. Default: none.
        """
        if "cell" not in config:
            return cls(**config)
        return registry.knowing(custom_objects, lambda: cls(**{**config, "cell": deserialize(config["cell"])}))


def _goes_at_once(cell: Layer) -> bool:
    """Whether the engine computes the cell for all steps at once, and keeps its states itself."""
    return (
        all(_goes_at_once(each) for each in cell.cells) if isinstance(cell, StackedRNNCells) else isinstance(cell, Cell)
    )
