"""Symbolic tensors: what a layer gives where it is called on an `Input`. They say what is to be computed, and hold no
numbers; a `Model` is made from them.

A tensor leads to the node that made it, and a node to its layer and to the tensors that went in. A layer knows its
nodes by weak references only: so there is no cycle, and a model is freed as soon as nobody has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..data.layout import OpenShape
from ..data.limits import ANY_ID
from .trial import ask_for_length, is_calling


class Made(NamedTuple):
    """What a node says of one of its outputs."""

    shape: OpenShape  # of a sample
    dtype: str  # "float32" or "float64"; "int32" for ids
    per_sample: bool = True  # False: the same for all samples, as what is made of weights; then `shape` is all of it
    mask: OpenShape | None = None  # the shape of its mask, None: it has none
    rows: int | None = None  # how many samples a batch has, as its inputs said; None: any number
    may_hold_ids: bool = False  # whether it holds ids where those do that a `call` is given


class Node:
    """One use of a layer."""

    __slots__ = ("__weakref__", "inputs", "layer", "masks", "outputs", "settings", "training")

    def __init__(
        self,
        layer: Any,
        inputs: tuple[SymbolicTensor, ...],
        outputs: tuple[Made, ...],
        training: bool | None,
        masks: tuple[SymbolicTensor | None, ...] = (),
        settings: Any = None,
    ) -> None:
        self.layer = layer
        self.inputs = inputs
        self.outputs = outputs
        self.training = training  # True: as in training, always; False: as in prediction
        self.settings = settings  # what the call said beside tensors, as its layer writes it (`_use`); None: nothing
        self.masks = masks  # what the call said of the masks of its inputs; None: those that they have

    @property
    def sources(self) -> list[SymbolicTensor]:
        """All tensors that went in."""
        return [*self.inputs, *(mask for mask in self.masks if mask is not None)]


# The operators among NumPy's functions: what they are here, and whether with the operands exchanged.
UFUNCS = {
    **{name: (name, False) for name in ("add", "subtract", "multiply", "divide", "power", "matmul")},
    **{name: (name, False) for name in ("floor_divide", "remainder", "less", "less_equal", "not_equal")},
    **{f"bitwise_{name}": (f"logical_{name}", False) for name in ("and", "or", "xor")},
    "greater": ("less", True),
    "greater_equal": ("less_equal", True),
}


class Operand:
    """What operators take: a symbolic tensor or a weight."""

    __slots__ = ()

    def __add__(self, other: object) -> Any:
        return arithmetic("add", self, other)

    def __radd__(self, other: object) -> Any:
        return arithmetic("add", other, self)

    def __sub__(self, other: object) -> Any:
        return arithmetic("subtract", self, other)

    def __rsub__(self, other: object) -> Any:
        return arithmetic("subtract", other, self)

    def __mul__(self, other: object) -> Any:
        return arithmetic("multiply", self, other)

    def __rmul__(self, other: object) -> Any:
        return arithmetic("multiply", other, self)

    def __truediv__(self, other: object) -> Any:
        return arithmetic("divide", self, other)

    def __rtruediv__(self, other: object) -> Any:
        return arithmetic("divide", other, self)

    def __pow__(self, other: object) -> Any:
        return arithmetic("power", self, other)

    def __rpow__(self, other: object) -> Any:
        return arithmetic("power", other, self)

    def __floordiv__(self, other: object) -> Any:
        return arithmetic("floor_divide", self, other)

    def __rfloordiv__(self, other: object) -> Any:
        return arithmetic("floor_divide", other, self)

    def __mod__(self, other: object) -> Any:
        return arithmetic("remainder", self, other)

    def __rmod__(self, other: object) -> Any:
        return arithmetic("remainder", other, self)

    def __lt__(self, other: object) -> Any:
        return arithmetic("less", self, other)

    def __le__(self, other: object) -> Any:
        return arithmetic("less_equal", self, other)

    def __gt__(self, other: object) -> Any:
        return arithmetic("less", other, self)

    def __ge__(self, other: object) -> Any:
        return arithmetic("less_equal", other, self)

    def __and__(self, other: object) -> Any:
        return arithmetic("logical_and", self, other)

    def __rand__(self, other: object) -> Any:
        return arithmetic("logical_and", other, self)

    def __or__(self, other: object) -> Any:
        return arithmetic("logical_or", self, other)

    def __ror__(self, other: object) -> Any:
        return arithmetic("logical_or", other, self)

    def __xor__(self, other: object) -> Any:
        return arithmetic("logical_xor", self, other)

    def __rxor__(self, other: object) -> Any:
        return arithmetic("logical_xor", other, self)

    def __invert__(self) -> Any:
        return arithmetic("logical_not", self, None)

    def __neg__(self) -> Any:
        return arithmetic("negative", self, None)

    def __abs__(self) -> Any:
        return arithmetic("absolute", self, None)

    def activated(self, activation: Any) -> Any:
        """What an activation function makes of it: how ``pynn.activations.relu(tensor)`` ends up here."""
        return arithmetic("activation", self, activation)

    def __matmul__(self, other: object) -> Any:
        return arithmetic("matmul", self, other)

    def __rmatmul__(self, other: object) -> Any:
        return arithmetic("matmul", other, self)

    def __getitem__(self, key: object) -> Any:
        return arithmetic("get_item", self, key)


def _asking(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of a tuple, which notes that the `call` asks for a length."""

    def asks(shape: _Asked, *arguments: Any) -> Any:
        ask_for_length()
        return method(shape, *arguments)

    return asks


