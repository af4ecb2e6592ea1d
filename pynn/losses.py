"""Losses: what training makes small.

A loss has one value for each row of the prediction, a row being its last axis; ``reduction`` says what becomes of the
rows' values. In the formulas ``y`` is the target, ``p`` the prediction, and mean and sum go over the last axis.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import config
from .data import arrays
from .foundation import checks, identifiers, parallel
from .foundation.native import core

Array = NDArray[Any]

_REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "none", None)


class Loss:
    """Base of the losses; called as ``loss(y_true, y_pred)``.

    Args:
        reduction: ``"sum_over_batch_size"`` (the default) or ``"mean"``: the mean of the rows' values; ``"sum"``:
            their sum; ``None`` or ``"none"``: the values themselves, for direct calls only.
        name: Default: the loss's own name.
        dtype: Number type of direct calls. Default ``None``: that of the prediction. A model computes in its own.

    Attributes:
        native_name, a: What the engine calls the loss, and its setting there.
        sparse: Whether the targets are class labels, one a row.
        fusable: For the name of a last activation, the engine's name of this loss computed from the activation's
            input: faster, and exact where the activation saturates.
    """

    native_name: str = ""
    default_name: ClassVar[str] = ""  # where it is not native_name
    a: float = 0.0
    sparse: bool = False
    fusable: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed
    labels_hint: ClassVar[str] = ""  # what to do with class labels, where one-hot rows are asked for

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: DTypeLike | None = None
    ) -> None:
        if reduction not in _REDUCTIONS:
            raise ValueError(f"reduction must be one of {_REDUCTIONS}, but got {reduction!r}.")
        self.reduction = reduction
        self.name = name or self.default_name or self.native_name
        self.dtype = None if dtype is None else config.resolve_dtype(dtype)

    @property
    def averages(self) -> bool:
        """Whether the rows' values are averaged rather than added."""
        return self.reduction in ("sum_over_batch_size", "mean")

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        """Return the targets as the engine takes them: checked, (samples, *output_shape), of `dtype`.

        Args:
            y: The targets as the user gave them.
            dtype: Number type of the prediction.
            output_shape: Shape of the prediction without the batch axis.
            name: What error messages call `y`.

        Raises:
            TypeError, ValueError: targets of a kind, shape or value that this loss cannot take.
        """
        targets = arrays.as_targets(y, name, dtype, output_shape, self.labels_hint)
        self.check_values(targets, name)
        return targets

    def check_values(self, targets: Array, name: str) -> None:
        """Raise ValueError where a target has a value that this loss has no meaning for."""

    def forward(self, values: Array, y_pred: Array, y_true: Array) -> None:
        """Write the loss of every row of `y_pred` to `values` (float64); `y_true` is prepared."""
        core.loss_forward(values, y_pred, y_true, self.native_name, self.a, parallel.get_num_threads())

    def backward(self, dy_pred: Array, y_pred: Array, y_true: Array, scale: float) -> None:
        """Write the gradient for `y_pred` of `scale` times the sum of the rows' losses to `dy_pred`."""
        threads = parallel.get_num_threads()
        core.loss_backward(dy_pred, y_pred, y_true, self.native_name, self.a, scale, threads)

    def row_values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """The loss of every row, in float64: shape ``y_pred.shape[:-1]``."""
        return row_values(self, y_true, y_pred)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> float | Array:
        """The reduced loss as a float, or the rows' values where there is no reduction."""
        values = self.row_values(y_true, y_pred)
        if self.reduction in (None, "none"):
            return values
        total = float(values.sum())
        return total / max(values.size, 1) if self.averages else total

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return {"reduction": self.reduction, "name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """The loss of these arguments."""
        return cls(**config)


class RowFunction(Protocol):
    """What a loss and a metric have in common: values of rows."""

    dtype: str | None

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array: ...

    def forward(self, values: Array, y_pred: Array, y_true: Array) -> None: ...


def row_values(function: RowFunction, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Check the arguments of a direct call of a loss or metric, and compute the value of every row."""
    dtype = function.dtype or arrays.float_dtype_of(y_pred, config.floatx())
    predictions = arrays.as_array(y_pred, "y_pred", dtype)
    rows_shape = predictions.shape[:-1]
    if predictions.ndim == 0 or predictions.shape[-1] == 0:
        raise ValueError(f"y_pred must have rows of at least one element, but has the shape {predictions.shape}.")
    if predictions.ndim == 1:  # one row: a batch of one
        predictions = predictions[None]
        y_true = arrays.as_numbers(y_true, "y_true")[None]
    targets = function.prepare_targets(y_true, dtype=dtype, output_shape=predictions.shape[1:], name="y_true")
    arrays.same_length(y_true=targets, y_pred=predictions)
    values = np.empty(predictions.shape[:-1])
    if values.size:
        function.forward(values, predictions, targets)
    return values.reshape(rows_shape)


# ---- regression ------------------------------------------------------------------------------------------------------


class MeanSquaredError(Loss):
    """``mean((y - p)**2)``."""

    native_name = "mean_squared_error"


class MeanAbsoluteError(Loss):
    """``mean(abs(y - p))``."""

    native_name = "mean_absolute_error"


class MeanAbsolutePercentageError(Loss):
    """``100 * mean(abs(y - p) / max(abs(y), 1e-7))``."""

    native_name = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(Loss):
    """``mean((log(1 + max(y, 1e-7)) - log(1 + max(p, 1e-7)))**2)``."""

    native_name = "mean_squared_logarithmic_error"


class SumSquaredError(Loss):
    """``sum((y - p)**2) / 2``: the textbooks' E. With ``reduction="sum"`` it is summed over the samples too."""

    native_name = "sum_squared_error"


class Huber(Loss):
    """Mean of ``d**2 / 2`` where ``abs(d) <= delta``, else ``delta * abs(d) - delta**2 / 2``, with ``d = y - p``.

    Args:
        delta: Where the parabola turns into a line, above 0. Default ``1.0``.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "huber"
    default_name = "huber_loss"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.a = self.delta = checks.number(delta, "delta", "(0, inf)")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta}


class LogCosh(Loss):
    """``mean(log(cosh(p - y)))``."""

    native_name = "log_cosh"


class CosineSimilarity(Loss):
    """``-sum(y * p) / (norm(y) * norm(p))``: -1 for equal directions; 0 where either is 0.

    Args:
        axis: Only the last axis, ``-1``.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "cosine_similarity"

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        check_last_axis(axis)


# ---- probabilities ---------------------------------------------------------------------------------------------------


class Poisson(Loss):
    """``mean(p - y * log(p + 1e-7))``."""

    native_name = "poisson"


class KLDivergence(Loss):
    """``sum(y * log(y / p))``, both clipped to [1e-7, 1]."""

    native_name = "kl_divergence"


class Crossentropy(Loss):
    """Base of the cross-entropies: their arguments, and which last activation they are fused with."""

    last_activation: ClassVar[str]

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        check_last_axis(axis)
        self.from_logits = checks.boolean(from_logits, "from_logits")
        self.a = self.label_smoothing = checks.number(label_smoothing, "label_smoothing", "[0, 1]")
        of_logits = f"{self.native_name}_from_logits"
        if self.from_logits:
            self.native_name = of_logits
        else:
            self.fusable = {self.last_activation: of_logits}

    def check_values(self, targets: Array, name: str) -> None:
        arrays.check_within(targets, name, 0.0, 1.0, self.name)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}
        return {**super().get_config(), **own}


