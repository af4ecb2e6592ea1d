"""Activation functions: what they are called, their settings, and how they are computed and put into a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _checks, _identifiers, _threads, config
from ._native import core

if TYPE_CHECKING:
    from . import _core

Array = NDArray[Any]

_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}

# Every activation with its settings and their defaults.
_SETTINGS: dict[str, dict[str, Any]] = {
    "linear": {},
    "relu": {"negative_slope": 0.0, "max_value": None, "threshold": 0.0},
    "relu6": {},
    "leaky_relu": {"negative_slope": 0.2},
    "elu": {"alpha": 1.0},
    "selu": {},
    "celu": {"alpha": 1.0},
    "gelu": {"approximate": False},
    "silu": {},
    "mish": {},
    "sigmoid": {},
    "log_sigmoid": {},
    "hard_sigmoid": {},
    "hard_silu": {},
    "tanh": {},
    "hard_tanh": {},
    "softplus": {},
    "softsign": {},
    "exponential": {},
    "step": {},
    "softmax": {"axis": -1},
    "log_softmax": {"axis": -1},
}


class Activation:
    """An activation function with its settings; callable on arrays.

    Args:
        name: One of the functions of this module, such as ``"leaky_relu"``.
        settings: The function's settings by name, such as ``negative_slope=0.1``. Default: the function's defaults.

    Attributes:
        name: The name, aliases resolved (``"silu"`` for ``"swish"``).
        config: All settings with their values.
        differentiable: Whether a gradient can pass; False for ``step`` only.

    Raises:
        ValueError: an unknown name, or a setting out of range. TypeError: a setting the function does not have.
    """

    def __init__(self, name: str, **settings: Any) -> None:
        name = _ALIASES.get(name, name)
        if name not in _SETTINGS:
            raise ValueError(_identifiers.unknown_name(name, [*_SETTINGS, *_ALIASES], "activation"))
        defaults = _SETTINGS[name]
        for setting in settings:
            if setting not in defaults:
                known = ", ".join(defaults) or "none"
                raise TypeError(f"The activation {name} has no setting {setting!r}; it has: {known}.")
        self.name = name
        self.config = {
            setting: _check_setting(name, setting, settings.get(setting, default))
            for setting, default in defaults.items()
        }
        self.differentiable = name != "step"

    @property
    def elementwise(self) -> bool:
        """Whether every output depends on one input only."""
        return "axis" not in self.config

    def __call__(self, x: ArrayLike) -> Array:
        """The function of an array, in float64 for a float64 array and else in ``config.floatx()``."""
        x = _checks.as_array(x, "x", _checks.float_dtype_of(x, config.floatx()))
        y = np.empty_like(x)
        if x.size:
            self.forward(y, x)
        return y

    def forward(self, y: Array, x: Array) -> None:
        """Write f(`x`) to `y`; both are C-contiguous, of one shape and type."""
        threads = _threads.get_num_threads()
        if self.elementwise:
            core.activation_forward(y, x, *self._native(), threads)
        else:
            core.softmax_forward(y, x, *self._split(x.shape), self.name == "log_softmax", threads)

    def backward(self, dx: Array, dy: Array, x: Array, y: Array) -> None:
        """Write the gradient for `x` to `dx`, given that for `y` = f(`x`); all C-contiguous, of one shape and type."""
        self.check_differentiable()
        threads = _threads.get_num_threads()
        if self.elementwise:
            core.activation_backward(dx, dy, x, y, *self._native(), threads)
        else:
            core.softmax_backward(dx, dy, y, *self._split(x.shape), self.name == "log_softmax", threads)

    def lower(self, network: _core.Network, x: int, shape: tuple[int, ...]) -> int:
        """Append the function of tensor `x`, whose samples have `shape`, to `network`; return the number of f(x)."""
        if self.name == "linear":
            return x
        if self.elementwise:
            return network.add_activation(x, *self._native())
        return network.add_softmax(x, *self.split_sample(shape), self.name == "log_softmax")

    def check_sample(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless the function can be applied to samples of `shape`."""
        if not self.elementwise:
            self.split_sample(shape)

    def check_differentiable(self) -> None:
        """Raise ValueError if the function has no gradient."""
        if not self.differentiable:
            raise ValueError(
                f"The activation {self.name} has no gradient to train with. "
                "Train with the loss 'perceptron', or use another activation such as sigmoid."
            )

    def split_sample(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Sizes (outer, axis, inner) of a softmax over samples of `shape`. Axis 0 is the batch, as in Keras."""
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

    def serialize(self) -> str | dict[str, Any]:
        """What `get` reads: the name, with the settings if they are not the defaults."""
        if self.config == _SETTINGS[self.name]:
            return self.name
        return {"class_name": self.name, "config": dict(self.config)}

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.config.items())
        return f"Activation({self.name!r}{settings})"


def _check_setting(name: str, setting: str, value: Any) -> Any:
    if setting == "axis":
        return _checks.axis(value)
    if setting == "approximate":
        return _checks.boolean(value, setting)
    if setting == "max_value":
        return _checks.optional_number(value, setting, "[0, inf)")
    if name == "celu":  # divides by alpha
        return _checks.number(value, setting, "(0, inf)")
    return _checks.finite(value, setting)


def _axes(axis: int | tuple[int, ...], rank: int) -> list[int]:
    """The axes from 0 on, in order, checked to be adjacent axes of an array of `rank` axes."""
    axes = _checks.axes_of(axis, rank)
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise ValueError(f"axis={axis} must be one axis or several adjacent ones.")
    return axes


def get(identifier: object) -> Activation:
    """Return the activation meant by a name, a function of this module, an `Activation`, a configuration or None.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if identifier is None:
        return Activation("linear")
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, str):
        return Activation(identifier)
    if isinstance(identifier, dict):
        name, settings = _identifiers.split_config(identifier, "activation")
        return Activation(name, **settings)
    if callable(identifier) and identifier in _FUNCTIONS:
        return Activation(_FUNCTIONS[identifier])
    raise TypeError(
        "activation must be a name, a function of pynn.activations or an Activation, "
        f"but got {identifier!r} of type {type(identifier).__name__}."
    )


