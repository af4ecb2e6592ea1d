"""Models: layers put together. How they are compiled is in _compiling.py, how they are trained in _trainer.py."""

from __future__ import annotations

import json
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from . import _summary, layers
from ._compiling import Built
from ._trainer import Trainer
from .foundation import checks, identifiers, names
from .foundation.native import core
from .layers.base import Layer, Lowering, Weight, WeightSpec, assign_all

Array = NDArray[Any]

# More elements in one weight array than any machine has memory for; checked before anything is allocated.
_MOST_ELEMENTS = 2**40


class Sequential(Trainer):
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
        super().__init__()
        self._stack: list[Layer] = []  # with the InputLayer, if there is one
        self._extend(list(layers or []))
        if not checks.boolean(trainable, "trainable"):
            self.trainable = False
        self.name = names.auto_name("Sequential") if name is None else names.check_name(name)

    # ---- layers ------------------------------------------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Append a layer. In a built model the other layers keep their weights; the optimizer starts anew.

        Raises:
            TypeError, ValueError: no layer, or one that does not fit; the model is as before then.
        """
        with self._exclusive():
            self._extend([layer])

    def pop(self) -> Layer:
        """Remove the last layer and return it; the optimizer starts anew.

        Raises:
            ValueError: there is no layer.
        """
        if not self.layers:
            raise ValueError(f"Model {self.name!r} has no layer to remove.")
        layer = self._stack[-1]
        with self._exclusive():
            self._restack(self._stack[:-1])
        return layer

    def _extend(self, new: list[Layer]) -> None:
        names = {layer.name for layer in self._stack}
        for position, layer in enumerate(new):
            if not isinstance(layer, Layer):
                raise TypeError(f"A layer must be a pynn layer such as pynn.layers.Dense(10), but got {layer!r}.")
            if isinstance(layer, layers.InputLayer) and (self._stack or position):
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
        self._restack([*self._stack, *new])

    def _rebuild(self) -> None:
        """Make the network anew, because a layer computes something else now; the weights stay."""
        with self._exclusive():
            self._restack(self._stack)

    def _restack(self, stack: list[Layer]) -> None:
        """Become the model of these layers, built if the input shape is known; on failure stay as before."""
        shape = stack[0].batch_input_shape if stack else None
        if shape is None and self._built is not None:
            shape = self._built.input_shape
        _common_dtype(stack)
        built = None if shape is None or not _without_input(stack) else _build(stack, shape)
        for layer in self._stack:
            layer._owner = None
        for layer in stack:
            layer._owner = weakref.ref(self)
        self._stack = stack
        self._take(built)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the ``Input``."""
        return _without_input(self._stack)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this index.

        Raises:
            ValueError: no such layer; both or neither given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"Give either the name or the index of a layer, but got name={name!r}, index={index!r}.")
        own = self.layers
        if index is not None:
            if not -len(own) <= index < len(own):
                raise ValueError(f"index must be that of one of the {len(own)} layers, but got {index}.")
            return own[index]
        for layer in own:
            if layer.name == name:
                return layer
        raise ValueError(f"There is no layer {name!r}; there are: {', '.join(layer.name for layer in own) or 'none'}.")

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable; setting it sets it for all layers."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = checks.boolean(value, "trainable")
        for layer in self.layers:
            layer.trainable = value

    # ---- building ----------------------------------------------------------------------------------------------------

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Make the weights.

        Args:
            input_shape: Shape of a batch, its first axis any number or None, as in Keras. May be left out where the
                model knows its input shape.

        Raises:
            NotBuiltError: no shape is known. ValueError: a shape that the layers cannot take.
        """
        if input_shape is None:
            self._require_built()
            return
        shape = checks.shape(tuple(input_shape)[1:], "input_shape, after the batch axis,")
        if self._built is None:
            self._build_for(shape)
        elif shape != self._built.input_shape:
            raise ValueError(f"input_shape is {shape} a sample, but the model is built for {self._built.input_shape}.")

    def _build_for(self, shape: tuple[int, ...]) -> None:
        if not self.layers:
            raise ValueError(f"Model {self.name!r} has no layer yet: add some.")
        self._take(_build(self._stack, shape))

    def _unbuild(self) -> None:
        self._take(None)
        for layer in self._stack:
            layer._detach()

    def _take(self, built: Built | None) -> None:
        """Use a network that `_build` made, or be unbuilt."""
        self._replace_network(built)
        if built is None:
            return
        for layer, shape, numbers in zip(self._stack, built.shapes, built.parameters, strict=True):
            specs = layer.weight_specs(shape)
            layer._attach(shape, _views(built.network, numbers, specs))
            layer.dtype = built.dtype

    @property
    def dtype(self) -> str:
        """The number type of all layers, ``"float32"`` or ``"float64"``."""
        return self._require_built().dtype

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, None for the batch axis."""
        return (None, *self._require_built().input_shape)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the output, None for the batch axis."""
        return (None, *self._require_built().output_shape)

    # ---- weights -----------------------------------------------------------------------------------------------------

    @property
    def weights(self) -> list[Weight]:
        """The weights of all layers, in order."""
        self._require_built()
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def trainable_weights(self) -> list[Weight]:
        """The weights that training changes."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The weights that training leaves alone."""
        return [weight for weight in self.weights if not weight.trainable]

    def get_weights(self) -> list[Array]:
        """Copies of all weight arrays, in order."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Overwrite all weight arrays, in the order of `get_weights`.

        Raises:
            TypeError, ValueError: another number of arrays, or one of another kind or shape; nothing is changed then.
        """
        assign_all(self.weights, weights, f"Model {self.name!r}")

    def count_params(self) -> int:
        """Number of weights, single numbers counted."""
        self._require_built()
        return sum(layer.count_params() for layer in self.layers)

    def summary(self, *, print_fn: Callable[[str], object] | None = None) -> None:
        """Print a table of the layers with output shapes and parameter counts, and the totals with their bytes.

        Args:
            print_fn: Called with the text. Default: ``print``.
        """
        self._require_built()
        (print_fn or print)(_summary.summary(self))

    # ---- configuration -----------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Name and layers as a dict of plain values (fit for JSON), without weights."""
        config: dict[str, Any] = {"name": self.name, "layers": [layers.serialize(layer) for layer in self._stack]}
        if self._built is not None:
            config["build_input_shape"] = self._built.input_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        """The model of a configuration that `get_config` made, with new weights.

        Raises:
            TypeError, ValueError: another form of configuration.
        """
        if not isinstance(config, dict) or not {"layers"} <= set(config) <= {"name", "layers", "build_input_shape"}:
            raise ValueError(f"config must be a dict made by get_config, but got {config!r}.")
        model = cls([layers.deserialize(layer) for layer in config["layers"]], name=config.get("name"))
        shape = config.get("build_input_shape")
        if shape is not None and not model.built:
            model.build((None, *shape))
        return model

    def to_json(self, **options: Any) -> str:
        """`get_config` as a JSON text that `model_from_json` reads; `options` go to ``json.dumps``."""
        return json.dumps(identifiers.serialize(self), **options)

    def __repr__(self) -> str:
        return f"<Sequential name={self.name}, built={self.built}>"


