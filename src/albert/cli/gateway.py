"""``albert serve gateway``: the OpenAI-compatible gateway alone, in front of the table's models."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop

from albert.api.background import Background
from albert.api.database.engine import Database
from albert.api.features.models.changes import CHANNEL
from albert.api.features.tokens.first_admin import ensure_first_admin
from albert.api.features.tokens.gate import DatabaseGate
from albert.api.gateway import Gateway, GatewayServices
from albert.api.keys import digest_of, ensure_key
from albert.api.secrets import refuse_weak_secrets, secret_key
from albert.asgi.run import listen, serve
from albert.bootstrap import Albert
from albert.cli.assemble import first_admin, reload_later
from albert.cli.console import say
from albert.cli.observe import Watching
from albert.cli.start import albert
from albert.domain.errors import TableInvalid


def gateway(
    host: Annotated[str, typer.Option(help="Adresse d'écoute ; sinon ALBERT_HOST.")] = "",
    port: Annotated[int, typer.Option(help="Port d'écoute ; sinon ALBERT_PORT.")] = 0,
) -> None:
    """Sert la passerelle /v1 seule, devant les modèles de la table ; ni fiches, ni moteurs."""
    one = albert()
    said = {"host": host, "port": port}
    one.settings = one.settings.model_copy(update={k: v for k, v in said.items() if v})
    if not one.settings.routing_table:
        raise TableInvalid(
            "Une passerelle mène aux modèles d'une table de routage : "
            "dites où elle est dans ALBERT_ROUTING_TABLE."
        )
    listen(one.settings.host, one.settings.port).close()
    refuse_weak_secrets(one.settings)
    with one.database() as postgres:
        uvloop.run(_serve(one, Database(postgres)))


async def _serve(one: Albert, database: Database) -> None:
    key, created = ensure_key(one.home.secrets)
    models, background = one.passage(), Background()
    database.listener.on(CHANNEL, lambda _: reload_later(models, background))
    gate = DatabaseGate(database, secret_key(one.settings, one.home.secrets))
    watching = Watching(one, database, gate, models.dispatcher.fleet)

    async def opened() -> None:
        await ensure_first_admin(database, first_admin(one), digest_of(key))
        await watching.open()

    services = GatewayServices(
        gate=gate,
        database=database,
        dispatcher=models.dispatcher,
        limiter=watching.limiter,
        recorder=watching.recorder,
        metrics=watching.metrics,
        drain_seconds=one.settings.drain_seconds,
        opened=opened,
        closing=watching.close,
    )

    def welcome(address: str) -> None:
        if created:
            say(f"Votre clé, montrée cette seule fois (gardée dans {one.home.secrets}) : {key}")
        say(f"Modèles : {', '.join(services.names)}")
        say(f"La passerelle répond sur {address}/v1")

    await serve(
        Gateway(services),
        one.settings.host,
        one.settings.port,
        welcome,
        root_path=one.settings.root_path,
        reload=lambda: reload_later(models, background),
    )
    await background.close()
    say("La passerelle est arrêtée.")
