"""Layers that make one tensor of several."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from ..engine.lowering import Lowering, Mask
from ..foundation import checks
from .base import Layer
from .elementwise import all_real, broadcast, chosen, combined, either, halves, spread, widened
from .types import Shape

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


class Merge(Layer):
    """Base of the layers that make one tensor of several, element by element.

    Axes of size 1 are repeated; tensors of fewer axes get some of size 1 behind that of the batch.
    """

    supports_masking = True
    takes_list = True
    function: str  # of two elements
    least, most = 1, 2**31  # inputs

    def __init__(self, *, name: str | None = None, trainable: bool = True, dtype: DTypeLike | None = None) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)

    def sample_output_shape(self, shape: Any) -> Shape:
        shapes: list[Shape] = shape
        if not self.least <= len(shapes) <= self.most:
            wanted = f"exactly {self.least}" if self.least == self.most else f"at least {self.least}"
            raise self._shape_error(f"takes {wanted} inputs, but got {len(shapes)}.")
        output = shapes[0]
        for each in shapes[1:]:
            try:
                output = broadcast(output, each)
            except ValueError:
                raise self._shape_error(f"cannot merge samples of the shapes {_listed(shapes)}.") from None
        return output

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        y, output = x[0], shape[0]
        for each, of_each in zip(x[1:], shape[1:], strict=True):
            y = combined(net, self.function, [y, each], [output, of_each])
            output = broadcast(output, of_each)
        return int(y)

    def lower_mask(self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None]) -> Mask | None:
        """A step is real where it is in one of the inputs; there is a mask where all of them have one."""
        found = masks[0]
        for mask in masks[1:]:
            found = None if found is None or mask is None else either(net, found, mask)
        return found


class Add(Merge):
    """The sum of the inputs.

    Shapes: a list of ``(N, ...)``, output ``(N, ...)``; axes of size 1 are repeated.

    Args:
        name, trainable, dtype: see `Layer`.

    Raises:
        ValueError: when called, shapes that do not fit together.
    """

    function = "add"

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        if len(x) > 1 and all(each == shape[0] for each in shape):
            return net.add("add", x)
        return super().lower(net, x, shape)


class Subtract(Merge):
    """The first input minus the second.

    Shapes: a list of two ``(N, ...)``, output ``(N, ...)``; axes of size 1 are repeated.

    Args:
        name, trainable, dtype: see `Layer`.

    Raises:
        ValueError: when called, other than two inputs, or shapes that do not fit together.
    """

    function = "subtract"
    least = most = 2


class Multiply(Merge):
    """The product of the inputs, element by element. Steps that the mask of an input leaves out count as 1 there; those
    that are real in none are 0 (docs/masks.md).

    Shapes: a list of ``(N, ...)``, output ``(N, ...)``; axes of size 1 are repeated.

    Args:
        name, trainable, dtype: see `Layer`.

    Raises:
        ValueError: when called, shapes that do not fit together.
    """

    function = "multiply"

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        masks = net.masks or (None,) * len(x)
        y = super().lower(net, [self._or_one(net, *each) for each in zip(x, shape, masks, strict=True)], shape)
        together = self.lower_mask(net, x, shape, masks)
        if together is None:
            return y
        return net.add("keep_rows", [y, widened(net, together, self.sample_output_shape(shape)).tensor])

    def _or_one(self, net: Lowering, x: int, shape: Shape, mask: Mask | None) -> int:
        if mask is None:
            return x
        real, padded = halves(net, mask, shape)
        return net.add("add", [net.add("keep_rows", [x, real]), padded])


class Average(Add):
    """The mean of the inputs, element by element.

    Shapes: a list of ``(N, ...)``, output ``(N, ...)``; axes of size 1 are repeated.

    Args:
        name, trainable, dtype: see `Layer`.

    Raises:
        ValueError: when called, shapes that do not fit together.
    """

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        total, output = super().lower(net, x, shape), self.sample_output_shape(shape)
        return combined(net, "divide", [total], [output, ()], constant=[float(len(x))], constant_first=False)


class _Extremum(Merge):
    """Base of the layers that choose one of the inputs for each element: of those whose steps are real, if any are."""

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        masks = net.masks or (None,) * len(x)
        if all(mask is None for mask in masks):
            return super().lower(net, x, shape)
        y, output, real = x[0], shape[0], masks[0]
        for each, of_each, mask in zip(x[1:], shape[1:], masks[1:], strict=True):
            whole = broadcast(output, of_each)
            y, other = spread(net, y, output, whole), spread(net, each, of_each, whole)
            if mask is not None:
                other = chosen(net, mask, other, y, whole)
            if real is not None:
                y = chosen(net, real, y, other, whole)
            real = None if real is None or mask is None else either(net, real, mask)
            y, output = combined(net, self.function, [y, other], [whole, whole]), whole
        return int(y)


class Maximum(_Extremum):
    """The largest of the inputs, element by element. Where two are equal, each gets half of the gradient. Steps that
    the mask of an input leaves out do not count, unless no other is real (docs/masks.md).

    Shapes: a list of ``(N, ...)``, output ``(N, ...)``; axes of size 1 are repeated.

    Args:
        name, trainable, dtype: see `Layer`.

    Raises:
        ValueError: when called, shapes that do not fit together.
    """

    function = "maximum"


class Minimum(_Extremum):
    """The smallest of the inputs, element by element. Where two are equal, each gets half of the gradient. Steps that
    the mask of an input leaves out do not count, unless no other is real (docs/masks.md).

    Shapes: a list of ``(N, ...)``, output ``(N, ...)``; axes of size 1 are repeated.

    Args:
        name, trainable, dtype: see `Layer`.

    Raises:
        ValueError: when called, shapes that do not fit together.
    """

    function = "minimum"


class Concatenate(Layer):
    """The inputs one after the other along an axis.

    Shapes: a list of ``(N, ...)`` that differ along `axis` only, output ``(N, ...)`` with their sum there.

    Args:
        axis: Any but 0, that of the batch. Default -1, the last.
        name, trainable, dtype: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, shapes that do not fit together.
    """

    supports_masking = True
    takes_list = True

    def __init__(
        self, axis: int = -1, *, name: str | None = None, trainable: bool = True, dtype: DTypeLike | None = None
    ) -> None:
        self.axis = checks.one_axis(axis)
        super().__init__(name=name, trainable=trainable, dtype=dtype)

    def _place(self, shapes: list[Shape]) -> int:
        """The axis among those of a sample; ValueError where the shapes do not fit."""
        rank = len(shapes[0])
        place = self.axis - 1 if self.axis >= 0 else self.axis + rank
        if not 0 <= place < rank:
            raise self._shape_error(
                f"has axis={self.axis}, but for samples of shape {shapes[0]} it must be from 1 to {rank}, or from "
                f"{-rank} to -1."
            )
        rest = [shape[:place] + shape[place + 1 :] for shape in shapes if len(shape) == rank]
        if len(rest) < len(shapes) or any(each != rest[0] for each in rest):
            raise self._shape_error(
                f"takes inputs that differ along axis {self.axis} only, but got samples of the shapes "
                f"{_listed(shapes)}."
            )
        return place

    def sample_output_shape(self, shape: Any) -> Shape:
        place, first = self._place(shape), shape[0]
        return (*first[:place], sum(each[place] for each in shape), *first[place + 1 :])

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        if len(x) == 1:
            return int(x[0])
        return net.add("concat", x, outer=math.prod(shape[0][: self._place(shape)]))

    def lower_mask(self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None]) -> Mask | None:
        """Along the last axis a step is real where it is in one of the inputs; along another the masks come one after
        the other, as the inputs do. An input without a mask has real steps only."""
        if all(mask is None for mask in masks):
            return None
        place, last = self._place(shape), len(shape[0]) - 1
        if place == last and None in masks:
            return None
        wide = [
            all_real(net, each, of_each) if mask is None else widened(net, mask, of_each[:-1])
            for each, of_each, mask in zip(x, shape, masks, strict=True)
        ]
        if place == last:
            return functools.reduce(functools.partial(either, net), wide)
        output = self.sample_output_shape(shape)[:-1]
        if len(wide) == 1:
            return wide[0]
        return Mask(net.add("concat", [mask.tensor for mask in wide], outer=math.prod(output[:place])), output)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Dot(Layer):
    """The dot products of two inputs along an axis of each: ``y[n, i, j] = sum_k a[n, i, k] * b[n, k, j]`` for
    ``axes=(2, 1)``.

    Shapes: a list of two; the output has the other axes of the first, then those of the second, or ``(N, 1)`` where
    there are none.

    Args:
        axes: The axis of both, or one of each, as a pair; not 0, that of the batch.
        normalize: Whether both are divided by their length along the axis, so that the product is the cosine of the
            angle between them. Default ``False``.
        name, trainable, dtype: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, other than two inputs, or shapes that do not fit together.
    """

    supports_masking = True
    takes_list = True

    def __init__(
        self,
        axes: int | tuple[int, int],
        normalize: bool = False,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        found = checks.axis(axes)
        if isinstance(found, tuple) and len(found) != 2:
            raise ValueError(f"axes must be one axis or a pair of them, but got {checks.shown(axes)}.")
        self.axes = found
        self.normalize = checks.boolean(normalize, "normalize")
        super().__init__(name=name, trainable=trainable, dtype=dtype)

    def _places(self, shapes: list[Shape]) -> tuple[int, int]:
        """The axis of each among those of a sample; ValueError where the shapes do not fit."""
        if len(shapes) != 2:
            raise self._shape_error(f"takes exactly 2 inputs, but got {len(shapes)}.")
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        places = []
        for axis, shape in zip(axes, shapes, strict=True):
            place = axis - 1 if axis >= 0 else axis + len(shape)
            if not 0 <= place < len(shape):
                raise self._shape_error(
                    f"has axes={self.axes}, but for samples of shape {shape} an axis must be from 1 to {len(shape)}, "
                    f"or from {-len(shape)} to -1."
                )
            places.append(place)
        if shapes[0][places[0]] != shapes[1][places[1]]:
            raise self._shape_error(
                f"takes inputs of one size along axes={self.axes}, but got samples of the shapes {_listed(shapes)}."
            )
        return places[0], places[1]

    def sample_output_shape(self, shape: Any) -> Shape:
        a, b = self._places(shape)
        return (*_without(shape[0], a), *_without(shape[1], b)) or (1,)

    def lower(self, net: Lowering, x: Any, shape: Any) -> int:
        a, b = (
            self._matrix(net, each, of_each, place)
            for each, of_each, place in zip(x, shape, self._places(shape), strict=True)
        )
        k = shape[0][self._places(shape)[0]]
        sizes = {"batch": 1, "m": math.prod(shape[0]) // k, "k": k, "n": math.prod(shape[1]) // k}
        return net.add("matmul", [a, b], **sizes, transpose_a=False, transpose_b=True)

    def lower_mask(self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None]) -> Mask | None:
        return None

    def _matrix(self, net: Lowering, x: int, shape: Shape, place: int) -> int:
        """Tensor `x` with the axis at `place` as the last one, of length 1 along it where that is asked for."""
        order = [*(axis for axis in range(len(shape)) if axis != place), place]
        moved = net.permute(x, shape, order)
        if not self.normalize:
            return moved
        return net.add("rms_norm", moved, [None], columns=shape[place], epsilon=1e-12, unit=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _without(shape: Shape, place: int) -> Shape:
    return shape[:place] + shape[place + 1 :]


def _listed(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(str, shapes[:-1])) + f" and {shapes[-1]}" if len(shapes) > 1 else str(shapes[0])


# ---- as functions


def add(inputs: Sequence[Any], name: str | None = None, dtype: DTypeLike | None = None) -> Any:
    """The sum of the inputs: ``Add()(inputs)``."""
    return Add(name=name, dtype=dtype)(inputs)


def subtract(inputs: Sequence[Any], name: str | None = None, dtype: DTypeLike | None = None) -> Any:
    """The first of two inputs minus the second: ``Subtract()(inputs)``."""
    return Subtract(name=name, dtype=dtype)(inputs)


def multiply(inputs: Sequence[Any], name: str | None = None, dtype: DTypeLike | None = None) -> Any:
    """The product of the inputs: ``Multiply()(inputs)``."""
    return Multiply(name=name, dtype=dtype)(inputs)


def average(inputs: Sequence[Any], name: str | None = None, dtype: DTypeLike | None = None) -> Any:
    """The mean of the inputs: ``Average()(inputs)``."""
    return Average(name=name, dtype=dtype)(inputs)


def maximum(inputs: Sequence[Any], name: str | None = None, dtype: DTypeLike | None = None) -> Any:
    """The largest of the inputs: ``Maximum()(inputs)``."""
    return Maximum(name=name, dtype=dtype)(inputs)


def minimum(inputs: Sequence[Any], name: str | None = None, dtype: DTypeLike | None = None) -> Any:
    """The smallest of the inputs: ``Minimum()(inputs)``."""
    return Minimum(name=name, dtype=dtype)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, name: str | None = None, dtype: DTypeLike | None = None) -> Any:
    """The inputs one after the other: ``Concatenate(axis)(inputs)``."""
    return Concatenate(axis, name=name, dtype=dtype)(inputs)


def dot(
    inputs: Sequence[Any],
    axes: int | tuple[int, int] = -1,
    normalize: bool = False,
    name: str | None = None,
    dtype: DTypeLike | None = None,
) -> Any:
    """The dot products of two inputs: ``Dot(axes, normalize)(inputs)``."""
    return Dot(axes, normalize, name=name, dtype=dtype)(inputs)
