"""Attention of several heads: each with keys and values of its own, or some with the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from ..constraints import ConstraintLike
from ..foundation import checks
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .attention_heads import AttentionHeads
from .types import Shape

__all__ = ["GroupQueryAttention", "GroupedQueryAttention", "MultiHeadAttention"]


class MultiHeadAttention(AttentionHeads):
    """Attention of several heads (Vaswani et al., Attention is all you need, 2017): for each head h

        q = query W_q + b_q,  k = key W_k + b_k,  v = value W_v + b_v
        p = softmax(q k^T / sqrt(key_dim))  over the keys that a query may look at
        output = sum over h of (p v) W_o + b_o

    Nothing of the size T x S is kept, unless the scores are asked for (docs/decisions/attention.md).

    Shapes: query ``(N, T, size)``, value and key ``(N, S, size)``, output ``(N, T, size of the query)``; scores ``(N,
    num_heads, T, S)``. With more axes between, attention goes along all of them together. Weights, in this order:
    kernel ``(size, num_heads, key_dim)`` and bias ``(num_heads, key_dim)`` of query and key, the gate if there is one,
    the same of the value with `value_dim`, and those of the output, ``(num_heads, value_dim, size)`` and ``(size,)``.

    Padded steps are not looked at, where query, value or key have masks (docs/masks.md); the output has the mask of the
    query. A query that may look at no key gets the mean of all values; zeros if there is dropout or scores are asked
    for. Both are what Keras gives.

    Args:
        num_heads: Number of heads.
        key_dim: Size of query and key of a head.
        value_dim: Size of the value of a head. Default: `key_dim`.
        dropout: Share of the weights p that are dropped in training, in [0, 1]. Default 0.
        use_bias: Whether projections have a bias. Default ``True``.
        output_shape: Sizes of what comes out for each query. Default: that of the query.
        attention_axes: The axes that attention goes along, as numbers, 0 being that of the samples: one, or several
            together. Along the others, of which query and key have the same, each place is by itself; scores have
            these first, ``(N, others, num_heads, T, S)``, and so may an `attention_mask`. Default ``None``: all axes
            between samples and features.
        sliding_window: Query i looks at key j only where ``|i - j|`` is below it. Default ``None``: at any.
        flash_attention: Without effect, as attention is always computed so; as in Keras, ``True`` does not go with
            dropout or scores.
        kernel_initializer: Default ``"glorot_uniform"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernels, the biases and the outputs
            of all projections: a name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        use_gate: Whether what the heads find is multiplied by ``sigmoid(query W_g + b_g)`` (Qiu et al., Gated attention
            for large language models, 2025). Default ``False``.
        seed: Of what is dropped. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, samples that do not fit.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        use_gate: bool = False,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.num_heads = checks.positive_int(num_heads, "num_heads")
        self.key_dim = checks.positive_int(key_dim, "key_dim")
        self.value_dim = self.key_dim if value_dim is None else checks.positive_int(value_dim, "value_dim")
        self._sizes = None if output_shape is None else checks.shape(output_shape, "output_shape")
        self.attention_axes = None if attention_axes is None else _axes(attention_axes)
        super().__init__(
            self.num_heads,
            self.num_heads,
            (self.key_dim, self.value_dim),
            dropout,
            use_bias,
            sliding_window,
            flash_attention,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            use_gate,
            seed,
            name=name,
            trainable=trainable,
            dtype=dtype,
        )

    def _output_sizes(self, query: Shape) -> Shape:
        return query[-1:] if not self._sizes else self._sizes

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_shape": self._sizes,
            "attention_axes": self.attention_axes,
        }


class GroupedQueryAttention(AttentionHeads):
    """Attention of several heads, some of which share their keys and values (Ainslie et al., GQA: Training generalized
    multi-query transformer models from multi-head checkpoints, 2023).

    Head h looks at the keys and values of head ``h // (num_query_heads / num_key_value_heads)``; otherwise it is
    `MultiHeadAttention`. With one head of keys and values it is multi-query attention.

    Shapes: query ``(N, T, size)``, value and key ``(N, S, size)``, output ``(N, T, size of the query)``; scores ``(N,
    num_query_heads, T, S)``. Weights, in this order: kernel ``(size, num_query_heads, head_dim)`` and bias of the
    query, kernel ``(size, num_key_value_heads, head_dim)`` and bias of the key, the gate if there is one, the value,
    and those of the output, ``(num_query_heads, head_dim, size)`` and ``(size,)``.

    Args:
        head_dim: Size of query, key and value of a head.
        num_query_heads: Number of heads of the query, a multiple of `num_key_value_heads`.
        num_key_value_heads: Number of heads of key and value.
        dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed: see
            `MultiHeadAttention`. As in Keras, `activity_regularizer` counts the output of the layer twice: as that of
            its last part, and as that of the whole.
        name, trainable, dtype: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, samples that do not fit.
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        use_gate: bool = False,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.head_dim = checks.positive_int(head_dim, "head_dim")
        self.num_query_heads = checks.positive_int(num_query_heads, "num_query_heads")
        self.num_key_value_heads = checks.positive_int(num_key_value_heads, "num_key_value_heads")
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_query_heads must be a multiple of num_key_value_heads, but got {self.num_query_heads} and "
                f"{self.num_key_value_heads}."
            )
        super().__init__(
            self.num_query_heads,
            self.num_key_value_heads,
            (self.head_dim, self.head_dim),
            dropout,
            use_bias,
            sliding_window,
            flash_attention,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            use_gate,
            seed,
            name=name,
            trainable=trainable,
            dtype=dtype,
        )
        self.activity_regularizer = self._activity_regularizer

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }


GroupQueryAttention = GroupedQueryAttention


def _axes(value: object) -> tuple[int, ...]:
    """The argument attention_axes."""
    try:
        axes = checks.axis(value)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("axis must", "attention_axes must")) from None
    return (axes,) if isinstance(axes, int) else axes
