"""Initial values of weights.

Random ones come from the counter-based generator: with a ``seed`` of its own an initializer gives the same values at
every call, as in Keras 3; without one, new values at each call, which ``pynn.set_random_seed`` makes repeatable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import config
from .data import arrays
from .foundation import checks, draws, identifiers, not_yet, pieces, registry
from .foundation.identifiers import Described
from .foundation.names import to_snake_case

Array = NDArray[Any]
Function = Callable[..., Any]
Axes = int | Sequence[int]


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


# ---- constants -------------------------------------------------------------------------------------------------------


class Zeros(Initializer):
    """All 0."""

    def _values(self, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape)


class Ones(Initializer):
    """All 1."""

    def _values(self, shape: tuple[int, ...]) -> Array:
        return np.ones(shape)


class Constant(Initializer):
    """The given value or values.

    Args:
        value: A number, or an array that broadcasts to the shape asked for. Default ``0.0``.
    """

    def __init__(self, value: ArrayLike = 0.0) -> None:
        self.value = arrays.as_array(value, "value", "float64").copy()

    def _values(self, shape: tuple[int, ...]) -> Array:
        try:
            return np.broadcast_to(self.value, shape)
        except ValueError:
            raise ValueError(
                f"Constant holds values of shape {self.value.shape}, which do not fit the shape {shape}."
            ) from None

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value.tolist()}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix and 0 elsewhere.

    Args:
        gain: Default ``1.0``.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = checks.finite(gain, "gain")

    def _values(self, shape: tuple[int, ...]) -> Array:
        if len(shape) != 2:
            raise ValueError(f"Identity makes matrices, but was asked for the shape {shape}.")
        return self.gain * np.eye(*shape)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


# ---- random numbers --------------------------------------------------------------------------------------------------


class RandomInitializer(Initializer):
    """Base of the random ones: it keeps the seed."""

    def __init__(self, seed: int | None) -> None:
        self.seed = None if seed is None else checks.non_negative_int(seed, "seed", at_most=2**64 - 1)

    def _key(self) -> tuple[int, int]:
        """Seed and stream of the next draw."""
        return draws.next_seed() if self.seed is None else (self.seed, 0)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class RandomUniform(RandomInitializer):
    """Uniform numbers of [minval, maxval).

    Args:
        minval: Default ``-0.05``.
        maxval: Default ``0.05``.
        seed: Default ``None``: from the global seed.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = checks.finite(minval, "minval")
        self.maxval = checks.finite(maxval, "maxval")
        if self.minval > self.maxval:
            raise ValueError(f"minval must not exceed maxval, but got minval={minval}, maxval={maxval}.")

    def _values(self, shape: tuple[int, ...]) -> Array:
        numbers = draws.uniform(shape, *self._key())
        return pieces.apply(lambda u: self.minval + (self.maxval - self.minval) * u, numbers)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class RandomNormal(RandomInitializer):
    """Normal numbers of the given mean and standard deviation.

    Args:
        mean: Default ``0.0``.
        stddev: Standard deviation, at least 0. Default ``0.05``.
        seed: Default ``None``: from the global seed.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = checks.finite(mean, "mean")
        self.stddev = checks.number(stddev, "stddev", "[0, inf)")

    def _values(self, shape: tuple[int, ...]) -> Array:
        return pieces.apply(lambda z: self.mean + self.stddev * z, draws.normal(shape, *self._key()))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal numbers, those further than ``2 * stddev`` from the mean drawn again.

    Args:
        mean: Default ``0.0``.
        stddev: Standard deviation before the truncation, at least 0. Default ``0.05``.
        seed: Default ``None``: from the global seed.
    """

    def _values(self, shape: tuple[int, ...]) -> Array:
        return pieces.apply(lambda z: self.mean + self.stddev * z, draws.truncated_normal(shape, *self._key()))


class VarianceScaling(RandomInitializer):
    """Random numbers whose variance ``scale / n`` follows from the shape (He et al., 2015).

    ``n`` is the fan-in (inputs of a unit), the fan-out (units an input reaches) or the mean of both. A matrix is
    (fan-in, fan-out); a convolution's kernel ends in (input channels, output channels), each times the kernel's area.

    Args:
        scale: Above 0. Default ``1.0``.
        mode: ``"fan_in"`` (the default), ``"fan_out"`` or ``"fan_avg"``.
        distribution: ``"truncated_normal"`` (the default; also ``"normal"``), its standard deviation corrected for
            the truncation; ``"untruncated_normal"``; or ``"uniform"``: within ``sqrt(3 * scale / n)``.
        seed: Default ``None``: from the global seed.
        input_axes, output_axes: The axes whose sizes make the fan-in and the fan-out, both or none of the two. Default
            ``None``: as above.
    """

    # Standard deviation of a standard normal variable truncated to [-2, 2].
    _TRUNCATED_STDDEV = 0.87962566103423978

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Axes | None = None,
        output_axes: Axes | None = None,
    ) -> None:
        super().__init__(seed)
        if (input_axes is None) != (output_axes is None):
            raise ValueError(
                "input_axes and output_axes must be given both or not at all, but got "
                f"input_axes={checks.shown(input_axes)}, output_axes={checks.shown(output_axes)}."
            )
        self.input_axes = None if input_axes is None else _axes(input_axes)
        self.output_axes = None if output_axes is None else _axes(output_axes)
        self.scale = checks.number(scale, "scale", "(0, inf)")
        self.mode = checks.choice(mode, "mode", ("fan_in", "fan_out", "fan_avg"))
        self.distribution = checks.choice(
            "truncated_normal" if distribution == "normal" else distribution,
            "distribution",
            ("truncated_normal", "untruncated_normal", "uniform"),
        )

    def _values(self, shape: tuple[int, ...]) -> Array:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            bound = math.sqrt(3.0 * variance)
            return pieces.apply(lambda u: bound * (2.0 * u - 1.0), draws.uniform(shape, *self._key()))
        if self.distribution == "untruncated_normal":
            return pieces.apply(lambda z: math.sqrt(variance) * z, draws.normal(shape, *self._key()))
        scale = math.sqrt(variance) / self._TRUNCATED_STDDEV
        return pieces.apply(lambda z: scale * z, draws.truncated_normal(shape, *self._key()))

    def get_config(self) -> dict[str, Any]:
        own = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**super().get_config(), **own, **self._axes_config()}

    def _axes_config(self) -> dict[str, Any]:
        return {"input_axes": self.input_axes, "output_axes": self.output_axes}


