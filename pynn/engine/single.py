"""One op of the engine by itself, on arrays (samples, ...): what functions on arrays are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..foundation import parallel
from ..foundation.native import core

Array = NDArray[Any]


def forward(kind: str, y: Array, x: Array, parameters: Sequence[Array | None] = (), /, **attributes: Any) -> None:
    """Write the output of an op to `y`.

    Args:
        kind: The engine's name of the op.
        x, y: C-contiguous, of one type.
        parameters: Its weights in the op's order, None for one that it goes without.
        attributes: The op's settings.

    Raises:
        ValueError: sizes that do not fit.
    """
    core.op_forward(kind, attributes, [y], [x], parameters, None, parallel.get_num_threads())


def backward(
    kind: str,
    dx: Array | None,
    dparameters: Sequence[Array | None],
    dy: Array,
    x: Array,
    y: Array,
    parameters: Sequence[Array | None] = (),
    /,
    **attributes: Any,
) -> None:
    """Write the gradients of an op, given that of its output `y`, to `dx` and `dparameters`; None for one not wanted.

    Raises:
        ValueError: sizes that do not fit, or an op without a gradient.
    """
    threads = parallel.get_num_threads()
    core.op_backward(kind, attributes, [dx], dparameters, [dy], [x], [y], parameters, None, threads)
