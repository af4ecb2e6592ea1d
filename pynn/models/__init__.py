"""Models: layers put together, trained and asked."""

from typing import TYPE_CHECKING

from ..foundation import not_yet
from .model import Model
from .sequential import Sequential, model_from_json

__all__ = ["Model", "Sequential", "model_from_json"]

if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "model or function")