class BinaryCrossentropy(Crossentropy):
    """``-mean(y * log(p) + (1 - y) * log(1 - p))``, p clipped to [1e-7, 1 - 1e-7]; y within [0, 1].

    Args:
        from_logits: Whether the prediction is x rather than ``p = sigmoid(x)``; nothing is clipped then. Default
            ``False``; a model whose last activation is sigmoid computes from the logits anyway.
        label_smoothing: s replaces y by ``y * (1 - s) + s / 2``. Default ``0.0``.
        axis: Only the last axis, ``-1``.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "binary_crossentropy"
    last_activation = "sigmoid"


class CategoricalCrossentropy(Crossentropy):
    """``-sum(y * log(p))``, p divided by its sum and clipped to [1e-7, 1 - 1e-7]; y one-hot or probabilities.

    Args:
        from_logits: Whether the prediction is x rather than ``p = softmax(x)``; nothing is clipped then. Default
            ``False``; a model whose last activation is softmax computes from the logits anyway.
        label_smoothing: s replaces y by ``y * (1 - s) + s / classes``. Default ``0.0``.
        axis: Only the last axis, ``-1``.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "categorical_crossentropy"
    last_activation = "softmax"
    labels_hint = "For class labels use sparse_categorical_crossentropy, or pynn.utils.to_categorical."

    def check_values(self, targets: Array, name: str) -> None:
        super().check_values(targets, name)
        if targets.shape[-1] == 1:
            warnings.warn(f"{self.name} of a single class is always 0: use binary_crossentropy.", stacklevel=2)