def model_from_json(text: str) -> Sequential:
    """The model that `Sequential.to_json` described, with new weights.

    Raises:
        ValueError: no such text.
    """
    name, config = identifiers.split_config(json.loads(text), "model")
    if name != "Sequential":
        raise ValueError(f"The text describes a {name!r}, but must describe a Sequential.")
    return Sequential.from_config(config)


def _without_input(stack: list[Layer]) -> list[Layer]:
    return [layer for layer in stack if not isinstance(layer, layers.InputLayer)]


def _common_dtype(stack: list[Layer]) -> str | None:
    """The number type that was given to any of the layers, or None; ValueError for two of them."""
    given = {layer.dtype: layer.name for layer in stack if layer.dtype_given}
    if len(given) > 1:
        asked = " and ".join(f"{dtype} ({name!r})" for dtype, name in given.items())
        raise ValueError(f"All layers of a model compute in one dtype, but there are {asked}.")
    return next(iter(given), None)


def _build(stack: list[Layer], shape: tuple[int, ...]) -> Built:
    """The network of these layers for samples of `shape`, with initial values; the layers are not changed.

    A layer that has weights of the right shapes hands them on.
    """
    dtype = _common_dtype(stack) or stack[0].dtype
    if math.prod(shape) > _MOST_ELEMENTS:
        raise ValueError(f"The input shape {shape} has more elements than memory can hold.")
    network = core.Network(dtype, math.prod(shape))
    shapes, parameters, tensor, sample = [], [], 0, shape
    factors, constraints = [], []  # of each parameter
    for layer in stack:
        output = layer.compute_output_shape(sample)
        if math.prod(output) > _MOST_ELEMENTS:
            raise ValueError(f"Layer {layer.name!r} has outputs of shape {output}: more elements than memory can hold.")
        for spec in layer.weight_specs(sample):
            if math.prod(spec.shape) > _MOST_ELEMENTS:
                raise ValueError(
                    f"The weight {layer.name}/{spec.name} of shape {spec.shape} would have more elements than memory "
                    f"can hold. Lower the units of the layers."
                )
            factors.append((spec.regularizer.l1, spec.regularizer.l2) if spec.regularizer else (0.0, 0.0))
            constraints.append(_native_constraint(layer, spec))
        numbers = [network.add_parameter(math.prod(s.shape), s.trainable) for s in layer.weight_specs(sample)]
        tensor = layer.lower(Lowering(network, numbers), tensor, sample)
        if layer.activity_regularizer is not None:
            network.add_activity_penalty(tensor, layer.activity_regularizer.l1, layer.activity_regularizer.l2)
        shapes.append(sample)
        parameters.append(numbers)
        sample = output
    try:
        network.build(tensor)
    except MemoryError:
        total = sum(math.prod(s.shape) for layer, at in zip(stack, shapes, strict=True) for s in layer.weight_specs(at))
        raise MemoryError(f"There is not enough memory for the model's {total:,} parameters in {dtype}.") from None
    network.set_regularizers(factors)
    network.set_constraints(constraints)
    for layer, layer_shape, numbers in zip(stack, shapes, parameters, strict=True):
        specs = layer.weight_specs(layer_shape)
        keep = layer.built and [array.shape for array in layer._arrays] == [spec.shape for spec in specs]
        for position, array in enumerate(_views(network, numbers, specs)):
            spec = specs[position]
            array[...] = layer._arrays[position] if keep else spec.initializer(spec.shape, dtype)
    return Built(network, dtype, shape, sample, tensor, shapes, parameters)


def _native_constraint(layer: Layer, spec: WeightSpec) -> tuple[str, tuple[float, ...], tuple[int, ...]]:
    """What the engine is told about the constraint of a weight; ValueError if the weight cannot have it."""
    if spec.constraint is None:
        return "none", (0.0, 0.0, 1.0), (1, 1, 1)
    try:
        return spec.constraint.native(spec.shape)
    except ValueError as error:
        kind = type(spec.constraint).__name__
        raise ValueError(f"{kind} of {layer.name}/{spec.name}, a weight of shape {spec.shape}: {error}") from None


def _views(network: Any, numbers: list[int], specs: Sequence[Any]) -> list[Array]:
    """The memory of a layer's weights."""
    return [network.parameter(number).reshape(spec.shape) for number, spec in zip(numbers, specs, strict=True)]
