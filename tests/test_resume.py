"""A run that was killed and started again ends with the bits of one that was never interrupted."""

import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

import pynn
from pynn.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)

ROWS, BATCH, EPOCHS = 50, 8, 5  # 7 steps an epoch
STEPS = 7


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Do not wait for the disk: what must be on it, and when, is tested in test_atomic_write.py."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


def data():
    random = np.random.default_rng(5)
    x = random.normal(size=(ROWS, 6)).astype(np.float32)
    return x, np.argmax(x[:, :3], axis=1)


class Seen(pynn.metrics.Metric):
    """A metric in Python: the largest output so far."""

    def __init__(self, name="seen", dtype=None):
        super().__init__(name, dtype)

    def reset_state(self):
        self.most = np.array(0.0)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.most = np.maximum(self.most, y_pred.max())

    def result(self):
        return self.most


def network(optimizer="adam"):
    """Noise, moving statistics, a penalty: whatever training remembers."""
    pynn.set_random_seed(11)
    pynn.utils.clear_session(free_memory=False)  # the same names in each run
    layers = pynn.layers
    model = pynn.Sequential(
        [
            pynn.Input((6,)),
            layers.Dense(9, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, "softmax"),
        ]
    )
    metrics = ["accuracy", pynn.metrics.SparseTopKCategoricalAccuracy(2), Seen()]
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=metrics)
    return model


def callbacks(folder):
    return [
        ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=0.05),
        EarlyStopping("val_loss", patience=3, restore_best_weights=True),
        ModelCheckpoint(folder / "best.pynn", "val_loss", save_best_only=True),
        CSVLogger(folder / "log.csv"),
    ]


def fit(model, folder, *others, save_freq="epoch", **fitted):
    backup = BackupAndRestore(folder / "backup", save_freq)
    fitted = {"epochs": EPOCHS, "batch_size": BATCH, "validation_split": 0.2, "verbose": 0, **fitted}
    return model.fit(*data(), callbacks=[*others, backup, *callbacks(folder)], **fitted)


def bits(model, history, folder):
    """All that a run leaves behind."""
    state = {name: array.tobytes() for name, array in model.get_state().items()}
    files = [(folder / name).read_bytes() for name in ("best.pynn", "log.csv")]
    return state, history.history, history.epoch, files


class Killed(BaseException):
    """Stands for the end of the process."""


def killing(step):
    """A callback that ends a run after so many steps."""
    seen = iter(range(10**6))

    def count(batch, logs):
        if next(seen) == step:
            raise Killed

    return LambdaCallback(on_train_batch_end=count)


@pytest.fixture
def whole(tmp_path):
    """What a run that nobody interrupts leaves."""
    folder = tmp_path / "whole"
    folder.mkdir()
    model = network()
    return bits(model, fit(model, folder), folder)


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("save_freq", "steps"),
    [
        ("epoch", (0, 6, 7, 13)),
        (3, (2, 4, 13)),
        (STEPS, (6, 7)),
        *[pytest.param(save_freq, range(22), marks=slow) for save_freq in ("epoch", 1, 3, STEPS, 10)],
    ],
)
def test_a_run_that_was_interrupted_ends_with_the_same_bits(tmp_path, whole, save_freq, steps):
    for step in steps:
        folder = tmp_path / str(step)
        folder.mkdir()
        with pytest.raises(Killed):
            fit(network(), folder, killing(step), save_freq=save_freq)
        model = network()
        model.set_weights([w + 1 for w in model.get_weights()])  # what the model had does not matter
        history = fit(model, folder, killing(10**6), save_freq=save_freq)
        assert bits(model, history, folder) == whole, step
        assert not (folder / "backup").exists()


def test_a_run_may_be_interrupted_many_times(tmp_path, whole):
    for _ in range(20):
        model = network()
        try:
            history = fit(model, tmp_path, killing(7), save_freq=5)
        except Killed:
            continue
        assert bits(model, history, tmp_path) == whole
        return
    raise AssertionError("the run does not get on")


