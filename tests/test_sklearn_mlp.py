"""MLPClassifier and MLPRegressor: the numbers of scikit-learn's, and what goes beyond them."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn.neural_network as theirs
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import pynn
import pynn.sklearn as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# scikit-learn 1.7 brought weights of samples and the poisson loss.
HAS_WEIGHTS = "sample_weight" in inspect.signature(theirs.MLPClassifier.fit).parameters


def data(kind, samples=67, features=5, seed=0):
    """Samples that no batch of 20 divides, and targets."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, features))
    score = x @ random.normal(size=(features, 3)) + random.normal(size=(samples, 3)) / 4
    y = {
        "binary": np.array(["no", "yes"])[(score[:, 0] > 0).astype(int)],
        "classes": np.array([3, 5, 8])[score.argmax(1)],
        "labels": (score > 0).astype(int),
        "number": score[:, 0],
        "numbers": score,
        "counts": random.poisson(np.exp(score[:, 0] / 4)),
    }[kind]
    return x, y


def pair(kind, **settings):
    """pynn's estimator and scikit-learn's, of the same settings."""
    name = "MLPClassifier" if kind in ("binary", "classes", "labels") else "MLPRegressor"
    settings = {"hidden_layer_sizes": (7, 4), "shuffle": False, "random_state": 3, "max_iter": 6} | settings
    if kind == "counts":
        settings["loss"] = "poisson"
    return getattr(ours, name)(**settings), getattr(theirs, name)(**settings)


def same(own, other, x, rtol=1e-9):
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(own, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(own, name) == getattr(other, name), name
    np.testing.assert_allclose(own.loss_, other.loss_, rtol=rtol)
    predict = "predict_proba" if hasattr(own, "predict_proba") else "predict"
    np.testing.assert_allclose(getattr(own, predict)(x), getattr(other, predict)(x), rtol=rtol, atol=rtol)
    np.testing.assert_array_equal(own.predict(x).shape, other.predict(x).shape)


KINDS = ["binary", "classes", "labels", "number", "numbers", "counts"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "adam", "alpha": 0.3, "batch_size": 20, "learning_rate_init": 0.01},
        {"solver": "sgd", "activation": "tanh", "batch_size": 32, "learning_rate": "invscaling", "power_t": 0.2},
        {"solver": "sgd", "activation": "logistic", "nesterovs_momentum": False, "alpha": 0.0},
        {"solver": "adam", "activation": "identity", "batch_size": 20, "early_stopping": True},
    ],
    ids=["adam", "invscaling", "logistic", "stopping"],
)
def test_a_fit_gives_the_numbers_of_scikit_learn(kind, settings):
    if kind == "counts" and not HAS_WEIGHTS:
        pytest.skip("no poisson loss")
    x, y = data(kind)
    own, other = pair(kind, **settings)
    own.fit(x, y)
    other.fit(x, y)
    same(own, other, x)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-9)
    for name in ("validation_scores_", "best_validation_score_", "best_loss_"):
        a, b = getattr(own, name), getattr(other, name)
        assert a is b is None or np.allclose(a, b, rtol=1e-9), name


