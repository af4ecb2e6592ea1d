"""Recurrent layers in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import DTypeLike

from ..engine.lowering import Lowering, Mask
from ..foundation import checks, registry
from .base import Layer
from .building import Draft
from .by_name import deserialize, serialize
from .elementwise import combined
from .rnn import RNN
from .running import called, like, reverse, sizes_of
from .types import OpenShapes, Shape
from .weight import Weight
from .wrapping import check_layer, settle

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Bidirectional"]

_MERGES = ("concat", "sum", "mul", "ave", None)
_COMMON = ("stateful", "return_sequences", "return_state")


class Bidirectional(Layer):
    """A recurrent layer and one that goes backwards, on the same sequences; their outputs become one (Schuster and
    Paliwal, 1997).

    With `return_sequences` the steps of both come in the order of the input. The layer that is given is a pattern:
    `forward_layer` and `backward_layer` are new ones.

    Shapes: as of the layer; with ``merge_mode="concat"`` the last axis of the output is that of both, one after the
    other.

    Args:
        layer: A recurrent layer: an `RNN`, `SimpleRNN`, `LSTM` or `GRU`.
        merge_mode: How the outputs become one: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"`` (the mean), or None: a
            call returns both. Default ``"concat"``.
        weights: None. (Keras has the argument and does nothing with it; `set_weights` sets them.)
        backward_layer: The layer that goes backwards. Default ``None``: one like `layer`.
        name, trainable, dtype, input_shape, input_dim: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument, or two layers that do not go together; when called, inputs or states
            that do not fit.
    """

    takes_more = True
    holds_layers = True
    supports_masking = True
    reads_steps = True

    def __init__(
        self,
        layer: RNN,
        merge_mode: str | None = "concat",
        weights: None = None,
        backward_layer: RNN | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
        input_shape: int | Sequence[int | None] | None = None,
        input_dim: int | None = None,
    ) -> None:
        _check_recurrent(layer, "layer")
        if weights is not None:
            raise ValueError("weights must be None: call set_weights once the layer is built.")
        self.merge_mode = checks.choice(merge_mode, "merge_mode", _MERGES)
        self.forward_layer = _like(layer, "forward", {})
        if backward_layer is None:
            self.backward_layer = _like(layer, "backward", {"go_backwards": True})
        else:
            self.backward_layer = _check_recurrent(backward_layer, "backward_layer")
        _check_pair(self.forward_layer, self.backward_layer)
        for each in (self.forward_layer, self.backward_layer):
            each.zero_output_for_mask = each.return_sequences
        super().__init__(name, trainable, dtype, input_shape, input_dim)
        settle(self, [self.forward_layer, self.backward_layer])

    # ---- shapes and states

    @property
    def return_sequences(self) -> bool:
        """Whether the output has all steps."""
        return self.forward_layer.return_sequences

    @property
    def return_state(self) -> bool:
        """Whether a call returns the states at the end, too."""
        return self.forward_layer.return_state

    @property
    def stateful(self) -> bool:
        """Whether the layers keep their states from batch to batch."""
        return self.forward_layer.stateful

    @property
    def states(self) -> list[Weight] | None:
        """Of stateful layers: the states of both; None before they have seen a batch."""
        return [state for layer in self._both for state in layer.states or ()] or None

    def reset_state(self) -> None:
        """Of stateful layers: begin with zeros again."""
        for layer in self._both:
            layer.reset_state()

    def reset_states(self) -> None:
        """Keras's second name of `reset_state`."""
        self.reset_state()

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states at the beginning of both layers: zeros.

        Raises:
            TypeError, ValueError: no such batch_size.
        """
        return [state for layer in self._both for state in layer.get_initial_state(batch_size)]

    @property
    def _both(self) -> tuple[RNN, RNN]:
        return self.forward_layer, self.backward_layer

    def _halves(self, values: Any) -> tuple[Any, Any]:
        """What belongs to the input and the initial states, of each layer."""
        if not isinstance(values, list):
            return values, values
        count = len(sizes_of(self.forward_layer.cell))
        return [values[0], *values[1 : 1 + count]], [values[0], *values[1 + count :]]

    def sample_output_shape(self, shape: Any) -> Any:
        step = shape[0] if isinstance(shape, list) else shape
        if len(step) < 2:
            raise self._shape_error(f"takes samples of shape (steps, features), but got {step}.")
        expected = [*sizes_of(self.forward_layer.cell), *sizes_of(self.backward_layer.cell)]
        if isinstance(shape, list) and len(shape) != 1 + len(expected):
            raise self._shape_error(
                f"takes {len(expected)} initial states, the first half of them for the layer that goes forwards, but "
                f"got {len(shape) - 1}."
            )
        (y, *states), (y_back, *states_back) = (
            made if isinstance(made, list) else [made]
            for made in (
                layer.sample_output_shape(of_layer)
                for layer, of_layer in zip(self._both, self._halves(shape), strict=True)
            )
        )
        if self.merge_mode is None:
            outputs = [y, y_back]
        elif self.merge_mode == "concat":
            outputs = [(*y[:-1], y[-1] + y_back[-1])]
        elif y != y_back:
            raise self._shape_error(
                f"cannot put outputs of the shapes {y} and {y_back} together with merge_mode={self.merge_mode!r}."
            )
        else:
            outputs = [y]
        outputs += [*states, *states_back]
        return outputs if len(outputs) > 1 else outputs[0]

    def _drafts_within(self, shape: OpenShapes, dtype: str) -> list[Draft]:
        return [layer.draft(of_layer, dtype) for layer, of_layer in zip(self._both, self._halves(shape), strict=True)]

    def _arrange(self, outputs: list[Any]) -> Any:
        if len(outputs) == 1:
            return outputs[0]
        ends = 2 if self.merge_mode is None else 1
        sizes = [*self.forward_layer.state_size, *self.backward_layer.state_size] if self.return_state else []
        return *outputs[:ends], *like(sizes, iter(outputs[ends:]))

    def _input_name(self, number: int) -> str:
        return f"initial_state[{number - 1}] of layer {self.name!r}" if number else super()._input_name(number)

    # ---- calls

    def __call__(  # type: ignore[override]
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None
    ) -> Any:
        """What the layers make of sequences, arrays or symbolic tensors.

        Args:
            sequences: As for `RNN`.
            initial_state: A list of states: the first half is for the layer that goes forwards. Default: as for `RNN`.
            mask: As for `RNN`.
            training: As for `Layer`.

        Raises:
            TypeError, ValueError: what the layers cannot take; they are as before then.
        """
        return called(self, sequences, initial_state, mask, training)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the output, or a list of those of all outputs, where there are several. See `Layer`."""
        found = super().compute_mask(inputs, mask)
        states = [*sizes_of(self.forward_layer.cell), *sizes_of(self.backward_layer.cell)] if self.return_state else []
        both = [found, found] if self.merge_mode is None else [found]
        return [*both, *[None] * len(states)] if len(both) + len(states) > 1 else found

    def lower(self, net: Lowering, x: Any, shape: Any) -> Any:
        made = []
        for layer, tensors, shapes in zip(self._both, self._halves(x), self._halves(shape), strict=True):
            count = len(tensors) if isinstance(tensors, list) else 1
            made.append(layer.lower_with_masks(net, tensors, shapes, [net.mask, *[None] * (count - 1)])[0])
            layer.add_penalty(net, made[-1])
        (y, *states), (y_back, *states_back) = made
        of_y = self.forward_layer.sample_output_shape(self._halves(shape)[0])
        of_y = of_y[0] if isinstance(of_y, list) else of_y
        if self.return_sequences:
            back = self.backward_layer.sample_output_shape(self._halves(shape)[1])
            y_back = reverse(net, y_back, back[0] if isinstance(back, list) else back)
        outputs = self._merged(net, y, y_back, of_y)
        outputs += [*states, *states_back]
        return outputs if len(outputs) > 1 else outputs[0]

    def lower_mask(self, net: Lowering, x: Any, shape: Any, masks: Sequence[Mask | None]) -> Any:
        mask, outputs = masks[0], self.sample_output_shape(shape)
        if mask is None or not self.return_sequences:
            return None
        both = 2 if self.merge_mode is None else 1
        return [*[mask] * both, *[None] * (len(outputs) - both)] if isinstance(outputs, list) else mask

    def _merged(self, net: Lowering, y: int, y_back: int, shape: Shape) -> list[int]:
        """The outputs that become of those of both layers."""
        if self.merge_mode is None:
            return [y, y_back]
        if self.merge_mode == "concat":
            return [net.add("concat", [y, y_back], outer=shape[0] if self.return_sequences else 1)]
        if self.merge_mode == "mul":
            return [combined(net, "multiply", [y, y_back], [shape, shape])]
        total = net.add("add", [y, y_back])
        if self.merge_mode == "sum":
            return [total]
        return [combined(net, "divide", [total], [shape, ()], constant=[2.0], constant_first=False)]

    # ---- configuration

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": serialize(self.forward_layer),
            "backward_layer": serialize(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """The layer of these arguments.

        Args:
            config: What `get_config` gave.
            custom_objects: Classes of one's own by name. Default: none.
        """

        keys = [key for key in ("layer", "backward_layer") if config.get(key) is not None]
        return registry.knowing(
            custom_objects, lambda: cls(**{**config, **{key: deserialize(config[key]) for key in keys}})
        )


def _check_recurrent(layer: object, name: str) -> RNN:
    if isinstance(check_layer(layer, name), RNN):
        return layer  # type: ignore[return-value]
    raise TypeError(f"{name} must be a recurrent layer such as pynn.layers.LSTM(10), but got {checks.shown(layer)}.")


def _like(layer: RNN, direction: str, changed: dict[str, Any]) -> RNN:
    """A new layer of the settings of this one."""
    own = {kind.__name__: kind for kind in map(type, _within(layer)) if registry.is_own(kind)}
    config = {**layer.get_config(), "name": f"{direction}_{layer.name.removeprefix(f'{direction}_')}", **changed}
    return registry.knowing(own, lambda: type(layer).from_config(config))


def _within(layer: Layer) -> list[Layer]:
    """A layer and those that it holds."""
    return [layer, *(each for held in layer._sublayers for each in _within(held))]


def _check_pair(forward: RNN, backward: RNN) -> None:
    """Raise ValueError unless one of the layers goes backwards, and they have in common what they must."""
    if forward.go_backwards == backward.go_backwards:
        raise ValueError(
            f"One of layer and backward_layer must have go_backwards=True, but both have {forward.go_backwards}."
        )
    for name in _COMMON:
        if getattr(forward, name) != getattr(backward, name):
            raise ValueError(
                f"layer and backward_layer must have the same {name}, but have {getattr(forward, name)} and "
                f"{getattr(backward, name)}."
            )
