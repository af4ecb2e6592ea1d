"""States of PyTorch's modules: which module is which layer, and in which order a Flatten has its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..errors import ModelFileError
from ..foundation import checks
from ..foundation.arguments import explained
from ..layers.base import Layer
from ..layers.wiring import Wiring
from ..models import Model
from ..models.assigning import Array, listed, overwrite
from ..storage import npz, tensors
from ..storage.tensors import Path, name_of, open_file
from .torch_layers import UnfitError, weights_for

# Layers behind a Flatten that leave numbers where they are
_KEEP_PLACES = (
    *("Activation", "Dropout", "ReLU", "LeakyReLU", "ELU", "Softmax", "Identity", "GaussianNoise", "GaussianDropout"),
    *("AlphaDropout", "ActivityRegularization", "BatchNormalization", "Rescaling"),
)
# Layers in front of it that keep channels last
_KEEP_CHANNELS = (
    *_KEEP_PLACES,
    *("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D", "ZeroPadding1D", "ZeroPadding2D"),
    *("Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D", "SpatialDropout1D", "SpatialDropout2D", "PReLU"),
    *("AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D"),
    *("LayerNormalization", "GroupNormalization", "Arithmetic", "Activated"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"),
)
_CONVOLUTIONS = re.compile(r"(Depthwise)?Conv\dD(Transpose)?")
# What belongs to the module itself, though it has a dot in its name
_OWN_PARTS = ("out_proj.weight", "out_proj.bias")


@explained
def load_torch_state(
    model: Model, state: Path | Mapping[str, Any], names: Mapping[str, str] | None = None, *, epsilon: float = 1e-5
) -> None:
    """Overwrite a model's weights by the state of a PyTorch module.

    Kernels are turned, gates of recurrent layers are put in order, the two biases of a recurrent layer are added, and
    what follows a Flatten behind convolutions is put in the order of channels that come last. All weights are
    overwritten, or none.

    Which module is which layer: as `names` says; else, where the modules are called as the layers are, by name; else,
    where the modules have numbers for names, as in a ``torch.nn.Sequential``, by order.

    Args:
        model: A built model of the layers that the module has. Convolutions have their channels last, or, made with
            ``data_format="channels_first"``, first as in PyTorch.
        state: ``module.state_dict()``, a dict of arrays, or a ``.safetensors`` or ``.npz`` file of these.
        names: The name of the layer for each module: ``{"encoder.fc1": "dense"}``. Default: see above.
        epsilon: That of the module's batch, layer and group normalisations, which its state does not have. Default
            ``1e-5``, PyTorch's.

    Raises:
        ValueError: what does not match, all of which the message lists; nothing is changed then.
        ModelFileError: a file of another kind, such as a pickle (``.pt``, ``.pth``), or damage.
        TypeError: something else. OSError: the file cannot be read. NotBuiltError, RuntimeError: as for
            `Model.load_weights`.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a pynn model, but got {checks.shown(model)}.")
    model._require_layout()
    epsilon = checks.number(epsilon, "epsilon", "[0, inf)")
    given = _arrays(state) if isinstance(state, Mapping) else _read(state)
    modules = _modules(given)
    layers = {layer.name: (layer, order) for layer, order in _layers(model)}
    pairs, problems = _pairs(modules, layers, names)
    values, unfit, shapes = [], [], []
    for module, name in pairs:
        (layer, order), what = layers[name], f"{module or 'the module'} as {name}"
        try:
            arrays = weights_for(layer, modules[module], order, epsilon)
        except (UnfitError, IndexError, ValueError) as error:
            unfit.append(f"{what}: {error}")
            continue
        if len(arrays) != len(layer.weights):
            unfit.append(
                f"{module or 'the module'} as {name}: {len(arrays)} arrays, where {len(layer.weights)} are needed"
            )
            continue
        for weight, array in zip(layer.weights, arrays, strict=True):
            if weight.shape != array.shape:
                shapes.append(f"{module or 'the module'} gives {array.shape}, and {weight.path} has {weight.shape}")
            values.append((weight, np.ascontiguousarray(array)))
    wrong = listed({**problems, "of another kind": unfit, "of another shape": shapes})
    if wrong:
        raise ValueError(f"The state has not the weights of model {model.name!r}:{wrong}")
    overwrite(model, values)


# ---- what is given ---------------------------------------------------------------------------------------------------


def _arrays(state: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays of a dict, also of PyTorch's tensors."""
    found = {}
    for name, value in state.items():
        if not isinstance(name, str):
            raise TypeError(f"state must have names, but has {checks.shown(name)}.")
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            value = value.float().numpy() if str(value.dtype) == "torch.bfloat16" else value.numpy()
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"state must have arrays of numbers, but {name!r} is {checks.shown(value)}.")
        found[name] = array
    return found


def _read(path: Any) -> dict[str, Array]:
    """The arrays of a file."""
    checks.path(path, "state")
    with open_file(path) as file:
        start = file.read(9)
    if len(start) == 9 and start[8:] == b"{":  # a safetensors file, whose length may begin with any byte
        return tensors.read(path)[1]
    if start[:2] == b"PK":
        with open(path, "rb") as file:
            beginning = file.read(10_000)
        if b"data.pkl" not in beginning:  # which PyTorch writes first
            return npz.read(path, npz.contents(path))
    if start[:2] == b"PK" or start[:1] == b"\x80":
        raise ModelFileError(
            f"{name_of(path)} is a pickle of PyTorch's, which may run any code when it is read, and so is not read. "
            'Write it anew in PyTorch: safetensors.torch.save_file(torch.load("x.pt", weights_only=True), '
            '"x.safetensors").'
        )
    return tensors.read(path)[1]


