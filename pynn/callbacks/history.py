"""What a training run leaves behind."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..foundation import atomic, html
from .base import Callback, Logs

# How many epochs from each end notebooks show.
_SHOWN_EPOCHS = 6
# How many numbers of an array are shown; of a larger one the first and the last.
_SHOWN_NUMBERS = 10


class History(Callback):
    """The record of a run of `fit`, which returns it.

    Attributes:
        history: For the loss and each metric a list with a value an epoch, a number or, of some metrics, an array;
            those of the validation data begin with ``val_``. The loss of an epoch is the mean over its samples, each
            batch measured before its step.
        epoch: The numbers of the epochs, from ``initial_epoch`` on.
        params: ``epochs``, ``steps`` (batches an epoch) and ``verbose``.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    @property
    def model(self) -> Any:
        """The model that was trained; None once nothing else holds it, and in a copy."""
        return None if self._model is None else self._model()

    def set_model(self, model: Any) -> None:
        """Called at the begin of a run with its model."""
        # Not the model itself: it has the record, and would be freed by the garbage collector only.
        self._model = weakref.ref(model)

    def __getstate__(self) -> dict[str, Any]:
        """What copy and pickle take along: all but the model."""
        return {name: value for name, value in vars(self).items() if name != "_model"}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin the numbers anew; values stay and are added to, where one History serves several runs."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Record an epoch."""
        self._extend(epoch, {name: [value] for name, value in (logs or {}).items()})

    def _extend(self, epoch: int, logs: Mapping[str, list[Any]]) -> None:
        """Record several epochs, from number `epoch` on, or none if this is interrupted."""
        count = len(next(iter(logs.values()), [None]))
        if count == 0:
            return
        for name in logs:
            self.history.setdefault(name, [])
        lists: list[list[Any]] = [self.epoch, *(self.history[name] for name in logs)]
        atomic.extend_together(lists, [list(range(epoch, epoch + count)), *logs.values()])

    def get_state(self) -> dict[str, Any]:
        """The record so far."""
        return {"epoch": list(self.epoch), **{f"history/{name}": list(values) for name, values in self.history.items()}}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on with a record."""
        self.epoch = list(state["epoch"])
        self.history = {
            name.removeprefix("history/"): list(values) for name, values in state.items() if name != "epoch"
        }

    def __repr__(self) -> str:
        last = "".join(f", {name}={_shown(values[-1])}" for name, values in self.history.items() if values)
        return f"<History of {len(self.epoch)} epoch{'s' * (len(self.epoch) != 1)}{last}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the values of the first and the last epochs."""
        rows = max(map(len, self.history.values()), default=0)
        places = list(range(rows))
        if rows > 2 * _SHOWN_EPOCHS:
            places = [*places[:_SHOWN_EPOCHS], *places[-_SHOWN_EPOCHS:]]
        cells = []
        for before, place in zip([-1, *places], places, strict=False):
            if place != before + 1:
                cells.append(["…"] * (1 + len(self.history)))
            number = str(self.epoch[place] + 1) if len(self.epoch) == rows else str(place + 1)
            values = [_shown(of[place]) if len(of) == rows else "" for of in self.history.values()]
            cells.append([number, *values])
        numbers = range(1 + len(self.history))
        return html.table(repr(self)[1:-1], ["epoch", *self.history], cells, numbers)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return " ".join(np.array2string(value, precision=6, threshold=_SHOWN_NUMBERS, edgeitems=3).split())
    return f"{value:.6g}" if isinstance(value, float) else str(value)
