"""Callbacks that write files: logs, checkpoints, TensorBoard's; and the averages that a checkpoint may have."""

import csv
import os
import sys
import types

import numpy as np
import pytest
from callback_models import ONE, ZERO, one_weight, run, weight_of

import pynn
from pynn.callbacks import CSVLogger, LambdaCallback, ModelCheckpoint


# ---- logs ------------------------------------------------------------------------------------------------------------
def test_csv_logger(tmp_path):
    file = tmp_path / "log.csv"
    _, history = run(CSVLogger(file), epochs=3, validation_data=(ONE, ZERO), validation_freq=2)
    rows = list(csv.reader(file.read_text().splitlines()))
    assert rows[0] == ["epoch", "loss", "val_loss"]
    assert [float(row[1]) for row in rows[1:]] == history.history["loss"]
    assert [row[2] for row in rows[1:]] == ["NA", str(history.history["val_loss"][0]), "NA"]
    quiet = LambdaCallback(on_epoch_end=lambda epoch, logs: None)  # could write other values
    run([quiet, CSVLogger(file)], epochs=3, validation_data=(ONE, ZERO), validation_freq=2)
    assert list(csv.reader(file.read_text().splitlines())) == rows
    run(CSVLogger(file, append=True), epochs=1)
    assert list(csv.reader(file.read_text().splitlines()))[4:] == [["0", "4.0", "NA"]]
    run(CSVLogger(file, separator=";"), epochs=1)
    assert file.read_text() == "epoch;loss\n0;4.0\n"


def test_csv_logger_finds_errors_before_the_first_epoch(tmp_path):
    for separator in ("", ";;", "\n", '"'):
        with pytest.raises(ValueError, match="separator must be one character"):
            CSVLogger(tmp_path / "log.csv", separator)
    model = one_weight(0.1)
    with pytest.raises(FileNotFoundError):
        model.fit(ONE, ZERO, verbose=0, callbacks=CSVLogger(tmp_path / "none" / "log.csv"))
    assert model.optimizer.iterations == 0


@pytest.fixture
def written(monkeypatch):
    """The steps of the values that TensorBoard is given, by run and name, and how many writers are open."""
    steps, opened = {}, []

    class SummaryWriter:
        def __init__(self, folder):
            self.run = os.path.basename(folder)
            opened.append(self)

        def add_scalar(self, name, value, step):
            assert isinstance(value, float)
            assert self in opened
            steps.setdefault(f"{self.run}/{name}", []).append(step)

        def flush(self):
            pass

        def close(self):
            opened.remove(self)

    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=SummaryWriter))
    yield steps
    assert opened == []


def test_tensorboard_writes_what_evaluations_come_to(written, tmp_path):
    x, board = np.ones((5, 1)), pynn.callbacks.TensorBoard(tmp_path / "logs")
    model = one_weight(0.1, metrics=["mae"])
    model.fit(x, x, batch_size=2, epochs=2, verbose=0, validation_data=(ONE, ZERO), callbacks=board)
    name = "validation/evaluation_{}_vs_iterations"
    assert written[name.format("loss")] == written[name.format("mae")] == [3, 6]
    assert written["validation/epoch_loss"] == [0, 1]
    model.evaluate(ONE, ZERO, verbose=0, callbacks=board)
    assert written[name.format("loss")] == [3, 6, 6]


def test_tensorboard_writes_each_number_of_an_array(written, tmp_path):
    model = pynn.Sequential([pynn.Input((1,)), pynn.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[pynn.metrics.R2Score(None)])
    board = pynn.callbacks.TensorBoard(tmp_path / "logs")
    x, y = np.arange(5.0)[:, None], np.arange(10.0).reshape(5, 2)
    model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=board)
    for name in ("train/epoch_r2_score", "validation/epoch_r2_score"):
        assert written[f"{name}/0"] == written[f"{name}/1"] == [0, 1]
        assert name not in written


