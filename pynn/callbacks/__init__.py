"""Callbacks: code that `fit`, `evaluate` and `predict` call at the turning points of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation import lazy

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .averages import SwapEMAWeights
    from .backup import BackupAndRestore
    from .base import Callback
    from .checkpoints import ModelCheckpoint
    from .history import History
    from .listing import CallbackList
    from .logging import CSVLogger, TensorBoard
    from .monitors import EarlyStopping, ReduceLROnPlateau
    from .progress import ProgbarLogger
    from .simple import LambdaCallback, LearningRateScheduler, TerminateOnNaN

_MODULES = {
    "averages": "SwapEMAWeights",
    "backup": "BackupAndRestore",
    "base": "Callback",
    "checkpoints": "ModelCheckpoint",
    "history": "History",
    "listing": "CallbackList",
    "logging": "CSVLogger TensorBoard",
    "monitors": "EarlyStopping ReduceLROnPlateau",
    "progress": "ProgbarLogger",
    "simple": "LambdaCallback LearningRateScheduler TerminateOnNaN",
}

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "callback")
