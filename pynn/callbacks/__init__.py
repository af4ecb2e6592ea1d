"""Callbacks: code that `fit`, `evaluate` and `predict` call at the turning points of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation import not_yet
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

if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "callback")
