"""The losses "crossentropy" and "ce": the output and the first targets say which one is meant."""

import copy
import pickle

import numpy as np
import pytest
from helpers import bits

import pynn
from pynn import layers

N = np.arange(40)
X = np.sin(np.outer(N + 1, [1, 2, 3, 5])).astype(np.float32)
LABELS = (N * N + N // 3) % 3
Y = np.eye(3, dtype=np.float32)[LABELS]
NAMES = ["crossentropy", "ce", "CE", "Crossentropy"]
BINARY, SPARSE, CATEGORICAL = (f"{kind}_crossentropy" for kind in ("binary", "sparse_categorical", "categorical"))


def net(loss="ce", units=3, **more):
    pynn.set_random_seed(4)
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(units, "softmax" if units > 1 else "sigmoid")])
    model.set_weights([np.cos(np.arange(4.0 * units)).reshape(4, units), np.zeros(units)])
    model.compile(**{"optimizer": "sgd", "loss": loss, "metrics": ["accuracy"], **more})
    return model


# Targets, what is meant, and the loss and accuracy that Keras 3.15.1 gave.
TARGETS = {
    "column": (Y[:, :1], BINARY, [0.8583250045776367, 0.45]),
    "flags": (Y[:, 0], BINARY, [0.8583250045776367, 0.45]),
    "one-hot": (Y, CATEGORICAL, [1.3560158014297485, 0.35]),
    "labels": (LABELS, SPARSE, [1.3560158014297485, 0.35]),
    "column of labels": (LABELS[:, None], SPARSE, [1.3560158014297485, 0.35]),
    "labels as floats": (LABELS.astype(np.float32), SPARSE, [1.3560158014297485, 0.35]),
    "list of labels": (LABELS.tolist(), SPARSE, [1.3560158014297485, 0.35]),
    "list around labels": ([LABELS], SPARSE, [1.3560158014297485, 0.35]),
    "list around one-hot": ([Y], CATEGORICAL, [1.3560158014297485, 0.35]),
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_targets_choose(kind, name):
    y, meant, expected = TARGETS[kind]
    units = 1 if meant == BINARY else 3
    model, other = net(name, units), net(meant, units)
    assert model.evaluate(X, y, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.test_on_batch(X, y) == other.test_on_batch(X, y)
    fresh = net(name, units)
    assert fresh.fit(X, y, epochs=2, verbose=0, validation_data=(X, y)).history == (
        other.fit(X, y, epochs=2, verbose=0, validation_data=(X, y)).history
    )
    assert bits(fresh) == bits(other) != bits(model)


@pytest.mark.parametrize(
    "first",
    [
        lambda model, y: model.train_on_batch(X, y),
        lambda model, y: model.test_on_batch(X, y),
        lambda model, y: model.fit(iter([(X[:20], y[:20]), (X[20:], y[20:])]), verbose=0),
        lambda model, y: model.evaluate(iter([(X[:20], y[:20])]), verbose=0),
        lambda model, y: model.gradients(X, y),
    ],
)
@pytest.mark.parametrize("y", [LABELS, Y])
def test_whatever_is_called_first(first, y):
    model, other = net("ce"), net(SPARSE if y is LABELS else CATEGORICAL)
    first(model, y)
    first(other, y)
    assert bits(model) == bits(other)
    assert model.evaluate(X, y, verbose=0) == other.evaluate(X, y, verbose=0)


def test_choice_stays_until_the_model_is_compiled_anew():
    model = net()
    model.evaluate(X, LABELS, verbose=0)
    with pytest.raises(ValueError, match="One-hot rows belong to"):
        model.evaluate(X, Y, verbose=0)
    model.compile(model.optimizer, "ce")
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(1.3560158, rel=1e-5)


def test_targets_that_are_refused_choose_nothing():
    """So that labels that are none may become one-hot."""
    model = net()
    before = bits(model)
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"Label must be in \[0, 3\)"):
            call(X, LABELS + 1, verbose=0)
    with pytest.raises(ValueError, match=r"y must have the shape \(samples, 3\)"):
        model.fit(X, Y[:, :2], verbose=0)
    with pytest.raises(ValueError, match="y"):
        model.fit(X, [[1, 0], [1]], verbose=0)
    assert bits(model) == before
    assert model.evaluate(X, Y, verbose=0) == pytest.approx([1.3560158, 0.35], rel=1e-5)


BATCHES = [(X[:20], LABELS[:20]), (X[20:], LABELS[20:])]
LACKING = {0: 1.0, 1: 2.0}  # of three classes
REFUSED = {
    "batch size": lambda model: model.fit(X, LABELS, batch_size=-1),
    "class_weight": lambda model: model.fit(X, LABELS, class_weight=LACKING),
    "validation_split": lambda model: model.fit(X, LABELS, validation_split=0.99),
    "validation_data": lambda model: model.fit(X, LABELS, validation_data=(X[:, :2], LABELS)),
    "targets of validation_data": lambda model: model.fit(X, LABELS, validation_data=(X, Y)),
    "validation batches": lambda model: model.fit(X, LABELS, validation_data=iter([(X, Y)])),
    "validation_batch_size": lambda model: model.fit(X, LABELS, validation_split=0.5, validation_batch_size=0),
    "callback": lambda model: model.fit(X, LABELS, callbacks=[pynn.callbacks.EarlyStopping("val_loss")]),
    "fit on batches": lambda model: model.fit(iter(BATCHES), class_weight=LACKING),
    "validation of batches": lambda model: model.fit(iter(BATCHES), validation_data=iter([(X, Y)])),
    "validation generator": lambda model: model.fit(X, LABELS, epochs=2, validation_data=iter(BATCHES)),
    "train_on_batch": lambda model: model.train_on_batch(X, LABELS, class_weight=LACKING),
    "evaluate": lambda model: model.evaluate(X, LABELS, batch_size=0),
    "evaluate with callbacks": lambda model: model.evaluate(X, LABELS, callbacks=[3]),
    "evaluate batches": lambda model: model.evaluate(iter(BATCHES), callbacks=[3]),
    "test_on_batch": lambda model: model.test_on_batch(X, LABELS, sample_weight=[1.0]),
    "gradients": lambda model: model.gradients(X, LABELS, sample_weight=[1.0]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_calls_that_are_refused_choose_nothing(kind):
    model, other = net(optimizer="adam"), net(CATEGORICAL, optimizer="adam")
    for each in (model, other):  # so that the optimizer has a state
        each.fit(X, Y, epochs=2, verbose=0)
    model.compile(model.optimizer, "ce", metrics=["accuracy"])
    before = bits(model)
    with pytest.raises((TypeError, ValueError)):
        REFUSED[kind](model)
    assert bits(model) == before
    with pytest.raises(ValueError, match="depends on the targets"):
        model.metrics_names  # noqa: B018
    assert model.fit(X, Y, epochs=2, verbose=0).history == other.fit(X, Y, epochs=2, verbose=0).history
    assert bits(model) == bits(other)


def test_functions_without_gradient_choose_nothing():
    given = pynn.Input((4,))
    model = pynn.Model(given, layers.Softmax()(pynn.activations.step(layers.Dense(3)(given))))
    model.compile("sgd", "ce")
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="step has no gradient"):
            call(X, LABELS)
    assert model.evaluate(X, Y, verbose=0) > 0


class Sly:
    """Samples that do something when they are first looked at, as another thread may."""

    def __init__(self, done):
        self.done = done

    def __array__(self, dtype=None, copy=None):
        done, self.done = self.done, lambda: None
        done()
        return X


@pytest.mark.parametrize("call", ["test_on_batch", "gradients"])
def test_others_may_compile_or_choose_meanwhile(call):
    for loss in ("mse", "ce"):
        model, other = net(), net(loss)
        found = getattr(model, call)(
            Sly(lambda model=model, loss=loss: model.compile("sgd", loss, metrics=["accuracy"])), Y
        )
        np.testing.assert_equal(found[0], getattr(other, call)(X, Y)[0])
    model = net()
    with pytest.raises(ValueError, match="One-hot rows belong to"):
        getattr(model, call)(Sly(lambda: model.evaluate(X, LABELS, verbose=0)), Y)


def test_names_are_known_with_the_loss():
    model = net()
    with pytest.raises(ValueError, match=r"Which loss 'ce' means depends on the targets.*Call fit or evaluate first"):
        model.metrics_names  # noqa: B018
    assert model.predict(X, verbose=0).shape == (40, 3)
    model.evaluate(X, LABELS, verbose=0)
    assert model.metrics_names == ["loss", "accuracy"]
    assert net(units=1).metrics_names == ["loss", "accuracy"]
    assert repr(model.loss) == "'ce'"


def test_outputs_choose_one_by_one():
    """The numbers of Keras 3.15.1."""
    given = pynn.Input((4,))
    outputs = [layers.Dense(units, act, name=name)(given) for units, act, name in ((1, "sigmoid", "a"), (3, None, "b"))]
    outputs[1] = layers.Softmax(name="c")(outputs[1])
    model = pynn.Model(given, outputs)
    model.get_layer("a").set_weights([np.cos(np.arange(4.0))[:, None], np.zeros(1)])
    model.get_layer("b").set_weights([np.cos(np.arange(12.0)).reshape(4, 3), np.zeros(3)])
    expected = {"loss": 0.8583250 + 1.3560158, "a_loss": 0.8583250, "c_loss": 1.3560158}
    for loss in ("crossentropy", ["ce", "crossentropy"], {"a": BINARY, "c": "ce"}):
        for y in ([Y[:, :1], LABELS], [Y[:, 0], Y], {"a": Y[:, 0], "c": LABELS}):
            model.compile("sgd", loss, metrics=[["accuracy"], ["accuracy"]])
            found = model.evaluate(X, y, verbose=0, return_dict=True)
            assert found == pytest.approx({**expected, "a_accuracy": 0.45, "c_accuracy": 0.35}, rel=1e-5)
    model.compile("sgd", [None, "ce"])
    assert model.evaluate(X, [LABELS], verbose=0) == pytest.approx(1.3560158, rel=1e-5)


def test_rows_of_several_classes():
    """(samples, steps) are labels, with or without a last axis."""
    model = pynn.Sequential([pynn.Input((5, 4)), layers.Dense(3, "softmax")])
    x, labels = np.ones((8, 5, 4)), np.arange(40).reshape(8, 5) % 3
    found = []
    for y in (labels, labels[..., None], np.eye(3)[labels]):
        model.compile("sgd", "ce")
        found.append(model.evaluate(x, y, verbose=0))
    assert found == pytest.approx([found[0]] * 3)


def test_model_that_becomes_another_chooses_anew():
    model = net(units=1)
    model.fit(X, Y[:, 0], verbose=0)
    model.add(layers.Dense(3, "softmax"))
    other = pynn.Sequential([*model.layers])
    other.compile("sgd", SPARSE)
    assert model.evaluate(X, LABELS, verbose=0)[0] == other.evaluate(X, LABELS, verbose=0)


def test_model_that_data_build():
    model = pynn.Sequential([layers.Dense(3, "softmax")])
    model.compile("sgd", "ce", metrics=["accuracy"])
    assert list(model.fit(X, LABELS, verbose=0).history) == ["loss", "accuracy"]
    assert model.evaluate(X, LABELS, verbose=0)[0] > 0


@pytest.mark.parametrize("trained", [False, True])
def test_files_and_copies_choose_anew(tmp_path, trained):
    model = net(optimizer="adam")
    if trained:
        model.fit(X, LABELS, verbose=0)
    model.save(tmp_path / "net")
    loaded, pickled = pynn.load_model(tmp_path / "net"), pickle.loads(pickle.dumps(model))
    expected = model.evaluate(X, LABELS, verbose=0)
    for twin in (loaded, pickled, copy.deepcopy(model)):
        assert twin.optimizer.iterations == model.optimizer.iterations
        assert twin.evaluate(X, LABELS, verbose=0) == expected
    model.fit(X, LABELS, verbose=0)
    loaded.fit(X, LABELS, verbose=0)
    assert bits(loaded) == bits(model)


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ({"loss": ["ce", "ce"]}, "loss must have one value for each of 1 outputs"),
        ({"loss": "ces"}, "Unknown loss 'ces'"),
        ({"metrics": ["crossentropy"]}, "Unknown metric 'crossentropy'"),  # as in Keras
        ({"metrics": ["ce"]}, "Unknown metric 'ce'"),
        ({"metrics": {"x": ["accuracy"]}}, "'x' left over"),
        ({"loss_weights": [1.0, 2.0]}, "loss_weights must have one value"),
    ],
)
def test_what_is_refused_at_once(compiled, message):
    model = net("mse")
    expected = model.evaluate(X, Y, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.compile("sgd", **{"loss": "ce", **compiled})
    assert model.evaluate(X, Y, verbose=0) == expected


def test_metrics_that_do_not_fit_are_told_with_the_targets():
    model = net(metrics=["sparse_categorical_accuracy"])
    with pytest.raises(ValueError, match="takes class labels, but the loss takes targets of the output's shape"):
        model.fit(X, Y, verbose=0)
    assert np.isfinite(model.fit(X, LABELS, verbose=0).history["sparse_categorical_accuracy"][0])
