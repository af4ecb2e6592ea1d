"""Callbacks: when they are called, what they are told, and what they may do. Figures are Keras 3.15's."""

import gc
import itertools
import re
import weakref

import numpy as np
import pytest
from callback_models import ONE, ZERO, one_weight, run, weight_of
from helpers import make_data, make_model

import pynn
from pynn.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    History,
    LambdaCallback,
    ModelCheckpoint,
    ProgbarLogger,
    TerminateOnNaN,
)


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


class StopsAfter(Callback):
    """Ends an evaluation or prediction after so many batches."""

    def __init__(self, batches):
        self.batches, self.begun, self.ended, self.told = batches, [], 0, 0

    def on_test_batch_begin(self, batch, logs=None):
        self.begun.append(batch)

    def on_test_batch_end(self, batch, logs=None):
        self.model.stop_evaluating = batch + 1 == self.batches

    def on_predict_batch_end(self, batch, logs=None):
        self.begun.append(batch)
        self.model.stop_predicting = batch + 1 == self.batches

    def on_test_end(self, logs=None):
        self.ended, self.told = self.ended + 1, logs

    def on_predict_end(self, logs=None):
        self.ended += 1


@pytest.mark.parametrize("source", ["arrays", "batches"])
def test_evaluations_and_predictions_can_be_stopped(source):
    model, (x, y) = make_model(), make_data(20)
    stop = StopsAfter(3)
    for _ in range(2):  # the second time begins anew
        stop.begun, stop.ended = [], 0
        if source == "arrays":
            found = model.evaluate(x, y, batch_size=4, verbose=0, callbacks=[stop])
        else:
            found = model.evaluate(batches_of(x, y), verbose=0, callbacks=[stop])
        assert (stop.begun, stop.ended) == ([0, 1, 2], 1)
        np.testing.assert_allclose(found, model.evaluate(x[:12], y[:12], verbose=0), rtol=1e-6)
        assert list(stop.told.values()) == found
        stop.begun, stop.ended = [], 0
        if source == "arrays":
            made = model.predict(x, batch_size=4, verbose=0, callbacks=[stop])
        else:
            made = model.predict(batches_of(x), verbose=0, callbacks=[stop])
        assert (stop.begun, stop.ended) == ([0, 1, 2], 1)
        np.testing.assert_allclose(made, model.predict(x[:12], verbose=0), rtol=1e-6)


def batches_of(*arrays):
    """Batches of four rows without end."""
    for begin in itertools.cycle(range(0, len(arrays[0]), 4)):
        yield tuple(a[begin : begin + 4] for a in arrays)


def test_a_validation_can_be_stopped():
    """The run goes on, and the next validation is a whole one unless it is stopped, too."""
    model, (x, y) = make_model(), make_data(20)
    stop = StopsAfter(2)
    model.fit(x, y, validation_data=(x, y), validation_batch_size=4, epochs=2, verbose=0, callbacks=[stop])
    assert (stop.begun, stop.ended) == ([0, 1, 0, 1], 2)
    expected = model.evaluate(x[:8], y[:8], verbose=0)[0]
    np.testing.assert_allclose(model.history.history["val_loss"][1], expected, rtol=1e-6)


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


# ---- others ----------------------------------------------------------------------------------------------------------
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
