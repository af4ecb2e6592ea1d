"""The learning rate and the count of updates, as programs for Keras use them: numbers that are variables, too."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_V = TypeVar("_V", bound="_Variable")


class _Variable:
    """What a number of an optimizer has beside being one: the methods of a variable of Keras.

    As a number it is what it was when it was read. `numpy` and `value` read it anew.

    Attributes:
        shape: ``()``.
        dtype: ``"float64"`` or ``"int64"``.
    """

    shape: tuple[()] = ()
    dtype: str
    _plain: Any  # the class of the number without these methods
    _name: str  # of the optimizer's attribute
    _optimizer: Any

    def __new__(cls: type[_V], value: float, optimizer: Any) -> _V:
        made: _V = cls._plain.__new__(cls, value)
        made._optimizer = optimizer
        return made

    @property
    def value(self) -> Any:
        """The number as it is now."""
        return self._plain(self._now())

    def numpy(self) -> NDArray[Any]:
        """The number as it is now, as an array of shape ()."""
        return np.array(self._now(), self.dtype)

    def assign(self, value: Any) -> None:
        """Set the optimizer's number; this one stays what it was.

        Raises:
            TypeError, ValueError: a value that it cannot have. RuntimeError: it was changed since it was read, so that
                arithmetic with it would go on from an old number.
        """
        if self != self._now():
            raise RuntimeError(
                f"{self._name} was changed since it was read, so that assign may be given what follows from an old "
                f"number. Read it anew each time: optimizer.{self._name}.assign(...)."
            )
        self._set(value)

    def _now(self) -> Any:
        return getattr(self._optimizer, self._name)

    def _set(self, value: Any) -> None:
        raise NotImplementedError

    def __reduce_ex__(self, protocol: Any) -> Any:
        """How copy and pickle take it apart: as the number that it is."""
        return self._plain, (self._plain(self),)


class LearningRate(_Variable, float):
    """``optimizer.learning_rate``."""

    dtype, _plain, _name = "float64", float, "learning_rate"

    def _set(self, value: Any) -> None:
        self._optimizer.learning_rate = value


class Iterations(_Variable, int):
    """``optimizer.iterations``."""

    dtype, _plain, _name = "int64", int, "iterations"

    def _set(self, value: Any) -> None:
        self._optimizer._set_iterations(value)
