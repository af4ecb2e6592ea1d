"""Callbacks: when they are called, what they are told, and what they may do. Figures are Keras 3.15's."""

import csv
import gc
import os
import re
import sys
import types
import weakref

import numpy as np
import pytest

import pynn
from pynn.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    TerminateOnNaN,
)

ONE, ZERO = np.ones((1, 1)), np.zeros((1, 1))


def one_weight(rate, weight=2.0, **compiled):
    """A model y = w x, whose loss on ONE and ZERO is w * w: each step multiplies w by 1 - 2 rate."""
    model = pynn.Sequential([pynn.Input((1,)), pynn.layers.Dense(1, use_bias=False, dtype="float64")])
    model.compile(pynn.optimizers.SGD(rate), "mse", **compiled)
    model.set_weights([np.array([[weight]])])
    return model


def run(callbacks, epochs=8, rate=1.2, **fitted):
    model = one_weight(rate)
    return model, model.fit(ONE, ZERO, epochs=epochs, verbose=0, callbacks=callbacks, **fitted)


def weight_of(model):
    return model.get_weights()[0].item()


class Telling(Callback):
    """Keeps what it is told."""

    def __init__(self):
        self.seen = []


def _telling(hook):
    def tell(self, *values):
        self.seen.append((hook.removeprefix("on_"), *values[:-1], *sorted(values[-1])))

    return tell


HOOKS = [f"on_{phase}_{end}" for phase in ("train", "test", "predict") for end in ("begin", "end")]
BATCH_HOOKS = [f"on_{phase}_batch_{end}" for phase in ("train", "test", "predict") for end in ("begin", "end")]
for each in [*HOOKS, *BATCH_HOOKS, "on_epoch_begin", "on_epoch_end"]:
    setattr(Telling, each, _telling(each))


# ---- when they are called --------------------------------------------------------------------------------------------
def test_hooks_are_called_in_keras_order():
    model, telling = one_weight(0.1, metrics=["mae"]), Telling()
    x = np.ones((5, 1))
    model.fit(x, x, batch_size=2, epochs=2, verbose=0, callbacks=telling, validation_data=(x[:3], x[:3]))
    steps = [
        event
        for batch in range(3)
        for event in [("train_batch_begin", batch), ("train_batch_end", batch, "loss", "mae")]
    ]
    tests = [
        event for batch in range(2) for event in [("test_batch_begin", batch), ("test_batch_end", batch, "loss", "mae")]
    ]
    logs = "loss", "mae", "val_loss", "val_mae"
    epochs = [
        [("epoch_begin", e), *steps, ("test_begin",), *tests, ("test_end", "loss", "mae"), ("epoch_end", e, *logs)]
        for e in range(2)
    ]
    assert telling.seen == [("train_begin",), *epochs[0], *epochs[1], ("train_end", *logs)]


def test_hooks_of_evaluate_and_predict():
    model, telling = one_weight(0.1), Telling()
    x = np.ones((5, 1))
    value = model.evaluate(x, x, batch_size=2, verbose=0, callbacks=[telling])
    batches = [e for b in range(3) for e in [("test_batch_begin", b), ("test_batch_end", b, "loss")]]
    assert telling.seen == [("test_begin",), *batches, ("test_end", "loss")]
    assert value == model.evaluate(x, x, batch_size=2, verbose=0)
    telling.seen.clear()
    made = model.predict(x, batch_size=2, verbose=0, callbacks=[telling])
    batches = [e for b in range(3) for e in [("predict_batch_begin", b), ("predict_batch_end", b, "outputs")]]
    assert telling.seen == [("predict_begin",), *batches, ("predict_end",)]
    assert made.tobytes() == model.predict(x, verbose=0).tobytes()


def test_predict_batch_end_is_told_the_outputs():
    seen = []
    model = one_weight(0.1)
    hook = LambdaCallback(on_predict_batch_end=lambda batch, logs: seen.append(logs["outputs"].copy()))
    made = model.predict(np.arange(5.0)[:, None], batch_size=2, verbose=0, callbacks=hook)
    assert [len(each) for each in seen] == [2, 2, 1]
    assert np.concatenate(seen).tobytes() == made.tobytes()


def test_old_names_of_batch_hooks_are_called():
    seen = []

    class Old(Callback):
        def on_batch_begin(self, batch, logs=None):
            seen.append(batch)

        def on_batch_end(self, batch, logs=None):
            seen.append(sorted(logs))

    run([Old()], epochs=1)
    assert seen == [0, ["loss"]]


