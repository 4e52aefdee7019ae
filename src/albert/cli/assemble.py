"""From what answers to what the API serves."""

from __future__ import annotations

from collections.abc import Callable

from albert.api.app import create_app
from albert.api.auth_log import auth_log
from albert.api.background import Background
from albert.api.database.engine import Database
from albert.api.features.models.changes import CHANNEL
from albert.api.features.tokens.first_admin import ensure_first_admin
from albert.api.features.tokens.gate import DatabaseGate
from albert.api.keys import KEY_FILE, digest_of, ensure_key
from albert.api.mail.drivers import mailer_of
from albert.api.secrets import secret_key
from albert.api.services import Policy, Services, SourceStatus, Status
from albert.asgi.run import serve
from albert.bootstrap.albert import Albert
from albert.bootstrap.models import Models
from albert.cli.console import say
from albert.cli.observe import Watching
from albert.cli.readiness import announced
from albert.cli.worker import first_admin, reload_later
from albert.domain.errors import SearchError
from albert.index.contract import Coverage
from albert.inference.batching import Batcher
from albert.prompt.config import built_in


async def serve_api(
    one: Albert, models: Models, postgres: str, welcome: Callable[[str, str], None]
) -> None:
    """Serve the API until a signal; ``welcome`` is told the address, and the key if it is new."""
    key, created = ensure_key(one.home.secrets)
    served = services(one, models, Database(postgres), key)
    await serve(
        create_app(served),
        one.settings.host,
        one.settings.port,
        announced(lambda address: welcome(address, key if created else "")),
        root_path=one.settings.root_path,
        reload=lambda: reload_later(models, served.background),
    )


def services(one: Albert, models: Models, database: Database, key: str) -> Services:
    """Return what the API serves; the database is opened and closed with it."""
    secret = secret_key(one.settings, one.home.secrets)
    background = Background()
    gate = DatabaseGate(database, secret)
    watching = Watching(one.settings, one.home, database, gate, models.dispatcher.fleet)
    database.listener.on(CHANNEL, lambda _: reload_later(models, background))

    async def close() -> None:
        one.embedder.close()
        await watching.close()
        await database.close()

    return Services(
        answerers=models.answerers,
        default=lambda: models.default,
        embedder=Batcher(one.embedder, concurrent=2 * one.settings.embed_threads),
        retriever=one.retriever,
        library=one.library,
        status=lambda: status(one, models),
        gate=gate,
        database=database,
        mailer=mailer_of(one.settings, one.home.mail),
        secret=secret,
        policy=policy(one),
        dispatcher=models.dispatcher,
        limiter=watching.limiter,
        recorder=watching.recorder,
        metrics=watching.metrics,
        auth_log=auth_log(one.settings),
        modes=(models.prompts or built_in()).modes,
        titler=models.titler,
        background=background,
        open=lambda: warm(one, database, watching, key),
        close=close,
    )


async def warm(one: Albert, database: Database, watching: Watching, key: str) -> None:
    """Open the database, with an administrator in it, and load what answers first."""
    await database.open()
    if not await ensure_first_admin(database, first_admin(one.settings), digest_of(key)):
        say(
            f"La clé de {one.home.secrets / KEY_FILE} a été révoquée : elle n'ouvre plus rien. "
            "Supprimez ce fichier, puis relancez « albert up » : une autre sera créée."
        )
    await watching.open()
    await one.embedder.warm_up()
    one.engine.coverage()


def policy(one: Albert) -> Policy:
    settings = one.settings
    return Policy(
        contact_email=settings.contact,
        front_url=settings.front_url,
        resume_seconds=settings.resume_seconds,
        drain_seconds=settings.drain_seconds,
        retention_days=settings.retention_days,
    )


def status(one: Albert, models: Models) -> Status:
    coverage: Coverage | None
    try:
        coverage = one.engine.coverage()
        detail = "" if coverage.complete else "Les vecteurs se calculent encore."
    except SearchError as error:
        coverage, detail = None, str(error)
    return Status(
        version=one.version,
        corpus=tuple(
            SourceStatus(source=s.source, sheets=s.sheets, newest=s.newest, origin=s.origin)
            for s in one.corpus.report.sources
            if s.sheets
        ),
        coverage=coverage,
        models=tuple(models.answerers),
        detail=detail,
    )
