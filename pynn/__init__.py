"""pynn: small, fast, exact neural networks on a CPU, with the face of Keras 3."""

from .foundation import interpreter as _interpreter  # noqa: F401 - before anything that imports NumPy

# isort: split

from typing import TYPE_CHECKING as _TYPE_CHECKING

from .foundation import lazy as _lazy
from .foundation.native import core as _native_core

if _TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from . import (
        activations,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        initializers,
        interchange,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        plotting,
        preprocessing,
        random,
        regularizers,
        saving,
        sklearn,  # noqa: F401
        tune,
        utils,
    )
    from .config import DTypePolicy, show_config
    from .errors import ModelFileError, NotBuiltError, NotCompiledError
    from .initializers import Initializer
    from .interchange import from_keras, from_sklearn, load_keras_weights, load_torch_state
    from .layers import Input, InputSpec, Layer
    from .losses import Loss
    from .metrics import Metric
    from .models import Model, Sequential, load_model
    from .optimizers import Optimizer
    from .plotting import (
        plot_confusion_matrix,
        plot_decision_boundary,
        plot_history,
        plot_images,
        plot_model,
        plot_weights,
    )
    from .regularizers import Regularizer
    from .utils import set_random_seed

__version__ = _native_core.__version__

# The rooms, each with the names that are here, too
_MODULES = {
    "activations": "",
    "backend": "",
    "callbacks": "",
    "config": "DTypePolicy show_config",
    "constraints": "",
    "datasets": "",
    "errors": "ModelFileError NotBuiltError NotCompiledError",
    "initializers": "Initializer",
    "interchange": "from_keras from_sklearn load_keras_weights load_torch_state",
    "layers": "Input InputSpec Layer",
    "losses": "Loss",
    "metrics": "Metric",
    "models": "Model Sequential load_model",
    "ops": "",
    "optimizers": "Optimizer",
    "plotting": """plot_confusion_matrix plot_decision_boundary plot_history plot_images plot_model plot_weights""",
    "preprocessing": "",
    "random": "",
    "regularizers": "Regularizer",
    "saving": "",
    "sklearn": "",  # not in __all__: it cannot be imported without scikit-learn
    "tune": "",
    "utils": "set_random_seed",
}

__all__ = [
    "DTypePolicy",
    "Initializer",
    "Input",
    "InputSpec",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "ModelFileError",
    "NotBuiltError",
    "NotCompiledError",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "__version__",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "from_keras",
    "from_sklearn",
    "initializers",
    "interchange",
    "layers",
    "load_keras_weights",
    "load_model",
    "load_torch_state",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_history",
    "plot_images",
    "plot_model",
    "plot_weights",
    "plotting",
    "preprocessing",
    "random",
    "regularizers",
    "saving",
    "set_random_seed",
    "show_config",
    "tune",
    "utils",
]


def __dir__() -> list[str]:
    return __all__


if not _TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = _lazy.attributes(__name__, _MODULES, "part")
