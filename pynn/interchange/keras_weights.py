"""Weights of files that Keras 3 wrote."""

from __future__ import annotations

from ..foundation import checks
from ..foundation.arguments import explained
from ..models import Model, keras_weights
from ..storage.tensors import Path


@explained
def load_keras_weights(model: Model, filepath: Path) -> None:
    """Overwrite a model's weights by those of a file that Keras 3 wrote: ``x.weights.h5`` or ``x.keras``.

    The model must have Keras's layers in Keras's order: weights are found by classes and places, as Keras does itself,
    names of layers do not matter. The optimizer's state is not taken. Only names and numbers are read of the file.

    Args:
        model: A built model.
        filepath: What Keras's ``save_weights`` or ``save`` wrote.

    Raises:
        ImportError: h5py is not installed.
        ModelFileError: something is missing, left over or of another shape, all of which the message lists, or the file
            is damaged or of another kind; nothing is changed then.
        OSError: it cannot be read. NotBuiltError, RuntimeError: as for `Model.load_weights`.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a pynn model, but got {checks.shown(model)}.")
    model._require_layout()
    checks.path(filepath, "filepath")
    keras_weights.load(model, filepath)
