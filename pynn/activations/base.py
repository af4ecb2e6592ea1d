"""What an activation function is: its settings, and how it is computed and put into a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import config
from ..data import arrays
from ..engine import single
from ..engine.lowering import Lowering
from ..foundation import checks, identifiers, registry
from ..foundation.arguments import NamesItsArguments, did_you_mean

Array = NDArray[Any]

ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}

NEEDED: Any = object()  # stands for the default of a setting that has none

# The settings of every function with their defaults: `_Function`, which makes the functions, fills it.
SETTINGS: dict[str, dict[str, Any]] = {}


class Activation(NamesItsArguments):
    """An activation function with its settings; callable on arrays. Those of one function and settings are equal.

    The functions of ``pynn.activations`` are of this class: ``relu`` is the rectified linear unit with the default
    settings.

    Args:
        name: One of these functions, such as ``"leaky_relu"``.
        settings: The function's settings by name, such as ``negative_slope=0.1``. Default: the function's defaults.

    Attributes:
        name: The name, aliases resolved (``"silu"`` for ``"swish"``).
        config: All settings with their values.
        differentiable: Whether a gradient can pass; False for ``step`` only.

    Raises:
        ValueError: an unknown name, or a setting out of range.
        TypeError: a setting the function does not have, or one that is missing: `threshold` needs its two.
    """

    def __init__(self, name: str, **settings: Any) -> None:
        name = ALIASES.get(name, name)
        if name not in SETTINGS:
            raise ValueError(identifiers.unknown_name(name, [*SETTINGS, *ALIASES], "activation"))
        defaults = SETTINGS[name]
        for setting in settings:
            if setting not in defaults:
                known = f"It has: {', '.join(defaults) or 'none'}."
                meant = did_you_mean(setting, defaults)
                raise TypeError(f"The activation {name} has no setting {setting!r}.{meant} {known}")
        missing = [setting for setting, default in defaults.items() if default is NEEDED and setting not in settings]
        if missing:
            needed = ", ".join(f"{setting}=..." for setting in missing)
            raise TypeError(
                f"The activation {name} has settings without a default: use Activation({name!r}, {needed})."
            )
        self.name = name
        self.config = {
            setting: _check_setting(name, setting, settings.get(setting, default))
            for setting, default in defaults.items()
        }
        self.differentiable = name != "step"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if registry.is_own(cls):
            raise TypeError(f"{cls.__name__}: activations of your own are functions. Write one, and give it as it is.")

    @property
    def elementwise(self) -> bool:
        """Whether every output depends on one input only."""
        return "axis" not in self.config

    def __call__(self, x: ArrayLike) -> Array:
        """The function of an array, in float64 for a float64 array and else in ``config.floatx()``.

        Of a symbolic tensor, as `Input` gives, it is a symbolic tensor.
        """
        if hasattr(x, "activated"):
            return x.activated(self)  # type: ignore[no-any-return]
        x = arrays.as_array(x, "x", arrays.float_dtype_of(x, config.floatx()))
        y = np.empty(self.output_shape(x.shape), x.dtype)
        if x.size:
            self.forward(y, x)
        return y

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of f(x) for an array x of `shape`: the same, but for `glu`, which halves its axis."""
        if self.name != "glu":
            return shape
        at = checks.axes_of(self.config["axis"], len(shape))[0]
        if shape[at] % 2:
            raise ValueError(f"glu takes an axis of an even size, but axis {at} of the shape {shape} has {shape[at]}.")
        return (*shape[:at], shape[at] // 2, *shape[at + 1 :])

    def forward(self, y: Array, x: Array) -> None:
        """Write f(`x`) to `y`; both are C-contiguous, of one type and of the shapes of `output_shape`."""
        kind, attributes = self._op(x.shape)
        single.forward(kind, self._as_sample(y), self._as_sample(x), **attributes)

    def backward(self, dx: Array, dy: Array, x: Array, y: Array) -> None:
        """Write the gradient for `x` to `dx`, given that for `y` = f(`x`); all C-contiguous and of one type."""
        self.check_differentiable()
        kind, attributes = self._op(x.shape)
        dx, dy, x, y = (self._as_sample(array) for array in (dx, dy, x, y))
        single.backward(kind, dx, (), dy, x, y, **attributes)

    def _as_sample(self, array: Array) -> Array:
        """An array as the engine's op takes it: of numbers, or as the one sample of a function along an axis."""
        return array.reshape(-1) if self.elementwise else array.reshape(1, -1)

    def _op(self, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
        """The engine's op for an array of `shape`, and its settings."""
        if not self.elementwise:
            return self._along_axis(*self._split(shape))
        name, a, b, c = self._native()
        return "activation", {"name": name, "a": a, "b": b, "c": c}

    def _along_axis(self, outer: int, axis: int, inner: int) -> tuple[str, dict[str, Any]]:
        """The engine's op of a function along an axis, and its settings."""
        if self.name == "glu":
            return "glu", {"rows": outer, "half": axis // 2 * inner}
        sizes = {"outer": outer, "axis": axis, "inner": inner}
        if self.name == "sparsemax":
            return "sparsemax", sizes
        return "softmax", {**sizes, "log": self.name == "log_softmax"}

    def lower(self, net: Lowering, x: int, shape: tuple[int, ...]) -> int:
        """Append the function of tensor `x`, whose samples have `shape`; return the number of f(x)."""
        if self.name == "linear":
            return x
        if self.elementwise:
            kind, attributes = self._op(shape)
        else:
            kind, attributes = self._along_axis(*self.split_sample(shape))
        return net.add(kind, x, **attributes)

    def check_sample(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the function of samples of `shape`; ValueError unless it can be applied to them."""
        if not self.elementwise:
            self.split_sample(shape)
        return self.output_shape((1, *shape))[1:]

    def check_differentiable(self, where: str = "") -> None:
        """Raise ValueError if the function has no gradient; `where` begins the message."""
        if not self.differentiable:
            raise ValueError(
                f"{where}The activation {self.name} has no gradient to train with. "
                "Train with the loss 'perceptron', or use another activation such as sigmoid."
            )

    def split_sample(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Sizes (outer, axis, inner) of a function along an axis of samples of `shape`; 0 is the batch, as in Keras."""
        batch = (1, *shape)
        if 0 in _axes(self.config["axis"], len(batch)):
            raise ValueError(f"axis={self.config['axis']} of {self.name} is or contains the batch axis.")
        return self._split(batch)

    def _split(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        axes = _axes(self.config["axis"], len(shape))
        first, end = axes[0], axes[-1] + 1
        return math.prod(shape[:first]), math.prod(shape[first:end]), math.prod(shape[end:])

    def _native(self) -> tuple[str, float, float, float]:
        """The engine's name of an elementwise function, and its settings a, b, c."""
        if self.name == "gelu":
            return ("gelu_tanh" if self.config["approximate"] else "gelu"), 0.0, 0.0, 0.0
        values = [math.inf if value is None else float(value) for value in self.config.values()]
        a, b, c = values + [0.0] * (3 - len(values))
        return self.name, a, b, c

    def settings(self, prefix: str) -> dict[str, Any]:
        """The attributes by which an op knows an elementwise function that it applies itself."""
        name, a, b, c = self._native()
        return {prefix: name, f"{prefix}_numbers": [a, b, c]}

    def serialize(self) -> str | dict[str, Any]:
        """What `get` reads: the name, with the settings if they are not the defaults."""
        if self.config == SETTINGS[self.name]:
            return self.name
        return {"class_name": self.name, "config": dict(self.config)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Activation) and (self.name, self.config) == (other.name, other.config)

    def __hash__(self) -> int:
        return hash((self.name, *self.config.values()))

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.config.items())
        return f"Activation({self.name!r}{settings})"


def _check_setting(name: str, setting: str, value: Any) -> Any:
    if setting == "axis":
        return checks.one_axis(value) if name in ("glu", "sparsemax") else checks.axis(value)
    if setting == "approximate":
        return checks.boolean(value, setting)
    if setting == "max_value":
        return checks.optional_number(value, setting, "[0, inf)")
    if name in ("squareplus", "hard_shrink", "soft_shrink"):
        return checks.number(value, setting, "[0, inf)")
    if name == "celu":  # divides by alpha
        return checks.number(value, setting, "(0, inf)")
    return checks.finite(value, setting)


def _axes(axis: int | tuple[int, ...], rank: int) -> list[int]:
    """The axes from 0 on, in order, checked to be adjacent axes of an array of `rank` axes."""
    axes = checks.axes_of(axis, rank)
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise ValueError(f"axis={axis} must be one axis or several adjacent ones.")
    return axes
