"""An activation function of one's own: what it does with a symbolic tensor is what layers do that have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike

from .. import config
from ..activations.base import Activation, Array
from ..engine.lowering import Lowering
from ..foundation import checks
from .base import Layer
from .types import Shape


class AppliedFunction(Layer):
    """The function as the `call` of a layer, which no model knows of."""

    def __init__(self, function: Callable[[Any], Any], dtype: str) -> None:
        super().__init__(name="activation_function", dtype=dtype)
        self._function = function

    def call(self, inputs: Any) -> Any:
        return self._function(inputs)


class OwnActivation(Activation):
    """A function of one's own. As the `call` of a layer, it uses operators and the functions of ``pynn.ops``.

    Args:
        function: Of a symbolic tensor: another one.
    """

    elementwise = False  # which is not known

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.name = str(getattr(function, "__name__", type(function).__name__))
        self.config: dict[str, Any] = {}
        self._layers: dict[str, AppliedFunction] = {}  # by number type

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        """Whether all functions that it uses have a gradient."""
        wirings = [wiring for layer in list(self._layers.values()) for wiring in layer._wirings]
        inner = [layer.activation for wiring in wirings for layer in wiring.layers]
        return all(each is None or each.differentiable for each in inner)

    def __call__(self, x: ArrayLike) -> Array:
        """The function of an array, or of a symbolic tensor."""
        return self.function(x)  # type: ignore[no-any-return]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of f(x) for an array x of samples."""
        return (*shape[:1], *self.check_sample(shape[1:]))

    def check_sample(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the function of samples of `shape`; ValueError or TypeError unless it can be applied to them."""
        output: Shape = self._for(config.floatx(), shape).sample_output_shape(shape)
        return output

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        """Append the function of tensor `x`, whose samples have `shape`; return the number of f(x)."""
        return self._for(net.dtype, shape).lower(net, x, shape)

    def _for(self, dtype: str, shape: Shape) -> AppliedFunction:
        if dtype not in self._layers:
            self._layers[dtype] = AppliedFunction(self.function, dtype)
        layer = self._layers[dtype]
        layer._build_for(shape)
        return layer

    def _op(self, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
        raise TypeError(f"{self!r} works on symbolic tensors and in layers. Call it for what it makes of an array.")

    def serialize(self) -> Any:
        """The function itself, which `get` reads."""
        return self.function

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnActivation) and self.function == other.function

    def __hash__(self) -> int:
        return hash(self.function)

    def __reduce__(self) -> Any:
        """Copies and pickles are made of the function."""
        return OwnActivation, (self.function,)

    def __repr__(self) -> str:
        return f"<activation {checks.shown(self.function)}>"
