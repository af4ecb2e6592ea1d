"""What is made of a model's outputs: a loss, metrics or both of each; what the engine is told of them; their logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..callbacks.base import Logs
from ..data.dataset import Dataset
from ..data.layout import Port
from ..losses import Loss
from ..metrics import Metric
from ..metrics.rows import RowMetric

if TYPE_CHECKING:
    from .. import _core


NOTHING: Mapping[str, Any] = {}


class Measured(NamedTuple):
    """A metric of an output."""

    name: str  # in logs
    metric: Metric
    weighted: bool  # whether the weights of samples count
    beside_own: bool = False  # whether the loss of the output is one's own: the engine has no targets of it then

    @property
    def by_engine(self) -> RowMetric | None:
        """The metric, if the engine has its formula; otherwise it looks at the outputs (measuring.py)."""
        if self.beside_own:
            return None
        return self.metric if isinstance(self.metric, RowMetric) and self.metric.of_engine else None


class Values(NamedTuple):
    """Where a network has values whose mean or sum is a loss: as an output of its own, behind those of the model."""

    output: int  # its number
    shape: tuple[int, ...]  # of a sample
    dtype: str
    reduction: str

    def native(self, weight: float = 1.0) -> _core.Head:
        """What the engine is told."""
        return (self.output, "mean_value", 1, 0.0, self.reduction, weight, [], None)

    def targets(self, samples: int) -> NDArray[Any]:
        """What stands for targets in the engine."""
        return np.zeros((samples, math.prod(self.shape)), self.dtype)


class Head(NamedTuple):
    """An output that has a loss, metrics or both."""

    number: int  # of the output
    name: str  # of the output in logs
    port: Port
    loss: Loss | None
    weight: float  # of the loss in that of the model
    measured: tuple[Measured, ...]
    values: Values | None = None  # of a loss of one's own

    @property
    def sparse(self) -> bool:
        """Whether the targets are class labels."""
        return bool(self.judge.sparse)

    @property
    def judge(self) -> Loss | Metric:
        """Who says what targets must be: the loss, else the first metric that does not take any."""
        if self.loss is not None:
            return self.loss
        metrics = [each.metric for each in self.measured]
        return next((metric for metric in metrics if metric.sparse is not None), metrics[0])

    @property
    def by_engine(self) -> list[tuple[Measured, RowMetric]]:
        """The metrics that the engine measures."""
        return [(each, each.by_engine) for each in self.measured if each.by_engine is not None]

    def native(self) -> _core.Head:
        """What the engine is told."""
        loss, metrics = self.loss, [(metric.native_name, metric.a, each.weighted) for each, metric in self.by_engine]
        if loss is None:
            return (self.number, "", self.port.columns, 0.0, "mean", 0.0, metrics, None)
        if self.values is not None:
            return self.values.native(self.weight)
        reduction, axes = loss.native_reduction, loss.summed_axes(self.port.sizes)
        return (self.number, loss.native_name, self.port.columns, loss.a, reduction, self.weight, metrics, axes)

    def weights_shape(self) -> tuple[int, ...]:
        """The shape of a sample's weights, where it has more than one; ValueError for a loss that takes none."""
        if self.values is not None:
            rows = self.port.sizes[:-1]
            return rows if self.values.shape[: len(rows)] == rows else ()
        return self.port.sizes[:-1] if self.loss is None else self.loss.weights_shape(self.port.sizes)

    def check_mask(self, steps: int) -> None:
        """Raise ValueError where the loss cannot leave out some of so many steps of a sample, as a mask says."""
        if self.loss is None:
            return
        if self.values is None:
            self.loss.check_mask(self.port.sizes)
            return
        sizes, shape = self.port.sizes, self.values.shape
        axes = next(axes for axes in range(len(sizes) + 1) if math.prod(sizes[:axes]) == steps)
        if shape[:axes] != sizes[:axes]:
            needed, given = (str(("samples", *each)).replace("'", "") for each in (sizes[:axes], shape))
            raise ValueError(
                f"The loss {self.loss.name} is of an output with a mask, so it must have a value for each step, of the "
                f"shape {needed}, but has values of the shape {given}."
            )

    @property
    def depends_on_batches(self) -> bool:
        """Whether the loss of samples is another where they are cut into other batches, also without weights."""
        if self.loss is None:
            return False
        if self.values is not None:
            return self.values.reduction == "sum"
        axes = self.loss.summed_axes(self.port.sizes)
        return self.loss.reduction == "sum" or (axes is not None and axes[0])


