"""Weights and models of scikit-learn, Keras and PyTorch. Of their files only numbers and names are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation import lazy

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .keras_models import from_keras
    from .keras_weights import load_keras_weights
    from .scikit_learn import from_sklearn
    from .torch_state import load_torch_state

_MODULES = {
    "keras_models": "from_keras",
    "keras_weights": "load_keras_weights",
    "scikit_learn": "from_sklearn",
    "torch_state": "load_torch_state",
}

__all__ = ["from_keras", "from_sklearn", "load_keras_weights", "load_torch_state"]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "part")
