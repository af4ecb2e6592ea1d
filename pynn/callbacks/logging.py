"""Callbacks that write what a run tells: to a file of lines, and for TensorBoard."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..foundation import checks
from .base import Callback, Logs
from .checkpoints import EveryBatches


class CSVLogger(Callback):
    """Writes a line with epoch and logs for each epoch to a file.

    Args:
        filename: The file.
        separator: Between the values. Default ``","``.
        append: Whether to add to a file that is there; its first line then names the values. Default ``False``: it is
            written anew in each run.

    The columns are the epoch, from 0, and the names of the logs in alphabetical order. What an epoch does not have is
    ``NA``.

    Raises:
        ValueError: a separator that is not one character. OSError: when `fit` begins, the file cannot be written.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename = checks.path(filename, "filename")
        self.sep = checks.text(separator, "separator")
        if len(self.sep) != 1 or self.sep in '"\r\n':
            raise ValueError(f"separator must be one character, no quote and no line end, but got {separator!r}.")
        self.append = checks.boolean(append, "append")
        self._names: list[str] = []
        self._announced: list[str] = []
        self._started = False

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        self._announced = list(names)

    def get_state(self) -> dict[str, Any]:
        """How long the file is, so that a run that goes on can cut off what was written since."""
        there = (self._started or self.append) and os.path.exists(self.filename)
        size = os.path.getsize(self.filename) if there else 0
        return {"bytes": size, "names": list(self._names), "started": self._started}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` gave."""
        self._names, self._started = list(state["names"]), state["started"]
        if (self._started or self.append) and os.path.exists(self.filename):
            with open(self.filename, "r+b") as file:
                file.truncate(min(state["bytes"], os.path.getsize(self.filename)))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """A new run: the file is begun with its first epoch. An error now costs no epoch."""
        self._names, self._started = [], False
        with open(self.filename, "a", encoding="utf-8"):
            pass

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        logs = logs or {}
        if not self._started:
            self._begin(logs)
        self._write("a", [epoch, *(_plain(logs.get(name, "NA")) for name in self._names)])

    def _begin(self, logs: Logs) -> None:
        import csv  # slow to import

        if self.append and os.path.exists(self.filename) and os.path.getsize(self.filename):
            with open(self.filename, newline="", encoding="utf-8") as file:
                self._names = next(csv.reader(file, delimiter=self.sep))[1:]
        else:
            self._names = sorted({*logs, *self._announced})
            self._write("w", ["epoch", *self._names])
        self._started = True

    def _write(self, mode: Literal["a", "w"], row: list[Any]) -> None:
        import csv

        with open(self.filename, mode, newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=self.sep, lineterminator="\n").writerow(row)


def _plain(value: Any) -> Any:
    """A number or text as it is, an array as its values in brackets."""
    if hasattr(value, "ndim") and value.ndim:
        return f"[{', '.join(map(str, value.tolist()))}]"
    return value


class TensorBoard(Callback):
    """Writes losses, metrics and the learning rate for TensorBoard, through the package ``tensorboardX``.

    The runs are ``log_dir/train`` and ``log_dir/validation``, the values ``epoch_loss`` and so on, as in Keras. Those
    of each evaluation, also outside `fit`, are ``evaluation_loss_vs_iterations`` and so on, by the number of updates.
    Of a metric that gives an array, each number is a value of its own: ``epoch_f1_score/0``.

    Args:
        log_dir: The folder. Default ``"logs"``.
        histogram_freq: After how many epochs to write histograms of the weights, each time. Default ``0``: never.
        write_graph, write_images, profile_batch, embeddings_freq, embeddings_metadata: Without effect.
        write_steps_per_second: Whether to write how many steps a second each epoch made, and the batches up to each
            ``batch_loss``. Default ``False``.
        update_freq: ``"epoch"`` (default); or ``"batch"`` or a number: after how many batches to write ``batch_loss``
            and so on, too.

    Raises:
        ImportError: in `fit` and `evaluate`, tensorboardX is not installed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | Literal["epoch", "batch"] = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        self.log_dir = checks.path(log_dir, "log_dir")
        self.histogram_freq = checks.non_negative_int(histogram_freq, "histogram_freq")
        self.write_steps_per_second = checks.boolean(write_steps_per_second, "write_steps_per_second")
        self.update_freq = update_freq
        self._due = EveryBatches(1 if update_freq == "batch" else update_freq, "update_freq")
        self._writers: dict[str, Any] = {}
        self._batches = 0
        self._begun = 0.0, 0  # the epoch: when, and at which update
        self._looked = 0.0, 0  # the batches that come to the next values: when they began, and how many were before
        self._in_fit = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Find tensorboardX."""
        _summary_writer()
        self._batches = self._due.seen = 0
        self._in_fit = True

    def get_state(self) -> dict[str, Any]:
        """The batches of the run so far."""
        return {"batches": self._batches, "seen": self._due.seen}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` gave."""
        self._batches, self._due.seen = state["batches"], state["seen"]

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        self._give_up()

    def _give_up(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers, self._in_fit = {}, False

    def _write(self, run: str, name: str, value: Any, step: int) -> None:
        """Write a number, or each number of an array: ``name/0`` and so on."""
        if run not in self._writers:
            self._writers[run] = _summary_writer()(os.path.join(self.log_dir, run))
        for place, number in np.ndenumerate(value):
            self._writers[run].add_scalar("/".join(map(str, (name, *place))), float(number), step)

    def _patience(self) -> int | None:
        return self._due.left

    def _after_batches(self, count: int, batch: int, logs: Callable[[], Logs]) -> None:
        self._batches += count
        if not self._due.count(count):
            return
        values = dict(logs())
        if self.write_steps_per_second:
            (begun, before), self._looked = self._looked, (time.perf_counter(), self._batches)
            values["steps_per_second"] = (self._batches - before) / max(self._looked[0] - begun, 1e-9)
        for name, value in values.items():
            self._write("train", f"batch_{name}", value, self._batches)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the clock."""
        now = time.perf_counter()
        self._begun, self._looked = (now, self.model.optimizer.iterations), (now, self._batches)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Write what the evaluation came to."""
        for name, value in (logs or {}).items():
            self._write("validation", f"evaluation_{name}_vs_iterations", value, self.model.optimizer.iterations)
        if not self._in_fit:
            self._give_up()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's values."""
        values = {"learning_rate": self.model.optimizer.learning_rate, **(logs or {})}
        if self.write_steps_per_second:
            seconds, steps = time.perf_counter() - self._begun[0], self.model.optimizer.iterations - self._begun[1]
            values["steps_per_second"] = steps / max(seconds, 1e-9)
        for name, value in values.items():
            run = "validation" if name.startswith("val_") else "train"
            self._write(run, f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for weight in self.model.weights:
                self._writers["train"].add_histogram(f"{weight.path}/histogram", weight.numpy(), epoch)
        for writer in self._writers.values():
            writer.flush()


def _summary_writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ImportError("The callback TensorBoard needs the package tensorboardX: pip install tensorboardX") from None
    return SummaryWriter
