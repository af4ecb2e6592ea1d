"""The cells of simple recurrent layers, of LSTM and of GRU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..activations import ActivationLike
from ..constraints import ConstraintLike
from ..foundation import checks
from ..initializers import Initializer, InitializerLike
from ..regularizers import RegularizerLike
from .cell import Cell
from .types import Shape

__all__ = ["GRUCell", "LSTMCell", "SimpleRNNCell"]


class SimpleRNNCell(Cell):
    """``h' = activation(x @ kernel + h @ recurrent_kernel + bias)`` (Elman, 1990).

    Shapes: inputs ``(N, I)``, the state and the output ``(N, units)``; kernel ``(I, units)``, recurrent_kernel
    ``(units, units)``, bias ``(units,)``.

    Args:
        units: Size of the state, at least 1.
        activation: Name or `Activation`. Default ``"tanh"``.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        recurrent_initializer: Default ``"orthogonal"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalty for the kernel, the recurrent kernel and
            the bias: a name or `Regularizer`. Default ``None``.
        kernel_constraint, recurrent_constraint, bias_constraint: What holds after each step: a name or `Constraint`.
            Default ``None``.
        dropout: Share of the inputs that are dropped in training. Default 0.
        recurrent_dropout: Share of the state that is dropped in training, where it meets the recurrent kernel. Default
            0.
        seed: Of the noise. Default ``None``: one of its own for each cell, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, other inputs or states.
    """

    kind = "simple_rnn"
    gates = 1

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__(
            units,
            activation,
            None,
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
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def _settings(self) -> dict[str, Any]:
        return self.activation.settings("activation")


class LSTMCell(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; with a forget gate: Gers et al., 2000):

        ``i, f, o = recurrent_activation(x @ kernel + h @ recurrent_kernel + bias)``, each with columns of its own
        ``c' = f * c + i * activation(x @ kernel + h @ recurrent_kernel + bias)``
        ``h' = o * activation(c')``

    The columns of the weights are in the order i, f, c, o. The states are h and c.

    Shapes: inputs ``(N, I)``, each state and the output ``(N, units)``; kernel ``(I, 4 * units)``, recurrent_kernel
    ``(units, 4 * units)``, bias ``(4 * units,)``.

    Args:
        units: Size of the state, at least 1.
        activation: Name or `Activation`. Default ``"tanh"``.
        recurrent_activation: That of the gates. Default ``"sigmoid"``.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        recurrent_initializer: Default ``"orthogonal"``.
        bias_initializer: Default ``"zeros"``.
        unit_forget_bias: Whether the bias of the forget gate begins at 1 (Jozefowicz et al., 2015). Default ``True``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalty for the kernel, the recurrent kernel and
            the bias: a name or `Regularizer`. Default ``None``.
        kernel_constraint, recurrent_constraint, bias_constraint: What holds after each step: a name or `Constraint`.
            Default ``None``.
        dropout: Share of the inputs that are dropped in training. Default 0.
        recurrent_dropout: Share of the state that is dropped in training, where it meets the recurrent kernel. Default
            0.
        seed: Of the noise. Default ``None``: one of its own for each cell, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, other inputs or states.
    """

    kind = "lstm"
    gates = 4
    state_count = 2

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.unit_forget_bias = checks.boolean(unit_forget_bias, "unit_forget_bias")
        super().__init__(
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
            seed,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def _first_bias(self) -> Initializer:
        return ForgetBias(self.bias_initializer) if self.unit_forget_bias else self.bias_initializer

    def settings_config(self) -> dict[str, Any]:
        return {
            **super().settings_config(),
            "recurrent_activation": self.recurrent_activation.serialize(),
            "unit_forget_bias": self.unit_forget_bias,
        }


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al., 2014):

        ``z, r = recurrent_activation(x @ kernel + h @ recurrent_kernel + bias)``, each with columns of its own
        ``h' = z * h + (1 - z) * activation(x @ kernel + bias + (r * h) @ recurrent_kernel)``

    With `reset_after`, ``r * (h @ recurrent_kernel + bias)`` stands in place of ``(r * h) @ recurrent_kernel``, and the
    first row of the bias goes with x, the second one with h. The columns of the weights are in the order z, r, h.

    Shapes: inputs ``(N, I)``, the state and the output ``(N, units)``; kernel ``(I, 3 * units)``, recurrent_kernel
    ``(units, 3 * units)``, bias ``(2, 3 * units)``, or ``(3 * units,)`` without `reset_after`.

    Args:
        units: Size of the state, at least 1.
        activation: Name or `Activation`. Default ``"tanh"``.
        recurrent_activation: That of the gates. Default ``"sigmoid"``.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        recurrent_initializer: Default ``"orthogonal"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalty for the kernel, the recurrent kernel and
            the bias: a name or `Regularizer`. Default ``None``.
        kernel_constraint, recurrent_constraint, bias_constraint: What holds after each step: a name or `Constraint`.
            Default ``None``.
        dropout: Share of the inputs that are dropped in training. Default 0.
        recurrent_dropout: Share of the state that is dropped in training, where it meets the recurrent kernel. Default
            0.
        reset_after: Whether the reset gate comes after the product with the recurrent kernel. Default ``True``.
        seed: Of the noise. Default ``None``: one of its own for each cell, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, other inputs or states.
    """

    kind = "gru"
    gates = 3

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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.reset_after = checks.boolean(reset_after, "reset_after")
        super().__init__(
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
            seed,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def _bias_shape(self) -> Shape:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "reset_after": self.reset_after}

    def settings_config(self) -> dict[str, Any]:
        return {
            **super().settings_config(),
            "recurrent_activation": self.recurrent_activation.serialize(),
            "reset_after": self.reset_after,
        }


class ForgetBias(Initializer):
    """The bias of an LSTM, ones for the forget gate, and what another initializer makes for the others."""

    def __init__(self, others: Initializer) -> None:
        self._others = others

    def __call__(self, shape: Any, dtype: DTypeLike | None = None) -> NDArray[Any]:
        units = shape[0] // 4
        parts = [self._others((units,), dtype), np.ones(units, dtype), self._others((2 * units,), dtype)]
        return np.concatenate([np.asarray(part) for part in parts])
