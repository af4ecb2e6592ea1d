"""Loads the compiled core, once, with its own copy of OpenBLAS on one thread."""

from __future__ import annotations

import importlib
import os

import numpy  # noqa: F401 - first, so that NumPy's OpenBLAS has read the user's setting before it is changed


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


_load()

from .. import _core as core  # noqa: E402

__all__ = ["core"]
