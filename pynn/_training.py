"""The training loop: epochs and validation around the engine, which runs the batches.

The engine is handed as many batches a call as nothing needs to look at in between: all epochs of a silent run, one
epoch where a line is printed or validation data are evaluated after it, a tenth of a second's worth for a bar.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._progress import Display
from .foundation import parallel

if TYPE_CHECKING:
    from . import _core
    from .callbacks import History
    from .losses import Loss
    from .metrics import Metric

# Of one native call: bounds the memory of the totals, two numbers or more an epoch.
_MOST_EPOCHS = 10_000
# Seconds of work that a display waits for.
_REFRESH = 0.1


class Data(NamedTuple):
    """Samples and targets as the engine takes them: two-dimensional samples, one target or label row a sample."""

    x: NDArray[Any]
    y: NDArray[Any]

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.x)


class Task(NamedTuple):
    """A network that is ready to train or evaluate, and how its totals are turned into logs."""

    network: _core.Network
    loss: Loss
    metrics: list[Metric]
    rows: int  # of a sample: the loss and the metrics have a value for each

    def logs(self, totals: NDArray[np.float64], samples: int) -> dict[str, float]:
        """Loss and metrics, by name, from the engine's totals over so many samples."""
        return {name: values[0] for name, values in self.logs_of(totals[None], samples).items()}

    def logs_of(self, totals: NDArray[np.float64], samples: int) -> dict[str, list[float]]:
        """As `logs`, for a row of totals an epoch."""
        logs: dict[str, list[float]] = {"loss": (totals[:, 0] / samples).tolist()}
        for column, metric in enumerate(self.metrics, start=1):
            means = (totals[:, column] / (samples * self.rows)).tolist()
            logs[metric.name] = [metric.finish(mean) for mean in means]
        return logs

    def evaluate(self, data: Data, batch_size: int, display: Display) -> dict[str, float]:
        """Loss and metrics over all samples. With ``reduction="sum"`` the loss is that of a batch, on average."""
        totals = np.zeros(1 + len(self.metrics))
        steps = -(-data.samples // batch_size)
        at_once = 1 if not self.loss.averages else max(1, (steps if not display.wants_batches else steps // 50))
        display.begin("", steps)
        for step in range(0, steps, at_once):
            part = slice(step * batch_size, (step + at_once) * batch_size)
            x, y = data.x[part], data.y[part]
            sums = np.zeros(len(totals) + 1)
            self.network.evaluate(sums, x, y, parallel.get_num_threads())
            sums[0] *= len(x) if not self.loss.averages else 1 / self.rows
            sums[0] += sums[-1]  # the penalties
            totals += sums[:-1]
            display.update(
                min(step + at_once, steps), self.logs(totals, min((step + at_once) * batch_size, data.samples))
            )
        logs = self.logs(totals, data.samples)
        display.end(logs)
        return logs


class Plan(NamedTuple):
    """What ``fit`` was asked for."""

    batch_size: int
    epochs: range
    shuffle: bool
    seed: int
    trained: int  # epochs that the model has behind it: each epoch of its life has an order of its own


class _Epochs:
    """Epochs that one loop over native calls trains, and how far it came."""

    def __init__(self, task: Task, data: Data, plan: Plan, first: int, count: int) -> None:
        self.task, self.data, self.plan = task, data, plan
        self.first = plan.trained + first - plan.epochs.start
        self.batches = -(-data.samples // plan.batch_size)
        self.steps = count * self.batches
        self.totals = np.zeros((count, 1 + len(task.metrics)))
        self.done = 0

    def run(self, display: Display) -> bool:
        """Train; False if the loss stopped being finite. `done` is right even if this raises."""
        at_once = 1 if display.wants_batches else self.steps
        while self.done < self.steps:
            before, start = self.done, time.perf_counter()
            finite = False
            try:
                finite = self.task.network.train(
                    self.totals,
                    self.data.x,
                    self.data.y,
                    self.plan.batch_size,
                    self.plan.shuffle,
                    self.plan.seed,
                    self.first,
                    before,
                    min(at_once, self.steps - before),
                    parallel.get_num_threads(),
                )
            finally:
                self.done = before + self.task.network.steps_done
            if not finite:
                return False
            if display.wants_batches:
                seconds = (time.perf_counter() - start) / (self.done - before)
                at_once = max(1, int(_REFRESH / max(seconds, 1e-9)))
                display.update(self.done, self.logs(0, self.done))
        return True

    def logs(self, row: int, steps: int) -> dict[str, float]:
        """Logs of the epoch in row `row` of the totals, after `steps` of its batches."""
        samples = min(steps * self.plan.batch_size, self.data.samples)
        return self.task.logs(self.totals[row], samples)


def run_epochs(task: Task, data: Data, validation: Data | None, plan: Plan, display: Display, history: History) -> bool:
    """Train as planned and fill `history`; False if the loss stopped being finite.

    An epoch that an exception cuts short is not recorded; the weights are those of the last finished step.
    """
    watched = validation is not None or display.wants_epochs
    epoch = plan.epochs.start
    while epoch < plan.epochs.stop:
        count = 1 if watched else min(plan.epochs.stop - epoch, _MOST_EPOCHS)
        epochs = _Epochs(task, data, plan, epoch, count)
        display.begin(f"Epoch {epoch + 1}/{plan.epochs.stop}", epochs.batches)
        finite = False
        try:
            finite = epochs.run(display)
        finally:
            finished = epochs.done // epochs.batches
            if not watched:
                history.extend(epoch, task.logs_of(epochs.totals[:finished], data.samples))
        if not finite:
            step = epochs.done % epochs.batches
            history.append(epoch + finished, epochs.logs(finished, step + 1))
            _warn_not_finite(f"in epoch {epoch + finished + 1}, step {step + 1}")
            return False
        if watched:
            logs = epochs.logs(0, epochs.batches)
            if validation is not None:
                values = task.evaluate(validation, plan.batch_size, Display())
                logs.update({f"val_{name}": value for name, value in values.items()})
            history.append(epoch, logs)
            display.end(logs)
        epoch += count
    return True


def train_batch(task: Task, data: Data) -> dict[str, float]:
    """One step on all samples as one batch; its loss and metrics before the step."""
    epochs = _Epochs(task, data, Plan(data.samples, range(1), False, 0, 0), 0, 1)
    if not epochs.run(Display()):
        _warn_not_finite("of this batch")
    return epochs.logs(0, 1)


def _warn_not_finite(where: str) -> None:
    warnings.warn(
        f"The loss {where} is not finite. Training stopped, with the weights of the step before. "
        "Try a lower learning rate, clipnorm, or scaled inputs.",
        RuntimeWarning,
        stacklevel=4,
    )
