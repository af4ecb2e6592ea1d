"""What is made of a model's outputs: a loss, metrics or both of each; what the engine is told of them; their logs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.layout import Port
from ..losses import Loss
from ..metrics import Metric

if TYPE_CHECKING:
    from .. import _core


class Measured(NamedTuple):
    """A metric of an output."""

    name: str  # in logs
    metric: Metric
    weighted: bool  # whether the weights of samples count


class Head(NamedTuple):
    """An output that has a loss, metrics or both."""

    number: int  # of the output
    name: str  # of the output in logs
    port: Port
    loss: Loss | None
    weight: float  # of the loss in that of the model
    measured: tuple[Measured, ...]

    @property
    def sparse(self) -> bool:
        """Whether the targets are class labels."""
        return self.loss.sparse if self.loss is not None else self.measured[0].metric.sparse

    def native(self) -> _core.Head:
        """What the engine is told."""
        loss, metrics = self.loss, [(each.metric.native_name, each.metric.a, each.weighted) for each in self.measured]
        if loss is None:
            return (self.number, "", self.port.columns, 0.0, "mean", 0.0, metrics, None)
        reduction, axes = loss.native_reduction, loss.summed_axes(self.port.sizes)
        return (self.number, loss.native_name, self.port.columns, loss.a, reduction, self.weight, metrics, axes)

    def weights_shape(self) -> tuple[int, ...]:
        """The shape of a sample's weights, where it has more than one; ValueError for a loss that takes none."""
        return self.port.sizes[:-1] if self.loss is None else self.loss.weights_shape(self.port.sizes)

    @property
    def depends_on_batches(self) -> bool:
        """Whether the loss of samples is another where they are cut into other batches, also without weights."""
        if self.loss is None:
            return False
        axes = self.loss.summed_axes(self.port.sizes)
        return self.loss.reduction == "sum" or (axes is not None and axes[0])


class Heads(NamedTuple):
    """The heads of a model.

    The engine's totals have a column for the loss, one for each of its parts where there are several, and two for each
    metric, in the order of the heads: the sum of the rows' values, and what to divide it by.
    """

    heads: tuple[Head, ...]  # those with a loss first
    several: bool  # whether the model has several outputs

    @property
    def parts(self) -> list[str]:
        """The names of the losses of which that of the model is made, if they are several."""
        if len(self.heads) == 1:
            return []
        named = [f"{head.name}_loss" for head in self.heads if head.loss is not None]
        return named if len(named) > 1 else []

    @property
    def columns(self) -> int:
        """Of the engine's totals."""
        return 1 + len(self.parts) + 2 * sum(len(head.measured) for head in self.heads)

    @property
    def names(self) -> list[str]:
        """The names in logs, in order."""
        return ["loss", *self.parts, *[measured.name for _, measured in self._metrics()]]

    @property
    def directions(self) -> dict[str, str]:
        """For metrics by their name in logs: "up" where more is better, "down" where less is."""
        found = [(measured.name, getattr(measured.metric, "direction", None)) for _, measured in self._metrics()]
        return {name: direction for name, direction in found if direction is not None}

    def native(self) -> list[_core.Head]:
        """What the engine is told."""
        return [head.native() for head in self.heads]

    def _metrics(self) -> list[tuple[int, Measured]]:
        """The metrics in the order of logs, that of Keras's lists, each with its column."""
        every = [measured for head in self.heads for measured in head.measured]
        placed = [(1 + len(self.parts) + 2 * i, measured) for i, measured in enumerate(every)]
        return sorted(placed, key=lambda each: each[1].name) if self.several else placed

    def depends_on_batches(self, weighted: bool) -> bool:
        """Whether the loss of samples is another where they are cut into other batches."""
        return weighted or any(head.depends_on_batches for head in self.heads)

    def logs(self, totals: NDArray[Any], samples: int, measured: bool = True) -> dict[str, float]:
        """Losses and metrics, by name, from totals over so many samples.

        Args:
            measured: Whether the metrics have seen any; they are NaN otherwise.
        """
        logs = {name: float(totals[column]) / samples for column, name in enumerate(["loss", *self.parts])}
        for column, (name, metric, _) in self._metrics():
            value, weight = float(totals[column]), float(totals[column + 1])
            mean = 0.0 if weight == 0 else value / weight
            logs[name] = metric.finish(mean if measured else math.nan)
        return logs

    def logs_of(self, totals: NDArray[Any], samples: int) -> dict[str, list[float]]:
        """As `logs`, for a row of totals an epoch."""
        losses = ["loss", *self.parts]
        logs: dict[str, list[float]] = {name: (totals[:, i] / samples).tolist() for i, name in enumerate(losses)}
        for column, (name, metric, _) in self._metrics():
            values, weights = totals[:, column], totals[:, column + 1]
            means = np.divide(values, weights, out=np.zeros_like(values), where=weights != 0)
            logs[name] = [metric.finish(mean) for mean in means.tolist()]
        return logs
