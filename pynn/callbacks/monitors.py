"""Callbacks that follow a value from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..foundation import checks
from ..foundation.arguments import did_you_mean
from .base import Callback, Logs

Mode = Literal["auto", "min", "max"]

# Parts of the names of which more, or less, is better, where a metric does not say so itself: "val_auc_1", "my_loss".
_MORE_IS_BETTER = (
    *("acc", "auc", "precision", "recall", "sensitivity", "specificity", "f1", "f2", "fbeta", "f_beta", "r2"),
    *("iou", "io_u", "dice", "score", "true_positives", "true_negatives", "pearson", "concordance"),
    *("cosine_similarity", "correlation", "kappa"),
)
_LESS_IS_BETTER = (
    *("loss", "error", "entropy", "mse", "mae", "mape", "msle", "rmse", "divergence", "hinge", "perplexity", "logcosh"),
    "poisson",
)


class Monitor(Callback):
    """Base of callbacks that look whether a value of the logs has become better.

    Args:
        monitor: The name of the value in the logs. A name that will not be there is an error when the run begins, or at
            the end of its first epoch, if other callbacks may write to the logs. Epochs that no validation follows
            do not count where the value is one of the validation.
        mode: ``"min"`` where less is better, ``"max"`` where more is. ``"auto"``: what the metric says, else what its
            name does.
        min_delta: By how much a value must be better than the best so far. Its sign does not matter.
    """

    def __init__(self, monitor: str, mode: Mode, min_delta: float = 0.0) -> None:
        self.monitor = checks.text(monitor, "monitor")
        self.mode = checks.choice(mode, "mode", get_args(Mode))
        self.min_delta = abs(checks.finite(min_delta, "min_delta"))
        self.best: float | None = None
        self._up = mode == "max"
        self._announced = False  # whether the logs have the value after each validation or epoch

    @property
    def monitor_op(self) -> Any:
        """``np.greater`` or ``np.less``: what the better of two values is."""
        return np.greater if self._up else np.less

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        self._announced = self.monitor in names
        if not (self._announced or more):
            raise ValueError(self._missing(names))
        if self.mode == "auto":
            plain = self.monitor.removeprefix("val_")
            direction = "down" if plain == "loss" else directions.get(plain) or direction_of(plain)
            if direction is None:
                raise ValueError(
                    f"{type(self).__name__} cannot tell whether more or less of {self.monitor!r} is better. "
                    'Give mode="max" or mode="min".'
                )
            self._up = direction == "up"

    def get_monitor_value(self, logs: Logs | None) -> float | None:
        """The monitored value. A subclass may find it elsewhere.

        None after an epoch without validation: the epoch does not count. ValueError if it is never there, or is an
        array of several numbers.
        """
        value = (logs or {}).get(self.monitor)
        if value is not None:
            return one_number(value, self._looks_at())
        if self._announced:
            return None
        raise ValueError(self._missing(list(logs or {})))

    def _missing(self, names: Sequence[str]) -> str:
        names = list(dict.fromkeys(names))
        hint = did_you_mean(self.monitor, names) or ""
        if self.monitor.startswith("val_") and not any(name.startswith("val_") for name in names):
            hint = " There are no values of validation: give fit validation_data or validation_split."
        return f"{self._looks_at()}, but the logs have: {', '.join(names) or 'nothing'}.{hint}"

    def _looks_at(self) -> str:
        """How messages begin: what it was told to look at."""
        return f"{type(self).__name__} monitors {self.monitor!r}"

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference`. NaN never is."""
        if math.isnan(value):
            return False
        if reference is None:
            return True
        return value - self.min_delta > reference if self._up else value + self.min_delta < reference


def one_number(value: Any, looks_at: str) -> float:
    """The number that a value of the logs is; ValueError, which begins with `looks_at`, for an array of several."""
    if np.size(value) == 1:
        return float(np.reshape(value, ()))
    raise ValueError(
        f"{looks_at}, which must be one number, but is an array of the shape {np.shape(value)}. Compile the model with "
        'a metric that gives one number, such as F1Score(average="macro").'
    )


