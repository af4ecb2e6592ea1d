"""A model as boxes and lines."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from ..foundation import checks
from ..models import Model
from ..models.uses import Use, uses_of
from . import canvas
from .arrangement import Arranged, Box, arrange
from .canvas import Axes

# Sizes in points: of the text, from line to line, around the text, between boxes, around all of it.
_FONT, _LINE, _ROOM, _GAP, _STEP, _MARGIN = 9.0, 13.0, 7.0, 22.0, 26.0, 10.0
_COLOURS = {"input": "#d9ead3", "learned": "#cfe2f3", "frozen": "#e6e6e6", "fixed": "#fff2cc"}


class _Drawn(NamedTuple):
    """A box with its text, and where it is on the paper."""

    lines: list[str]
    colour: str
    centre: tuple[float, float]
    width: float
    height: float


def plot_model(
    model: Any,
    to_file: str | None = None,
    show_shapes: bool = True,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: Literal["TB", "LR"] = "TB",
    expand_nested: bool = False,
    dpi: int = 150,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    *,
    show_params: bool = True,
    ax: Any = None,
) -> Axes:
    """A model as boxes, one for each use of a layer, and lines from each to those that read its output.

    Inputs are green, layers with weights blue, those whose weights are all frozen grey, and those without yellow.

    Args:
        model: The model. Shapes are ``?`` where it is not built.
        to_file: A file to write, such as ``"model.png"``; its ending says the format. Default: none.
        show_shapes: Whether boxes have the shapes of their outputs. Default ``True``.
        show_dtype: Whether they have the number types of these. Default ``False``.
        show_layer_names: Whether they have the names of the layers. Default ``True``.
        rankdir: ``"TB"`` from top to bottom (default), ``"LR"`` from left to right.
        expand_nested: Whether models within stand as the boxes of their layers. Default ``False``: each is one box.
        dpi: Pixels an inch of the file. Default 150.
        show_layer_activations: Whether boxes have the activations. Default ``False``.
        show_trainable: Whether they say if their weights are learned. Default ``False``.
        splines: Without effect: Keras has it for Graphviz.
        show_params: Whether they have the numbers of parameters. Default ``True``.
        ax: Axes to draw in; the text becomes smaller where it has to. Default: those of a new figure, of the size that
            the boxes take.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: another value of an argument.
        NotBuiltError: a model with a `call` that has seen neither data nor a shape.
        ImportError: matplotlib is not installed.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a model, but got {checks.shown(model)} of type {type(model).__name__}.")
    checks.choice(rankdir, "rankdir", ("TB", "LR"))
    dpi = checks.positive_int(dpi, "dpi", 2400)
    file = None if to_file is None else checks.path(to_file, "to_file")
    asked = {
        "show_shapes": show_shapes,
        "show_dtype": show_dtype,
        "show_layer_names": show_layer_names,
        "show_layer_activations": show_layer_activations,
        "show_trainable": show_trainable,
        "show_params": show_params,
    }
    shown = {name for name, value in asked.items() if checks.boolean(value, name)}
    expand_nested = checks.boolean(expand_nested, "expand_nested")
    checks.text(splines, "splines")
    canvas.matplotlib("plot_model")
    uses = uses_of(model, expand_nested)
    texts = [_text(use, shown) for use in uses]
    widths = [2 * _ROOM + max(_width(line, number == 0) for number, line in enumerate(lines)) for lines in texts]
    heights = [2 * _ROOM + _LINE * len(lines) for lines in texts]
    turned = rankdir == "LR"
    boxes = [
        Box(height if turned else width, width if turned else height, use.sources)
        for use, width, height in zip(uses, widths, heights, strict=True)
    ]
    found = arrange(boxes, _GAP, _STEP * (1.3 if turned else 1))
    drawn = [
        _Drawn(lines, _colour(use), _on_paper(centre, turned), width, height)
        for use, lines, centre, width, height in zip(uses, texts, found.centres, widths, heights, strict=True)
    ]
    ax = _draw(ax, drawn, found, turned)
    canvas.write(ax, file, dpi)
    return ax


def _text(use: Use, shown: set[str]) -> list[str]:
    kind = "Input" if use.layer is None else type(use.layer).__name__
    if use.layer is not None and use.layer.is_operation:  # an operator, whose name says which
        kind = use.name.rstrip("0123456789").rstrip("_")
    lines = [kind]
    if "show_layer_names" in shown and use.name != kind:
        lines.append(use.name)
    activation = getattr(use.layer, "activation", None)
    if "show_layer_activations" in shown and activation is not None:
        lines.append(f"activation: {activation.name}")
    if "show_shapes" in shown:
        shapes = ["?"] if use.shapes is None else [str((None, *shape)) for shape in use.shapes]
        lines += shapes
    if "show_dtype" in shown:
        lines.append(use.dtype or "?")
    if "show_trainable" in shown and use.layer is not None and use.layer.built and use.layer.weights:
        lines.append("trainable" if use.layer.trainable_weights else "not trainable")
    if "show_params" in shown and use.layer is not None and use.layer.built and use.layer.count_params():
        count = use.layer.count_params()
        lines.append(f"{count:,} parameter{'s' * (count != 1)}")
    return lines


