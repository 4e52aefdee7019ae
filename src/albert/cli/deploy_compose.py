"""``albert deploy up``, ``down``, ``status``, ``logs``, ``setup``: containers of this machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from albert.cli.console import lay, say
from albert.cli.deploy_render import Environment, Output, output_of
from albert.deploy.compose.engine import Project
from albert.deploy.compose.folder import hosts_of
from albert.deploy.compose.preflight import check
from albert.deploy.environments import FOLDER, environment_of
from albert.deploy.here import is_here
from albert.deploy.variables import default
from albert.domain.errors import DeploymentError
from albert.settings import environment as variables

Host = Annotated[str, typer.Option("--host", help="Laquelle des machines rendues est celle-ci.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Suit ce qui vient, jusqu'à Ctrl-C.")]


def up(
    environment: Environment,
    host: Host = "",
    output: Output = None,
    timeout: Annotated[
        int, typer.Option(help="Secondes données à chaque groupe pour être en bonne santé.", min=1)
    ] = 1800,
) -> None:
    """Démarre ou met à jour les services de cette machine, et attend qu'ils aillent bien.

    Les modèles d'abord, puis l'API, un jeu de processus après l'autre : nginx en a toujours un.
    """
    project = _project(environment, host, output)
    check(project, project.lasting)
    for group in _groups(project):
        said = ("--detach", "--wait", "--wait-timeout", str(timeout), "--no-deps")
        project.compose("up", *said, "--remove-orphans", *group)
    _show(project)


def down(environment: Environment, host: Host = "", output: Output = None) -> None:
    """Arrête et retire les services de cette machine ; les données restent."""
    project = _project(environment, host, output)
    project.check_program()
    project.compose("down", "--remove-orphans")


def setup(environment: Environment, host: Host = "", output: Output = None) -> None:
    """Prépare cette machine : modèles, migrations, fiches, liste blanche et index."""
    project = _project(environment, host, output)
    tasks = [name for name in ("setup-models", "setup") if name in project.services]
    check(project, tasks)
    for task in tasks:
        project.compose("--profile", "setup", "run", "--rm", task)


def status(environment: Environment, host: Host = "", output: Output = None) -> None:
    """Montre chaque service de cette machine ; sort en 1 si l'un d'eux ne va pas bien."""
    project = _project(environment, host, output)
    project.check_program()
    if not _show(project):
        raise typer.Exit(1)


def logs(
    environment: Environment,
    service: Annotated[
        str, typer.Argument(metavar="SERVICE", help="Un service ; sinon tous.")
    ] = "",
    host: Host = "",
    output: Output = None,
    follow: Follow = False,
    tail: Annotated[int, typer.Option(help="Dernières lignes de chacun.", min=0)] = 100,
) -> None:
    """Montre les journaux des services de cette machine."""
    project = _project(environment, host, output)
    if service and service not in project.services:
        raise DeploymentError(
            f"« {service} » n'est pas un service d'ici : il y a {', '.join(project.lasting)}."
        )
    project.check_program()
    words = ["--follow"] if follow else []
    project.compose("logs", "--tail", str(tail), *words, *([service] if service else []))


def _project(environment: str, host: str, output: Path | None) -> Project:
    place = output_of(environment, output)
    found = hosts_of(place)
    if not found:
        raise DeploymentError(
            f"Rien n'est rendu dans « {place} » : lancez d'abord « albert deploy render "
            f"{environment} »."
        )
    chosen = host or _this_machine(found)
    if chosen not in found:
        raise DeploymentError(
            f"Dites par --host laquelle des machines rendues est celle-ci : {', '.join(found)}."
        )
    given = variables()
    program = shlex.split(given.get("COMPOSE_PROGRAM") or _said(environment))
    return Project(place / chosen, program, given)


def _said(environment: str) -> str:
    """Return the program that the environment's own file names, if that file is here."""
    there = (FOLDER / f"{environment}.env").is_file()
    values = environment_of(environment) if there else {}
    return values.get("COMPOSE_PROGRAM") or default("COMPOSE_PROGRAM")


def _this_machine(found: tuple[str, ...]) -> str:
    """Return the machine that this one is; rendered alone, it was for here."""
    if len(found) == 1:
        return found[0]
    ours = [host for host in found if is_here(host)]
    return ours[0] if len(ours) == 1 else ""


def _groups(project: Project) -> list[list[str]]:
    """Return the services that are changed together, in order."""
    apis = [name for name in project.lasting if name.startswith("api-")]
    models = [name for name in project.lasting if name not in apis]
    return [group for group in (models, *([one] for one in apis)) if group]


_HEALTH = {"healthy": "bonne", "starting": "démarre", "unhealthy": "mauvaise", "": "—"}
_STATES = {"running": "tourne", "exited": "arrêté", "created": "créé", "restarting": "redémarre"}


def _show(project: Project) -> bool:
    """Show the services; whether all of them run and are well."""
    containers = {one.service: one for one in project.containers()}
    table = Table("service", "état", "santé", "adresse", box=None)
    well = True
    for name in project.lasting:
        one = containers.get(name)
        if one is None:
            table.add_row(name, "absent", "—", "")
            well = False
            continue
        places = ", ".join(f"{address}:{port}" for address, port in one.ports)
        health = _HEALTH.get(one.health, one.health)
        table.add_row(name, _STATES.get(one.state, one.state), health, places)
        well = well and one.state == "running" and one.health == "healthy"
    lay(table)
    if not well:
        say("Un service ne va pas bien : « albert deploy logs » en dit la raison.")
    return well
