"""The training loop, from top to bottom."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..callbacks import BackupAndRestore, CallbackList, History, ProgbarLogger
from ..callbacks import display as displays
from ..callbacks.display import Display
from ..data.dataset import Dataset
from ..data.layout import Layout
from ..data.py_dataset import gives_batches
from ..foundation import checks
from ..foundation.warning import warn
from . import arguments, samples
from .arguments import BatchSize, Verbose
from .compiling import Choice
from .heads import Heads
from .model import Trainable
from .prepare import prepared
from .run import Run, Validation
from .task import check_batches


def fit(
    model: Trainable,
    x: Any,
    y: Any,
    batch_size: BatchSize,
    epochs: int,
    verbose: Verbose,
    callbacks: Any,
    validation_split: float,
    validation_data: Any,
    shuffle: bool,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: BatchSize,
    validation_freq: int | Sequence[int],
    check_finite: bool,
) -> History:
    """Train; see ``Model.fit``. Nothing is changed before all arguments are checked."""
    model._require_compiled()
    level = displays.resolve_verbose(verbose)
    shuffle = checks.boolean(shuffle, "shuffle")
    last = checks.non_negative_int(epochs, "epochs")
    first = checks.non_negative_int(initial_epoch, "initial_epoch")
    share = checks.unit_interval(validation_split, "validation_split")
    check_finite = checks.boolean(check_finite, "check_finite")
    steps = arguments.optional_steps(steps_per_epoch, "steps_per_epoch")
    validated_steps = arguments.optional_steps(validation_steps, "validation_steps")
    validated_epochs = arguments.epochs_of(validation_freq)
    calls = CallbackList(callbacks, add_history=True)

    with model._alone():
        if type(x) is not np.ndarray and gives_batches(x):
            arguments.check_beside_batches(y, sample_weight, batch_size, share, class_weight)
            given = _of_batches(model, x, class_weight, steps, check_finite)
        else:
            share = 0 if validation_data is not None else share
            given = _of_arrays(model, x, y, sample_weight, class_weight, batch_size, share, steps, check_finite)
        if validation_data is not None and gives_batches(validation_data):
            arguments.check_no_size(validation_batch_size, "validation_batch_size", "validation_data")
        size = batch_size if validation_batch_size is None else validation_batch_size
        validation = _validation_of(
            model, given, validation_data, size, validated_steps, validated_epochs, check_finite, range(first, last)
        )
        size = given.batch_size
        task = model._task_to_train(given.layout, size, given.choice, None if validation is None else validation.layout)
        try:
            check_batches(task.plan, size if given.samples is None else given.samples, size)
            if validation is not None:
                validation.get_ready(model, task, size)
            _introduce(calls, model, given.heads, {"epochs": last, "steps": given.steps, "verbose": level}, validation)
        except BaseException:
            if given.choice is not None:
                model._undecide(given.choice)
            raise
        history = calls._first(History)
        assert history is not None
        order = model._begin(history, given.batch_size, shuffle)

        own = calls._first(ProgbarLogger) is not None
        with Display() if own else displays.display(level) as display:
            run = given.run(task, order, validation, calls, display, range(first, last))
            display.run(last - first)
            try:
                model._in_run = True
                run.train()
            except BaseException:
                calls._give_up()
                raise
            finally:
                model._in_run = False
                # As in Keras also after an error.
                if task.optimizer.use_ema:
                    task.optimizer.finalize_variable_values(model.trainable_weights)
        calls.on_train_end(run.logs)
        if run.backup is not None:
            run.backup._finish()
        if run.failed is not None:
            warn_not_finite(run.failed)
        return history


class _Given(NamedTuple):
    """What a run is about."""

    layout: Layout
    heads: Heads
    samples: int | None  # None: they come by batches
    batch_size: int
    steps: int | None  # of an epoch, None if nobody knows
    held_out: Dataset | None
    choice: Choice | None  # of crossentropies, by the targets
    run: Callable[..., Run]


def _of_arrays(
    model: Trainable,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Any,
    batch_size: BatchSize,
    share: float,
    steps: int | None,
    check_finite: bool,
) -> _Given:
    layout = model._layout_to_train(x)
    samples.check_class_weight(class_weight, layout.outputs)
    heads, data, choice = prepared(model, layout, x, y, sample_weight, check_finite, "fit")
    held_out = None
    if share > 0:
        data, held_out = data.split(share)
    data = samples.with_class_weights(data, heads, class_weight, layout.dtype)
    size = arguments.batch_size_of(batch_size, data.samples)
    steps = steps or -(-data.samples // size)
    run = functools.partial(Run, model, steps, data)
    return _Given(layout, heads, data.samples, size, steps, held_out, choice, run)


def _of_batches(model: Trainable, x: Any, class_weight: Any, steps: int | None, check_finite: bool) -> _Given:
    from . import sources, streams

    source, prepare = sources.Source(x, "x"), streams.Preparing(model, "x", check_finite, class_weight, in_fit=True)
    layout, heads, data, choice = prepare.data_of(source.first())
    run = functools.partial(streams.StreamRun, model, steps, source, prepare)
    return _Given(layout, heads, None, data.samples, steps or source.number, None, choice, run)


def _validation_of(
    model: Trainable,
    given: _Given,
    data: Any,
    batch_size: BatchSize,
    steps: int | None,
    epochs: int | Sequence[int],
    check_finite: bool,
    run: range,
) -> Validation | None:
    """What is evaluated after epochs: the `data`, else what is held out; None if there is neither."""
    if data is not None and gives_batches(data):
        from . import sources, streams

        source = sources.Source(data, "validation_data")
        return streams.StreamValidation(model, source, steps, epochs, check_finite, run, given.choice, given.layout)
    held_out, layout, heads = given.held_out, given.layout, given.heads
    if data is not None:
        x, y, weights = arguments.x_y_weights(data, bool(heads.heads))
        layout = model._layout_beside(x, "validation_data: x", layout)
        if layout != given.layout:
            told = model._require_compiled() if given.choice is None else given.choice.what
            heads = model._resolved(told, layout)
        held_out = samples.dataset_of(layout, heads, x, y, weights, check_finite, "validation_data: ")
    if held_out is None:
        return None
    size = arguments.batch_size_of(batch_size, held_out.samples, "validation_batch_size")
    return Validation(held_out, size, steps, epochs, layout)


def _introduce(
    calls: CallbackList, model: Trainable, heads: Heads, params: dict[str, Any], validation: Validation | None
) -> None:
    """Tell the callbacks of the run; ValueError where one of them cannot do its work in it."""
    if len(calls.callbacks) > 2 and sum(isinstance(each, BackupAndRestore) for each in calls.callbacks) > 1:
        raise ValueError("callbacks has more than one BackupAndRestore. A run goes on from one backup: give one.")
    calls.set_params(params)
    calls.set_model(model)
    names = heads.names if validation is None else [*heads.names, *(f"val_{name}" for name in heads.names)]
    calls._check_run(names, heads.directions)


def warn_not_finite(where: str) -> None:
    """Tell that training stopped."""
    warn(
        f"The loss {where} is not finite. Training stopped, with the weights of the step before. "
        "Try a lower learning rate, clipnorm, or scaled inputs.",
        RuntimeWarning,
    )
