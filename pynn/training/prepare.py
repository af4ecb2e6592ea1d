"""The data of a call, for the losses and metrics of a model."""

from __future__ import annotations

from typing import Any

from ..data.dataset import Dataset
from ..data.layout import Layout, Ports
from .arguments import check_targets
from .heads import Heads
from .model import Trainable
from .samples import dataset_of


def prepared(
    model: Trainable,
    layout: Layout,
    x: Any,
    y: Any,
    sample_weight: Any,
    check_finite: bool,
    method: str,
    prefix: str = "",
) -> tuple[Heads, Dataset]:
    """The losses and metrics of a model, and `dataset_of` for them.

    The first targets choose crossentropies, unless they are refused. Messages call it as `method` of the model.
    """
    told = model._require_compiled()
    if not told.undecided:
        heads = model._heads_for(layout)
        check_targets(y, bool(heads.heads), f"{type(model).__name__}.{method}")
        return heads, dataset_of(layout, heads, x, y, sample_weight, check_finite, prefix)
    check_targets(y, True, f"{type(model).__name__}.{method}")
    what = told.decided(layout.outputs, y, f"{prefix}y")
    heads = model._resolved(what, layout)
    data = dataset_of(layout, heads, x, y, sample_weight, check_finite, prefix)
    if not model._decide(told, what):  # another thread compiled it meanwhile, or chose
        return prepared(model, layout, x, y, sample_weight, check_finite, method, prefix)
    return heads, data


class Fitting:
    """Leaves aside what dicts of inputs have beside those of a model, and tells of it once."""

    def __init__(self) -> None:
        self._told = False

    def __call__(self, inputs: Ports, x: Any, name: str) -> Any:
        """What of `x` there are inputs for."""
        found = inputs.fitting(x, name, self._told)
        self._told = self._told or found is not x
        return found
