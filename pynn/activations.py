"""Activation functions: what they are called, their settings, and how they are computed and put into a network."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import config
from .data import arrays
from .engine import single
from .engine.lowering import Lowering
from .foundation import checks, identifiers, not_yet, registry
from .foundation.arguments import NamesItsArguments, did_you_mean

Array = NDArray[Any]

P = ParamSpec("P")

_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}

_NEEDED: Any = object()  # stands for the default of a setting that has none

# The settings of every function of this module with their defaults, and the functions: `_Function` fills in both.
_SETTINGS: dict[str, dict[str, Any]] = {}
_FUNCTIONS: dict[str, Activation] = {}


class Activation(NamesItsArguments):
    """An activation function with its settings; callable on arrays. Those of one function and settings are equal.

    The functions of this module are of this class: ``relu`` is the rectified linear unit with the default settings.

    Args:
        name: One of the functions of this module, such as ``"leaky_relu"``.
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
        name = _ALIASES.get(name, name)
        if name not in _SETTINGS:
            raise ValueError(identifiers.unknown_name(name, [*_SETTINGS, *_ALIASES], "activation"))
        defaults = _SETTINGS[name]
        for setting in settings:
            if setting not in defaults:
                known = f"It has: {', '.join(defaults) or 'none'}."
                meant = did_you_mean(setting, defaults)
                raise TypeError(f"The activation {name} has no setting {setting!r}.{meant} {known}")
        missing = [setting for setting, default in defaults.items() if default is _NEEDED and setting not in settings]
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
        if self.config == _SETTINGS[self.name]:
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


class _Function(Activation, Generic[P]):
    """A function of this module: the activation with the default settings, and callable with others."""

    def __init__(self, function: Callable[P, Array]) -> None:
        name, settings = function.__name__, function.__code__.co_varnames[1 : function.__code__.co_argcount]
        _SETTINGS[name] = dict(zip(settings, function.__defaults__ or (), strict=True))
        _FUNCTIONS[name] = self
        super().__init__(name)
        self._function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Array:  # type: ignore[override] # takes the settings too
        return self._function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> _Function[P]:
        """Itself. Having this, it counts as a routine, whose signature ``help`` shows."""
        return self

    def __reduce__(self) -> str:
        """Copies and pickles are the function itself."""
        return self.name

    def __repr__(self) -> str:
        return f"<activation {self.name}>"


ActivationLike: TypeAlias = str | Activation | dict[str, Any] | None


def _no_own(function: Callable[..., Any]) -> Activation:
    raise TypeError(
        f"{checks.shown(function)} is a function of one's own, which needs layers: import pynn.layers first."
    )


# How a function of one's own becomes an activation; `pynn.layers` sets it, as it is traced like the call of a layer.
of_function: Callable[[Any], Activation] = _no_own


# Layers that are activations
_LAYERS = {"ELU": "elu", "LeakyReLU": "leaky_relu", "ReLU": "relu", "Softmax": "softmax"}


