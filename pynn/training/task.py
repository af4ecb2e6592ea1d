"""What the engine is asked to do, a stretch of steps or an evaluation, and what its totals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..callbacks import CallbackList
from ..callbacks.base import Logs
from ..callbacks.display import Display
from ..data.dataset import Dataset
from ..data.layout import Layout
from ..foundation import parallel
from ..foundation.native import core
from ..optimizers import Optimizer
from .heads import NOTHING, Heads
from .measuring import NO_OUTS, Measuring

if TYPE_CHECKING:
    from .. import _core


def check_batches(plan: _core.Plan, samples: int, batch_size: int) -> None:
    """Raise ValueError where a model keeps states from batch to batch, and not all batches have the size of these."""
    if plan.state_samples not in (0, batch_size):
        raise ValueError(
            f"The model is stateful and has the states of a batch of {plan.state_samples} samples, but got one of "
            f"{batch_size}. Batches must have one size; model.reset_states() lets another one come."
        )
    if plan.state_samples and samples % batch_size:
        raise ValueError(
            f"The model is stateful: all batches must have {batch_size} samples, but {samples} samples leave a last "
            f"batch of {samples % batch_size}. Leave them out, or choose a batch_size that divides {samples}."
        )


class Task(NamedTuple):
    """A network that is ready to train or evaluate, and how its totals are turned into logs."""

    trainer: _core.Trainer
    heads: Heads
    layout: Layout
    optimizer: Optimizer
    masks: tuple[int, ...]  # by output: the size of a sample of its mask, 0 where it has none
    plan: _core.Plan

    def evaluate(
        self,
        data: Dataset,
        batch_size: int,
        display: Display,
        calls: CallbackList,
        most_steps: int | None = None,
    ) -> Logs:
        """Losses and metrics over all samples, or over so many batches.

        A loss of batches is their mean, by their samples.
        """
        check_batches(self.plan, data.samples, min(batch_size, data.samples))
        steps = -(-data.samples // batch_size)
        if most_steps is not None and most_steps < steps:
            steps, data = most_steps, data.part(slice(most_steps * batch_size))
        each = calls.wants_batches("test")
        at_once = max(1, (steps if not display.wants_batches else steps // 50))
        of_heads = self.heads.depends_on_batches(bool(data.weights) or any(self.masks))
        one_by_one = each or bool(self.plan.state_samples) or of_heads
        if one_by_one:
            at_once = 1
        elif data.rows_at_once is not None:
            at_once = max(1, min(at_once, data.rows_at_once // batch_size))
        measuring = self._measuring(data, batch_size)
        if measuring is not None:
            at_once = measuring.steps_at_once(at_once)
        totals, done, logs = np.zeros(self.heads.columns), data.samples, Logs()
        if each:
            calls._go_on("stop_evaluating")
        calls.on_test_begin()
        display.begin("", steps)
        for step in range(0, steps, at_once):
            if each:
                calls.on_test_batch_begin(step)
            part = data if at_once >= steps else data.part(slice(step * batch_size, (step + at_once) * batch_size))
            self._evaluate_part(totals, part, measuring, step == 0 or one_by_one)
            if each or display.wants_batches:
                done = min((step + at_once) * batch_size, data.samples)
                logs = self._logs(totals, done, measuring)
                display.update(min(step + at_once, steps), logs)
            if each:
                calls.on_test_batch_end(step, logs)
                if calls._is_told("stop_evaluating"):
                    break
        logs = self._logs(totals, done, measuring)
        self.heads.tell(totals)
        display.end(logs)
        calls.on_test_end(logs)
        return logs

    def evaluate_batch(self, data: Dataset) -> Logs:
        """Losses and metrics of one batch."""
        totals = np.zeros(self.heads.columns)
        measuring = self._measuring(data, data.samples)
        self._evaluate_part(totals, data, measuring, True)
        self.heads.tell(totals)
        return self._logs(totals, data.samples, measuring)

    def _measuring(self, data: Dataset, batch_size: int) -> Measuring | None:
        """What shows the metrics in Python an evaluation; None where there are none."""
        return Measuring(self.heads, self.layout, self.masks, data, batch_size) if self.heads.handed else None

    def _evaluate_part(self, totals: NDArray[Any], part: Dataset, measuring: Measuring | None, first: bool) -> None:
        """Evaluate the next samples; with the `first` ones, or where each batch has a loss, all penalties count."""
        threads = parallel.get_num_threads()
        if part.rows_at_once is not None:
            part = part.rows(slice(None))
        of_engine = self.heads.for_engine(part) if self.heads.rearranges else part
        outs = NO_OUTS if measuring is None else measuring.room(part.samples)
        self.trainer.evaluate(totals, of_engine.xs, of_engine.ys, of_engine.weights, threads, outs, first)
        if measuring is not None:
            measuring.take(outs, part.samples)

    def _logs(self, totals: NDArray[Any], samples: int, measuring: Measuring | None) -> Logs:
        if measuring is None:
            return self.heads.logs(totals, samples)
        return self.heads.logs(totals, samples, values=measuring.values())


class Order(NamedTuple):
    """In which order the samples are visited: by batches, each pass of a model's life in an order of its own."""

    batch_size: int
    shuffle: bool = False
    seed: int = 0
    epoch: int = 0  # the number of the first pass in the model's life


