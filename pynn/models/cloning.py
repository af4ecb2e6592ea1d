"""Models made from descriptions, and from other models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import layers as layer_room
from ..layers.base import Layer
from ..storage.tensors import Path
from .model import Model
from .sequential import Sequential

layer_room.know({"Model": Model, "Functional": Model, "Sequential": Sequential})


def model_from_json(text: str, custom_objects: Mapping[str, type] | None = None) -> Model:
    """The model that `Model.to_json` described, with new weights.

    Args:
        text: The description.
        custom_objects: As for `pynn.load_model`.

    Raises:
        TypeError, ValueError: no such text.
    """
    return Model.from_json(text, custom_objects)


def save_model(model: Model, filepath: Path, overwrite: bool = True) -> None:
    """``model.save(filepath, overwrite)``; TypeError for something else than a model."""
    if not isinstance(model, Model):
        raise TypeError(f"model must be a pynn model, but got {type(model).__name__}.")
    model.save(filepath, overwrite)


def clone_model(
    model: Model, input_tensors: None = None, clone_function: Callable[[Layer], Layer] | None = None
) -> Model:
    """A model of equal layers with new weights, not compiled.

    Args:
        model: A model of tensors or a Sequential.
        input_tensors: Not there yet: only None.
        clone_function: Makes the layer that stands for one of the model's, but for inputs. Default: an equal layer.

    Raises:
        TypeError: no model, or a `clone_function` that makes no layers.
        ValueError: `input_tensors` are given. NotImplementedError: a subclass with a `call`.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a pynn model, but got {type(model).__name__}.")
    if input_tensors is not None:
        raise ValueError("input_tensors is not there yet: leave it out.")
    if clone_function is None:
        return type(model).from_config(model.get_config())
    if not callable(clone_function):
        raise TypeError(f"clone_function must be a function of a layer, but got {type(clone_function).__name__}.")
    replace, own = clone_function, {layer.name: layer for layer in model._wiring.layers}

    def make(config: dict[str, Any]) -> Layer:
        layer = own.get(config["config"]["name"])
        if layer is None or not layer.weights:
            return layer_room.deserialize(config)
        made = replace(layer)
        if not isinstance(made, Layer):
            raise TypeError(f"clone_function must return a layer, but returned {type(made).__name__}.")
        return made

    return type(model).from_config(model.get_config(), make)
