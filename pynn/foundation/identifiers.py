"""From what a user may write for an initializer, loss, metric, optimizer or layer to the object that is meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeVar

from . import checks, not_yet


class Configurable(Protocol):
    """An object that its configuration describes: ``type(x).from_config(x.get_config())`` equals ``x``."""

    def get_config(self) -> dict[str, Any]: ...

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any: ...


T = TypeVar("T", bound=Configurable)

# What other libraries and older versions of Keras call arguments whose names here look different.
_OTHER_NAMES = {"lr": "learning_rate", "eps": "epsilon", "betas": "beta_1", "p": "rate", "nb_epoch": "epochs"}


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
    )


def look_up(name: str, table: Mapping[str, type[T]], kind: str, ignore_case: bool = False) -> type[T]:
    """The class called `name`, else ValueError with the names there are."""
    found = table.get(name.lower() if ignore_case else name)
    if found is None:
        raise ValueError(unknown_name(name, table, kind))
    return found


def unknown_name(name: str, known: Collection[str], kind: str) -> str:
    """The message for a name that nothing has: what it may have meant, and what there is."""
    # Most things have a second name in capitals; one of the two is enough to be shown.
    names = sorted(each for each in known if each.islower()) or sorted(known)
    what = kind.rpartition("_")[2]  # "kernel_regularizer" is a regularizer
    if not_yet.is_missing(name, what):
        return f"{not_yet.message(name, what)} Known names: {', '.join(names)}."
    return f"Unknown {kind} {checks.shown(name)}.{did_you_mean(name, names)} Known names: {', '.join(names)}."


def did_you_mean(name: str, known: Collection[str], at_most: int = 3) -> str:
    """A question that names what of `known` is like `name`, with a space in front; empty if nothing is."""
    import difflib  # slow to import, and only needed here

    other = _OTHER_NAMES.get(name)
    close = [other] if other in known else difflib.get_close_matches(name.lower(), known, n=at_most)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def refuse_own(cls: type, kind: str, known: Collection[str], but: str = "") -> None:
    """Raise TypeError if `cls` is a class of the user's: the engine has the formulas of pynn's own and runs no others.

    Args:
        cls: A subclass of a base class of pynn.
        kind: What it is, such as "loss".
        known: The names there are.
        but: What to do instead, if there is something. Default: nothing.
    """
    if not cls.__module__.startswith("pynn."):
        names = ", ".join(sorted(name for name in known if not name.islower()) or sorted(known))
        raise TypeError(f"{cls.__name__}: {no_own(kind)}{but} There are: {names}.")


def no_own(kind: str) -> str:
    """Says that users' own things of `kind` do not work."""
    return f"pynn does not support {kind}{'es' if kind.endswith('s') else 's'} of your own yet."


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
