"""Several callbacks as one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..foundation import checks
from .base import Callback, Logs
from .history import History
from .progress import ProgbarLogger

_Kind = TypeVar("_Kind", bound=Callback)

_OLD_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList(Callback):
    """Calls the hooks of several callbacks, in order, for loops of one's own. `fit` makes its own from a list.

    Args:
        callbacks: A callback, or a list of them, which may be nested. Default: none. The callbacks of another
            `CallbackList` are taken out of it.
        add_history: Whether to add a `History` if there is none. Default ``False``.
        add_progbar: Whether to add a `ProgbarLogger` if there is none. Default ``False``.
        model: The model of the run.
        params: ``epochs``, ``steps``, ``verbose``.

    Attributes:
        callbacks: The callbacks.

    Raises:
        TypeError: something that is no callback.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        self.callbacks: list[Callback] = list(_flat(callbacks))
        self._found: dict[str, list[Callable[..., None]]] = {}  # those that override a hook
        if add_history and self._first(History) is None:
            self.append(History())
        if add_progbar and self._first(ProgbarLogger) is None:
            self.append(ProgbarLogger())
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def _first(self, kind: type[_Kind]) -> _Kind | None:
        """The first callback of a class; None where there is none."""
        for each in self.callbacks:
            if isinstance(each, kind):
                return each
        return None

    def append(self, callback: Callback) -> None:
        """Add a callback."""
        self.callbacks.append(callback)
        self._found = {}

    def set_model(self, model: Any) -> None:
        """Tell all callbacks their model."""
        self._model = model
        for each in self.callbacks:
            each.set_model(model)

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Tell all callbacks ``epochs``, ``steps`` and ``verbose``."""
        self.params = dict(params)
        for each in self.callbacks:
            each.set_params(params)

    def _give_up(self) -> None:
        for each in self.callbacks:
            each._give_up()

    def wants_batches(self, phase: str) -> bool:
        """Whether any callback overrides a hook of the batches of `phase`: "train", "test" or "predict"."""
        return any(self.hooks(f"on_{phase}_batch_{end}") for end in ("begin", "end"))

    def _go_on(self, flag: str) -> None:
        """An evaluation or prediction begins: the hooks of its batches may set this attribute of the model."""
        setattr(self._model, flag, False)

    def _is_told(self, flag: str) -> bool:
        """Whether one of them did, so that the evaluation or prediction ends."""
        return bool(getattr(self._model, flag))

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        """Ask each callback whether it can do its work; those of other people may write to the logs."""
        for each in self.callbacks:
            if each._adds is None or not type(each).__module__.startswith(__package__ or ""):
                more = True
            names = [*names, *(each._adds or ())]
            each._check_run(names, directions, more)

    # ---- hooks -------------------------------------------------------------------------------------------------------

    def hooks(self, name: str) -> list[Callable[..., None]]:
        """The hooks of this name of those callbacks that override it."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = [getattr(each, name) for each in self.callbacks if _overrides(each, name)]
        return found

    def _call(self, hook: str, logs: Logs | None, *values: int) -> None:
        logs = {} if logs is None else logs
        for call in self.hooks(hook):
            call(*values, logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_epoch_begin", logs, epoch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_epoch_end", logs, epoch)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_train_batch_begin", logs, batch)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_train_batch_end", logs, batch)
        for each in self.callbacks:
            if each._patience() is not None:
                each._after_batches(1, batch, lambda: logs or {})

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_begin`."""
        self.on_train_batch_begin(batch, logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_end`."""
        self.on_train_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_test_end", logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_test_batch_begin", logs, batch)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_test_batch_end", logs, batch)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_predict_end", logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_predict_batch_begin", logs, batch)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call this hook of all callbacks."""
        self._call("on_predict_batch_end", logs, batch)


def _flat(callbacks: Any) -> Iterable[Callback]:
    """The callbacks in a list of lists; TypeError for something else."""
    if callbacks is None:
        return
    if isinstance(callbacks, CallbackList):
        yield from callbacks.callbacks
    elif isinstance(callbacks, list | tuple):
        for each in callbacks:
            yield from _flat(each)
    elif isinstance(callbacks, Callback):
        yield callbacks
    else:
        hint = f" Make one: {callbacks.__name__}()." if isinstance(callbacks, type) else ""
        raise TypeError(
            f"callbacks must be a list of pynn.callbacks.Callback, but has {checks.shown(callbacks)}.{hint}"
        )


def _overrides(callback: Callback, hook: str) -> bool:
    kind: Any = type(callback)  # which mypy takes for not hashable
    own = vars(callback)
    return _class_overrides(kind, hook) or hook in own or _OLD_NAMES.get(hook) in own


@functools.lru_cache(maxsize=1000)
def _class_overrides(kind: type[Callback], hook: str) -> bool:
    names = (hook, _OLD_NAMES[hook]) if hook in _OLD_NAMES else (hook,)
    return any(getattr(kind, name) is not getattr(Callback, name) for name in names)
