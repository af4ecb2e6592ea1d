"""What PyTorch's modules hold, as the weights of pynn's layers: kernels turned, gates in another order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Held = Mapping[str, Array]  # what a module holds, by names such as "weight"

# PyTorch's axes as Keras's: of products (out, in); of convolutions (out, in, width) and (out, in, height, width), where
# Keras has the filters last; of transposed ones (in, out, ...).
_TURNS = {
    "Dense": (1, 0),
    "Conv1D": (2, 1, 0),
    "Conv2D": (2, 3, 1, 0),
    "Conv1DTranspose": (2, 1, 0),
    "Conv2DTranspose": (2, 3, 1, 0),
}
_EPSILON = ("BatchNormalization", "LayerNormalization", "GroupNormalization")
_RECURRENT = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}  # with the number of gates
# Where Keras's gates are among PyTorch's: LSTM i f g o as they are, GRU r z n as z r h
_GATES = {"SimpleRNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}


class UnfitError(ValueError):
    """A module that cannot be what a layer is."""


def weights_for(layer: Any, held: Held, order: Array | None, epsilon: float) -> list[Array]:
    """The arrays of a layer's weights, in their order.

    Args:
        layer: The layer.
        held: What the module holds.
        order: Where each of the inputs of the layer is among those of the module; None: at the same place.
        epsilon: That of PyTorch's normalisations.

    Raises:
        UnfitError: another kind of module.
    """
    kind = type(layer).__name__
    if kind in _EPSILON and layer.epsilon != epsilon:
        raise UnfitError(
            f"epsilon is {layer.epsilon:g}, but PyTorch's is {epsilon:g}: make the layer with epsilon={epsilon:g}, or "
            f"say load_torch_state(..., epsilon=...) what the module had"
        )
    convert = _CONVERSIONS.get(kind)
    if convert is None:
        raise UnfitError(f"{kind} has no counterpart in PyTorch that is known here")
    found = convert(layer, held)
    return found if order is None else _ordered(kind, found, order)


def _ordered(kind: str, arrays: list[Array], order: Array) -> list[Array]:
    """The arrays for inputs in another order than PyTorch has them."""
    if kind == "Dense":
        return [arrays[0][order], *arrays[1:]]
    return [array[order] for array in arrays]  # of a normalisation


def _take(held: Held, *names: str) -> list[Array]:
    """These arrays; UnfitError where some are missing, or there are others."""
    missing = [name for name in names if name not in held]
    more = [name for name in held if name not in names and name != "num_batches_tracked"]
    if missing or more:
        raise UnfitError(
            f"the module has {', '.join(held) or 'nothing'}, where {', '.join(names) or 'nothing'} are needed"
        )
    return [held[name] for name in names]


def _turned(array: Array, axes: tuple[int, ...]) -> Array:
    if array.ndim != len(axes):
        raise UnfitError(f"weight has {array.ndim} axes, where {len(axes)} are needed")
    turned: Array = array.transpose(axes)
    return turned


def _product(layer: Any, held: Held) -> list[Array]:
    """Dense layers and convolutions."""
    names = ("weight", "bias") if layer.use_bias else ("weight",)
    kernel, *bias = _take(held, *names)
    return [_turned(kernel, _TURNS[type(layer).__name__]), *bias]


def _depthwise(layer: Any, held: Held) -> list[Array]:
    """A convolution with as many groups as channels: (channels * multiplier, 1, ...) there, (..., channels, multiplier)
    here."""
    names = ("weight", "bias") if layer.use_bias else ("weight",)
    kernel, *bias = _take(held, *names)
    if kernel.ndim < 3 or kernel.shape[1] != 1 or kernel.shape[0] % layer.depth_multiplier:
        raise UnfitError(f"weight has the shape {kernel.shape}, where that of a depthwise convolution is needed")
    parts = kernel.reshape(-1, layer.depth_multiplier, *kernel.shape[2:])
    return [np.moveaxis(parts, (0, 1), (-2, -1)), *bias]


def _normalization(layer: Any, held: Held) -> list[Array]:
    """Scale and offset where there are some; statistics of batch normalisations."""
    names = ["weight"] * bool(layer.scale) + ["bias"] * bool(layer.center)
    if type(layer).__name__ == "BatchNormalization":
        names += ["running_mean", "running_var"]
    return _take(held, *names)


def _single(layer: Any, held: Held) -> list[Array]:
    """Embedding, RMSNormalization: one array as it is. PReLU: one slope for all, or one for each channel."""
    (array,) = _take(held, "weight")
    if type(layer).__name__ == "PReLU":
        shape = layer.weights[0].shape
        if array.size == 1:
            return [np.broadcast_to(array, shape)]
        if max(shape) == array.size == math.prod(shape):  # a slope for each channel, wherever these are
            return [array.reshape(shape)]
        raise UnfitError(f"weight has the shape {array.shape}, where one number or {shape} is needed")
    return [array]


def _recurrent(layer: Any, held: Held, suffix: str = "_l0") -> list[Array]:
    """A layer of one direction."""
    kind = type(layer).__name__
    names = [f"weight_ih{suffix}", f"weight_hh{suffix}"]
    names += [f"bias_ih{suffix}", f"bias_hh{suffix}"] * bool(layer.use_bias)
    kernel, recurrent, *biases = _take(held, *names)
    units = recurrent.shape[-1]

    def gates(array: Array) -> Array:
        if array.shape[0] != units * len(_GATES[kind]):
            raise UnfitError(f"the module has {array.shape[0] / units:g} gates, where {len(_GATES[kind])} are needed")
        parts = array.reshape(-1, units, *array.shape[1:])
        return np.concatenate([parts[gate] for gate in _GATES[kind]])

    found = [gates(kernel).T, gates(recurrent).T]
    if kind == "GRU" and not layer.reset_after:
        raise UnfitError("GRU has reset_after=False, but PyTorch's is that with reset_after=True")
    if biases:
        both = [gates(bias) for bias in biases]
        found.append(np.stack(both) if kind == "GRU" else both[0] + both[1])
    return found


def _bidirectional(layer: Any, held: Held) -> list[Array]:
    backward = {name: array for name, array in held.items() if name.endswith("_reverse")}
    forward = {name: array for name, array in held.items() if name not in backward}
    if type(layer.forward_layer).__name__ not in _RECURRENT:
        raise UnfitError(f"{type(layer.forward_layer).__name__} has no counterpart in PyTorch that is known here")
    return [*_recurrent(layer.forward_layer, forward), *_recurrent(layer.backward_layer, backward, "_l0_reverse")]


def _attention(layer: Any, held: Held) -> list[Array]:
    """Query, key and value side by side there, (inputs, heads, size) each here."""
    if "in_proj_weight" not in held:
        raise UnfitError("the module has query, key and value of different sizes, which is not known here")
    names = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    kept = _take(held, *(names if layer.use_bias else names[::2]))
    kernels = np.split(kept[0], 3)
    heads, size = layer.num_heads, layer.key_dim
    if kernels[0].shape[0] != heads * size:
        raise UnfitError(
            f"the module has {kernels[0].shape[0]} numbers in all heads, where {heads} of {size} are needed"
        )
    found = []
    biases = np.split(kept[1], 3) if layer.use_bias else []
    for number, kernel in enumerate(kernels):
        found.append(kernel.T.reshape(-1, heads, size))
        found += [biases[number].reshape(heads, size)] if biases else []
    out, *bias = kept[2:] if layer.use_bias else kept[1:]
    return [*found, out.T.reshape(heads, size, -1), *bias]


_CONVERSIONS: dict[str, Callable[[Any, Held], list[Array]]] = {
    **dict.fromkeys(_TURNS, _product),
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    **dict.fromkeys(_EPSILON, _normalization),
    **dict.fromkeys(("Embedding", "PReLU", "RMSNormalization"), _single),
    **dict.fromkeys(_RECURRENT, _recurrent),
    "Bidirectional": _bidirectional,
    "MultiHeadAttention": _attention,
}
