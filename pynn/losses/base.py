"""What all losses have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import config
from ..data import arrays
from ..foundation import checks, parallel
from ..foundation.identifiers import Described
from ..foundation.names import to_snake_case
from ..foundation.native import core

Array = NDArray[Any]
F = TypeVar("F", bound="Callable[..., Array]")

# For losses of one's own
OWN_LABELS_HINT = (
    "Make class labels one-hot: pynn.utils.to_categorical; repeat targets that outputs share: np.repeat(y, 2, axis=-1)."
)

# What the engine calls them.
_REDUCTIONS: dict[str | None, str] = {
    "sum_over_batch_size": "mean",
    "mean": "mean",
    "mean_with_sample_weight": "weighted_mean",
    "sum": "sum",
    "none": "",
    None: "",
}


class Loss(Described):
    """Base of the losses; called as ``loss(y_true, y_pred, sample_weight=None)``.

    A loss of one's own is a subclass with ``call(y_true, y_pred)``, which returns a value for each sample, or more. A
    model runs it with symbolic tensors, not for each batch: see docs/own-losses.md.

    Args:
        reduction: What becomes of the rows' values, each multiplied by its weight. ``"sum_over_batch_size"`` (the
            default) or ``"mean"``: their sum divided by the number of rows; ``"mean_with_sample_weight"``: divided by
            the sum of the weights; ``"sum"``: their sum, so that steps grow with the batch, and what is reported is the
            sum of a batch, on average; ``None`` or ``"none"``: the values themselves, for direct calls only. Rows that
            `ignore_class` leaves out count for nothing. Of no rows, or no weights, the loss is 0.
        name: Default: the loss's own name.
        dtype: Number type of direct calls. Default ``None``: that of the prediction. A model computes in its own.

    Attributes:
        native_name, a: What the engine calls the loss, and its settings there: one number, or several.
        is_own: Whether it is one's own: its `call` is Python, and the engine knows no name of it.
        sparse: Whether the targets are class labels, one a row.
        ignore_class: The label of rows that count for nothing; None for none.
        of_rows: Whether it has a value for each row. Others have values of sums: see `summed_axes`.
        axis: That of a row's elements. Direct calls take any; a model, and `pynn.ops`, the last one only.
        fused_with: The last activation whose input the engine computes the loss from: faster, and exact where the
            activation saturates. Empty for none.
    """

    kind = "loss"
    native_name: str = ""
    default_name: ClassVar[str] = ""  # where it is not native_name
    is_own: ClassVar[bool] = False
    a: float | tuple[float, ...] = 0.0
    sparse: bool = False
    ignore_class: int | None = None
    of_rows: bool = True
    axis: Any = -1
    fused_with: str = ""
    labels_hint: ClassVar[str] = ""  # what to do with class labels, where one-hot rows are asked for

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: DTypeLike | None = None
    ) -> None:
        if type(self).call is Loss.call and not self.native_name:
            raise TypeError(f"{type(self).__name__} must define call. {self._own()}")
        self.reduction = checks.choice(reduction, "reduction", list(_REDUCTIONS))
        self.name = checks.text(name, "name") if name else self.automatic_name()
        self.dtype = None if dtype is None else config.resolve_dtype(dtype)

    @classmethod
    def _own(cls) -> str:
        return "A loss of your own is a subclass of pynn.losses.Loss with call(y_true, y_pred), or a function of these."

    @classmethod
    def _refuse(cls) -> None:
        if cls.native_name:
            raise TypeError(f"{cls.__name__} extends a loss of pynn, whose formula the engine has. {cls._own()}")
        cls.is_own, cls.of_rows, cls.labels_hint = True, False, OWN_LABELS_HINT

    @classmethod
    def automatic_name(cls) -> str:
        """The name of a loss that was given none."""
        return cls.default_name or cls.native_name or to_snake_case(cls.__name__)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values of rows, before weights and reduction. A loss of one's own says here what they are."""
        return self.row_values(y_true, y_pred)

    @property
    def native_reduction(self) -> str:
        """What the engine calls the reduction; empty for none."""
        return _REDUCTIONS[self.reduction]

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        """Return the targets as the engine takes them: checked, (samples, *output_shape), of `dtype`.

        What is ignored is still to be taken out: see `take_ignored`.

        Args:
            y: The targets as the user gave them.
            dtype: Number type of the prediction.
            output_shape: Shape of the prediction without the batch axis.
            name: What error messages call `y`.

        Raises:
            TypeError, ValueError: targets of a kind, shape or value that this loss cannot take.
        """
        if self.is_own:
            y = _without_last(arrays.as_numbers(y, name), output_shape)
        targets = arrays.as_targets(y, name, dtype, output_shape, self.labels_hint)
        self.check_values(targets, name)
        return targets

    def check_values(self, targets: Array, name: str) -> None:
        """Raise ValueError where a target has a value that this loss has no meaning for."""

    def summed_axes(self, shape: tuple[int, ...]) -> tuple[bool, list[tuple[int, bool]]] | None:
        """Of a loss without rows: whether it sums over samples, and each axis of one with whether it sums over it.

        Args:
            shape: That of a sample.

        Raises:
            ValueError: such a sample lacks an axis that the loss sums over, or has its rows along another.
        """
        check_last_axis(self, len(shape) + 1)
        return None

    def weights_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a sample's weights, where it has more than one; of a loss of rows, that of the rows.

        Raises:
            ValueError: a loss that takes no weights of samples.
        """
        return shape[:-1]

    def check_mask(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError where the loss cannot leave out steps of samples of this shape, as a mask says."""

    def take_ignored(self, targets: Array) -> Array | None:
        """Give rows of prepared targets that are to be ignored another target; return where they are, None for none."""
        return None

    def forward(self, values: Array, y_pred: Array, y_true: Array) -> None:
        """Write the loss of every row of `y_pred` to `values` (float64); `y_true` is prepared."""
        core.loss_forward(values, y_pred, y_true, self.native_name, self.a, parallel.get_num_threads())

    def backward(self, dy_pred: Array, y_pred: Array, y_true: Array, scale: float) -> None:
        """Write the gradient for `y_pred` of `scale` times the sum of the rows' losses to `dy_pred`."""
        threads = parallel.get_num_threads()
        core.loss_backward(dy_pred, y_pred, y_true, self.native_name, self.a, scale, threads)

    def row_values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """The loss of every row, in float64: the shape of `y_pred` without `axis`; 0 where a row is ignored."""
        return self._values(y_true, y_pred)[0]

    def _values(self, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array | None]:
        """The values of a direct call, and where they count: see `row_values`."""
        return (_values_of_own(self, y_true, y_pred), None) if self.is_own else row_values(self, y_true, y_pred)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float | Array:
        """The reduced loss as a float, or the rows' values where there is no reduction.

        Args:
            y_true, y_pred: Targets and predictions.
            sample_weight: What each row counts for: of the shape of the rows' values, with a last axis of size 1 more
                or less, or one that NumPy broadcasts to it. Default: all count alike.

        Raises:
            TypeError, ValueError: arrays that do not fit; weights that are negative or not finite.
        """
        values, kept = self._values(y_true, y_pred)
        weights = np.ones_like(values)
        if sample_weight is not None:
            values, weights = with_weights(values, sample_weight)
        if kept is not None:
            kept = np.broadcast_to(kept.reshape(kept.shape + (1,) * (values.ndim - kept.ndim)), values.shape)
            weights = weights * kept
        weighted = values * weights
        if not self.native_reduction:
            return weighted
        total = float(weighted.sum())
        if self.native_reduction == "sum":
            return total
        rows = values.size if kept is None else int(kept.sum())
        divisor = float(weights.sum()) if self.native_reduction == "weighted_mean" else rows
        return total / divisor if divisor else 0.0

    def without_rows(self) -> str:
        """What to say where a loss is asked for the values of rows, which it does not have."""
        if self.is_own:
            return (
                f"{self.name} is a loss of your own, for compile and for calls, and neither a metric nor a loss for "
                "pynn.ops. A metric may be a function of y_true and y_pred."
            )
        return (
            f"{type(self).__name__} has no value for each row: it is a loss for compile and for calls, and neither a "
            "metric nor a loss for pynn.ops."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss, but for `dtype`, as in Keras."""
        return {"name": self.name, "reduction": self.reduction}

    def _shows(self, setting: str, value: Any, default: Any) -> bool:
        if setting == "reduction" and default is None:  # an __init__ of one's own hands it on
            default = "sum_over_batch_size"
        return bool(value != (self.automatic_name() if setting == "name" else default))


def _without_last(y_true: Array, shape: tuple[int, ...]) -> Array:
    """Targets without a last axis of size 1 that samples of `shape` do not have."""
    return y_true[..., 0] if y_true.shape[1:] == (*shape, 1) else y_true


def _values_of_own(loss: Loss, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """What the `call` of a loss of one's own makes of arrays, whose ranks may differ by a last axis of size 1."""
    dtype = loss.dtype or arrays.float_dtype_of(y_pred, config.floatx())
    predictions = arrays.as_array(y_pred, "y_pred", dtype)
    targets = arrays.as_numbers(y_true, "y_true").astype(dtype)
    if targets.ndim == predictions.ndim + 1 and targets.shape[-1] == 1 and predictions.ndim == 1:
        predictions = predictions[..., None]
    elif targets.ndim + 1 == predictions.ndim and predictions.shape[-1] == 1:
        targets = targets[..., None]
    targets = _without_last(targets, predictions.shape[1:])
    values = arrays.as_numbers(loss.call(targets, predictions), f"what the loss {loss.name} returns")
    return values.astype(np.float64)


class RowFunction(Protocol):
    """What a loss and a metric have in common: values of rows."""

    dtype: str | None
    sparse: bool
    axis: Any

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array: ...

    def take_ignored(self, targets: Array) -> Array | None: ...

    def forward(self, values: Array, y_pred: Array, y_true: Array) -> None: ...


def row_values(function: RowFunction, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array | None]:
    """Check the arguments of a direct call of a loss or metric, and compute the value of every row.

    Returns:
        The values, and where they count: None for everywhere. They are 0 elsewhere.

    Raises:
        TypeError, ValueError: arrays that do not fit.
    """
    if hasattr(y_true, "per_sample") or hasattr(y_pred, "per_sample"):
        raise TypeError(
            f"{type(function).__name__} takes arrays alone, and no symbolic tensors: in a loss of your own write out "
            "the formula, such as ops.mean(ops.square(y_true - y_pred), axis=-1)."
        )
    dtype = function.dtype or arrays.float_dtype_of(y_pred, config.floatx())
    predictions = arrays.as_array(y_pred, "y_pred", dtype)
    targets = arrays.as_numbers(y_true, "y_true")
    if targets.ndim == predictions.ndim + 1 and targets.shape[-1] == 1 and not function.sparse:
        if predictions.ndim == 1:
            predictions = predictions[:, None]
        else:
            targets = targets[..., 0]
    if function.axis != -1:
        place = checks.axes_of(function.axis, predictions.ndim)[0]
        if not function.sparse and targets.ndim == predictions.ndim:  # otherwise it is told below
            targets = np.moveaxis(targets, place, -1)
        predictions = np.ascontiguousarray(np.moveaxis(predictions, place, -1))
    rows_shape = predictions.shape[:-1]
    if predictions.ndim == 0 or predictions.shape[-1] == 0:
        raise ValueError(f"y_pred must have rows of at least one element, but has the shape {predictions.shape}.")
    if predictions.ndim == 1:  # one row: a batch of one
        predictions, targets = predictions[None], targets[None]
    targets = function.prepare_targets(targets, dtype=dtype, output_shape=predictions.shape[1:], name="y_true")
    arrays.same_length(y_true=targets, y_pred=predictions)
    values, ignored = np.empty(predictions.shape[:-1]), function.take_ignored(targets)
    if values.size:
        function.forward(values, predictions, targets)
    if ignored is None:
        return values.reshape(rows_shape), None
    values[ignored] = 0
    return values.reshape(rows_shape), ~ignored.reshape(rows_shape)


def with_weights(values: Array, sample_weight: ArrayLike) -> tuple[Array, Array]:
    """The values of rows and their weights, of one shape: they may differ by a last axis of size 1, as in Keras.

    Raises:
        TypeError, ValueError: weights of another kind or shape, negative ones, or such as are not finite.
    """
    weights = arrays.as_array(sample_weight, "sample_weight", np.float64)
    given = weights.shape
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must be finite and not negative.")
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1 and values.ndim > 1:
        weights = weights[..., 0]
    elif weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        values = values[..., None]
    elif values.ndim == weights.ndim + 1 and values.shape[-1] == 1:
        weights = weights[..., None]
    try:
        values, weights = np.broadcast_arrays(values, weights)
    except ValueError:
        raise ValueError(
            f"sample_weight must have the shape {values.shape} of the rows' values, but has {given}."
        ) from None
    return values, weights


def check_last_axis(function: RowFunction, rank: int) -> None:
    """Raise ValueError unless the rows of `function` lie along the last axis of arrays of so many axes."""
    if function.axis not in (-1, rank - 1):
        raise ValueError(
            f"axis={function.axis} of {type(function).__name__} is for direct calls: here its rows must lie along the "
            f"last axis of {rank}. In a model, a Permute layer makes another axis the last one."
        )


# The functions that give the values of the rows, and the losses they belong to.
FUNCTIONS: dict[Callable[..., Array], type[Loss]] = {}


def function_of(loss_class: type[Loss]) -> Callable[[F], F]:
    """Decorate the function that belongs to a loss."""

    def register(function: F) -> F:
        FUNCTIONS[function] = loss_class
        return function

    return register


def row_function(loss_class: type[Loss]) -> Callable[[ArrayLike, ArrayLike], Array]:
    """The function of a loss that has no settings."""
    loss = loss_class(reduction=None)

    def function(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return loss.row_values(y_true, y_pred)

    function.__name__ = function.__qualname__ = loss.native_name
    function.__module__ = loss_class.__module__
    function.__doc__ = f"{loss_class.__doc__}\n\n    Returns one value a row: shape ``y_pred.shape[:-1]``."
    return function_of(loss_class)(function)
