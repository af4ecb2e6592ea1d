"""What training asks of a model: how it is compiled, how its network is configured, and the runs that it went through.

`pynn.training.model.Trainable` says what all of that means.
"""

from __future__ import annotations

import functools
import warnings
import weakref
from typing import TYPE_CHECKING

from ..callbacks import History
from ..data.layout import Layout, Ports
from ..errors import NotCompiledError
from ..foundation import atomic, draws
from ..layers.drafting import opened
from ..layers.keeping import stateful_in, with_all_within
from ..optimizers import Optimizer
from ..training.compiling import Choice, Compiled
from ..training.heads import Heads
from ..training.task import Order, Task
from . import differentiable
from .network import Reporting, State, plan_of
from .own_losses import no_loss, with_calls
from .structure import Structure

if TYPE_CHECKING:
    from .. import _core


class Trained(Structure):
    """Base of `Model`: a network that can be compiled and trained."""

    def __init__(self) -> None:
        super().__init__()
        self._told: Task | None = None  # the task whose heads the trainer has
        self._reports: dict[int, tuple[_core.Plan, Reporting]] = {}  # by `id` of the network that predicts
        self._order_seed = draws.next_key()  # of the orders in which epochs visit the samples
        self._passes = 0  # over data, that were begun
        self._training_calls = 0
        self.history: History | None = None
        self.stop_training = False  # a callback sets it to end a run
        self.stop_evaluating = self.stop_predicting = False  # and these to end an evaluation or a prediction

    def _anew(self, state: State | None = None) -> list[atomic.Change]:
        """The changes after which the model is `state`, by default as it is, and its network is made anew.

        The weights stay, what the optimizer kept does not.
        """
        state = self._state if state is None else state
        compiled, was_built = state.compiled, self._state.layout is not None
        changes = [] if compiled is None else compiled.optimizer._becoming(weakref.ref(self), None)
        if compiled is not None and was_built:
            state = state._replace(compiled=compiled.undone())
        return [*changes, *super()._anew(state), atomic.setting(self, "_told", None)]

    def _unlowered(self) -> list[atomic.Change]:
        return [*super()._unlowered(), atomic.setting(self, "_told", None)]

    # ---- what it is compiled as --------------------------------------------------------------------------------------

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

    def _let_go(self, optimizer: Optimizer) -> list[atomic.Change]:
        """The changes that free the optimizer the model has, if it is another than this one."""
        before = self._state.compiled
        return [] if before is None or before.optimizer is optimizer else before.optimizer._becoming(None, None)

    def _outputs_to_be(self) -> Ports | None:
        """What a model that is not built will have as outputs, as far as losses depend on it; None: it is not known."""
        return None

    def _require_compiled(self) -> Compiled:
        compiled = self._state.compiled
        if compiled is None:
            raise NotCompiledError(
                f"Model {self.name!r} is not compiled: call compile(optimizer, loss, metrics) first."
            )
        return compiled

    def _may_have_loss(self, what: Compiled) -> bool:
        """Whether there is a loss, or layers that may add to one."""
        return what.loss is not None or any(layer._may_add_to_loss for layer in with_all_within([self]))

    def _heads_for(self, layout: Layout) -> Heads:
        state = self._state
        if state.task is not None and state.task.layout == layout:
            return state.task.heads
        what = self._require_compiled()
        if not self._may_have_loss(what):
            raise no_loss()
        return self._resolved(what, layout)

    def _resolved(self, what: Compiled, layout: Layout) -> Heads:
        """Losses and metrics; TypeError or ValueError for those that do not fit."""
        heads: Heads = what.calls.traced(what.resolved(layout.outputs), layout)
        return heads

    def _decide(self, choice: Choice, layout: Layout, rows: int) -> bool:
        self._wait_until(lambda: self._state.compiled is not choice.told, lambda: self._prepare(layout, rows, choice))
        return self._state.compiled is choice.what

    def _undecide(self, choice: Choice) -> None:
        atomic.apply_together(self._compiling(choice.told, choice.told.optimizer._trainer))

    # ---- the network, configured -------------------------------------------------------------------------------------

    def _prepare(self, layout: Layout, rows: int, choice: Choice | None = None) -> None:
        """Build, lower and configure the model for batches of `rows` samples; the lock must be held.

        What is chosen holds from when all of that has succeeded.
        """
        plan, state = self._make_plan(layout, rows), self._state
        if choice is not None:
            self._configure(plan, layout, choice.what, state.task)
        elif state.task is None or self._told is not state.task or state.task.layout != layout:
            self._configure(plan, layout, self._require_compiled(), state.task)

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

    def _plan_to_measure(self, plan: _core.Plan, layout: Layout, what: Compiled) -> tuple[_core.Plan, Heads]:
        """The network that trains and evaluates, where `plan` is the one that predicts, and its losses and metrics."""
        heads = self._resolved(what, layout)
        heads.check_masks(plan.masks)
        added = self._state.added or ()
        found: tuple[_core.Plan, Heads] = what.calls.plan(plan, self._wiring, layout, heads, added)
        return found

    def _task(self, layout: Layout, rows: int) -> Task:
        state = self._state
        task = state.task
        if task is None or self._told is not task or task.plan.state_samples not in (0, rows):
            if not self._may_make_from_within():
                self._wait_until(lambda: self._is_ready(rows), lambda: self._prepare(layout, rows))
                return self._task(layout, rows)
        elif task.layout == layout:
            return task
        # Other lengths than those trained on, or a run that has its own task.
        return self._task_to_evaluate(self._plan(layout, rows), layout)

    def _is_ready(self, rows: int) -> bool:
        """Whether there is a task, as compiled, for batches of `rows` samples."""
        task = self._state.task
        return task is not None and self._told is task and task.plan.state_samples in (0, rows)

    def _task_to_train(
        self, layout: Layout, rows: int, choice: Choice | None = None, beside: Layout | None = None
    ) -> Task:
        self._check_gradients(layout, choice)
        if beside is not None and beside != layout and not self.built:
            self._build_as(layout)
            if not self._take_lengths([*map(opened, layout.input_shapes, beside.input_shapes)]):
                raise self._shape_error("makes other weights for the lengths of validation_data.")
        self._prepare(layout, rows, choice)
        return self._task(layout, rows)

    def _task_beside(self, layout: Layout, rows: int) -> Task:
        task = self._state.task
        if task is not None and task.layout == layout and self._is_ready(rows):
            return task
        return self._task_to_evaluate(self._make_plan(layout, rows), layout)

    def _task_to_evaluate(self, plan: _core.Plan, layout: Layout) -> Task:
        """What evaluates `plan`, and needs no optimizer."""
        compiled = self._require_compiled()
        plan, heads = self._plan_to_measure(plan, layout, compiled)
        return compiled.task_to_evaluate(plan, layout, heads)

    def _check_gradients(self, layout: Layout, choice: Choice | None) -> None:
        """Raise ValueError if a function without gradient lies between the loss and weights that are to be trained."""
        wiring = self._wiring_as(layout)
        if differentiable.is_everywhere(wiring):
            return
        heads = (self._heads_for(layout) if choice is None else self._resolved(choice.what, layout)).heads
        # The activations that losses take along, by tensor
        fused = {wiring.outputs[head.number]: head.loss.fused_with for head in heads if head.loss is not None}
        differentiable.check(wiring, layout.input_shapes, layout.dtype, fused)

    # ---- runs --------------------------------------------------------------------------------------------------------

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