def _colour(use: Use) -> str:
    if use.layer is None:
        return _COLOURS["input"]
    if not use.layer.built or not use.layer.weights:
        return _COLOURS["fixed"]
    return _COLOURS["learned" if use.layer.trainable_weights else "frozen"]


def _width(text: str, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), text, prop=FontProperties(size=_FONT, weight="bold" if bold else "normal"))
    return float(path.get_extents().width)


def _on_paper(point: tuple[float, float], turned: bool) -> tuple[float, float]:
    across, along = point
    return (along, across) if turned else (across, along)


def _draw(ax: Any, boxes: Sequence[_Drawn], found: Arranged, turned: bool) -> Axes:
    width, height = _on_paper(found.size, turned)
    size = (width + 2 * _MARGIN, height + 2 * _MARGIN)
    if ax is None:
        figure = canvas.pyplot("plot_model").figure(figsize=(size[0] / 72, size[1] / 72))
        ax, scale = figure.add_axes((0, 0, 1, 1)), 1.0
    else:
        ax = canvas.one(ax, "plot_model", (0, 0))
        whole = ax.figure.figure
        engine = whole.get_layout_engine()
        if engine is not None:
            engine.execute(whole)  # gives the axes their size
        room = ax.get_window_extent()
        scale = min(1.0, *(72 / whole.dpi * a / b for a, b in zip((room.width, room.height), size, strict=True)))
    ax.set_xlim(-_MARGIN, width + _MARGIN)
    ax.set_ylim(height + _MARGIN, -_MARGIN)  # the first rank at the top
    ax.set_aspect("equal")
    ax.set_axis_off()
    _draw_lines(ax, boxes, found, turned, scale)
    for box in boxes:
        _draw_box(ax, box, scale)
    return ax


def _draw_box(ax: Axes, box: _Drawn, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = box.centre
    ax.add_patch(
        FancyBboxPatch(
            (x - box.width / 2, y - box.height / 2),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=4",
            facecolor=box.colour,
            edgecolor="0.35",
            linewidth=0.8 * scale,
            zorder=2,
        )
    )
    for number, line in enumerate(box.lines):
        ax.text(
            x,
            y + (number - (len(box.lines) - 1) / 2) * _LINE,
            line,
            ha="center",
            va="center",
            fontsize=_FONT * scale,
            weight="bold" if number == 0 else "normal",
            color="black" if number == 0 else "0.25",
            zorder=3,
        )


def _draw_lines(ax: Axes, boxes: Sequence[_Drawn], found: Arranged, turned: bool, scale: float) -> None:
    """Each line leaves the middle of its source; where several end at a box, they end beside each other."""
    from matplotlib.patches import FancyArrowPatch, PathPatch
    from matplotlib.path import Path

    ways: dict[int, list[tuple[int, list[tuple[float, float]]]]] = {}
    for (source, target), points in found.lines.items():
        ways.setdefault(target, []).append((source, points))
    for target, arriving in ways.items():
        arriving.sort(key=lambda way: (way[1][-1] if way[1] else found.centres[way[0]])[0])
        across = boxes[target].height if turned else boxes[target].width
        along = boxes[target].width if turned else boxes[target].height
        for number, (source, points) in enumerate(arriving):
            shift = across * 0.7 * ((number + 0.5) / len(arriving) - 0.5)
            half = (boxes[source].width if turned else boxes[source].height) / 2
            start = (found.centres[source][0], found.centres[source][1] + half)
            end = (found.centres[target][0] + shift, found.centres[target][1] - along / 2)
            stops = [start, *points, (end[0], end[1] - 6)]
            corners, codes = [_on_paper(start, turned)], [Path.MOVETO]
            for place, (one, two) in enumerate(itertools.pairwise(stops)):
                if place % 2 == 1:  # through a rank
                    corners.append(_on_paper(two, turned))
                    codes.append(Path.LINETO)
                    continue
                middle = (one[1] + two[1]) / 2
                corners += [_on_paper(p, turned) for p in ((one[0], middle), (two[0], middle), two)]
                codes += [Path.CURVE4] * 3
            ax.add_patch(PathPatch(Path(corners, codes), fill=False, edgecolor="0.35", linewidth=scale, zorder=1))
            ax.add_patch(
                FancyArrowPatch(
                    _on_paper((end[0], end[1] - 7), turned),
                    _on_paper(end, turned),
                    arrowstyle="-|>",
                    mutation_scale=9 * scale,
                    shrinkA=0,
                    shrinkB=0,
                    color="0.35",
                    linewidth=scale,
                    zorder=1,
                )
            )
