"""Who runs a trial, and whether they still do: processes may be killed, and machines may vanish."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

# Seconds between two signs of life of a trial, and after which one without a sign is nobody's any more.
_INTERVAL = 10.0
_STALE = 60.0

_OWNER, _SEEN = "pynn:owner", "pynn:seen"


def signs() -> dict[str, Any]:
    """What a trial that this process runs says of that."""
    return {_OWNER: _me(), _SEEN: time.time()}


@contextlib.contextmanager
def owned(trial: Any) -> Iterator[None]:
    """Say that this process runs the trial, and go on saying so for other machines."""
    for name, value in signs().items():
        trial.set_user_attr(name, value)
    over = threading.Event()

    def tell() -> None:
        while not over.wait(_INTERVAL):
            with contextlib.suppress(Exception):  # a database that is away for a moment is no reason to lose a trial
                trial.set_user_attr(_SEEN, time.time())

    teller = threading.Thread(target=tell, name="pynn.tune", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def is_lost(trial: Any) -> bool:
    """Whether nobody runs this running trial any more.

    On this machine that is known at once, of others when they have given no sign for a minute.
    """
    owner = trial.user_attrs.get(_OWNER)
    if isinstance(owner, list) and owner[:1] == [_machine()]:
        return owner != _me() and _begin(owner[1]) != owner[2]
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return bool(time.time() - trial.user_attrs.get(_SEEN, began) > _STALE)


def _me() -> list[Any]:
    """The machine, the process, and when it began: numbers of processes are used again."""
    return [_machine(), os.getpid(), _begin(os.getpid())]


def _machine() -> str:
    """Where numbers of processes mean the same."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id") as file:
            parts.append(file.read().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _begin(process: int) -> str:
    """When a process began, in the system's own words; empty where there is none."""
    try:
        with open(f"/proc/{process}/stat") as file:
            state, *rest = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]
