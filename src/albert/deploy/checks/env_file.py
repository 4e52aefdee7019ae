"""The environment's file: who can read it, and the names in it that nobody knows."""

from __future__ import annotations

import pwd
import stat
from collections.abc import Collection
from pathlib import Path

from albert.deploy.checks.finding import Finding, ok, warning
from albert.deploy.env_file import read
from albert.deploy.variables import check, secrets_among


def check_env_file(path: Path, keys: Collection[str] = ()) -> list[Finding]:
    """``keys`` are the variables that the table names.

    Raises:
        EnvironmentInvalid: it cannot be read.
    """
    values = read(path)
    found = [warning(f"« {path} » : {said}") for said in check(values, keys)]
    hidden = secrets_among(values, keys)
    if hidden and _open_to_others(path):
        found.append(
            warning(
                f"« {path} » contient des secrets ({', '.join(hidden[:3])}…) que d'autres comptes "
                "de la machine peuvent lire.",
                f"chmod 600 {path}",
            )
        )
    return found or [ok(f"« {path} » : {len(values)} variables, toutes connues.")]


def _open_to_others(path: Path) -> bool:
    """Whether others than its owner, and root's group or the owner's own, may read or write it."""
    about = path.stat()
    mode = stat.S_IMODE(about.st_mode)
    if mode & 0o037:
        return True
    return bool(mode & 0o040) and about.st_gid not in (0, _group_of(about.st_uid))


def _group_of(user: int) -> int | None:
    try:
        return pwd.getpwuid(user).pw_gid
    except KeyError:
        return None
