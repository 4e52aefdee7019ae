"""``albert serve api``: one worker of the API, beside others, on what is learnt already."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop

from albert.api.auth_log import auth_log
from albert.api.secrets import refuse_weak_secrets
from albert.bootstrap.albert import Albert
from albert.cli.console import say
from albert.cli.exposure import check_port
from albert.cli.standing_alone import check_standing_alone
from albert.cli.start import albert
from albert.domain.errors import CorpusMissing


def api(
    host: Annotated[
        str | None, typer.Option("--host", help="Adresse d'écoute (sinon ALBERT_HOST).")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port d'écoute (sinon ALBERT_PORT)."),
    ] = None,
) -> None:
    """Sert l'API sur ce qui est déjà appris ; ne lance aucun moteur ; Ctrl-C arrête.

    Plusieurs peuvent servir le même dossier de données et la même base PostgreSQL.
    """
    one = albert(host=host, port=port)
    refuse_weak_secrets(one.settings)
    auth_log(one.settings)
    check_standing_alone(one.settings)
    one.whitelist.current()  # a mistake in the operator's list stops the start
    _check_learnt(one)
    one.check_model()
    check_port(one.settings.host, one.settings.port)
    with one.database() as postgres:
        uvloop.run(_serve(one, postgres))


def _check_learnt(one: Albert) -> None:
    """Raises ``CorpusMissing``, ``IndexNotFound`` or ``IndexIncompatible``."""
    if not one.home.corpus.exists():
        raise CorpusMissing(
            f"Rien n'est encore appris dans {one.home.root} : lancez « albert corpus fetch », "
            "« albert corpus build » puis « albert index build »."
        )
    one.engine.coverage()


async def _serve(one: Albert, postgres: str) -> None:
    from albert.cli.assemble import serve_api  # what it serves takes a second to import

    async with one.models(launching=False) as models:

        def welcome(address: str, new_key: str) -> None:
            if new_key:  # not shown: what a service says is kept in a journal
                say(f"La clé du premier administrateur est dans {one.home.secrets}.")
            if not one.engine.coverage().complete:
                say("Il manque des vecteurs : « albert index build --wait all » les calcule.")
            say(f"Réponses par : {models.default}")
            say(f"Albert répond sur {address}")

        await serve_api(one, models, postgres, welcome)
    say("Albert est arrêté.")
