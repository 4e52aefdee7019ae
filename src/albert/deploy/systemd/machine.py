"""Whether this machine can run what its units say, seen before anything is written."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import albert
from albert.deploy.systemd.installation import HOME, Installation, state
from albert.domain.errors import DeploymentError

_SECONDS = 60


def program() -> str:
    """Return the path of the program that runs, as its virtual environment has it.

    Raises:
        DeploymentError
    """
    found = Path(sys.executable).with_name("albert")
    if not found.is_file():
        raise DeploymentError(
            f"Le programme « {found} » n'existe pas : installez Albert par « make install », "
            "et lancez cette commande par .venv/bin/albert."
        )
    return str(found)


def installed() -> tuple[str, ...]:
    """Return where Python and our own code are: the virtual environment may lead elsewhere."""
    return (sys.prefix, sys.base_prefix, str(Path(albert.__file__).parent))


def check_machine(installation: Installation, *folders: Path) -> None:
    """See that ``folders`` can be written, and that the user can run the program.

    Raises:
        DeploymentError
    """
    for folder in folders:
        _check_writable(folder)
    user = _user(installation.user)
    _check_home(installation, user)
    _check_program(installation, user)


def _check_writable(folder: Path) -> None:
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise DeploymentError(
            f"« {folder} » ne peut pas être écrit : relancez avec sudo, ou dites d'autres dossiers "
            "par --output et --config."
        )


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise DeploymentError(
            f"Le compte « {name} » n'existe pas : créez-le par « sudo useradd --system "
            f"--home-dir {HOME} --shell /usr/sbin/nologin {name} », ou dites-en un par --user."
        ) from None


def _check_home(installation: Installation, user: pwd.struct_passwd) -> None:
    home = Path(installation.home)
    if state(installation.home):  # systemd makes it
        return
    if not home.is_dir() or home.stat().st_uid != user.pw_uid:
        raise DeploymentError(
            f"ALBERT_HOME : « {home} » n'est pas un dossier du compte {user.pw_name} : créez-le "
            f"par « sudo install -d -m 700 -o {user.pw_name} {home} »."
        )


def _check_program(installation: Installation, user: pwd.struct_passwd) -> None:
    """Run it as that user: every folder above it, and Python, must let them pass."""
    words = [installation.program, "--version"]
    if os.geteuid() == 0:
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        words = ["setpriv", *ids, "--", *words]
    try:
        done = subprocess.run(  # noqa: S603 — our own program
            words, capture_output=True, cwd="/", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeploymentError(f"« {installation.program} » ne se lance pas ({error}).") from None
    if done.returncode:
        raise DeploymentError(
            f"Le compte {user.pw_name} ne peut pas lancer « {installation.program} » : installez "
            "Albert, et son Python, là où il peut les lire, par exemple dans /srv/albert."
        )
