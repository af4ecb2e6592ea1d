"""The search itself: what it is told, checked before any trial."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..callbacks import Callback, CallbackList
from ..callbacks.display import resolve_verbose
from ..callbacks.monitors import Mode, direction_of
from ..foundation import checks, optional, parallel
from ..foundation.arguments import explained
from ..models import Model
from ..training.arguments import BatchSize, Verbose
from .hyperparameters import HyperParameters

if TYPE_CHECKING:
    from .study import Study

Method = Literal["bayesian", "gp", "random", "grid"]

_TRIALS = 30
_SETTINGS = "pynn:settings"


@explained
def search(
    build: Callable[[HyperParameters], Model],
    x: Any,
    y: Any,
    method: Method = "bayesian",
    trials: int | None = None,
    objective: str = "val_accuracy",
    *,
    direction: Mode = "auto",
    validation_split: float = 0.0,
    validation_data: tuple[Any, ...] | None = None,
    cv: Any = None,
    epochs: int = 10,
    batch_size: BatchSize = None,
    callbacks: Callback | Sequence[Callback] | None = None,
    class_weight: Mapping[int, float] | Literal["balanced"] | None = None,
    sample_weight: Any = None,
    sampler: Any = None,
    pruner: Any = None,
    storage: Any = None,
    name: str = "pynn",
    n_jobs: int = 1,
    timeout: float | None = None,
    seed: int = 0,
    verbose: Verbose = "auto",
) -> Study:
    """Look for the settings with which a model becomes best.

    A trial calls ``build(hp)``, which draws settings (`HyperParameters`) and returns a compiled model, and trains it.
    Optuna says what to try next. The value of a trial is the best that `objective` had at the end of an epoch, and the
    model of the trial is that of this epoch. A trial that fails, by an error or a loss that is not finite, is noted
    with the reason, and the search goes on.

    The same seed gives the same trials, the same bits of weights in them included, with ``n_jobs=1`` on the same kind
    of processor, in however many runs of the program: with a `storage`, the same call takes the search up where a
    process ended or was killed. A trial that was running then is run again, and no finished one is lost or repeated.
    Any number of processes, on any number of machines, may make the same call with the same storage at once; they share
    the trials.

    Args:
        build: ``build(hp)``. Settings that it draws under the names ``"epochs"`` and ``"batch_size"`` are used by
            `fit` in place of these arguments.
        x, y: Data, as for `Model.fit`.
        method: ``"bayesian"`` (Optuna's TPE, the default), ``"gp"`` (a Gaussian process; takes SciPy and PyTorch),
            ``"random"``, or ``"grid"`` (all combinations; numbers need a step).
        trials: How many trials there are to be, those of earlier calls with this `storage` included. Default: 30, and
            for a grid all.
        objective: What to compare trials by: the loss, a metric, or one of them with ``val_``. Default
            ``"val_accuracy"``.
        direction: ``"max"``, ``"min"``, or ``"auto"`` (default), by the name.
        validation_split, validation_data: As for `Model.fit`.
        cv: Instead of these, folds: a number of them, whose samples are drawn by the seed, a list of
            ``(rows to train on, rows to measure on)``, or what has a ``split(x, y)``, such as scikit-learn's ``KFold``.
            The value of a trial is the mean over the folds.
        epochs: Of each trial. Default ``10``.
        batch_size: As for `Model.fit`. Default ``32``.
        callbacks: Callbacks of `fit`; each trial has copies of its own. Default: none.
        class_weight, sample_weight: As for `Model.fit`.
        sampler: An Optuna sampler instead of `method`'s; then its seed is its own.
        pruner: An Optuna pruner, which is asked at the end of each epoch, or with `cv` of each fold, whether to give
            the trial up. Default: none.
        storage: Where trials are kept: a URL such as ``"sqlite:///study.db"`` or
            ``"postgresql+psycopg://user@host/database"``, or an Optuna storage. Default: in memory.
        name: The name of the search in the storage. Default ``"pynn"``.
        n_jobs: Trials at a time, each in a thread with its share of the processors; -1 for as many as there are
            processors. Default ``1``.
        timeout: Seconds after which no further trial is begun. Default: none.
        seed: 0 to 2**32 - 1. Default ``0``.
        verbose: 0 nothing, 1 a progress bar with the best so far in a terminal or notebook and lines elsewhere, 2 a
            line a trial, ``"auto"`` (default) as 1.

    Returns:
        A `Study`.

    Raises:
        ImportError: Optuna is not installed. TypeError, ValueError: a bad argument, a draw that no trial can make, or a
            storage that has another search of this name.
    """
    optuna = optional.package("optuna", "pynn.tune")
    # These import Optuna.
    from . import loop, training
    from .sampling import sampler_of
    from .study import Study

    kind = _checked_method(method, sampler, optuna)
    if not callable(build):
        raise TypeError(f"build must be a function of the hyperparameters, but got {checks.shown(build)}.")
    if pruner is not None and not isinstance(pruner, optuna.pruners.BasePruner):
        raise TypeError(f"pruner must be an Optuna pruner, but got {checks.shown(pruner)}.")
    trials = _TRIALS if trials is None and kind != "grid" else trials
    trials = None if trials is None else checks.positive_int(trials, "trials")
    mode = _direction(checks.text(objective, "objective"), direction)
    epochs = checks.positive_int(epochs, "epochs")
    jobs = parallel.get_num_threads() if n_jobs == -1 else checks.positive_int(n_jobs, "n_jobs", at_most=1024)
    seed = checks.non_negative_int(seed, "seed", at_most=2**32 - 1)
    level = resolve_verbose(verbose)
    deadline = math.inf
    if timeout is not None:
        deadline = time.monotonic() + checks.number(timeout, "timeout", "(0, inf)")
    share = checks.unit_interval(validation_split, "validation_split")
    _check_validation(objective, share, validation_data, cv)

    settings: dict[str, Any] = {"class_weight": class_weight, "sample_weight": sample_weight}
    if cv is None:
        settings |= {"validation_split": share, "validation_data": validation_data}
    task = training.Task(
        build,
        x,
        y,
        objective,
        mode,
        epochs,
        batch_size,
        CallbackList(callbacks).callbacks,
        settings,
        [] if cv is None else training.folds_of(cv, x, y, seed),
        threading.Event(),
    )
    kept, name = loop.storage_of(storage), checks.text(name, "name")
    make_sampler = (lambda: sampler) if sampler is not None else lambda: sampler_of(kind, seed)
    make_sampler()  # which says what is not installed
    with loop.quiet():
        study = loop.opened(name, kept, {"max": "maximize", "min": "minimize"}[mode])
        _check_same(study, objective, mode, "cv" if task.folds else "validation")
    found = loop.Search(task, kept, name, make_sampler, pruner, trials, deadline, seed, kind == "grid", loop.Best())
    found.run(jobs, level)
    return Study(found)


def _checked_method(method: Any, sampler: Any, optuna: Any) -> str:
    known = get_args(Method)
    if sampler is not None and not isinstance(sampler, optuna.samplers.BaseSampler):
        raise TypeError(f"sampler must be an Optuna sampler, but got {checks.shown(sampler)}.")
    found: str = checks.choice(method, "method", known)
    return found if sampler is None else "sampler"


def _direction(objective: str, direction: Any) -> str:
    direction = checks.choice(direction, "direction", get_args(Mode))
    if direction != "auto":
        return str(direction)
    found = direction_of(objective.removeprefix("val_"))
    if found is None:
        raise ValueError(f'Is more or less of {objective!r} better? Give direction="max" or direction="min".')
    return "max" if found == "up" else "min"


def _check_validation(objective: str, share: float, data: Any, cv: Any) -> None:
    given = [share > 0, data is not None, cv is not None]
    if sum(given) > 1:
        raise ValueError("Give one of validation_split, validation_data and cv.")
    if objective.startswith("val_") and not any(given):
        raise ValueError(
            f"objective is {objective!r}, but there is nothing to measure it on. Give validation_split, "
            "validation_data or cv."
        )
    if cv is not None and not objective.startswith("val_"):
        raise ValueError(f'With cv the objective is measured on the folds, such as "val_loss", but is {objective!r}.')


def _check_same(study: Any, objective: str, mode: str, measured: str) -> None:
    """Raise ValueError where the storage has a search whose values mean something else."""
    own = [objective, mode, measured]
    there = study.user_attrs.get(_SETTINGS)
    if there is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_SETTINGS, own)
    elif there != own:
        raise ValueError(
            f"The storage has a study {study.study_name!r} of {there or 'something else'}, but this search is of "
            f"{own}. Give it another name."
        )
