"""The table that ``model.summary()`` prints, in the form of Keras's."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from ..foundation import checks, html
from ..layers.base import Layer
from ..layers.core import InputLayer
from ..layers.weight import Weight
from .network import State


class Summarized(Protocol):
    """A model, as its summary sees it."""

    name: str

    @property
    def layers(self) -> list[Layer]: ...
    @property
    def _batch_size(self) -> int | None: ...
    @property
    def _rows(self) -> list[tuple[Layer, str]]: ...
    @property
    def _state(self) -> State: ...
    def _weights_by_now(self) -> list[Weight]: ...


_HEAD = ("Layer (type)", "Output Shape", "Param #", "Connected to", "Trainable")


def table(
    model: Summarized,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """A row for each layer with type, output shape and number of parameters, and the totals with their size.

    A network that is no chain has a column with the tensors that go into each layer, as ``layer[call][output]``.
    """
    rows = _cells(model, expand_nested, show_trainable, layer_range)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(left: str, middle: str, right: str, fill: str) -> str:
        return left + middle.join(fill * (width + 2) for width in widths) + right

    def text(row: Sequence[str], edge: str) -> str:
        cells = [f" {cell:{'>' if at == 2 else '<'}{widths[at]}} " for at, cell in enumerate(row)]
        return edge + edge.join(cells) + edge

    return "\n".join(
        [
            f'Model: "{model.name}"',
            line("┏", "┳", "┓", "━"),
            text(rows[0], "┃"),
            line("┡", "╇", "┩", "━"),
            *f"\n{line('├', '┼', '┤', '─')}\n".join(text(row, "│") for row in rows[1:]).splitlines(),
            line("└", "┴", "┘", "─"),
            *(f" {total}" for total in _totals(model)),
        ]
    )


def as_html(model: Summarized) -> str:
    """The table, as a notebook shows it."""
    head, *rows = _cells(model)
    return html.table(f'Model: "{model.name}"', head, rows, (2,), "; ".join(_totals(model)))


def _cells(
    model: Summarized,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> list[tuple[str, ...]]:
    """The head and the rows."""
    rows = _rows(model, expand_nested, layer_range=layer_range)
    shown = [0, 1, 2, *[3] * any(row[3] for row in rows), *[4] * show_trainable]
    return [tuple(row[at] for at in shown) for row in (_HEAD, *rows)]


def _rows(
    model: Any, expand_nested: bool, depth: int = 0, layer_range: Sequence[str] | None = None
) -> list[tuple[str, ...]]:
    """The rows with all columns; those of models within the model `depth` deep, if they are asked for."""
    rows, layers = [], model._rows
    for layer, inputs in (
        layers if layer_range is None else layers[_range(layer_range, [each.name for each, _ in layers])]
    ):
        rows.append(_row("   " * depth + "└ " if depth else "", layer, inputs, model._batch_size))
        if expand_nested and layer._may_have_call:  # a model
            rows += _rows(layer, True, depth + 1)
    return rows


def _range(given: Sequence[str], names: Sequence[str]) -> slice:
    """The layers from the first that fits the one name to the last that fits the other.

    Raises:
        ValueError: no two names, or one that no layer fits.
    """
    if not isinstance(given, list | tuple) or len(given) != 2 or not all(isinstance(each, str) for each in given):
        raise ValueError(f"layer_range must be a list of two names, but got {checks.shown(given)}.")
    try:
        first, last = ([at for at, name in enumerate(names) if re.match(each, name)] for each in given)
    except re.error as error:
        raise ValueError(
            f"layer_range has {checks.shown(error.pattern)}, which is no regular expression: {error}."
        ) from None
    if not first or not last:
        raise ValueError(f"layer_range is {checks.shown(given)}, but the layers are {', '.join(names)}.")
    if min(first) > max(last):
        first, last = last, first
    return slice(min(first), max(last) + 1)


def _totals(model: Summarized) -> list[str]:
    every = model._weights_by_now()
    kinds: dict[str, list[Any]] = {
        "Trainable": [weight for weight in every if weight.trainable],
        "Non-trainable": [weight for weight in every if not weight.trainable],
    }
    compiled = model._state.compiled
    if compiled is not None and compiled.optimizer.iterations:  # as in Keras, once there has been a step
        kinds["Optimizer"] = list(compiled.optimizer.variables)
    kinds = {"Total": [each for several in kinds.values() for each in several], **kinds}
    return [
        f"{name} params: {sum(math.prod(each.shape) for each in several):,} "
        f"({_size(sum(math.prod(each.shape) * _bytes_of(each) for each in several))})"
        for name, several in kinds.items()
    ]


def _bytes_of(variable: Any) -> int:
    """What an element takes; as in Keras, the numbers of an optimizer take 4 bytes."""
    return 8 if variable.dtype == "float64" and variable.name != "learning_rate" else 4


def _row(prefix: str, layer: Layer, inputs: str, batch_size: int | None) -> tuple[str, ...]:
    name = f"{prefix}{layer.name} ({type(layer).__name__})"
    if not layer._is_built:
        return name, "?", "0" if layer.built else "0 (unbuilt)", inputs, "-"
    size = layer.batch_size if isinstance(layer, InputLayer) else batch_size
    shape = layer.output_shape if size is None else _with(layer.output_shape, size)
    trainable = ("Y" if layer.trainable else "N") if layer.weights else "-"
    return name, str(shape), f"{layer.count_params():,}", inputs, trainable


def _with(shape: Any, batch_size: int) -> Any:
    """The shape of a batch, or a list or dict of them, with a size along the first axis."""
    if isinstance(shape, dict):
        return {key: _with(each, batch_size) for key, each in shape.items()}
    if isinstance(shape, list) or (shape and isinstance(shape[0], tuple)):
        return type(shape)(_with(each, batch_size) for each in shape)
    return (batch_size, *shape[1:])


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
