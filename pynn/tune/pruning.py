"""Trials that are given up early."""

from __future__ import annotations

from typing import Any

from ..callbacks.base import Logs
from ..callbacks.monitors import Monitor
from ..foundation import optional
from .hyperparameters import HyperParameters


class PruningCallback(Monitor):
    """Tells an Optuna trial a value at the end of each epoch, and gives the trial up where its pruner says so.

    `search` has one of its own where it is given a pruner. This is for objectives of one's own:
    ``model.fit(..., callbacks=[pynn.tune.PruningCallback(trial, "val_accuracy")])``.

    Args:
        trial: Optuna's trial, or the `HyperParameters` of one.
        monitor: The name of the value in the logs. Default ``"val_loss"``.

    Raises:
        ValueError: in `fit`, a name that the logs do not have. optuna.TrialPruned: in `fit`, the trial is given up.
    """

    def __init__(self, trial: Any, monitor: str = "val_loss") -> None:
        super().__init__(monitor, "max")  # the pruner goes by the direction of the study
        self._optuna = optional.package("optuna", "pynn.tune")
        self.trial = trial.trial if isinstance(trial, HyperParameters) else trial
        self._told: set[int] = set()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """See what was told before the process that ran this trial was killed."""
        study = getattr(self.trial, "study", None)
        frozen = [] if study is None else study.get_trials(deepcopy=False)
        self._told = {step for each in frozen if each.number == self.trial.number for step in each.intermediate_values}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Tell the value."""
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if epoch not in self._told:
            self.trial.report(value, epoch)
        if self.trial.should_prune():
            raise self._optuna.TrialPruned(f"It was given up after epoch {epoch + 1}: {self.monitor} was {value:.6g}.")
