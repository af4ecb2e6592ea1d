"""Dense layers along any axes, which an equation names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from ..activations import ActivationLike
from ..constraints import ConstraintLike
from ..engine.lowering import Lowering
from ..foundation import checks
from ..geometry import einsum, windows
from ..initializers import Initializer, InitializerLike, VarianceScaling
from ..regularizers import RegularizerLike
from .kernel import KernelLayer
from .types import Shape
from .weight import Weight, WeightSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EinsumDense"]


class EinsumDense(KernelLayer):
    """``y = activation(einsum(equation, x, kernel) + bias)``: a dense layer along any axes of the input.

    The equation is that of one matrix product: each axis of the kernel is in the input, and summed over, or in the
    output. ``"abc,cd->abd"`` is `Dense` on sequences, ``"...x,xy->...y"`` on samples of any rank; ``"abc,cde->abde"``
    makes two axes of one, and ``"abcd,cde->abe"`` one of two. Where axes of the kernel are in both, ``"abc,bcd->abd"``,
    there is a product for each of their elements. The kernel is copied for each sample of a batch then, and where its
    axes that are summed over come neither first nor last, ``"abc,dce->abde"``.

    Shapes: input, kernel and output as the equation has them; bias: the output from the first of the `bias_axes` on,
    with 1 for those that are not among them.

    Args:
        equation: ``"[X],[Y]->[Z]"``, ``"...[X],[Y]->...[Z]"`` or ``"[X]...,[Y]->[Z]..."``. The first letter of X and Z
            is the axis of the samples, unless the ellipsis is there.
        output_shape: Sizes of the output, without the samples and what the ellipsis stands for. None: that of the
            input.
        activation: Name or `Activation`. Default ``None``: linear.
        bias_axes: The letters of the output along which a bias differs. Default ``None``: no bias.
        kernel_initializer: Default ``"glorot_uniform"``, with the axes that are summed over as inputs.
        bias_initializer: Default ``"zeros"``.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalty for the kernel, the bias and the output: a
            name or `Regularizer`. Default ``None``.
        kernel_constraint, bias_constraint: What holds after each step: a name or `Constraint`. Default ``None``.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument, or an equation that is no matrix product; when the model is built,
            samples that do not fit it.
    """

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: ActivationLike = None,
        bias_axes: str | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        *,
        activity_regularizer: RegularizerLike = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.equation = checks.text(equation, "equation")
        self._parsed = einsum.parsed(equation)
        self._sizes = _output_sizes(output_shape, self._parsed)
        self.bias_axes = None if bias_axes is None else checks.text(bias_axes, "bias_axes")
        for letter in self.bias_axes or "":
            if letter not in self._parsed.output[not self._parsed.left :]:
                raise ValueError(
                    f"bias_axes must name axes of the output of {equation!r}, without the samples, but has {letter!r}."
                )
        super().__init__(
            activation,
            bool(self.bias_axes),
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

    def _product(self, shape: Shape) -> einsum.Product:
        try:
            return einsum.product(self._parsed, shape, self._sizes, self.bias_axes or None)
        except ValueError as error:
            raise self._shape_error(f"cannot take samples of shape {shape}: {error}") from None

    def sample_output_shape(self, shape: Shape) -> Shape:
        return self._check_activation(self._product(shape).output)

    def weight_specs(self, shape: Shape) -> list[WeightSpec]:
        product = self._product(shape)
        kernel, *bias = self._specs(product.kernel, product.bias or ())
        if isinstance(kernel.initializer, VarianceScaling) and kernel.initializer.input_axes is None:
            outputs = product.products * product.units
            initializer = AsMatrix(kernel.initializer, (product.inputs, outputs))
            kernel = kernel._replace(initializer=initializer)
        return [kernel, *bias]

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        product = self._product(shape)
        rows = net.permute(x, shape, product.input_order)
        inside = self.bias if product.bias_is_inside else None
        y = multiplied(net, rows, self.kernel, product, inside)
        y = net.permute(y, product.inner, product.output_order)
        if self.bias is not None and inside is None:
            y = self._add_bias(net, y, product)
        return self.activation.lower(net, y, product.output)

    def _add_bias(self, net: Lowering, y: int, product: einsum.Product) -> int:
        """Add the bias, whose axes the engine has last."""
        numbers = range(len(product.output))
        order = [*(number for number in numbers if number not in product.bias_axes), *product.bias_axes]
        moved = tuple(product.output[number] for number in order)
        y = net.add("bias", net.permute(y, product.output, order), [self.bias])
        return net.permute(y, moved, [order.index(number) for number in numbers])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["use_bias"]
        return {**config, "equation": self.equation, "output_shape": self._sizes, "bias_axes": self.bias_axes}


def multiplied(
    net: Lowering, rows: int, kernel: Weight | None, product: einsum.Product, bias: Weight | None = None
) -> int:
    """``rows @ kernel + bias``, with the axes in the order of `product`."""
    if product.kernel_order is not None:
        # A product for each element of the shared axes; each sample has the kernel, in order, as a tensor then.
        copy = net.add("parameter", [], [kernel], size=math.prod(product.kernel))
        copy = net.permute(copy, product.kernel, product.kernel_order)
        sizes = {"batch": product.products, "m": product.rows, "k": product.inputs, "n": product.units}
        return net.add("matmul", [rows, copy], **sizes, transpose_a=False, transpose_b=False)
    if product.kernel_is_transposed:
        axis = windows.axis(product.rows, 1, 1, 1, "valid")
        turned = windows.Convolution((axis,), product.units, product.inputs, 1)
        return net.add("conv", rows, [kernel, bias], shape=turned.numbers(), transposed=True)
    return net.add("dense", rows, [kernel, bias], units=product.units)


class AsMatrix(Initializer):
    """Random numbers for a kernel of any rank that counts as a matrix of a shape."""

    def __init__(self, initializer: Initializer, matrix: tuple[int, int]) -> None:
        self._initializer, self._matrix = initializer, matrix

    def __call__(self, shape: int | tuple[int, ...], dtype: DTypeLike | None = None) -> NDArray[Any]:
        return self._initializer(self._matrix, dtype).reshape(shape)


def _output_sizes(value: object, equation: einsum.Equation) -> tuple[int | None, ...]:
    """The argument output_shape."""
    value = checks.listed(value)
    given = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if len(given) != equation.lengths:
        raise ValueError(
            f"output_shape must have {equation.lengths} sizes for the equation {equation.text!r}, but got {value!r}."
        )
    return tuple(None if size is None else checks.positive_int(size, "output_shape") for size in given)
