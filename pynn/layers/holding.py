"""The layers that a layer of one's own has as attributes, and what it has in common with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..foundation import atomic
from .adding import AddsWeights
from .connecting import Connectable
from .weight import Weight


class HoldsLayers(AddsWeights):
    """The part of a `Layer` that is about the layers within."""

    @property
    def _sublayers(self) -> list[Any]:
        """The layers that attributes hold, each once."""
        found = layers_in([value for name, value in vars(self).items() if name not in ("_built", "_done")])
        return [layer for layer in dict.fromkeys(found) if layer is not self]

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