def test_tensorboard_writes_how_fast_the_batches_between_two_values_are(written, tmp_path, monkeypatch):
    now, rates = iter(range(100)), []
    monkeypatch.setattr("pynn.callbacks.logging.time", types.SimpleNamespace(perf_counter=lambda: next(now)))
    board = pynn.callbacks.TensorBoard(tmp_path / "logs", update_freq=2, write_steps_per_second=True)
    write = board._write
    board._write = lambda run, name, value, step: (
        write(run, name, value, step),
        rates.append(value) if name == "batch_steps_per_second" else None,
    )
    x = np.ones((5, 1))
    one_weight(0.1).fit(x, x, batch_size=1, epochs=2, verbose=0, callbacks=board)
    assert written["train/batch_steps_per_second"] == [2, 4, 6, 8, 10]
    assert rates == [2, 2, 1, 2, 2]  # a batch of the second epoch comes to the third value


def test_tensorboard_counts_the_batches_of_its_run(written, tmp_path):
    x, board = np.ones((5, 1)), pynn.callbacks.TensorBoard(tmp_path / "logs", update_freq=2)
    model = one_weight(0.1)
    for _ in range(2):
        model.fit(x, x, batch_size=1, verbose=0, callbacks=board)
    assert written["train/batch_loss"] == [2, 4, 2, 4]
    written.clear()

    def fail(batch, logs):
        if model.optimizer.iterations == end:
            raise KeyError

    fitted = {"batch_size": 1, "epochs": 2, "verbose": 0}
    backup = pynn.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3)
    model, end = one_weight(0.1), 7
    with pytest.raises(KeyError):
        model.fit(x, x, callbacks=[board, backup, LambdaCallback(on_train_batch_end=fail)], **fitted)
    model, end = one_weight(0.1), None
    model.fit(x, x, callbacks=[board, backup, LambdaCallback(on_train_batch_end=fail)], **fitted)
    assert written["train/batch_loss"] == [2, 4, 6, 8, 10]


def test_tensorboard(tmp_path):
    tensorboardx = pytest.importorskip("tensorboardX")
    assert tensorboardx
    callback = pynn.callbacks.TensorBoard(tmp_path, histogram_freq=1, update_freq=1, write_steps_per_second=True)
    run(callback, epochs=2, validation_data=(ONE, ZERO))
    for name, tags in {
        "train": ("epoch_loss", "epoch_learning_rate", "batch_loss", "batch_steps_per_second"),
        "validation": ("epoch_loss", "evaluation_loss_vs_iterations"),
    }.items():
        content = b"".join(file.read_bytes() for file in (tmp_path / name).iterdir())
        assert all(tag.encode() in content for tag in tags)


def test_tensorboard_names_its_argument():
    with pytest.raises(ValueError, match="update_freq must be"):
        pynn.callbacks.TensorBoard(update_freq="often")


def test_tensorboard_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        run(pynn.callbacks.TensorBoard())


# ---- checkpoints -----------------------------------------------------------------------------------------------------
def test_model_checkpoint_by_epochs(tmp_path, capsys):
    checkpoint = ModelCheckpoint(tmp_path / "new" / "{epoch:02d}-{loss:.2f}.pynn", verbose=1)
    model, _ = run(checkpoint, epochs=3)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == [
        "01-4.00.pynn",
        "02-7.84.pynn",
        "03-15.37.pynn",
    ]
    assert weight_of(pynn.load_model(tmp_path / "new" / "03-15.37.pynn")) == weight_of(model)
    assert "Epoch 2: saved to" in capsys.readouterr().out


