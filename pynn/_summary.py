"""The table that ``model.summary()`` prints, in the form of Keras's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Sequential


def summary(model: Sequential) -> str:
    """A row for each layer with type, output shape and number of parameters, and the totals with their size."""
    rows = [("Layer (type)", "Output Shape", "Param #")]
    trainable = 0
    for layer in model.layers:
        count = layer.count_params()
        trainable += sum(math.prod(weight.shape) for weight in layer.weights if weight.trainable)
        rows.append((f"{layer.name} ({type(layer).__name__})", str(layer.output_shape), f"{count:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]

    def line(left: str, middle: str, right: str, fill: str) -> str:
        return left + middle.join(fill * (width + 2) for width in widths) + right

    def text(row: tuple[str, str, str], edge: str) -> str:
        cells = (f" {row[0]:<{widths[0]}} ", f" {row[1]:<{widths[1]}} ", f" {row[2]:>{widths[2]}} ")
        return edge + edge.join(cells) + edge

    total = model.count_params()
    bytes_each = 8 if model.dtype == "float64" else 4
    counts = {"Total params": total, "Trainable params": trainable, "Non-trainable params": total - trainable}
    return "\n".join(
        [
            f'Model: "{model.name}"',
            line("┏", "┳", "┓", "━"),
            text(rows[0], "┃"),
            line("┡", "╇", "┩", "━"),
            *f"\n{line('├', '┼', '┤', '─')}\n".join(text(row, "│") for row in rows[1:]).split("\n"),
            line("└", "┴", "┘", "─"),
            *(f" {name}: {count:,} ({_size(count * bytes_each)})" for name, count in counts.items()),
        ]
    )


def _size(n: int) -> str:
    """1536 -> "1.50 KB"."""
    value, unit = float(n), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.2f} {unit}"
