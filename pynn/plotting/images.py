"""Images, with what they are and what a model takes them for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data import arrays
from ..foundation import checks
from . import canvas
from .canvas import SeveralAxes
from .classes import classes_of

Array = NDArray[Any]
_MOST = 400  # images of a picture


def plot_images(
    x: ArrayLike,
    labels: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    columns: int | None = None,
    ax: Any = None,
) -> SeveralAxes:
    """Images in a grid, each with its label, or with its prediction; where both are given, wrong ones are red.

    Shapes: `x` ``(images, height, width)``, or with a last axis of 1 (grey) or 3 (red, green, blue).

    Args:
        x: Bytes from 0 to 255, or numbers; the smallest is drawn black and the largest white. Up to 400 images.
        labels: The class of each image, ``(images,)``, or one-hot rows. Default: none.
        predictions: What a model says: classes ``(images,)``, a probability for each class ``(images, classes)``, or
            one probability, of class 1. Default: none.
        class_names: What to write for the classes. Default: their numbers.
        columns: Images in a row. Default: at most 10.
        ax: Axes to draw in, one for each image. Default: those of a new figure.

    Returns:
        An array of the axes, one for each image.

    Raises:
        TypeError, ValueError: something else than images, or labels that are not as many.
        ImportError: matplotlib is not installed.

    Example:
        >>> wrong = model.predict(x_test).argmax(-1) != y_test
        >>> pynn.plot_images(x_test[wrong][:20], y_test[wrong][:20], model.predict(x_test[wrong][:20]))
    """
    images = as_images(x)
    if not 0 < len(images) <= _MOST:
        raise ValueError(f"x must have 1 to {_MOST} images, but has {len(images)}. Give some, such as x[:20].")
    given = {"labels": labels, "predictions": predictions}
    said = {
        name: None if each is None else classes_of(each, name, len(images), "images") for name, each in given.items()
    }
    truth, guess = said.values()
    titles = {_SHORT[name]: _named(each, name, class_names) for name, each in said.items() if each is not None}
    if columns is None:
        columns = min(len(images), 10)
    lines = len(titles)
    axes = canvas.several(
        ax, "plot_images", len(images), checks.positive_int(columns, "columns"), (1.1, 1.15 + 0.2 * lines)
    )
    low, high = (0, 255) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
    for number, (each, image) in enumerate(zip(axes, images, strict=True)):
        words = [text[number] if lines == 1 else f"{name} {text[number]}" for name, text in titles.items()]
        if image.ndim == 3 and images.dtype != np.uint8:
            image = (image - low) / max(high - low, 1e-30)
        each.imshow(image, cmap="gray", vmin=low, vmax=high)
        each.set_axis_off()
        is_wrong = truth is not None and guess is not None and truth[number] != guess[number]
        each.set_title("\n".join(words), fontsize=9, color=canvas.WRONG if is_wrong else canvas.RIGHT)
    return axes


_SHORT = {"labels": "is", "predictions": "says"}


def as_images(x: ArrayLike) -> Array:
    """`x` as images, (images, height, width) or (images, height, width, 3)."""
    images = arrays.as_numbers(x, "x")
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)):
        raise ValueError(
            "x must have the shape (images, height, width), or a last axis of 1 or 3 more, but has "
            f"{images.shape}. One image needs an axis in front: x[None]."
        )
    return images


def _named(classes: Array, name: str, class_names: Sequence[str] | None) -> list[str]:
    if class_names is None:
        return [str(each) for each in classes.tolist()]
    known = list(class_names)
    numbers = arrays.class_labels(classes, name, len(known))
    return [str(known[each]) for each in numbers.tolist()]
