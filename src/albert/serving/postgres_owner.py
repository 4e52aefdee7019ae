"""The system user that PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from albert.domain.errors import DatabaseError

_SYSTEM_USER = "albert-postgres"


@dataclass(frozen=True, slots=True)
class Owner:
    """A user of the machine."""

    name: str
    uid: int
    gid: int


def owner_here() -> Owner:
    """Return the user who runs Albert; for root, the one made for PostgreSQL.

    Raises:
        DatabaseError: root could not make it.
    """
    if os.geteuid() != 0:
        me = pwd.getpwuid(os.geteuid())
        return Owner(me.pw_name, me.pw_uid, me.pw_gid)
    try:
        entry = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        made = subprocess.run([*command, _SYSTEM_USER], capture_output=True, check=False)  # noqa: S603 — fixed words
        if made.returncode:
            raise DatabaseError(
                "PostgreSQL refuse de tourner sous root, et le compte "
                f"« {_SYSTEM_USER} » n'a pas pu être créé : lancez Albert sous un compte ordinaire."
            ) from None
        entry = pwd.getpwnam(_SYSTEM_USER)
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def run_as(owner: Owner) -> list[str]:
    """Return the words that start a child as ``owner``, to be interrupted when we are gone.

    « We » is the thread that starts it (prctl(2)).
    """
    words = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        words += ["--reuid", str(owner.uid), "--regid", str(owner.gid), "--clear-groups"]
    return [*words, "--"]


def give(folder: Path, owner: Owner) -> None:
    """As root alone: make the folder the other user's."""
    if os.geteuid() == 0:
        os.chown(folder, owner.uid, owner.gid)


def open_way(owner: Owner, *targets: Path) -> None:
    """As root alone: let the other user pass through the folders above, not look into them.

    Files keep their own permissions, and the folder of the keys is closed by its own.
    """
    if os.geteuid() == owner.uid:
        return
    for target in targets:
        for folder in (target.resolve(), *target.resolve().parents):
            mode = stat.S_IMODE(folder.stat().st_mode)
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)
