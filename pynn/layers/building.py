"""How layers are built: what a layer would be is drafted first, then all weights of a model are made at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..data.layout import Layout, OpenShape
from ..data.limits import Limits
from ..foundation import atomic, names
from ..foundation.native import core
from .trial import Trial, current, using
from .types import OpenShapes
from .values import elsewhere
from .weight import Weight, WeightSpec

if TYPE_CHECKING:
    from .. import _core


class Buildable(Protocol):
    """A layer, as it is seen where it is built."""

    name: str
    _built: Built | None
    _counted_with: tuple[str, ...]

    @property
    def trainable(self) -> bool: ...
    def _laid_out(self, draft: Draft) -> atomic.Change: ...
    def _reopen(self, before: OpenShapes, shape: OpenShapes) -> None: ...


class Built(NamedTuple):
    """What a layer has once its input is known."""

    shape: OpenShapes  # of a sample of the input
    dtype: str
    parameters: _core.Parameters | None  # None without weights, and where each weight has its own
    weights: tuple[Weight, ...]
    traces: dict[Any, Any] | None = None  # of a layer with a `call`: a `tracing.Trace` by shapes and number type


class Draft(NamedTuple):
    """A layer that is to be built: all is checked, and nothing is made."""

    layer: Buildable
    shape: OpenShapes
    output: OpenShapes  # a list where the layer is a model of several outputs
    dtype: str
    specs: list[WeightSpec]
    constraints: list[tuple[str, tuple[float, ...], tuple[int, ...]]]
    inner: tuple[Draft, ...] = ()  # of a model: its layers, unless they are built
    layout: Layout | None = None  # of a model
    trial: Trial | None = None  # of a layer with a `call`, unless it is built: what building it did
    limits: Limits | None = None  # of a layer with a `call`: below what the ids of its inputs must be
    arrange: Callable[[list[Any]], Any] | None = None  # of a layer with a `call`: puts outputs into its form
    made_masks: tuple[OpenShape | None, ...] = ()  # the shapes of the masks of the outputs; empty: they have none

    @property
    def outputs(self) -> list[OpenShape]:
        """The shape of each output."""
        return self.output if isinstance(self.output, list) else [self.output]

    @property
    def masks(self) -> Sequence[OpenShape | None]:
        """The shape of the mask of each output, None for one that has none."""
        return self.made_masks or (None,) * len(self.outputs)


def building(drafts: Sequence[Draft]) -> list[atomic.Change]:
    """The changes that build layers: weights with initial values, for those that have none.

    All memory is taken before the first value is drawn. Where another thread builds a layer meanwhile, it was first.
    """
    changes: list[atomic.Change] = []
    new: list[Weight] = []
    everything, trial, values = list(_all_of(drafts)), current(), elsewhere()
    for draft in everything:
        before = draft.layer._built
        if trial is not None:
            trial.touch(draft.layer)
        if draft.trial is not None:
            changes += done_again(draft.trial)
        elif draft.layout is not None:
            changes.append(draft.layer._laid_out(draft))
        elif before is None:
            if values is not None:
                values.take([spec.shape for spec in draft.specs], draft.dtype)
            try:
                built = _without_values(draft)
            except MemoryError:
                total = sum(math.prod(spec.shape) for each in everything for spec in each.specs)
                raise MemoryError(
                    f"There is not enough memory for the {total:,} parameters of {draft.dtype} that are to be made."
                ) from None
            new += built.weights
            changes += using(draft.layer, [each.layer for each in draft.inner])
            changes.append(atomic.first_setting(draft.layer, "_built", built))
            for each in draft.layer._counted_with:
                names.auto_name(each)
        else:
            changes.append(atomic.setting(draft.layer, "_built", before._replace(shape=draft.shape, dtype=draft.dtype)))
    if trial is None:
        for weight in new:
            weight.draw()
    else:  # it may be taken back, and nothing is drawn for that
        trial.pending += new
    return atomic.in_order(changes)


def done_again(trial: Trial) -> list[atomic.Change]:
    """The changes that do again what was done on trial; the initial values of its weights are drawn."""
    outer, values = current(), elsewhere()
    if values is not None:
        for weight in trial.pending:
            values.take([weight.shape], weight.dtype)
    if outer is None:
        for weight in trial.pending:
            weight.draw()
        return [*trial.users, *trial.redoing_once()]
    outer.pending += trial.pending
    outer.users += trial.users
    for layer in trial.touched:
        outer.touch(layer)
    return trial.redoing_once()


def _all_of(drafts: Sequence[Draft]) -> Iterator[Draft]:
    """The drafts, and those within models; each layer once."""
    seen: set[Buildable] = set()
    for draft in drafts:
        for each in (draft, *_all_of(draft.inner)):
            if each.layer not in seen:
                seen.add(each.layer)
                yield each


def _without_values(draft: Draft) -> Built:
    layer, shape, _, dtype, specs, constraints, *_ = draft
    if not specs:
        return Built(shape, dtype, None, ())
    parameters, weights = core.Parameters(dtype), []
    for spec, constraint in zip(specs, constraints, strict=True):
        number = parameters.add(math.prod(spec.shape), spec.trainable, *spec.native_penalty(), constraint)
        weights.append(Weight(f"{layer.name}/{spec.name}", spec, parameters, number))
    parameters.frozen = not layer.trainable
    return Built(shape, dtype, parameters, tuple(weights))
