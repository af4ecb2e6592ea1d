"""Layers of one's own, which have a `call`: how it is built on trial, and computes what the traces of its call say.

So such a layer has weights of its own (`add_weight`), the layers that its attributes hold, and a wiring as a model has.
`call` runs once for each shape of the inputs; where it has an argument `training`, once for each of its values.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..data.layout import OpenShape
from ..data.limits import Limits
from ..engine.lowering import Lowering, Mask
from ..foundation import atomic, checks, registry
from . import calling, symbolic
from .building import Built, Draft
from .extending import settle
from .holding import HoldsLayers
from .input_spec import check_spec
from .said import CallOf, Said, count_in, read
from .symbolic import SymbolicTensor
from .tracing import Trace, computes_mask, trace_of
from .trial import Trial, current, running, using
from .types import Masks, OpenShapes
from .wiring import Wiring, lower_all, of_steps


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
        found = self._trace_with(inputs=len(inputs), said=said)
        if found.limits.computed.limits:  # what is computed may be another for other lengths
            of_inputs = tuple(np.shape(x)[1:] for x in inputs)
            if not found.takes(of_inputs, found.masks):
                of_masks = tuple(None if mask is None else np.shape(mask)[1:] for mask in masks)
                found = self._trace_at(of_inputs, self.dtype, of_masks, said)
        return found.limits

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
            trial = self._trial()
            found = trial.run(lambda: self._try_building(shape, shapes, dtype, masks or (), said))
        else:
            if built.dtype != dtype and built.weights:
                raise self._shape_error(f"has weights of type {built.dtype}, but the model computes in {dtype}.")
            check_spec(self, shapes)
            found = self._trace_at(shapes, dtype, masks, said)
        outputs, made = found.outputs_at(shapes, dtype, masks or ())
        output: OpenShapes = outputs[0] if found.outputs.form == "single" else outputs
        arrange = found.outputs.arrange
        return Draft(self, shape, output, dtype, [], [], (), None, trial, found.limits, arrange, made)  # type: ignore[arg-type]

    def _trial(self) -> Trial:
        """A trial for its code."""
        return Trial(self)

    def _try_building(
        self, shape: OpenShapes, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks, said: Said | None
    ) -> Trace:
        """Be built; all of it is on trial."""
        trial = running()
        masks = masks or (None,) * len(shapes)
        if self._built is not None:  # by another thread, meanwhile
            return self._trace_at(shapes, dtype, masks, said)
        if self._own_weights and self.dtype != dtype:
            raise self._shape_error(f"has weights of type {self.dtype}, but the model computes in {dtype}.")
        self._dtype = dtype
        self._run_own_build(shapes, said)
        check_spec(self, shapes)
        found = trace_of(self, shapes, dtype, masks, said)
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
        new = self._trial().run(lambda: self._retraced(shapes, dtype, given, said))
        general = [key for key, found in list(traces.items()) if found.asked_for_length]  # of all lengths
        atomic.keep(traces, (said, shapes, dtype, given), new, calling.MOST_KEPT, general)
        if new.asked_for_length:  # those of one length may have constants, as where no other is known
            for key, found in list(traces.items()):
                if key[0] == said and not found.asked_for_length:
                    traces.pop(key, None)
        return new

    def _retraced(self, shapes: tuple[OpenShape, ...], dtype: str, masks: Masks, said: Said | None) -> Trace:
        before = {id(weight) for weight in self._all_weights()}
        known = list(self._traces.items())
        if any(told == said and found.asked_for_length for (told, *_), found in known):
            running().for_one_length = True
        found = trace_of(self, shapes, dtype, masks, said)
        for weight in self._all_weights():
            if id(weight) not in before:
                listed = " and ".join(map(str, shapes))
                raise self._shape_error(
                    f"makes the weight {weight.path} when it is called on samples of shape {listed}, but had none when "
                    "it was built. All weights are made then."
                )
        return found

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
        before, net.owner = net.owner, self._itself
        made = lower_all(found.wiring, net, tensors, [*shapes, *(mask.shape for mask in given)], masks)
        net.owner = before
        count = len(found.outputs.ports)
        outputs, made_masks = made.tensors[:count], made.masks[:count]
        if self.supports_masking and not computes_mask(self) and masks:
            made_masks[0] = made_masks[0] or masks[0]
        for place, tensor, of_shape in zip(found.mask_outputs, made.tensors[count:], made.shapes[count:], strict=True):
            made_masks[place] = Mask(tensor, of_shape)
        is_lost = any(mask is not None for mask in masks) and all(mask is None for mask in made_masks)
        if is_lost and not self._form.takes_masks:  # type: ignore[union-attr]
            self._warn_of_lost_mask()  # type: ignore[attr-defined]
        return outputs, made_masks

    def _shape_of_call(self, shape: Any) -> Any:
        return self._draft_of_call(shape, self.dtype, None).output


def _beside(x: Any, tensor: SymbolicTensor) -> Any:
    """An input beside a symbolic tensor: an array of one row is the same for all samples."""
    one_row = isinstance(x, np.ndarray) and x.ndim > 1 and len(x) == 1
    return symbolic.constant(x[0], tensor) if one_row else x


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
