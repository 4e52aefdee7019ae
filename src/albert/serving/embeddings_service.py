"""The embeddings service: one embedder over HTTP, on raw ASGI."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Awaitable, Callable

import orjson
from starlette.types import Receive, Scope, Send

from albert.asgi.answering import Answering, Work
from albert.asgi.exchange import Reply, Request, header, path_of, read_body, request_id_of
from albert.asgi.in_flight import InFlight
from albert.asgi.problems import Problem, stopping
from albert.domain.errors import Unauthenticated
from albert.inference.contract import Embedder
from albert.serving.embeddings import embed, rerank
from albert.wire.openai import model_card

BODY_LIMIT = 8 << 20
"""Bytes: 2,048 passages of 4,000 characters."""

Handler = Callable[[Request, Reply], Awaitable[None]]


async def _nothing() -> None:
    """Neither opens nor closes anything."""


class EmbeddingsService:
    """Answers ``/health``, ``/models``, ``/embeddings`` and ``/rerank``, also under ``/v1``.

    An empty ``key`` admits everybody: on loopback only. ``open`` and ``close`` run
    once each, around the service; ``drain_seconds`` is what running calls have to end.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        key: str = "",
        drain_seconds: float = 30.0,
        open_: Callable[[], Awaitable[None]] = _nothing,
        close: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._embedder = embedder
        self._key = key.encode()
        self._drain_seconds = drain_seconds
        self._open, self._close = open_, close
        self._in_flight = InFlight()
        self._answering = Answering(self._in_flight)
        self._handlers: dict[str, tuple[str, Handler]] = {
            "health": ("GET", self._health),
            "models": ("GET", self._models),
            "embeddings": ("POST", self._embeddings),
            "rerank": ("POST", self._rerank),
        }

    async def open(self) -> None:
        await self._open()

    async def close(self) -> None:
        await self._close()

    def drain(self) -> None:
        self._in_flight.drain(self._drain_seconds)

    def interrupt(self) -> None:
        self._in_flight.stop()

    async def idle(self) -> None:
        await self._in_flight.idle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = Reply(send)

        async def prepare() -> Work:
            handler, body = self._admit(scope), await read_body(receive, BODY_LIMIT)
            return functools.partial(handler, Request(request_id_of(scope), body), reply)

        await self._answering(prepare, reply, receive)

    def _admit(self, scope: Scope) -> Handler:
        """Return what answers, if the caller may ask it."""
        path = path_of(scope)
        name = path.removeprefix("/").removeprefix("v1/")
        if path != "/health" and self._key:
            self._check_key(header(scope, b"authorization"))
        if self._in_flight.draining:
            raise stopping()
        if name not in self._handlers or path == "/v1/health":
            known = ", ".join(f"/{one}" for one in self._handlers)
            message = f"Rien ne répond à {path!r}. Adresses connues : {known}."
            raise Problem(404, message, code="unknown_url")
        expected, handler = self._handlers[name]
        if scope["method"] != expected:
            message = f"{path} s'appelle par {expected}, et non {scope['method']}."
            problem = Problem(405, message, code="method_not_allowed")
            problem.headers = ((b"allow", expected.encode()),)
            raise problem
        return handler

    def _check_key(self, authorization: str) -> None:
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(key.encode(), self._key):
            raise Unauthenticated("Il faut la clé du service : « Authorization: Bearer <clé> ».")

    async def _health(self, _request: Request, reply: Reply) -> None:
        await reply.json(orjson.dumps({"status": "ok", "model": self._embedder.model}))

    async def _models(self, _request: Request, reply: Reply) -> None:
        card = model_card(self._embedder.model, "text-embeddings-inference")
        await reply.json(orjson.dumps({"object": "list", "data": [card]}))

    async def _embeddings(self, request: Request, reply: Reply) -> None:
        await reply.json((await embed(self._embedder, request.body)).payload)

    async def _rerank(self, request: Request, reply: Reply) -> None:
        answer = await rerank(self._embedder, request.body, request_id=request.id)
        await reply.json(answer.payload)
