"""The metrics that look at a model's outputs: the engine hands these over, and the metrics take them in, in NumPy.

The engine writes what the network gave, in training before each step, in the order in which samples were visited. So a
call of the engine makes as many steps as have outputs of some megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..callbacks.base import Logs
from ..data.dataset import Dataset
from ..data.layout import Layout
from ..foundation import checks
from ..foundation.native import core
from ..metrics import Metric
from .heads import Head, Heads

Array = NDArray[Any]
Outs = Sequence[Array | None]  # by output; empty: none

NO_OUTS: Outs = ()

# Bytes of outputs that are handed over at once, unless one batch has more.
_ROOM = 16 * 2**20


class _Watched(NamedTuple):
    """A metric at work."""

    name: str  # in logs
    metric: Metric  # as the user made it
    working: Metric  # which others do not see until `values`: it has seen these samples only
    weighted: bool


class Measuring:
    """What metrics in Python see of an epoch, or of an evaluation.

    Args:
        heads, layout, data, batch_size: What is measured.
        masks: By output: the size of a sample of its mask, 0 where it has none.
        order: The seed and the number of the first epoch, where samples are shuffled. None: they come in order.
        first: The number of the first step within the epoch.
    """

    def __init__(
        self,
        heads: Heads,
        layout: Layout,
        masks: tuple[int, ...],
        data: Dataset,
        batch_size: int,
        order: tuple[int, int] | None = None,
        first: int = 0,
    ) -> None:
        self._of_head: list[tuple[int, Head, list[_Watched]]] = []
        self._layout, self._data, self._batch_size, self._order = layout, data, batch_size, order
        self._visited = self._samples_before(first)
        self._permuted: tuple[int, Array] | None = None  # of an epoch
        self._handed, self._masks = heads.handed, masks
        for place, head in enumerate(heads.heads):
            watched = [
                _Watched(each.name, each.metric, each.metric.fresh(), each.weighted)
                for each in head.measured
                if each.by_engine is None
            ]
            if watched:
                self._of_head.append((place, head, watched))

    # ---- room for the outputs

    def steps_at_once(self, wanted: int) -> int:
        """How many steps the engine may make in a call, of the wanted ones."""
        sizes = sum(int(np.prod(self._layout.outputs.ports[number].sizes)) for number in self._handed)
        batch = sizes * np.dtype(self._layout.dtype).itemsize * self._batch_size
        return max(1, min(wanted, _ROOM // batch))

    def room(self, samples: int) -> Outs:
        """Where the engine puts the outputs of so many samples: new arrays, as a metric may keep what it gets."""
        ports = self._layout.outputs.ports
        outs = [
            np.empty((samples, *port.sizes), self._layout.dtype) if number in self._handed else None
            for number, port in enumerate(ports)
        ]
        outs += [None] * (len(self._masks) - len(ports))  # the values of losses of one's own
        if not any(self._masks):
            return outs
        of_masks = [
            np.empty((samples, size), self._layout.dtype) if size and number in self._handed else None
            for number, size in enumerate(self._masks)
        ]
        return [*outs, *of_masks]

    def room_for_steps(self, steps: int) -> Outs:
        """As `room`, for the next steps."""
        return self.room(self._samples_of(steps))

    def begin_data(self, heads: Heads, layout: Layout, masks: tuple[int, ...], data: Dataset) -> None:
        """Other data follow, such as the next batch of a stream, from their first sample on."""
        self._of_head = [(place, heads.heads[place], watched) for place, _, watched in self._of_head]
        self._layout, self._masks = layout, masks
        self._data, self._batch_size, self._visited = data, data.samples, 0

    # ---- samples, by steps

    def _samples_before(self, steps: int) -> int:
        """How many samples so many steps visit, from the begin of an epoch on: the last batch of one may be smaller."""
        samples = self._data.samples
        epochs, more = divmod(steps, -(-samples // self._batch_size))
        return epochs * samples + min(more * self._batch_size, samples)

    def _steps_before(self, samples: int) -> int:
        epochs, more = divmod(samples, self._data.samples)
        return epochs * -(-self._data.samples // self._batch_size) + more // self._batch_size

    def _samples_of(self, steps: int) -> int:
        return self._samples_before(self._steps_before(self._visited) + steps) - self._visited

    def _rows(self, begin: int, end: int) -> slice | Array:
        """Which rows of the data these are, which lie in one epoch."""
        epoch, first = divmod(begin, self._data.samples)
        rows = slice(first, first + end - begin)
        if self._order is None:
            return rows
        if self._permuted is None or self._permuted[0] != epoch:
            permuted = np.empty(self._data.samples, np.int64)
            core.permutation(permuted, self._order[0], self._order[1] + epoch)
            self._permuted = (epoch, permuted)
        return self._permuted[1][rows]

    # ---- what the metrics see

    def take_steps(self, outs: Outs, steps: int) -> None:
        """Show the metrics the outputs of the next steps."""
        self.take(outs, self._samples_of(steps))

    def take(self, outs: Outs, samples: int) -> None:
        """Show the metrics the outputs of the next samples."""
        begin, last = self._visited, self._visited + samples
        while begin < last:  # what lies in one epoch
            end = min(last, (begin // self._data.samples + 1) * self._data.samples)
            self._take_part(outs, begin, end)
            begin = end
        self._visited += samples

    def _take_part(self, outs: Outs, begin: int, end: int) -> None:
        """Show some samples of one epoch: at once where that comes to the same, otherwise by batches.

        How many steps the engine makes at once depends on who looks at a run; what the metrics give must not.
        """
        rows = self._rows(begin, end)
        for place, head, watched in self._of_head:
            made = outs[head.number]
            assert made is not None
            y_pred = made[begin - self._visited : end - self._visited]
            y_true = self._data.ys[place][rows]
            weights = self._data.weights[place] if self._data.weights else None
            given = None if weights is None else weights[rows]
            if self._masks[head.number]:
                mask = outs[len(self._masks) + head.number]
                assert mask is not None
                given = _masked(given, mask[begin - self._visited : end - self._visited], head)
            for each in watched:
                at_once = each.working.additive and not (each.weighted and given is not None)
                size = end - begin if at_once else self._batch_size
                for first in range(0, end - begin, size):
                    part = slice(first, first + size)
                    _show(each, head, y_true[part], y_pred[part], None if given is None else given[part])

    def values(self) -> Logs:
        """The metrics so far, by name: numbers, or arrays. The user's own objects come to know what was seen.

        Raises:
            TypeError: a metric that is something else.
        """
        found = {}
        for _, _, watched in self._of_head:
            for name, metric, working, _ in watched:
                metric.take(working)
                found[name] = _as_value(working.result(), name, self._layout.dtype)
        return found

    # ---- to go on later

    def get_state(self) -> dict[str, Array]:
        """What the metrics have seen, as arrays by their name in logs and their own names."""
        return {
            f"{each.name}/{name}": array
            for _, _, watched in self._of_head
            for each in watched
            for name, array in each.working.get_state().items()
        }

    def set_state(self, state: Mapping[str, ArrayLike], steps: int) -> None:
        """Go on, after so many steps, from what `get_state` gave; ValueError for what it did not give."""
        by_metric: dict[str, dict[str, ArrayLike]] = {}
        for key, array in state.items():
            metric, _, name = key.rpartition("/")
            by_metric.setdefault(metric, {})[name] = array
        for _, _, watched in self._of_head:
            for each in watched:
                each.working.set_state(by_metric.get(each.name, {}))
        self._visited += self._samples_of(steps)


def _masked(weights: Array | None, mask: Array, head: Head) -> Array:
    """The weights of rows, -1 where a mask leaves them out."""
    rows = head.port.rows
    own = np.ones((len(mask), 1), mask.dtype) if weights is None else weights
    return np.where(np.repeat(mask, rows // mask.shape[1], 1) == 0, -1, np.broadcast_to(own, (len(mask), rows)))


def _show(watched: _Watched, head: Head, y_true: Array, y_pred: Array, given: Array | None) -> None:
    """Show a batch to a metric: without the rows that are masked, with weights if it wants them."""
    sizes, columns = head.port.sizes, head.port.columns
    if given is not None and (given < 0).any():
        of_rows = np.broadcast_to(given, (len(given), head.port.rows)).ravel()
        kept = of_rows >= 0
        if not kept.any():
            return
        weights: Array | None = of_rows[kept]
        y_pred = y_pred.reshape(-1, columns)[kept]
        y_true = (y_true.reshape(-1) if head.sparse else y_true.reshape(-1, columns))[kept]
    else:
        y_true = y_true.reshape(len(y_true), *(sizes[:-1] if head.sparse else sizes))
        weights = None if given is None else given.reshape(len(given), *(sizes[:-1] if given.shape[1] > 1 else ()))
    for array in (y_true, weights):
        if array is not None:
            array.flags.writeable = False  # it may be the user's data
    if watched.weighted and weights is not None:
        watched.working.update_state(y_true, y_pred, sample_weight=weights)
    else:
        watched.working.update_state(y_true, y_pred)


def _as_value(result: object, name: str, dtype: str) -> float | Array:
    """What logs have of a metric: a number, or an array of its own, in the model's number type."""
    value = np.asarray(result)
    if not value.size or value.dtype.kind not in "biuf":
        raise TypeError(
            f"The metric {name} must give a number or an array of numbers to be measured by a model, but result() gave "
            f"{checks.shown(result)}."
        )
    return np.array(value, dtype if value.dtype.kind == "f" else None) if value.ndim else float(value)
