"""Steps that are padding."""

from __future__ import annotations

import math
from collections.abc import Sequence

from numpy.typing import DTypeLike

from ..engine.lowering import Lowering, Mask
from ..foundation import checks
from .base import Layer
from .types import Shape

__all__ = ["Masking"]


class Masking(Layer):
    """Masks the steps all of whose numbers are `mask_value`: the output has a mask (docs/masks.md), and is 0 there.

    Shapes: input ``(N, ..., steps, features)``, output the same; the mask ``(N, ..., steps)``.

    Args:
        mask_value: A step of this number alone is padding. Default 0.
        name, trainable, dtype: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, samples without an axis.
    """

    built_at_once = True
    supports_masking = True

    def __init__(
        self,
        mask_value: float = 0.0,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.mask_value = checks.number(mask_value, "mask_value", "(-inf, inf)")
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def sample_output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise self._shape_error("takes samples of at least one axis, (steps, features), but gets single numbers.")
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return self.lower_with_masks(net, x, shape, ())[0][0]

    def lower_with_masks(
        self, net: Lowering, x: int, shape: Shape, masks: Sequence[Mask | None]
    ) -> tuple[list[int], list[Mask | None]]:
        mask = self.lower_mask(net, x, shape, masks)
        return [net.add("keep_rows", [x, mask.tensor])], [mask]

    def lower_mask(self, net: Lowering, x: int, shape: Shape, masks: Sequence[Mask | None]) -> Mask:
        rows, columns = math.prod(shape[:-1]), shape[-1]
        return Mask(net.add("any_not_equal", x, rows=rows, columns=columns, value=self.mask_value), shape[:-1])

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "mask_value": self.mask_value}
