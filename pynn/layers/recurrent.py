"""Simple recurrent layers, LSTM and GRU: layers of one of pynn's cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from ..activations import ActivationLike
from ..constraints import ConstraintLike
from ..foundation import checks
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .cell import Cell
from .cells import GRUCell, LSTMCell, SimpleRNNCell
from .rnn import RNN

__all__ = ["GRU", "LSTM", "SimpleRNN"]


def _check_cudnn(value: object) -> None:
    """Raise TypeError or ValueError unless it is ``"auto"``, True or False, which change nothing."""
    if value != "auto" or not isinstance(value, str):
        checks.boolean(value, "use_cudnn")


def _of_cell(name: str) -> Any:
    """The setting `name` of the cell, as an attribute of the layer."""
    return property(lambda self: getattr(self.cell, name))


class _Recurrent(RNN):
    """What the layers of one of pynn's cells have in common: the cell's settings are their own."""

    cell: Cell

    units = _of_cell("units")
    activation = _of_cell("activation")
    use_bias = _of_cell("use_bias")
    kernel_initializer = _of_cell("kernel_initializer")
    recurrent_initializer = _of_cell("recurrent_initializer")
    bias_initializer = _of_cell("bias_initializer")
    kernel_regularizer = _of_cell("kernel_regularizer")
    recurrent_regularizer = _of_cell("recurrent_regularizer")
    bias_regularizer = _of_cell("bias_regularizer")
    kernel_constraint = _of_cell("kernel_constraint")
    recurrent_constraint = _of_cell("recurrent_constraint")
    bias_constraint = _of_cell("bias_constraint")
    dropout = _of_cell("dropout")
    recurrent_dropout = _of_cell("recurrent_dropout")
    seed = _of_cell("seed")

    def get_config(self) -> dict[str, Any]:
        return {**self._own_config(), **self.cell.settings_config()}


class SimpleRNN(_Recurrent):
    """A recurrent layer whose output is its state (Elman, 1990): in each step
    ``h' = activation(x @ kernel + h @ recurrent_kernel + bias)``.

    Shapes: input ``(N, steps, I)``, output ``(N, units)``, or ``(N, steps, units)`` with `return_sequences`; kernel
    ``(I, units)``, recurrent_kernel ``(units, units)``, bias ``(units,)``.

    Args:
        units: Size of the state and of the output, at least 1.
        activation: Name or `Activation`. Default ``"tanh"``.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        recurrent_initializer: Default ``"orthogonal"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the
            recurrent kernel, the bias and the output: a name or `Regularizer`. Default ``None``.
        kernel_constraint, recurrent_constraint, bias_constraint: What holds after each step: a name or `Constraint`.
            Default ``None``.
        dropout: Share of the inputs that are dropped in training, the same ones in all steps. Default 0.
        recurrent_dropout: Share of the state that is dropped in training where it meets the recurrent kernel, the same
            elements in all steps. Default 0.
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: see `RNN`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, inputs or states that do not fit.
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        *,
        zero_output_for_mask: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        cell = SimpleRNNCell(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            name="simple_rnn_cell",
            trainable=trainable,
            dtype=dtype,
        )
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            unroll,
            zero_output_for_mask,
            activity_regularizer=activity_regularizer,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; with a forget gate: Gers et al., 2000). In each step

        ``i, f, o = recurrent_activation(x @ kernel + h @ recurrent_kernel + bias)``, each with columns of its own
        ``c' = f * c + i * activation(x @ kernel + h @ recurrent_kernel + bias)``
        ``h' = o * activation(c')``

    The columns of the weights are in the order i, f, c, o. The output is h, the states are h and c.

    Shapes: input ``(N, steps, I)``, output ``(N, units)``, or ``(N, steps, units)`` with `return_sequences`; kernel
    ``(I, 4 * units)``, recurrent_kernel ``(units, 4 * units)``, bias ``(4 * units,)``.

    Args:
        units: Size of the state and of the output, at least 1.
        activation: Name or `Activation`. Default ``"tanh"``.
        recurrent_activation: That of the gates. Default ``"sigmoid"``.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        recurrent_initializer: Default ``"orthogonal"``.
        bias_initializer: Default ``"zeros"``.
        unit_forget_bias: Whether the bias of the forget gate begins at 1 (Jozefowicz et al., 2015). Default ``True``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the
            recurrent kernel, the bias and the output: a name or `Regularizer`. Default ``None``.
        kernel_constraint, recurrent_constraint, bias_constraint: What holds after each step: a name or `Constraint`.
            Default ``None``.
        dropout: Share of the inputs that are dropped in training, the same ones in all steps. Default 0.
        recurrent_dropout: Share of the state that is dropped in training where it meets the recurrent kernel, the same
            elements in all steps. Default 0.
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: see `RNN`.
        use_cudnn, implementation: Without effect.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, inputs or states that do not fit.
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        *,
        zero_output_for_mask: bool = False,
        implementation: int = 2,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        _check_cudnn(use_cudnn)
        checks.non_negative_int(implementation, "implementation")
        cell = LSTMCell(
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            unit_forget_bias,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            name="lstm_cell",
            trainable=trainable,
            dtype=dtype,
        )
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            unroll,
            zero_output_for_mask,
            activity_regularizer=activity_regularizer,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    recurrent_activation = _of_cell("recurrent_activation")
    unit_forget_bias = _of_cell("unit_forget_bias")


class GRU(_Recurrent):
    """Gated recurrent unit (Cho et al., 2014). In each step

        ``z, r = recurrent_activation(x @ kernel + h @ recurrent_kernel + bias)``, each with columns of its own
        ``h' = z * h + (1 - z) * activation(x @ kernel + bias + (r * h) @ recurrent_kernel)``

    With `reset_after`, ``r * (h @ recurrent_kernel + bias)`` stands in place of ``(r * h) @ recurrent_kernel``, and the
    first row of the bias goes with x, the second one with h. The columns of the weights are in the order z, r, h.

    Shapes: input ``(N, steps, I)``, output ``(N, units)``, or ``(N, steps, units)`` with `return_sequences`; kernel
    ``(I, 3 * units)``, recurrent_kernel ``(units, 3 * units)``, bias ``(2, 3 * units)``, or ``(3 * units,)`` without
    `reset_after`.

    Args:
        units: Size of the state and of the output, at least 1.
        activation: Name or `Activation`. Default ``"tanh"``.
        recurrent_activation: That of the gates. Default ``"sigmoid"``.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        recurrent_initializer: Default ``"orthogonal"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the
            recurrent kernel, the bias and the output: a name or `Regularizer`. Default ``None``.
        kernel_constraint, recurrent_constraint, bias_constraint: What holds after each step: a name or `Constraint`.
            Default ``None``.
        dropout: Share of the inputs that are dropped in training, the same ones in all steps. Default 0.
        recurrent_dropout: Share of the state that is dropped in training where it meets the recurrent kernel, the same
            elements in all steps. Default 0.
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: see `RNN`.
        reset_after: Whether the reset gate comes after the product with the recurrent kernel. Default ``True``.
        use_cudnn, implementation: Without effect.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, inputs or states that do not fit.
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        *,
        zero_output_for_mask: bool = False,
        implementation: int = 2,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        _check_cudnn(use_cudnn)
        checks.non_negative_int(implementation, "implementation")
        cell = GRUCell(
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            reset_after,
            seed,
            name="gru_cell",
            trainable=trainable,
            dtype=dtype,
        )
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            unroll,
            zero_output_for_mask,
            activity_regularizer=activity_regularizer,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    recurrent_activation = _of_cell("recurrent_activation")
    reset_after = _of_cell("reset_after")
