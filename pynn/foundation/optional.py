"""Packages that pynn can use and does not need."""

from __future__ import annotations

import importlib
from typing import Any


def package(name: str, purpose: str, install: str | None = None) -> Any:
    """The package `name`, imported now.

    Args:
        name: What is imported, such as ``"optuna"``.
        purpose: What needs it, as a message begins: ``"pynn.tune"``.
        install: What pip installs; default: `name`.

    Raises:
        ImportError: it is not there, or what it needs is not; the message says what to do.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = (error.name or name).partition(".")[0]
        because = "" if missing == name.partition(".")[0] else f" (which needs {missing})"
        raise ImportError(
            f"{purpose} needs the package {name}{because}: pip install {install or name}", name=missing
        ) from error
