"""The layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..engine.lowering import Lowering
from ..foundation import identifiers, not_yet
from .activations import ELU, LeakyReLU, ReLU, Softmax
from .base import Layer
from .convolutional import Conv1D, Conv2D
from .core import Activation, Dense, Input, InputLayer
from .depthwise import DepthwiseConv2D, SeparableConv2D
from .normalization import BatchNormalization, GroupNormalization, LayerNormalization
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
from .preprocessing import Normalization, Rescaling
from .regularization import Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D
from .reshaping import Flatten, Permute, Reshape
from .resizing import Cropping1D, Cropping2D, UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D
from .transposed import Conv2DTranspose
from .weight import Weight, WeightSpec

# Keras's second names.
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "ELU",
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNormalization",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Convolution1D",
    "Convolution2D",
    "Convolution2DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GroupNormalization",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Lowering",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "Normalization",
    "Permute",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "SeparableConvolution2D",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
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
    DepthwiseConv2D,
    SeparableConv2D,
    Conv2DTranspose,
    MaxPooling1D,
    MaxPooling2D,
    AveragePooling1D,
    AveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    BatchNormalization,
    LayerNormalization,
    GroupNormalization,
    Dropout,
    SpatialDropout1D,
    SpatialDropout2D,
    GaussianNoise,
    GaussianDropout,
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
    Normalization,
)
_TABLE = {cls.__name__: cls for cls in _CLASSES}


def __dir__() -> list[str]:
    """The layers, also by their second names, and no module or helper."""
    helpers = {"Lowering", "Weight", "WeightSpec", "deserialize", "serialize"}
    return [name for name in __all__ if name not in helpers]


def serialize(layer: Layer) -> dict[str, Any]:
    """The configuration ``{"class_name": ..., "config": ...}`` that `deserialize` reads."""
    return identifiers.serialize(layer)


def deserialize(config: dict[str, Any]) -> Layer:
    """The layer of a configuration that `serialize` made; it has no weights yet.

    Raises:
        ValueError: no such layer, or another form of configuration. TypeError: arguments the layer does not have.
    """
    name, settings = identifiers.split_config(config, "layer")
    return identifiers.look_up(name, _TABLE, "layer").from_config(settings)


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "layer")
