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
from . import by_output, samples
from .crossentropy import Crossentropy
from .heads import Head, Heads, Measured
from .task import Task

if TYPE_CHECKING:
    from .. import _core


class _Parts(NamedTuple):
    """What ``compile`` was told, by output."""

    losses: list[Loss | Crossentropy | None]
    weights: list[float]
    metrics: list[list[Any]]
    weighted_metrics: list[list[Any]]

    @property
    def measured(self) -> list[int]:
        """The numbers of the outputs that have a loss or metrics."""
        found = zip(self.losses, self.metrics, self.weighted_metrics, strict=True)
        return [number for number, (loss, *metrics) in enumerate(found) if loss is not None or any(metrics)]


class Compiled(NamedTuple):
    """What ``compile`` was told; losses are found already, metrics when the shapes are known."""

    optimizer: Optimizer
    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any
    undecided: bool = False  # whether which crossentropy is meant is not known yet
    chosen: tuple[Loss | None, ...] | None = None  # the losses of the outputs, where crossentropies were chosen
    calls: Any = None  # of a model: what it keeps of losses that its layers know of
    objects: Any = None  # a dict of the metrics that are meant by names, so that they stay the same objects

    @staticmethod
    def of(optimizer: OptimizerLike, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any) -> Compiled:
        """What is meant by names; TypeError or ValueError for those that are not known."""
        by_output.check_loss_weights(loss_weights)
        by_output.check_metrics(metrics, "metrics")
        by_output.check_metrics(weighted_metrics, "weighted_metrics")
        found = by_output.chosen_losses(loss)
        undecided = any(isinstance(each, Crossentropy) for each in by_output.each_of(found))
        made = optimizers.get(optimizer)
        return Compiled(made, found, loss_weights, metrics, weighted_metrics, undecided, objects={})

    def _parts(self, outputs: Ports) -> _Parts:
        found = by_output.losses_of(self.loss, outputs)
        return _Parts(
            found,
            by_output.loss_weights_of(self.loss_weights, found, outputs),
            by_output.metrics_of(self.metrics, "metrics", outputs),
            by_output.metrics_of(self.weighted_metrics, "weighted_metrics", outputs),
        )

    def check(self, outputs: Ports) -> None:
        """Raise ValueError for what does not fit a model that has these outputs, as far as it is known."""
        if self.decided(outputs).undecided:
            self._parts(outputs)
        else:
            self.resolved(outputs)

    def decided(self, outputs: Ports, y: Any = None, name: str = "y") -> Compiled:
        """The same with the crossentropies that are meant for outputs with targets `y`.

        Without targets it stays undecided where one depends on them.

        Raises:
            TypeError, ValueError: another number of targets.
        """
        if not self.undecided:
            return self
        parts = self._parts(outputs)
        targets: dict[int, Any] = {}
        if y is not None:
            values = samples.of_outputs(y, name, outputs, parts.measured, True)[1]
            targets = dict(zip(parts.measured, values, strict=True))
        found = [
            loss.chosen(port, targets.get(number)) if isinstance(loss, Crossentropy) else loss
            for number, (loss, port) in enumerate(zip(parts.losses, outputs.ports, strict=True))
        ]
        if any(before is not None and after is None for before, after in zip(parts.losses, found, strict=True)):
            return self
        return self._replace(undecided=False, chosen=tuple(found))

    def undone(self) -> Compiled:
        """The same for a model that becomes another: crossentropies are chosen anew."""
        return self if self.chosen is None else self._replace(undecided=True, chosen=None)

    def resolved(self, outputs: Ports) -> Heads:
        """Losses and metrics of a model that has these outputs; ValueError for those that do not fit.

        What the values of losses of one's own are, and what is added to the loss, is found by who has the layers.
        """
        parts, found = self._parts(outputs), self._losses(outputs)
        for loss, port in zip(found, outputs.ports, strict=True):
            if loss is not None:
                loss.summed_axes(port.sizes)
        names = _Names(outputs, found)
        heads = []
        measured: list[list[Measured]] = [[] for _ in outputs.ports]
        for by_number, is_weighted in ((parts.metrics, False), (parts.weighted_metrics, True)):
            for number, (loss, port) in enumerate(zip(found, outputs.ports, strict=True)):
                own = loss is not None and loss.is_own
                for place, given in enumerate(by_number[number]):
                    kinds = _kinds(loss, measured[number])
                    metric = self._metric(given, (is_weighted, number, place), any(kinds[:1]), port.columns)
                    _check_metric(metric, kinds, loss, port)
                    name = names.name(metric.name, number, is_weighted)
                    measured[number].append(Measured(name, metric, is_weighted, own))
        for number, (loss, port) in enumerate(zip(found, outputs.ports, strict=True)):
            if loss is not None or measured[number]:
                weight, metrics = parts.weights[number], tuple(measured[number])
                heads.append(Head(number, outputs.keys[number], port, loss, weight, metrics))
        order = by_output.order_of_losses(self.loss, outputs)
        heads.sort(key=lambda head: (head.loss is None, head.loss is None and not head.by_engine, order[head.number]))
        handed = [head.number for head in heads if len(head.by_engine) < len(head.measured)]
        return Heads(tuple(heads), len(outputs.ports) > 1, tuple(handed))

    def _metric(self, given: Any, place: tuple[bool, int, int], sparse: bool, columns: int) -> Metric:
        """The metric that is meant at a place of the arguments: the same object each time."""
        found = metric_room.resolve(given, sparse=sparse, output_columns=columns)
        kept: Metric = found if found is given else self.objects.setdefault((place, sparse, columns), found)
        return kept

    def _losses(self, outputs: Ports) -> list[Loss | None]:
        """The loss of each output; ValueError where targets must be known for it."""
        what = self.decided(outputs)
        found = by_output.losses_of(self.loss, outputs) if what.chosen is None else what.chosen
        waiting = [each for each in found if isinstance(each, Crossentropy)]
        if waiting:
            raise ValueError(
                f"Which loss {waiting[0]} means depends on the targets, which are not known yet. Call fit or evaluate "
                'first, or give compile "categorical_crossentropy" or "sparse_categorical_crossentropy".'
            )
        return [each for each in found if not isinstance(each, Crossentropy)]

    def tell(self, trainer: _core.Trainer, weights: Iterable[NamedParameter]) -> None:
        """Give a new trainer of these weights the optimizer."""
        trainer.set_optimizer(self.optimizer.native_name, self.optimizer.settings())
        trainer.set_undecayed(self.optimizer._undecayed(weights))

    def task_to_evaluate(self, plan: _core.Plan, layout: Layout, heads: Heads) -> Task:
        """What evaluates `plan`, and knows no optimizer."""
        trainer = core.Trainer(plan)
        trainer.set_heads(heads.native(), heads.handed)
        return Task(trainer, heads, layout, self.optimizer, tuple(plan.masks), plan)


