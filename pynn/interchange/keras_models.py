"""Models of .keras files: what Keras's configuration says, said in pynn's words."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ..errors import ModelFileError
from ..foundation import checks, identifiers, registry
from ..foundation.arguments import explained
from ..layers.values import values_from_elsewhere
from ..models import Model
from ..models.keras_weights import arrays_of, member, take
from ..models.saving import model_of
from ..storage import hdf5
from ..storage.tensors import Path, name_of, open_file, parse_json
from . import keras_operations

_MOST_LAYERS = 10_000  # of one model
_MOST_CONFIG = 100_000_000  # bytes of a configuration

# Settings that pynn's layers do not have, with the values at which they do nothing
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "quantization_config": (None,),
    "synchronized": (False,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "rms_scaling": (False,),
    "sparse": (False,),
    "ragged": (False,),
    "optional": (False,),
    "lora_rank": (None,),
    "lora_alpha": (None,),
    "use_cudnn": ("auto", True, False),
    "autocast": (True,),
    "mask_zero": (False,),
}
# Layers that may be causal
_ATTENTIONS = (
    *("Attention", "AdditiveAttention", "MultiHeadAttention"),
    *("GroupQueryAttention", "GroupedQueryAttention"),
)
# Modules of Keras whose classes pynn has under the same names
_ROOTS = ("keras", "builtins")


@explained
def from_keras(filepath: Path, custom_objects: Mapping[str, type] | None = None) -> Any:
    """The model of a ``.keras`` file, which Keras 3 wrote, with its weights; without, that of a text from ``to_json``.

    Sequential and functional models of layers that pynn has. The model is not compiled: its optimizer begins anew.
    Nothing in the file is run: classes are looked up in pynn's tables, among those that are registered, and in
    `custom_objects`.

    Args:
        filepath: What Keras's ``model.save("x.keras")`` wrote, or a file with what ``model.to_json()`` gave. The model
            of such a text has new weights; `load_keras_weights` takes those of a ``.weights.h5`` file.
        custom_objects: Classes of one's own by name, which are written for pynn. Default: none.

    Raises:
        ImportError: h5py is not installed, which weights need.
        ModelFileError: a layer or setting that pynn does not have, weights that do not fit, or damage.
        OSError: it cannot be read.
    """
    checks.path(filepath, "filepath")
    name = name_of(filepath)
    with open_file(filepath) as file:
        start = file.read(2)
        if start[:1] != b"{" and start != b"PK":
            raise ModelFileError(
                f"{name} is no .keras file. Of an .h5 file the weights can be taken: make the model, and call "
                "pynn.load_keras_weights(model, filepath)."
            )
        text = member(file, "config.json", name) if start == b"PK" else start + file.read(_MOST_CONFIG)
    if len(text) > _MOST_CONFIG:
        raise ModelFileError(f"{name} has a configuration of {len(text)} bytes.")
    described = parse_json(text, f"the configuration of {name}")

    def make() -> Model:
        if start != b"PK":
            return _made(described, None, name)
        with arrays_of(filepath) as arrays:
            return _made(described, arrays, name)

    return registry.knowing(custom_objects, make)


def _made(described: Any, arrays: hdf5.Arrays | None, name: str) -> Model:
    """The model that is described, with these arrays as weights; None: with new ones."""
    try:
        architecture = _Translation(name).layer(described)
        with contextlib.nullcontext() if arrays is None else values_from_elsewhere(arrays.size):
            model: Any = model_of(architecture)
    except ModelFileError:
        raise
    except identifiers.UnknownNameError as error:
        raise ModelFileError(
            f"{name} has the {error.kind} {checks.shown(error.name)}, which pynn does not have. If it is a class of "
            "your own, give it: custom_objects={name: class}."
        ) from error
    except Exception as error:  # configurations may hold anything
        text = str(error) or type(error).__name__
        raise ModelFileError(f"{name} describes no model that can be made: {checks.cut(text)}") from error
    if arrays is not None:
        take(model, arrays, name)
    found: Model = model
    return found


class _Translation:
    """From Keras's configurations to pynn's."""

    def __init__(self, name: str) -> None:
        self._name = name

    def layer(self, described: Any) -> dict[str, Any]:
        """A layer or model."""
        kind, config = self._split(described)
        if kind == "Sequential":
            return {"class_name": kind, "config": self._sequential(config)}
        if kind in ("Functional", "Model") and "layers" in config:
            return {"class_name": "Functional", "config": self._functional(config)}
        found = self._settings(kind, config)
        return {"class_name": kind, "config": found, "registered_name": described.get("registered_name")}

    def _split(self, described: Any) -> tuple[str, dict[str, Any]]:
        kind, config = identifiers.split_config(described, "layer")
        module = described.get("module") or "builtins"
        registered = described.get("registered_name")
        root = module.partition(".")[0]
        if root not in _ROOTS and registered in (None, kind) and registry.own(kind) is None:
            raise ModelFileError(f"{self._name} has {kind} of {checks.shown(module)}, which pynn does not have.")
        return kind, config

    def _settings(self, kind: str, config: dict[str, Any]) -> dict[str, Any]:
        """The settings of a layer that is no model."""
        found: dict[str, Any] = {}
        for key, value in config.items():
            if key in _WITHOUT_EFFECT and value in _WITHOUT_EFFECT[key]:
                continue
            if kind == "Embedding" and key == "activity_regularizer" and value is None:
                continue
            if key == "dtype":
                found[key] = self._dtype(value)
            elif isinstance(value, dict) and key in ("layer", "backward_layer", "forward_layer", "cell"):
                found[key] = self.layer(value)
            else:
                found[key] = self._value(value)
        return found

    def _dtype(self, value: Any) -> str | None:
        """A number type, or the policy of one."""
        if isinstance(value, dict):
            value = value.get("config", {}).get("name") if value.get("class_name") == "DTypePolicy" else value
        if value in (None, "bool", "float32", "float64") or (isinstance(value, str) and checks.is_whole(value)):
            return value  # type: ignore[no-any-return]
        raise ModelFileError(
            f"{self._name} has layers of the type {checks.shown(value)}, but pynn has float32 and float64."
        )

    def _value(self, value: Any) -> Any:
        """A setting: plain, or an initializer, regularizer, constraint or the like."""
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if not isinstance(value, dict):
            return value
        if value.get("class_name") == "__tuple__" and isinstance(value.get("items"), list):
            return tuple(self._value(each) for each in value["items"])
        if "class_name" not in value:
            return {key: self._value(each) for key, each in value.items()}
        if value["class_name"] == "function" or str(value["class_name"]).startswith("__"):
            raise ModelFileError(
                f"{self._name} has a function of its own, {checks.shown(value.get('config'))}, which pynn cannot know."
            )
        kind, config = identifiers.split_config(value, "setting")
        inner = {key: each for key, each in config.items() if key not in ("input_axes", "output_axes")}
        found = {key: self._value(each) for key, each in inner.items()}
        return {"class_name": kind, "config": found, "registered_name": value.get("registered_name")}

    def _list(self, layers: Any) -> list[Any]:
        if not isinstance(layers, list):
            raise ModelFileError(f"{self._name} has no list of layers, but {checks.shown(layers)}.")
        if len(layers) > _MOST_LAYERS:
            raise ModelFileError(f"{self._name} has {len(layers)} layers, but at most {_MOST_LAYERS} layers are read.")
        return layers

    def _sequential(self, config: dict[str, Any]) -> dict[str, Any]:
        layers = [self.layer(each) for each in self._list(config.get("layers"))]
        found: dict[str, Any] = {"name": config.get("name"), "layers": layers}
        shape = config.get("build_input_shape")
        if shape is not None:
            found["build_input_shape"] = list(checks.batch_shape(shape, "build_input_shape"))
        return found

    def _functional(self, config: dict[str, Any]) -> dict[str, Any]:
        described = self._list(config.get("layers"))
        ends = {key: self._tensors(config.get(key)) for key in ("input_layers", "output_layers")}
        needed = _reached(described, ends)
        masked = any(_makes_masks(each) for each in described)
        layers = []
        for each in described:
            if keras_operations.is_operation(each):
                # What makes masks is written as operations, too, which only masks read: here they go by themselves.
                if each.get("name") in needed:
                    layers.append(self._operation(each, masked))
                continue
            attends = each.get("class_name") in _ATTENTIONS
            calls = [self._call(call, masked, attends) for call in each.get("inbound_nodes", [])]
            layers.append({**self.layer(each), "name": each.get("name"), "inbound_nodes": calls})
        return {"name": config.get("name"), "layers": layers, **ends}

    def _operation(self, described: dict[str, Any], masked: bool) -> dict[str, Any]:
        """What an operator or function made, as a layer."""
        kind = described.get("class_name")
        try:
            if masked and kind in keras_operations.MASKED:
                raise ValueError("it knows no masks, and the layer in its place does")
            layer, inputs = keras_operations.translated(described)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ModelFileError(
                f"{self._name} has the function {checks.shown(kind)}, which pynn cannot take as it is used: "
                f"{checks.cut(str(error))}."
            ) from error
        call = {"args": inputs, "kwargs": {}}
        return {**identifiers.serialize(layer), "name": layer.name, "inbound_nodes": [call]}

    def _call(self, call: Any, masked: bool, attends: bool) -> dict[str, Any]:
        """A use of a layer: the tensors that it takes. A mask comes by itself where there are layers that make some."""
        if not isinstance(call, dict) or not isinstance(call.get("args"), list):
            raise ModelFileError(
                f"{self._name} is of an older Keras. Write it anew with Keras 3: model.save('x.keras')."
            )
        found = [tensor for each in call["args"] for tensor in self._histories(each)]
        settings = {
            key: value
            for key, value in call.get("kwargs", {}).items()
            if value is not None and not (masked and key == "mask")
        }
        if settings.get("training") is True:  # which Keras's `predict` and `evaluate` override
            del settings["training"]
        if "initial_state" in settings and not masked:  # beside a mask, Keras loses that
            found += self._histories(settings.pop("initial_state"))
        causal = settings.get("use_causal_mask")
        if causal is False or (causal is True and attends and 2 <= len(found) <= 3):
            del settings["use_causal_mask"]
        if set(settings) - {"training"}:
            raise ModelFileError(f"{self._name} has a layer called with {', '.join(settings)}, which pynn cannot read.")
        if causal is True:
            settings |= {"inputs": ["query", "value", "key"][: len(found)], "use_causal_mask": True}
        return {"args": found, "kwargs": settings}

    def _histories(self, given: Any) -> list[Any]:
        """The tensors that a layer was called with, one or a list of them."""
        found = []
        for one in given if isinstance(given, list) else [given]:
            if not isinstance(one, dict) or one.get("class_name") != "__keras_tensor__":
                raise ModelFileError(f"{self._name} has a layer called with {checks.shown(one)}, which is no tensor.")
            found.append(list(one["config"]["keras_history"]))
        return found

    def _tensors(self, given: Any) -> Any:
        """Inputs or outputs: one ``[layer, call, output]``, or a list or dict of them."""
        if isinstance(given, dict) and given.get("class_name") == "__tuple__":
            given = given.get("items")
        if isinstance(given, dict):
            return {key: self._tensors(each) for key, each in given.items()}
        return given


def _makes_masks(described: Any) -> bool:
    """Whether a layer is one of those that masks come from."""
    config = described.get("config") if isinstance(described, dict) else None
    is_masking = isinstance(described, dict) and described.get("class_name") == "Masking"
    return is_masking or (isinstance(config, dict) and config.get("mask_zero") is True)


def _reached(layers: list[Any], ends: Any) -> set[str]:
    """The names of the layers that the ends are made from, but for masks."""
    by_name = {each.get("name"): each for each in layers if isinstance(each, dict)}
    found, waiting = set[str](), [ends]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            value = value.get("config", {}).get("keras_history")
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list) and value and isinstance(value[0], str):
            if value[0] in by_name and value[0] not in found:
                found.add(value[0])
                nodes = by_name[value[0]].get("inbound_nodes", [])
                waiting += [node.get("args") for node in nodes if isinstance(node, dict)]
                kwargs = [node.get("kwargs") for node in nodes if isinstance(node, dict)]
                waiting += [each.get("initial_state") for each in kwargs if isinstance(each, dict)]
        elif isinstance(value, list):
            waiting += value
    return found
