"""ONNX Runtime, which runs networks but does not train them; onnx writes the network down."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from networks import Conv2D, Dense, Flatten, MaxPooling2D, Network
from numpy_baseline import NumpyNetwork
from onnx import TensorProto, helper, numpy_helper
from training_data import TEST_ROWS, Array, Data

from .base import Side, in_parts, rows_at_a_time

ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax"}


def channels_first(rows: Array) -> Array:
    """ONNX's order of the axes of images that have channels."""
    return np.ascontiguousarray(np.moveaxis(rows, -1, 1)) if rows.ndim == 4 else rows


def make_model(network: Network) -> bytes:
    """The network as an ONNX file, with the first weights of the NumPy baseline."""
    weights = iter(NumpyNetwork(network).weights)
    order: Any = slice(None)  # of the rows of the next dense kernel
    nodes, constants = [], []

    def node(kind: str, *constant: Array, **attributes: Any) -> None:
        """Append a node that takes the output of the one before, and these weights."""
        source = nodes[-1].output[0] if nodes else "x"
        names = [f"weight{len(constants) + number}" for number in range(len(constant))]
        constants.extend(map(numpy_helper.from_array, constant, names))
        nodes.append(helper.make_node(kind, [source, *names], [f"value{len(nodes)}"], **attributes))

    for layer, shape in network.shaped_layers():
        if isinstance(layer, Flatten):
            node("Flatten", axis=1)
            order = np.arange(math.prod(shape)).reshape(shape)
            order = (np.moveaxis(order, -1, 0) if len(shape) == 3 else order).ravel()
        elif isinstance(layer, Dense):
            node("Gemm", next(weights)[order], next(weights))
            node(ACTIVATIONS[layer.activation])
            order = slice(None)
        elif isinstance(layer, Conv2D):
            node("Conv", next(weights).transpose(3, 2, 0, 1), next(weights), kernel_shape=layer.size)
            node(ACTIVATIONS[layer.activation])
        elif isinstance(layer, MaxPooling2D):
            node("MaxPool", kernel_shape=layer.size, strides=layer.size)
        else:
            raise TypeError(f"The ONNX side has no {layer!r}.")
        output_shape = layer.output_shape(shape)
    input_shape = channels_first(np.empty((1, *network.input_shape))).shape[1:]
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", *input_shape])
    target = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, ["rows", *output_shape])
    graph = helper.make_graph(nodes, "network", [source], [target], constants)
    # Versions that runtimes of several years read
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


class Library(Side):
    """Predictions only."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        self.part = rows_at_a_time(network, TEST_ROWS)
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(make_model(network), options, providers=["CPUExecutionProvider"])

    def take(self, x: Array) -> Array:
        return channels_first(x)

    def predict(self, rows: Array) -> np.ndarray:
        return in_parts(lambda part: self.session.run(None, {"x": part})[0], rows, self.part, np.concatenate)

    def ways(self, row: Array) -> dict[str, Callable[[], object]]:
        return {"session.run(x)": lambda: self.session.run(None, {"x": row})}
