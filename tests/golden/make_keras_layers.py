"""Make keras_layers.npz: what Keras computes, in float64, for small networks of convolutions, poolings, normalisations,
regularizers and constraints, before and after some steps of training.

Needs Keras 3 with JAX, which the tests do not. In an environment that has them:

    pip install keras jax
    KERAS_BACKEND=jax python tests/golden/make_keras_layers.py

The file holds the table as JSON beside the arrays, so that test_keras_golden.py needs nothing of this program.
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
from keras.src.backend.common import dtypes

STEPS, ROWS, OUTPUTS = 3, 5, 2

IMAGE, SEQUENCE = (7, 6, 3), (9, 4)
SAME = {"padding": "same"}
L2 = {"class_name": "L2", "config": {"l2": 0.03}}
FIRST = {"data_format": "channels_first"}
MAX_NORM = {"class_name": "MaxNorm", "config": {"max_value": 0.9, "axis": [0, 1, 2]}}

# (shape of a sample, layers before the last two, which are Flatten and Dense)
NETWORKS = [
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "relu"}), ("MaxPooling2D", {"pool_size": 2})]),
    (IMAGE, [("Conv2D", {"filters": 5, "kernel_size": (2, 4), "strides": (2, 1), "activation": "tanh", **SAME})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 2, "dilation_rate": (2, 3), **SAME})]),
    (IMAGE, [("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 3, "use_bias": False})]),
    (IMAGE, [("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "strides": 2, **SAME})]),
    (IMAGE, [("DepthwiseConv2D", {"kernel_size": (3, 2), "activation": "relu"})]),
    (IMAGE, [("SeparableConv2D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "activation": "sigmoid"})]),
    (IMAGE, [("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "activation": "relu", **SAME})]),
    (IMAGE, [("Conv2DTranspose", {"filters": 2, "kernel_size": (2, 4), "strides": (3, 1)})]),
    (SEQUENCE, [("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal", "activation": "relu"})]),
    (SEQUENCE, [("Conv1D", {"filters": 5, "kernel_size": 4, "strides": 2, **SAME}), ("MaxPooling1D", {})]),
    (SEQUENCE, [("Conv1D", {"filters": 3, "kernel_size": 1}), ("GlobalMaxPooling1D", {"keepdims": True})]),
    (SEQUENCE, [("AveragePooling1D", {"pool_size": 4, "strides": 3, **SAME}), ("UpSampling1D", {"size": 2})]),
    (IMAGE, [("Conv2D", {"filters": 3, "kernel_size": 1}), ("MaxPooling2D", {"pool_size": 3, "strides": 2, **SAME})]),
    (IMAGE, [("Conv2D", {"filters": 3, "kernel_size": 1}), ("AveragePooling2D", {"pool_size": (3, 2), **SAME})]),
    (IMAGE, [("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}), ("GlobalAveragePooling2D", {})]),
    (IMAGE, [("ZeroPadding2D", {"padding": [[1, 0], [2, 1]]}), ("Conv2D", {"filters": 3, "kernel_size": 4})]),
    (IMAGE, [("Cropping2D", {"cropping": [[1, 2], [0, 1]]}), ("Permute", {"dims": (2, 3, 1)})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 3}), ("BatchNormalization", {}), ("ReLU", {})]),
    (IMAGE, [("BatchNormalization", {"axis": 1, "momentum": 0.7, "epsilon": 0.01, "scale": False})]),
    (IMAGE, [("BatchNormalization", {"trainable": False}), ("Conv2D", {"filters": 4, "kernel_size": 3})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 3, **SAME}), ("LayerNormalization", {})]),
    (IMAGE, [("LayerNormalization", {"axis": [1, 2], "center": False})]),
    (IMAGE, [("Conv2D", {"filters": 6, "kernel_size": 3}), ("GroupNormalization", {"groups": 3})]),
    (IMAGE, [("GroupNormalization", {"groups": -1, "epsilon": 0.1})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 3, "kernel_regularizer": L2, "activity_regularizer": L2})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 3, "kernel_constraint": MAX_NORM, "bias_regularizer": L2})]),
    (SEQUENCE, [("Conv1DTranspose", {"filters": 3, "kernel_size": 4, "strides": 2, "activation": "tanh", **SAME})]),
    (SEQUENCE, [("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3, "output_padding": 1})]),
    (SEQUENCE, [("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "strides": 2, **SAME})]),
    (SEQUENCE, [("SeparableConv1D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "activation": "relu"})]),
    (SEQUENCE, [("Conv1D", {"filters": 5, "kernel_size": 2}), ("AdaptiveAveragePooling1D", {"output_size": 3})]),
    (SEQUENCE, [("Conv1D", {"filters": 5, "kernel_size": 2}), ("AdaptiveMaxPooling1D", {"output_size": 3})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 2}), ("AdaptiveAveragePooling2D", {"output_size": (4, 3)})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 2}), ("AdaptiveMaxPooling2D", {"output_size": (4, 3)})]),
    (SEQUENCE, [("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (9, 5), "bias_axes": "d"})]),
    (SEQUENCE, [("EinsumDense", {"equation": "abc,cde->adbe", "output_shape": (2, 9, 5), "bias_axes": "be"})]),
    (
        IMAGE,
        [("EinsumDense", {"equation": "...x,yx->...y", "output_shape": 5, "bias_axes": "y", "activation": "tanh"})],
    ),
    (IMAGE, [("EinsumDense", {"equation": "abcd,bcde->ae", "output_shape": 4, "kernel_regularizer": L2})]),
    (SEQUENCE, [("PReLU", {})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 3}), ("PReLU", {"shared_axes": [1, 2]})]),
    (IMAGE, [("PReLU", {"shared_axes": [3], "alpha_regularizer": L2})]),
    (SEQUENCE, [("Dense", {"units": 6}), ("RMSNormalization", {"epsilon": 0.01})]),
    (SEQUENCE, [("RMSNormalization", {"axis": [1, 2]})]),
    (SEQUENCE, [("Dense", {"units": 6}), ("UnitNormalization", {})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 3}), ("UnitNormalization", {"axis": [1, 3]})]),
    ((6,), [("Dense", {"units": 4}), ("RepeatVector", {"n": 3}), ("Conv1D", {"filters": 2, "kernel_size": 2})]),
    (SEQUENCE, [("Dense", {"units": 4}), ("ActivityRegularization", {"l1": 0.02, "l2": 0.03}), ("Identity", {})]),
    (IMAGE, [("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "activation": "softmax", **SAME, **FIRST})]),
    (IMAGE, [("DepthwiseConv2D", {"kernel_size": 2, **FIRST}), ("MaxPooling2D", {"pool_size": 2, **FIRST})]),
    (IMAGE, [("SeparableConv2D", {"filters": 5, "kernel_size": 2, **FIRST}), ("GlobalMaxPooling2D", FIRST)]),
    (IMAGE, [("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, **FIRST}), ("Flatten", FIRST)]),
    (
        SEQUENCE,
        [
            ("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal", **FIRST}),
            ("AveragePooling1D", {"pool_size": 2, **FIRST}),
        ],
    ),
    (IMAGE, [("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear", **FIRST}), ("ZeroPadding2D", FIRST)]),
    (
        IMAGE,
        [
            ("Cropping2D", {"cropping": [[1, 2], [0, 1]], **FIRST}),
            ("AdaptiveMaxPooling2D", {"output_size": 2, **FIRST}),
        ],
    ),
]


def network(layers):
    """The model of a row of the table."""
    shape, rows = layers
    made = [getattr(keras.layers, name)(**config) for name, config in rows]
    model = keras.Sequential([keras.Input(shape), *made, keras.layers.Flatten(), keras.layers.Dense(OUTPUTS)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mean_squared_error")
    return model


def main():
    keras.config.set_floatx("float64")
    jax.config.update("jax_enable_x64", True)
    # On JAX, Keras takes float64 through float32 in tanh, mean and others, whatever floatx says
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    random = np.random.default_rng(20241123)
    arrays = {}
    for number, layers in enumerate(NETWORKS):
        model = network(layers)
        x = random.normal(size=(ROWS, *layers[0]))
        y = random.normal(size=(ROWS, OUTPUTS))
        for weight in model.weights:  # also those that begin as zeros or ones
            weight.assign(weight.numpy() + random.uniform(0, 0.3, weight.shape))
        start = [weight.copy() for weight in model.get_weights()]
        before = model.predict(x, verbose=0)
        history = model.fit(x, y, batch_size=ROWS, epochs=STEPS, shuffle=False, verbose=0)
        arrays |= {f"{number}/x": x, f"{number}/y": y, f"{number}/before": before}
        arrays |= {f"{number}/after": model.predict(x, verbose=0), f"{number}/losses": history.history["loss"]}
        for kind, weights in (("start", start), ("end", model.get_weights())):
            arrays |= {f"{number}/{kind}/{i}": weight for i, weight in enumerate(weights)}
    tables = json.dumps({"networks": NETWORKS, "keras": keras.__version__})
    file = pathlib.Path(__file__).with_name("keras_layers.npz")
    np.savez_compressed(file, table=tables, **arrays)
    print(f"{file.name}: {file.stat().st_size} bytes, {len(NETWORKS)} networks")


if __name__ == "__main__":
    main()
