"""Layers of one's own: a `call` is run with symbolic tensors, and what it does with them becomes the layer's wiring.

So such a layer has weights of its own (`add_weight`), the layers that its attributes hold, and a wiring as a model has.
`call` runs once for each shape of the inputs; where it has an argument `training`, once for each of its values, and
what differs is computed both ways.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..data import nests
from ..data.layout import OpenShape
from ..data.limits import Limits
from ..engine.lowering import Lowering, Mask
from ..foundation import atomic, checks, registry
from . import calling, symbolic
from .building import Built, Draft
from .extending import settle
from .holding import HoldsLayers
from .input_spec import InputSpec
from .of_batch import REDUCTIONS, OfBatch
from .said import CallOf, Said, count_in, read
from .symbolic import Made, Node, SymbolicTensor
from .trial import Trial, current, using
from .types import Masks, OpenShapes
from .weight import Weight
from .wiring import Step, Trace, Wiring, limits_of, lower_all, merged, of_steps, ports, trace


class Source:
    """What makes the symbolic tensor that a `call` gets."""

    is_input = False

    def __init__(self, name: str) -> None:
        self.name = name

    def tensor(self, made: Made) -> SymbolicTensor:
        """The tensor."""
        return SymbolicTensor(Node(self, (), (made,), None), 0)


class Traceable(HoldsLayers):
    """The part of a `Layer` that is about a `call` of its own."""

    _given: tuple[tuple[Any, ...], dict[str, Any]] = (), {}  # the arguments that it was made with
    ids_below: int = 0  # a layer that takes ids: they are 0 to ids_below - 1
    _extends: Any = None  # of a class with a call that extends one of pynn's layers: that one
    input_spec: Any = None  # of a layer of one's own: an `InputSpec`, or a list of one for each input

    def call(self, *args: Any, **named: Any) -> Any:
        """What a layer of one's own computes, with operators, functions of ``pynn.ops`` and other layers.

        Where it extends one of pynn's layers, ``super().call`` is what that one computes. Of one of pynn's layers it is
        a call of the layer.
        """
        layer: Any = self if self._form is None else self._extended
        if layer is None:  # the `super().call` of a layer that extends none
            raise NotImplementedError(f"{type(self).__name__} extends no layer of pynn's whose call it could make.")
        return layer(*args, **named)

    def _build_for(self, shape: OpenShapes, masks: Masks = ()) -> None:
        raise NotImplementedError

    def _compute(self, inputs: list[Any], training: bool, masks: Sequence[Any] = ()) -> Any:
        raise NotImplementedError

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of what the layer makes of the inputs."""
        raise NotImplementedError

    def _as_taken(self, values: Sequence[Any]) -> Any:
        return super()._as_taken(values) if self._form is None or len(values) == 1 else list(values)

    def _arrange(self, outputs: list[Any]) -> Any:
        if self._form is None or self._built is None:
            return super()._arrange(outputs)
        if self._form.is_of_cell:
            return self._form.arrange(outputs)
        return self._trace_with(outputs=len(outputs)).outputs.arrange(outputs)

    def _check_mask(self, shape: OpenShape, mask: OpenShape) -> None:
        if self._form is None or not self._form.takes_masks:  # a call of one's own may take any
            super()._check_mask(shape, mask)

    def _use(self, settings: Any) -> Any:
        return self if settings is None or self._form is None else CallOf(self, settings)

    def _arguments_of(self, settings: Any) -> dict[str, Any]:
        return super()._arguments_of(settings) if self._form is None else {"said": settings}

    def _settings_of(self, arguments: Mapping[str, Any], tensors: int) -> Any:
        found = arguments.get("said")
        if self._form is None or found is None:
            return super()._settings_of(arguments, tensors)
        settings = read(found)
        if sum(count_in(nest) for _, nest in settings) != tensors:
            raise ValueError(f"config has a call of layer {self.name!r} with the arguments {checks.shown(found)}.")
        return settings

    def _input_limits(self) -> Limits:
        """Below what the ids of its inputs must be."""
        return self._trace_with().limits

    @property
    def _wirings(self) -> Sequence[Any]:
        if self._form is None or self._built is None:
            return ()
        return [each.wiring for each in list(self._traces.values())]

    def _wiring_at(self, shapes: tuple[OpenShape, ...], dtype: str) -> Wiring:
        """How the layers of its call are connected, for inputs of these shapes."""
        return self._trace_at(shapes, dtype, None).wiring

    def _settings_for(self, shape: OpenShapes) -> Any:
        """What the first call on inputs of the number in `shape` said beside tensors."""
        count = len(shape) if isinstance(shape, list) else 1
        if self._form is None or self._built is None:
            return None
        return next((said for said, shapes, *_ in list(self._traces) if len(shapes) == count), None)

    @property
    def _traces(self) -> dict[Any, Trace]:
        """What the call of a built layer does, by what it said, shapes of its inputs, number type and masks."""
        assert self._built is not None
        assert self._built.traces is not None
        return self._built.traces

    def _trace_with(self, inputs: int = 0, outputs: int = 0, said: Said | None = None) -> Trace:
        """The first trace of so many inputs and outputs, which all have in common what is the same for all shapes."""
        return next(
            found
            for (told, *_), found in list(self._traces.items())
            if told == said and inputs in (0, len(found.shapes)) and outputs in (0, len(found.outputs.ports))
        )

    def _call_own(self, *args: Any, **named: Any) -> Any:
        """What the layer makes of arrays, or of symbolic tensors: the arguments are those of its `call`."""
        assert self._form is not None
        given, training, masks, said = self._form.flatten(self.name, args, named)
        training = None if training is None else checks.boolean(training, "training")
        masks = [] if all(mask is None for mask in masks) else masks
        for each in given:
            if isinstance(each, SymbolicTensor):
                return self._record([_beside(x, each) for x in given], training, masks, said)
        return self._use(said)._compute(given, bool(training), masks)

    def _limits_for(self, inputs: list[Any], masks: Sequence[Any] = ()) -> Limits:
        """Below what the ids must be that a call is given."""
        if self._form is None:
            return Limits((self.ids_below,) * len(inputs))
        return self._limits_of_call(inputs, masks, None)

    def _limits_of_call(self, inputs: list[Any], masks: Sequence[Any], said: Said | None) -> Limits:
        known = self._built is not None and any(
            told == said and len(shapes) == len(inputs) for told, shapes, *_ in list(self._traces)
        )
        if not known:
            shapes = [np.shape(x) for x in inputs]
            calling.check_inputs([self._input_name(number) for number in range(len(shapes))], shapes)
            of_masks = tuple(None if mask is None else np.shape(mask)[1:] for mask in masks)
            self._use(said)._build_for(self._as_taken([shape[1:] for shape in shapes]), of_masks)
        return self._trace_with(inputs=len(inputs), said=said).limits

    def _given_in(self, config: dict[str, Any]) -> dict[str, Any]:
        """`config` with the arguments that the layer was made with, as Keras finds them where there is no get_config.

        Raises:
            NotImplementedError: an argument that is no plain value.
        """
        signature = inspect.signature(type(self).__init__)
        args, named = self._given
        given = signature.bind(self, *args, **named).arguments
        several, rest = (
            [each.name for each in signature.parameters.values() if each.kind == kind]
            for kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        )
        given.update(given.pop(rest[0], {}) if rest else {})
        if several and given.get(several[0]) and several[0] not in config:
            raise NotImplementedError(
                f"{type(self).__name__} must write get_config: its arguments *{several[0]} have no names."
            )
        given = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
        found = {name: value for name, value in config.items() if rest or name in signature.parameters}
        for name, value in list(given.items())[1:]:
            if name not in config and not checks.is_plain(value):
                raise NotImplementedError(
                    f"{type(self).__name__} must write get_config: its argument {name!r} is {checks.shown(value)}, "
                    "which is no plain value."
                )
        return {**dict(list(given.items())[1:]), **found}

    # ---- building ----------------------------------------------------------------------------------------------------

    def _draft_of_call(self, shape: OpenShapes, dtype: str, masks: Masks | None, said: Said | None = None) -> Draft:
        """The draft where the inputs have these masks; None: whichever they have, which changes no shape."""
        assert self._form is not None
        shapes = tuple(shape) if isinstance(shape, list) else (shape,)
        wrong = None if said is not None else self._form.check_count(len(shapes))
        if wrong is not None:
            raise self._shape_error(wrong)
        outer = current()
        while outer is not None:
            if outer.layer is self and outer.phase == "call":
                raise TypeError(f"Layer {self.name!r} calls itself in its call.")
            outer = outer.outer
        built, trial = self._built, None
        if built is None:
            trial = Trial(self)
            found = trial.run(lambda: self._try_building(shape, shapes, dtype, masks or (), said))
        else:
            if built.dtype != dtype and built.weights:
                raise self._shape_error(f"has weights of type {built.dtype}, but the model computes in {dtype}.")
            self._check_input_spec(shapes)
            found = self._trace_at(shapes, dtype, masks, said)
        outputs, made = found.outputs_at(shapes, dtype, masks or ())
        output: OpenShapes = outputs[0] if found.outputs.form == "single" else outputs
        arrange = found.outputs.arrange
        return Draft(self, shape, output, dtype, [], [], (), None, trial, found.limits, arrange, made)  # type: ignore[arg-type]

    def _try_building(
        self, shape: OpenShapes, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks, said: Said | None
    ) -> Trace:
        """Be built; all of it is on trial."""
        trial = _running()
        masks = masks or (None,) * len(shapes)
        if self._built is not None:  # by another thread, meanwhile
            return self._trace_at(shapes, dtype, masks, said)
        if self._own_weights and self.dtype != dtype:
            raise self._shape_error(f"has weights of type {self.dtype}, but the model computes in {dtype}.")
        self._dtype = dtype
        self._run_own_build(shapes, said)
        self._check_input_spec(shapes)
        found = self._trace_of(shapes, dtype, masks, said)
        self._built = Built(shape, dtype, None, tuple(self._all_weights()), {(said, shapes, dtype, masks): found})
        using(self, self._sublayers)
        if not self._trainable:
            trial.extra += self._freezing_all(False)
        return found

    def _run_own_build(self, shapes: tuple[OpenShape, ...], said: Said | None) -> None:
        build = vars(self.build.__func__).get("__wrapped__")  # type: ignore[attr-defined]  # of Layer: none
        of_extended = self._extended is not None and not registry.is_own(self.build)  # type: ignore[attr-defined]
        if of_extended and build is None:
            build = type(self).build  # type: ignore[attr-defined]
        if build is not None:
            assert self._form is not None
            try:
                places, named = self._form.shapes_for(build, [(None, *shape) for shape in shapes], said)
            except TypeError:
                if not of_extended:
                    raise
                # The call has other arguments than that of the layer that it extends: it builds that by `super().call`.
            else:
                build(self, *places, **named)
        if self._extended is not None:
            settle(self)  # where its `build` did not do it

    def _check_input_spec(self, shapes: tuple[OpenShape, ...]) -> None:
        """Raise ValueError unless inputs of samples of these shapes are what `input_spec` says."""
        if self.input_spec is None:
            return
        specs = self.input_spec if isinstance(self.input_spec, list | tuple) else [self.input_spec]
        if not all(isinstance(spec, InputSpec | None) for spec in specs):
            raise TypeError(
                f"Layer {self.name!r}: input_spec must be an InputSpec or a list of them, but is "
                f"{checks.shown(self.input_spec)}."
            )
        if len(specs) != len(shapes):
            raise self._shape_error(f"has an input_spec of {len(specs)} inputs, but got {len(shapes)}.")
        for number, (spec, shape) in enumerate(zip(specs, shapes, strict=True)):
            wanted = None if spec is None else spec.wrong_with((None, *shape))
            if wanted is not None:
                which = f"inputs[{number}]" if len(shapes) > 1 else "the input"
                raise self._shape_error(
                    f"says by input_spec that {which} must have {wanted}, but got {(None, *shape)}."
                )

    def _trace_at(
        self, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks | None, said: Said | None = None
    ) -> Trace:
        """What the call of a built layer does for inputs of these shapes and masks; it is run where that is not known.

        Where `masks` is None, it may be for any masks.
        """
        traces, given = self._traces, masks or (None,) * len(shapes)
        exact = traces.get((said, shapes, dtype, given))
        if exact is not None:
            return exact
        for (told, _, of, _), found in list(traces.items()):
            if told == said and of == dtype and found.takes(shapes, found.masks if masks is None else given):
                return found
        new = Trial(self).run(lambda: self._retraced(shapes, dtype, given, said))
        atomic.keep(traces, (said, shapes, dtype, given), new, calling.MOST_KEPT)
        return new

    def _retraced(self, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks, said: Said | None) -> Trace:
        before = {id(weight) for weight in self._all_weights()}
        found = self._trace_of(shapes, dtype, masks, said)
        for weight in self._all_weights():
            if id(weight) not in before:
                raise self._shape_error(
                    f"makes the weight {weight.path} when it is called on samples of shape {_listed(shapes)}, but had "
                    "none when it was built. All weights are made then."
                )
        return found

    # ---- tracing -----------------------------------------------------------------------------------------------------

    def _trace_of(self, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks, said: Said | None) -> Trace:
        assert self._form is not None
        trial = _running()
        trial.phase = "call"
        starts = [
            Source(f"{self.name}_input_{number}").tensor(Made(shape, dtype, mask=mask, may_hold_ids=True))
            for number, (shape, mask) in enumerate(zip(shapes, of_steps(shapes, masks, masks), strict=True))
        ]
        given = [
            None if mask is None else Source(f"{self.name}_mask_{number}").tensor(Made(mask, dtype))
            for number, mask in enumerate(masks)
        ]
        places: list[int] = []
        wiring, outputs, ends = both_modes(
            self._form.takes_training, lambda mode: self._run_call(starts, mode, given, places, said), self
        )
        check_tracked(self, wiring, self._all_weights())
        for y in ends:
            if y.dtype not in (dtype, "int32"):
                raise self._shape_error(f"computes in {dtype}, but its call returns {y.dtype}, from layer {y.name!r}.")
        ends, of_ends = ends[: len(ends) - len(places)], ends[len(ends) - len(places) :]
        made = [y.mask_shape for y in ends]
        if self.supports_masking and not self._computes_mask:
            made[0] = made[0] or of_steps(shapes, masks, masks)[0]
        for place, mask in zip(places, of_ends, strict=True):
            made[place] = mask.sample
        found = ports([y.name for y in ends], [y.sample for y in ends], [0] * len(ends), outputs)
        if len(ends) == 1 and isinstance(outputs, list | tuple):  # of a model, a list of one would be that one
            found = found._replace(form="tuple" if isinstance(outputs, tuple) else "list")
        limits = limits_of(wiring._replace(inputs=wiring.inputs[: len(shapes)]), [0] * len(shapes))  # no mask has ids
        return Trace(wiring, shapes, found, limits, masks, tuple(places), tuple(made))

    @property
    def _computes_mask(self) -> bool:
        """Whether the layer has a `compute_mask` of its own."""
        own = [kind for kind in type(self).__mro__ if getattr(kind, "_form", None) is not None]
        return any("compute_mask" in vars(kind) for kind in own)

    def _run_call(
        self,
        starts: list[SymbolicTensor],
        training: bool | None,
        masks: list[SymbolicTensor | None],
        places: list[int],
        said: Said | None,
    ) -> tuple[Wiring, Any, list[SymbolicTensor]]:
        """What a call makes of these tensors: the wiring, and the outputs in its form and one by one.

        Behind these come the masks that `compute_mask` makes for the outputs of the numbers `places`, which it fills.
        """
        assert self._form is not None
        mode = {} if training is None else {"training": training}
        trial = _running()
        trial.inputs, trial.losses, trial.noises = starts, [], 0
        outputs = self._form.run(self.call, {**self._form.arguments(starts, masks, said), **mode})
        outputs = self._form.one_by_one(outputs, self.name)
        ends = list(nests.ends(outputs))
        for y in ends:
            if isinstance(y, OfBatch):
                raise y.misused()
            if not isinstance(y, SymbolicTensor) or not y.per_sample:
                what = "a weight, the same for all samples" if hasattr(y, "per_sample") else type(y).__name__
                raise TypeError(
                    f"Layer {self.name!r}: call must return a symbolic tensor that is computed from its inputs, or a "
                    f"list, tuple or dict of them, but returned {what}."
                )
        if not ends:
            raise TypeError(f"Layer {self.name!r}: call must return at least one symbolic tensor.")
        made = self._run_compute_mask(starts, masks, ends, said)
        places[:] = made
        ends += made.values()
        given = [mask for mask in masks if mask is not None]
        ends = with_added_loss(ends)
        return trace([*starts, *given], ends, self.name), outputs, ends

    def _run_compute_mask(
        self,
        starts: list[SymbolicTensor],
        masks: list[SymbolicTensor | None],
        ends: list[SymbolicTensor],
        said: Said | None,
    ) -> dict[int, SymbolicTensor]:
        """The masks that the layer's own `compute_mask` makes, by the number of the output."""
        if not (self.supports_masking and self._computes_mask):
            return {}
        assert self._form is not None
        first = next(iter(self._form.arguments(starts, (), said).values()))
        given = next(iter(self._form.arguments(masks, (), said, with_values=False).values()))
        found = self.compute_mask(first, None if all(mask is None for mask in nests.ends(given)) else given)
        of_ends = list(found) if isinstance(found, list | tuple) else [found]
        made = {}
        for place, (mask, y) in enumerate(zip(of_ends, ends, strict=False)):
            if mask is None or y.mask_shape is not None:  # a layer in the call gave it one
                continue
            made[place] = self._symbolic_mask(mask, starts[0], "What compute_mask returned")
        return made

    def _lower_call(
        self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None], said: Said | None = None
    ) -> tuple[list[int], list[Mask | None]]:
        xs, shapes = (x, shape) if isinstance(shape, list) else ([x], [shape])
        assert self._built is not None
        of_masks = tuple(None if mask is None else mask.shape for mask in masks)
        found = self._trace_at(tuple(shapes), self._built.dtype, of_masks, said)
        given = [mask for mask in masks if mask is not None]
        tensors = [*xs, *(mask.tensor for mask in given)]
        masks = of_steps(shapes, of_masks, masks)
        before, net.owner = net.owner, self
        made = lower_all(found.wiring, net, tensors, [*shapes, *(mask.shape for mask in given)], masks)
        net.owner = before
        count = len(found.outputs.ports)
        outputs, made_masks = made.tensors[:count], made.masks[:count]
        if self.supports_masking and not self._computes_mask and masks:
            made_masks[0] = made_masks[0] or masks[0]
        for place, tensor, of_shape in zip(found.mask_outputs, made.tensors[count:], made.shapes[count:], strict=True):
            made_masks[place] = Mask(tensor, of_shape)
        is_lost = any(mask is not None for mask in masks) and all(mask is None for mask in made_masks)
        if is_lost and not self._form.takes_masks:  # type: ignore[union-attr]
            self._warn_of_lost_mask()  # type: ignore[attr-defined]
        return outputs, made_masks

    def _shape_of_call(self, shape: Any) -> Any:
        return self._draft_of_call(shape, self.dtype, None).output


