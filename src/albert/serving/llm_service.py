"""The service of one model: what its engine offers under ``/v1``, behind a key of its own."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path

import aiohttp
import orjson
from starlette.types import Receive, Scope, Send

from albert.asgi.exchange import Header, ReaderLeft, Reply, header, path_of, read_body
from albert.asgi.fields import json_object
from albert.asgi.in_flight import InFlight
from albert.asgi.problems import SERVER, Problem, invalid, problem_of, stopping
from albert.domain.errors import Unauthenticated
from albert.routing.table import RoutedModel
from albert.serving.engines.contract import EngineState
from albert.serving.engines.unable import refusal


class LLMService:
    """An ``albert.asgi.run.Application``; ``key`` may be empty on the loopback alone."""

    def __init__(
        self, *, model: RoutedModel, engine: EngineState, folder: Path | None, key: str
    ) -> None:
        self._model = model
        self._engine = engine
        self._folder = folder
        self._key = key
        self._in_flight = InFlight()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def drain(self) -> None:
        self._in_flight.draining = True

    def interrupt(self) -> None:
        self._in_flight.stop()

    async def idle(self) -> None:
        if tasks := self._in_flight.tasks:
            await asyncio.wait(tasks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = Reply(send)
        try:
            await self._route(scope, receive, reply)
        except Problem as problem:
            await reply.fail(problem)
        except ReaderLeft:
            return

    async def _route(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        path = path_of(scope)
        if path == "/health":
            await reply.json(b"{}", 200 if self._engine.ready else 503)
            return
        self._authorize(scope)
        if path in ("/models", "/v1/models"):
            entry = {"object": "model", "id": self._model.name}
            await reply.json(orjson.dumps({"object": "list", "data": [entry]}))
        elif path.startswith("/v1/") and scope["method"] == "POST":
            if self._in_flight.draining:
                raise stopping()
            body = await read_body(receive)
            await self._in_flight.run(self._relay(path, body, reply), receive)
        else:
            raise Problem(404, "Cette adresse n'existe pas ici.", code="not_found")

    def _authorize(self, scope: Scope) -> None:
        said = header(scope, b"authorization").removeprefix("Bearer ")
        if self._key and not hmac.compare_digest(said.encode(), self._key.encode()):
            raise problem_of(Unauthenticated())

    async def _relay(self, path: str, body: bytes, reply: Reply) -> None:
        assert self._session is not None  # noqa: S101 — opened before it is called
        if not self._engine.ready:
            raise Problem(503, self._engine.detail, type_=SERVER, code="model_unreachable")
        fields = dict(json_object(body))
        if (refused := refusal(fields, self._engine.unable)) is not None:
            raise invalid(refused[1], refused[0], "unsupported_value")
        fields |= {"model": self._model.upstream_name}
        if fields.get("stream"):
            fields |= self._engine.request_extra
        try:
            async with self._session.post(
                self._engine.base_url.removesuffix("/v1") + path,
                data=orjson.dumps(fields),
                headers={"authorization": f"Bearer {self._engine.key}", "connection": "close"},
                allow_redirects=False,
            ) as response:
                kind: Header = (b"content-type", response.content_type.encode())
                events = response.content_type == "text/event-stream"
                await reply.start(response.status, (kind,), events=events)
                async for data in response.content.iter_any():
                    await reply.write(data)
                await reply.end()
        except aiohttp.ClientError:
            message = "Le moteur du modèle ne répond pas : réessayez."
            raise Problem(502, message, type_=SERVER, code="model_unreachable") from None
