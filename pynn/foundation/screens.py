"""Where a progress bar is shown: the last line of a terminal, or an output of a notebook's cell."""

from __future__ import annotations

import os
import sys
from typing import Any

from . import text_bar

# Columns where nobody tells them: of a terminal, of a notebook's text
_COLUMNS = 80


def in_notebook() -> bool:
    """Whether there is a kernel behind it, which shows what is displayed, and shows it anew.

    A kernel's shell is derived from IPython's ZMQInteractiveShell. Spyder's shows things once only.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    names = [base.__name__ for base in type(shell).__mro__]
    return any("ZMQ" in name for name in names) and not any("Spyder" in name for name in names)


def in_terminal() -> bool:
    """Whether standard output is a terminal."""
    try:
        return bool(sys.stdout.isatty())
    except (AttributeError, ValueError):  # no stream, or a closed one
        return False


class Line:
    """The last line of a terminal, which is written anew again and again.

    A stream that cannot be written to any more is left alone: it is no reason to lose a training.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._drawn = 0  # columns of the line that is there

    @property
    def width(self) -> int:
        """Columns that may be used: all but the last, after which some terminals begin a new line."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (AttributeError, OSError, ValueError):
            columns = 0
        return (columns or _COLUMNS) - 1

    @property
    def is_there(self) -> bool:
        """Whether something is drawn."""
        return self._drawn > 0

    def draw(self, text: str) -> None:
        """Replace the line."""
        before, self._drawn = self._drawn, text_bar.columns(text)
        # Blanks, not an escape sequence: they clear what was there on every terminal.
        write(self._stream, "\r" + text + " " * (min(before, self.width) - self._drawn))

    def finish(self, text: str) -> None:
        """Replace the line for good, by one or more."""
        first, *rest = text.split("\n")
        blanks = " " * (min(self._drawn, self.width) - text_bar.columns(first))
        write(self._stream, "\r" + "\n".join([first + blanks, *rest, ""]))
        self._drawn = 0

    def close(self) -> None:
        """Leave the line as it is, and the cursor below it."""
        if self._drawn:
            write(self._stream, "\n")
            self._drawn = 0


class Cell:
    """An output of a notebook's cell, which is replaced again and again.

    It is plain text: any viewer of the saved file shows it, and it takes no widgets.
    """

    width = _COLUMNS

    def __init__(self) -> None:
        self._output: Any = None  # IPython's handle of it
        self._text = ""  # what it shows

    def draw(self, text: str) -> None:
        """Replace the output."""
        # Known to be there, and slow to import elsewhere
        from IPython.display import display

        if text == self._text:
            return
        if self._output is None:
            self._output = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self._output.update({"text/plain": text}, raw=True)
        self._text = text

    finish = draw


def screen() -> Line | Cell | None:
    """Where a bar can be shown now, if anywhere."""
    if in_notebook():
        return Cell()
    return Line(sys.stdout) if in_terminal() else None


def write(stream: Any, text: str) -> None:
    """Write to a stream and flush it. What its encoding lacks becomes "?"; a stream that is gone gets nothing."""
    if stream is None:
        return
    if not text.isascii():
        encoding = getattr(stream, "encoding", None) or "utf-8"
        text = text.encode(encoding, "replace").decode(encoding)
    try:
        stream.write(text)
        getattr(stream, "flush", lambda: None)()
    except (OSError, ValueError):  # the terminal or the reader of a pipe is gone; the stream is closed
        pass
