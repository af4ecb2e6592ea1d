"""What operators on symbolic tensors become (`operators.py`): layers without a place in `Model.layers`, as in Keras."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import arrays
from ..engine.lowering import Lowering, Mask
from ..foundation import checks
from ..geometry import maps
from .base import Layer
from .by_name import deserialize, serialize
from .core import Activation
from .drafting import masks_made
from .elementwise import broadcast, combined
from .symbolic import SymbolicTensor
from .trial import operation_name
from .types import Shape

# Names of the operations, as in Keras.
_NAMES = {"divide": "true_divide", "remainder": "mod"}

# Operators with a function of two tensors.
_BINARIES = (
    *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"),
    *("floor_divide", "remainder", "less", "less_equal", "not_equal"),
)

# Functions of each element that are no activations.
FUNCTIONS = ("log", "log1p", "sin", "cos", "stop_gradient")


def name_for(function: str) -> str:
    """The name of a new operation of this function."""
    return operation_name(_NAMES.get(function, function))


class Arithmetic(Layer):
    """``function(a, b)`` of two tensors, or of one and a constant, element by element; broadcast as in NumPy.

    Args:
        function: ``"add"``, ``"subtract"``, ``"multiply"``, ``"divide"``, ``"power"``, ``"maximum"``, ``"minimum"``,
            ``"floor_divide"``, ``"remainder"``, which has the sign of ``b``, or a comparison, which gives 1 and 0:
            ``"less"``, ``"less_equal"``, ``"not_equal"``. Comparisons and ``"floor_divide"`` hand no gradient on.
        constant: In place of one of the tensors: a number, or an array without the axis of the batch.
        constant_first: Whether the constant is the first operand.
        name: Default: the function's, with a number.
    """

    is_operation = True

    def __init__(
        self, function: str, constant: Any = None, constant_first: bool = False, name: str | None = None
    ) -> None:
        self.function = checks.choice(function, "function", _BINARIES)
        self.constant: NDArray[Any] | None = None
        if constant is not None:
            self.constant = arrays.as_array(constant, "The constant of an operator", "float64").copy()
        self.constant_first = checks.boolean(constant_first, "constant_first")
        self.takes_list = constant is None
        super().__init__(name=name_for(self.function) if name is None else name)

    def _shapes(self, shape: Any) -> list[Shape]:
        return shape if self.constant is None else [shape, self.constant.shape]

    def sample_output_shape(self, shape: Any) -> Shape:
        shapes = self._shapes(shape)
        if len(shapes) != 2:
            raise self._shape_error(f"takes exactly 2 inputs, but got {len(shapes)}.")
        try:
            output = broadcast(*shapes)
        except ValueError:
            raise self._shape_error(f"cannot put samples of the shapes {shapes[0]} and {shapes[1]} together.") from None
        if self.constant is not None and len(output) > len(shape):
            raise self._shape_error(
                f"cannot put samples of shape {shape} and a constant of shape {self.constant.shape} together: the "
                "constant has more axes. It goes without the axis of the batch."
            )
        return output

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        if self.constant is None:
            return combined(net, str(self.function), x, shape)
        settings = {"constant": self.constant.ravel().tolist(), "constant_first": self.constant_first}
        return combined(net, str(self.function), [x], self._shapes(shape), **settings)

    def get_config(self) -> dict[str, Any]:
        constant = None if self.constant is None else self.constant.tolist()
        return {
            "name": self.name,
            "function": self.function,
            "constant": constant,
            "constant_first": self.constant_first,
        }


class MatMul(Layer):
    """The matrix product of two tensors over their last two axes; the axes in front must be the same.

    Shapes: ``(N, ..., m, k)`` and ``(N, ..., k, n)``, output ``(N, ..., m, n)``. What is the same for all samples has
    one or two axes, without that of the samples: ``(N, ..., k)`` and ``(k, n)``, or ``(m, k)`` and ``(N, k, n)``.

    Args:
        fixed: Which of the two are the same for all samples, as what is made of weights.
        name: Default: ``"matmul"`` with a number.
    """

    takes_list = True
    is_operation = True

    def __init__(self, fixed: tuple[bool, bool] = (False, False), name: str | None = None) -> None:
        self.fixed = fixed
        super().__init__(name=operation_name("matmul") if name is None else name)

    def sample_output_shape(self, shape: Any) -> Shape:
        if len(shape) != 2:
            raise self._shape_error(f"takes exactly 2 inputs, but got {len(shape)}.")
        a, b = shape
        if not self._fits(a, b):
            raise self._shape_error(f"cannot multiply matrices of samples of the shapes {a} and {b}.")
        return (*a[:-1], *b[1:]) if any(self.fixed) else (*a[:-1], b[-1])

    def _fits(self, a: Shape, b: Shape) -> bool:
        if not any(self.fixed):
            return min(len(a), len(b)) >= 2 and a[:-2] == b[:-2] and a[-1] == b[-2]
        if not a or not b or a[-1] != b[0]:
            return False
        return len(b) <= 2 if self.fixed[1] else len(a) <= 2 and len(b) == 2

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        a, b = shape
        if any(self.fixed):
            sizes = {"batch": 1, "m": math.prod(a[:-1]), "k": a[-1], "n": math.prod(b[1:])}
        else:
            sizes = {"batch": math.prod(a[:-2]), "m": a[-2], "k": a[-1], "n": b[-1]}
        return net.add("matmul", x, **sizes, transpose_a=False, transpose_b=False)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "fixed": list(self.fixed)}


class GetItem(Layer):
    """The part of each sample that an index names, as in NumPy: whole numbers or an array of them, slices, ``None``,
    ``...``.

    Args:
        key: The index, without that of the batch.
        name: Default: ``"get_item"`` with a number.
    """

    is_operation = True
    takes_part = True

    def __init__(self, key: tuple[Any, ...], name: str | None = None) -> None:
        if not isinstance(key, list | tuple):
            raise TypeError(f"key must be a tuple of indices, but got {checks.shown(key)}.")
        self.key = tuple(checked_index(_read(each)) for each in key)
        if (
            any(isinstance(each, tuple) for each in self.key)
            and sum(isinstance(each, tuple | int) for each in self.key) > 1
        ):
            raise TypeError(
                "A symbolic tensor takes an array as an index beside slices, None and ..., not beside another "
                "array or a whole number."
            )
        super().__init__(name=operation_name("get_item") if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        try:
            output: Shape = np.broadcast_to(np.int8(0), shape)[self.key].shape
        except IndexError as error:
            raise self._shape_error(f"cannot take part {self.key} of samples of shape {shape}: {error}.") from None
        if 0 in output:
            raise self._shape_error(f"takes nothing of samples of shape {shape} by the index {self.key}.")
        return output

    def _part_of(self, *xs: NDArray[Any]) -> NDArray[Any]:
        key: Any = (slice(None), *self.key)
        part: NDArray[Any] = xs[0][key]
        return part

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        if net.holds_ids(x):
            return net.select_ids(x, np.arange(math.prod(shape)).reshape(shape)[self.key].ravel())
        return net.resample(x, maps.selected(shape, self.key))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "key": [_written(each) for each in self.key]}


def _written(index: Any) -> Any:
    """One index as a plain value."""
    if isinstance(index, slice):
        return {"slice": [index.start, index.stop, index.step]}
    return "..." if index is Ellipsis else index


def _read(value: Any) -> Any:
    """The index that `_written` made a plain value of."""
    if isinstance(value, dict) and isinstance(value.get("slice"), list | tuple) and len(value["slice"]) == 3:
        return slice(*value["slice"])
    return Ellipsis if isinstance(value, str) and value == "..." else value


def checked_index(index: Any) -> Any:
    """One index with plain ints as its numbers; TypeError or ValueError where a symbolic tensor takes none such."""
    if index is None or index is Ellipsis:
        return index
    if isinstance(index, slice):
        start, stop, step = (
            None if each is None else checked_index(each) for each in (index.start, index.stop, index.step)
        )
        if step == 0:
            raise ValueError("The step of a slice of a symbolic tensor must not be 0.")
        return slice(start, stop, step)
    if isinstance(index, list | tuple | np.ndarray) and np.ndim(index):
        array = np.asarray(index)
        if array.dtype.kind not in "iu" or not array.size:
            raise TypeError(
                f"An array as an index of a symbolic tensor must have whole numbers, but got {checks.shown(index)}."
            )
        return _tupled(array.tolist())
    if isinstance(index, bool) or not isinstance(index, int | np.integer):
        raise TypeError(
            "A symbolic tensor takes whole numbers, an array of them, slices, None and ... as an index, but got "
            f"{type(index).__name__}."
        )
    return int(index)


def _tupled(values: Any) -> Any:
    """Nested lists as tuples, which can be compared with any other index."""
    return tuple(map(_tupled, values)) if isinstance(values, list) else values


class Absolute(Layer):
    """The absolute value of each element; its gradient is 0 at 0."""

    is_operation = True

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=operation_name("absolute") if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        negative = combined(net, "multiply", [x], [shape, ()], constant=[-1.0], constant_first=False)
        return combined(net, "maximum", [x, negative], [shape, shape])

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class Function(Layer):
    """A function of each element.

    Args:
        function: ``"log"``, ``"log1p"``, ``"sin"``, ``"cos"``, or ``"stop_gradient"``: the same, without a gradient.
        name: Default: the function's, with a number.
    """

    is_operation = True

    def __init__(self, function: str, name: str | None = None) -> None:
        self.function = checks.choice(function, "function", FUNCTIONS)
        self.stops_gradients = self.function == "stop_gradient"
        super().__init__(name=name_for(self.function) if name is None else name)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return net.add("activation", x, name=self.function, a=0.0, b=0.0, c=0.0)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "function": self.function}


class MaskOf(Layer):
    """The mask of what a layer makes of its inputs, as numbers 0 and 1.

    Args:
        layer: The layer, or its configuration.
        masks: Of each input, whether a mask of it comes behind the inputs.
        name: Default: ``"mask_of"`` with a number.
    """

    takes_list = True
    is_operation = True

    def __init__(self, layer: Any, masks: list[bool], name: str | None = None) -> None:
        self.layer: Any = layer
        if isinstance(layer, dict):
            self.layer = deserialize(layer)
        self.masks = [checks.boolean(each, "masks") for each in masks]
        self.ids_below = self.layer.ids_below
        super().__init__(name=operation_name("mask_of") if name is None else name)

    def _dtype_for(self, inputs: Any) -> str:
        return str(self.layer._dtype_for(inputs[: len(self.masks)]))

    def _apart(self, behind: Any) -> list[Any]:
        """What comes behind the inputs, by input."""
        left = iter(behind)
        return [next(left) if there else None for there in self.masks]

    def sample_output_shape(self, shape: Any) -> Shape:
        count = len(self.masks)
        made = masks_made(
            self.layer, self.layer._as_taken(shape[:count]), self.dtype, tuple(self._apart(shape[count:])), 1
        )
        if not made:
            raise self._shape_error("makes the mask of a layer that has none.")
        return made[0]  # type: ignore[return-value]  # all of a known size here

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        count = len(self.masks)
        masks = [
            None if tensor is None else Mask(tensor, of_tensor)
            for tensor, of_tensor in zip(self._apart(x[count:]), self._apart(shape[count:]), strict=True)
        ]
        taken = self.layer._as_taken
        made = self.layer.lower_mask(net, taken(x[:count]), taken(shape[:count]), masks)
        return int((made[0] if isinstance(made, list) else made).tensor)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "layer": serialize(self.layer), "masks": self.masks}


def masking_of(layer: Any, inputs: list[Any], masks: list[Any]) -> Any:
    """The mask of what `layer` makes of arrays or symbolic tensors with these masks; None where it has none."""
    if layer.wired:
        return masks[0] if layer.supports_masking else None
    if layer.ids_below:
        masks = [None] * len(inputs)
    symbolic_inputs = any(isinstance(x, SymbolicTensor) for x in inputs)
    shapes = [x.sample if isinstance(x, SymbolicTensor) else np.shape(x)[1:] for x in inputs]
    if symbolic_inputs:
        masks = layer._check_masks(inputs, masks) or masks
        of_masks = [None if mask is None else mask.sample for mask in masks]
    else:
        of_masks = [None if mask is None else np.shape(mask)[1:] for mask in masks]
    if layer.draft(layer._as_taken(shapes), layer.dtype, tuple(of_masks)).masks[0] is None:
        return None
    given = [mask for mask in masks if mask is not None]
    made = MaskOf(layer, [mask is not None for mask in masks])([*inputs, *given])
    return made if symbolic_inputs else made != 0


class Activated(Activation):
    """What a function of ``pynn.activations`` makes of a symbolic tensor."""

    is_operation = True
    supports_masking = False
