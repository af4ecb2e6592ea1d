"""A process that runs one side, for `compare.py`: a line of JSON in, a line of JSON out.

python bench/worker.py SIDE THREADS

{"do": "prepare", "network": "mlp128", "folder": ...}  ->  {}
{"do": "epoch"}  ->  {"seconds": 0.2}                      other requests: the methods of Session
A request that fails is answered with {"error": "..."}.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import sides
import training_data
from networks import NETWORKS

LIMIT_SIZE = 2048  # rows and columns of the product that tells the peak
LIMIT_BYTES = 256 << 20  # what is copied to tell the bandwidth: more than caches hold
LIMIT_SECONDS = 1.0  # spent on each


class Session:
    """What is asked of a worker, in the order of its methods."""

    def __init__(self, side: str, threads: int) -> None:
        self.side, self.threads = side, threads

    def versions(self) -> dict[str, str]:
        """Import the library, and tell the versions of its packages."""
        sides.library(self.side)
        return {package: importlib.metadata.version(package) for package in sides.SIDES[self.side].packages}

    def limits(self) -> dict[str, float]:
        """What the machine can do: NumPy's best FLOP/s, and bytes read and written a second in a copy."""
        a, b = np.random.default_rng(1).random((2, LIMIT_SIZE, LIMIT_SIZE), np.float32)
        product = np.empty_like(a)
        flop = 2 * LIMIT_SIZE**3 / fastest(lambda: np.matmul(a, b, out=product))
        source, target = np.ones((2, LIMIT_BYTES), np.uint8)
        pairs = list(zip(np.array_split(target, self.threads), np.array_split(source, self.threads), strict=True))
        with ThreadPoolExecutor(self.threads) as pool:
            return {
                "flop": flop,
                "bytes": 2 * LIMIT_BYTES / fastest(lambda: list(pool.map(lambda pair: np.copyto(*pair), pairs))),
            }

    def prepare(self, network: str, folder: str) -> dict[str, Any]:
        """Read the data, import the library, make the network."""
        self.network = NETWORKS[network]
        self.calls: dict[str, int] = {}
        self.rows: Any = None
        # pynn's users give it the bytes; the others train on float32, scaled beforehand.
        self.data = training_data.load(self.network, Path(folder), as_bytes=self.side == "pynn")
        self.before, _ = memory()
        self.library = sides.library(self.side)(self.network, self.data, self.threads)
        return {}

    def epoch(self) -> dict[str, float]:
        """Train."""
        begin = time.perf_counter()
        self.library.epoch()
        return {"seconds": time.perf_counter() - begin}

    def accuracy(self) -> dict[str, float]:
        """On the test data."""
        return {"accuracy": self.library.accuracy(self.data.x_test, self.data.y_test)}

    def one_row(self, seconds: float) -> dict[str, dict[str, float]]:
        """Seconds of a call with one row, for each way to write it, from blocks of calls of so many seconds."""
        row = self.library.take(self.data.x_test[:1].copy())
        return {"ways": {way: self._time_calls(way, call, seconds) for way, call in self.library.ways(row).items()}}

    def _time_calls(self, way: str, call: Callable[[], object], seconds: float) -> float:
        call()
        if way not in self.calls:  # the number of calls is found once: all blocks are alike then
            begin = time.perf_counter()
            call()
            self.calls[way] = max(1, int(seconds / (time.perf_counter() - begin)))
        begin = time.perf_counter()
        for _ in range(self.calls[way]):
            call()
        return (time.perf_counter() - begin) / self.calls[way]

    def predict(self) -> dict[str, float]:
        """All test data at once."""
        if self.rows is None:
            self.rows = self.library.take(self.data.x_test)
        begin = time.perf_counter()
        self.library.predict(self.rows)
        return {"seconds": time.perf_counter() - begin}

    def memory(self) -> dict[str, float]:
        """Bytes: before the library was imported, with interpreter, NumPy and data; and at the peak so far."""
        return {"before": self.before, "peak": memory()[1]}


def fastest(task: Callable[[], object]) -> float:
    """The least seconds of several runs."""
    times, end = [], time.perf_counter() + LIMIT_SECONDS
    while time.perf_counter() < end:
        begin = time.perf_counter()
        task()
        times.append(time.perf_counter() - begin)
    return min(times)


def memory() -> tuple[int, int]:
    """Bytes of memory in use, and at the peak.

    Not `ru_maxrss` where there is /proc: it begins at what the parent used, which a new process shares for a moment.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return peak, peak
    fields = dict(line.split(":", 1) for line in lines)
    rss, peak = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return rss, peak


def limit_processors(threads: int) -> None:
    """Keep the process on so many processors: the only number of threads that XLA heeds."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def answers(session: Session, requests: TextIO) -> Iterator[dict[str, Any]]:
    """The answer to each request."""
    for line in requests:
        request = json.loads(line)
        try:
            yield getattr(session, request.pop("do"))(**request)
        except Exception as error:
            traceback.print_exc()
            yield {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer until the input ends."""
    side, threads = sys.argv[1], int(sys.argv[2])
    if sides.SIDES[side].by_affinity:
        limit_processors(threads)
    # What libraries print goes to the error output, and does not get between the answers.
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for answer in answers(Session(side, threads), sys.stdin):
        print(json.dumps(answer), file=replies, flush=True)


if __name__ == "__main__":
    main()
