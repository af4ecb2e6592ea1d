"""A run of `fit`: epochs, callbacks, validation.

The engine is handed as many steps a call as nothing needs to look at in between: all epochs of a silent run, one epoch
where something follows it (a line, a validation, a callback), one batch where a callback asks for batches, a tenth of a
second's worth for a bar.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from ..callbacks import BackupAndRestore, CallbackList, History, TerminateOnNaN
from ..callbacks.base import Logs
from ..callbacks.display import Display
from ..data.dataset import Dataset
from ..data.layout import Layout
from . import resume
from .model import Trainable
from .task import Order, Stretch, Task, check_batches

# Seconds of work that a display waits for.
_REFRESH = 0.1
# Epochs that are handed over at once: bounds the memory of the totals, two numbers or more an epoch.
_MOST_EPOCHS = 10_000


class Validation:
    """What is evaluated after epochs.

    Args:
        data, batch_size: The samples.
        steps: How many batches; None: all.
        epochs: After each so many epochs, or after those, counted from 1.
        layout: What the model takes and gives for these samples, which may have other lengths than those that train.
    """

    def __init__(
        self, data: Dataset, batch_size: int, steps: int | None, epochs: int | Sequence[int], layout: Layout
    ) -> None:
        self._data, self._batch_size, self._steps, self._epochs = data, batch_size, steps, epochs
        self.layout = layout
        self._task: Task | None = None  # where it is not the one that trains

    def get_ready(self, model: Trainable, task: Task, rows: int) -> None:
        """Have a network for these samples beside the one that trains, where that is for others.

        Raises:
            ValueError: a model that keeps states from batch to batch cannot take these batches.
        """
        if self.layout != task.layout:
            task = self._task = model._task_beside(self.layout, rows)
        check_batches(task.plan, self._data.samples, min(self._batch_size, self._data.samples))

    def is_due(self, epoch: int) -> bool:
        """Whether it follows this epoch, counted from 0."""
        return (epoch + 1) % self._epochs == 0 if isinstance(self._epochs, int) else epoch + 1 in self._epochs

    def evaluate(self, task: Task, calls: CallbackList) -> Logs:
        """Losses and metrics."""
        return (self._task or task).evaluate(self._data, self._batch_size, Display(), calls, self._steps)


class Run:
    """Where a call of `fit` is.

    Attributes:
        epoch: The number of the epoch, from 0.
        stretch: The steps of the epoch; None between epochs.
        logs: Those of the last epoch.
        failed: Where a loss was not finite, for a warning.
    """

    def __init__(
        self,
        model: Trainable,
        steps: int | None,
        data: Dataset,
        task: Task,
        order: Order,
        validation: Validation | None,
        calls: CallbackList,
        display: Display,
        epochs: range,
    ) -> None:
        self.model, self.task, self.data, self.order = model, task, data, order
        self.steps = steps  # of an epoch; None: nobody knows
        self.validation, self.calls, self.display = validation, calls, display
        self.epoch, self.last = epochs.start, epochs.stop
        self.step = 0  # of the pass over the data, `order.epoch`, that comes next
        self.stretch: Stretch | None = None
        self.logs: Logs = {}
        self.failed: str | None = None
        self.batches = -(-data.samples // order.batch_size)  # of a pass
        self._resumed: Callable[[Stretch], None] | None = None  # what makes an epoch that which a backup was made in
        self.backup = calls._first(BackupAndRestore)
        # The record of a run that nobody looks at. Metrics in Python begin anew with each epoch.
        only = calls.callbacks[0] if len(calls.callbacks) == 1 and not task.heads.handed else None
        seen = validation is not None or display.wants_epochs or steps != self.batches
        self._silent = only if type(only) is History and not seen else None

    def train(self) -> None:
        """Train up to the last epoch."""
        self.calls.on_train_begin()
        if self.backup is not None:
            self.backup._take_up(self)
        while self.epoch < self.last and not self.model.stop_training and self._goes_on():
            finite = self._epochs(self._silent) if self._silent is not None else self._one_epoch()
            if not finite:
                break

    def _goes_on(self) -> bool:
        """Whether there are data for another epoch."""
        return True

    def _begin_stretch(self) -> Stretch:
        """The steps of the next epoch."""
        assert self.steps is not None
        return Stretch(self.task, self.data, self.order, self.steps, self.step)

    def _epochs(self, history: History) -> bool:
        """Many epochs, which nobody looks at before the end."""
        stretch = Stretch(self.task, self.data, self.order, min(self.last - self.epoch, _MOST_EPOCHS) * self.batches)
        finite = False
        try:
            finite = stretch.advance(stretch.steps)
        finally:  # an epoch that an exception cuts short is not recorded
            history._extend(self.epoch, stretch.logs_by_pass())
            epochs = stretch.finished
            if epochs:
                self.task.heads.tell(stretch.totals[epochs - 1])
            self.epoch += epochs
            self._move_on(stretch, stretch.done)
        if not finite:
            last = self._rest_of(stretch)
            history.on_epoch_end(self.epoch, last.logs(failed=True))
            self.epoch += 1
            self._end(last.done)
        return finite

    def _rest_of(self, stretch: Stretch) -> Stretch:
        """The steps of the pass in which many epochs ended."""
        rest = Stretch(self.task, self.data, self.order, self.batches)
        rest.totals[0] = stretch.totals[stretch.finished]
        rest.done = stretch.done % self.batches
        return rest

    def _one_epoch(self) -> bool:
        """An epoch; False if the loss stopped being finite."""
        calls, display = self.calls, self.display
        calls.on_epoch_begin(self.epoch)
        if self.model.stop_training and self._resumed is None:
            return True  # there is nothing to tell of an epoch without steps
        display.begin(f"Epoch {self.epoch + 1}/{self.last}", self.steps)
        stretch, moved_on = self._begin_stretch(), False
        self.stretch = stretch
        try:
            if self._resumed is not None:
                self._resumed(stretch)
                self._resumed = None
                display.update(stretch.done, {})
            finite = self._steps(stretch)
            self._move_on(stretch, stretch.done)  # a model that a callback saves now goes on with the next pass
            moved_on = True
            logs = self.logs = stretch.logs(failed=not finite)
            stretch.tell()
            if not finite:
                for each in self._terminating():
                    each._check(stretch.done, logs["loss"])
            display.update(stretch.done, logs)  # before the validation, whose time is not that of steps
            if finite and self.validation is not None and self.validation.is_due(self.epoch):
                values = self.validation.evaluate(self.task, calls)
                logs.update({f"val_{name}": value for name, value in values.items()})
            calls.on_epoch_end(self.epoch, logs)
            display.end(logs)
        finally:  # also after an error the next run has an order of its own
            self.stretch = None
            if not moved_on:
                self._move_on(stretch, stretch.done)
        self.epoch += 1
        if not finite:
            self._end(stretch.done)
        elif self.backup is not None:
            self.backup._after_epoch()
        return finite

    # ---- backups -----------------------------------------------------------------------------------------------------

    def _of(self) -> dict[str, Any]:
        """What a run must have in common with the one that a backup was made in."""
        order = self.order
        return {
            "samples": self.data.samples,
            "batch_size": order.batch_size,
            "shuffle": order.shuffle,
            "steps_per_epoch": self.steps,
            "logs": self.task.heads.names,
        }

    def write(self, path: str) -> None:
        """Write all that decides how the run goes on."""
        from ..storage.tensors import write_tensors

        stretch, where, arrays = self.stretch, self._where(), dict[str, NDArray[Any]]()
        callbacks = resume.of_callbacks(self.calls.callbacks, arrays)
        arrays.update({f"model/{name}": array for name, array in self.model.get_state().items()})
        if stretch is not None:
            arrays["totals"] = stretch.totals
            if stretch.measuring is not None:
                arrays.update({f"metrics/{name}": array for name, array in stretch.measuring.get_state().items()})
        where["logs"] = resume.pack(self.logs, "logs", arrays)
        write_tensors(path, arrays, {"run": self._of(), "where": where, "callbacks": callbacks})

    def _where(self) -> dict[str, Any]:
        """Where the run is."""
        return {
            "epoch": self.epoch,
            "pass": self.order.epoch,
            "step": self.step,
            "done": None if self.stretch is None else self.stretch.done,
            "stop": bool(self.model.stop_training),
            "frozen": [weight.native[0].frozen for weight in self.model.weights],  # callbacks may have set `trainable`
        }

    def _go_to(self, where: dict[str, Any], seed: int) -> None:
        """Be where `_where` was, in passes whose order is that of `seed`."""
        self.epoch, self.step = where["epoch"], where["step"]
        self.order = self.order._replace(seed=seed, epoch=where["pass"])

    def read(self, path: str) -> None:
        """Get ready to go on from what `write` wrote; ValueError if it is of another run."""
        from ..storage.tensors import read_tensors

        arrays, found = read_tensors(path)
        if not {"run", "where", "callbacks"} <= found.keys():
            raise ValueError("it is no backup of a run.")
        for name, own in self._of().items():
            if found["run"][name] != own:
                raise ValueError(f"it is of a run with {name}={found['run'][name]}, but here it is {own}.")
        restore = resume.restoring(self.calls.callbacks, found["callbacks"], arrays)
        where, state = found["where"], resume.below("model/", arrays)

        def go_on(stretch: Stretch | None) -> None:
            self.model.set_state(state)
            for weight, frozen in zip(self.model.weights, where["frozen"], strict=True):
                weight.native[0].frozen = frozen
            restore()
            self.model.stop_training = where["stop"]
            if stretch is not None:
                stretch.totals[...] = arrays["totals"]
                if stretch.measuring is not None:
                    stretch.measuring.set_state(resume.below("metrics/", arrays), where["done"])
                stretch.done = where["done"]

        # An epoch begins for all callbacks before they go on within it.
        if where["done"] is None:
            go_on(None)
        else:
            self.model.set_state(state)  # it may refuse, and is done again when the epoch has begun
            self._resumed = go_on
        self.logs = resume.unpack(where["logs"], "logs", arrays)  # should no epoch be left
        self._go_to(where, int(state["training/order_seed"]))

    # ---- steps -------------------------------------------------------------------------------------------------------

    def _steps(self, stretch: Stretch) -> bool:
        """The steps of an epoch; False if the loss stopped being finite."""
        calls, display, model = self.calls, self.display, self.model
        begin, end = calls.hooks("on_train_batch_begin"), calls.hooks("on_train_batch_end")
        waiting = [callback for callback in calls.callbacks if callback._patience() is not None]
        waiting.sort(key=lambda callback: callback is self.backup)  # last: it keeps what the others know
        each = bool(begin or end)
        at_once = 1 if each or display.wants_batches else stretch.steps
        while not model.stop_training and not stretch.is_over():
            batch, count, start = stretch.done, 1, 0.0
            if not each:
                count, start = min(at_once, stretch.steps - batch), time.perf_counter()
                for callback in waiting:
                    count = min(count, callback._patience() or count)
            for hook in begin:
                hook(batch, {})
            finite = stretch.advance(count)
            if end:
                logs = stretch.logs(failed=not finite)
                for hook in end:
                    hook(batch, logs)
            if not finite:
                return False
            for callback in waiting:
                callback._after_batches(count, stretch.done - 1, stretch.logs)
            if display.wants_batches:
                if not each:
                    seconds = (time.perf_counter() - start) / count
                    at_once = max(1, int(_REFRESH / max(seconds, 1e-9)))
                display.update(stretch.done, stretch.logs())
        return True

    def _move_on(self, stretch: Stretch, steps: int) -> None:
        """The next steps come after so many of a stretch."""
        passes, self.step = divmod(stretch.first + steps, self.batches)
        if passes > 0:
            self.order = self.order._replace(epoch=self.order.epoch + passes)
        self.model._passed(self.order.epoch + (self.step > 0))

    def _end(self, step: int) -> None:
        """Training ends, as the loss of this step of the last epoch is not finite."""
        quiet = self._terminating()
        for each in quiet:
            each._tell(step)
        if not quiet:
            self.failed = f"in epoch {self.epoch}, step {step + 1}"

    def _terminating(self) -> list[TerminateOnNaN]:
        return [each for each in self.calls.callbacks if isinstance(each, TerminateOnNaN)]
