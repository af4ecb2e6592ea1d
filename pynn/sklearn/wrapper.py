"""What `Classifier` and `Regressor` have in common: routed parameters, the making of the model, fit and prediction."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .. import losses, optimizers
from ..errors import NotCompiledError
from ..foundation import draws, parallel
from ..losses import Loss
from ..models import Model
from .inputs import validated

Array = NDArray[Any]

# Whose arguments may be given to the estimator, as in ``model__units``.
_ROUTES = ("model", "optimizer", "loss", "fit", "predict")
WEIGHTED = "mean_with_sample_weight"


class Wrapper(BaseEstimator):  # type: ignore[misc]
    """Base of the two estimators; a subclass says what its targets are."""

    def __init__(self, routed: dict[str, Any], **settings: Any) -> None:
        self._check_known(name for name in routed if name != "routed")  # as in set_params
        for name, value in {**settings, **routed}.items():
            setattr(self, name, value)

    def _check_known(self, names: Iterable[str]) -> None:
        """Raise ValueError for a name of no parameter."""
        unknown = [name for name in names if not _is_routed(name)]
        if unknown:
            routes = ", ".join(f"{route}__..." for route in _ROUTES)
            raise ValueError(
                f"Invalid parameter {unknown[0]!r} for estimator {type(self).__name__}. Valid parameters are: "
                f"{self._get_param_names()}, and {routes}."
            )

    # ---- routed parameters -------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters, also those that are routed, such as ``model__units``."""
        own: dict[str, Any] = super().get_params(deep=False)
        return own | {name: value for name, value in vars(self).items() if _is_routed(name)}

    def set_params(self, **params: Any) -> Wrapper:
        """Set parameters; ValueError for an unknown one."""
        known = super().get_params(deep=False)
        if "routed" in params:  # the name in the signature; what is wrong in a parameter, fit says
            routed = params.pop("routed")
            params |= routed if isinstance(routed, dict) else {"fit__routed": routed}
        self._check_known([name for name in params if name not in known])
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def _routed(self, route: str) -> dict[str, Any]:
        """The arguments for `route`, by their names there."""
        start = f"{route}__"
        return {name[len(start) :]: value for name, value in vars(self).items() if name.startswith(start)}

    # ---- of the subclasses -------------------------------------------------------------------------------------------

    _numeric = False  # whether targets are numbers
    _default_metrics: tuple[str, ...] = ()

    def _checked_targets(self, y: Any, incremental: bool) -> Array:
        """Targets as numbers of classes, or values."""
        raise NotImplementedError

    def _meta(self, y: Array) -> dict[str, Any]:
        """What the function that makes a model may know of the targets."""
        raise NotImplementedError

    def _default_loss(self, model: Model) -> Loss:
        """The loss where none is given."""
        raise NotImplementedError

    def _targets_of(self, y: Array, model: Model) -> Array:
        """What the model is trained on."""
        raise NotImplementedError

    def _weighted(self, y: Array, sample_weight: Array | None) -> Array | None:
        """The weights of samples, with those of classes."""
        return sample_weight

    # ---- the model ---------------------------------------------------------------------------------------------------

    def _make_model(self, x: Any, meta: dict[str, Any], seed: int | None) -> Model:
        """A new model, compiled and built for `x`."""
        given = self.model
        with contextlib.nullcontext() if seed is None else draws.seeded(seed):
            if isinstance(given, Model):
                if self._routed("model"):
                    raise ValueError("model__... is for functions that make a model, but model is a model.")
                model = copy.deepcopy(given)
            elif callable(given):
                model = self._call(given, meta)
            else:
                raise TypeError(
                    f"model must be a function that makes a pynn model, or a model, but got {given!r} of type "
                    f"{type(given).__name__}."
                )
            if not model.built:
                model.build((None, *x.shape[1:]))
            self._compile(model)
        if seed is not None:
            model._seed_orders(seed)
        return model

    def _call(self, make: Any, meta: dict[str, Any]) -> Model:
        parameters = inspect.signature(make).parameters
        extra: dict[str, Any] = {}
        if "meta" in parameters:
            extra["meta"] = meta
        if "compile_kwargs" in parameters:
            extra["compile_kwargs"] = {
                "optimizer": self._made_optimizer(),
                "loss": self._made_loss(None),
                "metrics": self._made_metrics(),
            }
        made = make(**self._routed("model"), **extra)
        if not isinstance(made, Model):
            raise TypeError(f"model must make a pynn model, but it made {made!r} of type {type(made).__name__}.")
        return made

    def _compile(self, model: Model) -> None:
        try:
            model.optimizer  # noqa: B018 - raises where there is none
        except NotCompiledError:
            model.compile(self._made_optimizer(), self._made_loss(model), metrics=self._made_metrics())
            return
        takes = callable(self.model) and not isinstance(self.model, Model)
        if takes and "compile_kwargs" in inspect.signature(self.model).parameters:
            return
        ignored = [name for name in ("optimizer", "loss") if self._routed(name)]
        ignored += [name for name in ("loss", "metrics") if getattr(self, name) is not None]
        if ignored:
            raise ValueError(
                f"The model is compiled already, so that {ignored[0]} of the estimator would be ignored. Leave compile "
                "to the estimator, or give the function an argument compile_kwargs and compile with it."
            )

    def _made_optimizer(self) -> Any:
        routed = self._routed("optimizer")
        found = optimizers.get(copy.deepcopy(self.optimizer))
        return type(found)(**{**found.get_config(), **routed}) if routed else found

    def _made_loss(self, model: Model | None) -> Any:
        routed = self._routed("loss")
        given = self.loss
        if given is None and model is not None:
            given = self._default_loss(model)
        if not routed or given is None:
            return given
        if not isinstance(given, str | Loss):
            raise ValueError("loss__... is for one loss, by name or as a pynn.losses.Loss.")
        found = losses.get(given)
        return type(found)(**{**found.get_config(), **routed})

    def _made_metrics(self) -> list[Any]:
        return list(self._default_metrics if self.metrics is None else self.metrics)

    @staticmethod
    def _columns(model: Model) -> int:
        """Size of the last axis of the model's output."""
        return int(model.output_shape[-1])

    # ---- fit and predict ---------------------------------------------------------------------------------------------

    def _checked_data(self, x: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        x, y = validated(
            self,
            x,
            y,
            accept_sparse="csr",
            allow_nd=True,
            multi_output=True,
            y_numeric=self._numeric,
            dtype="numeric",
            reset=reset,
        )
        if not reset and x.shape[1:] != self.X_shape_[1:]:
            raise ValueError(f"X must have samples of the shape {self.X_shape_[1:]}, but has {x.shape[1:]}.")
        return x, self._checked_targets(y, incremental)

    def _fit(self, x: Any, y: Any, sample_weight: Any, validation_data: Any = None, incremental: bool = False) -> None:
        first = not hasattr(self, "model_") or (not self.warm_start and not incremental)
        x, y = self._checked_data(x, y, incremental, reset=first)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x)
        with parallel.using(self.threads):
            if first:
                self.X_shape_, self.X_dtype_ = x.shape, x.dtype
                meta = self._meta(y)
                self.n_outputs_, self.target_type_ = meta["n_outputs_"], meta["target_type_"]
                meta |= {name: getattr(self, name) for name in ("n_features_in_", "X_shape_", "X_dtype_")}
                seed = None
                if self.random_state is not None:
                    seed = int(check_random_state(self.random_state).randint(2**31 - 1))
                self.model_ = self._make_model(x, meta, seed)
            settings: dict[str, Any] = {
                "batch_size": self.batch_size,
                "epochs": self.epochs,
                "verbose": self.verbose,
                "callbacks": self.callbacks,
                "validation_split": self.validation_split,
                "shuffle": self.shuffle,
                **self._routed("fit"),
            }
            if incremental:
                settings |= {"epochs": 1, "initial_epoch": 0}
            if validation_data is not None:
                settings["validation_data"] = self._checked_validation(validation_data)
            weights = self._weighted(y, sample_weight)
            history = self.model_.fit(x, self._targets_of(y, self.model_), sample_weight=weights, **settings)
        self.history_ = history.history

    def _checked_validation(self, given: Any) -> tuple[Any, ...]:
        if not isinstance(given, list | tuple) or len(given) not in (2, 3):
            raise ValueError("validation_data must be (X, y) or (X, y, sample_weight).")
        x, y = self._checked_data(given[0], given[1], True, reset=False)
        return x, self._targets_of(y, self.model_), *given[2:]

    def _outputs(self, x: Any) -> Array:
        """What the model gives for samples, which are checked as scikit-learn does."""
        if "model_" not in self.__dict__:
            check_is_fitted(self)
        settings = self._routed("predict")
        lean = type(x) is np.ndarray and x.ndim > 1 and x.dtype.kind == "f" and len(x)
        with parallel.using(self.threads):
            if lean and not settings and "feature_names_in_" not in self.__dict__ and x.shape[1:] == self.X_shape_[1:]:
                try:
                    return np.asarray(self.model_(x))
                except ValueError:
                    pass  # scikit-learn says it in its own words
            x = validated(self, x, accept_sparse="csr", allow_nd=True, dtype="numeric", reset=False)
            if x.shape[1:] != self.X_shape_[1:]:
                raise ValueError(f"X must have samples of the shape {self.X_shape_[1:]}, but has {x.shape[1:]}.")
            return np.asarray(self.model_.predict(x, **{"verbose": 0, **settings}))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags


def _is_routed(name: str) -> bool:
    return name.split("__", 1)[0] in _ROUTES and "__" in name and not name.startswith("__")