# A wiring, and its outputs in the form of the call and one by one. Behind these comes what was added to the loss.
Run = tuple[Wiring, Any, list[SymbolicTensor]]


def both_modes(takes_training: bool, run: Callable[[bool | None], Run], layer: Any) -> Run:
    """What a call does: where it takes `training`, in training and otherwise, as one. It must be on trial."""
    trial = _running()

    def run_in(mode: bool | None, adds: frozenset[str]) -> tuple[Run, frozenset[str]]:
        trial.training, trial.adds = mode, adds
        made = run(mode)
        return made, adds.union(*(loss.parts for loss in trial.losses))

    nothing = frozenset[str]()
    if not takes_training:
        found, adds = run_in(None, nothing)
        return _taking_along(*found, adds)
    (found, adds), (found_otherwise, adds_otherwise) = run_in(True, nothing), run_in(False, nothing)
    if adds != adds_otherwise:  # in one mode alone: once more, with a loss of 0 in the other
        adds |= adds_otherwise
        (found, _), (found_otherwise, _) = run_in(True, adds), run_in(False, adds)
    (wiring, outputs, ends), (other, _, other_ends) = found, found_otherwise
    if [y.sample for y in ends] != [y.sample for y in other_ends]:
        raise layer._shape_error(
            f"gives samples of shape {_listed(y.sample for y in ends)} in training, and of shape "
            f"{_listed(y.sample for y in other_ends)} otherwise: they must be the same."
        )
    choices = [symbolic.arithmetic("choose", *pair).node.layer for pair in zip(ends, other_ends, strict=True)]
    wiring = merged(wiring, other, choices)
    return _taking_along(wiring, outputs, ends, adds)


