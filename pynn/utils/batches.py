"""Inputs, targets and weights as one tuple, as generators give them."""

from __future__ import annotations

from typing import Any

from ..foundation import checks


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """What a batch of these is: ``(x, y, sample_weight)``, ``(x, y)``, or x alone, in a tuple if it is a list or tuple.

    Args:
        x: The inputs.
        y, sample_weight: Targets and weights. Default ``None``: none.
    """
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of a batch, with None for what it does not have.

    Args:
        data: A tuple or list of one to three parts; anything else is x.

    Raises:
        ValueError: more parts, or none.
    """
    if not isinstance(data, list | tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(f"data must be (x,), (x, y) or (x, y, sample_weight), but got {checks.shown(data)}.")
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight
