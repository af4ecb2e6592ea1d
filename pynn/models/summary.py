"""The table that ``model.summary()`` prints, in the form of Keras's."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple, Protocol

from ..layers.base import Layer


class Summarized(Protocol):
    """A model, as its summary sees it."""

    name: str

    @property
    def layers(self) -> list[Layer]: ...


class _Row(NamedTuple):
    layer: str
    shape: str
    params: str


def table(model: Summarized) -> str:
    """A row for each layer with type, output shape and number of parameters, and the totals with their size."""
    rows = [_Row("Layer (type)", "Output Shape", "Param #"), *map(_row, model.layers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(left: str, middle: str, right: str, fill: str) -> str:
        return left + middle.join(fill * (width + 2) for width in widths) + right

    def text(row: _Row, edge: str) -> str:
        cells = (f" {row.layer:<{widths[0]}} ", f" {row.shape:<{widths[1]}} ", f" {row.params:>{widths[2]}} ")
        return edge + edge.join(cells) + edge

    weights = [weight for layer in model.layers if layer.built for weight in layer.weights]
    sizes = [(math.prod(weight.shape), weight.trainable, 8 if weight.dtype == "float64" else 4) for weight in weights]
    counts = {"Total": (True, False), "Trainable": (True,), "Non-trainable": (False,)}
    return "\n".join(
        [
            f'Model: "{model.name}"',
            line("┏", "┳", "┓", "━"),
            text(rows[0], "┃"),
            line("┡", "╇", "┩", "━"),
            *f"\n{line('├', '┼', '┤', '─')}\n".join(text(row, "│") for row in rows[1:]).splitlines(),
            line("└", "┴", "┘", "─"),
            *(
                f" {name} params: {sum(n for n, learned, _ in sizes if learned in kinds):,} "
                f"({_size(sum(n * each for n, learned, each in sizes if learned in kinds))})"
                for name, kinds in counts.items()
            ),
        ]
    )


def _row(layer: Layer) -> _Row:
    name = f"{layer.name} ({type(layer).__name__})"
    if not layer.built:
        return _Row(name, "?", "0 (unbuilt)")
    return _Row(name, str(layer.output_shape), f"{layer.count_params():,}")


def show(text: str) -> None:
    """Print a table; with plain lines where the terminal has no others."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = text.translate(str.maketrans("┏┳┓━┡╇┩┃│├┼┤─└┴┘", "+++-+++||+++-+++"))
    print(text)


def _size(n: int) -> str:
    """1536 -> "1.50 KB"."""
    value, unit = float(n), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.2f} {unit}"
