"""What the benchmarks share: taking turns, and what they ran on."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import pynn


def print_machine() -> None:
    """Print what the figures depend on."""
    config = pynn.show_config("dicts")
    blas = np.show_config("dicts")["Build Dependencies"]["blas"]
    print(f"processor   {processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    print(f"pynn        {config['version']}, {config['instruction_set']}, {config['threads']} threads")
    print(f"            {config['thread_backend']}, BLAS: {config['blas']}")
    print(f"numpy       {np.__version__}, BLAS: {blas['name']} {blas['version']}, {numpy_threads()}")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "PYNN_NUM_THREADS", "PYNN_CPU_LEVEL"):
        if name in os.environ:
            print(f"            {name}={os.environ[name]}")
    print()


def processor() -> str:
    """The name of the processor, as well as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def numpy_threads() -> str:
    """How many threads NumPy's BLAS uses, where threadpoolctl is there to tell."""
    try:
        import threadpoolctl
    except ImportError:
        return "unknown number of threads"
    pools = [pool for pool in threadpoolctl.threadpool_info() if "numpy" in pool["filepath"]]
    return f"{pools[0]['num_threads']} threads" if pools else "unknown number of threads"


def in_turns(
    tasks: Sequence[Callable[[], object]], rounds: int, pick: Callable[[list[float]], float] = statistics.median
) -> list[float]:
    """The seconds of each task, by default the median; the tasks take turns, so that a busy machine slows all."""
    seconds: list[list[float]] = [[] for _ in tasks]
    for _ in range(rounds):
        for task, times in zip(tasks, seconds, strict=True):
            begin = time.perf_counter()
            task()
            times.append(time.perf_counter() - begin)
    return [pick(times) for times in seconds]


def calls_in_turns(
    functions: Sequence[Callable[[], object]],
    rounds: int,
    block: float = 0.05,
    pick: Callable[[list[float]], float] = statistics.median,
) -> list[float]:
    """The seconds of a call of each function, from blocks of calls that take about `block` seconds each."""

    def repeat(function: Callable[[], object], calls: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(calls):
                function()

        return run

    counts = []
    for function in functions:
        function()  # the first call may be slower
        begin = time.perf_counter()
        function()
        counts.append(max(1, int(block / (time.perf_counter() - begin))))
    totals = in_turns([repeat(*pair) for pair in zip(functions, counts, strict=True)], rounds, pick)
    return [total / calls for total, calls in zip(totals, counts, strict=True)]
