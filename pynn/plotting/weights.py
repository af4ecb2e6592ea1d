"""What a layer has learned to look for: its weights as images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NotBuiltError
from ..foundation import checks
from ..layers import Layer
from ..layers.types import Shape
from ..models import Model
from ..models.uses import uses_of
from . import canvas
from .canvas import SeveralAxes

Array = NDArray[Any]


def plot_weights(
    model: Any,
    layer: int | str | None = None,
    shape: tuple[int, ...] | None = None,
    limit: int = 64,
    ax: Any = None,
) -> SeveralAxes:
    """The weights of a layer as images: red where they are positive, blue where negative, white at 0.

    There is an image for each filter of a convolution, the mean over its input channels, or in colours where these are
    3; for each unit of a dense layer that reads an image; and one for the whole kernel of any other layer. All have one
    scale.

    Args:
        model: A built model, or a layer.
        layer: Name or number of a layer of the model. Default: the first that has a kernel of two axes or more.
        shape: Of the image that a dense layer reads, ``(height, width)``. Default: what a `Flatten` before it reads.
        limit: How many filters or units to draw at most, the first ones. Default 64.
        ax: Axes to draw in, one for each image. Default: those of a new figure.

    Returns:
        An array of the axes, one for each image.

    Raises:
        TypeError, ValueError: a layer that is not there or has no such weights, or another shape.
        NotBuiltError: there are no weights yet. ImportError: matplotlib is not installed.
    """
    limit = checks.positive_int(limit, "limit", 1024)
    found = model if isinstance(model, Layer) and not isinstance(model, Model) else _layer_of(model, layer)
    kernel = _kernel(found)
    if kernel is None:
        raise ValueError(f"Layer {found.name!r} ({type(found).__name__}) has no kernel to draw.")
    if shape is not None:
        shape = checks.shape(shape, "shape")
    elif isinstance(model, Model) and kernel.ndim == 2:
        shape = _image_before(model, found)
    images = _images_of(kernel, shape, limit)
    columns = min(len(images), max(8, math.ceil(math.sqrt(len(images)))))
    alone = len(images) == 1
    axes = canvas.several(ax, "plot_weights", len(images), columns, (5.4, 4.2) if alone else (0.95, 1.0))
    reach = max(max(float(np.abs(each).max()) for each in images), 1e-30)
    for number, (each, image) in enumerate(zip(axes, images, strict=True)):
        if image.ndim == 3:
            image = np.clip(0.5 + image / (2 * reach), 0, 1)
        drawn = each.imshow(
            image, cmap="RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest", aspect="auto" if alone else "equal"
        )
        if alone:
            each.set(title=f"{found.name}: kernel {kernel.shape}", xlabel="last axis", ylabel="the other axes")
        else:
            each.set_axis_off()
            each.set_title(str(number), fontsize=7, pad=2)
    figure = axes[0].figure
    if ax is None:
        if images[0].ndim == 2:
            figure.colorbar(drawn, ax=list(figure.axes), label="weight", shrink=0.9, aspect=30)
        if not alone:
            figure.suptitle(f"{found.name}: kernel {kernel.shape}", fontsize=10)
    return axes


def _layer_of(model: Any, which: int | str | None) -> Layer:
    if not isinstance(model, Model):
        raise TypeError(f"model must be a model or a layer, but got {checks.shown(model)}.")
    if which is None:
        for layer in model.layers:
            if _kernel(layer) is not None:
                return layer
        raise ValueError(f"Model {model.name!r} has no layer with a kernel to draw.")
    if isinstance(which, str):
        for layer in model.layers:
            if layer.name == which:
                return layer
        raise ValueError(f"layer is {which!r}, but the model has {', '.join(each.name for each in model.layers)}.")
    number = checks.index(which, "layer")
    if not -len(model.layers) <= number < len(model.layers):
        raise ValueError(f"layer is {number}, but the model has {len(model.layers)} layers.")
    return model.layers[number]


def _kernel(layer: Layer) -> Array | None:
    """The first weight of two axes or more, but for that of a nested model."""
    if isinstance(layer, Model):
        return None
    if not layer.built:
        raise NotBuiltError(f"Layer {layer.name!r} is not built yet, and has no weights to draw.")
    return next((np.array(weight) for weight in layer.weights if len(weight.shape) >= 2), None)


def _image_before(model: Model, layer: Layer) -> Shape | None:
    """The shape of the image that a `Flatten` in front of the layer reads."""
    uses = uses_of(model)
    for use in uses:
        if use.layer is layer and use.sources:
            before = uses[use.sources[0]]
            if type(before.layer).__name__ == "Flatten" and before.sources:
                shapes = uses[before.sources[0]].shapes
                shape = tuple(size or 0 for size in shapes[0]) if shapes else ()
                if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)):
                    return shape
    return None


def _images_of(kernel: Array, shape: tuple[int, ...] | None, limit: int) -> list[Array]:
    if shape is not None:
        if kernel.ndim != 2 or math.prod(shape) != len(kernel) or len(shape) not in (2, 3):
            raise ValueError(
                f"shape must be that of an image of {len(kernel)} numbers, for a kernel of the shape {kernel.shape}, "
                f"but is {shape}."
            )
        kernel = kernel.reshape(*shape, -1)
    if kernel.ndim == 2:
        return [kernel]
    found = [kernel[..., number] for number in range(min(kernel.shape[-1], limit))]
    return [each.mean(-1) if kernel.ndim == 4 and kernel.shape[2] != 3 else each for each in found]
