"""Sequential models: a list of layers that becomes a network."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from .. import layers as layer_room
from ..data.layout import Layout, Port, single
from ..engine.lowering import Lowering
from ..foundation import atomic, checks, identifiers
from ..layers.base import Draft, Layer
from ..layers.core import InputLayer
from ..layers.types import Shape
from .model import Model
from .network import check_dtype, check_input, common_dtype, drafts_of, lower_all


class Sequential(Model):
    """A stack of layers, each fed by the one before.

    The model is built (its weights are made) at once where the input shape is known, from an ``Input`` or the first
    layer's ``input_shape`` or ``input_dim``, and otherwise from the first data it sees. All layers compute in one
    number type: the ``dtype`` that was given to any of them, else ``config.floatx()``.

    Args:
        layers: The layers, in order. Default: none; `add` them.
        trainable: ``False`` makes all these layers untrainable. Default ``True``: they stay as they are.
        name: Default: ``"sequential"`` with a number, as in Keras.

    Raises:
        TypeError, ValueError: something that is no layer, layers that do not fit together.

    Example:
        >>> model = pynn.Sequential([pynn.Input((784,)), pynn.layers.Dense(10, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
        >>> history = model.fit(x, y, epochs=5)
    """

    def __init__(self, layers: Sequence[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        if layers is not None and (isinstance(layers, str | Layer) or not isinstance(layers, Iterable)):
            raise TypeError(
                f"layers must be a list of layers such as [pynn.layers.Dense(10)], but got {layers!r} of type "
                f"{type(layers).__name__}."
            )
        super().__init__()
        self._extend(list(layers or []))
        if not checks.boolean(trainable, "trainable"):
            self.trainable = False
        Layer.__init__(self, name)  # the name comes last, so that a model that could not be made uses up no number

    # ---- layers ------------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the ``Input``."""
        return _without_input(self._state.stack)

    def add(self, layer: Layer) -> None:
        """Append a layer. In a built model the other layers keep their weights; the optimizer starts anew.

        Raises:
            TypeError, ValueError: no layer, or one that does not fit; the model is as before then.
        """
        with self._alone():
            self._extend([layer])

    def pop(self) -> Layer:
        """Remove the last layer, which keeps its weights, and return it; the optimizer starts anew.

        Raises:
            ValueError: there is no layer.
        """
        with self._alone():
            state = self._state
            if not _without_input(state.stack):
                raise ValueError(f"Model {self.name!r} has no layer to remove.")
            stack, layer, layout = state.stack[:-1], state.stack[-1], state.layout
            if layout is not None:
                shape = layer._require_built().shape
                layout = layout._replace(outputs=single(Port(stack[-1].name, shape))) if _without_input(stack) else None
            self._become(state._replace(stack=stack, layout=layout), changes=[atomic.setting(layer, "_owner", None)])
            return layer

    def _extend(self, new: list[Layer]) -> None:
        """Append layers, and build them if the input shape is known; on failure all is as before."""
        state = self._state
        self._check_new(new, state.stack)
        stack, drafts = (*state.stack, *new), list[Draft]()
        layout = state.layout
        if layout is not None:
            check_dtype(new, layout.dtype)
            drafts = drafts_of(new, layout.output.sizes, layout.dtype)
            layout = layout._replace(outputs=single(Port(new[-1].name, drafts[-1].output)))
        elif _without_input(stack) and stack[0].batch_input_shape is not None:
            layout, drafts = _drafts(stack, stack[0].batch_input_shape)
        elif stack:
            common_dtype(stack)
        owner = weakref.ref(self)
        owners = [atomic.setting(layer, "_owner", owner) for layer in new]
        self._become(state._replace(stack=stack, layout=layout), drafts, owners)

    @staticmethod
    def _check_new(new: list[Layer], stack: Sequence[Layer]) -> None:
        """Raise TypeError or ValueError unless these may follow the layers of `stack`."""
        names = {layer.name for layer in stack}
        for position, layer in enumerate(new):
            if not isinstance(layer, Layer):
                raise TypeError(f"A layer must be a pynn layer such as pynn.layers.Dense(10), but got {layer!r}.")
            if isinstance(layer, Model):
                raise TypeError(f"A model inside a model is not there yet, but got {layer!r}. Add its layers instead.")
            kind = type(layer)
            if kind.lower is Layer.lower or kind.compute_output_shape is Layer.compute_output_shape:
                raise TypeError(kind._computes_nothing())
            if isinstance(layer, InputLayer) and (stack or position):
                raise ValueError("Input must come first, but there are layers before it.")
            owner = None if layer._owner is None else layer._owner()
            if owner is not None or any(layer is other for other in new[:position]):
                raise ValueError(
                    f"Layer {layer.name!r} is part of a model already. "
                    "Make a new one with type(layer).from_config(layer.get_config()) under another name."
                )
            if layer.name in names:
                raise ValueError(
                    f"There is a layer of the name {layer.name!r} already. Layers need names of their own."
                )
            names.add(layer.name)

    # ---- the network -------------------------------------------------------------------------------------------------

    def compute_output_shape(self, shape: Shape) -> Shape:
        """Shape of a sample of the output, given that of the input; ValueError if the layers cannot take it."""
        return self._drafts(shape)[0].output.sizes

    def lower(self, net: Lowering, x: int, shape: Shape) -> int:
        """Add the layers' ops on tensor `x`, whose samples have `shape`; return the number of the output tensor."""
        return lower_all(self._state.stack, net, x, shape)

    def _drafts(self, shape: Shape) -> tuple[Layout, list[Draft]]:
        stack = self._state.stack
        if not _without_input(stack):
            raise ValueError(f"Model {self.name!r} has no layer yet: add some.")
        return _drafts(stack, shape)

    # ---- configuration -----------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Name and layers as a dict of plain values (fit for JSON), without weights."""
        config: dict[str, Any] = {
            "name": self.name,
            "layers": [layer_room.serialize(layer) for layer in self._state.stack],
        }
        if self._state.layout is not None:
            config["build_input_shape"] = self._state.layout.inputs.ports[0].sizes
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        """The model of a configuration that `get_config` made, with new weights.

        Raises:
            TypeError, ValueError: another form of configuration.
        """
        if not isinstance(config, dict) or not {"layers"} <= set(config) <= {"name", "layers", "build_input_shape"}:
            raise ValueError(f"config must be a dict made by get_config, but got {config!r}.")
        model = cls([layer_room.deserialize(layer) for layer in config["layers"]], name=config.get("name"))
        shape = config.get("build_input_shape")
        if shape is not None and not model.built:
            model.build((None, *shape))
        return model


def model_from_json(text: str) -> Sequential:
    """The model that `Sequential.to_json` described, with new weights.

    Raises:
        ValueError: no such text.
    """
    name, config = identifiers.split_config(json.loads(text), "model")
    if name != "Sequential":
        raise ValueError(f"The text describes a {name!r}, but must describe a Sequential.")
    return Sequential.from_config(config)


def _without_input(stack: Sequence[Layer]) -> list[Layer]:
    return [layer for layer in stack if not isinstance(layer, InputLayer)]


def _drafts(stack: Sequence[Layer], shape: Shape) -> tuple[Layout, list[Draft]]:
    dtype = common_dtype(stack)
    check_input(shape)
    drafts = drafts_of(stack, shape, dtype)
    first = stack[0].name if isinstance(stack[0], InputLayer) else "input_layer"
    return Layout(dtype, single(Port(first, shape)), single(Port(stack[-1].name, drafts[-1].output))), drafts
