"""Callbacks that save the model."""

from __future__ import annotations

import math
import os
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..foundation import checks
from .base import Logs
from .monitors import Mode, Monitor, one_number

SaveFreq = int | Literal["epoch"]


class EveryBatches:
    """Counts batches over all epochs, up to a number of them, and again."""

    def __init__(self, freq: SaveFreq, name: str = "save_freq") -> None:
        if isinstance(freq, str) and freq != "epoch":
            raise ValueError(f'{name} must be "epoch" or a number of batches, but got {freq!r}.')
        self.every = 0 if freq == "epoch" else checks.positive_int(freq, name)
        self.seen = 0

    @property
    def left(self) -> int | None:
        """Batches up to the next time; None for "epoch"."""
        return self.every - self.seen if self.every else None

    def count(self, batches: int) -> bool:
        """Count batches, at most those left; whether it is time."""
        self.seen += batches
        if self.seen != self.every:
            return False
        self.seen = 0
        return True


class ModelCheckpoint(Monitor):
    """Saves the model, or its weights, at the end of epochs or every so many batches. A missing folder is made.

    Args:
        filepath: The file; may have fields such as ``"{epoch:02d}-{val_loss:.2f}.pynn"``: the number of the epoch, from
            1, ``batch``, from 1, and the logs by name. After an epoch without validation its values are ``nan`` there.
        monitor: The value that ``save_best_only`` goes by, see `Monitor`. Default ``"val_loss"``.
        verbose: 1 tells of each file. Default ``0``.
        save_best_only: Whether to save only where the value is the best so far. Default ``False``.
        save_weights_only: Whether to save by ``model.save_weights`` instead of ``model.save``. Default ``False``.
        mode: ``"min"``, ``"max"`` or ``"auto"`` (default).
        save_freq: ``"epoch"`` (default), or the number of batches after which to save.
        initial_value_threshold: The best value to begin with. Default ``None``: the first value is the best.

    The best value is kept from one `fit` to the next, and in what `BackupAndRestore` writes.

    Raises:
        ValueError: a bad argument; when `fit` begins, a name that the logs do not have, a field that is not in them, a
            name that ends in ``.h5``, or a model that cannot be saved; later, a path that is no file's.
        OSError: the file cannot be written. The run ends, and the old file stays.
    """

    _kept = ("best",)

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: Mode = "auto",
        save_freq: SaveFreq = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.verbose = verbose
        self.save_best_only = checks.boolean(save_best_only, "save_best_only")
        self.save_weights_only = checks.boolean(save_weights_only, "save_weights_only")
        self.filepath = checks.model_file(filepath, self.save_weights_only)
        self.save_freq = save_freq
        self._due = EveryBatches(save_freq)
        self._epoch = 0
        self._names: list[str] = []  # of values that some epochs do not have
        if initial_value_threshold is not None:
            self.best = checks.finite(initial_value_threshold, "initial_value_threshold")

    def get_state(self) -> dict[str, Any]:
        """The best value, and the batches since the last file."""
        return {"best": self.best, "batches": self._due.seen}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` gave."""
        self.best, self._due.seen = state["best"], state["batches"]

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        if self._due.every:
            names = [name for name in names if not name.startswith("val_")]
        if self.save_best_only:
            super()._check_run(names, directions, more)
        self._names = list(names)
        if not more:
            self._path(0, 0 if self._due.every else None, dict.fromkeys(names, 0.0))
        self.model._check_saving(self.filepath, self.save_weights_only)

    def _path(self, epoch: int, batch: int | None, logs: Logs | None) -> str:
        """The name of the file; ValueError for a field that is not there."""
        values = {**dict.fromkeys(self._names, math.nan), **(logs or {}), "epoch": epoch + 1}
        if batch is not None:
            values["batch"] = batch + 1
        try:
            return _Filling().format(self.filepath, **values)
        except (KeyError, IndexError) as error:
            raise ValueError(
                f"filepath {self.filepath!r} has the field {error}, but there are: {', '.join(sorted(values))}."
            ) from None
        except (ValueError, AttributeError, TypeError) as error:
            raise ValueError(f"filepath {self.filepath!r} cannot be filled in: {str(error).rstrip('.')}.") from None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Know which epoch it is."""
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, unless it is done by batches."""
        if self._due.every == 0:
            self._save(epoch, None, logs)

    def _patience(self) -> int | None:
        return self._due.left

    def _after_batches(self, count: int, batch: int, logs: Callable[[], Logs]) -> None:
        if self._due.count(count):
            self._save(self._epoch, batch, logs())

    def _save(self, epoch: int, batch: int | None, logs: Logs | None) -> None:
        path = self._path(epoch, batch, logs)
        if self.save_best_only:
            value = self.get_monitor_value(logs)
            if value is None:
                return
            if not self._is_improvement(value, self.best):
                if self.verbose > 0:
                    print(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {_shown(self.best)}")
                return
            if self.verbose > 0:
                print(f"\nEpoch {epoch + 1}: {self.monitor} improved from {_shown(self.best)} to {_shown(value)}")
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.save_best_only:
            self.best = value  # after the file is there: a save that failed counts as none
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: saved to {path}")


class _Filling(string.Formatter):
    """Fills in fields. Where one has a format, an array must be one number."""

    _field = ""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        self._field = field_name
        return super().get_field(field_name, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec and isinstance(value, np.ndarray):
            value = one_number(value, f"it has the field {self._field!r}")
        return str(super().format_field(value, format_spec))


def _shown(value: float | None) -> str:
    return "None" if value is None else f"{value:.5f}"