def test_batch_logs_are_those_of_the_epoch_so_far():
    seen = []
    x = np.array([[1.0], [2.0], [3.0]])
    model = one_weight(1e-9, metrics=["mae"])
    model.fit(
        *(x, 0 * x),
        batch_size=2,
        shuffle=False,
        verbose=0,
        callbacks=LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(dict(logs))),
    )
    assert seen[0] == pytest.approx({"loss": 4 * (1 + 4) / 2, "mae": 3.0}, rel=1e-6)
    assert seen[1] == pytest.approx({"loss": 4 * (1 + 4 + 9) / 3, "mae": 4.0}, rel=1e-6)


def test_per_batch_callbacks_change_no_bit():
    runs = []
    for callbacks in ([], [Telling()], [LambdaCallback(on_epoch_end=lambda epoch, logs: None)]):
        pynn.set_random_seed(4)
        model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(5, "relu"), pynn.layers.Dropout(0.5)])
        model.compile("adam", "mse", metrics=["mae"])
        x = np.linspace(0, 1, 33 * 3).reshape(33, 3)
        history = model.fit(x, x @ np.ones((3, 5)), batch_size=7, epochs=3, verbose=0, callbacks=callbacks)
        runs.append((history.history, [w.tobytes() for w in model.get_weights()]))
    assert runs[0] == runs[1] == runs[2]


def test_stop_training_within_an_epoch_ends_with_its_validation():
    class Stop(Telling):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model, stop = one_weight(0.1), Stop()
    x = np.ones((5, 1))
    history = model.fit(x, x, batch_size=2, epochs=3, verbose=0, callbacks=[stop], validation_data=(x, x))
    assert history.epoch == [0]
    assert len(history.history["val_loss"]) == 1
    assert [event[0] for event in stop.seen].count("train_batch_begin") == 2
    assert [event[0] for event in stop.seen][-2:] == ["epoch_end", "train_end"]
    model.fit(x, x, batch_size=2, epochs=3, verbose=0)
    assert len(model.history.epoch) == 3  # the next run begins anew


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin"])
def test_stop_training_before_the_first_step(hook):
    class Stop(Telling):
        def __init__(self):
            super().__init__()
            self.epoch = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epoch = epoch + 1

    stop = Stop()

    def act(*values):
        stop.model.stop_training = hook == "on_train_begin" or values[0] == 1

    setattr(stop, hook, act)
    model, history = run([stop], epochs=3)
    done = int(hook == "on_epoch_begin")
    assert (history.epoch, stop.epoch, model.optimizer.iterations) == (list(range(done)), done, done)
    assert stop.seen[-1] == ("train_end", *["loss"] * done)


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_epoch_end"])
def test_a_pass_that_an_error_cuts_short_counts(hook):
    """The next run visits the samples in an order of its own."""

    def fail(number, logs):
        if model.optimizer.iterations >= 4:
            raise KeyError

    x, model = np.arange(6.0)[:, None], one_weight(0.001)
    with pytest.raises(KeyError):
        model.fit(x, x, batch_size=2, epochs=3, verbose=0, callbacks=LambdaCallback(**{hook: fail}))
    assert model.get_state()["training/passes"] == 2


def test_error_in_a_callback_ends_the_run_and_keeps_the_last_step():
    class Failing(Telling):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 5:
                raise KeyError("mine")

    x = np.ones((5, 1))
    model, failing = one_weight(0.1), Failing()
    with pytest.raises(KeyError, match="mine"):
        model.fit(x, 0 * x, batch_size=2, epochs=3, verbose=0, callbacks=[failing])
    assert model.optimizer.iterations == 5
    assert weight_of(model) == pytest.approx(2 * 0.8**5)
    assert model.history.epoch == [0]
    assert "train_end" not in [event[0] for event in failing.seen]
    model.fit(x, x, verbose=0)  # the model goes on


def test_callbacks_may_predict_evaluate_and_change_weights():
    found = []

    class Acting(Callback):
        def on_train_batch_end(self, batch, logs=None):
            found.append((self.model.predict(ONE, verbose=0).item(), self.model.evaluate(ONE, ZERO, verbose=0)))
            self.model.set_weights([np.array([[1.0]])])
            with pytest.raises(RuntimeError, match="being trained"):
                self.model.fit(ONE, ZERO, verbose=0)

    model, _ = run([Acting()], epochs=2, rate=0.25)
    assert found == [(1.0, 1.0), (0.5, 0.25)]
    assert weight_of(model) == 1.0


