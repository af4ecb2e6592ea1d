"""What a training run leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._trainer import Trainer


class History:
    """The record of one call of ``fit``.

    Attributes:
        history: For the loss and each metric a list with a value an epoch; those of the validation data begin with
            ``val_``. The loss of an epoch is the mean over its samples, each batch measured before its step.
        epoch: The numbers of the epochs, from ``initial_epoch`` on.
        params: ``epochs``, ``steps`` (batches an epoch) and ``verbose``.
        model: The model that was trained.
    """

    def __init__(self, model: Trainer, params: dict[str, Any]) -> None:
        self.model = model
        self.params = params
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Record an epoch."""
        self.extend(epoch, {name: [value] for name, value in logs.items()})

    def extend(self, epoch: int, logs: dict[str, list[float]]) -> None:
        """Record several epochs, from number `epoch` on; nothing for none."""
        count = len(logs["loss"])
        self.epoch.extend(range(epoch, epoch + count))
        for name, values in logs.items() if count else ():
            self.history.setdefault(name, []).extend(values)
