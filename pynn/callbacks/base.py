"""What a callback is: code that a run calls at its turning points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..foundation.arguments import NamesItsArguments

Logs = dict[str, Any]


class Callback(NamesItsArguments):
    """Base of all callbacks: a subclass overrides the hooks that it wants. None of them does anything here.

    `fit` calls ``on_train_begin``, for each epoch ``on_epoch_begin``, for each batch ``on_train_batch_begin`` and
    ``on_train_batch_end``, after the validation ``on_epoch_end``, and last ``on_train_end``. `evaluate`, and the
    validation in `fit`, call the hooks of ``test``; `predict` calls those of ``predict``. Hooks of batches are called
    only where a callback overrides them; without them a whole epoch is one call of the engine.

    ``logs`` are losses and metrics by name: in ``on_train_batch_end`` those of the epoch so far, in ``on_epoch_end``
    also those of the validation, beginning with ``val_``. What a hook writes into them, later callbacks and the
    `History` see. A hook may predict, evaluate, save, and change weights and learning rate. It may set
    ``self.model.stop_training``. A hook of batches may set ``stop_evaluating``, also of a validation, or
    ``stop_predicting``: the results are then those of the batches so far. What a hook raises ends the run: the model
    keeps the last finished step.

    Attributes:
        model: The model of the run; None before the first one.
        params: ``epochs``, ``steps`` (batches an epoch) and ``verbose``.
    """

    # Of the class, as many subclasses do not call __init__
    _model: Any = None
    params: Any = None

    @property
    def model(self) -> Any:
        """The model of the run."""
        return self._model

    def set_model(self, model: Any) -> None:
        """Called at the begin of a run with its model."""
        self._model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called at the begin of a run with ``epochs``, ``steps`` and ``verbose``."""
        self.params = dict(params)

    # ---- what `BackupAndRestore` keeps of it -------------------------------------------------------------------------

    # Names of the attributes that the callback goes by from epoch to epoch.
    _kept: tuple[str, ...] = ()

    def get_state(self) -> dict[str, Any]:
        """What the callback must know to go on where a run was killed: numbers, texts, None, arrays, lists of arrays.

        A subclass with a memory of its own overrides this and `set_state`; otherwise it begins anew.
        """
        return {name: getattr(self, name) for name in self._kept}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` gave."""
        for name, value in state.items():
            setattr(self, name, value)

    # Names that it writes into the logs of an epoch; None: nobody knows.
    _adds: tuple[str, ...] | None = ()

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        """Raise ValueError where the callback cannot do its work in a run.

        Args:
            names: Those that logs have at the end of an epoch, with those of the validation, if one follows it.
            directions: ``"up"`` or ``"down"`` for metrics that say which is better, by name.
            more: Whether other callbacks may add names.
        """

    def _patience(self) -> int | None:
        """How many batches may pass before `_after_batches` must be called; None: it need not be."""
        return None

    def _after_batches(self, count: int, batch: int, logs: Callable[[], Logs]) -> None:
        """`count` batches passed, `batch` is the last of them, and `logs` makes their logs."""

    def _give_up(self) -> None:
        """An error ends the run, evaluation or prediction: no hook of an end will be called."""

    # ---- hooks -------------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """A run of `fit` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """It ends; `logs` are those of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch begins; `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """It is over, and so is its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch begins; `batch` counts from 0 in each epoch. Calls `on_batch_begin`."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Its step is done. Calls `on_batch_end`."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """An evaluation or validation begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """It ends; `logs` are its results."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of an evaluation begins."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """It is done."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """A prediction begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """It ends."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of a prediction begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """It is done; `logs` has its ``outputs``."""
