"""What all layers have in common. A layer is a description: settings, shapes and initial values, no arithmetic.

When a model is built, it asks each layer for its `weight_specs`, has it `lower` itself into the native network, and
attaches the network's memory to it; from then on the layer's weights are views of that memory.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import activations, config, constraints, initializers, regularizers
from ..activations import Activation
from ..constraints import Constraint
from ..data import arrays
from ..errors import NotBuiltError
from ..foundation import checks, names
from ..initializers import Initializer
from ..regularizers import Regularizer

if TYPE_CHECKING:
    from .. import _core

Array = NDArray[Any]


class WeightSpec(NamedTuple):
    """A weight array that a layer will have."""

    name: str
    shape: tuple[int, ...]
    initializer: Initializer
    regularizer: Regularizer | None = None
    constraint: Constraint | None = None
    trainable: bool = True  # whether the optimizer learns it; otherwise its layer changes it


class Lowering(NamedTuple):
    """Where one layer puts its ops: the native network, and the numbers there of the layer's parameters.

    The parameters are in the order of the layer's `weight_specs`.
    """

    network: _core.Network
    parameters: list[int]


class Weight:
    """One weight array of a built layer. `numpy` copies it, `assign` overwrites it."""

    def __init__(self, layer: Layer, spec: WeightSpec, array: Array) -> None:
        self._layer = layer
        self._array = array
        self._learned = spec.trainable
        self.name = spec.name

    @property
    def path(self) -> str:
        """The layer's name and the weight's: ``"dense/kernel"``."""
        return f"{self._layer.name}/{self.name}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self._array.shape

    @property
    def dtype(self) -> str:
        """``"float32"`` or ``"float64"``."""
        return str(self._array.dtype)

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes the weight."""
        return self._layer.trainable and self._learned

    def numpy(self) -> Array:
        """A copy of the values."""
        return np.array(self._array)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """What ``numpy.asarray(weight)`` gives: a copy."""
        return np.array(self._array, dtype)

    def assign(self, value: ArrayLike) -> None:
        """Overwrite the values.

        Raises:
            TypeError, ValueError: values of another kind or shape; nothing is changed then.
        """
        self._array[...] = check_weight(value, self.path, self._array)

    def __repr__(self) -> str:
        return f"<Weight path={self.path}, shape={self.shape}, dtype={self.dtype}>"


