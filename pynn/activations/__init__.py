"""Activation functions, and which one is meant by a name, a configuration or a layer."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias

from numpy.typing import ArrayLike

from .. import config
from ..data import arrays
from ..foundation import checks, identifiers, not_yet, registry
from .base import NEEDED, SETTINGS, Array
from .base import Activation as Activation

P = ParamSpec("P")

# The functions by name: `_Function` fills it.
_FUNCTIONS: dict[str, Activation] = {}


class _Function(Activation, Generic[P]):
    """A function of this module: the activation with the default settings, and callable with others."""

    def __init__(self, function: Callable[P, Array]) -> None:
        name, settings = function.__name__, function.__code__.co_varnames[1 : function.__code__.co_argcount]
        SETTINGS[name] = dict(zip(settings, function.__defaults__ or (), strict=True))
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

    A function of one's own, or an object of a class of one's own that is called like one, is given a symbolic tensor,
    and computes with operators, the functions of this module and those of ``pynn.ops``.

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
        kind = registry.own(identifier.get("registered_name"), name)
        if isinstance(kind, type) and identifier.get("registered_name", name) is not None:  # None: one of pynn's
            return get(kind.from_config(settings) if hasattr(kind, "from_config") else kind(**settings))
        if name in _LAYERS:  # which Keras describes so where they are an activation
            name = _LAYERS[name]
            settings = {key: value for key, value in settings.items() if key not in ("name", "trainable", "dtype")}
        found = Activation(name, **settings)
    elif identifier is threshold:
        return Activation("threshold")  # says which settings it needs
    elif isinstance(of_layer := _of_layer(identifier), Activation):
        found = of_layer
    elif _is_own(identifier):
        return of_function(identifier)
    else:
        own = " Functions of your own are those that def and lambda make, and objects of classes with a __call__."
        own = own if callable(identifier) else ""
        if hasattr(identifier, "lower"):
            own = " A layer that has more than an activation function comes behind this one, as a layer of its own."
        raise TypeError(
            "activation must be a name, a function of pynn.activations or an Activation, "
            f"but got {checks.shown(identifier)} of type {type(identifier).__name__}.{own}"
        )
    function = _FUNCTIONS.get(found.name)
    return function if function is not None and found == function else found


def _is_own(identifier: object) -> bool:
    """Whether it is a function of one's own, or an object of a class of one's own with a ``__call__``."""
    if isinstance(identifier, types.FunctionType | types.MethodType | functools.partial):
        return True
    if not (callable(identifier) and registry.is_own(type(identifier))) or hasattr(identifier, "lower"):  # a layer
        return False
    return isinstance(type(identifier).__call__, types.FunctionType)


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


SETTINGS["threshold"] = {"threshold": NEEDED, "default_value": NEEDED}


@_Function
def step(x: ArrayLike) -> Array:
    """1 where ``x > 0``, else 0: the perceptron's threshold. It has no gradient (see the loss ``perceptron``)."""
    return Activation("step")(x)


swish = silu
hard_swish = hard_silu

if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "activation")
