"""A model's state as named arrays: everything that decides the bits of further training, and nothing else.

| name | what it is |
| --- | --- |
| ``dense/kernel`` | a weight, moving statistics included, by the path of its layer |
| ``scale`` | one that the model added to itself |
| ``optimizer/iterations``, ``optimizer/accumulated_steps`` | updates, and the steps since the last one |
| ``optimizer/learning_rate`` | unless it is a function or a schedule |
| ``optimizer/dense/kernel/momentum`` | what is kept of a weight: slots, ``average``, ``accumulated_gradient`` |
| ``noise/dropout`` | the key of a layer's noise |
| ``states/lstm/0`` | what a stateful layer keeps from batch to batch, once there was a batch |
| ``training/order_seed``, ``training/passes`` | the orders of samples, and how many passes over data were begun |
| ``training/calls`` | the calls with ``training=True``, each of which has noise of its own |
| ``callbacks/0/EarlyStopping/best`` | what callbacks know that were given: see `training/resume.py` |
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..foundation import atomic, checks
from ..foundation.names import to_snake_case
from ..foundation.native import core
from ..layers.base import Layer
from ..layers.weight import Weight
from ..training.compiling import Compiled
from .connected import Connected

if TYPE_CHECKING:
    from .. import _core

Array = NDArray[Any]
State = dict[str, Array]

# What names of other things than weights begin with. A layer of such a name has "~" before it.
_ROOTS = ("optimizer", "training", "noise", "states", "callbacks")

_COUNTS_OF_STEPS = ("optimizer/iterations", "optimizer/accumulated_steps")
# What an optimizer keeps from some later step on.
_LATE = ("average", "accumulated_gradient")

# What a class counts its names by, where it is not its own name.
_KINDS = {"Model": "Functional"}

_MOST = 2**53  # of counts
_SHOWN = 8  # names in a message


class Parts(NamedTuple):
    """The names of what a model has."""

    weights: dict[str, Weight]
    keys: dict[str, _core.NoiseKey]
    stateful: dict[str, Any]  # layers

    @property
    def kept(self) -> dict[str, Weight]:
        """The states that there are, by name."""
        return {f"{name}/{i}": each for name, layer in self.stateful.items() for i, each in enumerate(layer._kept)}


def is_weight(name: str) -> bool:
    """Whether the name is that of a weight."""
    return name.split("/", 1)[0] not in _ROOTS


def parts_of(model: Connected) -> Parts:
    """The weights and the keys of noise, by name.

    A name that a layer was not given is one among its neighbours, ``dense``, ``dense_1``, whatever the number that it
    has in the process: models that the same program makes have the same names.
    """
    parts, named = Parts({}, {}, {}), set[int]()
    for weight in model._own_weights:
        named.add(id(weight))
        parts.weights[_unused(_at_the_root(weight.name), parts.weights)] = weight
    for path, layer in _paths(model.layers, "", set()):
        for weight in layer._own_weights if isinstance(layer, Connected) else layer.weights:
            if id(weight) not in named:  # by a layer within this one
                named.add(id(weight))
                parts.weights[_unused(f"{path}/{weight.name}", parts.weights)] = weight
        key = getattr(layer, "_key", None)
        if isinstance(key, core.NoiseKey):
            parts.keys[_unused(f"noise/{path}", parts.keys)] = key
        if layer.keeps_states:
            parts.stateful[_unused(f"states/{path}", parts.stateful)] = layer
    return parts


def _paths(layers: Sequence[Layer], prefix: str, seen: set[int]) -> Iterator[tuple[str, Layer]]:
    """The layers, each once and after those within it, with their paths."""
    used: set[str] = set()
    counts: dict[str, int] = {}
    for layer in layers:
        name = _unused(_name(layer, counts), used)
        used.add(name)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        path = prefix + name if prefix else _at_the_root(name)
        if isinstance(layer, Connected):
            within = layer.layers
        else:
            # Where it has a call. What it extends is itself, and has the same weights and key.
            within = [each for each in getattr(layer, "_sublayers", ()) if each is not layer._extended]
        yield from _paths(within, f"{path}/", seen)
        yield path, layer


def _at_the_root(name: str) -> str:
    """The name of a layer or weight of the model, which is none of other things'."""
    return name if is_weight(name) else f"~{name}"


def _name(layer: Layer, counts: dict[str, int]) -> str:
    """The layer's name, with a number of this model's in place of the process's."""
    kind = to_snake_case(_KINDS.get(type(layer).__name__, type(layer).__name__))
    if not re.fullmatch(rf"{kind}(_\d+)?", layer.name):
        return layer.name
    number = counts[kind] = counts.get(kind, -1) + 1
    return f"{kind}_{number}" if number else kind


