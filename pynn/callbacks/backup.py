"""A run that was killed goes on where it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..foundation import checks
from ..foundation.warning import warn
from .base import Callback, Logs
from .checkpoints import EveryBatches, SaveFreq

_NAME = "latest.pynn"


class Resumable(Protocol):
    """A run, as its backup sees it."""

    def write(self, path: str) -> None:
        """Write all that decides how the run goes on to a file, which is whole or not there."""

    def read(self, path: str) -> None:
        """Read such a file, and get ready to go on from there; ValueError if it is no such file, or of another run."""


class BackupAndRestore(Callback):
    """Keeps a backup of a run of `fit`, so that one that was killed goes on where it was, with the same bits.

    Start the same program again: the model made and compiled alike, `fit` called alike on the same data. What the
    backup has takes the place of the weights, the optimizer's state, the order of the samples, the position in the
    epoch, the `History`, and what the other callbacks of this library know. Callbacks of one's own are kept by their
    `get_state` and `set_state`. At the end of the run the backup is deleted.

    The first backup is made when the run begins.

    Args:
        backup_dir: The folder; it is made if it is not there. Nothing else may use it.
        save_freq: ``"epoch"`` (default): a backup at the end of each epoch; a number: after so many batches, each time.
        double_checkpoint: Whether to keep the backup before the last one, too, in case that the last one is damaged.
            Default ``False``.
        delete_checkpoint: Whether to delete the backup at the end. Default ``True``.

    Raises:
        ValueError: a bad argument; in `fit`, a backup of another model or of another run, or two of these
            callbacks. OSError: in `fit`, a file cannot be written.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: SaveFreq = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        self.backup_dir = checks.path(backup_dir, "backup_dir")
        if not self.backup_dir:
            raise ValueError("backup_dir must name a folder, but is empty.")
        self.save_freq = save_freq
        self.double_checkpoint = checks.boolean(double_checkpoint, "double_checkpoint")
        self.delete_checkpoint = checks.boolean(delete_checkpoint, "delete_checkpoint")
        self._due = EveryBatches(save_freq)
        self._run: Resumable | None = None

    @property
    def _latest(self) -> str:
        return os.path.join(self.backup_dir, _NAME)

    @property
    def _previous(self) -> str:
        return os.path.join(self.backup_dir, f"previous-{_NAME}")

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        rate = self.model.optimizer._learning_rate
        if callable(rate) and not hasattr(rate, "get_config"):
            warn(
                "The learning rate is a function. What it remembers is not in the backup: a run that is taken up may "
                "go on with other rates. Use one of pynn.optimizers.schedules."
            )

    def _take_up(self, run: Resumable) -> None:
        """Have the run go on from the backup, if there is one."""
        self._run, self._due.seen = run, 0
        found = [path for path in (self._latest, self._previous) if os.path.exists(path)]
        for path in found:
            try:
                run.read(path)
            except ValueError as error:
                if path == found[-1]:
                    raise ValueError(
                        f"The backup {path} cannot be taken up: {error} Call fit as before, or delete it."
                    ) from error
            else:
                return
        self._write()  # so that also a run that is killed before the first backup begins with the same weights

    def _write(self) -> None:
        assert self._run is not None
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint and os.path.exists(self._latest):
            os.replace(self._latest, self._previous)
        self._run.write(self._latest)

    def _patience(self) -> int | None:
        return None if self._run is None else self._due.left

    def _after_batches(self, count: int, batch: int, logs: Callable[[], Logs]) -> None:
        if self._due.count(count):
            self._write()

    def _after_epoch(self) -> None:
        """Back up, once the end of the epoch has been told to all callbacks."""
        if self._due.every == 0:
            self._write()

    def _give_up(self) -> None:
        self._run = None

    def _finish(self) -> None:
        """The run is over."""
        self._run = None
        if self.delete_checkpoint:
            for path in (self._latest, self._previous):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)
            with contextlib.suppress(OSError):  # something else is in the folder
                os.rmdir(self.backup_dir)
