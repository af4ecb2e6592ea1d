"""From what a user may write for an initializer, loss, metric, optimizer or layer to the object that is meant."""

from __future__ import annotations

import inspect
import types
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from . import checks, lazy, not_yet, registry
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
        if registry.is_own(cls):
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
        return look_up(identifier, base, table, kind, ignore_case)()
    if isinstance(identifier, dict):
        return made_of(identifier, base, table, kind, ignore_case)
    raise TypeError(
        f"{kind} must be a name, an object of {base.__name__} or its configuration, "
        f"but got {checks.shown(identifier)} of type {type(identifier).__name__}."
        + (f" {base._own()}" if callable(identifier) and issubclass(base, Described) else "")
    )


def made_of(
    config: dict[str, Any], base: type[T], table: Mapping[str, type[T]], kind: str, ignore_case: bool = False
) -> T:
    """The `base` object that a configuration describes; arguments and errors as for `resolve`."""
    name, settings = split_config(config, kind)
    if config.get("registered_name", "") is None and name in table:  # said to be none of one's own
        cls = table[name]
    else:
        cls = look_up(name, base, table, kind, ignore_case, config.get("registered_name"))
    found: T = cls.from_config(settings)
    return found


def look_up(
    name: str,
    base: type[T],
    table: Mapping[str, type[T]],
    kind: str,
    ignore_case: bool = False,
    registered_name: object = None,
) -> type[T]:
    """The class called `name`: one of the user's own that is a `base`, also by `registered_name`, or one of `table`.

    Raises:
        ValueError: an unknown name, with the names there are. TypeError: what is known by it is of another kind.
    """
    own = registry.own(registered_name, name)
    if isinstance(own, type) and issubclass(own, base):
        return own
    # A class of one's own has a registered name, and is never one of pynn's, even where it is called as one.
    if registered_name in (None, ""):
        found = table.get(name.lower() if ignore_case else name)
        if found is not None:
            return found
    if own is not None:
        raise TypeError(f"{name!r} must be a {kind}, but custom_objects has {checks.shown(own)} for it.")
    raise UnknownNameError(unknown_name(name, table, kind), name, kind)


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
    kind = type(configurable)
    described: dict[str, Any] = {"class_name": kind.__name__, "config": configurable.get_config()}
    if registry.is_own(kind):
        described["registered_name"] = registry.get_registered_name(kind)
    elif registry.own(kind.__name__) is not None:  # which is called as it, and is not meant
        described["registered_name"] = None
    return described


def plain(value: Any) -> Any:
    """A configuration in which the objects, such as layers that a `get_config` returns, are their configurations.

    These have a `module`, as classes of one name may be of several kinds.

    Raises:
        TypeError: something that no configuration describes.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, types.FunctionType) and value.__name__ != "<lambda>":
        module, name = _module_of(value), registry.get_registered_name(value)
        if module == "pynn.ops" and name not in lazy.found("pynn.ops:NAMED"):
            raise TypeError(f"ops.{name} is a function that no file names: give one of your own that calls it")
        return {"module": module, "class_name": "function", "config": name, "registered_name": name}
    if hasattr(value, "get_config") and not isinstance(value, type):
        found = serialize(value)
        return {"module": _module_of(type(value)), "registered_name": None, **found, "config": plain(found["config"])}
    if hasattr(value, "serialize") and hasattr(value, "config"):  # an activation
        described = value.serialize()
        if callable(described):  # a function of one's own
            return plain(described)
        module = _module_of(type(value))
        return {"module": module, "class_name": value.name, "config": plain(value.config), "registered_name": None}
    raise TypeError(
        f"{checks.shown(value)} of type {type(value).__name__} is no plain value, has no get_config() that describes "
        "it, and is no function with a name"
    )


def function_of(description: Mapping[str, Any]) -> Any:
    """The function that `plain` described: one of one's own, or one of ``pynn.ops``; None where it is neither."""
    name = description.get("config")
    own = registry.own(description.get("registered_name"), name)
    if callable(own):
        return own
    if description.get("module") != "pynn.ops":
        return None
    return lazy.found(f"pynn.ops:{name}") if name in lazy.found("pynn.ops:NAMED") else None


def no_function(description: Mapping[str, Any]) -> ValueError:
    """The error for a function that is not known by its name."""
    return ValueError(
        f"There is no function {checks.shown(description.get('config'))}. If it is yours, register it, or give it: "
        "custom_objects={name: function}."
    )


def _module_of(thing: Any) -> str:
    """Where a class or function is; one of pynn, the room."""
    module = str(thing.__module__)
    return module if registry.is_own(thing) else ".".join(module.split(".")[: 3 if ".schedules" in module else 2])
