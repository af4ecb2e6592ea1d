"""Where pictures are drawn: on axes that are handed in, or on those of a new figure."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..foundation import checks

Axes: TypeAlias = Any  # matplotlib.axes.Axes
SeveralAxes: TypeAlias = NDArray[Any]  # an array of them

TRAINING, VALIDATION = "tab:blue", "tab:orange"
RIGHT, WRONG = "black", "tab:red"


def matplotlib(who: str) -> Any:
    """The package; ImportError, which says what to do, where it is not installed. `who` is the calling function."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError(f"{who} needs the package matplotlib: pip install matplotlib") from None
    return matplotlib


def pyplot(who: str) -> Any:
    """The part of matplotlib that makes figures, and shows them in notebooks."""
    matplotlib(who)
    from matplotlib import pyplot

    return pyplot


def one(ax: object, who: str, size: tuple[float, float]) -> Axes:
    """`ax`, or the axes of a new figure of so many inches where it is None.

    Raises:
        TypeError: something else. ImportError: there is no matplotlib.
    """
    if ax is None:
        return pyplot(who).subplots(figsize=size, layout="constrained")[1]
    return _checked(ax, who)


def several(ax: object, who: str, count: int, columns: int, size: tuple[float, float]) -> SeveralAxes:
    """`count` axes: those of `ax`, or those of a new figure with `columns` of them in a row, each of so many inches.

    Raises:
        TypeError: something else. ValueError: too few of them. ImportError: there is no matplotlib.
    """
    if ax is None:
        rows = -(-count // columns)
        made = pyplot(who).subplots(
            rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False, layout="constrained"
        )[1]
        for each in made.flat[count:]:
            each.set_axis_off()
        return np.array(made.flat[:count])
    given = [_checked(each, who) for each in np.ravel(np.array(ax, dtype=object))]
    if len(given) < count:
        raise ValueError(f"ax must have {count} axes, one for each picture, but has {len(given)}.")
    return np.array([*given[:count], None], dtype=object)[:-1]


def _checked(ax: object, who: str) -> Axes:
    matplotlib(who)
    from matplotlib import axes

    if not isinstance(ax, axes.Axes):
        raise TypeError(f"ax must be axes of matplotlib, but got {checks.shown(ax)} of type {type(ax).__name__}.")
    return ax


def write(ax: Axes, to_file: str | None, dpi: int) -> None:
    """Write the figure of axes to a file, where there is one to write."""
    if to_file is not None:
        ax.figure.figure.savefig(to_file, dpi=dpi)  # that of a part of a figure is the whole
