"""A terminal and a clock for tests of what is shown, and something to show."""

import fcntl
import os
import pty
import struct
import termios
import threading
import unicodedata

from pynn.callbacks import display as progress

LOGS = {"loss": 0.23456, "accuracy": 0.91234}
VALIDATED = {**LOGS, "val_loss": 0.34567, "val_accuracy": 0.90123}


class Clock:
    """Stands for the module `time`."""

    now = 100.0

    def perf_counter(self):
        return self.now


class Terminal:
    """A pseudo-terminal as standard output, and what a person sees in it."""

    def __init__(self, columns, encoding="utf-8"):
        self._master, slave = pty.openpty()
        self.out = os.fdopen(slave, "w", encoding=encoding)
        self._bytes, self._encoding = b"", encoding
        self.resize(columns)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def resize(self, columns):
        self.columns = columns
        fcntl.ioctl(self.out, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))

    def _read(self):
        try:
            while piece := os.read(self._master, 65536):
                self._bytes += piece
        except OSError:  # the other side is closed
            pass

    def close(self):
        self.out.close()
        self._reader.join()
        os.close(self._master)

    def text(self):
        if not self.out.closed:
            self.close()
        return self._bytes.decode(self._encoding)

    def rows(self):
        """The rows, the last with the cursor."""
        return self.frames()[-1]

    def frames(self):
        """The rows at each time at which the cursor went back, and at the end."""
        columns, frames = self.columns or 80, []
        rows, column = [[]], 0
        for c in self.text():
            if c in "\r\n":
                frames.append(["".join(row).rstrip() for row in rows])
                column = 0
                if c == "\n":
                    rows.append([])
                continue
            assert c.isprintable(), repr(c)
            wide = 2 if unicodedata.east_asian_width(c) in "WF" else 1
            if column + wide > columns:
                rows.append([])
                column = 0
            rows[-1][column : column + wide] = [c, *[""] * (wide - 1)]
            column += wide
        return [*frames, ["".join(row).rstrip() for row in rows]]

    def lines(self):
        """What the last row showed, one after the other, where it was something else."""
        seen = [frame[-1] for frame in self.frames() if frame[-1]]
        return [line for line, before in zip(seen, [None, *seen], strict=False) if line != before]


def show(clock, logs, *, title="Epoch 3/20", steps=100, seconds=0.25, last=None, at=40):
    """One epoch of `steps` steps of some seconds each, which is looked at after `at` of them and at the end."""
    with progress.display(1) as display:
        display.begin(title, steps)
        for step, now in ((at, at), (steps, steps - at)):
            clock.now += seconds * now
            display.update(step, logs)
        display.end(logs if last is None else last)
