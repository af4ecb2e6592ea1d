"""From what a user may write for an initializer, loss, metric, optimizer or layer to the object that is meant."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from . import checks, not_yet
from .arguments import NamesItsArguments, did_you_mean


class Configurable(Protocol):
    """An object that its configuration describes: ``type(x).from_config(x.get_config())`` equals ``x``."""

    def get_config(self) -> dict[str, Any]: ...

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any: ...


class Described(NamesItsArguments):
    """Base of what its configuration describes, the arguments that make an equal object.

    Classes of one's own are refused, unless a subclass says otherwise.

    Attributes:
        kind: What messages call it, such as "loss".
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not cls.__module__.startswith("pynn."):
            cls._refuse()

    @classmethod
    def _refuse(cls) -> None:
        """Raise TypeError for a class that the engine cannot run: it has the formulas of pynn's own and no others."""
        raise TypeError(f"{cls.__name__}: {cls._own()}")

    @classmethod
    def _own(cls) -> str:
        """What to say to who has something of this kind of their own."""
        return no_own(cls.kind)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal object."""
        return {}

    @classmethod
    def from_config(cls: type[D], config: dict[str, Any]) -> D:
        """The object of these arguments."""
        return cls(**config)

    def _arguments(self) -> dict[str, Any]:
        """What `repr` shows: the configuration, unless a subclass has arguments that a configuration cannot hold."""
        return self.get_config()

    def _shows(self, setting: str, value: Any, default: Any) -> bool:
        """Whether `repr` has the setting: where it is not the default."""
        try:
            return bool(value != default)
        except ValueError:  # of an array
            return True

    def __repr__(self) -> str:
        defaults = {name: each.default for name, each in inspect.signature(type(self)).parameters.items()}
        settings = ", ".join(
            f"{setting}={checks.shown(value)}"
            for setting, value in self._arguments().items()
            if self._shows(setting, value, defaults.get(setting))
        )
        return f"{type(self).__name__}({settings})"


D = TypeVar("D", bound=Described)
T = TypeVar("T", bound=Configurable)
R = TypeVar("R")

# Users' own classes that are known by name while a configuration is read.
_custom: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar("custom_objects", default=None)


def resolve(identifier: object, base: type[T], table: Mapping[str, type[T]], kind: str, ignore_case: bool = False) -> T:
    """Return the `base` object that `identifier` stands for.

    Args:
        identifier: a name of `table`, an instance or a subclass of `base`, or a configuration
            ``{"class_name": ..., "config": {...}}``.
        table: class of each name; the names are in lower case where `ignore_case` is set.
        kind: what the error messages call it, such as "loss".

    Raises:
        ValueError: an unknown name. TypeError: an identifier of another kind.
    """
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, base):
        return identifier()
    if isinstance(identifier, str):
        return look_up(identifier, table, kind, ignore_case)()
    if isinstance(identifier, dict):
        name, config = split_config(identifier, kind)
        found: T = look_up(name, table, kind, ignore_case).from_config(config)
        return found
    raise TypeError(
        f"{kind} must be a name, an object of {base.__name__} or its configuration, "
        f"but got {checks.shown(identifier)} of type {type(identifier).__name__}."
        + (f" {base._own()}" if callable(identifier) and issubclass(base, Described) else "")
    )


def knowing(custom_objects: Mapping[str, Any] | None, make: Callable[[], R]) -> R:
    """What `make` returns, which finds users' own classes by these names.

    Raises:
        TypeError: no dict of names and classes.
    """
    if custom_objects is None:
        return make()
    if not isinstance(custom_objects, Mapping) or not all(isinstance(name, str) for name in custom_objects):
        raise TypeError(
            'custom_objects must be a dict of names and classes, such as {"Linear": Linear}, but got '
            f"{checks.shown(custom_objects)}."
        )
    context = contextvars.copy_context()
    context.run(_custom.set, {**(_custom.get() or {}), **custom_objects})
    return context.run(make)


def look_up(name: str, table: Mapping[str, type[T]], kind: str, ignore_case: bool = False) -> type[T]:
    """The class called `name`, else ValueError with the names there are."""
    found: type[T] | None = (_custom.get() or {}).get(name) or table.get(name.lower() if ignore_case else name)
    if found is None:
        raise UnknownNameError(unknown_name(name, table, kind), name, kind)
    return found


class UnknownNameError(ValueError):
    """Nothing of this kind has the name."""

    def __init__(self, message: str, name: str, kind: str) -> None:
        super().__init__(message)
        self.name, self.kind = name, kind


def unknown_name(name: str, known: Collection[str], kind: str) -> str:
    """The message for a name that nothing has: what it may have meant, and what there is."""
    # Most things have a second name in capitals; one of the two is enough to be shown.
    names = sorted({each for each in known if each.islower()} or set(known))
    what = kind.rpartition("_")[2]  # "kernel_regularizer" is a regularizer
    if not_yet.is_missing(name, what):
        return f"{not_yet.message(name, what)} Known names: {', '.join(names)}."
    return f"Unknown {kind} {checks.shown(name)}.{did_you_mean(name, names)} Known names: {', '.join(names)}."


def no_own(kind: str) -> str:
    """Says that users' own things of `kind` do not work, and where those are that do."""
    what = kind.rpartition("_")[2]
    module = what + ("es" if what.endswith("s") else "s")
    return f"pynn does not support {module} of your own yet. Use one of pynn.{module}."


def split_config(config: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    """``{"class_name": name, "config": settings}`` -> ``(name, settings)``, the settings copied."""
    given = config if isinstance(config, dict) else {}
    name, settings = given.get("class_name"), given.get("config", {})
    if not isinstance(name, str) or not isinstance(settings, dict):
        form = '{"class_name": a name, "config": a dict}'
        raise ValueError(f"The configuration of {kind} must be {form}, but got {checks.shown(config)}.")
    return name, dict(settings)


def serialize(configurable: Configurable) -> dict[str, Any]:
    """The configuration that `resolve` reads."""
    return {"class_name": type(configurable).__name__, "config": configurable.get_config()}