class SparseCategoricalCrossentropy(Crossentropy):
    """``-log(p[label])``, p divided by its sum and clipped to [1e-7, 1 - 1e-7]; the targets are class labels.

    Shapes: prediction ``(N, ..., classes)``, labels ``(N, ...)`` or ``(N, ..., 1)``, in [0, classes).

    Args:
        from_logits: Whether the prediction is x rather than ``p = softmax(x)``; nothing is clipped then. Default
            ``False``; a model whose last activation is softmax computes from the logits anyway.
        label_smoothing: As in `CategoricalCrossentropy` with the labels one-hot. Default ``0.0``.
        ignore_class: Not supported; None only.
        axis: Only the last axis, ``-1``.
        reduction, name, dtype: see `Loss`.
    """

    native_name = "sparse_categorical_crossentropy"
    last_activation = "softmax"
    sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        *,
        label_smoothing: float = 0.0,
    ) -> None:
        if ignore_class is not None:
            raise ValueError(f"ignore_class is not supported, but got {ignore_class!r}. Leave these samples out.")
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        """Return int32 labels (samples, *output_shape[:-1]), each checked to be a class."""
        if not output_shape:
            raise ValueError(f"{self.name} takes predictions with an axis of classes, but a sample is one number.")
        return arrays.as_class_labels(y, name, output_shape[:-1], output_shape[-1])


# ---- margins ---------------------------------------------------------------------------------------------------------


class _Signed(Loss):
    """Base of the losses for targets of -1 and 1, or of 0 and 1, where 0 counts as -1, as in Keras."""

    def check_values(self, targets: Array, name: str) -> None:
        zeros = targets == 0
        if zeros.any() and not (zeros | (targets == 1)).all():
            raise ValueError(f"{self.name} takes targets of -1 and 1, or of 0 and 1, but {name} mixes 0 with others.")


class Hinge(_Signed):
    """``mean(max(1 - y * p, 0))``, y being -1 or 1 (of targets 0 and 1, 0 counts as -1)."""

    native_name = "hinge"


class SquaredHinge(_Signed):
    """``mean(max(1 - y * p, 0)**2)``, y being -1 or 1 (of targets 0 and 1, 0 counts as -1)."""

    native_name = "squared_hinge"


class CategoricalHinge(Loss):
    """``max(max((1 - y) * p) - sum(y * p) + 1, 0)``, y being one-hot."""

    native_name = "categorical_hinge"
    labels_hint = "Make class labels one-hot: pynn.utils.to_categorical."


