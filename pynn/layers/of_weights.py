"""What functions make of weights in a `call`: products along axes that an equation names, rows of a table, and whatever
they make of samples, each of which has the weight."""

from __future__ import annotations

import math
from typing import Any

from ..engine.lowering import Lowering
from ..geometry import einsum
from .base import Layer
from .einsum import multiplied
from .symbolic import Made, Node, SymbolicTensor
from .trial import operation_name
from .types import Shape
from .weight import Weight
from .weighted import WeightOperation, WeightTensor


class WeightEinsum(WeightOperation):
    """``einsum(equation, x, weight)``, a product as that of `EinsumDense`.

    Args:
        weight: The weight.
        equation: ``"bqd,dhk->bqhk"``, for instance: the first letter is that of the samples.
    """

    def __init__(self, weight: Weight, equation: str) -> None:
        self._parsed = einsum.parsed(equation)
        super().__init__(weight, operation_name("einsum"))

    def _product(self, shape: Shape) -> einsum.Product:
        kernel = self._parsed.kernel
        size = dict(zip(kernel, self.weight.shape, strict=False))
        output = self._parsed.output[not self._parsed.left :]
        try:
            product = einsum.product(self._parsed, shape, [size.get(letter) for letter in output], None)
        except ValueError as error:
            raise self._shape_error(f"cannot take samples of shape {shape}: {error}") from None
        if product.kernel != self.weight.shape:
            raise self._shape_error(
                f"cannot take samples of shape {shape} and the weight {self.weight.path} of shape "
                f"{self.weight.shape}: {self._parsed.text!r} needs one of shape {product.kernel}."
            )
        return product

    def sample_output_shape(self, shape: Shape) -> Shape:
        return self._product(shape).output

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        product = self._product(shape)
        y = multiplied(net, net.permute(x, shape, product.input_order), self.weight, product)
        return net.permute(y, product.inner, product.output_order)


class WeightRows(WeightOperation):
    """The rows of a weight that ids name, as an `Embedding` has them.

    Shapes: input ``(N, ...)`` of ids, weight ``(I, ...)``, output ``(N, ..., ...)``.
    """

    def __init__(self, weight: Weight) -> None:
        self.ids_below = weight.shape[0]
        super().__init__(weight, operation_name("take"))

    def sample_output_shape(self, shape: Shape) -> Shape:
        return (*shape, *self.weight.shape[1:])

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        rows, *dim = self.weight.shape
        return net.add("embedding", x, [self.weight], rows=rows, dim=math.prod(dim))


class Same(Layer):
    """What is the same for all samples as that of each of them, or the other way round."""

    is_operation = True

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return x


def for_each_sample(x: Any) -> SymbolicTensor:
    """A weight, or what is made of weights alone, with an axis of samples in front, which all have it."""
    return _with_samples(WeightTensor(x, x.name).tensor() if isinstance(x, Weight) else x, True)


def of_one_row(x: Any) -> SymbolicTensor:
    """What is the same for all samples, an array of 1 row in Keras, as a tensor of samples that have this row."""
    return for_each_sample(x[0])


def same_for_all(x: SymbolicTensor) -> SymbolicTensor:
    """A tensor without its axis of samples, as all have the same."""
    return _with_samples(x, False)


def _with_samples(x: SymbolicTensor, per_sample: bool) -> SymbolicTensor:
    return SymbolicTensor(Node(Same(name="same"), (x,), (Made(x.sample, x.dtype, per_sample),), None), 0)
