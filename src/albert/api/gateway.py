"""The gateway alone: the routes under /v1 to the models of the table, without sheets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from starlette.types import Message, Receive, Scope, Send

from albert import __version__
from albert.api.auth import Gate
from albert.api.auth_log import AuthLog
from albert.api.call import Limiter, Recorder, Unlimited, Unrecorded
from albert.api.database.engine import Database
from albert.api.features.usage.telling import UsageReport
from albert.api.metrics.page import PATH as METRICS
from albert.api.metrics.page import Metrics
from albert.api.v1.routes import OpenAIRoutes, is_ours
from albert.asgi.exchange import Reply, path_of, request_id_of
from albert.asgi.in_flight import InFlight
from albert.asgi.problems import Problem
from albert.routing.dispatch import Dispatcher

if TYPE_CHECKING:
    from albert.assistant.contract import Answerer
    from albert.inference.contract import Embedder


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayServices:
    """What a gateway needs, for the life of a worker."""

    gate: Gate
    database: Database
    dispatcher: Dispatcher
    limiter: Limiter = field(default_factory=Unlimited)
    recorder: Recorder = field(default_factory=Unrecorded)
    metrics: Metrics = field(default_factory=Metrics)
    auth_log: AuthLog = AuthLog()
    drain_seconds: float = 30.0
    opened: Callable[[], Awaitable[object]] | None = None
    """Called once the database is open."""
    closing: Callable[[], Awaitable[object]] | None = None
    """Called before the database is closed."""

    @property
    def answerers(self) -> Mapping[str, Answerer]:
        """Nobody: the sheets are elsewhere."""
        return {}

    @property
    def embedder(self) -> Embedder | None:
        """None: it weighs more than all the rest."""
        return None

    @property
    def default_model(self) -> str:
        return next(
            (r.model.name for r in self.dispatcher.fleet if r.model.type == "text-generation"), ""
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(route.model.name for route in self.dispatcher.fleet)


class Gateway:
    """An ASGI application for ``albert.asgi.run.serve``."""

    def __init__(self, services: GatewayServices) -> None:
        self._services = services
        self._in_flight = InFlight()
        self._v1 = OpenAIRoutes(services, self._in_flight, usage=UsageReport(services.database))

    async def open(self) -> None:
        await self._services.database.open()
        if self._services.opened is not None:
            await self._services.opened()
        await self._services.dispatcher.open()

    async def close(self) -> None:
        await self._services.dispatcher.close()
        if self._services.closing is not None:
            await self._services.closing()
        await self._services.database.close()

    def drain(self) -> None:
        self._in_flight.drain(self._services.drain_seconds)

    def interrupt(self) -> None:
        self._in_flight.stop()

    async def idle(self) -> None:
        await self._in_flight.idle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id, path = request_id_of(scope), path_of(scope)
        stamp = (b"x-request-id", request_id.encode())
        part = "v1" if is_ours(path) else "v2"

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), stamp]
                self._services.metrics.answered(part, message["status"])
                if message["status"] >= 400:
                    self._services.auth_log.answered(scope, message["status"])
            await send(message)

        if part == "v1":
            await self._v1(scope, receive, stamped, request_id)
        elif path == METRICS:
            await self._services.metrics(scope, receive, self._services.auth_log.told(scope, send))
        else:
            await self._about(path, Reply(stamped))

    async def _about(self, path: str, reply: Reply) -> None:
        """Say how the gateway is, in the words of the whole API."""
        match path:
            case "/health/live":
                await reply.json(b'{"status":"ok"}')
            case "/health/ready" | "/health":
                status = self._status()
                said = orjson.dumps({"status": status, "version": __version__})
                await reply.json(said, 200 if status == "ok" else 503)
            case "/api/v2/healthcheck":
                await reply.json(orjson.dumps({"msg": "OK", "version": __version__}))
            case _:
                message = f"Rien ne répond à {path!r} : cette passerelle ne sert que /v1."
                await reply.fail(Problem(404, message, code="unknown_url"))

    def _status(self) -> str:
        if self._in_flight.draining:
            return "stopping"
        return "ok" if self._services.database.listener.connected else "database"
