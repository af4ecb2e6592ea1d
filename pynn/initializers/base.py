"""What all initializers have in common, also those of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import DTypeLike, NDArray

from .. import config
from ..data import arrays
from ..foundation import checks, identifiers, pieces, registry
from ..foundation.identifiers import Described

Array = NDArray[Any]
Function = Callable[..., Any]


class Initializer(Described):
    """Base: ``initializer(shape, dtype)`` returns an array. Those here compute it in `_values`, in float64.

    One of your own defines ``__call__(self, shape, dtype=None)`` and, for arguments of its own, ``get_config``; or is a
    function ``(shape, dtype=None)``.
    """

    kind = "initializer"

    def __init__(self) -> None:
        if type(self) is Initializer:
            raise TypeError("Initializer makes no values itself: subclass it and define __call__(self, shape, dtype).")

    @classmethod
    def _own(cls) -> str:
        return "One of your own is a subclass of pynn.initializers.Initializer, or a function of shape and dtype."

    @classmethod
    def _refuse(cls) -> None:
        if cls.__call__ is Initializer.__call__ and cls._values is Initializer._values:
            raise TypeError(f"{cls.__name__} must define __call__(self, shape, dtype=None), which makes the values.")

    def __call__(self, shape: int | tuple[int, ...], dtype: DTypeLike | None = None) -> Array:
        """Return new values.

        Args:
            shape: Shape of the array.
            dtype: ``"float32"`` or ``"float64"``. Default: ``config.floatx()``.
        """
        return pieces.converted(self._values(checks.shape(shape, "shape")), config.resolve_dtype(dtype))

    def _values(self, shape: tuple[int, ...]) -> Array:
        raise NotImplementedError

    def clone(self) -> Initializer:
        """An initializer of the same arguments."""
        return self.from_config(self.get_config())


class FunctionInitializer(Initializer):
    """What a function of one's own makes; `get` makes it of the function.

    Args:
        fn: ``fn(shape, dtype=...)`` returns an array of this shape. By its name, it is one that was registered, or that
            the `custom_objects` of who reads a file have.
    """

    def __init__(self, fn: str | Function) -> None:
        found = registry.own(fn) if isinstance(fn, str) else fn
        if found is None:
            raise identifiers.UnknownNameError(f"Unknown function {checks.shown(fn)}.", str(fn), "function")
        if not callable(found):
            raise TypeError(f"fn must be a function, but got {checks.shown(found)} of type {type(found).__name__}.")
        self.fn: Function = found

    def __call__(self, shape: int | tuple[int, ...], dtype: DTypeLike | None = None) -> Array:
        """See `Initializer`.

        Raises:
            TypeError, ValueError: the function returns something else than numbers of this shape.
        """
        shape, dtype = checks.shape(shape, "shape"), config.resolve_dtype(dtype)
        values = arrays.as_array(self.fn(shape, dtype=dtype), "what the initializer returns", dtype)
        if values.shape != shape:
            raise ValueError(f"The initializer must return an array of the shape {shape}, but it has {values.shape}.")
        return values

    def get_config(self) -> dict[str, Any]:
        named = hasattr(self.fn, "__name__")
        return {"fn": registry.get_registered_name(self.fn) if named else type(self.fn).__name__}

    def _arguments(self) -> dict[str, Any]:
        return {"fn": self.fn}
