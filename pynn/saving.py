"""Models in files, under the name that Keras has for these functions."""

from .models import load_model, save_model

__all__ = ["load_model", "save_model"]