OPTIMIZERS = ["sgd", "nadam", *[pytest.param(o, marks=slow) for o in ("rmsprop", "adagrad", "adadelta", "adamw")]]
OPTIMIZERS += [pytest.param(o, marks=slow) for o in ("adamax", "lion")]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_goes_on(tmp_path, optimizer):
    settings = {"use_ema": True, "ema_overwrite_frequency": 3, "gradient_accumulation_steps": 2}
    runs = []
    for step in (10**6, 9):
        folder = tmp_path / str(step)
        folder.mkdir()

        def make():
            return network(pynn.optimizers.get({"class_name": optimizer, "config": {**settings, "name": "mine"}}))

        model = make()
        try:
            history = fit(model, folder, killing(step), save_freq=2)
        except Killed:
            model = make()
            history = fit(model, folder, killing(10**6), save_freq=2)
        runs.append(bits(model, history, folder))
    assert runs[0] == runs[1]


def test_a_schedule_goes_on(tmp_path):
    def make():
        return network(pynn.optimizers.SGD(pynn.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5), momentum=0.9))

    def run(folder, *others):
        folder.mkdir(exist_ok=True)
        model, backup = make(), BackupAndRestore(folder / "backup", 4)
        fitted = {"epochs": EPOCHS, "batch_size": BATCH, "verbose": 0}
        history = model.fit(*data(), callbacks=[backup, *others], **fitted)
        return {name: array.tobytes() for name, array in model.get_state().items()}, history.history

    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", killing(17))
    assert run(tmp_path / "cut", killing(10**6)) == whole


def test_a_scheduler_by_epoch_does_not_count_an_epoch_twice(tmp_path):
    def run(folder, *others):
        model = network("sgd")
        rates = LearningRateScheduler(lambda epoch, rate: rate * 0.5)
        callbacks = [rates, BackupAndRestore(folder, 2), *others]
        return model.fit(*data(), epochs=4, batch_size=BATCH, verbose=0, callbacks=callbacks).history

    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", killing(10))
    assert run(tmp_path / "cut", killing(10**6)) == whole


def test_steps_per_epoch_go_on_in_the_middle_of_a_pass(tmp_path):
    def run(folder, *others):
        model = network()
        callbacks = [BackupAndRestore(folder, 2), *others]
        history = model.fit(*data(), epochs=6, batch_size=BATCH, steps_per_epoch=5, verbose=0, callbacks=callbacks)
        return [w.tobytes() for w in model.get_weights()], history.history

    whole = run(tmp_path / "whole")
    for step in (3, 8, 21):
        with pytest.raises(Killed):
            run(tmp_path / "cut", killing(step))
        assert run(tmp_path / "cut", killing(10**6)) == whole


class Counting(Callback):
    """Remembers by itself."""

    def __init__(self):
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1

    def get_state(self):
        return {"count": self.count, "text": "x", "none": None, "list": [1, 2.5, np.arange(3)]}

    def set_state(self, state):
        self.count = state["count"]
        assert state["text"] == "x"
        assert state["none"] is None
        assert state["list"][:2] == [1, 2.5]
        assert state["list"][2].tolist() == [0, 1, 2]


def test_callbacks_of_ones_own_are_kept(tmp_path):
    with pytest.raises(Killed):
        fit(network(), tmp_path, Counting(), killing(12), save_freq=5)
    counting = Counting()
    fit(network(), tmp_path, counting, killing(10**6), save_freq=5, epochs=2)
    assert counting.count == 2 * 5


def test_a_state_that_no_file_can_keep_is_refused(tmp_path):
    class Odd(Callback):
        def get_state(self):
            return {"odd": {1, 2}}

    with pytest.raises(TypeError, match="callbacks/0/Odd/odd, a set, which no file can keep"):
        fit(network(), tmp_path, Odd())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 16}, "of a run with batch_size=8, but here it is 16"),
        ({"shuffle": False}, "of a run with shuffle=True, but here it is False"),
        ({"validation_split": 0.5}, "of a run with samples=40, but here it is 25"),
        ({"steps_per_epoch": 3}, "of a run with steps_per_epoch=5, but here it is 3"),
    ],
)
def test_a_backup_of_another_run_is_refused(tmp_path, change, message):
    with pytest.raises(Killed):
        fit(network(), tmp_path, killing(12))
    model = network()
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises(ValueError, match=f"cannot be taken up: .*{message}.*Call fit as before, or delete it"):
        fit(model, tmp_path, killing(10**6), **change)
    assert [w.tobytes() for w in model.get_weights()] == before


