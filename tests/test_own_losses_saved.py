"""Losses of one's own in files and copies, and in runs that are taken up again."""

import copy
import pickle
import subprocess
import sys

import pytest
from helpers import bits
from own_losses import OWN, Squares, compiled, data, network, squares

import pynn
from pynn import ops


@pytest.mark.parametrize("loss", [squares, Squares(2.0)])
def test_own_loss_in_a_file(loss, tmp_path):
    x, y = data()
    model = compiled(loss, metrics=["mae"])
    model.fit(x, y, epochs=2, verbose=0)
    path = tmp_path / "model.safetensors"
    model.save(path)
    with pytest.raises((ValueError, pynn.ModelFileError), match=r"[sS]quares"):
        pynn.load_model(path)
    assert pynn.load_model(path, compile=False).get_compile_config() is None
    again = pynn.load_model(path, custom_objects=OWN)
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    for each in (model, again):
        each.fit(x, y, epochs=1, verbose=0)
    assert bits(again) == bits(model)


def test_own_loss_in_copies():
    x, y = data()
    for loss in (squares, Squares(2.0), [Squares(2.0)]):
        model = compiled(loss)
        model.train_on_batch(x, y)
        for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert again.test_on_batch(x, y) == model.test_on_batch(x, y)
            again.train_on_batch(x, y)
        clone = pynn.models.clone_model(model)
        clone.set_weights(model.get_weights())
        assert clone.test_on_batch(x, y) == model.test_on_batch(x, y)
        other = network()
        with pynn.saving.custom_object_scope(OWN):
            other.compile_from_config(model.get_compile_config())
        other.set_weights(model.get_weights())
        assert other.test_on_batch(x, y) == model.test_on_batch(x, y)


def test_loss_that_no_file_can_keep(tmp_path):
    class Lost(pynn.losses.Loss):
        def __init__(self, base, **kwargs):
            super().__init__(**kwargs)

        def call(self, y_true, y_pred):
            return ops.square(y_true - y_pred)

    def other():
        def squares(y_true, y_pred):
            return ops.abs(y_true - y_pred)

        return squares

    for loss, message in (
        (lambda y, p: (y - p) ** 2, "function without a name"),
        (Lost(1), "loss Lost cannot be saved or copied, as its get_config leaves out 'base'"),
    ):
        model = compiled(loss)
        model.train_on_batch(*data())
        with pytest.raises(ValueError, match=message):
            model.save(tmp_path / "model.safetensors")
        model.save_weights(tmp_path / "model.weights.safetensors")
        model.save(tmp_path / "model.safetensors", include_optimizer=False)
        assert pynn.load_model(tmp_path / "model.safetensors").built
        (tmp_path / "model.safetensors").unlink()
    model = compiled(squares, metrics=[other()])
    with pytest.raises(ValueError, match="Two functions that are losses or metrics have the name 'squares'"):
        model.save(tmp_path / "model.safetensors")


def test_registered_loss_needs_no_custom_objects(tmp_path):
    @pynn.saving.register_keras_serializable("tests")
    def registered(y_true, y_pred):
        return ops.square(y_true - y_pred)

    model = compiled(registered)
    model.save(tmp_path / "model.safetensors")
    assert pynn.load_model(tmp_path / "model.safetensors").loss.function is registered


class Interrupt(pynn.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("metrics", [[], ["mae"]])
def test_run_with_an_own_loss_goes_on_exactly(metrics, tmp_path):
    x, y = data()

    def run(callbacks):
        model = compiled(squares, metrics=metrics)
        return model, lambda: model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=callbacks)

    whole, fit = run([])
    history = fit().history
    backup = pynn.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3)
    _, fit = run([backup, Interrupt(13)])
    with pytest.raises(KeyboardInterrupt):
        fit()
    again, fit = run([pynn.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3), Interrupt(0)])
    rest = fit().history
    assert bits(again) == bits(whole)
    assert rest["loss"][-1] == history["loss"][-1]


def test_own_losses_are_read_when_they_are_used():
    program = (
        "import sys, pynn; m = pynn.Sequential([pynn.Input((2,)), pynn.layers.Dense(1)]); m.compile('sgd', 'mse'); "
        "print('pynn.losses.own' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], cwd="/", text=True).strip() == "False"


class Plain(pynn.losses.Loss):
    """One without settings."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


def test_own_loss_without_a_configuration_of_its_own(tmp_path):
    x, y = data()
    model = compiled(Plain(reduction="sum"))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = pynn.load_model(tmp_path / "model.keras", custom_objects={"Plain": Plain})
    assert again.loss.reduction == "sum"
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
