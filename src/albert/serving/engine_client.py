"""The HTTP client of a service that stands in front of one engine."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import aiohttp
import orjson
from yarl import URL

from albert.asgi.exchange import JSON, WRITTEN_BY, Header, Reply
from albert.asgi.problems import INVALID, SERVER, Problem
from albert.routing.table import Timeouts
from albert.serving.engines.contract import EngineState
from albert.wire.openai import ErrorBody

RETRY_SECONDS = 2
"""Told to who finds the engine away: it is launched again within seconds."""
_ERROR_LIMIT = 64 << 10
_DEAD_IN_THE_POOL = (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError)
# RFC 9110, section 7.6.1: of the connection, not of the answer; then what is ours to say
_DROPPED = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "trailers", "transfer-encoding", "upgrade"),
        *("server", "date", "set-cookie", "x-request-id", "alt-svc", "strict-transport-security"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToEngine:
    """A request for the engine; ``path`` is below its ``/v1/``, quoted, with its query."""

    path: str
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)


class EngineClient:
    """One pooled session for the life of the service; no redirect, no proxy, no cookie.

    The engine's address and key are read at each request: it may have been launched again.
    """

    def __init__(self, engine: EngineState, timeouts: Timeouts) -> None:
        self._engine = engine
        self._limits = aiohttp.ClientTimeout(total=timeouts.whole, sock_connect=timeouts.connect)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._limits,
            auto_decompress=False,
            read_bufsize=1 << 18,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def asking(self, request: ToEngine) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give the engine's answer; leaving the block before its end stops the engine's work.

        Raises:
            Problem: 503 the engine is away, 502 it refuses us or breaks off, 504 too slow;
                else its own refusal, with its status.
        """
        if not self._engine.ready:
            raise away(self._engine.detail)
        try:
            response = await self._send(request)
            try:
                if response.status >= 300:
                    raise await _refusal(response)
                yield response
            finally:
                response.close()  # back to the pool where it is whole, else cut
        # the causes are dropped: some carry the key
        except TimeoutError:  # aiohttp's ServerTimeoutError is one
            raise _unfit("Le moteur du modèle n'a pas répondu à temps : réessayez.", 504) from None
        except aiohttp.ClientError:
            raise _unfit("La réponse du moteur s'est interrompue : réessayez.") from None

    async def relay(self, request: ToEngine, reply: Reply) -> None:
        """Pass the engine's answer on, byte for byte, as it comes.

        Raises:
            Problem: as ``asking`` does.
        """
        async with self.asking(request) as response:
            events = response.content_type == "text/event-stream"
            await reply.start(response.status, _kept(response), events=events)
            async for data in response.content.iter_any():
                await reply.write(data)
            await reply.end()

    async def _send(self, request: ToEngine) -> aiohttp.ClientResponse:
        if self._session is None:
            raise away("Le service n'est pas encore ouvert.")
        headers = {"accept-encoding": "identity", **request.headers}
        if key := self._engine.key:
            headers["authorization"] = f"Bearer {key}"
        send = functools.partial(
            self._session.request,
            request.method,
            URL(f"{self._engine.base_url.rstrip('/')}/{request.path}", encoded=True),
            data=request.body or None,
            headers=headers,
            allow_redirects=False,
        )
        try:
            try:
                return await send()
            except _DEAD_IN_THE_POOL:  # the engine had closed a connection that we kept
                return await send()
        except TimeoutError:
            raise
        except aiohttp.ClientError:  # nothing of an answer has come: it may be asked again
            raise away(self._engine.detail) from None


class EngineRefusal(Problem):
    """What the engine itself says, in OpenAI's form whatever its own is; its fields are kept."""

    def __init__(self, status: int, said: Mapping[str, object]) -> None:
        message = said.get("message")
        if not isinstance(message, str) or not message:
            message = f"Le moteur du modèle a échoué ({status})."
        super().__init__(status, message, type_=INVALID if status < 500 else SERVER)
        self._said = {**said, "message": message}

    def body(self) -> ErrorBody:
        whole = super().body()
        return cast("ErrorBody", {"error": {**whole["error"], **self._said}})


def away(detail: str) -> Problem:
    """The engine starts, or starts again: the same request may pass in a moment."""
    problem = _unfit(detail or "Le moteur du modèle redémarre : réessayez dans un instant.", 503)
    problem.headers = ((b"retry-after", str(RETRY_SECONDS).encode()),)
    return problem


def _unfit(message: str, status: int = 502) -> Problem:
    return Problem(status, message, type_=SERVER, code="model_unreachable")


async def _refusal(response: aiohttp.ClientResponse) -> Problem:
    """Return the engine's refusal, in OpenAI's form whatever its own is."""
    if response.status in (401, 403) or response.status < 400:
        return _unfit(f"Le moteur du modèle nous refuse ({response.status}) : relancez le service.")
    try:
        body = await response.content.readexactly(_ERROR_LIMIT)
    except asyncio.IncompleteReadError as whole:  # as is expected of an error
        body = whole.partial
    problem = EngineRefusal(response.status, _said(body))
    if response.status in (429, 503):
        seconds = response.headers.get("retry-after", str(RETRY_SECONDS))
        problem.headers = ((b"retry-after", seconds.encode("latin-1", "ignore")),)
    return problem


def _said(body: bytes) -> Mapping[str, object]:
    """Return the error of a body: OpenAI's, vLLM's earlier form, or FastAPI's."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = value.get("error", value.get("detail", value)) if isinstance(value, dict) else {}
    if isinstance(error, str):
        return {"message": error}
    return dict(error) if isinstance(error, dict) else {}


def _kept(response: aiohttp.ClientResponse) -> list[Header]:
    named = response.headers.get("connection", "").lower().replace(",", " ").split()
    dropped = _DROPPED | frozenset(named)
    kept = [
        (key.lower(), value)
        for key, value in response.raw_headers
        if key.decode("latin-1").lower() not in dropped
    ]
    if not any(key == JSON[0] for key, _ in kept):
        kept.append(JSON)
    return [*kept, WRITTEN_BY]
