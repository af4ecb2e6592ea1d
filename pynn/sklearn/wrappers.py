"""`Classifier` and `Regressor`: any pynn model as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target
from sklearn.utils.validation import column_or_1d

from .. import activations, losses
from ..losses import Loss
from ..models import Model, Sequential
from .labels import Labels, weights_of_classes
from .wrapper import WEIGHTED, Wrapper

Array = NDArray[Any]


class Classifier(ClassifierMixin, Wrapper):  # type: ignore[misc]
    """A pynn model that tells classes: labels of any kind, or a column of 0 and 1 for each of several labels.

    Parameters
    ----------
    model : function or pynn.Model
        A function that makes a model, compiled or not; or a model, which each ``fit`` copies with its weights. The
        function may have the arguments ``meta``, a dict of ``n_features_in_``, ``X_shape_``, ``X_dtype_``,
        ``target_type_``, ``classes_``, ``n_classes_`` and ``n_outputs_``, and ``compile_kwargs``, a dict of
        ``optimizer``, ``loss`` and ``metrics``. Its others are given as ``model__units=64``.
    optimizer : str or pynn.optimizers.Optimizer, default='rmsprop'
        For models that are not compiled. Its arguments are given as ``optimizer__learning_rate=1e-3``.
    loss : str, pynn.losses.Loss or None, default=None
        Likewise, ``loss__label_smoothing=0.1``. None: ``binary_crossentropy`` where the model has one output for two
        classes, or several labels, else ``sparse_categorical_crossentropy``; both divide by the sum of the weights of
        samples, so that a weight of 2 counts as the sample twice, and take outputs as logits where the last layer has
        no activation.
    metrics : list or None, default=None
        Likewise. None: ``["accuracy"]``.
    epochs, batch_size, verbose, callbacks, validation_split, shuffle : default=1, None, 0, None, 0.0, True
        As of ``Model.fit``. Any argument of it may be given as ``fit__...``, which goes first, and any of
        ``Model.predict`` as ``predict__...``.
    class_weight : dict, 'balanced' or None, default=None
        What samples of each class count for. It multiplies ``sample_weight``.
    random_state : int, RandomState or None, default=None
        Decides initial values, the order of samples and noise.
    warm_start : bool, default=False
        Whether ``fit`` goes on with the model of the last one.
    threads : int or None, default=None
        Threads of the engine. None: ``pynn.config.get_num_threads()``.

    Attributes
    ----------
    model_ : pynn.Model
        The model of the last fit.
    classes_ : ndarray
    history_ : dict
        Losses and metrics by epoch.
    n_features_in_, feature_names_in_, n_outputs_, X_shape_, X_dtype_, target_type_ :
        What was fitted to.

    Examples
    --------
    >>> def make(meta, units=32):
    ...     layers = pynn.layers
    ...     return pynn.Sequential([
    ...         pynn.Input(meta["X_shape_"][1:]),
    ...         layers.Dense(units, activation="relu"),
    ...         layers.Dense(meta["n_classes_"], activation="softmax"),
    ...     ])
    >>> settings = {"model__units": [16, 64], "optimizer__learning_rate": [0.01, 0.001]}
    >>> search = GridSearchCV(Classifier(make, epochs=20), settings)
    """

    def __init__(
        self,
        model: Any = None,
        *,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        epochs: int = 1,
        batch_size: Any = None,
        verbose: Any = 0,
        callbacks: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        class_weight: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        threads: int | None = None,
        **routed: Any,
    ) -> None:
        super().__init__(
            routed,
            model=model,
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            epochs=epochs,
            batch_size=batch_size,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            shuffle=shuffle,
            class_weight=class_weight,
            random_state=random_state,
            warm_start=warm_start,
            threads=threads,
        )

    classes_: Array

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Classifier:  # noqa: N803
        """Fit to samples of any shape, (samples, ...), and labels; ``validation_data`` is (X, y[, sample_weight])."""
        self._fit(X, y, sample_weight, validation_data)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Classifier:  # noqa: N803
        """One epoch. The first call is told all ``classes`` that may come."""
        if _check_partial_fit_first_call(self, classes):
            self._labels = Labels.of(y if type_of_target(y).startswith("multilabel") else classes)
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The likeliest class of each sample, or its labels as a row of 0 and 1."""
        shares = self._shares(self._outputs(X))
        if self._labels.kind == "binary" and shares.shape[1] == 2:
            return self._labels.of_numbers(shares.argmax(axis=1))
        return self._labels.of_numbers(self._labels.chosen(shares))

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class, in the order of ``classes_``: (samples, classes)."""
        shares = self._shares(self._outputs(X))
        return shares if shares.shape[1] == len(self.classes_) > 1 else self._labels.probabilities(shares)

    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """``log(predict_proba(X))``."""
        with np.errstate(divide="ignore"):  # where one is 0
            logs: Array = np.log(self.predict_proba(X))
            return logs

    def _shares(self, outputs: Array) -> Array:
        """Probabilities from outputs, which may be logits."""
        if not getattr(self.model_.loss, "from_logits", False):
            return outputs
        function: Any = activations.sigmoid if outputs.shape[1] == 1 or self._several else activations.softmax
        return np.asarray(function(outputs))

    @property
    def _several(self) -> bool:
        return self._labels.kind == "multilabel-indicator"

    # ---- targets -----------------------------------------------------------------------------------------------------

    def _checked_targets(self, y: Any, incremental: bool) -> Array:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        found = Labels.of(y)
        if hasattr(self, "classes_") and (self.warm_start or incremental):
            unknown = np.setdiff1d(found.classes, self.classes_, assume_unique=True)
            if len(unknown):
                raise ValueError(f"y has the classes {unknown}, which are none of the classes {self.classes_} so far.")
        else:
            self._labels, self.classes_ = found, found.classes
        return self._labels.numbers(y)

    def _meta(self, y: Array) -> dict[str, Any]:
        columns = len(self.classes_) if self._several else 1
        return {
            "classes_": self.classes_,
            "n_classes_": len(self.classes_),
            "n_outputs_": columns,
            "target_type_": self._labels.kind,
        }

    def _default_loss(self, model: Model) -> Loss:
        last: Any = model
        while isinstance(last, Model):
            last = last.layers[-1] if isinstance(last, Sequential) else last.outputs[0].node.layer
        logits = getattr(getattr(last, "activation", None), "name", "") == "linear"
        if self._several or (self._labels.kind == "binary" and self._columns(model) == 1):
            return losses.BinaryCrossentropy(from_logits=logits, reduction=WEIGHTED)
        return losses.SparseCategoricalCrossentropy(from_logits=logits, reduction=WEIGHTED)

    _default_metrics = ("accuracy",)

    def _targets_of(self, y: Array, model: Model) -> Array:
        columns, classes, sparse = self._columns(model), len(self.classes_), getattr(model.loss, "sparse", False)
        wanted = (1, 2) if self._labels.kind == "binary" else (classes,)
        if columns not in wanted:
            raise ValueError(
                f"The model has {columns} outputs, but there are {classes} classes: {self.classes_}. Give its last "
                'layer as many units, which the function that makes it finds in meta["n_classes_"].'
            )
        if self._several or sparse or columns == 1:
            return y
        return np.eye(columns, dtype=np.float32)[y]

    def _weighted(self, y: Array, sample_weight: Array | None) -> Array | None:
        return weights_of_classes(self.class_weight, self._labels, y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class Regressor(RegressorMixin, Wrapper):  # type: ignore[misc]
    """A pynn model that gives numbers, (samples,) or (samples, outputs).

    Parameters
    ----------
    model, optimizer, loss, metrics, epochs, batch_size, verbose, callbacks, validation_split, shuffle, random_state, \