def test_model_checkpoint_keeps_the_best(tmp_path):
    file = tmp_path / "best"
    checkpoint = ModelCheckpoint(file, "loss", save_best_only=True)
    run(checkpoint, epochs=3)
    assert checkpoint.best == 4.0
    assert weight_of(pynn.load_model(file)) == pytest.approx(-2.8)  # the end of epoch 1
    run(checkpoint, epochs=2)  # a later run, no better
    assert weight_of(pynn.load_model(file)) == pytest.approx(-2.8)
    checkpoint = ModelCheckpoint(tmp_path / "none", "loss", save_best_only=True, initial_value_threshold=3.0)
    run(checkpoint, epochs=3)
    assert not (tmp_path / "none").exists()


def test_model_checkpoint_maximises_auc(tmp_path):
    """tf#40604: with mode="auto"."""
    x = np.linspace(-1, 1, 20)[:, None]
    y = (x > 0).astype(float)
    model = pynn.Sequential([pynn.Input((1,)), pynn.layers.Dense(1, "sigmoid", use_bias=False, dtype="float64")])
    model.compile(pynn.optimizers.SGD(5.0), "binary_crossentropy", metrics=[pynn.metrics.AUC(name="auc")])
    model.set_weights([np.array([[-2.5]])])
    file = tmp_path / "best"
    checkpoint = ModelCheckpoint(file, "auc", save_best_only=True)
    history = model.fit(x, y, batch_size=20, epochs=4, verbose=0, callbacks=[checkpoint])
    assert history.history["auc"][0] < 0.1
    assert checkpoint.best == max(history.history["auc"]) == 1.0
    assert weight_of(pynn.load_model(file)) > 0


def test_model_checkpoint_of_weights_by_batches(tmp_path):
    x = np.ones((5, 1))
    model = one_weight(0.1)
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_weights_only=True, save_freq=2)
    model.fit(x, 0 * x, batch_size=2, epochs=2, verbose=0, callbacks=checkpoint)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1-2", "2-1", "2-3"]
    other = one_weight(0.1)
    other.load_weights(tmp_path / "2-1")
    assert weight_of(other) == pytest.approx(2 * 0.8**4)


def test_model_checkpoint_names_a_field_that_is_not_there(tmp_path):
    model = one_weight(0.1)
    with pytest.raises(ValueError, match="has the field 'val_loss', but there are: epoch, loss"):
        model.fit(ONE, ZERO, verbose=0, callbacks=ModelCheckpoint(tmp_path / "{epoch}-{val_loss}"))
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{val_loss}", save_freq=1)
    with pytest.raises(ValueError, match="has the field 'val_loss', but there are: batch, epoch, loss"):
        model.fit(ONE, ZERO, verbose=0, callbacks=checkpoint, validation_data=(ONE, ZERO))
    for name in ("{loss:d}", "{loss", "{loss.real.x}"):
        with pytest.raises(ValueError, match=r"filepath .* cannot be filled in"):
            model.fit(ONE, ZERO, verbose=0, callbacks=ModelCheckpoint(name))
    assert model.optimizer.iterations == 0


def test_model_checkpoint_that_can_never_save_says_so_before_training(tmp_path):
    model = one_weight(0.1)
    for weights_only in (False, True):
        with pytest.raises(ValueError, match=r"HDF5.*Take any other name"):
            run(ModelCheckpoint(tmp_path / "{epoch}.h5", save_weights_only=weights_only))
    model.compile(pynn.optimizers.SGD(lambda: 0.1), "mse")
    with pytest.raises(ValueError, match=r"learning_rate is a function, which cannot be saved"):
        model.fit(ONE, ZERO, verbose=0, callbacks=ModelCheckpoint(tmp_path / "model"))
    assert model.optimizer.iterations == 0
    model.fit(ONE, ZERO, verbose=0, callbacks=ModelCheckpoint(tmp_path / "weights", save_weights_only=True))
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]


def test_model_checkpoint_that_cannot_save_ends_the_run(tmp_path):
    (tmp_path / "folder").mkdir()
    model = one_weight(0.1)
    with pytest.raises(ValueError, match="is a folder"):
        model.fit(ONE, ZERO, epochs=3, verbose=0, callbacks=ModelCheckpoint(tmp_path / "folder"))
    assert model.optimizer.iterations == 1


