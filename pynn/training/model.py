"""What training asks of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import ArrayLike, NDArray

from ..callbacks import History
from ..data.layout import Layout
from ..optimizers.stepping import TrainedParameter
from .compiling import Choice, Compiled
from .heads import Heads
from .task import Order, Task

if TYPE_CHECKING:
    from .. import _core


class Trainable(Protocol):
    """A model, as training sees it."""

    stop_training: bool
    stop_evaluating: bool
    stop_predicting: bool
    _of_data: bool  # whether data alone told the lengths of axes, so that others may come
    _in_run: bool  # whether `fit` is among its epochs, so that callbacks may use the model at further lengths

    def _alone(self) -> _core.Hold:
        """Take the model's lock, in a ``with`` statement; RuntimeError if another has it."""

    def _require_compiled(self) -> Compiled:
        """What `compile` was told, else NotCompiledError."""

    def _lowered(self) -> tuple[_core.Plan | None, Layout | None]:
        """The network and what it takes and gives, as far as they are there."""

    def _layout_for(self, x: ArrayLike, name: str) -> Layout:
        """What the model takes and gives, or would if it were built for `x`; ValueError if it cannot take that."""

    def _layout_to_train(self, x: ArrayLike) -> Layout:
        """As `_layout_for`, for who has the lock."""

    def _layout_beside(self, x: ArrayLike, name: str, layout: Layout) -> Layout:
        """As `_layout_for`, for who has the lock, where `layout` is that of other data of the same call."""

    def _heads_for(self, layout: Layout) -> Heads:
        """The losses and metrics that `compile` was told."""

    def _resolved(self, what: Compiled, layout: Layout) -> Heads:
        """The losses and metrics of `what`; TypeError or ValueError for those that do not fit."""

    def _decide(self, choice: Choice, layout: Layout, rows: int) -> bool:
        """Be configured as chosen, for who has no lock; False if another thread compiled it meanwhile, or chose."""

    def _undecide(self, choice: Choice) -> None:
        """Be compiled as before the choice, for who has the lock and made it."""

    def _plan(self, layout: Layout, rows: int) -> _core.Plan:
        """The network for batches of `rows` samples, built and lowered; waits where another thread is about it.

        The size of a batch only matters where layers keep states from batch to batch.

        Raises:
            ValueError: these are states of batches of another size.
        """

    def _plan_to_train(self, layout: Layout, rows: int) -> _core.Plan:
        """As `_plan`, for who has the lock."""

    def _reporting(self, plan: _core.Plan, layout: Layout) -> Any:
        """The network that gives what layers add to the loss, too, where `plan` is the one that predicts."""

    def _report(self, added: Any, values: Sequence[NDArray[Any]]) -> None:
        """Keep what such a network gave."""

    def _task(self, layout: Layout, rows: int) -> Task:
        """As `_plan`: the network, also configured as compiled; waits where another thread is about it."""

    def _task_to_train(
        self, layout: Layout, rows: int, choice: Choice | None = None, beside: Layout | None = None
    ) -> Task:
        """As `_task`, for who has the lock, with the crossentropies chosen; ValueError if the gradient has no way.

        The model takes data of the layout `beside`, too, then.
        """

    def _task_beside(self, layout: Layout, rows: int) -> Task:
        """As `_task`, for who has the lock and trains on data of another layout: it can only evaluate."""

    def _begin(self, history: History, batch_size: int, shuffle: bool) -> Order:
        """Begin a run, whose record is `history`; returns the order of its samples."""

    def _passed(self, passes: int) -> None:
        """So many passes over data were begun in the model's life; the next run's first one has this number."""

    def get_state(self) -> dict[str, NDArray[Any]]:
        """All that decides how training goes on."""

    def set_state(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `get_state` gave; all of it or, where an error is raised, nothing."""

    @property
    def weights(self) -> Sequence[TrainedParameter]:
        """All weights."""

    @property
    def trainable_weights(self) -> Sequence[TrainedParameter]:
        """The weights that training changes."""

    def _next_training_call(self) -> int:
        """The number of a call in training mode: each has noise of its own."""