class Heads:
    """The heads of a model.

    The engine's totals have a column for the loss, one for each of its parts where there are several, and two for each
    metric, in the order of the heads: the sum of the rows' values, and what to divide it by.

    Args:
        heads: Those with a loss first, those of which the engine measures nothing last.
        several: Whether the model has several outputs.
        handed: The outputs that metrics in Python look at.
        added: What the loss has beside the losses of outputs. Logs have no parts of it.

    Attributes:
        parts: The names of the losses of which that of the model is made, if they are several.
        columns: Of the engine's totals.
        names: The names in logs, in order.
        told: The metrics that the engine measures, each with its column.
        ignores_nothing: Whether no loss leaves rows out.
        losses: How many heads have a loss.
        own: The places of the heads whose loss is one's own.
        rearranges: Whether the engine takes the data in another form: see `for_engine`.
    """

    def __init__(
        self, heads: tuple[Head, ...], several: bool, handed: tuple[int, ...] = (), added: tuple[Values, ...] = ()
    ) -> None:
        self.heads, self.several, self.handed, self.added = heads, several, handed, added
        losses = [f"{head.name}_loss" for head in heads if head.loss is not None]
        self.losses, parts = len(losses), len(losses) + len(added)
        self.parts = losses if len(losses) > 1 else []
        self._losses = ["loss", *self.parts]
        self._first_metric = 1 + (parts if parts > 1 else 0)
        self._metrics = self._placed()  # in the order of logs, each with its column, None for those in Python
        self.told = [
            (place, each.by_engine) for place, each in self._metrics if place is not None and each.by_engine is not None
        ]
        measured = sum(len(head.by_engine if handed else head.measured) for head in heads)
        self.columns = self._first_metric + 2 * measured
        self.names = [*self._losses, *(each.name for _, each in self._metrics)]
        self.own = [place for place, head in enumerate(heads) if head.loss is not None and head.loss.is_own]
        self.rearranges = bool(handed or self.own or added)
        self.ignores_nothing = all(head.loss is None or head.loss.ignore_class is None for head in heads)

    @property
    def metrics(self) -> list[Metric]:
        """The metrics in the order of logs."""
        return [measured.metric for _, measured in self._metrics]

    @property
    def directions(self) -> dict[str, str]:
        """For metrics by their name in logs: "up" where more is better, "down" where less is."""
        found = [(measured.name, measured.metric.direction) for _, measured in self._metrics]
        return {name: direction for name, direction in found if direction is not None}

    def check_masks(self, masks: Sequence[int]) -> None:
        """Raise ValueError for an output with a mask whose loss cannot leave steps out.

        Args:
            masks: By output: the size of a sample of its mask, 0 where it has none.
        """
        for head in self.heads:
            if masks[head.number]:
                head.check_mask(masks[head.number])

    def native(self) -> list[_core.Head]:
        """What the engine is told."""
        natives = [head.native() for head in self.heads[: self._of_engine]]
        return [*natives[: self.losses], *(values.native() for values in self.added), *natives[self.losses :]]

    @property
    def _of_engine(self) -> int:
        """How many heads the engine knows."""
        return sum(head.loss is not None or bool(head.by_engine) for head in self.heads)

    def for_engine(self, data: Dataset) -> Dataset:
        """The data without the targets of heads that the engine does not know.

        Those of losses of one's own are inputs of the network: zeros stand for them.
        """
        if not self.rearranges:
            return data
        count = self._of_engine
        xs, ys = data.xs, list(data.ys[:count])
        for place in self.own:
            values = self.heads[place].values
            assert values is not None
            xs, ys[place] = (*xs, ys[place]), values.targets(data.samples)
        weights = list(data.weights[:count])
        ys[self.losses : self.losses] = [values.targets(data.samples) for values in self.added]
        if weights:
            weights[self.losses : self.losses] = [None] * len(self.added)
        return Dataset(xs, tuple(ys), tuple(weights))

    def _placed(self) -> list[tuple[int | None, Measured]]:
        """The metrics in the order of logs, that of Keras's lists, each with its column, None for the others."""
        placed: list[tuple[int | None, Measured]] = []
        column = self._first_metric
        for measured in [measured for head in self.heads for measured in head.measured]:
            if measured.by_engine is None:
                placed.append((None, measured))
                continue
            placed.append((column, measured))
            column += 2
        return sorted(placed, key=lambda each: each[1].name) if self.several else placed

    def depends_on_batches(self, weighted: bool) -> bool:
        """Whether the loss of samples is another where they are cut into other batches."""
        added = any(values.reduction == "sum" for values in self.added)
        return weighted or added or any(head.depends_on_batches for head in self.heads)

    def logs(
        self, totals: NDArray[Any], samples: int, measured: bool = True, values: Mapping[str, Any] = NOTHING
    ) -> Logs:
        """Losses and metrics, by name, from totals over so many samples.

        Args:
            measured: Whether the metrics have seen any; they are NaN otherwise.
            values: The metrics in Python, by name.
        """
        found = totals.tolist()
        logs: Logs = {"loss": found[0] / samples}
        for column, name in enumerate(self.parts, 1):
            logs[name] = found[column] / samples
        for place, each in self._metrics:
            metric = each.by_engine
            if place is None or metric is None:
                logs[each.name] = values[each.name] if measured else math.nan
                continue
            value, weight = found[place], found[place + 1]
            mean = 0.0 if weight == 0 else value / weight
            logs[each.name] = metric.finish(mean if measured else math.nan)
        return logs

    def tell(self, totals: NDArray[Any]) -> None:
        """Let the objects in `told` know what was seen, as those of metrics in Python do."""
        for place, metric in self.told:
            metric.take_totals(float(totals[place]), float(totals[place + 1]))

    def logs_of(self, totals: NDArray[Any], samples: int) -> dict[str, list[float]]:
        """As `logs`, for a row of totals an epoch, of a model without metrics in Python."""
        logs: dict[str, list[float]] = {n: (totals[:, i] / samples).tolist() for i, n in enumerate(self._losses)}
        for column, each in self._metrics:
            metric = each.by_engine
            assert column is not None
            assert metric is not None
            values, weights = totals[:, column], totals[:, column + 1]
            means = np.divide(values, weights, out=np.zeros_like(values), where=weights != 0)
            logs[each.name] = [metric.finish(mean) for mean in means.tolist()]
        return logs
