"""scikit-learn's own tests of its MLP, read from the installed package and run against pynn's classes."""

import pathlib

import pytest

pytest.importorskip("sklearn")

import sklearn.neural_network

import pynn

FILE = pathlib.Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
# Those that cannot run, with the reason.
NOT_RUN = {
    "test_gradient": "it calls the private method _loss_grad_lbfgs; test_sklearn_mlp.py compares with it instead"
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small have no use for a second one."""
    before = pynn.config.get_num_threads()
    pynn.config.set_num_threads(1)
    yield
    pynn.config.set_num_threads(before)


@pytest.fixture
def global_random_seed():
    return 42


def functions_of_the_file():
    """What the file defines, with its names of the two classes bound to pynn's."""
    ours, theirs = "from pynn.sklearn import MLPClassifier", "from sklearn.neural_network import MLPClassifier"
    text = FILE.read_text()
    assert theirs in text
    space = {"__name__": __name__, "__file__": str(FILE)}
    exec(compile(text.replace(theirs, ours), str(FILE), "exec"), space)
    found = {name: value for name, value in space.items() if name.startswith("test_")}
    assert len(found) > 30
    return found


FOUND = functions_of_the_file() if FILE.exists() else {}
# What takes longer than a tenth of a second is in the slow tier.
LONG = [
    *("test_multioutput_regression", "test_multilabel_classification", "test_partial_fit_classification"),
    *("test_n_iter_no_change_inf", "test_n_iter_no_change", "test_predict_proba_multilabel", "test_sparse_matrices"),
    *("test_lbfgs_classification", "test_lbfgs_regression", "test_lbfgs_classification_maxfun"),
    *("test_lbfgs_regression_maxfun", "test_partial_fit_regression", "test_mlp_loading_from_joblib_partial_fit"),
    *("test_warm_start", "test_mlp_vs_poisson_glm_equivalent", "test_adaptive_learning_rate", "test_tolerance"),
]
for name, test in FOUND.items():
    if name not in NOT_RUN:
        globals()[name] = pytest.mark.slow(test) if name in LONG else test


def test_the_list_of_what_cannot_run_is_true():
    assert not FOUND or NOT_RUN.keys() <= FOUND.keys()
    if FOUND:
        with pytest.raises(AttributeError, match="_loss_grad_lbfgs"):
            FOUND["test_gradient"]()
