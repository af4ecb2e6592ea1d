"""What all layers have in common. A layer has settings and weights; the engine does its arithmetic.

A layer is built for the shape of its input: then it has its `weights`, which are its own for life. It writes what it
computes into the graph of any model that uses it (`lower`).
"""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import config
from ..activations import Activation
from ..engine.lowering import Lowering
from ..errors import NotBuiltError
from ..foundation import atomic, checks, names, pieces
from ..foundation.arguments import NamesItsArguments
from ..foundation.native import core
from ..regularizers import Regularizer
from .types import Shape
from .weight import Array, Weight, WeightSpec, assign_all

if TYPE_CHECKING:
    from .. import _core

# More elements in one array than any machine has memory for; checked before anything is allocated.
MOST_ELEMENTS = 2**40


class Built(NamedTuple):
    """What a layer has once its input is known."""

    shape: Shape  # of a sample of the input
    dtype: str
    parameters: _core.Parameters | None  # None without weights
    weights: tuple[Weight, ...]


class Draft(NamedTuple):
    """A layer that is to be built: all is checked, and nothing is made."""

    layer: Layer
    shape: Shape
    output: Shape
    dtype: str
    specs: list[WeightSpec]
    constraints: list[tuple[str, tuple[float, ...], tuple[int, ...]]]