def test_a_backup_with_other_metrics_is_refused(tmp_path):
    with pytest.raises(Killed):
        fit(network(), tmp_path, killing(12), save_freq=3)
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises(ValueError, match="of a run with logs="):
        fit(model, tmp_path, killing(10**6), save_freq=3)
    assert [w.tobytes() for w in model.get_weights()] == before


@pytest.mark.parametrize("save_freq", ["epoch", 3])
def test_a_backup_of_another_model_is_refused(tmp_path, save_freq):
    with pytest.raises(Killed):
        fit(network(), tmp_path, killing(12), save_freq=save_freq)
    with pytest.raises(ValueError, match="cannot be taken up"):
        fit(network("sgd"), tmp_path, killing(10**6), save_freq=save_freq)


@pytest.mark.parametrize("before", ["", "epoch,loss\n9,1.0\n"])
def test_a_log_that_is_added_to_has_each_epoch_once(tmp_path, before):
    file = tmp_path / "log.csv"
    file.write_text(before)

    def run(*others):
        log, backup = CSVLogger(file, append=True), BackupAndRestore(tmp_path / "backup", 5 * STEPS)
        network().fit(*data(), batch_size=BATCH, epochs=2, verbose=0, callbacks=[*others, log, backup])

    with pytest.raises(Killed):
        run(killing(STEPS + 1))
    run(killing(10**6))
    epochs = [line.split(",")[0] for line in file.read_text().splitlines()]
    assert epochs == ["epoch", *["9"] * bool(before), "0", "1"]


def test_one_backup_is_enough(tmp_path):
    with pytest.raises(ValueError, match="more than one BackupAndRestore"):
        fit(network(), tmp_path, BackupAndRestore(tmp_path / "other", 2))


def test_numbers_of_numpy_in_logs_are_kept(tmp_path):
    def write(epoch, logs):
        logs.update(small=np.float32(epoch + 0.5), whole=np.int64(epoch), yes=np.bool_(epoch), text="a", list=[1])

    def run(*others):
        backup = BackupAndRestore(tmp_path, 5)
        return network().fit(
            *data(),
            batch_size=BATCH,
            epochs=3,
            verbose=0,
            callbacks=[LambdaCallback(on_epoch_end=write), *others, backup],
        )

    with pytest.raises(Killed):
        run(killing(2 * STEPS + 5))
    history = run(killing(10**6)).history
    for name, kind in {"small": np.float32, "whole": np.int64, "yes": np.bool_, "text": str, "list": list}.items():
        assert [type(value) for value in history[name]] == [kind] * 3


@pytest.mark.parametrize("save_freq", ["epoch", 3])
@pytest.mark.parametrize("first", [False, True])
def test_what_a_callback_freezes_stays_frozen(tmp_path, save_freq, first):
    def run(folder, *others):
        def change(epoch, logs):
            if epoch == 1:
                model.layers[0].trainable = not first

        model = network()
        model.layers[0].trainable = first
        callbacks = [LambdaCallback(on_epoch_begin=change), *others, BackupAndRestore(folder, save_freq)]
        model.fit(*data(), batch_size=BATCH, epochs=4, verbose=0, callbacks=callbacks)
        assert model.layers[0].trainable is not first
        return {name: array.tobytes() for name, array in model.get_state().items()}

    with pytest.raises(Killed):
        run(tmp_path / "killed", killing(2 * STEPS + 4))
    assert run(tmp_path / "killed", killing(10**6)) == run(tmp_path / "whole", killing(10**6))


def test_the_end_of_a_run_is_told_the_same_logs(tmp_path):
    seen = []

    def end(logs):
        seen.append(logs)
        if len(seen) == 1:
            raise Killed

    ending = LambdaCallback(on_train_end=end)
    with pytest.raises(Killed):
        fit(network(), tmp_path, ending)
    history = fit(network(), tmp_path, ending).history
    assert seen[0] == seen[1] == {name: values[-1] for name, values in history.items()}


def test_a_flag_of_numpy_is_kept(tmp_path):
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = np.bool_(epoch == 2)

    assert fit(network(), tmp_path, Stop()).epoch == [0, 1, 2]


def test_batches_count_for_checkpoints_after_the_backup(tmp_path):
    def run(*others):
        checkpoint = ModelCheckpoint(tmp_path / "files" / "{epoch}-{batch}", save_freq=3)
        backup = BackupAndRestore(tmp_path / "backup", 1)
        network().fit(*data(), batch_size=BATCH, epochs=2, verbose=0, callbacks=[backup, checkpoint, *others])

    with pytest.raises(Killed):
        run(killing(5))
    run(killing(10**6))
    assert sorted(file.name for file in (tmp_path / "files").iterdir()) == ["1-3", "1-6", "2-2", "2-5"]


