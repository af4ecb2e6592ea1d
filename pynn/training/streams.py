"""Runs over data that come batch by batch, from a `Source`: training, evaluation and prediction.

Each batch is data of its own. It is checked and prepared as by `train_on_batch`, and the engine is called once for it.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..callbacks import CallbackList
from ..callbacks.base import Logs
from ..callbacks.display import Display
from ..data.dataset import Dataset
from ..data.layout import Layout
from ..data.py_dataset import PyDataset
from ..foundation import parallel
from ..foundation.warning import warn
from . import samples
from .compiling import Choice
from .heads import NOTHING, Heads
from .measuring import NO_OUTS
from .model import Trainable
from .prepare import LeftAside, prepared
from .run import Run, Validation
from .sources import Batch, Source
from .task import Order, Stretch, Task, check_batches

Array = NDArray[Any]

# Stands for the data of steps that have their own.
_NO_DATA = Dataset((np.empty((1, 0)),), ())


class Preparing:
    """How a batch becomes what the engine takes. Within `fit` the model's lock is held.

    Args:
        beside: What the model takes in the `fit` whose validation this is; None: it is none.
    """

    def __init__(
        self,
        model: Trainable,
        name: str,
        check_finite: bool,
        class_weight: Any = None,
        in_fit: bool = False,
        beside: Layout | None = None,
    ) -> None:
        self._model, self._name, self._check_finite = model, name, check_finite
        self._class_weight, self._in_fit, self._beside = class_weight, in_fit, beside
        self._left_aside = LeftAside(name)

    def data_of(self, batch: Batch, choice: Choice | None = None) -> tuple[Layout, Heads, Dataset, Choice | None]:
        """What the engine takes, and what is chosen, as `prepared`; TypeError or ValueError as for arrays.

        The model stays as it is.
        """
        model = self._model
        if self._beside is not None:
            layout = model._layout_beside(batch.x, "x", self._beside)
        else:
            layout = model._layout_to_train(batch.x) if self._in_fit else model._layout_for(batch.x, "x")
        samples.check_class_weight(self._class_weight, layout.outputs)
        x = self._left_aside.taken(layout.inputs, batch.x)
        heads, data, choice = prepared(
            model, layout, x, batch.y, batch.weights, self._check_finite, batches=self._name, choice=choice
        )
        return layout, heads, samples.with_class_weights(data, heads, self._class_weight, layout.dtype), choice

    def __call__(self, batch: Batch) -> tuple[Task, Dataset]:
        """The same, and the network for it."""
        layout, _, data, choice = self.data_of(batch)
        if data.rows_at_once is not None:  # sparse samples
            data = data.rows(slice(None))
        rows, model = data.samples, self._model
        if choice is not None and not model._decide(choice, layout, rows):
            return self(batch)
        if self._beside is not None:
            task = model._task_beside(layout, rows)
        else:
            task = model._task_to_train(layout, rows) if self._in_fit else model._task(layout, rows)
        check_batches(task.plan, rows, rows)
        return task, data


class BatchSteps(Stretch):
    """Steps of an epoch, one a batch."""

    def __init__(self, task: Task, source: Source, prepare: Preparing, order: Order, steps: int | None) -> None:
        self.task, self.source, self._prepare, self.order = task, source, prepare, order
        self.steps, self._whole_passes = sys.maxsize if steps is None else steps, steps is None
        self.totals, self.first, self.done = np.zeros((1, task.heads.columns)), 0, 0
        self.rows = self._failed = 0  # of the steps that were made, and of one whose loss is not finite
        self.measuring = task._measuring(_NO_DATA, 1)

    def is_over(self) -> bool:
        """Whether all steps were made, or the batches ran out."""
        if self.done >= self.steps:
            return True
        if self.source.has_more():
            return False
        if self._whole_passes or self.source.once:
            return True
        self.source.begin_pass(self.source.passes + 1, order=self.order)
        return not self.source.has_more()

    def advance(self, steps: int) -> bool:
        """As for arrays; there may be fewer batches than asked for."""
        end = self.done + steps
        while self.done < end and not self.is_over():
            task, data = self._prepare(self.source.take())
            _, rates = task.optimizer._next_rates(1)
            outs, of_engine, measuring = NO_OUTS, task.heads.for_engine(data), self.measuring
            if measuring is not None:
                measuring.begin_data(task.heads, task.layout, task.masks, data)
                outs = measuring.room(data.samples)
            iterations = task.trainer.iterations
            try:
                finite = task.trainer.train(
                    self.totals,
                    of_engine.xs,
                    of_engine.ys,
                    of_engine.weights,
                    data.samples,
                    False,
                    0,
                    0,
                    0,
                    1,
                    parallel.get_num_threads(),
                    rates,
                    outs,
                )
            finally:
                made = task.trainer.iterations - iterations
                self.done += made
                self.rows += made * data.samples
            if not finite:
                self._failed = data.samples
                return False
            if measuring is not None:
                measuring.take(outs, data.samples)
        return True

    def logs(self, failed: bool = False) -> Logs:
        """As for arrays."""
        values = self.measuring.values() if self.measuring is not None and self.done else NOTHING
        return self.task.heads.logs(self.totals[0], self.rows + self._failed * failed, self.done > 0, values)


class StreamRun(Run):
    """A run of `fit` over batches."""

    def __init__(
        self,
        model: Trainable,
        steps: int | None,
        source: Source,
        prepare: Preparing,
        task: Task,
        order: Order,
        validation: Validation | None,
        calls: CallbackList,
        display: Display,
        epochs: range,
    ) -> None:
        super().__init__(model, steps or source.number, _NO_DATA, task, order, validation, calls, display, epochs)
        self._silent = None
        self.source, self._prepare, self._given_steps, self._rows = source, prepare, steps, 0
        self._made = 0  # the steps of the last epoch
        source.begin_pass(order.epoch, order=order)

    def train(self) -> None:
        """Train up to the last epoch, or until the batches run out."""
        if self.backup is not None and self.source.once:
            warn(
                f"{self.source.name} is a generator, which has no position: a run that is taken up goes on with the "
                "first batches that it gives then, and not with the bits of one that was never interrupted. A "
                "pynn.utils.PyDataset has one."
            )
        super().train()

    def _goes_on(self) -> bool:
        if self._resumed is not None or self.source.has_more():
            return True
        if self.source.once:
            warn(
                f"{self.source.name} ran out of batches, and training stopped after {self.epoch} of {self.last} "
                "epochs. Give a generator that goes on, or something that can be gone through again."
            )
            return False
        self.source.begin_pass(self.source.passes + 1, order=self.order)
        return True

    def _one_epoch(self) -> bool:
        if isinstance(self.source.x, PyDataset):
            self.source.x.on_epoch_begin()
        finite = super()._one_epoch()
        if isinstance(self.source.x, PyDataset):
            self.source.x.on_epoch_end()
        if finite and self.epoch == self.last and not self.model.stop_training:  # else `_goes_on` tells, or nobody need
            _tell_of_fewer(self.source, self._made, self._given_steps)
        return finite

    def _begin_stretch(self) -> Stretch:
        stretch = BatchSteps(self.task, self.source, self._prepare, self.order, self._given_steps)
        stretch.rows, self._rows = self._rows, 0
        return stretch

    def _move_on(self, stretch: Stretch, steps: int) -> None:
        self.order, self.step, self._made = self.order._replace(epoch=self.source.passes), self.source.step, steps
        self.model._passed(self.source.passes + (self.source.step > 0))

    def _of(self) -> dict[str, Any]:
        return {
            "batches": self.source.number,
            "shuffle": self.order.shuffle,
            "steps_per_epoch": self._given_steps,
            "logs": self.task.heads.names,
        }

    def _where(self) -> dict[str, Any]:
        rows = self.stretch.rows if isinstance(self.stretch, BatchSteps) else 0
        return {**super()._where(), "rows": rows, "taken": [self.source.passes, self.source.step]}

    def _go_to(self, where: dict[str, Any], seed: int) -> None:
        super()._go_to(where, seed)
        self._rows = where["rows"]
        passes, step = where["taken"]
        self.source.begin_pass(passes, step, self.order)


class StreamValidation(Validation):
    """An evaluation on batches after epochs.

    Raises:
        TypeError, ValueError: the first batch does not fit; or a generator cannot do for the epochs `run`.
    """

    def __init__(
        self,
        model: Trainable,
        source: Source,
        steps: int | None,
        epochs: int | Sequence[int],
        check_finite: bool,
        run: range,
        choice: Choice | None,
        beside: Layout,
    ) -> None:
        self._source, self._steps, self._epochs = source, steps, epochs
        self._prepare = Preparing(model, source.name, check_finite, beside=beside)
        self.layout = self._prepare.data_of(source.first(), choice)[0]
        if source.once and steps is None and sum(map(self.is_due, run)) > 1:
            raise ValueError(
                f"{source.name} is a generator, which can be gone through once: give validation_steps, or something "
                "that can be gone through again."
            )

    def get_ready(self, model: Trainable, task: Task, rows: int) -> None:
        """Batches are looked at as they come."""

    def evaluate(self, task: Task, calls: CallbackList) -> Logs:
        """Losses and metrics."""
        if not self._source.once:
            self._source.begin_pass(0)
        return evaluated(task, self._source, self._prepare, self._steps, Display(), calls)


def _tell_of_fewer(source: Source, made: int, steps: int | None) -> None:
    """Warn where there were batches for fewer steps than were asked for; of none there is an error."""
    if steps is not None and 0 < made < steps:
        warn(f"{source.name} ran out of batches: {made} of {steps} steps were made.")


def evaluated(
    task: Task,
    source: Source,
    prepare: Callable[[Batch], tuple[Task, Dataset]],
    steps: int | None,
    display: Display,
    calls: CallbackList,
) -> Logs:
    """Losses and metrics over the batches, or so many of them; ValueError if there are none."""
    totals, rows, each, logs = np.zeros(task.heads.columns), 0, calls.wants_batches("test"), Logs()
    measuring = task._measuring(_NO_DATA, 1)
    if each:
        calls._go_on("stop_evaluating")
    calls.on_test_begin()
    display.begin("", steps or source.number)
    for step in itertools.count() if steps is None else range(steps):
        if not source.has_more():
            _tell_of_fewer(source, step, steps)
            break
        if each:
            calls.on_test_batch_begin(step)
        of_batch, data = prepare(source.take())
        if measuring is not None:
            measuring.begin_data(of_batch.heads, of_batch.layout, of_batch.masks, data)
        of_heads = of_batch.heads.depends_on_batches(bool(data.weights) or any(of_batch.masks))
        one_by_one = each or bool(of_batch.plan.state_samples) or of_heads
        of_batch._evaluate_part(totals, data, measuring, step == 0 or one_by_one)
        rows += data.samples
        if each or display.wants_batches:
            logs = task._logs(totals, rows, measuring)
            display.update(step + 1, logs)
        if each:
            calls.on_test_batch_end(step, logs)
            if calls._is_told("stop_evaluating"):
                break
    if not rows:
        raise ValueError(f"{source.name} ran out of batches: there is nothing to evaluate on.")
    logs = task._logs(totals, rows, measuring)
    task.heads.tell(totals)
    display.end(logs)
    calls.on_test_end(logs)
    return logs


def predicted(
    source: Source, compute: Callable[[Any], Any], steps: int | None, display: Display, calls: CallbackList
) -> list[Any]:
    """What `compute` gives for each batch, or for so many of them; ValueError if there are none."""
    found, each = [], calls.wants_batches("predict")
    if each:
        calls._go_on("stop_predicting")
    calls.on_predict_begin()
    display.begin("", steps or source.number)
    for step in itertools.count() if steps is None else range(steps):
        if not source.has_more():
            _tell_of_fewer(source, step, steps)
            break
        if each:
            calls.on_predict_batch_begin(step)
        found.append(compute(source.take().x))
        display.update(step + 1, {})
        if each:
            calls.on_predict_batch_end(step, {"outputs": found[-1]})
            if calls._is_told("stop_predicting"):
                break
    if not found:
        raise ValueError(f"{source.name} ran out of batches: there is nothing to predict for.")
    display.end({})
    calls.on_predict_end()
    return found
