"""What a training run leaves behind."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from .foundation import not_yet

if TYPE_CHECKING:
    from ._trainer import Trainer


class History:
    """The record of one call of ``fit``.

    Attributes:
        history: For the loss and each metric a list with a value an epoch; those of the validation data begin with
            ``val_``. The loss of an epoch is the mean over its samples, each batch measured before its step.
        epoch: The numbers of the epochs, from ``initial_epoch`` on.
        params: ``epochs``, ``steps`` (batches an epoch) and ``verbose``.
    """

    def __init__(self, model: Trainer, params: dict[str, Any]) -> None:
        self._model = weakref.ref(model)  # which holds its history: a cycle would keep both until Python looks for such
        self.params = params
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    @property
    def model(self) -> Trainer | None:
        """The model that was trained; None if there is none any more."""
        return self._model()

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Record an epoch."""
        self.extend(epoch, {name: [value] for name, value in logs.items()})

    def extend(self, epoch: int, logs: dict[str, list[float]]) -> None:
        """Record several epochs, from number `epoch` on; nothing for none."""
        count = len(logs["loss"])
        self.epoch.extend(range(epoch, epoch + count))
        for name, values in logs.items() if count else ():
            self.history.setdefault(name, []).extend(values)

    def __repr__(self) -> str:
        last = "".join(f", {name}={values[-1]:.6g}" for name, values in self.history.items() if values)
        return f"<History of {len(self.epoch)} epoch{'s' * (len(self.epoch) != 1)}{last}>"


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "callback")