def test_other_callbacks_are_refused(tmp_path):
    with pytest.raises(Killed):
        fit(network(), tmp_path, killing(12))
    with pytest.raises(ValueError, match="of a run with the callbacks LambdaCallback, ReduceLROnPlateau"):
        fit(network(), tmp_path)


def test_a_damaged_backup_is_refused_or_the_one_before_it_is_taken(tmp_path, whole):
    def run(*others):
        model, backup = network(), BackupAndRestore(tmp_path / "backup", 2, double_checkpoint=True)
        fitted = {"epochs": EPOCHS, "batch_size": BATCH, "validation_split": 0.2, "verbose": 0}
        history = model.fit(*data(), callbacks=[*others, backup, *callbacks(tmp_path)], **fitted)
        return bits(model, history, tmp_path)

    with pytest.raises(Killed):
        run(killing(11))
    latest = tmp_path / "backup" / "latest.pynn"
    latest.write_bytes(latest.read_bytes()[:-1])
    assert run(killing(10**6)) == whole
    with pytest.raises(Killed):
        run(killing(11))
    for file in (tmp_path / "backup").iterdir():
        file.write_bytes(b"{}")
    with pytest.raises(ValueError, match="cannot be taken up"):
        run(killing(10**6))


def test_a_backup_that_is_not_deleted_ends_a_second_fit_at_once(tmp_path):
    def run(epochs):
        model = network()
        backup = BackupAndRestore(tmp_path, delete_checkpoint=False)
        history = model.fit(*data(), epochs=epochs, batch_size=BATCH, verbose=0, callbacks=backup)
        return [w.tobytes() for w in model.get_weights()], history.history

    assert run(3) == run(3)
    assert len(run(5)[1]["loss"]) == 5


def test_a_function_as_learning_rate_cannot_be_kept(tmp_path):
    model = network(pynn.optimizers.SGD(lambda: 0.1))
    with pytest.warns(UserWarning, match="learning rate is a function"):
        model.fit(*data(), verbose=0, callbacks=BackupAndRestore(tmp_path))


def test_two_fits_are_one():
    one, two = network(), network()
    first = one.fit(*data(), epochs=6, batch_size=BATCH, verbose=0).history
    parts = [two.fit(*data(), epochs=3, batch_size=BATCH, verbose=0).history]
    parts.append(two.fit(*data(), epochs=6, initial_epoch=3, batch_size=BATCH, verbose=0).history)
    assert {name: parts[0][name] + parts[1][name] for name in first} == first
    assert [w.tobytes() for w in one.get_weights()] == [w.tobytes() for w in two.get_weights()]


PROGRAM = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import test_resume as program
folder = pathlib.Path(sys.argv[2])
model = program.network()
print("ready", flush=True)
history = program.fit(model, folder, program.telling(), save_freq=2)
import pickle
(folder / "end").write_bytes(pickle.dumps(program.bits(model, history, folder)))
"""


def telling():
    """A callback that tells of each batch."""
    return LambdaCallback(on_train_batch_end=lambda batch, logs: print(batch, flush=True))


def run_process(folder, kill_after=None):
    """Run the program; kill it when it has told of so many batches. Returns whether it came to its end."""
    command = [sys.executable, "-c", PROGRAM, str(pathlib.Path(__file__).parent), str(folder)]
    # In another folder than the sources: `-c` puts the current one first, and there is no engine in it.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ, cwd=folder) as process:
        assert process.stdout.readline() == "ready\n"
        for told, _ in enumerate(process.stdout):
            if told == kill_after:
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    return process.returncode == 0


@pytest.mark.slow
def test_kill_9_at_random_batches(tmp_path):
    import pickle

    ends = []
    random = np.random.default_rng()
    for number, kills in enumerate([[], random.integers(0, 20, 3), random.integers(0, 20, 3)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        for kill_after in kills:
            run_process(folder, kill_after)
        while not run_process(folder):
            pass
        ends.append(pickle.loads((folder / "end").read_bytes()))
    assert ends[0] == ends[1] == ends[2]
