"""Callbacks that follow a value, and those that set the learning rate. Figures are Keras 3.15's."""

import numpy as np
import pytest
from callback_models import ONE, ZERO, one_weight, run, weight_of

import pynn
from pynn.callbacks import EarlyStopping, LambdaCallback, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau


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
    rates = [LearningRateScheduler(lambda epoch: 0.1), ReduceLROnPlateau()]  # both write the rate to the logs
    with pytest.raises(ValueError, match=r"the logs have: loss, mae, learning_rate\. There are no"):
        model.fit(ONE, ZERO, callbacks=rates, verbose=0)
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
