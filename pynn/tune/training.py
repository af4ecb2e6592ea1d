"""What a trial does: a model is built, trained and measured."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..callbacks import Callback, CallbackList, TerminateOnNaN
from ..callbacks.base import Logs
from ..callbacks.monitors import Monitor
from ..foundation import checks, draws
from ..models import Model
from .hyperparameters import HyperParameters
from .pruning import PruningCallback

Rows = NDArray[np.intp]
Fold = tuple[Rows, Rows]


class NoValueError(ValueError):
    """A trial came to no value by which it could be compared."""


class StoppedError(Exception):
    """The search ends, and this trial with it."""


class Outcome(NamedTuple):
    """What a trial came to."""

    value: float
    epochs: int  # after which it had the value; with folds, on the average
    model: Model | None  # trained so far; None with folds


class _Ending(TerminateOnNaN):
    """Knows whether the loss was not finite, without a word."""

    batch: int | None = None

    def _tell(self, batch: int) -> None:
        self.batch = batch


class _Watch(Monitor):
    """Keeps the best value of a run, and the weights of that epoch."""

    def __init__(self, objective: str, mode: Any, stop: threading.Event) -> None:
        super().__init__(objective, mode)
        self._stop = stop
        self.epochs = 0
        self.last: float | None = None
        self.weights: list[NDArray[Any]] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value."""
        if self._stop.is_set():
            raise StoppedError
        self.last = self.get_monitor_value(logs)
        if self.last is not None and self._is_improvement(self.last, self.best):
            self.best, self.epochs, self.weights = self.last, epoch + 1, self.model.get_weights()

    def _missing(self, names: Sequence[str]) -> str:
        return (
            f"{self._looks_at()}, but the logs have: {', '.join(names)}. Give search one of these as its objective, or "
            "compile the model with that metric."
        )

    def _looks_at(self) -> str:
        return f"objective is {self.monitor!r}"

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Put the best weights back."""
        if self.best is not None:
            self.model.set_weights(self.weights)


class Task(NamedTuple):
    """What all trials of a search have in common."""

    build: Callable[[HyperParameters], Model]
    x: Any
    y: Any
    objective: str
    mode: str  # "min" or "max"
    epochs: int
    batch_size: Any
    callbacks: Sequence[Callback]
    settings: Mapping[str, Any]  # of fit: validation_data and so on
    folds: Sequence[Fold]
    stop: threading.Event

    def run(self, hp: HyperParameters, seed: int, prune: bool) -> Outcome:
        """Build and train what these settings mean; everything random in it follows from the seed.

        Raises:
            NoValueError: the loss or the objective is not finite. optuna.TrialPruned, StoppedError: it is given up.
            Exception: what the user's own function or `fit` raises.
        """
        if not self.folds:
            with draws.seeded(seed):
                return self._fit(self._built(hp), hp, self.settings, self.x, self.y, prune)
        outcomes: list[Outcome] = []
        for number, (rows, held_out) in enumerate(self.folds):
            settings = dict(self.settings)
            weights = settings.pop("sample_weight", None)
            settings["validation_data"] = (taken(self.x, held_out), taken(self.y, held_out))
            if weights is not None:
                settings["sample_weight"] = taken(weights, rows)
                settings["validation_data"] += (taken(weights, held_out),)
            with draws.seeded(seed + number):
                model = self._built(hp)
                outcomes.append(self._fit(model, hp, settings, taken(self.x, rows), taken(self.y, rows), False))
            if prune:
                self._report(hp.trial, number, float(np.mean([each.value for each in outcomes])))
        mean, epochs = (float(np.mean([getattr(each, name) for each in outcomes])) for name in ("value", "epochs"))
        return Outcome(mean, max(1, round(epochs)), None)

    def retrain(self, hp: HyperParameters, seed: int, epochs: int) -> Model:
        """The model of a trial again; where there were folds, one of all the data, after as many epochs."""
        if not self.folds:
            model = self.run(hp, seed, False).model
            assert model is not None
            return model
        with draws.seeded(seed):
            model = self._built(hp)
            model.fit(self.x, self.y, verbose=0, **{**self._fitted(hp), "epochs": epochs}, **self.settings)
        return model

    def _built(self, hp: HyperParameters) -> Model:
        model = self.build(hp)
        if not isinstance(model, Model):
            raise TypeError(f"build must return a compiled model, but returned {checks.shown(model)}.")
        return model

    def _fitted(self, hp: HyperParameters) -> dict[str, Any]:
        """Arguments of `fit` that may be drawn."""
        given = {"epochs": self.epochs, "batch_size": self.batch_size}
        return {name: hp.values.get(name, value) for name, value in given.items()}

    def _fit(
        self, model: Model, hp: HyperParameters, settings: Mapping[str, Any], x: Any, y: Any, prune: bool
    ) -> Outcome:
        ending, watch = _Ending(), _Watch(self.objective, self.mode, self.stop)
        callbacks: list[Callback] = [*copy.deepcopy(CallbackList(self.callbacks).callbacks), ending, watch]
        if prune:
            callbacks.append(PruningCallback(hp, self.objective))
        model.fit(x, y, verbose=0, callbacks=callbacks, **self._fitted(hp), **settings)
        if ending.batch is not None:
            raise NoValueError(f"the loss is not finite in batch {ending.batch + 1} of an epoch")
        if watch.best is None or not np.isfinite(watch.best):
            raise NoValueError(f"{self.objective} is {watch.last}")
        return Outcome(watch.best, watch.epochs, model)

    @staticmethod
    def _report(trial: Any, step: int, value: float) -> None:
        """Tell the pruner of the mean of the folds so far."""
        import optuna  # where there is a pruner, it is there

        frozen = trial.study.get_trials(deepcopy=False)
        if not any(each.number == trial.number and step in each.intermediate_values for each in frozen):
            trial.report(value, step)
        if trial.should_prune():
            raise optuna.TrialPruned(f"It was given up after fold {step + 1}: the mean was {value:.6g}.")


# ---- folds -----------------------------------------------------------------------------------------------------------


def folds_of(cv: Any, x: Any, y: Any, seed: int) -> list[Fold]:
    """The rows to train and to measure on, for each fold.

    Raises:
        TypeError, ValueError: something else than a number of folds, pairs of rows, or a splitter of scikit-learn's.
    """
    samples = count(x)
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        number = checks.positive_int(cv, "cv", at_most=max(samples, 1))
        if number < 2:
            raise ValueError(f"cv must be at least 2 folds, but is {number}.")
        pieces = np.array_split(np.random.default_rng(seed).permutation(samples), number)
        return [(np.concatenate(pieces[:n] + pieces[n + 1 :]), pieces[n]) for n in range(number)]
    pairs = cv.split(x, y) if hasattr(cv, "split") and not isinstance(cv, str) else cv
    try:
        found = [(np.asarray(rows), np.asarray(held_out)) for rows, held_out in pairs]
    except (TypeError, ValueError):
        raise TypeError(
            "cv must be a number of folds, a list of (rows to train on, rows to measure on), or an object with split, "
            f"such as scikit-learn's KFold, but got {checks.shown(cv)}."
        ) from None
    for each in (rows for fold in found for rows in fold):
        if each.ndim != 1 or each.dtype.kind not in "iu" or not each.size or each.min() < 0 or each.max() >= samples:
            raise ValueError(f"cv must give rows from 0 to below {samples}, but has {checks.shown(each)}.")
    if not found:
        raise ValueError("cv has no folds.")
    return [(rows.astype(np.intp), held_out.astype(np.intp)) for rows, held_out in found]


def count(data: Any) -> int:
    """The number of samples."""
    if isinstance(data, dict):
        return count(next(iter(data.values()), None))
    if isinstance(data, list | tuple) and data and hasattr(data[0], "shape"):
        return count(data[0])
    shape = np.shape(data)
    if not shape:
        raise ValueError("x must have samples.")
    return int(shape[0])


def taken(data: Any, rows: Rows) -> Any:
    """These samples of an array or a frame, or of lists and dicts of them."""
    if data is None:
        return None
    if isinstance(data, dict):
        return {name: taken(each, rows) for name, each in data.items()}
    if isinstance(data, list | tuple) and data and hasattr(data[0], "shape"):
        return type(data)(taken(each, rows) for each in data)
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    return np.asarray(data)[rows] if not hasattr(data, "shape") or isinstance(data, np.ndarray) else data[rows]
