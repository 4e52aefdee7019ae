"""Who may look at a file, read it, or put another in its place."""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from albert.deploy.checks.finding import Finding, warning


def unseen(path: Path) -> Path | None:
    """Return what keeps this account from looking at ``path``: a folder above it, or itself.

    ``None``: it may look, if only to see that nothing is there.
    """
    for place in (*reversed(path.absolute().parents), path.absolute()):
        try:
            folder = stat.S_ISDIR(place.stat().st_mode)
        except PermissionError:
            return place
        except OSError:
            return None
        needed = os.R_OK if place == path.absolute() else 0
        if not may(place, needed | (os.X_OK if folder else 0)):
            return place
    return None


def may(path: Path, mode: int) -> bool:
    """Whether this account may do something with a path, by ``os.R_OK`` and the like."""
    return os.access(path, mode, effective_ids=True)


def closed(place: Path) -> Finding:
    """Tell of what ``unseen`` returned; it may be in order, so it is no error."""
    said = f"« {place} » est fermé à ce compte : ce qui s'y trouve n'est pas vérifié."
    return warning(said, "Relancez « albert doctor » avec sudo.")


def read_by_others(about: os.stat_result) -> bool:
    """Whether others than its owner, root's group and the owner's own may read it."""
    return _by_others(about, 0o004)


def written_by_others(about: os.stat_result) -> bool:
    """Whether others than its owner, root's group and the owner's own may write it."""
    return _by_others(about, 0o002)


def _by_others(about: os.stat_result, bit: int) -> bool:
    if about.st_mode & bit:
        return True
    return bool(about.st_mode & bit << 3) and about.st_gid not in (0, _group_of(about.st_uid))


def way_in(path: Path) -> Path | None:
    """Return a folder above ``path`` in which others may put another thing in its place.

    Root may, and the account that examines, and the owner of ``path``, and that of the program:
    it already decides what all of us run.
    """
    real = path.resolve()
    known = {0, os.geteuid(), real.stat().st_uid, Path(sys.prefix).stat().st_uid}
    return next((folder for folder in real.parents if _lets_in(folder, known)), None)


def _lets_in(folder: Path, known: Iterable[int]) -> bool:
    about = folder.stat()
    if about.st_uid not in known:
        return True
    return written_by_others(about) and not about.st_mode & stat.S_ISVTX


def _group_of(user: int) -> int | None:
    try:
        return pwd.getpwuid(user).pw_gid
    except KeyError:
        return None
