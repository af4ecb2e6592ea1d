"""Sequential models: a list of layers that becomes a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..data import dataset
from ..data.layout import Layout, OpenShape, Port, Ports, single
from ..foundation import atomic, checks
from ..layers.base import Layer
from ..layers.building import Draft
from ..layers.core import InputLayer
from ..layers.id_limits import limits_of
from ..layers.keeping import with_all_within
from ..layers.symbolic import SymbolicTensor
from ..layers.trial import Trial, using
from ..layers.types import Masks, OpenShapes
from ..layers.wiring import chain, drafts_of
from . import configuration
from .configuration import AS_DESCRIBED, Making
from .connected import Connected
from .model import Model
from .network import check_dtype, common_dtype
from .wired import check_input

if TYPE_CHECKING:
    from typing_extensions import Self


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

    _ends_given = ("layers",)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls._has_call():
            raise TypeError(f"{cls.__name__}: a Sequential has no call of its own. Write a subclass of pynn.Model.")

    _lists_layers = True
    _is_chain = True

    def __init__(
        self, layers: Sequence[Layer | SymbolicTensor] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        if layers is not None and (isinstance(layers, str | Layer) or not isinstance(layers, Iterable)):
            raise TypeError(
                f"layers must be a list of layers such as [pynn.layers.Dense(10)], but got {layers!r} of type "
                f"{type(layers).__name__}."
            )
        Connected.__init__(self)
        self._wired: tuple[tuple[Layer, ...], SymbolicTensor, SymbolicTensor] | None = None
        self._extend(list(layers or []))
        if not checks.boolean(trainable, "trainable"):
            self.trainable = False
        Layer.__init__(self, name)  # the name comes last, so that a model that could not be made uses up no number

    # ---- layers ------------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the ``Input``."""
        return _without_input(self._state.stack)

    @layers.setter
    def layers(self, value: object) -> None:
        raise AttributeError("The layers of a Sequential cannot be set. Use add() and pop() to change them.")

    def add(self, layer: Layer | SymbolicTensor, rebuild: bool = True) -> None:
        """Append a layer. In a built model the other layers keep their weights; the optimizer starts anew.

        Args:
            layer: The layer, or an ``Input``.
            rebuild: Without effect.

        Raises:
            TypeError, ValueError: no layer, or one that does not fit; the model is as before then.
        """
        checks.boolean(rebuild, "rebuild")
        with self._alone():
            self._check_alone()
            self._check_not_within(layer)
            self._extend([layer])

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer, which keeps its weights, and return it; the optimizer starts anew.

        Args:
            rebuild: Without effect.

        Raises:
            ValueError: there is no layer.
        """
        checks.boolean(rebuild, "rebuild")
        with self._alone():
            state = self._state
            if not _without_input(state.stack):
                raise ValueError(f"Model {self.name!r} has no layer to remove.")
            self._check_alone()
            stack, layer, layout = state.stack[:-1], state.stack[-1], state.layout
            left = _without_input(stack)
            if layout is not None:
                shapes = drafts_of(chain(left), layout.input_shapes, layout.dtype).shapes
                layout = layout._replace(outputs=single(Port(left[-1].name, shapes[0]))) if left else None
            self._become(state._replace(stack=stack, wiring=chain(left), layout=layout, masks=None))
            layer._users.discard(self)
            return layer

    def _extend(self, given: Sequence[Layer | SymbolicTensor]) -> None:
        """Append layers, and build them if the input shape is known; on failure all is as before."""
        state = self._state
        new = self._check_new(given, state.stack)
        stack, drafts = (*state.stack, *new), list[Draft]()
        left, layout = _without_input(stack), state.layout
        masks: Masks | None = None
        if layout is not None:
            check_dtype(new, layout.dtype)
            before = state.masks
            if before is None:
                before = tuple(drafts_of(chain(_without_input(state.stack)), layout.input_shapes, layout.dtype).masks)
            made = drafts_of(chain(new), [layout.output.shape], layout.dtype, before)
            drafts, masks = made.drafts, tuple(made.masks)
            layout = layout._replace(outputs=single(Port(new[-1].name, made.shapes[0])))
        elif left and stack[0].batch_input_shape is not None:
            layout, drafts, masks = _drafts(stack, stack[0].batch_input_shape)
        elif left and isinstance(left[0], Model) and left[0].built:
            layout, drafts, masks = _drafts(stack, left[0]._require_layout().input_shapes[0])
        elif stack:
            common_dtype(stack)
        after = state._replace(stack=stack, wiring=chain(left), layout=layout, masks=masks)
        of_data = atomic.setting(self, "_of_data", bool(stack) and stack[0].batch_input_shape is None)
        self._become(after, drafts, [*using(self, new), of_data])

    def _check_alone(self) -> None:
        """Raise ValueError where the model is part of others, which cannot follow its changes."""
        if self._nodes or self._users:
            raise ValueError(f"Model {self.name!r} is part of another model: its layers can no longer be changed.")

    def _check_not_within(self, layer: object) -> None:
        """Raise ValueError for a layer that is, or has, this model: a network has no end then."""
        if isinstance(layer, Layer) and any(each is self for each in with_all_within([layer])):
            what = "itself" if layer is self else f"layer {layer.name!r}, which has the model as a layer"
            raise ValueError(
                f"Model {self.name!r} can't be a layer of itself, but got {what}. Add a copy of it: "
                "pynn.models.clone_model(model)."
            )

    @staticmethod
    def _check_new(given: Sequence[Layer | SymbolicTensor], stack: Sequence[Layer]) -> list[Layer]:
        """The layers that are meant; TypeError or ValueError unless these may follow the layers of `stack`."""
        names, new = {layer.name for layer in stack}, list[Layer]()
        for position, item in enumerate(given):
            layer = item.node.layer if isinstance(item, SymbolicTensor) else item
            if isinstance(item, SymbolicTensor) and not isinstance(layer, InputLayer):
                raise TypeError(f"A layer must be a pynn layer such as pynn.layers.Dense(10), but got {item!r}.")
            if not isinstance(layer, Layer):
                raise TypeError(f"A layer must be a pynn layer such as pynn.layers.Dense(10), but got {layer!r}.")
            kind = type(layer)
            if not kind.wired and (kind.lower is Layer.lower or kind.sample_output_shape is Layer.sample_output_shape):
                raise TypeError(kind._computes_nothing())
            if layer.takes_list:
                raise ValueError(
                    f"Layer {layer.name!r} takes a list of inputs, but a layer of a Sequential has one. Use "
                    "pynn.Model(inputs, outputs)."
                )
            if isinstance(layer, InputLayer) and (stack or position):
                raise ValueError("Input must come first, but there are layers before it.")
            if layer.name in names:
                raise ValueError(
                    f"There is a layer of the name {layer.name!r} already. Layers need names of their own."
                )
            names.add(layer.name)
            new.append(layer)
        return new

    # ---- the network -------------------------------------------------------------------------------------------------

    def _drafts(
        self, shapes: Sequence[OpenShape], dtype: str | None = None, masks: Masks = ()
    ) -> tuple[Layout, list[Draft], Masks]:
        stack = self._state.stack
        if not _without_input(stack):
            raise ValueError(f"Model {self.name!r} has no layer yet: add some.")
        return _drafts(stack, shapes[0], dtype, masks)

    def _outputs_to_be(self) -> Ports | None:
        # Which accuracy is meant is known with the shapes; the names are checked in any case.
        return single(Port(self.layers[-1].name if self.layers else "output", (2,)))

    def _try_layout(self, x: Any, name: str) -> Layout:
        shape = dataset.sample_shape(x, name)
        return Trial(self).run(lambda: self._drafts([shape])[0])  # a subclass among the layers is built by its draft

    def _may_take(self, shapes: list[OpenShape]) -> bool:
        try:
            Trial(self).run(lambda: self._drafts(shapes))
        except Exception:  # of any kind, as below
            return False
        return True

    def _take_lengths(self, shapes: list[OpenShape]) -> bool:
        state = self._state
        try:
            layout = _drafts(state.stack, shapes[0], self._require_layout().dtype)[0]
        except Exception:  # of any kind, as the call of a layer may refuse it in its own way
            return False
        self._open(state._replace(layout=layout), [atomic.setting(self, "_wired", None)])
        return True

    def _reopen(self, before: OpenShapes, shape: OpenShapes) -> None:
        layout = self._state.layout
        if layout is not None and layout.input_shapes == (before,) and self._of_data and not isinstance(shape, list):
            layout, drafts, _ = _drafts(self._state.stack, shape, layout.dtype)
            self._become(self._state._replace(layout=layout, masks=None), drafts)

    def _wire(self) -> None:
        """Call the layers of a built model on symbolic tensors, once, so that they have an `input` and an `output`."""
        state = self._state
        if state.layout is None or (self._wired is not None and self._wired[0] is state.stack):
            return
        first = state.stack[0]
        port = state.layout.inputs.ports[0]
        source = first if isinstance(first, InputLayer) else InputLayer(port.shape, name=port.name)
        given = next(iter(source._nodes.values()), None)  # that of the Input, if the program still has it
        start = tensor = source.tensor() if given is None else SymbolicTensor(given, 0)
        for layer in self.layers:
            tensor = layer._record([tensor], None)
        self._wired = state.stack, start, tensor

    @property
    def _batch_size(self) -> int | None:
        first = self._state.stack[:1]
        return first[0].batch_size if first and isinstance(first[0], InputLayer) else None

    @property
    def _rows(self) -> list[tuple[Layer, str]]:
        return [(layer, "") for layer in self.layers]

    def _symbols(self) -> tuple[Any, Any]:
        self._require_layout()
        self._wire()
        assert self._wired is not None
        return self._wired[1:]

    # ---- configuration -----------------------------------------------------------------------------------------------

    def _by_layers(self) -> dict[str, Any]:
        config: dict[str, Any] = configuration.writing(
            self, lambda: {"name": self.name, "layers": [configuration.of_layer(each) for each in self._state.stack]}
        )
        if self._state.layout is not None:
            config["build_input_shape"] = self._state.layout.input_shapes[0]
        return config

    @classmethod
    def _made_of(cls, config: dict[str, Any], how: Making = AS_DESCRIBED) -> Self:
        if cls._made_by_arguments():
            return cls(**config)
        further = cls._further(config, {"layers"}, {"name", "build_input_shape"})
        if not isinstance(config["layers"], list | tuple):
            raise ValueError(f"config has no list of layers, but {checks.shown(config['layers'])}.")
        layers, shape = (
            [configuration.layer_of(each, how.layer) for each in config["layers"]],
            config.get("build_input_shape"),
        )
        if how.inputs is not None:
            layers = [_input_like(how.inputs[0], layers[0]), *_without_input(layers)]
            shape = None
        model = cls(layers=layers, name=config.get("name"), **further)
        if shape is not None and not model.built:
            model.build((None, *shape))
        return model


def _input_like(x: SymbolicTensor, first: Layer) -> Layer:
    """An input of the shape and type of a tensor, with the name of the input that it stands in for."""
    return InputLayer(x.sample, dtype=x.dtype, name=first.name if isinstance(first, InputLayer) else None)


def _without_input(stack: Sequence[Layer]) -> list[Layer]:
    return [layer for layer in stack if not isinstance(layer, InputLayer)]


def _drafts(
    stack: Sequence[Layer], shape: OpenShape, default: str | None = None, masks: Masks = ()
) -> tuple[Layout, list[Draft], Masks]:
    dtype = common_dtype(stack, default)
    check_input(shape)
    layers = _without_input(stack)
    wiring = chain(layers)
    drafts, outputs, made = drafts_of(wiring, [shape], dtype, masks)
    first = stack[0]
    name, own = (first.name, first.ids_limit) if isinstance(first, InputLayer) else ("input_layer", None)
    limits = limits_of(wiring, [own], drafts)
    inputs = single(Port(name, shape, limits.each[0]))._replace(computed=limits.computed)
    layout = Layout(dtype, inputs, single(Port(layers[-1].name, outputs[0])))
    return layout, drafts, tuple(made)
