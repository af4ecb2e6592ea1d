"""Datasets that give batches by number, under Keras's names."""

from ..data.py_dataset import PyDataset

__all__ = ["PyDataset", "Sequence"]

Sequence = PyDataset  # its older name
