"""What a model is told by ``compile``, and what follows from it for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from numpy.typing import ArrayLike

from .. import losses, metrics, optimizers
from ..data import arrays, dataset
from ..data.dataset import Dataset
from ..data.layout import Layout
from ..foundation.native import core
from ..losses import Loss, LossLike
from ..metrics import Metric, MetricLike
from ..optimizers import Optimizer, OptimizerLike
from .task import Task

if TYPE_CHECKING:
    from .. import _core


class Compiled(NamedTuple):
    """What ``compile`` was told."""

    optimizer: Optimizer
    loss: Loss
    metrics: list[MetricLike]

    def resolved(self, columns: int) -> list[Metric]:
        """The metrics that are meant where the output has so many columns; ValueError for those that do not fit."""
        found = [metrics.resolve(each, sparse=self.loss.sparse, output_columns=columns) for each in self.metrics]
        names = {"loss"}
        for metric in found:
            metric.check_kind(self.loss.sparse)
            if metric.name in names:
                raise ValueError(f"metrics has two values of the name {metric.name!r}. Give one of them another name.")
            names.add(metric.name)
        return found

    def dataset(
        self,
        layout: Layout,
        metrics: Sequence[Metric],
        x: ArrayLike,
        y: ArrayLike,
        check_finite: bool = True,
        prefix: str = "",
    ) -> Dataset:
        """Inputs and targets as the engine takes them; messages call them `prefix` x and y.

        Raises:
            TypeError, ValueError: data that do not fit the model, the loss or the metrics; no samples.
        """
        name_x, name_y = f"{prefix}x", f"{prefix}y"
        samples = dataset.columns(x, name_x, layout, check_finite)
        targets = self.loss.prepare_targets(y, dtype=layout.dtype, output_shape=layout.output.sizes, name=name_y)
        if arrays.same_length(**{name_x: samples[0], name_y: targets}) == 0:
            raise ValueError(f"{name_x} and y have no samples.")
        for metric in metrics:
            metric.check_targets(targets)
        return Dataset(samples, (targets if targets.ndim == 2 else targets.reshape(len(targets), -1),))

    def task(self, plan: _core.Plan, layout: Layout, metrics: Sequence[Metric], trainer: _core.Trainer | None) -> Task:
        """What trains and evaluates `plan`: with `trainer` as it is, or with a new one that knows the optimizer.

        The heads of a trainer that is given are still to be set.
        """
        if trainer is not None:
            return Task(trainer, self._heads(layout, metrics), self.loss, list(metrics), layout)
        task = self.task_to_evaluate(plan, layout, metrics)
        task.trainer.set_optimizer(self.optimizer.native_name, self.optimizer.settings())
        task.trainer.learning_rate = self.optimizer.learning_rate
        return task

    def task_to_evaluate(self, plan: _core.Plan, layout: Layout, metrics: Sequence[Metric]) -> Task:
        """What evaluates `plan`, and knows no optimizer."""
        heads, trainer = self._heads(layout, metrics), core.Trainer(plan)
        trainer.set_heads(heads)
        return Task(trainer, heads, self.loss, list(metrics), layout)

    def _heads(self, layout: Layout, metrics: Sequence[Metric]) -> list[_core.Head]:
        columns, loss = layout.output.columns, self.loss
        values = [(metric.native_name, columns, metric.a) for metric in metrics]
        return [(0, loss.native_name, columns, loss.a, loss.averages, 1.0, values)]


def compiled(optimizer: OptimizerLike, loss: LossLike | None, metrics: Sequence[MetricLike] | None) -> Compiled:
    """The arguments of ``compile``, checked as far as they can be without a model.

    Raises:
        TypeError, ValueError: an unknown name, or something else.
    """
    if loss is None:
        raise ValueError('loss must be given, such as "mse" or "sparse_categorical_crossentropy".')
    if metrics is not None and (isinstance(metrics, str) or not isinstance(metrics, Sequence)):
        raise TypeError(f'metrics must be a list such as ["accuracy"], but got {metrics!r}.')
    chosen, function = optimizers.get(optimizer), losses.get(loss)
    if function.reduction in (None, "none"):
        raise ValueError("A loss without reduction cannot be trained: it must be one number.")
    return Compiled(chosen, function, list(metrics or []))
