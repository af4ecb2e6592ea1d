"""Random initial values whose variance follows from the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..foundation import checks, draws, pieces
from ..foundation.seeds import Seed
from .base import Array
from .random import RandomInitializer

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "VarianceScaling",
]

Axes = int | Sequence[int]


class VarianceScaling(RandomInitializer):
    """Random numbers whose variance ``scale / n`` follows from the shape (He et al., 2015).

    ``n`` is the fan-in (inputs of a unit), the fan-out (units an input reaches) or the mean of both. A matrix is
    (fan-in, fan-out); a convolution's kernel ends in (input channels, output channels), each times the kernel's area.

    Args:
        scale: Above 0. Default ``1.0``.
        mode: ``"fan_in"`` (the default), ``"fan_out"`` or ``"fan_avg"``.
        distribution: ``"truncated_normal"`` (the default; also ``"normal"``), its standard deviation corrected for
            the truncation; ``"untruncated_normal"``; or ``"uniform"``: within ``sqrt(3 * scale / n)``.
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
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
        seed: Seed = None,
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

    def __init__(self, seed: Seed = None, input_axes: Axes | None = None, output_axes: Axes | None = None) -> None:
        super().__init__(*self._SETTINGS, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {**RandomInitializer.get_config(self), **self._axes_config()}


class GlorotUniform(_Scaled):
    """Uniform within ``sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio, 2010).

    Args:
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio, 2010).

    Args:
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform within ``sqrt(6 / fan_in)`` (He et al., 2015).

    Args:
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal of variance ``2 / fan_in`` (He et al., 2015).

    Args:
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform within ``sqrt(3 / fan_in)`` (LeCun et al., 1998).

    Args:
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal of variance ``1 / fan_in`` (LeCun et al., 1998).

    Args:
        seed: A number, or a `pynn.random.SeedGenerator`. Default ``None``: from the global seed.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _SETTINGS = (1.0, "fan_in", "truncated_normal")


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
