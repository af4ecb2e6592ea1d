"""What all metrics have in common, also those of one's own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import config
from ..data import arrays
from ..foundation import checks
from ..foundation.identifiers import Described
from ..foundation.names import to_snake_case
from ..losses.base import Loss

Array = NDArray[Any]


class Metric(Described):
    """Base of the metrics; ``metric(y_true, y_pred, sample_weight=None)`` takes a batch and returns the result so far.

    One of your own defines three methods in NumPy, and, for arguments of its own, ``get_config``:

    - ``update_state(y_true, y_pred, sample_weight=None)`` takes one more batch,
    - ``result()`` returns the metric of all batches, one number where a model is to report it,
    - ``reset_state()`` begins anew.

    What it keeps between them are attributes. A model calls it with `y_pred` of the shape (samples, ...) of its output,
    and `y_true` of the same shape, or of class labels without the last axis where the loss takes such. Rows that the
    loss ignores are left out; what is left of a batch then comes as rows. The model works with copies of the metric
    (`fresh`), and has the metric become the copy (`take`) when it reports the result.

    Args:
        name: Default: the metric's own name.
        dtype: Number type of direct calls; each metric says what is the default. A model computes in its own.

    Attributes:
        sparse: Whether `y_true` are class labels; None for a metric that takes either.
        direction: "up" where more is better, "down" where less is; None where nothing is said.
        additive: Whether batches without weights may be joined, or cut, and the metric has the same bits: what it keeps
            are counts. Others are shown one batch after the other.
        state_names: The attributes that are its state. Default None: all attributes that are numbers or arrays.
    """

    kind = "metric"
    default_name: ClassVar[str] = ""  # where it is not the class's in snake case
    sparse: bool | None = None
    direction: ClassVar[str | None] = None
    additive: bool = False
    state_names: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        if type(self) is Metric:
            raise TypeError(f"Metric measures nothing itself. {self._own()}")
        self.name = checks.text(name, "name") if name else self.automatic_name()
        self.dtype = None if dtype is None else config.resolve_dtype(dtype)

    def _check_made(self) -> None:
        if not hasattr(self, "dtype"):
            raise TypeError(f"{type(self).__name__}.__init__ must call super().__init__(name, dtype).")

    @classmethod
    def _own(cls) -> str:
        return (
            "A metric of your own is a subclass of pynn.metrics.Metric with update_state, result and reset_state, or a "
            "function of y_true and y_pred."
        )

    @classmethod
    def _refuse(cls) -> None:
        missing = [name for name in ("update_state", "result", "reset_state") if getattr(cls, name) is _BASE[name]]
        if missing:
            raise TypeError(f"{cls.__name__} must define {', '.join(missing)}. {cls._own()}")

    def automatic_name(self) -> str:
        """The name of a metric that was given none."""
        return self.default_name or to_snake_case(type(self).__name__)

    # ---- what a model checks before it trains or evaluates

    def check_kind(self, labels: bool) -> None:
        """Raise ValueError unless the metric takes targets as the model's loss does: class `labels`, or values."""
        if self.sparse is None or self.sparse == labels:
            return
        wanted, given = ("class labels", "targets of the output's shape")[:: 1 if self.sparse else -1]
        like = self.counterpart()
        raise ValueError(
            f"The metric {self.name} takes {wanted}, but the loss takes {given}.{f' Use {like} instead.' * bool(like)}"
        )

    def counterpart(self) -> str:
        """What takes the other kind of targets; empty for nothing."""
        return ""

    def check_beside(self, loss: Loss | None) -> None:
        """Raise ValueError unless the metric can be measured beside a model's `loss`, or None."""

    def check_output(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless the metric can be measured of an output of this shape, and is one number then."""

    def check_columns(self, shape: tuple[int, ...], columns: str) -> None:
        """Raise ValueError unless the output has `columns`, such as "classes", and no other axis."""
        if len(shape) != 1:
            inner = ", ".join(map(str, shape))
            raise ValueError(
                f"The metric {self.name} is for outputs (samples, {columns}), but it is (samples, {inner})."
            )

    def no_number(self, what: str, hint: str) -> ValueError:
        """What to raise where a model cannot report the metric, because it gives something else than a number."""
        return ValueError(f"The metric {self.name} gives {what}, and a model reports one number. {hint}")

    def check_targets(self, targets: Array) -> None:
        """Raise ValueError unless the metric has a meaning for `targets`, which the model's loss has prepared."""

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        """Targets as a model keeps them, where no loss says it; see `Loss.prepare_targets`."""
        if self.sparse:
            return arrays.as_class_labels(y, name, output_shape[:-1], output_shape[-1])
        return arrays.as_targets(y, name, dtype, output_shape)

    # ---- its state

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take one more batch."""
        raise NotImplementedError

    def result(self) -> Any:
        """The metric over all batches since the last `reset_state`."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Begin anew."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_state(self) -> dict[str, Array]:
        """What the metric has seen so far, as a dict of arrays."""
        names = self.state_names
        if names is None:
            names = tuple(name for name, value in vars(self).items() if _is_numeric(value))
        return {name: np.array(value) for name in names if (value := getattr(self, name)) is not None}

    def set_state(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `get_state` of an equal metric gave.

        Raises:
            ValueError: names or shapes that are not those of this metric's state; it is as before then.
        """
        values = {name: np.array(value) for name, value in state.items()}
        for name, value in values.items():
            known = hasattr(self, name) if self.state_names is None else name in self.state_names
            now = getattr(self, name, None) if known else None
            if not known or (now is not None and np.shape(now) != value.shape):
                raise self._wrong_state(values)
        self.reset_state()
        for name, value in values.items():
            setattr(self, name, value if value.ndim else value[()])

    def _wrong_state(self, given: Mapping[str, Array]) -> ValueError:
        own, other = (
            ", ".join(f"{name} {np.shape(x)}" for name, x in each.items()) for each in (self.get_state(), given)
        )
        return ValueError(
            f"The state of {type(self).__name__} is {own or 'empty'}, but state has {other or 'nothing'}."
        )

    def fresh(self) -> Metric:
        """A metric of the same settings that has seen nothing. The two share nothing that changes."""
        twin = copy.copy(self)
        twin.take(self)
        twin.reset_state()
        return twin

    def take(self, other: Metric) -> None:
        """Become what `other`, which came from `fresh`, is now. The two share nothing that changes."""
        changes = (np.ndarray, list, dict, set)
        held = dict(vars(other))  # another thread may be about it
        vars(self).update({name: copy.copy(x) if isinstance(x, changes) else x for name, x in held.items()})

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    def _shows(self, setting: str, value: Any, default: Any) -> bool:
        return super()._shows(setting, value, self.automatic_name() if setting == "name" else default)


_BASE = {name: getattr(Metric, name) for name in ("update_state", "result", "reset_state")}


def _is_numeric(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufc"
    return isinstance(value, int | float | np.number | np.bool_)
