"""What pynn's recurrent cells have in common; a cell is what a recurrent layer does in one step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import activations, config, constraints, initializers, regularizers
from ..activations import Activation, ActivationLike
from ..constraints import ConstraintLike
from ..engine.lowering import Lowering, Parameter
from ..foundation import checks, draws
from ..foundation.native import core
from ..geometry import maps
from ..initializers import Initializer, InitializerLike
from ..regularizers import RegularizerLike
from .base import Layer
from .elementwise import combined
from .symbolic import SymbolicTensor
from .types import LayerArguments, Shape
from .weight import Weight, WeightSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Run(NamedTuple):
    """A sequence that goes through a cell. Tensors are numbers."""

    x: int  # (steps, *shape)
    steps: int
    shape: Shape  # of a sample's step
    states: Sequence[int] = ()  # at the beginning; none: all are 0
    mask: int | None = None  # (steps): where it is 0, a step changes no state
    backwards: bool = False  # the last step comes first
    sequences: bool = True  # all outputs are asked for, in the order in which they are made; otherwise the last one
    zero_masked: bool = False  # the output of a masked step is 0; otherwise the first state
    ends: bool = False  # the states at the end are asked for
    kept: Sequence[Parameter] = ()  # of a stateful layer: the states, which stay from batch to batch


def zeros(net: Lowering, run: Run, size: int) -> int:
    """A tensor of zeros."""
    return net.resample(run.x, maps.nothing(run.steps * math.prod(run.shape), size))


class Cell(Layer):
    """Base of pynn's own cells.

    They are called as ``cell(inputs, states)`` and return the output, which is the first state, and a list of the new
    states. In the engine, a layer of such a cell is one op for all steps.
    """

    activation: Activation
    takes_more = True
    kind: str  # of the engine's op
    gates: int
    state_count = 1

    def __init__(
        self,
        units: int,
        activation: ActivationLike,
        recurrent_activation: ActivationLike,
        use_bias: bool,
        kernel_initializer: InitializerLike,
        recurrent_initializer: InitializerLike,
        bias_initializer: InitializerLike,
        kernel_regularizer: RegularizerLike,
        recurrent_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        kernel_constraint: ConstraintLike,
        recurrent_constraint: ConstraintLike,
        bias_constraint: ConstraintLike,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **base: Unpack[LayerArguments],
    ) -> None:
        self.units = checks.positive_int(units, "units")
        self.activation = _elementwise(activation, "activation")
        self.recurrent_activation = _elementwise(recurrent_activation, "recurrent_activation")
        self.recurrent_activation.check_differentiable()
        self.use_bias = checks.boolean(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.recurrent_initializer = initializers.get(recurrent_initializer, "recurrent_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer, "recurrent_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.kernel_constraint = constraints.get(kernel_constraint, "kernel_constraint")
        self.recurrent_constraint = constraints.get(recurrent_constraint, "recurrent_constraint")
        self.bias_constraint = constraints.get(bias_constraint, "bias_constraint")
        self.dropout = checks.number(dropout, "dropout", "[0, 1]")
        self.recurrent_dropout = checks.number(recurrent_dropout, "recurrent_dropout", "[0, 1]")
        self.seed = None if seed is None else checks.non_negative_int(seed, "seed", at_most=2**64 - 1)
        super().__init__(**base)
        self._key = core.NoiseKey(draws.next_key() if self.seed is None else self.seed)

    # ---- shapes and weights

    @property
    def state_size(self) -> int | list[int]:
        """The size of a sample's state, or of each of its states."""
        return self.units if self.state_count == 1 else [self.units] * self.state_count

    @property
    def output_size(self) -> int:
        """The size of a sample's output."""
        return self.units

    def get_initial_state(self, batch_size: int | None = None) -> list[NDArray[Any]]:
        """The states at the beginning: zeros of shape ``(batch_size, units)``.

        Raises:
            TypeError, ValueError: no such batch_size.
        """
        rows = checks.positive_int(batch_size, "batch_size")
        dtype = self.dtype if self.built or self.dtype_given else config.floatx()
        return [np.zeros((rows, self.units), dtype) for _ in range(self.state_count)]

    def sample_output_shape(self, shape: Any) -> Any:
        step, *states = shape if isinstance(shape, list) else [shape, *[(self.units,)] * self.state_count]
        if len(step) != 1:
            raise self._shape_error(f"takes steps of samples of shape (features,), but got {step}.")
        if states != [(self.units,)] * self.state_count:
            raise self._shape_error(
                f"takes {self.state_count} states of shape ({self.units},) a sample, but got "
                f"{len(states)} of the shapes {', '.join(map(str, states)) or 'of none'}."
            )
        return [(self.units,)] * (1 + self.state_count)

    def weight_specs(self, shape: Any) -> list[WeightSpec]:
        (features,) = shape[0] if isinstance(shape, list) else shape
        columns = self.gates * self.units
        specs = [
            WeightSpec(
                "kernel", (features, columns), self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
            ),
            WeightSpec(
                "recurrent_kernel",
                (self.units, columns),
                self.recurrent_initializer,
                self.recurrent_regularizer,
                self.recurrent_constraint,
            ),
            WeightSpec("bias", self._bias_shape(), self._first_bias(), self.bias_regularizer, self.bias_constraint),
        ]
        return specs if self.use_bias else specs[:2]

    def _bias_shape(self) -> Shape:
        return (self.gates * self.units,)

    def _first_bias(self) -> Initializer:
        return self.bias_initializer

    @property
    def kernel(self) -> Weight | None:
        """What inputs are multiplied by, once the cell is built."""
        return self._weight("kernel")

    @property
    def recurrent_kernel(self) -> Weight | None:
        """What the state is multiplied by, once the cell is built."""
        return self._weight("recurrent_kernel")

    @property
    def bias(self) -> Weight | None:
        """The bias, once the cell is built; None without one."""
        return self._weight("bias")

    # ---- calls

    def __call__(self, inputs: Any, states: Any, training: bool | None = None) -> Any:  # type: ignore[override]
        """The output of a step, and a list of the new states; the new state alone where `states` is one alone.

        Args:
            inputs: An array (samples, features), or a symbolic tensor.
            states: A list of the states, each (samples, units), as `get_initial_state` gives them; of one state, it
                alone will do.
            training: As for `Layer`.

        Raises:
            TypeError, ValueError: what the cell cannot take; it is as before then.
        """
        if training is not None:
            training = checks.boolean(training, "training")
        listed = isinstance(states, list | tuple)
        given = [inputs, *(states if listed else [states])]
        if any(isinstance(each, SymbolicTensor) for each in given):
            output, new = self._record(given, training)
        else:
            output, new = self._compute(given, bool(training))
        return output, new if listed else new[0]

    def _arrange(self, outputs: list[Any]) -> Any:
        return outputs[0], outputs[1:]

    def lower(self, net: Lowering, x: Any, shape: Any) -> Any:
        y, states = self.lower_run(net, Run(x[0], 1, shape[0], x[1:], sequences=False, ends=True))
        return [y, *states]

    def lower_run(self, net: Lowering, run: Run) -> tuple[int, list[int]]:
        """Add the op of all steps; returns the output, and the states at the end if they are asked for."""
        inputs = [self._with_dropout(net, run.x, (run.steps, *run.shape), self.dropout)]
        inputs += [] if run.mask is None else [run.mask]
        inputs += run.states
        dropped = self.recurrent_dropout > 0 and not net.inference
        if dropped:
            inputs.append(self._factor(net, run))
        y, *ends = net.add_several(
            self.kind,
            inputs,
            [self.kernel, self.recurrent_kernel, self.bias, *run.kept],
            steps=run.steps,
            features=run.shape[0],
            units=self.units,
            masked=run.mask is not None,
            initial=bool(run.states),
            dropped=dropped,
            states=run.ends,
            stateful=bool(run.kept),
            go_backwards=run.backwards,
            sequences=run.sequences,
            zero_masked=run.zero_masked,
            **self._settings(),
        )
        return y, ends

    def _settings(self) -> dict[str, Any]:
        """What the engine is told of the cell's formula."""
        return {
            **self.activation.settings("activation"),
            **self.recurrent_activation.settings("recurrent_activation"),
        }

    def _with_dropout(self, net: Lowering, x: int, shape: Shape, rate: float) -> int:
        """Tensor `x`, of which elements are dropped in training: the same ones in all steps, the first axis."""
        if rate == 0 or net.inference:
            return x
        key = self._key.value
        seed, alike = (net.seed(key) - key) % 2**64, [False, True, *[False] * (len(shape) - 1)]
        return net.add("noise", x, kind="dropout", shape=shape, sharing=alike, amount=rate, seed=seed, key=self._key)

    def _factor(self, net: Lowering, run: Run) -> int:
        """What the state is multiplied by before it meets the recurrent kernel."""
        shape = (1, self.units)
        ones = combined(net, "add", [zeros(net, run, self.units)], [shape, ()], constant=[1.0], constant_first=False)
        return self._with_dropout(net, ones, shape, self.recurrent_dropout)

    # ---- the rest

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_key": self._key.value}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_key": core.NoiseKey(state["_key"])})

    def settings_config(self) -> dict[str, Any]:
        """The arguments that are those of a layer of this cell, too."""
        return {
            "units": self.units,
            "activation": self.activation.serialize(),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": constraints.serialize(self.recurrent_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings_config()}


def _elementwise(identifier: ActivationLike, name: str) -> Activation:
    """The activation that is meant, which must work on each element by itself."""
    found = activations.get(identifier)
    if not found.elementwise:
        raise ValueError(
            f"{name} of a recurrent layer must work on each element by itself, but {found.name} works along an axis, "
            "or is a function of one's own."
        )
    return found