class Layer(NamesItsArguments):
    """Base of all layers.

    A subclass writes `compute_output_shape`, `lower` and `get_config`, and `weight_specs` if it has weights. Shapes
    are those of one sample, without the batch axis; those of `build`, `input_shape` and `output_shape` lead with None.

    Args:
        name: Letters, digits and ``_ . / -``, at most 128. Default: the class's name with a number, as in Keras.
        trainable: Whether training changes the weights. Default ``True``.
        dtype: ``"float32"`` or ``"float64"``. Default: ``config.floatx()``.
        input_shape: Shape of a sample, for the first layer of a model without an ``Input``.
        input_dim: ``n`` means ``input_shape=(n,)``.

    Attributes:
        dtype_given: Whether `dtype` was passed.
        batch_input_shape: What `input_shape` or `input_dim` said, or None.
        activation: The activation that ends the layer, or None for layers without one.
        activity_regularizer: The penalty for the output, or None for layers without one.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    activation: Activation | None = None
    activity_regularizer: Regularizer | None = None
    _built: Built | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "call" in cls.__dict__:
            raise TypeError(cls._why_no_own())
        if "compute_output_shape" in cls.__dict__:
            setattr(cls, "compute_output_shape", _of_a_sample(cls.__dict__["compute_output_shape"]))  # noqa: B010

    @classmethod
    def _why_no_own(cls) -> str:
        return (
            f"{cls.__name__}: pynn cannot run layers with a call in Python yet. A layer of one's own writes "
            "compute_output_shape and lower, which puts it together from the engine's operations."
        )

    def __init__(
        self,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int] | None = None,
        input_dim: int | None = None,
    ) -> None:
        if input_shape is not None and input_dim is not None:
            raise ValueError(f"Give input_shape or input_dim, not both: {input_shape} and {input_dim}.")
        self.batch_input_shape: Shape | None = None
        if input_shape is not None:
            self.batch_input_shape = checks.shape(input_shape, "input_shape")
        elif input_dim is not None:
            self.batch_input_shape = (checks.positive_int(input_dim, "input_dim"),)
        self._trainable = checks.boolean(trainable, "trainable")
        self.dtype_given = dtype is not None
        self._dtype = config.resolve_dtype(dtype)
        self._owner: weakref.ref[Any] | None = None  # the model that the layer is part of
        # Last, so that a layer that could not be made uses up no number.
        self.name = names.auto_name(type(self).__name__) if name is None else names.check_name(name)

    # ---- what a subclass writes --------------------------------------------------------------------------------------

    def compute_output_shape(self, shape: Shape) -> Shape:
        """Shape of a sample of the output, given that of the input; ValueError if the layer cannot take it."""
        raise NotImplementedError(self._computes_nothing())

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        """The weights that the layer has for inputs of `shape`."""
        return []

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        """Add the layer's ops on tensor `x`, whose samples have `shape`; return the number of the output tensor."""
        raise NotImplementedError(self._computes_nothing())

    @classmethod
    def _computes_nothing(cls) -> str:
        return f"{cls.__name__} computes nothing: a layer of one's own must write compute_output_shape and lower."

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, without its weights."""
        given = {} if self.batch_input_shape is None else {"input_shape": self.batch_input_shape}
        dtype = self.dtype if self.dtype_given or self.built else None
        return {"name": self.name, "trainable": self.trainable, "dtype": dtype, **given}

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
        shape = checks.batch_shape(input_shape, "input_shape")
        draft = self.draft(shape, self.dtype)
        if self._built is None:
            atomic.apply_together(building([draft]))
        if self._require_built().shape != shape:  # also where another thread was first
            raise self._shape_error(
                f"is built for samples of shape {self._require_built().shape}, but input_shape has {shape}."
            )

    def draft(self, shape: Shape, dtype: str) -> Draft:
        """What the layer would be for samples of `shape`; ValueError if it cannot take them, or is built for others."""
        output = self.compute_output_shape(shape)
        if math.prod(output) > MOST_ELEMENTS:
            raise ValueError(f"Layer {self.name!r} has outputs of shape {output}: more elements than memory can hold.")
        specs = self.weight_specs(shape)
        for spec in specs:
            if math.prod(spec.shape) > MOST_ELEMENTS:
                raise ValueError(
                    f"The weight {self.name}/{spec.name} of shape {spec.shape} would have more elements than memory "
                    f"can hold. Lower the units of the layers."
                )
        built = self._built
        if built is not None and built.weights:
            if [weight.shape for weight in built.weights] != [spec.shape for spec in specs]:
                raise self._shape_error(
                    f"has weights for samples of shape {built.shape}, but gets {shape}. Make a new layer with "
                    "type(layer).from_config(layer.get_config())."
                )
            if built.dtype != dtype:
                raise self._shape_error(f"has weights of type {built.dtype}, but the model computes in {dtype}.")
        constraints = [spec.native_constraint(f"{self.name}/{spec.name}") for spec in specs]
        return Draft(self, shape, output, dtype, specs, constraints)

    @property
    def built(self) -> bool:
        """Whether the input shape is known and the weights exist."""
        return self._built is not None

    @property
    def dtype(self) -> str:
        """The number type, ``"float32"`` or ``"float64"``."""
        return self._dtype if self._built is None else self._built.dtype

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; may be set at any time, and holds from the next step on."""
        built = self._built
        return self._trainable if built is None or built.parameters is None else not built.parameters.frozen

    @trainable.setter
    def trainable(self, value: bool) -> None:
        atomic.apply_together(freezing(self, checks.boolean(value, "trainable")))

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, None for the batch axis."""
        return (None, *self._require_built().shape)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the output, None for the batch axis."""
        return (None, *self.compute_output_shape(self._require_built().shape))

    def _require_built(self) -> Built:
        if self._built is None:
            raise NotBuiltError(
                f"Layer {self.name!r} is not built yet: call build((None, ...)), or add it to a model and give the "
                "model's first layer an input shape or call the model on data."
            )
        return self._built

    # ---- weights -----------------------------------------------------------------------------------------------------

    @property
    def weights(self) -> list[Weight]:
        """The layer's weights, empty for a layer without; the same objects each time."""
        return list(self._require_built().weights)

    def count_params(self) -> int:
        """Number of weights, single numbers counted."""
        return sum(math.prod(weight.shape) for weight in self._require_built().weights)

    def get_weights(self) -> list[Array]:
        """Copies of the weight arrays."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Overwrite all weight arrays, in the order of `get_weights`.

        Raises:
            TypeError, ValueError: another number of arrays, or one of another kind or shape; nothing is changed then.
        """
        assign_all(self.weights, weights, f"Layer {self.name!r}")

    def _weight(self, name: str) -> Weight | None:
        return next((weight for weight in self._require_built().weights if weight.name == name), None)

    # ---- errors, and the rest ----------------------------------------------------------------------------------------

    def _shape_error(self, message: str) -> ValueError:
        return ValueError(f"Layer {self.name!r} ({type(self).__name__}) {message}")

    def _check_rank(self, shape: Shape, rank: int) -> None:
        """Raise ValueError unless samples of `shape` are images (rank 2) or sequences (rank 1), with channels."""
        if len(shape) != rank + 1 or math.prod(shape) < 1:
            axes = "(height, width, channels)" if rank == 2 else "(length, channels)"
            hint = " A layers.Reshape in front can add the axis of the channels." if len(shape) == rank else ""
            raise self._shape_error(f"takes samples of shape {axes}, but got {shape}.{hint}")

    def _check_activation(self, shape: Shape) -> None:
        """Raise ValueError unless the layer's activation can be applied to samples of `shape`."""
        try:
            if self.activation is not None:
                self.activation.check_sample(shape)
        except ValueError as error:
            raise self._shape_error(f"got samples of shape {shape}: {error}") from None

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """How copy and pickle take a layer apart: refused where its weights or its model would be shared."""
        if self._built is not None or self._owner is not None:
            raise TypeError(
                f"Layer {self.name!r} cannot be copied or pickled, as it has weights or a model of its own. Make a "
                "new one with type(layer).from_config(layer.get_config()), and set_weights(layer.get_weights())."
            )
        return super().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _of_a_sample(compute_output_shape: Callable[[Any, Shape], Shape]) -> Callable[[Any, Shape], Shape]:
    """The method, with words for who hands it the shape of a batch."""

    @functools.wraps(compute_output_shape)
    def checked(self: Any, shape: Shape) -> Shape:
        words = "compute_output_shape takes the shape of one sample, without the batch axis, such as (4,)"
        if not isinstance(shape, tuple | list):
            raise TypeError(f"{words}, but got {checks.shown(shape)} of type {type(shape).__name__}.")
        if None in shape:
            raise ValueError(f"{words}, but got {shape}.")
        return compute_output_shape(self, shape)

    return checked


