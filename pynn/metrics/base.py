"""What all metrics have in common, also those of one's own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import config, initializers
from ..data import arrays
from ..foundation import checks, registry
from ..foundation.identifiers import Described
from ..foundation.names import to_snake_case
from ..initializers import InitializerLike
from ..losses.base import Loss
from .variable import Variable

Array = NDArray[Any]


class Metric(Described):
    """Base of the metrics; ``metric(y_true, y_pred, sample_weight=None)`` takes a batch and returns the result so far.

    One of your own defines three methods in NumPy, and, for arguments of its own, ``get_config``:

    - ``update_state(y_true, y_pred, sample_weight=None)`` takes one more batch,
    - ``result()`` returns the metric of all batches, a number or an array,
    - ``reset_state()`` begins anew.

    What it keeps between them are attributes: numbers, arrays, other metrics, or what `add_variable` makes, as in
    Keras. Where there are only the last two it needs no ``reset_state``.

    A model calls it with `y_pred` of the shape (samples, ...) of its output, and `y_true` of the same shape, or of
    class labels without the last axis where the loss takes such. Rows that the loss ignores are left out; what is left
    of a batch then comes as rows. The model works with copies of the metric (`fresh`), and has the metric become the
    copy (`take`) when it reports the result.

    Args:
        name: Default: the metric's own name.
        dtype: Number type of direct calls; each metric says what is the default. A model computes in its own.

    Attributes:
        sparse: Whether `y_true` are class labels; None for a metric that takes either.
        direction: "up" where more is better, "down" where less is; None where nothing is said.
        additive: Whether batches without weights may be joined, or cut, and the metric has the same bits: what it keeps
            are counts. Others are shown one batch after the other.
        state_names: The attributes that are its state. Default None: all attributes that are numbers or arrays.
    """

    kind = "metric"
    default_name: ClassVar[str] = ""  # where it is not the class's in snake case
    sparse: bool | None = None
    direction: ClassVar[str | None] = None
    additive: bool = False
    state_names: ClassVar[tuple[str, ...] | None] = None
    _is_own: ClassVar[bool] = False  # one's own, which alone may have variables and metrics within

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        if type(self) is Metric:
            raise TypeError(f"Metric measures nothing itself. {self._own()}")
        self.name = checks.text(name, "name") if name else self.automatic_name()
        self.dtype = None if dtype is None else config.resolve_dtype(dtype)
        self._variables: list[Variable] = []

    def _check_begun(self, when: str = "") -> None:
        if not hasattr(self, "_variables"):
            raise TypeError(f"{type(self).__name__}.__init__ must call super().__init__(name, dtype){when}.")

    def _check_made(self) -> None:
        self._check_begun()
        own = type(self).reset_state
        if own is _BASE["reset_state"]:
            lacks = not self._variables and not any(_metrics_in(vars(self)))
        else:  # that of pynn's own metrics does not know of variables
            lacks = bool(self._variables) and not registry.is_own(own)
        if lacks:
            raise TypeError(f"{type(self).__name__} must define reset_state. {self._own()}")

    @classmethod
    def _own(cls) -> str:
        return (
            "A metric of your own is a subclass of pynn.metrics.Metric with update_state, result and reset_state (not "
            "needed where add_variable makes all of its state), or a function of y_true and y_pred."
        )

    @classmethod
    def _refuse(cls) -> None:
        cls._is_own = True
        missing = [name for name in ("update_state", "result") if getattr(cls, name) is _BASE[name]]
        if missing:
            raise TypeError(f"{cls.__name__} must define {', '.join(missing)}. {cls._own()}")
        own = [each for each in cls.__mro__ if registry.is_own(each)]
        base = next(each for each in cls.__mro__ if each not in own)
        if base is Metric or not registry.is_own(cls.update_state):
            return
        # What a metric of pynn says of its batches need not hold for those that a subclass makes its own of.
        for name in ("check_kind", "check_beside", "check_output", "check_targets", "additive", "state_names"):
            if not any(("sparse" if name == "check_kind" else name) in vars(each) for each in own):
                setattr(cls, name, _take_anything if name.startswith("check_") else vars(Metric)[name])

    def automatic_name(self) -> str:
        """The name of a metric that was given none."""
        return self.default_name or to_snake_case(type(self).__name__)

    # ---- what a model checks before it trains or evaluates

    def check_kind(self, labels: bool) -> None:
        """Raise ValueError unless the metric takes targets as the model's loss does: class `labels`, or values."""
        if self.sparse is None or self.sparse == labels:
            return
        wanted, given = ("class labels", "targets of the output's shape")[:: 1 if self.sparse else -1]
        like = self.counterpart()
        raise ValueError(
            f"The metric {self.name} takes {wanted}, but the loss takes {given}.{f' Use {like} instead.' * bool(like)}"
        )

    def counterpart(self) -> str:
        """What takes the other kind of targets; empty for nothing."""
        return ""

    def check_beside(self, loss: Loss | None) -> None:
        """Raise ValueError unless the metric can be measured beside a model's `loss`, or None."""

    def check_output(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless the metric can be measured of an output of this shape."""

    def check_columns(self, shape: tuple[int, ...], columns: str) -> None:
        """Raise ValueError unless the output has `columns`, such as "classes", and no other axis."""
        if len(shape) != 1:
            inner = ", ".join(map(str, shape))
            raise ValueError(
                f"The metric {self.name} is for outputs (samples, {columns}), but it is (samples, {inner})."
            )

    def check_targets(self, targets: Array) -> None:
        """Raise ValueError unless the metric has a meaning for `targets`, which the model's loss has prepared."""

    def prepare_targets(
        self, y: ArrayLike, *, dtype: DTypeLike, output_shape: tuple[int, ...], name: str = "y"
    ) -> Array:
        """Targets as a model keeps them, where no loss says it; see `Loss.prepare_targets`."""
        if self.sparse:
            return arrays.as_class_labels(y, name, output_shape[:-1], output_shape[-1])
        return arrays.as_targets(y, name, dtype, output_shape)

    # ---- its state

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take one more batch."""
        raise NotImplementedError

    def result(self) -> Any:
        """The metric over all batches since the last `reset_state`."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Begin anew: variables become 0, whatever they began with, as in Keras, and metrics within begin anew."""
        for variable in self._variables:
            variable.assign(np.zeros(variable.shape))
        for _, metric in _metrics_in(vars(self)):
            metric.reset_state()

    def add_variable(
        self,
        shape: int | Sequence[int],
        initializer: InitializerLike,
        dtype: DTypeLike | None = None,
        aggregation: str | None = "sum",
        name: str | None = None,
    ) -> Variable:
        """A new array of the state of a metric of one's own.

        Args:
            shape: Its shape; () for one number.
            initializer: Name or `Initializer` of the first values.
            dtype: A float or integer type, or bool. Default: that of the metric, else float64.
            aggregation: Without effect: Keras has it for several machines.
            name: Default ``"variable"``, then ``"variable_1"`` and so on.

        Raises:
            TypeError, ValueError: a bad argument.
        """
        self._check_begun(" before add_variable")
        count = len(self._variables)
        number_type = np.dtype(self.dtype or np.float64 if dtype is None else dtype)
        if number_type.kind not in "biu" and number_type not in (np.float32, np.float64):
            raise ValueError(f'dtype must be "float32", "float64", whole numbers or bool, but got {number_type}.')
        checks.choice(aggregation, "aggregation", (None, "none", "mean", "sum", "only_first_replica"))
        own = (f"variable_{count}" if count else "variable") if name is None else checks.text(name, "name")
        values = np.asarray(initializers.get(initializer)(checks.shape(shape, "shape"), np.float64))
        variable = Variable(f"{self.name}/{own}", values.astype(number_type))
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: int | Sequence[int] = (),
        initializer: InitializerLike = "zeros",
        dtype: DTypeLike | None = None,
        name: str | None = None,
    ) -> Variable:
        """`add_variable` with defaults: one number, 0."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """What `add_variable` made, and what it made for the metrics of one's own within.

        Raises:
            AttributeError: one of pynn's metrics, whose state is in attributes: see `get_state`.
        """
        if not self._is_own:
            raise AttributeError(f"{type(self).__name__} has no variables: get_state() and set_state() have its state.")
        return self._all_variables()

    def _all_variables(self) -> list[Variable]:
        return [*self._variables, *(each for _, metric in _metrics_in(vars(self)) for each in metric._all_variables())]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_state(self) -> dict[str, Array]:
        """What the metric has seen so far, as a dict of arrays."""
        names = self.state_names
        if names is None:
            names = tuple(name for name, value in vars(self).items() if _is_numeric(value))
        state = {name: np.array(value) for name in names if (value := getattr(self, name)) is not None}
        state |= {f"variables[{place}]": each.numpy() for place, each in enumerate(self._variables)}
        for place, metric in _metrics_in(vars(self)):
            state |= {f"{place}.{name}": value for name, value in metric.get_state().items()}
        return state

    def set_state(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `get_state` of an equal metric gave.

        Raises:
            ValueError: names or shapes that are not those of this metric's state; it is as before then.
        """
        given = {name: np.array(value) for name, value in state.items()}
        if any(_metrics_in(vars(self))):
            self._twin()._go_on(given)  # any of those within may refuse its part
        self._go_on(given)

    def _go_on(self, given: dict[str, Array]) -> None:
        """`set_state`, which leaves the metric half-changed where one within refuses its part."""
        parts: dict[str, dict[str, ArrayLike]] = {place: {} for place, _ in _metrics_in(vars(self))}
        own = {}
        variables = {f"variables[{place}]": each for place, each in enumerate(self._variables)}
        for name, value in given.items():
            place = next((place for place in parts if name.startswith(f"{place}.")), None)
            if place is not None:
                parts[place][name.removeprefix(f"{place}.")] = value
                continue
            now = variables.get(name, getattr(self, name, None))
            known = hasattr(self, name) if self.state_names is None else name in self.state_names
            known = (known and not isinstance(now, Variable)) or name in variables
            if not known or (now is not None and np.shape(now) != value.shape):
                raise self._wrong_state(given)
            own[name] = value
        self.reset_state()
        for name, value in own.items():
            if name in variables:
                variables[name].assign(value)
            else:
                setattr(self, name, value if value.ndim else value[()])
        for place, metric in _metrics_in(vars(self)):
            metric.set_state(parts[place])

    def _wrong_state(self, given: Mapping[str, Array]) -> ValueError:
        own, other = (
            ", ".join(f"{name} {np.shape(x)}" for name, x in each.items()) for each in (self.get_state(), given)
        )
        return ValueError(
            f"The state of {type(self).__name__} is {own or 'empty'}, but state has {other or 'nothing'}."
        )

    def fresh(self) -> Metric:
        """A metric of the same settings that has seen nothing. The two share nothing that changes."""
        twin = self._twin()
        twin.reset_state()
        return twin

    def _twin(self) -> Metric:
        twin = copy.copy(self)
        if self._is_own:
            twin._become(vars(self), {id(self): twin})
        else:
            twin.take(self)
        return twin

    def take(self, other: Metric) -> None:
        """Become what `other`, which came from `fresh`, is now. The two share nothing that changes.

        Variables, and metrics within, stay the objects that they were.
        """
        held = dict(vars(other))  # another thread may be about it
        if not self._is_own:
            vars(self).update({name: copy.copy(x) if isinstance(x, _CHANGES) else x for name, x in held.items()})
            return
        known: dict[int, Any] = {id(other): self}
        own, theirs = ([*each["_variables"], *dict(_metrics_in(each)).values()] for each in (vars(self), held))
        for mine, its in zip(own, theirs, strict=False):
            if type(mine) is type(its):
                mine.take(its)
                known[id(its)] = mine
        self._become(held, known)

    def _become(self, held: dict[str, Any], known: dict[int, Any]) -> None:
        vars(self).update({name: _apart(value, known) for name, value in held.items()})

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    def _shows(self, setting: str, value: Any, default: Any) -> bool:
        return super()._shows(setting, value, self.automatic_name() if setting == "name" else default)