class Perceptron(_Signed):
    """``mean(max(0, -y * z))``, y being -1 or 1 (of targets 0 and 1, 0 counts as -1) (Rosenblatt, 1958).

    Its derivative is -y wherever ``y * z <= 0``: gradient descent on it is Rosenblatt's rule, and learns from zero
    weights too. After a ``step`` activation, z is the activation's input.
    """

    native_name = "perceptron"
    fusable = {"step": "perceptron"}  # noqa: RUF012 - never changed


def check_last_axis(axis: int) -> None:
    """Raise ValueError unless `axis` is -1."""
    if axis != -1:
        raise ValueError(f"axis must be -1, the last axis, but got {axis!r}.")


# ---- the functions ---------------------------------------------------------------------------------------------------


def _row_function(loss_class: type[Loss]) -> Callable[[ArrayLike, ArrayLike], Array]:
    """The function of a loss that has no settings."""
    loss = loss_class(reduction=None)

    def function(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return loss.row_values(y_true, y_pred)

    function.__name__ = function.__qualname__ = loss.native_name
    function.__doc__ = f"{loss_class.__doc__}\n\n    Returns one value a row: shape ``y_pred.shape[:-1]``."
    return function


mean_squared_error = _row_function(MeanSquaredError)
mean_absolute_error = _row_function(MeanAbsoluteError)
mean_absolute_percentage_error = _row_function(MeanAbsolutePercentageError)
mean_squared_logarithmic_error = _row_function(MeanSquaredLogarithmicError)
sum_squared_error = _row_function(SumSquaredError)
log_cosh = _row_function(LogCosh)
poisson = _row_function(Poisson)
kl_divergence = _row_function(KLDivergence)
hinge = _row_function(Hinge)
squared_hinge = _row_function(SquaredHinge)
categorical_hinge = _row_function(CategoricalHinge)
perceptron = _row_function(Perceptron)


def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> Array:
    """`Huber`'s value of each row."""
    return Huber(delta).row_values(y_true, y_pred)


def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """`CosineSimilarity`'s value of each row."""
    return CosineSimilarity(axis).row_values(y_true, y_pred)


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """`BinaryCrossentropy`'s value of each row."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).row_values(y_true, y_pred)


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """`CategoricalCrossentropy`'s value of each row."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).row_values(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """`SparseCategoricalCrossentropy`'s value of each row."""
    return SparseCategoricalCrossentropy(from_logits, axis=axis, label_smoothing=label_smoothing).row_values(
        y_true, y_pred
    )


# ---- identifiers -----------------------------------------------------------------------------------------------------

_FUNCTIONS: dict[Callable[..., Array], type[Loss]] = {
    mean_squared_error: MeanSquaredError,
    mean_absolute_error: MeanAbsoluteError,
    mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError,
    sum_squared_error: SumSquaredError,
    huber: Huber,
    log_cosh: LogCosh,
    cosine_similarity: CosineSimilarity,
    poisson: Poisson,
    kl_divergence: KLDivergence,
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    hinge: Hinge,
    squared_hinge: SquaredHinge,
    categorical_hinge: CategoricalHinge,
    perceptron: Perceptron,
}
_ALIASES = {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
}
_TABLE: dict[str, type[Loss]] = {
    **{function.__name__: cls for function, cls in _FUNCTIONS.items()},
    **{cls.__name__: cls for cls in _FUNCTIONS.values()},
    **_ALIASES,
    **{alias.upper(): cls for alias, cls in _ALIASES.items()},
}


def is_function(identifier: object) -> TypeGuard[Callable[..., Array]]:
    """Whether `identifier` is one of this module's functions of rows."""
    return callable(identifier) and identifier in _FUNCTIONS


def get(identifier: object) -> Loss:
    """Return the loss meant by a name (``"mse"``), function of this module, class, instance or configuration.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if is_function(identifier):
        return _FUNCTIONS[identifier]()
    return identifiers.resolve(identifier, Loss, _TABLE, "loss")


def serialize(loss: Loss) -> dict[str, Any]:
    """The configuration that `get` reads."""
    return identifiers.serialize(loss)
