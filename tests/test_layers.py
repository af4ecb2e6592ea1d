"""Every layer goes through the same checks; adding a layer is a row of the table."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers import THREADS, bits, close_gradient
from reference import central_difference
from tiers import DTYPES_OF_TEAMS

import pynn
from pynn import layers

ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "sigmoid", "log_sigmoid"),
    *("hard_sigmoid", "hard_silu", "tanh", "hard_tanh", "softplus", "softsign", "exponential", "softmax"),
    *("log_softmax", "sparsemax", "squareplus", "hard_shrink", "soft_shrink", "tanh_shrink"),
)


@dataclass(frozen=True)
class Case:
    kind: str
    config: dict[str, Any]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    def __str__(self):
        settings = ",".join(f"{key}={value}" for key, value in self.config.items())
        return f"{self.kind}({settings})-{'x'.join(map(str, self.input_shape))}"

    def make(self, **more):
        return getattr(layers, self.kind)(**self.config, **more)


CASES = [
    Case("Dense", {"units": 4}, (3,), (4,)),
    Case("Dense", {"units": 17}, (33,), (17,)),
    Case("Dense", {"units": 1, "use_bias": False}, (7,), (1,)),
    Case("Dense", {"units": 5, "activation": "relu"}, (2, 3), (2, 5)),
    Case("Dense", {"units": 2, "activation": "softmax"}, (2, 1, 3), (2, 1, 2)),
    *(Case("Dense", {"units": 4, "activation": name}, (3,), (4,)) for name in ACTIVATIONS),
    Case("Dense", {"units": 4, "kernel_regularizer": "l2", "bias_regularizer": "l1"}, (3,), (4,)),
    Case("Dense", {"units": 4, "activation": "relu", "activity_regularizer": "l2"}, (2, 3), (2, 4)),
    Case("Dense", {"units": 4, "activation": "softmax", "activity_regularizer": "l1"}, (3,), (4,)),
    Case("Dense", {"units": 17, "activity_regularizer": "l1"}, (33,), (17,)),
    *(Case("Activation", {"activation": name}, (2, 3), (2, 3)) for name in ACTIVATIONS),
    Case("Activation", {"activation": "glu"}, (2, 6), (2, 3)),
    Case("Dense", {"units": 6, "activation": "glu"}, (2, 3), (2, 3)),
    Case("Conv2D", {"filters": 4, "kernel_size": 2, "activation": "glu"}, (3, 4, 2), (2, 3, 2)),
    Case("Conv1DTranspose", {"filters": 4, "kernel_size": 2, "activation": "glu"}, (3, 2), (4, 2)),
    Case("ReLU", {}, (5,), (5,)),
    Case("ReLU", {"max_value": 0.7, "negative_slope": 0.1, "threshold": 0.2}, (5,), (5,)),
    Case("LeakyReLU", {}, (5,), (5,)),
    Case("LeakyReLU", {"negative_slope": 0.05}, (5,), (5,)),
    Case("ELU", {}, (5,), (5,)),
    Case("ELU", {"alpha": 0.5}, (5,), (5,)),
    Case("Softmax", {}, (5,), (5,)),
    Case("Softmax", {"axis": 1}, (3, 4), (3, 4)),
    Case("Softmax", {"axis": -2}, (3, 4, 2), (3, 4, 2)),
    Case("Softmax", {"axis": (1, 2)}, (3, 4), (3, 4)),
    Case("Conv1D", {"filters": 5, "kernel_size": 3}, (7, 2), (5, 5)),
    Case("Conv1D", {"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same"}, (7, 3), (4, 4)),
    Case("Conv1D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "causal"}, (7, 3), (7, 4)),
    Case("Conv1D", {"filters": 4, "kernel_size": 1, "use_bias": False, "activation": "tanh"}, (1, 1), (1, 4)),
    Case("Conv2D", {"filters": 5, "kernel_size": 3}, (5, 6, 2), (3, 4, 5)),
    Case("Conv2D", {"filters": 17, "kernel_size": (3, 2), "activation": "relu"}, (5, 4, 1), (3, 3, 17)),
    Case("Conv2D", {"filters": 4, "kernel_size": 4, "padding": "same"}, (5, 3, 3), (5, 3, 4)),
    Case("Conv2D", {"filters": 4, "kernel_size": 2, "strides": 3}, (6, 7, 2), (2, 2, 4)),
    Case("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, (6, 7, 2), (3, 4, 4)),
    Case("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, (5, 5, 2), (5, 5, 4)),
    Case("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2, "activation": "gelu"}, (4, 4, 4), (2, 2, 6)),
    Case("Conv2D", {"filters": 3, "kernel_size": 1}, (1, 1, 17), (1, 1, 3)),
    Case("DepthwiseConv2D", {"kernel_size": 3}, (5, 6, 4), (3, 4, 4)),
    Case("DepthwiseConv2D", {"kernel_size": (2, 3), "depth_multiplier": 3, "padding": "same"}, (4, 5, 2), (4, 5, 6)),
    Case("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "activation": "relu"}, (7, 6, 17), (3, 2, 17)),
    Case("SeparableConv2D", {"filters": 5, "kernel_size": 3}, (5, 6, 3), (3, 4, 5)),
    Case(
        "SeparableConv2D",
        {"filters": 4, "kernel_size": 3, "depth_multiplier": 2, "padding": "same", "activation": "tanh"},
        (4, 5, 3),
        (4, 5, 4),
    ),
    Case("Conv2DTranspose", {"filters": 4, "kernel_size": 3}, (3, 4, 2), (5, 6, 4)),
    Case("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, (3, 4, 2), (6, 8, 4)),
    Case("Conv2DTranspose", {"filters": 1, "kernel_size": 3, "strides": 2, "padding": "same"}, (3, 4, 24), (6, 8, 1)),
    Case("Conv2DTranspose", {"filters": 3, "kernel_size": (3, 5), "strides": (1, 2)}, (3, 4, 33), (5, 11, 3)),
    Case("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3, "activation": "tanh"}, (2, 3, 2), (6, 9, 3)),
    Case(
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": (3, 4), "strides": 2, "output_padding": 1, "padding": "same"},
        (3, 2, 5),
        (6, 3, 2),
    ),
    Case(
        "Conv2DTranspose", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}, (2, 2, 1), (4, 4, 2)
    ),
    Case("Conv1D", {"filters": 4, "kernel_size": 3, "kernel_regularizer": "l1"}, (7, 2), (5, 4)),
    Case("Conv2D", {"filters": 4, "kernel_size": 2, "kernel_regularizer": "l2"}, (3, 4, 2), (2, 3, 4)),
    Case("Conv2D", {"filters": 4, "kernel_size": 2, "activity_regularizer": "l1"}, (3, 4, 2), (2, 3, 4)),
    Case(
        "Conv2D",
        {"filters": 3, "kernel_size": 2, "activation": "relu", "activity_regularizer": "l2"},
        (3, 4, 2),
        (2, 3, 3),
    ),
    Case("MaxPooling1D", {}, (7, 3), (3, 3)),
    Case("MaxPooling1D", {"pool_size": 3, "strides": 1, "padding": "same"}, (5, 2), (5, 2)),
    Case("MaxPooling2D", {}, (4, 5, 3), (2, 2, 3)),
    Case("MaxPooling2D", {"pool_size": (3, 2), "strides": (1, 2)}, (4, 5, 17), (2, 2, 17)),
    Case("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, (4, 5, 2), (2, 3, 2)),
    Case("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, (6, 2), (3, 2)),
    Case("AveragePooling2D", {}, (4, 5, 3), (2, 2, 3)),
    Case("AveragePooling2D", {"pool_size": 3, "strides": 1, "padding": "same"}, (3, 4, 2), (3, 4, 2)),
    Case("GlobalMaxPooling1D", {}, (5, 3), (3,)),
    Case("GlobalMaxPooling2D", {"keepdims": True}, (3, 4, 2), (1, 1, 2)),
    Case("GlobalAveragePooling1D", {"keepdims": True}, (5, 3), (1, 3)),
    Case("GlobalAveragePooling2D", {}, (3, 4, 17), (17,)),
    Case("BatchNormalization", {}, (5,), (5,)),
    Case("BatchNormalization", {"center": False, "momentum": 0.5, "epsilon": 0.1}, (3, 17), (3, 17)),
    Case("BatchNormalization", {"scale": False}, (2, 3, 1), (2, 3, 1)),
    Case("LayerNormalization", {}, (5,), (5,)),
    Case("LayerNormalization", {"axis": [-2, -1], "center": False}, (2, 3, 7), (2, 3, 7)),
    Case("LayerNormalization", {"scale": False, "epsilon": 0.1}, (3, 17), (3, 17)),
    Case("GroupNormalization", {"groups": 2}, (3, 2, 6), (3, 2, 6)),
    Case("GroupNormalization", {"groups": -1, "center": False}, (4, 17), (4, 17)),
    Case("GroupNormalization", {"groups": 1, "scale": False}, (7,), (7,)),
    Case("BatchNormalization", {"gamma_regularizer": "l2", "beta_regularizer": "l1"}, (5,), (5,)),
    Case("LayerNormalization", {"axis": 1, "gamma_regularizer": "l1", "beta_regularizer": "l2"}, (5, 3), (5, 3)),
    Case("GroupNormalization", {"groups": 2, "gamma_regularizer": "l1", "beta_regularizer": "l2"}, (6,), (6,)),
    Case("BatchNormalization", {"axis": 1}, (3, 5), (3, 5)),
    Case("BatchNormalization", {"axis": -2, "scale": False}, (2, 17, 3), (2, 17, 3)),
    Case("LayerNormalization", {"axis": 1}, (5, 3), (5, 3)),
    Case("LayerNormalization", {"axis": [3, 1]}, (3, 2, 4), (3, 2, 4)),
    Case("LayerNormalization", {"axis": (-3, 2), "center": False}, (3, 2, 17), (3, 2, 17)),
    Case("GroupNormalization", {"groups": 2, "axis": 1}, (6, 3, 2), (6, 3, 2)),
    Case("GroupNormalization", {"groups": -1, "axis": -2, "scale": False}, (5, 3), (5, 3)),
    Case("Masking", {}, (5, 3), (5, 3)),
    Case("Masking", {"mask_value": 0.5}, (17,), (17,)),
    Case("Dropout", {"rate": 0.4, "seed": 3}, (17,), (17,)),
    Case("Dropout", {"rate": 0.4, "seed": 3, "noise_shape": (None, 1, 5)}, (4, 5), (4, 5)),
    Case("Dropout", {"rate": 0.4, "seed": 3, "noise_shape": (None, None, 1)}, (4, 5), (4, 5)),
    Case("Dropout", {"rate": 0.4, "seed": 3, "noise_shape": (1, 17)}, (17,), (17,)),
    Case("Dropout", {"rate": 0.4, "seed": 3, "noise_shape": (None, 3, 1, 5)}, (3, 2, 5), (3, 2, 5)),
    Case("Dropout", {"rate": 0.4, "seed": 3, "noise_shape": (1, 1, None, 1)}, (3, 17, 2), (3, 17, 2)),
    Case("Dropout", {"rate": 0.0}, (3, 4), (3, 4)),
    Case("SpatialDropout1D", {"rate": 0.5, "seed": 3}, (3, 16), (3, 16)),
    Case("SpatialDropout2D", {"rate": 0.5, "seed": 3}, (2, 3, 16), (2, 3, 16)),
    Case("GaussianNoise", {"stddev": 0.5, "seed": 3}, (7,), (7,)),
    Case("GaussianDropout", {"rate": 0.3, "seed": 3}, (2, 7), (2, 7)),
    Case("Flatten", {}, (3, 4), (12,)),
    Case("Flatten", {}, (2, 3, 2), (12,)),
    Case("Flatten", {}, (4,), (4,)),
    Case("Reshape", {"target_shape": (2, 6)}, (3, 4), (2, 6)),
    Case("Reshape", {"target_shape": (-1, 3)}, (12,), (4, 3)),
    Case("Permute", {"dims": (2, 1)}, (3, 17), (17, 3)),
    Case("Permute", {"dims": (2, 1, 3)}, (3, 5, 2), (5, 3, 2)),
    Case("Permute", {"dims": (3, 1, 2)}, (3, 5, 1), (1, 3, 5)),
    Case("Permute", {"dims": (1, 2)}, (3, 5), (3, 5)),
    Case("Permute", {"dims": (1,)}, (5,), (5,)),
    Case("Permute", {"dims": (1, 4, 3, 2)}, (2, 3, 1, 5), (2, 5, 1, 3)),
    Case("ZeroPadding1D", {}, (5, 3), (7, 3)),
    Case("ZeroPadding1D", {"padding": (0, 2)}, (5, 1), (7, 1)),
    Case("ZeroPadding1D", {"padding": 0}, (5, 3), (5, 3)),
    Case("ZeroPadding2D", {}, (3, 5, 17), (5, 7, 17)),
    Case("ZeroPadding2D", {"padding": (0, 3)}, (3, 5, 1), (3, 11, 1)),
    Case("ZeroPadding2D", {"padding": ((1, 0), (0, 2))}, (3, 2, 3), (4, 4, 3)),
    Case("Cropping1D", {}, (5, 3), (3, 3)),
    Case("Cropping1D", {"cropping": (0, 4)}, (5, 17), (1, 17)),
    Case("Cropping2D", {}, (3, 5, 2), (3, 5, 2)),
    Case("Cropping2D", {"cropping": 1}, (3, 5, 1), (1, 3, 1)),
    Case("Cropping2D", {"cropping": ((2, 0), (1, 3))}, (3, 5, 17), (1, 1, 17)),
    Case("UpSampling1D", {}, (5, 3), (10, 3)),
    Case("UpSampling1D", {"size": 3}, (1, 17), (3, 17)),
    Case("UpSampling2D", {}, (3, 2, 1), (6, 4, 1)),
    Case("UpSampling2D", {"size": (1, 3)}, (3, 2, 17), (3, 6, 17)),
    Case("UpSampling2D", {"interpolation": "bilinear"}, (3, 2, 1), (6, 4, 1)),
    Case("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear"}, (1, 4, 17), (3, 8, 17)),
    Case("UpSampling2D", {"size": (2, 1), "interpolation": "bilinear"}, (2, 3, 2), (4, 3, 2)),
    Case("UpSampling2D", {"size": (2, 3), "interpolation": "bicubic"}, (2, 3, 2), (4, 9, 2)),
    Case("UpSampling2D", {"size": (3, 1), "interpolation": "lanczos3"}, (5, 2, 1), (15, 2, 1)),
    Case("Normalization", {"mean": 2.0, "variance": 4.0}, (3, 4), (3, 4)),
    Case("Normalization", {"mean": [1.0, 2.0], "variance": [4.0, 0.5], "invert": True}, (3, 2), (3, 2)),
    Case("Normalization", {}, (3, 17), (3, 17)),
    Case("Normalization", {"axis": 1, "invert": True}, (3, 4), (3, 4)),
    Case("Normalization", {"axis": [1, 2]}, (3, 4), (3, 4)),
    Case("Normalization", {"axis": None}, (5,), (5,)),
    Case("Normalization", {"axis": (1, -1), "mean": [[0.5], [2.0]], "variance": 4.0}, (2, 4, 3), (2, 4, 3)),
    Case("Rescaling", {"scale": 0.5}, (3, 4), (3, 4)),
    Case("Rescaling", {"scale": 2.0, "offset": -1.0}, (5,), (5,)),
    Case("Rescaling", {"scale": [0.5, 1.0, 2.0], "offset": [1.0, 0.0, -1.0]}, (2, 3), (2, 3)),
    Case("Identity", {}, (3, 4), (3, 4)),
    Case("ActivityRegularization", {"l1": 0.01, "l2": 0.02}, (3, 4), (3, 4)),
    Case("ActivityRegularization", {}, (5,), (5,)),
    Case("RepeatVector", {"n": 3}, (17,), (3, 17)),
    Case("RepeatVector", {"n": 1}, (5,), (1, 5)),
    Case("PReLU", {"alpha_initializer": "random_normal"}, (33,), (33,)),
    Case("PReLU", {"shared_axes": [1, 2], "alpha_initializer": "random_normal"}, (3, 5, 2), (3, 5, 2)),
    Case("PReLU", {"shared_axes": 2, "alpha_regularizer": "l2", "alpha_initializer": "ones"}, (3, 5), (3, 5)),
    Case("PReLU", {"shared_axes": [1, 3], "alpha_initializer": "random_normal"}, (2, 17, 3), (2, 17, 3)),
    Case("PReLU", {"shared_axes": [1]}, (7,), (7,)),
    Case("RMSNormalization", {}, (17,), (17,)),
    Case("RMSNormalization", {"axis": [1, 2], "epsilon": 0.1}, (3, 5), (3, 5)),
    Case("RMSNormalization", {"axis": -2}, (5, 3), (5, 3)),
    Case("RMSNormalization", {"axis": (3, 1)}, (3, 2, 4), (3, 2, 4)),
    Case("UnitNormalization", {}, (3, 17), (3, 17)),
    Case("UnitNormalization", {"axis": 1}, (5, 3), (5, 3)),
    Case("UnitNormalization", {"axis": [1, -1]}, (3, 2, 4), (3, 2, 4)),
    Case("AlphaDropout", {"rate": 0.4, "seed": 3}, (17,), (17,)),
    Case("AlphaDropout", {"rate": 0.4, "seed": 3, "noise_shape": (None, 1, 5)}, (4, 5), (4, 5)),
    Case("AlphaDropout", {"rate": 0.0}, (3, 4), (3, 4)),
    Case("Conv1DTranspose", {"filters": 4, "kernel_size": 3}, (4, 2), (6, 4)),
    Case("Conv1DTranspose", {"filters": 2, "kernel_size": 4, "strides": 2, "padding": "same"}, (9, 40), (18, 2)),
    Case("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, (4, 17), (8, 3)),
    Case(
        "Conv1DTranspose",
        {"filters": 2, "kernel_size": 4, "strides": 3, "output_padding": 2, "activation": "tanh"},
        (3, 2),
        (12, 2),
    ),
    Case("DepthwiseConv1D", {"kernel_size": 3}, (6, 4), (4, 4)),
    Case("DepthwiseConv1D", {"kernel_size": 2, "depth_multiplier": 3, "padding": "same", "strides": 2}, (5, 2), (3, 6)),
    Case("DepthwiseConv1D", {"kernel_size": 3, "strides": 2, "dilation_rate": 2}, (9, 4), (3, 4)),
    Case("DepthwiseConv1D", {"kernel_size": 2, "strides": 3, "dilation_rate": 2, "padding": "same"}, (8, 2), (3, 2)),
    Case("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "dilation_rate": 2}, (7, 8, 17), (2, 2, 17)),
    Case(
        "DepthwiseConv2D",
        {"kernel_size": 2, "strides": 2, "dilation_rate": (3, 2), "depth_multiplier": 2, "padding": "same"},
        (6, 5, 3),
        (3, 3, 6),
    ),
    Case("SeparableConv1D", {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 3}, (9, 3), (2, 4)),
    Case(
        "SeparableConv2D",
        {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2, "padding": "same"},
        (5, 6, 3),
        (3, 3, 4),
    ),
    Case("SeparableConv1D", {"filters": 5, "kernel_size": 3, "activation": "tanh"}, (6, 3), (4, 5)),
    Case("SeparableConv1D", {"filters": 4, "kernel_size": 2, "depth_multiplier": 2, "padding": "same"}, (5, 3), (5, 4)),
    Case("AdaptiveAveragePooling1D", {"output_size": 3}, (7, 2), (3, 2)),
    Case("AdaptiveAveragePooling1D", {"output_size": 5}, (3, 17), (5, 17)),
    Case("AdaptiveAveragePooling2D", {"output_size": (2, 3)}, (5, 6, 2), (2, 3, 2)),
    Case("AdaptiveAveragePooling2D", {"output_size": 1}, (3, 4, 1), (1, 1, 1)),
    Case("AdaptiveMaxPooling1D", {"output_size": 3}, (7, 2), (3, 2)),
    Case("AdaptiveMaxPooling1D", {"output_size": 4}, (2, 3), (4, 3)),
    Case("AdaptiveMaxPooling2D", {"output_size": (3, 2)}, (5, 4, 3), (3, 2, 3)),
    Case("AdaptiveMaxPooling2D", {"output_size": [2, 2]}, (4, 6, 2), (2, 2, 2)),
    Case("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 4, "bias_axes": "c"}, (3,), (4,)),
    Case("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 17), "activation": "relu"}, (2, 3), (2, 17)),
    Case("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 4, "bias_axes": "y"}, (2, 3, 5), (2, 3, 4)),
    Case(
        "EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, (2, 5), (2, 2, 3)
    ),
    Case("EinsumDense", {"equation": "abcd,cde->abe", "output_shape": [None, 4], "bias_axes": "b"}, (2, 3, 5), (2, 4)),
    Case(
        "EinsumDense", {"equation": "abc,cde->aebd", "output_shape": (3, None, 2), "bias_axes": "ed"}, (7, 5), (3, 7, 2)
    ),
    Case("EinsumDense", {"equation": "ab...,bc->ac...", "output_shape": 4, "bias_axes": "c"}, (3, 2, 5), (4, 2, 5)),
    Case("EinsumDense", {"equation": "abc,dc->abd", "output_shape": (None, 17), "bias_axes": "d"}, (2, 5), (2, 17)),
    Case("EinsumDense", {"equation": "abc,bd->adc", "output_shape": (4, None), "bias_axes": "dc"}, (3, 2), (4, 2)),
    Case("EinsumDense", {"equation": "abc,bc->a", "output_shape": ()}, (3, 2), ()),
    Case("EinsumDense", {"equation": "ab,c->acb", "output_shape": (3, None), "kernel_regularizer": "l2"}, (5,), (3, 5)),
    Case("SimpleRNN", {"units": 5}, (7, 3), (5,)),
    Case(
        "SimpleRNN",
        {"units": 17, "activation": "relu", "use_bias": False, "return_sequences": True},
        (4, 2),
        (4, 17),
    ),
    Case("LSTM", {"units": 5}, (7, 3), (5,)),
    Case("LSTM", {"units": 3, "return_sequences": True, "go_backwards": True}, (4, 17), (4, 3)),
    Case("LSTM", {"units": 1, "activation": "gelu", "recurrent_activation": "hard_sigmoid"}, (1, 1), (1,)),
    Case("LSTM", {"units": 4, "unit_forget_bias": False, "use_bias": False, "dropout": 0.4, "seed": 3}, (3, 5), (4,)),
    Case(
        "LSTM",
        {"units": 2, "kernel_regularizer": "l2", "recurrent_regularizer": "l1", "activity_regularizer": "l2"},
        (3, 2),
        (2,),
    ),
    Case("GRU", {"units": 5, "return_sequences": True}, (7, 3), (7, 5)),
    Case("GRU", {"units": 17, "reset_after": False}, (4, 2), (17,)),
    Case("GRU", {"units": 4, "recurrent_dropout": 0.4, "dropout": 0.2, "seed": 3}, (5, 3), (4,)),
    Case("Bidirectional", {"layer": layers.LSTM(3, name="inner")}, (5, 2), (6,)),
    Case(
        "Bidirectional",
        {"layer": layers.GRU(3, return_sequences=True, name="inner"), "merge_mode": "mul"},
        (4, 2),
        (4, 3),
    ),
    # Attention of a sequence to itself
    Case("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, (5, 4), (5, 4)),
    Case("MultiHeadAttention", {"num_heads": 3, "key_dim": 1, "value_dim": 17, "use_bias": False}, (1, 7), (1, 7)),
    Case("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "output_shape": (2, 3)}, (2, 3, 4), (2, 3, 2, 3)),
    Case("MultiHeadAttention", {"num_heads": 1, "key_dim": 17, "sliding_window": 2, "use_gate": True}, (7, 3), (7, 3)),
    Case("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "dropout": 0.4, "seed": 3}, (5, 4), (5, 4)),
    Case(
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 2, "kernel_regularizer": "l2", "activity_regularizer": "l2"},
        (3, 4),
        (3, 4),
    ),
    Case("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, (5, 6), (5, 6)),
    Case(
        "GroupQueryAttention",
        {"head_dim": 2, "num_query_heads": 3, "num_key_value_heads": 1, "use_gate": True, "dropout": 0.4, "seed": 3},
        (4, 5),
        (4, 5),
    ),
    Case("Attention", {}, (5, 3), (5, 3)),
    Case("Attention", {"use_scale": True, "dropout": 0.4, "seed": 3}, (4, 17), (4, 17)),
    Case("Attention", {"score_mode": "concat", "use_scale": True}, (5, 3), (5, 3)),
    Case("AdditiveAttention", {}, (4, 17), (4, 17)),
    Case("AdditiveAttention", {"use_scale": False, "dropout": 0.4, "seed": 3}, (5, 3), (5, 3)),
    # The channels first
    *(
        Case(kind, {**config, "data_format": "channels_first"}, shape, output)
        for kind, config, shape, output in [
            ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal"}, (2, 5), (4, 5)),
            ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "relu"}, (2, 5, 6), (4, 3, 4)),
            ("Conv2D", {"filters": 3, "kernel_size": 2, "strides": 2, "activation": "softmax"}, (1, 5, 6), (3, 2, 3)),
            ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, (3, 6), (6, 4)),
            ("DepthwiseConv2D", {"kernel_size": 2}, (3, 4, 5), (3, 3, 4)),
            ("SeparableConv1D", {"filters": 5, "kernel_size": 2}, (3, 6), (5, 5)),
            ("SeparableConv2D", {"filters": 4, "kernel_size": 2, "padding": "same"}, (3, 4, 5), (4, 4, 5)),
            ("Conv1DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2}, (3, 4), (2, 9)),
            ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2}, (3, 2, 4), (2, 4, 8)),
            ("MaxPooling1D", {}, (3, 7), (3, 3)),
            ("MaxPooling2D", {"pool_size": (1, 2)}, (2, 4, 5), (2, 4, 2)),
            ("AveragePooling1D", {"pool_size": 3, "padding": "same"}, (2, 7), (2, 3)),
            ("AveragePooling2D", {}, (17, 4, 5), (17, 2, 2)),
            ("GlobalMaxPooling1D", {}, (3, 5), (3,)),
            ("GlobalMaxPooling2D", {"keepdims": True}, (3, 4, 2), (3, 1, 1)),
            ("GlobalAveragePooling1D", {"keepdims": True}, (3, 5), (3, 1)),
            ("GlobalAveragePooling2D", {}, (3, 4, 5), (3,)),
            ("AdaptiveAveragePooling1D", {"output_size": 3}, (2, 7), (2, 3)),
            ("AdaptiveAveragePooling2D", {"output_size": (2, 3)}, (2, 5, 6), (2, 2, 3)),
            ("AdaptiveMaxPooling1D", {"output_size": 3}, (2, 7), (2, 3)),
            ("AdaptiveMaxPooling2D", {"output_size": (2, 3)}, (2, 5, 6), (2, 2, 3)),
            ("SpatialDropout2D", {"rate": 0.5, "seed": 3}, (16, 2, 3), (16, 2, 3)),
            ("Flatten", {}, (2, 3, 4), (24,)),
            ("ZeroPadding1D", {"padding": (0, 2)}, (3, 5), (3, 7)),
            ("ZeroPadding2D", {"padding": ((1, 0), (0, 2))}, (3, 2, 3), (3, 3, 5)),
            ("Cropping2D", {"cropping": ((2, 0), (1, 3))}, (17, 3, 5), (17, 1, 1)),
            ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear"}, (2, 1, 4), (2, 3, 8)),
        ]
    ),
]
# The mask of Masking ends at the Flatten of `make_model`, which says so.
pytestmark = pytest.mark.filterwarnings("ignore:.*does not support masks:UserWarning")
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def chain(shape, *chained):
    """A model of the layers one after the other. A layer of attention gets its input as query and as value."""
    if not any(layer.takes_list for layer in chained):
        return pynn.Sequential([pynn.Input(shape), *chained])
    x = inputs = pynn.Input(shape, dtype=chained[0].dtype)
    for layer in chained:
        if isinstance(layer, layers.Attention | layers.AdditiveAttention):
            x = layer([x, x])
        else:
            x = layer(x, x) if layer.takes_list else layer(x)
    return pynn.Model(inputs, x)


def make_model(case, dtype="float64"):
    """The layer between two dense ones, so that a gradient has to pass it."""
    model = chain(
        case.input_shape,
        layers.Dense(case.input_shape[-1], dtype=dtype),
        case.make(dtype=dtype, name="probe"),
        layers.Flatten(dtype=dtype),
        layers.Dense(2, dtype=dtype),
    )
    compile_model(model)
    return model


def compile_model(model):
    model.compile(optimizer=pynn.optimizers.SGD(learning_rate=1.0), loss="mean_squared_error")


def make_data(case, rows, random):
    return random.normal(size=(rows, *case.input_shape)), random.normal(size=(rows, 2))


@every_case
def test_layer_output_shape(case, random):
    layer = case.make()
    model = chain(case.input_shape, layer)
    shape = (None, *case.input_shape)
    assert layer.input_shape == ([shape, shape] if layer.takes_list else shape)
    assert layer.output_shape == model.output_shape == (None, *case.output_shape)
    assert model.predict(make_data(case, 3, random)[0], verbose=0).shape == (3, *case.output_shape)


@every_case
def test_layer_gradient(case, random):
    model = make_model(case)
    x, y = make_data(case, 3, random)
    start = model.get_weights()
    noisy = any(name.startswith("noise/") for name in model.get_state())
    model.train_on_batch(x, y)
    gradients = [before - after for before, after in zip(start, model.get_weights(), strict=True)]
    assert any(np.abs(g).max() > 1e-3 for g in gradients)

    def loss(i, w):
        if noisy:
            compile_model(model)  # so that the step is the first again, and its noise the same
        model.set_weights([*start[:i], w, *start[i + 1 :]])
        return model.train_on_batch(x, y)

    for i, gradient in enumerate(gradients):
        weight = model.weights[i]
        if not weight.trainable:  # moving statistics, which have no part in training
            continue
        # All of the layer's own; of those around it, some.
        own = weight.path.startswith("probe")
        places = np.unique(np.linspace(0, gradient.size - 1, gradient.size if own else 8).astype(int))
        numeric = central_difference(lambda w, i=i: loss(i, w), start[i], places=places)
        assert close_gradient(numeric, gradient).flat[places].all()


@every_case
def test_layer_batch_equals_one_by_one(case, random):
    model = make_model(case)
    x, _ = make_data(case, 33, random)
    one_by_one = np.concatenate([model.predict(row[None], verbose=0) for row in x])
    for rows in (1, 2, 7, 15, 17, 33):
        got = model.predict(x[-rows:], verbose=0)
        np.testing.assert_allclose(got, one_by_one[-rows:], rtol=1e-12, atol=1e-13, err_msg=f"{rows} rows")


@every_case
@pytest.mark.parametrize("dtype", DTYPES_OF_TEAMS)
def test_layer_threads(case, dtype, random):
    x, y = make_data(case, 37, random)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(5)
        model = make_model(case, dtype)
        model.train_on_batch(x, y)
        seen.add(bits(model) + model.predict(x, verbose=0).tobytes())
    assert len(seen) == 1


@every_case
def test_layer_config(case):
    layer = case.make(name="probe", dtype="float64", trainable=False)
    config = layer.get_config()
    json.dumps(config)
    twin = type(layer).from_config(config)
    assert twin.get_config() == config
    assert (twin.name, twin.dtype, twin.trainable) == ("probe", "float64", False)


@every_case
def test_layer_float32_is_near_float64(case, random):
    x, y = make_data(case, 9, random)
    wide, narrow = make_model(case, "float64"), make_model(case, "float32")
    narrow.set_weights(wide.get_weights())
    wide.set_weights(narrow.get_weights())
    x = x.astype(np.float32)
    result = narrow.predict(x, verbose=0)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, wide.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    wide.train_on_batch(x, y)
    narrow.train_on_batch(x, y)
    for a, b in zip(narrow.get_weights(), wide.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(b).max()))


@every_case
def test_layer_does_not_write_its_input(case, random):
    x, _ = make_data(case, 4, random)
    x = x.astype(np.float32)
    copy = x.copy()
    chain(case.input_shape, case.make()).predict(x, verbose=0)
    np.testing.assert_array_equal(x, copy)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Reshape((5,), name="probe"), (6,)),
        (layers.Reshape((4, -1), name="probe"), (6,)),
        (layers.Softmax(axis=3, name="probe"), (6,)),
        (layers.Softmax(axis=0, name="probe"), (6,)),
        (layers.Softmax(axis=(1, 3), name="probe"), (2, 3, 4)),
        (layers.Dense(3, name="probe"), ()),
        (layers.Rescaling([1.0, 2.0], name="probe"), (3,)),
        (layers.Normalization(axis=2, name="probe"), (3,)),
        (layers.Normalization(axis=0, name="probe"), (3, 4)),
        (layers.Normalization(axis=1, mean=[0.0] * 4, variance=[1.0] * 4, name="probe"), (3, 4)),
        (layers.Normalization(mean=[[0.0]], variance=[[1.0]], name="probe"), (3,)),
        (layers.Normalization(mean=[0.0, 1.0], variance=[1.0, 1.0], name="probe"), (3,)),
        (layers.Conv2D(4, 3, name="probe"), (2, 5, 1)),
        (layers.Conv2D(4, 3, dilation_rate=2, name="probe"), (4, 5, 1)),
        (layers.Conv2D(4, 3, name="probe"), (28, 28)),
        (layers.Conv2D(4, 3, groups=2, name="probe"), (5, 5, 3)),
        (layers.Conv2D(4, 3, dilation_rate=2**31 - 1, padding="same", name="probe"), (5, 5, 512)),
        (layers.Conv2DTranspose(4, 3, strides=2**31 - 1, name="probe"), (5, 5, 3)),
        (layers.Conv1D(4, 3, name="probe"), (2, 5)),
        (layers.Conv1D(4, 3, name="probe"), (5, 5, 2)),
        (layers.MaxPooling2D(3, name="probe"), (2, 5, 1)),
        (layers.MaxPooling1D(3, name="probe"), (2, 5)),
        (layers.GlobalMaxPooling2D(name="probe"), (5, 5)),
        (layers.Permute((2, 1), name="probe"), (2, 3, 4)),
        (layers.ZeroPadding1D(name="probe"), (2, 3, 4)),
        (layers.ZeroPadding2D(name="probe"), (2, 3)),
        (layers.Cropping1D((2, 1), name="probe"), (3, 4)),
        (layers.Cropping1D(name="probe"), (3,)),
        (layers.Cropping2D(((0, 0), (1, 2)), name="probe"), (4, 3, 1)),
        (layers.Cropping2D(((9, 0), (0, 0)), name="probe"), (4, 3, 1)),
        (layers.UpSampling1D(name="probe"), (3,)),
        (layers.UpSampling2D(name="probe"), (28, 28)),
        (layers.RepeatVector(3, name="probe"), (2, 3)),
        (layers.PReLU(shared_axes=[3], name="probe"), (2, 3)),
        (layers.RMSNormalization(axis=3, name="probe"), (2, 3)),
        (layers.RMSNormalization(axis=0, name="probe"), (2, 3)),
        (layers.UnitNormalization(axis=(1, -2), name="probe"), (2, 3)),
        (layers.AlphaDropout(0.5, (None, 2), name="probe"), (3,)),
        (layers.Conv1DTranspose(2, 3, name="probe"), (2, 3, 4)),
        (layers.DepthwiseConv1D(3, name="probe"), (2, 4)),
        (layers.SeparableConv1D(2, 3, name="probe"), (2, 4)),
        (layers.Conv2D(4, 3, data_format="channels_first", name="probe"), (5, 5, 2)),
        (layers.MaxPooling1D(3, data_format="channels_first", name="probe"), (5, 2)),
        (layers.SimpleRNN(3, name="probe"), (5,)),
        (layers.LSTM(3, name="probe"), ()),
        (layers.Bidirectional(layers.GRU(3), name="probe"), (5,)),
    ],
    ids=str,
)
def test_layer_wrong_shape_names_it(layer, shape):
    with pytest.raises(ValueError, match="probe"):
        pynn.Sequential([pynn.Input(shape), layer])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv1D(2, 3, padding="same", dilation_rate=10**9, name="probe"), (5, 1)),
        (layers.Conv1D(2, 2, padding="causal", dilation_rate=10**9, name="probe"), (5, 512)),
        (layers.Conv2D(2, 3, padding="same", dilation_rate=10**9, name="probe"), (5, 5, 1)),
        (layers.Conv2D(2, 3, padding="same", dilation_rate=(1, 10**9), groups=2, name="probe"), (5, 5, 2)),
        (layers.Conv2D(2, 3, padding="same", dilation_rate=(2**31 - 1, 1), name="probe"), (5, 5, 1024)),
        (layers.DepthwiseConv2D(3, padding="same", dilation_rate=10**9, name="probe"), (5, 5, 1)),
        (layers.SeparableConv2D(2, 3, padding="same", dilation_rate=10**9, name="probe"), (5, 5, 1)),
        (layers.Conv2DTranspose(2, 3, padding="same", dilation_rate=10**9, name="probe"), (5, 5, 1)),
    ],
    ids=str,
)
def test_layer_of_too_many_zeros_names_it(layer, shape):
    with pytest.raises(ValueError, match=r"'probe'.*dilation_rate"):
        pynn.Sequential([pynn.Input(shape), layer])


@pytest.mark.parametrize(
    ("kind", "config", "shape"),
    [
        ("Conv1D", {"kernel_size": 3, "padding": "same", "dilation_rate": 10**6}, (5, 1)),
        ("Conv1D", {"kernel_size": 3, "padding": "causal", "dilation_rate": 10**4}, (5, 3)),
        ("Conv2D", {"kernel_size": (3, 1), "padding": "same", "dilation_rate": (10**9, 1)}, (5, 5, 1)),
        ("Conv2D", {"kernel_size": 3, "padding": "same", "dilation_rate": 10**4}, (5, 5, 2)),
        ("Conv2DTranspose", {"kernel_size": 3, "padding": "same", "dilation_rate": 10**4}, (5, 5, 2)),
    ],
    ids=str,
)
def test_layer_of_a_kernel_that_reaches_far_outside(kind, config, shape, random):
    """All of the kernel but one position meets zeros."""
    layer = getattr(layers, kind)(filters=2, dtype="float64", **config)
    model = pynn.Sequential([pynn.Input(shape), layer])
    x = random.normal(size=(3, *shape))
    last = layer.padding == "causal"
    weights = layer.kernel.numpy()[tuple(n - 1 if last else n // 2 for n in layer.kernel_size)]
    if kind == "Conv2DTranspose":
        weights = weights.T
    np.testing.assert_allclose(model(x), x @ weights, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(0), "units"),
        (lambda: layers.Dense(-3), "units"),
        (lambda: layers.Dense(2.5), "units"),
        (lambda: layers.Dense(True), "units"),
        (lambda: layers.Dense(3, activation="rleu"), "relu"),
        (lambda: layers.Dense(3, kernel_initializer="glorot"), "glorot_uniform"),
        (lambda: layers.LSTM(3, recurrent_initializer=None), "recurrent_initializer must be"),
        (lambda: layers.Embedding(3, 2, "ones_"), "Unknown embeddings_initializer"),
        (lambda: layers.Dense(3, dtype="int32"), "dtype"),
        (lambda: layers.Dense(3, name=5), "name"),
        (lambda: layers.Dense(3, name=""), "name"),
        (lambda: layers.Dense(3, name="my layer"), "name"),
        (lambda: layers.Dense(3, input_shape=(2,), input_dim=2), "input_shape"),
        (lambda: layers.Dense(3, trainable="no"), "trainable"),
        (lambda: layers.Dense(3, use_bias=2), "use_bias"),
        (lambda: layers.Dense(3, activation=pynn.activations.Activation("relu", slope=3)), "slope"),
        (lambda: layers.ReLU(max_value=-1.0), "max_value"),
        (lambda: layers.ReLU(negative_slope=-1.0), "negative_slope"),
        (lambda: layers.ReLU(threshold=-1.0), "threshold"),
        (lambda: layers.LeakyReLU(negative_slope=-0.1), "negative_slope"),
        (lambda: layers.LeakyReLU(negative_slope=None), "negative_slope"),
        (lambda: layers.ELU(alpha=float("nan")), "alpha"),
        (lambda: layers.Softmax(axis=0.5), "axis"),
        (lambda: layers.Reshape((-1, -1)), "target_shape"),
        (lambda: layers.Reshape((2, 0)), "target_shape"),
        (lambda: layers.Rescaling(float("inf")), "scale"),
        (lambda: layers.Conv2D(0, 3), "filters"),
        (lambda: layers.Conv2D(4, (3, 3, 3)), "kernel_size"),
        (lambda: layers.Conv2D(4, 0), "kernel_size"),
        (lambda: layers.Conv2D(4, 3, dilation_rate=2**61), "dilation_rate"),
        (lambda: layers.Conv2DTranspose(4, 3, strides=2**62), "strides"),
        (lambda: layers.MaxPooling2D(2**63), "pool_size"),
        (lambda: layers.Conv2D(4, 3, strides=(1, 0)), "strides"),
        (lambda: layers.Conv2D(4, 3, padding="causal"), "padding"),
        (lambda: layers.Conv1D(4, 3, padding="full"), "causal"),
        (lambda: layers.Conv2D(4, 3, data_format="channels_middle"), "data_format"),
        (lambda: layers.Conv2D(4, 3, dilation_rate=1.5), "dilation_rate"),
        (lambda: layers.Conv2D(4, 3, groups=3), "groups"),
        (lambda: layers.MaxPooling2D(0), "pool_size"),
        (lambda: layers.MaxPooling2D(2, strides=-1), "strides"),
        (lambda: layers.MaxPooling1D(2, padding="causal"), "padding"),
        (lambda: layers.GlobalMaxPooling2D(keepdims="yes"), "keepdims"),
        (lambda: layers.Rescaling("big"), "scale"),
        (lambda: layers.Normalization(mean=1.0), "variance"),
        (lambda: layers.Normalization(mean=1.0, variance=-1.0), "variance"),
        (lambda: layers.Normalization(axis="last"), "axis"),
        (lambda: layers.Normalization().adapt([]), "data"),
        (lambda: layers.Normalization().adapt([[np.nan, 1.0]]), "data"),
        (lambda: layers.Permute((1, 3)), "dims"),
        (lambda: layers.Permute((1, 1)), "dims"),
        (lambda: layers.Permute((0, 1)), "dims"),
        (lambda: layers.Permute("21"), "dims"),
        (lambda: layers.ZeroPadding1D(-1), "padding"),
        (lambda: layers.ZeroPadding1D((1, 2, 3)), "padding"),
        (lambda: layers.ZeroPadding1D(1.5), "padding"),
        (lambda: layers.ZeroPadding1D("same"), "padding"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), "padding"),
        (lambda: layers.ZeroPadding2D(((1, 2), (3, -4))), "padding"),
        (lambda: layers.ZeroPadding2D(((1, 2, 3), (1, 2))), "padding"),
        (lambda: layers.ZeroPadding2D(1, data_format="channels_middle"), "data_format"),
        (lambda: layers.Cropping1D(None), "cropping"),
        (lambda: layers.RepeatVector(0), "n must"),
        (lambda: layers.RepeatVector(2.5), "n must"),
        (lambda: layers.RepeatVector(True), "n must"),
        (lambda: layers.PReLU(shared_axes=0), "shared_axes"),
        (lambda: layers.PReLU(shared_axes="12"), "shared_axes"),
        (lambda: layers.PReLU(alpha_initializer="glorot"), "glorot_uniform"),
        (lambda: layers.RMSNormalization(axis="last"), "axis"),
        (lambda: layers.RMSNormalization(epsilon=-1.0), "epsilon"),
        (lambda: layers.UnitNormalization(axis=1.5), "axis"),
        (lambda: layers.ActivityRegularization(l1=-1.0), "l1"),
        (lambda: layers.Conv1DTranspose(2, 3, padding="causal"), "padding"),
        (lambda: layers.Conv1DTranspose(2, 3, output_padding=1), "output_padding"),
        (lambda: layers.DepthwiseConv1D(3, padding="causal"), "padding"),
        (lambda: layers.SeparableConv1D(2, 3, depth_multiplier=0), "depth_multiplier"),
        (lambda: layers.Cropping2D(((1, 2), "ab")), "cropping"),
        (lambda: layers.UpSampling1D(0), "size"),
        (lambda: layers.GRU(2.5), "units"),
        (lambda: layers.LSTM(3, return_sequences=1.0), "return_sequences"),
        (lambda: layers.LSTM(3, recurrent_initializer="glorot"), "glorot_uniform"),
        (lambda: layers.UpSampling1D((2, 2)), "size"),
        (lambda: layers.UpSampling2D((2, 2, 2)), "size"),
        (lambda: layers.UpSampling2D(1.5), "size"),
        (lambda: layers.UpSampling2D(2, interpolation="area"), "bilinear"),
    ],
)
def test_layer_bad_argument_names_it(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_0_and_1_stand_for_false_and_true(random):
    """Programs for Keras write them, in arguments and in calls."""
    dense = layers.Dense(3, use_bias=0)
    assert dense.use_bias is False
    assert layers.LSTM(3, return_sequences=np.int64(1)).return_sequences is True
    assert type(dense).from_config(dense.get_config()).use_bias is False
    attention, x = layers.MultiHeadAttention(2, 3), random.normal(size=(2, 4, 3))
    np.testing.assert_array_equal(
        attention(x, x, use_causal_mask=1, training=0), attention(x, x, use_causal_mask=True, training=False)
    )


def test_layer_not_built_says_so():
    layer = layers.Dense(3)
    for ask in (lambda: layer.output_shape, lambda: layer.input_shape, layer.count_params):
        with pytest.raises(pynn.NotBuiltError):
            ask()
    assert layer.get_weights() == layer.weights == []
    assert not layer.built


def test_layer_weights_are_named_and_copied():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, name="first"), layers.Dense(4, name="second")])
    paths = [w.path for layer in model.layers for w in layer.weights]
    assert paths == ["first/kernel", "first/bias", "second/kernel", "second/bias"]
    kernel = model.layers[0].weights[0]
    copy = kernel.numpy()
    copy[:] = 7
    assert not np.any(kernel.numpy() == 7)
    kernel.assign(copy)
    assert np.all(model.get_weights()[0] == 7)
    assert kernel.shape == (3, 2)
    assert kernel.ndim == 2
    kernel.value[:] = 5
    np.testing.assert_array_equal(kernel.value, kernel.numpy())
    assert np.all(kernel.value == 7)
    with pytest.raises(ValueError, match="kernel"):
        kernel.assign(np.zeros((2, 3)))


def test_a_weight_knows_its_regularizer_and_constraint():
    layer = layers.Dense(2, kernel_regularizer="l2", bias_constraint="non_neg")
    layer.build((None, 3))
    assert layer.kernel.regularizer is layer.kernel_regularizer
    assert layer.bias.constraint is layer.bias_constraint
    assert layer.kernel.constraint is layer.bias.regularizer is None
    for name in ("regularizer", "constraint"):  # the engine would not see another one
        with pytest.raises(AttributeError):
            setattr(layer.kernel, name, None)


def test_layer_set_weights_is_all_or_nothing():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2, name="first")])
    before = bits(model)
    for wrong in (
        [np.zeros((3, 2))],
        [np.zeros((3, 2)), np.zeros(3)],
        [np.zeros((3, 2)), np.zeros((2, 1))],
        [np.zeros((3, 2)), np.zeros(2), np.zeros(2)],
    ):
        with pytest.raises(ValueError, match="first"):
            model.layers[0].set_weights(wrong)
        assert bits(model) == before


def test_layer_defaults_equal_keras():
    model = pynn.Sequential([pynn.Input((50,)), layers.Dense(40)])
    kernel, bias = model.get_weights()
    assert not bias.any()
    assert np.abs(kernel).max() <= np.sqrt(6 / 90)
    assert layers.LeakyReLU().get_config()["negative_slope"] == pytest.approx(0.3)
    assert layers.ReLU().get_config()["max_value"] is None
    assert layers.Dense(2).get_config()["use_bias"] is True


def test_layer_weights_by_name():
    dense, bare = layers.Dense(2), layers.Dense(2, use_bias=False)
    pynn.Sequential([pynn.Input((3,)), dense, bare])
    assert dense.kernel.path == f"{dense.name}/kernel"
    assert dense.bias.shape == (2,)
    assert bare.bias is None
    assert dense.kernel.dtype == "float32"
    assert [w.trainable for w in dense.weights] == [True, True]


@pytest.mark.parametrize(("scale", "offset"), [([1.0, 2.0, 3.0], 0.5), (2.0, [1.0, 2.0, 3.0])], ids=["scale", "offset"])
def test_rescaling_by_a_list_and_a_number(scale, offset, random):
    x = random.normal(size=(4, 3))
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Rescaling(scale, offset, dtype="float64")])
    np.testing.assert_allclose(model(x), x * np.array(scale) + np.array(offset), rtol=1e-15)
    np.testing.assert_allclose(pynn.ops.rescaling_forward(x, scale, offset), model(x), rtol=1e-15)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
def test_normalization_adapts(axis, random):
    x = random.normal(size=(50, 4, 3)) * [1.0, 5.0, 0.0] + [0.0, 2.0, 7.0]
    layer = layers.Normalization(axis=axis, dtype="float64")
    assert layer.mean is None
    layer.adapt(x)
    over = {-1: (0, 1), 1: (0, 2), (1, 2): 0, None: None}[axis]
    mean, deviation = x.mean(axis=over, keepdims=True), np.maximum(x.std(axis=over, keepdims=True), 1e-7)
    model = pynn.Sequential([pynn.Input((4, 3)), layer])
    np.testing.assert_allclose(model(x), (x - mean) / deviation, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(layer.mean, x.mean(axis=over), rtol=1e-15)
    np.testing.assert_allclose(layer.variance, x.var(axis=over), rtol=1e-15)
    back = layers.Normalization(axis=axis, mean=layer.mean, variance=layer.variance, invert=True, dtype="float64")
    assert back.weights == []
    np.testing.assert_allclose(pynn.Sequential([pynn.Input((4, 3)), back])(model(x)), x, rtol=1e-12, atol=1e-12)


class Batches(pynn.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
def test_normalization_adapts_to_batches(axis, random):
    x = random.normal(size=(50, 4, 3)) * [1.0, 5.0, 0.0] + [0.0, 2.0, 7.0]
    whole = layers.Normalization(axis=axis, dtype="float64")
    whole.adapt(x)
    parts = np.split(x, [1, 20, 30])
    pairs = [(part, np.zeros(len(part))) for part in parts]
    for data in (parts, pairs, (part for part in parts), iter(pairs), Batches(parts), Batches(pairs), [x]):
        layer = layers.Normalization(axis=axis, dtype="float64")
        layer.adapt(data)
        np.testing.assert_allclose(layer.mean, whole.mean, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(layer.variance, whole.variance, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(layer(x), whole(x), rtol=1e-9, atol=1e-6)


def test_normalization_refuses_batches_of_several_shapes():
    for data in ([np.ones((4, 3)), np.ones((4, 2))], [np.ones((4, 3)), np.ones((4, 1, 3))]):
        layer = layers.Normalization()
        with pytest.raises(ValueError, match="batches of one shape"):
            layer.adapt(data)
        assert not layer.built
    with pytest.raises(ValueError, match="no batches"):
        layer.adapt(iter([]))


def test_normalization_adapts_in_a_built_model(random):
    x = random.normal(size=(50, 3)) + 4
    layer = layers.Normalization()
    model = pynn.Sequential([pynn.Input((3,)), layer, layers.Dense(2)])
    np.testing.assert_array_equal(model(x), model.layers[1](x.astype(np.float32)))  # of mean 0 and variance 1
    model.compile("adam", "mse")
    model.fit(x, np.zeros((50, 2)), verbose=0)
    before = [w.tobytes() for w in model.get_weights()[3:]]
    layer.adapt(x)
    assert [w.tobytes() for w in model.get_weights()[3:]] == before
    assert model.optimizer.iterations == 2
    hidden = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = hidden @ model.get_weights()[3] + model.get_weights()[4]
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)
    mean = layer.mean
    with pytest.raises(ValueError, match="mean of shape"):
        layer.adapt(np.ones((4, 2)))
    np.testing.assert_array_equal(layer.mean, mean)
    model.fit(x, np.zeros((50, 2)), verbose=0)
    np.testing.assert_array_equal(layer.mean, mean)


def test_normalization_has_weights_as_in_keras(random):
    """Keras has mean, variance and a count, of which the first two count once they are set."""
    x, new = random.normal(size=(9, 3)), [np.array([1.0, 2.0, 3.0]), np.array([4.0, 1.0, 0.25]), np.array(7)]
    model = pynn.Sequential([pynn.Input((3,)), layers.Normalization(name="norm"), layers.Dense(1, name="out")])
    assert [w.path for w in model.weights[:3]] == ["norm/mean", "norm/variance", "norm/count"]
    assert [w.shape for w in model.weights[:3]] == [(3,), (3,), ()]
    assert [w.path for w in model.trainable_weights] == ["out/kernel", "out/bias"]
    model.set_weights([*new, *model.get_weights()[3:]])
    hidden = (x - new[0]) / np.sqrt(new[1])
    kernel, bias = model.get_weights()[3:]
    np.testing.assert_allclose(model(x), hidden @ kernel + bias, rtol=1e-5, atol=1e-6)
    twin = type(model).from_config(model.get_config())
    assert (twin.layers[0].mean == 0).all()
    twin.set_state(model.get_state())
    np.testing.assert_array_equal(twin(x), model(x))


def test_normalization_that_cannot_adapt_stays_as_it_was():
    layer = layers.Normalization(dtype="float32")
    for data in ([[1e39], [2e39]], [[1e30], [-1e30]]):  # the mean, or the variance, is too large
        with pytest.raises(ValueError, match="too large for float32"):
            layer.adapt(data)
    assert not layer.built


def test_normalization_of_given_numbers_does_not_adapt():
    layer = layers.Normalization(mean=1.0, variance=4.0)
    with pytest.raises(ValueError, match="given its mean and variance"):
        layer.adapt(np.ones((4, 2)))
    np.testing.assert_array_equal(layer(np.array([[1.0, 3.0]])), [[0.0, 1.0]])


def test_view_of_a_weight_is_the_array_itself():
    layer = layers.Dense(2)
    x = np.ones((1, 3), np.float32)
    layer(x)
    layer.kernel.view[...] = 2.0
    np.testing.assert_array_equal(layer(x), [[6.0, 6.0]])
    layer.kernel.assign(np.ones((3, 2)))
    assert (layer.kernel.view == 1).all()


@pytest.mark.parametrize(
    ("kind", "padding", "begin", "total"),
    [
        ("DepthwiseConv1D", "valid", [-0.50328, -0.83211, -0.38613, 2.94893], 7.6042323),
        ("DepthwiseConv1D", "same", [2.6054, 1.61811, -0.28648, -0.50328], 15.100322),
        ("DepthwiseConv2D", "valid", [-5.55296, 0.93866, -2.50804, 6.02207], 14.871133),
        ("DepthwiseConv2D", "same", [3.00692, -0.51815, -1.15593, -0.99658], 40.349873),
        ("SeparableConv1D", "valid", [0.38943, -0.68857, -1.1335, -0.53629], -1.0669584),
        ("SeparableConv1D", "same", [1.88203, 1.5953, -0.15815, -1.76619], 2.690126),
        ("SeparableConv2D", "valid", [-5.50897, -0.98129, 4.44859, 5.78845], -4.818636),
        ("SeparableConv2D", "same", [3.80641, 1.99845, -1.64688, -3.77808], 3.699469),
    ],
)
def test_strides_and_dilation_together_are_those_of_keras(kind, padding, begin, total):
    x = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32")
    x = x if kind.endswith("2D") else x[:, :, 0]
    filters = (4,) if kind.startswith("Separable") else ()
    layer = getattr(layers, kind)(*filters, 3, strides=2, dilation_rate=2, padding=padding)
    layer.build(x.shape)
    layer.set_weights([np.cos(np.arange(w.size)).reshape(w.shape) for w in layer.get_weights()])
    y = layer(x)
    np.testing.assert_allclose(y.ravel()[:4], begin, rtol=1e-4)
    np.testing.assert_allclose(y.sum(), total, rtol=1e-4)