class Stretch:
    """Steps one after the other, from step `first` of a pass over the data on, and how far they came."""

    def __init__(self, task: Task, data: Dataset, order: Order, steps: int, first: int = 0) -> None:
        self.task, self.data, self.order = task, data, order
        self.samples, self.sparse_rows = data.samples, data.rows_at_once
        self.batches = -(-self.samples // order.batch_size)  # of a pass
        self.steps, self.first = steps, first
        self.totals = np.zeros((max(first + steps - 1, 0) // self.batches + 1, task.heads.columns))  # a row a pass
        self.done = 0
        self._before = self._visited(first)
        self.measuring: Measuring | None = None
        self._of_engine = data
        self._permuted: tuple[int, NDArray[Any]] | None = None  # a pass, and its order
        if task.heads.rearranges:
            self._of_engine = task.heads.for_engine(data)
        if task.heads.handed:
            in_order = (order.seed, order.epoch) if order.shuffle else None
            self.measuring = Measuring(task.heads, task.layout, task.masks, data, order.batch_size, in_order, first)

    def is_over(self) -> bool:
        """Whether all steps were made."""
        return self.done >= self.steps

    @property
    def finished(self) -> int:
        """Passes that are over."""
        return (self.first + self.done) // self.batches

    def advance(self, steps: int) -> bool:
        """Make some of the steps; False if the loss stopped being finite. `done` is right even if this raises."""
        trainer, optimizer, order, measuring = self.task.trainer, self.task.optimizer, self.order, self.measuring
        before, end = self.done, self.done + steps
        while before < end:
            count, outs = end - before, NO_OUTS
            if measuring is not None:
                count = measuring.steps_at_once(count)
            if self.sparse_rows is not None:
                count = min(count, self._dense_steps(self.sparse_rows, before))
            count, rates = optimizer._next_rates(count)
            if measuring is not None:
                outs = measuring.room_for_steps(count)
            totals, data, shuffle, first = self.totals, self._of_engine, order.shuffle, self.first + before
            if self.sparse_rows is not None:
                totals, data, shuffle, first = *self._dense(before, count), False, 0
            iterations = trainer.iterations  # after a function was asked for the rate, which may set a state
            try:
                finite = trainer.train(
                    totals,
                    data.xs,
                    data.ys,
                    data.weights,
                    order.batch_size,
                    shuffle,
                    order.seed,
                    order.epoch,
                    first,
                    count,
                    parallel.get_num_threads(),
                    rates,
                    outs,
                )
            finally:
                self.done = before + trainer.iterations - iterations
            if measuring is not None:
                measuring.take_steps(outs, self.done - before)
            if not finite:
                return False
            before = self.done
        return True

    # ---- sparse samples become dense for some steps at a time, in the order in which these visit them

    def _dense_steps(self, rows: int, done: int) -> int:
        """How many steps to make at once: those whose samples fit into memory, and lie in one pass."""
        left = self.batches - (self.first + done) % self.batches
        return min(left, max(1, rows // self.order.batch_size))

    def _dense(self, done: int, count: int) -> tuple[NDArray[Any], Dataset]:
        """The row of totals and the data of `count` steps after those that are done."""
        passed, step = divmod(self.first + done, self.batches)
        size = self.order.batch_size
        rows: slice | NDArray[Any] = slice(step * size, min((step + count) * size, self.data.samples))
        if self.order.shuffle:
            if self._permuted is None or self._permuted[0] != passed:
                permuted = np.empty(self.data.samples, np.int64)
                core.permutation(permuted, self.order.seed, self.order.epoch + passed)
                self._permuted = passed, permuted
            rows = self._permuted[1][rows]
        return self.totals[passed : passed + 1], self._of_engine.rows(rows)

    def logs(self, failed: bool = False) -> Logs:
        """Losses and metrics of the steps so far.

        Args:
            failed: Whether a step followed whose loss was not finite. It counts with its loss, not with its metrics.
        """
        totals = self.totals[0] if len(self.totals) == 1 else self.totals.sum(axis=0)
        samples = self._visited(self.first + self.done + failed) - self._before
        values = self.measuring.values() if self.measuring is not None and self.done else NOTHING
        return self.task.heads.logs(totals, samples, self.done > 0, values)

    def tell(self) -> None:
        """Let the objects of metrics know what was seen in the steps so far."""
        self.task.heads.tell(self.totals[0] if len(self.totals) == 1 else self.totals.sum(axis=0))

    def logs_by_pass(self) -> dict[str, list[float]]:
        """Losses and metrics of each pass that is over."""
        return self.task.heads.logs_of(self.totals[: self.finished], self.samples)

    def _visited(self, steps: int) -> int:
        """How many samples so many steps have, from the begin of a pass on."""
        passes, more = divmod(steps, self.batches)
        return passes * self.samples + more * self.order.batch_size  # the last batch of a pass is none of the `more`