def _take_anything(self: Metric, given: object) -> None:
    """A check that takes anything."""


_CHANGES = (np.ndarray, list, dict, set)
_HOLDERS = (list, tuple, dict)
_BASE = {name: getattr(Metric, name) for name in ("update_state", "result", "reset_state")}


def _is_numeric(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufc"
    return isinstance(value, int | float | np.number | np.bool_)


def _metrics_in(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Metric]]:
    """The metrics that are attributes, or stand in lists, tuples and dicts that are, and where they are."""
    for name, value in attributes.items():
        yield from _metrics_within(name, value)


def _metrics_within(place: str, value: Any) -> Iterator[tuple[str, Metric]]:
    if isinstance(value, Metric):
        yield place, value
    elif isinstance(value, _HOLDERS):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _metrics_within(f"{place}[{key}]", each)


def _apart(value: Any, known: dict[int, Any]) -> Any:
    """What a twin of a metric has in place of an attribute: a copy, where it changes.

    Args:
        value: The attribute.
        known: What the twin has in place of variables and metrics, by their id; more is added.
    """
    if isinstance(value, Variable | Metric):
        if id(value) not in known:
            known[id(value)] = copy.copy(value) if isinstance(value, Variable) else value._twin()
        return known[id(value)]
    if not isinstance(value, _HOLDERS):
        return copy.copy(value) if isinstance(value, np.ndarray | set) else value
    if type(value) is tuple:
        return tuple(_held_apart(each, known) for each in value)
    twin = copy.copy(value)
    if isinstance(twin, dict | list):
        for place, each in list(twin.items() if isinstance(twin, dict) else enumerate(twin)):
            twin[place] = _held_apart(each, known)
    return twin


def _held_apart(value: Any, known: dict[int, Any]) -> Any:
    """As `_apart`, for what a list, tuple or dict holds: what is no part of a metric's state is shared."""
    return _apart(value, known) if isinstance(value, (Variable, Metric, *_HOLDERS)) else value
