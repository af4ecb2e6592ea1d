"""What `MLPClassifier` and `MLPRegressor` have in common: settings, the two ways to fit, the forward pass."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..foundation import checks, parallel
from ..models import Sequential
from . import lbfgs, network
from .epochs import DivergedError, Epochs
from .inputs import TAKEN, validated

Array = NDArray[Any]


def can_go_on(mlp: Any) -> bool:
    """Whether there is a `partial_fit`."""
    if mlp.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
    return True


class MLP(BaseEstimator):  # type: ignore[misc]
    """Base of the two estimators; a subclass says what its targets are."""

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 - scikit-learn's protocol
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": "no_validation",
        "solver": "no_validation",
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": ["array-like", Interval(Real, 0, 1, closed="left")],
        "batch_normalization": ["boolean"],
        "callbacks": "no_validation",
        "threads": [None, Interval(Integral, 1, parallel.MAX_THREADS, closed="both")],
        "dtype": [None, StrOptions({"float32", "float64"})],
    }

    def __init__(self, **settings: Any) -> None:
        for name, value in settings.items():
            setattr(self, name, value)

    # ---- of the subclasses -------------------------------------------------------------------------------------------

    def _checked_data(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        """Data as arrays: y as numbers of classes, or values (samples, outputs)."""
        raise NotImplementedError

    def _targets_of(self, y: Array, dtype: str) -> Array:
        """What the network is trained on."""
        raise NotImplementedError

    def _columns_of(self, y: Array) -> int:
        """Outputs of the network."""
        raise NotImplementedError

    def _out_activation(self) -> str:
        """scikit-learn's name of the function of the outputs."""
        raise NotImplementedError

    def _score_of(self, outputs: Array, y: Array, sample_weight: Array | None) -> float:
        """The score that early stopping goes by."""
        raise NotImplementedError

    def _weighted(self, y: Array, sample_weight: Array | None) -> Array | None:
        """The weights of samples, with those of classes."""
        return sample_weight

    _stratifies = False  # whether early stopping keeps the shares of classes

    # ---- the network -------------------------------------------------------------------------------------------------

    @property
    def _optimizer(self) -> Any:
        """That of the last fit."""
        if "_network" not in self.__dict__ or not self._trained_in_steps:
            raise AttributeError("There is no optimizer: no fit in steps was made.")
        return self._network.optimizer

    def _make_network(self, widths: list[int], dtype: str, random_state: Any) -> None:
        seed = int(random_state.randint(2**31 - 1)) if isinstance(self.dropout, list | tuple) or self.dropout else 0
        self._network = network.make_network(self, widths, dtype, seed)
        self._trained_in_steps = False

    def _bind(self) -> None:
        """Let ``coefs_`` and ``intercepts_`` be the arrays of the network: what is written there, it computes with."""
        dense = network.dense_layers(self._network)
        self.coefs_ = [layer.kernel.view for layer in dense]
        self.intercepts_ = [layer.bias.view for layer in dense]
        self._views = [*self.coefs_, *self.intercepts_]

    def _own_network(self) -> Sequential:
        """The network, with ``coefs_`` and ``intercepts_`` also where others were put there."""
        given = [*self.coefs_, *self.intercepts_]
        if len(given) != len(self._views) or any(a is not b for a, b in zip(given, self._views, strict=True)):
            self._load(given)
        return self._network

    def _load(self, given: list[Any]) -> None:
        dense = network.dense_layers(self._network)
        weights = [*(layer.kernel for layer in dense), *(layer.bias for layer in dense)]
        if len(given) != len(weights):
            raise ValueError(f"coefs_ and intercepts_ must have {len(dense)} arrays each.")
        for weight, value in zip(weights, given, strict=True):
            weight.assign(value)
        self._bind()

    def __getstate__(self) -> dict[str, Any]:
        """Without the arrays that the network has."""
        if "_network" in self.__dict__:
            self._own_network()
        state = dict(super().__getstate__())
        if "_network" in state:
            for name in ("_views", "coefs_", "intercepts_"):
                state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_network" in self.__dict__:
            self._bind()

    # ---- fitting -----------------------------------------------------------------------------------------------------

    def _fit(self, x: Any, y: Any, sample_weight: Any, incremental: bool = False, validation_data: Any = None) -> MLP:
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        hidden = self.hidden_layer_sizes
        hidden = list(hidden) if hasattr(hidden, "__iter__") else [hidden]
        if np.any(np.array(hidden) <= 0):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        x, y = self._checked_data(x, y, incremental, reset=first)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x)
        dtype = self.dtype or ("float32" if x.dtype == np.float32 else "float64")
        random_state = check_random_state(self.random_state)
        self.n_outputs_ = self._columns_of(y)
        sizes = [checks.positive_int(size, "each of hidden_layer_sizes") for size in hidden]
        widths = [x.shape[1], *sizes, self.n_outputs_]
        if first:
            self._begin(widths, dtype, random_state)
        elif "_network" not in self.__dict__:  # coefs_ were put there by hand
            self._make_network(widths, dtype, random_state)
            self._load([*self.coefs_, *self.intercepts_])
        weights = self._weighted(y, sample_weight)
        with parallel.using(self.threads):
            if self.solver == "lbfgs":
                self._check_for_lbfgs(validation_data)
                self._fit_lbfgs(x, y, weights)
            else:
                self._fit_in_steps(x, y, sample_weight, weights, random_state, incremental, validation_data)
        if not all(np.isfinite(w).all() for w in self._views):
            raise self._not_finite()
        return self

    def _begin(self, widths: list[int], dtype: str, random_state: Any) -> None:
        """A new network, with scikit-learn's initial values, and empty records."""
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(widths)
        self.out_activation_ = self._out_activation()
        self._make_network(widths, dtype, random_state)
        dense = network.dense_layers(self._network)
        for layer, (kernel, bias) in zip(dense, network.initial_values(self, widths, random_state), strict=True):
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
        self._bind()
        if self.solver != "lbfgs":
            self.loss_curve_: list[float] = []
            self._no_improvement_count = 0
            stops = self.early_stopping
            self.validation_scores_: list[float] | None = [] if stops else None
            self.best_validation_score_ = -np.inf if stops else None
            self.best_loss_ = None if stops else np.inf

    @staticmethod
    def _not_finite() -> ValueError:
        return ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
            "preprocessed. Scale it, for instance with sklearn.preprocessing.StandardScaler, or lower "
            "learning_rate_init."
        )

    def _compile(self, metrics: list[str]) -> None:
        loss, weight = network.loss_of(self)
        self._network.compile(
            network.optimizer_of(self), loss, loss_weights=None if weight == 1 else [weight], weighted_metrics=metrics
        )

    def _check_for_lbfgs(self, validation_data: Any) -> None:
        """Raise ValueError for what is about batches or epochs."""
        if self.callbacks is not None or validation_data is not None:
            raise ValueError(
                "solver='lbfgs' has no epochs, and takes no callbacks and validation_data. Take another solver, such "
                "as 'adam'."
            )
        if self.batch_normalization or any(np.ravel(self.dropout)):
            raise ValueError(
                "solver='lbfgs' sees all samples at once, and has no use for dropout and batch_normalization. Take "
                "another solver, such as 'adam'."
            )

    def _fit_lbfgs(self, x: Any, y: Array, weights: Array | None) -> None:
        model = self._own_network()
        self._compile([])
        self._trained_in_steps = False
        share, constant = self._parts_of_loss(y, weights)
        lbfgs.minimize(
            self,
            model,
            x,
            self._targets_of(y, model.dtype),
            weights,
            lambda loss, penalty: (loss - penalty) * share + penalty + constant,
        )

    def _fit_in_steps(
        self,
        x: Any,
        y: Array,
        sample_weight: Array | None,
        weights: Array | None,
        random_state: Any,
        incremental: bool,
        validation_data: Any,
    ) -> None:
        model = self._own_network()
        held_out = None
        if validation_data is not None:
            held_out = self._checked_validation(validation_data)
        begins = not incremental or not self._trained_in_steps
        if begins:
            metrics = [] if self.callbacks is None and held_out is None else self._metrics
            self._compile([*metrics, *self._metrics_of_loss()])
            self._trained_in_steps = True
        score = None
        if self.early_stopping and held_out is not None:
            score = self._scoring(*held_out)
        elif self.early_stopping:
            # As scikit-learn: by the column of a network of two classes.
            stratify = y.astype(bool)[:, None] if self._stratifies and self.n_outputs_ == 1 else None
            kept, left = train_test_split(
                np.arange(x.shape[0]),
                random_state=random_state,
                test_size=self.validation_fraction,
                stratify=stratify,
            )
            if len(left) < 2:
                raise ValueError(
                    "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
                )
            score = self._scoring(x[left], y[left], None if sample_weight is None else sample_weight[left])
            x, y, weights = x[kept], y[kept], None if weights is None else weights[kept]
        if begins and self.shuffle:  # behind the split, which is scikit-learn's
            model._seed_orders(int(random_state.randint(2**31 - 1)))
        self.n_iter_ = 0
        epochs = Epochs(self, x.shape[0], self._reported(y, weights), score, incremental)
        self._run(model, x, y, weights, held_out, epochs, 1 if incremental else self.max_iter)
        if epochs.best is not None:
            model.set_weights(epochs.best)
        if not epochs.converged and not incremental and self.n_iter_ == self.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _run(
        self,
        model: Sequential,
        x: Any,
        y: Array,
        weights: Array | None,
        held_out: tuple[Any, Array, Array | None] | None,
        epochs: Epochs,
        most: int,
    ) -> None:
        """Train for at most so many epochs."""
        callbacks = [epochs] if self.callbacks is None else [self.callbacks, epochs]
        validation = None
        if held_out is not None:
            validation = (held_out[0], self._targets_of(held_out[1], model.dtype), *held_out[2:])
        try:
            model.fit(
                x,
                self._targets_of(y, model.dtype),
                batch_size=self._batch_size(x.shape[0]),
                epochs=most,
                verbose=0,
                callbacks=callbacks,
                shuffle=self.shuffle,
                sample_weight=weights,
                validation_data=validation,
                check_finite=False,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        except DivergedError:
            if epochs.score is None:
                raise self._not_finite() from None
        self.history_ = model.history.history if model.history is not None else {}

    def _batch_size(self, samples: int) -> int:
        if self.batch_size == "auto":
            return min(200, samples)
        if self.batch_size > samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=5
            )
        return int(np.clip(self.batch_size, 1, samples))

    _metrics: tuple[str, ...] = ()  # that callbacks may want

    def _metrics_of_loss(self) -> list[str]:
        """What must be measured to report scikit-learn's loss."""
        return []

    def _reported(self, y: Array, weights: Array | None) -> Callable[[dict[str, float]], float]:
        """scikit-learn's loss from the logs of an epoch."""
        return lambda logs: logs["loss"]

    def _parts_of_loss(self, y: Array, weights: Array | None) -> tuple[float, float]:
        """What scikit-learn's loss has of that of the network, penalties aside, and what it adds to it."""
        return 1.0, 0.0

    def _scoring(self, x: Any, y: Array, sample_weight: Array | None = None) -> Callable[[], float]:
        model = self._network

        def score() -> float:
            outputs = self._finished(model(x))
            return self._score_of(outputs, y, sample_weight) if np.isfinite(outputs).all() else math.nan

        return score

    def _checked_validation(self, given: Any) -> tuple[Any, Array, Array | None]:
        """``(x, y)`` or ``(x, y, sample_weight)`` as the network takes it."""
        if not isinstance(given, list | tuple) or len(given) not in (2, 3):
            raise ValueError("validation_data must be (X, y) or (X, y, sample_weight).")
        # The classes and features are those of the training data.
        x, y = self._checked_data(given[0], given[1], True, reset=False)
        weights = _check_sample_weight(given[2], x) if len(given) == 3 and given[2] is not None else None
        return x, y, weights

    # ---- predictions -------------------------------------------------------------------------------------------------

    def _outputs(self, x: Any) -> Array:
        """What the network gives for samples, which are checked as scikit-learn does."""
        if "coefs_" not in self.__dict__:
            check_is_fitted(self)
        model = self._own_network()
        if self._is_plain(x):
            try:
                with parallel.using(self.threads):
                    return self._finished(model(x))
            except ValueError:
                pass  # scikit-learn says it in its own words
        x = validated(self, x, accept_sparse="csr", dtype=TAKEN, reset=False)
        with parallel.using(self.threads):
            return self._finished(model(x))

    def _finished(self, outputs: Any) -> Array:
        """The predictions that outputs of the network stand for."""
        return np.asarray(outputs)

    def _is_plain(self, x: Any) -> bool:
        """Whether there is nothing to check in `x` but NaN, which the engine looks for as it goes."""
        if type(x) is not np.ndarray or x.ndim != 2 or "feature_names_in_" in self.__dict__:
            return False
        return bool(x.dtype == self._views[0].dtype and x.shape[1] == self.n_features_in_ and len(x))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
