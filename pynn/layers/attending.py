"""What layers of attention have in common: a call has several tensors by name, and says more than these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..engine.lowering import Lowering, Mask
from ..foundation import checks, draws
from ..foundation.native import core
from .base import Layer
from .building import Draft
from .symbolic import SymbolicTensor
from .types import LayerArguments, Masks, OpenShapes, Shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

# The tensors of a call, in this order.
_NAMES = ("query", "value", "key", "attention_mask")


class Told(NamedTuple):
    """What a call of a layer says beside its tensors."""

    inputs: tuple[str, ...]  # which tensors it has
    return_attention_scores: bool = False
    use_causal_mask: bool = False


class AttentionLayer(Layer):
    """Base of the layers of attention. A call gives a list: query, value, then what there is of key and attention_mask.

    A layer is lowered as a call has it (`_use`): a copy that shares all with the layer, and knows what it was told.
    """

    takes_list = True
    supports_masking = True
    reads_steps = True
    dropout: float
    _told: Told | None = None  # of a copy
    _whole: AttentionLayer | None = None  # of a copy: the layer

    def __init__(self, dropout: float, seed: int | None, **base: Unpack[LayerArguments]) -> None:
        self.dropout = checks.number(dropout, "dropout", "[0, 1]")
        self.seed = None if seed is None else checks.non_negative_int(seed, "seed", at_most=2**64 - 1)
        self._uses: dict[Told, dict[Any, Any]] = {}  # what is kept of calls on arrays, by what they were told
        super().__init__(**base)
        # What is dropped is a function of it, the step and the place.
        self._key = core.NoiseKey(draws.next_key() if self.seed is None else self.seed) if self.dropout else None

    def __getstate__(self) -> dict[str, Any]:
        key = None if self._key is None else self._key.value
        return {**super().__getstate__(), "_key": key, "_uses": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        key = state["_key"]
        super().__setstate__({**state, "_key": None if key is None else core.NoiseKey(key)})

    # ---- calls -------------------------------------------------------------------------------------------------------

    def _attend(self, given: Sequence[Any], masks: Sequence[Any], told: Told, training: Any) -> Any:
        """What the layer makes of arrays, or of symbolic tensors; None stands for one that is not there."""
        tensors = [x for x in given if x is not None]
        names = tuple(name for name, x in zip(_NAMES, given, strict=False) if x is not None)
        told = told._replace(inputs=names)
        training = None if training is None else checks.boolean(training, "training")
        kept = [mask for mask, x in zip(masks, given, strict=True) if x is not None]
        kept = [] if all(mask is None for mask in kept) else kept
        if any(isinstance(x, SymbolicTensor) for x in tensors):
            if names[-1] == "attention_mask" and isinstance(tensors[0], SymbolicTensor):
                tensors[-1] = self._symbolic_mask(tensors[-1], tensors[0], "attention_mask", without_samples=2)
            return self._record(tensors, training, kept, told)
        if names[-1] == "attention_mask":
            tensors[-1] = self._for_each_sample(tensors[-1], tensors[0])
        return self._use(told)._compute(tensors, bool(training), kept)

    def _for_each_sample(self, mask: Any, query: Any) -> Any:
        """An array of a mask that may be the same for all samples, then with one for each."""
        array, samples = np.asarray(mask), np.shape(query)[:1]
        if array.dtype == bool or array.dtype.kind in "iu":
            array = (array != 0).astype(self.dtype)
        array = array[None] if array.ndim == 2 else array
        same = array.ndim > 2 and array.shape[0] == 1 and samples
        return np.ascontiguousarray(np.broadcast_to(array, (*samples, *array.shape[1:]))) if same else array

    def _use(self, settings: Any) -> Any:
        if settings is None:
            return self
        copy = object.__new__(type(self))
        calls = self._uses.setdefault(settings, {})
        vars(copy).update(vars(self), _told=settings, _whole=self, _calls=calls)
        return copy

    def _settings_for(self, shape: OpenShapes) -> Any:
        """Which inputs the shapes are of that the layer is built for."""
        if self._built is None or shape != self._built.shape:
            return None
        names = next((told.inputs for told in list(self._uses) if len(told.inputs) == len(shape)), None)
        return None if names is None else Told(names)

    @property
    def _itself(self) -> AttentionLayer:
        return self if self._whole is None else self._whole

    def draft(self, shape: OpenShapes, dtype: str, masks: Masks = ()) -> Draft:
        """What the layer would be for samples of `shape`; ValueError if it cannot take them, or is built for others."""
        draft = super().draft(shape, dtype, masks)
        return draft if self._whole is None else draft._replace(layer=self._whole)

    def _build_for(self, shape: OpenShapes, masks: Masks = ()) -> None:
        super()._build_for(shape, masks)
        if self._whole is not None:
            self._built = self._whole._built

    def _arguments_of(self, settings: Told) -> dict[str, Any]:
        flags = settings._asdict()
        return {"inputs": list(flags.pop("inputs")), **{name: value for name, value in flags.items() if value}}

    def _settings_of(self, arguments: Mapping[str, Any], tensors: int) -> Told | None:
        names = arguments.get("inputs")
        if names is None:
            return None
        flags = {name: arguments.get(name, False) for name in Told._fields[1:]}
        known = isinstance(names, list | tuple) and list(names) == [name for name in _NAMES if name in names]
        if not known or names[:2] != list(_NAMES[:2]) or len(names) != tensors:
            raise ValueError(f"config has a call of layer {self.name!r} on the tensors {checks.shown(names)}.")
        if any(type(value) is not bool for value in flags.values()):
            raise ValueError(f"config has a call of layer {self.name!r} with {checks.shown(flags)}.")
        return Told(tuple(names), **flags)

    def _arrange(self, outputs: list[Any]) -> Any:
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    def _input_name(self, number: int) -> str:
        names = _NAMES if self._told is None else self._told.inputs
        return f"{names[number] if number < len(names) else number} of layer {self.name!r}"

    # ---- what the call has -------------------------------------------------------------------------------------------

    @property
    def _gives_scores(self) -> bool:
        return self._told is not None and self._told.return_attention_scores

    @property
    def _is_causal(self) -> bool:
        return self._told is not None and self._told.use_causal_mask

    def _named(self, values: Sequence[Any]) -> dict[str, Any]:
        """What belongs to each input, by its name; the key is the value where there is none."""
        names = _NAMES if self._told is None else self._told.inputs
        if not 2 <= len(values) <= min(len(names), 3 if self._told is None else 4):
            raise self._shape_error(f"takes query and value, and perhaps a key, but got {len(values)} inputs.")
        found = dict(zip(names, values, strict=False))
        return {"key": found["value"], **found}

    def _places(self, shapes: Mapping[str, Shape]) -> tuple[Shape, Shape]:
        """The axes that attention goes along: those of the queries, and those of the keys."""
        query, value, key = (shapes[name] for name in _NAMES[:3])
        if min(map(len, (query, value, key))) < 2:
            raise self._shape_error(
                f"takes sequences, samples of shape (length, size), but got query, value and key of shape {query}, "
                f"{value} and {key}."
            )
        if value[:-1] != key[:-1]:
            raise self._shape_error(
                f"takes a value and a key of the same lengths, but they have the shapes {value} and {key}."
            )
        return query[:-1], key[:-1]

    def _mask_of(self, net: Lowering, name: str) -> Mask | None:
        names = _NAMES if self._told is None else self._told.inputs
        return next((mask for own, mask in zip(names, net.masks, strict=False) if own == name), None)

    def _check_step_mask(self, mask: Mask | None, steps: Shape) -> None:
        if mask is not None and mask.shape != steps:
            raise self._shape_error(f"takes masks of steps, of shape {steps}, but got one of shape {mask.shape}.")

    def _noise(self, net: Lowering) -> dict[str, Any]:
        """The settings of noise of an op."""
        if self._key is None or net.inference:
            return {"rate": 0.0, "seed": 0}
        key = self._key.value
        return {"rate": self.dropout, "seed": (net.seed(key) - key) % 2**64, "key": self._key}
