"""Something that is tried: what it changes is taken back if it fails, or if it was to be seen only what comes of it."""

from __future__ import annotations

from types import TracebackType

from . import atomic, draws


class Trial:
    """The changes of a `with` statement, by `atomic.apply_together` and by draws of keys, in this thread.

    After an exception all is as it was before. Trials may lie within others.
    """

    def __enter__(self) -> Trial:
        self._journal, self._outer = atomic.Journal(), atomic.journal()
        self._before = self._after = draws.position()
        self.is_taken_back = False
        atomic.keep_journal(self._journal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        atomic.keep_journal(self._outer)
        if self.is_taken_back:
            return
        if kind is not None:
            self.take_back()
        elif self._outer is not None:
            self._outer.adopt(self._journal)

    def take_back(self) -> None:
        """Make undone what was changed; at the end of the statement."""
        self._after = draws.position()
        self._journal.take_back()
        draws.go_back(self._before, self._after)
        self.is_taken_back = True

    def do_again(self) -> bool:
        """Change the same again; False, with nothing changed, where other keys were drawn meanwhile."""
        if not draws.go_on(self._before, self._after):
            return False
        atomic.apply_together(self._journal.changes)
        return True
