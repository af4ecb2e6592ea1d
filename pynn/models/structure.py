"""How a model is built, lowered and configured, and how it becomes another one."""

from __future__ import annotations

import functools
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..callbacks import History
from ..data import arrays, nests
from ..data.layout import Layout, Port, Ports
from ..errors import NotCompiledError
from ..foundation import atomic, draws
from ..foundation.native import core
from ..layers.base import Layer
from ..layers.building import Draft, building
from ..layers.keeping import keep_for, stateful_in, with_all_within
from ..layers.trial import current
from ..layers.types import Shape
from ..layers.wiring import Wiring
from ..optimizers import Optimizer
from ..training.compiling import Choice, Compiled
from ..training.heads import Heads
from ..training.task import Order, Task
from . import differentiable
from .network import Closed, Reporting, State, plan_of
from .own_losses import no_loss, with_calls
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

    _of_data = False  # whether no Input and no input_shape, but data say what the shape of the samples is

    def __init__(self) -> None:
        # The name comes last: see `Layer`. So a subclass calls Layer.__init__ when its layers are in place.
        self._state = State(Closed())
        self._lock = core.UseLock()
        self._told: Task | None = None  # the task whose heads the trainer has
        self._reports: dict[int, tuple[_core.Plan, Reporting]] = {}  # by `id` of the network that predicts
        self._order_seed = draws.next_key()  # of the orders in which epochs visit the samples
        self._passes = 0  # over data, that were begun
        self._training_calls = 0
        self.history: History | None = None
        self.stop_training = False  # a callback sets it to end a run
        self.stop_evaluating = self.stop_predicting = False  # and these to end an evaluation or a prediction

    # ---- structure ---------------------------------------------------------------------------------------------------

    def _alone(self) -> _core.Hold:
        # What is taken has no name here: an interrupt before the return drops it.
        return self._lock.hold(
            f"Model {self.name!r} is being trained or changed already, by another thread or from within."
        )

    def _become(self, state: State, drafts: Sequence[Draft] = (), changes: Sequence[atomic.Change] = ()) -> None:
        """Take another structure, its layers built as drafted; optimizers keep nothing of the old one.

        The lock must be held. All happens at once, or nothing.
        """
        trial = current()
        if trial is not None:
            trial.touch(self)
        atomic.apply_together([*changes, *building(drafts), *self._anew(state)])

    def _anew(self, state: State | None = None) -> list[atomic.Change]:
        """The changes after which the model is `state`, by default as it is, and its network is made anew.

        The weights stay, what the optimizer kept does not.
        """
        state = self._state if state is None else state
        changes = [] if state.compiled is None else state.compiled.optimizer._becoming(weakref.ref(self), None)
        compiled, was_built = state.compiled, self._state.layout is not None
        if compiled is not None and was_built:
            compiled = compiled.undone()
        new = state._replace(compiled=compiled, plan=None, added=None, closed=Closed(), task=None)
        changes += [atomic.setting(self, "_state", new), atomic.setting(self, "_calls", {})]
        return [*changes, atomic.setting(self, "_told", None)]

    @property
    def _layers_within(self) -> list[Layer]:
        return self.layers

    @property
    def _is_alone(self) -> bool:
        return bool(self._lock.is_held_here)

    def _unlowered(self) -> list[atomic.Change]:
        """The changes after which the network is made anew; the next one takes over what the optimizer kept."""
        state = self._state._replace(plan=None, added=None, closed=Closed(), task=None)
        return [*super()._unlowered(), atomic.setting(self, "_state", state), atomic.setting(self, "_told", None)]

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

    def _prepare(self, layout: Layout, configured: bool, rows: int, choice: Choice | None = None) -> None:
        """Build, lower and, if asked for, configure the model for batches of `rows` samples; the lock must be held.

        The size of a batch only matters to layers that keep states from batch to batch. What is chosen holds from when
        all of that has succeeded.
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
        state = self._state
        if choice is not None:
            self._configure(plan, layout, choice.what, state.task)
        elif configured and (state.task is None or self._told is not state.task or state.task.layout != layout):
            self._configure(plan, layout, self._require_compiled(), state.task)

    def _build_as(self, layout: Layout) -> None:
        """Build what data were checked for; the lock must be held."""
        shapes = layout.input_shapes
        self._build_for(list(shapes) if len(shapes) > 1 else shapes[0])

    def _wiring_as(self, layout: Layout) -> Wiring:
        """The wiring of the model that data were checked for, which may not be built yet."""
        return self._wiring

    def _changed_meanwhile(self) -> RuntimeError:
        return RuntimeError(f"Model {self.name!r} was changed by another thread during the call. Call it again.")

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

    def _configure(self, plan: _core.Plan, layout: Layout, what: Compiled, before: Task | None) -> None:
        """Be compiled as told; the lock must be held.

        The optimizer's state is that of the task `before`, which may be one for other lengths, else what it has of this
        model, or new.
        """
        state, changes = self._state, list[atomic.Change]()
        plan, heads = self._plan_to_measure(plan, layout, what)
        self._warn_of_softmax(layout, heads)
        if before is not None and before.layout == layout and before.plan is plan:
            task = Task(before.trainer, heads, layout, what.optimizer, before.masks, plan)
            self._told = None
            task.trainer.set_heads(heads.native(), heads.handed)
        else:
            task = what.task_to_evaluate(plan, layout, heads)
            if before is None:
                what.tell(task.trainer, self.weights)
                if self._owns(what.optimizer):
                    what.optimizer._hand_on(task.trainer, self.weights)
            else:
                changes.append(functools.partial(task.trainer.take_optimizer, before.trainer))
        changes += [*self._let_go(what.optimizer), *what.optimizer._becoming(weakref.ref(self), task.trainer)]
        changes.append(atomic.setting(self, "_state", state._replace(compiled=what, task=task)))
        atomic.apply_together([*changes, atomic.setting(self, "_told", task)])

    def _warn_of_softmax(self, layout: Layout, heads: Heads) -> None:
        """Warn where a loss is of a softmax of one unit, which is always 1."""
        single = [head for head in heads.heads if head.loss is not None and head.port.columns == 1]
        if not single:
            return
        wiring = self._wiring_as(layout)
        makers = {tensor: step.layer for step in wiring.steps for tensor in step.outputs}
        for head in single:
            layer = makers.get(wiring.outputs[head.number])
            if layer is not None and layer.activation is not None and layer.activation.name == "softmax":
                warnings.warn(
                    f"Layer {layer.name!r} is a softmax over 1 unit, which is always 1. Did you mean sigmoid?",
                    stacklevel=2,
                )

    def _wait_until(self, ready: Callable[[], bool], make: Callable[[], None]) -> None:
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

    def _lowered(self) -> tuple[_core.Plan | None, Layout | None]:
        state = self._state
        return state.plan, state.layout

    def _plan(self, layout: Layout, rows: int) -> _core.Plan:
        plan = self._plan_for(layout, rows)
        if plan is None:
            self._wait_until(
                lambda: self._plan_for(layout, rows) is not None, lambda: self._prepare(layout, False, rows)
            )
            return self._plan(layout, rows)
        return plan

    def _plan_for(self, layout: Layout, rows: int) -> _core.Plan | None:
        """The network for this layout and batches of `rows` samples, if it is there."""
        plan = self._known_plan(layout) if self.built else None
        return plan if plan is not None and plan.state_samples in (0, rows) else None

    def _plan_to_train(self, layout: Layout, rows: int) -> _core.Plan:
        self._prepare(layout, False, rows)
        return self._plan(layout, rows)

    def _task(self, layout: Layout, rows: int) -> Task:
        state = self._state
        task = state.task
        if task is None or self._told is not task or task.plan.state_samples not in (0, rows):
            self._wait_until(lambda: self._is_ready(rows), lambda: self._prepare(layout, True, rows))
            return self._task(layout, rows)
        if task.layout == layout:
            return task
        # Other lengths than those trained on: what only evaluates needs no optimizer.
        compiled, plan = self._require_compiled(), self._plan(layout, rows)
        plan, heads = self._plan_to_measure(plan, layout, compiled)
        return compiled.task_to_evaluate(plan, layout, heads)

    def _is_ready(self, rows: int) -> bool:
        """Whether there is a task, as compiled, for batches of `rows` samples."""
        task = self._state.task
        return task is not None and self._told is task and task.plan.state_samples in (0, rows)

    def _task_to_train(self, layout: Layout, rows: int, choice: Choice | None = None) -> Task:
        self._check_gradients(layout, choice)
        self._prepare(layout, True, rows, choice)
        return self._task(layout, rows)

    def _check_gradients(self, layout: Layout, choice: Choice | None) -> None:
        """Raise ValueError if a function without gradient lies between the loss and weights that are to be trained."""
        wiring = self._wiring_as(layout)
        if differentiable.is_everywhere(wiring):
            return
        heads = (self._heads_for(layout) if choice is None else self._resolved(choice.what, layout)).heads
        # The activations that losses take along, by tensor
        fused = {wiring.outputs[head.number]: head.loss.fused_with for head in heads if head.loss is not None}
        differentiable.check(wiring, layout.input_shapes, layout.dtype, fused)

    def _layout_of_data(self, x: Any, layout: Layout) -> Layout:
        """The layout for the data `x`, where only earlier data told the lengths of axes."""
        return layout

    def _layout_for(self, x: Any, name: str) -> Layout:
        layout = self._state.layout
        if layout is None:
            tried: list[Layout] = []
            self._wait_until(lambda: self.built or bool(tried), lambda: tried.append(self._try_layout(x, name)))
            return tried[0] if tried else self._layout_for(x, name)
        if self._of_data:
            layout = self._layout_of_data(x, layout)
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

    # ---- training ----------------------------------------------------------------------------------------------------

    def _compile(self, what: Compiled) -> None:
        """Be compiled as told; ValueError if it does not fit, and the earlier compile stays."""
        what, optimizer = with_calls(what), what.optimizer
        owner = None if optimizer._owner is None else optimizer._owner()
        if owner is not None and owner is not self:
            raise ValueError("The optimizer belongs to another model. Make one of its own for each model.")
        with self._alone():
            state = self._state
            layout = state.layout
            outputs = self._outputs_to_be() if layout is None else layout.outputs
            undecided = outputs is not None and what.decided(outputs).undecided
            if layout is not None and not undecided:
                self._resolved(what, layout)
            elif outputs is not None:
                what.check(outputs)
            # Of stateful layers the network is made when the size of a batch is known.
            later = undecided or (state.plan is None and bool(stateful_in(self.layers)))
            if layout is None or layout.is_open or later or what.loss is None:
                atomic.apply_together(
                    self._compiling(what, optimizer._trainer if layout is not None and self._owns(optimizer) else None)
                )
                return
            if state.plan is None:
                plan, added = plan_of(self._wiring, layout)
                self._state = state = state._replace(plan=plan, added=added)
            assert state.plan is not None
            again = state.compiled is not None and state.compiled.optimizer is optimizer
            self._configure(state.plan, layout, what, state.task if again else None)

    def _compiling(self, what: Compiled, trainer: _core.Trainer | None) -> list[atomic.Change]:
        """The changes by which it is compiled as told, and its network is configured when it is next needed.

        `trainer` has the optimizer's state, if there is some.
        """
        return [
            *self._let_go(what.optimizer),
            *what.optimizer._becoming(weakref.ref(self), trainer),
            atomic.setting(self, "_state", self._state._replace(compiled=with_calls(what), task=None)),
        ]

    def _owns(self, optimizer: Optimizer) -> bool:
        return optimizer._owner is not None and optimizer._owner() is self

    def _outputs_to_be(self) -> Ports | None:
        """What a model that is not built will have as outputs, as far as losses depend on it; None: it is not known."""
        return None

    def _let_go(self, optimizer: Optimizer) -> list[atomic.Change]:
        """The changes that free the optimizer the model has, if it is another than this one."""
        before = self._state.compiled
        return [] if before is None or before.optimizer is optimizer else before.optimizer._becoming(None, None)

    def _require_compiled(self) -> Compiled:
        compiled = self._state.compiled
        if compiled is None:
            raise NotCompiledError(
                f"Model {self.name!r} is not compiled: call compile(optimizer, loss, metrics) first."
            )
        return compiled

    def _heads_for(self, layout: Layout) -> Heads:
        state = self._state
        if state.task is not None and state.task.layout == layout:
            return state.task.heads
        what = self._require_compiled()
        if not self._may_have_loss(what):
            raise no_loss()
        return self._resolved(what, layout)

    def _may_have_loss(self, what: Compiled) -> bool:
        """Whether there is a loss, or layers that may add to one."""
        return what.loss is not None or any(layer._may_add_to_loss for layer in with_all_within([self]))

    def _decide(self, choice: Choice, layout: Layout, rows: int) -> bool:
        self._wait_until(
            lambda: self._state.compiled is not choice.told, lambda: self._prepare(layout, True, rows, choice)
        )
        return self._state.compiled is choice.what

    def _undecide(self, choice: Choice) -> None:
        atomic.apply_together(self._compiling(choice.told, choice.told.optimizer._trainer))

    def _resolved(self, what: Compiled, layout: Layout) -> Heads:
        """Losses and metrics; TypeError or ValueError for those that do not fit."""
        heads: Heads = what.calls.traced(what.resolved(layout.outputs), layout)
        return heads

    def _plan_to_measure(self, plan: _core.Plan, layout: Layout, what: Compiled) -> tuple[_core.Plan, Heads]:
        """The network that trains and evaluates, where `plan` is the one that predicts, and its losses and metrics."""
        heads = self._resolved(what, layout)
        heads.check_masks(plan.masks)
        added = self._state.added or ()
        found: tuple[_core.Plan, Heads] = what.calls.plan(plan, self._wiring, layout, heads, added)
        return found

    def _begin(self, history: History, batch_size: int, shuffle: bool) -> Order:
        self.history, self.stop_training = history, False
        return Order(batch_size, shuffle, self._order_seed, self._passes)

    def _seed_orders(self, seed: int) -> None:
        """Let the orders in which passes visit the samples be those of this seed, from the first one on."""
        self._order_seed, self._passes = seed, 0

    def _passed(self, passes: int) -> None:
        self._passes = passes

    def _next_training_call(self) -> int:
        self._training_calls += 1
        return self._training_calls


def _sample_shape(x: Any, name: str, port: Port) -> Shape:
    """The shape of the samples in `x`, for an input with axes of any length; ValueError if it cannot take them."""
    shape = arrays.with_rank(arrays.as_numbers(x, name), port.shape).shape
    if not shape or not port.takes(shape[1:]):
        raise ValueError(f"{name} must have the shape {('samples', *port.shape)}, but has {shape}.".replace("'", ""))
    if 0 in shape[1:]:
        raise ValueError(f"{name} has samples of the shape {shape[1:]}, without a single number.")
    return shape[1:]
