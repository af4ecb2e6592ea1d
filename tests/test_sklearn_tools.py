"""The four estimators in what scikit-learn does with estimators: searches, pipelines, frames, metadata, copies."""

import importlib
import pickle
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn_models import make_classifier, make_regressor, threads_here

import pynn
from pynn.sklearn import Classifier, MLPClassifier, MLPRegressor, Regressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def yes_and_no(rows=60, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 4))
    return x, np.where(x[:, 0] - x[:, 1] + random.normal(0, 0.3, rows) > 0, "yes", "no")


CLASSIFIERS = [
    MLPClassifier((8,), max_iter=60, learning_rate_init=0.02, random_state=0),
    Classifier(make_classifier, optimizer="adam", optimizer__learning_rate=0.02, epochs=60, random_state=0),
]
both = pytest.mark.parametrize("estimator", CLASSIFIERS, ids=["MLPClassifier", "Classifier"])


@both
def test_two_classes_of_strings(estimator):
    """Field case 160."""
    x, y = yes_and_no()
    fitted = clone(estimator).fit(x, y)
    shares = fitted.predict_proba(x)
    assert shares.shape == (60, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert set(fitted.predict(x)) == {"no", "yes"}
    assert roc_auc_score(y, shares[:, 1]) > 0.95
    np.testing.assert_allclose(fitted.predict_log_proba(x), np.log(shares))


@both
def test_search_with_one_job_and_two(estimator):
    """Field case 162: the same scores, and a clone has no fitted state."""
    x, y = yes_and_no()
    units = "hidden_layer_sizes" if isinstance(estimator, MLPClassifier) else "model__units"
    rate = "learning_rate_init" if isinstance(estimator, MLPClassifier) else "optimizer__learning_rate"
    grid = {units: [(3,), (5,)] if units[0] == "h" else [3, 5], rate: [0.01, 0.03]}
    short = clone(estimator).set_params(**({"max_iter": 5} if units[0] == "h" else {"epochs": 5}))
    searches = [GridSearchCV(short, grid, cv=3, n_jobs=jobs).fit(x, y) for jobs in (1, 2)]
    for name in ("split0_test_score", "mean_test_score"):
        np.testing.assert_array_equal(searches[0].cv_results_[name], searches[1].cv_results_[name])
    best = searches[0].best_estimator_
    assert not [name for name in vars(clone(best)) if name.endswith("_") or name.startswith("_")]
    again = pickle.loads(pickle.dumps(best))
    np.testing.assert_array_equal(again.predict_proba(x), best.predict_proba(x))


def test_workers_of_joblib_use_their_share_of_the_threads():
    cores = joblib.cpu_count()
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(threads_here)(i) for i in range(2))
    assert found == [max(1, cores // 2)] * 2


@both
def test_joblib_keeps_an_estimator(estimator, tmp_path):
    x, y = yes_and_no()
    fitted = clone(estimator).fit(x, y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(again.predict_proba(x), fitted.predict_proba(x))
    for each in (again, fitted):
        each.partial_fit(x, y)
    np.testing.assert_array_equal(again.predict_proba(x), fitted.predict_proba(x))


@both
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_through_a_pipeline(estimator, library):
    frames = pytest.importorskip(library)
    x, y = yes_and_no(90)
    columns = {"a": x[:, 0], "b": x[:, 1], "city": np.array(["Rome", "Oslo", "Bonn"])[np.arange(90) % 3]}
    frame = frames.DataFrame(columns)
    prepare = ColumnTransformer([("scale", StandardScaler(), ["a", "b"]), ("kinds", OneHotEncoder(), ["city"])])
    pipeline = make_pipeline(prepare, clone(estimator)).fit(frame, y)
    assert pipeline.score(frame, y) > 0.9
    if library == "pandas":
        named = ColumnTransformer(
            [("scale", StandardScaler(), ["a", "b"]), ("kinds", OneHotEncoder(sparse_output=False), ["city"])]
        )
        named = make_pipeline(named, clone(estimator)).set_output(transform="pandas").fit(frame, y)
        assert named[-1].feature_names_in_.tolist()[0] == "scale__a"
        np.testing.assert_array_equal(named.predict(frame), pipeline.predict(frame))


def test_dummies_of_pandas_train_as_with_scikit_learn():
    pandas = pytest.importorskip("pandas")
    from sklearn.neural_network import MLPClassifier as Theirs

    frame = pandas.DataFrame({"size": [1, 2, 3, 4] * 9, "weight": np.linspace(0, 1, 36), "kind": list("abc") * 12})
    x, y = pandas.get_dummies(frame), np.arange(36) % 2
    assert {kind.kind for kind in x.dtypes} == {"i", "f", "b"}
    settings = {"shuffle": False, "random_state": 0, "max_iter": 5}
    own, other = MLPClassifier(**settings).fit(x, y), Theirs(**settings).fit(x, y)
    np.testing.assert_allclose(own.predict_proba(x), other.predict_proba(x), rtol=1e-9)


@both
def test_text_as_a_sparse_matrix(estimator):
    texts = ["a good day", "what a bad film", "good good film", "bad bad day"] * 10
    y = ["up", "down", "up", "down"] * 10
    fitted = make_pipeline(TfidfVectorizer(token_pattern=r"\w+"), clone(estimator)).fit(texts, y)
    assert fitted.score(texts, y) == 1
    assert fitted.predict(["good"]).tolist() == ["up"]


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_samples_give_the_numbers_of_dense_ones(kind, solver, monkeypatch):
    import scipy.sparse

    from pynn.data import sparse
    from pynn.sklearn import lbfgs

    monkeypatch.setattr(sparse, "_ROOM", 20 * 4 * 8)
    monkeypatch.setattr(lbfgs, "_ROOM", 20 * 4 * 8)
    x, y = yes_and_no(70)
    x = x * (np.abs(x) > 0.5)
    weights = np.random.default_rng(0).uniform(0.5, 2, 70)
    own, other = (MLPClassifier((5,), "tanh", solver=solver, random_state=0, max_iter=8, batch_size=16) for _ in "ab")
    own.fit(x, y, weights)
    other.fit(getattr(scipy.sparse, kind)(x), y, weights)
    np.testing.assert_allclose(other.predict_proba(x), own.predict_proba(x), rtol=1e-6)
    np.testing.assert_allclose(other.predict_proba(scipy.sparse.csr_array(x)), other.predict_proba(x), rtol=1e-12)
    np.testing.assert_allclose(own.loss_, other.loss_, rtol=1e-9)


@both
def test_cross_validation_calibration_voting_and_importance(estimator):
    x, y = yes_and_no(90)
    assert cross_val_score(clone(estimator), x, y, cv=3).mean() > 0.8
    calibrated = CalibratedClassifierCV(clone(estimator), cv=2).fit(x, y)
    assert calibrated.predict_proba(x).shape == (90, 2)
    vote = VotingClassifier([("own", clone(estimator)), ("line", LogisticRegression())], voting="soft").fit(x, y)
    assert vote.score(x, y) > 0.9
    found = permutation_importance(vote.named_estimators_["own"], x, (y == "yes").astype(int), n_repeats=2)
    assert found.importances_mean[:2].min() > found.importances_mean[2:].max()


@both
def test_weights_of_samples_are_routed(estimator):
    x, y = yes_and_no(60)
    weights = np.where(y == "yes", 100.0, 0.01)
    with sklearn.config_context(enable_metadata_routing=True):
        asked = clone(estimator).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, asked).fit(x, y, sample_weight=weights)
        plain = make_pipeline(scaler, clone(estimator).set_fit_request(sample_weight=False)).fit(x, y)
        assert cross_val_score(asked, x, y, cv=3, params={"sample_weight": weights}).mean() > 0.99
    assert (pipeline.predict(x) == "yes").sum() > (plain.predict(x) == "yes").sum()


@both
def test_later_classes_of_partial_fit(estimator):
    x, y = yes_and_no(60)
    fitted = clone(estimator)
    fitted.partial_fit(x[y == "no"], y[y == "no"], classes=["maybe", "no", "yes"])
    for _ in range(150):
        fitted.partial_fit(x, y)
    assert fitted.classes_.tolist() == ["maybe", "no", "yes"]
    assert fitted.score(x, y) > 0.9
    with pytest.raises(ValueError, match="never"):
        fitted.partial_fit(x, np.where(y == "no", "never", y))


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pynn.sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"pip install 'pynn\[sklearn\]'"):
        importlib.import_module("pynn.sklearn")


# ---- Classifier and Regressor ----------------------------------------------------------------------------------------


def test_images_in_a_search():
    def make(meta, filters=2):
        return pynn.Sequential(
            [
                pynn.layers.Conv2D(filters, 3, activation="relu"),
                pynn.layers.Flatten(),
                pynn.layers.Dense(meta["n_classes_"], activation="softmax"),
            ]
        )

    random = np.random.default_rng(0)
    y = np.array(["left", "right", "none"])[np.arange(60) % 3]
    x = random.normal(0, 0.1, (60, 6, 6, 1))
    x[y == "left", :, :3] += 1
    x[y == "right", :, 3:] += 1
    search = GridSearchCV(
        Classifier(make, optimizer="adam", optimizer__learning_rate=0.02, epochs=30, random_state=0),
        {"model__filters": [2, 4]},
        cv=2,
    )
    search.fit(x, y)
    assert search.best_score_ > 0.9
    assert search.best_estimator_.model_.input_shape == (None, 6, 6, 1)
    with pytest.raises(ValueError, match=r"samples of the shape \(6, 6, 1\), but has \(6, 5, 1\)"):
        search.best_estimator_.predict(x[:, :, :5])


def test_parameters_are_routed():
    seen = {}

    def make(meta, compile_kwargs, units=4):
        seen.update(meta=meta, units=units)
        model = make_classifier(meta, units)
        model.compile(**compile_kwargs)
        return model

    x, y = yes_and_no()
    estimator = Classifier(
        make,
        model__units=7,
        optimizer="sgd",
        optimizer__learning_rate=0.5,
        loss="binary_crossentropy",
        loss__label_smoothing=0.1,
        fit__epochs=3,
        predict__batch_size=10,
        random_state=1,
    )
    assert clone(estimator).get_params() == estimator.get_params()
    estimator.fit(x, y)
    assert seen["units"] == 7
    assert seen["meta"]["n_classes_"] == 2
    assert seen["meta"]["X_shape_"] == (60, 4)
    assert estimator.model_.optimizer.learning_rate == 0.5
    assert estimator.model_.loss.label_smoothing == 0.1
    assert len(estimator.history_["loss"]) == 3
    with pytest.raises(ValueError, match="Invalid parameter 'modle__units'"):
        estimator.set_params(modle__units=3)


def test_a_model_is_copied_and_goes_on_where_it_is_warm():
    x, y = yes_and_no()
    model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(1, activation="sigmoid")])
    before = model.get_weights()
    estimator = Classifier(model, epochs=3, warm_start=True, random_state=0).fit(x, y)
    for own, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, other)
    first = estimator.model_
    assert estimator.fit(x, y).model_ is first
    assert first.optimizer.iterations == 12


