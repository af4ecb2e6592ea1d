"""Readers of well-known data sets. Nothing is downloaded: each is told where its files are."""

from . import mnist

__all__ = ["mnist"]
