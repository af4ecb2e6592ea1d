"""What a model is told by ``compile``, and what follows from it for the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import metrics as metric_room
from .. import optimizers
from ..data.layout import Layout, Port, Ports
from ..foundation import checks
from ..foundation.native import core
from ..losses import Loss
from ..metrics import Metric
from ..optimizers import Optimizer, OptimizerLike
from ..optimizers.stepping import NamedParameter
from . import by_output
from .heads import Head, Heads, Measured
from .task import Task

if TYPE_CHECKING:
    from .. import _core


class Compiled(NamedTuple):
    """What ``compile`` was told; losses are found already, metrics when the shapes are known."""

    optimizer: Optimizer
    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any
    calls: Any = None  # of a model: what it keeps of losses that its layers know of

    def resolved(self, outputs: Ports) -> Heads:
        """Losses and metrics of a model that has these outputs; ValueError for those that do not fit.

        What the values of losses of one's own are, and what is added to the loss, is found by who has the layers.
        """
        found = by_output.losses_of(self.loss, outputs)
        for loss, port in zip(found, outputs.ports, strict=True):
            if loss is not None:
                loss.summed_axes(port.sizes)
        weights = by_output.loss_weights_of(self.loss_weights, found, outputs)
        plain = by_output.metrics_of(self.metrics, "metrics", outputs)
        weighted = by_output.metrics_of(self.weighted_metrics, "weighted_metrics", outputs)
        names = _Names(outputs, found)
        heads = []
        measured: list[list[Measured]] = [[] for _ in outputs.ports]
        for by_number, is_weighted in ((plain, False), (weighted, True)):
            for number, (loss, port) in enumerate(zip(found, outputs.ports, strict=True)):
                own = loss is not None and loss.is_own
                for given in by_number[number]:
                    metric = _resolved(given, loss, port, measured[number])
                    name = names.name(metric.name, number, is_weighted)
                    measured[number].append(Measured(name, metric, is_weighted, metric is given, own))
        for number, (loss, port) in enumerate(zip(found, outputs.ports, strict=True)):
            if loss is not None or measured[number]:
                heads.append(Head(number, outputs.keys[number], port, loss, weights[number], tuple(measured[number])))
        order = by_output.order_of_losses(self.loss, outputs)
        heads.sort(key=lambda head: (head.loss is None, head.loss is None and not head.by_engine, order[head.number]))
        handed = [head.number for head in heads if len(head.by_engine) < len(head.measured)]
        return Heads(tuple(heads), len(outputs.ports) > 1, tuple(handed))

    def tell(self, trainer: _core.Trainer, weights: Iterable[NamedParameter]) -> None:
        """Give a new trainer of these weights the optimizer."""
        trainer.set_optimizer(self.optimizer.native_name, self.optimizer.settings())
        trainer.set_undecayed(self.optimizer._undecayed(weights))

    def task_to_evaluate(self, plan: _core.Plan, layout: Layout, heads: Heads) -> Task:
        """What evaluates `plan`, and knows no optimizer."""
        trainer = core.Trainer(plan)
        trainer.set_heads(heads.native(), heads.handed)
        return Task(trainer, heads, layout, self.optimizer, tuple(plan.masks), plan)


def _resolved(given: Any, loss: Loss | None, port: Port, before: list[Measured]) -> Metric:
    """The metric that is meant beside `loss`, or beside the metrics `before` it where there is none."""
    kinds = [each.metric.sparse for each in before if each.metric.sparse is not None] if loss is None else [loss.sparse]
    metric = metric_room.resolve(given, sparse=any(kinds[:1]), output_columns=port.columns)
    if kinds:
        metric.check_kind(kinds[0])
    metric.check_beside(loss)
    metric.check_output(port.sizes)
    return metric


class _Names:
    """Names of metrics in logs, each once, as Keras makes them."""

    def __init__(self, outputs: Ports, found: list[Loss | None]) -> None:
        several = len(outputs.ports) > 1
        self._prefixes = [f"{key}_" if several else "" for key in outputs.keys]
        with_loss = [key for key, loss in zip(outputs.keys, found, strict=True) if loss is not None]
        self._taken = {"loss", *(f"{name}_loss" for name in with_loss if len(with_loss) > 1)}
        self._uses: dict[str, int] = {}

    def name(self, own: str, number: int, weighted: bool) -> str:
        """That of a metric of output `number` which calls itself `own`."""
        name = self._prefixes[number] + own
        if name in self._taken:
            raise ValueError(f"metrics has a value of the name {own!r}, which is that of a loss. Give it another name.")
        if weighted and name in self._uses:
            name = f"{self._prefixes[number]}weighted_{own}"
        uses = self._uses.get(name, 0)
        self._uses[name] = uses + 1
        return name if uses == 0 else f"{name}_{uses}"


def compiled(
    optimizer: OptimizerLike,
    loss: Any,
    loss_weights: Any,
    metrics: Any,
    weighted_metrics: Any,
    run_eagerly: bool,
    steps_per_execution: int,
    jit_compile: bool | str | None,
    auto_scale_loss: bool,
) -> Compiled:
    """The arguments of ``compile``, checked as far as they can be without a model.

    Raises:
        TypeError, ValueError: an unknown name, or something else.
    """
    by_output.check_loss_weights(loss_weights)
    by_output.check_metrics(metrics, "metrics")
    by_output.check_metrics(weighted_metrics, "weighted_metrics")
    checks.boolean(run_eagerly, "run_eagerly")
    checks.positive_int(steps_per_execution, "steps_per_execution")
    if jit_compile not in ("auto", None):
        checks.boolean(jit_compile, 'jit_compile, unless it is "auto",')
    checks.boolean(auto_scale_loss, "auto_scale_loss")
    chosen = by_output.chosen_losses(loss)
    return Compiled(optimizers.get(optimizer), chosen, loss_weights, metrics, weighted_metrics)