def serialize(activation: Activation) -> str | dict[str, Any]:
    """What `get` reads."""
    return activation.serialize()


# ---- the functions ---------------------------------------------------------------------------------------------------
# Each takes an array of any shape (softmax and log_softmax: of at least one axis) and returns a new one of that shape.


def linear(x: ArrayLike) -> Array:
    """``x``."""
    return Activation("linear")(x)


def relu(x: ArrayLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """Rectified linear unit, ``max(x, 0)`` by default.

    ``min(x, max_value)`` where ``x > threshold``; ``negative_slope * (x - threshold)`` elsewhere: 0 at the threshold.
    """
    return Activation("relu", negative_slope=negative_slope, max_value=max_value, threshold=threshold)(x)


def relu6(x: ArrayLike) -> Array:
    """``min(max(x, 0), 6)``."""
    return Activation("relu6")(x)


def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Array:
    """``x`` where ``x > 0``, else ``negative_slope * x``."""
    return Activation("leaky_relu", negative_slope=negative_slope)(x)


def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Exponential linear unit: ``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)`` (Clevert et al., 2016)."""
    return Activation("elu", alpha=alpha)(x)


def selu(x: ArrayLike) -> Array:
    """Scaled ELU: ``1.05070098 * elu(x, 1.67326324)`` (Klambauer et al., 2017)."""
    return Activation("selu")(x)


def celu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Continuously differentiable ELU: ``max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)``, ``alpha > 0``."""
    return Activation("celu", alpha=alpha)(x)


def gelu(x: ArrayLike, approximate: bool = False) -> Array:
    """Gaussian error linear unit: ``x * P(X <= x)``, X standard normal (Hendrycks and Gimpel, 2016).

    With ``approximate``: ``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))``.
    """
    return Activation("gelu", approximate=approximate)(x)


def silu(x: ArrayLike) -> Array:
    """``x * sigmoid(x)``, also called swish."""
    return Activation("silu")(x)


def mish(x: ArrayLike) -> Array:
    """``x * tanh(softplus(x))`` (Misra, 2019)."""
    return Activation("mish")(x)


def sigmoid(x: ArrayLike) -> Array:
    """``1 / (1 + exp(-x))``."""
    return Activation("sigmoid")(x)


def log_sigmoid(x: ArrayLike) -> Array:
    """``log(1 / (1 + exp(-x)))``."""
    return Activation("log_sigmoid")(x)


def hard_sigmoid(x: ArrayLike) -> Array:
    """``relu6(x + 3) / 6``."""
    return Activation("hard_sigmoid")(x)


def hard_silu(x: ArrayLike) -> Array:
    """``x * hard_sigmoid(x)``, also called hard swish."""
    return Activation("hard_silu")(x)


def tanh(x: ArrayLike) -> Array:
    """Hyperbolic tangent."""
    return Activation("tanh")(x)


def hard_tanh(x: ArrayLike) -> Array:
    """``min(max(x, -1), 1)``."""
    return Activation("hard_tanh")(x)


def softplus(x: ArrayLike) -> Array:
    """``log(1 + exp(x))``."""
    return Activation("softplus")(x)


def softsign(x: ArrayLike) -> Array:
    """``x / (1 + abs(x))``."""
    return Activation("softsign")(x)


def exponential(x: ArrayLike) -> Array:
    """``exp(x)``."""
    return Activation("exponential")(x)


def softmax(x: ArrayLike, axis: int | tuple[int, ...] = -1) -> Array:
    """``exp(x) / sum(exp(x))`` over `axis`, one axis or several adjacent ones."""
    return Activation("softmax", axis=axis)(x)


def log_softmax(x: ArrayLike, axis: int | tuple[int, ...] = -1) -> Array:
    """Logarithm of the softmax over `axis`."""
    return Activation("log_softmax", axis=axis)(x)


def step(x: ArrayLike) -> Array:
    """1 where ``x > 0``, else 0: the perceptron's threshold. It has no gradient (see the loss ``perceptron``)."""
    return Activation("step")(x)


swish = silu
hard_swish = hard_silu

# The functions above are named as in _SETTINGS.
_FUNCTIONS: dict[object, str] = {globals()[name]: name for name in _SETTINGS}
