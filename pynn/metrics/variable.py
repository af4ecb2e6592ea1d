"""What a metric of one's own keeps, in Keras's way: a number or an array with a name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..data import arrays

Array = NDArray[Any]


class Variable(NDArrayOperatorsMixin):
    """One array of a metric's state: `add_variable` makes it. `assign` gives it other values.

    Operators and NumPy's functions take it for its array. `+=` and its like assign.

    Attributes:
        name, path: Its name, and that of the metric and its own: ``"total"``, ``"my_metric/total"``.
    """

    def __init__(self, path: str, value: Array) -> None:
        self.path = path
        self.name = path.rpartition("/")[2]
        self._value = value  # never written to: copies of the variable share it

    @property
    def value(self) -> Array:
        """The array, which cannot be written to."""
        view: Array = self._value.view()
        view.flags.writeable = False
        return view

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self._value.shape

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.shape)

    @property
    def dtype(self) -> str:
        """The number type, such as ``"float64"``."""
        return str(self._value.dtype)

    def numpy(self) -> Array:
        """A copy of the array."""
        return np.array(self._value)

    def assign(self, value: ArrayLike) -> Array:
        """Take other values, and return them.

        Raises:
            TypeError, ValueError: values of another kind or shape; fractions, where the variable is of whole numbers.
                Nothing is changed then.
        """
        given = arrays.as_numbers(value, f"the value of {self.path}")
        if given.shape != self.shape:
            raise ValueError(f"The variable {self.path} has the shape {self.shape}, but got values of {given.shape}.")
        with np.errstate(invalid="ignore"):  # what is no whole number is told below
            taken = given.astype(self._value.dtype)
        if self._value.dtype.kind != "f" and not np.array_equal(taken, given):
            raise ValueError(
                f"The variable {self.path} is of {self.dtype}, which does not have the values it got. Make it with "
                'dtype="float64".'
            )
        self._value = taken
        return self.value

    def assign_add(self, value: ArrayLike) -> Array:
        """Add to the values; see `assign`."""
        return self.assign(self._value + arrays.as_numbers(value, f"the value of {self.path}"))

    def assign_sub(self, value: ArrayLike) -> Array:
        """Subtract from the values; see `assign`."""
        return self.assign(self._value - arrays.as_numbers(value, f"the value of {self.path}"))

    def take(self, other: Variable) -> None:
        """Become what `other`, a copy of this one, is now."""
        self._value = other._value

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """What ``numpy.asarray(variable)`` gives: a copy."""
        return np.array(self._value, dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        """NumPy's functions and operators of it: those of its array."""
        out = named.pop("out", ())
        given = [x._value if isinstance(x, Variable) else x for x in inputs]
        found = getattr(ufunc, method)(*given, **named)
        if not out:
            return found
        if not isinstance(out[0], Variable):
            out[0][...] = found
        else:
            out[0].assign(found)
        return out[0]

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __float__(self) -> float:
        return float(self._value)

    def __int__(self) -> int:
        return int(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self._value}>"
