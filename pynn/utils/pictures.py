"""Pictures that Keras has among its utilities."""

from ..plotting import plot_model

__all__ = ["plot_model"]
