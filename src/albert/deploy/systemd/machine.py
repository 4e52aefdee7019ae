"""Whether this machine can run what its units say, seen before anything is written."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import albert
from albert.deploy.plan import Service
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


def check_machine(
    installation: Installation, found: Sequence[Service], *folders: Path, saving: bool
) -> None:
    """See that ``folders`` can be written, and that the user can run the program and keep its data.

    Changes nothing. ``found`` are the services of this machine, ``saving`` as for ``rendered``.

    Raises:
        DeploymentError
    """
    for folder in folders:
        _check_writable(folder)
    user = _user(installation.user)
    for variable, written in _written(installation, found, saving=saving):
        _check_owned(variable, written, user)
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


def _written(
    installation: Installation, found: Sequence[Service], *, saving: bool
) -> Iterator[tuple[str, str]]:
    """Yield the folders that units write and systemd does not make, each with its variable.

    In the data folder Albert makes its own, but not that of the authentication log.
    """
    values, home = installation.values, Path(installation.home)
    api = any(one.kind == "api" for one in found)
    log = values.get("ALBERT_AUTH_LOG", "").rpartition("/")[0]
    beside = {"ALBERT_HOME": installation.home, "ALBERT_AUTH_LOG": log if api else ""}
    apart = {
        "ALBERT_BACKUPS": values.get("ALBERT_BACKUPS", "") if api and saving else "",
        "STORAGE_PATH": installation.storage if _downloads(found) else "",
    }
    beside |= {name: one for name, one in apart.items() if not Path(one).is_relative_to(home)}
    for variable, folder in beside.items():
        if folder and not state(folder) and not state(folder, "/var/log/"):
            yield variable, folder


def _downloads(found: Sequence[Service]) -> bool:
    return any(one.model is not None and one.model.hf_repo_id for one in found)


def _check_owned(variable: str, written: str, user: pwd.struct_passwd) -> None:
    folder = Path(written)
    if not folder.is_dir() or folder.stat().st_uid != user.pw_uid:
        raise DeploymentError(
            f"{variable} : « {folder} » n'est pas un dossier du compte {user.pw_name} : créez-le "
            f"par « sudo install -d -m 700 -o {user.pw_name} {folder} »."
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
