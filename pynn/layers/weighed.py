"""The weights of a layer: which there are, which are trained, and their values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from numpy.typing import ArrayLike

from .. import config
from ..errors import NotBuiltError
from ..foundation import atomic, checks
from .building import Built
from .keeping import with_all_within
from .traceable import Traceable
from .weight import Array, Weight, assign_all


class Weighed(Traceable):
    """The part of a `Layer` that is about its weights."""

    _noun = "Layer"  # what messages call it
    _added_losses: Sequence[float] = ()  # what it added to the loss in the last call on arrays
    holds_layers = False  # whether it is made of layers that it holds: their weights are its own

    @property
    def weights(self) -> list[Weight]:
        """The layer's weights, none before it is built; the same objects each time."""
        if self._is_whole:
            return self._all_weights()
        built = self._built
        return [] if built is None else list(built.weights)

    @property
    def trainable_weights(self) -> list[Weight]:
        """The weights that training changes."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The weights that training leaves alone."""
        return [weight for weight in self.weights if not weight.trainable]

    @property
    def losses(self) -> list[float]:
        """What is added to the loss, one by one.

        First what `add_loss` and activity regularizers, here and in the layers within, added in the last call on
        arrays, such as ``model(x)``; the means of a call's `add_loss` are one number, and so are its sums. Then the
        penalties of the weights that training changes and that have a regularizer, as they are now.
        """
        added = [loss for layer in with_all_within([self]) for loss in layer._added_losses]
        return added + [weight.penalty() for weight in self.trainable_weights if weight.regularizer is not None]

    # Keras's second names.
    variables = property(lambda self: self.weights)
    trainable_variables = property(lambda self: self.trainable_weights)
    non_trainable_variables = property(lambda self: self.non_trainable_weights)
    compute_dtype = property(lambda self: self.dtype)
    dtype_policy = property(lambda self: config.DTypePolicy(self.dtype))
    variable_dtype = property(lambda self: self.dtype)

    def count_params(self) -> int:
        """Number of weights, single numbers counted."""
        if not self.built:
            self._require_built()
        return sum(math.prod(weight.shape) for weight in self.weights)

    def get_weights(self) -> list[Array]:
        """Copies of the weight arrays."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Overwrite all weight arrays, in the order of `get_weights`.

        Raises:
            TypeError, ValueError: another number of arrays, or one of another kind or shape; nothing is changed then.
        """
        assign_all(self.weights, weights, f"{self._noun} {self.name!r}")

    def _weight(self, name: str) -> Weight | None:
        if self._extended is not None:
            return self._extended._weight(name)  # type: ignore[no-any-return]
        return next((weight for weight in self._require_built().weights if weight.name == name), None)

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; may be set at any time, and holds from the next step on."""
        built = self._built
        return self._trainable if built is None or built.parameters is None else not built.parameters.frozen

    @trainable.setter
    def trainable(self, value: bool) -> None:
        atomic.apply_together(self._freezing(checks.boolean(value, "trainable")))

    def _freezing(self, trainable: bool) -> list[atomic.Change]:
        """The changes that set `trainable`."""
        if self._is_whole:
            return self._freezing_all(trainable)
        changes, built = [atomic.setting(self, "_trainable", trainable)], self._built
        if built is not None and built.parameters is not None:
            changes.append(atomic.setting(built.parameters, "frozen", not trainable))
        return changes

    def _require_built(self) -> Built:
        if self._built is None:
            raise NotBuiltError(
                f"Layer {self.name!r} is not built yet: call build((None, ...)), or add it to a model and give the "
                "model's first layer an input shape or call the model on data."
            )
        return self._built
