"""Models in files: a model is its configuration, what ``compile`` was told, and its state, all in one file.

docs/file-format.md describes the file. Weights alone: weight_files.py.
"""

from __future__ import annotations

import contextlib
import json
import types
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from .. import layers as layer_room
from ..data import nests
from ..data.layout import Layout
from ..errors import ModelFileError
from ..foundation import atomic, checks, identifiers, registry
from ..foundation.arguments import explained
from ..foundation.warning import warn
from ..layers.applied import OwnActivation
from ..layers.keeping import with_all_within
from ..layers.symbolic import Made
from ..layers.values import values_from_elsewhere
from ..storage import hdf5, tensors
from ..storage.atomic_write import write_atomically
from ..storage.tensors import Path
from ..training import compile_config
from . import state
from .connected import Connected
from .symbols import Given
from .wired import Wired, check_names

Array = NDArray[Any]
Metadata = dict[str, Any]

_MOST_LAYERS = 10_000
_MOST_CALLS = 100_000
_MOST_STEPS = 1_000_000  # the calls of a model in a model count as often as that is called

# Methods by which Keras keeps more of a layer of one's own
_NOT_CALLED = ("save_own_variables", "load_own_variables", "save_assets", "load_assets")

# ---- writing ---------------------------------------------------------------------------------------------------------


def save(
    model: Connected,
    path: Path,
    overwrite: bool,
    zipped: bool | None,
    include_optimizer: bool,
    save_format: str | None,
) -> None:
    """Write a model; see ``Model.save``."""
    checks.model_file(path, weights_only=False)
    overwrite = checks.boolean(overwrite, "overwrite")
    if zipped is not None:
        checks.boolean(zipped, "zipped")
    if save_format not in (None, "keras"):
        raise ValueError(
            f'save_format must be None or "keras", but got {checks.shown(save_format)}: pynn writes one form of files.'
        )
    whole = checks.boolean(include_optimizer, "include_optimizer")
    for layer in with_all_within([model]):
        found = [name for name in _NOT_CALLED if hasattr(layer, name)]
        if found:
            warn(
                f"{type(layer).__name__} has {found[0]}, which pynn does not call. The file has the weights, and "
                "nothing that this method would add."
            )
    with state.held(model) as arrays:
        if not whole:
            arrays = {name: array for name, array in arrays.items() if not name.startswith("optimizer/")}
        write_atomically(path, tensors.encoded(arrays, _described(model, whole)), overwrite)


def to_bytes(model: Connected) -> bytes:
    """A model as the bytes of its file; it may be one that is not built."""
    with state.held(model) as arrays:
        return b"".join(tensors.encoded(arrays, _described(model)))


def check_saving(model: Connected, path: Path, weights_only: bool) -> None:
    """Raise what `save` or `save_weights` would raise for this name and model, before time goes into training."""
    file = checks.model_file(path, weights_only)
    if file.endswith(checks.KERAS_WEIGHTS):
        hdf5.package("Writing Keras's weights")
    if not weights_only:
        _described(model)


def _described(model: Connected, whole: bool = True) -> Metadata:
    """Values fit for JSON that say all but the state; what `compile` was told only if it is to be `whole`.

    Raises:
        ValueError: something that no configuration describes.
    """
    own = list(_of_ones_own(model, whole))
    # So that what is pynn's is told from what is one's own and has the same name.
    by_class = {thing.__name__: thing for _, thing in own}
    found = registry.knowing(by_class, lambda: _described_all(model, whole))
    functions: dict[str, Any] = {}
    for name, thing in own:
        if isinstance(thing, types.FunctionType) and functions.setdefault(name, thing) is not thing:
            raise ValueError(
                f"Model {model.name!r} has two functions that are called {name!r}, by which a file knows them, and "
                "cannot be saved or copied. Give them other names, or save the weights alone: model.save_weights."
            )
    return found


def _described_all(model: Connected, whole: bool) -> Metadata:
    compiled = model._state.compiled
    found: Metadata = {"kind": "model", "architecture": _architecture(model), "compile": None}
    if compiled is not None and whole:
        found["compile"] = compile_config.described(compiled)
        if model.built:
            weights = state.parts_of(model).weights
            undecayed = set(compiled.optimizer._undecayed(weights.values()))
            found["undecayed"] = [name for name, weight in weights.items() if weight.native in undecayed]
    return found


