"""The trials of a search, one after the other: asked for, run, and told to the storage."""

from __future__ import annotations

import contextlib
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from ..foundation import checks, parallel
from . import processes
from .hyperparameters import BadDrawError, HyperParameters
from .progress import Progress, short, shown
from .sampling import Seeded, seed_of
from .training import Outcome, StoppedError, Task

# What a study and its trials keep beyond what Optuna does
EXHAUSTED = "pynn:exhausted"
REASON, SECONDS, BEST_EPOCH, LITERALS = "reason", "seconds", "best_epoch", "literals"

_ATTEMPTS = 10  # to make the tables of a new database, where several processes begin at once


class Best:
    """The best model that this process has trained."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.number: int | None = None
        self.model: Any = None
        self._value = math.nan

    def offer(self, number: int, outcome: Outcome, up: bool) -> None:
        """Keep a model, if it is better."""
        with self._lock:
            better = outcome.value > self._value if up else outcome.value < self._value
            if outcome.model is not None and (self.number is None or better):
                self.number, self.model, self._value = number, outcome.model, outcome.value


class Search(NamedTuple):
    """One search: where its trials are kept, how many there are to be, and what each does."""

    task: Task
    storage: BaseStorage
    name: str
    make_sampler: Callable[[], BaseSampler]
    pruner: Any
    trials: int | None
    deadline: float
    seed: int
    grid: bool
    best: Best

    # ---- all trials --------------------------------------------------------------------------------------------------

    def run(self, n_jobs: int, verbose: int) -> None:
        """Run trials until there are enough of them."""
        self._take_back()
        progress = Progress(verbose, self.task.objective, self.trials, self._begun())
        try:
            with quiet():
                if n_jobs == 1:
                    self._work(progress)
                    return
                threads = parallel.get_num_threads()
                parallel.set_num_threads(max(1, threads // n_jobs))
                try:
                    with ThreadPoolExecutor(n_jobs) as pool:
                        try:
                            for worker in [pool.submit(self._work, progress) for _ in range(n_jobs)]:
                                worker.result()
                        finally:
                            self.task.stop.set()
                finally:
                    parallel.set_num_threads(threads)
        finally:
            progress.close()

    def study(self, sampler: BaseSampler | None = None) -> optuna.Study:
        """Optuna's study."""
        return optuna.load_study(study_name=self.name, storage=self.storage, sampler=sampler, pruner=self.pruner)

    def _work(self, progress: Progress) -> None:
        """What a thread does: trial after trial."""
        sampler = self.make_sampler()
        study = self.study(sampler)
        while not self.task.stop.is_set() and time.monotonic() < self.deadline and not self._is_over(study):
            trial = self._next(study)
            if self.trials is not None and trial.number >= self.trials:
                self._put_back(trial.number)  # another process took the last one
                return
            self._run_trial(study, trial, progress)
            if isinstance(sampler, Seeded) and sampler.is_exhausted:
                study.set_user_attr(EXHAUSTED, True)

    def _is_over(self, study: optuna.Study) -> bool:
        if self.grid and study.user_attrs.get(EXHAUSTED):
            return all(trial.state != TrialState.WAITING for trial in self._all())
        return self.trials is not None and self._begun() >= self.trials

    def _next(self, study: optuna.Study) -> optuna.Trial:
        """A trial that waits to be run again, else a new one.

        Optuna's own queue passes over trials of low numbers that were put back, where it is in memory.
        """
        for trial in self._all():
            if trial.state == TrialState.WAITING and (self.trials is None or trial.number < self.trials):
                with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
                    if self.storage.set_trial_state_values(self._id(trial.number), TrialState.RUNNING):
                        return optuna.Trial(study, self._id(trial.number))
        # In one write with its owner: a process may be killed right behind it.
        fresh = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=processes.signs())
        study_id = self.storage.get_study_id_from_name(self.name)
        return optuna.Trial(study, self.storage.create_new_trial(study_id, template_trial=fresh))

    def _begun(self) -> int:
        return sum(trial.state != TrialState.WAITING for trial in self._all())

    def _take_back(self) -> None:
        """Have those trials run again whose processes are gone."""
        for trial in self._all():
            if trial.state == TrialState.RUNNING and processes.is_lost(trial):
                self._put_back(trial.number)

    def _put_back(self, number: int) -> None:
        """Let a trial wait to be run, from its beginning, with the same settings."""
        self.storage.set_trial_state_values(self._id(number), TrialState.WAITING)

    def _all(self) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self.storage.get_study_id_from_name(self.name), deepcopy=False)

    def _id(self, number: int) -> int:
        study_id = self.storage.get_study_id_from_name(self.name)
        return self.storage.get_trial_id_from_study_id_trial_number(study_id, number)

    # ---- one trial ---------------------------------------------------------------------------------------------------

    def _run_trial(self, study: optuna.Study, trial: optuna.Trial, progress: Progress) -> None:
        hp, begin = HyperParameters(trial, self.grid), time.perf_counter()
        state, reason, outcome = TrialState.FAIL, "", None
        try:
            with processes.owned(trial):
                outcome = self.task.run(hp, seed_of(self.seed, trial.number), self.pruner is not None)
            state = TrialState.COMPLETE
        except optuna.TrialPruned as error:
            state, reason = TrialState.PRUNED, str(error)
        except BadDrawError as error:
            self._tell(study, trial, hp, begin, TrialState.FAIL, str(error), None)
            raise
        except StoppedError:
            self._put_back(trial.number)
            return
        except Exception as error:
            reason = f"{type(error).__name__}: {checks.cut(str(error))}"
        except BaseException:  # Ctrl-C, for instance
            self._put_back(trial.number)
            raise
        self._tell(study, trial, hp, begin, state, reason, outcome)
        if outcome is not None:
            self.best.offer(trial.number, outcome, self.task.mode == "max")
        best = math.nan
        with contextlib.suppress(ValueError):  # there is none yet
            best = study.best_value
        said = f"{_WORDS[state]}: {short(reason)}" if outcome is None else shown(outcome.value)
        progress.tell(trial.number, said, hp.values, best, state == TrialState.FAIL)

    @staticmethod
    def _tell(
        study: optuna.Study,
        trial: optuna.Trial,
        hp: HyperParameters,
        begin: float,
        state: TrialState,
        reason: str,
        outcome: Outcome | None,
    ) -> None:
        """Write down what a trial came to. The last write makes it count."""
        trial.set_user_attr(SECONDS, time.perf_counter() - begin)
        if reason:
            trial.set_user_attr(REASON, reason)
        if hp.literals:
            trial.set_user_attr(LITERALS, hp.literals)
        if outcome is not None:
            trial.set_user_attr(BEST_EPOCH, outcome.epochs)
        study.tell(trial, None if outcome is None else outcome.value, state, skip_if_finished=True)


