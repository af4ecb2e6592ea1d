"""The cases of ONNX's backend test suite, run on pynn (onnx_adapter.py): results that others have worked out.

The suite has cases of single operators, whose data it makes when it is loaded, and small models that were converted
from PyTorch, whose data it brings along. The models of one node are run, if its operator is one of COUNTS.
"""

import collections
import importlib
import pathlib
import pkgutil
import re
import warnings

import numpy as np
import pytest
from onnx_adapter import OPERATORS, run

onnx = pytest.importorskip("onnx")
loader = pytest.importorskip("onnx.backend.test.loader")

# How many cases of each operator are run, at least. (HardSigmoid is not among them: its cases have the
# slopes 0.2 and 0.5, but pynn's is 1 / 6, as in Keras.)
COUNTS = {
    "Attention": 26,
    "AveragePool": 15,
    "BatchNormalization": 4,
    "Celu": 1,
    "Conv": 26,
    "ConvTranspose": 12,
    "Elu": 4,
    "Flatten": 11,
    "GRU": 6,
    "Gelu": 4,
    "Gemm": 12,
    "GlobalAveragePool": 2,
    "GlobalMaxPool": 2,
    "GroupNormalization": 2,
    "HardSwish": 1,
    "InstanceNormalization": 2,
    "LSTM": 5,
    "LayerNormalization": 19,
    "LeakyRelu": 5,
    "LogSoftmax": 10,
    "MatMul": 7,
    "MaxPool": 15,
    "Mish": 1,
    "RNN": 6,
    "Relu": 2,
    "Selu": 3,
    "Sigmoid": 3,
    "Softmax": 10,
    "Softplus": 3,
    "Softsign": 2,
    "Swish": 1,
    "Tanh": 3,
}


# Modules of the suite that take seconds to make their data, of volumes most of it, in loops: the slow tier has them.
SLOW = ("averagepool", "maxpool")
FOUND = {}


def load(slow):
    """The suite's cases; those of its modules of single operators that name one of COUNTS, with or without SLOW.

    A module makes its data when it is imported.
    """
    node = onnx.backend.test.case.node
    for _, name, _ in pkgutil.iter_modules(node.__path__):
        source = pathlib.Path(node.__path__[0], f"{name}.py")
        named = source.exists() and any(f'"{operator}"' in source.read_text() for operator in COUNTS)
        if named and (slow or name not in SLOW):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's, for what other operators do to infinity
                importlib.import_module(f"{node.__name__}.{name}")
    models = [case for kind in ("pytorch-converted", "pytorch-operator") for case in loader.load_model_tests(kind=kind)]
    return [*node._NodeTestCases, *models]


# Which of their cases are not: what the name matches, and why
EXCLUDED = {
    r"attention_.*(f16|fp16|precision)": "no kernel for numbers of 16 bits",
    r"attention_.*softcap": "scores have no bound, as in Keras",
    r"attention_.*(attn_mask(_[34]d)?(_causal)?$|matmul_(bias|softmax)$)": "masks tell what is seen, and add nothing",
    r"attention_.*(past|nonpad|padded_kv)": "no cache of keys and values, as in Keras",
    r"attention_.*qk_matmul$": "scores are those after the softmax, as in Keras",
    r"attention_.*window(?!_default)": "windows reach as far to both sides, as in Keras",
    r"(pool|transpose).*_3d|Pool3d|Conv3d": "pynn has no volumes",
    r"(average|max)pool_2d_dilations|MaxPool.*_dilation$": "poolings have no dilation, as in Keras",
    r"maxpool_with_argmax": "max pooling has one output, and no storage_order",
    r"_uint8$": "no kernel for integers",
    r"celu_b?float16$": "no kernel for numbers of 16 bits",
    r"lstm_with_peepholes$": "LSTM has no peepholes, as in Keras",
    r"test_selu(_example)?$": "alpha and gamma are 2 and 3, and pynn's are fixed, as in Keras",
}


def graph_of(case):
    model = onnx.load(pathlib.Path(case.model_dir) / "model.onnx") if case.model is None else case.model
    return model.graph


def data_of(case):
    """Pairs of the inputs and the outputs to be expected."""
    if case.data_sets is not None:
        return case.data_sets
    folders = sorted(pathlib.Path(case.model_dir).glob("test_data_set_*"))
    return [[read_arrays(folder, kind) for kind in ("input", "output")] for folder in folders]


def read_arrays(folder, kind):
    files = [folder / f"{kind}_{i}.pb" for i in range(len(list(folder.glob(f"{kind}_*.pb"))))]
    return [onnx.numpy_helper.to_array(onnx.load_tensor(file)) for file in files]


def candidates(slow):
    """(case, graph) of what is run or excluded, by name."""
    for case in sorted(load(slow), key=lambda case: case.name):
        graph = graph_of(case)
        if len(graph.node) == 1 and graph.node[0].op_type in COUNTS:
            FOUND[case.name] = case, graph
    return FOUND


def is_run(name):
    return not any(re.search(pattern, name) for pattern in EXCLUDED)


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        names = filter(is_run, candidates(slow=metafunc.config.option.markexpr != "not slow"))
        marks = {
            name: [pytest.mark.slow] * name.startswith(tuple(f"test_{module}" for module in SLOW)) for name in names
        }
        metafunc.parametrize("name", [pytest.param(name, marks=marks[name]) for name in marks])


def test_onnx_case(name):
    case, graph = FOUND[name]
    node = graph.node[0]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    names = [value.name for value in graph.input if value.name not in weights]
    data = data_of(case)
    assert data
    for inputs, expected in data:
        values = {**weights, **dict(zip(names, inputs, strict=True))}
        outputs = run(node.op_type, attributes, [values[name] if name else None for name in node.input])
        outputs = [got for got, name in zip(outputs, node.output, strict=False) if name]
        for got, wanted in zip(outputs, expected, strict=True):
            assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
            np.testing.assert_allclose(got, wanted, rtol=case.rtol, atol=case.atol)


@pytest.mark.slow
def test_onnx_cases_are_all_there():
    counts = collections.Counter(graph.node[0].op_type for name, (_, graph) in candidates(True).items() if is_run(name))
    assert set(COUNTS) == set(OPERATORS)
    assert not {operator: counts[operator] for operator, least in COUNTS.items() if counts[operator] < least}


@pytest.mark.slow
@pytest.mark.parametrize("pattern", EXCLUDED)
def test_onnx_exclusion_is_of_a_case(pattern):
    assert any(re.search(pattern, name) for name in candidates(True))
