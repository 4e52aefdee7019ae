"""``albert serve gateway``: the OpenAI-compatible gateway alone, in front of the table's models."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop

from albert.api.auth_log import auth_log
from albert.api.secrets import refuse_weak_secrets
from albert.asgi.run import listen
from albert.bootstrap.home import open_home, postgres
from albert.cli.logs import configure
from albert.domain.errors import TableInvalid
from albert.settings import load


def gateway(
    host: Annotated[str, typer.Option(help="Adresse d'écoute ; sinon ALBERT_HOST.")] = "",
    port: Annotated[
        int,
        typer.Option(
            help="Port d'écoute ; sinon ALBERT_PORT.", min=0, max=65535, show_default=False
        ),
    ] = 0,
) -> None:
    """Sert la passerelle /v1 seule, devant les modèles de la table ; ni fiches, ni moteurs."""
    settings = load()
    configure(settings.log_format, settings.log_level)
    said = {"host": host, "port": port}
    settings = settings.model_copy(update={k: v for k, v in said.items() if v})
    if not settings.routing_table:
        raise TableInvalid(
            "Une passerelle mène aux modèles d'une table de routage : "
            "dites où elle est dans ALBERT_ROUTING_TABLE."
        )
    home = open_home(settings)
    listen(settings.host, settings.port).close()
    refuse_weak_secrets(settings)
    refusals = auth_log(settings)
    with postgres(settings, home) as address:
        # half a second to import, once all is well
        from albert.api.database.engine import Database
        from albert.cli.assemble_gateway import serve_gateway

        uvloop.run(serve_gateway(settings, home, Database(address), refusals))