def with_added_loss(ends: list[SymbolicTensor]) -> list[SymbolicTensor]:
    """The ends of a call, and behind them what it has added to the loss, where there is any: by means, and by sums."""
    trial = _running()
    parts = functools.reduce(operator.add, trial.losses).parts if trial.losses else {}
    found = [*ends]
    for reduction in REDUCTIONS:
        if reduction in parts:
            found.append(parts[reduction])
        elif reduction in trial.adds:
            found.append(symbolic.constant(np.zeros(()), trial.inputs[0]))
    return found


def _taking_along(wiring: Wiring, outputs: Any, ends: list[SymbolicTensor], adds: frozenset[str]) -> Run:
    """The run whose first output takes along the last ones, which are these parts of the loss."""
    count = len(wiring.outputs) - len(adds)
    first, *others = wiring.outputs[:count]
    steps, layers = list(wiring.steps), dict.fromkeys(wiring.layers)
    reductions = [reduction for reduction in REDUCTIONS if reduction in adds]
    for made, (reduction, loss) in enumerate(zip(reductions, wiring.outputs[count:], strict=True), wiring.tensors):
        layer = symbolic.with_loss(reduction)
        steps.append(Step(layer, (first, loss), (made,)))
        layers[layer], first = None, made
    return Wiring(tuple(steps), wiring.inputs, (first, *others), tuple(layers)), outputs, ends[:count]


