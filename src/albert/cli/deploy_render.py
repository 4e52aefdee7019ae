"""``albert deploy render``: from an environment to the files that Docker Compose reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from albert.api.secrets import refuse_weak_secrets
from albert.cli.console import say, show
from albert.cli.systemd_checks import check_database
from albert.deploy.compose.folder import check_ours, put
from albert.deploy.compose.render import Files, rendered
from albert.deploy.environments import environment_of
from albert.deploy.validity import refuse_wrong
from albert.deploy.variables import check
from albert.domain.errors import EnvironmentInvalid
from albert.routing.reading import read
from albert.routing.table import RoutingTable
from albert.settings import load

Environment = Annotated[str, typer.Argument(metavar="ENV", help="Nom de l'environnement.")]
Output = Annotated[Path | None, typer.Option("--output", help="Dossier rendu ; sinon build/ENV.")]


def render(
    environment: Environment,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", help="Ses variables ; sinon environments/ENV.env."),
    ] = None,
    output: Output = None,
) -> None:
    """Écrit, pour chaque hôte, ce que lit Docker Compose : services, variables et table.

    Le dossier est remplacé en entier, ou pas du tout ; rien n'est demandé aux hôtes.
    """
    values = environment_of(environment, env_file)
    place = output_of(environment, output)
    check_ours(place)
    files = files_of(environment, values)
    changed = put(files, place)
    for host in files:
        show(str(place / host))
    if not changed:
        say("Rien n'a changé.")


def files_of(environment: str, values: Mapping[str, str]) -> dict[str, Files]:
    """Return what is rendered for each machine.

    Raises:
        EnvironmentInvalid, SettingInvalid
    """
    table = table_of(values)
    _refuse_unknown(values, table)
    settings = load(values)
    refuse_wrong(values, settings, here=False)
    files = rendered(environment, values, table)
    refuse_weak_secrets(settings)
    check_database(values, settings)
    return files


def table_of(values: Mapping[str, str]) -> RoutingTable:
    """Return an environment's routing table; it is empty if it names none."""
    path = values.get("ALBERT_ROUTING_TABLE")
    return read(Path(path).expanduser()) if path else RoutingTable({})


def _refuse_unknown(values: Mapping[str, str], table: RoutingTable) -> None:
    """Raises ``EnvironmentInvalid``, for a variable that nobody reads is one misspelt."""
    keys = [replica.key_variable for model in table for replica in model.replicas]
    if wrong := check(values, keys):
        raise EnvironmentInvalid("\n".join(wrong))


def output_of(environment: str, output: Path | None) -> Path:
    """Return where an environment is rendered."""
    return output or Path("build") / environment
