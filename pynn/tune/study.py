"""What a search found."""

from __future__ import annotations

import ast
import math
import warnings
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..foundation import optional
from ..models import Model
from . import plots
from .hyperparameters import HyperParameters
from .loop import BEST_EPOCH, LITERALS, REASON, SECONDS, Search, quiet, word_of
from .progress import short, shown
from .sampling import seed_of


class Study:
    """The trials of a search, and the best of them. `search` makes it.

    ``print(study)`` shows the table of trials, the best first.

    Attributes:
        optuna: Optuna's own study, for all its tools.
        objective: The name of the value by which trials are compared.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self.optuna = search.study()
        self.objective = search.task.objective

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials that were begun, as Optuna has them. ``user_attrs["reason"]`` says why one is bad or pruned."""
        return [trial for trial in self.optuna.get_trials() if trial.state != TrialState.WAITING]

    @property
    def best_trial(self) -> FrozenTrial:
        """The trial with the best value; of equal ones the first.

        Raises:
            ValueError: no trial was finished; the message says why.
        """
        done = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        if not done:
            reasons = {trial.user_attrs.get(REASON, word_of(trial)): trial.number for trial in reversed(self.trials)}
            said = "; ".join(f"trial {number}: {reason}" for reason, number in list(reasons.items())[-3:][::-1])
            raise ValueError(f"No trial was finished: {said or 'none was begun'}")
        sign = 1 if self._search.task.mode == "max" else -1
        return max(done, key=lambda trial: (sign * _value(trial), -trial.number))

    @property
    def best_value(self) -> float:
        """Its value; ValueError as for `best_trial`."""
        return _value(self.best_trial)

    @property
    def best_params(self) -> dict[str, Any]:
        """Its settings by name; ValueError as for `best_trial`."""
        return params_of(self.best_trial)

    def best_model(self) -> Model:
        """The trained model of the best trial, with the weights of its best epoch.

        Where it was trained by another process, or before the search was taken up again, it is trained once more, from
        the same seed, and comes out the same on the same kind of processor. After ``cv`` it is trained on all the data,
        for as many epochs as the best one of the folds had on the average.

        Raises:
            ValueError: no trial was finished.
        """
        best = self.best_trial
        if self._search.best.number == best.number:
            found: Model = self._search.best.model
            return found
        hp = HyperParameters(optuna.trial.FixedTrial(best.params, best.number))
        task = self._search.task
        task.stop.clear()
        return task.retrain(hp, seed_of(self._search.seed, best.number), best.user_attrs.get(BEST_EPOCH, task.epochs))

    def to_dataframe(self) -> Any:
        """A pandas frame with a row for each trial: ``number``, ``value``, ``state`` (``"complete"``, ``"pruned"``,
        ``"bad"``, ``"running"``), ``reason``, ``best_epoch`` (from 1), ``seconds``, and for each setting ``params_``
        with its name.

        Raises:
            ImportError: pandas is not installed.
        """
        pandas = optional.package("pandas", "Study.to_dataframe")
        names = self._names()
        rows = []
        for trial in self.trials:
            params = params_of(trial)
            rows.append(
                {
                    "number": trial.number,
                    "value": trial.value,
                    "state": word_of(trial),
                    "reason": trial.user_attrs.get(REASON),
                    "best_epoch": trial.user_attrs.get(BEST_EPOCH),
                    "seconds": trial.user_attrs.get(SECONDS),
                    **{f"params_{name}": params.get(name) for name in names},
                }
            )
        columns = ["number", "value", "state", "reason", "best_epoch", "seconds", *(f"params_{name}" for name in names)]
        return pandas.DataFrame(rows, columns=columns)

    def table(self, rows: int | None = None) -> str:
        """The trials as lines of text, the best first, bad ones last with the reason.

        Args:
            rows: At most so many. Default: all.
        """
        names = self._names()
        sign = -1 if self._search.task.mode == "max" else 1
        ordered = sorted(
            self.trials,
            key=lambda t: (t.state != TrialState.COMPLETE, math.inf if t.value is None else sign * t.value, t.number),
        )
        cells = [["trial", self.objective, "state", "best epoch", "seconds", *names, "reason"]]
        for trial in ordered[:rows]:
            params = params_of(trial)
            attrs = trial.user_attrs
            row = [trial.number, trial.value, word_of(trial), attrs.get(BEST_EPOCH), attrs.get(SECONDS)]
            row += [params.get(name) for name in names]
            cells.append([*("" if cell is None else shown(cell) for cell in row), short(attrs.get(REASON, ""))])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        widths[-1] = 0
        return "\n".join("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        done = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        best = f", best {self.objective}: {shown(self.best_value)}" if done else ""
        return f"<Study of {len(self.trials)} trials{best}>"

    def plot_history(self, ax: Any = None) -> Any:
        """Draw the value of each trial, and the best so far; returns matplotlib's axes.

        Args:
            ax: Axes to draw into. Default: new ones.

        Raises:
            ImportError: matplotlib is not installed. ValueError: no trial was finished.
        """
        points = [(trial.number, _value(trial)) for trial in self._finished()]
        return plots.history(points, self.objective, self._search.task.mode == "max", ax)

    def plot_importance(self, ax: Any = None) -> Any:
        """Draw how much each setting matters, as Optuna reckons it from the finished trials; returns the axes.

        Args:
            ax: Axes to draw into. Default: new ones.

        Raises:
            ImportError, ValueError: as for `plot_history`; fewer than two finished trials.
        """
        if len(self._finished()) < 2:
            raise ValueError("How much settings matter can be told from 2 finished trials on.")
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of settings that few trials have: the bars are for the eye
            found = optuna.importance.get_param_importances(self.optuna)
        return plots.importance(found, self.objective, ax)

    def plot_slices(self, params: list[str] | None = None) -> Any:
        """Draw the values of the trials over each setting; returns an array of axes.

        Args:
            params: Names of settings. Default: all.

        Raises:
            ImportError, ValueError: as for `plot_history`; a name that nothing was drawn under.
        """
        names = self._names() if params is None else list(params)
        for name in names:
            if name not in self._names():
                raise ValueError(f"No trial has drawn {name!r}, but: {', '.join(self._names())}.")
        trials = [(trial.number, _value(trial), params_of(trial)) for trial in self._finished()]
        logarithmic = {
            name for t in self._finished() for name, each in t.distributions.items() if getattr(each, "log", False)
        }
        return plots.slices(trials, names, logarithmic, self.objective)

    def _finished(self) -> list[FrozenTrial]:
        found = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        if not found:
            self.best_trial  # noqa: B018 - raises, and says why there is none
        return found

    def _names(self) -> list[str]:
        """The settings of all trials, in the order in which they were first drawn."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.params))


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value


def params_of(trial: FrozenTrial) -> dict[str, Any]:
    """The settings of a trial, as `HyperParameters` gave them."""
    texts = trial.user_attrs.get(LITERALS, ())
    return {name: ast.literal_eval(value) if name in texts else value for name, value in trial.params.items()}