def _architecture(model: Connected) -> Metadata:
    for each in with_all_within([model]):
        if isinstance(each, Wired):
            check_names(each._parts, each.name)  # a program may have renamed a layer since
    instead = "Its weights alone can be saved: model.save_weights."
    try:
        config = identifiers.plain(identifiers.serialize(model))
        found: Metadata = config
        json.dumps(found, allow_nan=False)
    except NotImplementedError as error:
        raise ValueError(f"Model {model.name!r} cannot be saved or copied: {error} {instead}") from None
    except RecursionError:
        raise ValueError(
            f"Model {model.name!r} cannot be saved or copied: it has models in models too deep. {instead}"
        ) from None
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Model {model.name!r} cannot be saved or copied, as its configuration has something else than numbers and "
            f"texts: {error}. {instead}"
        ) from None
    _check_bounds(found)
    layout = model._state.layout
    if model._made_by_arguments() and layout is not None:
        inputs = layout.inputs
        found["inputs"] = {
            "form": inputs.form,
            "names": list(inputs.keys),
            **({"nest": inputs.nest} if inputs.form == "nested" else {}),
            "each": [[port.shape, "int32" if port.below else layout.dtype] for port in inputs.ports],
        }
    return found


def classes_of_ones_own(model: Connected) -> dict[str, type]:
    """The classes and functions that are not pynn's, of the model and all in it, by name.

    Raises:
        ValueError: two of one name.
    """
    found: dict[str, Any] = {}
    for name, thing in _of_ones_own(model):
        if found.setdefault(name, thing) is not thing:
            kind = "things of two classes" if isinstance(thing, type) else "two functions"
            raise ValueError(f"Model {model.name!r} has {kind} that are called {name}, and cannot be copied.")
    return found


def _of_ones_own(model: Connected, whole: bool = True) -> Iterator[tuple[str, Any]]:
    """The classes and functions that are not pynn's, of the model and all in it, with their names.

    What `compile` was told is looked at only if it is to be `whole`.
    """
    compiled = model._state.compiled
    things: list[Any] = [model]
    if compiled is not None and whole:
        things += [compiled.optimizer, compiled.optimizer._learning_rate, compiled.loss, compiled.metrics]
        things.append(compiled.weighted_metrics)
    seen: set[int] = set()
    while things:
        thing = things.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, list | tuple):
            things += thing
        elif isinstance(thing, dict):
            things += thing.values()
        elif isinstance(thing, OwnActivation):
            things.append(thing.function)
        elif isinstance(thing, types.FunctionType) and registry.is_own(thing):
            yield registry.get_registered_name(thing), thing
        elif hasattr(thing, "get_config") and not isinstance(thing, type):
            if registry.is_own(type(thing)):
                yield registry.get_registered_name(type(thing)), type(thing)
            things += thing.layers if isinstance(thing, Connected) else getattr(thing, "__dict__", {}).values()


# ---- reading ---------------------------------------------------------------------------------------------------------


