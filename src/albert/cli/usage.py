"""``albert usage``: what was asked of the models, by whom, and what it cost."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import orjson
import typer
from rich.table import Table

from albert.api.database.engine import Database
from albert.api.features.usage.asked import DAY_AND_MODEL, EVERYBODY, Asked, groups, moment
from albert.api.features.usage.report import Line, Report, report
from albert.api.features.usage.telling import account
from albert.asgi.problems import Problem
from albert.cli.console import lay, say, show
from albert.cli.on_database import on_database
from albert.domain.errors import RequestError

_DAYS = 30
_TITLES = {
    "day": "jour",
    "model": "modèle",
    "user": "compte",
    "operation": "opération",
    "status": "statut",
}
_SUMS = (
    *("requêtes", "erreurs", "jetons lus", "jetons écrits", "€"),
    *("durée p50", "p95", "1er jeton p50", "p95"),
)


def usage(
    user: Annotated[
        str, typer.Option("--user", metavar="COMPTE", help="Un seul compte : nom ou adresse.")
    ] = EVERYBODY,
    model: Annotated[str, typer.Option("--model", metavar="NOM", help="Un seul modèle.")] = "",
    since: Annotated[
        str,
        typer.Option("--since", metavar="JOUR", help="Premier jour ; sinon trente jours avant."),
    ] = "",
    by: Annotated[
        str,
        typer.Option("--by", help="Ce qui fait une ligne : day, model, user, operation, status."),
    ] = ",".join(DAY_AND_MODEL),
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
) -> None:
    """Montre ce que les comptes ont demandé aux modèles, par jour et par modèle."""
    asked = _asked(since, model, by)

    async def read(database: Database) -> Report:
        return await report(database, asked, await account(database, user))

    found = on_database(read)
    if as_json:
        show(orjson.dumps(asdict(found)).decode())
    elif found.lines:
        lay(_table(asked, found))
    else:
        say("Aucun appel dans cette période.")


def _asked(since: str, model: str, by: str) -> Asked:
    now = datetime.now(UTC)
    first = datetime.combine((now - timedelta(days=_DAYS)).date(), time(), UTC)
    try:
        begin = moment(since, "--since") if since else first
        chosen = groups(by)
    except Problem as problem:
        said = problem.message.replace("« group_by »", "--by").replace("« --since »", "--since")
        raise RequestError(said) from None
    if begin > now:
        raise RequestError(f"--since est dans l'avenir : {since!r}.")
    return Asked(since=begin, until=now, model=model, by=chosen)


def _table(asked: Asked, found: Report) -> Table:
    table = Table(box=None, header_style="bold")
    for name in asked.by:
        table.add_column(_TITLES[name])
    for title in _SUMS:
        table.add_column(title, justify="right")
    for line in found.lines:
        table.add_row(*(line.keys[name] for name in asked.by), *_cells(line))
    table.add_row("total", *[""] * (len(asked.by) - 1), *_cells(found.total), style="bold")
    return table


def _cells(line: Line) -> list[str]:
    return [
        _whole(line.requests),
        _whole(line.errors),
        _whole(line.prompt_tokens),
        _whole(line.completion_tokens),
        f"{line.cost:.2f}".replace(".", ","),
        *(
            _seconds(one)
            for spread in (line.latency, line.first_token)
            for one in (spread.p50, spread.p95)
        ),
    ]


def _whole(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _seconds(seconds: float | None) -> str:
    return "—" if seconds is None else f"{seconds:.2f} s".replace(".", ",")