def direction_of(name: str) -> str | None:
    """``"up"`` where more is better, ``"down"`` where less is, by the name of a loss or metric; None: nobody knows."""
    plain = name.lower()
    if any(part in plain for part in _LESS_IS_BETTER):
        return "down"
    return "up" if any(part in plain for part in _MORE_IS_BETTER) else None


class EarlyStopping(Monitor):
    """Ends training when a value has stopped becoming better.

    Args:
        monitor: The value, see `Monitor`. Default ``"val_loss"``.
        min_delta: What counts as better: by more than this. Default ``0``.
        patience: How many epochs without a better value end training. 0 and 1 alike: the first such epoch, but never
            the run's first one. Default ``0``.
        verbose: 1 tells what it does. Default ``0``.
        mode: ``"min"``, ``"max"`` or ``"auto"`` (default).
        baseline: A value that must be bettered: until it is, epochs count as without a better value. Default ``None``.
        restore_best_weights: Whether to end with the weights of the epoch with the best value, also where all epochs
            were run. Default ``False``.
        start_from_epoch: Epochs at the beginning that are not looked at. Default ``0``.

    Attributes:
        stopped_epoch: The epoch, from 0, after which it ended training; 0 if it did not.
        best, best_epoch, best_weights: The best value, its epoch, and the weights then, if they are to be restored.
        wait: Epochs without a better value.

    Raises:
        ValueError: a bad argument; in `fit`, a name that the logs do not have.
    """

    _kept = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: Mode = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = checks.non_negative_int(patience, "patience")
        self.verbose = verbose
        self.baseline = None if baseline is None else checks.finite(baseline, "baseline")
        self.restore_best_weights = checks.boolean(restore_best_weights, "restore_best_weights")
        self.start_from_epoch = checks.non_negative_int(start_from_epoch, "start_from_epoch")
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier run."""
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights: list[NDArray[Any]] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value."""
        if epoch < self.start_from_epoch:
            return
        value = self.get_monitor_value(logs)
        if value is None:
            return
        self.wait += 1
        if self._is_improvement(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._is_improvement(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Restore the weights of the best epoch, if asked for."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(Monitor):
    """Lowers the learning rate when a value has stopped becoming better. The logs get the ``learning_rate``.

    Args:
        monitor: The value, see `Monitor`. Default ``"val_loss"``.
        factor: In [0, 1): the rate becomes ``max(rate * factor, min_lr)``. Default ``0.1``.
        patience: After how many epochs without a better value. Default ``10``.
        verbose: 1 tells of each change. Default ``0``.
        mode: ``"min"``, ``"max"`` or ``"auto"`` (default).
        min_delta: What counts as better: by more than this. Default ``1e-4``.
        cooldown: Epochs after a change that do not count. Default ``0``.
        min_lr: The lowest rate. Default ``0``.

    Raises:
        ValueError: a bad argument; in `fit`, a name that the logs do not have, or an optimizer whose learning rate is a
            schedule.
    """

    _kept = ("wait", "cooldown_counter", "best")
    _adds = ("learning_rate",)

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: Mode = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = checks.number(factor, "factor", "[0, 1)")
        self.patience = checks.non_negative_int(patience, "patience")
        self.verbose = verbose
        self.cooldown = checks.non_negative_int(cooldown, "cooldown")
        self.min_lr = checks.number(min_lr, "min_lr", "[0, inf)")
        self.on_train_begin()

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        super()._check_run(names, directions, more)
        check_rate_can_be_set(self)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier run."""
        self.wait = self.cooldown_counter = 0
        self.best = None

    def in_cooldown(self) -> bool:
        """Whether epochs do not count, after a change."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value, and lower the rate if it is time."""
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = float(optimizer.learning_rate)
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and optimizer.learning_rate > self.min_lr:
                rate = max(optimizer.learning_rate * self.factor, self.min_lr)
                optimizer.learning_rate = rate
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose > 0:
                    print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")


def check_rate_can_be_set(callback: Callback) -> None:
    """Raise ValueError where the optimizer's learning rate is a function or schedule, which a callback cannot set."""
    if callable(callback.model.optimizer._learning_rate):
        raise ValueError(
            f"{type(callback).__name__} sets the learning rate, but that of the optimizer is a function or a schedule. "
            "Use one of the two: give the optimizer a number, or leave the callback out."
        )