class _Asked(tuple[int | None, ...]):
    """The shape of a tensor with axes of any length, in a `call`: it notes where that asks for such a length.

    Whoever takes the shape as a whole asks, too: NumPy, for one, reads a tuple without a word. So a part of it is a
    plain tuple, and asked for at once if it holds such a length.
    """

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        places = range(len(self))[key]
        for place in places if isinstance(key, slice) else [places]:
            if place and super().__getitem__(place) is None:  # the place 0 is the number of samples
                ask_for_length()
        return found

    def __radd__(self, other: Any) -> Any:  # which a plain tuple does not have
        ask_for_length()
        return (*other, *self) if isinstance(other, tuple) else NotImplemented

    __iter__: Any = _asking(tuple.__iter__)
    __contains__: Any = _asking(tuple.__contains__)
    __add__: Any = _asking(tuple.__add__)
    __eq__: Any = _asking(tuple.__eq__)
    __ne__: Any = _asking(tuple.__ne__)
    __hash__: Any = _asking(tuple.__hash__)
    __repr__: Any = _asking(tuple.__repr__)
    count: Any = _asking(tuple.count)
    index: Any = _asking(tuple.index)


class SymbolicTensor(Operand):
    """An output of a layer that is to be computed.

    Arithmetic (``+ - * / // % **``, ``@``, unary minus, ``abs``) with other symbolic tensors, numbers and arrays,
    comparisons (``< <= > >= !=``) and logic (``& | ^ ~``), which give 1 and 0, indexing, and the functions of
    ``pynn.activations`` and ``pynn.ops`` give further symbolic tensors. Logic takes what is not 0 as true. As in Keras,
    ``==`` asks whether two are the same tensor.

    Attributes:
        shape: Of a batch: ``(None, 4)``, or ``(32, 4)`` where the inputs were given a batch size. What is made of
            weights alone has no axis of samples.
        dtype: ``"float32"``, ``"float64"``, or ``"int32"`` for ids.
        name: That of the layer.
    """

    __slots__ = ("index", "node")

    def __init__(self, node: Node, index: int) -> None:
        self.node = node
        self.index = index

    @property
    def sample(self) -> OpenShape:
        """The shape of a sample, None along an axis of any length."""
        return self.node.outputs[self.index].shape

    @property
    def shape(self) -> OpenShape:
        """The shape of a batch."""
        return _Asked(self.batch_shape) if None in self.sample and is_calling() else self.batch_shape

    @property
    def batch_shape(self) -> OpenShape:
        """The same, for pynn itself, which can go without the lengths."""
        return (self.rows, *self.sample) if self.per_sample else self.sample

    @property
    def per_sample(self) -> bool:
        """Whether each sample has its own; what is made of weights alone is the same for all."""
        return self.node.outputs[self.index].per_sample

    @property
    def rows(self) -> int | None:
        """How many samples a batch has, None: any number."""
        return self.node.outputs[self.index].rows

    @property
    def mask_shape(self) -> OpenShape | None:
        """The shape of a sample of its mask; None where it has none."""
        return self.node.outputs[self.index].mask

    @property
    def ndim(self) -> int:
        """Number of axes, that of the batch included."""
        return len(self.sample) + self.per_sample

    @property
    def dtype(self) -> str:
        """The number type."""
        return self.node.outputs[self.index].dtype

    @property
    def holds_ids(self) -> bool:
        """Whether the numbers are whole ones, such as ids."""
        return self.dtype == "int32"

    @property
    def may_hold_ids(self) -> bool:
        """Whether it holds ids, or does in a `call` that is given ids."""
        return self.holds_ids or self.node.outputs[self.index].may_hold_ids

    @property
    def ids_limit(self) -> int | None:
        """Below what its whole numbers are, as far as it says; None where it has others."""
        layer: Any = self.node.layer
        if layer.is_input:
            limit: int | None = layer.ids_limit
            return limit
        return ANY_ID if self.holds_ids else None

    @property
    def name(self) -> str:
        """The name of the layer that makes it."""
        return str(self.node.layer.name)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("A symbolic tensor cannot be iterated over: it holds no numbers. Take parts of it by index.")

    def __len__(self) -> int:
        raise TypeError("A symbolic tensor has no length: the number of samples is not known.")

    def __bool__(self) -> bool:
        raise TypeError("A symbolic tensor is neither true nor false: it holds no numbers.")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        """What NumPy's operators make of arrays and tensors, ``array + tensor``; TypeError for other functions."""
        if method == "__call__" and not named and ufunc.__name__ in UFUNCS:
            function, exchanged = UFUNCS[ufunc.__name__]
            return arithmetic(function, *(reversed(inputs) if exchanged else inputs))
        raise TypeError(
            f"numpy.{ufunc.__name__} takes no symbolic tensor: it holds no numbers. Use operators, the functions of "
            "pynn.ops and pynn.activations, such as ops.exp and tanh, and layers."
        )

    def __array__(self, *arguments: object, **named: object) -> Any:
        raise self._no_numbers()

    def __float__(self) -> float:
        raise self._no_numbers()

    def __int__(self) -> int:
        raise self._no_numbers()

    def _no_numbers(self) -> TypeError:
        return TypeError(
            f"The symbolic tensor {self.name!r} holds no numbers. Make a Model of it, and call that on arrays."
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolicTensor) and other.node is self.node and other.index == self.index

    def __ne__(self, other: object) -> Any:
        return arithmetic("not_equal", self, other)

    def __hash__(self) -> int:
        return hash((id(self.node), self.index))

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.batch_shape}, dtype={self.dtype}, name={self.name}>"


def _not_there(*arguments: object) -> Any:
    raise NotImplementedError


# How an operator becomes a layer, or is done with the values of weights; `pynn.layers` sets it, as layers are made of
# this module.
arithmetic: Callable[[str, Any, Any], Any] = _not_there
# How the mask is computed of what a layer makes of these inputs, with these masks; set likewise.
masking: Callable[[Any, list[Any], list[Any]], Any] = _not_there
# The layer whose first input takes along a part of the loss, a mean or a sum over the samples; set likewise.
with_loss: Callable[[str], Any] = _not_there
# The symbolic tensor of an array that is the same for all samples, beside one that has them; set likewise.
constant: Callable[[Any, SymbolicTensor], SymbolicTensor] = _not_there
# The tensor of samples that all have what a tensor of one row has, which is made of weights alone; set likewise.
of_one_row: Callable[[SymbolicTensor], SymbolicTensor] = _not_there
