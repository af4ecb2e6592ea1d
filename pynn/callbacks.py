"""What a training run leaves behind."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from .foundation import atomic, not_yet


class History:
    """The record of one call of ``fit``.

    Attributes:
        history: For the loss and each metric a list with a value an epoch; those of the validation data begin with
            ``val_``. The loss of an epoch is the mean over its samples, each batch measured before its step.
        epoch: The numbers of the epochs, from ``initial_epoch`` on.
        params: ``epochs``, ``steps`` (batches an epoch) and ``verbose``.
    """

    _model: weakref.ref[object] | None = None

    def __init__(self, model: object, params: dict[str, Any]) -> None:
        # Not the model itself: it has the record, and would be freed by the garbage collector only.
        self._model = weakref.ref(model)
        self.params = params
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    @property
    def model(self) -> Any:
        """The model that was trained; None once nothing else holds it, and in a copy."""
        return None if self._model is None else self._model()

    def __getstate__(self) -> dict[str, Any]:
        """What copy and pickle take along: all but the model."""
        return {name: value for name, value in vars(self).items() if name != "_model"}

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Record an epoch."""
        self.extend(epoch, {name: [value] for name, value in logs.items()})

    def extend(self, epoch: int, logs: dict[str, list[float]]) -> None:
        """Record several epochs, from number `epoch` on, or none if this is interrupted; nothing for none."""
        count = len(logs["loss"])
        if count == 0:
            return
        if not self.history:
            self.history = {name: [] for name in logs}
        lists: list[list[Any]] = [self.epoch, *(self.history[name] for name in logs)]
        atomic.extend_together(lists, [list(range(epoch, epoch + count)), *logs.values()])

    def __repr__(self) -> str:
        last = "".join(f", {name}={values[-1]:.6g}" for name, values in self.history.items() if values)
        return f"<History of {len(self.epoch)} epoch{'s' * (len(self.epoch) != 1)}{last}>"


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "callback")