warm_start, threads :
        As of `Classifier`. The default loss is ``mean_squared_error``, divided by the sum of weights; ``meta`` has
        ``n_features_in_``, ``X_shape_``, ``X_dtype_``, ``target_type_`` and ``n_outputs_``.

    Attributes
    ----------
    model_, history_, n_features_in_, feature_names_in_, n_outputs_, X_shape_, X_dtype_, target_type_ :
        As of `Classifier`.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        epochs: int = 1,
        batch_size: Any = None,
        verbose: Any = 0,
        callbacks: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        random_state: Any = None,
        warm_start: bool = False,
        threads: int | None = None,
        **routed: Any,
    ) -> None:
        super().__init__(
            routed,
            model=model,
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            epochs=epochs,
            batch_size=batch_size,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            shuffle=shuffle,
            random_state=random_state,
            warm_start=warm_start,
            threads=threads,
        )

    def fit(self, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None) -> Regressor:  # noqa: N803
        """Fit to samples of any shape, (samples, ...), and values; ``validation_data`` is (X, y[, sample_weight])."""
        self._fit(X, y, sample_weight, validation_data)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:  # noqa: N803
        """One epoch."""
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The values."""
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs

    # ---- targets -----------------------------------------------------------------------------------------------------

    _numeric = True
    _default_metrics = ()

    def _checked_targets(self, y: Any, incremental: bool) -> Array:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return np.asarray(y)

    def _meta(self, y: Array) -> dict[str, Any]:
        return {"n_outputs_": 1 if y.ndim == 1 else int(np.prod(y.shape[1:])), "target_type_": type_of_target(y)}

    def _default_loss(self, model: Model) -> Loss:
        return losses.MeanSquaredError(reduction=WEIGHTED)

    def _targets_of(self, y: Array, model: Model) -> Array:
        return y
