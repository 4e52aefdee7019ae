"""``albert up``: learn what is not learnt yet, then serve until Ctrl-C."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import typer
import uvloop

from albert.api.auth_log import auth_log
from albert.api.database.connecting import connected
from albert.api.secrets import refuse_weak_secrets
from albert.asgi.run import listen
from albert.assistant.phrases import french_date
from albert.bootstrap.albert import Albert
from albert.bootstrap.models import Models
from albert.cli.console import say
from albert.cli.learn import fetch_all, learn_corpus, learn_words, missing
from albert.cli.start import albert
from albert.domain.folders import alone

EXAMPLE = "Je touche le RSA, ai-je droit à la complémentaire santé ?"


def up(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Modèle de langue : un fichier .gguf, ou un nom servi à ALBERT_MODEL_URL. "
            "Sans modèle, Albert répond par des citations.",
        ),
    ] = "",
    whence: Annotated[
        str | None,
        typer.Option("--from", metavar="official|registry|CHEMIN", help="Origine des fiches."),
    ] = None,
) -> None:
    """Apprend les fiches si ce n'est fait, puis sert l'API ; Ctrl-C arrête tout."""
    start(albert(), model=model, whence=whence)


def start(one: Albert, *, model: str = "", whence: str | None = None) -> None:
    """Learn what is missing, then serve; ``whence`` says where sheets come from."""
    settings = one.settings
    with alone(one.home.root / "up.lock", _RUNNING):
        listen(settings.host, settings.port).close()  # better told before minutes of work
        refuse_weak_secrets(settings)
        auth_log(settings)
        one.check_model(model)
        one.whitelist.current()
        if settings.database_address:
            asyncio.run(_reach(settings.database_address))
        _learn(one, whence)
        with one.database() as postgres:
            uvloop.run(_serve(one, model, postgres))


_RUNNING = "Albert tourne déjà sur ce dossier de données : arrêtez-le, ou changez ALBERT_HOME."


async def _reach(address: str) -> None:
    """Raises ``DatabaseError``, if the database does not let us in."""
    async with connected(address):
        pass


def _learn(one: Albert, whence: str | None) -> None:
    settings = one.settings
    needed = missing(one)
    if needed:
        say("Albert apprend les fiches officielles (une seule fois).")
        asyncio.run(
            fetch_all(
                one,
                needed,
                said=whence or settings.corpus_from,
                npm_registry=settings.npm_registry or None,
            )
        )
    learn_corpus(one)
    learn_words(one)


async def _serve(one: Albert, model: str, postgres: str) -> None:
    from albert.cli.assemble import serve_api  # what it serves takes a second to import

    async with one.models(model) as models, _vectors(one):
        await serve_api(one, models, postgres, partial(_welcome, one, models))
    say("Albert est arrêté.")


def _welcome(one: Albert, models: Models, address: str, key: str) -> None:
    report = one.corpus.report
    dates = ", ".join(f"{s} {french_date(date)}" for s, date in one.corpus.newest().items())
    coverage = one.engine.coverage()
    say(f"{report.sheets} fiches, {report.chunks} extraits ; les plus récentes : {dates}.")
    if not coverage.complete:
        say(
            f"Vecteurs : {coverage.passages_embedded}/{coverage.chunks} extraits ; le reste se "
            "calcule en arrière-plan (albert index status), Albert répond déjà."
        )
    if key:
        say(f"Votre clé, montrée cette seule fois (gardée dans {one.home.secrets}) : {key}")
    say(f"Réponses par : {models.default}")
    say(f"Albert répond sur {address}")
    say(f'Essayez, dans un autre terminal : .venv/bin/albert ask "{EXAMPLE}"')


@asynccontextmanager
async def _vectors(one: Albert) -> AsyncIterator[None]:
    """Compute the missing vectors in a process of low priority that ends with this one."""
    if one.engine.coverage().complete:
        yield
        return
    one.home.logs.mkdir(exist_ok=True, mode=0o700)
    with (one.home.logs / "vectors.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "albert", "index", "build", "--wait", "all", "--background"),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us: we stop it in order
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()  # what it computed is kept: it appends whole records
        await process.wait()