def building(drafts: Sequence[Draft]) -> list[atomic.Change]:
    """The changes that build layers: weights with initial values, for those that have none.

    All memory is taken before the first value is drawn. Where another thread builds a layer meanwhile, it was first.
    """
    changes: list[atomic.Change] = []
    new: list[tuple[Built, list[WeightSpec]]] = []
    for draft in drafts:
        before = draft.layer._built
        if before is None:
            try:
                built = _without_values(draft)
            except MemoryError:
                total = sum(math.prod(spec.shape) for each in drafts for spec in each.specs)
                raise MemoryError(
                    f"There is not enough memory for the {total:,} parameters of {draft.dtype} that are to be made."
                ) from None
            new.append((built, draft.specs))
            changes.append(atomic.first_setting(draft.layer, "_built", built))
        else:
            changes.append(atomic.setting(draft.layer, "_built", before._replace(shape=draft.shape, dtype=draft.dtype)))
    for built, specs in new:
        for weight, spec in zip(built.weights, specs, strict=True):
            pieces.assign(weight._array, np.asarray(spec.initializer(spec.shape, built.dtype)))
    return changes


def _without_values(draft: Draft) -> Built:
    layer, shape, _, dtype, specs, constraints = draft
    if not specs:
        return Built(shape, dtype, None, ())
    parameters, weights = core.Parameters(dtype), []
    for spec, constraint in zip(specs, constraints, strict=True):
        penalty = (spec.regularizer.l1, spec.regularizer.l2) if spec.regularizer else (0.0, 0.0)
        number = parameters.add(math.prod(spec.shape), spec.trainable, *penalty, constraint)
        weights.append(Weight(f"{layer.name}/{spec.name}", spec, parameters, number))
    parameters.frozen = not layer.trainable
    return Built(shape, dtype, parameters, tuple(weights))


def freezing(layer: Layer, trainable: bool) -> list[atomic.Change]:
    """The changes that set ``layer.trainable``."""
    changes = [atomic.setting(layer, "_trainable", trainable)]
    if layer._built is not None and layer._built.parameters is not None:
        changes.append(atomic.setting(layer._built.parameters, "frozen", not trainable))
    return changes
