"""The layers that a layer of one's own has as attributes, and what it has in common with them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Container, Iterator
from typing import Any

from ..foundation import atomic
from .adding import AddsWeights
from .connecting import Connectable
from .weight import Weight

# What happens first has the smaller number: a layer is made, or an attribute gets what holds layers.
_moments = itertools.count(1)
_HOLDING = (Connectable, list, tuple, dict)


class HoldsLayers(AddsWeights):
    """The part of a `Layer` that is about the layers within."""

    _made_at = 0  # its moment
    _held_since: dict[str, int] = {}  # noqa: RUF012  # the moments of its attributes; replaced, never changed

    def _note_made(self) -> None:
        self._made_at = next(_moments)

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, _HOLDING):
            before = vars(self).get(name)
            if before is not value and not _goes_on(before, value):
                object.__setattr__(self, "_held_since", {**self._held_since, name: next(_moments)})
        object.__setattr__(self, name, value)  # a super() takes longer, and a short `fit` sets some of these

    @property
    def _sublayers(self) -> list[Any]:
        """The layers that attributes hold, each once."""
        return self._held_but(("_built", "_done"))

    def _held_but(self, names: Container[str]) -> list[Any]:
        """The layers that attributes of other names hold, each once, in Keras's order.

        That is the order in which they came to be held. A list does not say when it grew: a layer that was made after
        the list became an attribute counts from then on, as it mostly goes there at once.
        """
        found: list[tuple[int, Any]] = []
        for name, value in vars(self).items():
            if name not in names:
                since = self._held_since.get(name, 0)
                for layer in layers_in(value):
                    found.append((since if layer is value else max(since, layer._made_at), layer))
        found.sort(key=lambda each: each[0])
        return [layer for layer in dict.fromkeys(layer for _, layer in found) if layer is not self]

    @property
    def _layers_within(self) -> list[Any]:
        """The layers that are part of it."""
        return self._sublayers

    def _all_weights(self) -> list[Weight]:
        """In Keras's order: those of its own that are learned, its others, and those of its layers."""
        added, older = self._own_weights, self._older_weights
        own = [*added[:older], *(() if self._extended is None else self._extended.weights), *added[older:]]
        own.sort(key=lambda weight: not weight.learned)
        inner = [weight for layer in self._sublayers for weight in layer.weights]
        return list({id(weight): weight for weight in (*own, *inner)}.values())

    def _freezing_all(self, trainable: bool) -> list[atomic.Change]:
        """The changes that set `trainable`, here and in the layers within."""
        inner = [change for layer in self._sublayers for change in layer._freezing(trainable)]
        return [*self._freezing_own(trainable), *inner]

    def _freezing_own(self, trainable: bool) -> list[atomic.Change]:
        """The changes that set `trainable` for the weights that it added to itself."""
        own = [atomic.setting(weight.native[0], "frozen", not trainable) for weight in self._own_weights]
        return [atomic.setting(self, "_trainable", trainable), *own]

    # ---- as a user of its layers, where one of these changes what it computes ----------------------------------------

    def _alone(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()

    @property
    def _is_alone(self) -> bool:
        """Whether this thread has its lock."""
        return True

    def _anew(self) -> list[atomic.Change]:
        return self._unlowered()

    def _unlowered(self) -> list[atomic.Change]:
        """The changes after which its networks are made anew."""
        return [atomic.setting(self, "_calls", {})]

    def _wire(self) -> None:
        """Its layers were called on symbolic tensors as it was traced."""


def _goes_on(before: Any, value: Any) -> bool:
    """Whether an attribute has all layers that it had, as of ``self.parts = [*self.parts, layer]``: it grew then."""
    held = set(layers_in(before))
    return bool(held) and held <= set(layers_in(value))


def layers_in(value: Any) -> Iterator[Any]:
    """The layers that an attribute holds: one, or a list, tuple or dict of them."""
    if isinstance(value, Connectable):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from layers_in(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from layers_in(each)
