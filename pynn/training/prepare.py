"""The data of a call, for the losses and metrics of a model."""

from __future__ import annotations

from typing import Any

from ..data.dataset import Dataset
from ..data.layout import Layout, Ports
from .arguments import BatchSize, batch_size_of, no_targets
from .compiling import Choice
from .heads import Heads
from .model import Trainable
from .samples import dataset_of
from .task import Task


def prepared(
    model: Trainable,
    layout: Layout,
    x: Any,
    y: Any,
    sample_weight: Any,
    check_finite: bool,
    method: str = "",
    batches: str = "",
    choice: Choice | None = None,
) -> tuple[Heads, Dataset, Choice | None]:
    """The losses and metrics of a model, and `dataset_of` for them. The model stays as it is.

    Args:
        method: Of the model, which is called with arrays.
        batches: What messages call the batches of which this is one. Either this or `method` is given.
        choice: The crossentropies that other targets of the call have chosen.

    Returns:
        Also the crossentropies that these targets choose, or others did. None where nothing is to be chosen.
    """
    told, prefix = model._require_compiled(), _of_batches(batches) if batches else ""
    if not told.undecided:
        heads, choice = model._heads_for(layout), None
    if y is None and (told.undecided or heads.heads):
        raise no_targets(model, method, batches)
    if told.undecided:
        choice = choice or Choice(told, told.decided(layout.outputs, y, f"{prefix}y"))
        heads = model._resolved(choice.what, layout)
    return heads, dataset_of(layout, heads, x, y, sample_weight, check_finite, prefix), choice


def to_evaluate(
    model: Trainable,
    x: Any,
    y: Any,
    sample_weight: Any,
    check_finite: bool,
    method: str,
    batch_size: BatchSize = "full",
) -> tuple[Dataset, int, Task]:
    """Arrays as the engine takes them, the size of batches, and the network that measures them."""
    model._require_compiled()
    layout = model._layout_for(x, "x")
    _, data, choice = prepared(model, layout, x, y, sample_weight, check_finite, method)
    size = data.samples
    if not isinstance(batch_size, str) or batch_size != "full":
        size = min(batch_size_of(batch_size, size), size)
    if choice is not None and not model._decide(choice, layout, size):
        return to_evaluate(model, x, y, sample_weight, check_finite, method, batch_size)
    return data, size, model._task(layout, size)


def _of_batches(name: str) -> str:
    """How messages begin about a batch of those called `name`."""
    return f"a batch of {name}: "


class LeftAside:
    """Leaves aside what dicts of inputs in batches have beside those of a model, and tells of it once.

    Args:
        name: What messages call the batches.
    """

    def __init__(self, name: str) -> None:
        self._name, self._told = name, False

    def taken(self, inputs: Ports, x: Any) -> Any:
        """What of `x`, the inputs in a batch, there are inputs for."""
        found = inputs.without_rest(x, f"{_of_batches(self._name)}x", self._told)
        self._told = self._told or found is not x
        return found