_WORDS = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "bad",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def word_of(trial: FrozenTrial) -> str:
    """What has become of a trial, in a word."""
    return _WORDS[trial.state]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's own lines: the search has its display."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.ERROR))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def storage_of(storage: Any) -> BaseStorage:
    """Where trials are kept: a URL's database, or what Optuna takes; None keeps them in memory."""
    if not isinstance(storage, str) or "://" not in storage:
        if isinstance(storage, str):
            raise ValueError(
                f'storage must be a URL such as "sqlite:///study.db" or "postgresql+psycopg://user@host/database", but '
                f"got {checks.shown(storage)}."
            )
        return optuna.storages.get_storage(storage)
    import sqlalchemy.exc  # which Optuna needs

    is_file = storage.startswith("sqlite")
    engine: dict[str, Any] = {"connect_args": {"timeout": 60}} if is_file else {"pool_pre_ping": True}
    for attempt in range(_ATTEMPTS):
        try:
            database = optuna.storages.RDBStorage(storage, engine_kwargs=engine)
        except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.ProgrammingError, sqlalchemy.exc.IntegrityError):
            # Another process may be making the same tables.
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.1 * 2 ** min(attempt, 4))
        else:
            weakref.finalize(database, database.engine.dispose)  # connections end with it
            return optuna.storages.get_storage(database)
    raise AssertionError


def opened(name: str, storage: BaseStorage, direction: Any) -> optuna.Study:
    """The study of this name, which may be there already.

    Raises:
        ValueError: it is, and goes in the other direction.
    """
    study = optuna.create_study(study_name=name, storage=storage, direction=direction, load_if_exists=True)
    there = study.direction.name.lower()
    if there != direction:
        raise ValueError(f"The storage has a study {name!r} that wants to {there}. Give this one another name.")
    return study
