"""Gradients on demand: one batch forwards and backwards, without a change of the model."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..data import arrays, dataset, sparse
from ..foundation import checks, draws, parallel
from .model import Trainable
from .prepare import to_evaluate
from .steps import Inputs, Outputs

Array = NDArray[Any]


def of_loss(model: Trainable, x: Inputs, y: Any, sample_weight: Any, training: bool) -> tuple[float, list[Array]]:
    """The loss and its gradients; see ``Model.gradients``."""
    model._require_compiled()
    step = _step(model, training)
    given, _, task = to_evaluate(model, x, y, sample_weight, True, "gradients")
    data, trainer = task.heads.for_engine(given), task.trainer
    weights = model.trainable_weights
    natives, threads = [weight.native for weight in weights], parallel.get_num_threads()
    xs = tuple(map(sparse.dense, data.xs))
    loss, found = trainer.gradients(xs, data.ys, data.weights, natives, step is not None, step or 0, threads)
    return loss, [gradient.reshape(weight.shape) for gradient, weight in zip(found, weights, strict=True)]


def of_outputs(model: Trainable, x: Inputs, dy: Outputs, training: bool) -> tuple[list[Array], Any]:
    """A vector-Jacobian product; see ``Model.vjp``."""
    step = _step(model, training)
    layout = model._layout_for(x, "x")
    columns = tuple(map(sparse.dense, dataset.columns(x, "x", layout, True)))
    names, ports = layout.outputs.named("dy"), layout.outputs.ports
    given = [
        arrays.as_targets(each, name, layout.dtype, port.sizes)
        for each, name, port in zip(layout.outputs.take_apart(dy, "dy"), names, ports, strict=True)
    ]
    rows = arrays.same_length(x=columns[0], **dict(zip(names, given, strict=True)))
    plan = model._plan(layout, rows)
    weights = model.trainable_weights
    natives, threads = [weight.native for weight in weights], parallel.get_num_threads()
    found, inputs = plan.vjp(given, columns, natives, step is not None, step or 0, threads)
    of_inputs = [
        None if port.below else gradient.reshape(rows, *port.sizes)
        for gradient, port in zip(inputs, layout.inputs.ports, strict=True)
    ]
    of_weights = [gradient.reshape(weight.shape) for gradient, weight in zip(found, weights, strict=True)]
    return of_weights, layout.inputs.arrange(of_inputs)


def _step(model: Trainable, training: bool) -> int | None:
    """The number by which noise is drawn; None for no training mode."""
    return draws.FIRST_CALL + model._next_training_call() if checks.boolean(training, "training") else None