def _unused(name: str, used: Any) -> str:
    """The name, or where it is used one like it."""
    number, found = 1, name
    while found in used:
        number += 1
        found = f"{name}~{number}"
    return found


# ---- taking ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def held(model: Connected) -> Iterator[State]:
    """The state, as views of what the model has: as long as it is held, nobody trains or changes it.

    Raises:
        RuntimeError: another thread is training or changing it.
    """
    with contextlib.ExitStack() as stack:
        if not model._lock.is_held_here:  # as it is where a callback asks
            stack.enter_context(model._alone())
        parts = parts_of(model)
        compiled = model._state.compiled
        trainer = None if compiled is None else compiled.optimizer._trainer
        held_weights = (*parts.weights.values(), *parts.kept.values())
        owners = list({id(w.native[0]): w.native[0] for w in held_weights}.values())
        stack.enter_context(core.hold_to_read(owners, trainer))
        yield _views(model, parts)


def get_state(model: Connected) -> State:
    """Copies of the state; see ``Model.get_state``."""
    with held(model) as state:
        return {name: np.array(array) for name, array in state.items()}


def _views(model: Connected, parts: Parts) -> State:
    state: State = {name: weight._array for name, weight in (parts.weights | parts.kept).items()}
    state.update({name: np.array(key.value, np.uint64) for name, key in parts.keys.items()})
    state.update(_counts(model))
    compiled = model._state.compiled
    trainer = None if compiled is None else compiled.optimizer._trainer
    if compiled is not None and trainer is not None:
        learned = _learned(parts)
        begin = getattr(compiled.optimizer, "initial_accumulator_value", 0.0)
        slots = [slot for slot in trainer.state_names if slot not in _LATE]
        # Of a frozen weight there may be something to keep, or nothing.
        # Before the first step there is nothing, unless `iterations` was set back.
        begun = trainer.iterations > 0
        natives, needed = [w.native for w in learned.values()], [begun and w.trainable for w in learned.values()]
        for (name, weight), kept in zip(learned.items(), trainer.state(natives, needed), strict=True):
            if begun and weight.trainable and not kept:  # it has no part in the network
                kept = {slot: np.full(weight.shape, begin, weight.dtype) for slot in slots}
            state.update({f"optimizer/{name}/{slot}": a.reshape(weight.shape) for slot, a in kept.items()})
    return state


