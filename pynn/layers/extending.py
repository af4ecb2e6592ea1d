"""A class of one's own that extends one of pynn's layers by a call, a build or a mask: that layer is `super().call`."""

from __future__ import annotations

import itertools
from typing import Any

from .trial import current

# What a class may still have of the layer that it extends, beside names that no other layer has.
_KEPT = ("activation", "activity_regularizer", "build", "from_config", "get_config", "supports_masking")

# What a layer that is extended has for itself.
_ITS_OWN = {"_users", "_nodes", "_calls", "_own_weights", "activity_regularizer"}


def extend(cls: Any, base: type) -> None:
    """Let `cls`, a subclass of one of pynn's layers, work as one of `base` with a call: its instances hold the layer
    that is extended as an attribute, with all its settings.

    Raises:
        TypeError: a layer that cannot be extended.
    """
    above = [each for each in cls.__mro__[1:] if issubclass(each, base) and each is not base]
    own = {name for each in (cls, *mixed_in(cls, base)) for name in vars(each)}
    cls._extends = next((kind._extends for kind in above if kind._extends is not None), None) or above[0]
    kind = cls._extends
    if kind.holds_layers or kind.keeps_states or kind.takes_more or kind.is_input or hasattr(kind, "state_size"):
        raise TypeError(
            f"{cls.__name__}: {kind.__name__} cannot be extended by a call or build. Write a subclass of "
            f"pynn.layers.Layer that has a {kind.__name__} as an attribute."
        )
    for each in above:
        for name in vars(each):
            if not name.startswith("__") and name not in _KEPT and name not in own and hasattr(base, name):
                setattr(cls, name, getattr(base, name))
    if kind.lower_mask is not base.lower_mask and "compute_mask" not in vars(cls):  # type: ignore[attr-defined]
        cls.compute_mask = _mask_of_extended


def mixed_in(cls: type, base: type) -> list[type]:
    """The classes that `cls` has before the first one that is a `base`. What they have counts as written by `cls`."""
    return list(itertools.takewhile(lambda each: not issubclass(each, base), cls.__mro__[1:]))


def call_of_extended(layer: Any, inputs: Any, training: bool | None = None) -> Any:
    """The call of a class that has none."""
    return layer._extended(inputs, training=training)


def _mask_of_extended(layer: Any, inputs: Any, mask: Any = None) -> Any:
    return layer._extended.compute_mask(inputs, mask)


def extended(layer: Any) -> Any:
    """The layer that this one extends, by itself: what `super().call` is."""
    inner = layer._extends.__new__(layer._extends)
    inner.__setstate__(layer.__getstate__())
    inner.activity_regularizer = None  # which is for the output of the whole
    return inner


def settle(layer: Any) -> None:
    """Have the layer that this one extends take over the settings as they are now, unless it is built. It is on trial.

    They may be others than at first: a `build` sets ``self.units``, for instance.
    """
    inner, trial = layer._extended, current()
    if inner._is_built or trial is None:
        return
    trial.touch(inner)
    for name in vars(inner).keys() & vars(layer).keys() - _ITS_OWN:
        vars(inner)[name] = vars(layer)[name]
