"""The lexicon as it stands now, from one build of the corpus to the next."""

from __future__ import annotations

from pathlib import Path

from albert.lexicon.lexicon import Lexicon, load, written_by_hand


class FollowedLexicon:
    """Gives the lexicon of a file, read again when the file was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._current: Lexicon | None = None

    def current(self) -> Lexicon:
        """Return it: one look at the file's date."""
        try:
            status = self._path.stat()
        except OSError:
            self._current = self._current or written_by_hand()
            return self._current
        stamp = (status.st_mtime_ns, status.st_ino)
        if self._current is None or stamp != self._stamp:
            self._current = load(self._path)
            self._stamp = stamp
        return self._current

    def expand(self, question: str) -> str:
        """``Lexicon.expand``, of the one that stands now."""
        return self.current().expand(question)
