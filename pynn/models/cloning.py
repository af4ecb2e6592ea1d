"""Models made from descriptions, and from other models."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from .. import layers as layer_room
from ..foundation import atomic, checks, registry
from ..layers.base import Layer
from ..layers.core import InputLayer
from ..layers.symbolic import SymbolicTensor
from ..storage.tensors import Path
from ..training import compile_config
from . import configuration, recalling
from .configuration import Making, Recording, as_said
from .model import Model
from .saving import classes_of_ones_own
from .sequential import Sequential


def model_from_json(text: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """The model that `Model.to_json` described, with new weights.

    Args:
        text: The description.
        custom_objects: As for `pynn.load_model`.

    Raises:
        TypeError, ValueError: no such text.
    """
    return Model.from_json(text, custom_objects)


def save_model(
    model: Model, filepath: Path, overwrite: bool = True, zipped: bool | None = None, **options: Any
) -> None:
    """``model.save(filepath, overwrite, zipped, **options)``; TypeError for something else than a model."""
    if not isinstance(model, Model):
        raise TypeError(f"model must be a pynn model, but got {type(model).__name__}.")
    model.save(filepath, overwrite, zipped, **options)


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Model:
    """A model of equal layers with new weights.

    Where the model is compiled, so is the clone, with an optimizer that begins anew; but not where something that
    `compile` was told cannot be described, such as a learning rate that is a function.

    Args:
        model: A model of tensors or a Sequential.
        input_tensors: Symbolic tensors in place of the model's inputs, in their form; of a Sequential, one whose shape
            and type its new input has. Default: inputs like those of the model.
        clone_function: Makes the layer that stands for one of the model's, but for inputs and operators. Default: an
            equal layer.
        call_function: Of a model of tensors: called as ``call_function(layer, *args, **kwargs)`` in place of each of
            its new layers and operators, to return what goes on in place of ``layer(*args, **kwargs)``, such as
            ``Dropout(0.5)(layer(*args, **kwargs))``. Default: the layers are called.
        recursive: Whether models within the model are cloned by their layers, too, so that `clone_function` is asked
            for these, and not for the models; so is `call_function`, but not within a Sequential. Default ``False``.

    Raises:
        TypeError: no model, a `clone_function` that makes no layers, a `call_function` that returns no tensors, or a
            `recursive` that is neither True nor False. ValueError: other `input_tensors` than the model has inputs; a
            `call_function` for a Sequential, or a subclass with a `call`. NotImplementedError: such a subclass that
            cannot say what it was made with.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a pynn model, but got {type(model).__name__}.")
    for name, function in (("clone_function", clone_function), ("call_function", call_function)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function of a layer, but got {type(function).__name__}.")
    if call_function is not None and (isinstance(model, Sequential) or model._has_call()):
        raise ValueError(
            f"call_function is for models of tensors, Model(inputs, outputs), but {model.name!r} is a "
            f"{type(model).__name__}. clone_function works for a Sequential, too."
        )
    record = as_said if call_function is None else recalling.by(call_function)
    checks.boolean(recursive, "recursive")

    def maker(owner: Model, record: Recording, inputs: list[SymbolicTensor] | None = None) -> Making:
        own = {layer.name: layer for layer in owner._parts}

        def make(config: dict[str, Any]) -> Layer:
            layer = own.get(config["config"].get("name"))
            if layer is None or layer.is_operation or isinstance(layer, InputLayer):
                return layer_room.deserialize(config)
            if recursive and isinstance(layer, Model) and not layer._has_call():
                return _of_layers(layer, maker(layer, as_said if isinstance(layer, Sequential) else record))
            if clone_function is None:
                return layer_room.deserialize(config)
            made = clone_function(layer)
            if not isinstance(made, Layer):
                raise TypeError(f"clone_function must return a layer, but returned {type(made).__name__}.")
            return made

        return Making(make, record, inputs)

    inputs = None if input_tensors is None else _inputs_for(model, input_tensors)

    def clone() -> Model:
        made, compiled = _of_layers(model, maker(model, record, inputs)), model._state.compiled
        if compiled is not None:
            with contextlib.suppress(ValueError):
                what = compile_config.compiled_of(compile_config.described(compiled))
                atomic.apply_together(made._compiling(what, None))
        return made

    return registry.knowing(classes_of_ones_own(model), lambda: configuration.reading(clone))


def _of_layers(model: Model, how: Making) -> Model:
    """A model of layers like those of `model`; of a class whose ``__init__`` would make others, one of pynn's."""
    if model._has_call() or not model._own_arguments:
        return type(model)._made_of(model.get_config(), how)
    kind = Sequential if isinstance(model, Sequential) else Model
    return kind._made_of(model._by_layers(), how)


def _inputs_for(model: Model, given: Any) -> list[SymbolicTensor]:
    """The tensors that stand in for the inputs of a model, one by one."""
    try:
        found = model._require_layout().inputs.take_apart(given, "input_tensors")
        found = [x[0] if isinstance(x, list | tuple) and len(x) == 1 else x for x in found]
    except TypeError as error:
        raise ValueError(str(error)) from None
    for x in found:
        if not isinstance(x, SymbolicTensor):
            raise ValueError(
                "input_tensors must be symbolic tensors, as Input and calls of layers on it give, in the form of the "
                f"model's inputs, but has {checks.shown(x)} of type {type(x).__name__}."
            )
    return found
