"""Steps of optimizers with gradients that come from outside: what they begin with, and what they keep."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from numpy.typing import ArrayLike, NDArray

from ..data import arrays
from ..engine.lowering import Parameter
from ..foundation import checks, parallel
from ..foundation.identifiers import Described
from ..foundation.native import core

if TYPE_CHECKING:
    from .. import _core
    from .variables import OptimizerVariable

_Parameter = TypeVar("_Parameter", bound=Parameter)


class NamedParameter(Parameter, Protocol):
    """A weight, as optimizers see it."""

    name: str


class TrainedParameter(NamedParameter, Protocol):
    """A weight that steps are made for."""

    path: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""

    @property
    def dtype(self) -> str:
        """``"float32"`` or ``"float64"``."""


class Stepping(Described):
    """The part of an `Optimizer` that is about steps with gradients of one's own."""

    native_name: ClassVar[str]
    name: str
    _trainer: _core.Trainer | None  # makes the steps, and has what is kept
    _owner: weakref.ref[Any] | None  # the model that was compiled with it
    _weights: list[TrainedParameter]  # of no model: those that it makes steps for

    @property
    def _updates_done(self) -> int:
        """How many updates were made."""
        raise NotImplementedError

    def settings(self) -> dict[str, float]:
        """The settings in the form the engine takes."""
        raise NotImplementedError

    def _undecayed(self, weights: Iterable[NamedParameter]) -> list[tuple[_core.Parameters, int]]:
        raise NotImplementedError

    def _next_rates(self, steps: int) -> tuple[int, NDArray[Any] | None]:
        raise NotImplementedError

    def build(self, variables: Sequence[TrainedParameter]) -> None:
        """Begin with these weights, so that `apply` needs no more than gradients. The first `apply` does it as well.

        An optimizer that a model was compiled with has begun with the model's.

        Args:
            variables: The weights, such as ``layer.trainable_weights``.

        Raises:
            ValueError: no weights, one that comes twice, or others than those that it has begun with. TypeError:
                something else than weights.
        """
        weights = weights_in(variables, "variables")
        known = {id(weight) for weight in self._known_weights()}
        if self._trainer is None:
            if not weights:
                raise ValueError("variables must have at least one weight, but has none. Build the layers first.")
            self._begin_with(weights)
        elif any(id(weight) not in known for weight in weights):
            raise ValueError(
                f"The optimizer {self.name!r} has begun with other weights. Make another optimizer for these."
            )

    @property
    def built(self) -> bool:
        """Whether it has begun with weights."""
        return self._trainer is not None

    @property
    def variables(self) -> list[OptimizerVariable]:
        """What it keeps, in Keras's order: the number of steps, the learning rate where that is a number, and arrays
        for each weight that is trained, once it is `built`. To be read, as ``optimizer.variables[2].numpy()``."""
        from .variables import variables_of

        return variables_of(self, self._known_weights())

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set what it keeps: an optimizer of the same settings and weights goes on as the one that these are of.

        Args:
            weights: A value for each of `variables`: arrays, or the `variables` of the other optimizer.

        Raises:
            TypeError, ValueError: another number of values, another shape, no numbers, or an optimizer that is not
                `built`; nothing is changed then. RuntimeError: another thread is training with it.
        """
        from .variables import set_variables

        set_variables(self, self._known_weights(), weights)

    def _known_weights(self) -> list[Any]:
        """The weights that it makes steps for."""
        model = None if self._owner is None else self._owner()
        return self._weights if model is None or self._trainer is None else model.trainable_weights

    def _begin_with(self, weights: list[TrainedParameter]) -> None:
        self._trainer = self._trainer_of(weights)
        self._weights = weights

    def apply(
        self, grads: Sequence[ArrayLike | None], trainable_variables: Sequence[TrainedParameter] | None = None
    ) -> None:
        """Make a step with gradients of one's own, such as those of ``model.gradients``, with clips and constraints.

        An optimizer that a model was compiled with goes on as in `fit`. Another one makes its state for the weights of
        `build` or of the first call; later calls may leave some of them out, and bring no new ones.

        Args:
            grads: An array for each weight, of its shape; None for one that stays as it is.
            trainable_variables: The weights, such as ``model.trainable_weights``. Default ``None``: those that the
                optimizer has begun with; of a model, its `trainable_weights`.

        Raises:
            ValueError: another number of gradients, a shape that is not the weight's, no gradient at all, a weight that
                comes twice or that the optimizer has not begun with; no weights, and none are known. TypeError:
                something else than weights or numbers.
            RuntimeError: another thread is training the model.
        """
        if trainable_variables is None:
            weights = self._known_weights()
            if self._trainer is None and self._owner is not None:
                raise self._not_ready()
            if not weights:
                raise ValueError(
                    f"The optimizer {self.name!r} does not know which weights the gradients are of. Give them as "
                    "trainable_variables, or call optimizer.build(weights) first."
                )
        else:
            weights = weights_in(trainable_variables, "trainable_variables")
        if len(grads) != len(weights):
            raise ValueError(f"grads must have an array for each of the {len(weights)} weights, but has {len(grads)}.")
        given, changed = [], []
        for gradient, weight in zip(grads, weights, strict=True):
            if gradient is None:
                continue
            given.append(arrays.as_array(gradient, f"the gradient of {weight.path}", weight.dtype))
            changed.append(weight)
            if given[-1].shape != weight.shape:
                raise ValueError(
                    f"The gradient of {weight.path} must have the shape {weight.shape}, but has {given[-1].shape}."
                )
        if not given:
            raise ValueError("grads has no gradient: all are None, or there is no weight.")
        if self._trainer is None:
            self._begin_with(changed)
        assert self._trainer is not None
        _, rates = self._next_rates(1)
        if rates is not None:
            self._trainer.learning_rate = float(rates[0])
        self._trainer.apply_gradients(given, [weight.native for weight in changed], parallel.get_num_threads())

    def apply_gradients(self, grads_and_vars: Iterable[tuple[ArrayLike | None, TrainedParameter]]) -> int:
        """`apply` for pairs of a gradient and its weight, as of ``zip(grads, weights)``; returns `iterations`."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [weight for _, weight in pairs])
        return self._updates_done

    def _trainer_of(self, weights: Sequence[TrainedParameter]) -> _core.Trainer:
        """What makes steps for weights of no model."""
        if self._owner is not None:
            raise self._not_ready()
        return self._trainer_alone(weights, weights[0].dtype)

    def _not_ready(self) -> ValueError:
        return ValueError("The model of this optimizer is not built, or was changed: call it, and then make a step.")

    def _trainer_alone(self, weights: Sequence[NamedParameter], dtype: str) -> _core.Trainer:
        """What makes steps for weights without a network, or has the state for one that is to be made."""
        graph = core.Graph()
        graph.set_outputs([graph.add_input(1)])  # which is not run
        for weight in weights:
            graph.add_parameter(*weight.native)
        trainer = core.Trainer(core.Plan(graph, dtype))
        trainer.set_optimizer(self.native_name, self.settings())
        trainer.set_undecayed(self._undecayed(weights))
        return trainer


def weights_in(given: Sequence[_Parameter] | None, name: str = "var_list") -> list[_Parameter]:
    """A list of weights, else TypeError."""
    weights = [] if given is None else given
    if not isinstance(weights, Sequence) or not all(hasattr(weight, "native") for weight in weights):
        raise TypeError(f"{name} must be a list of weights such as [layer.bias], but got {checks.shown(given)}.")
    return list(weights)