def _beside(x: Any, tensor: SymbolicTensor) -> Any:
    """An input beside a symbolic tensor: an array of one row is the same for all samples."""
    one_row = isinstance(x, np.ndarray) and x.ndim > 1 and len(x) == 1
    return symbolic.constant(x[0], tensor) if one_row else x


def check_tracked(layer: Any, wiring: Wiring, weights: Sequence[Weight]) -> None:
    """Raise ValueError where a call of the layer uses a weight that is none of `weights`, its own."""
    own = {id(weight) for weight in weights}
    for weight in (weight for each in wiring.layers if each.is_operation or each.built for weight in each.weights):
        if id(weight) not in own:
            raise layer._shape_error(
                f"uses the weight {weight.path} in call, which is none of its own. Make the layer that has it an "
                "attribute, in __init__ or build."
            )


def whole(build: Callable[..., None]) -> Callable[..., None]:
    """The `build` of a layer of one's own: called from outside, it builds the layer with all that its call needs."""

    @functools.wraps(build)
    def wrapper(self: Any, *shapes: Any, **named: Any) -> None:
        trial = current()
        if self._form is None or (trial is not None and trial.layer is self):  # by `super().build()`
            build(self, *shapes, **named)
        else:
            given = [*shapes, *named.values()]
            self._build_whole(given[0] if len(given) == 1 else given)

    return wrapper


def _running() -> Trial:
    trial = current()
    assert trial is not None
    return trial


def _listed(shapes: Any) -> str:
    return " and ".join(map(str, shapes))