def get(identifier: ActivationLike) -> Activation:
    """Return the activation meant by a name, a function of this module, an `Activation`, a configuration, a layer that
    is nothing but an activation, such as ``ReLU(6)``, a function of one's own, or None.

    A function of one's own is given a symbolic tensor, and computes with operators, the functions of this module and
    those of ``pynn.ops``.

    With the default settings it is the function of this module: ``get("relu") is relu``. None means `linear`.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, str):
        if identifier in _FUNCTIONS:
            return _FUNCTIONS[identifier]
        known = registry.own(identifier)
        found = Activation(identifier) if known is None else get(known)
    elif isinstance(identifier, dict) and identifier.get("class_name") == "function":  # Keras says it so
        return _of_description(identifier)
    elif isinstance(identifier, dict):
        name, settings = identifiers.split_config(identifier, "activation")
        if name in _LAYERS:  # which Keras describes so where they are an activation
            name = _LAYERS[name]
            settings = {key: value for key, value in settings.items() if key not in ("name", "trainable", "dtype")}
        found = Activation(name, **settings)
    elif identifier is threshold:
        return Activation("threshold")  # says which settings it needs
    elif isinstance(of_layer := _of_layer(identifier), Activation):
        found = of_layer
    elif isinstance(identifier, types.FunctionType | types.MethodType | functools.partial):
        return of_function(identifier)
    else:
        own = " Functions of your own are those that def and lambda make." if callable(identifier) else ""
        if hasattr(identifier, "lower"):
            own = " A layer that has more than an activation function comes behind this one, as a layer of its own."
        raise TypeError(
            "activation must be a name, a function of pynn.activations or an Activation, "
            f"but got {checks.shown(identifier)} of type {type(identifier).__name__}.{own}"
        )
    function = _FUNCTIONS.get(found.name)
    return function if function is not None and found == function else found


def _of_layer(identifier: object) -> object:
    """The function of a layer that is nothing but it: one with a `call` of its own is more."""
    return getattr(identifier, "function", None) if getattr(identifier, "_form", identifier) is None else None


def _of_description(description: dict[str, Any]) -> Activation:
    """The activation of a function's description. One of one's own is not mistaken for that of pynn of its name."""
    name, module = checks.text(description.get("config"), "config"), description.get("module")
    known = identifiers.function_of(description)
    if known is None and isinstance(module, str) and module.partition(".")[0] not in ("builtins", "keras", "pynn"):
        raise ValueError(
            f"The activation {name!r} is a function of one's own, of {module}: give it as custom_objects={{{name!r}: "
            "...}, or register it."
        )
    return get(name if known is None else known)


def serialize(activation: Activation) -> str | dict[str, Any]:
    """What `get` reads."""
    return activation.serialize()


def deserialize(config: ActivationLike, custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """As `get`, also for functions of one's own: ``{"mine": mine}``.

    Raises:
        TypeError, ValueError: an unknown name, or another form of configuration.
    """
    return registry.knowing(custom_objects, lambda: get(config))


# ---- the functions ---------------------------------------------------------------------------------------------------
# Each takes an array of any shape (those with an axis: of at least one axis) and returns a new one, of that shape but
# for `glu`.


@_Function
def linear(x: ArrayLike) -> Array:
    """``x``."""
    return Activation("linear")(x)


@_Function
def relu(x: ArrayLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """Rectified linear unit, ``max(x, 0)`` by default.

    ``min(x, max_value)`` where ``x > threshold``; ``negative_slope * (x - threshold)`` elsewhere: 0 at the threshold.
    """
    return Activation("relu", negative_slope=negative_slope, max_value=max_value, threshold=threshold)(x)


@_Function
def relu6(x: ArrayLike) -> Array:
    """``min(max(x, 0), 6)``."""
    return Activation("relu6")(x)


@_Function
def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Array:
    """``x`` where ``x >= 0``, else ``negative_slope * x``. The derivative at 0 is 1, as in JAX."""
    return Activation("leaky_relu", negative_slope=negative_slope)(x)


@_Function
def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Exponential linear unit: ``x`` where ``x > 0``, else ``alpha * (exp(x) - 1)`` (Clevert et al., 2016)."""
    return Activation("elu", alpha=alpha)(x)


@_Function
def selu(x: ArrayLike) -> Array:
    """Scaled ELU: ``1.05070098 * elu(x, 1.67326324)`` (Klambauer et al., 2017)."""
    return Activation("selu")(x)


@_Function
def celu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """Continuously differentiable ELU: ``max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)``, ``alpha > 0``."""
    return Activation("celu", alpha=alpha)(x)


@_Function
def gelu(x: ArrayLike, approximate: bool = False) -> Array:
    """Gaussian error linear unit: ``x * P(X <= x)``, X standard normal (Hendrycks and Gimpel, 2016).

    With ``approximate``: ``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))``.
    """
    return Activation("gelu", approximate=approximate)(x)


@_Function
def silu(x: ArrayLike) -> Array:
    """``x * sigmoid(x)``, also called swish."""
    return Activation("silu")(x)


@_Function
def mish(x: ArrayLike) -> Array:
    """``x * tanh(softplus(x))`` (Misra, 2019)."""
    return Activation("mish")(x)


@_Function
def sigmoid(x: ArrayLike) -> Array:
    """``1 / (1 + exp(-x))``."""
    return Activation("sigmoid")(x)


@_Function
def log_sigmoid(x: ArrayLike) -> Array:
    """``log(1 / (1 + exp(-x)))``."""
    return Activation("log_sigmoid")(x)


