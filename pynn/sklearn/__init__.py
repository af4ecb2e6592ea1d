"""Estimators for scikit-learn: its MLP with more settings, and any pynn model, in pipelines and searches.

`MLPClassifier` and `MLPRegressor` take the place of those of ``sklearn.neural_network``. `Classifier` and `Regressor`
wrap a model, or a function that makes one. scikit-learn, 1.6 or newer, is needed.
"""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "pynn.sklearn needs scikit-learn, 1.6 or newer. Install it: pip install 'pynn[sklearn]'."
    ) from error

from .classifier import MLPClassifier
from .regressor import MLPRegressor
from .wrappers import Classifier, Regressor

__all__ = ["Classifier", "MLPClassifier", "MLPRegressor", "Regressor"]