@pytest.mark.parametrize("callbacks", [[], [Telling()], [LambdaCallback(on_epoch_end=lambda epoch, logs: None)]])
def test_a_pass_that_was_cut_short_counts_whoever_looks(callbacks):
    """So the bits of the next run do not depend on what was shown, or called, in this one."""
    model = one_weight(1e60)
    x = np.ones((8, 1))
    with pytest.warns(RuntimeWarning, match="not finite"):
        model.fit(x, 0 * x, batch_size=1, epochs=3, verbose=0, callbacks=callbacks)
    assert 0 < model.optimizer.iterations < 8
    assert model.get_state()["training/passes"] == 1


def test_what_a_hook_writes_into_logs_history_sees():
    writing = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=epoch * 10))
    _, history = run([writing], epochs=2)
    assert history.history["mine"] == [0, 10]


def test_a_history_of_ones_own_is_returned():
    mine = History()
    model, history = run([mine], epochs=2)
    assert history is mine
    assert model.history is mine
    assert mine.model is model
    assert history.params == {"epochs": 2, "steps": 1, "verbose": 0}


def test_a_model_is_freed_although_its_history_is_kept():
    model, history = run([], epochs=1)
    there = weakref.ref(model)
    del model
    gc.collect()
    assert there() is None
    assert history.model is None


def test_steps_per_epoch_goes_on_where_the_epoch_ended():
    x = np.arange(10.0)[:, None]
    seen = []
    model, other = one_weight(0.001), one_weight(0.001)
    history = model.fit(x, x, batch_size=2, epochs=5, steps_per_epoch=3, shuffle=False, verbose=0)
    other.fit(x, x, batch_size=2, epochs=3, shuffle=False, verbose=0)
    assert history.params["steps"] == 3
    assert len(history.history["loss"]) == 5
    assert weight_of(model) == weight_of(other)  # 5 epochs of 3 steps are 3 passes of 5
    hook = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model.fit(x, x, batch_size=2, epochs=2, steps_per_epoch=3, verbose=0, callbacks=hook)
    assert seen == [0, 1, 2, 0, 1, 2]


def test_losses_of_an_epoch_over_two_passes():
    x = np.array([[1.0], [2.0], [3.0]])
    model = one_weight(1e-12)
    history = model.fit(x, 0 * x, batch_size=2, epochs=2, steps_per_epoch=3, shuffle=False, verbose=0)
    squares = np.array([1, 4, 9, 1, 4, 9, 1, 4, 9]) * 4.0
    assert history.history["loss"] == pytest.approx([squares[:5].mean(), squares[5:9].mean()], rel=1e-6)


@pytest.mark.parametrize(("freq", "count"), [(2, 3), ([1, 5], 2), (7, 0), ({6}, 1)])
def test_validation_freq(freq, count):
    _, history = run([], epochs=6, rate=0.1, validation_data=(ONE, ZERO), validation_freq=freq)
    assert len(history.history["loss"]) == 6
    assert len(history.history.get("val_loss", [])) == count


def test_validation_steps_and_batch_size():
    x = np.arange(1.0, 7.0)[:, None]
    fitted = {"validation_data": (x, 0 * x), "validation_steps": 2, "validation_batch_size": 2}
    _, history = run([], epochs=1, rate=1e-12, **fitted)
    assert history.history["val_loss"] == pytest.approx([4 * np.mean([1, 4, 9, 16])], rel=1e-6)
    model = one_weight(0.1)
    assert model.evaluate(x, 0 * x, batch_size=2, steps=2, verbose=0) == pytest.approx(30.0)
    assert model.predict(x, batch_size=2, steps=2, verbose=0).shape == (4, 1)


@pytest.mark.parametrize(
    ("fitted", "message"),
    [
        (
            {"callbacks": [EarlyStopping]},
            r"callbacks must be a list of .* Make one: EarlyStopping\(\)",
        ),
        ({"callbacks": "x"}, "callbacks must be a list"),
        ({"steps_per_epoch": 0}, "steps_per_epoch"),
        ({"validation_steps": -1}, "validation_steps"),
        ({"validation_freq": 0}, "validation_freq"),
        ({"validation_freq": "often"}, "validation_freq"),
        ({"validation_batch_size": 0, "validation_data": (ONE, ZERO)}, "validation_batch_size"),
    ],
)
def test_bad_arguments_of_fit_change_nothing(fitted, message):
    model = one_weight(0.1)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(ONE, ZERO, verbose=0, **fitted)
    assert weight_of(model) == 2.0
    assert model.history is None


