"""pynn.tune: draws, trials, what becomes of bad ones, resuming, and pictures."""

import os
import random as chance
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import pynn
from pynn import tune

optuna = pytest.importorskip("optuna")
from tune_programs import build, data, outcomes, search  # noqa: E402


def hp_of(grid=False, **fixed):
    """Hyperparameters that draw these values."""
    return tune.HyperParameters(optuna.trial.FixedTrial(fixed), grid)


# ---- draws -----------------------------------------------------------------------------------------------------------
def drawn(draw, trials=40):
    """The values that a draw gives in a random search."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    found = []
    study.optimize(lambda trial: found.append(draw(tune.HyperParameters(trial))) or 0.0, n_trials=trials)
    return found


@pytest.fixture(autouse=True)
def silent():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize(
    ("draw", "values"),
    [
        (lambda hp: hp.int("n", 2, 4), {2, 3, 4}),
        (lambda hp: hp.int("n", 2, 9, step=3), {2, 5, 8}),
        (lambda hp: hp.Int("n", 4, 40, step=2, sampling="log"), {4, 8, 16, 32}),
        (lambda hp: hp.float("x", 0.1, 0.5, step=0.2), {0.1, 0.1 + 0.2, 0.1 + 0.4}),
        (lambda hp: hp.Float("x", 1e-4, 1e-1, step=10, sampling="log"), {1e-4, 1e-3, 1e-2, 1e-1}),
        (lambda hp: hp.choice("c", ["a", 1, None, 0.5]), {"a", 1, None, 0.5}),
        (lambda hp: hp.Choice("c", [(1, 2), (3,)]), {(1, 2), (3,)}),
        (lambda hp: hp.Boolean("b", default=True), {False, True}),
        (lambda hp: hp.Fixed("f", 7), {7}),
        (lambda hp: (hp.int("n", 1, 2), hp.int("n", 1, 2), hp.get("n"), hp["n"], "n" in hp)[1:], None),
    ],
)
def test_draws(draw, values):
    found = drawn(draw)
    if values is None:
        assert set(found) == {(1, 1, 1, True), (2, 2, 2, True)}
    else:
        assert set(found) == values
        assert {type(each) for each in found} == {type(each) for each in values}


def test_draws_of_any_number_lie_within_their_limits():
    for kind in ({}, {"log": True}):
        found = np.array(drawn(lambda hp, kind=kind: hp.float("x", 1e-3, 1.0, **kind), 200))
        assert 1e-3 <= found.min() < found.max() <= 1.0
        assert (np.median(found) < 0.1) == bool(kind)


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda hp: hp.int("n", 4, 2), ValueError, "low of 'n' must be at most high, but they are 4 and 2"),
        (lambda hp: hp.float("x", 0, 1, log=True), ValueError, "low of 'x' must be above 0 on a logarithmic scale"),
        (lambda hp: hp.int("n", 1, 8, step=1, log=True), ValueError, "step of 'n' must be above 1"),
        (lambda hp: hp.int("n", 1.5, 2), TypeError, "low of 'n' must be a whole number"),
        (lambda hp: hp.choice("c", []), ValueError, "'c' has no values"),
        (lambda hp: hp.choice("c", "abc"), TypeError, "The values of 'c' must be a list"),
        (lambda hp: hp.choice("c", [1, 2, 1]), ValueError, "1 comes twice"),
        (lambda hp: hp.choice("c", [pynn.layers.Dense, 1]), TypeError, "Choose among names"),
        (lambda hp: hp.Int("n", 1, 2, sampling="normal"), ValueError, 'sampling must be "linear" or "log"'),
        (lambda hp: hp.get("m"), KeyError, "Nothing called 'm' was drawn yet"),
    ],
)
def test_draws_that_nobody_can_make(draw, error, message):
    with pytest.raises(error, match=message):
        draw(hp_of())


# ---- searches --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["bayesian", "random"])
def test_the_same_seed_gives_the_same_trials(method):
    trials = 12 if method == "bayesian" else 5  # TPE begins with 10 random ones
    first = search(method=method, trials=trials)
    pynn.set_random_seed(99)
    assert outcomes(search(method=method, trials=trials)) == outcomes(first)
    assert outcomes(search(method=method, trials=trials, seed=1)) != outcomes(first)
    assert len({str(trial.params) for trial in first.trials}) == trials


def test_a_search_leaves_the_users_random_numbers_alone():
    def numbers():
        return pynn.initializers.RandomNormal()((3,)).tolist(), np.random.random()

    pynn.set_random_seed(5)
    expected = numbers()
    pynn.set_random_seed(5)
    search(trials=2)
    assert numbers() == expected


def test_a_grid_has_each_combination_once():
    def build(hp):
        model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(hp.choice("units", [2, 3]), "relu")])
        if hp.boolean("more"):
            model.add(pynn.layers.Dense(hp.int("width", 2, 4, step=2)))
        model.add(pynn.layers.Dense(2, "softmax"))
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    study = search(build, method="grid", trials=None, epochs=1)
    found = sorted(tuple(trial.params.items()) for trial in study.trials)
    assert found == sorted(
        (("units", units), ("more", more), *([("width", width)] if more else []))
        for units in (2, 3)
        for more, width in ((False, 0), (True, 2), (True, 4))
    )
    with pytest.raises(ValueError, match=r"'x' may be any number .* Give hp.float\('x', ...\) a step"):
        search(lambda hp: hp.float("x", 0, 1), method="grid")


@pytest.mark.parametrize("method", ["random", "grid"])
def test_choices_that_python_takes_for_equal_are_told_apart(method):
    drawn = []

    def build(hp):
        drawn.append(hp.choice("value", [1, True, 1.0]))
        model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(2, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    study = search(build, method=method, trials=8, epochs=1)
    kept = [tune.study.params_of(trial)["value"] for trial in study.trials]
    assert [type(value) for value in kept] == [type(value) for value in drawn]
    assert {type(value) for value in drawn} == {int, bool, float}
    assert len(drawn) == (3 if method == "grid" else 8)
    assert type(study.best_params["value"]) is type(drawn[study.best_trial.number])


def test_the_best_model_is_that_of_the_best_epoch_and_comes_out_again():
    study = search()
    x, y = data()
    model = study.best_model()
    assert study.best_value == min(trial.value for trial in study.trials)
    assert model.evaluate(x[45:], y[45:], verbose=0)[0] == pytest.approx(study.best_value, rel=1e-6)
    assert study.best_params == study.best_trial.params
    study._search.best.number = None  # as if another process had trained it
    again = study.best_model()
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))


def test_bad_trials_are_noted_and_the_search_goes_on():
    pytest.importorskip("pandas")

    def bad(hp):
        kind = hp.choice("kind", ["good", "error", "nan", "nothing", "uncompiled"])
        if kind == "error":
            raise MemoryError("no room")
        model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(2)])
        if kind != "uncompiled":
            model.compile(pynn.optimizers.SGD(1e38 if kind == "nan" else 0.1), "mse", metrics=["mse"])
        return None if kind == "nothing" else model

    x = data()[0]
    study = tune.search(bad, x, x[:, :2], method="grid", objective="val_mse", validation_split=0.3, verbose=0)
    frame = study.to_dataframe().set_index("params_kind")
    assert frame.state.to_dict() == {k: "complete" if k == "good" else "bad" for k in frame.index}
    assert len(frame) == 5
    reasons = frame.reason.to_dict()
    assert reasons["error"] == "MemoryError: no room"
    assert "not finite" in reasons["nan"]
    assert "build must return a compiled model, but returned None" in reasons["nothing"]
    assert reasons["uncompiled"].startswith("NotCompiledError")
    assert "MemoryError: no room" in str(study)
    assert study.best_params == {"kind": "good"}

    nothing = search(lambda hp: None, trials=2)
    with pytest.raises(ValueError, match="No trial was finished: trial 0: TypeError: build must return"):
        nothing.best_model()


def test_folds():
    x, y = data()
    rows, held_out = np.arange(20, 60), np.arange(20)
    settings = {"objective": "val_loss", "epochs": 3, "trials": 2, "verbose": 0}
    one = tune.search(build, {"numbers": x}, y, cv=[(rows, held_out)], **settings)
    same = tune.search(build, x[rows], y[rows], validation_data=(x[held_out], y[held_out]), **settings)
    assert outcomes(one) == outcomes(same)
    own = tune.search(build, x, y, cv=[(rows, held_out), (np.arange(40), np.arange(40, 60))], **settings)
    assert own.trials[0].value != one.trials[0].value
    sklearn = pytest.importorskip("sklearn.model_selection")
    splits = [each.value for each in search(cv=sklearn.KFold(3), trials=2).trials]
    assert splits != [each.value for each in search(cv=3, trials=2).trials]
    model = own.best_model()
    assert model.predict(x, verbose=0).shape == (60, 2)
    with pytest.raises(TypeError, match="cv must be a number of folds"):
        search(cv="five")
    with pytest.raises(ValueError, match="rows from 0 to below 60"):
        search(cv=[([1], [60])])
    with pytest.raises(ValueError, match="x must have samples"):
        tune.search(build, {}, y, cv=2, **settings)


def test_pruning_and_its_callback():
    class Second(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number % 2 == 1 and trial.last_step >= 1

    study = search(trials=4, pruner=Second())
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"] * 2
    assert list(study.trials[0].intermediate_values) == [0, 1, 2]
    assert list(study.trials[1].intermediate_values) == [0, 1]
    assert "It was given up after epoch 2" in study.trials[1].user_attrs["reason"]
    folded = search(trials=2, pruner=Second(), cv=3)
    assert [list(trial.intermediate_values) for trial in folded.trials] == [[0, 1, 2], [0, 1]]

    def objective(trial):
        x, y = data()
        model = build(tune.HyperParameters(trial))
        history = model.fit(x, y, epochs=3, verbose=0, callbacks=[tune.PruningCallback(trial, "loss")])
        return history.history["loss"][-1]

    own = optuna.create_study(pruner=Second())
    own.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in own.trials] == ["COMPLETE", "PRUNED"]
    x, y = data()
    trial = own.ask()
    with pytest.raises(ValueError, match="PruningCallback monitors 'val_loss', but the logs have: loss"):
        build(tune.HyperParameters(trial)).fit(x, y, verbose=0, callbacks=[tune.PruningCallback(trial)])


def test_callbacks_are_copied_and_threads_share_the_trials():
    seen = []

    class Noting(pynn.callbacks.Callback):
        def __deepcopy__(self, memo):
            seen.append(copied := Noting())
            return copied

        def on_train_begin(self, logs=None):
            assert self.model.optimizer is not None

    threads = pynn.config.get_num_threads()
    alone = search(trials=6, method="random", callbacks=[Noting()])
    assert len(set(map(id, seen))) == 6
    together = search(trials=6, method="random", n_jobs=2)
    assert pynn.config.get_num_threads() == threads
    assert sorted(outcomes(together), key=str) == sorted(outcomes(alone), key=str)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "hyperband"}, "method must be one of 'bayesian', 'gp', 'random', 'grid'"),
        ({"trials": 0}, "trials must be a whole number of at least 1"),
        ({"objective": "val_mystery"}, 'Give direction="max" or direction="min"'),
        ({"objective": "val_loss", "validation_split": 0.0}, "there is nothing to measure it on"),
        ({"cv": 3, "validation_split": 0.1}, "Give one of validation_split, validation_data and cv"),
        ({"cv": 1}, "cv must be at least 2 folds"),
        ({"cv": 3, "objective": "loss"}, 'such as "val_loss"'),
        ({"storage": "study.db"}, 'storage must be a URL such as "sqlite:///study.db"'),
        ({"pruner": "median"}, "pruner must be an Optuna pruner"),
        ({"sampler": 3}, "sampler must be an Optuna sampler"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"timeout": 0}, r"timeout must be a number in \(0, inf\)"),
        ({"n_jobs": 0}, "n_jobs must be a whole number"),
        ({"build": 3}, "build must be a function"),
    ],
)
def test_what_a_search_refuses(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        search(**settings)


def test_a_mistyped_objective_costs_no_training():
    study = search(objective="val_acc", trials=2, epochs=10**6)
    assert "val_accuracy" in study.trials[0].user_attrs["reason"]


def test_time_is_limited():
    begin = time.monotonic()
    study = search(trials=10**6, timeout=0.2)
    assert 1 <= len(study.trials) < 10**6
    assert time.monotonic() - begin < 60


def test_what_is_shown(capsys):
    study = search(trials=3, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["Trial 0", "Trial 1", "Trial 2"]
    assert "units=" in lines[0]
    assert "best val_loss" in lines[3]
    table = str(study).splitlines()
    assert table[0].split()[:4] == ["trial", "val_loss", "state", "best"]
    values = [float(line.split()[1]) for line in table[1:]]
    assert values == sorted(values)
    assert len(study.table(rows=2).splitlines()) == 3
    assert "3 trials" in repr(study)


def test_pictures():
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot

    study = search(trials=5, method="random")
    ax = study.plot_history()
    best = ax.lines[1].get_ydata()
    assert (np.diff(best) <= 0).all()
    assert best[-1] == study.best_value
    assert study.plot_history(ax) is ax
    bars = study.plot_importance()
    assert {label.get_text() for label in bars.get_yticklabels()} <= set(study.best_params) | {"rate"}
    axes = study.plot_slices()
    assert "units" in [ax.get_xlabel() for ax in axes.flat]
    assert [ax.get_xscale() for ax in axes.flat if ax.get_xlabel() == "units"] == ["log"]
    assert study.plot_slices(["dropout"]).shape == (1, 1)
    with pytest.raises(ValueError, match="No trial has drawn 'wings'"):
        study.plot_slices(["wings"])
    pyplot.close("all")


def test_optuna_is_imported_when_it_is_used(monkeypatch):
    code = "import sys, pynn.tune; assert 'optuna' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pynn.tune needs the package optuna: pip install optuna"):
        search()


# ---- taking a search up again ----------------------------------------------------------------------------------------
def run(storage, trials, **more):
    folder = os.path.dirname(__file__)
    program = os.path.join(folder, "tune_programs.py")
    return subprocess.Popen([sys.executable, program, storage, str(trials)], stdout=subprocess.PIPE, text=True, **more)


def test_a_search_is_taken_up_after_ctrl_c():
    storage, calls = optuna.storages.InMemoryStorage(), []

    def interrupted(hp):
        calls.append(hp)
        if len(calls) == 3:
            hp.int("units", 2, 16, log=True)
            raise KeyboardInterrupt
        return build(hp)

    with pytest.raises(KeyboardInterrupt):
        search(interrupted, storage=storage)
    study = optuna.load_study(study_name="pynn", storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "WAITING"]
    expected = outcomes(search())
    assert outcomes(search(storage=storage)) == expected
    again = search(lambda hp: pytest.fail("there is nothing left"), storage=storage)
    assert outcomes(again) == expected
    with pytest.raises(ValueError, match="Give it another name"):
        search(storage=storage, objective="val_accuracy", direction="min")
    with pytest.raises(ValueError, match="wants to minimize"):
        search(storage=storage, objective="val_accuracy")
    longer = search(storage=storage, trials=7)
    assert outcomes(longer)[:6] == expected
    assert len(longer.trials) == 7


def killed_and_taken_up(folder, trials, kills):
    storage = f"sqlite:///{folder}/study.db"
    finished = set()
    for _ in range(kills):
        process = run(storage, trials)
        assert process.stdout.readline() == "begun\n"
        wanted = chance.randrange(1, 3)
        for line in process.stdout:
            wanted -= line.startswith("Trial")
            if wanted == 0:
                break
        time.sleep(chance.random() * 0.05)  # in the middle of a trial
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        study = optuna.load_study(study_name="pynn", storage=storage)
        now = {(t.number, t.value) for t in study.trials if t.state.is_finished()}
        assert finished <= now
        finished = now
    return storage, finished


def test_a_search_is_taken_up_after_kill_9(tmp_path):
    storage, finished = killed_and_taken_up(tmp_path, 30, 1)
    assert 1 <= len(finished) < 30
    trials = len(finished) + 3
    study = search(storage=storage, trials=trials, epochs=100)
    assert finished <= {(t.number, t.value) for t in study.trials}
    assert outcomes(study) == outcomes(search(trials=trials, epochs=100))


@pytest.mark.slow
def test_a_search_is_taken_up_after_many_kills(tmp_path):
    storage, _ = killed_and_taken_up(tmp_path, 100, 6)
    study = search(storage=storage, trials=25, epochs=100)
    assert outcomes(study) == outcomes(search(trials=25, epochs=100))


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True])
def test_processes_share_a_storage(tmp_path, kill):
    storage = f"sqlite:///{tmp_path}/study.db"
    share_the_trials(storage, kill)


def share_the_trials(storage, kill):
    processes = [run(storage, 12) for _ in range(3)]
    if kill:
        first = processes.pop()
        first.stdout.readline()
        first.stdout.readline()
        first.kill()
        first.communicate()
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    study = search(storage=storage, trials=12, epochs=100)
    assert [trial.number for trial in study.trials] == list(range(12))
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}
    assert len({str(trial.params) for trial in study.trials}) == 12
    if not kill:
        owners = {tuple(trial.user_attrs["pynn:owner"]) for trial in study.trials}
        assert len(owners) > 1


def test_trials_of_other_machines_are_lost_when_they_give_no_sign():
    storage = optuna.storages.InMemoryStorage()
    search(storage=storage, trials=1)
    study = optuna.load_study(study_name="pynn", storage=storage)
    lost, busy = study.ask(), study.ask()
    for trial, seen in ((lost, time.time() - 100), (busy, time.time())):
        trial.set_user_attr("pynn:owner", ["another machine", 1, "2"])
        trial.set_user_attr("pynn:seen", seen)
    states = [trial.state.name for trial in search(storage=storage, trials=4).trials]
    assert states == ["COMPLETE", "COMPLETE", "RUNNING", "COMPLETE"]


def test_objective_that_is_not_there_is_told():
    def regression(hp):
        model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(hp.int("units", 1, 4)), pynn.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    study = tune.search(regression, np.ones((20, 3)), np.ones((20, 1)), trials=1, epochs=1, validation_split=0.2)
    with pytest.raises(ValueError, match=r"objective is 'val_accuracy', but the logs have: loss, val_loss\. Give"):
        study.best_model()
