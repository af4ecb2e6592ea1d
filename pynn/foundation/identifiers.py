"""From what a user may write for an initializer, loss, metric, optimizer or layer to the object that is meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeVar


class Configurable(Protocol):
    """An object that its configuration describes: ``type(x).from_config(x.get_config())`` equals ``x``."""

    def get_config(self) -> dict[str, Any]: ...

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any: ...


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
        return look_up(identifier, table, kind, ignore_case)()
    if isinstance(identifier, dict):
        name, config = split_config(identifier, kind)
        found: T = look_up(name, table, kind, ignore_case).from_config(config)
        return found
    raise TypeError(
        f"{kind} must be a name, an object of {base.__name__} or its configuration, "
        f"but got {identifier!r} of type {type(identifier).__name__}."
    )


def look_up(name: str, table: Mapping[str, type[T]], kind: str, ignore_case: bool = False) -> type[T]:
    """The class called `name`, else ValueError with the names there are."""
    found = table.get(name.lower() if ignore_case else name)
    if found is None:
        raise ValueError(unknown_name(name, table, kind))
    return found


def unknown_name(name: str, known: Collection[str], kind: str) -> str:
    """The message for a name that nothing has: what it may have meant, and what there is."""
    import difflib  # slow to import, and only needed here

    # Most things have a second name in capitals; one of the two is enough to be shown.
    names = sorted(each for each in known if each.islower()) or sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=3)
    meant = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"Unknown {kind} {name!r}.{meant} Known names: {', '.join(names)}."


def split_config(config: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    """``{"class_name": name, "config": settings}`` -> ``(name, settings)``, the settings copied."""
    given = config if isinstance(config, dict) else {}
    name, settings = given.get("class_name"), given.get("config", {})
    if not isinstance(name, str) or not isinstance(settings, dict):
        raise ValueError(
            f'The configuration of {kind} must be {{"class_name": a name, "config": a dict}}, but got {config!r}.'
        )
    return name, dict(settings)


def serialize(configurable: Configurable) -> dict[str, Any]:
    """The configuration that `resolve` reads."""
    return {"class_name": type(configurable).__name__, "config": configurable.get_config()}
