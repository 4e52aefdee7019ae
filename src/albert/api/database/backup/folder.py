"""The folder of backups: their names, and how many are kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

_SUFFIX = ".albertdb"


def name_of(environment: str, taken_at: datetime) -> str:
    """Return the name of a backup: those of one environment sort by their date."""
    at = taken_at.astimezone(UTC)
    return f"{_prefix(environment)}{at:%Y%m%dT%H%M%S}.{at.microsecond:06}Z{_SUFFIX}"


def place(target: Path, environment: str, taken_at: datetime) -> Path:
    """Return where a backup goes: into ``target`` if it is a folder, else there."""
    return target / name_of(environment, taken_at) if target.is_dir() else target


def kept(folder: Path, environment: str) -> list[Path]:
    """Return the backups of an environment that bear such a name, newest first."""
    if not folder.is_dir():
        return []
    ours = re.compile(re.escape(_prefix(environment)) + r"\d{8}T\d{6}\.\d{6}Z" + re.escape(_SUFFIX))
    found = [path for path in folder.iterdir() if ours.fullmatch(path.name) and path.is_file()]
    return sorted(found, key=lambda path: path.name, reverse=True)


def prune(folder: Path, environment: str, keep: int, fresh: Path) -> list[Path]:
    """Remove all but the ``keep`` newest backups; ``fresh`` stays, whatever the clock said."""
    others = [path for path in kept(folder, environment) if path != fresh]
    old = others[keep - 1 :]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def _prefix(environment: str) -> str:
    """Return the beginning of the names: another environment may share the folder."""
    return "albert-" + re.sub(r"[^\w-]", "_", environment) + "-"
