"""Weights in files of Keras 3: where each weight lies in them, and how they become those of a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import ModelFileError
from ..foundation import checks, registry
from ..foundation.names import to_snake_case
from ..foundation.warning import warn
from ..layers.base import Layer
from ..layers.weight import Weight
from ..storage import hdf5
from ..storage.atomic_write import write_atomically
from ..storage.tensors import KERAS_MEMBER, Path, name_of, open_file
from . import state as model_state
from .assigning import listed, overwrite
from .connected import Connected

_MOST_RATIO = 100  # of a member's size to what it takes in the archive

# Layers of which Keras writes the weights of the layer itself, and none that a subclass adds
_BY_THEMSELVES = ("Conv1D", "Conv2D", "Dense", "EinsumDense", "Embedding")
# Layers whose weights Keras has in a cell
_WITH_CELL = ("SimpleRNN", "LSTM", "GRU")
# Those whose weights Keras has in dense layers, and what the names of these begin with
_ATTENTIONS = {"MultiHeadAttention": "", "GroupQueryAttention": "_", "GroupedQueryAttention": "_"}
_DENSE_OF_ATTENTION = ("query_dense", "key_dense", "value_dense", "output_dense")


def save(model: Connected, path: Path, may_replace: bool) -> None:
    """Write the weights as Keras's ``save_weights`` does."""
    with model_state.held(model):
        arrays = {place: weight._array for place, weight in _places(model, "", set())}
        write_atomically(path, [hdf5.encoded(arrays)], may_replace)


def load(model: Connected, path: Path, skip_mismatch: bool = False) -> None:
    """Overwrite the weights by those of a file that Keras wrote; see ``Model.load_weights``."""
    with arrays_of(path) as arrays:
        take(model, arrays, name_of(path), skip_mismatch)


def take(model: Connected, arrays: hdf5.Arrays, name: str, skip_mismatch: bool = False) -> None:
    """Overwrite the weights of `model` by these arrays.

    Raises:
        ModelFileError: they do not fit, unless `skip_mismatch`: then a warning says what does not.
    """
    shapes = {path: shape for path, shape in arrays.shapes.items() if _is_weight(path)}
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
    if wrong and not skip_mismatch:
        raise ModelFileError(f"{name} has not the weights of model {model.name!r}:{wrong}")
    fit = {path: weight for path, weight in places.items() if shapes.get(path) == weight.shape}
    overwrite(model, [(weight, arrays.read(path)) for path, weight in fit.items()])
    if wrong:
        warn(f"{name} has not all weights of model {model.name!r}:{wrong}")


@contextlib.contextmanager
def arrays_of(path: Path) -> Iterator[hdf5.Arrays]:
    """The arrays of a ``.weights.h5`` or ``.keras`` file; ModelFileError where it is something else."""
    name = name_of(path)
    with open_file(path) as file:
        start = file.read(4)
        file.seek(0)
        if start[:2] == b"PK":
            import io

            file = io.BytesIO(member(file, KERAS_MEMBER, name))
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


def _unique_names(layers: Sequence[Any], kinds: Sequence[str]) -> Iterator[tuple[str, Any]]:
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
    if isinstance(layer, Connected) and layer._lists_layers:
        kinds = ["Functional" if type(each).__name__ == "Model" else type(each).__name__ for each in layer.layers]
        for name, each in _unique_names(layer.layers, kinds):
            yield from _places(each, f"{prefix}layers/{name}/", seen)
        return
    own, kind = list(layer.weights), _kind(layer)
    if kind in _BY_THEMSELVES and layer._extended is not None:
        own = list(dict.fromkeys([*layer._extended.weights, *own]))
    for name, each in _held(layer):
        inner = list(_places(each, f"{prefix}{name}/", seen))
        yield from inner
        taken = {id(weight) for _, weight in inner}
        own = [weight for weight in own if id(weight) not in taken]
    if kind in _WITH_CELL:
        prefix = f"{prefix}cell/"
    if kind in _ATTENTIONS:
        for name, weight in _attention(own):
            yield f"{prefix}{_ATTENTIONS[kind]}{name}", weight
        return
    for number, weight in enumerate(own):
        yield f"{prefix}vars/{number}", weight


def _kind(layer: Layer) -> str:
    """The name of the layer's class, or of that of pynn which it is a subclass of."""
    return next(kind.__name__ for kind in type(layer).__mro__ if not registry.is_own(kind))


def _attention(own: list[Weight]) -> Iterator[tuple[str, Weight]]:
    """Kernels of query, key, value and output, each followed by its bias where there are biases."""
    each = len(own) // len(_DENSE_OF_ATTENTION)
    for number, weight in enumerate(own):
        yield f"{_DENSE_OF_ATTENTION[number // each]}/vars/{number % each}", weight


def _held(layer: Layer) -> Iterator[tuple[str, Layer]]:
    """The layers that a layer or model holds as attributes, with Keras's names, in Keras's order.

    For Keras the property `layers` of a model is one of its attributes. Whoever finds a layer twice takes the first.
    """
    attributes: dict[str, Any] = {**({"layers": layer.layers} if isinstance(layer, Connected) else {}), **vars(layer)}
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
    for name, each in _unique_names(found, kinds):
        if isinstance(each, Layer):
            yield f"{path}/{name}", each
        else:
            yield from _in_container(each, f"{path}/{name}")
