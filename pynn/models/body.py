"""What the `call` of a subclass of `Model` does, also where it asks for the length of an axis that may have any."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import Any

from ..layers.base import Layer
from ..layers.lengths import run_open
from ..layers.modes import Run, both_modes
from ..layers.trial import Trial
from ..layers.walking import trace
from ..layers.weight import Weight
from ..layers.wiring import Wiring
from .symbols import tensors_in


def traced(model: Any, inputs: Any, run: Callable[[bool | None], Run]) -> tuple[Wiring, Any, tuple[str, ...]]:
    """The wiring of a model by its call, its symbolic outputs, and their names, if these are not those of layers.

    Where the call asks for the length of an axis that may have any, the wiring has one step, whose layer is the call.

    Args:
        model: The model, which must be on trial.
        inputs: The symbolic inputs.
        run: Runs the call in a mode.
    """
    takes_training = _takes_training(model)
    starts = tensors_in(inputs, "inputs")

    def plain() -> tuple[Wiring, Any, tuple[str, ...]]:
        return (*both_modes(takes_training, run, model)[:2], ())

    def with_body() -> tuple[Wiring, Any, tuple[str, ...]]:
        body = _body_of(model)
        outputs = body(inputs)
        wiring = trace(starts, tensors_in(outputs, "outputs"), model.name)
        return wiring, outputs, next(iter(body._traces.values())).outputs.names

    is_open = any(None in x.sample for x in starts)
    return run_open(model, plain, with_body) if is_open else plain()


def traced_by_length(model: Any, inputs: Any) -> Wiring:
    """The wiring of a model whose call is run for each length, also where these symbolic inputs have one."""
    outputs = _body_of(model, for_lengths=True)(inputs)
    return trace(tensors_in(inputs, "inputs"), tensors_in(outputs, "outputs"), model.name)


def _body_of(model: Any, for_lengths: bool = False) -> _Body:
    return (_BodyOfModes if _takes_training(model) else _Body)(model, for_lengths)


def _takes_training(model: Any) -> bool:
    return "training" in inspect.signature(model.call).parameters


def has_body(wiring: Wiring) -> bool:
    """Whether it is that of a model whose call is run for each length."""
    return any(isinstance(layer, _Body) for layer in wiring.layers)


class _Body(Layer):
    """The call of a model as that of a layer, which is run for each length. What the layer has is the model's.

    The model has the body, which knows the model by a weak reference only. So there is no cycle.
    """

    is_operation = True

    def __init__(self, model: Any, for_lengths: bool) -> None:
        self._for_lengths = for_lengths  # whether others will come, also where the model was built for one
        self._model = weakref.ref(model)
        of_layers = (each._settled_dtype for each in model._attributes)
        dtype = model._dtype if model._own_weights else next(filter(None, of_layers), None)
        super().__init__(name="call", dtype=dtype)

    def _note_arguments(self, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Keep none: the model would be one of them."""

    def call(self, inputs: Any) -> Any:
        """What the model makes of its inputs."""
        return self._itself._called(inputs, {})

    def _trial(self) -> Trial:
        trial = super()._trial()
        trial.for_one_length = trial.for_one_length or self._for_lengths
        return trial

    @property
    def _itself(self) -> Any:
        """The model."""
        model = self._model()
        if model is None:
            raise RuntimeError("The model is gone whose call this layer is. Keep the model, and call that.")
        return model

    @property
    def _sublayers(self) -> list[Any]:
        return list(dict.fromkeys(self._itself._attributes))

    def _all_weights(self) -> list[Weight]:
        return self._itself._weights_by_now()  # type: ignore[no-any-return]


class _BodyOfModes(_Body):
    """The same, where it is told whether the model trains."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        """What the model makes of its inputs."""
        return self._itself._called(inputs, {"training": training})
