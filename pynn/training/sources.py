"""Where batches come from, if data come batch by batch: a `PyDataset`, a generator, or another iterable."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..data.py_dataset import PyDataset
from ..foundation import checks
from ..foundation.native import core
from .task import Order


class Batch(NamedTuple):
    """What a call of the engine is about."""

    x: Any
    y: Any = None
    weights: Any = None


class Source:
    """Where batches come from, and how far they were taken.

    Args:
        x: A `PyDataset` or anything else with numbered batches, an iterable, or an iterator, which can be gone through
            once.
        name: What messages call it.

    Attributes:
        number: Of the batches in a pass; None where nobody knows, and without end.
        once: Whether it can be gone through once only.
        passes, step: How many passes were begun before this one, and how many batches of this one were taken.

    Raises:
        ValueError: there are no batches.
    """

    def __init__(self, x: Any, name: str) -> None:
        self.x, self.name = x, name
        self.once = hasattr(x, "__next__")
        self._numbered = isinstance(x, PyDataset) or (
            not self.once and hasattr(x, "__getitem__") and self._count() is not None
        )
        self._iterator = x if self.once else None
        self._next: Batch | None = None
        self.begin_pass(0)
        if self.number == 0:
            raise ValueError(f"{name} has no batches.")

    def begin_pass(self, passes: int, step: int = 0, order: Order | None = None) -> None:
        """Begin a pass, or go on within one. Numbered batches come in the order of `order` and the pass, if given."""
        self.number = self._count()
        self.passes, self.step, self._places = passes, step, None
        if self.once:
            return
        self._iterator = self._next = None
        if self._numbered and self.number is not None and order is not None and order.shuffle:
            self._places = np.empty(self.number, np.int64)
            core.permutation(self._places, order.seed, passes)

    def _count(self) -> int | None:
        if isinstance(self.x, PyDataset):
            return self.x.num_batches
        if not hasattr(self.x, "__len__"):
            return None
        try:
            return len(self.x)
        except TypeError:  # a loader of data that have no length
            return None

    def has_more(self) -> bool:
        """Whether the pass has another batch."""
        if self._numbered:
            return self.number is None or self.step < self.number
        if self._next is None:
            self._next = self._fetch()
        return self._next is not None

    def first(self) -> Batch:
        """A batch to see what all are like; ValueError if there is none."""
        if self._numbered:
            return self._unpacked(self.x[0])
        if not self.has_more():
            raise ValueError(f"{self.name} has no batches.")
        assert self._next is not None
        return self._next

    def take(self) -> Batch:
        """The next batch, which there must be."""
        batch = self._fetch() if self._next is None else self._next
        assert batch is not None
        self._next = None
        self.step += 1
        return batch

    def _fetch(self) -> Batch | None:
        if self._numbered:
            return self._unpacked(self.x[self.step if self._places is None else int(self._places[self.step])])
        if self._iterator is None:
            self._iterator = iter(self.x)
            for _ in range(self.step):  # those that a run which is taken up had before
                next(self._iterator, None)
        for batch in self._iterator:
            return self._unpacked(batch)
        return None

    def _unpacked(self, batch: Any) -> Batch:
        if isinstance(batch, list):
            batch = tuple(batch)
        if not isinstance(batch, tuple):
            return Batch(batch)
        if len(batch) not in (1, 2, 3):
            raise ValueError(
                f"{self.name} must give batches x, (x, y) or (x, y, sample_weight), but gave {checks.shown(batch)}."
            )
        return Batch(*batch)
