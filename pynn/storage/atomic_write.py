"""Writing a file so that at every moment, whatever fails, it is the old one or the new one as a whole."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Iterable
from typing import Any

# What is written before it takes its place: the prefix, the process, and a number of its own.
_TEMPORARY = ".pynn-{}-{}.tmp"
_IS_TEMPORARY = re.compile(r"\.pynn-(\d{1,10})-[0-9a-f]{16}\.tmp")

# Seconds after which a temporary file whose process is gone is nobody's: processes of other machines and containers
# that share the folder look as if they were gone.
_STALE = 3600

# Bytes of one system call: an interrupt is answered between two.
_PIECE = 2**24


def write_atomically(path: str | bytes | os.PathLike[Any], pieces: Iterable[Any], overwrite: bool = True) -> None:
    """Write a file of these pieces of bytes.

    They go to a temporary file in the same folder, which takes the file's place when all of it is on the disk. On any
    error the temporary file is removed, and the file is as before. Only an error of the last step, which makes the
    change of the folder last, leaves the new file. Links are followed, and the file's mode stays.

    Raises:
        ValueError: the path is that of something else than a file. FileExistsError: there is a file, and not
        `overwrite`. OSError: it cannot be written.
    """
    target = os.path.realpath(os.fsdecode(path))
    folder, mode = os.path.dirname(target), mode_of(target)
    if mode is not None and not overwrite:
        raise FileExistsError(f"There is a file {target!r} already, and overwrite is False.")
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"There is no folder {folder!r} to write {os.path.basename(target)!r} to. Make it first."
        )
    remove_stale(folder)
    temporary = os.path.join(folder, _TEMPORARY.format(os.getpid(), os.urandom(8).hex()))
    file = -1
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        for piece in pieces:
            _write_all(file, memoryview(piece).cast("B"))
        if mode is not None:
            os.fchmod(file, mode)
        os.fsync(file)
        closing, file = file, -1
        os.close(closing)
        os.replace(temporary, target)
    except BaseException:
        if file >= 0:
            with contextlib.suppress(OSError):
                os.close(file)
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _keep(folder)


def mode_of(path: str) -> int | None:
    """The permissions of the file there, None where there is none; ValueError if it is something else."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device, a pipe or a socket"
        raise ValueError(f"path must be that of a file, but {path!r} is {kind}.")
    return stat.S_IMODE(found.st_mode)


def remove_stale(folder: str) -> None:
    """Remove temporary files of processes that ended in the middle, for instance when the power failed."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            found = _IS_TEMPORARY.fullmatch(name)
            if found is None or _lives(int(found[1])):
                continue
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if time.time() - os.stat(path).st_mtime > _STALE:
                    os.unlink(path)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's
        return True
    return True


def _write_all(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data[:_PIECE]) :]


def _keep(folder: str) -> None:
    """Have the folder, whose entry has changed, on the disk."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