def _axes(axes: Axes) -> list[int]:
    found = checks.axis(axes)
    return [found] if isinstance(found, int) else list(found)


class _Scaled(VarianceScaling):
    """A variance scaling with fixed settings: a subclass names them."""

    _SETTINGS: tuple[float, str, str]

    def __init__(
        self, seed: int | None = None, input_axes: Axes | None = None, output_axes: Axes | None = None
    ) -> None:
        super().__init__(*self._SETTINGS, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, **self._axes_config()}


class GlorotUniform(_Scaled):
    """Uniform within ``sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio, 2010).

    Args:
        seed: Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    Args:
        seed: Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform within ``sqrt(6 / fan_in)`` (He et al., 2015).

    Args:
        seed: Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal of variance ``2 / fan_in`` (He et al., 2015).

    Args:
        seed: Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform within ``sqrt(3 / fan_in)`` (LeCun et al., 1998).

    Args:
        seed: Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal of variance ``1 / fan_in`` (LeCun et al., 1998).

    Args:
        seed: Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """`gain` times a random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014).

    All axes but the last are taken together as the rows.

    Args:
        gain: Default ``1.0``.
        seed: Default ``None``: from the global seed.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = checks.finite(gain, "gain")

    def _values(self, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs a shape of at least 2 axes, but was asked for {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(draws.normal((max(rows, columns), min(rows, columns)), *self._key()))
        # With a positive diagonal of r the factorisation is unique, and q uniform among the orthogonal matrices.
        q *= np.where(np.diag(r) < 0.0, -1.0, 1.0)
        matrix = q if rows >= columns else q.T
        return self.gain * matrix.reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}


def compute_fans(
    shape: tuple[int, ...], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """(fan-in, fan-out) of weights of `shape`: see `VarianceScaling`.

    Raises:
        ValueError: axes that the shape does not have.
    """
    if input_axes is not None and output_axes is not None:
        of_each = [checks.axes_of(tuple(axes), len(shape)) for axes in (input_axes, output_axes)]
        fan_in, fan_out = (math.prod(shape[axis] for axis in axes) for axes in of_each)
        return fan_in, fan_out
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    area = math.prod(shape[:-2])
    return shape[-2] * area, shape[-1] * area


# Keras has each class under a second name.
zeros = Zeros
ones = Ones
constant = Constant
identity = Identity
random_uniform = RandomUniform
random_normal = RandomNormal
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_uniform = HeUniform
he_normal = HeNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal
orthogonal = Orthogonal
IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal

_CLASSES: tuple[type[Initializer], ...] = (
    Zeros,
    Ones,
    Constant,
    Identity,
    RandomUniform,
    RandomNormal,
    TruncatedNormal,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
    Orthogonal,
)
_TABLE: dict[str, type[Initializer]] = {
    **{cls.__name__: cls for cls in _CLASSES},
    **{to_snake_case(cls.__name__): cls for cls in _CLASSES},
    "FunctionInitializer": FunctionInitializer,
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "zero": Zeros,
    "one": Ones,
    "normal": RandomNormal,
    "uniform": RandomUniform,
}


InitializerLike: TypeAlias = str | Initializer | type[Initializer] | Array | dict[str, Any] | Function


def get(identifier: InitializerLike) -> Initializer:
    """Return the initializer that is meant.

    Args:
        identifier: A name (``"he_normal"``, ``"HeNormal"``), class, instance, configuration, array or function.

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if isinstance(identifier, np.ndarray):
        return Constant(identifier)
    if callable(identifier) and not isinstance(identifier, type | Initializer):
        return FunctionInitializer(identifier)
    return identifiers.resolve(identifier, Initializer, _TABLE, "initializer")


def serialize(initializer: Initializer) -> dict[str, Any]:
    """The configuration that `get` reads."""
    return identifiers.serialize(initializer)


def deserialize(config: InitializerLike, custom_objects: Mapping[str, Any] | None = None) -> Initializer:
    """As `get`, also for classes of one's own: ``{"Mine": Mine}``.

    Raises:
        TypeError, ValueError: an unknown name, or another form of configuration.
    """
    return registry.knowing(custom_objects, lambda: get(config))


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "initializer")