# ---- EarlyStopping ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        ({"patience": 0}, 2),
        ({"patience": 1}, 2),
        ({"patience": 2}, 3),
        ({"min_delta": 100.0}, 2),
        ({"baseline": 1e-3, "patience": 1}, 2),
        ({"start_from_epoch": 4}, 6),
        ({"start_from_epoch": 3, "patience": 2}, 6),
    ],
)
def test_early_stopping_of_a_diverging_weight(settings, epochs):
    _, history = run(EarlyStopping("loss", **settings))
    assert len(history.epoch) == epochs


def test_early_stopping_leaves_a_converging_weight_alone():
    assert len(run(EarlyStopping("loss"), rate=0.2)[1].epoch) == 8


@pytest.mark.parametrize("patience", [0, 2, 10])
def test_best_weights_are_restored(patience):
    """Also where the epochs run out: Keras issue 12511."""
    stopping = EarlyStopping("loss", patience=patience, restore_best_weights=True)
    model, _ = run(stopping, epochs=3)
    assert weight_of(model) == pytest.approx(2 * -1.4)  # the end of epoch 1
    assert (stopping.best, stopping.best_epoch) == (4.0, 0)


def test_early_stopping_tells_what_it_does(capsys):
    run(EarlyStopping("loss", patience=1, restore_best_weights=True, verbose=1))
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 2: early stopping",
        "Restoring model weights from the end of the best epoch: 1.",
    ]


def stopped_by(values, **settings):
    """Epochs of a run in which a value is what it is told."""
    writing = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=values[epoch]))
    stopping = EarlyStopping("mine", mode="min", **settings)
    return len(run([writing, stopping], epochs=len(values))[1].epoch), stopping


def test_nan_is_never_the_best():
    nan = float("nan")
    epochs, stopping = stopped_by([nan, nan, 3.0, nan, nan, nan], patience=2)
    assert (epochs, stopping.best, stopping.best_epoch) == (2, None, 0)
    epochs, stopping = stopped_by([nan, 3.0, nan, nan, nan], patience=2, restore_best_weights=True)
    assert (epochs, stopping.best, stopping.best_epoch) == (4, 3.0, 1)


def test_a_tie_is_not_better():
    assert stopped_by([1.0, 1.0, 1.0, 0.5], patience=2)[0] == 3


def test_a_subclass_may_find_the_value_elsewhere():
    """As Keras's subclasses do."""

    class Mine(EarlyStopping):
        def get_monitor_value(self, logs):
            return 1 / logs["loss"] if len(self.model.history.epoch) > 2 else None

    stopping = Mine("loss", patience=1)
    assert len(run(stopping, rate=0.2)[1].epoch) == 5
    assert stopping.best_epoch == 3


def test_callbacks_begin_anew_in_a_second_run():
    stopping = EarlyStopping("loss", patience=2)
    run(stopping)
    assert stopping.stopped_epoch == 2
    assert len(run(stopping)[1].epoch) == 3


@pytest.mark.parametrize(
    ("name", "up"),
    [
        *[(n, True) for n in ("val_auc", "auc_1", "val_f1", "f1_score", "val_r2", "acc", "sparse_top_k_accuracy")],
        *[(n, False) for n in ("loss", "val_loss", "out_loss", "mae", "binary_crossentropy", "mean_squared_error")],
    ],
)
def test_auto_mode_knows_what_is_better(name, up):
    stopping = EarlyStopping(name)
    stopping._check_run([name], {})
    assert stopping.monitor_op is (np.greater if up else np.less)
    stopping._check_run([name], {name.removeprefix("val_"): "down"})  # a metric knows better, but for the loss
    assert stopping.monitor_op is np.less


def test_auto_mode_of_an_unknown_name_asks():
    with pytest.raises(ValueError, match="cannot tell whether more or less of 'mine' is better"):
        EarlyStopping("mine")._check_run(["mine"], {})


