"""Everything that the API serves, scripted; and one call to it without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import orjson
from starlette.types import ASGIApp, Message, Scope

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.accounts.tables import User
from albert.api.features.tokens.gate import DatabaseGate
from albert.api.features.tokens.tables import ApiToken
from albert.api.keys import digest_of, new_key, opens
from albert.api.mail.contract import Mail, Mailer
from albert.api.services import Policy, Services, SourceStatus, Status
from albert.assistant.contract import EXTRACTIVE, Answerer
from albert.domain.documents import Chunk, Hit, Section, Sheet, SheetId, SourceName
from albert.domain.errors import Unauthenticated
from albert.index.contract import EVERYTHING, Coverage, Filter
from albert.inference.contract import Vectors
from albert.retrieval.contract import Ranking
from albert.retrieval.library import Library
from albert.routing.dispatch import Dispatcher
from albert.routing.fleet import Fleet
from albert.routing.table import RoutedModel, RoutingTable
from albert.testing.answers import ScriptedAnswerer
from albert.testing.library import ListLibrary

KEY = "albert-cle-de-test"

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
"""A database that is never there: for what needs none."""

PASSPORT = Chunk(
    sheet=SheetId("F14929"),
    source=SourceName("service-public"),
    title="Passeport",
    headings=("Coût",),
    url="https://www.service-public.fr/particuliers/vosdroits/F14929",
    text="Le passeport coûte 86 €.",
    date="2020-04-30",
    audiences=("particuliers",),
)
PASSPORT_SHEET = Sheet(
    id=PASSPORT.sheet,
    source=PASSPORT.source,
    title=PASSPORT.title,
    url=PASSPORT.url,
    date=PASSPORT.date,
    kind="Fiche pratique",
    audiences=PASSPORT.audiences,
    theme="Papiers - Citoyenneté",
    sections=(Section(headings=("Coût",), opens=1, text=PASSPORT.text),),
)

READY = Status(
    version="1.0.0",
    corpus=(
        SourceStatus(source="service-public", sheets=3984, newest="2020-04-30", origin="registry"),
    ),
    coverage=Coverage(chunks=10, sheets=5, passages_embedded=0, sheets_embedded=5),
    models=(EXTRACTIVE,),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A model's server: ``base_url`` ends with ``/v1``, ``model`` is its name over there."""

    base_url: str
    model: str
    key: str = ""


def dispatcher_to(upstreams: Mapping[str, Upstream], **said: object) -> Dispatcher:
    """Return what reaches these models; ``said`` is what else their entries say."""
    table = {
        name: RoutedModel.model_validate(
            {
                "name": name,
                "driver": "openai",
                "served_name": upstream.model,
                "replicas": [
                    {"host": upstream.base_url, "key_variable": "KEY" if upstream.key else ""}
                ],
                **said,
            }
        )
        for name, upstream in upstreams.items()
    }
    keys = [upstream.key for upstream in upstreams.values()]
    return Dispatcher(Fleet(RoutingTable(table), key_of=lambda _variable: max(keys)))


class KeyGate:
    """Admits whoever bears ``KEY``, as an administrator."""

    def __init__(self, key: str = KEY) -> None:
        self._digest = digest_of(key)

    async def admit(self, token: str) -> Principal:
        if not opens(token, self._digest):
            raise Unauthenticated
        return Principal(user_id=1, username="test", is_admin=True)


