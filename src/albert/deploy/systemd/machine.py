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
from albert.domain.errors import AlbertError, DeploymentError
from albert.routing.table import RoutedModel
from albert.serving.store import ModelStore

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
    models = [one.model for one in found if one.model is not None and one.model.hf_repo_id]
    if models and not Path(installation.storage).is_relative_to(installation.home):
        _check_storage(installation, models, user)
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
    """Yield the folders, but that of models, that units write and systemd does not make.

    In the data folder Albert makes its own, but not that of the authentication log.
    """
    values, home = installation.values, Path(installation.home)
    api = any(one.kind == "api" for one in found)
    log = values.get("ALBERT_AUTH_LOG", "").rpartition("/")[0]
    beside = {"ALBERT_HOME": installation.home, "ALBERT_AUTH_LOG": log if api else ""}
    backups = values.get("ALBERT_BACKUPS", "") if api and saving else ""
    if not Path(backups).is_relative_to(home):
        beside["ALBERT_BACKUPS"] = backups
    for variable, folder in beside.items():
        if folder and not state(folder) and not state(folder, "/var/log/"):
            yield variable, folder


def _check_owned(variable: str, written: str, user: pwd.struct_passwd) -> None:
    folder = Path(written)
    if not folder.exists():
        raise DeploymentError(
            f"{variable} : « {folder} » n'existe pas : créez-le par "
            f"« sudo install -d -m 700 -o {user.pw_name} {folder} »."
        )
    if not folder.is_dir():
        raise DeploymentError(
            f"{variable} : « {folder} » n'est pas un dossier : donnez-en un autre."
        )
    if folder.stat().st_uid != user.pw_uid:  # others may need it: it is not to change hands
        raise DeploymentError(
            f"{variable} : « {folder} » n'est pas un dossier du compte {user.pw_name} : donnez-en "
            f"un qui soit à lui seul, par exemple {variable}={_apart(variable, folder)}."
        )


def _apart(variable: str, folder: Path) -> Path:
    """Return what ``variable`` can say instead of a folder that is another's."""
    return folder / ("albert/auth.log" if variable == "ALBERT_AUTH_LOG" else "albert")


def _check_storage(
    installation: Installation, models: Sequence[RoutedModel], user: pwd.struct_passwd
) -> None:
    """See that the account can bring models there, or read them where all have been brought."""
    folder = Path(installation.storage)
    if state(installation.storage) or state(installation.storage, "/var/log/"):
        return  # systemd makes it
    if not folder.is_dir() or folder.stat().st_uid == user.pw_uid:
        _check_owned("STORAGE_PATH", installation.storage, user)
        return
    for model in models:
        brought = _brought(folder, model)
        if brought is None:
            raise DeploymentError(
                f"STORAGE_PATH : « {folder} » n'est pas un dossier du compte {user.pw_name}, qui "
                f"doit y télécharger « {model.name} » : mettez-y ce modèle, ou donnez-en un qui "
                f"soit à lui seul, par exemple STORAGE_PATH={_apart('STORAGE_PATH', folder)}."
            )
        if not _may_read(brought, user):
            raise DeploymentError(
                f"STORAGE_PATH : le compte {user.pw_name} ne peut pas lire « {brought} » : "
                "ouvrez-lui ce modèle, et les dossiers au-dessus, en lecture."
            )


def _brought(storage: Path, model: RoutedModel) -> Path | None:
    """Return the folder of a model that is there whole, and is not to be brought again."""
    if model.force_download:
        return None
    try:
        stored = ModelStore(storage).locate(model.hf_repo_id, model.revision, model.file)
        if stored is not None:
            stored.check()
    except (AlbertError, OSError):  # root itself may not read what another machine shares
        return None
    return stored.folder if stored is not None else None


def _may_read(folder: Path, user: pwd.struct_passwd) -> bool:
    words = ["find", "-L", str(folder), "!", "-readable", "-print", "-quit"]
    done = _run_as(user, words)
    return not done.returncode and not done.stdout


def _check_program(installation: Installation, user: pwd.struct_passwd) -> None:
    """Run it as that user: every folder above it, and Python, must let them pass."""
    if _run_as(user, [installation.program, "--version"]).returncode:
        raise DeploymentError(
            f"Le compte {user.pw_name} ne peut pas lancer « {installation.program} » : installez "
            "Albert, et son Python, là où il peut les lire, par exemple dans /srv/albert."
        )


def _run_as(user: pwd.struct_passwd, words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a program as systemd will, with all the groups of the account."""
    before: list[str] = []
    if os.geteuid() == 0:
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
        before = ["setpriv", *ids, "--"]
    try:
        return subprocess.run(  # noqa: S603 — our own program, or a fixed one
            [*before, *words], capture_output=True, cwd="/", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeploymentError(f"« {words[0]} » ne se lance pas ({error}).") from None
