"""scikit-learn's own checks of estimators: all of them, none expected to fail."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import pynn
from pynn.sklearn import Classifier, MLPClassifier, MLPRegressor, Regressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:A column-vector y was passed"),
]


def make(meta, units=32):
    """A network for any target, in float64: the checks compare numbers to 1e-7."""
    of_classes, kind = "n_classes_" in meta, meta["target_type_"]
    columns = (1 if kind == "binary" else meta["n_classes_"]) if of_classes else meta["n_outputs_"]
    activation = ("softmax" if kind == "multiclass" else "sigmoid") if of_classes else None
    return pynn.Sequential(
        [
            pynn.Input((meta["n_features_in_"],), dtype="float64"),
            pynn.layers.Dense(units, "relu", dtype="float64"),
            pynn.layers.Dense(columns, activation, dtype="float64"),
        ]
    )


SETTINGS = {"epochs": 100, "batch_size": "full"}
ESTIMATORS = {
    "MLPClassifier": MLPClassifier(max_iter=100),
    "MLPRegressor": MLPRegressor(max_iter=100),
    "Classifier": Classifier(make, optimizer=pynn.optimizers.Adam(0.02), **SETTINGS),
    "Regressor": Regressor(make, optimizer=pynn.optimizers.Adam(0.02), **SETTINGS),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small have no use for a second one."""
    before = pynn.config.get_num_threads()
    pynn.config.set_num_threads(1)
    yield
    pynn.config.set_num_threads(before)


# One of them in the fast tier, check by check.
@parametrize_with_checks([ESTIMATORS["MLPClassifier"]])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATORS)
def test_check_estimator_fails_nowhere(name):
    results = check_estimator(ESTIMATORS[name], on_fail=None)
    assert len(results) > 50
    assert not [each for each in results if each["status"] not in ("passed", "skipped")]
