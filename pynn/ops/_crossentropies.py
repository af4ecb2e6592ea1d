"""Cross-entropies, under Keras's names (``keras.ops``), of arrays and of symbolic tensors."""

from __future__ import annotations

from typing import Any

from .. import config
from ..data import arrays
from . import _creation, _elementwise, _reductions, _shapes
from ._activations import log_sigmoid, log_softmax
from ._values import as_array, as_float, is_symbolic

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
]


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """``-target * log(output) - (1 - target) * log(1 - output)``, for each element.

    Args:
        target: 0 and 1, or numbers between them, of the shape of the output.
        output: Probabilities, which are kept `config.epsilon` away from 0 and 1.
        from_logits: Whether the output is logits, and its sigmoid the probabilities. Default ``False``.

    Raises:
        ValueError: targets of another shape.
    """
    output = _floats(output, "output")
    target = _target(target, output)
    if from_logits:
        of_one, of_none = log_sigmoid(output), log_sigmoid(-output)
    else:
        share = _inside(output)
        of_one, of_none = _elementwise.log(share), _elementwise.log(1.0 - share)
    return -target * of_one - (1.0 - target) * of_none


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """``-sum(target * log(output))`` along the axis of the classes.

    Args:
        target: Shares of the classes, of the shape of the output.
        output: Probabilities, which are divided by their sum, and kept `config.epsilon` away from 0 and 1.
        from_logits: Whether the output is logits, and its softmax the probabilities. Default ``False``.
        axis: That of the classes. Default -1.

    Raises:
        ValueError: targets of another shape; no such axis.
    """
    output = _floats(output, "output")
    target = _target(target, output)
    return -_reductions.sum(target * _log_shares(output, from_logits, axis), axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """`categorical_crossentropy` for the numbers of the classes.

    Args:
        target: Whole numbers from 0 on, of the shape of the output without its last axis, or with 1 there.
        output: As for `categorical_crossentropy`.
        from_logits: As there.
        axis: That of the classes, the last one. Default -1.

    Raises:
        ValueError: targets of another shape, or arrays of them that are no classes; another axis.
    """
    output = _floats(output, "output")
    shape = _shapes.shape(output)
    if axis not in (-1, len(shape) - 1):
        raise ValueError(f"axis must be that of the classes, the last one of the output, but got {axis}.")
    if shape[-1] is None:
        raise ValueError("sparse_categorical_crossentropy needs to know the number of classes, the last axis.")
    if not is_symbolic(target):
        target = arrays.class_labels(target, "target", shape[-1])
    if _shapes.ndim(target) == len(shape) and _shapes.shape(target)[-1] == 1:
        target = _shapes.squeeze(target, -1)
    classes = _creation.one_hot(_checked(target, shape[:-1]), shape[-1])
    return -_reductions.sum(classes * _log_shares(output, from_logits, -1), -1)


def _floats(x: Any, name: str) -> Any:
    return x if is_symbolic(x) else as_float(as_array(x, name))


def _checked(target: Any, shape: tuple[int | None, ...]) -> Any:
    """The targets, if they have this shape."""
    given = _shapes.shape(target)
    if given != shape:
        raise ValueError(f"target must have the shape {shape}, which the output tells, but has {given}.")
    return target


def _target(target: Any, output: Any) -> Any:
    """The targets as floats like the output, whose shape they must have."""
    target = _checked(target if is_symbolic(target) else as_array(target, "target"), _shapes.shape(output))
    return _shapes.cast(target, "float32" if is_symbolic(target, output) else output.dtype)


def _inside(share: Any) -> Any:
    return _elementwise.clip(share, config.epsilon(), 1.0 - config.epsilon())


def _log_shares(output: Any, from_logits: bool, axis: int) -> Any:
    """The logarithms of the probabilities."""
    if from_logits:
        return log_softmax(output, axis)
    return _elementwise.log(_inside(output / _reductions.sum(output, axis, keepdims=True)))
