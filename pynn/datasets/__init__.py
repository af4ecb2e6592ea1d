"""Well-known data sets, as NumPy arrays."""

from typing import TYPE_CHECKING

from ..foundation import not_yet
from . import mnist

__all__ = ["mnist"]

if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "data set")
