"""Arrays made of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data import arrays
from ..foundation import checks


def normalize(x: ArrayLike, axis: int = -1, order: int = 2) -> NDArray[Any]:
    """The array divided by its norms along an axis; what has the norm 0 stays as it is.

    Shapes: `x` and the result are the same.

    Args:
        x: Numbers. Those that are no float32 become float64.
        axis: Default -1, the last.
        order: Of the norm: the `order`-th root of ``sum |x|^order``. Default 2.

    Raises:
        TypeError, ValueError: something else than an array of numbers, an axis that it does not have, or another order.
    """
    array = arrays.as_array(x, "x", "float32" if getattr(x, "dtype", None) == np.float32 else "float64")
    order = checks.positive_int(order, "order")
    (place,) = checks.axes_of(checks.one_axis(axis), array.ndim)
    # Brought near 1, powers of large numbers do not overflow.
    largest = np.abs(array).max(axis=place, keepdims=True, initial=0)
    near_one = array / np.where(largest == 0, 1, largest)
    norm = (np.abs(near_one) ** order).sum(axis=place, keepdims=True) ** (1 / order)
    result: NDArray[Any] = near_one / np.where(norm == 0, 1, norm).astype(array.dtype)
    return result


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float64]:
    """One-hot rows of class labels: what ``categorical_crossentropy`` takes.

    Shapes: `x` ``(...)`` or ``(..., 1)``, result ``(..., num_classes)``.

    Args:
        x: Class labels, whole numbers from 0 on.
        num_classes: Number of classes. Default: the largest label plus one.

    Raises:
        ValueError: labels that are negative, fractional, or not below `num_classes`.
    """
    most = 2**31 - 1 if num_classes is None else checks.positive_int(num_classes, "num_classes")
    labels = arrays.class_labels(x, "x", most)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("x has no labels to tell the number of classes from: pass num_classes.")
        most = int(labels.max()) + 1
    one_hot = np.zeros((labels.size, most))
    one_hot[np.arange(labels.size), labels.reshape(-1)] = 1.0
    return one_hot.reshape(*labels.shape, most)
