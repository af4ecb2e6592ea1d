"""The layers that everything begins with: the input, dense layers, and any activation function as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from .. import activations
from ..activations import Activation as ActivationFunction
from ..activations import ActivationLike
from ..constraints import ConstraintLike
from ..data.layout import OpenShape
from ..data.limits import ANY_ID
from ..engine.lowering import Lowering
from ..foundation import checks
from ..foundation.arguments import explained
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike
from .base import Layer
from .building import Built
from .kernel import KernelLayer
from .setting import Setting
from .symbolic import Made, Node, SymbolicTensor
from .types import LayerArguments, Shape
from .weight import WeightSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Activation", "Dense", "Identity", "Input", "InputLayer"]


class InputLayer(Layer):
    """The shape of a sample, as the first item of a model; see `Input`."""

    keeps_ids = True
    is_input = True

    def __init__(
        self,
        shape: int | Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike | None = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        *,
        input_shape: int | Sequence[int | None] | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        optional: bool = False,
    ) -> None:
        for argument, value in (("sparse", sparse), ("ragged", ragged), ("optional", optional)):
            if value is not None and checks.boolean(value, argument):
                raise ValueError(
                    f"{argument}=True is not there: the input of a model is an array, which must be given."
                )
        given = [each for each in (shape, batch_shape, input_shape) if each is not None]
        if len(given) != 1:
            raise ValueError(f"Give one of shape, batch_shape and input_shape, but got {len(given)} of them.")
        if batch_size is not None and batch_shape is not None:
            raise ValueError(
                f"Give batch_size or batch_shape, not both: {checks.shown(batch_size)} and {checks.shown(batch_shape)}."
            )
        self.batch_size = None if batch_size is None else checks.positive_int(batch_size, "batch_size")
        sample = (
            checks.open_shape(given[0], "shape")
            if batch_shape is None
            else checks.batch_shape(batch_shape, "batch_shape")
        )
        if batch_shape is not None and batch_shape[0]:
            self.batch_size = int(batch_shape[0])
        self.ids_limit = None if dtype is None else _limit_of(dtype)
        super().__init__(name=name, dtype=None if self.holds_ids else dtype)
        self.batch_input_shape = sample
        self._built = Built(sample, self.dtype, None, ())

    @property
    def batch_shape(self) -> OpenShape:
        """The shape of a batch, None along its first axis unless a batch size was given."""
        assert self.batch_input_shape is not None
        return (self.batch_size, *self.batch_input_shape)

    @property
    def holds_ids(self) -> bool:
        """Whether its numbers are whole ones: ids, or truth values, which are ids below 2."""
        return self.ids_limit is not None

    def tensor(self) -> SymbolicTensor:
        """The symbolic tensor that stands for the input."""
        sample = self.batch_input_shape
        assert sample is not None
        made = Made(sample, "int32" if self.holds_ids else self.dtype, rows=self.batch_size)
        node = Node(self, (), (made,), None)
        self._nodes[id(node)] = node
        return SymbolicTensor(node, 0)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return x

    def get_config(self) -> dict[str, Any]:
        whole = "bool" if self.ids_limit == 2 else "int32"
        dtype = whole if self.holds_ids else self.dtype if self.dtype_given else None
        size = {} if self.batch_size is None else {"batch_size": self.batch_size}
        return {"shape": self.batch_input_shape, **size, "dtype": dtype, "name": self.name}


def _limit_of(dtype: DTypeLike) -> int | None:
    """Below what the whole numbers of a type are; None where it has others."""
    if checks.is_truth(dtype):
        return 2
    return ANY_ID if checks.is_whole(dtype) else None


@explained
def Input(  # noqa: N802 - Keras's name
    shape: int | Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    *,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    optional: bool = False,
) -> SymbolicTensor:
    """A symbolic tensor that stands for the samples of a model: call layers on it, and make a `Model` of the results.

    It also tells a `Sequential` the shape of its samples: ``Sequential([Input((784,)), Dense(10)])`` is built at once.

    Args:
        shape: Shape of a sample, without the batch axis; None along an axis of any length.
        batch_size: What the shapes of symbolic tensors and `Model.summary` show. Batches may have any size all the
            same.
        dtype: ``"float32"``, ``"float64"``, a type of whole numbers, for ids, or ``"bool"``, for truth values: whole
            numbers 0 and 1. Default: ``config.floatx()``.
        batch_shape: In place of `shape`: with the batch axis in front.
        name: Default: ``"input_layer"`` with a number.
        sparse, ragged, optional: Only ``False``, the default, or for the first two None.

    Raises:
        TypeError, ValueError: a bad argument.
    """
    kinds: dict[str, Any] = {"sparse": sparse, "ragged": ragged, "optional": optional}
    return InputLayer(shape, batch_size, dtype, batch_shape, name, **kinds).tensor()


class Dense(KernelLayer):
    """Fully connected layer: ``y = activation(x @ kernel + bias)``.

    Shapes: input ``(N, ..., I)``, output ``(N, ..., units)``, kernel ``(I, units)``, bias ``(units,)``.

    Args:
        units: Size of the output, at least 1.
        activation: Name or `Activation`. Default ``None``: linear. ``"glu"`` halves the last axis of the output.
        use_bias: Default ``True``.
        kernel_initializer: Default ``"glorot_uniform"``.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the bias and the output: a
            name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.units = checks.positive_int(units, "units")
        super().__init__(
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def sample_output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise self._shape_error(
                "needs samples with at least one feature, but gets single numbers. One number a sample has the shape "
                "(samples, 1): x[:, None]."
            )
        if shape[-1] < 1:
            raise self._shape_error(f"needs samples with at least one feature, but got the shape {shape}.")
        return self._check_activation((*shape[:-1], self.units))

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        return self._specs((shape[-1], self.units), (self.units,))

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        y = net.add("dense", x, [self.kernel, self.bias], units=self.units)
        return self.activation.lower(net, y, (*shape[:-1], self.units))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
        }


class Identity(Layer):
    """Nothing: the output is the input. It holds the place of a layer that may come or go.

    Args:
        name, trainable, dtype, input_shape, input_dim: see `Layer`.
    """

    built_at_once = True
    supports_masking = True
    keeps_ids = True

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return x


class ActivationLayer(Layer):
    """Base of the layers that apply an activation function and nothing else."""

    built_at_once = True
    supports_masking = True
    activation: ActivationFunction = Setting(lambda value, name: activations.get(value))  # type: ignore[assignment]

    def __init__(self, activation: ActivationFunction, **base: Unpack[LayerArguments]) -> None:
        self.activation = activation
        super().__init__(**base)

    @property
    def function(self) -> ActivationFunction:
        """The activation function, as which the layer may be given to others: ``Dense(3, activation=ReLU(6))``."""
        return self.activation

    def sample_output_shape(self, shape: Shape) -> Shape:
        return self._check_activation(shape)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return self.activation.lower(net, x, shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.activation.config}


class Activation(ActivationLayer):
    """Any activation function as a layer. The shape stays as it is, but for ``glu``, which halves its axis.

    Args:
        activation: Name or `Activation` of ``pynn.activations``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(
        self,
        activation: ActivationLike,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__(
            activations.get(activation),
            name=name,
            trainable=trainable,
            dtype=dtype,
            input_shape=input_shape,
            input_dim=input_dim,
        )

    def get_config(self) -> dict[str, Any]:
        return {**Layer.get_config(self), "activation": self.activation.serialize()}
