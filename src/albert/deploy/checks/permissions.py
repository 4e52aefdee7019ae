"""Who else may read what is secret, or change what decides where keys are sent."""

from __future__ import annotations

import stat
from pathlib import Path

from albert.deploy.checks.apart import apart
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine


async def check_permissions(machine: Machine) -> list[Finding]:
    return await apart(lambda: _look(machine.home.secrets, machine.settings.routing_table))


def _look(secrets: Path, table: str) -> list[Finding]:
    found = [one for path, mode in _kept(secrets) if (one := _judge(path, mode))]
    if table and (path := Path(table)).exists() and stat.S_IMODE(path.stat().st_mode) & 0o022:
        found.append(
            warning(
                f"La table de routage « {path} » peut être changée par d'autres comptes : ils "
                "choisiraient où les clés sont envoyées.",
                f"chmod go-w {path}",
            )
        )
    if found:
        return found
    if not secrets.exists():
        return [ok(f"« {secrets} » n'existe pas encore : il sera créé pour son seul propriétaire.")]
    return [ok(f"« {secrets} » n'est lisible que par son propriétaire.")]


def _kept(secrets: Path) -> list[tuple[Path, int]]:
    """Return the folder of secrets and its files, each with the mode that it must not pass."""
    if not secrets.exists():
        return []
    try:
        return [(secrets, 0o700), *((path, 0o600) for path in sorted(secrets.iterdir()))]
    except PermissionError:  # it is closed to us: so it is to others
        return [(secrets, 0o700)]


def _judge(path: Path, mode: int) -> Finding | None:
    has = stat.S_IMODE(path.lstat().st_mode)
    if has & ~mode & 0o777 == 0:
        return None
    return error(
        f"« {path} » est ouvert à d'autres comptes ({has:04o}) : il contient des secrets.",
        f"chmod {mode:o} {path}",
    )
