"""The losses ``"crossentropy"`` and ``"ce"``: which one is meant depends on the output and its targets, as in Keras."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import losses
from ..data.layout import Port
from ..losses import Loss

_NAMES = ("crossentropy", "ce")


class Crossentropy:
    """Stands for a crossentropy that is not chosen yet.

    Args:
        name: As it was given, which is the name of the loss.
    """

    is_own: ClassVar[bool] = False
    reduction: ClassVar[str] = "sum_over_batch_size"

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return repr(self.name)

    @staticmethod
    def is_meant(given: object) -> bool:
        """Whether `given` is one of its names, in small or large letters."""
        return isinstance(given, str) and given.lower() in _NAMES

    def chosen(self, port: Port, y: Any = None) -> Loss | None:
        """The loss of an output, for targets `y`: labels, or numbers for each class. None where targets are needed.

        Targets of any other shape are refused by the loss.
        """
        if port.columns == 1:
            return losses.BinaryCrossentropy(name=self.name)
        if y is None:
            return None
        try:
            shape = np.shape(y)
        except ValueError:  # rows of several lengths
            shape = ()
        labels = len(shape) <= len(port.shape) or shape[-1] == 1
        kind = losses.SparseCategoricalCrossentropy if labels else losses.CategoricalCrossentropy
        return kind(name=self.name)
