"""Losses that layers know of. Those of one's own: their `call` is traced, as that of a layer is, and becomes a part of
the network that trains. And what layers add to the loss, where that is all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..data.layout import Layout, OpenShape
from ..engine.lowering import Added
from ..foundation import atomic, checks
from ..layers.base import Layer
from ..layers.building import building
from ..layers.calling import MOST_KEPT
from ..layers.of_batch import OfBatch
from ..layers.symbolic import SymbolicTensor
from ..layers.wiring import Wiring
from ..losses import Loss
from ..training.compiling import Compiled
from ..training.heads import Heads, Values
from . import differentiable
from .network import plan_to_measure

if TYPE_CHECKING:
    from .. import _core


class _Measured(NamedTuple):
    """The network that trains where another one predicts."""

    predicts: _core.Plan
    trains: _core.Plan
    added: tuple[Values, ...]  # to the loss, beside those of outputs


class _Call(Layer):
    """What a loss makes of the targets and an output."""

    def __init__(self, loss: Loss) -> None:
        super().__init__("loss")
        self._loss = loss
        self.is_sum = False  # whether it is a sum over the samples, whatever the reduction

    def call(self, y_true: Any, y_pred: Any) -> Any:
        values = self._loss.call(y_true, y_pred)
        if isinstance(values, OfBatch):
            values = self._of_samples(values)
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

    def _of_samples(self, values: OfBatch) -> SymbolicTensor:
        """That of which a loss is the mean or the sum over the samples."""
        if len(values.parts) > 1:
            raise TypeError(
                "a sum over the samples cannot be returned together with a mean over them or a constant, which counts "
                "as a mean. Return one of them, and give the other to add_loss, in the call of a layer or model."
            )
        self.is_sum = "sum" in values.parts
        if not self.is_sum and self._loss.native_reduction == "sum":
            raise TypeError("a mean over the samples can be returned where the reduction is a mean, but it is a sum.")
        return next(iter(values.parts.values()))


class Calls:
    """The losses of one's own of a compiled model, and the networks that train where others predict."""

    def __init__(self) -> None:
        self._layers: dict[tuple[int, str], _Call] = {}  # by the number of the output and number type
        self._shapes: dict[tuple[int, OpenShape, str], tuple[OpenShape, bool]] = {}  # what `_shape` found
        self._plans: dict[int, _Measured] = {}  # by `id` of the network that predicts
        self._nothing: Layer | None = None  # a loss of 0: one for all networks, whose trainers take over from another

    def traced(self, heads: Heads, layout: Layout) -> Heads:
        """The heads, with the shapes of their values.

        Raises:
            TypeError, ValueError: a loss that does what no symbolic tensor can, or has no gradient for the output.
        """
        if not heads.own:
            return heads
        found = list(heads.heads)
        for number, place in enumerate(heads.own):
            head = found[place]
            assert head.loss is not None
            shape, is_sum = self._shape(head.number, head.loss, head.port.shape, layout.dtype)
            output, sizes = len(layout.outputs.ports) + number, cast("tuple[int, ...]", shape)
            reduction = "sum" if is_sum else head.loss.native_reduction
            found[place] = head._replace(values=Values(output, sizes, layout.dtype, reduction))
        return Heads(tuple(found), heads.several, heads.handed)

    def plan(
        self, plan: _core.Plan, wiring: Wiring, layout: Layout, heads: Heads, added: Sequence[Added]
    ) -> tuple[_core.Plan, Heads]:
        """The network that trains, where `plan` is the one that predicts, and the heads with what is added to the loss.

        Args:
            plan, wiring, layout, heads: The model, and its losses and metrics.
            added: What its layers add to the loss.

        Raises:
            ValueError: there is no loss at all.
        """
        if heads.losses and not heads.own and not any(each.is_sum for each in added):
            return plan, heads
        if not (heads.losses or added or any(w.regularizer for layer in wiring.layers for w in layer.weights)):
            raise no_loss()
        known = self._plans.get(id(plan))
        if known is None:
            known = self._measured(plan, wiring, layout, heads)
            atomic.keep(self._plans, id(plan), known, MOST_KEPT)
        return known.trains, Heads(heads.heads, heads.several, heads.handed, known.added)

    def _measured(self, plan: _core.Plan, wiring: Wiring, layout: Layout, heads: Heads) -> _Measured:
        numbers = [heads.heads[place].number for place in heads.own]
        losses = [(number, self._layers[number, layout.dtype]) for number in numbers]
        made = plan_to_measure(wiring, layout, losses, None if heads.losses else self._loss_of_0())
        first = len(layout.outputs.ports) + len(losses)
        added = [Values(first + place, (size,), layout.dtype, "sum") for place, size in enumerate(made.sums)]
        if not heads.losses and not added:
            added = [Values(first, (), layout.dtype, "mean")]
        return _Measured(plan, made.plan, tuple(added))

    def _loss_of_0(self) -> Layer:
        from ..layers.constants import ConstantTensor

        self._nothing = self._nothing or ConstantTensor(0.0)
        return self._nothing

    def _shape(self, number: int, loss: Loss, shape: OpenShape, dtype: str) -> tuple[OpenShape, bool]:
        """The shape of the values of a loss, and whether the loss is their sum in any case."""
        found = self._shapes.get((number, shape, dtype))
        if found is not None:
            return found
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
        found = draft.outputs[0], layer.is_sum
        atomic.keep(self._shapes, (number, shape, dtype), found, MOST_KEPT)
        return found


def with_calls(what: Compiled) -> Compiled:
    """What a model was told, with what it keeps of its losses."""
    return what._replace(calls=Calls()) if what.calls is None else what


def no_loss() -> ValueError:
    """The error where there is no loss at all."""
    return ValueError(
        "compile was given no loss, which training and evaluation need, and no call and no regularizer adds to it: "
        'compile(optimizer, loss), with a loss such as "mse" or "sparse_categorical_crossentropy", or self.add_loss in '
        "the call of a layer."
    )


def _check_gradient(layer: _Call, shapes: Sequence[OpenShape], dtype: str) -> None:
    """Raise ValueError unless the values of a loss depend on the output, by functions that have a gradient."""
    wiring = layer._wiring_at(tuple(shapes), dtype)
    learning = differentiable.check(wiring, shapes, dtype, {}, wiring.inputs[1:])
    if not learning.intersection(wiring.outputs):
        raise ValueError("its values do not depend on y_pred, so there is nothing to learn from.")