class Choice(NamedTuple):
    """Crossentropies that the first targets of a call choose. They hold from when nothing more of it can be refused."""

    told: Compiled  # what the model is compiled as
    what: Compiled  # the same, with them


def _kinds(loss: Loss | None, before: list[Measured]) -> list[bool]:
    """Whether targets are labels: what `loss` says, or where there is none the metrics `before`; empty if none does."""
    if loss is not None:
        return [bool(loss.sparse)]
    return [each.metric.sparse for each in before if each.metric.sparse is not None]


def _check_metric(metric: Metric, kinds: list[bool], loss: Loss | None, port: Port) -> None:
    """Raise ValueError for a metric that cannot be measured of an output beside its loss."""
    if kinds:
        metric.check_kind(kinds[0])
    metric.check_beside(loss)
    metric.check_output(port.sizes)


class _Names:
    """Names of metrics in logs, each once, as Keras makes them.

    Losses of nested outputs have the way to the output in their name, metrics have the name of the output alone.
    """

    def __init__(self, outputs: Ports, found: list[Loss | None]) -> None:
        several = len(outputs.ports) > 1
        named = outputs.names if outputs.form == "nested" else outputs.keys
        self._prefixes = [f"{name}_" if several else "" for name in named]
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
    what = Compiled.of(optimizer, loss, loss_weights, metrics, weighted_metrics)
    checks.boolean(run_eagerly, "run_eagerly")
    checks.positive_int(steps_per_execution, "steps_per_execution")
    if jit_compile not in ("auto", None):
        checks.boolean(jit_compile, 'jit_compile, unless it is "auto",')
    checks.boolean(auto_scale_loss, "auto_scale_loss")
    return what
