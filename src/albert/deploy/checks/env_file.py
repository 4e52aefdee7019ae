"""The environment's file: who can read it, and the names in it that nobody knows."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from albert.deploy.checks.access import read_by_others, written_by_others
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.permissions import replaced
from albert.deploy.env_file import read
from albert.deploy.variables import check, secrets_among


def check_env_file(path: Path, keys: Collection[str] = ()) -> list[Finding]:
    """``keys`` are the variables that the table names.

    Raises:
        EnvironmentInvalid: it cannot be read.
    """
    values = read(path)
    found = [warning(f"« {path} » : {said}") for said in check(values, keys)]
    hidden, about = secrets_among(values, keys), path.stat()
    if hidden and (read_by_others(about) or about.st_mode & 0o020):
        found.append(
            error(
                f"« {path} » contient des secrets ({', '.join(hidden[:3])}…) que d'autres comptes "
                "de la machine peuvent lire.",
                f"chmod 600 {path}",
            )
        )
    elif written_by_others(about):
        said = f"« {path} » peut être changé par d'autres comptes de la machine."
        found.append(error(said, f"chmod 600 {path}"))
    found += replaced(path)
    return found or [ok(f"« {path} » : {len(values)} variables, toutes connues.")]
