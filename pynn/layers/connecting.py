"""Calls of layers on symbolic tensors: each is recorded as a node, from which models find their wiring."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ..data import arrays
from ..data.layout import OpenShape, Port
from ..foundation import atomic
from . import symbolic
from .building import Built, Draft, building
from .of_batch import OfBatch
from .symbolic import Made, Node, SymbolicTensor
from .trial import current
from .types import Masks, OpenShapes


class Connectable:
    """The part of a `Layer` that is about calls on symbolic tensors."""

    name: str
    dtype_given: bool
    _dtype: str
    takes_list: bool = False  # whether it takes a list of inputs; then shapes and tensors come as lists
    takes_more: bool = False  # whether a call may have more tensors than the input; then these come as a list
    keeps_states: bool = False  # whether it has states that it keeps from batch to batch
    keeps_ids: bool = False  # whether it hands on its input as it is, also whole numbers
    takes_part: bool = False  # whether it hands on whole numbers: a part of its input, or what is computed of several
    wired: bool = False  # whether it is made of other layers, and so takes ids and numbers as they come
    is_input: bool = False  # whether it stands for an input of a model
    built_at_once: bool = False  # whether it counts as built before its input is known
    supports_masking: bool = False  # whether it knows what to do with a mask
    reads_steps: bool = False  # whether it needs a mask to have an axis of steps
    couples_samples: bool = False  # whether in training a sample's output depends on the others of its batch
    stops_gradients: bool = False  # whether what it is made of does not learn by it
    is_operation: bool = False  # made by an operator on symbolic tensors: no entry in `Model.layers`, as in Keras
    _built: Built | None = None
    _nodes: weakref.WeakValueDictionary[int, Node]  # by id, in the order of the calls
    _users: weakref.WeakSet[Any]  # the models that the layer is part of

    @property
    def _itself(self) -> Any:
        """The layer, where this is a copy of it for a call."""
        return self

    @property
    def built(self) -> bool:
        """Whether the weights exist; of some layers without any it is True from the beginning, as in Keras."""
        return self.built_at_once or self._is_built

    @built.setter
    def built(self, value: bool) -> None:
        """Keras's layers say so at the end of their `build`; here it is known. No error, and without effect."""
        self._check_built(value)

    @property
    def _is_built(self) -> bool:
        """Whether the input shape is known and the weights exist."""
        return self._built is not None

    def _check_built(self, value: object) -> None:
        if value is not True:
            raise ValueError(
                f"Layer {self.name!r}: built is True once the layer is built, and cannot be set to {value!r}. Make a "
                "new layer with type(layer).from_config(layer.get_config())."
            )

    @property
    def dtype(self) -> str:
        """The number type, ``"float32"`` or ``"float64"``."""
        return self._dtype if self._built is None else self._built.dtype

    def draft(self, shape: OpenShapes, dtype: str, masks: Masks = ()) -> Draft:
        """What the layer would be for samples of `shape`, with masks of the shapes `masks`."""
        raise NotImplementedError

    def _reopen(self, before: OpenShapes, shape: OpenShapes) -> None:
        """Be built for samples of `shape`, where it was for those of `before`. It must be on trial."""
        built = self._built
        if built is not None and built.shape == before:
            self._built = built._replace(shape=shape)

    def _shape_error(self, message: str) -> ValueError:
        return ValueError(f"Layer {self.name!r} ({type(self).__name__}) {message}")

    def _take_apart(self, inputs: Any) -> list[Any]:
        """The inputs one by one."""
        if not self.takes_list:
            if isinstance(inputs, list | tuple) and any(isinstance(x, SymbolicTensor) for x in inputs):
                raise TypeError(
                    f"Layer {self.name!r} takes one input, but got a {type(inputs).__name__} of {len(inputs)}. Call it "
                    "on each, or put them together with a layer such as Concatenate."
                )
            return [inputs]
        if not isinstance(inputs, list | tuple):
            raise TypeError(f"Layer {self.name!r} takes a list of inputs, but got {type(inputs).__name__}.")
        if not inputs:
            raise ValueError(f"Layer {self.name!r} takes a list of inputs, but got an empty one.")
        return list(inputs)

    def _as_taken(self, values: Sequence[Any]) -> Any:
        """What belongs to each input of a call, in the form in which `draft` and `lower` take it."""
        return list(values) if self.takes_list or (self.takes_more and len(values) > 1) else values[0]

    def _arrange(self, outputs: list[Any]) -> Any:
        """The outputs in the form in which a call returns them."""
        return outputs[0]

    def _input_name(self, number: int) -> str:
        return f"inputs[{number}] of layer {self.name!r}" if self.takes_list else f"inputs of layer {self.name!r}"

    def _cannot_always_train(self) -> ValueError:
        return self._shape_error(
            "cannot work as in training always, also in predictions, as training=True on a symbolic tensor asks of it: "
            "it needs the statistics of whole batches. Leave training=True away, and call the model with it: "
            "model(x, training=True)."
        )

    @property
    def _wirings(self) -> Sequence[Any]:
        """How the layers are connected that it is made of, for all shapes that it was called on; none: not known."""
        return ()

    def _part_of(self, *xs: NDArray[Any]) -> NDArray[Any]:
        """What it hands on of arrays of whole numbers."""
        raise NotImplementedError

    def _use(self, settings: Any) -> Any:
        """The layer as a call has it that said `settings` beside its tensors; None: it said nothing."""
        return self

    def _arguments_of(self, settings: Any) -> dict[str, Any]:
        """What a call said beside its tensors, as plain values for a configuration."""
        return {}

    def _settings_of(self, arguments: Mapping[str, Any], tensors: int) -> Any:
        """What a call on so many tensors said, given `_arguments_of` it; ValueError for other values."""
        return None

    def _record(self, inputs: list[Any], training: bool | None, masks: Sequence[Any] = (), settings: Any = None) -> Any:
        """The symbolic outputs for symbolic inputs; the layer is built for them if it was not.

        `masks` are those that the call was given, by input; None for one that has its own.
        """
        for x in inputs:
            if isinstance(x, OfBatch):
                raise x.misused()
            if not isinstance(x, SymbolicTensor):
                raise TypeError(
                    f"Layer {self.name!r} got symbolic tensors together with {type(x).__name__}: use numbers, arrays "
                    "and weights with operators, such as tensor + array."
                )
            if not (x.per_sample or self.is_operation):
                raise TypeError(
                    f"Layer {self.name!r} got {x.name!r}, which is made of weights alone, and so is the same for all "
                    "samples: only operators and activation functions take it. Put it together with a tensor first."
                )
        trial = current()
        if trial is not None and trial.training is not None:  # what the call was told is what the model does
            training = None if trial.training and training else training
            training = False if trial.training is False and training is None else training
        if training and self.couples_samples:
            raise self._cannot_always_train()
        told = self._check_masks(inputs, masks)
        of_inputs = tuple(
            x.mask_shape if mask is None else mask.sample for x, mask in itertools.zip_longest(inputs, told)
        )
        use = self._use(settings)
        draft = use.draft(self._sample_shapes(inputs), self._dtype_for(inputs), of_inputs)
        for x, below in zip(inputs, draft.limits.each if draft.limits else (), strict=False):
            if below:
                self._check_ids(x)
        if not self._is_built:
            atomic.apply_together(building([draft]))
        rows = self._rows_of(inputs)
        hands_on = self.keeps_ids or self.takes_part
        ids = hands_on and all(x.holds_ids for x in inputs)
        may_hold_ids = hands_on and all(x.may_hold_ids for x in inputs)
        per_sample = any(x.per_sample for x in inputs)
        made = tuple(
            Made(shape, "int32" if ids else draft.dtype, per_sample, mask, rows, may_hold_ids)
            for shape, mask in zip(draft.outputs, draft.masks, strict=True)
        )
        node = Node(self, tuple(inputs), made, training, told, settings)
        self._nodes[id(node)] = node
        return use._arrange([SymbolicTensor(node, index) for index in range(len(made))])

    def _check_masks(self, inputs: Sequence[Any], masks: Sequence[Any]) -> tuple[Any, ...]:
        """The masks that a call on symbolic tensors was given; TypeError or ValueError for others."""
        if all(mask is None for mask in masks):
            return ()
        told = [None if mask is None else self._symbolic_mask(mask, x) for x, mask in zip(inputs, masks, strict=True)]
        for x, mask in zip(inputs, told, strict=True):
            if mask is not None:
                self._check_mask(x.sample, mask.sample)
        return tuple(told)

    def _symbolic_mask(self, mask: Any, x: SymbolicTensor, what: str = "mask", without_samples: int = 0) -> Any:
        """A mask beside the symbolic tensor `x` as one, too: an array is the same for all samples.

        An array of so many axes as `without_samples` goes without that of the samples.
        """
        if isinstance(mask, SymbolicTensor):
            return mask
        array = arrays.as_numbers(mask, f"{what} of layer {self.name!r}")
        if array.ndim != without_samples:
            if array.ndim < 2 or len(array) != 1:
                raise ValueError(
                    f"{what} of layer {self.name!r} is an array beside symbolic tensors, and so the same for all "
                    f"samples: it must have the size 1 along the first axis, but has the shape {array.shape}. Make it "
                    "an Input where samples have masks of their own."
                )
            array = array[0]
        return symbolic.constant(array != 0, x)

    def _check_mask(self, shape: OpenShape, mask: OpenShape) -> None:
        """Raise ValueError unless samples of `shape` may have a mask of this shape: that of their first axes."""
        if not fits(shape, mask):
            raise self._shape_error(
                f"got a mask of shape {(None, *mask)} for inputs of shape {(None, *shape)}: it must have the shape of "
                "their first axes, such as (samples, steps)."
            )

    def _check_ids(self, x: SymbolicTensor) -> None:
        """Raise ValueError unless the tensor is an input, a part of one, or ids that are computed of inputs."""
        source = x
        while len(source.node.inputs) == 1 and (source.node.layer.keeps_ids or source.node.layer.takes_part):
            source = source.node.inputs[0]
        if not (x.may_hold_ids or source.node.layer.is_input):
            raise self._shape_error(
                f"takes ids, whole numbers from an Input, but got the numbers that layer {x.name!r} makes. Give the "
                'Input dtype="int32", and compute with whole numbers (ids + 1), or in NumPy before they become inputs.'
            )

    def _rows_of(self, inputs: Sequence[SymbolicTensor]) -> int | None:
        """The batch size that the inputs were given, None: none of them; ValueError where they differ."""
        rows = {x.rows: x.name for x in inputs if x.rows is not None}
        if len(rows) > 1:
            asked = " and ".join(f"{size} ({name!r})" for size, name in rows.items())
            raise self._shape_error(f"takes inputs with the same batch_size, but there are {asked}.")
        return next(iter(rows), None)

    def _sample_shapes(self, inputs: Sequence[SymbolicTensor]) -> OpenShapes:
        shapes: OpenShapes = self._as_taken([x.sample for x in inputs])
        return shapes

    def _dtype_for(self, inputs: Sequence[SymbolicTensor]) -> str:
        """The number type for these inputs: that of the numbers among them, else the layer's own."""
        found = {x.dtype: x.name for x in inputs if not x.holds_ids}
        if self.dtype_given or (self._built is not None and self._built.weights):
            found.setdefault(self.dtype, self.name)
        if len(found) > 1:
            asked = " and ".join(f"{dtype} ({name!r})" for dtype, name in found.items())
            raise self._shape_error(f"computes in one dtype, but there are {asked}.")
        return next(iter(found), self.dtype)

    @property
    def input(self) -> Any:
        """The symbolic input, or a list of them, of the first call on symbolic tensors.

        Raises:
            AttributeError: the layer was not called on symbolic tensors.
        """
        node = self._first_node("input")
        return node.inputs[0] if len(node.inputs) == 1 and not self.takes_list else list(node.inputs)

    @property
    def output(self) -> Any:
        """The symbolic output, or a list of them, of the first call on symbolic tensors.

        Raises:
            AttributeError: the layer was not called on symbolic tensors.
        """
        node = self._first_node("output")
        return self._use(node.settings)._arrange([SymbolicTensor(node, index) for index in range(len(node.outputs))])

    def _first_node(self, what: str) -> Node:
        if not self._nodes:
            for user in list(self._users):
                user._wire()
        node = next(self._nodes.values(), None)
        if node is None:
            raise AttributeError(
                f"Layer {self.name!r} has no {what}: it was not called on symbolic tensors, or nothing is left of it."
            )
        return node


def fits(shape: OpenShape, mask: OpenShape) -> bool:
    """Whether a mask says which steps of samples of `shape` are real: it has the shape of their first axes."""
    return bool(mask) and Port("", shape[: len(mask)]).takes(mask)
