"""The whitelist as it stands now, from one build of the corpus to the next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from albert.guard.contract import Kind
from albert.guard.whitelist import Whitelist, operators_list


class FollowedWhitelist:
    """Gives the whitelist of a file, read again when the file was replaced.

    ``own`` is the operator's list, read once; empty for none.

    Raises:
        SettingInvalid: the operator's list cannot be read.
    """

    def __init__(self, path: Path, *, own: str = "") -> None:
        self._path = path
        self._own: Mapping[Kind, set[str]] = operators_list(Path(own).expanduser()) if own else {}
        self._stamp: tuple[int, int] | None = None
        self._current = Whitelist().extended(self._own)

    def current(self) -> Whitelist:
        """Return it: one look at the file's date for a whole answer, none for a link."""
        try:
            status = self._path.stat()
        except OSError:
            return self._current
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._current = Whitelist.load(self._path).extended(self._own)
            self._stamp = stamp
        return self._current
