"""Models: layers put together, trained and asked."""

from typing import TYPE_CHECKING

from ..foundation import lazy

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .cloning import clone_model, model_from_json, save_model
    from .model import Model
    from .saving import load_model
    from .sequential import Sequential

_MODULES = {
    "cloning": "clone_model model_from_json save_model",
    "model": "Model",
    "saving": "load_model",
    "sequential": "Sequential",
}

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "model or function")
