"""Weights of files that Keras 3 writes: where each weight lies in them, and how they become those of a model."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ..errors import ModelFileError
from ..foundation import checks
from ..foundation.arguments import explained
from ..foundation.names import to_snake_case
from ..layers.base import Layer
from ..layers.weight import Weight
from ..models import Model, Sequential
from ..storage.tensors import Path, name_of, open_file
from . import hdf5
from .assigning import listed, overwrite

_MEMBER = "model.weights.h5"  # of a .keras file
_MOST_RATIO = 100  # of a member's size to what it takes in the archive

# Layers whose weights Keras has in a cell
_WITH_CELL = ("SimpleRNN", "LSTM", "GRU")
# Those whose weights Keras has in dense layers, and what the names of these begin with
_ATTENTIONS = {"MultiHeadAttention": "", "GroupQueryAttention": "_", "GroupedQueryAttention": "_"}
_DENSE_OF_ATTENTION = ("query_dense", "key_dense", "value_dense", "output_dense")


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
    name = name_of(filepath)
    with arrays_of(filepath) as arrays:
        take(model, arrays, name)


def take(model: Model, arrays: hdf5.Arrays, name: str, but: Collection[str] = ()) -> None:
    """Overwrite the weights of `model` by these arrays, `but` for some; ModelFileError where they do not fit."""
    shapes = {path: shape for path, shape in arrays.shapes.items() if _is_weight(path) and path not in but}
    if any(path.startswith("model_weights/") for path in arrays.shapes):
        raise ModelFileError(
            f"{name} is of an older Keras. Load it in Keras 3, and write it anew: model.save('x.keras')."
        )
    places = dict(_places(model, "", set()))
    problems = {
        "missing": [f"{path} for {weight.path}" for path, weight in places.items() if path not in shapes],
        "left over": [f"{path} of shape {shapes[path]}" for path in shapes if path not in places],
        "of another shape": [
            f"{path} has {shapes[path]} and {weight.path} {weight.shape}"
            for path, weight in places.items()
            if path in shapes and shapes[path] != weight.shape
        ],
    }
    wrong = listed(problems)
    if wrong:
        raise ModelFileError(f"{name} has not the weights of model {model.name!r}:{wrong}")
    overwrite(model, [(weight, arrays.read(path)) for path, weight in places.items()])


@contextlib.contextmanager
def arrays_of(path: Path) -> Iterator[hdf5.Arrays]:
    """The arrays of a ``.weights.h5`` or ``.keras`` file; ModelFileError where it is something else."""
    name = name_of(path)
    with open_file(path) as file:
        start = file.read(4)
        file.seek(0)
        if start[:2] == b"PK":
            import io

            file = io.BytesIO(member(file, _MEMBER, name))
        elif start != b"\x89HDF":
            raise ModelFileError(f"{name} is no file of Keras's: it is neither an HDF5 file nor a .keras archive.")
        with hdf5.opened(file, name) as arrays:
            yield arrays


def member(file: Any, inner: str, name: str) -> bytes:
    """A file within a .keras archive; ModelFileError where it is not there, or takes more memory than it may."""
    import zipfile  # slow to import

    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.getinfo(inner)
            if found.file_size > _MOST_RATIO * max(found.compress_size, 1) or found.flag_bits & 1:
                raise ModelFileError(f"{name}: {inner} is encrypted, or would be {found.file_size} bytes.")
            return archive.read(found)
    except ModelFileError:
        raise
    except Exception as error:  # zipfile has many ways to say that a file is none
        raise ModelFileError(f"{name} is no .keras file as it must be: {checks.cut(str(error))}.") from error


def _is_weight(path: str) -> bool:
    """Whether an array is a weight of a layer: not of the optimizer, a metric, or the state of a random generator."""
    parts = path.split("/")
    return "seed_generator" not in parts and parts[0] not in ("optimizer", "metrics", "compile_metrics")


def unique_names(layers: Sequence[Any], kinds: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The layers of a model with the names that Keras gives them in its files, by their classes."""
    used: dict[str, int] = {}
    for kind, layer in zip(kinds, layers, strict=True):
        base = to_snake_case(kind)
        number = used[base] = used.get(base, -1) + 1
        yield (f"{base}_{number}" if number else base), layer


def _places(layer: Layer, prefix: str, seen: set[int]) -> Iterator[tuple[str, Weight]]:
    """The weights of a layer, with their paths in Keras's files."""
    if id(layer) in seen:  # Keras writes each layer once
        return
    seen.add(id(layer))
    if isinstance(layer, Sequential) or type(layer) is Model:
        kinds = ["Functional" if type(each) is Model else type(each).__name__ for each in layer.layers]
        for name, each in unique_names(layer.layers, kinds):
            yield from _places(each, f"{prefix}layers/{name}/", seen)
        return
    own = list(layer.weights)
    for name, each in _held(layer):
        inner = list(_places(each, f"{prefix}{name}/", seen))
        yield from inner
        taken = {id(weight) for _, weight in inner}
        own = [weight for weight in own if id(weight) not in taken]
    if type(layer).__name__ in _WITH_CELL:
        prefix = f"{prefix}cell/"
    if type(layer).__name__ in _ATTENTIONS:
        for name, weight in _attention(own):
            yield f"{prefix}{_ATTENTIONS[type(layer).__name__]}{name}", weight
        return
    for number, weight in enumerate(own):
        yield f"{prefix}vars/{number}", weight


def _attention(own: list[Weight]) -> Iterator[tuple[str, Weight]]:
    """Kernels of query, key, value and output, each followed by its bias where there are biases."""
    each = len(own) // len(_DENSE_OF_ATTENTION)
    for number, weight in enumerate(own):
        yield f"{_DENSE_OF_ATTENTION[number // each]}/vars/{number % each}", weight


def _held(layer: Layer) -> Iterator[tuple[str, Layer]]:
    """The layers that a layer or model holds as attributes, with Keras's names, in Keras's order.

    For Keras the property `layers` of a model is one of its attributes. Whoever finds a layer twice takes the first.
    """
    attributes: dict[str, Any] = {**({"layers": layer.layers} if isinstance(layer, Model) else {}), **vars(layer)}
    for name in sorted(attributes, key=lambda name: f"~{name}" if name.startswith("_") else name):
        value = attributes[name]
        if name in ("_users", "_nodes", "_calls", "_state", "_extended"):
            continue
        if isinstance(value, Layer):
            yield name, value
        elif not name.startswith("_") or _is_of_layers(value):
            yield from _in_container(value, name)


def _is_of_layers(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, Layer) for each in value)


def _in_container(value: Any, path: str) -> Iterator[tuple[str, Layer]]:
    """The layers in lists, tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        return
    found = [each for each in value if isinstance(each, Layer | list | tuple | dict)]
    kinds = [type(each).__name__ if isinstance(each, Layer) else "container" for each in found]
    for name, each in unique_names(found, kinds):
        if isinstance(each, Layer):
            yield f"{path}/{name}", each
        else:
            yield from _in_container(each, f"{path}/{name}")
