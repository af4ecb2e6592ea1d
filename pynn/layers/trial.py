"""What users' code does to layers, on trial: it is taken back, and may be done for good later.

The `build` and `call` of a layer of one's own set attributes and build other layers. Whether all of that fits together
is known at the end only, and layers are drafted before anything is made. So a trial remembers what the layers were that
are touched, takes everything back at the end, and keeps the changes that lead there again.
"""

from __future__ import annotations

import contextvars
import operator
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from ..foundation import atomic, names
from ..foundation.native import core
from .values import elsewhere

T = TypeVar("T")

# One thread at a time has layers on trial: nobody else is to build what another tries. It is not one of Python's locks,
# which an interrupt at the end of a `with` statement could leave held.
_lock = core.UseLock()
# Seconds between two looks at whether another thread is done.
_PATIENCE = 5e-4
_innermost: contextvars.ContextVar[Trial | None] = contextvars.ContextVar("trial", default=None)

# What is no part of a trial: these change in place. Users are noted by `using`; the others hold nothing that a failure
# would leave wrong.
_NOT_KEPT = ("_users", "_nodes", "_calls", "_by_length")


def current() -> Trial | None:
    """The innermost trial that is running here."""
    return _innermost.get()


def running() -> Trial:
    """The same, where there must be one."""
    trial = _innermost.get()
    assert trial is not None
    return trial


def is_calling() -> bool:
    """Whether a `call` is being traced: weights stand for what they will be then."""
    trial = current()
    return trial is not None and trial.phase == "call"


def ask_for_length() -> None:
    """Note that a `call` asks for the length of an axis that may have any."""
    trial = current()
    if trial is not None and trial.phase == "call":
        trial.asked_for_length = True


def is_for_one_length() -> bool:
    """Whether the `call` that is being traced is run for one length of several."""
    trial = current()
    return trial is not None and trial.for_one_length


def operation_name(function: str) -> str:
    """The name of an operation: counted as in Keras, but in a `call`, where there are no such names."""
    return function if is_calling() else names.auto_name(function)


class Trial:
    """One run of the code of a layer, and what came of it.

    Attributes:
        layer: The layer whose code runs.
        outer: The trial that this one is part of, or None.
        phase: ``"build"`` or ``"call"``.
        training: What a `call` is told of `training`.
        pending: Weights that were made, whose first values are not drawn yet.
        users: Changes by which models, and layers with a `call`, become users of layers.
        extra: Changes that come after those of the layers. No trial makes them: they are for the end only.
        inputs: The symbolic tensors that a `call` is given.
        losses: What a `call` has added to the loss.
        adds: How it adds to the loss in another mode: by a mean over the samples, by a sum over them, or both.
        noises: How many tensors of noise it has made.
        asked_for_length: Whether a `call` has asked for the length of an axis that may have any.
        for_one_length: Whether it is run for one such length.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.outer = current()
        self.phase = "build"
        self.training: bool | None = None
        self.pending: list[Any] = []
        self.users: list[atomic.Change] = []
        self.extra: list[atomic.Change] = []
        self.inputs: list[Any] = []
        self.losses: list[Any] = []
        self.adds: frozenset[str] = frozenset()
        self.noises = 0
        self.asked_for_length = False
        self.for_one_length: bool = self.outer is not None and self.outer.for_one_length
        self._before: dict[Any, dict[str, Any]] = {}
        self._redoing: list[atomic.Change] = []  # what leads from the layers before to those after
        self._over = False

    def run(self, work: Callable[[], T]) -> T:
        """What `work` returns; all layers are as before then."""
        context = contextvars.copy_context()
        if _lock.is_held_here:
            return context.run(self._run, work)
        while True:
            entered = False
            try:
                with _lock.hold("Another thread has layers on trial."):
                    entered = True
                    return context.run(self._run, work)
            except RuntimeError:
                if entered:
                    raise
                time.sleep(_PATIENCE)

    def _run(self, work: Callable[[], T]) -> T:
        _innermost.set(self)
        values = elsewhere()
        left = 0 if values is None else values.left
        try:
            try:
                self.touch(self.layer)
                return work()
            finally:
                self._take_back()
        finally:  # once more, where an interrupt came in between
            self._take_back()
            if values is not None:
                values.left = left

    def touch(self, layer: Any) -> None:
        """Remember what a layer is, before it changes."""
        if layer not in self._before:
            self._before[layer] = _kept(layer)

    @property
    def touched(self) -> Iterable[Any]:
        """The layers that were touched."""
        return self._before

    def redoing(self) -> list[atomic.Change]:
        """The changes that do once more what was done and taken back."""
        return [*self._redoing, *self.extra]

    def redoing_once(self) -> list[atomic.Change]:
        """The same, for building: a layer is built once, and by all threads as the first one did it."""
        return atomic.doing_first(self.layer, "_done", self.redoing())

    def join(self) -> None:
        """Do once more what was done, as a part of the trial that is running, which takes it back at its own end."""
        outer = running()
        outer.pending += self.pending
        outer.users += self.users
        outer.extra += self.extra
        for layer in self._before:
            outer.touch(layer)
        atomic.apply_together(self._redoing)

    def _take_back(self) -> None:
        if self._over:
            return
        undo: list[atomic.Change] = []
        again: list[atomic.Change] = []
        for layer, before in self._before.items():
            after = _kept(layer)
            undo += _leading(layer, after, before)
            again += _leading(layer, before, after)
        atomic.apply_together(
            [*undo, atomic.setting(self, "_redoing", again), atomic.setting(self, "_over", True)],
        )


def using(user: Any, layers: Iterable[Any]) -> list[atomic.Change]:
    """The changes by which `user` is one of these layers. What is on trial is none: a trial notes them for later."""
    changes: list[atomic.Change] = [atomic.Adding(layer._users, user) for layer in layers]
    trial = current()
    if trial is None:
        return changes
    trial.users += changes
    return []


# An attribute, and a copy of what it holds where that is a list or dict.
_Kept = dict[str, tuple[Any, Any]]


def _kept(layer: Any) -> _Kept:
    return {
        name: (value, value.copy() if type(value) in (list, dict) else None)
        for name, value in vars(layer).items()
        if name not in _NOT_KEPT
    }


def _leading(layer: Any, before: _Kept, after: _Kept) -> list[atomic.Change]:
    """The changes that make what was kept `after` of what was kept `before`."""
    attributes = vars(layer)
    changes: list[atomic.Change] = [partial(attributes.pop, name, None) for name in before if name not in after]
    for name, (value, content) in after.items():
        old, old_content = before.get(name, (None, None))
        if name not in before or old is not value:
            # Another thread may have built it meanwhile.
            first = name == "_built" and name not in before
            changes.append(partial(attributes.setdefault if first else attributes.__setitem__, name, value))
        elif content is not None and not _is_same(content, old_content):
            changes += _refilling(value, content)
    return changes


def _is_same(one: Any, other: Any) -> bool:
    """Whether two lists, or two dicts, hold the very same things."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(one[key] is other[key] for key in one)
    return len(one) == len(other) and all(map(operator.is_, one, other))


def _refilling(container: Any, content: Any) -> list[atomic.Change]:
    if isinstance(container, dict):
        return [container.clear, partial(container.update, content)]
    return [partial(operator.setitem, container, slice(None), content)]
