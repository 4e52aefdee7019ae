"""``albert serve gateway``: the OpenAI-compatible gateway alone, in front of the table's models."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop

from albert.api.auth_log import AuthLog, auth_log
from albert.api.background import Background
from albert.api.database.engine import Database
from albert.api.features.models.changes import CHANNEL
from albert.api.features.tokens.first_admin import ensure_first_admin
from albert.api.features.tokens.gate import DatabaseGate
from albert.api.gateway import Gateway, GatewayServices
from albert.api.keys import digest_of, ensure_key
from albert.api.secrets import refuse_weak_secrets, secret_key
from albert.asgi.run import listen, serve
from albert.bootstrap.home import open_home, postgres
from albert.bootstrap.passage import Passage
from albert.cli.console import say
from albert.cli.logs import configure
from albert.cli.observe import Watching
from albert.cli.readiness import announced
from albert.cli.worker import first_admin, reload_later
from albert.domain.errors import TableInvalid
from albert.domain.home import Home
from albert.settings import Settings, load


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
        uvloop.run(_serve(settings, home, Database(address), refusals))


async def _serve(settings: Settings, home: Home, database: Database, refusals: AuthLog) -> None:
    key, created = ensure_key(home.secrets)
    passage, background = Passage(settings), Background()
    database.listener.on(CHANNEL, lambda _: reload_later(passage, background))
    gate = DatabaseGate(database, secret_key(settings, home.secrets))
    watching = Watching(settings, home, database, gate, passage.dispatcher.fleet)

    async def opened() -> None:
        await ensure_first_admin(database, first_admin(settings), digest_of(key))
        await watching.open()

    services = GatewayServices(
        gate=gate,
        database=database,
        dispatcher=passage.dispatcher,
        limiter=watching.limiter,
        recorder=watching.recorder,
        metrics=watching.metrics,
        auth_log=refusals,
        drain_seconds=settings.drain_seconds,
        opened=opened,
        closing=watching.close,
    )

    def welcome(address: str) -> None:
        if created:
            say(f"Votre clé, montrée cette seule fois (gardée dans {home.secrets}) : {key}")
        say(f"Modèles : {', '.join(services.names)}")
        say(f"La passerelle répond sur {address}/v1")

    await serve(
        Gateway(services),
        settings.host,
        settings.port,
        announced(welcome),
        root_path=settings.root_path,
        reload=lambda: reload_later(passage, background),
    )
    await background.close()
    say("La passerelle est arrêtée.")
