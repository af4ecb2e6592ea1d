"""Data that come batch by batch: they train, evaluate and predict as arrays do."""

import io
import warnings

import numpy as np
import pytest
from helpers import bits

import pynn
from pynn import layers

SIZE = 8


class Slices(pynn.utils.PyDataset):
    """Batches of arrays. It notes which were asked for, and the epochs."""

    def __init__(self, *arrays, **more):
        super().__init__(**more)
        self.arrays, self.asked, self.epochs = arrays, [], []

    def __len__(self):
        return -(-len(self.arrays[0]) // SIZE)

    def __getitem__(self, index):
        self.asked.append(index)
        return tuple(each[index * SIZE : (index + 1) * SIZE] for each in self.arrays)

    def on_epoch_begin(self):
        self.epochs.append("begin")

    def on_epoch_end(self):
        self.epochs.append("end")


class Iterable:
    """What can be gone through again, and has no length and no numbers."""

    def __init__(self, *arrays):
        self.slices = Slices(*arrays)

    def __iter__(self):
        return iter(self.slices)


class Loader(Iterable):
    """One whose data have no length, as a loader of PyTorch over an iterable data set."""

    def __len__(self):
        raise TypeError("object of type 'Data' has no len()")


def endless(*arrays):
    while True:
        yield from Slices(*arrays)


KINDS = {"dataset": Slices, "iterable": Iterable, "loader": Loader, "generator": endless}


def data(rows=30, weights=False):
    random = np.random.default_rng(2)
    x = random.normal(size=(rows, 5)).astype(np.float32)
    y = (x.sum(axis=1) > 0).astype(np.float32)[:, None]
    return (x, y, random.uniform(0.5, 2, rows)) if weights else (x, y)


def make_model():
    pynn.set_random_seed(3)
    model = pynn.Sequential(
        [pynn.Input((5,)), layers.Dense(7, "tanh"), layers.Dropout(0.3), layers.Dense(1, "sigmoid")]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", "AUC"], weighted_metrics=["mae"])
    return model


def steps(kind):
    return {"steps_per_epoch": 4} if kind == "generator" else {}


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_training_has_the_bits_of_arrays(kind, weights):
    x, y, *w = given = data(weights=weights)
    model, twin = make_model(), make_model()
    expected = model.fit(x, y, batch_size=SIZE, epochs=3, shuffle=False, verbose=0, sample_weight=w[0] if w else None)
    history = twin.fit(KINDS[kind](*given), epochs=3, shuffle=False, verbose=0, **steps(kind))
    assert bits(model) == bits(twin)
    assert history.history == expected.history


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_and_prediction_are_those_of_arrays(kind):
    model, (x, y) = make_model(), data()
    expected = model.evaluate(x, y, batch_size=SIZE, verbose=0, return_dict=True)
    count = {"steps": 4} if kind == "generator" else {}
    got = model.evaluate(KINDS[kind](x, y), verbose=0, return_dict=True, **count)
    assert got == pytest.approx(expected, rel=1e-6)
    for batches in (KINDS[kind](x), KINDS[kind](x, y)):
        np.testing.assert_array_equal(model.predict(batches, verbose=0, **count), model.predict(x, verbose=0))
    np.testing.assert_array_equal(model.predict((x[i : i + 2] for i in (0, 2)), verbose=0), model.predict(x[:4]))


def test_dataset_is_shuffled_by_batches():
    """Each epoch in an order of its own, which the seed decides."""
    asked = []
    for _ in range(2):
        dataset = Slices(*data())
        make_model().fit(dataset, epochs=3, verbose=0)
        epochs = np.array(dataset.asked[1:]).reshape(3, 4)  # the first one shows what batches are like
        assert (np.sort(epochs) == np.arange(4)).all()
        assert len(np.unique(epochs, axis=0)) > 1
        asked.append(epochs)
        assert dataset.epochs == ["begin", "end"] * 3
    np.testing.assert_array_equal(*asked)


def test_steps_per_epoch_go_on_where_they_ended():
    dataset = Slices(*data())
    history = make_model().fit(dataset, epochs=3, steps_per_epoch=3, shuffle=False, verbose=0)
    assert dataset.asked[1:] == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert history.epoch == [0, 1, 2]


def test_dataset_may_be_of_another_length_each_epoch():
    class Growing(Slices):
        size = 1

        def __len__(self):
            return self.size

        def on_epoch_end(self):
            self.size += 1

    dataset = Growing(*data())
    make_model().fit(dataset, epochs=3, shuffle=False, verbose=0)
    assert dataset.asked[1:] == [0, 0, 1, 0, 1, 2]


def test_endless_dataset():
    class Endless(Slices):
        num_batches = None

        def __getitem__(self, index):
            return super().__getitem__(index % 4)

    dataset = Endless(*data())
    make_model().fit(dataset, epochs=2, steps_per_epoch=3, verbose=0)
    assert dataset.asked[1:] == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize(("batches", "epochs"), [(4, 1), (6, 2)])
def test_generator_that_ends_ends_training(batches, epochs):
    model, whole = make_model(), list(Slices(*data(rows=80)))
    with pytest.warns(UserWarning, match=f"x ran out of batches.* after {epochs} of 5 epochs"):
        history = model.fit((each for each in whole[:batches]), epochs=5, steps_per_epoch=4, verbose=0)
    assert model.optimizer.iterations == batches
    assert len(history.history["loss"]) == epochs
    twin = make_model()
    for each in whole[:batches]:
        twin.train_on_batch(*each)
    assert bits(twin) == bits(model)


def test_generator_with_batches_for_a_part_of_the_steps_is_told():
    model, whole = make_model(), list(Slices(*data(rows=80)))
    first = whole[0][0]

    def some(count):
        return (each for each in whole[:count])

    with pytest.warns(UserWarning, match="^x ran out of batches: 2 of 4 steps were made"):
        assert len(model.fit(some(6), epochs=2, steps_per_epoch=4, verbose=0).history["loss"]) == 2
    with pytest.warns(UserWarning, match="^validation_data ran out of batches: 1 of 2 steps were made"):
        model.fit(whole[0][0], whole[0][1], validation_data=some(1), validation_steps=2, verbose=0)
    with pytest.warns(UserWarning, match="^x ran out of batches: 2 of 3 steps were made"):
        model.evaluate(some(2), steps=3, verbose=0)
    with pytest.warns(UserWarning, match="^x ran out of batches: 2 of 3 steps were made"):
        assert len(model.predict(some(2), steps=3, verbose=0)) == 2 * len(first)


def test_run_that_a_callback_stops_within_its_last_epoch_is_no_shortfall():
    class Stopping(pynn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_model().fit(iter(Slices(*data())), steps_per_epoch=4, callbacks=Stopping(), verbose=0)


def test_one_pass_of_a_generator_needs_no_steps():
    model = make_model()
    history = model.fit(iter(Slices(*data())), verbose=0)
    assert model.optimizer.iterations == 4
    assert len(history.history["loss"]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_validation_on_batches(kind):
    x, y = data()
    model, twin = make_model(), make_model()
    expected = model.fit(x, y, SIZE, epochs=2, verbose=0, validation_data=(x, y))
    more = {"validation_steps": 4} if kind == "generator" else {}
    history = twin.fit(x, y, SIZE, epochs=2, verbose=0, validation_data=KINDS[kind](x, y), **more)
    for name, values in expected.history.items():
        assert history.history[name] == pytest.approx(values, rel=1e-6), name


def test_batches_of_different_lengths():
    random = np.random.default_rng(4)
    batches = [(random.normal(size=(3, length, 2)), random.normal(size=(3, 1))) for length in (4, 7, 4, 2)]
    made = []
    for by_hand in (False, True):
        pynn.set_random_seed(1)
        model = pynn.Sequential(
            [pynn.Input((None, 2)), layers.Conv1D(3, 2), layers.GlobalMaxPooling1D(), layers.Dense(1)]
        )
        model.compile("adam", "mse", metrics=["R2Score"])
        if by_hand:
            for each in batches:
                model.train_on_batch(*each)
        else:
            model.fit((each for each in batches), verbose=0)
        made.append(bits(model))
    assert made[0] == made[1]


def test_class_weight_counts_in_each_batch():
    x, y = data()
    model, twin = make_model(), make_model()
    model.fit(x, y, SIZE, shuffle=False, class_weight={0: 1.0, 1: 3.0}, verbose=0)
    twin.fit(Slices(x, y), shuffle=False, class_weight={0: 1.0, 1: 3.0}, verbose=0)
    assert bits(model) == bits(twin)


class StopError(Exception):
    pass


class Stopping(pynn.callbacks.Callback):
    def __init__(self, after):
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise StopError


@pytest.mark.parametrize("kind", ["dataset", "iterable"])
@pytest.mark.parametrize("steps_per_epoch", [None, 3])
@pytest.mark.parametrize("after", [2, 5, 7])
def test_run_is_taken_up_within_an_epoch(kind, steps_per_epoch, after, tmp_path):
    def run(model, after=0):
        backup = pynn.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=1)
        given = KINDS[kind](*data())
        return model.fit(
            given, epochs=3, steps_per_epoch=steps_per_epoch, verbose=0, callbacks=[backup, Stopping(after)]
        )

    whole = make_model()
    expected = run(whole).history
    with pytest.raises(StopError):
        run(make_model(), after)
    resumed = make_model()
    resumed.set_weights([weights + 1 for weights in resumed.get_weights()])
    assert run(resumed).history == expected
    assert bits(resumed) == bits(whole)


def test_generator_has_no_position(tmp_path):
    backup = pynn.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.warns(UserWarning, match=r"x is a generator, which has no position"):
        make_model().fit(endless(*data()), steps_per_epoch=2, verbose=0, callbacks=[backup])


X, Y = data()


@pytest.mark.parametrize(
    ("x", "more", "message"),
    [
        (Slices(X, Y), {"y": Y}, "y must be left out"),
        (Slices(X, Y), {"sample_weight": np.ones(30)}, "sample_weight must be left out"),
        (Slices(X, Y), {"batch_size": 8}, "batch_size must be left out"),
        (Slices(X, Y), {"validation_split": 0.5}, "validation_split is for arrays"),
        (Slices(X, Y), {"class_weight": "balanced"}, "class_weight must be a dict"),
        (
            Slices(X, Y),
            {"validation_data": Slices(X, Y), "validation_batch_size": 3},
            "validation_batch_size must be left",
        ),
        (Slices(X, Y), {"validation_data": Slices(X)}, "validation_data must give batches"),
        (Slices(X, Y), {"validation_data": endless(X, Y), "epochs": 2}, "validation_data is a generator"),
        (Slices(X, Y, Y, Y), {}, r"x must give batches x, \(x, y\) or"),
        (Slices(X), {}, "gave one without y"),
        (iter([]), {}, "x has no batches"),
        (Slices(X[:0], Y[:0]), {}, "x has no batches"),
        (Slices(X[:, :4], Y), {}, "a batch of x: x"),
        (X, {}, "needs the argument 'y'"),
    ],
)
def test_bad_batches_are_refused_and_nothing_is_built(x, more, message):
    model = pynn.Sequential([layers.Dense(3), layers.Dense(1)])
    if "4" in str(getattr(getattr(x, "arrays", [X])[0], "shape", "")):
        model = make_model()
    model.compile("adam", "binary_crossentropy")
    built = model.built
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(x, verbose=0, **more)
    assert model.built == built
    assert model.history is None


def test_number_of_steps_may_be_unknown(monkeypatch):
    seen = {}

    class Looking(pynn.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.update(self.params)

    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    make_model().fit(Iterable(*data()), epochs=2, verbose=2, callbacks=[Looking()])
    assert seen["steps"] is None
    assert "Epoch 2/2" in out.getvalue()
    assert "4 steps" in out.getvalue() or "4/" in out.getvalue()


def test_older_name():
    assert pynn.utils.Sequence is pynn.utils.PyDataset
    with pytest.raises(NotImplementedError, match="__getitem__"):
        pynn.utils.PyDataset()[0]
    with pytest.raises(NotImplementedError, match="__len__"):
        pynn.utils.PyDataset().num_batches  # noqa: B018
