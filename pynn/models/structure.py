"""How a model is built, lowered and configured, and how it becomes another one."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from ..callbacks import History
from ..data import dataset
from ..data.layout import Layout
from ..errors import NotBuiltError, NotCompiledError
from ..foundation import atomic, checks, draws
from ..foundation.native import core
from ..layers.base import Draft, Layer, building, freezing
from ..layers.types import Shape
from ..metrics import Metric
from ..optimizers import Optimizer
from ..training.compiling import Compiled
from ..training.task import Order, Task
from .network import State, plan_of

if TYPE_CHECKING:
    from .. import _core

# Seconds between two looks at whether another thread has built the model.
_PATIENCE = 5e-4


class Structure(Layer):
    """Base of `Model`: layers that become a network. A subclass says which, and in which order.

    Everything that changes with the structure is one object, `_state`, which is replaced in one assignment: whoever is
    interrupted leaves the old model or the new one. Who changes it holds the model's lock.
    """

    def __init__(self) -> None:
        if type(self).layers is Structure.layers:
            raise TypeError(self._why_no_own())
        # The name comes last: see `Layer`. So a subclass calls Layer.__init__ when its layers are in place.
        self._state = State()
        self._lock = core.UseLock()
        self._told: Task | None = None  # the task whose heads the trainer has
        self._order_seed = draws.next_key()  # of the orders in which epochs visit the samples
        self._past: tuple[int, History | None] = 0, None  # epochs before the last run, and the last run
        self._training_calls = 0
        self.history: History | None = None

    # ---- what a subclass writes --------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        raise NotImplementedError

    def _drafts(self, shape: Shape) -> tuple[Layout, list[Draft]]:
        """What the model and its layers would be for samples of `shape`; ValueError if they cannot take them."""
        raise NotImplementedError

    @classmethod
    def _why_no_own(cls) -> str:
        return f"{cls.__name__}: pynn has no models of your own yet. Use pynn.Sequential."

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
        all_changes = [*changes, *building(drafts)]
        if state.compiled is not None:
            all_changes += state.compiled.optimizer._becoming(weakref.ref(self), None)
        all_changes.append(atomic.setting(self, "_state", state._replace(plan=None, task=None)))
        atomic.apply_together([*all_changes, atomic.setting(self, "_told", None)])

    def _restructure(self, changes: Sequence[atomic.Change]) -> None:
        """Change what a layer computes: the network is made anew; the weights stay, the optimizer does not."""
        with self._alone():
            self._become(self._state, changes=changes)

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Make the weights.

        Args:
            input_shape: Shape of a batch, its first axis any number or None, as in Keras. May be left out where the
                model knows its input shape.

        Raises:
            NotBuiltError: no shape is known. TypeError, ValueError: a shape that the layers cannot take.
        """
        if input_shape is None:
            self._require_layout()
            return
        shape = checks.batch_shape(input_shape, "input_shape")
        self._wait_until(lambda: self.built, lambda: self._build_for(shape))
        own = self._require_layout().inputs.ports[0].sizes
        if shape != own:
            raise ValueError(f"input_shape is {shape} a sample, but the model is built for {own}.")

    def _build_for(self, shape: Shape) -> None:
        layout, drafts = self._drafts(shape)
        self._become(self._state._replace(layout=layout), drafts)

    def _prepare(self, layout: Layout, configured: bool) -> None:
        """Build, lower and, if asked for, configure the model; the lock must be held."""
        if self._state.layout is None:
            self._build_for(layout.inputs.ports[0].sizes)
        state = self._state
        self._check_same(state, layout)
        if state.plan is None:
            state = state._replace(plan=plan_of(self, layout))
            self._state = state
        if configured and (state.task is None or self._told is not state.task):
            self._configure(state, self._require_compiled(), state.task and state.task.trainer)

    def _check_same(self, state: State, layout: Layout) -> None:
        """Raise RuntimeError where another thread changed the model since data were checked for `layout`."""
        if state.layout != layout:
            raise RuntimeError(f"Model {self.name!r} was changed by another thread during the call. Call it again.")

    def _configure(self, state: State, what: Compiled, trainer: _core.Trainer | None) -> None:
        """Be compiled as told, with a trainer that knows the optimizer already, or a new one; the lock must be held."""
        assert state.plan is not None
        assert state.layout is not None
        task = what.task(state.plan, state.layout, what.resolved(state.layout.output.columns), trainer)
        if trainer is not None:
            self._told = None
            trainer.set_heads(task.heads)
        changes = [*self._let_go(what.optimizer), *what.optimizer._becoming(weakref.ref(self), task.trainer)]
        changes.append(atomic.setting(self, "_state", state._replace(compiled=what, task=task)))
        atomic.apply_together([*changes, atomic.setting(self, "_told", task)])

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
                if entered:
                    raise
                time.sleep(_PATIENCE)

    def _lowered(self) -> tuple[_core.Plan | None, Layout | None]:
        state = self._state
        return state.plan, state.layout

    def _plan(self, layout: Layout) -> _core.Plan:
        state = self._state
        if state.plan is None:
            self._wait_until(lambda: self._state.plan is not None, lambda: self._prepare(layout, False))
            return self._plan(layout)
        self._check_same(state, layout)
        return state.plan

    def _plan_to_train(self, layout: Layout) -> _core.Plan:
        self._prepare(layout, False)
        return self._plan(layout)

    def _task(self, layout: Layout) -> Task:
        state = self._state
        task = state.task
        if task is None or self._told is not task:
            self._wait_until(
                lambda: self._state.task is not None and self._told is self._state.task,
                lambda: self._prepare(layout, True),
            )
            return self._task(layout)
        self._check_same(state, layout)
        return task

    def _task_to_train(self, layout: Layout) -> Task:
        self._check_gradients(layout)
        self._prepare(layout, True)
        return self._task(layout)

    def _check_gradients(self, layout: Layout) -> None:
        """Raise ValueError if a function without gradient lies between the loss and weights that are to be trained."""
        if all(layer.activation is None or layer.activation.differentiable for layer in self.layers):
            return
        loss, last = self._require_compiled().loss, self.layers[-1]
        below = False  # whether there are weights to train below
        for draft in self._drafts(layout.inputs.ports[0].sizes)[1]:
            layer = draft.layer
            below = below or (layer.trainable and any(spec.trainable for spec in draft.specs))
            if below and layer.activation is not None:
                fused = (
                    layer is last and layer.activity_regularizer is None and layer.activation.name == loss.fused_with
                )
                if not fused:
                    layer.activation.check_differentiable()

    def _layout_for(self, x: ArrayLike, name: str) -> Layout:
        layout = self._state.layout
        return self._drafts(dataset.sample_shape(x, name))[0] if layout is None else layout

    def _require_layout(self) -> Layout:
        if self._state.layout is None:
            raise NotBuiltError(
                f"Model {self.name!r} is not built yet: give its first layer an Input or input_shape, call "
                "build((None, ...)), or call the model on data."
            )
        return self._state.layout

    @property
    def built(self) -> bool:
        """Whether the input shape is known and the weights exist."""
        return self._state.layout is not None

    @property
    def dtype(self) -> str:
        """The number type of all layers, ``"float32"`` or ``"float64"``."""
        return self._require_layout().dtype

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, None for the batch axis."""
        return (None, *self._require_layout().inputs.ports[0].sizes)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the output, None for the batch axis."""
        return (None, *self._require_layout().output.sizes)

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable; setting it sets it for all layers."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = checks.boolean(value, "trainable")
        atomic.apply_together([change for layer in self.layers for change in freezing(layer, value)])

    # ---- training ----------------------------------------------------------------------------------------------------

    def _compile(self, what: Compiled) -> None:
        """Be compiled as told; ValueError if it does not fit, and the earlier compile stays."""
        optimizer = what.optimizer
        owner = None if optimizer._owner is None else optimizer._owner()
        if owner is not None and owner is not self:
            raise ValueError("The optimizer belongs to another model. Make one of its own for each model.")
        with self._alone():
            state = self._state
            # Which accuracy is meant is known with the shapes; the names are checked in any case.
            what.resolved(2 if state.layout is None else state.layout.output.columns)
            if state.layout is None:
                changes = [*self._let_go(optimizer), *optimizer._becoming(weakref.ref(self), None)]
                atomic.apply_together([*changes, atomic.setting(self, "_state", state._replace(compiled=what))])
                return
            if state.plan is None:
                state = state._replace(plan=plan_of(self, state.layout))
            again = state.compiled is not None and state.compiled.optimizer is optimizer
            self._configure(state, what, state.task.trainer if again and state.task is not None else None)

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

    def _metrics_for(self, layout: Layout) -> list[Metric]:
        state = self._state
        if state.task is not None and state.layout == layout:
            return state.task.metrics
        return self._require_compiled().resolved(layout.output.columns)

    def _begin(self, history: History, batch_size: int, shuffle: bool) -> Order:
        before, last = self._past
        before += 0 if last is None else len(last.epoch)
        atomic.apply_together(
            [atomic.setting(self, "history", history), atomic.setting(self, "_past", (before, history))]
        )
        return Order(batch_size, shuffle, self._order_seed, before)

    def _next_training_call(self) -> int:
        self._training_calls += 1
        return self._training_calls