@explained
def load_model(
    filepath: Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model that ``Model.save`` wrote.

    It goes on training with the same bits as the one that was saved. Nothing in the file is run, and it is checked as a
    whole, with a digest, before a model is made of it. The digest finds damage; it does not say who made the file.

    Args:
        filepath: The file.
        custom_objects: Classes of one's own, by the names of their classes, such as ``{"MyLayer": MyLayer}``: layers,
            models with a `call`, and what else is in the model; also functions that are metrics, by their names. What
            is registered (`pynn.saving.register_keras_serializable`) need not be given. Default: none.
        compile: Whether the model is compiled as it was, and goes on where its training ended. Default ``True``.
        safe_mode: Without effect: there is no other mode. Default ``True``.

    Raises:
        ModelFileError: no model file, damage, a class that is not known, or a file of a newer pynn.
        OSError: the file cannot be read. TypeError: an argument of another kind.
    """
    compiled = checks.boolean(compile, "compile")
    checks.boolean(safe_mode, "safe_mode")

    def make() -> Any:
        return _made(*tensors.read(checks.path(filepath, "filepath")), tensors.name_of(filepath), compiled)

    return registry.knowing(custom_objects, make)


def from_bytes(data: bytes, custom_objects: Mapping[str, type]) -> Any:
    """The model of `to_bytes`: what copies and pickles of models call."""
    name = "The pickle of a model"
    return registry.knowing(custom_objects, lambda: _made(*tensors.decoded(data, name), name, True))


@contextlib.contextmanager
def _as_file_error(name: str) -> Iterator[None]:
    """Whatever a file makes go wrong is its fault: configurations may hold anything."""
    try:
        yield
    except ModelFileError:
        raise
    except identifiers.UnknownNameError as error:
        raise ModelFileError(
            f"{name} has the {error.kind} {checks.shown(error.name)}, which is not pynn's. If it is yours, import "
            "what registers it, or give its class: load_model(filepath, custom_objects={name: class})."
        ) from error
    except Exception as error:
        text = str(error) or type(error).__name__
        raise ModelFileError(f"{name} describes no model that can be made: {checks.cut(text)}") from error


def _made(header: tensors.Header, arrays: dict[str, Array], name: str, compiled: bool) -> Any:
    """The model in a file."""
    metadata = tensors.own_metadata(header, name)
    if metadata.get("kind") != "model":
        raise ModelFileError(f"{name} has no model, but {checks.shown(metadata.get('kind'))}. See Model.load_weights.")
    with _as_file_error(name):
        with values_from_elsewhere(header.size):
            model = model_of(metadata["architecture"])
        if not compiled:
            arrays = {key: array for key, array in arrays.items() if not key.startswith("optimizer/")}
        elif metadata["compile"] is not None:
            _compile(model, metadata)
        state.set_state(model, arrays)
        return model


def model_of(architecture: Any) -> Connected:
    """The model of a configuration, with weights of 0."""
    _check_bounds(architecture)
    model: Any = layer_room.deserialize(architecture)
    if not isinstance(model, Connected):
        raise ValueError(f"it is a {type(model).__name__}, and no model.")
    if "inputs" in architecture and not model.built:
        inputs = architecture["inputs"]
        if len(inputs["each"]) > _MOST_LAYERS:
            raise ValueError(f"inputs must be at most {_MOST_LAYERS}, but are {len(inputs['each'])}.")
        each = [Made(tuple(checks.open_shape(shape, "shape")), str(dtype)) for shape, dtype in inputs["each"]]
        if not model._has_call():  # a Sequential that puts its layers together, without an input
            model.build((None, *each[0].shape))
        else:
            model._trace_once(Given(_nest_of(inputs), each))
    return model


def _nest_of(inputs: Any) -> Any:
    """The form of the inputs that a file describes."""
    form, places = inputs["form"], list(range(len(inputs["each"])))
    if form == "single":
        return 0
    if form == "dict":
        return dict(zip(inputs["names"], places, strict=True))
    nest = inputs["nest"] if form == "nested" else tuple(places) if form == "tuple" else places
    if list(nests.ends(nest)) != places:
        raise ValueError(f"the inputs must be the numbers from 0 on, in order, but are {checks.shown(nest)}.")
    return nest


def _check_bounds(architecture: Any) -> None:
    """Raise ValueError where there are more layers, or calls of layers, than any model has."""
    layers = calls = steps = 0
    waiting = [(architecture, 1)]  # with how often it is there in the network
    while waiting:
        value, times = waiting.pop()
        if isinstance(value, dict):
            layers += len(value["layers"]) if isinstance(value.get("layers"), list) else 0
            if isinstance(value.get("inbound_nodes"), list):
                own = len(value["inbound_nodes"])
                calls, steps, times = calls + own, steps + own * times, times * max(own, 1)
            waiting += [(each, times) for each in value.values()]
        elif isinstance(value, list):
            waiting += [(each, times) for each in value]
    if layers > _MOST_LAYERS or calls > _MOST_CALLS or steps > _MOST_STEPS:
        raise ValueError(
            f"A model in a file has at most {_MOST_LAYERS} layers and {_MOST_CALLS} calls of them, {_MOST_STEPS} with "
            f"those in models that are called several times, but this one has {layers}, {calls} and {steps}."
        )


def _compile(model: Connected, metadata: Metadata) -> None:
    """Compile a model that nobody else has yet. Its network is made when it is first used."""
    what = compile_config.compiled_of(metadata["compile"])
    layout: Layout | None = model._state.layout
    if layout is not None:
        what.check(layout.outputs)
    atomic.apply_together(model._compiling(what, None))
    if metadata.get("undecayed"):
        weights = state.parts_of(model).weights
        what.optimizer.exclude_from_weight_decay([weights[name] for name in metadata["undecayed"]])