@pytest.mark.skipif(not HAS_WEIGHTS, reason="scikit-learn 1.6 has no weights of samples")
@pytest.mark.parametrize("kind", ["binary", "classes", "labels", "number"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_weights_of_samples_give_the_numbers_of_scikit_learn(kind, solver):
    x, y = data(kind)
    weights = np.random.default_rng(1).uniform(0.1, 3, len(x))
    own, other = pair(kind, solver=solver, alpha=0.2, batch_size=20, activation="tanh")
    same(own.fit(x, y, weights), other.fit(x, y, weights), x, 1e-9 if solver == "adam" else 1e-5)


@pytest.mark.parametrize("kind", ["binary", "classes", "labels", "number", "counts"])
def test_lbfgs_gives_the_numbers_of_scikit_learn(kind):
    if kind == "counts" and not HAS_WEIGHTS:
        pytest.skip("no poisson loss")
    x, y = data(kind)
    own, other = pair(kind, solver="lbfgs", activation="tanh", max_iter=15, alpha=0.1)
    same(own.fit(x, y), other.fit(x, y), x, 1e-5)


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_partial_fit_gives_the_numbers_of_scikit_learn(kind):
    x, y = data(kind)
    own, other = pair(kind, batch_size=10, learning_rate_init=0.01)
    first = {"classes": [1, 3, 5, 8]} if kind == "classes" else {}
    for part in (slice(0, 30), slice(30, 67), slice(10, 41)):
        for each in (own, other):
            each.partial_fit(x[part], y[part], **first)
        first = {}
    same(own, other, x)


def test_a_fit_stops_as_that_of_scikit_learn():
    x, y = data("classes")
    for settings in ({"tol": 0.01, "n_iter_no_change": 3}, {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1}):
        own, other = pair("classes", max_iter=300, learning_rate_init=0.02, **settings)
        own.fit(x, y)
        other.fit(x, y)
        assert own.n_iter_ == other.n_iter_ < 300
        np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-6)
        assert own._optimizer.learning_rate == pytest.approx(other._optimizer.learning_rate) or own.solver == "adam"


def test_warm_start_goes_on_as_that_of_scikit_learn():
    x, y = data("number")
    own, other = pair("number", warm_start=True, batch_size=20)
    for _ in range(2):
        same(own.fit(x, y), other.fit(x, y), x)


def test_verbose_prints_the_lines_of_scikit_learn(capsys):
    x, y = data("classes")
    lines = []
    for each in pair("classes", verbose=True, early_stopping=True, max_iter=20, n_iter_no_change=2, tol=0.5):
        each.fit(x, y)
        lines.append(capsys.readouterr().out.splitlines())
    assert lines[0] == lines[1]
    assert lines[0][-1].endswith("Stopping.")


def test_coefs_can_be_written():
    x, y = data("number")
    own, other = pair("number")
    own.fit(x, y)
    other.fit(x, y)
    for each in (own, other):
        each.coefs_[0][1] = 0.5  # within an array
        each.intercepts_[1] = np.ones(4)  # another array
    np.testing.assert_allclose(own.predict(x), other.predict(x), rtol=1e-9)
    same(own.partial_fit(x, y), other.partial_fit(x, y), x)


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_a_pickle_and_a_copy_go_on_alike(kind):
    x, y = data(kind)
    own, _ = pair(kind, batch_size=20, shuffle=True)
    own.set_params(dropout=0.2).fit(x, y)
    copies = [pickle.loads(pickle.dumps(own)), copy.deepcopy(own), own]
    for each in copies:
        each.partial_fit(x, y)
    for each in copies[:2]:
        np.testing.assert_array_equal(each.predict(x), own.predict(x))
        for a, b in zip(each.coefs_, own.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
            assert not np.shares_memory(a, b)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_equal_seeds_give_equal_bits_whatever_the_threads(solver):
    x, y = data("classes", samples=300)
    fitted = [
        ours.MLPClassifier((9,), solver=solver, random_state=1, max_iter=3, batch_size=50, threads=threads).fit(x, y)
        for threads in (1, 2, 3, None)
    ]
    for each in fitted[1:]:
        for a, b in zip(each.coefs_, fitted[0].coefs_, strict=True):
            np.testing.assert_array_equal(a, b)


# ---- beyond scikit-learn ---------------------------------------------------------------------------------------------


def test_layers_are_those_that_were_asked_for():
    x, y = data("classes")
    mlp = ours.MLPClassifier(
        (8, 6), activation=["silu", pynn.layers.PReLU()], dropout=[0.1, 0.0], batch_normalization=True, max_iter=2
    ).fit(x, y)
    names = [type(layer).__name__ for layer in mlp._network.layers]
    hidden = ["Dense", "BatchNormalization"]
    assert names == [*hidden, "Activation", "Dropout", *hidden, "PReLU", "Dense"]
    assert [each.shape for each in mlp.coefs_] == [(5, 8), (8, 6), (6, 3)]
    again = pickle.loads(pickle.dumps(mlp))
    np.testing.assert_array_equal(again.predict_proba(x), mlp.predict_proba(x))


@pytest.mark.parametrize("solver", ["rmsprop", pynn.optimizers.AdamW(0.02, weight_decay=0.1), "lion"])
def test_any_optimizer_learns(solver):
    x, y = data("binary", samples=200)
    mlp = ours.MLPClassifier((16,), solver=solver, learning_rate_init=0.01, max_iter=60, random_state=0).fit(x, y)
    assert mlp.score(x, y) > 0.9
    assert isinstance(mlp._optimizer, type(pynn.optimizers.get(solver)))
    if not isinstance(solver, str):
        assert solver.iterations == 0  # a parameter stays as it was given


def test_weights_of_classes_are_weights_of_samples():
    x, y = data("classes")
    weights = {3: 2.0, 5: 0.5}
    settings = {"random_state": 0, "max_iter": 4, "batch_size": 20}
    own = ours.MLPClassifier(class_weight=weights, **settings).fit(x, y)
    same_weights = ours.MLPClassifier(**settings).fit(x, y, [weights.get(label, 1.0) for label in y])
    np.testing.assert_array_equal(own.predict_proba(x), same_weights.predict_proba(x))
    balanced = ours.MLPClassifier(class_weight="balanced", **settings).fit(x, y)
    counts = {label: (y == label).sum() for label in (3, 5, 8)}
    by_hand = ours.MLPClassifier(**settings).fit(x, y, [len(y) / (3 * counts[label]) for label in y])
    np.testing.assert_allclose(balanced.predict_proba(x), by_hand.predict_proba(x), rtol=1e-12)
    for wrong, message in (({4: 1.0}, r"labels \[4\]"), (3, "must be")):
        with pytest.raises(ValueError, match=message):
            ours.MLPClassifier(class_weight=wrong).fit(x, y)


def test_validation_data_and_callbacks_are_used():
    x, y = data("classes", samples=150)
    stop = pynn.callbacks.EarlyStopping(monitor="val_accuracy", patience=2, restore_best_weights=True)
    mlp = ours.MLPClassifier(callbacks=[stop], max_iter=100, learning_rate_init=0.05, random_state=0)
    mlp.fit(x[:100], y[:100], validation_data=(x[100:], y[100:]))
    assert set(mlp.history_) >= {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert mlp.n_iter_ == len(mlp.history_["loss"]) < 100
    mlp = ours.MLPClassifier(early_stopping=True, max_iter=3, random_state=0)
    mlp.fit(x[:100], y[:100], validation_data=(x[100:], y[100:]))
    assert mlp.best_validation_score_ == mlp.score(x[100:], y[100:])


def test_float32_and_bytes():
    x, y = data("classes")
    mlp = ours.MLPClassifier(max_iter=3, random_state=0, dtype="float32").fit(x, y)
    assert mlp.coefs_[0].dtype == mlp.predict_proba(x).dtype == np.float32
    pixels = np.random.default_rng(0).integers(0, 255, (50, 6), np.uint8)
    label = pixels[:, 0] > 100
    own, other = (ours.MLPClassifier(max_iter=3, random_state=0).fit(each, label) for each in (pixels, pixels * 1.0))
    np.testing.assert_array_equal(own.predict_proba(pixels), other.predict_proba(pixels * 1.0))


def test_the_random_numbers_of_others_are_left_alone():
    x, y = data("number")
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    ours.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=1, dropout=0.5).fit(x, y)
    assert (np.random.get_state()[1] == before).all()


# ---- what goes wrong -------------------------------------------------------------------------------------------------


def test_bad_settings_are_refused():
    x, y = data("binary")
    for settings, message in (
        ({"activation": "rulu"}, "rulu"),
        ({"activation": ["relu", "relu"]}, "for each of the 1 hidden layers"),
        ({"solver": "addam"}, "addam"),
        ({"alpha": -1}, "alpha"),
        ({"dropout": 1.5}, "dropout"),
        ({"threads": 0}, "threads"),
        ({"solver": "lbfgs", "dropout": 0.5}, "lbfgs"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes must be > 0"),
    ):
        with pytest.raises(ValueError, match=message):
            ours.MLPClassifier(**settings).fit(x, y)
    with pytest.raises(ValueError, match="at least 0"):
        ours.MLPRegressor("poisson").fit(x, np.full(len(x), -1.0))
    with pytest.raises(NotFittedError):
        ours.MLPClassifier().predict(x)


def test_bad_data_is_refused_in_words_that_help():
    x, y = data("binary")
    mlp = ours.MLPClassifier(max_iter=1).fit(x, y)
    broken = x.copy()
    broken[3, 2] = np.nan
    for call in (lambda: mlp.fit(broken, y), lambda: mlp.predict_proba(broken)):
        with pytest.raises(ValueError, match="contains NaN"):
            call()
    with pytest.raises(ValueError, match="features"):
        mlp.predict(x[:, :3])
    with pytest.raises(ValueError, match=r"Unknown label type: continuous.*regressor"):
        mlp.fit(x, x[:, 0])
    with pytest.raises(ValueError, match="MultiOutputClassifier"):
        mlp.fit(x, np.stack([np.arange(67) % 3, np.arange(67) % 4], 1))


def test_an_interrupted_fit_keeps_what_it_learned():
    class Interrupting(pynn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    x, y = data("binary")
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        mlp = ours.MLPClassifier(callbacks=[Interrupting()], random_state=0).fit(x, y)
    assert mlp.predict(x).shape == (67,)


def test_a_fit_that_did_not_converge_warns():
    x, y = data("number")
    for solver in ("adam", "lbfgs"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ConvergenceWarning):
                ours.MLPRegressor(hidden_layer_sizes=(5,), solver=solver, max_iter=2).fit(x, y)


@pytest.mark.parametrize("seed", range(4))
def test_early_stopping_holds_out_what_scikit_learn_does(seed, random):
    x = random.normal(size=(300, 5))
    y = (x @ random.normal(size=(5, 3))).argmax(1)
    settings = {"early_stopping": True, "batch_size": 270, "max_iter": 1, "random_state": seed}
    found = []
    for room in (ours, theirs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found.append(room.MLPClassifier((6,), **settings).fit(x, y))
    np.testing.assert_allclose(found[0].loss_curve_, found[1].loss_curve_, rtol=1e-12)
    assert found[0].validation_scores_ == found[1].validation_scores_


@pytest.mark.parametrize("given", ["callbacks", "validation_data"])
def test_lbfgs_takes_nothing_of_epochs(given, random):
    x, y = random.normal(size=(30, 4)), random.integers(0, 2, 30)
    settings = {"callbacks": [pynn.callbacks.History()]} if given == "callbacks" else {}
    named = {"validation_data": (x, y)} if given == "validation_data" else {}
    with pytest.raises(ValueError, match="solver='lbfgs' has no epochs"):
        ours.MLPClassifier((3,), solver="lbfgs", **settings).fit(x, y, **named)


def test_sizes_of_layers_are_whole_numbers(random):
    with pytest.raises(ValueError, match="each of hidden_layer_sizes must be"):
        ours.MLPClassifier((2.9,)).fit(random.normal(size=(30, 4)), random.integers(0, 2, 30))
