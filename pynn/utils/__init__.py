"""Small helpers that Keras keeps under the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation import lazy

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
    from .numbers import normalize, to_categorical
    from .pictures import plot_model
    from .progress import Progbar
    from .py_dataset import PyDataset, Sequence
    from .seeds import clear_session, set_random_seed
    from .sequences import pad_sequences, timeseries_dataset_from_array
    from .serialization import (
        CustomObjectScope,
        custom_object_scope,
        deserialize_keras_object,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
        serialize_keras_object,
    )

_MODULES = {
    "batches": "pack_x_y_sample_weight unpack_x_y_sample_weight",
    "numbers": "normalize to_categorical",
    "pictures": "plot_model",
    "progress": "Progbar",
    "py_dataset": "PyDataset Sequence",
    "seeds": "clear_session set_random_seed",
    "serialization": """CustomObjectScope custom_object_scope deserialize_keras_object get_custom_objects
        get_registered_name get_registered_object register_keras_serializable serialize_keras_object""",
    "sequences": "pad_sequences timeseries_dataset_from_array",
}

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "utility")