class Outbox:
    """Keeps the mail that was sent."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.sent.append(mail)


class CountingEmbedder:
    """Two dimensions: queries lie on the first axis, documents on the second; words are tokens."""

    model = "test-embedder"
    fingerprint = "test-embedder/1"
    dimension = 2

    def token_count(self, text: str) -> int:
        return len(text.split())

    async def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        row = (1, 0) if role == "query" else (0, 1)
        return np.array([row] * len(texts), dtype=np.float32).reshape(len(texts), 2)


class ListRetriever:
    """Gives the chunks of a list that a filter admits, in order; remembers what was asked."""

    def __init__(self, chunks: Sequence[Chunk] = ()) -> None:
        self._chunks = chunks
        self.asked: list[tuple[str, int, Filter, Ranking, bool]] = []

    async def retrieve(
        self,
        question: str,
        *,
        limit: int,
        where: Filter = EVERYTHING,
        by: Ranking = "hybrid",
        expand: bool = True,
    ) -> list[Hit]:
        self.asked.append((question, limit, where, by, expand))
        admitted = [chunk for chunk in self._chunks if where.admits(chunk)]
        return [Hit(chunk, 1 / (rank + 1)) for rank, chunk in enumerate(admitted[:limit])]


def scripted(
    *answerers: Answerer,
    upstreams: Mapping[str, Upstream] | None = None,
    retriever: ListRetriever | None = None,
    library: Library | None = None,
    status: Status = READY,
    mailer: Mailer | None = None,
    policy: Policy = Policy(drain_seconds=1),
    dispatcher: Dispatcher | None = None,
) -> Services:
    """Return services that open with ``KEY``; without answerers, extraction quotes ``PASSPORT``."""
    speaking = answerers or (ScriptedAnswerer(["Le passeport ", "coûte 86 €."], chunks=[PASSPORT]),)
    to_models = dispatcher or dispatcher_to(upstreams or {})
    return Services(
        answerers={answerer.model: answerer for answerer in speaking},
        default=lambda: EXTRACTIVE,
        embedder=CountingEmbedder(),
        retriever=retriever or ListRetriever([PASSPORT]),
        library=library or ListLibrary([PASSPORT], [PASSPORT_SHEET]),
        status=lambda: status,
        gate=KeyGate(),
        database=Database(NOWHERE),
        mailer=mailer or Outbox(),
        secret="0123456789abcdef" * 2,
        policy=policy,
        dispatcher=to_models,
        open=to_models.open,
        close=to_models.close,
    )


def with_database(services: Services, uri: str) -> Services:
    """Return the same services on a real PostgreSQL, whose accounts have the keys."""
    database = Database(uri)
    gate = DatabaseGate(database, services.secret)

    async def open_both() -> None:
        await database.open()
        await services.open()

    async def close_both() -> None:
        await services.close()
        await database.close()

    return replace(services, database=database, gate=gate, open=open_both, close=close_both)


async def enrol(
    database: Database, username: str, *, admin: bool = False, confirmed: bool | None = True
) -> str:
    """Create an account ``<username>@exemple.fr`` without a password; return a token of it."""
    token = new_key()
    async with database.session() as session:
        user = User(
            username=username,
            email=f"{username}@exemple.fr",
            is_admin=admin,
            is_confirmed=confirmed,
        )
        session.add(user)
        await session.flush()
        session.add(ApiToken(digest=digest_of(token), user_id=user.id, name="test"))
    return token


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        value: dict[str, object] = orjson.loads(self.body)
        return value


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    body: object = None,
    *,
    key: str | None = KEY,
    headers: Mapping[str, str] | None = None,
    heard: list[Message] | None = None,
) -> Answered:
    """Call ``app`` once; the reader stays to the end. ``body`` is bytes, or made JSON.

    ``heard`` receives the answer's ASGI messages, for those who want them as they come.
    """
    content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    sent = {"content-type": "application/json", **(headers or {})}
    if key is not None:
        sent["authorization"] = f"Bearer {key}"
    requests: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
    said: list[Message] = [] if heard is None else heard

    async def receive() -> Message:
        return requests.pop() if requests else await asyncio.Future()

    async def send(message: Message) -> None:
        said.append(message)

    await app(_scope(method, path, sent), receive, send)
    start, *parts = said
    return Answered(
        start["status"],
        {name.decode().lower(): value.decode() for name, value in start["headers"]},
        b"".join(part.get("body", b"") for part in parts),
    )


def _scope(method: str, path: str, headers: Mapping[str, str]) -> Scope:
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
    }
