"""Who else may read what is secret, or change what decides where keys are sent."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from albert.deploy.checks.access import closed, read_by_others, unseen, way_in, written_by_others
from albert.deploy.checks.apart import apart
from albert.deploy.checks.finding import Finding, error, ok
from albert.deploy.checks.machine import Machine
from albert.settings import backups_folder

INSTALLED = Path("/etc/albert")
"""Where ``albert deploy systemd`` puts the variables of each service."""


async def check_permissions(machine: Machine, installed: Path = INSTALLED) -> list[Finding]:
    return await apart(lambda: list(_look(machine, installed)))


def _look(machine: Machine, installed: Path) -> Iterator[Finding]:
    home, settings = machine.home, machine.settings
    places: list[tuple[Path, Callable[[Path], Iterable[Finding]]]] = [
        (home.root, _of_home),
        (home.secrets, partial(_of_secrets, owner=_owner(home.root))),
        (home.mail, partial(_of_private, what="des liens qui ouvrent des comptes")),
        (backups_folder(settings, home), partial(_of_private, what="les sauvegardes de la base")),
        (installed, lambda folder: _of_variables(sorted(folder.glob("*.env")))),
    ]
    if settings.routing_table:
        places.append((Path(settings.routing_table), _of_table))
    found = []
    for path, look in places:
        if wall := unseen(path):
            found.append(closed(wall))
        elif path.exists():
            found += look(path)
    yield from dict.fromkeys(found)
    if not found and home.secrets.exists():
        yield ok(f"« {home.secrets} » n'est lisible que par son propriétaire.")
    elif not found:
        said = f"« {home.secrets} » n'existe pas encore : il sera créé pour son seul propriétaire."
        yield ok(said)


def _owner(home: Path) -> int | None:
    try:
        return home.stat().st_uid
    except OSError:
        return None


def _of_home(home: Path) -> Iterator[Finding]:
    if written_by_others(home.stat()):
        yield error(
            f"« {home} » peut être changé par d'autres comptes : ils y mettraient leurs secrets.",
            f"chmod go-w {home}",
        )
    yield from replaced(home)


def replaced(path: Path) -> Iterator[Finding]:
    """Tell of a folder in which others may put another thing in the place of ``path``."""
    if folder := way_in(path):
        yield error(
            f"« {folder} » laisse d'autres comptes mettre autre chose à la place de « {path} ».",
            f"« chown root {folder} » et « chmod go-w {folder} », ou un autre dossier.",
        )


def _of_secrets(secrets: Path, owner: int | None) -> Iterator[Finding]:
    for path in (secrets, *sorted(secrets.iterdir())):
        about = path.lstat()
        mode = 0o700 if path == secrets else 0o600
        has = stat.S_IMODE(about.st_mode)
        if has & ~mode & 0o777:
            yield error(
                f"« {path} » est ouvert à d'autres comptes ({has:04o}) : il contient des secrets.",
                f"chmod {mode:o} {path}",
            )
        if about.st_uid not in (0, owner):
            yield error(
                f"« {path} » est à un autre compte (uid {about.st_uid}) que « {secrets.parent} » : "
                "ce secret est peut-être connu de lui.",
                f"Supprimez-le : un autre sera tiré au sort ; ou « chown {owner} {path} ».",
            )


def _of_private(folder: Path, what: str) -> Iterator[Finding]:
    """Judge a folder by what others can do in it: what is closed may have open files."""
    about = folder.stat()
    has_open = about.st_mode & 0o011 and any(read_by_others(one.stat()) for one in _files(folder))
    if has_open or written_by_others(about):
        yield error(
            f"« {folder} » contient {what}, et d'autres comptes peuvent les lire ou en mettre.",
            f"chmod 700 {folder}",
        )


def _files(folder: Path) -> Iterator[Path]:
    return (one for one in folder.iterdir() if one.is_file())


def _of_variables(files: list[Path]) -> Iterator[Finding]:
    for path in files:
        about = path.stat()
        if read_by_others(about) or written_by_others(about):
            yield error(
                f"« {path} » est ouvert à d'autres comptes : il contient des secrets.",
                f"chmod 600 {path}",
            )
    yield from replaced(files[0]) if files else ()


def _of_table(table: Path) -> Iterator[Finding]:
    if written_by_others(table.stat()):
        yield error(
            f"La table de routage « {table} » peut être changée par d'autres comptes : ils "
            "choisiraient où les clés sont envoyées.",
            f"chmod go-w {table}",
        )
    yield from replaced(table)
