"""A layer at each step of a sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.layout import OpenShape
from ..data.limits import Limits
from ..engine.lowering import Lowering, Mask
from ..geometry import maps
from ..regularizers import Regularizer
from .base import Layer
from .building import Draft
from .keeping import stateful_in
from .normalization import BatchNormalization
from .types import Masks, OpenShapes, Shape
from .wrapping import Wrapper

__all__ = ["TimeDistributed"]


class TimeDistributed(Wrapper):
    """A layer, or a model, that is applied to each step of a sequence by itself: ``y[n, t] = layer(x[n, t])``.

    The mask of the input is that of the output (docs/masks.md); a layer within that takes masks gets its part of one
    that has more axes than the steps, and a `call` of one's own with an argument `mask` gets that of each step. A
    `BatchNormalization` within takes the moments of each step by itself, over the samples in which the step is real,
    and its moving ones follow step after step; a stateful layer within goes on from step to step, too, both as in
    Keras.

    Shapes: input ``(N, steps, ...)``, output ``(N, steps, ...)``, where ``(N, ...)`` are those of the layer. The number
    of steps may be None.

    Args:
        layer: The layer, of one input and one output.
        name, trainable, dtype, input_shape, input_dim: see `Layer`. ``trainable=False`` holds for the layer, too.

    Raises:
        TypeError, ValueError: a bad argument; when called, samples that have no steps, or that the layer cannot take.
    """

    supports_masking = True

    @property
    def wired(self) -> bool:  # type: ignore[override]
        """Whether the layer is made of other layers, and so takes ids and numbers as they come."""
        return self.layer.wired

    @property
    def ids_below(self) -> int:  # type: ignore[override]
        """Below what ids must be; 0 for a layer that takes numbers."""
        return self.layer.ids_below

    @property
    def activity_regularizer(self) -> Regularizer | None:  # type: ignore[override]
        """The penalty for the outputs of the layer."""
        return self.layer.activity_regularizer

    def _of_step(self, shape: OpenShape) -> Any:
        """The shape of a step."""
        if not shape:
            raise self._shape_error("takes samples of shape (steps, ...), but gets single numbers.")
        return shape[1:]

    def sample_output_shape(self, shape: Shape) -> Shape:
        made: Shape = self._with_steps(shape, self.layer.sample_output_shape(self._of_step(shape)))
        return made

    def _with_steps(self, shape: OpenShape, made: OpenShapes) -> Any:
        if isinstance(made, list):
            raise self._shape_error(f"takes a layer of one output, but {self.layer.name!r} has {len(made)}.")
        return (shape[0], *made)

    def draft(self, shape: OpenShapes, dtype: str, masks: Masks = ()) -> Draft:
        """What the layer would be for samples of `shape`; ValueError if it cannot take them."""
        assert not isinstance(shape, list)
        of_step = self._of_step(shape)
        told = [mask[1:] for mask in masks if mask is not None and _asks_for_mask(self.layer)]
        if told or None in of_step:  # the layer within tries its lengths itself, as its call may ask for them
            inner = self.layer.draft(of_step, dtype, tuple(told))
            made = tuple(masks) if any(mask is not None for mask in masks) else ()
            draft = Draft(self, shape, self._with_steps(shape, inner.output), dtype, [], [], (inner,), made_masks=made)
        else:
            draft = super().draft(shape, dtype, masks)
        within = draft.inner[0]
        limits = within.limits if within.layout is None else within.layout.inputs.limits
        return draft._replace(limits=limits and limits.behind(_steps_as_samples))

    def _drafts_within(self, shape: OpenShapes, dtype: str) -> list[Draft]:
        assert not isinstance(shape, list)
        return [self.layer.draft(self._of_step(shape), dtype)]

    def _limits_for(self, inputs: list[Any], masks: Sequence[Any] = ()) -> Limits:
        if not self.wired:
            return super()._limits_for(inputs, masks)
        if not self.built:
            of_masks = tuple(None if mask is None else np.shape(mask)[1:] for mask in masks)
            self._build_for(np.shape(inputs[0])[1:], of_masks)
        return self._input_limits()

    def _input_limits(self) -> Limits:
        return self.layer._input_limits().behind(_steps_as_samples)

    def _dtype_for(self, inputs: Any) -> str:
        return self.layer._dtype_for(inputs)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        of_step, mask = self._of_step(shape), self._mask_within(net)
        if stateful_in([self.layer]) or (not net.inference and _normalizes_batches(self.layer)):
            return self._lower_by_steps(net, x, shape, mask)
        if mask is not None:
            mask = Mask(mask.tensor, mask.shape[1:])
        before, net.times = net.times, net.times * shape[0]
        y = self.layer.lower_with_masks(net, x, of_step, [mask])[0][0]
        net.times = before
        return y

    def _lower_by_steps(self, net: Lowering, x: int, shape: Shape, mask: Mask | None) -> int:
        ys = []
        before, net.step_by_step = net.step_by_step, True
        for step in range(shape[0]):
            part = net.resample(x, maps.selected(shape, (step,)))
            of_step = mask  # of whole samples, within another such layer
            if mask is not None and mask.shape != ():
                of_step = Mask(net.resample(mask.tensor, maps.selected(mask.shape, (step,))), mask.shape[1:])
            ys.append(self.layer.lower_with_masks(net, part, shape[1:], [of_step])[0][0])
        net.step_by_step = before
        return net.add("concat", ys, outer=1) if len(ys) > 1 else ys[0]

    def _mask_within(self, net: Lowering) -> Mask | None:
        """The mask, where there is one and the layer takes the part of it that belongs to a step."""
        mask = net.mask
        if mask is None or not (self.layer.supports_masking or self.layer.wired):
            return None
        if len(mask.shape) > 1 or _asks_for_mask(self.layer):
            return mask
        # The mask of the steps says of each sample whether the step is real: that is for moments of a batch, too.
        return mask if not net.inference and _takes_masks_of_samples(self.layer) else None


def _steps_as_samples(x: NDArray[Any]) -> NDArray[Any]:
    samples: NDArray[Any] = x.reshape(len(x) * x.shape[1], *x.shape[2:])
    return samples


def _asks_for_mask(layer: Layer) -> bool:
    """Whether it is a layer of one's own whose call has an argument `mask`."""
    return layer._form is not None and layer._form.takes_masks


def _normalizes_batches(layer: Layer) -> bool:
    """Whether the layer is, or has, a `BatchNormalization`."""
    return any(isinstance(each, BatchNormalization) for each in _with_parts(layer))


def _takes_masks_of_samples(layer: Layer) -> bool:
    """Whether a `BatchNormalization` is within, and nothing that needs a mask of steps."""
    return _normalizes_batches(layer) and not any(each.reads_steps for each in _with_parts(layer))


def _with_parts(layer: Any) -> Iterator[Any]:
    yield layer
    parts = layer._wiring.layers if hasattr(layer, "_wiring") else layer._sublayers
    for part in parts:
        yield from _with_parts(part)
