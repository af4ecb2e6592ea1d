"""Callbacks of a few lines: a rate by epoch, hooks as functions, an end where the loss is not finite."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..foundation import checks
from .base import Callback, Logs
from .monitors import check_rate_can_be_set


class LearningRateScheduler(Callback):
    """Sets the learning rate at the begin of each epoch. The logs get the ``learning_rate``.

    Args:
        schedule: ``schedule(epoch, learning_rate)`` or ``schedule(epoch)``, which returns the new rate; `epoch` counts
            from 0.
        verbose: 1 tells of each rate. Default ``0``.

    Raises:
        TypeError: no function; in `fit`, what it returns is no number. ValueError: in `fit`, an optimizer whose
            learning rate is a schedule.
    """

    _adds = ("learning_rate",)

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule must be a function of the epoch, but got {checks.shown(schedule)}.")
        self.schedule = schedule
        self.verbose = verbose
        try:
            inspect.signature(schedule).bind(0, 0.0)
        except TypeError:
            self._takes_rate = False
        except ValueError:  # the signature of some built-in functions is not known
            self._takes_rate = False
        else:
            self._takes_rate = True

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        check_rate_can_be_set(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate."""
        optimizer = self.model.optimizer
        rate = self.schedule(epoch, optimizer.learning_rate) if self._takes_rate else self.schedule(epoch)
        optimizer.learning_rate = checks.number(rate, "what schedule returns", "[0, inf)")
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {optimizer.learning_rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the rate into the logs."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class LambdaCallback(Callback):
    """Hooks given as functions, each with the arguments of the hook.

    Args:
        on_epoch_begin, on_epoch_end: ``f(epoch, logs)``.
        on_train_begin, on_train_end: ``f(logs)``.
        on_train_batch_begin, on_train_batch_end: ``f(batch, logs)``.
        hooks: Functions for other hooks, by name: ``on_test_begin``, ``on_predict_end`` and so on.

    Raises:
        TypeError: an unknown hook, or no function.
    """

    _adds = None

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **hooks: Callable[..., Any] | None,
    ) -> None:
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **hooks,
        }
        for name, hook in given.items():
            if not (name.startswith("on_") and hasattr(Callback, name)):
                raise TypeError(f"LambdaCallback() has no hook {name!r}.")
            if hook is not None:
                if not callable(hook):
                    raise TypeError(f"{name} must be a function, but got {checks.shown(hook)}.")
                setattr(self, name, hook)


class TerminateOnNaN(Callback):
    """Ends training, without a warning, at the first batch whose loss is not finite.

    Training ends there without it, too, with the weights of the step before; then with a RuntimeWarning.

    Args:
        raise_error: Whether to end it with an error, so that no callback is told of an end, and a backup is kept.
            Default ``False``.

    Raises:
        RuntimeError: in `fit`, such a batch, if `raise_error` is set.
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = checks.boolean(raise_error, "raise_error")

    def _check(self, batch: int, loss: float) -> None:
        """Called at once after the batch whose loss is not finite."""
        if self.raise_error:
            raise RuntimeError(f"The loss of batch {batch} is {loss}: training ends, as TerminateOnNaN was told.")

    def _tell(self, batch: int) -> None:
        """Called at the end of the run, after the batch whose loss is not finite."""
        print(f"Batch {batch}: Invalid loss, terminating training")
