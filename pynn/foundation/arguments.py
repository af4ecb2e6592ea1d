"""What a wrong call of a public class, method or function says: its name, and which argument may have been meant.

    >>> Dense(10, activaton="relu")
    TypeError: Dense() has no argument 'activaton'. Did you mean 'activation'?
    >>> model.summary(line_length=80)
    TypeError: Sequential.summary() does not have Keras's argument 'line_length' yet.

Python itself would name ``__init__``, and perhaps that of a private base. Right calls cost nothing: only the error of a
call that fits no argument list is replaced.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from . import not_yet

F = TypeVar("F", bound=Callable[..., Any])

# What other libraries and older versions of Keras call arguments whose names here look different.
_OTHER_NAMES = {"lr": "learning_rate", "eps": "epsilon", "betas": "beta_1", "p": "rate", "nb_epoch": "epochs"}


class NamesItsArguments:
    """Base of public classes whose ``__init__``, also that of a subclass, explains a call that does not fit."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = explain_wrong_calls(cls.__dict__["__init__"])  # type: ignore[method-assign]

    def _note_arguments(self, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """See the arguments of the call, before ``__init__`` runs."""

    def _check_made(self) -> None:
        """Raise TypeError where ``__init__`` left out what the class needs."""


def explain_wrong_calls(init: Callable[..., None]) -> Callable[..., None]:
    """`init`, an ``__init__``, with a TypeError in place of Python's where the arguments do not fit."""

    @functools.wraps(init)  # so that help() and editors see its arguments
    def __init__(self: NamesItsArguments, *args: Any, **named: Any) -> None:  # noqa: N807
        outermost = type(self).__init__ is __init__
        if outermost:
            self._note_arguments(args, named)
        try:
            init(self, *args, **named)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise  # from inside: the arguments did fit
            parameters = list(inspect.signature(init).parameters.values())[1:]
            raise TypeError(_explanation(type(self).__name__, parameters, args, named) or str(error)) from None
        if outermost:  # that of a base leaves more to do
            self._check_made()

    return __init__


def explained(call: F) -> F:
    """The method or function `call`, with a TypeError in place of Python's where the arguments do not fit."""

    @functools.wraps(call)
    def wrapper(*args: Any, **named: Any) -> Any:
        try:
            return call(*args, **named)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise  # from inside: the arguments did fit
            owner, parameters = call.__name__, list(inspect.signature(call).parameters.values())
            if parameters[0].name == "self" and args:
                owner, parameters, args = f"{type(args[0]).__name__}.{owner}", parameters[1:], args[1:]
            raise TypeError(_explanation(owner, parameters, args, named) or str(error)) from None

    return wrapper  # type: ignore[return-value]


def _explanation(
    owner: str, parameters: list[inspect.Parameter], args: tuple[Any, ...], named: Mapping[str, Any]
) -> str | None:
    """What is wrong with the arguments of a call of something with `parameters`; None if they fit."""
    kinds = inspect.Parameter
    known = [p.name for p in parameters if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    by_place = [p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    if not any(p.kind == kinds.VAR_KEYWORD for p in parameters):
        for name in named:
            if name not in known:
                return unknown_argument(owner, name, known)
    if len(args) > len(by_place) and not any(p.kind == kinds.VAR_POSITIONAL for p in parameters):
        places = f"only {', '.join(by_place)} without a name" if by_place else "all its arguments by name"
        return f"{owner}() takes {places}, but got {len(args)} arguments without a name."
    given = {*by_place[: len(args)], *named}
    for name in by_place[: len(args)]:
        if name in named:
            return f"{owner}() got its argument {name!r} twice: by its place and by its name."
    missing = [p.name for p in parameters if p.default is p.empty and p.name in known and p.name not in given]
    if missing:
        return f"{owner}() needs the argument{'s' * (len(missing) > 1)} {' and '.join(map(repr, missing))}."
    return None


def unknown_argument(owner: str, name: str, known: list[str]) -> str:
    """The message for an argument that `owner` does not have: the nearest one, else all that there are."""
    if not_yet.is_missing_argument(name, owner.rpartition(".")[2]):
        return f"{owner}() does not have Keras's argument {name!r} yet."
    if name == "decay" and "learning_rate" in known:
        return (
            f"{owner}() has no argument 'decay', which Keras 3 ignores. What it once was is "
            "learning_rate=schedules.InverseTimeDecay(rate, 1, decay)."
        )
    meant = did_you_mean(name, known, 1)
    return f"{owner}() has no argument {name!r}." + (meant or f" It has: {', '.join(known) or 'none'}.")


def did_you_mean(name: str, known: Collection[str], at_most: int = 3) -> str:
    """A question that names what of `known` is like `name`, with a space in front; empty if nothing is."""
    import difflib  # slow to import, and only needed here

    other = _OTHER_NAMES.get(name)
    close = [other] if other in known else difflib.get_close_matches(name.lower(), known, n=at_most)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
