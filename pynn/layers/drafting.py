"""What a layer would be for samples of a shape: all is checked, and nothing is made.

The engine knows concrete sizes only. So where an axis has any length, the layer is tried with two lengths, and what
differs has any length, too.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ..data.layout import OpenShape
from ..engine.lowering import Lowering, Mask, NoGraph
from .building import Draft
from .types import Masks, OpenShapes, Shape
from .weight import MOST_ELEMENTS

# Lengths that stand for one that is not known: what is None in a shape is tried with both. They have many divisors, so
# that a Reshape or a Cropping does not fail for them.
_PROBES = (5040, 10080)


def drafted(layer: Any, shape: OpenShapes, dtype: str, masks: Masks) -> Draft:
    """What `Layer.draft` gives, without the layers that the layer holds."""
    first, second = (closed(shape, probe) for probe in _PROBES)
    of_first, of_second = (tuple(closed_mask(mask, probe) for mask in masks) for probe in _PROBES)
    if first == second:
        return _closed_draft(layer, first, dtype, True, of_first)
    try:
        one = _closed_draft(layer, first, dtype, False, of_first)
        other = _closed_draft(layer, second, dtype, False, of_second)
    except ValueError as error:
        raise ValueError(re.sub(rf"\b({_PROBES[0]}|{_PROBES[1]})\b", "None", str(error))) from None
    for spec, of_other in zip(one.specs, other.specs, strict=True):
        if spec.shape != of_other.shape:
            raise layer._shape_error(
                f"needs samples of a known size, as the shape of its {spec.name} follows from it, but gets {shape}."
            )
    outputs = [opened(a, b) for a, b in zip(one.outputs, other.outputs, strict=True)]
    made = [None if a is None else opened(a, b) for a, b in zip(one.made_masks, other.made_masks, strict=True)]  # type: ignore[arg-type]
    output = outputs if isinstance(one.output, list) else outputs[0]
    return one._replace(shape=shape, output=output, made_masks=tuple(made))


def _closed_draft(layer: Any, shape: Any, dtype: str, check_size: bool, masks: Masks) -> Draft:
    """What the layer would be for samples of a shape without None."""
    output = layer.sample_output_shape(shape)
    if check_size:
        for each in output if isinstance(output, list) else [output]:
            layer._check_size(each)
    specs = layer.weight_specs(shape)
    for spec in specs:
        if math.prod(spec.shape) > MOST_ELEMENTS:
            raise ValueError(
                f"The weight {layer.name}/{spec.name} of shape {spec.shape} would have more elements than memory "
                f"can hold. Lower the units of the layers."
            )
    built = layer._built
    if built is not None and built.weights:
        if [weight.shape for weight in built.weights] != [spec.shape for spec in specs]:
            raise layer._shape_error(
                f"has weights for samples of shape {built.shape}, but gets {shape}. Make a new layer with "
                "type(layer).from_config(layer.get_config())."
            )
        if built.dtype != dtype:
            raise layer._shape_error(f"has weights of type {built.dtype}, but the model computes in {dtype}.")
    constraints = [spec.native_constraint(f"{layer.name}/{spec.name}") for spec in specs]
    made = masks_made(layer, shape, dtype, masks, len(output) if isinstance(output, list) else 1)
    return Draft(layer, shape, output, dtype, specs, constraints, made_masks=made)


def masks_made(layer: Any, shape: Any, dtype: str, masks: Masks, outputs: int) -> Masks:
    """The shapes of the masks of the outputs; empty where there are none."""
    net, shapes = Lowering(NoGraph(), dtype), shape if isinstance(shape, list) else [shape]
    xs = [net.input(1) for _ in shapes]
    given = [None if mask is None else Mask(net.input(1), mask) for mask in masks] or [None] * len(shapes)  # type: ignore[arg-type]
    found = masks_of_outputs(layer.lower_mask(net, layer._as_taken(xs), shape, given), outputs)
    made = tuple(None if mask is None else mask.shape for mask in found)
    return made if any(mask is not None for mask in made) else ()


def masks_of_outputs(found: Any, outputs: int) -> list[Any]:
    """What `lower_mask` found, for each output."""
    return found if isinstance(found, list) else [found, *[None] * (outputs - 1)]


def closed_mask(shape: OpenShape | None, length: int) -> Shape | None:
    return None if shape is None else closed(shape, length)


def closed(shapes: OpenShapes, length: int) -> Any:
    """The shapes with `length` in place of None."""
    if isinstance(shapes, list):
        return [closed(shape, length) for shape in shapes]
    return tuple(length if size is None else size for size in shapes)


def opened(one: OpenShape, other: OpenShape) -> OpenShape:
    """A shape that came out as `one` and as `other`."""
    return tuple(a if a == b else None for a, b in zip(one, other, strict=True))
