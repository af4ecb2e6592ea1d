"""The sides of the comparison: each trains and runs the networks with one library, in a file of its own."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from .base import Side


@dataclass(frozen=True)
class Entry:
    """What is known of a side before its library is imported.

    Args:
        file: The module with its class `Library`.
        program: What a user's program imports; it is timed.
        packages: What must be installed to import that, by the names of the package index; the first is the side's own.
        install: The command that installs them.
        trains: Whether it can train, or only predict.
        dense_only: Whether it has no other layers than dense ones.
        by_affinity: Whether its number of threads follows from the processors that it may run on, and nothing else.
        is_variant: Whether it is another way to train with the library of the side before it. It takes part in the
            networks that name it, and has no predictions, no import and no size of its own.
    """

    file: str
    program: str
    packages: tuple[str, ...]
    install: str
    trains: bool = True
    dense_only: bool = False
    by_affinity: bool = False
    is_variant: bool = False


SIDES = {
    "pynn": Entry("pynn_side", "import pynn", ("pynn",), "pip install ."),
    "numpy": Entry("numpy_side", "import numpy", ("numpy",), "pip install numpy"),
    "torch": Entry("torch_side", "import torch", ("torch",), "pip install torch"),
    "torch.compile": Entry("torch_compile_side", "import torch", ("torch",), "pip install torch", is_variant=True),
    "jax": Entry("jax_side", "import jax", ("jax",), "pip install jax", by_affinity=True),
    "keras": Entry("keras_side", "import keras", ("keras",), "pip install keras jax", by_affinity=True),
    "sklearn": Entry(
        "sklearn_side",
        "from sklearn.neural_network import MLPClassifier",
        ("scikit-learn",),
        "pip install scikit-learn",
        dense_only=True,
    ),
    "onnxruntime": Entry(
        "onnxruntime_side",
        "import onnxruntime",
        ("onnxruntime", "onnx"),
        "pip install onnxruntime onnx",
        trains=False,
    ),
}
PEERS = [name for name in SIDES if name != "pynn"]


def library(side: str) -> type[Side]:
    """The class of a side; imports its library."""
    module = importlib.import_module(f"sides.{SIDES[side].file}")
    return module.Library
