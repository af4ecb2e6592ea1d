"""`MLPClassifier`: scikit-learn's multilayer perceptron for classes, with more settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target
from sklearn.utils.validation import column_or_1d

from .inputs import TAKEN, validated
from .labels import Labels, weights_of_classes
from .mlp import MLP, can_go_on

Array = NDArray[Any]


class MLPClassifier(ClassifierMixin, MLP):  # type: ignore[misc]
    """Multilayer perceptron for classes, as ``sklearn.neural_network.MLPClassifier``, fast and with more settings.

    It minimizes the cross-entropy with adam, sgd, any other optimizer of pynn, or L-BFGS. With equal initial values and
    batches its numbers are scikit-learn's within rounding. ``fit`` also takes ``validation_data``.

    Parameters
    ----------
    hidden_layer_sizes : int or list of int, default=(100,)
        The units of each hidden layer.
    activation : str, default='relu'
        Of the hidden layers: scikit-learn's 'identity', 'logistic', 'tanh' and 'relu', any other activation of pynn,
        or a list with one for each layer. A layer such as ``pynn.layers.PReLU()`` is copied for each place.
    solver : str or pynn.optimizers.Optimizer, default='adam'
        'adam', 'sgd', 'lbfgs', another optimizer's name, which then has ``learning_rate_init``, or an optimizer.
    alpha : float, default=0.0001
        Penalty: ``alpha / 2 * sum(w**2)`` divided by the samples of a batch, or their weights, is added to its loss.
    batch_size : int or 'auto', default='auto'
        Samples a step; 'auto': ``min(200, n_samples)``. lbfgs takes all.
    learning_rate : {'constant', 'invscaling', 'adaptive'}, default='constant'
        Of sgd. 'invscaling': ``learning_rate_init / (t_ + 1)**power_t`` after each epoch. 'adaptive': divided by 5
        each time the stopping rule would stop, down to 1e-6.
    learning_rate_init : float, default=0.001
        The learning rate.
    power_t : float, default=0.5
        See ``learning_rate``.
    max_iter : int, default=200
        Most epochs; of lbfgs: most iterations.
    shuffle : bool, default=True
        Whether each epoch visits the samples in an order of its own.
    random_state : int, RandomState or None, default=None
        Decides initial values, which are scikit-learn's, orders, noise and the validation split.
    tol : float, default=0.0001
        What the loss must fall, or the validation score rise, to count as better.
    verbose : bool, default=False
        Whether to print the loss of each epoch.
    warm_start : bool, default=False
        Whether ``fit`` goes on with the weights of the last one.
    momentum : float, default=0.9
        Of sgd, in [0, 1).
    nesterovs_momentum : bool, default=True
        Whether sgd looks ahead.
    early_stopping : bool, default=False
        Whether to stop by the score on ``validation_fraction`` of the data, or on ``validation_data``, and keep the
        best weights.
    validation_fraction : float, default=0.1
        See ``early_stopping``.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of adam.
    n_iter_no_change : int, default=10
        Epochs without a gain after which to stop.
    max_fun : int, default=15000
        Most evaluations of the loss, for lbfgs.
    dropout : float or list of float, default=0.0
        Share of the outputs of each hidden layer that are dropped in training.
    batch_normalization : bool, default=False
        Whether each hidden layer is normalized before its activation.
    class_weight : dict, 'balanced' or None, default=None
        What samples of each class count for. It multiplies ``sample_weight``.
    callbacks : list of pynn.callbacks.Callback or None, default=None
        Called in each ``fit``. Logs also have ``accuracy``.
    threads : int or None, default=None
        Threads of the engine. None: ``pynn.config.get_num_threads()``.
    dtype : {'float32', 'float64'} or None, default=None
        What to compute in. None: as X, as scikit-learn does; float32 is twice as fast.

    Attributes
    ----------
    classes_ : ndarray
        The classes.
    coefs_, intercepts_ : list of ndarray
        Kernels and biases: the arrays that the network computes with. They may be written.
    loss_, best_loss_, loss_curve_ : float, float, list of float
        The loss of the last epoch, the lowest one (None with early stopping), that of each.
    validation_scores_, best_validation_score_ : list of float, float
        With early stopping, else None.
    t_ : int
        Samples seen.
    n_iter_, n_layers_, n_outputs_, n_features_in_ : int
        Epochs of the last fit, layers with the input, outputs, features.
    feature_names_in_ : ndarray of str
        Of a frame.
    out_activation_ : str
        'softmax' or 'logistic'.
    history_ : dict
        Losses and metrics of the last fit, as of ``model.fit``.

    Examples
    --------
    >>> from pynn.sklearn import MLPClassifier
    >>> mlp = MLPClassifier((64, 32), dropout=0.2, early_stopping=True, random_state=0).fit(x, y)
    >>> mlp.predict_proba(x[:1])
    """

    _parameter_constraints: dict[str, Any] = {**MLP._parameter_constraints, "class_weight": "no_validation"}  # noqa: RUF012
    _stratifies = True
    _metrics = ("accuracy",)

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        batch_normalization: bool = False,
        class_weight: Any = None,
        callbacks: Any = None,
        threads: int | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            dropout=dropout,
            batch_normalization=batch_normalization,
            class_weight=class_weight,
            callbacks=callbacks,
            threads=threads,
            dtype=dtype,
        )

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> MLPClassifier:  # noqa: N803
        """Fit to samples (array, frame or CSR matrix) and labels of any kind, or a column of 0 and 1 for each label.

        ``validation_data``, ``(X, y)`` or ``(X, y, sample_weight)``, is evaluated after each epoch, for callbacks,
        ``history_`` and early stopping.
        """
        self._fit(X, y, sample_weight, validation_data=validation_data)
        return self

    @available_if(can_go_on)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> MLPClassifier:  # noqa: N803
        """One epoch. The first call is told all ``classes`` that may come."""
        if _check_partial_fit_first_call(self, classes):
            self._labels = Labels.of(y if type_of_target(y).startswith("multilabel") else classes)
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The likeliest class of each sample, or its labels as a row of 0 and 1."""
        outputs = self._outputs(X)
        return self._labels.of_numbers(self._labels.chosen(outputs))

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class, in the order of ``classes_``: (samples, classes)."""
        outputs = self._outputs(X)
        return self._labels.probabilities(outputs)

    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """``log(predict_proba(X))``."""
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):  # where one is 0
            logs: Array = np.log(probabilities, out=probabilities)
            return logs

    # ---- what targets are --------------------------------------------------------------------------------------------

    def _checked_data(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        x, y = validated(self, x, y, accept_sparse="csr", multi_output=True, dtype=TAKEN, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._labels = Labels.of(y)
            self.classes_ = self._labels.classes
        else:
            self._check_classes(Labels.of(y).classes)
        return x, self._labels.numbers(y)

    def _check_classes(self, found: Array) -> None:
        if self.warm_start and set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {found}"
            )
        if len(np.setdiff1d(found, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {found}."
            )

    def _targets_of(self, y: Array, dtype: str) -> Array:
        return self._labels.targets(y, dtype)

    def _columns_of(self, y: Array) -> int:
        return self._labels.columns

    def _out_activation(self) -> str:
        return self._labels.activation

    def _weighted(self, y: Array, sample_weight: Array | None) -> Array | None:
        return weights_of_classes(self.class_weight, self._labels, y, sample_weight)

    def _score_of(self, outputs: Array, y: Array, sample_weight: Array | None) -> float:
        right = self._labels.chosen(outputs) == y
        if right.ndim == 2:
            right = right.all(axis=1)
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
