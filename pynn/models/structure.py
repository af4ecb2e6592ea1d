"""How a model is built and lowered, and how it becomes another one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import arrays, dataset, nests
from ..data.layout import Layout, OpenShape, Port
from ..foundation import atomic
from ..foundation.native import core
from ..layers.base import Layer
from ..layers.building import Draft, building
from ..layers.drafting import opened
from ..layers.keeping import keep_for, stateful_in
from ..layers.trial import current
from ..layers.types import Shape
from ..layers.wiring import Wiring
from .network import Closed, State, plan_of
from .part import Part
from .symbols import Given, given_list

if TYPE_CHECKING:
    from .. import _core

# Seconds between two looks at whether another thread has built the model.
_PATIENCE = 5e-4


class Structure(Part):
    """Base of `Model`: layers that become a network. A subclass says which, and in which order.

    Everything that changes with the structure is one object, `_state`, which is replaced in one assignment: whoever is
    interrupted leaves the old model or the new one. Who changes it holds the model's lock.
    """

    def __init__(self) -> None:
        # The name comes last: see `Layer`. So a subclass calls Layer.__init__ when its layers are in place.
        self._state = State(Closed())
        self._lock = core.UseLock()
        self._in_run = False

    # ---- structure ---------------------------------------------------------------------------------------------------

    def _alone(self) -> _core.Hold:
        # What is taken has no name here: an interrupt before the return drops it.
        return self._lock.hold(
            f"Model {self.name!r} is being trained or changed already, by another thread or from within."
        )

    def _wait_until(self, ready: Callable[[], bool], make: Callable[[], object]) -> None:
        """Call `make` alone unless it is `ready`; where another thread is about it, wait for that.

        Raises:
            RuntimeError: this thread itself is about it, and was led here from within: by an initializer, say, or by a
                signal handler.
        """
        while not ready():
            if self._lock.is_held_here:
                raise RuntimeError(f"Model {self.name!r} is being built or changed, and cannot be used from within.")
            entered = False
            try:
                with self._alone():
                    entered = True
                    if not ready():
                        make()
            except RuntimeError:
                if entered or current() is not None:  # whoever has layers on trial waits for nobody
                    raise
                time.sleep(_PATIENCE)

    def _become(self, state: State, drafts: Sequence[Draft] = (), changes: Sequence[atomic.Change] = ()) -> None:
        """Take another structure, its layers built as drafted; optimizers keep nothing of the old one.

        The lock must be held. All happens at once, or nothing.
        """
        trial = current()
        if trial is not None:
            trial.touch(self)
        atomic.apply_together([*changes, *building(drafts), *self._anew(state)])

    def _anew(self, state: State | None = None) -> list[atomic.Change]:
        """The changes after which the model is `state`, by default as it is, and its network is made anew."""
        state = self._state if state is None else state
        new = state._replace(plan=None, added=None, closed=Closed(), task=None)
        return [atomic.setting(self, "_state", new), atomic.setting(self, "_calls", {})]

    @property
    def _layers_within(self) -> list[Layer]:
        return self.layers

    @property
    def _is_alone(self) -> bool:
        return bool(self._lock.is_held_here)

    def _unlowered(self) -> list[atomic.Change]:
        """The changes after which the network is made anew; the next one takes over what the optimizer kept."""
        state = self._state._replace(plan=None, added=None, closed=Closed(), task=None)
        return [*super()._unlowered(), atomic.setting(self, "_state", state)]

    # ---- building ----------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any = None, *more: Any) -> None:
        """Make the weights.

        Args:
            input_shape: Shape of a batch, its first axis any number or None, as in Keras; a list or dict of them where
                the model has several inputs. May be left out where the model knows its input shape.
            more: Those of the further inputs, where the `call` of a subclass has an argument for each.

        Raises:
            NotBuiltError: no shape is known. TypeError, ValueError: a shape that the layers cannot take.
        """
        trial = current()
        if trial is not None and trial.layer is self:  # `super().build(input_shape)`: its model is about it
            return
        if input_shape is None:
            self._require_layout()
            return
        given = self._shapes_to_build((input_shape, *more) if more else input_shape)
        self._wait_until(lambda: self.built, lambda: self._build_given(given))
        inputs, own = self._require_layout().inputs, self._require_layout().input_shapes
        found, nest = tuple(given.each), given.nest
        if isinstance(nest, dict) and inputs.form == "dict" and sorted(nest) != sorted(inputs.keys):
            raise ValueError(f"input_shape must be a dict with the keys {inputs.keys}, but has {tuple(nest)}.")
        if inputs.form == "nested":
            nests.taken(inputs.nest, nest, "input_shape")  # raises where the forms differ
        if found != own:
            raise ValueError(
                f"input_shape is {found if len(found) > 1 else found[0]} a sample, but the model is built for "
                f"{own if len(own) > 1 else own[0]}."
            )

    def _shapes_to_build(self, input_shape: Any) -> Given:
        """The shapes of samples, given those of batches."""
        shapes = self._batch_shapes(input_shape)
        return given_list(shapes if isinstance(shapes, list) else [shapes])

    def _build_given(self, given: Given) -> None:
        """Be built for these shapes; the lock must be held."""
        shapes: Any = list(given.each)
        self._build_for(shapes if len(shapes) > 1 else shapes[0])

    def _build_as(self, layout: Layout) -> None:
        """Build what data were checked for; the lock must be held."""
        shapes = layout.input_shapes
        self._build_for(list(shapes) if len(shapes) > 1 else shapes[0])

    def _wiring_as(self, layout: Layout) -> Wiring:
        """The wiring of the model that data were checked for, which may not be built yet."""
        return self._wiring

    # ---- the network -------------------------------------------------------------------------------------------------

    def _lowered(self) -> tuple[_core.Plan | None, Layout | None]:
        state = self._state
        return state.plan, state.layout

    def _make_plan(self, layout: Layout, rows: int) -> _core.Plan:
        """Build and lower the model for batches of `rows` samples, where that is not done; the lock must be held.

        The size of a batch only matters to layers that keep states from batch to batch.
        """
        if self._state.layout is None:
            self._build_as(layout)
        plan = self._known_plan(layout)
        if plan is None or plan.state_samples not in (0, rows):
            keep_for(self.layers, rows, layout.dtype, self._batch_size)
            plan, added = plan_of(self._wiring, layout)
            is_open = self._is_open(layout)
            if is_open:
                self._state.closed.put(layout, plan)
            self._state = self._state._replace(plan=None if is_open else plan, added=added)
        return plan

    def _is_open(self, layout: Layout) -> bool:
        """Whether `layout` is one of several, as the model has axes of any length."""
        return layout is not self._state.layout and self._require_layout().is_open

    def _known_plan(self, layout: Layout) -> _core.Plan | None:
        """The network for this layout, if it is there.

        Raises:
            RuntimeError: another thread changed the model since data were checked for `layout`.
        """
        state = self._state
        if state.layout == layout:
            return state.plan
        if state.layout is None or not state.layout.is_open:
            raise self._changed_meanwhile()
        return state.closed.get(layout.input_shapes)[1]

    def _changed_meanwhile(self) -> RuntimeError:
        return RuntimeError(f"Model {self.name!r} was changed by another thread during the call. Call it again.")

    def _plan(self, layout: Layout, rows: int) -> _core.Plan:
        plan = self._plan_for(layout, rows)
        if plan is None and self._may_make_from_within():
            return self._make_plan(layout, rows)
        if plan is None:
            self._wait_until(lambda: self._plan_for(layout, rows) is not None, lambda: self._make_plan(layout, rows))
            return self._plan(layout, rows)
        return plan

    def _may_make_from_within(self) -> bool:
        """Whether a callback of `fit`, which has the lock, may make networks for lengths that there were not yet.

        States that are kept from batch to batch are those of batches of one size: the ones that train.
        """
        return self._in_run and self._is_alone and not stateful_in(self.layers)

    def _plan_for(self, layout: Layout, rows: int) -> _core.Plan | None:
        """The network for this layout and batches of `rows` samples, if it is there."""
        plan = self._known_plan(layout) if self.built else None
        return plan if plan is not None and plan.state_samples in (0, rows) else None

    def _plan_to_train(self, layout: Layout, rows: int) -> _core.Plan:
        self._make_plan(layout, rows)
        return self._plan(layout, rows)

    # ---- what data it takes ------------------------------------------------------------------------------------------

    def _layout_of_data(self, x: Any, name: str, layout: Layout) -> Layout:
        """The layout for the data `x`, where only earlier data told the lengths of axes."""
        lengths, taken = self._other_lengths(x, name, layout), list[bool]()
        if lengths is None:
            return layout

        def take() -> None:
            taken.append(self._take_lengths(lengths))

        if self._is_alone:
            take()
        else:
            self._wait_until(lambda: bool(taken) or self._require_layout() is not layout, take)
        if taken and not taken[0]:
            return layout
        return self._layout_of_data(x, name, self._require_layout())  # another thread may have opened it otherwise

    def _layout_beside(self, x: Any, name: str, layout: Layout) -> Layout:
        if self.built:
            return self._layout_for(x, name)
        lengths = self._other_lengths(x, name, layout)
        if lengths is None or not self._may_take(lengths):
            return layout
        return self._try_beside(x, name)

    def _try_beside(self, x: Any, name: str) -> Layout:
        """As `_try_layout`, for further data: it is built for the first ones."""
        return self._try_layout(x, name)

    def _may_take(self, shapes: list[OpenShape]) -> bool:
        """Whether it can be built for samples of these shapes, after `_try_layout`; it stays as it is."""
        raise NotImplementedError

    def _other_lengths(self, x: Any, name: str, layout: Layout) -> list[OpenShape] | None:
        """The shapes of samples with None along the axes where `x` has other lengths; None: it has no such."""
        inputs = layout.inputs
        given = inputs.take_apart(inputs.without_rest(x, name, quiet=True), name)
        shapes = [
            each.shape[1:] if isinstance(each, np.ndarray) else dataset.sample_shape(each, called)
            for each, called in zip(given, inputs.named(name), strict=True)
        ]
        pairs = [*zip(inputs.ports, shapes, strict=True)]
        if self._nodes or self._users or any(len(shape) != len(port.shape) for port, shape in pairs):
            return None
        if all(port.takes(shape) for port, shape in pairs):
            return None
        return [opened(port.shape, shape) for port, shape in pairs]

    def _take_lengths(self, shapes: list[OpenShape]) -> bool:
        """Take samples of these shapes from now on; False where the layers cannot. The lock must be held."""
        raise NotImplementedError

    def _open(self, state: State, changes: Sequence[atomic.Change]) -> None:
        """Make the changes after which it takes samples of other lengths; the optimizer's state stays.

        The lock must be held. All happens at once, or nothing.
        """
        new = state._replace(plan=None, closed=Closed(), task=None, masks=None)
        atomic.apply_together([*atomic.in_order(changes), *self._unlowered(), atomic.setting(self, "_state", new)])

    def _layout_for(self, x: Any, name: str) -> Layout:
        layout = self._state.layout
        if layout is None:
            tried: list[Layout] = []
            self._wait_until(lambda: self.built or bool(tried), lambda: tried.append(self._try_layout(x, name)))
            return tried[0] if tried else self._layout_for(x, name)
        if self._of_data:
            first, *others = layout.inputs.ports
            if others or type(x) is not np.ndarray or x.shape[1:] != first.shape:  # not of small calls
                layout = self._layout_of_data(x, name, layout)
        if not layout.is_open:
            return layout
        inputs = layout.inputs
        given = inputs.take_apart(inputs.without_rest(x, name, quiet=True), name)
        shapes = [
            _sample_shape(each, called, port)
            for each, called, port in zip(given, inputs.named(name), inputs.ports, strict=True)
        ]
        closed = self._state.closed
        found = closed.get(tuple(shapes))[0]
        if found is None:
            found = self._layout_at(shapes)
            closed.put(found, None)
        return found

    def _layout_to_train(self, x: Any) -> Layout:
        """As `_layout_for`, for who has the lock."""
        return self._layout_for(x, "x") if self.built else self._try_layout(x, "x")


def _sample_shape(x: Any, name: str, port: Port) -> Shape:
    """The shape of the samples in `x`, for an input with axes of any length; ValueError if it cannot take them."""
    shape = arrays.with_rank(arrays.as_numbers(x, name), port.shape).shape
    if not shape or not port.takes(shape[1:]):
        raise ValueError(f"{name} must have the shape {('samples', *port.shape)}, but has {shape}.".replace("'", ""))
    if 0 in shape[1:]:
        raise ValueError(f"{name} has samples of the shape {shape[1:]}, without a single number.")
    return shape[1:]
