"""`MLPRegressor`: scikit-learn's multilayer perceptron for numbers, with more settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from .inputs import TAKEN, validated
from .mlp import MLP, can_go_on

Array = NDArray[Any]


class MLPRegressor(RegressorMixin, MLP):  # type: ignore[misc]
    """Multilayer perceptron for numbers, as ``sklearn.neural_network.MLPRegressor``, fast and with more settings.

    It minimizes half the squared error, or the Poisson deviance. With equal initial values and batches its numbers are
    scikit-learn's within rounding. ``fit`` also takes ``validation_data``.

    Parameters
    ----------
    loss : {'squared_error', 'poisson'}, default='squared_error'
        'poisson' has exponential outputs, and takes y of at least 0.
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, \
shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping, validation_fraction, \
beta_1, beta_2, epsilon, n_iter_no_change, max_fun, dropout, batch_normalization, callbacks, threads, dtype :
        As of `MLPClassifier`. Early stopping goes by R2.

    Attributes
    ----------
    coefs_, intercepts_, loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, t_, n_iter_, \
n_layers_, n_outputs_, n_features_in_, feature_names_in_, out_activation_, history_ :
        As of `MLPClassifier`; ``out_activation_`` is 'identity' or 'exp'.

    Examples
    --------
    >>> from pynn.sklearn import MLPRegressor
    >>> mlp = MLPRegressor(hidden_layer_sizes=(50, 50), activation="silu", random_state=0).fit(x, y)
    >>> mlp.score(x, y)
    """

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012
        **MLP._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }
    _metrics = ("mean_absolute_error",)

    def __init__(
        self,
        loss: str = "squared_error",
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
        callbacks: Any = None,
        threads: int | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            loss=loss,
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
            callbacks=callbacks,
            threads=threads,
            dtype=dtype,
        )

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> MLPRegressor:  # noqa: N803
        """Fit to samples (array, frame or CSR matrix) and values, (samples,) or (samples, outputs).

        ``validation_data``, ``(X, y)`` or ``(X, y, sample_weight)``, is evaluated after each epoch, for callbacks,
        ``history_`` and early stopping.
        """
        self._fit(X, y, sample_weight, validation_data=validation_data)
        return self

    @available_if(can_go_on)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:  # noqa: N803
        """One epoch."""
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The values, (samples,), or (samples, outputs) where there are several."""
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    # ---- what targets are --------------------------------------------------------------------------------------------

    def _checked_data(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        x, y = validated(self, x, y, accept_sparse="csr", multi_output=True, y_numeric=True, dtype=TAKEN, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(f"loss='poisson' takes y of at least 0, but it has {y[y < 0].flat[0]}.")
        return x, np.asarray(y).reshape(len(y), -1)

    def _targets_of(self, y: Array, dtype: str) -> Array:
        return y

    def _columns_of(self, y: Array) -> int:
        return int(y.shape[1])

    def _out_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def _metrics_of_loss(self) -> list[str]:
        return ["mean_squared_error"] if self.n_outputs_ > 1 and self.out_activation_ == "identity" else []

    def _reported(self, y: Array, weights: Array | None) -> Callable[[dict[str, float]], float]:
        others = self.n_outputs_ - 1
        if self.out_activation_ == "identity" and others:
            # The gradient is that of the sum over outputs, but what is reported is the mean.
            return lambda logs: logs["loss"] - others * logs["mean_squared_error"] / 2
        constant = self._parts_of_loss(y, weights)[1]
        return lambda logs: logs["loss"] + constant

    def _parts_of_loss(self, y: Array, weights: Array | None) -> tuple[float, float]:
        if self.out_activation_ == "identity":
            return 1.0 / self.n_outputs_, 0.0
        logs = np.log(y, out=np.zeros(y.shape), where=y > 0)
        return 1.0, float(np.average(y * logs - y, axis=0, weights=weights).sum())

    def _finished(self, outputs: Any) -> Array:
        if self.out_activation_ != "exp":
            return np.asarray(outputs)
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(outputs))

    def _score_of(self, outputs: Array, y: Array, sample_weight: Array | None) -> float:
        return float(r2_score(y, outputs, sample_weight=sample_weight))
