"""Models: layers put together, trained and asked."""

from typing import TYPE_CHECKING

from ..foundation import not_yet
from .cloning import clone_model, model_from_json, save_model
from .model import Model
from .saving import load_model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "model or function")