class Layer:
    """Base of all layers.

    A subclass writes `compute_output_shape`, `lower` and `get_config`, and `weight_specs` if it has weights. Shapes
    are those of one sample, without the batch axis, but for `input_shape` and `output_shape`, which lead with None.

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
        self.batch_input_shape: tuple[int, ...] | None = None
        if input_shape is not None:
            self.batch_input_shape = checks.shape(input_shape, "input_shape")
        elif input_dim is not None:
            self.batch_input_shape = (checks.positive_int(input_dim, "input_dim"),)
        self.trainable = checks.boolean(trainable, "trainable")
        self.dtype_given = dtype is not None
        self.dtype = config.resolve_dtype(dtype)
        # Last, so that a layer that could not be made uses up no number.
        self.name = names.auto_name(type(self).__name__) if name is None else names.check_name(name)
        self._built_shape: tuple[int, ...] | None = None
        self._arrays: list[Array] = []
        self._owner: weakref.ref[Any] | None = None  # the model that the layer is part of

    # ---- what a subclass writes

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of a sample of the output, given that of the input; ValueError if the layer cannot take it."""
        raise NotImplementedError

    def weight_specs(self, shape: tuple[int, ...]) -> list[WeightSpec]:
        """The weights that the layer has for inputs of `shape`."""
        return []

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        """Add the layer's ops on tensor `x`, whose samples have `shape`; return the number of the output tensor."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, without its weights."""
        given = {} if self.batch_input_shape is None else {"input_shape": self.batch_input_shape}
        dtype = self.dtype if self.dtype_given or self.built else None
        return {"name": self.name, "trainable": self.trainable, "dtype": dtype, **given}

    # ---- what the base does with it

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """The layer of these arguments."""
        return cls(**config)

    @property
    def built(self) -> bool:
        """Whether the input shape is known and the weights exist."""
        return self._built_shape is not None

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, None for the batch axis."""
        return (None, *self._require_built())

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the output, None for the batch axis."""
        return (None, *self.compute_output_shape(self._require_built()))

    @property
    def weights(self) -> list[Weight]:
        """The layer's weights, empty for a layer without."""
        specs = self.weight_specs(self._require_built())
        return [Weight(self, spec, array) for spec, array in zip(specs, self._arrays, strict=True)]

    def count_params(self) -> int:
        """Number of weights, single numbers counted."""
        return sum(math.prod(spec.shape) for spec in self.weight_specs(self._require_built()))

    def get_weights(self) -> list[Array]:
        """Copies of the weight arrays."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Overwrite all weight arrays, in the order of `get_weights`.

        Raises:
            TypeError, ValueError: another number of arrays, or one of another kind or shape; nothing is changed then.
        """
        assign_all(self.weights, weights, f"Layer {self.name!r}")

    def _attach(self, shape: tuple[int, ...], arrays: list[Array]) -> None:
        """Take up the memory of the weights: `arrays` have the shapes of ``weight_specs(shape)``."""
        self._built_shape = shape
        self._arrays = arrays

    def _detach(self) -> None:
        """Be unbuilt again."""
        self._built_shape = None
        self._arrays = []

    def _require_built(self) -> tuple[int, ...]:
        if self._built_shape is None:
            raise NotBuiltError(
                f"Layer {self.name!r} is not built yet: add it to a model, and give the model's first layer an "
                "input shape or call the model on data."
            )
        return self._built_shape

    def _shape_error(self, message: str) -> ValueError:
        return ValueError(f"Layer {self.name!r} ({type(self).__name__}) {message}")

    def _check_rank(self, shape: tuple[int, ...], rank: int) -> None:
        """Raise ValueError unless samples of `shape` are images (rank 2) or sequences (rank 1), with channels."""
        if len(shape) != rank + 1 or math.prod(shape) < 1:
            axes = "(height, width, channels)" if rank == 2 else "(length, channels)"
            hint = " A layers.Reshape in front can add the axis of the channels." if len(shape) == rank else ""
            raise self._shape_error(f"takes samples of shape {axes}, but got {shape}.{hint}")

    def _check_activation(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless the layer's activation can be applied to samples of `shape`."""
        try:
            if self.activation is not None:
                self.activation.check_sample(shape)
        except ValueError as error:
            raise self._shape_error(f"got samples of shape {shape}: {error}") from None

    def _weight(self, name: str) -> Weight | None:
        return next((weight for weight in self.weights if weight.name == name), None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class KernelLayer(Layer):
    """Base of the layers that have a kernel, perhaps a bias, and an activation at the end.

    Args:
        activation: Name or `Activation`. Default ``None``: linear.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the bias and the output: a
            name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        base: As for `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    activation: Activation

    def __init__(
        self,
        activation: object = None,
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: object = None,
        activity_regularizer: object = None,
        kernel_constraint: object = None,
        bias_constraint: object = None,
        **base: Any,
    ) -> None:
        self.activation = activations.get(activation)
        self.use_bias = checks.boolean(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.activity_regularizer = regularizers.get(activity_regularizer, "activity_regularizer")
        self.kernel_constraint = constraints.get(kernel_constraint, "kernel_constraint")
        self.bias_constraint = constraints.get(bias_constraint, "bias_constraint")
        super().__init__(**base)

    def _specs(self, kernel: tuple[int, ...], bias: tuple[int, ...]) -> list[WeightSpec]:
        """The weights, given the shapes of both."""
        specs = [
            WeightSpec("kernel", kernel, self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint),
            WeightSpec("bias", bias, self.bias_initializer, self.bias_regularizer, self.bias_constraint),
        ]
        return specs if self.use_bias else specs[:1]

    @property
    def kernel(self) -> Weight | None:
        """The kernel, once the layer is built."""
        return self._weight("kernel")

    @property
    def bias(self) -> Weight | None:
        """The bias, once the layer is built; None without one."""
        return self._weight("bias")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": self.activation.serialize(),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


def check_weight(value: ArrayLike, path: str, like: Array) -> Array:
    """`value` as an array of the shape and type of `like`, else TypeError or ValueError."""
    array = arrays.as_array(value, f"the value of {path}", like.dtype)
    if array.shape != like.shape:
        raise ValueError(f"The weight {path} has the shape {like.shape}, but got values of shape {array.shape}.")
    # A copy where memory is shared, such as where two weights are exchanged.
    return np.array(array) if np.may_share_memory(array, like) else array


def assign_all(own: list[Weight], values: Sequence[ArrayLike], owner: str) -> None:
    """Overwrite the weights of `owner`, all of them or, where TypeError or ValueError is raised, none."""
    names = ", ".join(weight.path for weight in own) or "none"
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str):
        raise TypeError(f"{owner} takes a list of weights ({names}), but got {type(values).__name__}.")
    if len(values) != len(own):
        raise ValueError(f"{owner} has {len(own)} weight arrays ({names}), but got {len(values)} weights.")
    arrays = [check_weight(value, weight.path, weight._array) for value, weight in zip(values, own, strict=True)]
    for weight, array in zip(own, arrays, strict=True):
        weight._array[...] = array
