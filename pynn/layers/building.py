"""How layers are built: what a layer would be is drafted first, then all weights of a model are made at once."""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ..data.layout import Layout, OpenShape
from ..foundation import atomic, pieces
from ..foundation.native import core
from .types import OpenShapes
from .weight import Weight, WeightSpec

if TYPE_CHECKING:
    from .. import _core


class Buildable(Protocol):
    """A layer, as it is seen where it is built."""

    name: str
    _built: Built | None

    @property
    def trainable(self) -> bool: ...
    def _laid_out(self, draft: Draft) -> atomic.Change: ...


class Built(NamedTuple):
    """What a layer has once its input is known."""

    shape: OpenShapes  # of a sample of the input
    dtype: str
    parameters: _core.Parameters | None  # None without weights
    weights: tuple[Weight, ...]


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

    @property
    def outputs(self) -> list[OpenShape]:
        """The shape of each output."""
        return self.output if isinstance(self.output, list) else [self.output]


class Values:
    """Weights whose values come from elsewhere, so that no initial ones are drawn; they have so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self.left = most_bytes

    def take(self, bytes_of_layer: int) -> None:
        """Count the weights of a layer, before memory is taken for them; ValueError where there are too many."""
        self.left -= bytes_of_layer
        if self.left < 0:
            raise ValueError("The layers have more weights than there are values.")


_VALUES: contextvars.ContextVar[Values | None] = contextvars.ContextVar("values", default=None)


@contextlib.contextmanager
def values_from_elsewhere(most_bytes: int) -> Iterator[None]:
    """What is built inside has weights of 0, and together no more than these bytes of them, else ValueError."""
    token = _VALUES.set(Values(most_bytes))
    try:
        yield
    finally:
        _VALUES.reset(token)


def building(drafts: Sequence[Draft]) -> list[atomic.Change]:
    """The changes that build layers: weights with initial values, for those that have none.

    All memory is taken before the first value is drawn. Where another thread builds a layer meanwhile, it was first.
    """
    changes: list[atomic.Change] = []
    new: list[tuple[Built, list[WeightSpec]]] = []
    everything, values = list(_all_of(drafts)), _VALUES.get()
    for draft in everything:
        before = draft.layer._built
        if draft.layout is not None:
            changes.append(draft.layer._laid_out(draft))
        elif before is None:
            if values is not None:
                size = np.dtype(draft.dtype).itemsize
                values.take(sum(math.prod(spec.shape) for spec in draft.specs) * size)
            try:
                built = _without_values(draft)
            except MemoryError:
                total = sum(math.prod(spec.shape) for each in everything for spec in each.specs)
                raise MemoryError(
                    f"There is not enough memory for the {total:,} parameters of {draft.dtype} that are to be made."
                ) from None
            new.append((built, draft.specs))
            changes.append(atomic.first_setting(draft.layer, "_built", built))
        else:
            changes.append(atomic.setting(draft.layer, "_built", before._replace(shape=draft.shape, dtype=draft.dtype)))
    for built, specs in new if values is None else ():
        for weight, spec in zip(built.weights, specs, strict=True):
            pieces.assign(weight._array, np.asarray(spec.initializer(spec.shape, built.dtype)))
    return changes


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
        penalty = (spec.regularizer.l1, spec.regularizer.l2) if spec.regularizer else (0.0, 0.0)
        number = parameters.add(math.prod(spec.shape), spec.trainable, *penalty, constraint)
        weights.append(Weight(f"{layer.name}/{spec.name}", spec, parameters, number))
    parameters.frozen = not layer.trainable
    return Built(shape, dtype, parameters, tuple(weights))
