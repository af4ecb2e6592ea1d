"""What a layer says of its inputs, beyond what its call makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.layout import OpenShape
from ..foundation import checks
from ..foundation.arguments import NamesItsArguments

__all__ = ["InputSpec"]


class InputSpec(NamesItsArguments):
    """What an input of a layer of one's own must be: ``self.input_spec = InputSpec(min_ndim=3, axes={-1: 8})``.

    The layer refuses other inputs then. An axis of any length, which is None in a shape, fits every size. Shapes are
    those of batches: axis 0 is that of the samples.

    Args:
        dtype: Without effect: arrays are converted. Default ``None``.
        shape: The shape, None along an axis of any size. Default ``None``: any shape.
        ndim: Number of axes. Default ``None``: any number, or that of `shape`.
        max_ndim, min_ndim: Limits of the number of axes. Default ``None``: none.
        axes: A dict of sizes by axis. Default ``None``: none is said.
        allow_last_axis_squeeze: Whether the input, or `shape`, may have one more axis at the end, of size 1. Default
            ``False``.
        name: Of the input, without effect. Default ``None``.
        optional: Without effect: an input that a call leaves out is None there. Default ``False``.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else _type_name(dtype)
        self.name = None if name is None else checks.text(name, "name")
        sample = None if shape is None else checks.batch_shape(shape, "shape")
        self.shape = None if sample is None else (*checks.listed(shape)[:1], *sample)
        self.ndim = _number(ndim, "ndim") if self.shape is None else len(self.shape)
        self.max_ndim = _number(max_ndim, "max_ndim")
        self.min_ndim = _number(min_ndim, "min_ndim")
        if not isinstance(axes, Mapping | None):
            raise TypeError(f"axes must be a dict of sizes by axis, such as {{-1: 8}}, but got {checks.shown(axes)}.")
        self.axes = {
            checks.one_axis(axis): None if size is None else checks.positive_int(size, f"axes[{axis}]")
            for axis, size in (axes or {}).items()
        }
        most = self.ndim if self.ndim is not None else self.max_ndim
        if self.axes and most is not None and max(self.axes) >= most:
            raise ValueError(f"axes has the axis {max(self.axes)}, but there are {most} axes at most, from 0 on.")
        self.allow_last_axis_squeeze = checks.boolean(allow_last_axis_squeeze, "allow_last_axis_squeeze")
        self.optional = checks.boolean(optional, "optional")

    def wrong_with(self, shape: OpenShape) -> str | None:
        """What must hold of an input, and does not of one of the shape of a batch; None where it fits."""
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim and not self.allow_last_axis_squeeze:
            return f"{self.ndim} axes"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"at most {self.max_ndim} axes"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"at least {self.min_ndim} axes"
        for axis, size in self.axes.items():
            if not -rank <= axis < rank or not _fit(size, shape[axis]):
                return f"the size {size} along axis {axis}"
        if self.shape is not None and not self._has_shape(shape):
            return f"the shape {self.shape}"
        return None

    def _has_shape(self, shape: OpenShape) -> bool:
        short, long = sorted((shape, self.shape or ()), key=len)
        if self.allow_last_axis_squeeze and len(long) == len(short) + 1 and _fit(long[-1], 1):
            long = long[:-1]
        return len(short) == len(long) and all(map(_fit, short, long))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """The one of these arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        said = (f"{name}={value}" for name, value in vars(self).items() if value not in (None, False, {}))
        return f"InputSpec({', '.join(said)})"


def check_spec(layer: Any, shapes: tuple[OpenShape, ...]) -> None:
    """Raise ValueError unless inputs of samples of these shapes are what the `input_spec` of a layer says."""
    if layer.input_spec is None:
        return
    specs = layer.input_spec if isinstance(layer.input_spec, list | tuple) else [layer.input_spec]
    if not all(isinstance(spec, InputSpec | None) for spec in specs):
        raise TypeError(
            f"Layer {layer.name!r}: input_spec must be an InputSpec or a list of them, but is "
            f"{checks.shown(layer.input_spec)}."
        )
    if len(specs) != len(shapes):
        raise layer._shape_error(f"has an input_spec of {len(specs)} inputs, but got {len(shapes)}.")
    for number, (spec, shape) in enumerate(zip(specs, shapes, strict=True)):
        wanted = None if spec is None else spec.wrong_with((None, *shape))
        if wanted is not None:
            which = f"inputs[{number}]" if len(shapes) > 1 else "the input"
            raise layer._shape_error(f"says by input_spec that {which} must have {wanted}, but got {(None, *shape)}.")


def _type_name(value: Any) -> str:
    try:
        return str(np.dtype(value).name)
    except (TypeError, ValueError):
        raise TypeError(f"dtype must be a number type, but got {checks.shown(value)}.") from None


def _number(value: int | None, name: str) -> int | None:
    return None if value is None else checks.positive_int(value, name)


def _fit(one: int | None, other: int | None) -> bool:
    return None in (one, other) or one == other
