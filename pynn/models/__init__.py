"""Models: layers put together, trained and asked."""

from .model import Model
from .sequential import Sequential, model_from_json

__all__ = ["Model", "Sequential", "model_from_json"]
