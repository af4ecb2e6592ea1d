"""Weights: what a layer asks for, and the arrays that it then has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..constraints import Constraint
from ..data import arrays
from ..foundation import atomic, pieces
from ..initializers import Initializer
from ..regularizers import Regularizer
from . import symbolic
from .symbolic import Operand
from .trial import is_calling
from .values import elsewhere

if TYPE_CHECKING:
    from .. import _core

Array = NDArray[Any]

# More elements in one array than any machine has memory for; checked before anything is allocated.
MOST_ELEMENTS = 2**40

# What the engine is told of a weight without a constraint.
_NO_CONSTRAINT = ("none", (0.0, 0.0, 1.0), (1, 1, 1))


class WeightSpec(NamedTuple):
    """A weight array that a layer will have."""

    name: str
    shape: tuple[int, ...]
    initializer: Initializer
    regularizer: Regularizer | None = None
    constraint: Constraint | None = None
    trainable: bool = True  # whether the optimizer learns it; otherwise its layer changes it

    def native_penalty(self) -> tuple[float, float, bool]:
        """What the engine is told about the penalty."""
        penalty = self.regularizer
        return (0.0, 0.0, False) if penalty is None else (penalty.l1, penalty.l2, penalty.by_rows)

    def native_constraint(self, path: str) -> tuple[str, tuple[float, ...], tuple[int, ...]]:
        """What the engine is told about the constraint of the weight `path`; ValueError if it cannot have it."""
        if self.constraint is None:
            return _NO_CONSTRAINT
        try:
            return self.constraint.native(self.shape)
        except ValueError as error:
            kind = type(self.constraint).__name__
            raise ValueError(f"{kind} of {path}, a weight of shape {self.shape}: {error}") from None


class Weight(Operand):
    """One weight array of a built layer, which has it for life. `numpy` copies it, `assign` overwrites it, `view`
    is the array itself.

    In the `call` of a layer of one's own, operators and activation functions of it give symbolic tensors; elsewhere
    they give arrays.

    Attributes:
        name: ``"kernel"``, for instance.
        path: The layer's name and the weight's: ``"dense/kernel"``, ``"multi_head_attention/query/kernel"``.
        native: Where the engine finds it: the layer's `Parameters`, and the number there.
    """

    def __init__(self, path: str, spec: WeightSpec, parameters: _core.Parameters, number: int) -> None:
        self.name = spec.name.rpartition("/")[2]
        self.path = path
        self.native = (parameters, number)
        self._spec = spec
        self._initializer: Initializer | None = spec.initializer  # None once there are values
        self._array: Array = parameters.array(number).reshape(spec.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    @property
    def dtype(self) -> str:
        """``"float32"`` or ``"float64"``."""
        return str(self._array.dtype)

    @property
    def regularizer(self) -> Regularizer | None:
        """The penalty for large values, or None."""
        return self._spec.regularizer

    @property
    def constraint(self) -> Constraint | None:
        """What holds after each step, or None."""
        return self._spec.constraint

    @property
    def learned(self) -> bool:
        """Whether it is one that is learned, where its layer is not frozen."""
        return self._spec.trainable

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes the weight."""
        return self._spec.trainable and not self.native[0].frozen

    def draw(self) -> None:
        """Take the initial values, unless there are values already, or come from elsewhere."""
        if self._initializer is None:
            return
        if elsewhere() is None:
            pieces.assign(self._array, np.asarray(self._initializer(self.shape, self.dtype)))
        self._initializer = None

    def _values(self) -> Array:
        """The array; TypeError where a `call` is being traced, which computes with what the values will be."""
        if is_calling():
            raise TypeError(
                f"The weight {self.path} has no values where a call is traced. Use operators (x @ w, w * x), functions "
                "of pynn.activations and layers."
            )
        self.draw()
        return self._array

    def penalty(self) -> float:
        """What the regularizer adds to the loss; 0 without one."""
        return 0.0 if self.regularizer is None else float(self.regularizer(self._values()))

    @property
    def view(self) -> Array:
        """The array itself, which training changes, and whose elements may be written."""
        return self._values()

    @property
    def value(self) -> Any:
        """What programs for Keras compute with: a copy of the values; in a `call` the weight, which has none there."""
        return self if is_calling() else self.numpy()

    def numpy(self) -> Array:
        """A copy of the values."""
        return np.array(self._values())

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """What ``numpy.asarray(weight)`` gives: a copy."""
        return np.array(self._values(), dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        """What NumPy's functions of it are: those of its values, but in a `call` ``array * weight`` is symbolic."""
        if method == "__call__" and not named and is_calling() and ufunc.__name__ in symbolic.UFUNCS:
            function, exchanged = symbolic.UFUNCS[ufunc.__name__]
            return symbolic.arithmetic(function, *(reversed(inputs) if exchanged else inputs))
        given = [np.asarray(x) if isinstance(x, Weight) else x for x in inputs]
        return getattr(ufunc, method)(*given, **named)

    def __ne__(self, other: object) -> Any:
        """In a `call` where the elements differ; elsewhere whether it is another weight."""
        return symbolic.arithmetic("not_equal", self, other) if is_calling() else self is not other

    __hash__ = Operand.__hash__

    def assign(self, value: ArrayLike) -> None:
        """Overwrite the values.

        Raises:
            TypeError, ValueError: values of another kind or shape; in the `call` of a layer or model. Nothing is
                changed then.
        """
        self._check_may_change()
        self._array[...] = self._checked(value)
        self._initializer = None

    def assign_add(self, value: ArrayLike) -> None:
        """Add to the values; errors as for `assign`."""
        self._check_may_change()
        self.assign(self._values() + self._checked(value))

    def assign_sub(self, value: ArrayLike) -> None:
        """Subtract from the values; errors as for `assign`."""
        self._check_may_change()
        self.assign(self._values() - self._checked(value))

    def _check_may_change(self) -> None:
        if is_calling():
            raise TypeError(
                f"The weight {self.path} is assigned to in a call, which is traced once and not run for each batch: it "
                "cannot change weights. Do that in a callback, or between calls of train_on_batch."
            )

    def _checked(self, value: ArrayLike) -> Array:
        """`value` as an array of this shape and type, else TypeError or ValueError."""
        array = arrays.as_array(value, f"the value of {self.path}", self._array.dtype)
        if array.shape != self.shape:
            raise ValueError(
                f"The weight {self.path} has the shape {self.shape}, but got values of shape {array.shape}."
            )
        # A copy where memory is shared, such as where two weights are exchanged.
        return np.array(array) if np.may_share_memory(array, self._array) else array

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """How copy and pickle take a weight apart: refused, as it is part of its layer."""
        raise TypeError(
            f"The weight {self.path} is part of its layer, and cannot be copied or pickled. Copy its values: "
            "weight.numpy()."
        )

    def __repr__(self) -> str:
        return f"<Weight path={self.path}, shape={self.shape}, dtype={self.dtype}>"


def assign_all(own: list[Weight], values: Sequence[ArrayLike], owner: str) -> None:
    """Overwrite the weights of `owner`, all of them or, where TypeError or ValueError is raised, none."""
    names = ", ".join(weight.path for weight in own) or "none"
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str):
        raise TypeError(f"{owner} takes a list of weights ({names}), but got {type(values).__name__}.")
    if len(values) != len(own):
        raise ValueError(f"{owner} has {len(own)} weight arrays ({names}), but got {len(values)} weights.")
    checked = [weight._checked(value) for value, weight in zip(values, own, strict=True)]
    for weight in own:
        weight.draw()
    atomic.assign_together([weight._array for weight in own], checked)
