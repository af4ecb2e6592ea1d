"""Weights that a layer of one's own adds to itself, one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import DTypeLike

from .. import config, constraints, initializers, regularizers
from ..constraints import ConstraintLike
from ..foundation import checks, names, registry
from ..foundation.arguments import explained
from ..foundation.native import core
from ..initializers import InitializerLike
from ..regularizers import Regularizer, RegularizerLike
from .callform import CallForm
from .connecting import Connectable
from .of_batch import OfBatch
from .trial import current
from .values import elsewhere
from .weight import MOST_ELEMENTS, Weight, WeightSpec


class AddsWeights(Connectable):
    """The part of a `Layer` that is about `add_weight`."""

    _form: CallForm | None = None  # of a class with a `call`
    _own_weights: tuple[Weight, ...] = ()
    _extended: Any = None  # of a class with a call that extends one of pynn's layers: such a layer
    _older_weights: int = 0  # how many of its own weights are older than those of the layer that it extends
    _trainable: bool
    _noun: str
    _dtype: str
    holds_layers: bool

    @property
    def _is_whole(self) -> bool:
        """Whether its weights are those that it added to itself and those of the layers that it has."""
        raise NotImplementedError

    @property
    def _adds_weights(self) -> bool:
        """Whether it may add weights to itself."""
        return self._form is not None or (self._is_whole and not self.holds_layers)

    def _own_in_order(self) -> list[Weight]:
        """The weights that it added to itself, in Keras's order: those that are learned, and the others."""
        return sorted(self._own_weights, key=lambda weight: not weight.learned)

    @explained
    def add_weight(
        self,
        shape: int | Sequence[int] | None = None,
        initializer: InitializerLike | None = None,
        dtype: DTypeLike | None = None,
        *,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Weight:
        """A new weight of the layer or model: in `build`, or in ``__init__`` where its shape is known.

        Args:
            shape: Default ``()``: one number.
            initializer: Name or `Initializer`. Default ``"glorot_uniform"``.
            dtype: That of the layer, which is the default, and no other.
            trainable: Whether the optimizer learns it. Default ``True``.
            regularizer: The penalty for large values: a name or `Regularizer`. Default: none.
            constraint: What holds after each step: a name or `Constraint`. Default: none.
            autocast, aggregation, overwrite_with_gradient: Without effect: Keras has them for mixed precision, for
                several machines and for numbers of 8 bits.
            name: Default: ``"variable"``, then ``"variable_1"`` and so on.

        Raises:
            TypeError, ValueError: a bad argument, or a layer that is built already.
        """
        self._check_may_add()
        count = len(self._own_weights)
        spec = WeightSpec(
            names.check_name((f"variable_{count}" if count else "variable") if name is None else name),
            checks.shape(() if shape is None else shape, "shape"),
            initializers.get("glorot_uniform" if initializer is None else initializer),
            regularizers.get(regularizer),
            constraints.get(constraint),
            checks.boolean(trainable, "trainable"),
        )
        checks.boolean(autocast, "autocast")
        checks.choice(aggregation, "aggregation", (None, "none", "mean", "sum", "only_first_replica"))
        checks.boolean(overwrite_with_gradient, "overwrite_with_gradient")
        if dtype is not None and str(dtype) != self._dtype and config.resolve_dtype(dtype) != self._dtype:
            raise ValueError(
                f"dtype must be that of {self._noun.lower()} {self.name!r}, {self._dtype}, but got "
                f"{checks.shown(dtype)}. Layers take it as an argument; that of models is config.floatx()."
            )
        weight = self._new_weight(spec)
        self._own_weights = (*self._own_weights, weight)
        if self._extended is None or not self._extended.built:
            self._older_weights = len(self._own_weights)
        return weight

    def add_variable(
        self,
        shape: int | Sequence[int],
        initializer: InitializerLike | None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        name: str | None = None,
    ) -> Weight:
        """`add_weight` under Keras's second name."""
        return self.add_weight(
            shape,
            initializer,
            dtype,
            trainable=trainable,
            autocast=autocast,
            regularizer=regularizer,
            constraint=constraint,
            name=name,
        )

    def add_loss(self, loss: Any) -> None:
        """Make the mean or sum of something over the samples a part of the loss: in `call`.

        It is a part of the loss in training and in evaluation, once for each use of the layer, whatever the weights of
        samples are. `losses` has it after a call on arrays.

        Args:
            loss: What ``ops.mean(x)`` or ``ops.sum(x)`` makes of a tensor of samples, multiplied by numbers or added
                up; or a list.

        Raises:
            TypeError: anything else; or not in a `call`.

        Example:
            >>> self.add_loss(0.01 * ops.mean(ops.square(x)))
        """
        trial = current()
        if trial is None or trial.layer._itself is not self or trial.phase != "call":
            raise TypeError(
                f"Layer {self.name!r}: add_loss works in the call of a layer or model of one's own. Give penalties of "
                "weights to add_weight, as its regularizer."
            )
        for each in loss if isinstance(loss, list | tuple) else [loss]:
            if not isinstance(each, OfBatch):
                raise TypeError(
                    f"Layer {self.name!r}: add_loss takes a mean or sum over the samples, such as 0.1 * ops.mean(x), "
                    f"but got {checks.shown(each)} of type {type(each).__name__}."
                )
            trial.losses.append(each)

    @property
    def _may_add_to_loss(self) -> bool:
        """Whether it has a regularizer, or is of a class of one's own. It may not be built yet."""
        return registry.is_own(type(self)) or any(isinstance(value, Regularizer) for value in vars(self).values())

    def _check_may_add(self) -> None:
        if "name" not in vars(self):
            raise TypeError(f"{type(self).__name__} adds a weight before super().__init__(), which must come first.")
        whom = f"{self._noun} {self.name!r}"
        if not self._adds_weights:
            raise TypeError(
                f"{whom} cannot add weights: only layers of one's own and models with a call of one's own can, and "
                f"{type(self).__name__} is neither."
            )
        trial = current()
        if trial is not None and trial.layer._itself is self and trial.phase == "call":
            raise ValueError(f"{whom} adds a weight in call: it must do so in build, or in __init__.")
        if self._is_built:
            raise ValueError(f"{whom} is built already: weights are added in build, or in __init__.")

    def _new_weight(self, spec: WeightSpec) -> Weight:
        path = f"{self.name}/{spec.name}"
        if math.prod(spec.shape) > MOST_ELEMENTS:
            raise ValueError(f"The weight {path} of shape {spec.shape} would have more elements than memory can hold.")
        constraint = spec.native_constraint(path)
        values, trial = elsewhere(), current()
        if values is not None:
            values.take([spec.shape], self._dtype)
        parameters = core.Parameters(self._dtype)
        number = parameters.add(math.prod(spec.shape), spec.trainable, *spec.native_penalty(), constraint)
        parameters.frozen = not self._trainable
        weight = Weight(path, spec, parameters, number)
        if trial is not None and trial.layer is self:
            trial.pending.append(weight)
        else:  # in __init__, which settles the number type
            weight.draw()
            self.dtype_given = True
        return weight
