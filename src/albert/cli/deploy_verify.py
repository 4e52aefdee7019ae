"""``albert deploy test``: whether what was deployed does what its users will ask of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import aiohttp
import typer

from albert.cli.console import say, show
from albert.client import AsyncAlbert
from albert.deploy.env_file import read
from albert.deploy.verifying.api import QUESTION, ApiChecks
from albert.deploy.verifying.report import Check, Result, junit, made
from albert.deploy.verifying.services import EmbeddingsChecks, LlmChecks
from albert.deploy.verifying.web import Service
from albert.domain.errors import EnvironmentInvalid
from albert.domain.mishaps import mishap
from albert.routing.reading import read as read_table
from albert.routing.table import RoutedModel
from albert.settings import environment

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}


class Part(StrEnum):
    api = "api"
    llm = "llm"
    embeddings = "embeddings"


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked, and the seconds that each answer has."""

    address: str
    part: Part
    question: str
    patience: float


def verify(
    base_url: Annotated[
        str, typer.Argument(metavar="ADRESSE", help="Adresse du service, préfixe compris.")
    ],
    part: Annotated[Part, typer.Option(help="Ce qui est déployé à cette adresse.")] = Part.api,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", help="Variables de l'environnement : compte, clés, table."),
    ] = None,
    question: Annotated[
        str, typer.Option(help="Question à laquelle les fiches du service répondent.")
    ] = QUESTION,
    report: Annotated[
        Path | None, typer.Option("--junit", help="Écrit aussi le résultat, dans la forme JUnit.")
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            "--timeout",
            help="Secondes laissées à chaque réponse, et au service pour être prêt.",
            min=0.1,
        ),
    ] = 60,
) -> None:
    """Interroge un service déployé comme le feront ses utilisateurs ; 0 si tout va bien, sinon 1.

    Le compte est TEST_USERNAME et TEST_PASSWORD, sinon le premier administrateur.
    """
    if not base_url.startswith(("http://", "https://")):
        raise EnvironmentInvalid("L'adresse commence par http:// ou https://.")
    values = read(env_file) if env_file else environment()
    results = asyncio.run(_asked(Target(base_url, part, question, patience), values))
    if report:
        _write(report, junit(f"albert.{part}", results))
    _conclude(results)


def _conclude(results: tuple[Result, ...]) -> None:
    counted = Counter(result.outcome for result in results)
    show(
        f"{counted['passed']} réussies, {counted['failed']} en échec, "
        f"{counted['skipped']} sans conclusion."
    )
    if counted["failed"]:
        raise typer.Exit(1)


async def _asked(target: Target, values: Mapping[str, str]) -> tuple[Result, ...]:
    seconds = target.patience
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=seconds), trust_env=True
        ) as session,
        AsyncAlbert(target.address, timeout=seconds, silence=seconds) as albert,
    ):
        return await made(_checks(session, albert, target, values), _tell)


def _checks(
    session: aiohttp.ClientSession, albert: AsyncAlbert, target: Target, values: Mapping[str, str]
) -> Iterable[Check]:
    if target.part is Part.llm:
        return LlmChecks(
            Service(session, target.address, values.get("LLM_API_KEY", "")), target.patience
        )
    if target.part is Part.embeddings:
        key = values.get("EMBEDDINGS_API_KEY", "")
        return EmbeddingsChecks(Service(session, target.address, key), target.patience)
    names = _OWN if values.get(_OWN[0]) else _FIRST
    return ApiChecks(
        Service(session, target.address),
        albert,
        login=values.get(names[0], ""),
        password=values.get(names[1], ""),
        question=target.question,
        patience=target.patience,
        expected=[model.name for model in _table(values) if "member" in model.access],
    )


_OWN = ("TEST_USERNAME", "TEST_PASSWORD")
_FIRST = ("FIRST_ADMIN_USERNAME", "FIRST_ADMIN_PASSWORD")


def _table(values: Mapping[str, str]) -> Iterable[RoutedModel]:
    path = values.get("ALBERT_ROUTING_TABLE")
    return read_table(Path(path)) if path else ()


def _tell(result: Result) -> None:
    show(f"{_MARKS[result.outcome]} {result.name} ({result.seconds:.1f} s) : {result.detail}")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise mishap(error, "--junit") from error
    say(f"Rapport écrit dans {path}")
