"""The worker processes, seen from the one that compares."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parent / "worker.py"
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYNN_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
# Keras's back ends, the quickest of these networks first, by the package that each takes
BACKENDS = {"jax": "jax", "tensorflow": "tensorflow", "torch": "torch"}


class WorkerError(Exception):
    """A worker could not do what it was asked, or ended."""


def keras_backend() -> str:
    """The back end that KERAS_BACKEND names, else the first that is installed."""
    installed = (name for name, package in BACKENDS.items() if importlib.util.find_spec(package))
    return os.environ.get("KERAS_BACKEND") or next(installed, "jax")


def environment(threads: int | None = None) -> dict[str, str]:
    """What a worker finds in its environment; without `threads` nothing about their number."""
    # The first makes OpenBLAS choose kernels for another processor, the second has imports compiled each time.
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OPENBLAS_CORETYPE", "PYTHONDONTWRITEBYTECODE", *THREAD_VARIABLES)
    }
    variables |= {"KERAS_BACKEND": keras_backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    variables |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}  # processors are compared
    return variables if threads is None else variables | dict.fromkeys(THREAD_VARIABLES, str(threads))


class Worker:
    """A process that runs one side with a number of threads; to be used in a ``with``."""

    def __init__(self, side: str, threads: int) -> None:
        self.side, self.threads = side, threads
        self.failed = False  # and is not to be asked any more

    def __enter__(self) -> Worker:
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), self.side, str(self.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=environment(self.threads),
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have a method of the worker's Session run, and wait for what it returns.

        Raises:
            WorkerError: it failed; the message is that of its exception.
        """
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"its process ended ({self.process.wait()}){self._last_error()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _last_error(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return f": {lines[-1]}" if lines else ""
