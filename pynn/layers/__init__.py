"""The layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import activations
from ..engine.lowering import Lowering
from ..foundation import lazy
from . import symbolic
from .base import Layer
from .by_name import deserialize, know, serialize
from .input_spec import InputSpec
from .weight import Weight, WeightSpec

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .activations import *  # noqa: F403
    from .adaptive import *  # noqa: F403
    from .attention import *  # noqa: F403
    from .bidirectional import *  # noqa: F403
    from .cells import *  # noqa: F403
    from .convolutional import *  # noqa: F403
    from .core import *  # noqa: F403
    from .depthwise import *  # noqa: F403
    from .distributed import *  # noqa: F403
    from .einsum import *  # noqa: F403
    from .embedding import *  # noqa: F403
    from .lambda_layer import *  # noqa: F403
    from .masking import *  # noqa: F403
    from .merging import *  # noqa: F403
    from .multi_head import *  # noqa: F403
    from .normalization import *  # noqa: F403
    from .pooling import *  # noqa: F403
    from .preprocessing import *  # noqa: F403
    from .recurrent import *  # noqa: F403
    from .regularization import *  # noqa: F403
    from .reshaping import *  # noqa: F403
    from .resizing import *  # noqa: F403
    from .rms import *  # noqa: F403
    from .rnn import *  # noqa: F403
    from .stacking import *  # noqa: F403
    from .transposed import *  # noqa: F403
    from .wrapping import *  # noqa: F403

# The names of each family of layers: what its file has as ``__all__``.
_MODULES = {
    "activations": "ELU LeakyReLU PReLU ReLU Softmax",
    "adaptive": "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveMaxPooling1D AdaptiveMaxPooling2D",
    "attention": "AdditiveAttention Attention",
    "bidirectional": "Bidirectional",
    "cells": "GRUCell LSTMCell SimpleRNNCell",
    "convolutional": "Conv1D Conv2D Convolution1D Convolution2D",
    "core": "Activation Dense Identity Input InputLayer",
    "depthwise": """DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D SeparableConvolution1D
        SeparableConvolution2D""",
    "distributed": "TimeDistributed",
    "einsum": "EinsumDense",
    "embedding": "Embedding",
    "lambda_layer": "Lambda",
    "masking": "Masking",
    "merging": """Add Average Concatenate Dot Maximum Minimum Multiply Subtract add average concatenate dot maximum
        minimum multiply subtract""",
    "multi_head": "GroupQueryAttention GroupedQueryAttention MultiHeadAttention",
    "normalization": "BatchNormalization GroupNormalization LayerNormalization",
    "pooling": """AveragePooling1D AveragePooling2D AvgPool1D AvgPool2D GlobalAveragePooling1D GlobalAveragePooling2D
        GlobalAvgPool1D GlobalAvgPool2D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPooling1D GlobalMaxPooling2D
        MaxPool1D MaxPool2D MaxPooling1D MaxPooling2D""",
    "preprocessing": "Normalization Rescaling",
    "recurrent": "GRU LSTM SimpleRNN",
    "regularization": """ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise SpatialDropout1D
        SpatialDropout2D""",
    "reshaping": "Flatten Permute RepeatVector Reshape",
    "resizing": "Cropping1D Cropping2D UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D",
    "rms": "RMSNormalization UnitNormalization",
    "rnn": "RNN",
    "stacking": "StackedRNNCells",
    "transposed": "Conv1DTranspose Conv2DTranspose Convolution1DTranspose Convolution2DTranspose",
    "wrapping": "Wrapper",
}

__all__ = ["InputSpec", "Layer", "Lowering", "Weight", "WeightSpec", "deserialize", "serialize"]
__all__ += lazy.names(_MODULES)

# What configurations may name: layers, operations of symbolic tensors, and models, which are layers, too.
know(
    {
        **{name: place for name, place in lazy.places(__name__, _MODULES).items() if name[0].isupper()},
        **lazy.places(
            __name__,
            {
                "constants": "ConstantProduct ConstantTensor",
                "id_arithmetic": "IdArithmetic Whole",
                "reductions": "Kept Reduction WithLoss",
                "operations": "Absolute Activated Arithmetic Function GetItem MaskOf MatMul",
            },
        ),
        "Functional": "pynn.models:Model",
        **lazy.places("pynn", {"models": "Model Sequential"}),
    }
)


def _operate(function: str, a: Any, b: Any) -> Any:
    from . import operators  # here, as not every program has operators

    return operators.apply(function, a, b)


def _mask(layer: Any, inputs: list[Any], masks: list[Any]) -> Any:
    from . import operations

    return operations.masking_of(layer, inputs, masks)


def _constant(array: Any, beside: Any) -> Any:
    from .constants import ConstantTensor

    return ConstantTensor(array)(beside)


def _of_one_row(x: Any) -> Any:
    from .of_weights import of_one_row

    return of_one_row(x)


def _with_loss(reduction: str) -> Any:
    from .reductions import WithLoss

    return WithLoss(reduction)


def _of_function(function: Any) -> Any:
    from .applied import OwnActivation

    return OwnActivation(function)


symbolic.arithmetic, symbolic.masking, symbolic.constant = _operate, _mask, _constant
symbolic.with_loss, symbolic.of_one_row = _with_loss, _of_one_row
activations.of_function = _of_function


def __dir__() -> list[str]:
    """The layers, also by their second names, and no module or helper."""
    helpers = {"InputSpec", "Lowering", "Weight", "WeightSpec", "deserialize", "serialize"}
    return [name for name in __all__ if name not in helpers]


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "layer")
