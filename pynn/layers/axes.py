"""What layers have in common that work along some axes of each sample."""

from __future__ import annotations

import math

from ..engine.lowering import Lowering
from ..foundation import checks
from .base import Layer
from .types import Shape


class AxesLayer(Layer):
    """Base of layers that work along `axis`, one or several, which may be any but that of the samples.

    The engine does so along last axes; others are moved to the end and back.
    """

    axis: int | tuple[int, ...]

    # ---- what a subclass writes

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        """Add the op on tensor `x`, whose samples have `shape`, with the layer's axes as the last ones."""
        raise NotImplementedError

    # ---- what the base does with it

    def _columns(self, moved: Shape) -> int:
        """How many elements the layer's axes have, which are the last ones of `moved`."""
        return math.prod(moved[-1:] if isinstance(self.axis, int) else moved[-len(self.axis) :])

    def _axes(self, shape: Shape) -> list[int]:
        """The layer's axes of a sample, from 0 on, in order; ValueError if samples of `shape` do not have them."""
        try:
            axes = checks.axes_of(self.axis, len(shape) + 1)
        except ValueError as error:
            raise self._shape_error(f"cannot take batches of samples of shape {shape}: {error}") from None
        if axes[0] == 0:
            raise self._shape_error(
                f"has axis={self.axis}, but axis 0 of a batch of samples of shape {shape} is that of the samples: axis "
                f"must name others, from 1 to {len(shape)}."
            )
        return [number - 1 for number in axes]

    def _sizes(self, shape: Shape) -> Shape:
        """The sizes of the layer's axes, which weights for them have."""
        return tuple(shape[number] for number in self._axes(shape))

    def _weight_sizes(self, shape: Shape) -> Shape:
        """The sizes of the axes in Keras's order of the weights: as the numbers are, so that -1 comes before 1.

        The elements lie in the order of the input nevertheless, as in Keras.
        """
        self._axes(shape)
        axes = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        return tuple(shape[axis - 1 if axis > 0 else axis] for axis in axes)

    def sample_output_shape(self, shape: Shape) -> Shape:
        self._axes(shape)
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        axes = self._axes(shape)
        order = [*(number for number in range(len(shape)) if number not in axes), *axes]
        moved = tuple(shape[number] for number in order)
        y = self._add(net, net.permute(x, shape, order), moved)
        return net.permute(y, moved, [order.index(number) for number in range(len(shape))])
