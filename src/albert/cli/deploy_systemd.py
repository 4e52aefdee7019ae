"""``albert deploy systemd``: the services of this machine, kept running by systemd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from albert.bootstrap.table import table_of
from albert.cli.console import say, show
from albert.cli.systemd_checks import check_environment, check_paths
from albert.deploy.env_file import read
from albert.deploy.here import is_here, services_here
from albert.deploy.plan import Service, plan
from albert.deploy.systemd.installation import HOME, Installation
from albert.deploy.systemd.machine import check_machine, installed, program
from albert.deploy.systemd.placing import Change, changes, put
from albert.deploy.systemd.rendering import rendered, running
from albert.deploy.systemd.services import TARGET
from albert.domain.errors import DeploymentError
from albert.settings import load


def systemd(
    env_file: Annotated[
        Path, typer.Option("--env-file", help="Les variables de l'environnement (NOM=valeur).")
    ],
    output: Annotated[Path, typer.Option("--output", help="Dossier des unités.")] = Path(
        "/etc/systemd/system"
    ),
    config: Annotated[
        Path, typer.Option("--config", help="Dossier des variables de chaque service.")
    ] = Path("/etc/albert"),
    user: Annotated[str, typer.Option("--user", help="Compte sous lequel tout tourne.")] = "albert",
    host: Annotated[
        str, typer.Option("--host", help="Nom de cette machine dans la table (sinon reconnue).")
    ] = "",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Dit ce qui changerait ou l'empêcherait, n'écrit rien."),
    ] = False,
) -> None:
    """Écrit les unités systemd de cette machine, et les variables que chaque service lit.

    Ce qui n'a pas changé n'est pas touché ; les unités d'un modèle sorti de la table sont retirées.
    """
    installation, found, saving = _planned(env_file, user, config.absolute(), host)
    units, files = rendered(installation, found, saving=saving)
    if env_file.absolute() in {installation.config / name for name in files}:
        raise DeploymentError(
            f"« {env_file} » porte le nom d'un fichier à écrire : donnez-lui un autre nom."
        )
    todo = [
        *changes(config, files, option="--config", pattern="*.env", mode=0o600),
        *changes(output, units, option="--output", pattern="albert*.*", mode=0o644),
    ]
    if dry_run:
        _tell(todo, found, dry_run=True)
    check_machine(installation, found, config, output, saving=saving)
    if not dry_run:
        for change in todo:
            put(change)
        _tell(todo, found, dry_run=False)


def _planned(
    env_file: Path, user: str, config: Path, host: str
) -> tuple[Installation, Sequence[Service], bool]:
    """Return what this machine has to run, and whether it backs the database up.

    Raises:
        EnvironmentInvalid, SettingInvalid, TableInvalid, DeploymentError
    """
    values = {"ALBERT_HOME": HOME, **{k: v for k, v in read(env_file).items() if v}}
    check_paths(values)
    settings = load(values)
    table = table_of(settings)
    whole = plan(settings.env, values, table)
    found = services_here(whole, host)
    check_environment(values, settings, table, whole, found)
    installation = Installation(
        program=program(),
        user=user,
        config=config,
        values=values,
        settings=settings,
        reads=installed(),
    )
    return installation, found, _saves(whole.services, found)


def _saves(everywhere: Sequence[Service], found: Sequence[Service]) -> bool:
    """Whether this machine backs the database up: the first of those that the API is on."""
    first = next((one.host for one in everywhere if one.kind == "api"), None)
    return first is not None and (any(one.host == first for one in found) or is_here(first))


def _tell(todo: Sequence[Change], found: Sequence[Service], *, dry_run: bool) -> None:
    for change in todo:
        show(f"{change.what} : {change.path}")
    if not todo:
        say("Rien n'a changé.")
        return
    if dry_run:
        say("Rien n'a été écrit (--dry-run).")
        return
    say("Ensuite :")
    for line in _next(todo, found):
        say(f"  {line}")


def _next(todo: Sequence[Change], found: Sequence[Service]) -> Iterator[str]:
    """Yield the commands that make what runs what was written."""
    gone = [one.path.name for one in todo if one.what == "retiré" and _is_running(one.path.name)]
    if gone:
        yield f"sudo systemctl stop {' '.join(gone)}"
    yield f"sudo systemctl daemon-reload && sudo systemctl enable --now {TARGET}"
    changed = {one.path.name for one in todo if one.what == "modifié"}
    for name, files in running(found).items():  # one after the other: the API never stops
        if not changed.isdisjoint(files):
            yield f"sudo systemctl restart {name}"


def _is_running(name: str) -> bool:
    return name.endswith((".service", ".timer")) and "@." not in name
