"""What a model takes and gives: its inputs and outputs, and how the arrays of a call are put together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np

from ..foundation.warning import warn
from . import nests
from .limits import Computed, Limits

# Of one sample; None along an axis of any length.
OpenShape: TypeAlias = tuple[int | None, ...]


class Port(NamedTuple):
    """One input or output. Outside of a model's description its shape has no None."""

    name: str
    shape: OpenShape
    below: int = 0  # whole numbers from 0 to below - 1; 0: numbers of the model's type

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape, where all of it is known."""
        return cast("tuple[int, ...]", self.shape)

    def takes(self, shape: OpenShape) -> bool:
        """Whether samples of `shape` are among those that it stands for."""
        return len(shape) == len(self.shape) and all(
            own is None or own == size for own, size in zip(self.shape, shape, strict=True)
        )

    @property
    def columns(self) -> int:
        """Size of the last axis: what a row of a loss has."""
        return self.sizes[-1] if self.shape else 1

    @property
    def rows(self) -> int:
        """How many rows a sample has: a loss has a value for each."""
        return math.prod(self.sizes) // self.columns


class Ports(NamedTuple):
    """All inputs, or all outputs.

    Attributes:
        ports: In the order of the model.
        form: How a call gives or gets their arrays: one array, a list, a tuple, a dict, or these within one another.
        keys: Of the dict, in the order of `ports`; of a nest, the ways through it (`nests.keys`); otherwise the names.
        nest: Where they are within one another: lists, tuples and dicts with the places of the ports.
        computed: The limits of ids that are computed of them.
    """

    ports: tuple[Port, ...]
    form: Literal["single", "list", "tuple", "dict", "nested"]
    keys: tuple[str, ...]
    nest: Any = None
    computed: Computed = Computed()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(port.name for port in self.ports)

    @property
    def limits(self) -> Limits:
        """Below what their ids must be."""
        return Limits(tuple(port.below for port in self.ports), self.computed)

    def of(self, shapes: Sequence[OpenShape]) -> Ports:
        """The same, with other shapes."""
        ports = (port._replace(shape=shape) for port, shape in zip(self.ports, shapes, strict=True))
        return self._replace(ports=tuple(ports))

    def named(self, name: str) -> list[str]:
        """What messages call each array, where the argument is called `name`."""
        if self.form == "single":
            return [name]
        if self.form == "nested":
            return nests.paths(self.nest, name)
        return [f"{name}[{key!r}]" for key in (self.keys if self.form == "dict" else range(len(self.ports)))]

    def arrange(self, values: Sequence[Any]) -> Any:
        """Values in the form of the model."""
        if self.form == "single":
            return values[0]
        if self.form == "dict":
            return dict(zip(self.keys, values, strict=True))
        if self.form == "nested":
            return nests.filled(self.nest, values)
        return tuple(values) if self.form == "tuple" else list(values)

    def take_apart(self, values: Any, name: str) -> list[Any]:
        """The arrays in `values`, one for each port: a list or tuple in their order, or a dict by key or name.

        A single array may come by itself. Lists and dicts within one another may come as they are, too.

        Raises:
            TypeError, ValueError: another number of arrays, or keys that are missing or left over.
        """
        if self.form == "nested" and nests.is_like(self.nest, values):
            return nests.taken(self.nest, values, name)
        if isinstance(values, Mapping):
            return self._by_key(values, name)
        if len(self.ports) == 1:
            return [values[0] if _holds_an_array(values, self.ports[0]) else values]
        form = "tuple" if self.form == "tuple" else "list"
        wanted = f"{name} must be a {form} of {len(self.ports)} arrays, for {_listed(self.keys)}"
        if not isinstance(values, list | tuple):
            raise TypeError(f"{wanted}, or a dict of them, but got {type(values).__name__}.")
        if len(values) != len(self.ports):
            raise ValueError(f"{wanted}, but got {len(values)}.")
        return list(values)

    def without_rest(self, values: Any, name: str, quiet: bool = False) -> Any:
        """The values without those that a dict has beside one for each port; a warning names them, unless `quiet`.

        Other values stay as they are: `take_apart` checks them.
        """
        if not isinstance(values, Mapping) or (self.form == "nested" and nests.is_like(self.nest, values)):
            return values
        keys = self._keys_of(values)
        if not set(keys) < set(values):
            return values
        if not quiet:
            extra = _listed(key for key in values if key not in keys)
            warn(f"{name} has the keys {_listed(values)}, but the model takes {_listed(keys)}: {extra} is left aside.")
        return {key: values[key] for key in keys}

    def _keys_of(self, values: Mapping[Any, Any]) -> tuple[str, ...]:
        """By which keys a dict has the values: those of the ports, or their names."""
        given = set(values)
        return self.names if given >= set(self.names) and not given >= set(self.keys) else self.keys

    def _by_key(self, values: Mapping[Any, Any], name: str) -> list[Any]:
        keys = self._keys_of(values)
        missing = [key for key in keys if key not in values]
        extra = [key for key in values if key not in keys]
        if missing or extra:
            wrong = [f"{_listed(missing)} missing"] * bool(missing) + [f"{_listed(extra)} left over"] * bool(extra)
            raise ValueError(f"{name} must be a dict with the keys {_listed(keys)}, but has {' and '.join(wrong)}.")
        return [values[key] for key in keys]


class Layout(NamedTuple):
    """What a model takes and gives."""

    dtype: str
    inputs: Ports
    outputs: Ports

    @property
    def is_open(self) -> bool:
        """Whether an axis of an input has any length."""
        return any(None in port.shape for port in self.inputs.ports)

    @property
    def input_shapes(self) -> tuple[OpenShape, ...]:
        """Of a sample of each input."""
        return tuple(port.shape for port in self.inputs.ports)

    @property
    def output(self) -> Port:
        """The first output."""
        return self.outputs.ports[0]


def single(port: Port) -> Ports:
    """One input or output, whose array comes by itself."""
    return Ports((port,), "single", (port.name,))


def ports(names: Sequence[str], shapes: Sequence[OpenShape], limits: Sequence[int], like: Any) -> Ports:
    """Inputs or outputs, put together as the value `like` is."""
    found = tuple(Port(*each) for each in zip(names, shapes, limits, strict=True))
    if nests.is_nested(like):
        nest = nests.nest_of(like)
        return Ports(found, "nested", tuple(nests.keys(nest, names)), nest)
    if isinstance(like, dict):
        return Ports(found, "dict", tuple(sorted(like)))
    if len(found) == 1:  # a list of one is, as in Keras, that one
        return Ports(found, "single", tuple(names))
    return Ports(found, "tuple" if isinstance(like, tuple) else "list", tuple(names))


def _holds_an_array(values: Any, port: Port) -> bool:
    """Whether `values` is a list around the one array of samples that is meant."""
    if not isinstance(values, list | tuple) or len(values) != 1:
        return False
    return isinstance(values[0], np.ndarray) and values[0].ndim == len(port.shape) + 1


def _listed(keys: Iterable[Any]) -> str:
    return ", ".join(repr(key) for key in keys)
