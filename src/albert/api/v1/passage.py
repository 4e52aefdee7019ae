"""A call passed to a language model's own server, and its answer passed back, byte for byte."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson

from albert.api.services import Upstream
from albert.asgi.exchange import JSON, WRITTEN_BY, Header, Reply, Request
from albert.asgi.fields import Fields
from albert.asgi.problems import SERVER, Problem

# RFC 9110, section 7.6.1: of the connection, not of the answer
_HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "trailers", "transfer-encoding", "upgrade"),
    )
)
_OURS = frozenset(
    ["server", "date", "set-cookie", "x-request-id", "alt-svc", "strict-transport-security"]
)
_CONNECT_SECONDS = 5
_ERROR_LIMIT = 64 << 10
_DEAD_IN_THE_POOL = (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError)


class Passage:
    """The worker's one HTTP client; it follows no redirect, and no proxy of the environment.

    ``patience`` is in seconds between two pieces: a long prompt takes minutes to be read.
    """

    def __init__(self, *, patience: float = 300) -> None:
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=self._patience
            ),
            auto_decompress=False,
            read_bufsize=1 << 18,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def relay(
        self,
        upstream: Upstream,
        request: Request,
        fields: Fields,
        reply: Reply,
        *,
        operation: str = "chat/completions",
    ) -> None:
        """Send ``request`` on, and its answer back as it comes; ``operation`` is the route below
        the model's ``/v1/``.

        Cancelling closes the connection to the model, which stops there too.

        Raises:
            Problem: 502 unreachable or at odds with HTTP, 503 overloaded, 504 too slow.
        """
        body = request.body
        extra = upstream.extra if fields.get("stream") else {}
        if extra or fields.get("model") != upstream.model:  # has another name over there
            body = orjson.dumps({**fields, **extra, "model": upstream.model})
        async with (
            _as_problems(),
            await self._post(upstream, operation, request.id, body) as response,
        ):
            if response.status in (401, 403) or response.status in range(300, 400):
                raise _unfit(
                    f"Le service du modèle refuse ({response.status}) : vérifiez adresse et clé."
                )
            if response.status >= 500:
                await _relay_error(response, reply)
                return
            events = response.content_type == "text/event-stream"
            await reply.start(response.status, _kept(response), events=events)
            async for data in response.content.iter_any():
                await reply.write(data)
            await reply.end()

    async def _post(
        self, upstream: Upstream, operation: str, request_id: str, body: bytes
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise _unfit("Le service n'est pas encore ouvert.", 503)
        headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "x-request-id": request_id,
        }
        if upstream.key:
            headers["authorization"] = f"Bearer {upstream.key}"
        send = functools.partial(
            self._session.post,
            f"{upstream.base_url.rstrip('/')}/{operation}",
            data=body,
            headers=headers,
            allow_redirects=False,
        )
        try:
            return await send()
        except _DEAD_IN_THE_POOL:
            return await send()  # the server had closed a connection that we kept


@asynccontextmanager
async def _as_problems() -> AsyncIterator[None]:
    """Turn what the client library raises into problems, without the causes: some carry the key."""
    try:
        yield
    except TimeoutError:  # aiohttp's ServerTimeoutError is one
        raise _unfit("Le service du modèle n'a pas répondu à temps : réessayez.", 504) from None
    except aiohttp.ClientError:
        raise _unfit("Le service du modèle ne répond pas : réessayez plus tard.") from None


async def _relay_error(response: aiohttp.ClientResponse, reply: Reply) -> None:
    try:
        body = await response.content.readexactly(_ERROR_LIMIT)
    except asyncio.IncompleteReadError as whole:  # as is expected of an error
        body = whole.partial
    status = response.status if response.status in (503, 504) else 502
    if _is_openai_error(body):
        await reply.json(body, status)
        return
    raise _unfit("Le service du modèle a échoué : réessayez plus tard.", status)


def _is_openai_error(body: bytes) -> bool:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and isinstance(value.get("error"), dict)


def _unfit(message: str, status: int = 502) -> Problem:
    return Problem(status, message, type_=SERVER, code="model_unreachable")


def _kept(response: aiohttp.ClientResponse) -> list[Header]:
    named = response.headers.get("connection", "").lower().replace(",", " ").split()
    dropped = _HOP_BY_HOP | _OURS | frozenset(named)
    kept = [
        (key.lower(), value)
        for key, value in response.raw_headers
        if key.decode("latin-1").lower() not in dropped
    ]
    if not any(key == JSON[0] for key, _ in kept):
        kept.append(JSON)
    return [*kept, WRITTEN_BY]
