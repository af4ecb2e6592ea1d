"""The display of a run as a callback, for loops of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import display
from .base import Callback, Logs


class ProgbarLogger(Callback):
    """Shows a bar or lines, as ``verbose`` in `params` says; `fit` and `evaluate` do so without it.

    In a list of callbacks it takes the place of the display that ``verbose`` asks for.
    """

    def __init__(self) -> None:
        self._level = 1
        self._display: display.Display | None = None
        self._in_fit = False

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called at the begin of a run with ``epochs``, ``steps`` and ``verbose``."""
        super().set_params(params)
        self._level = display.resolve_verbose(params.get("verbose", 1))

    def _begin(self, title: str) -> None:
        self._display = display.display(self._level)
        self._display.begin(title, self.params.get("steps"))

    def _update(self, batch: int, logs: Logs | None) -> None:
        if self._display is not None:
            self._display.update(batch + 1, logs or {})

    def _end(self, logs: Logs | None) -> None:
        if self._display is not None:
            self._display.end(logs or {})
            self._close()

    def _close(self) -> None:
        if self._display is not None:
            self._display.close()
            self._display = None

    def _give_up(self) -> None:
        self._in_fit = False
        self._close()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Know that validations belong to a `fit`, and are not shown."""
        self._in_fit = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """The run is over."""
        self._in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin a bar."""
        self._begin(f"Epoch {epoch + 1}/{self.params.get('epochs', epoch + 1)}")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move it."""
        self._update(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """End it with all values."""
        self._end(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Begin the bar of an evaluation."""
        if not self._in_fit:
            self._begin("")

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move it."""
        if not self._in_fit:
            self._update(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """End it."""
        if not self._in_fit:
            self._end(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Begin the bar of a prediction."""
        self._begin("")

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move it."""
        self._update(batch, {})

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """End it."""
        self._end({})
