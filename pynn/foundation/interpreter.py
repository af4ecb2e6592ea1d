"""Refuses sub-interpreters. Imported before all else: NumPy, once loaded by one of them, fails in the main one."""

from __future__ import annotations

import contextlib


def _is_main() -> bool:
    """Whether this is the main interpreter of the process, or cannot be told from it."""
    with contextlib.suppress(ImportError):  # a Python without ctypes; or an isolated interpreter, which NumPy refuses
        import ctypes

        current, number = ctypes.pythonapi.PyInterpreterState_Get, ctypes.pythonapi.PyInterpreterState_GetID
        current.restype = ctypes.c_void_p
        number.argtypes, number.restype = [ctypes.c_void_p], ctypes.c_int64
        return bool(number(current()) == 0)
    return True


if not _is_main():
    raise ImportError(
        "pynn runs in the main interpreter of a process only, but is imported in a sub-interpreter. Import it in the "
        "main one, or use processes (multiprocessing) instead."
    )
