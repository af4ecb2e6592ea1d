"""What all layers have in common. A layer has settings and weights; the engine does its arithmetic.

A layer is built for the shape of its input: then it has its `weights`, which are its own for life. It writes what it
computes into the graph of any model that uses it (`lower`).
"""

from __future__ import annotations

import contextlib
import math
import warnings
import weakref
from collections.abc import Sequence
from typing import Any, SupportsIndex

from numpy.typing import DTypeLike

from .. import config, regularizers
from ..activations import Activation
from ..data.layout import OpenShape
from ..engine.lowering import Lowering, Mask
from ..foundation import atomic, checks, names, registry
from ..foundation.arguments import NamesItsArguments
from ..regularizers import Regularizer, RegularizerLike
from . import calling, symbolic
from .building import Draft, building
from .callform import CallForm
from .drafting import drafted, masks_of_outputs
from .extending import call_of_extended, extend, extended, mixed_in, settle
from .symbolic import Node, SymbolicTensor
from .traceable import whole
from .trial import current
from .types import Masks, OpenShapes, Shape
from .weighed import Weighed
from .weight import MOST_ELEMENTS, Array, WeightSpec


class Layer(Weighed, NamesItsArguments):
    """Base of all layers.

    A layer of one's own writes ``call(self, inputs)``, and ``build(self, input_shape)`` if it has weights of its own
    (`add_weight`); see docs/own-layers.md.

    A layer inside pynn writes `sample_output_shape`, `lower` and `get_config`, and `weight_specs` if it has weights.
    Shapes are those of one sample, without the batch axis; those of `build`, `input_shape` and `output_shape` lead with
    None.

    Args:
        name: Letters, digits and ``_ . / -``, at most 128. Default: the class's name with a number, as in Keras.
        trainable: Whether training changes the weights. Default ``True``.
        dtype: ``"float32"`` or ``"float64"``. Default: ``config.floatx()``.
        input_shape: Shape of a sample, for the first layer of a model without an ``Input``.
        input_dim: ``n`` means ``input_shape=(n,)``.
        activity_regularizer: Of a layer of one's own: the penalty for its outputs, a name or `Regularizer`. Default
            ``None``.
        autocast: Without effect: Keras has it for mixed precision.

    Attributes:
        dtype_given: Whether `dtype` was passed.
        batch_input_shape: What `input_shape` or `input_dim` said, or None.
        activation: The activation that ends the layer, or None for layers without one.
        activity_regularizer: The penalty for the output, or None for layers without one.
        supports_masking: Whether the layer knows what to do with the mask of its input (docs/masks.md): by default the
            output has the same one. Where it does not, the mask ends there, and a warning tells. A layer of one's own
            sets it, or writes `compute_mask`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    activation: Activation | None = None
    activity_regularizer: Regularizer | None = None
    _may_have_call = False  # of models, which trace their `call` themselves
    _counted_with: tuple[str, ...] = ()  # classes of which Keras makes a layer within, which its automatic names count

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own, mixed = cls.__dict__, mixed_in(cls, Layer)
        if registry.is_own(cls) and any("__call__" in vars(kind) for kind in (cls, *mixed)):
            raise TypeError(
                f"{cls.__name__}: a layer or model of one's own has no __call__, which models would pass over. Do in "
                "call what is to be done, or in a function that calls it."
            )
        if cls._may_have_call:
            return
        for name in ("call", "build", "compute_mask"):
            for kind in mixed:
                if name in vars(kind) and name not in own:  # as if the class had written it
                    setattr(cls, name, vars(kind)[name])
        changed = ("build" in own or "compute_mask" in own) and "call" not in own
        if changed and cls.lower is not Layer.lower and registry.is_own(cls):
            cls.call = call_of_extended  # type: ignore[assignment, method-assign]
        if "call" in own:
            if cls.lower is not Layer.lower:
                extend(cls, Layer)
            cls._form, cls.wired = CallForm(own["call"]), True
            if cls.compute_mask is not Layer.compute_mask and "supports_masking" not in own:
                cls.supports_masking = True
            cls.__call__ = Layer._call_own  # type: ignore[method-assign]
        if "build" in own:
            cls.build = whole(own["build"])  # type: ignore[method-assign]

    def _note_arguments(self, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        if self._form is not None:
            self._given = args, named

    def __init__(
        self,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
        *,
        activity_regularizer: RegularizerLike = None,
        autocast: bool = True,
    ) -> None:
        self._note_made()
        checks.boolean(autocast, "autocast")
        if input_shape is not None and input_dim is not None:
            raise ValueError(f"Give input_shape or input_dim, not both: {input_shape} and {input_dim}.")
        self.batch_input_shape: OpenShape | None = None
        if input_shape is not None:
            self.batch_input_shape = checks.open_shape(input_shape, "input_shape")
        elif input_dim is not None:
            self.batch_input_shape = (checks.positive_int(input_dim, "input_dim"),)
        if activity_regularizer is not None:
            self.activity_regularizer = regularizers.get(activity_regularizer, "activity_regularizer")
        self._trainable = checks.boolean(trainable, "trainable")
        self.dtype_given = dtype is not None
        self._dtype = config.resolve_dtype(dtype)
        self._users = weakref.WeakSet[Any]()  # the models that the layer is part of
        self._nodes = weakref.WeakValueDictionary[int, Node]()  # by id, in the order of the calls
        self._calls: dict[tuple[Shape, ...], calling.Call] = {}  # by shapes of the inputs
        # Last, so that a layer that could not be made uses up no number.
        self.name = names.auto_name(type(self).__name__) if name is None else names.check_name(name)

    def _check_made(self) -> None:
        if "name" not in vars(self):
            raise TypeError(f"{type(self).__name__}.__init__ does not call super().__init__(): it must, first of all.")
        if self._extends is not None:
            self._extended = extended(self)

    @property
    def _is_whole(self) -> bool:
        """Whether its weights are those that it added to itself and those of the layers that it has."""
        return self._form is not None or self.holds_layers or type(self).lower is Layer.lower

    # ---- what a subclass writes --------------------------------------------------------------------------------------

    def sample_output_shape(self, shape: Shape) -> Shape:
        """Shape of a sample of the output, given that of the input; ValueError if the layer cannot take it.

        Where the layer has several outputs, a list of shapes.
        """
        if self._form is None:
            raise NotImplementedError(self._computes_nothing())
        return self._shape_of_call(shape)  # type: ignore[no-any-return]

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        """The weights that the layer has for inputs of `shape`."""
        return []

    def _drafts_within(self, shape: OpenShapes, dtype: str) -> list[Draft]:
        """The drafts of the layers that it holds, if it does, for samples of `shape`."""
        return []

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        """Add the layer's ops on tensor `x`, whose samples have `shape`; return the number of the output tensor.

        Where the layer takes a list (`takes_list`), or gets further tensors (`takes_more`), `x` and `shape` are lists.
        Where it has several outputs, their numbers are a list.
        """
        if self._form is None:
            raise NotImplementedError(self._computes_nothing())
        outputs = self._lower_call(net, x, shape, ())[0]
        return outputs if len(outputs) > 1 else outputs[0]  # type: ignore[return-value]

    def lower_mask(self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None]) -> Any:
        """The mask of the output, or None; a list of them where there are several outputs. It may add ops.

        Args:
            net, x, shape: As for `lower`.
            masks: Those of the inputs, None for one that has none.
        """
        return masks[0] if self.supports_masking else None

    def lower_with_masks(
        self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None]
    ) -> tuple[list[int], list[Mask | None]]:
        """Add the layer's ops, as `lower`, where its inputs have these masks; the outputs and their masks."""
        if self._form is not None:
            return self._lower_call(net, x, shape, masks)
        before, net.masks = net.masks, masks
        made: Any = self.lower(net, x, shape)
        found = self.lower_mask(net, x, shape, masks)
        net.masks = before
        outputs = made if isinstance(made, list) else [made]
        if found is None and any(mask is not None for mask in masks):
            self._warn_of_lost_mask()
        return outputs, masks_of_outputs(found, len(outputs))

    def _warn_of_lost_mask(self) -> None:
        if not (self.supports_masking or self.is_operation):
            warnings.warn(
                f"Layer {self.name!r} ({type(self).__name__}) got an input with a mask, and does not support masks: "
                "the layers behind it do not see the mask.",
                stacklevel=2,
            )

    def add_penalty(self, net: Lowering, outputs: Sequence[int]) -> None:
        """Add what the activity regularizer has to say of the layer's outputs, tensors of `net`."""
        penalty = self.activity_regularizer
        if penalty is not None:
            for y in outputs:
                net.add_activity_penalty(y, self._itself, penalty.l1, penalty.l2)

    @classmethod
    def _computes_nothing(cls) -> str:
        return f"{cls.__name__} computes nothing: a layer of one's own must write call(self, inputs)."

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, without its weights."""
        given = {} if self.batch_input_shape is None else {"input_shape": self.batch_input_shape}
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self._settled_dtype, **given}
        if self._form is None:
            return config
        if self.activity_regularizer is not None and self._extends is None:  # which says what it takes
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config if type(self).get_config is not Layer.get_config else self._given_in(config)

    @property
    def _settled_dtype(self) -> str | None:
        """The number type, if it is settled: by the layers that it holds, too, as where an equal layer is made."""
        if self.dtype_given or self._is_built:
            return self.dtype
        within = reversed(self._layers_within) if self.holds_layers else ()
        return next(filter(None, (each._settled_dtype for each in within)), None)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """The layer of these arguments."""
        return cls(**config)

    # ---- building ----------------------------------------------------------------------------------------------------

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights, with their initial values. A model does it for its layers.

        Args:
            input_shape: Shape of a batch of the input, its first axis None or any number: ``(None, 4)``.

        Raises:
            TypeError, ValueError: no such shape, one that the layer cannot take, or another than it is built for.
        """
        trial = current()
        if trial is not None and trial.layer is self:  # `super().build(input_shape)`: its layer is about it
            if self._extended is not None:
                settle(self)
                self._extended.build(input_shape)
            return
        self._build_whole(input_shape)

    def _build_whole(self, input_shape: Any) -> None:
        shape = self._batch_shapes(input_shape)
        self._build_for(shape)
        if self._require_built().shape != shape:  # also where another thread was first
            raise self._shape_error(
                f"is built for samples of shape {self._require_built().shape}, but input_shape has {shape}."
            )

    def _batch_shapes(self, input_shape: Any) -> OpenShapes:
        """The shape of a batch, or a list of them where the layer takes one, without the batch axis."""
        several = isinstance(input_shape, list | tuple) and all(isinstance(each, list | tuple) for each in input_shape)
        if not (self.takes_list or (self._form is not None and several and input_shape)):
            return checks.batch_shape(input_shape, "input_shape")
        if not isinstance(input_shape, list | tuple) or not all(isinstance(each, list | tuple) for each in input_shape):
            raise TypeError(
                f"Layer {self.name!r} takes a list of inputs: input_shape must be a list of shapes such as "
                f"[(None, 4), (None, 4)], but got {checks.shown(input_shape)}."
            )
        return [checks.batch_shape(each, "input_shape") for each in input_shape]

    def _build_for(self, shape: OpenShapes, masks: Masks = ()) -> None:
        """Be built for samples of `shape`, unless it is built; ValueError if it cannot take them."""
        draft = self.draft(shape, self.dtype, masks)
        if not self._is_built:
            atomic.apply_together(building([draft]))

    def draft(self, shape: OpenShapes, dtype: str, masks: Masks = ()) -> Draft:
        """What the layer would be for samples of `shape`; ValueError if it cannot take them, or is built for others.

        An axis of any length is tried with two lengths: what differs then has any length, too. `masks` are the shapes
        of those of the inputs.
        """
        if self._form is not None:
            return self._draft_of_call(shape, dtype, masks)
        draft = drafted(self, shape, dtype, masks)
        return draft._replace(inner=tuple(self._drafts_within(shape, dtype))) if self.holds_layers else draft

    def _check_size(self, output: Shape) -> None:
        """Raise ValueError where samples of the shape `output`, or what makes them, are too large for memory."""
        if math.prod(output) > MOST_ELEMENTS:
            raise ValueError(f"Layer {self.name!r} has outputs of shape {output}: more elements than memory can hold.")

    # ---- calling -----------------------------------------------------------------------------------------------------

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What the layer makes of arrays, or of symbolic tensors; it is built for them if it was not.

        Args:
            inputs: An array (samples, ...), or a list of arrays for layers that take one. Or symbolic tensors, as
                `Input` gives: then the result is one, too.
            training: Whether to compute as in training. On symbolic tensors, ``False`` means that the layer works as in
                prediction there, always. Default ``None``: as the model does, and ``False`` on arrays.
            mask: Which steps of the inputs are real (true, or not 0) and which are padding: an array or a symbolic
                tensor (samples, steps), or a list of them, some of which may be None, where the layer takes a list.
                Default ``None``: the mask that a symbolic tensor has (docs/masks.md); on arrays all steps are real.

        Raises:
            TypeError, ValueError: what the layer cannot take; it is as before then.
        """
        if training is not None:
            training = checks.boolean(training, "training")
        given = self._take_apart(inputs)
        masks = () if mask is None else self._masks_of(given, mask)
        for x in given:
            if isinstance(x, SymbolicTensor):
                return self._record(given, training, masks)
        return self._compute(given, bool(training), masks)

    def _masks_of(self, inputs: list[Any], mask: Any) -> list[Any]:
        """The masks that a call was given, by input."""
        masks = list(mask) if self.takes_list and isinstance(mask, list | tuple) else [mask]
        if len(masks) != len(inputs):
            raise ValueError(
                f"mask of layer {self.name!r} must have a mask, or None, for each of {len(inputs)} inputs, but has "
                f"{len(masks)}."
            )
        return masks

    def _compute(self, inputs: list[Any], training: bool, masks: Sequence[Any] = ()) -> Any:
        return calling.compute(self, inputs, training, masks)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of what the layer makes of these inputs: an array of booleans (samples, steps), or a symbolic tensor
        where `inputs` are some; None where it has none.

        Args:
            inputs: As for a call.
            mask: That of the inputs, or a list of them for layers that take a list. Default ``None``.

        Raises:
            TypeError, ValueError: what the layer cannot take.
        """
        given = self._take_apart(inputs)
        masks = [None] * len(given) if mask is None else self._masks_of(given, mask)
        return symbolic.masking(self, given, masks)

    # ---- state -------------------------------------------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of a batch of the output, given that of the input.

        Args:
            input_shape: As for `build`.

        Raises:
            TypeError, ValueError: no such shape, or one that the layer cannot take.
        """
        shapes = self._batch_shapes(input_shape)
        draft = self._use(self._settings_for(shapes)).draft(shapes, self._dtype_for([]))
        batch = input_shape[0][0] if isinstance(shapes, list) else input_shape[0]
        arrange = self._arrange if draft.arrange is None else draft.arrange
        return arrange([(batch, *shape) for shape in draft.outputs])

    @property
    def input_shape(self) -> Any:
        """Shape of the input, None for the batch axis and axes of any length; a list for several inputs."""
        return _of_batches(self._require_built().shape)

    @property
    def output_shape(self) -> Any:
        """Shape of the output, None for the batch axis and axes of any length."""
        shape = self._require_built().shape
        use = self._use(self._settings_for(shape))
        if self._form is not None:  # whichever masks its inputs have
            return _of_batches(use.sample_output_shape(shape))
        return _of_batches(use.draft(shape, self.dtype).output)

    def _laid_out(self, draft: Draft) -> atomic.Change:
        """The change that makes a model one of this layout."""
        raise NotImplementedError

    def _restructure(self, changes: list[atomic.Change]) -> None:
        """Change what the layer computes; the networks of all models that have it are made anew."""
        users = list(self._users)
        for user in users:
            users += [other for other in user._users if other not in users]
        with contextlib.ExitStack() as held:
            for user in users:
                held.enter_context(user._alone())
            anew = [change for user in users for change in user._unlowered()]
            atomic.apply_together([*changes, atomic.setting(self, "_calls", {}), *anew])

    def _part_of(self, *xs: Array) -> Array:
        (x,) = xs
        return x.reshape(len(x), *self.sample_output_shape(x.shape[1:]))

    # ---- errors, and the rest ----------------------------------------------------------------------------------------

    def _check_activation(self, shape: Shape) -> Shape:
        """The shape that the layer's activation makes of samples of `shape`; ValueError if it does not take them."""
        try:
            return shape if self.activation is None else self.activation.check_sample(shape)
        except ValueError as error:
            raise self._shape_error(f"got samples of shape {shape}: {error}") from None

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """How copy and pickle take a layer apart: refused where its weights or its model would be shared."""
        if self._built is not None or self._users:
            raise TypeError(
                f"Layer {self.name!r} cannot be copied or pickled, as it has weights or a model of its own. Make a "
                "new one with type(layer).from_config(layer.get_config()), and set_weights(layer.get_weights())."
            )
        return super().__reduce_ex__(protocol)

    def __getstate__(self) -> dict[str, Any]:
        """The settings: a copy is part of no model, and was not called."""
        of_calls = ("_users", "_nodes", "_calls", "_added_losses")
        return {name: value for name, value in vars(self).items() if name not in of_calls}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _users=weakref.WeakSet(), _nodes=weakref.WeakValueDictionary(), _calls={})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _of_batches(shapes: OpenShapes) -> Any:
    return [(None, *shape) for shape in shapes] if isinstance(shapes, list) else (None, *shapes)