@pytest.mark.parametrize(
    ("last", "loss"),
    [
        (("softmax", 2), None),
        (("softmax", 2), "categorical_crossentropy"),
        ((None, 1), pynn.losses.BinaryCrossentropy(from_logits=True)),
        ((None, 2), pynn.losses.SparseCategoricalCrossentropy(from_logits=True)),
    ],
)
def test_two_classes_by_one_output_or_two(last, loss):
    x, y = yes_and_no()
    model = pynn.Sequential([pynn.layers.Dense(last[1], last[0])])
    fitted = Classifier(model, optimizer=pynn.optimizers.Adam(0.1), loss=loss, epochs=60, random_state=0).fit(x, y)
    shares = fitted.predict_proba(x)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(fitted.classes_[(shares[:, 1] > 0.5).astype(int)], fitted.predict(x))
    assert fitted.score(x, y) > 0.9


def test_several_labels_and_several_values():
    x, _ = yes_and_no(80)
    y = (x[:, :3] > 0).astype(int)
    model = pynn.Sequential([pynn.layers.Dense(3, "sigmoid")])
    for estimator in (
        Classifier(model, optimizer=pynn.optimizers.Adam(0.1), epochs=60, random_state=0),
        MLPClassifier(max_iter=200, learning_rate_init=0.01, random_state=0),
    ):
        assert estimator.fit(x, y).score(x, y) > 0.8
        assert estimator.predict_proba(x).shape == estimator.predict(x).shape == (80, 3)
    for estimator in (
        Regressor(make_regressor, optimizer="adam", epochs=300, random_state=0),
        MLPRegressor(max_iter=300, learning_rate_init=0.01, random_state=0),
    ):
        assert estimator.fit(x, x[:, :2]).score(x, x[:, :2]) > 0.9
        assert estimator.predict(x).shape == (80, 2)
        assert estimator.fit(x, x[:, 0]).predict(x).shape == (80,)


