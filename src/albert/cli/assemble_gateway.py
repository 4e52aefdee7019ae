"""The gateway of a process: its parts put together, then served."""

from __future__ import annotations

from albert.api.auth_log import AuthLog
from albert.api.background import Background
from albert.api.database.engine import Database
from albert.api.features.models.changes import CHANNEL
from albert.api.features.tokens.first_admin import ensure_first_admin
from albert.api.features.tokens.gate import DatabaseGate
from albert.api.gateway import Gateway, GatewayServices
from albert.api.keys import digest_of, ensure_key
from albert.api.secrets import secret_key
from albert.asgi.run import serve
from albert.bootstrap.passage import Passage
from albert.cli.console import say
from albert.cli.observe import Watching
from albert.cli.readiness import announced
from albert.cli.worker import first_admin, reload_later
from albert.domain.home import Home
from albert.settings import Settings


async def serve_gateway(settings: Settings, home: Home, database: Database, log: AuthLog) -> None:
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
        auth_log=log,
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
