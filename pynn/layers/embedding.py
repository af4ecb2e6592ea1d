"""Vectors in place of ids."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import constraints, initializers, regularizers
from ..constraints import ConstraintLike
from ..data import arrays
from ..engine.lowering import Lowering, Mask
from ..foundation import atomic, checks
from ..initializers import Initializer, InitializerLike
from ..regularizers import RegularizerLike
from .base import Layer
from .building import building
from .symbolic import SymbolicTensor
from .trial import current, is_calling
from .types import Shape
from .weight import Weight, WeightSpec

__all__ = [
    "Embedding",
]


class Embedding(Layer):
    """A vector for each id, looked up in a table that is learned: ``y[n, ...] = embeddings[x[n, ...]]``.

    Shapes: input ``(N, ...)`` of whole numbers from 0 to ``input_dim - 1``, output ``(N, ..., output_dim)``, weight
    ``embeddings`` ``(input_dim, output_dim)``.

    In the `call` of a layer or model it also takes an array of ids, such as ``np.arange(steps)``: the vectors are the
    same for all samples then, and have no axis of samples.

    Args:
        input_dim: Number of ids.
        output_dim: Size of a vector.
        embeddings_initializer: Default ``"uniform"``, from -0.05 to 0.05.
        embeddings_regularizer: Penalty for the table: a name or `Regularizer`. Default ``None``.
        embeddings_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        mask_zero: Whether the id 0 is padding: the output has a mask then (docs/masks.md). 0 is one of the `input_dim`
            ids all the same. Default ``False``.
        weights: The table at first, in place of what `embeddings_initializer` makes: an array, or a list of it.
            The layer is built at once then. Default ``None``.
        input_length: Without effect, as in Keras 3: `input_shape` or an `Input` tells it. Default ``None``.
        activity_regularizer: Penalty for the vectors that are looked up: a name or `Regularizer`. Default ``None``.
        name, trainable, dtype: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, ids that are out of range or not whole.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        weights: ArrayLike | Sequence[ArrayLike] | None = None,
        *,
        input_length: int | None = None,
        activity_regularizer: RegularizerLike = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.input_dim = self.ids_below = checks.positive_int(input_dim, "input_dim")
        if self.input_dim >= 2**31:
            raise ValueError(f"input_dim must be less than 2**31, but got {input_dim}.")
        self.output_dim = checks.positive_int(output_dim, "output_dim")
        self.embeddings_initializer = initializers.get(embeddings_initializer, "embeddings_initializer")
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer, "embeddings_regularizer")
        self.embeddings_constraint = constraints.get(embeddings_constraint, "embeddings_constraint")
        self.activity_regularizer = regularizers.get(activity_regularizer, "activity_regularizer")
        self.mask_zero = self.supports_masking = checks.boolean(mask_zero, "mask_zero")
        self._table = None if weights is None else _Table(weights, (self.input_dim, self.output_dim))
        if input_length is not None:
            checks.positive_int(input_length, "input_length")
            warnings.warn("input_length of Embedding has no effect, as in Keras 3: leave it out.", stacklevel=2)
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def _check_made(self) -> None:
        super()._check_made()
        if self._table is not None and self._form is None:  # what has a call of its own is built with that
            self.build()

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Make the table, with its initial values; it is the same for all shapes.

        Args:
            input_shape: Shape of a batch of ids. Default ``None``: an id for each sample.

        Raises:
            TypeError, ValueError: no such shape, or another than the layer is built for.
        """
        super().build((None,) if input_shape is None else input_shape)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return (*shape, self.output_dim)

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        table = (self.input_dim, self.output_dim)
        return [
            WeightSpec(
                "embeddings",
                table,
                self.embeddings_initializer if self._table is None else self._table,
                self.embeddings_regularizer,
                self.embeddings_constraint,
            )
        ]

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.add("embedding", x, [self.embeddings], rows=self.input_dim, dim=self.output_dim)

    def lower_mask(self, net: Lowering, x: int, shape: Shape, masks: Sequence[Mask | None]) -> Mask | None:
        return Mask(net.add("not_equal", x, value=0), shape) if self.mask_zero else None

    def _record(self, inputs: list[Any], training: bool | None, masks: Sequence[Any] = (), settings: Any = None) -> Any:
        if isinstance(inputs[0], SymbolicTensor):
            self._check_ids(inputs[0])
        return super()._record(inputs, training, masks, settings)

    def _compute(self, inputs: list[Any], training: bool, masks: Sequence[Any] = ()) -> Any:
        if not is_calling():
            return super()._compute(inputs, training, masks)
        # Ids that a `call` makes are the same for all samples, and so are their vectors: a part of the table.
        given = arrays.as_numbers(inputs[0], self._input_name(0))
        ids = arrays.as_ids(given.reshape(1, -1), self._input_name(0), (given.size,), self.input_dim, self.name)
        draft = self.draft(given.shape[1:], self._dtype_for(inputs))
        if not self.built:
            atomic.apply_together(building([draft]))
        assert self.embeddings is not None
        return self.embeddings[ids.reshape(given.shape)]

    def _dtype_for(self, inputs: Any) -> str:
        outer = current()  # ids have no say in it, but a layer has whose call it is part of
        if outer is None or outer.layer._form is None or self.dtype_given or self.built:
            return self.dtype
        return str(outer.layer.dtype)

    @property
    def embeddings(self) -> Weight | None:
        """The table, once the layer is built."""
        return self._weight("embeddings")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
        }


class _Table(Initializer):
    """A table that is given."""

    def __init__(self, weights: Any, shape: Shape) -> None:
        listed = isinstance(weights, list | tuple) and len(weights) == 1 and isinstance(weights[0], np.ndarray)
        self._given = arrays.as_array(weights[0] if listed else weights, "weights", "float64").copy()
        if self._given.shape != shape:
            raise ValueError(
                f"weights must be a table of the shape (input_dim, output_dim), {shape}, or a list of one, but has the "
                f"shape {self._given.shape}."
            )

    def __call__(self, shape: Any, dtype: DTypeLike | None = None) -> NDArray[Any]:
        values: NDArray[Any] = self._given.astype(dtype)
        return values