def test_what_does_not_fit_is_said():
    x, y = yes_and_no()
    three = np.array(["a", "b", "c"])[np.arange(60) % 3]

    def compiled(meta):
        model = make_classifier(meta)
        model.compile("sgd", "binary_crossentropy")
        return model

    for estimator, target, message in (
        (Classifier(pynn.Sequential([pynn.layers.Dense(2, "softmax")])), three, r"2 outputs, but there are 3 classes"),
        (Classifier(compiled, optimizer__learning_rate=0.1), y, "compiled already, so that optimizer"),
        (Classifier(pynn.Sequential([pynn.layers.Dense(1)]), model__units=3), y, "for functions"),
        (Classifier(pynn.Sequential([pynn.layers.Dense(1)])), x[:, 0], "Unknown label type"),
    ):
        with pytest.raises(ValueError, match=message):
            estimator.fit(x, target)
    for wrong in (None, "model", lambda: 3):
        with pytest.raises(TypeError, match="a pynn model"):
            Classifier(wrong).fit(x, y)


def test_equal_seeds_give_equal_models_and_leave_others_alone():
    x, y = yes_and_no()
    pynn.set_random_seed(5)
    first = pynn.layers.Dense(3)(x)
    pynn.set_random_seed(5)
    fitted = [clone(CLASSIFIERS[1]).set_params(epochs=2).fit(x, y) for _ in range(2)]
    np.testing.assert_array_equal(pynn.layers.Dense(3)(x), first)
    np.testing.assert_array_equal(fitted[0].predict_proba(x), fitted[1].predict_proba(x))


