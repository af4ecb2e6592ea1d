"""Losses of one's own: their `call` is traced, as that of a layer is, and becomes a part of the network that trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from ..data.layout import Layout, OpenShape
from ..foundation import atomic, checks
from ..layers.base import Layer
from ..layers.batch_mean import BatchMean
from ..layers.building import building
from ..layers.calling import MOST_KEPT
from ..layers.symbolic import SymbolicTensor
from ..layers.wiring import Wiring
from ..losses import Loss
from ..training.compiling import Compiled
from ..training.heads import Heads, Values
from . import differentiable
from .network import plan_of

if TYPE_CHECKING:
    from .. import _core


class _Call(Layer):
    """What a loss makes of the targets and an output."""

    def __init__(self, loss: Loss) -> None:
        super().__init__("loss")
        self._loss = loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        values = self._loss.call(y_true, y_pred)
        if isinstance(values, BatchMean) and self._loss.native_reduction != "sum":
            values = values.values
        if isinstance(values, SymbolicTensor) and values.per_sample:
            return values
        if isinstance(values, SymbolicTensor):
            what = "what is the same for all samples"
        else:
            what = f"{checks.shown(values)} of type {type(values).__name__}"
        raise TypeError(
            "it must return a symbolic tensor that is computed from y_true and y_pred, with a value for each sample or "
            f"values for each, but returned {what}."
        )


class Calls:
    """The losses of one's own of a compiled model, and the networks that they are part of."""

    def __init__(self) -> None:
        self._layers: dict[tuple[int, str], _Call] = {}  # by the number of the output and number type
        self._plans: dict[int, tuple[_core.Plan, _core.Plan]] = {}  # by `id` of the network that predicts: it, and ours

    def traced(self, heads: Heads, layout: Layout) -> Heads:
        """The heads, with the shapes of their values.

        Raises:
            TypeError, ValueError: a loss that does what no symbolic tensor can, or has no gradient for the output.
        """
        found = list(heads.heads)
        for number, place in enumerate(heads.own):
            head = found[place]
            assert head.loss is not None
            shape = self._shape(head.number, head.loss, head.port.shape, layout.dtype)
            values = Values(len(layout.outputs.ports) + number, cast("tuple[int, ...]", shape))
            found[place] = head._replace(values=values)
        return Heads(tuple(found), heads.several, heads.handed)

    def plan(self, plan: _core.Plan, wiring: Wiring, layout: Layout, heads: Heads) -> _core.Plan:
        """The network that trains, where `plan` is the one that predicts.

        Raises:
            ValueError: values that are not those of the steps of a mask.
        """
        known = self._plans.get(id(plan))
        if known is not None:
            return known[1]
        heads.check_masks(plan.masks)
        numbers = [heads.heads[place].number for place in heads.own]
        made = plan_of(wiring, layout, [(number, self._layers[number, layout.dtype]) for number in numbers])
        atomic.keep(self._plans, id(plan), (plan, made), MOST_KEPT)
        return made

    def _shape(self, number: int, loss: Loss, shape: OpenShape, dtype: str) -> OpenShape:
        known = self._layers.get((number, dtype))
        layer = _Call(loss) if known is None else known
        try:
            draft = layer.draft([shape, shape], dtype)
            if known is None:
                atomic.apply_together(building([draft]))
                _check_gradient(layer, [shape, shape], dtype)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"The loss {loss.name} cannot be computed: {error}") from error
        self._layers[number, dtype] = layer
        return draft.outputs[0]


def with_calls(what: Compiled) -> Compiled:
    """What a model was told, with what it keeps of its losses where some are one's own."""
    return what._replace(calls=Calls()) if what.calls is None and what.has_own_losses else what


def _check_gradient(layer: _Call, shapes: Sequence[OpenShape], dtype: str) -> None:
    """Raise ValueError unless the values of a loss depend on the output, by functions that have a gradient."""
    wiring = layer._wiring_at(tuple(shapes), dtype)
    learning = differentiable.check(wiring, shapes, dtype, {}, wiring.inputs[1:])
    if not learning.intersection(wiring.outputs):
        raise ValueError("its values do not depend on y_pred, so there is nothing to learn from.")