def _counts(model: Connected) -> State:
    """What is one number."""
    state: State = {
        "training/order_seed": np.array(model._order_seed, np.uint64),
        "training/passes": np.array(model._passes, np.int64),
        "training/calls": np.array(model._training_calls, np.int64),
    }
    compiled = model._state.compiled
    if compiled is None:
        return state
    optimizer = compiled.optimizer
    steps = optimizer.gradient_accumulation_steps or 1
    done = 0 if optimizer._trainer is None else optimizer._trainer.iterations
    state["optimizer/iterations"] = np.array(done // steps, np.int64)
    if optimizer.gradient_accumulation_steps is not None:
        state["optimizer/accumulated_steps"] = np.array(done % steps, np.int64)
    if not callable(optimizer._learning_rate):
        state["optimizer/learning_rate"] = np.array(optimizer._rate_now(), np.float64)
    return state


def _learned(parts: Parts) -> dict[str, Weight]:
    return {name: weight for name, weight in parts.weights.items() if weight.learned}


# ---- setting ---------------------------------------------------------------------------------------------------------


def set_state(model: Connected, state: Mapping[str, Any]) -> None:
    """Take a state on, all of it or, where an error is raised, nothing; see ``Model.set_state``."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be a dict of arrays by name, but got {checks.shown(state)}.")
    given = {name: np.asarray(array) for name, array in state.items()}
    with contextlib.ExitStack() as stack:
        if not model._lock.is_held_here:
            stack.enter_context(model._alone())
        atomic.apply_together(_setting(model, given))


def _setting(model: Connected, state: State) -> list[atomic.Change]:
    """The changes, when all is checked. The first is the only one that can fail."""
    parts, compiled = parts_of(model), model._state.compiled
    optimizer = None if compiled is None else compiled.optimizer
    trainer = None
    if optimizer is not None and model.built:
        trainer = optimizer._trainer
        if trainer is None:
            trainer = optimizer._trainer_alone(list(parts.weights.values()), model.dtype)
    _check_names(model, parts, trainer, state)
    numbers = {name: _whole(name, state[name]) for name in _counts(model) if name != "optimizer/learning_rate"}
    changes = []
    if compiled is not None and trainer is not None:
        changes += _setting_of_optimizer(model, compiled, trainer, parts, state, numbers)
    changes += [atomic.assigning(weight._array, state[name]) for name, weight in parts.weights.items()]
    changes += [atomic.setting(key, "value", int(state[name])) for name, key in parts.keys.items()]
    for name, layer in parts.stateful.items():
        changes += layer._taking_on([state[key] for key in _names_of_states(name, layer) if key in state])
    return [
        *changes,
        atomic.setting(model, "_order_seed", numbers["training/order_seed"]),
        atomic.setting(model, "_passes", numbers["training/passes"]),
        atomic.setting(model, "_training_calls", numbers["training/calls"]),
    ]


def _names_of_states(name: str, layer: Any) -> list[str]:
    return [f"{name}/{number}" for number in range(len(layer._sizes_of_states))]


def _states_like(model: Connected, parts: Parts, given: State) -> State:
    """Arrays such as the states must be that stateful layers take on: all of a layer, or none, of one batch."""
    like: State = {}
    names = [key for name, layer in parts.stateful.items() for key in _names_of_states(name, layer)]
    rows = next((len(given[key]) for key in names if key in given and given[key].ndim), 0)
    rows = model._batch_size or max(rows, 1)
    for name, layer in parts.stateful.items():
        own = _names_of_states(name, layer)
        if any(key in given for key in own):
            for key, size in zip(own, layer._sizes_of_states, strict=True):
                like[key] = np.broadcast_to(np.zeros((), model.dtype), (rows, *size))
    return like


def _check_names(model: Connected, parts: Parts, trainer: _core.Trainer | None, state: State) -> None:
    """Raise ValueError unless `state` has what is needed, and nothing else."""
    needed = {name: weight._array for name, weight in parts.weights.items()} | _counts(model)
    needed.update({name: np.array(0, np.uint64) for name in parts.keys})
    needed.update(_states_like(model, parts, state))
    possible: State = {}
    if trainer is not None:
        # A state without steps has no slots.
        trained = any(state[name].any() for name in _COUNTS_OF_STEPS if name in state)
        for name, weight in _learned(parts).items():
            for slot in trainer.state_names:
                is_needed = trained and weight.trainable and slot not in _LATE
                (needed if is_needed else possible)[f"optimizer/{name}/{slot}"] = weight._array
    wrong = differences(needed, possible, state)
    if wrong:
        raise ValueError(f"The state is not one of model {model.name!r}: {wrong}.")


def differences(needed: Mapping[str, Array], possible: Mapping[str, Array], given: Mapping[str, Array]) -> str:
    """What is missing, left over, or of another shape or type; empty where nothing is."""
    known = {**needed, **possible}
    other = [
        f"{name} has {_kind(array)} and must have {_kind(known[name])}"
        for name, array in given.items()
        if name in known and _kind(array) != _kind(known[name])
    ]
    lists = {
        "missing": [name for name in needed if name not in given],
        "left over": [name for name in given if name not in known],
        "of another shape or type": other,
    }
    return "; ".join(f"{what}: {listed(names)}" for what, names in lists.items() if names)


def _kind(array: Array) -> str:
    return f"shape {array.shape} of {array.dtype}"


def listed(names: list[str]) -> str:
    """Some names, as a message shows them."""
    more = len(names) - _SHOWN
    shown = [name if len(name) <= 300 else f"{name[:300]}..." for name in map(str, names[:_SHOWN])]
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _setting_of_optimizer(
    model: Connected, compiled: Compiled, trainer: _core.Trainer, parts: Parts, state: State, numbers: dict[str, int]
) -> list[atomic.Change]:
    optimizer = compiled.optimizer
    steps, since = optimizer.gradient_accumulation_steps or 1, numbers.get("optimizer/accumulated_steps", 0)
    if since >= steps:
        raise ValueError(f"optimizer/accumulated_steps must be less than {steps}, but is {since}.")
    done = numbers["optimizer/iterations"] * steps + since
    if done >= _MOST:
        raise ValueError(f"optimizer/iterations of {steps} steps each must be below 2^53 steps, but are {done}.")
    natives, kept = [], []
    for name, weight in _learned(parts).items():
        found = {slot: state.get(f"optimizer/{name}/{slot}") for slot in trainer.state_names}
        natives.append(weight.native)
        kept.append({slot: np.ascontiguousarray(a).reshape(-1) for slot, a in found.items() if a is not None})
    changes = [atomic.calling(trainer.set_state, done, natives, kept)]
    if optimizer._trainer is None:
        changes += model._compiling(compiled, trainer)
    if not callable(optimizer._learning_rate):
        rate = checks.number(float(state["optimizer/learning_rate"]), "optimizer/learning_rate", "[0, inf)")
        changes.append(atomic.setting(optimizer, "_learning_rate", rate))
        changes.append(atomic.setting(trainer, "learning_rate", rate))
    return changes


def _whole(name: str, array: Array) -> int:
    number = int(array)
    if name != "training/order_seed" and not 0 <= number < _MOST:
        raise ValueError(f"{name} must be a whole number from 0 to below 2^53, but is {number}.")
    return number
