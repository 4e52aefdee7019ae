"""``albert privacy``: what is kept of people, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import orjson
import typer

from albert.api.database.engine import Database
from albert.api.features.privacy.purging import Purged
from albert.api.features.privacy.purging import purge as erase_old
from albert.cli.console import show
from albert.cli.start import place

app = typer.Typer(
    help="Les données personnelles : effacer ce qui est trop ancien.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Keep ``purge`` a verb of the group while it is alone."""


@app.command()
def purge(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compte ce qui serait effacé, n'efface rien.")
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Jours sans activité (sinon ceux d'ALBERT_RETENTION_DAYS)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
) -> None:
    """Efface les conversations restées sans activité, et ce qui a expiré ; le service le fait seul,
    chaque jour.
    """
    one = place()
    kept = one.settings.retention_days if days is None else days
    with one.database() as address:
        purged = asyncio.run(_purge(address, kept, dry_run=dry_run))
    if as_json:
        show(orjson.dumps({"days": kept, "dry_run": dry_run, **asdict(purged)}).decode())
        return
    show("À effacer :" if dry_run else "Effacé :")
    for name, count in asdict(purged).items():
        show(f"  {_NAMES[name]} : {count}")


_NAMES = {
    "chats": "conversations",
    "streams": "questions hors conversation",
    "sign_ins": "sessions expirées",
    "password_resets": "liens de réinitialisation expirés",
    "sign_in_attempts": "essais de mot de passe",
    "admin_reads": "lectures par des administrateurs",
    "usage": "appels aux modèles",
}


async def _purge(address: str, days: int, *, dry_run: bool) -> Purged:
    database = Database(address)
    await database.open()
    try:
        return await erase_old(database, days, dry_run=dry_run)
    finally:
        await database.close()
