"""The training loop, from top to bottom."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..callbacks import History
from ..foundation import checks
from . import arguments, progress, samples
from .arguments import BatchSize, Verbose
from .model import Trainable
from .progress import Display
from .task import Stretch, Task, warn_not_finite

# Epochs of one stretch: bounds the memory of the totals, two numbers or more an epoch.
_MOST_EPOCHS = 10_000


@contextlib.contextmanager
def averages(model: Trainable, task: Task) -> Iterator[None]:
    """At the end the weights become their averages, where the optimizer keeps some, as in Keras also after an error."""
    try:
        yield
    finally:
        if task.optimizer.use_ema:
            task.optimizer.finalize_variable_values(model.trainable_weights)


def fit(
    model: Trainable,
    x: Any,
    y: Any,
    batch_size: BatchSize,
    epochs: int,
    verbose: Verbose,
    validation_split: float,
    validation_data: Any,
    shuffle: bool,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    check_finite: bool,
) -> History:
    """Train; see ``Model.fit``. Nothing is changed before all arguments are checked."""
    model._require_compiled()
    level = progress.resolve_verbose(verbose)
    shuffle = checks.boolean(shuffle, "shuffle")
    last = checks.non_negative_int(epochs, "epochs")
    epoch = checks.non_negative_int(initial_epoch, "initial_epoch")
    share = checks.unit_interval(validation_split, "validation_split")
    check_finite = checks.boolean(check_finite, "check_finite")

    with model._alone():
        layout = model._layout_to_train(x)
        heads = model._heads_for(layout)
        samples.check_class_weight(class_weight, layout.outputs)
        data, validation = samples.dataset_of(layout, heads, x, y, sample_weight, check_finite), None
        if validation_data is not None:
            given = arguments.x_y_weights(validation_data)
            validation = samples.dataset_of(layout, heads, *given, check_finite, "validation_data: ")
        elif share > 0:
            data, validation = data.split(share)
        data = samples.with_class_weights(data, heads, class_weight, layout.dtype)
        size = arguments.batch_size_of(batch_size, data.samples)
        task = model._task_to_train(layout)
        history = History(model, {"epochs": last, "steps": -(-data.samples // size), "verbose": level})
        order = model._begin(history, size, shuffle)

        with averages(model, task), progress.display(level) as display:
            watched = validation is not None or display.wants_epochs
            while epoch < last:
                stretch = Stretch(task, data, order, 1 if watched else min(last - epoch, _MOST_EPOCHS))
                display.begin(f"Epoch {epoch + 1}/{last}", stretch.batches)
                finite = False
                try:
                    finite = stretch.run(display)
                finally:  # an epoch that an exception cuts short is not recorded
                    if not watched:
                        history.extend(epoch, stretch.finished_logs())
                epoch, order = epoch + stretch.finished, order._replace(epoch=order.epoch + stretch.finished)
                if not finite:
                    step = stretch.done % stretch.batches + 1
                    history.append(epoch, stretch.logs(stretch.finished, step))
                    warn_not_finite(f"in epoch {epoch + 1}, step {step}")
                    break
                if watched:
                    logs = stretch.logs(0, stretch.batches)
                    if validation is not None:
                        values = task.evaluate(validation, size, Display())
                        logs.update({f"val_{name}": value for name, value in values.items()})
                    history.append(epoch - 1, logs)
                    display.end(logs)
        return history
