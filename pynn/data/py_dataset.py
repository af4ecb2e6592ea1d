"""Datasets that give batches by number, and what else gives batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..foundation import checks


class PyDataset:
    """Base of datasets of one's own that give batches by number: ``dataset[i]`` is a batch, ``len(dataset)`` how many.

    `fit`, `evaluate` and `predict` take one in place of `x`. With ``shuffle=True``, the default, `fit` visits the
    batches in a new random order each epoch. A run that is taken up from a backup goes on with the batch that would
    have come next; what the dataset itself remembers is not in the backup.

    A subclass has ``__getitem__(self, index)``, which returns ``(x, y)`` or ``(x, y, sample_weight)``, and ``__len__``.
    One without end has the property `num_batches`, None, instead of ``__len__``.

    Args:
        workers, use_multiprocessing, max_queue_size: Without effect: batches are made one by one, as they are needed.

    Examples:
        >>> class Squares(pynn.utils.PyDataset):
        ...     def __len__(self):
        ...         return 10
        ...     def __getitem__(self, index):
        ...         x = np.linspace(index, index + 1, 32)[:, None]
        ...         return x, x**2
        >>> model.fit(Squares(), epochs=5)
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = checks.positive_int(workers, "workers")
        self.use_multiprocessing = checks.boolean(use_multiprocessing, "use_multiprocessing")
        self.max_queue_size = checks.positive_int(max_queue_size, "max_queue_size")

    def __getitem__(self, index: int) -> Any:
        """The batch with this number, from 0 on."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a method __getitem__(self, index), which gives a batch."
        )

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None: without end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} needs a method __len__(self): the number of batches.")

    def on_epoch_begin(self) -> None:
        """Called by `fit` before each epoch."""

    def on_epoch_end(self) -> None:
        """Called by `fit` after each epoch, such as to change what the next one has."""

    def __iter__(self) -> Iterator[Any]:
        number = self.num_batches
        for index in itertools.count() if number is None else range(number):
            yield self[index]


def gives_batches(x: object) -> bool:
    """Whether `x` is a dataset, a generator or another iterable of batches, rather than an array or several."""
    if isinstance(x, np.ndarray | list | tuple | Mapping | str | bytes):
        return False
    if isinstance(x, PyDataset) or hasattr(x, "__next__"):
        return True
    # Arrays of all kinds have a shape, and what NumPy makes an array of has a buffer or `__array__`.
    if (
        isinstance(x, set | frozenset | range | bytearray | memoryview)
        or hasattr(x, "shape")
        or hasattr(x, "__array__")
    ):
        return False
    return hasattr(x, "__iter__") and type(x).__module__ not in ("array", "builtins")
