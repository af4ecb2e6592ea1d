"""The layers."""

from __future__ import annotations

from typing import Any

from .. import _identifiers
from .activations import ELU, LeakyReLU, ReLU, Softmax
from .base import Layer, Lowering, Weight, WeightSpec
from .convolutional import Conv1D, Conv2D
from .core import Activation, Dense, Input, InputLayer
from .pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from .preprocessing import Rescaling
from .reshaping import Flatten, Permute, Reshape
from .resizing import Cropping1D, Cropping2D, UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D

__all__ = [
    "ELU",
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "Conv1D",
    "Conv2D",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "Lowering",
    "MaxPooling1D",
    "MaxPooling2D",
    "Permute",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "UpSampling1D",
    "UpSampling2D",
    "Weight",
    "WeightSpec",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "deserialize",
    "serialize",
]

_CLASSES: tuple[type[Layer], ...] = (
    InputLayer,
    Dense,
    Conv1D,
    Conv2D,
    MaxPooling1D,
    MaxPooling2D,
    AveragePooling1D,
    AveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    Activation,
    ReLU,
    LeakyReLU,
    ELU,
    Softmax,
    Flatten,
    Reshape,
    Permute,
    ZeroPadding1D,
    ZeroPadding2D,
    Cropping1D,
    Cropping2D,
    UpSampling1D,
    UpSampling2D,
    Rescaling,
)
_TABLE = {cls.__name__: cls for cls in _CLASSES}


def serialize(layer: Layer) -> dict[str, Any]:
    """The configuration ``{"class_name": ..., "config": ...}`` that `deserialize` reads."""
    return _identifiers.serialize(layer)


def deserialize(config: dict[str, Any]) -> Layer:
    """The layer of a configuration that `serialize` made; it has no weights yet.

    Raises:
        ValueError: no such layer, or another form of configuration. TypeError: arguments the layer does not have.
    """
    name, settings = _identifiers.split_config(config, "layer")
    return _identifiers.look_up(name, _TABLE, "layer").from_config(settings)
