"""``albert ask``, ``chat`` and ``search``: by the running service, else in this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer

from albert.api.features.search.documents import described
from albert.assistant.contract import Finish, Piece, Question
from albert.assistant.finding import checked
from albert.assistant.phrases import french_date
from albert.bootstrap.albert import Albert
from albert.cli.console import say, show, write
from albert.cli.remote import Remote, service
from albert.cli.start import albert
from albert.domain.conversation import Message
from albert.domain.documents import AUDIENCES, PUBLISHERS, Audience, SourceName
from albert.domain.errors import RequestError
from albert.index.contract import Filter
from albert.wire.citations import citation

Told = str | dict[str, Any]
"""A piece of the answer, or at its end what it rests on, in the wire's own form."""

_END = ("sources", "mode", "answered", "findings")

JsonOption = Annotated[bool, typer.Option("--json", help="En JSON, quand la réponse est entière.")]
ModelOption = Annotated[
    str, typer.Option("--model", help="Modèle qui répond (albert-extractif : des citations).")
]


def ask(
    question: Annotated[list[str], typer.Argument(help="La question, en français courant.")],
    as_json: JsonOption = False,
    model: ModelOption = "",
    limit: Annotated[int | None, typer.Option(help="Nombre d'extraits lus.", min=1, max=50)] = None,
) -> None:
    """Répond à une question depuis les fiches officielles, avec ses sources."""
    text = checked(" ".join(question))
    asyncio.run(_ask(albert(), text, as_json=as_json, model=model, limit=limit))


async def _ask(one: Albert, text: str, *, as_json: bool, model: str, limit: int | None) -> None:
    said: list[str] = []
    end: dict[str, Any] = {}
    async with _answerer(one, model) as answer:
        async for told in answer([Message("user", text)], limit or one.settings.limit):
            if isinstance(told, str):
                said.append(told)
                if not as_json:
                    write(told)
            else:
                end = told
    if as_json:
        body = {"question": text, "answer": "".join(said), **end, "dates": one.corpus.newest()}
        show(orjson.dumps(body).decode())
    else:
        write("\n")


def chat(model: ModelOption = "") -> None:
    """Tient une conversation (oubliée à la fin) : une ligne vide ou Ctrl-D pour finir."""
    asyncio.run(_chat(albert(), model))


async def _chat(one: Albert, model: str) -> None:
    say("Posez votre question ; une ligne vide pour finir.")
    turns: list[Message] = []
    async with _answerer(one, model) as answer:
        while text := (await asyncio.to_thread(_read_line)).strip():
            try:
                turns.append(Message("user", checked(text)))
            except RequestError as error:
                say(str(error))
                continue
            said: list[str] = []
            async for told in answer(turns, one.settings.limit):
                if isinstance(told, str):
                    said.append(told)
                    write(told)
            write("\n\n")
            turns.append(Message("assistant", "".join(said)))


def _read_line() -> str:
    if sys.stdin is None:  # closed by the caller
        return ""
    if sys.stdin.isatty():
        write("> ")
    return sys.stdin.readline()


def search(
    query: Annotated[list[str], typer.Argument(help="Ce que l'on cherche.")],
    limit: Annotated[int, typer.Option(help="Nombre d'extraits.", min=1, max=100)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
    source: Annotated[
        list[str] | None, typer.Option(help=f"Seulement cette source ({', '.join(PUBLISHERS)}).")
    ] = None,
    audience: Annotated[
        list[str] | None, typer.Option(help=f"Seulement ce public ({', '.join(AUDIENCES)}).")
    ] = None,
) -> None:
    """Montre les extraits des fiches qui répondent le mieux."""
    text = checked(" ".join(query))
    sources = [SourceName(_one_of(name, list(PUBLISHERS), "La source")) for name in source or ()]
    publics = {_one_of(name, AUDIENCES, "Le public") for name in audience or ()}
    audiences = [known for known in AUDIENCES if known in publics]
    found = asyncio.run(_search(albert(), text, limit, sources, audiences))
    if as_json:
        show(orjson.dumps(found).decode())
        return
    for number, one in enumerate(found, start=1):
        path = " › ".join([one["title"], *one["context"]])
        show(f"[{number}] {path}")
        show(f"    {one['publisher']}, {one['licence']}, {_dated(one['date'])}")
        show(f"    {one['url']}")
        show("\n".join(f"    {line}" for line in one["text"].split("\n")) + "\n")
    if not found:
        show("Aucun extrait ne correspond.")


def _dated(date: str) -> str:
    return f"fiche du {french_date(date)}" if date else "fiche sans date"


def _one_of(name: str, known: list[str] | tuple[str, ...], what: str) -> str:
    if name not in known:
        raise RequestError(f"{what} {name!r} n'existe pas : choisissez {', '.join(known)}.")
    return name


_EXPERIENCES = SourceName("experiences")
"""The service keeps them apart: asked for with other sources, they are searched here."""


async def _search(
    one: Albert, text: str, limit: int, sources: list[SourceName], audiences: list[Audience]
) -> list[dict[str, Any]]:
    async with service(one) as remote:
        experiences = _EXPERIENCES in sources
        if remote is not None and (not experiences or set(sources) == {_EXPERIENCES}):
            body: dict[str, object] = {
                "name": "experiences" if experiences else "chunks",
                "query": text,
                "limit": limit,
                "sources": sources or None,
                "audiences": audiences or None,
            }
            found: list[dict[str, Any]] = await remote.post("/api/v2/indexes", body)
            return found
    where = Filter(
        sources=frozenset(sources) or one.answering_sources, audiences=frozenset(audiences)
    )
    hits = await one.retriever.retrieve(text, limit=limit, where=where)
    return [document.model_dump() for document in await described(one.library, hits)]


@asynccontextmanager
async def _answerer(one: Albert, model: str) -> AsyncIterator[Any]:  # a function of turns and limit
    """Give what answers: the service where it runs, else the model in this process."""
    async with service(one) as remote:
        if remote is not None:
            yield lambda turns, limit: _remotely(remote, turns, model, limit)
            return
    async with one.models(model) as models:
        chosen = models.answerers[model if model in models.answerers else models.default]

        async def locally(turns: list[Message], limit: int) -> AsyncIterator[Told]:
            question = Question(
                text=turns[-1].content,
                history=tuple(turns[:-1]),
                limit=limit,
                where=Filter(sources=one.answering_sources),
            )
            async for event in chosen.answer(question):
                if isinstance(event, Piece):
                    yield event.text
                elif isinstance(event, Finish):
                    cited = [citation(c.chunk, c.quote) for c in event.citations]
                    yield {
                        "sources": cited,
                        "mode": event.mode,
                        "answered": event.answered,
                        "findings": [asdict(finding) for finding in event.findings],
                    }

        yield locally


async def _remotely(
    remote: Remote, turns: list[Message], model: str, limit: int
) -> AsyncIterator[Told]:
    body: dict[str, object] = {
        **({"model": model} if model else {}),
        "stream": True,
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "rag": {"strategy": "last", "limit": limit},
    }
    async for chunk in remote.stream("/v1/chat/completions", body):
        choice = chunk["choices"][0]
        if content := choice["delta"].get("content"):
            yield str(content)
        if choice["finish_reason"] == "stop":
            yield {name: chunk[name] for name in _END if name in chunk}
