"""Models: layers put together, trained and asked."""

from typing import TYPE_CHECKING

from ..foundation import not_yet
from .cloning import clone_model, model_from_json
from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model", "model_from_json"]

if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "model or function")
