"""How many threads the engine uses: what was set, else what the environment says, else what the machine grants."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from contextvars import ContextVar

MAX_THREADS = 1024

_num_threads = 0  # 0: not asked for yet
_here: ContextVar[int] = ContextVar("threads", default=0)  # of calls within `using`; 0: as everywhere


def get_num_threads() -> int:
    """The number of threads of the next call into the engine."""
    global _num_threads
    here = _here.get()
    if here:
        return here
    if _num_threads == 0:
        _num_threads = default_num_threads()
    return _num_threads


def set_num_threads(n: int) -> None:
    """`n` is checked already (config.py)."""
    global _num_threads
    _num_threads = n


@contextlib.contextmanager
def using(n: int | None) -> Iterator[None]:
    """Calls into the engine from here, and from no other thread of Python, use `n` threads; None: no other number."""
    token = _here.set(n or _here.get())
    try:
        yield
    finally:
        _here.reset(token)


def default_num_threads() -> int:
    """PYNN_NUM_THREADS, else the first number of OMP_NUM_THREADS, else what affinity and cgroup quota allow.

    Raises:
        ValueError: PYNN_NUM_THREADS is no number of threads. A bad OMP_NUM_THREADS is passed over, as OpenMP does.
    """
    own = os.environ.get("PYNN_NUM_THREADS", "").strip()
    if own:
        n = _parse_count(own)
        if n == 0:
            raise ValueError(
                f"The environment variable PYNN_NUM_THREADS must be a whole number from 1 to {MAX_THREADS}, "
                f"but is {own!r}. Correct it or unset it."
            )
        return n
    openmp = _parse_count(os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip())
    return openmp or max(1, math.floor(min(MAX_THREADS, _affinity(), cgroup_quota())))


def _parse_count(text: str) -> int:
    """The number of threads that `text` names, or 0."""
    if not (text.isascii() and text.isdigit()):
        return 0
    n = int(text[:8])
    return n if n <= MAX_THREADS else 0


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_quota(membership: str = "/proc/self/cgroup", mount: str = "/sys/fs/cgroup") -> float:
    """Processors that the control groups of this process grant it (a fraction, or inf): the least of all levels.

    A line of `membership` is ``number:controllers:/path``, with number 0 and no controllers for cgroup v2. Inside a
    container the path may be the host's, with the container's own group mounted at the root, so all parents are read.
    """
    quota = math.inf
    for line in _read(membership).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "cpu" in controllers.split(","):
            roots = (os.path.join(mount, controllers), os.path.join(mount, "cpu"))
        elif number == "0" and not controllers:
            roots = (mount, os.path.join(mount, "unified"))
        else:
            continue
        for root in roots:
            for directory in _with_parents(path):
                quota = min(quota, _quota_of(root + directory))
    return quota


def _with_parents(path: str) -> list[str]:
    """``/a/b`` -> ``["/a/b", "/a", ""]``."""
    parts = path.strip("/").split("/")
    return ["".join(f"/{part}" for part in parts[:n] if part) for n in range(len(parts), -1, -1)]


def _quota_of(directory: str) -> float:
    """Quota over period of one control group, of version 2 or 1."""
    words = _read(os.path.join(directory, "cpu.max")).split()
    if not words:
        words = [_read(os.path.join(directory, f"cpu.cfs_{word}_us")).strip() for word in ("quota", "period")]
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max", or no such file
        return math.inf
    return quota / period if quota > 0 and period > 0 else math.inf


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
