"""Users' own classes and functions by the names that configurations have for them.

They are known by registration, which lasts, or are given for a while: by a scope, or as `custom_objects`.
"""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from . import checks

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
]

R = TypeVar("R")

_registered: dict[str, Any] = {}
_names: dict[Any, str] = {}  # the other way round
_given: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar("custom_objects", default=None)


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[R], R]:
    """A decorator that lets files and configurations name a class, or function, of one's own.

        @pynn.saving.register_keras_serializable(package="mine")
        class Linear(pynn.layers.Layer): ...

    The name is ``"mine>Linear"``. A model with such layers is loaded without `custom_objects`, by any program that has
    imported the module of the class. What is registered later under the same name takes its place.

    Args:
        package: Before the ``>``. Default ``"Custom"``.
        name: After it. Default: the class's own.

    Raises:
        TypeError: names that are no strings; something else than a class or function.
        ValueError: a class without ``get_config``.
    """
    if not isinstance(package, str):
        raise TypeError(
            f"package must be a string, but got {checks.shown(package)}. The decorator is written with parentheses: "
            "@register_keras_serializable()."
        )
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a string, but got {checks.shown(name)}.")

    def register(thing: R) -> R:
        if not (callable(thing) and hasattr(thing, "__name__")):
            raise TypeError(f"Only a class or a function can be registered, but got {checks.shown(thing)}.")
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ValueError(
                "Cannot register a class that does not have a get_config() method, which returns the arguments of its "
                f"__init__ as a dict: {thing.__name__}."
            )
        known_as = f"{package}>{thing.__name__ if name is None else name}"
        _registered[known_as], _names[thing] = thing, known_as
        return thing

    return register


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function is registered, such as ``"mine>Linear"``; otherwise its own."""
    return _names.get(obj) or str(obj.__name__)


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """What has the name: in a `CustomObjectScope`, by registration, or in one of two dicts. None if nothing has it."""
    for known in (_given.get(), _registered, custom_objects, module_objects):
        if known and name in known:
            return known[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """The dict itself of what is registered. What a program puts in is known by that name."""
    return _registered


class CustomObjectScope:
    """A ``with`` block in which configurations may name what is one's own.

        with pynn.saving.custom_object_scope({"Linear": Linear}):
            model = pynn.load_model("model")

    Scopes within one another add up. Another thread does not see them.

    Args:
        custom_objects: Classes and functions by name. None: none.

    Raises:
        TypeError: no dict of names.
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        self.custom_objects = _checked({} if custom_objects is None else custom_objects)
        self._tokens: list[contextvars.Token[Mapping[str, Any] | None]] = []

    def __enter__(self) -> CustomObjectScope:
        self._tokens.append(_give(self.custom_objects))
        return self

    def __exit__(self, *error: object) -> None:
        _given.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope  # Keras has both names


def knowing(custom_objects: Mapping[str, Any] | None, make: Callable[[], R]) -> R:
    """What `make` returns, which finds users' own classes by these names.

    Raises:
        TypeError: no dict of names and classes.
    """
    if custom_objects is None:
        return make()
    context = contextvars.copy_context()
    context.run(_give, _checked(custom_objects))
    return context.run(make)


def own(*names: object) -> Any:
    """The user's thing that has the first of these names that is known, or None. What is given goes first."""
    for known in (_given.get() or {}, _registered):
        for name in names:
            if isinstance(name, str) and name in known:
                return known[name]
    return None


def is_own(thing: Any) -> bool:
    """Whether a class or function is not pynn's."""
    return not str(thing.__module__).startswith("pynn.")


def _give(custom_objects: Mapping[str, Any]) -> contextvars.Token[Mapping[str, Any] | None]:
    return _given.set({**(_given.get() or {}), **custom_objects})


def _checked(custom_objects: Any) -> Mapping[str, Any]:
    if not isinstance(custom_objects, Mapping) or not all(isinstance(name, str) for name in custom_objects):
        raise TypeError(
            'custom_objects must be a dict of names and classes, such as {"Linear": Linear}, but got '
            f"{checks.shown(custom_objects)}."
        )
    return custom_objects