def test_a_name_that_is_not_there_is_an_error_at_once():
    model = one_weight(0.1, metrics=["mae"])
    with pytest.raises(ValueError, match=r"monitors 'val_loss', but the logs have: loss, mae. There are no"):
        model.fit(ONE, ZERO, callbacks=EarlyStopping(), verbose=0)
    with pytest.raises(ValueError, match=r"monitors 'mea', .* Did you mean 'mae'"):
        model.fit(ONE, ZERO, callbacks=ModelCheckpoint("x", "mea", save_best_only=True), verbose=0)
    assert weight_of(model) == 2.0
    quiet = LambdaCallback(on_epoch_end=lambda epoch, logs: None)  # could have written it
    with pytest.raises(ValueError, match="monitors 'mine'"):
        model.fit(ONE, ZERO, callbacks=[quiet, EarlyStopping("mine", mode="max")], verbose=0)
    assert model.optimizer.iterations == 1


def test_epochs_without_validation_do_not_count(tmp_path):
    """A value of the validation is not there after each epoch, and not where a loss stopped being finite."""
    quiet, fitted = LambdaCallback(on_epoch_end=lambda epoch, logs: None), {"validation_data": (ONE, ZERO)}
    for more in ([], [quiet]):  # those of other people may write to the logs
        stopping = EarlyStopping(patience=2)
        plateau = ReduceLROnPlateau(patience=2, factor=1 - 1e-9)
        best = ModelCheckpoint(tmp_path / "{epoch}-{val_loss:.1f}", save_best_only=True)
        every = ModelCheckpoint(tmp_path / "{epoch}-{loss:.0f}-{val_loss:.0f}")
        _, history = run([*more, stopping, plateau, best, every], **fitted, epochs=9, validation_freq=2)
        assert (len(history.epoch), stopping.best_epoch, stopping.stopped_epoch) == (6, 1, 5)
        assert len(set(history.history["learning_rate"])) == 1
        assert sorted(file.name for file in tmp_path.iterdir())[:3] == ["1-4-nan", "2-15.4", "2-8-15"]
        assert len(list(tmp_path.iterdir())) == 7
    with pytest.warns(RuntimeWarning, match="is not finite"):
        run([EarlyStopping(patience=9), every], rate=1e200, **fitted)


# ---- learning rates --------------------------------------------------------------------------------------------------
def test_reduce_on_plateau():
    _, history = run(ReduceLROnPlateau("loss", factor=0.5, patience=1, cooldown=1, min_lr=0.2))
    assert history.history["learning_rate"] == [1.2, 1.2, 0.6, 0.3, 0.3, 0.3, 0.3, 0.3]
    losses = [4.0, 7.840001, 15.366405, 0.61465645, 0.09834502, 0.0157352, 0.00251763, 0.00040282]
    assert history.history["loss"] == pytest.approx(losses, rel=1e-5)
    _, history = run(ReduceLROnPlateau("loss", factor=0.1, patience=1, min_lr=0.5), epochs=4)
    assert history.history["learning_rate"] == [1.2, 1.2, 0.5, 0.5]


def test_reduce_on_plateau_tells(capsys):
    run(ReduceLROnPlateau("loss", factor=0.5, patience=1, verbose=1), epochs=2)
    assert capsys.readouterr().out == "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.6.\n"


def test_learning_rate_scheduler(capsys):
    _, history = run(LearningRateScheduler(lambda epoch, rate: rate * 0.5), epochs=3, rate=0.4)
    assert history.history["learning_rate"] == pytest.approx([0.2, 0.1, 0.05])
    _, history = run(LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1), verbose=1), epochs=2)
    assert history.history["learning_rate"] == [0.1, 0.05]
    assert "\nEpoch 2: LearningRateScheduler setting learning rate to 0.05.\n" in capsys.readouterr().out
    with pytest.raises(TypeError, match="what schedule returns"):
        run(LearningRateScheduler(lambda epoch: "x"))


@pytest.mark.parametrize("callback", [ReduceLROnPlateau("loss"), LearningRateScheduler(lambda epoch: 0.1)])
def test_a_rate_that_is_a_function_cannot_be_set(callback):
    model = one_weight(0.1)
    model.compile(pynn.optimizers.SGD(lambda: 0.1), "mse")
    with pytest.raises(ValueError, match="sets the learning rate, but that of the optimizer is a function or a sched"):
        model.fit(ONE, ZERO, callbacks=callback, verbose=0)


# ---- others ----------------------------------------------------------------------------------------------------------
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


