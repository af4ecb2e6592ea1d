"""Layers that are noisy in training, so that a network cannot rely on any one number; otherwise they do nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from .. import config
from ..engine.lowering import Lowering
from ..foundation import checks, draws
from ..foundation.native import core
from ..regularizers import L1L2
from .base import Layer
from .channels import ChannelsLayer
from .setting import number
from .types import LayerArguments, Shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
]


class _Noise(Layer):
    """What layers of noise have in common. The noise is a function of the layer's seed, the step and the element alone,
    so that it is the same for any number of threads."""

    built_at_once = True
    supports_masking = True
    kind: str

    def __init__(self, seed: int | None, **base: Unpack[LayerArguments]) -> None:
        self.seed = None if seed is None else checks.non_negative_int(seed, "seed", at_most=2**64 - 1)
        super().__init__(**base)
        self._key = core.NoiseKey(draws.next_key() if self.seed is None else self.seed)

    @property
    def _amount(self) -> float:
        """How much noise there is, as the engine has it."""
        return float(self.rate)  # type: ignore[attr-defined]

    def _sharing(self, shape: Shape) -> tuple[bool, ...]:
        """Along which axes of a batch of samples of `shape` the noise is the same, the axis of the samples included."""
        return (False,) * (len(shape) + 1)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        if self._amount == 0 or net.inference:
            return x
        key = self._key.value
        return net.add(
            "noise",
            x,
            kind=self.kind,
            shape=shape,
            sharing=self._sharing(shape),
            amount=self._amount,
            seed=(net.seed(key) - key) % 2**64,
            key=self._key,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_key": self._key.value}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_key": core.NoiseKey(state["_key"])})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


class _MaskedNoise(_Noise):
    """What dropouts have in common whose elements may share their fate."""

    rate = number("[0, 1]")

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.rate = rate
        self.noise_shape = None if noise_shape is None else _noise_shape(noise_shape)
        super().__init__(
            seed, name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim
        )

    def sample_output_shape(self, shape: Shape) -> Shape:
        self._sharing(shape)
        return shape

    def _sharing(self, shape: Shape) -> tuple[bool, ...]:
        if self.noise_shape is None:
            return super()._sharing(shape)
        if len(self.noise_shape) != len(shape) + 1 or any(
            n not in (None, 1, size) for n, size in zip(self.noise_shape[1:], shape, strict=True)
        ):
            raise self._shape_error(
                f"has noise_shape={self.noise_shape}, but for samples of shape {shape} it must be None, or have an "
                f"entry for the axis of the samples and, for each other axis, None, 1 or its size."
            )
        return tuple(n == 1 for n in self.noise_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape}


def _noise_shape(value: object) -> tuple[int | None, ...]:
    value = checks.listed(value)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(
            f"noise_shape must be a tuple of whole numbers and None, but got {value!r} of type {type(value).__name__}."
        )
    return tuple(None if n is None else checks.positive_int(n, "every size of noise_shape") for n in value)


class Dropout(_MaskedNoise):
    """In training, elements become 0 with probability `rate`, and the others are multiplied by ``1 / (1 - rate)``
    (Srivastava et al., 2014). The shape stays as it is.

    Args:
        rate: Share of the elements that are dropped, in [0, 1].
        noise_shape: Shape of what is drawn for a batch, the axis of the samples included: 1 for an axis along which all
            elements share their fate, otherwise None or the size that the input has there. Batches of other sizes are
            taken all the same. ``(None, 1, ..., 1, None)``: all positions of a sample drop the same channels. Default
            ``None``: each element is dropped for itself.
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, a noise_shape that does not fit the samples.
    """

    kind = "dropout"


class AlphaDropout(_MaskedNoise):
    """Dropout for networks of `selu`: in training, elements become the least value of selu, ``alpha' = -1.7581``, with
    probability `rate`, and then all go through ``a x + b`` with ``a = ((1 - rate) (1 + rate alpha'^2))^(-1/2)`` and
    ``b = -a alpha' rate``, so that mean 0 and variance 1 stay (Klambauer et al., 2017). The shape stays as it is.

    Args:
        rate: Share of the elements that are dropped, in [0, 1].
        noise_shape: Shape of what is drawn for a batch, the axis of the samples included: 1 for an axis along which all
            elements share their fate, otherwise None or the size that the input has there. Batches of other sizes are
            taken all the same. ``(None, 1, ..., 1, None)``: all positions of a sample drop the same channels. Default
            ``None``: each element is dropped for itself.
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when the model is built, a noise_shape that does not fit the samples.
    """

    kind = "alpha_dropout"


class _SpatialDropout(ChannelsLayer, _Noise):
    """What spatial dropouts have in common."""

    kind = "dropout"
    rate = number("[0, 1]")
    data_format = config.CHANNELS_LAST

    def __init__(self, rate: float, seed: int | None, **base: Unpack[LayerArguments]) -> None:
        self.rate = rate
        super().__init__(seed, **base)

    def _output_shape(self, shape: Shape) -> Shape:
        return shape

    def _sharing(self, shape: Shape) -> tuple[bool, ...]:
        positions = (True,) * self.rank
        return (False, False, *positions) if self._channels_first else (False, *positions, False)

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return _Noise.lower(self, net, x, shape)  # it knows both formats

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class SpatialDropout1D(_SpatialDropout):
    """`Dropout` of whole channels of a sequence (Tompson et al., 2014): neighbours say much the same, so that dropping
    single ones would have little effect. Samples have the shape ``(length, channels)``.

    Args:
        rate: Share of the channels that are dropped, in [0, 1].
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    rank = 1

    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        super().__init__(rate, seed, name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)


class SpatialDropout2D(_SpatialDropout):
    """`Dropout` of whole channels of an image (Tompson et al., 2014). Samples have the shape ``(height, width,
    channels)``.

    Args:
        rate: Share of the channels that are dropped, in [0, 1].
        data_format: ``"channels_last"`` or ``"channels_first"``: samples have the shape ``(channels, height, width)``.
            Default: ``config.image_data_format()``.
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
    ) -> None:
        self.data_format = config.resolve_data_format(data_format)
        super().__init__(rate, seed, name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class GaussianNoise(_Noise):
    """In training, normal numbers of mean 0 are added. The shape stays as it is.

    Args:
        stddev: Their standard deviation, at least 0.
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    kind = "gaussian_noise"
    stddev = number("[0, inf)")

    def __init__(
        self,
        stddev: float,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.stddev = stddev
        super().__init__(
            seed, name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim
        )

    @property
    def _amount(self) -> float:
        return float(self.stddev)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


class GaussianDropout(_Noise):
    """In training, elements are multiplied by normal numbers of mean 1 and standard deviation ``sqrt(rate / (1 -
    rate))``, that of `Dropout`'s factors (Srivastava et al., 2014). The shape stays as it is.

    Args:
        rate: In [0, 1).
        seed: Of the noise. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    kind = "gaussian_dropout"
    rate = number("[0, 1)")

    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.rate = rate
        super().__init__(
            seed, name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim
        )

    @property
    def _amount(self) -> float:
        return math.sqrt(self.rate / (1 - self.rate))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class ActivityRegularization(Layer):
    """A penalty for what goes through: the loss grows by ``(l1 * sum |x| + l2 * sum x^2) / N``. Nothing else changes.

    Args:
        l1, l2: At least 0. Default 0.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument.
    """

    built_at_once = True
    supports_masking = True

    def __init__(
        self,
        l1: float = 0.0,
        l2: float = 0.0,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        self.activity_regularizer = L1L2(l1, l2)
        self.l1, self.l2 = self.activity_regularizer.l1, self.activity_regularizer.l2
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape, input_dim=input_dim)

    def sample_output_shape(self, shape: Shape) -> Shape:
        return shape

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}
