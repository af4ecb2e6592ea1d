"""One call of the engine: an evaluation, a prediction, a single step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data import arrays, dataset
from ..data.dataset import Layout
from ..foundation import checks, parallel
from . import arguments, progress
from .arguments import BatchSize, Verbose
from .model import Trainable
from .progress import Display
from .task import Order, Stretch, warn_not_finite

if TYPE_CHECKING:
    from .. import _core

Array = NDArray[Any]
Result = float | list[float] | dict[str, float]

# Calls in training mode are numbered from here on, far from the steps of training: each draws noise of its own.
_FIRST_TRAINING_CALL = 2**63

# Rows between two looks at the display of `predict`.
_PREDICT_ROWS = 8192


def evaluate(
    model: Trainable,
    x: ArrayLike,
    y: ArrayLike,
    batch_size: BatchSize,
    verbose: Verbose,
    return_dict: bool,
    check_finite: bool,
) -> Result:
    """Loss and metrics on data; see ``Model.evaluate``."""
    compiled = model._require_compiled()
    level = progress.resolve_verbose(verbose)
    layout = model._layout_for(x, "x")
    data = compiled.dataset(layout, model._metrics_for(layout), x, y, checks.boolean(check_finite, "check_finite"))
    size = arguments.batch_size_of(batch_size, data.samples)
    task = model._task(layout)
    with progress.display(level) as display:
        return as_result(task.evaluate(data, size, display), return_dict)


def train_on_batch(model: Trainable, x: ArrayLike, y: ArrayLike, return_dict: bool) -> Result:
    """One step; see ``Model.train_on_batch``."""
    compiled = model._require_compiled()
    with model._alone():
        layout = model._layout_for(x, "x")
        data = compiled.dataset(layout, model._metrics_for(layout), x, y)
        step = Stretch(model._task_to_train(layout), data, Order(data.samples), 1)
        if not step.run(Display()):
            warn_not_finite("of this batch")
        return as_result(step.logs(0, 1), return_dict)


def predict(model: Trainable, x: ArrayLike, batch_size: BatchSize, verbose: Verbose, check_finite: bool) -> Array:
    """The output for samples; see ``Model.predict``."""
    level = progress.resolve_verbose(verbose)
    arguments.batch_size_of(batch_size, 1)
    if level == 0:
        return outputs(model, x, checks.boolean(check_finite, "check_finite"))
    layout = model._layout_for(x, "x")
    samples = dataset.column(x, "x", layout, checks.boolean(check_finite, "check_finite"))
    plan = model._plan(layout)
    with progress.display(level) as display:
        steps = -(-len(samples) // _PREDICT_ROWS)
        display.begin("", steps)
        parts = []
        for step in range(steps):
            part = samples[step * _PREDICT_ROWS : (step + 1) * _PREDICT_ROWS]
            parts.append(run(plan, layout, part, False))
            display.update(step + 1, {})
        display.end({})
        return np.concatenate(parts) if parts else run(plan, layout, samples, False)


def outputs(model: Trainable, x: ArrayLike, check_finite: bool = True) -> Array:
    """The output for samples, without a display."""
    plan, layout = model._lowered()
    if plan is None or layout is None:
        layout = model._layout_for(x, "x")
        dataset.column(x, "x", layout, check_finite)  # a model is not built for data that are refused
        plan = model._plan(layout)
    # The engine looks for NaN and infinity as it goes.
    return run(plan, layout, dataset.column(x, "x", layout, False), check_finite)


def outputs_in_training(model: Trainable, x: ArrayLike) -> Array:
    """The output for samples, as layers work in training."""
    with model._alone():
        layout = model._layout_for(x, "x")
        samples = dataset.column(x, "x", layout, True)
        plan = model._plan_to_train(layout)
        return run(plan, layout, samples, True, _FIRST_TRAINING_CALL + model._next_training_call())


def run(
    plan: _core.Plan, layout: Layout, samples: Array, check_finite: bool, training_step: int | None = None
) -> Array:
    """What a network makes of a column of samples."""
    rows = len(samples)
    out = np.empty((rows, *layout.output_shape), layout.dtype)
    if rows:
        threads = parallel.get_num_threads()
        if training_step is None:
            bad = plan.predict((out,), (samples,), check_finite, threads)
        else:
            bad = plan.predict_training((out,), (samples,), check_finite, training_step, threads)
        if bad is not None:
            raise arrays.not_finite("x", samples, (rows, *layout.input_shape), bad[1])
    return out


def as_result(logs: dict[str, float], return_dict: bool) -> Result:
    """What Keras returns: a dict, the loss alone, or a list of the loss and the metrics."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values if len(values) > 1 else values[0]
