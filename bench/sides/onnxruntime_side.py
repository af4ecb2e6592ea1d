"""ONNX Runtime, which runs networks but does not train them; onnx writes the network down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
from networks import Dense, Flatten, Network
from numpy_baseline import NumpyNetwork
from onnx import TensorProto, helper, numpy_helper
from training_data import Array, Data

from .base import Side


def make_model(network: Network) -> bytes:
    """The network as an ONNX file, with the first weights of the NumPy baseline."""
    weights = iter(NumpyNetwork(network).weights)
    nodes, constants = [], []

    def node(kind: str, *constant: Array, **attributes: int) -> None:
        """Append a node that takes the output of the one before, and these weights."""
        source = nodes[-1].output[0] if nodes else "x"
        names = [f"weight{len(constants) + number}" for number in range(len(constant))]
        constants.extend(map(numpy_helper.from_array, constant, names))
        nodes.append(helper.make_node(kind, [source, *names], [f"value{len(nodes)}"], **attributes))

    for layer, shape in network.shaped_layers():
        if isinstance(layer, Flatten):
            node("Flatten", axis=1)
        elif isinstance(layer, Dense):
            node("Gemm", next(weights), next(weights))
            node({"relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax"}[layer.activation])
        else:
            raise TypeError(f"The ONNX side has no {layer!r}.")
        output_shape = layer.output_shape(shape)
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", *network.input_shape])
    target = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, ["rows", *output_shape])
    graph = helper.make_graph(nodes, "network", [source], [target], constants)
    # Versions that runtimes of several years read
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


class Library(Side):
    """Predictions only."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(make_model(network), options, providers=["CPUExecutionProvider"])

    def predict(self, rows: Array) -> np.ndarray:
        return self.session.run(None, {"x": rows})[0]

    def ways(self, row: Array) -> dict[str, Callable[[], object]]:
        return {"session.run(x)": lambda: self.session.run(None, {"x": row})}
