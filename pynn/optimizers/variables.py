"""What an optimizer keeps, as the list that Keras has of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..data import arrays
from ..foundation import atomic, checks
from ..foundation.native import core

if TYPE_CHECKING:
    from .. import _core

# By optimizer: what it keeps of a weight, by Keras's names and by those of the engine. What stands in one group comes
# weight by weight; one group comes after the other.
_Slots = tuple[tuple[tuple[str, str], ...], ...]
_MOMENTS: _Slots = ((("momentum", "momentum"), ("velocity", "velocity")), (("velocity_hat", "velocity_hat"),))
_SLOTS: dict[str, _Slots] = {
    "sgd": ((("momentum", "velocity"),),),
    "rmsprop": ((("velocity",) * 2,), (("momentum",) * 2,), (("average_gradient",) * 2,)),
    "adagrad": ((("accumulator",) * 2,),),
    "adadelta": ((("accumulated_grad",) * 2, ("accumulated_delta_var",) * 2),),
    "adam": _MOMENTS,
    "nadam": _MOMENTS,
    "adamax": ((("momentum", "m"), ("norm", "u")),),
    "lion": ((("momentum",) * 2,),),
}
MOST_STEPS = 2**53 - 1  # which float64 counts exactly

# What all may keep comes before that.
_COMMON: _Slots = ((("average", "average"),), (("gradient_accumulator", "accumulated_gradient"),))


class Kept(Protocol):
    """A weight that something is kept of."""

    path: str
    native: tuple[_core.Parameters, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""

    @property
    def dtype(self) -> str:
        """``"float32"`` or ``"float64"``."""

    def numpy(self) -> NDArray[Any]:
        """A copy of the values."""


class OptimizerVariable(NDArrayOperatorsMixin):
    """One array that an optimizer keeps. It has the values of the moment at which it is asked, and cannot be written:
    ``optimizer.set_weights`` does that. Operators and functions of NumPy give arrays.

    Attributes:
        name: Keras's: ``"iteration"``, ``"learning_rate"``, ``"dense_kernel_momentum"``. The iterations are steps, also
            those that only accumulate gradients.
        path: The optimizer's name and this one: ``"adam/dense_kernel_momentum"``.
        shape: That of the weight, () for the first two.
        dtype: That of the weight; ``"int64"`` and ``"float64"`` for the first two.
    """

    __slots__ = ("_optimizer", "_slot", "_weight", "dtype", "name", "path", "shape")

    def __init__(self, optimizer: Any, name: str, dtype: str, weight: Kept | None = None, slot: str = "") -> None:
        self.name = name
        self.path = f"{optimizer.name}/{name}"
        self.shape: tuple[int, ...] = () if weight is None else weight.shape
        self.dtype = dtype
        self._optimizer, self._weight, self._slot = optimizer, weight, slot

    def numpy(self) -> NDArray[Any]:
        """A copy of the values.

        Raises:
            RuntimeError: another thread is training with the optimizer.
        """
        if self._weight is None:
            kept = self._optimizer._steps_done if self.name == "iteration" else self._optimizer._rate_now()
            return np.array(kept, self.dtype)
        trainer, native = self._optimizer._trainer, self._weight.native
        if trainer is None:
            raise RuntimeError(f"The optimizer no longer keeps {self.path}: it belongs to another model, or to none.")
        with core.hold_to_read([native[0]], trainer):
            found = trainer.state([native], [True])[0].get(self._slot)
            if found is not None:
                return np.array(found).reshape(self.shape)
        # An average begins with the weight, a sum of gradients with 0.
        return self._weight.numpy() if self._slot == "average" else np.zeros(self.shape, self.dtype)

    @property
    def value(self) -> NDArray[Any]:
        """A copy of the values."""
        return self.numpy()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        """What NumPy's functions of it are: those of its values."""
        given = [x.numpy() if isinstance(x, OptimizerVariable) else x for x in inputs]
        return getattr(ufunc, method)(*given, **named)

    __hash__ = object.__hash__

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> Any:
        return self.numpy()[key]

    def __bool__(self) -> bool:
        """Whether the value of one that has a single one is not 0."""
        return bool(self.numpy())

    def __float__(self) -> float:
        """The value of one that has a single one."""
        return float(self.numpy())

    def __int__(self) -> int:
        """The value of one that has a single one."""
        return int(self.numpy())

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """What ``numpy.asarray(variable)`` gives: a copy."""
        return np.array(self.numpy(), dtype)

    def __repr__(self) -> str:
        return f"<OptimizerVariable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


def variables_of(optimizer: Any, weights: Sequence[Kept]) -> list[OptimizerVariable]:
    """What the optimizer keeps, in Keras's order: its numbers, and then what it keeps of each of these weights."""
    found = [OptimizerVariable(optimizer, "iteration", "int64")]
    if not callable(optimizer._learning_rate):
        found.append(OptimizerVariable(optimizer, "learning_rate", "float64"))
    if optimizer._trainer is not None:
        found += _of_weights(optimizer, weights)
    return found


def _of_weights(optimizer: Any, weights: Sequence[Kept]) -> Iterator[OptimizerVariable]:
    there = set(optimizer._trainer.state_names)
    for group in (*_COMMON, *_SLOTS[optimizer.native_name]):
        for weight in weights:
            for name, slot in group:
                if slot in there:
                    full = f"{weight.path.replace('/', '_')}_{name}"
                    yield OptimizerVariable(optimizer, full, weight.dtype, weight, slot)


def set_variables(optimizer: Any, weights: Sequence[Kept], values: Sequence[ArrayLike]) -> None:
    """Have the optimizer keep these values, in the order of `variables_of`; all of them or, with an error, none."""
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        raise TypeError(f"weights must be a list of arrays, but got {checks.shown(values)}.")
    trainer = optimizer._trainer
    if trainer is None:
        raise ValueError(
            f"The optimizer {optimizer.name!r} has not begun with weights, so that it keeps nothing yet. Build the "
            "model, or call optimizer.build(weights) first."
        )
    own = variables_of(optimizer, weights)
    if len(values) != len(own):
        names = ", ".join(each.name for each in own)
        raise ValueError(f"weights must have {len(own)} arrays ({names}), but has {len(values)}.")
    numbers: dict[str, float] = {}
    kept: dict[int, dict[str, NDArray[Any]]] = {id(weight): {} for weight in weights}
    for variable, value in zip(own, values, strict=True):
        # A count in float64, so that what is no whole number can be told.
        dtype = "float64" if variable._weight is None else variable.dtype
        array = arrays.as_array(value, f"the value of {variable.path}", dtype)
        if array.shape != variable.shape:
            raise ValueError(f"{variable.path} has the shape {variable.shape}, but got values of shape {array.shape}.")
        if variable.name == "iteration":
            count = array.item()
            count = int(count) if count.is_integer() else count
            numbers["iteration"] = checks.non_negative_int(count, variable.path, MOST_STEPS)
        elif variable._weight is None:
            numbers["learning_rate"] = checks.number(array.item(), variable.path, "[0, inf)")
        else:
            kept[id(variable._weight)][variable._slot] = np.ravel(array)
    natives = [weight.native for weight in weights]
    changes = [atomic.calling(trainer.set_state, int(numbers["iteration"]), natives, list(kept.values()))]
    if "learning_rate" in numbers:
        changes.append(atomic.setting(optimizer, "_learning_rate", numbers["learning_rate"]))
        changes.append(atomic.setting(trainer, "learning_rate", numbers["learning_rate"]))
    atomic.apply_together(changes)