def test_terminate_on_nan_ends_without_a_warning(capsys):
    model = one_weight(1e200)
    history = model.fit(ONE, ZERO, epochs=5, verbose=0, callbacks=[TerminateOnNaN()])
    assert len(history.epoch) < 5
    assert re.fullmatch(r"Batch 0: Invalid loss, terminating training\n", capsys.readouterr().out)
    with pytest.warns(RuntimeWarning, match="is not finite"):
        one_weight(1e200).fit(ONE, ZERO, epochs=5, verbose=0)


def test_terminate_on_nan_with_an_error(tmp_path):
    """No callback is told of an end, so that the backup stays; the model has the weights of the step before."""
    model, told = one_weight(1e200), Telling()
    backup = pynn.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(RuntimeError, match="The loss of batch 0 is inf"):
        model.fit(ONE, ZERO, epochs=5, verbose=0, callbacks=[told, backup, TerminateOnNaN(raise_error=True)])
    assert [hook for hook, *_ in told.seen][-2:] == ["train_batch_begin", "train_batch_end"]
    assert np.isfinite(weight_of(model))
    assert (tmp_path / "backup").exists()


def test_lambda_callback_refuses_what_is_no_hook():
    with pytest.raises(TypeError, match="no hook 'on_epoch'"):
        LambdaCallback(on_epoch=print)
    with pytest.raises(TypeError, match="on_epoch_end must be a function"):
        LambdaCallback(on_epoch_end=3)


def test_progbar_logger_takes_the_place_of_the_display(capsys):
    run([ProgbarLogger()], epochs=2)
    assert capsys.readouterr().out == ""  # verbose=0
    model = one_weight(0.1)
    model.fit(ONE, ZERO, epochs=2, verbose=2, callbacks=[ProgbarLogger()])
    out = capsys.readouterr().out
    assert out.count("Epoch 1/2") == 1
    assert out.count("loss") == 2


def test_progbar_logger_after_an_error(capsys):
    def fail(logs):
        raise KeyError

    model, logger = one_weight(0.1), ProgbarLogger()
    with pytest.raises(KeyError):
        model.fit(
            ONE, ZERO, verbose=2, callbacks=[logger, LambdaCallback(on_test_begin=fail)], validation_data=(ONE, ZERO)
        )
    capsys.readouterr()
    model.evaluate(ONE, ZERO, verbose=2, callbacks=logger)
    assert "loss" in capsys.readouterr().out


def test_params_of_an_evaluation_of_some_steps():
    telling, x = Telling(), np.ones((5, 1))
    for steps, batches in ((2, 2), (9, 3)):
        one_weight(0.1).evaluate(x, x, batch_size=2, steps=steps, verbose=0, callbacks=telling)
        assert telling.params["steps"] == batches


def test_callback_list_for_loops_of_ones_own():
    telling = Telling()
    calls = CallbackList([[telling], [History()]], add_history=True, model=one_weight(0.1), epochs=3)
    assert len(calls.callbacks) == 2
    calls.on_epoch_begin(0)
    calls.on_train_batch_end(1, {"loss": 2.0})
    calls.append(EarlyStopping("loss"))
    assert telling.seen == [("epoch_begin", 0), ("train_batch_end", 1, "loss")]
    assert telling.params == {"epochs": 3}
    assert telling.model is not None
    calls.on_batch_begin(2)
    calls.on_batch_end(2, {"loss": 1.0})
    assert telling.seen[-2:] == [("train_batch_begin", 2), ("train_batch_end", 2, "loss")]


def test_callbacks_that_count_batches_in_loops_of_ones_own(tmp_path):
    backup = pynn.callbacks.BackupAndRestore(tmp_path / "backup", 1)  # of runs of fit
    calls = CallbackList([ModelCheckpoint(tmp_path / "{batch}-{loss}", save_freq=2), backup], model=one_weight(0.1))
    for batch in range(5):
        calls.on_train_batch_end(batch, {"loss": batch})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["2-1", "4-3"]


def test_a_callback_list_is_a_list_of_callbacks(tmp_path):
    x, history = np.ones((4, 1)), History()
    calls = CallbackList([ModelCheckpoint(tmp_path / "{batch}", save_freq=2), history])
    assert one_weight(0.1).fit(x, x, batch_size=1, verbose=0, callbacks=[calls]) is history
    assert sorted(file.name for file in tmp_path.iterdir()) == ["2", "4"]


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
    [("best.weights.h5", "writes no HDF5 files"), ("folder/", "is a folder's"), (3, "filepath must")],
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
