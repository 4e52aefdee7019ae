"""``albert deploy render``: from an environment to the files that Docker Compose reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from albert.api.secrets import refuse_weak_secrets
from albert.cli.console import say, show
from albert.deploy.compose.folder import check_ours, put
from albert.deploy.compose.render import rendered
from albert.deploy.environments import environment_of
from albert.routing.reading import read
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
    refuse_weak_secrets(load(values))
    place = output_of(environment, output)
    check_ours(place)
    table = values.get("ALBERT_ROUTING_TABLE")
    files = rendered(environment, values, read(Path(table).expanduser()) if table else ())
    changed = put(files, place)
    for host in files:
        show(str(place / host))
    if not changed:
        say("Rien n'a changé.")


def output_of(environment: str, output: Path | None) -> Path:
    """Return where an environment is rendered."""
    return output or Path("build") / environment
