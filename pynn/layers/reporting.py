"""What layers added to the loss in the last call on arrays, which their `losses` have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..engine.lowering import Added
from .keeping import with_all_within


def report(whole: Any, added: Sequence[Added], values: Sequence[NDArray[Any]]) -> None:
    """Let the layers within a layer or model that was called know what they added, and what they did not.

    Args:
        whole: The layer or model.
        added: What was added in the call.
        values: The tensors that it is of, each for all samples.
    """
    found: dict[Any, list[float]] = {}
    for each, of_samples in zip(added, values, strict=True):
        if len(of_samples):
            layer = whole if each.layer is None else each.layer()
            found.setdefault(layer, []).append(each.value(of_samples))
    for layer in with_all_within([whole]):
        layer._added_losses = found.get(layer, ())