@_Function
def hard_sigmoid(x: ArrayLike) -> Array:
    """``relu6(x + 3) / 6``."""
    return Activation("hard_sigmoid")(x)


@_Function
def hard_silu(x: ArrayLike) -> Array:
    """``x * hard_sigmoid(x)``, also called hard swish."""
    return Activation("hard_silu")(x)


@_Function
def tanh(x: ArrayLike) -> Array:
    """Hyperbolic tangent."""
    return Activation("tanh")(x)


@_Function
def hard_tanh(x: ArrayLike) -> Array:
    """``min(max(x, -1), 1)``."""
    return Activation("hard_tanh")(x)


@_Function
def softplus(x: ArrayLike) -> Array:
    """``log(1 + exp(x))``."""
    return Activation("softplus")(x)


@_Function
def softsign(x: ArrayLike) -> Array:
    """``x / (1 + abs(x))``."""
    return Activation("softsign")(x)


@_Function
def exponential(x: ArrayLike) -> Array:
    """``exp(x)``."""
    return Activation("exponential")(x)


@_Function
def softmax(x: ArrayLike, axis: int | tuple[int, ...] | None = -1) -> Array:
    """``exp(x) / sum(exp(x))`` over `axis`, one axis or several adjacent ones; None: all elements of an array."""
    return _over_all("softmax", x) if axis is None else Activation("softmax", axis=axis)(x)


@_Function
def log_softmax(x: ArrayLike, axis: int | tuple[int, ...] | None = -1) -> Array:
    """Logarithm of the softmax over `axis`."""
    return _over_all("log_softmax", x) if axis is None else Activation("log_softmax", axis=axis)(x)


def _over_all(name: str, x: ArrayLike) -> Array:
    """The function of all elements of an array together."""
    if hasattr(x, "activated"):
        raise ValueError(
            f"{name} of a symbolic tensor needs an axis: without one it would be that of all samples together."
        )
    x = arrays.as_array(x, "x", arrays.float_dtype_of(x, config.floatx()))
    return Activation(name)(x.reshape(-1)).reshape(x.shape)


@_Function
def sparsemax(x: ArrayLike, axis: int = -1) -> Array:
    """``max(x - t, 0)``, with the t for which the sum over `axis` is 1 (Martins and Astudillo, 2016).

    Of all distributions it is the nearest to x; many of its probabilities are exactly 0.
    """
    return Activation("sparsemax", axis=axis)(x)


@_Function
def glu(x: ArrayLike, axis: int = -1) -> Array:
    """Gated linear unit: ``a * sigmoid(b)``, a and b being the halves of `axis` (Dauphin et al., 2017).

    The result has half the size along `axis`, which must be even.
    """
    return Activation("glu", axis=axis)(x)


@_Function
def squareplus(x: ArrayLike, b: float = 4) -> Array:
    """``(x + sqrt(x**2 + b)) / 2``, ``b >= 0`` (Barron, 2021)."""
    return Activation("squareplus", b=b)(x)


@_Function
def hard_shrink(x: ArrayLike, threshold: float = 0.5) -> Array:
    """``x`` where ``abs(x) > threshold``, else 0; ``threshold >= 0``."""
    return Activation("hard_shrink", threshold=threshold)(x)


@_Function
def soft_shrink(x: ArrayLike, threshold: float = 0.5) -> Array:
    """``sign(x) * (abs(x) - threshold)`` where ``abs(x) > threshold``, else 0; ``threshold >= 0``."""
    return Activation("soft_shrink", threshold=threshold)(x)


@_Function
def tanh_shrink(x: ArrayLike) -> Array:
    """``x - tanh(x)``."""
    return Activation("tanh_shrink")(x)


def threshold(x: ArrayLike, threshold: float, default_value: float) -> Array:
    """``x`` where ``x > threshold``, else `default_value`.

    Its settings have no defaults: as the activation of a layer, give them with ``Activation("threshold", ...)``.
    """
    return Activation("threshold", threshold=threshold, default_value=default_value)(x)


_SETTINGS["threshold"] = {"threshold": _NEEDED, "default_value": _NEEDED}


@_Function
def step(x: ArrayLike) -> Array:
    """1 where ``x > 0``, else 0: the perceptron's threshold. It has no gradient (see the loss ``perceptron``)."""
    return Activation("step")(x)


swish = silu
hard_swish = hard_silu

if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "activation")
