"""``albert models``: the language models, and the table that routes to them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer

from albert.api.database.engine import Database
from albert.api.features.models.changes import tell_reload
from albert.cli.downloads import download_models, list_models
from albert.cli.start import albert
from albert.domain.errors import TableInvalid
from albert.routing.reading import read
from albert.routing.schema import schema

app = typer.Typer(no_args_is_help=True)
app.command("download")(download_models)
app.command("list")(list_models)


@app.command("check")
def check(
    table: Annotated[
        Path | None,
        typer.Argument(help="La table de routage ; sans elle, celle d'ALBERT_ROUTING_TABLE."),
    ] = None,
) -> None:
    """Vérifie la table de routage : chaque erreur, avec sa ligne et sa raison."""
    path = table or Path(albert().settings.routing_table)
    if path == Path():
        raise TableInvalid(
            "Aucune table de routage : donnez son chemin, ou dites-le dans ALBERT_ROUTING_TABLE."
        )
    for model in read(path):
        places = ", ".join(replica.address or "ici" for replica in model.replicas)
        typer.echo(f"{model.name} : {model.type}, {model.driver}, {places}")


@app.command("schema")
def show_schema() -> None:
    """Écrit le schéma JSON de la table, pour les éditeurs qui complètent et vérifient."""
    typer.echo(orjson.dumps(schema(), option=orjson.OPT_INDENT_2).decode())


@app.command("reload")
def reload() -> None:
    """Fait relire la table à tous les services et hôtes ; aucune réponse n'est coupée."""
    one = albert()
    if path := one.settings.routing_table:
        read(Path(path))
    with one.database() as postgres:
        asyncio.run(_tell(postgres))
    typer.echo("Les services relisent leur table de routage ; leurs journaux le disent.")


async def _tell(postgres: str) -> None:
    database = Database(postgres)
    try:
        await tell_reload(database)
    finally:
        await database.close()
