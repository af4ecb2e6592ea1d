"""Weights alone in files: pynn's own, Keras's, and those of other programs, whose arrays find their weights by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..foundation import checks
from ..foundation.warning import warn
from ..storage import npz, tensors
from ..storage.atomic_write import write_atomically
from ..storage.tensors import Path
from . import keras_weights, state
from .assigning import overwrite as overwrite_weights
from .connected import Connected

Array = NDArray[Any]


def save(model: Connected, path: Path, overwrite: bool) -> None:
    """Write its weights; see ``Model.save_weights``."""
    file = checks.model_file(path, weights_only=True)
    overwrite = checks.boolean(overwrite, "overwrite")
    model._require_layout()
    if file.endswith(checks.KERAS_WEIGHTS):
        return keras_weights.save(model, path, overwrite)
    with state.held(model) as arrays:
        weights = {name: array for name, array in arrays.items() if state.is_weight(name)}
        return write_atomically(path, tensors.encoded(weights, {"kind": "weights"}), overwrite)


def load(model: Connected, path: Path, skip_mismatch: bool) -> None:
    """Overwrite the weights by those of a file; see ``Model.load_weights``."""
    skip = checks.boolean(skip_mismatch, "skip_mismatch")
    model._require_layout()
    own = state.parts_of(model).weights
    name, kind = tensors.name_of(checks.path(path, "filepath")), _kind_of(path)
    if kind == "keras":
        return keras_weights.load(model, path, skip)
    archive = kind == "npz"
    if archive:
        described = npz.contents(path)
        found = {key: np.broadcast_to(np.zeros((), d.dtype), d.shape) for key, d in described.items()}
    else:
        header, found = tensors.read(path)
        if header.metadata is not None:
            found = {key: array for key, array in found.items() if state.is_weight(key)}
    places = _places(found, own)
    fits = [key for key, place in places.items() if place in own and found[key].shape == own[place].shape]
    wrong = state.differences(
        {place: _like(weight.shape) for place, weight in own.items()},
        {},
        {places[key]: _like(array.shape) for key, array in found.items()},
    )
    if wrong and not skip:
        raise ModelFileError(f"{name} has not the weights of model {model.name!r}: {wrong}.")
    arrays = npz.read(path, fits) if archive else found
    overwrite_weights(model, [(own[places[key]], arrays[key]) for key in fits])
    if wrong:
        warn(f"{name} has not all weights of model {model.name!r}: {wrong}.")


def _kind_of(path: Path) -> str:
    """What form a file of weights has: "keras", "npz" or "safetensors"."""
    with tensors.open_file(path) as file:
        start = file.read(9)
        if start[:4] == b"\x89HDF":
            return "keras"
        if start[:2] != b"PK" or start[8:] == b"{":  # a length, behind which a safetensors file begins
            return "safetensors"
        return "keras" if npz.holds(file, tensors.KERAS_MEMBER) else "npz"


def _like(shape: tuple[int, ...]) -> Array:
    """What stands for an array of which the shape alone counts."""
    return np.broadcast_to(np.float32(0), shape)


def _places(found: Mapping[str, Array], own: Mapping[str, Any]) -> dict[str, str]:
    """The weight that each array is meant for: of its name, or of its path in another program's file."""
    by_path = {weight.path: name for name, weight in own.items()}
    as_is = {key: key for key in found}
    shorter = _without_model(found)
    if not set(found) <= set(own) and len(by_path) == len(own):
        for names in (as_is, shorter):
            if set(names.values()) == set(by_path):
                return {key: by_path[name] for key, name in names.items()}
    if set(own).isdisjoint(found):
        return {key: name if name in own else key for key, name in shorter.items()}
    return as_is


def _without_model(names: Iterable[str]) -> dict[str, str]:
    """The names without the first part, where all share it: paths in Keras's Sequential begin with the model's name."""
    parts = {name: name.partition("/") for name in names}
    if len({first for first, _, _ in parts.values()}) != 1:
        return {name: name for name in parts}
    return {name: rest for name, (_, _, rest) in parts.items()}