def _modules(state: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """The arrays by module, each by its name within it."""
    found: dict[str, dict[str, Array]] = {}
    for name, array in state.items():
        own = next((part for part in _OWN_PARTS if name == part or name.endswith(f".{part}")), None)
        own = name.rpartition(".")[2] if own is None else own
        found.setdefault(name[: -len(own)].rstrip("."), {})[own] = array
    return found


# ---- which module is which layer -------------------------------------------------------------------------------------


def _pairs(
    modules: Mapping[str, Any], layers: Mapping[str, Any], names: Mapping[str, str] | None
) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """Modules with names of layers, and what has no counterpart."""
    if names is not None:
        if not isinstance(names, Mapping):
            raise TypeError(f"names must be a dict of modules and layers, but got {checks.shown(names)}.")
        pairs = [(module, name) for module, name in names.items() if module in modules and name in layers]
    elif set(modules) == set(layers):
        pairs = [(module, module) for module in modules]
    elif _are_numbered(modules) or len(modules) == len(layers) == 1:
        ordered = sorted(modules, key=lambda module: [int(part) for part in re.findall(r"\d+", module)])
        pairs = list(zip(ordered, layers, strict=False))
    else:
        raise ValueError(
            f"Which module is which layer? Give names={{module: layer}}. The modules with a state are: "
            f"{', '.join(modules)}. The layers with weights are: {', '.join(layers)}."
        )
    problems = {
        "modules without a layer": [module or "the module" for module in modules if module not in dict(pairs)],
        "layers without a module": [name for name in layers if name not in {layer for _, layer in pairs}],
        "not there": [
            f"{module}: {name}" for module, name in (names or {}).items() if module not in modules or name not in layers
        ],
    }
    twice = [name for place, (_, name) in enumerate(pairs) if name in [other for _, other in pairs[:place]]]
    return pairs, {**problems, "layers of several modules": twice}


def _are_numbered(modules: Iterable[str]) -> bool:
    """Whether the modules are items of a Sequential, or of Sequentials within it: ``0``, ``net.2``, ``net.3.0``."""
    found = [re.fullmatch(r"((?:[A-Za-z_]\w*\.)*)((?:\d+\.)*\d+)", module) for module in modules]
    return all(found) and len({each[1] for each in found if each}) == 1


def _layers(model: Model) -> list[tuple[Layer, Array | None]]:
    """The layers with weights, in the order in which they compute, each with the order of its inputs: see `_Places`."""
    places = _Places()
    layout = model._require_layout()
    # Samples of three axes are images, whose channels PyTorch has first.
    given = [_CHANNELS if len(port.shape) == 3 else None for port in layout.inputs.ports]
    places.follow(model._wiring, given)
    return list(places.found.values())


# What a tensor is with regard to channels: they come last, where PyTorch has them first; or nobody knows.
_CHANNELS, _UNKNOWN = "channels", "unknown"
Mark: TypeAlias = "str | Array | None"  # or, behind a Flatten: where PyTorch has each number


class _Places:
    """Follows tensors from layer to layer: PyTorch's channels come first, pynn's last, and a Flatten shows it.

    Attributes:
        found: For each layer with weights, by its id: the layer, and where PyTorch has each of its inputs.
    """

    def __init__(self) -> None:
        self.found: dict[int, tuple[Layer, Array | None]] = {}

    def follow(self, wiring: Wiring, given: Sequence[Mark]) -> list[Mark]:
        """The marks of the outputs, for inputs of these."""
        marks: dict[int, Mark] = dict(zip(wiring.inputs, given, strict=True))
        for step in wiring.steps:
            inputs = [marks.get(x) for x in step.inputs]
            if isinstance(step.layer, Model):
                made = self.follow(step.layer._wiring, inputs)
            else:
                made = [self._behind(step.layer, inputs)] * len(step.outputs)
            marks.update(zip(step.outputs, made, strict=True))
        return [marks.get(y) for y in wiring.outputs]

    def _behind(self, layer: Layer, inputs: list[Mark]) -> Mark:
        """The mark of what a layer makes."""
        kind = type(layer).__name__
        moved = next((each for each in inputs if isinstance(each, np.ndarray)), None)
        if moved is not None and (len(inputs) > 1 or kind not in (*_KEEP_PLACES, "Dense")):
            raise self._refusal(layer)
        if layer.weights:
            self.found.setdefault(id(layer), (layer, moved))
        if moved is not None:
            return None if kind == "Dense" else moved
        last = getattr(layer, "data_format", "channels_last") != "channels_first"
        if _CONVOLUTIONS.fullmatch(kind):
            return _CHANNELS if last else None
        if not any(inputs) or (len(layer.output_shape) == 2 and kind != "Flatten"):
            return None
        if kind == "Flatten":
            if _UNKNOWN in inputs:
                raise self._refusal(layer)
            shape = layer.input_shape[1:]
            places = np.arange(np.prod(shape)).reshape(shape[-1], *shape[:-1])
            order: Array = np.moveaxis(places, 0, -1).reshape(-1)
            return order
        return _CHANNELS if kind in _KEEP_CHANNELS and _UNKNOWN not in inputs else _UNKNOWN

    @staticmethod
    def _refusal(layer: Layer) -> ValueError:
        return ValueError(
            f"It is not known in which order the numbers come to layer {layer.name!r}, as PyTorch has channels first. "
            'Make the model with data_format="channels_first".'
        )
