"""Models that are connected from symbolic tensors: those they are given, or those that a `call` makes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from .. import config
from ..data import nests
from ..data.layout import Layout, OpenShape, ports
from ..foundation import atomic, checks, registry
from ..layers.base import Layer
from ..layers.building import Draft, done_again
from ..layers.core import InputLayer
from ..layers.id_limits import limits_of
from ..layers.modes import Run, with_added_loss
from ..layers.symbolic import SymbolicTensor
from ..layers.tracing import check_tracked
from ..layers.trial import Trial, current, running, using
from ..layers.types import Masks, OpenShapes
from ..layers.walking import trace
from ..layers.wiring import Wiring, drafts_of
from . import several
from .body import has_body, traced, traced_by_length
from .structure import Structure
from .symbols import Given, given_data, given_list, given_shapes, sources, tensors_in, twice
from .trained import Trained
from .wired import check_input, check_names, connections, names_of_inputs


class _Tried(NamedTuple):
    """What the `call` of a subclass makes of it, on trial."""

    layout: Layout
    wiring: Wiring
    ends: tuple[Any, Any]  # as those of the model
    trial: Trial


# Methods by which a subclass of Keras's `Model` changes what a step is.
_STEPS = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics")


class Connected(Trained):
    """Base of `Model`: finds the layers and their wiring."""

    def __init__(self) -> None:
        super().__init__()
        # The symbolic inputs and outputs, as they were given. Outputs are None where a call is run for each length.
        self._ends: tuple[Any, Any] | None = None
        self._tried: _Tried | None = None  # of a subclass: what the last data would have made of it
        self._by_length: Wiring | None = None  # of a subclass: its call, for lengths that it was not built for
        self._own = frozenset[str]()  # names of attributes that are not those of a subclass
        self._of_data = self._has_call()

    def call(self, x: Any, training: bool | None = None) -> Any:
        """What a subclass writes in place of inputs and outputs: the symbolic outputs for symbolic inputs.

        Of a model of inputs and outputs it is a call of the model.
        """
        if self._has_call():
            raise NotImplementedError(f"{type(self).__name__} extends no model whose call it could make.")
        called: Any = self
        return called(x, training=training)

    # The arguments that say what lies between the ends: a subclass whose `__init__` has others puts its layers together
    # by itself, as one with a `call` does.
    _ends_given: ClassVar[tuple[str, ...]] = ("inputs", "outputs")
    _own_arguments: ClassVar[bool] = False
    _inputs_of_call: ClassVar[tuple[str, ...]] = ()  # the names of the arguments of a `call` for what comes in
    _optional_of_call: ClassVar[tuple[str, ...]] = ()  # and of those that keep a default

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        changed = [name for name in _STEPS if hasattr(cls, name)]
        if changed:
            raise TypeError(
                f"{cls.__name__} has a method {changed[0]}, which fit, evaluate and predict of Keras call. The "
                "engine makes all of a step by itself. Write a loop with model.gradients and "
                "model.optimizer.apply; a method that only your own code calls needs another name."
            )
        if "__init__" in vars(cls) and registry.is_own(cls):
            parameters = inspect.signature(cls.__init__).parameters
            kinds = {each.kind for each in parameters.values()}
            forwards = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds
            cls._own_arguments = not forwards and not set(cls._ends_given) <= set(parameters)
        if cls._has_call():
            cls._inputs_of_call, cls._optional_of_call = several.inputs_of(cls, cls.call)
        if "build" in vars(cls) and cls._has_call():
            cls.build = _whole(vars(cls)["build"])  # type: ignore[method-assign]

    @classmethod
    def _has_call(cls) -> bool:
        """Whether a subclass puts its layers together by a `call`."""
        return cls.call is not Connected.call

    @property
    def _lists_layers(self) -> bool:
        """Whether Keras's files have its layers by their places in a list, and not by the attributes of a subclass."""
        return not registry.is_own(type(self))

    @property
    def _adds_weights(self) -> bool:
        return self._has_call()

    @classmethod
    def _made_by_arguments(cls) -> bool:
        return cls._has_call() or cls._own_arguments

    def _check_no_mask_in_call(self) -> None:
        """Raise TypeError for a `call` that has an argument `mask`, which it is not given."""
        if self._has_call() and "mask" in inspect.signature(self.call).parameters:
            raise TypeError(
                f"Model {self.name!r} got a mask, and its call has an argument mask, which only the call of a layer is "
                "given. Leave it out, as layers in a call get the masks of their inputs anyway, or write a Layer with "
                "this call."
            )

    def _connect(self, inputs: Any, outputs: Any, name: str) -> None:
        """Become the network between these symbolic tensors."""
        starts, ends = tensors_in(inputs, "inputs"), tensors_in(outputs, "outputs")
        if len(set(starts)) < len(starts):
            raise ValueError(f"Model {name!r}: inputs holds the tensor {twice(starts)!r} twice.")
        wiring = trace(starts, ends, name)
        names = names_of_inputs(starts, wiring)
        cut = {
            x: InputLayer(x.sample, x.rows, x.dtype, name=own)
            for x, own in zip(starts, names, strict=True)
            if not isinstance(x.node.layer, InputLayer)
        }
        if cut:  # as in Keras, a model that is cut out of another has inputs of its own
            wiring = trace(starts, ends, name, cut)
        layout = self._connected(inputs, outputs, wiring, name, names)
        state = self._state._replace(wiring=wiring, layout=layout)
        ending = atomic.setting(self, "_ends", (inputs, outputs))
        self._become(state, changes=[*using(self, wiring.layers), ending])

    def _connected(
        self,
        inputs: Any,
        outputs: Any,
        wiring: Wiring,
        name: str,
        names: Sequence[str],
        output_names: Sequence[str] = (),
    ) -> Layout:
        """What the network between these symbolic tensors takes and gives; ValueError if it cannot be a model.

        `names` are those of the inputs, and `output_names` of the outputs, by default the names of their layers.
        """
        starts, ends = tensors_in(inputs, "inputs"), tensors_in(outputs, "outputs")
        check_names([layer for layer in wiring.layers if not (layer.is_operation and self._has_call())], name)
        shapes = [x.sample for x in starts]
        for shape in shapes:
            check_input(shape)
        dtypes = {y.dtype: y.name for y in (*starts, *ends) if not y.holds_ids}
        for step in wiring.steps:
            if step.layer.built and step.layer.weights:
                dtypes.setdefault(step.layer.dtype, step.layer.name)
        if len(dtypes) > 1:
            asked = " and ".join(f"{dtype} ({layer!r})" for dtype, layer in dtypes.items())
            raise ValueError(f"All layers of a model compute in one dtype, but there are {asked}. Choose one of them.")
        # A call takes what comes: ids, where embeddings read it, and numbers beside that.
        unsaid = 0 if self._has_call() else None
        limits = limits_of(wiring, [unsaid if x.ids_limit is None else x.ids_limit for x in starts])
        is_dict = isinstance(outputs, dict) and len(outputs) == len(ends)
        return Layout(
            next(iter(dtypes), config.floatx()),
            ports(names, shapes, limits.each, inputs)._replace(computed=limits.computed),
            ports(
                sorted(outputs) if is_dict else output_names or [y.name for y in ends],
                [y.sample for y in ends],
                [0] * len(ends),
                outputs,
            ),
        )

    def _drafts(
        self, shapes: Sequence[OpenShape], dtype: str | None = None, masks: Masks = ()
    ) -> tuple[Layout, list[Draft], Masks]:
        if not self.built:  # a subclass, which finds its layers as it is called
            self._trace_once(given_list(shapes))
        layout = self._layout_at(shapes)
        return layout, [], tuple(drafts_of(self._wiring, shapes, layout.dtype, masks).masks)

    def _try_layout(self, x: Any, name: str) -> Layout:
        self._tried = self._try(sources(given_data(x, name)))
        return self._tried.layout

    def _try_beside(self, x: Any, name: str) -> Layout:
        tried = self._tried
        layout = self._try_layout(x, name)
        self._tried = tried
        return layout

    def _may_take(self, shapes: list[OpenShape]) -> bool:
        assert self._tried is not None
        return self._try_at(self._tried.ends, shapes) is not None

    def _build_as(self, layout: Layout) -> None:
        if not self._has_call():
            return super()._build_as(layout)
        self._become_as(self._tried_as(layout))
        self._tried = None
        return None

    def _wiring_as(self, layout: Layout) -> Wiring:
        if self.built or not self._has_call():
            return super()._wiring_as(layout)
        return self._tried_as(layout).wiring

    def _tried_as(self, layout: Layout) -> _Tried:
        if self._tried is None or self._tried.layout != layout:
            raise self._changed_meanwhile()
        return self._tried

    def _trace_once(self, given: Given) -> None:
        """Trace, unless another thread did."""
        self._wait_until(lambda: self.built, lambda: self._trace(given))

    def _trace(self, given: Given) -> None:
        """Become what `call` makes of symbolic inputs like these. The lock must be held."""
        self._become_as(self._try(sources(given)))

    def _try(self, inputs: Any) -> _Tried:
        """What `call` makes of these symbolic inputs; the model stays as it is."""
        if len(self._inputs_of_call) > 1:
            inputs = several.as_tuple(self.name, self._inputs_of_call, inputs)
        trial = Trial(self)
        layout, wiring, outputs = trial.run(lambda: self._try_call(inputs))
        return _Tried(layout, wiring, (inputs, None if has_body(wiring) else outputs), trial)

    def _try_at(self, ends: tuple[Any, Any], shapes: list[OpenShape]) -> _Tried | None:
        """The same for inputs of these shapes, in the form that those among `ends` have; None where it refuses them."""
        try:
            return self._try(sources(Given(nests.nest_of(ends[0]), shapes)))
        except Exception:  # of any kind, as the call may refuse it in its own way
            return None

    def _become_as(self, tried: _Tried) -> None:
        state = self._state._replace(wiring=tried.wiring, layout=tried.layout)
        self._become(
            state,
            changes=[
                *using(self, tried.wiring.layers),
                *done_again(tried.trial),
                atomic.setting(self, "_ends", tried.ends),
            ],
        )

    def _take_lengths(self, shapes: list[OpenShape]) -> bool:
        assert self._ends is not None
        tried = self._try_at(self._ends, shapes)
        if tried is None or tried.trial.pending:  # weights that there were not at the lengths before
            return False
        users = [*using(self, tried.wiring.layers), *tried.trial.users]
        ending = atomic.setting(self, "_ends", tried.ends)
        state = self._state._replace(wiring=tried.wiring, layout=tried.layout)
        self._open(state, [*users, *tried.trial.redoing(), ending])
        return True

    def _wiring_for(self, shapes: Sequence[OpenShape]) -> Wiring:
        ports, found = self._require_layout().inputs.ports, self._by_length
        known = found is None and all(port.takes(each) for port, each in zip(ports, shapes, strict=True))
        if known or not self._has_call():
            return self._wiring
        if found is None or not all(layer.built for layer in found.layers):  # a trial that is over took it back
            assert self._ends is not None
            inputs = sources(Given(nests.nest_of(self._ends[0]), [port.shape for port in ports]))
            found = self._by_length = traced_by_length(self, inputs)
        return found

    def _takes_any_length(self) -> bool:
        return super()._takes_any_length() or (self._of_data and self._has_call())

    def _try_call(self, inputs: Any) -> tuple[Layout, Wiring, Any]:
        """The layout and wiring of the model by its call, and the symbolic outputs; all of it is on trial."""
        if not self.built:  # as in Keras, once, and not for each length
            self._run_build(inputs)
        running().phase = "call"

        def run(mode: bool | None) -> Run:
            trial = running()
            trial.inputs, trial.losses, trial.noises = tensors_in(inputs, "inputs"), [], 0
            outputs = self._called(inputs, {} if mode is None else {"training": mode})
            ends = with_added_loss(tensors_in(outputs, "outputs"))
            return trace(tensors_in(inputs, "inputs"), ends, self.name), outputs, ends

        wiring, outputs, output_names = traced(self, inputs, run)
        own = [*self._attributes, *(layer for layer in wiring.layers if not layer.is_operation)]
        inner = [weight for layer in own if layer.built for weight in layer.weights]
        check_tracked(self, wiring, [*self._own_weights, *inner])
        starts = tensors_in(inputs, "inputs")
        one_each = len(starts) == len(self._inputs_of_call) > 1
        names = self._inputs_of_call if one_each else names_of_inputs(starts, wiring)
        layout = self._connected(inputs, outputs, wiring, self.name, names, output_names)
        if self._own_weights and layout.dtype != self._dtype:
            raise self._shape_error(f"has weights of type {self._dtype}, but computes in {layout.dtype}.")
        return layout, wiring, outputs

    def _run_build(self, inputs: Any) -> None:
        """What a subclass writes as `build`, if it does: for the shapes of these symbolic inputs, in their form."""
        shapes = nests.filled(nests.nest_of(inputs), [each.shape for each in nests.ends(inputs)])
        # On trial; that of Structure does nothing then.
        self.build(*(shapes if len(self._inputs_of_call) > 1 else [shapes]))

    def _called(self, inputs: Any, mode: dict[str, bool]) -> Any:
        return self._called_as(inputs, self.call, **mode)

    def _called_as(self, inputs: Any, call: Any, **mode: bool) -> Any:
        return call(*(inputs if len(self._inputs_of_call) > 1 else [inputs]), **mode)

    def _shapes_to_build(self, input_shape: Any) -> Given:
        layout = self._state.layout
        in_any_form = self._has_call() if layout is None else layout.inputs.form in ("dict", "nested")
        return given_shapes(input_shape, "input_shape") if in_any_form else super()._shapes_to_build(input_shape)

    def _build_given(self, given: Given) -> None:
        if self._has_call():
            self._trace(given)
        else:
            super()._build_given(given)

    def _batch_shapes(self, input_shape: Any) -> OpenShapes:
        several = isinstance(input_shape, list | tuple) and all(isinstance(each, list | tuple) for each in input_shape)
        if self.built or not self._has_call() or not (input_shape and several):
            return super()._batch_shapes(input_shape)
        return [checks.batch_shape(each, "input_shape") for each in input_shape]

    def _build_for(self, shape: OpenShapes, masks: Masks = ()) -> None:
        if not self._has_call():
            super()._build_for(shape, masks)
        else:
            self._trace(given_list(shape if isinstance(shape, list) else [shape]))

    @property
    def layers(self) -> list[Layer]:
        """The layers: those of a subclass's attributes, otherwise in Keras's order, inputs included."""
        wiring = self._state.wiring
        found = [] if wiring is None else [layer for layer in wiring.layers if not layer.is_operation]
        if not self._has_call():
            return found
        found = [*self._attributes, *(layer for layer in found if not isinstance(layer, InputLayer))]
        return list(dict.fromkeys(found))

    @layers.setter
    def layers(self, value: object) -> None:
        raise AttributeError(
            f"{type(self).__name__}.layers are the layers of the model, and cannot be set. Use another name."
        )

    @property
    def operations(self) -> list[Layer]:
        """The layers and the operators of symbolic tensors, which are layers, too, in Keras's order, inputs included.

        Raises:
            NotBuiltError: a model that does not know its layers yet.
        """
        self._require_layout()
        return list(self._wiring.layers)

    @property
    def _attributes(self) -> list[Layer]:
        """The layers that attributes of a subclass hold."""
        return self._held_but(self._own)

    @property
    def _parts(self) -> Sequence[Layer]:
        wiring = self._state.wiring
        return () if wiring is None or self._has_call() else wiring.layers

    def _wire(self) -> None:
        """All layers of a functional model were called on symbolic tensors already."""

    @property
    def _batch_size(self) -> int | None:
        """The size of a batch that inputs were given, or None."""
        sizes = {layer.batch_size for layer in self._parts if isinstance(layer, InputLayer)} - {None}
        return sizes.pop() if len(sizes) == 1 else None  # two sizes: of inputs that never meet

    @property
    def _rows(self) -> list[tuple[Layer, str]]:
        wiring = self._state.wiring
        if wiring is None or self._has_call():
            return [(layer, "") for layer in self.layers]
        return connections(wiring, self._require_layout().inputs.names)

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs."""
        return tensors_in(self._symbols()[0], "inputs")

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs."""
        return tensors_in(self._symbols()[1], "outputs")

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs.

        Raises:
            AttributeError: a subclass with a `call`, whose outputs have no names, as in Keras.
        """
        if self._has_call():
            raise AttributeError(f"{type(self).__name__} has a call of its own, and no output_names.")
        return [y.name for y in self.outputs]

    @property
    def input(self) -> Any:
        """The symbolic input, or inputs as they were given."""
        return self._symbols()[0]

    @property
    def output(self) -> Any:
        """The symbolic output, or outputs as they were given."""
        return self._symbols()[1]

    def _symbols(self) -> tuple[Any, Any]:
        self._require_layout()
        assert self._ends is not None
        inputs, outputs = self._ends
        return inputs, self._outputs_of(inputs) if outputs is None else outputs

    def _outputs_of(self, inputs: Any) -> Any:
        """What the model makes of these symbolic inputs: those tensors that there are, or new ones.

        They hold the model, and so does a model that is cut out by them. So the model does not hold them.
        """
        starts = tuple(tensors_in(inputs, "inputs"))
        for node in list(self._nodes.values()):
            if node.inputs == starts and node.training is None:
                return self._arrange([SymbolicTensor(node, number) for number in range(len(node.outputs))])
        return self._called_as(inputs, self)


def _whole(build: Callable[..., None]) -> Callable[..., None]:
    """The `build` of a subclass: called from outside, it builds the model with all that its call needs."""

    @functools.wraps(build)
    def wrapper(self: Any, *shapes: Any) -> None:
        trial = current()
        if trial is not None and trial.layer is self:
            build(self, *shapes)
        else:
            Structure.build(self, *shapes)

    return wrapper
