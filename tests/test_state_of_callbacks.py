"""States of models with callbacks: runs that are taken up by hand, and models that a callback saved."""

import numpy as np
import pytest

import pynn
from pynn import layers
from pynn.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau

RANDOM = np.random.default_rng(3)
X, Y = RANDOM.normal(size=(60, 3)), RANDOM.normal(size=(60, 1))
EPOCHS = 8


class Batches(pynn.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[15 * index : 15 * index + 15], Y[15 * index : 15 * index + 15]


def make():
    pynn.utils.set_random_seed(7)
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(4, "relu"), layers.Dropout(0.2), layers.Dense(1)])
    model.compile(pynn.optimizers.Adam(0.05), "mse")
    return model


def watching():
    return [EarlyStopping("val_loss", patience=6, restore_best_weights=True), ReduceLROnPlateau("val_loss", patience=1)]


def trained(model, callbacks, **settings):
    return model.fit(
        X, Y, batch_size=8, epochs=EPOCHS, validation_split=0.3, callbacks=callbacks, verbose=0, **settings
    )


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("after", [0, 3, 6])
def test_run_is_taken_up_by_hand_with_the_same_bits(after):
    whole, callbacks, state = make(), watching(), {}
    save = LambdaCallback(
        on_epoch_end=lambda epoch, logs: state.update(whole.get_state(callbacks=callbacks)) if epoch == after else None
    )
    trained(whole, [*callbacks, save])
    again, others = make(), watching()
    again.set_state(state, callbacks=others)
    take_on = LambdaCallback(on_train_begin=lambda logs: again.set_state(state, callbacks=others))
    trained(again, [*others, take_on], initial_epoch=after + 1)
    assert same(again, whole)
    assert float(again.optimizer.learning_rate) == float(whole.optimizer.learning_rate) < 0.05
    for one, other in zip(callbacks, others, strict=True):
        assert vars(one).keys() == vars(other).keys()
        assert (one.best, one.wait) == (other.best, other.wait)


def test_states_of_callbacks_are_named_arrays():
    model, callbacks = make(), watching()
    trained(model, callbacks)
    state = model.get_state(callbacks=callbacks)
    assert all(isinstance(array, np.ndarray) for array in state.values())
    assert state["callbacks/0/EarlyStopping/best"] == callbacks[0].best
    assert "callbacks/1/ReduceLROnPlateau/best" in state
    assert {name for name in state if not name.startswith("callbacks/")} == set(model.get_state())
    assert set(model.get_state(callbacks=[])) == set(model.get_state())
    alone = model.get_state(callbacks=callbacks[1])
    assert alone["callbacks/0/ReduceLROnPlateau/best"] == callbacks[1].best


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model, state, own: model.set_state(state), "left over: callbacks/0/EarlyStopping/best"),
        (lambda model, state, own: model.set_state(state, callbacks=own[::-1]), "no 'callbacks/0/ReduceLROnPlateau'"),
        (lambda model, state, own: model.set_state(model.get_state(), callbacks=own), "was taken without them"),
        (lambda model, state, own: model.set_state(state, callbacks=3), "must be a list of pynn.callbacks.Callback"),
        (lambda model, state, own: model.set_state(3, callbacks=own), "state must be a dict"),
        (lambda model, state, own: model.set_state({**state, "more": 1}, callbacks=own), "left over: more"),
        (lambda model, state, own: model.get_state(callbacks="all"), "must be a list of pynn.callbacks.Callback"),
    ],
)
def test_states_that_do_not_fit_change_nothing(change, message):
    model, callbacks = make(), watching()
    trained(model, callbacks)
    state = model.get_state(callbacks=callbacks)
    other, own = make(), watching()
    before = other.get_weights()
    with pytest.raises((TypeError, ValueError), match=message):
        change(other, state, own)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))
    assert own[0].wait == 0 != callbacks[0].wait or own[0].best != callbacks[0].best


@pytest.mark.parametrize("data", ["arrays", "batches"])
def test_model_that_was_saved_at_the_end_of_an_epoch_goes_on_as_its_run(data, tmp_path):
    def fit(model, **settings):
        if data == "arrays":
            return model.fit(X, Y, batch_size=8, epochs=6, verbose=0, **settings)
        return model.fit(Batches(), epochs=6, verbose=0, **settings)

    model = make()
    fit(model, callbacks=[ModelCheckpoint(str(tmp_path / "{epoch}"))])
    for epoch in (1, 4):
        other = pynn.load_model(tmp_path / str(epoch))
        fit(other, initial_epoch=epoch)
        assert same(other, model)


def test_layer_that_is_called_callbacks_is_a_layer(tmp_path):
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, name="callbacks")])
    assert "~callbacks/kernel" in model.get_state()
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(pynn.load_model(tmp_path / "model")(X), model(X))
