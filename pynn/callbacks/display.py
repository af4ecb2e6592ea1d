"""What a run shows while it goes on: nothing, a line an epoch, or a progress bar."""

from __future__ import annotations

import sys
import time
from typing import Any

VERBOSE = (0, 1, 2, "auto")


def resolve_verbose(verbose: object) -> int:
    """0, 1 or 2; "auto" is a bar (1) in a terminal or notebook, and lines (2) elsewhere.

    Raises:
        ValueError: another value.
    """
    if isinstance(verbose, float) or verbose not in VERBOSE:
        raise ValueError(f'verbose must be 0 (nothing), 1 (a bar), 2 (lines) or "auto", but got {verbose!r}.')
    if verbose == "auto":
        return 1 if _is_interactive() else 2
    return int(verbose)


def _is_interactive() -> bool:
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        if shell is not None and "ZMQ" in type(shell).__name__:  # a notebook's kernel
            return True
    return bool(getattr(sys.stdout, "isatty", lambda: False)())


class Display:
    """Shows nothing; base of the others. A run calls `begin`, `update` now and then, and `end`, for each epoch."""

    # Whether it wants to hear of the batches within an epoch, and of the end of each epoch.
    wants_batches = False
    wants_epochs = False

    def begin(self, title: str, steps: int) -> None:
        """A run of `steps` batches begins; `title` says which, such as "Epoch 1/5"."""

    def update(self, step: int, logs: dict[str, float]) -> None:
        """`step` batches are done; `logs` are the values so far."""

    def end(self, logs: dict[str, float]) -> None:
        """All is done."""

    def close(self) -> None:
        """Nothing more will come, perhaps before the end."""

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Lines(Display):
    """A line for each epoch, when it is over."""

    wants_epochs = True

    def begin(self, title: str, steps: int) -> None:
        self._title, self._steps, self._start = title, steps, time.perf_counter()

    def end(self, logs: dict[str, float]) -> None:
        seconds = time.perf_counter() - self._start
        rate = f"{seconds / max(self._steps, 1) * 1e6:.0f}us/step"
        head = [f"{self._title}{' - ' if self._title else ''}{self._steps}/{self._steps}", f"{seconds:.1f}s", rate]
        print(" - ".join([*head, *_format(logs)]), flush=True)


class Bar(Display):
    """A progress bar for each epoch, with loss, metrics and rate."""

    wants_epochs = True
    wants_batches = True
    _bar: Any = None

    def begin(self, title: str, steps: int) -> None:
        # Slow to import, and not needed by most runs
        from tqdm.auto import tqdm

        self._bar = tqdm(total=steps, desc=title or None, unit="step", file=sys.stdout, dynamic_ncols=True)

    def update(self, step: int, logs: dict[str, float]) -> None:
        self._bar.set_postfix_str(", ".join(_format(logs)), refresh=False)
        self._bar.update(step - self._bar.n)

    def end(self, logs: dict[str, float]) -> None:
        self.update(self._bar.total, logs)
        self._bar.refresh()
        self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def display(level: int) -> Display:
    """The display for a level of `resolve_verbose`; none where there is nothing to write to."""
    return Display() if sys.stdout is None else (Display, Bar, Lines)[level]()


def _format(logs: dict[str, float]) -> list[str]:
    return [
        f"{name}: {value:.4f}" if 1e-3 <= abs(value) < 1e6 else f"{name}: {value:.4g}" for name, value in logs.items()
    ]
