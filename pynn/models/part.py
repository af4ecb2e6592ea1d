"""What a model is as a layer: what it takes and gives, and how it becomes a part of another model's network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config
from ..data.layout import Layout, OpenShape
from ..data.limits import Limits
from ..engine.lowering import Lowering, Mask
from ..errors import NotBuiltError
from ..foundation import atomic, checks
from ..layers import calling
from ..layers.base import Layer
from ..layers.building import Draft
from ..layers.symbolic import SymbolicTensor
from ..layers.types import Masks, OpenShapes
from ..layers.wiring import Wiring, drafts_of, lower_all
from .network import State
from .wired import Wired


class Part(Wired):
    """Base of `Model`: a layer that is made of layers."""

    _noun = "Model"
    _state: State  # all that changes with the structure: replaced as a whole
    _of_data = False  # whether no Input and no input_shape, but data say what the shape of the samples is
    _is_chain = False  # whether it is its layers one after the other, whatever the lengths

    # ---- what a subclass writes --------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        raise NotImplementedError

    @property
    def _batch_size(self) -> int | None:
        """The size of a batch that inputs were given, or None."""
        raise NotImplementedError

    def _drafts(
        self, shapes: Sequence[OpenShape], dtype: str | None = None, masks: Masks = ()
    ) -> tuple[Layout, list[Draft], Masks]:
        """What the model and its layers would be for samples of `shapes`, with masks of the shapes `masks`, and the
        shapes of the masks of its outputs; ValueError if they cannot take them.

        They compute in `dtype` where they were given no type.
        """
        raise NotImplementedError

    def _check_no_mask_in_call(self) -> None:
        """Raise TypeError for a `call` that has an argument `mask`, which it is not given."""

    def _try_layout(self, x: Any, name: str) -> Layout:
        """What a model that is not built would be for the data `x`; it stays as it is until they are found to be right.

        The lock must be held.
        """
        raise NotImplementedError

    def _become(self, state: State, drafts: Sequence[Draft] = (), changes: Sequence[atomic.Change] = ()) -> None:
        """Take another structure, its layers built as drafted."""
        raise NotImplementedError

    def _build_as(self, layout: Layout) -> None:
        """Build what data were checked for; the lock must be held."""
        raise NotImplementedError

    # ---- as a layer --------------------------------------------------------------------------------------------------

    @property
    def takes_list(self) -> bool:  # type: ignore[override]
        """Whether the model has several inputs."""
        layout = self._state.layout
        return layout is not None and len(layout.inputs.ports) > 1

    def _take_apart(self, inputs: Any) -> list[Any]:
        layout = self._state.layout
        if layout is None:
            return [inputs]
        return layout.inputs.take_apart(layout.inputs.without_rest(inputs, "inputs"), "inputs")

    def _as_taken(self, values: Sequence[Any]) -> Any:
        return list(values) if len(values) > 1 else super()._as_taken(values)  # also where it is not built

    def _masks_of(self, inputs: list[Any], mask: Any) -> list[Any]:
        several = len(inputs) > 1 or isinstance(mask, dict)
        return self._require_layout().inputs.take_apart(mask, "mask") if several else [mask]

    def _limits_for(self, inputs: list[Any], masks: Sequence[Any] = ()) -> Limits:
        return self._input_limits()

    def _build_to_call(self, x: Any, mask: Any) -> None:
        """Be built for the arrays `x`, if the masks fit; the lock must be held."""
        layout = self._try_layout(x, "x")
        inputs = layout.inputs.take_apart(x, "x")
        masks = [mask] if len(inputs) == 1 and not isinstance(mask, dict) else layout.inputs.take_apart(mask, "mask")
        for number, (given, of_given) in enumerate(zip(inputs, masks, strict=True)):
            if of_given is not None:
                calling.check_mask(self, number, np.shape(given), np.shape(of_given))
        self._build_as(layout)

    def _arrange(self, outputs: list[Any]) -> Any:
        layout = self._state.layout
        return outputs[0] if layout is None else layout.outputs.arrange(outputs)

    def _input_limits(self) -> Limits:
        return self._require_layout().inputs.limits

    def draft(self, shape: OpenShapes, dtype: str, masks: Masks = ()) -> Draft:
        """What the model would be for samples of `shape`, with masks of the shapes `masks`; ValueError if it cannot
        take them."""
        if any(mask is not None for mask in masks):
            self._check_no_mask_in_call()
        shapes, drafts = shape if isinstance(shape, list) else [shape], list[Draft]()
        made: Sequence[OpenShape | None]
        if self.built:
            layout, made = self._layout_at(shapes), drafts_of(self._wiring_for(shapes), shapes, dtype, masks).masks
        else:
            layout, drafts, made = self._drafts(shapes, dtype, masks)
        if layout.dtype != dtype:
            raise self._shape_error(f"computes in {layout.dtype}, but is to be part of a model that does in {dtype}.")
        outputs = [port.shape for port in layout.outputs.ports]
        output: OpenShapes = outputs if len(outputs) > 1 else outputs[0]
        return Draft(self, shape, output, dtype, [], [], tuple(drafts), layout, made_masks=tuple(made))

    def _dtype_for(self, inputs: Sequence[SymbolicTensor]) -> str:
        if self.built:
            return self.dtype
        return next((x.dtype for x in inputs if not x.holds_ids), config.floatx())

    def _laid_out(self, draft: Draft) -> atomic.Change:
        state = self._state
        return atomic.setting(self, "_state", state if self.built else state._replace(layout=draft.layout))

    def _build_for(self, shape: OpenShapes, masks: Masks = ()) -> None:
        layout, drafts, _ = self._drafts(shape if isinstance(shape, list) else [shape], None, masks)
        self._become(self._state._replace(layout=layout), drafts)

    def sample_output_shape(self, shape: Any) -> Any:
        """Shape of a sample of the output, or a list of them, given that of the input, or of each input.

        Raises:
            ValueError: the layers cannot take it.
        """
        return self.draft(shape, self.dtype if self.built else self._drafts([shape])[0].dtype).output

    def lower(self, net: Lowering, x: Any, shape: Any) -> Any:
        """Add the layers' ops on tensor `x`, whose samples have `shape`; return the number of the output tensor.

        Where the model has several inputs or outputs, these are lists.
        """
        outputs = self.lower_with_masks(net, x, shape, ())[0]
        return outputs if len(outputs) > 1 else outputs[0]

    def lower_with_masks(
        self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None]
    ) -> tuple[list[int], list[Mask | None]]:
        """Add the layers' ops; the outputs and their masks."""
        xs, shapes = (x, shape) if isinstance(shape, list) else ([x], [shape])
        before, net.owner = net.owner, self
        made = lower_all(self._wiring_for(shapes), net, xs, shapes, masks)
        net.owner = before
        return made.tensors, made.masks

    @property
    def _wirings(self) -> Sequence[Wiring]:
        wiring = self._state.wiring
        return () if wiring is None else (wiring,)

    def _wiring_at(self, shapes: tuple[OpenShape, ...], dtype: str) -> Wiring:
        return self._wiring_for(shapes)

    def _wiring_for(self, shapes: Sequence[OpenShape]) -> Wiring:
        """The wiring for samples of these shapes."""
        return self._wiring

    def _takes_any_length(self) -> bool:
        """Whether lengths that data alone told are no limits, where it is a part of another model or layer."""
        return self._of_data and self._is_chain

    @property
    def _wiring(self) -> Wiring:
        wiring = self._state.wiring
        assert wiring is not None
        return wiring

    def _layout_at(self, shapes: Sequence[OpenShape]) -> Layout:
        """What the model takes and gives where its inputs have these shapes; ValueError if they cannot."""
        layout = self._require_layout()
        if tuple(shapes) == layout.input_shapes:
            return layout
        if len(shapes) != len(layout.inputs.ports):
            raise self._shape_error(f"takes {len(layout.inputs.ports)} inputs, but got {len(shapes)}.")
        for port, shape in zip(layout.inputs.ports, shapes, strict=True):
            if not self._takes_any_length() and not port.takes(shape):
                raise self._shape_error(
                    f"takes samples of shape {port.shape} as its input {port.name!r}, but got {shape}."
                )
        found = drafts_of(self._wiring_for(shapes), shapes, layout.dtype).shapes
        return layout._replace(inputs=layout.inputs.of(shapes), outputs=layout.outputs.of(found))

    # ---- what it takes and gives -------------------------------------------------------------------------------------

    def _require_layout(self) -> Layout:
        if self._state.layout is None:
            raise NotBuiltError(
                f"Model {self.name!r} is not built yet: give its first layer an Input or input_shape, call "
                "build((None, ...)), or call the model on data."
            )
        return self._state.layout

    @property
    def built(self) -> bool:
        """Whether the input shape is known and the weights exist."""
        return self._state.layout is not None

    @built.setter
    def built(self, value: bool) -> None:
        self._check_built(value)

    @property
    def _is_built(self) -> bool:
        return self._state.layout is not None

    @property
    def dtype(self) -> str:
        """The number type of all layers, ``"float32"`` or ``"float64"``."""
        return self._require_layout().dtype

    @property
    def input_shape(self) -> Any:
        """Shape of the input, None for axes of any length; a list or dict for several inputs.

        The batch axis is None, too, unless an input was given a batch size.
        """
        inputs = self._require_layout().inputs
        return inputs.arrange([(self._batch_size, *port.shape) for port in inputs.ports])

    @property
    def output_shape(self) -> Any:
        """Shape of the output, like `input_shape`; a list or dict for several outputs."""
        outputs = self._require_layout().outputs
        return outputs.arrange([(self._batch_size, *port.shape) for port in outputs.ports])

    @property
    def trainable(self) -> bool:
        """Whether any layer or weight of the model's own is trainable; setting it sets it for all of them."""
        return any(layer.trainable for layer in self.layers) or any(weight.trainable for weight in self._own_weights)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        atomic.apply_together(self._freezing(checks.boolean(value, "trainable")))

    def _freezing(self, trainable: bool) -> list[atomic.Change]:
        inner = [change for layer in self.layers for change in layer._freezing(trainable)]
        return [*self._freezing_own(trainable), *inner]
