"""One call of the engine: an evaluation, a prediction, a single step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..callbacks import CallbackList, ProgbarLogger
from ..callbacks import display as displays
from ..callbacks.base import Logs
from ..callbacks.display import Display
from ..data import arrays, dataset, sparse
from ..data.layout import Layout
from ..data.py_dataset import gives_batches
from ..foundation import checks, draws, parallel
from . import arguments, samples
from .arguments import BatchSize, Verbose
from .fit import warn_not_finite
from .model import Trainable
from .prepare import LeftAside, prepared, to_evaluate
from .task import Order, Stretch, check_batches

if TYPE_CHECKING:
    from .. import _core

Array = NDArray[Any]
Result = float | list[Any] | Logs  # metrics are numbers or arrays
Inputs = Any  # an array, or a list, tuple or dict of them
Outputs = Any  # an array, or a list or dict of them

# Rows between two looks at the display of `predict`.
_PREDICT_ROWS = 8192


def evaluate(
    model: Trainable,
    x: Inputs,
    y: Any,
    batch_size: BatchSize,
    verbose: Verbose,
    sample_weight: Any,
    steps: int | None,
    callbacks: Any,
    return_dict: bool,
    check_finite: bool,
) -> Result:
    """Loss and metrics on data; see ``Model.evaluate``."""
    level = displays.resolve_verbose(verbose)
    check_finite = checks.boolean(check_finite, "check_finite")
    steps, calls = arguments.optional_steps(steps, "steps"), CallbackList(callbacks)
    if type(x) is not np.ndarray and gives_batches(x):
        return _evaluate_batches(model, x, y, batch_size, level, sample_weight, steps, calls, return_dict, check_finite)
    data, size, task = to_evaluate(model, x, y, sample_weight, check_finite, "evaluate", batch_size)
    batches = -(-data.samples // size)
    _introduce(calls, model, batches if steps is None else min(batches, steps), level)
    try:
        with _display(level, calls) as display:
            return as_result(task.evaluate(data, size, display, calls, steps), return_dict)
    except BaseException:
        calls._give_up()
        raise


def _evaluate_batches(
    model: Trainable,
    x: Any,
    y: Any,
    batch_size: BatchSize,
    level: int,
    sample_weight: Any,
    steps: int | None,
    calls: CallbackList,
    return_dict: bool,
    check_finite: bool,
) -> Result:
    from . import sources, streams

    arguments.check_beside_batches(y, sample_weight, batch_size, 0, None)
    model._require_compiled()
    source, prepare = sources.Source(x, "x"), streams.Preparing(model, "x", check_finite)
    task, _ = prepare(source.first())
    _introduce(calls, model, steps or source.number, level)
    try:
        with _display(level, calls) as display:
            return as_result(streams.evaluated(task, source, prepare, steps, display, calls), return_dict)
    except BaseException:
        calls._give_up()
        raise


def test_on_batch(model: Trainable, x: Inputs, y: Any, sample_weight: Any, return_dict: bool) -> Result:
    """Loss and metrics of one batch; see ``Model.test_on_batch``."""
    data, _, task = to_evaluate(model, x, y, sample_weight, True, "test_on_batch")
    return as_result(task.evaluate_batch(data), return_dict)


def train_on_batch(
    model: Trainable, x: Inputs, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool
) -> Result:
    """One step; see ``Model.train_on_batch``."""
    model._require_compiled()
    with model._alone():
        layout = model._layout_to_train(x)
        samples.check_class_weight(class_weight, layout.outputs)
        heads, data, choice = prepared(model, layout, x, y, sample_weight, True, "train_on_batch")
        data = samples.with_class_weights(data, heads, class_weight, layout.dtype)
        step = Stretch(model._task_to_train(layout, data.samples, choice), data, Order(data.samples), 1)
        finite = step.advance(1)
        step.tell()
        if not finite:
            warn_not_finite("of this batch")
        return as_result(step.logs(failed=not finite), return_dict)


def predict(
    model: Trainable,
    x: Inputs,
    batch_size: BatchSize,
    verbose: Verbose,
    steps: int | None,
    callbacks: Any,
    check_finite: bool,
) -> Outputs:
    """The outputs for samples; see ``Model.predict``."""
    level = displays.resolve_verbose(verbose)
    given = arguments.batch_size_of(batch_size, 2**63)
    steps = arguments.optional_steps(steps, "steps")
    check_finite = checks.boolean(check_finite, "check_finite")
    if type(x) is not np.ndarray and gives_batches(x):
        return _predict_batches(model, x, batch_size, level, steps, callbacks, check_finite)
    if level == 0 and steps is None and callbacks is None:
        return outputs(model, x, check_finite, given)
    layout = model._layout_for(x, "x")
    columns = dataset.columns(x, "x", layout, check_finite)
    size = arguments.batch_size_of(batch_size, len(columns[0]))
    plan = model._plan(layout, max(min(size, len(columns[0])), 1))
    if steps is not None:
        columns = tuple(x[: steps * size] for x in columns)
    check_batches(plan, len(columns[0]), max(min(size, len(columns[0])), 1))
    calls = CallbackList(callbacks)
    _introduce(calls, model, -(-len(columns[0]) // size), level)
    try:
        with _display(level, calls) as display:
            return _predicted(model, plan, layout, columns, size, calls, display)
    except BaseException:
        calls._give_up()
        raise


def _predict_batches(
    model: Trainable, x: Any, batch_size: BatchSize, level: int, steps: int | None, callbacks: Any, check_finite: bool
) -> Outputs:
    from . import sources, streams

    arguments.check_no_size(batch_size, "batch_size", "x")
    source = sources.Source(x, "x")
    layout = model._layout_for(source.first().x, "x")
    calls, left_aside = CallbackList(callbacks), LeftAside(source.name)
    _introduce(calls, model, steps or source.number, level)

    def compute(x: Any) -> Outputs:
        return outputs(model, left_aside.taken(layout.inputs, x), check_finite)

    try:
        with _display(level, calls) as display:
            made = streams.predicted(source, compute, steps, display, calls)
    except BaseException:
        calls._give_up()
        raise
    by_output = zip(*(layout.outputs.take_apart(each, "outputs") for each in made), strict=True)
    return layout.outputs.arrange([np.concatenate(parts) for parts in by_output])


def _predicted(
    model: Trainable,
    plan: _core.Plan,
    layout: Layout,
    columns: tuple[Array, ...],
    size: int,
    calls: CallbackList,
    display: Display,
) -> Outputs:
    """The outputs, part by part: by batches of `size` where a callback asks for them."""
    each = calls.wants_batches("predict")
    out = _outputs_for(layout, len(columns[0]))
    if each:
        calls._go_on("stop_predicting")
    calls.on_predict_begin()
    rows = size if each or plan.state_samples else _PREDICT_ROWS
    parts = -(-len(columns[0]) // rows)
    display.begin("", parts)
    for number in range(parts):
        if each:
            calls.on_predict_batch_begin(number)
        part = slice(number * rows, (number + 1) * rows)
        made = tuple(y[part] for y in out)
        _run(model, plan, layout, made, tuple(x[part] for x in columns), False)
        display.update(number + 1, {})
        if each:
            calls.on_predict_batch_end(number, {"outputs": layout.outputs.arrange(made)})
            if calls._is_told("stop_predicting"):
                out = tuple(y[: part.stop] for y in out)
                break
    display.end({})
    calls.on_predict_end()
    return layout.outputs.arrange(out)


def _introduce(calls: CallbackList, model: Trainable, steps: int | None, level: int) -> None:
    """Tell the callbacks of the evaluation or prediction."""
    calls.set_params({"epochs": 1, "steps": steps, "verbose": level})
    calls.set_model(model)


def _display(level: int, calls: CallbackList) -> Display:
    """The display, unless a callback is one."""
    return displays.display(level) if calls._first(ProgbarLogger) is None else Display()


def _fits(x: Inputs, layout: Layout) -> bool:
    """Whether `x` is an array of the shape that the only input has."""
    return isinstance(x, np.ndarray) and x.shape[1:] == layout.input_shapes[0]


def outputs(model: Trainable, x: Inputs, check_finite: bool = True, batch_size: int | None = None) -> Outputs:
    """The outputs for samples, without a display.

    A model that keeps states from batch to batch takes batches of `batch_size` samples, by default all as one.
    """
    plan, layout = model._lowered()
    if plan is not None and layout is not None and type(x) is np.ndarray:
        _, (inputs, form, *_), (made, made_form, *_) = layout
        if form == made_form == "single":
            y = plan.predict_array(x, inputs[0].shape, made[0].shape, check_finite, parallel.get_num_threads())
            if y is not None:
                return y
    if plan is None or layout is None or plan.state_samples or (model._of_data and not _fits(x, layout)):
        layout = model._layout_for(x, "x")
        columns = dataset.columns(x, "x", layout, check_finite)  # a model is not built for data that are refused
        rows = len(columns[0])
        size = max(rows if batch_size is None else min(batch_size, rows), 1)
        plan = model._plan(layout, size)
        if plan.state_samples and size < rows:
            check_batches(plan, rows, size)
            return _predicted(model, plan, layout, columns, size, CallbackList(None), Display())
        check_finite = False  # it is done
    else:  # the engine looks for NaN and infinity as it goes, but in sparse samples it would not know their row
        columns = dataset.columns(x, "x", layout, check_finite and sparse.is_sparse(x))
    out = _outputs_for(layout, len(columns[0]))
    _run(model, plan, layout, out, columns, check_finite)
    return layout.outputs.arrange(out)


def outputs_in_training(model: Trainable, x: Inputs) -> Outputs:
    """The outputs for samples, as layers work in training."""
    with model._alone():
        layout = model._layout_to_train(x)
        columns = tuple(map(sparse.dense, dataset.columns(x, "x", layout, True)))
        plan = model._plan_to_train(layout, len(columns[0]))
        return _reported(model, plan, layout, columns, draws.FIRST_CALL + model._next_training_call())


def outputs_and_losses(model: Trainable, x: Inputs) -> Outputs:
    """The outputs for samples, as one batch; the model gets to know what layers add to the loss."""
    layout = model._layout_for(x, "x")
    columns = dataset.columns(x, "x", layout, True)
    return _reported(model, model._plan(layout, max(len(columns[0]), 1)), layout, columns, None)


def _reported(
    model: Trainable, plan: _core.Plan, layout: Layout, columns: tuple[Array, ...], training_step: int | None
) -> Outputs:
    rows, reporting = len(columns[0]), model._reporting(plan, layout)
    out = _outputs_for(layout, rows)
    values = tuple(np.empty((rows, each.size), layout.dtype) for each in reporting.added)
    _run(model, reporting.plan, layout, (*out, *values), columns, training_step is not None, training_step)
    if values:
        model._report(reporting.added, values)
    return layout.outputs.arrange(out)


def _outputs_for(layout: Layout, rows: int) -> tuple[Array, ...]:
    return tuple([np.empty((rows, *port.sizes), layout.dtype) for port in layout.outputs.ports])


def _run(
    model: Trainable,
    plan: _core.Plan,
    layout: Layout,
    out: tuple[Array, ...],
    columns: tuple[Array, ...],
    check_finite: bool,
    training_step: int | None = None,
) -> None:
    """Write what a network makes of columns of samples; of sparse ones, some at a time."""
    rows = len(columns[0])
    if not rows:
        return
    at_once = sparse.rows_at_once(columns)
    if at_once is not None:
        for begin in range(0, rows, at_once):
            part = slice(begin, begin + at_once)
            dense = tuple(sparse.dense(x[part]) for x in columns)
            _run(model, plan, layout, tuple(y[part] for y in out), dense, check_finite, training_step)
        return
    threads = parallel.get_num_threads()
    if training_step is None:
        step = draws.FIRST_CALL + model._next_training_call() if plan.draws else 0
        bad = plan.predict(out, columns, check_finite, threads, step)
    else:
        bad = plan.predict_training(out, columns, check_finite, training_step, threads)
    if bad is not None:
        number, index = bad
        shape = (rows, *layout.inputs.ports[number].sizes)
        raise arrays.not_finite(layout.inputs.named("x")[number], columns[number], shape, index)


def as_result(logs: Logs, return_dict: bool) -> Result:
    """What Keras returns: a dict, the loss alone, or a list of the loss and the metrics."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values if len(values) > 1 else values[0]