@pytest.mark.parametrize("settings", [{"save_freq": "often"}, {"save_freq": 0}, {"mode": "best"}, {"monitor": 3}])
def test_model_checkpoint_refuses(settings):
    with pytest.raises((ValueError, TypeError), match=next(iter(settings))):
        ModelCheckpoint("x", **settings)


@pytest.mark.parametrize(
    ("path", "message"),
    [("best.weights.h5", "writes no such HDF5 files"), ("folder/", "is a folder's"), (3, "filepath must")],
)
def test_model_checkpoint_refuses_what_no_model_is_saved_to(path, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ModelCheckpoint(path)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(CSVLogger, "filename"), (pynn.callbacks.TensorBoard, "log_dir"), (pynn.callbacks.BackupAndRestore, "backup_dir")],
)
def test_what_is_no_path_is_named(kind, name):
    with pytest.raises(TypeError, match=f"{name} must be a path, but got 3"):
        kind(3)


# ---- averages --------------------------------------------------------------------------------------------------------
def test_swap_ema_weights(tmp_path):
    def averaged():
        model = one_weight(0.1)
        model.compile(pynn.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
        return model

    plain = averaged().fit(ONE, ZERO, epochs=3, verbose=0, validation_data=(ONE, ZERO)).history["val_loss"]
    model, file = averaged(), tmp_path / "{epoch}"
    callbacks = [pynn.callbacks.SwapEMAWeights(swap_on_epoch=True), ModelCheckpoint(file)]
    history = model.fit(ONE, ZERO, epochs=3, verbose=0, validation_data=(ONE, ZERO), callbacks=callbacks)
    weights = [2 * 0.8**n for n in (1, 2, 3)]
    averages = [weights[0]]
    for weight in weights[1:]:
        averages.append(0.5 * averages[-1] + 0.5 * weight)
    assert plain == pytest.approx([w * w for w in weights])
    assert history.history["val_loss"] == pytest.approx([a * a for a in averages])
    assert history.history["loss"] == pytest.approx([4.0, *(w * w for w in weights[:2])])
    saved = [weight_of(pynn.load_model(tmp_path / str(epoch))) for epoch in (1, 2, 3)]
    assert saved == pytest.approx(averages)
    assert weight_of(model) == pytest.approx(averages[-1])
    with pytest.raises(ValueError, match="needs an optimizer with use_ema=True"):
        run(pynn.callbacks.SwapEMAWeights())


@pytest.mark.parametrize("call", ["evaluate", "predict"])
def test_weights_are_back_after_an_error(call):
    model, swap = one_weight(0.1), pynn.callbacks.SwapEMAWeights()
    model.compile(pynn.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    model.train_on_batch(ONE, ZERO)
    model.train_on_batch(ONE, ZERO)
    before, arguments = weight_of(model), [ONE, ZERO][: 2 if call == "evaluate" else 1]

    def fail(*values):
        assert weight_of(model) != before
        raise KeyboardInterrupt

    name = "test" if call == "evaluate" else call
    for hook in (f"on_{name}_begin", f"on_{name}_batch_end", f"on_{name}_end"):
        failing = LambdaCallback(**{hook: fail})
        with pytest.raises(KeyboardInterrupt):
            getattr(model, call)(*arguments, verbose=0, callbacks=[failing, swap] if "end" in hook else [swap, failing])
        assert weight_of(model) == before


def test_swap_ema_weights_after_a_run():
    model, swap = one_weight(0.1), pynn.callbacks.SwapEMAWeights(swap_on_epoch=True)
    model.compile(pynn.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    model.fit(ONE, ZERO, epochs=3, verbose=0, callbacks=swap)
    trained = weight_of(model)
    model.evaluate(ONE, ZERO, verbose=0, callbacks=swap)
    assert weight_of(model) == trained
