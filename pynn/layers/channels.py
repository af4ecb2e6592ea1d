"""What layers of images and sequences with channels have in common: the axis of the channels is the last or the first.

The engine has the channels last. Where they come first, the samples are turned round in front of the layer and behind
it; weights are the same.
"""

from __future__ import annotations

import math

from .. import config
from ..engine.lowering import Lowering
from .base import Layer
from .types import Shape
from .weight import WeightSpec


class ChannelsLayer(Layer):
    """Base of layers of images (rank 2) or sequences (rank 1) with channels.

    A subclass sets `rank` and `data_format`. It writes `_output_shape`, `_weight_specs` and `_add` for samples with the
    channels last.
    """

    rank: int
    data_format: str

    # ---- what a subclass writes

    def _output_shape(self, shape: Shape) -> Shape:
        """Shape of a sample of the output, given that of the input; ValueError if the layer cannot take it."""
        raise NotImplementedError

    def _weight_specs(self, shape: Shape) -> list[WeightSpec]:
        """The weights for inputs of `shape`."""
        return []

    def _add(self, net: Lowering, x: int, shape: Shape) -> int:
        """Add the ops, without the activation, on tensor `x`."""
        raise NotImplementedError

    # ---- what the base does with it

    @property
    def _channels_first(self) -> bool:
        return self.data_format == config.CHANNELS_FIRST

    def _channels_last(self, shape: Shape) -> Shape:
        """`shape` with the channels last; ValueError unless it is that of an image, or a sequence, with channels."""
        if len(shape) != self.rank + 1 or math.prod(shape) < 1:
            positions = "height, width" if self.rank == 2 else "length"
            axes = f"(channels, {positions})" if self._channels_first else f"({positions}, channels)"
            hint = " A layers.Reshape in front can add the axis of the channels." if len(shape) == self.rank else ""
            raise self._shape_error(f"takes samples of shape {axes}, but got {shape}.{hint}")
        return (*shape[1:], shape[0]) if self._channels_first else shape

    def sample_output_shape(self, shape: Shape) -> Shape:
        output = self._output_shape(self._channels_last(shape))
        return (output[-1], *output[:-1]) if self._channels_first else output

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        return self._weight_specs(self._channels_last(shape))

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        last = self._channels_last(shape)
        if not self._channels_first:
            return self._add(net, x, last)
        y = self._add(net, net.permute(x, shape, (*range(1, len(shape)), 0)), last)
        output = self._output_shape(last)
        return net.permute(y, output, (len(output) - 1, *range(len(output) - 1)))
