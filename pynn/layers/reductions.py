"""What functions of ``pynn.ops`` become that no operator stands for: sums over axes, choices, losses that are added."""

from __future__ import annotations

import math
from typing import Any

from ..engine.lowering import Lowering
from ..foundation import checks
from .base import Layer
from .elementwise import broadcast, combined, spread
from .of_batch import REDUCTIONS
from .operations import name_for
from .types import Shape

_FUNCTIONS = {"sum": "average", "mean": "average", "max": "max"}  # the poolings that do it


class Reduction(Layer):
    """The sum, mean or largest element along axes of each sample. Of equal ones the first gets the gradient of max.

    Args:
        function: ``"sum"``, ``"mean"`` or ``"max"``.
        axes: The axes, that of the samples not counted.
        keepdims: Whether the axes stay, of length 1. Default ``False``.
        name: Default: the function's, with a number.
    """

    is_operation = True

    def __init__(self, function: str, axes: Any, keepdims: bool = False, name: str | None = None) -> None:
        self.function = checks.choice(function, "function", list(_FUNCTIONS))
        self.axes = tuple(sorted({checks.non_negative_int(axis, "axes") for axis in axes}))
        self.keepdims = checks.boolean(keepdims, "keepdims")
        super().__init__(name=name_for(self.function) if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        if self.axes and self.axes[-1] >= len(shape):
            raise self._shape_error(f"takes the {self.function} along axis {self.axes[-1] + 1} of {len(shape) + 1}.")
        if self.keepdims:
            return tuple(1 if axis in self.axes else size for axis, size in enumerate(shape))
        return tuple(size for axis, size in enumerate(shape) if axis not in self.axes)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        for axis in self.axes:
            x = self._along(net, x, shape, axis)
            shape = (*shape[:axis], 1, *shape[axis + 1 :])
        return x

    def _along(self, net: Lowering, x: int, shape: Shape, axis: int) -> int:
        """Along one axis: as the pooling of an image whose windows have the width of it."""
        before, size, behind = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        kind = _FUNCTIONS[self.function]
        x = net.add("pool", x, kind=kind, shape=[before, size, behind, before, 1, 1, size, 1, size, 0, 0])
        if self.function != "sum":
            return x
        whole = (before, behind)
        return combined(net, "multiply", [x], [whole, ()], constant=[float(size)], constant_first=False)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "function": self.function, "axes": self.axes, "keepdims": self.keepdims}


class Kept(Layer):
    """The first tensor where the second one is not 0, else 0; broadcast as in NumPy.

    What is not kept may be infinite or NaN, and its gradient is 0.
    """

    takes_list = True
    is_operation = True

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name_for("where") if name is None else name)

    def sample_output_shape(self, shape: Any) -> Shape:
        try:
            return broadcast(*shape)
        except ValueError:
            raise self._shape_error(f"cannot put samples of the shapes {shape[0]} and {shape[1]} together.") from None

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        whole = broadcast(*shape)
        return net.add("keep_rows", [spread(net, each, own, whole) for each, own in zip(x, shape, strict=True)])

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class WithLoss(Layer):
    """The first tensor; the mean or the sum over the samples of the second one is a part of the loss.

    Args:
        reduction: ``"mean"`` or ``"sum"``.
        name: Default: ``"with_loss"``.
    """

    takes_list = True
    is_operation = True
    supports_masking = True

    def __init__(self, reduction: str, name: str | None = None) -> None:
        self.reduction = checks.choice(reduction, "reduction", REDUCTIONS)
        super().__init__(name=name_for("with_loss") if name is None else name)

    def sample_output_shape(self, shape: Any) -> Shape:
        first: Shape = shape[0]
        return first

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        first, values = x
        (net.add_sum if self.reduction == "sum" else net.add_mean)(values)
        return int(first)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}
