"""Loads the compiled core, once, with its own copy of OpenBLAS on one thread."""

from __future__ import annotations

import importlib
import os

import numpy  # noqa: F401 - first, so that NumPy's OpenBLAS has read the user's setting before it is changed

_LEVELS = ("2", "3", "4")  # of x86-64


def _check_level() -> None:
    """Refuse a PYNN_CPU_LEVEL that would be ignored; an empty one counts as unset."""
    level = os.environ.get("PYNN_CPU_LEVEL", "")
    if level and level not in _LEVELS:
        raise ImportError(
            f"The environment variable PYNN_CPU_LEVEL must be 2, 3 or 4, the highest level of x86-64 that pynn may "
            f"use, but is {level!r}. Set one of these, or unset it to use what the processor has."
        )


def _load() -> None:
    """Import the core while OpenBLAS is told to start no threads: pynn divides the work itself."""
    variable = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(variable)
    os.environ[variable] = "1"
    try:
        importlib.import_module("pynn._core")
    except ModuleNotFoundError as error:
        if error.name != "pynn._core":
            raise
        raise ImportError(
            "pynn has no compiled core here. In a checkout of its sources, build it with `pip install .` and start "
            "Python in another directory, or build it in place with `pip install -e .`."
        ) from None
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


_check_level()
_load()

from .. import _core as core  # noqa: E402

__all__ = ["core"]
