"""Models in files, under the name that Keras has for these functions."""

from typing import TYPE_CHECKING

from .foundation import not_yet
from .models import load_model, save_model

__all__ = ["load_model", "save_model"]

if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "function of saving")
