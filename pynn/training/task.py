"""What the engine is asked to do, a stretch of steps or an evaluation, and what its totals mean.

The engine is handed as many batches a call as nothing needs to look at in between: all epochs of a silent run, one
epoch where a line is printed or validation data are evaluated after it, a tenth of a second's worth for a bar.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.dataset import Dataset
from ..data.layout import Layout
from ..foundation import parallel
from ..optimizers import Optimizer
from .heads import Heads
from .progress import Display

if TYPE_CHECKING:
    from .. import _core

# Seconds of work that a display waits for.
_REFRESH = 0.1


class Task(NamedTuple):
    """A network that is ready to train or evaluate, and how its totals are turned into logs."""

    trainer: _core.Trainer
    heads: Heads
    layout: Layout
    optimizer: Optimizer

    def evaluate(self, data: Dataset, batch_size: int, display: Display) -> dict[str, float]:
        """Losses and metrics over all samples. A loss of batches is their mean, by their samples."""
        totals = np.zeros(self.heads.columns)
        steps = -(-data.samples // batch_size)
        at_once = max(1, (steps if not display.wants_batches else steps // 50))
        if self.heads.depends_on_batches(bool(data.weights)):
            at_once = 1
        display.begin("", steps)
        for step in range(0, steps, at_once):
            part = data.part(slice(step * batch_size, (step + at_once) * batch_size))
            self.trainer.evaluate(totals, part.xs, part.ys, part.weights, parallel.get_num_threads())
            done = min((step + at_once) * batch_size, data.samples)
            display.update(min(step + at_once, steps), self.heads.logs(totals, done))
        logs = self.heads.logs(totals, data.samples)
        display.end(logs)
        return logs


class Order(NamedTuple):
    """In which order the samples are visited: by batches, each epoch of a model's life in an order of its own."""

    batch_size: int
    shuffle: bool = False
    seed: int = 0
    epoch: int = 0  # the number of the first epoch in the model's life


class Stretch:
    """Epochs that are trained without a look at what lies between, and how far they came."""

    def __init__(self, task: Task, data: Dataset, order: Order, epochs: int) -> None:
        self.task, self.data, self.order = task, data, order
        self.batches = -(-data.samples // order.batch_size)  # of an epoch
        self.steps = epochs * self.batches
        self.totals = np.zeros((epochs, task.heads.columns))
        self.done = 0

    @property
    def finished(self) -> int:
        """Epochs that are over."""
        return self.done // self.batches

    def run(self, display: Display) -> bool:
        """Train; False if the loss stopped being finite. `done` is right even if this raises."""
        trainer, optimizer = self.task.trainer, self.task.optimizer
        at_once = 1 if display.wants_batches else self.steps
        while self.done < self.steps:
            if optimizer._tell_rate():
                at_once = 1
            before, start = self.done, time.perf_counter()
            iterations, finite = trainer.iterations, False
            try:
                finite = trainer.train(
                    self.totals,
                    self.data.xs,
                    self.data.ys,
                    self.data.weights,
                    self.order.batch_size,
                    self.order.shuffle,
                    self.order.seed,
                    self.order.epoch,
                    before,
                    min(at_once, self.steps - before),
                    parallel.get_num_threads(),
                )
            finally:
                self.done = before + trainer.iterations - iterations
            if not finite:
                return False
            if display.wants_batches:
                seconds = (time.perf_counter() - start) / (self.done - before)
                at_once = max(1, int(_REFRESH / max(seconds, 1e-9)))
                display.update(self.done, self.logs(0, self.done))
        return True

    def finished_logs(self) -> dict[str, list[float]]:
        """Logs of the epochs that are over."""
        return self.task.heads.logs_of(self.totals[: self.finished], self.data.samples)

    def logs(self, row: int, steps: int) -> dict[str, float]:
        """Logs of the epoch in row `row` of the totals, after `steps` of its batches, the last perhaps failed.

        A step whose loss is not finite counts with its loss, and not with its metrics.
        """
        made = min(steps, self.done - row * self.batches)
        samples = min(steps * self.order.batch_size, self.data.samples)
        return self.task.heads.logs(self.totals[row], samples, measured=made > 0)


def warn_not_finite(where: str) -> None:
    """Tell that training stopped, with the caller of ``fit`` or ``train_on_batch`` as the place."""
    warnings.warn(
        f"The loss {where} is not finite. Training stopped, with the weights of the step before. "
        "Try a lower learning rate, clipnorm, or scaled inputs.",
        RuntimeWarning,
        stacklevel=5,
    )