@pytest.mark.parametrize("kind", [Classifier, Regressor])
def test_unknown_keywords_are_refused(kind):
    for unknown in ({"epoch": 50}, {"units": 3}, {"foo__x": 1}):
        with pytest.raises(ValueError, match=f"Invalid parameter '{next(iter(unknown))}' for estimator"):
            kind(None, **unknown)
    assert kind(None, model__units=3, fit__epochs=2).get_params()["model__units"] == 3


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("functional", [False, True])
def test_outputs_without_an_activation_are_logits(classes, functional, random):
    x = random.normal(size=(90, 4))
    y = (x @ random.normal(size=(4, classes))).argmax(1)

    def make(meta):
        units = 1 if meta["n_classes_"] == 2 else meta["n_classes_"]
        if not functional:
            return pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(units)])
        inputs = pynn.Input((4,))
        return pynn.Model(inputs, pynn.layers.Dense(units)(inputs))

    found = Classifier(make, epochs=60, batch_size=10, optimizer="adam", optimizer__learning_rate=0.05).fit(x, y)
    assert found.model_.loss.from_logits
    shares = found.predict_proba(x)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    assert (shares >= 0).all()
    assert found.score(x, y) > 0.9


@pytest.mark.parametrize("kind", ["dates alone", "dates beside numbers", "periods", "dicts"])
def test_columns_that_are_no_numbers_are_named(kind):
    pandas = pytest.importorskip("pandas")
    dates = pandas.Series(pandas.date_range("2020", periods=10))
    columns = {
        "dates alone": {"when": dates},
        "dates beside numbers": {"when": dates, "much": np.arange(10.0)},
        "periods": {"when": dates.dt.to_period("D"), "much": np.arange(10.0)},
        "dicts": {"when": [{}] * 10, "much": np.arange(10.0)},
    }[kind]
    with pytest.raises(ValueError, match=r"X must have columns of numbers, but has 'when' \(.*ColumnTransformer"):
        MLPClassifier((2,)).fit(pandas.DataFrame(columns), [0, 1] * 5)


def test_estimator_of_ones_own_has_its_own_parameters(random):
    class Narrow(Classifier):
        def __init__(self, model=None, *, width=3):
            super().__init__(model, epochs=2)
            self.width = width

    found = Narrow(lambda meta: pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(1, "sigmoid")]))
    found.fit(random.normal(size=(20, 4)), [0, 1] * 10)
    assert len(found.history_["loss"]) == 2
    assert found.get_params()["width"] == 3


def test_logits_of_models_within_models_and_beside_added_losses(random):
    class Adds(pynn.Model):
        def __init__(self):
            super().__init__()
            self.end = pynn.layers.Dense(3)

        def call(self, x):
            self.add_loss(0.01 * pynn.ops.mean(pynn.ops.square(x)))
            return self.end(x)

    x, y = random.normal(size=(30, 4)), np.arange(30) % 3
    within = pynn.Sequential([pynn.Input((4,)), pynn.Sequential([pynn.layers.Dense(3)])])
    for make in (Adds, lambda: within):
        assert Classifier(make).fit(x, y).model_.loss.from_logits
    assert (
        not Classifier(lambda: pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(3, "softmax")]))
        .fit(x, y)
        .model_.loss.from_logits
    )
